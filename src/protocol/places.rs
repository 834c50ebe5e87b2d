//! What a JSON text asks for when it is read: each member and each element takes memory of its own, however short it is
//! on the wire. Knows no message.

/// The most members and elements that a message may have: some 40 MB while it is read, in the worst case.
const MOST_PLACES: usize = 64 * 1024;

/// What one takes, in whatever it is read into, nearly, bytes: a map of a single member is the largest.
const PLACE_BYTES: usize = 256;

/// Whether the text has more members and elements than a message may have.
pub(crate) fn has_too_many_places(text: &str) -> bool {
    // Each takes a byte and a comma; most texts are far too short for so many.
    text.len() > 2 * MOST_PLACES && places(text) > MOST_PLACES
}

/// What a JSON text takes once it is read, nearly, bytes.
pub(crate) fn size_when_read(text: &str) -> usize {
    text.len() + PLACE_BYTES * places(text)
}

/// Where a member or an element may begin. What stands in strings is none.
fn places(text: &str) -> usize {
    let (mut count, mut bytes) = (0, text.bytes());
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' | b',' => count += 1,
            b'"' => skip_string(&mut bytes),
            _ => (),
        }
    }
    count
}

fn skip_string(bytes: &mut impl Iterator<Item = u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => _ = bytes.next(),
            _ => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_elements_are_counted_and_strings_are_not_looked_into() {
        for (text, count) in [
            ("", 0),
            ("1", 0),
            ("{}", 1),
            ("[1,2,3]", 3),
            (r#"{"a":1,"b":[{},{}]}"#, 6),
            (r#"{"a":"[,{,","b\"[,":"\\"}"#, 2),
            (r#"["\"#, 1),
        ] {
            assert_eq!(places(text), count, "{text}");
        }
    }

    #[test]
    fn a_text_has_so_many_and_no_more() {
        let list = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
        assert!(!has_too_many_places(&list(MOST_PLACES)));
        assert!(has_too_many_places(&list(MOST_PLACES + 1)));
        assert!(!has_too_many_places(&format!("[{:?}]", ",".repeat(3 * MOST_PLACES))));
    }
}
