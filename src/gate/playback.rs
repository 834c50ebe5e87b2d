//! What the client can have heard (rule R13): it plays without gaps from the first frame it is given, so
//! time since then is a good estimate, and what was delivered is its bound.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{Rule, outbox::AudioMark};
use crate::protocol::{audio::AudioFormat, ids::ItemId};

#[derive(Debug, Default)]
pub(super) struct Playback {
    /// What was delivered and may not have been played, item by item; the last one always.
    segments: VecDeque<Segment>,
}

/// The most segments that are kept. There is one for each item that waits to be played, of which there are a few.
const SEGMENTS: usize = 1_024;

#[derive(Debug)]
struct Segment {
    response: u32,
    item: Option<ItemId>,
    from: Instant,
    bytes: usize,
}

/// The audio that an interruption cuts off.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// The responses of which something is unplayed, the one that plays first.
    pub(super) responses: Vec<u32>,
    /// The item that plays.
    pub(super) item: Option<ItemId>,
    /// How much of it can have been heard.
    pub(super) heard: Duration,
}

impl Segment {
    fn end(&self, format: AudioFormat) -> Instant {
        self.from + format.duration_of(self.bytes)
    }
}

impl Playback {
    /// Audio was handed to the client's socket.
    pub(super) fn delivered(&mut self, audio: AudioMark, format: AudioFormat, now: Instant) {
        while self.segments.len() > 1 && self.segments[0].end(format) <= now {
            self.segments.pop_front();
        }
        match self.segments.back_mut() {
            Some(segment) if segment.item == audio.item && segment.response == audio.response => {
                // The client ran dry in between: it plays on from now.
                let played_out = segment.end(format);
                if played_out < now && Rule::NoStaleAudio.is_on() {
                    segment.from += now - played_out;
                }
                segment.bytes += audio.bytes;
            }
            before => {
                // It plays when what was delivered before it has been played.
                let from = before.map_or(now, |before| before.end(format).max(now));
                let AudioMark { response, item, bytes } = audio;
                self.segments.push_back(Segment { response, item, from, bytes });
                if self.segments.len() > SEGMENTS {
                    self.segments.pop_front();
                }
            }
        }
    }

    /// When everything is played that was delivered.
    pub(super) fn played_out(&self, format: AudioFormat) -> Option<Instant> {
        self.segments.back().map(|segment| segment.end(format))
    }

    /// Whether anything may be unplayed at `now`.
    pub(super) fn plays(&self, format: AudioFormat, now: Instant) -> bool {
        self.segments.iter().any(|segment| segment.end(format) > now)
    }

    /// What plays at `now`, if anything may be unplayed; nothing plays afterwards.
    pub(super) fn cut(&mut self, format: AudioFormat, now: Instant) -> Option<Cut> {
        let mut unplayed = std::mem::take(&mut self.segments);
        unplayed.retain(|segment| segment.end(format) > now || Rule::NoStaleAudio.is_off());
        let mut responses: Vec<u32> = unplayed.iter().map(|segment| segment.response).collect();
        responses.dedup();
        let playing = unplayed.pop_front()?;
        // Never more than was delivered: what has been played to its end is no longer here.
        let heard = now.saturating_duration_since(playing.from);
        Some(Cut { responses, item: playing.item, heard })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::audio::PCM_24K;

    #[test]
    fn items_without_end_are_not_kept() {
        let (mut playback, now) = (Playback::default(), Instant::now());
        for response in 0..10_000 {
            playback.delivered(AudioMark { response, item: None, bytes: 480 }, PCM_24K, now);
        }
        assert_eq!(playback.segments.len(), SEGMENTS);
        assert_eq!(playback.segments[0].response, 10_000 - SEGMENTS as u32);
    }
}
