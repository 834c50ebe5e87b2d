//! What the client can have heard (rule R13): it plays without gaps from the first frame it is given, so
//! time since then is a good estimate, and what was delivered is its bound.

use std::time::{Duration, Instant};

use super::outbox::AudioMark;
use crate::protocol::{audio::AudioFormat, ids::ItemId};

#[derive(Debug, Default)]
pub(super) struct Playback {
    /// The item that plays last.
    current: Option<Segment>,
}

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
    /// The response it belongs to.
    pub(super) response: u32,
    /// The item that plays.
    pub(super) item: Option<ItemId>,
    /// How much of it can have been heard.
    pub(super) heard: Duration,
}

impl Playback {
    /// Audio was handed to the client's socket.
    pub(super) fn delivered(&mut self, audio: AudioMark, format: AudioFormat, now: Instant) {
        match &mut self.current {
            Some(segment) if segment.item == audio.item && segment.response == audio.response => {
                // The client ran dry in between: it plays on from now.
                let played_out = segment.from + format.duration_of(segment.bytes);
                if played_out < now {
                    segment.from += now - played_out;
                }
                segment.bytes += audio.bytes;
            }
            _ => {
                // It plays when what was delivered before it has been played.
                let from = self.end(format).unwrap_or(now).max(now);
                self.current =
                    Some(Segment { response: audio.response, item: audio.item, from, bytes: audio.bytes });
            }
        }
    }

    fn end(&self, format: AudioFormat) -> Option<Instant> {
        self.current.as_ref().map(|segment| segment.from + format.duration_of(segment.bytes))
    }

    /// What plays at `now`, if anything may be unplayed; nothing plays afterwards.
    pub(super) fn cut(&mut self, format: AudioFormat, now: Instant) -> Option<Cut> {
        let end = self.end(format)?;
        let segment = self.current.take()?;
        if end <= now {
            return None;
        }
        // The first part of an answer may still be playing when a later item was delivered; then nothing
        // of the later one was heard.
        let heard = now.saturating_duration_since(segment.from).min(format.duration_of(segment.bytes));
        Some(Cut { response: segment.response, item: segment.item, heard })
    }
}
