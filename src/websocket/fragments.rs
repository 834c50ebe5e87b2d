//! Joins the fragments of a WebSocket message under a limit (RFC 6455, 5.4).

use actix_http::ws::Item;
use bytes::{Bytes, BytesMut};

/// A message that comes in pieces.
pub struct Fragments {
    limit: usize,
    text: bool,
    bytes: BytesMut,
}

/// What a fragment came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Joined {
    /// More has to come.
    NotYet,
    /// It was the last of a text message, which may not be UTF-8.
    Text(Bytes),
    /// It was the last of a binary message.
    Binary(Bytes),
    /// The message is larger than the limit.
    TooLarge,
}

impl Fragments {
    /// Messages may have `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, text: false, bytes: BytesMut::new() }
    }

    /// The next fragment; the codec has seen to it that they come in order.
    pub fn join(&mut self, item: Item) -> Joined {
        let (fragment, last) = match item {
            Item::FirstText(fragment) => {
                self.text = true;
                (fragment, false)
            }
            Item::FirstBinary(fragment) => {
                self.text = false;
                (fragment, false)
            }
            Item::Continue(fragment) => (fragment, false),
            Item::Last(fragment) => (fragment, true),
        };
        if self.bytes.len() + fragment.len() > self.limit {
            self.bytes = BytesMut::new();
            return Joined::TooLarge;
        }
        self.bytes.extend_from_slice(&fragment);
        match (last, self.text) {
            (false, _) => Joined::NotYet,
            (true, true) => Joined::Text(std::mem::take(&mut self.bytes).freeze()),
            (true, false) => Joined::Binary(std::mem::take(&mut self.bytes).freeze()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn fragments_become_one_message_of_the_kind_of_the_first() {
        let mut fragments = Fragments::new(6);
        assert_eq!(fragments.join(Item::FirstText(bytes("ab"))), Joined::NotYet);
        assert_eq!(fragments.join(Item::Continue(bytes("cd"))), Joined::NotYet);
        assert_eq!(fragments.join(Item::Last(bytes("ef"))), Joined::Text(bytes("abcdef")));
        assert_eq!(fragments.join(Item::FirstBinary(bytes(""))), Joined::NotYet);
        assert_eq!(fragments.join(Item::Last(bytes("x"))), Joined::Binary(bytes("x")));
    }

    #[test]
    fn fragments_that_add_up_to_too_much_are_refused() {
        let mut fragments = Fragments::new(6);
        assert_eq!(fragments.join(Item::FirstBinary(bytes("abcdef"))), Joined::NotYet);
        assert_eq!(fragments.join(Item::Continue(bytes("g"))), Joined::TooLarge);
    }
}
