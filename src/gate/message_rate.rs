//! How many messages are read from a client in a second. Over it reading pauses, so that nothing is lost and the rest
//! waits at the client.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

/// So many messages may come at once as there are in this time.
const BURST: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct MessageRate {
    per_s: Option<NonZeroU32>,
    /// Until when the messages so far would last, one after the other.
    spent: Option<Instant>,
    over: bool,
}

impl MessageRate {
    pub(super) fn new(per_s: Option<NonZeroU32>) -> Self {
        Self { per_s, spent: None, over: false }
    }

    /// A message was read.
    pub(super) fn count(&mut self, now: Instant) {
        if let Some(per_s) = self.per_s {
            let spent = self.spent.map_or(now, |spent| spent.max(now));
            self.spent = Some(spent + Duration::from_secs(1) / per_s.get());
        }
    }

    /// Until when nothing is to be read: until half of what may come at once can come again.
    pub(super) fn pause(&mut self, now: Instant) -> Option<Instant> {
        let spent = self.spent?;
        let ahead = spent.saturating_duration_since(now);
        self.over = ahead > if self.over { BURST / 2 } else { BURST };
        self.over.then(|| spent - BURST / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(per_s: u32, now: Instant) -> MessageRate {
        MessageRate { per_s: NonZeroU32::new(per_s), spent: Some(now), over: false }
    }

    #[test]
    fn a_seconds_messages_may_come_at_once_and_then_reading_pauses_for_half_a_second() {
        let now = Instant::now();
        let mut rate = rate(10, now);
        for _ in 0..10 {
            rate.count(now);
            assert_eq!(rate.pause(now), None);
        }
        rate.count(now);
        let until = now + Duration::from_millis(600);
        assert_eq!(rate.pause(now), Some(until));
        assert_eq!(rate.pause(until - Duration::from_millis(1)), Some(until));
        assert_eq!(rate.pause(until), None);
    }

    #[test]
    fn over_a_long_time_the_rate_is_kept_and_below_it_nothing_pauses() {
        let start = Instant::now();
        for (per_s, offered, expected) in [(50, 1_000, 50), (50, 50, 50), (3, 1_000, 3), (1, 2, 1)] {
            let (mut rate, mut read, mut paused) = (rate(per_s, start), 0, None);
            for n in 0..offered * 100 {
                let now = start + Duration::from_secs(1) / offered * n;
                if paused.is_some_and(|until| now < until) {
                    continue;
                }
                rate.count(now);
                read += 1;
                paused = rate.pause(now);
            }
            assert!((expected * 98..=expected * 100 + per_s + 1).contains(&read), "{read} of {per_s}/s");
        }
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let now = Instant::now();
        let mut rate = MessageRate::new(None);
        (0..1_000_000).for_each(|_| rate.count(now));
        assert_eq!(rate.pause(now), None);
    }
}
