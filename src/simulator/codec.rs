//! The three audio formats of the API as bytes: 24 kHz PCM16 and the two G.711 laws at 8 kHz.
//! Knows nothing of events, speech or sessions.

use serde_json::Value;

/// An audio format of the API ("OpenAI Realtime, Formats").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// 16-bit signed little-endian mono at 24 kHz.
    Pcm,
    /// G.711 µ-law at 8 kHz.
    Mulaw,
    /// G.711 A-law at 8 kHz.
    Alaw,
}

impl Format {
    /// Reads a format object that the schema has accepted; PCM where it says nothing.
    pub(super) fn of(object: &Value) -> Self {
        match object["type"].as_str() {
            Some("audio/pcmu") => Self::Mulaw,
            Some("audio/pcma") => Self::Alaw,
            _ => Self::Pcm,
        }
    }

    /// Samples per millisecond.
    pub(super) fn samples_per_ms(self) -> usize {
        if self == Self::Pcm { 24 } else { 8 }
    }

    /// Wire bytes per millisecond.
    pub(super) fn bytes_per_ms(self) -> usize {
        if self == Self::Pcm { 48 } else { 8 }
    }

    /// Decodes wire bytes to samples; `None` if they end in half a sample.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<Vec<i16>> {
        match self {
            Self::Pcm if !bytes.len().is_multiple_of(2) => None,
            Self::Pcm => {
                Some(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
            }
            Self::Mulaw => Some(bytes.iter().map(|&byte| decode_mulaw(byte)).collect()),
            Self::Alaw => Some(bytes.iter().map(|&byte| decode_alaw(byte)).collect()),
        }
    }

    /// Encodes samples that are already at this format's rate.
    pub(super) fn encode(self, samples: &[i16]) -> Vec<u8> {
        match self {
            Self::Pcm => samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
            Self::Mulaw => samples.iter().map(|&sample| encode_mulaw(sample)).collect(),
            Self::Alaw => samples.iter().map(|&sample| encode_alaw(sample)).collect(),
        }
    }
}

fn decode_mulaw(byte: u8) -> i16 {
    let byte = !byte;
    let exponent = (byte >> 4) & 7;
    let magnitude = (((i16::from(byte & 15) << 3) + 0x84) << exponent) - 0x84;
    if byte & 0x80 == 0 { magnitude } else { -magnitude }
}

fn encode_mulaw(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = sample.unsigned_abs().min(32_635) + 0x84;
    // The bias makes bit 7 the lowest possible leading one.
    let exponent = 8 - magnitude.leading_zeros() as u8;
    let mantissa = (magnitude >> (exponent + 3)) as u8 & 15;
    !(sign | (exponent << 4) | mantissa)
}

fn decode_alaw(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let exponent = (byte >> 4) & 7;
    let mantissa = (i16::from(byte & 15) << 4) + 8;
    let magnitude = if exponent == 0 { mantissa } else { (mantissa + 0x100) << (exponent - 1) };
    if byte & 0x80 == 0 { -magnitude } else { magnitude }
}

fn encode_alaw(sample: i16) -> u8 {
    let sign = if sample < 0 { 0 } else { 0x80 };
    // A-law mirrors around minus one half: -1 belongs to the same step as 0.
    let magnitude = if sample < 0 { !sample } else { sample } as u16;
    let exponent = if magnitude < 0x100 { 0 } else { 8 - magnitude.leading_zeros() as u8 };
    let shift = if exponent == 0 { 4 } else { exponent + 3 };
    let mantissa = (magnitude >> shift) as u8 & 15;
    (sign | (exponent << 4) | mantissa) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g711_survives_the_round_trip() {
        for format in [Format::Mulaw, Format::Alaw] {
            for byte in 0..=255u8 {
                let samples = format.decode(&[byte]).expect("one byte is one sample");
                let again = format.decode(&format.encode(&samples)).expect("one byte is one sample");
                assert_eq!(again, samples, "{format:?} {byte}");
            }
        }
    }

    #[test]
    fn g711_stays_close_to_every_sample() {
        for format in [Format::Mulaw, Format::Alaw] {
            for sample in (i16::MIN..=i16::MAX).step_by(7) {
                let back = format.decode(&format.encode(&[sample])).expect("whole samples")[0];
                let error = i32::from(back) - i32::from(sample);
                assert!(
                    error.abs() <= i32::from(sample).abs() / 16 + 24,
                    "{format:?} {sample} became {back}"
                );
            }
        }
    }

    #[test]
    fn known_values() {
        assert_eq!(Format::Mulaw.decode(&[0xff, 0x00, 0x80]), Some(vec![0, -32124, 32124]));
        assert_eq!(Format::Alaw.decode(&[0xd5, 0x55]), Some(vec![8, -8]));
        assert_eq!(Format::Mulaw.encode(&[0]), [0xff]);
        assert_eq!(Format::Alaw.encode(&[0]), [0xd5]);
    }

    #[test]
    fn half_a_sample_is_refused() {
        assert_eq!(Format::Pcm.decode(&[1, 2, 3]), None);
        assert_eq!(Format::Pcm.decode(&[1, 2]), Some(vec![0x0201]));
    }
}
