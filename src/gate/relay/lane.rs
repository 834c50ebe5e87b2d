//! One direction of a passed-through connection: where a message begins and ends, which one is kept until it is
//! whole, and what has to wait for the end of the one that is on its way. Knows nothing of what is said.

use std::borrow::Cow;

use crate::protocol::{Frame, Opcode};

/// How many fragments of a message are kept apart; what comes behind them is one more. Each takes more memory than
/// it has bytes, and nothing bounds the number of those that have none.
const MOST_FRAGMENTS: usize = 64;

#[derive(Default)]
pub(super) struct Lane {
    state: State,
    /// The frames of a text message that is looked into, until it is whole.
    kept: Vec<Frame>,
    kept_bytes: usize,
    /// What that message has behind as many frames as are kept apart.
    rest: Vec<u8>,
    /// What the gateway says itself, until the message on its way is over.
    own: Vec<Frame>,
    own_bytes: usize,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Between,
    /// In a message whose frames are passed on as they come.
    Passing,
    /// In a message that is kept until it is whole.
    Keeping,
}

/// What a frame came to.
pub(super) enum Arrived {
    /// It is passed on.
    Pass(Frame),
    /// It is kept: more of its message has to come.
    Kept,
    /// It made a text message whole that is to be looked into.
    Whole(TextMessage),
}

/// A text message, in the frames in which it came.
pub(super) struct TextMessage(Vec<Frame>);

impl TextMessage {
    /// What it says; nothing if that is no text, as when it is no UTF-8.
    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        match &self.0[..] {
            [frame] => str::from_utf8(&frame.payload).ok().map(Cow::Borrowed),
            frames => String::from_utf8(joined(frames)).ok().map(Cow::Owned),
        }
    }

    /// Its frames.
    pub(super) fn into_frames(self) -> Vec<Frame> {
        self.0
    }
}

impl Lane {
    /// The next frame; the codec has seen to it that they come in order. `look`: whether a text message that begins
    /// is to be looked into.
    pub(super) fn take(&mut self, frame: Frame, look: bool) -> Arrived {
        let last = frame.last;
        let before = match (self.state, frame.opcode) {
            (State::Between, Opcode::Text) if look => State::Keeping,
            (State::Between, _) => State::Passing,
            (state, _) => state,
        };
        self.state = if last { State::Between } else { before };
        if before == State::Passing {
            return Arrived::Pass(frame);
        }
        self.kept_bytes += frame.payload.len();
        if self.kept.len() < MOST_FRAGMENTS {
            self.kept.push(frame);
        } else {
            self.rest.extend_from_slice(&frame.payload);
            if last {
                let payload = std::mem::take(&mut self.rest).into();
                self.kept.push(Frame { opcode: Opcode::Continuation, last, payload });
            }
        }
        if !last {
            return Arrived::Kept;
        }
        self.kept_bytes = 0;
        Arrived::Whole(TextMessage(std::mem::take(&mut self.kept)))
    }

    /// Whether the peer has been sent the beginning of a message and not its end.
    pub(super) fn in_message(&self) -> bool {
        self.state == State::Passing
    }

    /// A message of our own: to be sent now, or nothing if it has to wait for [`Self::own_messages`].
    pub(super) fn say(&mut self, text: String) -> Option<Frame> {
        let frame = Frame::text(text);
        if !self.in_message() {
            return Some(frame);
        }
        self.own_bytes += frame.payload.len();
        self.own.push(frame);
        None
    }

    /// What has waited for the message that has just ended.
    pub(super) fn own_messages(&mut self) -> Vec<Frame> {
        self.own_bytes = 0;
        std::mem::take(&mut self.own)
    }

    /// Bytes of what waits for the end of a message.
    pub(super) fn own_bytes(&self) -> usize {
        self.own_bytes
    }

    /// Bytes of that, and of a message that is not whole yet.
    pub(super) fn kept_bytes(&self) -> usize {
        self.own_bytes + self.kept_bytes
    }
}

fn joined(frames: &[Frame]) -> Vec<u8> {
    let payloads: Vec<&[u8]> = frames.iter().map(|frame| &frame.payload[..]).collect();
    payloads.concat()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn frame(opcode: Opcode, last: bool, payload: &'static str) -> Frame {
        Frame { opcode, last, payload: payload.into() }
    }

    fn passes(arrived: Arrived) -> bool {
        matches!(arrived, Arrived::Pass(_))
    }

    #[test]
    fn a_text_message_that_is_looked_into_is_kept_until_it_is_whole() {
        let mut lane = Lane::default();
        let frames = [
            frame(Opcode::Text, false, "a\u{e9}"),
            frame(Opcode::Continuation, false, ""),
            frame(Opcode::Continuation, true, "b"),
        ];
        let [first, second, third] = frames.clone();
        assert!(matches!(lane.take(first, true), Arrived::Kept));
        assert!(matches!(lane.take(second, false), Arrived::Kept));
        assert!(!lane.in_message(), "nothing of it has gone");
        let Arrived::Whole(message) = lane.take(third, false) else { panic!("it is whole") };
        assert_eq!(message.text().as_deref(), Some("a\u{e9}b"));
        assert_eq!(message.into_frames(), frames);
        assert!(passes(lane.take(frame(Opcode::Text, true, "c"), false)), "nobody looks");
        assert!(passes(lane.take(frame(Opcode::Binary, true, "c"), true)), "it is no text");
    }

    #[test]
    fn a_message_in_very_many_fragments_takes_no_more_memory_than_it_has_bytes() {
        let mut lane = Lane::default();
        assert!(matches!(lane.take(frame(Opcode::Text, false, "a"), true), Arrived::Kept));
        for _ in 0..10_000 {
            assert!(matches!(lane.take(frame(Opcode::Continuation, false, "b"), true), Arrived::Kept));
            assert!(lane.kept.len() <= MOST_FRAGMENTS);
        }
        assert_eq!(lane.rest.len(), 10_001 - MOST_FRAGMENTS);
        let Arrived::Whole(message) = lane.take(frame(Opcode::Continuation, true, "c"), true) else {
            panic!("it is whole")
        };
        assert_eq!(message.text().as_deref(), Some(&*format!("a{}c", "b".repeat(10_000))));
        let frames = message.into_frames();
        let lasts: Vec<bool> = frames.iter().map(|frame| frame.last).collect();
        assert!(lasts.split_last().is_some_and(|(last, others)| *last && !others.contains(&true)));
        assert!(frames.iter().skip(1).all(|frame| frame.opcode == Opcode::Continuation));
    }

    #[test]
    fn what_a_message_has_is_not_copied_again_for_each_fragment() {
        let mut lane = Lane::default();
        let payload = Bytes::from(vec![b'a'; 1 << 20]);
        lane.take(Frame { opcode: Opcode::Text, last: false, payload: payload.clone() }, true);
        for n in 0..1_000 {
            lane.take(frame(Opcode::Continuation, false, ""), true);
            assert_eq!(lane.kept[0].payload.as_ptr(), payload.as_ptr(), "copied at fragment {n}");
        }
        assert!(matches!(lane.take(frame(Opcode::Continuation, true, ""), true), Arrived::Whole(_)));
    }

    #[test]
    fn fragments_that_are_no_text_never_become_a_text_frame_of_their_own() {
        for count in [2, MOST_FRAGMENTS, MOST_FRAGMENTS + 1, 3 * MOST_FRAGMENTS] {
            let mut lane = Lane::default();
            let broken = |opcode, last| Frame { opcode, last, payload: vec![0xff].into() };
            lane.take(broken(Opcode::Text, false), true);
            for _ in 2..count {
                lane.take(broken(Opcode::Continuation, false), true);
            }
            let Arrived::Whole(message) = lane.take(broken(Opcode::Continuation, true), true) else {
                panic!("it is whole")
            };
            let frames = message.into_frames();
            assert_eq!(frames.len(), count.min(MOST_FRAGMENTS + 1));
            assert!(!frames[0].last, "the codec would write it as an empty text");
            assert_eq!(joined(&frames), vec![0xff; count]);
        }
    }

    #[test]
    fn what_is_not_looked_into_is_passed_on_frame_by_frame() {
        let mut lane = Lane::default();
        for opcode in [Opcode::Text, Opcode::Binary] {
            assert!(passes(lane.take(frame(opcode, false, "a"), false)) && lane.in_message());
            // The rest of a message goes the way of its beginning.
            assert!(passes(lane.take(frame(Opcode::Continuation, false, ""), true)) && lane.in_message());
            assert!(passes(lane.take(frame(Opcode::Continuation, true, "b"), true)) && !lane.in_message());
        }
    }

    #[test]
    fn our_own_words_wait_for_the_end_of_a_message() {
        let mut lane = Lane::default();
        assert_eq!(lane.say("now".to_owned()), Some(Frame::text("now")));
        assert!(passes(lane.take(frame(Opcode::Binary, false, "a"), true)));
        assert_eq!([lane.say("one".to_owned()), lane.say("two".to_owned())], [None, None]);
        assert_eq!(lane.own_bytes(), 6);
        assert!(passes(lane.take(frame(Opcode::Continuation, true, "b"), true)));
        assert_eq!(lane.own_messages(), [Frame::text("one"), Frame::text("two")]);
        assert_eq!((lane.own_messages(), lane.own_bytes()), (Vec::new(), 0));
    }

    #[test]
    fn bytes_that_are_no_text_say_nothing() {
        let broken = Frame { opcode: Opcode::Text, last: true, payload: vec![b'a', 0xff].into() };
        assert_eq!(TextMessage(vec![broken.clone()]).text(), None);
        assert_eq!(TextMessage(vec![broken.clone(), broken]).text(), None);
    }
}
