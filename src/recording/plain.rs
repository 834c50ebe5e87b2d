//! What there is fifty times a second of, as a recording has it: numbers, and words that hardly ever need an escape. The
//! bytes are those that JSON's serializer writes, at a tenth of what it takes. Knows no mask.

use super::format::write;
use crate::{
    gate::Leg,
    protocol::{Frame, Opcode, realtime::AudioDelta},
};

/// A number.
pub(super) fn number(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// An object with this member alone.
pub(super) fn tagged(key: &[u8], out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"{\"");
    out.extend_from_slice(key);
    out.extend_from_slice(b"\":");
    value(out);
    out.push(b'}');
}

/// A frame of a message that is no text.
pub(super) fn binary_frame(frame: &Frame, out: &mut Vec<u8>) {
    out.extend_from_slice(match frame.opcode {
        Opcode::Text => b"{\"op\":\"text\",\"fin\":",
        Opcode::Binary => b"{\"op\":\"binary\",\"fin\":",
        Opcode::Continuation => b"{\"op\":\"continuation\",\"fin\":".as_slice(),
    });
    out.extend_from_slice(if frame.last { b"true" } else { b"false" });
    bytes(frame.payload.len(), out);
}

/// What a leg has delivered.
pub(super) fn delivered(leg: Leg, weight: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(match leg {
        Leg::Client => b"{\"leg\":\"client\"",
        Leg::Upstream => b"{\"leg\":\"upstream\"".as_slice(),
    });
    bytes(weight, out);
}

/// Audio of the user on its way up.
pub(super) fn append(event_id: &str, length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"event_id\":");
    text(event_id, out);
    bytes(length, out);
}

/// Audio of the agent.
pub(super) fn audio_delta(delta: &AudioDelta, out: &mut Vec<u8>) {
    let AudioDelta { response_id, item_id, output_index, content_index, delta } = delta;
    out.push(b'{');
    if let Some(id) = response_id {
        out.extend_from_slice(b"\"response_id\":");
        text(id.as_str(), out);
        out.push(b',');
    }
    if let Some(id) = item_id {
        out.extend_from_slice(b"\"item_id\":");
        text(id.as_str(), out);
        out.push(b',');
    }
    if let Some(index) = output_index {
        out.extend_from_slice(b"\"output_index\":");
        number(u64::from(*index), out);
        out.push(b',');
    }
    if let Some(index) = content_index {
        out.extend_from_slice(b"\"content_index\":");
        number(u64::from(*index), out);
        out.push(b',');
    }
    out.extend_from_slice(b"\"bytes\":");
    number(delta.len() as u64, out);
    out.push(b'}');
}

/// The last member of an object: a length.
fn bytes(length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"bytes\":");
    number(length as u64, out);
    out.push(b'}');
}

/// A text.
fn text(text: &str, out: &mut Vec<u8>) {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        return write(&text, out);
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("JSON is text")
    }

    #[test]
    fn it_is_what_json_has() {
        let texts = ["", "item_1", "a\"b", "a\\b", "a\nb", "\u{1}", "\u{7f}", "\u{e9}\u{1f600}"];
        for id in texts {
            let expected = json!({"event_id": id, "bytes": 640}).to_string();
            assert_eq!(written(|out| append(id, 640, out)), expected);
            for (response_id, item_id, output_index, content_index) in [
                (None, None, None, None),
                (Some(id), None, Some(7), None),
                (Some(id), Some(id), Some(0), Some(u32::MAX)),
            ] {
                let mut expected = serde_json::Map::new();
                response_id.iter().for_each(|id| drop(expected.insert("response_id".to_owned(), json!(id))));
                item_id.iter().for_each(|id| drop(expected.insert("item_id".to_owned(), json!(id))));
                output_index.iter().for_each(|n| drop(expected.insert("output_index".to_owned(), json!(n))));
                content_index
                    .iter()
                    .for_each(|n| drop(expected.insert("content_index".to_owned(), json!(n))));
                expected.insert("bytes".to_owned(), json!(3));
                let (response_id, item_id) = (response_id.map(Into::into), item_id.map(Into::into));
                let delta = Bytes::from_static(&[0; 3]);
                let delta = AudioDelta { response_id, item_id, output_index, content_index, delta };
                assert_eq!(
                    written(|out| audio_delta(&delta, out)),
                    serde_json::Value::Object(expected).to_string()
                );
            }
        }
        for (leg, word) in [(Leg::Client, "client"), (Leg::Upstream, "upstream")] {
            let expected = json!({"leg": word, "bytes": 0}).to_string();
            assert_eq!(written(|out| delivered(leg, 0, out)), expected);
        }
        for (opcode, word) in
            [(Opcode::Text, "text"), (Opcode::Binary, "binary"), (Opcode::Continuation, "continuation")]
        {
            for last in [true, false] {
                let frame = Frame { opcode, last, payload: Bytes::from_static(b"ab") };
                let expected = json!({"op": word, "fin": last, "bytes": 2}).to_string();
                assert_eq!(written(|out| binary_frame(&frame, out)), expected);
            }
        }
        assert_eq!(
            written(|out| tagged(b"key", out, |out| number(u64::MAX, out))),
            json!({"key": u64::MAX}).to_string()
        );
    }
}
