//! The functions that the gateway brings along. Knows the calendar and the time zones, and nothing of when
//! or for whom it is asked; the time is an argument.

use std::time::SystemTime;

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};

use super::{Failure, Outcome};
use crate::config::BuiltIn;

/// The longest name of a time zone that is repeated, characters; real ones have some 30.
const LONGEST_ZONE: usize = 64;

/// Runs `function` with `arguments`, JSON text, at the time `now`.
pub(super) fn run(function: BuiltIn, arguments: &str, now: SystemTime) -> Outcome {
    match function {
        BuiltIn::GetCurrentTime => current_time(arguments, now),
    }
}

/// `get_current_time {timezone?}`: `now` as RFC 3339 text in whole seconds in an IANA time zone, UTC where none
/// is named, together with the zone: `{"time":…,"timezone":…}`.
///
/// # Errors
///
/// [`Failure::Refused`] with a text for the model, if the arguments are no JSON object or name no time zone.
pub fn current_time(arguments: &str, now: SystemTime) -> Outcome {
    // A model that has nothing to say may write no arguments at all.
    let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
    let Ok(arguments) = serde_json::from_str::<Map<String, Value>>(arguments) else {
        return refused("the arguments are not a json object");
    };
    let zone = match arguments.get("timezone") {
        None | Some(Value::Null) => TimeZone::UTC,
        Some(Value::String(name)) => match name.trim() {
            "" => TimeZone::UTC,
            name => match TimeZone::get(name) {
                Ok(zone) => zone,
                Err(_) => {
                    let name: String = name.chars().take(LONGEST_ZONE).collect();
                    return refused(format!("there is no time zone {name}"));
                }
            },
        },
        Some(_) => return refused("the timezone is not a string"),
    };
    let Some(now) = whole_second(now) else { return refused("the clock is out of range") };
    let name = zone.iana_name().unwrap_or("UTC");
    let time = if name == "UTC" {
        now.to_string()
    } else {
        now.display_with_offset(zone.to_offset(now)).to_string()
    };
    Ok(json!({"time": time, "timezone": name}).to_string())
}

/// `time` in whole seconds, rounded down, if it is within the years 0 to 9999, which RFC 3339 can write.
fn whole_second(time: SystemTime) -> Option<Timestamp> {
    let time = Timestamp::try_from(time).ok()?;
    let rounded_down = time.as_second() - i64::from(time.subsec_nanosecond() < 0);
    (rounded_down >= FIRST_SECOND).then(|| Timestamp::from_second(rounded_down).ok()).flatten()
}

fn refused(text: impl Into<String>) -> Outcome {
    Err(Failure::Refused(text.into()))
}

/// 0000-01-02T00:00:00Z: the year is 0 in every time zone.
const FIRST_SECOND: i64 = -62_167_132_800;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn utc(time: SystemTime) -> String {
        let answer = current_time("{}", time).expect("a time");
        let answer: Value = serde_json::from_str(&answer).expect("json");
        assert_eq!(answer["timezone"], "UTC");
        answer["time"].as_str().expect("text").to_owned()
    }

    fn refusal(text: &str) -> Outcome {
        Err(Failure::Refused(text.to_owned()))
    }

    #[test]
    fn known_moments() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_210_096, "2024-02-29T12:34:56Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(at(seconds)), text);
            assert_eq!(utc(at(seconds) + Duration::from_millis(999)), text);
        }
    }

    #[test]
    fn before_the_epoch_rounds_down_and_beyond_four_digits_is_refused() {
        assert_eq!(utc(SystemTime::UNIX_EPOCH - Duration::from_millis(1)), "1969-12-31T23:59:59Z");
        assert_eq!(utc(SystemTime::UNIX_EPOCH - Duration::from_secs(86_400)), "1969-12-31T00:00:00Z");
        let beyond = refusal("the clock is out of range");
        assert_eq!(current_time("{}", at(253_402_300_800)), beyond);
        assert_eq!(current_time("{}", SystemTime::UNIX_EPOCH - Duration::from_secs(62_167_219_201)), beyond);
    }

    #[test]
    fn a_time_zone_has_its_offset_of_that_day() {
        for (zone, seconds, expected) in [
            (
                "Europe/Paris",
                1_709_210_096,
                r#"{"time":"2024-02-29T13:34:56+01:00","timezone":"Europe/Paris"}"#,
            ),
            (
                "europe/paris",
                1_719_662_096,
                r#"{"time":"2024-06-29T13:54:56+02:00","timezone":"Europe/Paris"}"#,
            ),
            (" Asia/Kolkata ", 0, r#"{"time":"1970-01-01T05:30:00+05:30","timezone":"Asia/Kolkata"}"#),
            (
                "America/New_York",
                4_107_542_400,
                r#"{"time":"2100-02-28T19:00:00-05:00","timezone":"America/New_York"}"#,
            ),
            ("utc", 0, r#"{"time":"1970-01-01T00:00:00Z","timezone":"UTC"}"#),
            ("", 0, r#"{"time":"1970-01-01T00:00:00Z","timezone":"UTC"}"#),
        ] {
            let arguments = json!({"timezone": zone, "unknown": 1}).to_string();
            assert_eq!(current_time(&arguments, at(seconds)).as_deref(), Ok(expected), "{zone}");
        }
        for arguments in ["", " ", "{}", r#"{"timezone":null}"#] {
            assert_eq!(
                run(BuiltIn::GetCurrentTime, arguments, at(0)).as_deref(),
                Ok(r#"{"time":"1970-01-01T00:00:00Z","timezone":"UTC"}"#)
            );
        }
    }

    #[test]
    fn what_cannot_be_answered_says_why() {
        for (arguments, text) in [
            (r#"{"timezone":"Mars/Olympus"}"#, "there is no time zone Mars/Olympus"),
            (r#"{"timezone":"../../etc/passwd"}"#, "there is no time zone ../../etc/passwd"),
            (r#"{"timezone":7}"#, "the timezone is not a string"),
            ("[]", "the arguments are not a json object"),
            ("{", "the arguments are not a json object"),
            ("7", "the arguments are not a json object"),
        ] {
            assert_eq!(current_time(arguments, at(0)), refusal(text));
        }
        let long = json!({"timezone": "é".repeat(1000)}).to_string();
        assert_eq!(current_time(&long, at(0)), refusal(&format!("there is no time zone {}", "é".repeat(64))));
    }
}
