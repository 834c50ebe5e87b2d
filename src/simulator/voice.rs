//! The simulator's voice: a text becomes segments of recorded speech, cut to a format and a speed.
//! Knows nothing of responses; what it says for a text always has the same length.

use std::{io::Cursor, sync::LazyLock};

use super::codec::Format;

/// A piece of a transcript and the audio that speaks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// The piece of text, white space before it included; the texts of all segments make up the whole.
    pub(super) text: String,
    /// Samples at the format's rate.
    pub(super) samples: Vec<i16>,
}

/// Speaks a text. Words that no clip says are covered by a clip that asks to read them.
///
/// `speed` 0.25 to 1.5 changes pitch along with tempo, as a tape does.
pub(super) fn speak(text: &str, format: Format, speed: f64) -> Vec<Segment> {
    pieces(text.trim_end())
        .into_iter()
        .map(|(text, clips)| {
            let recorded = clips.iter().flat_map(|&clip| RECORDED[clip].iter().copied()).collect::<Vec<_>>();
            let step = speed * 24_000.0 / f64::from(format.rate);
            Segment { text: text.to_owned(), samples: resampled(&recorded, step) }
        })
        .collect()
}

/// Cuts a text into pieces, each with the clips (indices of [`CLIPS`]) that speak it.
fn pieces(text: &str) -> Vec<(&str, Vec<usize>)> {
    let words = words(text);
    let mut pieces: Vec<(&str, Vec<usize>)> = Vec::new();
    let mut unspoken: Option<usize> = None;
    let mut next = 0;
    while next < words.len() {
        let start = words[next].start;
        let Some((count, clips)) = clips_at(&words[next..]) else {
            unspoken.get_or_insert(start);
            next += 1;
            continue;
        };
        if let Some(from) = unspoken.take() {
            pieces.push((&text[from..start], vec![READ_THE_REST]));
        }
        next += count;
        let end = words.get(next).map_or(text.len(), |word| word.start);
        pieces.push((&text[start..end], clips));
    }
    if let Some(from) = unspoken {
        pieces.push((&text[from..], vec![READ_THE_REST]));
    }
    pieces
}

struct Word<'a> {
    start: usize,
    plain: &'a str,
}

/// The words of a text with the position where each one's white space begins.
fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let rest = &text[start..];
        let blank = rest.len() - rest.trim_start().len();
        let length = rest[blank..].find(char::is_whitespace).unwrap_or(rest.len() - blank);
        let plain = rest[blank..blank + length].trim_matches(|letter: char| ",.!?;".contains(letter));
        words.push(Word { start, plain });
        start += blank + length;
    }
    words
}

/// The longest clip that says the first words, or the digits of a number or a time of day.
fn clips_at(words: &[Word<'_>]) -> Option<(usize, Vec<usize>)> {
    let says = |clip: &&(&str, &[u8])| {
        let said = clip.0.split(' ');
        let count = said.clone().count();
        count <= words.len() && said.zip(words).all(|(said, word)| said.eq_ignore_ascii_case(word.plain))
    };
    if let Some(clip) = CLIPS[10..].iter().position(|clip| says(&clip)) {
        return Some((CLIPS[10 + clip].0.split(' ').count(), vec![10 + clip]));
    }
    let number = words.first()?.plain;
    let is_number =
        (1..=5).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    let digits =
        number.bytes().filter(u8::is_ascii_digit).map(|digit| usize::from(digit - b'0')).collect::<Vec<_>>();
    (is_number && !digits.is_empty()).then_some((1, digits))
}

/// Reads every `step`th sample, between samples linearly. The clips end at 3.6 kHz, so 8 kHz gets no alias.
fn resampled(samples: &[i16], step: f64) -> Vec<i16> {
    let length = (samples.len() as f64 / step) as usize;
    let at = |index: usize| samples.get(index).copied().map_or(0.0, f64::from);
    (0..length)
        .map(|index| {
            let position = index as f64 * step;
            let (whole, part) = (position as usize, position.fract());
            (at(whole) * (1.0 - part) + at(whole + 1) * part) as i16
        })
        .collect()
}

/// What a clip says and its WAV file; the first ten are the digits, longer phrases stand before their parts.
const CLIPS: [(&str, &[u8]); 19] = [
    ("zero", include_bytes!("clips/0.wav")),
    ("one", include_bytes!("clips/1.wav")),
    ("two", include_bytes!("clips/2.wav")),
    ("three", include_bytes!("clips/3.wav")),
    ("four", include_bytes!("clips/4.wav")),
    ("five", include_bytes!("clips/5.wav")),
    ("six", include_bytes!("clips/6.wav")),
    ("seven", include_bytes!("clips/7.wav")),
    ("eight", include_bytes!("clips/8.wav")),
    ("nine", include_bytes!("clips/9.wav")),
    ("this is the voxbridge simulator speaking", include_bytes!("clips/simulator.wav")),
    ("how can I help you", include_bytes!("clips/help.wav")),
    ("are you still there", include_bytes!("clips/still_there.wav")),
    ("please read the rest", include_bytes!("clips/read_the_rest.wav")),
    ("I heard you", include_bytes!("clips/i_heard_you.wav")),
    ("the time is", include_bytes!("clips/the_time_is.wav")),
    ("the tool says:", include_bytes!("clips/the_tool_says.wav")),
    ("you said:", include_bytes!("clips/you_said.wav")),
    ("hello", include_bytes!("clips/hello.wav")),
];
const READ_THE_REST: usize = 13;

static RECORDED: LazyLock<Vec<Vec<i16>>> = LazyLock::new(|| {
    let read = |wav| {
        let reader = hound::WavReader::new(Cursor::new(wav)).expect("a clip is a WAV file");
        reader.into_samples().collect::<Result<Vec<i16>, _>>().expect("a clip holds 16-bit samples")
    };
    CLIPS.iter().map(|(_, wav)| read(*wav)).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_are_mono_24_khz_and_audible() {
        for (says, wav) in CLIPS {
            let spec = hound::WavReader::new(Cursor::new(wav)).expect("a WAV file").spec();
            assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 24_000, 16), "{says}");
        }
        assert!(RECORDED.iter().all(|clip| clip.len() > 4800 && clip.iter().any(|&sample| sample > 8000)));
    }

    #[test]
    fn texts_of_the_segments_make_up_the_whole() {
        for text in [
            "Hello. How can I help you?",
            "  odd   spacing\nhere ",
            "You said: hello 42 \u{e9}",
            "",
            "{\"a\":1}",
        ] {
            let spoken: String =
                speak(text, Format::PCM, 1.0).into_iter().map(|segment| segment.text).collect();
            assert_eq!(spoken.trim_end(), text.trim_end());
        }
    }

    #[test]
    fn phrases_numbers_and_unknown_words_have_their_clips() {
        let clips = |text| pieces(text).into_iter().map(|(_, clips)| clips).collect::<Vec<_>>();
        assert_eq!(clips("The time is 10:42."), [vec![15], vec![1, 0, 4, 2]]);
        assert_eq!(clips("The tool says: 2026-01-02T03:04 and more"), [vec![16], vec![READ_THE_REST]]);
        assert_eq!(clips("hello there hello"), [vec![18], vec![READ_THE_REST], vec![18]]);
    }

    #[test]
    fn format_and_speed_set_the_length() {
        let samples = |format, speed| speak("hello", format, speed)[0].samples.len();
        let recorded = samples(Format::PCM, 1.0);
        assert_eq!(samples(Format::MULAW, 1.0), recorded / 3);
        assert_eq!(samples(Format::PCM, 0.5), recorded * 2);
        let wide = Format { rate: 48_000, ..Format::PCM };
        assert_eq!(samples(wide, 1.0), recorded * 2);
    }
}
