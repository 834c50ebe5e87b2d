//! Raw audio as bytes: 16-bit and 32-bit samples and the two G.711 laws, at any rate.
//! Knows nothing of messages, speech or sessions.

/// How one sample is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// 16-bit signed, little-endian.
    Linear16,
    /// 32-bit floating point from -1 to 1, little-endian.
    Linear32,
    /// G.711 µ-law.
    Mulaw,
    /// G.711 A-law.
    Alaw,
}

/// An encoding of mono audio with its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) encoding: Encoding,
    /// Samples per second.
    pub(super) rate: u32,
}

impl Format {
    /// 16-bit signed little-endian at 24 kHz.
    pub(super) const PCM: Self = Self { encoding: Encoding::Linear16, rate: 24_000 };
    /// G.711 µ-law at 8 kHz.
    pub(super) const MULAW: Self = Self { encoding: Encoding::Mulaw, rate: 8000 };
    /// G.711 A-law at 8 kHz.
    pub(super) const ALAW: Self = Self { encoding: Encoding::Alaw, rate: 8000 };

    /// Whole samples in a millisecond; at 44.1 kHz, say, a little less than there are.
    pub(super) fn samples_per_ms(self) -> usize {
        self.samples_in(1)
    }

    /// Wire bytes of [`Self::samples_per_ms`].
    pub(super) fn bytes_per_ms(self) -> usize {
        self.samples_per_ms() * self.bytes_per_sample()
    }

    /// Whole samples in some milliseconds.
    pub(super) fn samples_in(self, ms: u64) -> usize {
        (u64::from(self.rate) * ms / 1000) as usize
    }

    /// Wire bytes of one sample.
    pub(super) fn bytes_per_sample(self) -> usize {
        match self.encoding {
            Encoding::Linear16 => 2,
            Encoding::Linear32 => 4,
            Encoding::Mulaw | Encoding::Alaw => 1,
        }
    }

    /// Decodes wire bytes to samples; `None` if they end in a part of a sample.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<Vec<i16>> {
        if !bytes.len().is_multiple_of(self.bytes_per_sample()) {
            return None;
        }
        Some(match self.encoding {
            Encoding::Linear16 => {
                bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
            }
            Encoding::Linear32 => {
                let sample = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
                bytes.chunks_exact(4).map(|four| (sample(four) * 32_767.0) as i16).collect()
            }
            Encoding::Mulaw => bytes.iter().map(|&byte| decode_mulaw(byte)).collect(),
            Encoding::Alaw => bytes.iter().map(|&byte| decode_alaw(byte)).collect(),
        })
    }

    /// Encodes samples that are already at this format's rate.
    pub(super) fn encode(self, samples: &[i16]) -> Vec<u8> {
        match self.encoding {
            Encoding::Linear16 => samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
            Encoding::Linear32 => {
                samples.iter().flat_map(|&sample| (f32::from(sample) / 32_767.0).to_le_bytes()).collect()
            }
            Encoding::Mulaw => samples.iter().map(|&sample| encode_mulaw(sample)).collect(),
            Encoding::Alaw => samples.iter().map(|&sample| encode_alaw(sample)).collect(),
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
        for format in [Format::MULAW, Format::ALAW] {
            for byte in 0..=255u8 {
                let samples = format.decode(&[byte]).expect("one byte is one sample");
                let again = format.decode(&format.encode(&samples)).expect("one byte is one sample");
                assert_eq!(again, samples, "{format:?} {byte}");
            }
        }
    }

    #[test]
    fn g711_stays_close_to_every_sample() {
        for format in [Format::MULAW, Format::ALAW] {
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
        assert_eq!(Format::MULAW.decode(&[0xff, 0x00, 0x80]), Some(vec![0, -32124, 32124]));
        assert_eq!(Format::ALAW.decode(&[0xd5, 0x55]), Some(vec![8, -8]));
        assert_eq!(Format::MULAW.encode(&[0]), [0xff]);
        assert_eq!(Format::ALAW.encode(&[0]), [0xd5]);
    }

    #[test]
    fn half_a_sample_is_refused() {
        assert_eq!(Format::PCM.decode(&[1, 2, 3]), None);
        assert_eq!(Format::PCM.decode(&[1, 2]), Some(vec![0x0201]));
        assert_eq!(FLOATS.decode(&[0; 6]), None);
    }

    #[test]
    fn floats_keep_every_sample_and_their_limits() {
        let samples = [i16::MIN + 1, -1, 0, 1, 12_345, i16::MAX];
        let back = FLOATS.decode(&FLOATS.encode(&samples)).expect("whole samples");
        assert!(back.iter().zip(samples).all(|(back, sample)| back.abs_diff(sample) <= 1), "{back:?}");
        let wild: Vec<u8> =
            [f32::NAN, f32::INFINITY, -2.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(FLOATS.decode(&wild), Some(vec![0, i16::MAX, i16::MIN]));
    }

    #[test]
    fn lengths_follow_rate_and_encoding() {
        let at = |encoding, rate| Format { encoding, rate };
        assert_eq!((Format::PCM.samples_per_ms(), Format::PCM.bytes_per_ms()), (24, 48));
        assert_eq!(at(Encoding::Linear32, 16_000).bytes_per_ms(), 64);
        assert_eq!(at(Encoding::Alaw, 44_100).samples_in(20), 882);
    }

    const FLOATS: Format = Format { encoding: Encoding::Linear32, rate: 48_000 };
}
