//! What waits for one leg: a byte-counted queue, of which the leg holds at most a window. The rest stays
//! here, where an interruption can still drop it.

use std::collections::VecDeque;

use super::Rule;

/// How much a leg is handed at most before it reports delivery, in bytes.
pub const WINDOW: usize = 256 * 1024;

pub(super) struct Outbox<T> {
    queue: VecDeque<Entry<T>>,
    queued: usize,
    queued_messages: usize,
    in_flight: VecDeque<Sent>,
    in_flight_bytes: usize,
    /// The most that there was of both.
    high_water: usize,
}

struct Entry<T> {
    frame: T,
    weight: usize,
    audio: Option<AudioMark>,
}

struct Sent {
    weight: usize,
    audio: Option<AudioMark>,
}

/// Marks a frame as audio of an agent's item, so that it can be dropped or its playback be counted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AudioMark {
    /// The response it belongs to, as the gate numbers them.
    pub(super) response: u32,
    /// Bytes of it, in upstream's output format.
    pub(super) bytes: usize,
    /// The item it belongs to.
    pub(super) item: Option<crate::protocol::ids::ItemId>,
}

impl<T> Default for Outbox<T> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            queued: 0,
            queued_messages: 0,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            high_water: 0,
        }
    }
}

impl<T> Outbox<T> {
    pub(super) fn push(&mut self, frame: T, weight: usize, audio: Option<AudioMark>) {
        self.queued += weight;
        if audio.is_none() {
            self.queued_messages += weight;
        }
        self.queue.push_back(Entry { frame, weight, audio });
        self.high_water = self.high_water.max(self.bytes());
    }

    /// Whether what is pushed next has to wait. Then it should keep no more memory than its own: what it was read with
    /// may be much more.
    pub(super) fn is_backed_up(&self) -> bool {
        !self.queue.is_empty() || self.in_flight_bytes >= WINDOW
    }

    /// The next frame, if the window has room. A frame larger than the window goes alone.
    pub(super) fn next_frame(&mut self) -> Option<T> {
        if self.in_flight_bytes >= WINDOW && Rule::NoStaleAudio.is_on() {
            return None;
        }
        let entry = self.queue.pop_front()?;
        self.queued -= entry.weight;
        if entry.audio.is_none() {
            self.queued_messages -= entry.weight;
        }
        self.in_flight_bytes += entry.weight;
        self.in_flight.push_back(Sent { weight: entry.weight, audio: entry.audio });
        Some(entry.frame)
    }

    /// Takes the frames of this weight out of the window and calls `played` for each that is audio
    /// and was not dropped meanwhile.
    pub(super) fn delivered(&mut self, mut bytes: usize, mut played: impl FnMut(AudioMark)) {
        while let Some(sent) = self.in_flight.front() {
            if sent.weight > bytes {
                break;
            }
            bytes -= sent.weight;
            self.in_flight_bytes -= sent.weight;
            if let Some(audio) = self.in_flight.pop_front().and_then(|sent| sent.audio) {
                played(audio);
            }
        }
        debug_assert_eq!(bytes, 0, "a leg reports whole frames");
    }

    /// Drops the audio that the leg has not been handed yet, counts what it has as not played, and names the
    /// responses that all this is of.
    pub(super) fn drop_audio(&mut self) -> Vec<u32> {
        // What the leg has is heard at most until the client learns of the speech: it plays no more, and its
        // delivery is no news of anything that does.
        let in_flight = self.in_flight.iter_mut().filter_map(|sent| sent.audio.take());
        let mut responses: Vec<u32> = in_flight.map(|audio| audio.response).collect();
        let mut dropped = 0;
        self.queue.retain(|entry| {
            let Some(audio) = &entry.audio else { return true };
            responses.push(audio.response);
            if Rule::NoStaleAudio.is_off() {
                return true;
            }
            dropped += entry.weight;
            false
        });
        self.queued -= dropped;
        responses.dedup();
        responses
    }

    /// The response whose audio is on its way, the oldest first.
    pub(super) fn audio_on_its_way(&self) -> Option<&AudioMark> {
        let in_flight = self.in_flight.iter().filter_map(|sent| sent.audio.as_ref());
        in_flight.chain(self.queue.iter().filter_map(|entry| entry.audio.as_ref())).next()
    }

    /// Drops everything that the leg has not been handed yet.
    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.queued = 0;
        self.queued_messages = 0;
    }

    /// What the leg has not been handed yet.
    pub(super) fn frames(&self) -> impl Iterator<Item = &T> {
        self.queue.iter().map(|entry| &entry.frame)
    }

    /// Bytes here and in the leg.
    pub(super) fn bytes(&self) -> usize {
        self.queued + self.in_flight_bytes
    }

    /// The most bytes that were here and in the leg at a time.
    pub(super) fn high_water(&self) -> usize {
        self.high_water
    }

    /// Bytes of what is here and is no agent's audio.
    pub(super) fn queued_messages(&self) -> usize {
        self.queued_messages
    }

    /// Whether the leg has been handed everything.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leg_is_handed_a_window_and_the_rest_after_delivery() {
        let mut outbox = Outbox::default();
        for n in 0..4 {
            outbox.push(n, WINDOW / 2, None);
        }
        assert_eq!([outbox.next_frame(), outbox.next_frame(), outbox.next_frame()], [Some(0), Some(1), None]);
        assert!(outbox.is_backed_up());
        outbox.delivered(WINDOW / 2, |_| ());
        assert_eq!([outbox.next_frame(), outbox.next_frame()], [Some(2), None]);
        assert_eq!(outbox.bytes(), 3 * (WINDOW / 2));
        assert_eq!(outbox.high_water(), 4 * (WINDOW / 2));
    }

    #[test]
    fn messages_count_until_the_leg_is_handed_them() {
        let mut outbox = Outbox::default();
        let mark = AudioMark { response: 1, bytes: 10, item: None };
        outbox.push("first", 1_000, None);
        outbox.push("audio", 500, Some(mark));
        outbox.push("second", 300, None);
        assert_eq!(outbox.queued_messages(), 1_300);
        assert_eq!([outbox.next_frame(), outbox.next_frame()], [Some("first"), Some("audio")]);
        assert_eq!((outbox.queued_messages(), outbox.bytes()), (300, 1_800));
        outbox.clear();
        assert!(outbox.is_empty());
        assert_eq!((outbox.queued_messages(), outbox.bytes()), (0, 1_500));
    }

    #[test]
    fn only_audio_that_is_still_here_is_dropped() {
        let mark = |response| Some(AudioMark { response, bytes: 10, item: None });
        let mut outbox = Outbox::default();
        outbox.push("handed over", WINDOW, mark(1));
        assert_eq!(outbox.next_frame(), Some("handed over"));
        outbox.push("stale", 10, mark(1));
        outbox.push("text", 5, None);
        outbox.push("stale too", 10, mark(2));
        assert_eq!(outbox.drop_audio(), [1, 2]);
        assert!(outbox.drop_audio().is_empty());
        let mut played = Vec::new();
        outbox.delivered(WINDOW, |audio| played.push(audio.response));
        assert!(played.is_empty(), "the client plays no more of {played:?}");
        assert_eq!([outbox.next_frame(), outbox.next_frame()], [Some("text"), None]);
        assert_eq!(outbox.bytes(), 5);
    }
}
