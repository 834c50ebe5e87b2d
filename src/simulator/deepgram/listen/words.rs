//! What every stretch of speech is taken to say, word by word, and when each word is spoken.
//! Knows nothing of audio beyond positions in it, and nothing of messages.

/// A piece of the audio, in samples of one channel from the start of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Span {
    /// Samples in it.
    pub(super) fn len(self) -> u64 {
        self.to - self.from
    }
}

/// A word as it is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// In lower case, without punctuation.
    pub(super) plain: String,
    /// As it is written in the transcript.
    pub(super) written: String,
    /// When it is spoken.
    pub(super) span: Span,
}

/// The words of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Transcript(Vec<(String, String)>);

impl Transcript {
    /// Takes a text apart at white space; what has no letter and no digit belongs to the word before.
    pub(super) fn new(text: &str) -> Self {
        let mut words: Vec<(String, String)> = Vec::new();
        for written in text.split_whitespace() {
            let plain = plain(written);
            match words.last_mut() {
                _ if !plain.is_empty() => words.push((plain, written.to_owned())),
                Some((_, before)) => *before = format!("{before} {written}"),
                None => {}
            }
        }
        Self(words)
    }

    /// All the words, laid over a stretch of speech: one after the other, each as long as its letters are many.
    pub(super) fn over(&self, speech: Span) -> Vec<Word> {
        self.first(self.0.len(), speech)
    }

    /// The words that someone has said who is still speaking: about three in a second, and one at least.
    pub(super) fn so_far(&self, speech: Span, rate: u32) -> Vec<Word> {
        let spoken = speech.len() * WORDS_PER_SECOND / u64::from(rate);
        let count = usize::try_from(spoken).unwrap_or(usize::MAX).clamp(1, self.0.len().max(1));
        self.first(count, speech)
    }

    fn first(&self, count: usize, speech: Span) -> Vec<Word> {
        let words = &self.0[..count.min(self.0.len())];
        let length = |(plain, _): &(String, String)| plain.chars().count() as u64;
        let letters: u64 = words.iter().map(length).sum();
        let mut said = 0;
        let mut laid = Vec::with_capacity(words.len());
        for word in words {
            let position = |said| speech.from + speech.len() * said / letters;
            let from = position(said);
            said += length(word);
            let (plain, written) = word.clone();
            laid.push(Word { plain, written, span: Span { from, to: position(said) } });
        }
        laid
    }
}

fn plain(written: &str) -> String {
    let is_inner = |letter: char| letter.is_alphanumeric() || letter == '\'';
    let plain: String = written.chars().filter(|&letter| is_inner(letter)).collect();
    plain.trim_matches('\'').to_lowercase()
}

const WORDS_PER_SECOND: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<(String, String, u64, u64)> {
        let over = Transcript::new(text).over(Span { from: 100, to: 200 });
        over.into_iter().map(|word| (word.plain, word.written, word.span.from, word.span.to)).collect()
    }

    fn word(plain: &str, written: &str, from: u64, to: u64) -> (String, String, u64, u64) {
        (plain.to_owned(), written.to_owned(), from, to)
    }

    #[test]
    fn words_fill_the_speech_by_their_letters() {
        assert_eq!(
            words("Don't  Ask: me?"),
            [word("don't", "Don't", 100, 150), word("ask", "Ask:", 150, 180), word("me", "me?", 180, 200)]
        );
        assert_eq!(
            words("- Well - 'yes' …"),
            [word("well", "Well -", 100, 157), word("yes", "'yes' …", 157, 200)]
        );
        assert_eq!(words(" … "), []);
    }

    #[test]
    fn who_still_speaks_has_said_three_words_a_second() {
        let transcript = Transcript::new("What time is it?");
        for (ms, expected) in [(60, 1), (660, 1), (670, 2), (1000, 3), (9000, 4)] {
            let speech = Span { from: 0, to: ms };
            let words = transcript.so_far(speech, 1000);
            assert_eq!(words.len(), expected, "{ms}");
            assert_eq!(words.last().map(|word| word.span.to), Some(ms));
        }
        assert_eq!(Transcript::new("").so_far(Span { from: 0, to: 5 }, 1000), []);
    }
}
