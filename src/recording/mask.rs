//! Takes what was said out of recorded messages, byte for byte in its place: a message has the same length afterwards, is
//! JSON where it was, and has the same types, names and ids. Knows nothing of where messages go.
//!
//! It goes through a message once, byte by byte, and remembers between two bytes only where it is: a message may come in
//! fragments that are cut anywhere.

mod members;
mod place;
mod stand_in;
#[cfg(test)]
mod tests;

use serde::de::IgnoredAny;

use super::Masking;
use members::{Kind, Owner, Treatment};
use place::{Kept, LONGEST_WORD, Next, Number, Place, Text, Token, Word};
use stand_in::{Digit, StandIn};

/// Masks messages of one direction.
#[derive(Clone)]
pub struct Mask {
    stand_in: StandIn,
    /// What is said is masked, and not only credentials.
    content: bool,
    /// A message in fragments is under way.
    in_message: bool,
    place: Place,
}

impl Mask {
    /// Only credentials that clients send along are masked: with `log_content = true`.
    pub fn off() -> Self {
        Self::new(StandIn::filler(), false)
    }

    /// For what the gate takes. Equal texts get equal stand-ins; the key belongs to a session and is kept nowhere.
    pub fn inputs(key: u128) -> Self {
        Self::new(StandIn::keyed(key), true)
    }

    /// For what the gate answered, some of which is composed of texts: all of one length are equal.
    pub fn filler() -> Self {
        Self::new(StandIn::filler(), true)
    }

    fn new(stand_in: StandIn, content: bool) -> Self {
        Self { stand_in, content, in_message: false, place: Place::start() }
    }

    fn step(&mut self, byte: u8) -> u8 {
        match self.place.token {
            Token::Next(next) => self.next(next, byte),
            Token::Text(text) => self.text_byte(text, byte),
            Token::Escape(text) => {
                self.stand_in.note(byte);
                self.place.token = match byte {
                    b'u' => {
                        self.stand_in.begin_hex();
                        Token::Hex(text, 4)
                    }
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Token::Text(text),
                    _ => return self.no_json(byte),
                };
                byte
            }
            Token::Hex(text, left) if byte.is_ascii_hexdigit() => {
                let text = if text == Text::Blank { Text::Masked } else { text };
                self.place.token = if left == 1 { Token::Text(text) } else { Token::Hex(text, left - 1) };
                if self.is_masked(text) { self.stand_in.hex_digit(byte) } else { byte }
            }
            Token::Hex(..) => self.no_json(byte),
            Token::Number(number) => self.number(number, byte),
            Token::Literal(rest) => match rest.split_first() {
                Some((&expected, rest)) if expected == byte => {
                    self.place.token = Token::Literal(rest);
                    byte
                }
                Some(_) => self.no_json(byte),
                None => self.after_value(byte),
            },
            Token::NoJson => self.foreign(byte),
        }
    }

    fn next(&mut self, next: Next, byte: u8) -> u8 {
        match (next, byte) {
            (_, b' ' | b'\t' | b'\n' | b'\r') => (),
            (Next::Name | Next::NameOrEnd, b'"') => self.begin_text(Text::Name),
            (Next::NameOrEnd | Next::CommaOrEnd, b'}') if self.place.is_in_object() => self.place.close(),
            (Next::ValueOrEnd | Next::CommaOrEnd, b']') if !self.place.is_in_object() => self.place.close(),
            (Next::Colon, b':') => self.place.token = Token::Next(Next::Value),
            (Next::CommaOrEnd, b',') => self.place.comma(),
            (Next::Value | Next::ValueOrEnd, _) => return self.value(byte),
            _ => return self.no_json(byte),
        }
        byte
    }

    fn value(&mut self, byte: u8) -> u8 {
        let number = |number| Token::Number(number);
        match byte {
            b'"' => {
                let kept = self.place.treatment == Treatment::Kept;
                self.begin_text(if kept { Text::Kept } else { Text::Blank });
            }
            b'{' | b'[' if self.place.open(byte == b'{') => (),
            b't' => self.place.token = Token::Literal(b"rue"),
            b'f' => self.place.token = Token::Literal(b"alse"),
            b'n' => self.place.token = Token::Literal(b"ull"),
            b'-' | b'0'..=b'9' => {
                self.stand_in.begin();
                self.place.token = match byte {
                    b'-' => number(Number::Minus),
                    b'0' => number(Number::Zero),
                    _ => number(Number::Integer),
                };
                return self.digit(byte, Digit::First);
            }
            _ => return self.no_json(byte),
        }
        byte
    }

    fn begin_text(&mut self, text: Text) {
        self.stand_in.begin();
        self.place.token = Token::Text(text);
        self.place.word = Word::default();
        self.place.length = 0;
    }

    fn text_byte(&mut self, text: Text, byte: u8) -> u8 {
        self.place.length += 1;
        match byte {
            b'"' => {
                self.end_text(text);
                return byte;
            }
            b'\\' => {
                self.place.token = Token::Escape(text);
                // No name with an escape is known.
                self.place.word.spoil();
                self.stand_in.note(byte);
                return byte;
            }
            0..0x20 => return self.no_json(byte),
            b' ' if text == Text::Blank => {
                self.stand_in.note(byte);
                return byte;
            }
            _ => (),
        }
        let text = match text {
            Text::Blank => Text::Masked,
            Text::Kept if self.place.length > LONGEST_WORD => Text::Masked,
            other => other,
        };
        self.place.token = Token::Text(text);
        if matches!(text, Text::Name | Text::Kept) {
            self.place.word.push(byte);
        }
        if !self.is_masked(text) {
            self.stand_in.note(byte);
            byte
        } else if let Text::Url(_) = text {
            self.stand_in.in_url(byte)
        } else {
            self.stand_in.byte(byte)
        }
    }

    fn end_text(&mut self, text: Text) {
        let place = &mut self.place;
        if text != Text::Name {
            if place.is_type_of_message && text == Text::Kept {
                place.kind = Kind::of(place.word.bytes());
            }
            place.token = Token::Next(place.next_after_value());
            return;
        }
        let within = place.open.last().copied();
        let within = within.expect("a name stands in an object");
        let name = place.word.bytes();
        place.treatment = within.treatment.of(name, within.owner, place.kind);
        place.owner = Owner::named(name);
        place.is_type_of_message = within.owner == Owner::Message && name == b"type";
        place.token = Token::Next(Next::Colon);
    }

    /// Whether a byte of such a text is replaced.
    fn is_masked(&self, text: Text) -> bool {
        let place = &self.place;
        match text {
            Text::Name => {
                self.content && place.open.last().is_some_and(|open| open.treatment == Treatment::Sealed)
            }
            Text::Kept => false,
            Text::Masked | Text::Blank => self.content || place.treatment == Treatment::Secret,
            Text::Url(kept) => {
                (kept.scheme < place.length && place.length <= kept.user) || kept.host < place.length
            }
        }
    }

    /// What of a URL is kept, of which the rest of the message is known: nothing of a user's name and password, host and
    /// port, and behind them the path where only credentials are masked.
    fn kept_of_url(&self, rest: &[u8]) -> Kept {
        let text = &rest[..rest.iter().position(|byte| *byte == b'"').unwrap_or(rest.len())];
        let scheme = text.windows(3).position(|three| three == b"://").map_or(0, |at| at + 3);
        let host = text[scheme..].iter().position(|byte| b"/?#\\".contains(byte));
        let host = host.map_or(text.len(), |length| scheme + length);
        let user = text[scheme..host].iter().rposition(|byte| *byte == b'@');
        let user = user.map_or(scheme, |length| scheme + length + 1);
        let query = || text.iter().position(|byte| *byte == b'?').unwrap_or(text.len());
        Kept { scheme, user, host: if self.content { host } else { query().max(host) } }
    }

    fn number(&mut self, number: Number, byte: u8) -> u8 {
        let next = match (number, byte) {
            (Number::Minus, b'0') => Number::Zero,
            (Number::Minus | Number::Integer, b'0'..=b'9') => Number::Integer,
            (Number::Point | Number::Fraction, b'0'..=b'9') => Number::Fraction,
            (Number::Zero | Number::Integer, b'.') => Number::Point,
            (Number::Zero | Number::Integer | Number::Fraction, b'e' | b'E') => Number::Exponent,
            // Which of them may follow which other is of no importance here.
            (Number::Exponent, b'0'..=b'9' | b'+' | b'-') => Number::Exponent,
            (Number::Minus | Number::Point, _) => return self.no_json(byte),
            _ => return self.after_value(byte),
        };
        self.place.token = Token::Number(next);
        match (number, next) {
            // It says how large the number is, and another may be too large for one.
            (_, Number::Exponent) => byte,
            (_, Number::Fraction) => self.digit(byte, Digit::Fraction),
            (Number::Integer, _) => self.digit(byte, Digit::Further),
            _ => self.digit(byte, Digit::First),
        }
    }

    fn digit(&mut self, byte: u8, place: Digit) -> u8 {
        let is_masked = match self.place.treatment {
            Treatment::Sealed => self.content,
            Treatment::Secret => true,
            Treatment::Plain | Treatment::Kept | Treatment::Url | Treatment::Output => false,
        };
        match byte {
            b'0'..=b'9' if is_masked => self.stand_in.digit(byte, place),
            _ => byte,
        }
    }

    fn after_value(&mut self, byte: u8) -> u8 {
        let next = self.place.next_after_value();
        self.place.token = Token::Next(next);
        self.next(next, byte)
    }

    fn no_json(&mut self, byte: u8) -> u8 {
        self.place.token = Token::NoJson;
        self.stand_in.begin();
        self.foreign(byte)
    }

    /// What is no JSON may be anything.
    fn foreign(&mut self, byte: u8) -> u8 {
        if !self.content {
            return byte;
        }
        match byte {
            // JSON writes these two with an escape: the text is to take as much room where it is quoted.
            b'"' | b'\\' => {
                self.stand_in.note(byte);
                byte
            }
            _ => self.stand_in.foreign(byte),
        }
    }
}

impl Masking for Mask {
    fn text(&mut self, json: &mut [u8]) {
        self.place = Place::start();
        for at in 0..json.len() {
            let begins = self.place.token == Token::Next(Next::Value) && json[at] == b'"';
            // Only what is whole shows whether a URL begins with a user's name and password.
            if begins && self.place.treatment == Treatment::Url {
                self.begin_text(Text::Url(self.kept_of_url(&json[at + 1..])));
                continue;
            }
            json[at] = self.step(json[at]);
        }
    }

    fn fragment(&mut self, payload: &mut [u8], last: bool) {
        if !self.in_message {
            self.place = Place::start();
            // Only of what is whole can be told beforehand whether it is JSON.
            if last && self.content && serde_json::from_slice::<IgnoredAny>(payload).is_err() {
                self.place.token = Token::NoJson;
                self.stand_in.begin();
            }
        }
        self.in_message = !last;
        for byte in payload {
            *byte = self.step(*byte);
        }
    }
}
