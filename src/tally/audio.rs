//! How much audio went one way: bytes, and how long they play as far as their format is known. Knows no format but for
//! the bytes of a second.

use std::{num::NonZeroU32, time::Duration};

/// Audio that went one way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audio {
    bytes: u64,
    /// What has played at earlier rates.
    timed: Duration,
    /// Bytes at the rate in force, or before one was known.
    untimed: u64,
    rate: Option<NonZeroU32>,
}

impl Audio {
    /// So many bytes more.
    pub(super) fn add(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.untimed = self.untimed.saturating_add(bytes as u64);
    }

    /// From here on a second has so many bytes, and also in what came before any rate was known; none if that cannot be
    /// said of the format.
    pub(super) fn plays_at(&mut self, bytes_per_second: Option<u32>) {
        if let Some(rate) = self.rate {
            self.timed = self.timed.saturating_add(duration(self.untimed, rate));
            self.untimed = 0;
        }
        self.rate = bytes_per_second.and_then(NonZeroU32::new);
    }

    /// How many bytes it was.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How long it plays; none if there was any whose format is not known.
    pub fn duration(&self) -> Option<Duration> {
        match self.rate {
            Some(rate) => Some(self.timed.saturating_add(duration(self.untimed, rate))),
            None => (self.untimed == 0).then_some(self.timed),
        }
    }
}

fn duration(bytes: u64, rate: NonZeroU32) -> Duration {
    let rate = u64::from(rate.get());
    let nanos = bytes % rate * 1_000_000_000 / rate;
    Duration::from_secs(bytes / rate) + Duration::from_nanos(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_the_rate_was_known_counts_at_it() {
        let mut audio = Audio::default();
        assert_eq!(audio.duration(), Some(Duration::ZERO));
        audio.add(16_000);
        assert_eq!((audio.bytes(), audio.duration()), (16_000, None));
        audio.plays_at(Some(32_000));
        audio.add(16_000);
        assert_eq!((audio.bytes(), audio.duration()), (32_000, Some(Duration::from_secs(1))));
    }

    #[test]
    fn each_rate_counts_for_what_came_at_it() {
        let mut audio = Audio::default();
        audio.plays_at(Some(32_000));
        audio.add(8_000);
        audio.plays_at(Some(8_000));
        audio.add(8_000);
        assert_eq!(audio.duration(), Some(Duration::from_millis(1_250)));
        audio.plays_at(None);
        assert_eq!(audio.duration(), Some(Duration::from_millis(1_250)));
        audio.add(1);
        assert_eq!((audio.bytes(), audio.duration()), (16_001, None));
    }

    #[test]
    fn nothing_overflows() {
        let mut audio = Audio::default();
        audio.add(usize::MAX);
        audio.add(usize::MAX);
        for rate in [1, 0, 1, u32::MAX] {
            audio.plays_at(Some(rate));
            audio.add(usize::MAX);
        }
        assert_eq!(audio.bytes(), u64::MAX);
        assert!(audio.duration().is_some());
    }
}
