//! Follows the body of a request to its end (RFC 9112, 6 and 7), so that the next head is found. Keeps none of it, and
//! knows nothing of what is in it.

/// The longest line of a chunk's size with its extensions, and the longest trailers, bytes.
const LONGEST_LINE: u32 = 8 * 1024;

/// The most digits of a chunk's size: a number that cannot overflow.
const DIGITS: u8 = 15;

/// What is still to come of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// So many bytes, at least one.
    Length(u64),
    /// Chunks.
    Chunked(Chunked),
    /// All that comes: another protocol.
    Endless,
}

/// How far a body was followed in some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Followed {
    /// All of them belong to it, and more has to come.
    All,
    /// So many of them are its last.
    Ends(usize),
    /// They are no chunks.
    Broken,
}

impl Body {
    /// Follows the next bytes, at least one.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Followed {
        match self {
            Self::Endless => Followed::All,
            Self::Length(rest) if *rest <= bytes.len() as u64 => Followed::Ends(*rest as usize),
            Self::Length(rest) => {
                *rest -= bytes.len() as u64;
                Followed::All
            }
            Self::Chunked(chunked) => chunked.follow(bytes),
        }
    }
}

/// Where in its chunks a body is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chunked {
    at: At,
    /// Bytes of the chunk's data that are still to come; while its size is read, the size so far.
    size: u64,
    /// How much of what is no data has come since the last data.
    line: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum At {
    /// The size, of which so many digits have come.
    Size(u8),
    /// Spaces behind the size.
    Padding,
    Extension,
    /// The line feed behind a size.
    SizeEnd,
    Data,
    /// The line's end behind data, and its line feed.
    DataEnd,
    DataLineFeed,
    /// The beginning of a line behind the last chunk.
    TrailerStart,
    Trailer,
    /// The line feed behind a trailer, and behind the empty line.
    TrailerLineFeed,
    LastLineFeed,
    #[default]
    Start,
}

impl Chunked {
    fn follow(&mut self, bytes: &[u8]) -> Followed {
        let mut index = 0;
        while let Some(byte) = bytes.get(index) {
            if self.at == At::Data {
                let data = self.size.min((bytes.len() - index) as u64);
                self.size -= data;
                index += data as usize;
                if self.size == 0 {
                    self.at = At::DataEnd;
                    self.line = 0;
                }
                continue;
            }
            index += 1;
            self.line += 1;
            match self.next(*byte) {
                Some(_) if self.line > LONGEST_LINE => return Followed::Broken,
                Some(At::Start) if self.at == At::LastLineFeed => return Followed::Ends(index),
                Some(at) => self.at = at,
                None => return Followed::Broken,
            }
        }
        Followed::All
    }

    /// Where the body is behind a byte that is no data; `None` if it may not stand there.
    fn next(&mut self, byte: u8) -> Option<At> {
        match (self.at, byte) {
            (At::Start, _) => {
                self.size = 0;
                self.digit(byte, 0)
            }
            (At::Size(_) | At::Padding, b'\t' | b' ') => Some(At::Padding),
            (At::Size(_) | At::Padding, b';') => Some(At::Extension),
            (At::Size(_) | At::Padding | At::Extension, b'\r') => Some(At::SizeEnd),
            (At::Size(digits), _) => self.digit(byte, digits),
            (At::Extension, _) => (byte == b'\t' || !byte.is_ascii_control()).then_some(At::Extension),
            (At::SizeEnd, b'\n') if self.size > 0 => Some(At::Data),
            (At::SizeEnd | At::TrailerLineFeed, b'\n') => Some(At::TrailerStart),
            (At::DataEnd, b'\r') => Some(At::DataLineFeed),
            (At::DataLineFeed | At::LastLineFeed, b'\n') => Some(At::Start),
            (At::TrailerStart, b'\r') => Some(At::LastLineFeed),
            (At::Trailer, b'\r') => Some(At::TrailerLineFeed),
            (At::TrailerStart | At::Trailer, _) => Some(At::Trailer),
            (
                At::Padding
                | At::SizeEnd
                | At::Data
                | At::DataEnd
                | At::DataLineFeed
                | At::TrailerLineFeed
                | At::LastLineFeed,
                _,
            ) => None,
        }
    }

    fn digit(&mut self, byte: u8, digits: u8) -> Option<At> {
        let digit = char::from(byte).to_digit(16).filter(|_| digits < DIGITS)?;
        self.size = self.size << 4 | u64::from(digit);
        Some(At::Size(digits + 1))
    }
}
