//! `response.output_audio.delta`, by far the most frequent event: read from the bytes of its frame in one pass, if it
//! stands there as servers write it. Judges nothing: whatever else a frame holds is for the general decoder.

use base64_simd::STANDARD;
use bytes::Bytes;
use memchr::memchr2;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::protocol::ids::{ItemId, ResponseId};

/// `response.output_audio.delta`: audio in the session's output format. Of its `event_id` nobody makes anything.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs, reason = "the vendor's names, described in the vendor's reference")]
pub struct AudioDelta {
    pub response_id: Option<ResponseId>,
    pub item_id: Option<ItemId>,
    pub output_index: Option<u32>,
    pub content_index: Option<u32>,
    pub delta: Bytes,
}

/// The names of the event, the present one first.
const KINDS: [&[u8]; 2] = [b"response.output_audio.delta", b"response.audio.delta"];

/// The most members that are looked at. The event has seven; the general decoder says how many are too many.
const MOST_MEMBERS: usize = 32;

impl AudioDelta {
    /// The delta in a text frame, if that is a flat JSON object of the event's `type`, in which every string is
    /// ASCII without escapes and every other value a plain number up to 2³²−1. None of any other frame: not of damaged
    /// ones, nor of some that the general decoder takes. What is read here, that reads no differently.
    pub fn scan(frame: &[u8]) -> Option<Self> {
        let mut rest = Rest(frame);
        let (mut kind, mut audio) = (None, None);
        let mut delta = Self::default();
        rest.take(b'{')?;
        for _ in 0..MOST_MEMBERS {
            let name = rest.string()?;
            rest.take(b':')?;
            match name {
                // As a rule it is the first: other events are known by it without a look at the rest.
                b"type" => once(&mut kind, KINDS.contains(&rest.string()?).then_some(())?)?,
                b"response_id" => once(&mut delta.response_id, ResponseId::from_peer(rest.text()?)?)?,
                b"item_id" => once(&mut delta.item_id, ItemId::from_peer(rest.text()?)?)?,
                b"output_index" => once(&mut delta.output_index, rest.number()?)?,
                b"content_index" => once(&mut delta.content_index, rest.number()?)?,
                // It is looked at when it is decoded.
                b"delta" => once(&mut audio, rest.string()?)?,
                other => {
                    plain(other)?;
                    rest.any()?;
                }
            }
            match rest.next()? {
                b',' => (),
                b'}' => {
                    kind?;
                    rest.end()?;
                    delta.delta = STANDARD.decode_to_vec(audio?).ok()?.into();
                    return Some(delta);
                }
                _ => return None,
            }
        }
        None
    }
}

/// Puts a value in its place; none if that is taken, since a member that is there twice is damage.
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

/// The string, if it is of ASCII characters that JSON allows there (RFC 8259, 7).
fn plain(string: &[u8]) -> Option<&[u8]> {
    // Looked at to the end, so that many are looked at in one step.
    let is_plain = string.iter().fold(true, |plain, byte| plain & (0x20..0x80).contains(byte));
    is_plain.then_some(string)
}

/// What of a frame has not been read. Each step is over white space first.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn skip_space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }

    fn next(&mut self) -> Option<u8> {
        self.skip_space();
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    /// What stands between quotation marks, unless there is an escape in it. It is not looked at.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.take(b'"')?;
        let end = memchr2(b'"', b'\\', self.0)?;
        let (string, rest) = self.0.split_at(end);
        self.0 = rest.strip_prefix(b"\"")?;
        Some(string)
    }

    fn text(&mut self) -> Option<&'a str> {
        str::from_utf8(plain(self.string()?)?).ok()
    }

    /// Digits, none of them a zero too many. What may follow is for the caller to say.
    fn number(&mut self) -> Option<u32> {
        self.skip_space();
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at(digits);
        if number.len() > 1 && number.starts_with(b"0") {
            return None;
        }
        self.0 = rest;
        // No digits are no number.
        str::from_utf8(number).ok()?.parse().ok()
    }

    /// The value of a member that nobody knows.
    fn any(&mut self) -> Option<()> {
        self.skip_space();
        if self.0.starts_with(b"\"") { plain(self.string()?).map(drop) } else { self.number().map(drop) }
    }

    fn end(mut self) -> Option<()> {
        self.skip_space();
        self.0.is_empty().then_some(())
    }
}

/// [`AudioDelta`] with its audio as base64.
#[serde_with::skip_serializing_none]
#[derive(Serialize, Deserialize)]
struct DeltaBody {
    response_id: Option<ResponseId>,
    item_id: Option<ItemId>,
    output_index: Option<u32>,
    content_index: Option<u32>,
    delta: Option<String>,
}

impl<'de> Deserialize<'de> for AudioDelta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let body = DeltaBody::deserialize(deserializer)?;
        let delta = STANDARD
            .decode_to_vec(body.delta.unwrap_or_default())
            .map_err(|_| de::Error::custom("delta is not base64"))?;
        Ok(Self {
            response_id: body.response_id,
            item_id: body.item_id,
            output_index: body.output_index,
            content_index: body.content_index,
            delta: delta.into(),
        })
    }
}

impl Serialize for AudioDelta {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        DeltaBody {
            response_id: self.response_id.clone(),
            item_id: self.item_id.clone(),
            output_index: self.output_index,
            content_index: self.content_index,
            delta: Some(STANDARD.encode_to_string(&self.delta)),
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::realtime::{Decoded, ServerEvent};

    const USUAL: &str = r#"{"type":"response.output_audio.delta","event_id":"e9","response_id":"resp_1","item_id":"item_~","output_index":0,"content_index":4294967295,"delta":"AAEC/w==","obfuscation":"x","sequence":7}"#;

    /// What both decoders make of a frame, which has to be the same if the quick one makes anything of it.
    #[track_caller]
    fn scanned(frame: &[u8]) -> Option<AudioDelta> {
        let delta = AudioDelta::scan(frame)?;
        let event = ServerEvent::OutputAudioDelta(delta.clone());
        let general = ServerEvent::decode_any(frame);
        assert_eq!(general, Ok(Decoded { event, damage: None }), "{}", String::from_utf8_lossy(frame));
        Some(delta)
    }

    #[test]
    fn deltas_are_read_as_servers_write_them() {
        let usual = scanned(USUAL.as_bytes()).expect("a delta");
        assert_eq!(usual.response_id, Some("resp_1".into()));
        assert_eq!(usual.item_id, Some("item_~".into()));
        assert_eq!((usual.output_index, usual.content_index), (Some(0), Some(u32::MAX)));
        assert_eq!(usual.delta, [0, 1, 2, 255].as_slice());
        for same in [
            USUAL.replace("output_audio", "audio"),
            USUAL.replace(':', ": ").replace(',', ", "),
            format!("\r\n\t {USUAL}\n").replace(':', " \n:\t").replace(',', "\r,").replace('}', " }"),
            format!("{},{}", r#"{"sequence":7,"delta":"AAEC/w==""#, &USUAL[1..])
                .replace(r#","delta":"AAEC/w==","obfuscation":"x","sequence":7"#, ""),
        ] {
            assert_eq!(scanned(same.as_bytes()), Some(usual.clone()), "{same}");
        }
        let least = scanned(br#"{"delta":"","type":"response.audio.delta"}"#);
        assert_eq!(least, Some(AudioDelta::default()));
        let id = "i".repeat(256);
        let longest = scanned(USUAL.replace("resp_1", &id).as_bytes()).expect("a delta");
        assert_eq!(longest.response_id, Some(id.as_str().into()));
    }

    #[test]
    fn all_else_is_left_to_the_general_decoder() {
        let with = |member: &str| USUAL.replacen('{', &format!("{{{member},"), 1);
        let many = |count: usize| with(&vec![r#""x":0"#; count].join(","));
        assert!(scanned(many(MOST_MEMBERS - 9).as_bytes()).is_some());
        let mut others = vec![
            ("too many members", many(MOST_MEMBERS - 8)),
            ("another event", USUAL.replace("_audio.delta", "_text.delta")),
            ("no type", USUAL.replace("\"type\"", "\"kind\"")),
            ("no audio", USUAL.replace("\"delta\":", "\"beta\":")),
            ("an id that is too long", USUAL.replace("resp_1", &"i".repeat(257))),
            ("no object", format!("[{}]", &USUAL[1..USUAL.len() - 1])),
            ("an array for a struct", r#"["response.output_audio.delta","e","r","i",0,0,"AAAA"]"#.to_owned()),
            ("bytes behind it", format!("{USUAL}}}")),
            ("another one behind it", format!("{USUAL}{USUAL}")),
            ("a comma too many", USUAL.replace('}', ",}")),
            ("no comma", USUAL.replacen("\",\"", "\"\"", 1)),
            ("no colon", USUAL.replacen("\":\"", "\"\"", 1)),
            ("space that JSON does not know", USUAL.replace(',', ",\u{b}")),
            ("a byte order mark", format!("\u{feff}{USUAL}")),
            ("bad base64", USUAL.replace("AAEC/w==", "AAEC/w=")),
            ("audio with an escape", USUAL.replace("AAEC/w==", r"AAEC\/w==")),
            ("an id with an escape", USUAL.replace("resp_1", r"resp\u005f1")),
            ("a name with an escape", USUAL.replace("obfuscation", r"obfuscat\u0069on")),
            ("an unknown value with an escape", USUAL.replace("\"x\"", r#""\n""#)),
            ("a control character in an id", USUAL.replace("resp_1", "resp\n1")),
            ("one in an unknown name", USUAL.replace("obfuscation", "obfuscati\u{1f}n")),
            ("one in an unknown value", USUAL.replace("\"x\"", "\"\0\"")),
            ("an id beyond ASCII", USUAL.replace("resp_1", "resp_é")),
            ("an unknown name beyond ASCII", USUAL.replace("obfuscation", "é")),
            ("an unknown value beyond ASCII", USUAL.replace("\"x\"", "\"é\"")),
            ("one in the audio", USUAL.replace("AAEC", "AA\nEC")),
        ];
        for name in ["type", "response_id", "item_id", "delta"] {
            let twice =
                format!("\"{name}\":\"AAAA\"").replace("\"type\":\"AAAA", "\"type\":\"response.audio.delta");
            others.push(("a member twice", with(&twice)));
        }
        for number in
            ["-1", "-0", "00", "07", "1.0", "1e3", "4294967296", "99999999999999999999", "", "+1", "0x1"]
        {
            others.push(("no index", USUAL.replace(":0,", &format!(":{number},"))));
        }
        others.push(("an index twice", with(r#""output_index":1"#)));
        others.push(("an index twice", with(r#""content_index":1"#)));
        for value in ["null", "true", "[]", "{}", "1.5", "[\"x\"]", "x", ""] {
            others.push(("an unknown value of another kind", USUAL.replace("\"x\"", value)));
            others.push(("an id of another kind", USUAL.replace("\"resp_1\"", value)));
            others.push(("audio of another kind", USUAL.replace("\"AAEC/w==\"", value)));
            others.push(("an index of another kind", USUAL.replace(":0,", &format!(":{value},"))));
        }
        for (why, other) in &others {
            assert_eq!(AudioDelta::scan(other.as_bytes()), None, "{why}: {other}");
        }
        for cut in 0..USUAL.len() {
            assert_eq!(AudioDelta::scan(&USUAL.as_bytes()[..cut]), None, "the first {cut} bytes");
        }
    }

    #[test]
    fn what_is_no_text_is_no_delta() {
        for place in ["e9", "resp_1", "item_", "obfuscation", "\"x", "AAEC", "response.output", "{", ",\""] {
            let at = USUAL.find(place).expect("a part of it") + place.len();
            let mut frame = USUAL.as_bytes().to_vec();
            frame.insert(at, 0xff);
            assert_eq!(AudioDelta::scan(&frame), None, "behind {place}");
        }
    }

    /// A member as it could stand in a delta, or nearly.
    fn member() -> impl Strategy<Value = String> {
        let name = prop::sample::select(vec![
            "type",
            "event_id",
            "response_id",
            "item_id",
            "output_index",
            "content_index",
            "delta",
            "obfuscation",
            "",
            "Delta",
            "x\\u0041",
            "é",
            "\u{7f}",
            "a\tb",
        ]);
        let value = prop_oneof![
            4 => r#""[a-z_0-9]{0,8}""#,
            3 => r#""([A-Za-z0-9+/]{4}){0,6}([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?""#,
            2 => "[0-9]{1,11}",
            1 => r#""\PC{0,4}""#,
            1 => r#"(null|true|-0|01|1\.0|1e2|\[\]|\{\}|"\\n"|"\\""|""|)"#,
        ];
        (name, value).prop_map(|(name, value)| format!("\"{name}\":{value}"))
    }

    /// What servers write and what they could have meant, with at most one wound.
    fn frame() -> impl Strategy<Value = Vec<u8>> {
        let space = prop_oneof![8 => Just(""), 1 => Just(" "), 1 => Just("\n\t")];
        let kind = prop::sample::select(vec!["output_audio.delta", "audio.delta", "output_text.delta"]);
        let members = prop::collection::vec((member(), space), 0..6);
        let usual = prop::collection::vec(any::<bool>(), 6);
        let wound = prop::option::of((any::<prop::sample::Index>(), any::<u8>(), 0..3));
        (kind, usual, members, any::<prop::sample::Index>(), wound).prop_map(
            |(kind, usual, mut members, first, wound)| {
                let known = [
                    r#""event_id":"e1""#,
                    r#""response_id":"r1""#,
                    r#""item_id":"i1""#,
                    r#""output_index":0"#,
                    r#""content_index":1"#,
                    r#""delta":"AAEC/w==""#,
                ];
                let known = known.iter().zip(usual).filter(|(_, usual)| *usual);
                members.extend(known.map(|(member, _)| ((*member).to_owned(), "")));
                members.insert(first.index(members.len() + 1), (format!(r#""type":"response.{kind}""#), ""));
                let body: Vec<_> =
                    members.iter().map(|(member, space)| format!("{space}{member}{space}")).collect();
                let mut frame = format!("{{{}}}", body.join(",")).into_bytes();
                if let Some((at, byte, how)) = wound {
                    let at = at.index(frame.len());
                    match how {
                        0 => frame[at] = byte,
                        1 => frame.insert(at, byte),
                        _ => _ = frame.remove(at),
                    }
                }
                frame
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn both_decoders_agree(frame in frame()) {
            scanned(&frame);
        }

        #[test]
        fn both_decoders_agree_on_a_delta_with_a_wound(at in 0..USUAL.len(), byte in any::<u8>(), insert in any::<bool>()) {
            let mut frame = USUAL.as_bytes().to_vec();
            if insert { frame.insert(at, byte) } else { frame[at] = byte }
            scanned(&frame);
        }
    }
}
