//! The header of a WAV file that is still coming in. Knows the container alone.

use super::audio::{Layout, Undecodable};
use crate::simulator::codec::{Encoding, Format};

/// What the beginning of a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// More bytes are needed.
    Incomplete,
    /// Samples follow after `len` bytes: `data_len` bytes of them, if the file says so.
    Complete { len: usize, layout: Layout, data_len: Option<u64> },
}

/// Reads the beginning of a file.
///
/// # Errors
/// It is no WAV file, its header is too long, or its samples are of no known encoding.
pub(super) fn header(bytes: &[u8]) -> Result<Header, Undecodable> {
    let magic = |at: usize, expected: &[u8; 4]| bytes.iter().skip(at).zip(expected).all(|(a, b)| a == b);
    if !magic(0, b"RIFF") || !magic(8, b"WAVE") {
        return Err(Undecodable);
    }
    let mut layout = None;
    let mut at = 12;
    loop {
        if at > MAX_HEADER_BYTES {
            return Err(Undecodable);
        }
        let Some(chunk) = bytes.get(at..at + 8) else { return Ok(Header::Incomplete) };
        let size = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
        let body = at + 8;
        if chunk.starts_with(b"data") {
            let layout = layout.ok_or(Undecodable)?;
            // A file that is written while it is sent does not know its length.
            let data_len = (size != 0 && size != u32::MAX).then_some(u64::from(size));
            return Ok(Header::Complete { len: body, layout, data_len });
        }
        if chunk.starts_with(b"fmt ") {
            let Some(fields) = bytes.get(body..body + 16) else { return Ok(Header::Incomplete) };
            layout = Some(described(fields)?);
        }
        // Chunks begin at even bytes.
        at = body + (size as usize).min(MAX_HEADER_BYTES).next_multiple_of(2);
    }
}

/// The first 16 bytes of a `fmt ` chunk.
fn described(fields: &[u8]) -> Result<Layout, Undecodable> {
    let short = |at: usize| u16::from_le_bytes([fields[at], fields[at + 1]]);
    let rate = u32::from_le_bytes([fields[4], fields[5], fields[6], fields[7]]);
    let encoding = match (short(0), short(14)) {
        (1, 16) => Encoding::Linear16,
        (3, 32) => Encoding::Linear32,
        (6, 8) => Encoding::Alaw,
        (7, 8) => Encoding::Mulaw,
        _ => return Err(Undecodable),
    };
    let channels = usize::from(short(2));
    if channels == 0 || channels > super::MAX_CHANNELS || !super::RATES.contains(&rate) {
        return Err(Undecodable);
    }
    Ok(Layout { format: Format { encoding, rate }, channels })
}

const MAX_HEADER_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn file(tag: u16, bits: u16, channels: u16, rate: u32) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0".to_vec();
        bytes.extend(tag.to_le_bytes().iter().chain(&channels.to_le_bytes()));
        bytes.extend(rate.to_le_bytes().iter().chain(&[0; 6]).chain(&bits.to_le_bytes()));
        bytes.extend(b"data\x08\0\0\0");
        bytes
    }

    #[test]
    fn a_header_is_incomplete_until_its_samples_begin() {
        let file = file(1, 16, 2, 44_100);
        for len in 0..file.len() {
            assert_eq!(header(&file[..len]), Ok(Header::Incomplete), "{len}");
        }
        let layout = Layout { format: Format { encoding: Encoding::Linear16, rate: 44_100 }, channels: 2 };
        assert_eq!(header(&file), Ok(Header::Complete { len: file.len(), layout, data_len: Some(8) }));
    }

    #[test]
    fn a_length_that_is_not_known_is_none() {
        for unknown in [0, u32::MAX] {
            let mut file = file(7, 8, 1, 8000);
            let at = file.len() - 4;
            file[at..].copy_from_slice(&unknown.to_le_bytes());
            assert!(matches!(header(&file), Ok(Header::Complete { data_len: None, .. })));
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_refused() {
        let endless = [b"RIFF\0\0\0\0WAVEjunk\xff\xff\xff\xff".to_vec(), vec![0; 70_000]].concat();
        let headless = b"RIFF\0\0\0\0WAVEdata\x08\0\0\0".to_vec();
        for bytes in [
            b"RIFX".to_vec(),
            b"RIFF\0\0\0\0AVI ".to_vec(),
            file(1, 24, 1, 16_000),
            file(2, 16, 1, 16_000),
            file(1, 16, 0, 16_000),
            file(1, 16, 9, 16_000),
            file(1, 16, 1, 0),
            endless,
            headless,
        ] {
            assert_eq!(header(&bytes), Err(Undecodable), "{:?}", &bytes[..12.min(bytes.len())]);
        }
    }
}
