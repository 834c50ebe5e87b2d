//! What a leg makes of the data frames that it reads, under the limit for a message. Knows nothing of what they say.

use crate::{
    gate::Service,
    protocol::Frame,
    websocket::{Fragments, Joined, MessageSize, SharedBuffer},
};

pub(super) struct Reader {
    buffer: SharedBuffer,
    becomes: Becomes,
}

/// What frames become.
enum Becomes {
    /// Messages, joined.
    Messages(Fragments),
    /// Frames as they are, measured.
    Frames(MessageSize),
}

/// What a frame came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// It is passed through.
    Frame(Frame),
    /// A part of a message, or the whole of it.
    Message(Joined),
}

impl Reader {
    /// A reader of messages or, for a service that is passed through, of frames; a message may have `limit` bytes.
    pub(super) fn new(service: Option<Service>, limit: usize) -> Self {
        let becomes = match service {
            None => Becomes::Messages(Fragments::new(limit)),
            Some(_) => Becomes::Frames(MessageSize::new(limit)),
        };
        Self { buffer: SharedBuffer::default(), becomes }
    }

    /// Bytes of a message that is kept until it is whole.
    pub(super) fn unfinished(&self) -> usize {
        match &self.becomes {
            Becomes::Messages(fragments) => fragments.unfinished(),
            Becomes::Frames(_) => 0,
        }
    }

    /// Keeps nothing of a message that is not whole; what comes of it is no message.
    pub(super) fn forget(&mut self) {
        if let Becomes::Messages(fragments) = &mut self.becomes {
            fragments.forget();
        }
    }

    /// The next frame; the codec has seen to it that they come in order.
    pub(super) fn read(&mut self, frame: Frame) -> Read {
        let frame = Frame { payload: self.buffer.cut(frame.payload), ..frame };
        match &mut self.becomes {
            Becomes::Messages(fragments) => Read::Message(fragments.join(frame)),
            Becomes::Frames(size) => match size.admits(frame.payload.len(), frame.last) {
                true => Read::Frame(frame),
                false => Read::Message(Joined::TooLarge),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Opcode;

    #[test]
    fn a_message_in_pieces_is_joined_or_passed_on_in_pieces() {
        let first = Frame { opcode: Opcode::Text, last: false, payload: "ab".into() };
        let last = Frame { opcode: Opcode::Continuation, last: true, payload: "c".into() };
        let mut reader = Reader::new(None, 3);
        assert_eq!(reader.read(first.clone()), Read::Message(Joined::NotYet));
        assert_eq!(reader.read(last.clone()), Read::Message(Joined::Text("abc".into())));
        let mut reader = Reader::new(Some(Service::Agent), 3);
        assert_eq!(reader.read(first.clone()), Read::Frame(first.clone()));
        assert_eq!(reader.read(last.clone()), Read::Frame(last.clone()));
        for service in [None, Some(Service::Agent)] {
            let mut reader = Reader::new(service, 2);
            reader.read(first.clone());
            assert_eq!(reader.read(last.clone()), Read::Message(Joined::TooLarge), "{service:?}");
        }
    }
}
