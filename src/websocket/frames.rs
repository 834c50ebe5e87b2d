//! Data frames between the codec's types and ours.

use actix_http::ws::{Item, Message, OpCode};
use bytestring::ByteString;

use crate::protocol::{Frame, Opcode};

/// A fragment as the codec reads it.
pub fn fragment(item: Item) -> Frame {
    let (opcode, last, payload) = match item {
        Item::FirstText(payload) => (Opcode::Text, false, payload),
        Item::FirstBinary(payload) => (Opcode::Binary, false, payload),
        Item::Continue(payload) => (Opcode::Continuation, false, payload),
        Item::Last(payload) => (Opcode::Continuation, true, payload),
    };
    Frame { opcode, last, payload }
}

/// A frame as the codec writes it. A whole text message has to be UTF-8; that of another would be an empty one.
pub fn message(frame: Frame) -> Message {
    let Frame { opcode, last, payload } = frame;
    match (opcode, last) {
        (Opcode::Text, true) => {
            debug_assert!(str::from_utf8(&payload).is_ok(), "whoever read it has seen to that");
            Message::Text(ByteString::try_from(payload).unwrap_or_default())
        }
        (Opcode::Binary, true) => Message::Binary(payload),
        (Opcode::Text, false) => Message::Continuation(Item::FirstText(payload)),
        (Opcode::Binary, false) => Message::Continuation(Item::FirstBinary(payload)),
        (Opcode::Continuation, false) => Message::Continuation(Item::Continue(payload)),
        (Opcode::Continuation, true) => Message::Continuation(Item::Last(payload)),
    }
}

/// The opcode in a frame's header.
pub fn opcode(opcode: Opcode) -> OpCode {
    match opcode {
        Opcode::Text => OpCode::Text,
        Opcode::Binary => OpCode::Binary,
        Opcode::Continuation => OpCode::Continue,
    }
}

#[cfg(test)]
mod tests {
    use actix_codec::{Decoder, Encoder};
    use actix_http::ws;
    use bytes::BytesMut;

    use super::*;

    #[test]
    fn a_frame_that_is_written_is_the_one_that_is_read() {
        let mut frames = Vec::new();
        for first in [Opcode::Text, Opcode::Binary] {
            frames.push(Frame { opcode: first, last: true, payload: "whole".into() });
            frames.push(Frame { opcode: first, last: false, payload: "".into() });
            frames.push(Frame { opcode: Opcode::Continuation, last: false, payload: "middle".into() });
            frames.push(Frame { opcode: Opcode::Continuation, last: true, payload: "".into() });
        }
        let mut wire = BytesMut::new();
        let mut codec = ws::Codec::new();
        for frame in &frames {
            codec.encode(message(frame.clone()), &mut wire).expect("the frames are in order");
        }
        let mut codec = ws::Codec::new().client_mode();
        let mut read = || match codec.decode(&mut wire).expect("frames")? {
            ws::Frame::Text(payload) => Some(Frame::text(payload)),
            ws::Frame::Binary(payload) => Some(Frame::binary(payload)),
            ws::Frame::Continuation(item) => Some(fragment(item)),
            other => panic!("{other:?}"),
        };
        assert_eq!(std::iter::from_fn(&mut read).collect::<Vec<_>>(), frames);
    }
}
