//! Where in a JSON text one is between two of its bytes, and how what stands there is treated. Knows nothing of what takes
//! its place.

use super::members::{Kind, Owner, Treatment};

/// Where in a message.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) token: Token,
    /// The objects and lists that are open.
    pub(super) open: Vec<Open>,
    /// How the value that comes next, or is under way, is treated.
    pub(super) treatment: Treatment,
    /// Of that value, if it is an object.
    pub(super) owner: Owner,
    pub(super) kind: Kind,
    /// The value is the `type` of the message.
    pub(super) is_type_of_message: bool,
    /// The name of a member, or the message's `type`.
    pub(super) word: Word,
    /// Bytes of a text so far.
    pub(super) length: usize,
}

/// An object or list that is open.
#[derive(Clone, Copy)]
pub(super) struct Open {
    pub(super) is_object: bool,
    pub(super) treatment: Treatment,
    pub(super) owner: Owner,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// Between two: this may come next.
    Next(Next),
    Text(Text),
    /// After a backslash.
    Escape(Text),
    /// So many digits of a `\u` escape are to come.
    Hex(Text, u8),
    Number(Number),
    /// The rest of `true`, `false` or `null`.
    Literal(&'static [u8]),
    /// It is no JSON, from here to its end.
    NoJson,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Value,
    /// A value or the end of an empty list.
    ValueOrEnd,
    Name,
    /// The name of a member or the end of an empty object.
    NameOrEnd,
    Colon,
    /// A comma or the end of a list or object.
    CommaOrEnd,
    /// Nothing but white space.
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    Name,
    Kept,
    Masked,
    /// White space at the beginning, by which the gates tell a text that says nothing.
    Blank,
    /// Parts of it are kept, and the others masked as what stands in a URL.
    Url(Kept),
}

/// Where the parts of a URL end, in bytes: what is between scheme and host, and behind the host, is masked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) scheme: usize,
    /// The user's name and password, where there are any.
    pub(super) user: usize,
    /// Host and port, and whatever else is kept behind them.
    pub(super) host: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
}

impl Place {
    pub(super) fn start() -> Self {
        Self {
            token: Token::Next(Next::Value),
            open: Vec::new(),
            // Only an object is a message.
            treatment: Treatment::Sealed,
            owner: Owner::Message,
            kind: Kind::Unknown,
            is_type_of_message: false,
            word: Word::default(),
            length: 0,
        }
    }

    pub(super) fn is_in_object(&self) -> bool {
        self.open.last().is_some_and(|open| open.is_object)
    }

    /// An object or list begins; false if it stands too deep to be of a message.
    pub(super) fn open(&mut self, is_object: bool) -> bool {
        if self.open.len() == DEEPEST {
            return false;
        }
        let is_message = is_object && self.open.is_empty();
        let treatment = if is_message { Treatment::Plain } else { self.treatment.within(is_object) };
        self.open.push(Open { is_object, treatment, owner: self.owner });
        self.enter(treatment);
        self.token = Token::Next(if is_object { Next::NameOrEnd } else { Next::ValueOrEnd });
        true
    }

    pub(super) fn close(&mut self) {
        self.open.pop();
        if let Some(outer) = self.open.last() {
            self.enter(outer.treatment);
        }
        self.token = Token::Next(self.next_after_value());
    }

    /// An element of a list is treated as the list; a member says itself how.
    pub(super) fn enter(&mut self, treatment: Treatment) {
        self.treatment = treatment;
        self.owner = Owner::Other;
        self.is_type_of_message = false;
    }

    pub(super) fn comma(&mut self) {
        let within = self.open.last().copied().expect("a comma stands in a list or object");
        self.enter(within.treatment);
        self.token = Token::Next(if within.is_object { Next::Name } else { Next::Value });
    }

    pub(super) fn next_after_value(&self) -> Next {
        if self.open.is_empty() { Next::Nothing } else { Next::CommaOrEnd }
    }
}

/// The beginning of a text, as long as any that is known.
#[derive(Clone, Copy, Default)]
pub(super) struct Word {
    pub(super) bytes: [u8; 32],
    pub(super) length: usize,
}

impl Word {
    pub(super) fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        } else {
            self.spoil();
        }
    }

    /// It is none that is known.
    pub(super) fn spoil(&mut self) {
        self.length = usize::MAX;
    }

    /// Empty if it is none that is known.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Deeper than any message, and than what is read of one.
const DEEPEST: usize = 128;
/// What says which thing something is, is shorter, bytes; what stands behind it is masked.
pub(super) const LONGEST_WORD: usize = 256;
