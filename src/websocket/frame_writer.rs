//! Frames on their way to a server (RFC 6455, 5.2 and 5.3): header, mask and payload are put together in the very place
//! that the socket takes them from. Knows nothing of sockets, nor of what frames hold.

use actix_http::ws::OpCode;

/// A client's frames one behind the other, and how far they have been taken.
#[derive(Debug, Default)]
pub struct FrameWriter {
    bytes: Vec<u8>,
    /// How many of them have been taken.
    taken: usize,
}

impl FrameWriter {
    /// Writes a frame; `last` if it ends its message.
    pub fn write(&mut self, opcode: OpCode, last: bool, payload: &[u8]) {
        self.write_with(opcode, last, payload.len(), |out| out.extend_from_slice(payload));
    }

    /// The same with a payload of `length` bytes that `append` puts behind what is there.
    pub fn write_with(
        &mut self,
        opcode: OpCode,
        last: bool,
        length: usize,
        append: impl FnOnce(&mut Vec<u8>),
    ) {
        let Self { bytes, .. } = self;
        bytes.reserve(LONGEST_HEADER + length);
        let first = u8::from(opcode) | if last { FIN } else { 0 };
        match length {
            0..=125 => bytes.extend_from_slice(&[first, MASKED | length as u8]),
            126..=0xffff => {
                bytes.extend_from_slice(&[first, MASKED | 126]);
                bytes.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                bytes.extend_from_slice(&[first, MASKED | 127]);
                bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        // Nobody may foresee it (10.3).
        let key: [u8; 4] = rand::random();
        bytes.extend_from_slice(&key);
        let start = bytes.len();
        append(bytes);
        assert_eq!(bytes.len() - start, length, "the header says how long the payload is");
        mask(&mut bytes[start..], key);
    }

    /// What has to be taken yet.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// How much that is, bytes.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.taken
    }

    /// What it takes of memory, bytes.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Whether everything has been taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// So many bytes of the rest have been taken. Nothing keeps no memory: most connections send nothing, most of the
    /// time.
    pub fn take(&mut self, count: usize) {
        self.taken += count;
        if self.is_empty() {
            *self = Self::default();
        } else if self.taken > self.bytes.len() / 2 {
            // No more is moved than has been taken.
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
    }
}

/// Masks a payload (RFC 6455, 5.3).
fn mask(payload: &mut [u8], key: [u8; 4]) {
    let long_key: [u8; BLOCK] = std::array::from_fn(|n| key[n % key.len()]);
    let (blocks, rest) = payload.as_chunks_mut::<BLOCK>();
    for block in blocks {
        for (byte, key) in block.iter_mut().zip(long_key) {
            *byte ^= key;
        }
    }
    for (byte, key) in rest.iter_mut().zip(long_key) {
        *byte ^= key;
    }
}

/// Bytes that are masked at once: of fixed number, they become a few instructions.
const BLOCK: usize = 32;

/// Two bytes, eight of length and four of the mask.
const LONGEST_HEADER: usize = 14;

/// The bit of the last frame of a message.
const FIN: u8 = 0x80;

/// The bit of a frame with a mask.
const MASKED: u8 = 0x80;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use actix_http::ws::Parser;
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::*;

    /// The frames in the rest as actix reads them.
    fn frames(writer: &FrameWriter) -> Vec<(bool, OpCode, Vec<u8>)> {
        let mut wire = BytesMut::from(writer.rest());
        let mut read = || Parser::parse(&mut wire, true, usize::MAX).expect("good frames");
        let frames = std::iter::from_fn(&mut read)
            .map(|(last, opcode, payload)| (last, opcode, payload.unwrap_or_default().to_vec()))
            .collect();
        assert!(wire.is_empty(), "{} bytes are no frame", wire.len());
        frames
    }

    fn counted(length: usize) -> Vec<u8> {
        (0..length).map(|n| (n * 7 + n / 251) as u8).collect()
    }

    #[test]
    fn frames_of_every_length_are_read_as_they_were_written() {
        let mut writer = FrameWriter::default();
        let mut written = Vec::new();
        for length in (0..130).chain([1_377, 65_534, 65_535, 65_536, 65_537, 200_000]) {
            let payload = counted(length);
            let opcode = [OpCode::Text, OpCode::Binary, OpCode::Continue][length % 3];
            for last in [true, false] {
                writer.write(opcode, last, &payload);
                written.push((last, opcode, payload.clone()));
            }
        }
        for opcode in [OpCode::Ping, OpCode::Pong, OpCode::Close] {
            writer.write(opcode, true, &[3, 232]);
            written.push((true, opcode, vec![3, 232]));
        }
        assert!(frames(&writer) == written);
    }

    #[test]
    fn headers_are_as_short_as_they_may_be() {
        for (length, header) in [(0, 6), (125, 6), (126, 8), (65_535, 8), (65_536, 14)] {
            let mut writer = FrameWriter::default();
            writer.write(OpCode::Binary, true, &counted(length));
            assert_eq!(writer.len(), header + length);
        }
    }

    #[tokio::test]
    async fn another_implementation_reads_them_too() {
        use futures_util::StreamExt;
        use tokio_tungstenite::{
            WebSocketStream,
            tungstenite::{Message, protocol::Role},
        };

        let (mut writer, mut expected) = (FrameWriter::default(), Vec::new());
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = counted(length);
            writer.write(OpCode::Binary, true, &payload);
            expected.push(Message::binary(payload.clone()));
            writer.write(OpCode::Binary, false, &payload);
            writer.write(OpCode::Ping, true, b"between");
            writer.write(OpCode::Continue, false, &payload);
            writer.write(OpCode::Continue, true, &payload);
            expected.extend([Message::Ping("between".into()), Message::binary(payload.repeat(3))]);
        }
        let io = tokio::io::join(writer.rest(), tokio::io::sink());
        let mut server = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
        for message in expected {
            assert!(server.next().await.expect("a message").expect("a good one") == message);
        }
    }

    #[test]
    fn masks_differ_from_frame_to_frame() {
        let mut keys = HashSet::new();
        for _ in 0..100 {
            let mut writer = FrameWriter::default();
            writer.write(OpCode::Ping, true, b"");
            keys.insert(writer.rest()[2..].to_vec());
        }
        assert!(keys.len() > 90, "{keys:?}");
    }

    #[test]
    #[should_panic(expected = "the header says how long the payload is")]
    fn a_payload_of_another_length_than_announced_is_a_bug() {
        FrameWriter::default().write_with(OpCode::Text, true, 3, |out| out.extend_from_slice(b"ab"));
    }

    #[test]
    fn what_has_been_taken_is_not_kept() {
        let mut writer = FrameWriter::default();
        for round in 0..1_000 {
            writer.write(OpCode::Binary, true, &counted(1_000));
            // A socket that takes less than it is given, and never everything.
            writer.take(if round == 0 { 1 } else { 1_008 });
            assert!(writer.bytes.len() <= 2 * writer.len() + 1_008, "{} bytes", writer.bytes.len());
        }
        writer.take(writer.len());
        assert_eq!((writer.len(), writer.capacity()), (0, 0));
    }

    proptest! {
        #[test]
        fn frames_are_taken_in_any_pieces(
            lengths in prop::collection::vec(0_usize..300, 1..20),
            pieces in prop::collection::vec(1_usize..400, 1..20),
        ) {
            let (mut writer, mut whole, mut pieces) = (FrameWriter::default(), Vec::new(), pieces.iter().cycle());
            let mut wire = FrameWriter::default();
            for length in lengths {
                writer.write(OpCode::Text, true, &counted(length));
                whole.push((true, OpCode::Text, counted(length)));
                let piece = (*pieces.next().expect("a cycle")).min(writer.len());
                wire.bytes.extend_from_slice(&writer.rest()[..piece]);
                writer.take(piece);
            }
            wire.bytes.extend_from_slice(writer.rest());
            prop_assert_eq!(frames(&wire), whole);
        }

        #[test]
        fn a_mask_is_put_on_byte_by_byte(payload in prop::collection::vec(any::<u8>(), 0..200), key in any::<[u8; 4]>()) {
            let expected: Vec<u8> = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
            let mut masked = payload;
            mask(&mut masked, key);
            prop_assert_eq!(masked, expected);
        }
    }
}
