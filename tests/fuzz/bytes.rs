//! Damage to bytes and to text of which nothing is known. Knows no format.

use crate::random::Random;

/// The longest input, bytes; what peers may send is 1 MiB, and says no more.
pub(crate) const LONGEST: usize = 64 * 1024;

/// Characters that readers stumble over: of control, without width, beyond 16 bits, from right to left.
const ODD: [&str; 12] = [
    "\0",
    "\n",
    "\r\n",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{202e}",
    "\u{feff}",
    "\u{fffd}",
    "\u{10ffff}",
    "e\u{301}",
    "\u{1f469}\u{200d}\u{1f467}",
];

/// The bytes with one to four things done to them; `others` are what parts are taken from.
pub(crate) fn damaged(random: &mut Random, bytes: &[u8], others: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        damage(random, &mut bytes, others);
        bytes.truncate(LONGEST);
    }
    bytes
}

/// The same of a text.
pub(crate) fn damaged_text(random: &mut Random, text: &str, others: &[impl AsRef<[u8]>]) -> String {
    String::from_utf8_lossy(&damaged(random, text.as_bytes(), others)).into_owned()
}

/// One of the texts, damaged by the others.
pub(crate) fn damaged_one<T: AsRef<str> + AsRef<[u8]>>(random: &mut Random, texts: &[T]) -> String {
    let text = random.pick(texts);
    damaged_text(random, text.as_ref(), texts)
}

fn damage(random: &mut Random, bytes: &mut Vec<u8>, others: &[impl AsRef<[u8]>]) {
    let at = random.below(bytes.len() + 1);
    let end = at + random.length(bytes.len() - at + 1).min(bytes.len() - at);
    match random.below(9) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        1 if at < bytes.len() => bytes[at] = random.next() as u8,
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let part = bytes[at..end].to_vec();
            let times = if random.one_in(10) { 1 + random.below(200) } else { 1 };
            bytes.splice(at..at, part.repeat(times).into_iter().take(LONGEST));
        }
        5 if !others.is_empty() => {
            let other = random.pick(others).as_ref();
            let from = random.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        6 if !others.is_empty() => {
            let other = random.pick(others).as_ref();
            let from = random.below(other.len() + 1);
            let part = &other[from..from + random.length(other.len() - from + 1).min(other.len() - from)];
            bytes.splice(at..end, part.iter().copied());
        }
        7 => drop(bytes.splice(at..at, random.pick(&ODD).bytes())),
        _ => {
            let length = random.length(64);
            let new = random.bytes(length);
            bytes.splice(at..end, new);
        }
    }
}

/// A text of any kind, mostly a short one.
pub(crate) fn text(random: &mut Random) -> String {
    match random.below(6) {
        0 => String::new(),
        1 => (*random.pick(&ODD)).to_owned(),
        2 => {
            let length = random.length(8_000);
            "long ".repeat(length / 5)
        }
        3 => (0..random.below(8)).map(|_| *random.pick(&ODD)).collect(),
        _ => {
            let length = random.below(24);
            random.bytes(length).iter().map(|byte| char::from(b' ' + byte % 95)).collect()
        }
    }
}
