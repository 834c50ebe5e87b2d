//! A record as one line of the log, as text or as JSON, with the same fields under the same names. Knows no clock, no
//! logger, and nothing of what is logged.

use std::fmt::{Display, Write};

use env_logger::fmt::style::Style;
use log::{
    Record,
    kv::{Error, Key, Source, Value, VisitSource, VisitValue},
};
use serde_json::{Map, Value as Json};

use super::fields::ELEMENT;
use crate::config::LogFormat;

/// The first field of every line about a connection, and the last of those that stand before its message.
const OF_CONNECTION: [&str; 2] = ["conn", "backend"];

/// How a terminal shows the level and what is around it; nothing elsewhere.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Styles {
    pub(super) level: Style,
    pub(super) bracket: Style,
}

/// The line of a record, with its end. `time` is RFC 3339.
pub(super) fn line(format: LogFormat, time: &impl Display, styles: Styles, record: &Record<'_>) -> String {
    let mut line = match format {
        LogFormat::Text => text(time, styles, record),
        LogFormat::Json => json(time, record),
    };
    line.push('\n');
    line
}

fn text(time: &impl Display, Styles { level, bracket }: Styles, record: &Record<'_>) -> String {
    let mut line = format!(
        "{bracket}[{bracket:#}{time} {level}{:<5}{level:#} {}{bracket}]{bracket:#}",
        record.level(),
        record.target()
    );
    let fields = collected(record.key_values());
    let [first, last] = OF_CONNECTION;
    let is_of_connection = fields.keys().next().is_some_and(|key| key == first);
    let last = fields.keys().position(|key| is_of_connection && key == last);
    let before = last.map_or(0, |last| last + 1);
    fields.iter().take(before).for_each(|field| push(field, &mut line));
    let message = message_of(record);
    if !message.is_empty() {
        line.push(' ');
        line.push_str(&message);
    }
    fields.iter().skip(before).for_each(|field| push(field, &mut line));
    line
}

/// Fields as a line of text has them, each behind a blank.
pub(super) fn text_of(fields: &dyn Source) -> String {
    let mut text = String::new();
    collected(fields).iter().for_each(|field| push(field, &mut text));
    text
}

fn push((key, value): (&String, &Json), line: &mut String) {
    let written = match value {
        Json::String(text) => write!(line, " {key}={}", Word(text)),
        Json::Array(elements) => {
            write!(line, " {key}=[").expect("writing to a string does not fail");
            for (index, element) in elements.iter().enumerate() {
                let gap = if index == 0 { "" } else { " " };
                let element = element.as_str().unwrap_or_default();
                write!(line, "{gap}{}", Element(element)).expect("writing to a string does not fail");
            }
            line.push(']');
            Ok(())
        }
        Json::Number(number) if number.is_f64() => {
            write!(line, " {key}={:.3}", number.as_f64().unwrap_or_default())
        }
        Json::Number(_) | Json::Bool(_) | Json::Null | Json::Object(_) => write!(line, " {key}={value}"),
    };
    written.expect("writing to a string does not fail");
}

/// A value in quotes, unless it is one word that looks like nothing else.
struct Word<'t>(&'t str);

/// The same of an element of a list.
struct Element<'t>(&'t str);

impl Display for Word<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(text) = self;
        let is_plain =
            !text.is_empty() && !text.starts_with('[') && !text.contains(|c| breaks(c) || c == '=');
        if is_plain { f.write_str(text) } else { write!(f, "{text:?}") }
    }
}

impl Display for Element<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(text) = self;
        let is_plain = !text.is_empty() && !text.contains(|c| breaks(c) || matches!(c, '[' | ']'));
        if is_plain { f.write_str(text) } else { write!(f, "{text:?}") }
    }
}

fn breaks(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '\\')
}

fn json(time: &impl Display, record: &Record<'_>) -> String {
    let mut object = Map::new();
    object.insert("time".to_owned(), time.to_string().into());
    object.insert("level".to_owned(), record.level().as_str().to_lowercase().into());
    object.insert("target".to_owned(), record.target().into());
    let message = message_of(record);
    if !message.is_empty() {
        object.insert("message".to_owned(), message.into());
    }
    for (key, value) in collected(record.key_values()) {
        object.entry(key).or_insert(value);
    }
    Json::Object(object).to_string()
}

/// Other crates write what they like into a message.
fn message_of(record: &Record<'_>) -> String {
    one_line(match record.args().as_str() {
        Some(text) => text.to_owned(),
        None => record.args().to_string(),
    })
}

fn one_line(text: String) -> String {
    crate::protocol::one_line(if text.contains('\n') { text.replace('\n', " ") } else { text })
}

fn collected(source: &dyn Source) -> Map<String, Json> {
    let mut fields = Collected::default();
    // To collect does not fail.
    let _ = source.visit(&mut fields);
    fields.0
}

/// Fields by name; one without a value is left out.
#[derive(Default)]
struct Collected(Map<String, Json>);

impl<'kvs> VisitSource<'kvs> for Collected {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let mut read = Read(Json::Null);
        value.visit(&mut read)?;
        let Read(value) = read;
        match key.as_str().strip_suffix(ELEMENT) {
            _ if value.is_null() => (),
            None => {
                self.0.insert(key.as_str().to_owned(), value);
            }
            Some(list) => {
                let list = self.0.entry(list).or_insert_with(|| Json::Array(Vec::new()));
                if let Json::Array(elements) = list {
                    elements.push(value);
                }
            }
        }
        Ok(())
    }
}

/// One value. Of a number that is not whole three decimals are kept: that is microseconds where it is milliseconds.
struct Read(Json);

impl<'v> VisitValue<'v> for &mut Read {
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), Error> {
        self.visit_str(&value.to_string())
    }

    fn visit_null(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), Error> {
        self.0 = value.into();
        Ok(())
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), Error> {
        self.0 = value.into();
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), Error> {
        self.0 = ((value * 1000.0).round() / 1000.0).into();
        Ok(())
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), Error> {
        self.0 = value.into();
        Ok(())
    }

    fn visit_str(&mut self, value: &str) -> Result<(), Error> {
        self.0 = one_line(value.to_owned()).into();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use env_logger::fmt::style::AnsiColor;
    use log::Level;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::logging::{Fields, capture::read};

    const TIME: &str = "2026-11-21T05:37:15.123456Z";

    fn with_record<T>(fields: &dyn Source, message: &str, read: impl FnOnce(&Record<'_>) -> T) -> T {
        let mut record = Record::builder();
        record.level(Level::Warn).target("voxbridge::there").key_values(fields);
        read(&record.args(format_args!("{message}")).build())
    }

    fn lines(fields: &Fields, message: &str) -> (String, Json) {
        with_record(fields, message, |record| {
            let of = |format| line(format, &TIME, Styles::default(), record);
            let (text, json) = (of(LogFormat::Text), of(LogFormat::Json));
            for line in [&text, &json] {
                assert!(line.ends_with('\n') && !line.trim_end().contains(char::is_control), "{line:?}");
            }
            let json = serde_json::from_str(&json).expect("a line is JSON");
            (text.trim_end().to_owned(), json)
        })
    }

    fn of_connection() -> Fields {
        Fields::default().with("conn", "c-1").with("trace", "-").with("backend", "openai")
    }

    #[test]
    fn a_line_of_a_connection_says_first_which() {
        let fields = of_connection()
            .with("step", 7_u64)
            .with("t_ms", 12.5)
            .with("more", true)
            .with("reason", "so long".to_owned())
            .with("effects[]", vec!["held=R2".to_owned(), "audio=in a -> b".to_owned()]);
        let (text, json) = lines(&fields, "session ended");
        assert_eq!(
            text,
            format!(
                "[{TIME} WARN  voxbridge::there] conn=c-1 trace=- backend=openai session ended step=7 t_ms=12.500 \
                 more=true reason=\"so long\" effects=[held=R2 \"audio=in a -> b\"]"
            )
        );
        assert_eq!(
            json,
            json!({"time": TIME, "level": "warn", "target": "voxbridge::there", "message": "session ended",
                "conn": "c-1", "trace": "-", "backend": "openai", "step": 7, "t_ms": 12.5, "more": true,
                "reason": "so long", "effects": ["held=R2", "audio=in a -> b"]})
        );
    }

    #[test]
    fn what_there_is_not_is_left_out() {
        let (text, json) = lines(&of_connection().with("effects[]", Vec::new()), "");
        assert!(text.ends_with("] conn=c-1 trace=- backend=openai"), "{text}");
        assert_eq!(json.as_object().map(Map::len), Some(6), "{json}");
        let none = [("left_out", None::<u64>)];
        let none: Vec<_> =
            none.iter().map(|(name, value)| (*name, log::kv::ToValue::to_value(value))).collect();
        with_record(&none, "refused", |record| {
            let text = line(LogFormat::Text, &TIME, Styles::default(), record);
            assert!(text.ends_with("] refused\n"), "{text}");
        });
    }

    #[test]
    fn a_value_looks_like_nothing_but_a_value() {
        for (value, expected) in [
            ("plain", "plain"),
            ("/openai", "/openai"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("(audio)", "(audio)"),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("x held=R1", "\"x held=R1\""),
            ("held=R1", "\"held=R1\""),
            ("[a b]", "\"[a b]\""),
            ("say \"a\"", r#""say \"a\"""#),
            ("a\\b", r#""a\\b""#),
            ("a\nb", "\"a b\""),
            ("a\u{1b}[31mb", "a\u{fffd}[31mb"),
            ("a\u{9b}b", "a\u{fffd}b"),
            ("a\u{2028}b", "\"a\\u{2028}b\""),
        ] {
            let (text, json) = lines(&Fields::default().with("value", value.to_owned()), "said");
            assert_eq!(text.split_once("] ").expect("a head").1, format!("said value={expected}"));
            assert!(!json["value"].as_str().expect("text").contains(char::is_control));
        }
        let (text, _) = lines(&Fields::default().with("effects[]", vec!["a] held=R1".to_owned()]), "");
        assert!(text.ends_with("] effects=[\"a] held=R1\"]"), "{text}");
    }

    #[test]
    fn a_message_of_another_crate_is_one_line() {
        let (text, json) = lines(&Fields::default(), "panicked:\nat once\u{7}");
        assert!(text.ends_with("] panicked: at once\u{fffd}"), "{text}");
        assert_eq!(json["message"], "panicked: at once\u{fffd}");
    }

    #[test]
    fn a_terminal_is_shown_the_level_in_its_colour() {
        let styles =
            Styles { level: AnsiColor::Yellow.on_default(), bracket: AnsiColor::BrightBlack.on_default() };
        let text =
            with_record(&Fields::default(), "x", |record| line(LogFormat::Text, &TIME, styles, record));
        assert_eq!(
            text,
            format!(
                "\u{1b}[90m[\u{1b}[0m{TIME} \u{1b}[33mWARN \u{1b}[0m voxbridge::there\u{1b}[90m]\u{1b}[0m x\n"
            )
        );
    }

    proptest! {
        #[test]
        fn whatever_a_peer_says_the_fields_stay_what_they_are(
            value in any::<String>(),
            elements in prop::collection::vec(any::<String>(), 0..4),
        ) {
            let fields = of_connection()
                .with("value", value)
                .with("number", 1_u64)
                .with("list[]", elements)
                .with("last", "word");
            let (text, json) = lines(&fields, "");
            let (_, fields) = text.split_once("] ").expect("a head");
            let fields = read(fields);
            let json = json.as_object().expect("an object");
            let names: Vec<_> = json.keys().filter(|key| !["time", "level", "target"].contains(&key.as_str())).collect();
            prop_assert_eq!(fields.len(), names.len(), "{}", text);
            prop_assert!(names.iter().all(|name| fields.contains_key(*name)), "{}", text);
            prop_assert_eq!(&fields["last"], "word");
            prop_assert_eq!(&fields["number"], "1");
        }
    }
}
