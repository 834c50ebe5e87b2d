//! Bytes of both legs' sockets, however they are cut: the guard of frame headers and the codec agree on every frame, and
//! neither it nor what joins fragments keeps more than the limit.

use actix_codec::{Decoder, Encoder};
use actix_http::ws;
use bytes::{Bytes, BytesMut};
use voxbridge::protocol::{Frame, Opcode};
use voxbridge::websocket::{Fragments, FrameGuard, Joined, MessageSize, SharedBuffer, fragment, message};

use crate::bytes::damaged;
use crate::random::Random;
use crate::runner::{Fuzzer, within};

/// Frames as a peer writes them, masked or not.
fn valid(random: &mut Random, masked: bool, most: usize) -> Vec<u8> {
    let mut codec = if masked { ws::Codec::new().client_mode() } else { ws::Codec::new() };
    let mut wire = BytesMut::new();
    let mut open = false;
    for _ in 0..1 + random.below(8) {
        let length = random.length(most + most / 4);
        let payload = match random.one_in(2) {
            true => Bytes::from(random.bytes(length)),
            false => Bytes::from(vec![b'a'; length]),
        };
        let whole = match random.below(8) {
            0 => ws::Message::Ping(payload.slice(..length.min(125))),
            1 => ws::Message::Pong(payload.slice(..length.min(125))),
            2 if random.one_in(4) => ws::Message::Close(None),
            3 => ws::Message::Close(Some((ws::CloseCode::from(random.next() as u16), "reason").into())),
            kind => {
                let opcode = match (open, kind % 2) {
                    (true, _) => Opcode::Continuation,
                    (false, 0) => Opcode::Text,
                    (false, _) => Opcode::Binary,
                };
                let last = random.one_in(2);
                open = !last;
                let text = Bytes::from(String::from_utf8_lossy(&payload).into_owned());
                message(Frame { opcode, last, payload: if opcode == Opcode::Text { text } else { payload } })
            }
        };
        // One that the codec refuses is not sent.
        let _ = codec.encode(whole, &mut wire);
    }
    wire.to_vec()
}

/// A header that announces any length, valid or not, over any opcode.
fn announcement(random: &mut Random) -> Vec<u8> {
    let mut header = vec![random.next() as u8, random.next() as u8];
    if header[1] & 0x7f == 127 || random.one_in(3) {
        header[1] |= 127;
        let announced = *random.pick(&[
            0,
            1,
            125,
            126,
            65_535,
            65_536,
            1 << 31,
            1 << 32,
            1 << 62,
            u64::MAX / 2,
            u64::MAX - 13,
            u64::MAX,
        ]);
        header.extend(announced.to_be_bytes());
    }
    let length = random.below(40);
    header.extend(random.bytes(length));
    header
}

/// What one leg makes of a stream: the codec behind the guard, and what joins or measures fragments behind that.
struct Leg {
    limit: usize,
    guard: FrameGuard,
    codec: ws::Codec,
    read: BytesMut,
    buffer: SharedBuffer,
    fragments: Fragments,
    size: MessageSize,
    /// Bytes of the message that is being joined.
    joined: usize,
    ended: usize,
    decoded: usize,
}

impl Leg {
    fn new(limit: usize, of_client: bool) -> Self {
        let codec = ws::Codec::new().max_size(limit);
        Self {
            limit,
            guard: FrameGuard::new(limit),
            codec: if of_client { codec } else { codec.client_mode() },
            read: BytesMut::new(),
            buffer: SharedBuffer::default(),
            fragments: Fragments::new(limit),
            size: MessageSize::new(limit),
            joined: 0,
            ended: 0,
            decoded: 0,
        }
    }

    /// Whether the connection goes on after these bytes.
    fn takes(&mut self, chunk: &[u8]) -> bool {
        let mut rest = chunk;
        while !rest.is_empty() {
            let Ok((bytes, ended)) = self.guard.follow_one(rest) else { return false };
            self.ended += usize::from(ended);
            rest = &rest[bytes..];
        }
        self.read.extend_from_slice(chunk);
        loop {
            match self.codec.decode(&mut self.read) {
                Ok(Some(frame)) => {
                    self.decoded += 1;
                    if !self.looks_at(frame) {
                        return false;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    let is_size = matches!(error, ws::ProtocolError::Overflow);
                    assert!(!is_size, "the guard has let a frame over the limit through");
                    return false;
                }
            }
        }
        assert_eq!(self.decoded, self.ended, "guard and codec count the same frames");
        assert!(self.read.len() < self.limit + 14, "{} bytes wait for the rest of a frame", self.read.len());
        true
    }

    fn looks_at(&mut self, frame: ws::Frame) -> bool {
        let frame = match frame {
            ws::Frame::Text(payload) => Frame::text(payload),
            ws::Frame::Binary(payload) => Frame::binary(payload),
            ws::Frame::Continuation(item) => fragment(item),
            ws::Frame::Ping(_) | ws::Frame::Pong(_) => return true,
            ws::Frame::Close(_) => return false,
        };
        let Frame { opcode, last, payload } = frame;
        let payload = self.buffer.cut(payload);
        assert!(payload.len() <= self.limit, "a frame of {} bytes came through", payload.len());
        self.joined += payload.len();
        let whole = (opcode != Opcode::Continuation && last, payload.clone());
        let admits = self.size.admits(payload.len(), last);
        assert_eq!(admits, self.joined <= self.limit, "a message is measured in all its pieces");
        match self.fragments.join(Frame { opcode, last, payload }) {
            Joined::NotYet => assert!(!last && self.joined <= self.limit),
            Joined::TooLarge => assert!(self.joined > self.limit),
            Joined::Text(bytes) | Joined::Binary(bytes) => {
                assert!(last && bytes.len() == self.joined && bytes.len() <= self.limit);
                assert!(!whole.0 || bytes == whole.1, "a message in one frame is that frame");
            }
        }
        if last {
            self.joined = 0;
        }
        admits
    }
}

#[test]
fn streams() {
    let fuzzer = Fuzzer::new("streams");
    fuzzer.run(8_000, |random| {
        let limit = *random.pick(&[0, 1, 125, 126, 1_000, 65_535, 65_536, 100_000]);
        let of_client = random.one_in(2);
        let mut wire = valid(random, of_client, limit);
        if !random.one_in(4) {
            let others = [valid(random, !of_client, limit), announcement(random), announcement(random)];
            wire = damaged(random, &wire, &others);
        }
        // The codec's buffer grows by doubling, and frames are cut out of it.
        let most = 8 * (limit + wire.len()) + 64 * 1024;
        within(most, || {
            let mut leg = Leg::new(limit, of_client);
            let mut rest = &wire[..];
            while !rest.is_empty() {
                let (chunk, more) = rest.split_at(1 + random.length(rest.len()).min(rest.len() - 1));
                rest = more;
                if !leg.takes(chunk) {
                    break;
                }
            }
        });
    });
}

/// What the codec reads it writes, and reads it again the same.
#[test]
fn frames_pass() {
    let fuzzer = Fuzzer::new("frames_pass");
    fuzzer.run(4_000, |random| {
        let wire = valid(random, true, 70_000);
        let mut codec = ws::Codec::new().max_size(usize::MAX);
        let mut read = BytesMut::from(&wire[..]);
        let (mut out, mut sent) = (BytesMut::new(), Vec::new());
        let mut writer = ws::Codec::new();
        while let Ok(Some(frame)) = codec.decode(&mut read) {
            let frame = match frame {
                ws::Frame::Text(payload) => Frame::text(payload),
                ws::Frame::Binary(payload) => Frame::binary(payload),
                ws::Frame::Continuation(item) => fragment(item),
                ws::Frame::Ping(_) | ws::Frame::Pong(_) | ws::Frame::Close(_) => continue,
            };
            writer.encode(message(frame.clone()), &mut out).expect("frames that were in order stay so");
            sent.push(frame);
        }
        let mut codec = ws::Codec::new().max_size(usize::MAX).client_mode();
        for frame in sent {
            let again = match codec.decode(&mut out).expect("a frame").expect("a whole one") {
                ws::Frame::Text(payload) => Frame::text(payload),
                ws::Frame::Binary(payload) => Frame::binary(payload),
                ws::Frame::Continuation(item) => fragment(item),
                other => panic!("{other:?} was not sent"),
            };
            assert_eq!(again, frame);
        }
        assert!(out.is_empty());
    });
}
