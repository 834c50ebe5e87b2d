//! The formats of raw mono audio and the arithmetic between bytes and time.
//! Knows nothing of samples' values: converting them is `translate`'s business.

use std::fmt;
use std::time::Duration;

/// How one sample is written (Voice Agent protocol, Settings, `audio.*.encoding`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Signed 16-bit PCM, little endian; two bytes per sample.
    Linear16,
    /// G.711 mu-law; one byte per sample.
    Mulaw,
    /// G.711 A-law; one byte per sample.
    Alaw,
}

impl Encoding {
    /// The protocol's word for it: `linear16`, `mulaw` or `alaw`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear16 => "linear16",
            Self::Mulaw => "mulaw",
            Self::Alaw => "alaw",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Raw mono audio: an encoding and a sample rate. Displays as `linear16 16000 Hz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AudioFormat {
    /// How one sample is written.
    pub encoding: Encoding,
    /// Samples per second, in Hz.
    pub sample_rate: u32,
}

impl AudioFormat {
    /// True if this audio can be converted to and from every other supported format: linear16 at one of
    /// [`SAMPLE_RATES`], G.711 at 8 or 16 kHz.
    pub fn is_supported(self) -> bool {
        match self.encoding {
            Encoding::Linear16 => SAMPLE_RATES.contains(&self.sample_rate),
            Encoding::Mulaw | Encoding::Alaw => matches!(self.sample_rate, 8_000 | 16_000),
        }
    }

    /// Bytes that one sample takes: 2 for linear16, 1 for G.711.
    pub const fn bytes_per_sample(self) -> usize {
        match self.encoding {
            Encoding::Linear16 => 2,
            Encoding::Mulaw | Encoding::Alaw => 1,
        }
    }

    /// Bytes that one second takes.
    pub const fn bytes_per_second(self) -> u32 {
        self.sample_rate.saturating_mul(self.bytes_per_sample() as u32)
    }

    /// How long `bytes` bytes play, rounded down to a nanosecond; zero if the sample rate is zero.
    pub fn duration_of(self, bytes: usize) -> Duration {
        let (bytes, rate) = (bytes as u64, u64::from(self.bytes_per_second()));
        if rate == 0 {
            return Duration::ZERO;
        }
        let nanos = bytes % rate * NANOS_PER_SECOND / rate;
        Duration::from_secs(bytes / rate) + Duration::from_nanos(nanos)
    }

    /// Bytes that fill `duration`, rounded up to whole samples. For whole samples the inverse of
    /// [`AudioFormat::duration_of`].
    pub fn bytes_in(self, duration: Duration) -> usize {
        let rate = u64::from(self.sample_rate);
        let fraction = (u64::from(duration.subsec_nanos()) * rate).div_ceil(NANOS_PER_SECOND);
        let samples = duration.as_secs().saturating_mul(rate).saturating_add(fraction);
        usize::try_from(samples).unwrap_or(usize::MAX).saturating_mul(self.bytes_per_sample())
    }

    /// The byte whose repetition is silence.
    pub const fn silence(self) -> u8 {
        match self.encoding {
            Encoding::Linear16 => 0x00,
            Encoding::Mulaw => 0xFF,
            Encoding::Alaw => 0xD5,
        }
    }
}

impl fmt::Display for AudioFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} Hz", self.encoding, self.sample_rate)
    }
}

/// The sample rates of linear16, in Hz: every pair of them can be converted.
pub const SAMPLE_RATES: [u32; 6] = [8_000, 16_000, 24_000, 32_000, 44_100, 48_000];

/// What clients send unless Settings says otherwise.
pub const PCM_16K: AudioFormat = AudioFormat { encoding: Encoding::Linear16, sample_rate: 16_000 };
/// What the Realtime API speaks, and what clients hear unless Settings says otherwise.
pub const PCM_24K: AudioFormat = AudioFormat { encoding: Encoding::Linear16, sample_rate: 24_000 };
/// Telephony in North America and Japan; the Realtime API's `audio/pcmu`.
pub const MULAW_8K: AudioFormat = AudioFormat { encoding: Encoding::Mulaw, sample_rate: 8_000 };
/// Telephony elsewhere; the Realtime API's `audio/pcma`.
pub const ALAW_8K: AudioFormat = AudioFormat { encoding: Encoding::Alaw, sample_rate: 8_000 };

const NANOS_PER_SECOND: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn displays_encoding_and_rate() {
        assert_eq!(PCM_16K.to_string(), "linear16 16000 Hz");
        assert_eq!(MULAW_8K.to_string(), "mulaw 8000 Hz");
        assert_eq!(ALAW_8K.to_string(), "alaw 8000 Hz");
    }

    #[test]
    fn bytes_and_time() {
        assert_eq!(PCM_24K.bytes_per_second(), 48_000);
        assert_eq!(MULAW_8K.bytes_per_second(), 8_000);
        assert_eq!(PCM_24K.duration_of(960), Duration::from_millis(20));
        assert_eq!(PCM_16K.duration_of(1), Duration::from_nanos(31_250));
        assert_eq!(PCM_24K.bytes_in(Duration::from_millis(100)), 4_800);
        assert_eq!(ALAW_8K.bytes_in(Duration::from_millis(20)), 160);
    }

    #[test]
    fn a_part_of_a_sample_counts_as_a_whole_one() {
        assert_eq!(PCM_16K.bytes_in(Duration::from_nanos(1)), 2);
        assert_eq!(PCM_16K.bytes_in(Duration::from_nanos(62_500)), 2);
        assert_eq!(PCM_16K.bytes_in(Duration::from_nanos(62_501)), 4);
        assert_eq!(PCM_16K.bytes_in(Duration::ZERO), 0);
    }

    #[test]
    fn extremes_saturate() {
        let silent = AudioFormat { sample_rate: 0, ..PCM_16K };
        assert_eq!(silent.duration_of(100), Duration::ZERO);
        assert_eq!(silent.bytes_in(Duration::MAX), 0);
        assert_eq!(PCM_16K.bytes_in(Duration::MAX), usize::MAX);
        assert_eq!(AudioFormat { sample_rate: u32::MAX, ..PCM_16K }.bytes_per_second(), u32::MAX);
    }

    #[test]
    fn support_depends_on_both_encoding_and_rate() {
        assert!(PCM_16K.is_supported() && PCM_24K.is_supported());
        assert!(MULAW_8K.is_supported() && AudioFormat { sample_rate: 16_000, ..ALAW_8K }.is_supported());
        assert!(!AudioFormat { sample_rate: 24_000, ..MULAW_8K }.is_supported());
        assert!(!AudioFormat { sample_rate: 22_050, ..PCM_16K }.is_supported());
        assert!(!AudioFormat { sample_rate: 0, ..PCM_16K }.is_supported());
    }

    proptest! {
        #[test]
        fn whole_samples_survive_the_way_through_time(samples in 0_usize..1 << 40, rate in 1_u32..400_000) {
            for encoding in [Encoding::Linear16, Encoding::Mulaw] {
                let format = AudioFormat { encoding, sample_rate: rate };
                let bytes = samples * format.bytes_per_sample();
                prop_assert_eq!(format.bytes_in(format.duration_of(bytes)), bytes);
            }
        }
    }
}
