//! Judges WebSocket frame headers before any codec buffers the frame: the codecs of actix check a length
//! only when the whole frame is in memory. Knows the header's layout (RFC 6455, 5.2) and nothing else.

/// Follows a byte stream from frame header to frame header.
#[derive(Debug)]
pub struct FrameGuard {
    limit: u64,
    /// The header that is being collected; 14 bytes is the longest.
    header: [u8; 14],
    collected: usize,
    /// How much of it there has to be before more can be said of it.
    wanted: usize,
    /// Payload bytes of the current frame that are still to come.
    payload: u64,
    /// Those that have come.
    come: u64,
    /// What a header has announced; nothing behind it is followed.
    unacceptable: Option<Unacceptable>,
}

/// What a header announced that is not waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unacceptable {
    /// A frame larger than the limit.
    TooLarge,
    /// A control frame of more than 125 bytes, or in fragments (RFC 6455, 5.5). The codecs would wait for it to be whole.
    ControlFrame,
}

impl Unacceptable {
    /// What is wrong with it, for the log.
    pub fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => "a frame over the limit",
            Self::ControlFrame => "a control frame of more than 125 bytes, or in fragments",
        }
    }
}

impl FrameGuard {
    /// A guard at the beginning of a stream; `limit` in bytes of payload.
    pub fn new(limit: usize) -> Self {
        Self {
            limit: limit as u64,
            header: [0; 14],
            collected: 0,
            wanted: SHORTEST_HEADER,
            payload: 0,
            come: 0,
            unacceptable: None,
        }
    }

    /// Follows the next chunk of the stream.
    pub fn follow(&mut self, chunk: &[u8]) -> Result<(), Unacceptable> {
        let mut at = 0;
        while at < chunk.len() {
            at += self.follow_one(&chunk[at..])?.0;
        }
        Ok(())
    }

    /// Follows the next chunk up to the end of a frame, or its own; how many bytes that is, and whether a frame ends
    /// there.
    pub fn follow_one(&mut self, chunk: &[u8]) -> Result<(usize, bool), Unacceptable> {
        let mut at = 0;
        if let Some(unacceptable) = self.unacceptable {
            return Err(unacceptable);
        }
        while at < chunk.len() {
            if self.payload > 0 {
                let skip = self.payload.min((chunk.len() - at) as u64);
                self.payload -= skip;
                self.come += skip;
                at += skip as usize;
                if self.payload == 0 {
                    return Ok((at, true));
                }
                continue;
            }
            self.header[self.collected] = chunk[at];
            self.collected += 1;
            at += 1;
            if self.collected < self.wanted {
                continue;
            }
            let [first, second, ..] = self.header;
            let extended = match second & 0x7f {
                126 => 2,
                127 => 8,
                _ => 0,
            };
            if self.collected < 2 + extended {
                self.wanted = 2 + extended;
                continue;
            }
            let length = match &self.header[2..2 + extended] {
                [] => u64::from(second & 0x7f),
                bytes => bytes.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
            };
            if length > self.limit {
                return self.refuse(Unacceptable::TooLarge);
            }
            let (last, opcode) = (first & 0x80 != 0, first & 0x0f);
            if opcode >= FIRST_CONTROL && (length > LONGEST_CONTROL || !last) {
                return self.refuse(Unacceptable::ControlFrame);
            }
            let mask = if second & 0x80 == 0 { 0 } else { 4 };
            if self.collected < 2 + extended + mask {
                self.wanted = 2 + extended + mask;
                continue;
            }
            self.payload = length;
            self.come = 0;
            self.collected = 0;
            self.wanted = SHORTEST_HEADER;
            if length == 0 {
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    fn refuse<T>(&mut self, unacceptable: Unacceptable) -> Result<T, Unacceptable> {
        self.unacceptable = Some(unacceptable);
        Err(unacceptable)
    }

    /// Bytes of a frame that is not whole, which a codec has to keep.
    pub fn unfinished(&self) -> usize {
        if self.payload > 0 { self.come as usize } else { 0 }
    }
}

/// The header of a short frame without a mask, bytes; whether there is more to one is said in these.
const SHORTEST_HEADER: usize = 2;

/// The first of the opcodes of control frames.
const FIRST_CONTROL: u8 = 8;

/// The longest control frame, bytes of payload.
const LONGEST_CONTROL: u64 = 125;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: u64, masked: bool) -> Vec<u8> {
        let mask_bit = if masked { 0x80 } else { 0 };
        let mut bytes = vec![0x82];
        match length {
            0..=125 => bytes.push(mask_bit | length as u8),
            126..=0xffff => {
                bytes.push(mask_bit | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            _ => {
                bytes.push(mask_bit | 127);
                bytes.extend(length.to_be_bytes());
            }
        }
        bytes.extend(vec![7; if masked { 4 } else { 0 }]);
        bytes
    }

    #[test]
    fn frames_up_to_the_limit_pass_in_any_pieces() {
        for masked in [true, false] {
            let (mut stream, mut expected) = (Vec::new(), Vec::new());
            for length in [0, 1, 125, 126, 1_000, 65_535, 65_536, 70_000] {
                stream.extend(frame(length, masked));
                stream.extend(vec![0xff; length as usize]);
                expected.push(stream.len());
            }
            for piece in [1, 2, 3, 7, 1_000, stream.len()] {
                let mut guard = FrameGuard::new(70_000);
                let mut ends = Vec::new();
                let mut at = 0;
                for mut chunk in stream.chunks(piece) {
                    while !chunk.is_empty() {
                        let (bytes, ended) = guard.follow_one(chunk).expect("they are within the limit");
                        chunk = &chunk[bytes..];
                        at += bytes;
                        ends.extend(ended.then_some(at));
                    }
                }
                assert_eq!(ends, expected, "pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_header_over_the_limit_is_found_before_its_payload() {
        let mut chunk = frame(3, true);
        chunk.extend([1, 2, 3]);
        chunk.extend(frame(1 << 30, true));
        assert_eq!(FrameGuard::new(1_000).follow(&chunk), Err(Unacceptable::TooLarge));
        let mut guard = FrameGuard::new(1_000);
        // The last byte of the length; the mask is still to come.
        let (before, rest) = chunk.split_at(chunk.len() - 5);
        assert_eq!(guard.follow(before), Ok(()));
        assert_eq!(guard.follow(&rest[..1]), Err(Unacceptable::TooLarge));
        assert!(FrameGuard::new(1_000).follow(&frame(1_001, false)).is_err());
    }

    #[test]
    fn nothing_is_followed_behind_what_is_refused() {
        let mut guard = FrameGuard::new(1_000);
        for _ in 0..100 {
            assert_eq!(guard.follow(&[0x09, 0x81, 0, 0, 0, 0, 7]), Err(Unacceptable::ControlFrame));
        }
    }

    #[test]
    fn control_frames_are_whole_and_short() {
        let header = |first: u8, length: u64| {
            let mut header = frame(length, true);
            header[0] = first;
            header
        };
        for opcode in [8, 9, 10] {
            let judged = |header: Vec<u8>| FrameGuard::new(1_000).follow(&header);
            assert_eq!(judged(header(0x80 | opcode, 125)), Ok(()));
            assert_eq!(judged(header(0x80 | opcode, 126)), Err(Unacceptable::ControlFrame));
            assert_eq!(judged(header(opcode, 0)), Err(Unacceptable::ControlFrame));
            assert_eq!(judged(header(opcode, 1_001)), Err(Unacceptable::TooLarge));
        }
    }
}
