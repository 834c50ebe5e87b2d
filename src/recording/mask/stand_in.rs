//! A stand-in for each byte of a text: the same number of bytes, and of characters of the same size in UTF-8. Knows
//! nothing of JSON but what an escape looks like.

use std::hash::{DefaultHasher, Hasher};

/// What a text is replaced by. It is shown the text's bytes one by one.
#[derive(Clone)]
pub(super) struct StandIn {
    /// Where every text begins; none: what stands for a byte depends on its kind alone.
    key: Option<DefaultHasher>,
    /// The text so far. What stands for a byte depends on all that are before it, so that equal texts are equal and
    /// nothing else can be told from them.
    text: DefaultHasher,
    /// The byte is the second of a character of four.
    after_four: bool,
    hex: Hex,
}

/// Which digit of a number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Digit {
    First,
    Further,
    Fraction,
}

/// What the digits of a `\u` escape so far leave open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hex {
    First,
    /// After `0`.
    Zero,
    /// After `00`.
    Latin,
    /// After `00` and a digit that makes it a control character, which is kept.
    Control,
    /// After `00` and one that makes it ASCII.
    Ascii,
    /// After `d`: a surrogate, or a syllable of Hangul.
    Surrogate,
    /// Whatever the rest is, it is a character of the same size.
    Free,
}

impl StandIn {
    /// Equal texts get equal stand-ins; who does not know the key learns nothing else.
    pub(super) fn keyed(key: u128) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write_u128(key);
        Self::new(Some(hasher))
    }

    /// Every text of one length gets the same one.
    pub(super) fn filler() -> Self {
        Self::new(None)
    }

    fn new(key: Option<DefaultHasher>) -> Self {
        Self { key, text: DefaultHasher::new(), after_four: false, hex: Hex::First }
    }

    /// A text begins.
    pub(super) fn begin(&mut self) {
        if let Some(key) = &self.key {
            self.text = key.clone();
        }
        self.after_four = false;
    }

    /// A `\u` escape begins.
    pub(super) fn begin_hex(&mut self) {
        self.hex = Hex::First;
    }

    /// What comes next in the text is known to be this and is kept.
    pub(super) fn note(&mut self, byte: u8) {
        if self.key.is_some() {
            self.text.write_u8(byte);
        }
    }

    /// What stands for a byte of a text.
    pub(super) fn byte(&mut self, byte: u8) -> u8 {
        let after_four = std::mem::take(&mut self.after_four);
        if self.key.is_none() {
            // Also for each byte of a character of several: the length is the same.
            return if byte < 0x20 { byte } else { b'x' };
        }
        match byte {
            0x20 => PRINTABLE[self.pick(byte, 0, PRINTABLE.len())],
            0x21..0x7f => {
                let place = usize::from(byte - 0x21);
                PRINTABLE[self.pick(
                    byte,
                    place - usize::from(byte > b'"') - usize::from(byte > b'\\'),
                    PRINTABLE.len(),
                )]
            }
            0x80..0xc0 if after_four => 0xa0 + self.pick(byte, usize::from(byte - 0x80), 10) as u8,
            0x80..0xc0 => 0x80 + self.pick(byte, usize::from(byte - 0x80), 64) as u8,
            // Letters all of them, whatever follows: Cyrillic, and Chinese twice.
            0xc0..0xe0 => 0xd0 + self.pick(byte, 0, 2) as u8,
            0xe0..0xf0 => 0xe5 + self.pick(byte, 0, 4) as u8,
            0xf0..0xf8 => {
                self.after_four = true;
                self.note(byte);
                0xf0
            }
            0..0x20 | 0x7f | 0xf8..=0xff => {
                self.note(byte);
                byte
            }
        }
    }

    /// What stands for a byte of a text that is no JSON: nothing with which a JSON text could begin or go on, so that
    /// whoever masks the stand-in finds that it is none in the same place.
    pub(super) fn foreign(&mut self, byte: u8) -> u8 {
        match byte {
            0x20..0x7f if self.key.is_some() => {
                let place = usize::from(byte - 0x20) % FOREIGN.len();
                FOREIGN[self.pick(byte, place, FOREIGN.len())]
            }
            _ => self.byte(byte),
        }
    }

    /// What stands for a hexadecimal digit of an escape: a character of the same size, and half a pair of surrogates for
    /// half a pair.
    pub(super) fn hex_digit(&mut self, digit: u8) -> u8 {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            _ => (digit | 0x20) - b'a' + 10,
        };
        let (low, count, next) = match (self.hex, value) {
            (Hex::First, 0) => (0, 1, Hex::Zero),
            (Hex::First, 0xd) => (0xd, 1, Hex::Surrogate),
            (Hex::First, _) => (5, 4, Hex::Free),
            (Hex::Zero, 0) => (0, 1, Hex::Latin),
            (Hex::Zero, 1..8) => (4, 1, Hex::Free),
            (Hex::Zero, _) => (9, 1, Hex::Free),
            (Hex::Latin, 0 | 1) => (value, 1, Hex::Control),
            (Hex::Latin, 2..8) => (6, 1, Hex::Ascii),
            (Hex::Latin, _) => (0xe, 2, Hex::Free),
            (Hex::Control, _) => (value, 1, Hex::Control),
            (Hex::Ascii, _) => (1, 15, Hex::Free),
            (Hex::Surrogate, 0..8) => (0, 7, Hex::Free),
            (Hex::Surrogate, 8..12) => (8, 4, Hex::Free),
            (Hex::Surrogate, _) => (12, 4, Hex::Free),
            (Hex::Free, _) => (0, 16, Hex::Free),
        };
        self.hex = next;
        b"0123456789abcdef"[usize::from(low) + self.pick(digit, usize::from(value), count)]
    }

    /// What stands for a digit of a number, which is written with as many digits after it was read: a first one is 1, so
    /// that none becomes too large for an integer, and in a fraction a zero stays one.
    pub(super) fn digit(&mut self, digit: u8, place: Digit) -> u8 {
        let (low, count) = match (place, digit) {
            (Digit::Further, _) => (b'0', 10),
            (_, b'0') => (b'0', 1),
            (Digit::First, _) => (b'1', 1),
            (Digit::Fraction, _) => (b'1', 9),
        };
        low + self.pick(digit, usize::from(digit), count) as u8
    }

    /// What stands for a letter or digit of a URL: one that may also stand behind a `%`.
    pub(super) fn in_url(&mut self, byte: u8) -> u8 {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => b'a' + self.pick(byte, usize::from(byte), 6) as u8,
            0x80.. => self.byte(byte),
            _ => {
                self.note(byte);
                byte
            }
        }
    }

    /// One of `count`, another for each `place` below that. The text goes on with `byte`.
    fn pick(&mut self, byte: u8, place: usize, count: usize) -> usize {
        if self.key.is_none() || count == 1 {
            self.note(byte);
            return 0;
        }
        let before = self.text.finish();
        self.text.write_u8(byte);
        exchanged(place % count, count, before)
    }
}

/// Another one of `count` for each `place` among them, by the key: what one place becomes tells nothing of the others.
fn exchanged(place: usize, count: usize, key: u64) -> usize {
    let mask = count.next_power_of_two() - 1;
    let half = (mask.count_ones() / 2).max(1);
    let mut at = place;
    loop {
        for round in 0..3 {
            let key = (key >> (round * 16)) as usize;
            // Each of these steps can be undone, so that no two places meet.
            at = at.wrapping_mul(key & 0xff | 1).wrapping_add(key >> 8) & mask;
            at ^= at >> half;
        }
        // What has left the places comes back in time, as it is exchanged among all there are.
        if at < count {
            return at;
        }
    }
}

/// What a printable character becomes: one that is written in JSON as it is, and no space.
const PRINTABLE: [u8; 92] = {
    let mut all = [0; 92];
    let (mut at, mut byte) = (0, 0x21);
    while byte < 0x7f {
        if byte != b'"' && byte != b'\\' {
            all[at] = byte;
            at += 1;
        }
        byte += 1;
    }
    all
};

/// Letters that are no digits and no beginning of a word of JSON's.
const FOREIGN: &[u8] = b"GHIJKLMNOPQRSTUVWXYZ";

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn masked(text: &[u8], key: u128) -> Vec<u8> {
        let mut stand_in = StandIn::keyed(key);
        stand_in.begin();
        text.iter().map(|&byte| stand_in.byte(byte)).collect()
    }

    #[test]
    fn every_character_becomes_one_of_its_size_that_is_neither_space_nor_control() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32).filter(|c| !c.is_ascii_control()) {
            if c == '"' || c == '\\' {
                continue;
            }
            let stand_in = masked(c.to_string().as_bytes(), 7);
            let stand_in = str::from_utf8(&stand_in).unwrap_or_else(|_| panic!("{c:?} became {stand_in:x?}"));
            let mut chars = stand_in.chars();
            let other = chars.next().expect("one character");
            assert_eq!((chars.next(), other.len_utf8()), (None, c.len_utf8()), "{c:?}");
            assert!(!other.is_whitespace() && !other.is_control() && !"\"\\".contains(other), "{c:?}");
        }
    }

    #[test]
    fn texts_that_differ_stay_different_where_they_first_do() {
        let texts: HashSet<_> = (0x21..0x7f_u8)
            .filter(|byte| !b"\"\\".contains(byte))
            .map(|byte| masked(&[b'a', byte], 1))
            .collect();
        assert_eq!(texts.len(), 92);
    }

    #[test]
    fn what_one_character_becomes_tells_nothing_of_the_next() {
        for count in [4, 9, 10, 64, 92] {
            let mut distances = HashSet::new();
            for key in (1..200_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) {
                let all: Vec<_> = (0..count).map(|place| exchanged(place, count, key)).collect();
                assert_eq!(all.iter().collect::<HashSet<_>>().len(), count, "each is there once");
                distances.insert((all[1] + count - all[0]) % count);
            }
            assert!(distances.len() >= count / 2, "{count}: {distances:?}");
        }
    }

    #[test]
    fn another_key_gives_another_stand_in_and_the_same_the_same() {
        let text = b"what was said";
        assert_eq!(masked(text, 1), masked(text, 1));
        assert_ne!(masked(text, 1), masked(text, 2));
        // The same letter becomes another one each time, so that none can be counted.
        let same = masked(&[b'e'; 200], 1);
        assert!(same.iter().collect::<HashSet<_>>().len() > 50);
    }
}
