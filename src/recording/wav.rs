//! The audio of a recording as a WAV file that can be heard at any time: also one that is cut off is played to its end.
//! Knows nothing of whose voice it is.

use std::io::{self, Seek, SeekFrom, Write};

use crate::{protocol::audio::AudioFormat, translate::audio::wav_header};

/// A WAV file that is being written, mono.
pub(super) struct Wav<F> {
    file: F,
    bytes: u64,
}

impl<F: Write + Seek> Wav<F> {
    /// A file that begins here. It says of its length that it is as long as can be, which players take for what is there.
    pub(super) fn begin(mut file: F, format: AudioFormat) -> io::Result<Self> {
        file.write_all(&header(format))?;
        Ok(Self { file, bytes: 0 })
    }

    /// The format was known only after the first audio had come.
    pub(super) fn change_format(&mut self, format: AudioFormat) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header(format))?;
        self.file.seek(SeekFrom::End(0)).map(drop)
    }

    /// Further audio.
    pub(super) fn write(&mut self, audio: &[u8]) -> io::Result<()> {
        self.file.write_all(audio)?;
        self.bytes += audio.len() as u64;
        Ok(())
    }

    /// Nothing more comes: the header gets the real sizes, and the file an even one, as its format has it.
    pub(super) fn end(mut self) -> io::Result<()> {
        if self.bytes % 2 == 1 {
            self.file.write_all(&[0])?;
        }
        // Sessions are far shorter; what is longer than the format can say is still played.
        let Ok(bytes) = u32::try_from(self.bytes) else { return Ok(()) };
        self.size_at(4, bytes.saturating_add(HEADER - 8 + bytes % 2))?;
        self.size_at(HEADER - 4, bytes)
    }

    fn size_at(&mut self, place: u32, size: u32) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(place.into()))?;
        self.file.write_all(&size.to_le_bytes())
    }
}

/// A header with the largest sizes that are whole samples.
fn header(format: AudioFormat) -> [u8; HEADER as usize] {
    let mut header = wav_header(format);
    header[4..8].copy_from_slice(&(LONGEST + (HEADER - 8)).to_le_bytes());
    header[40..].copy_from_slice(&LONGEST.to_le_bytes());
    header
}

/// Bytes before the first sample.
const HEADER: u32 = 44;
/// The longest audio that a header can name, bytes: even.
const LONGEST: u32 = u32::MAX - 37;

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::protocol::audio::{ALAW_8K, MULAW_8K, PCM_16K, PCM_24K};

    fn written(format: AudioFormat, pieces: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut wav = Wav::begin(Cursor::new(&mut bytes), format).expect("memory takes everything");
        for piece in pieces {
            wav.write(piece).expect("memory takes everything");
        }
        wav.end().expect("memory takes everything");
        bytes
    }

    #[test]
    fn a_file_has_the_sizes_of_its_audio_and_is_read_by_others() {
        let bytes = written(PCM_24K, &[&[1, 0, 2, 0], &[3, 0]]);
        let mut wav = hound::WavReader::new(&bytes[..]).expect("a WAV file");
        assert_eq!((wav.spec().sample_rate, wav.spec().channels, wav.len()), (24_000, 1, 3));
        assert_eq!(
            wav.samples::<i16>().map(|sample| sample.expect("a sample")).collect::<Vec<_>>(),
            [1, 2, 3]
        );
        assert_eq!(u32::from_le_bytes(bytes[4..8].try_into().expect("four")) as usize, bytes.len() - 8);
    }

    #[test]
    fn g711_is_written_under_its_codes_and_to_an_even_length() {
        for (format, code) in [(MULAW_8K, 7), (ALAW_8K, 6)] {
            let bytes = written(format, &[&[9; 3]]);
            assert_eq!((bytes[20], bytes.len()), (code, HEADER as usize + 4));
            assert_eq!(bytes[40..44], 3_u32.to_le_bytes());
            assert_eq!(bytes[4..8], 40_u32.to_le_bytes());
        }
    }

    #[test]
    fn a_file_that_was_cut_off_can_be_read_too() {
        let mut bytes = Vec::new();
        let mut wav = Wav::begin(Cursor::new(&mut bytes), PCM_16K).expect("memory takes everything");
        wav.write(&[1, 0, 2, 0]).expect("memory takes everything");
        let mut wav = hound::WavReader::new(&bytes[..]).expect("a WAV file");
        let samples: Vec<i16> = wav.samples::<i16>().map_while(Result::ok).collect();
        assert_eq!(samples, [1, 2]);
    }

    #[test]
    fn the_format_may_come_after_the_first_audio() {
        let mut bytes = Vec::new();
        let mut wav = Wav::begin(Cursor::new(&mut bytes), PCM_16K).expect("memory takes everything");
        wav.write(&[1]).expect("memory takes everything");
        wav.change_format(MULAW_8K).expect("memory takes everything");
        wav.write(&[2]).expect("memory takes everything");
        wav.end().expect("memory takes everything");
        assert_eq!((bytes[20], &bytes[44..]), (7, &[1, 2][..]));
    }
}
