//! The one function that `talk` offers the agent: `get_current_time`. Knows the calendar, and nothing of
//! when or why it is asked.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use crate::protocol::agent::{Function, FunctionCall};

const NAME: &str = "get_current_time";

/// The function as `Settings` declares it. Without an endpoint it is the client's to run.
pub(super) fn declaration() -> Function {
    Function {
        name: Some(NAME.to_owned()),
        description: Some("The current date and time in UTC, as RFC 3339".to_owned()),
        parameters: Some(json!({
            "type": "object",
            "properties": {"timezone": {"type": "string", "description": "UTC, the only zone known here"}},
        })),
        ..Function::default()
    }
}

/// What the agent is told when it makes `call` at the time `utc`: JSON text.
pub(super) fn answer(call: &FunctionCall, utc: SystemTime) -> String {
    if call.name != NAME {
        return json!({"error": format!("there is no function {}", call.name)}).to_string();
    }
    // A model that has nothing to say may write no arguments at all.
    let arguments = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
    let Ok(arguments) = serde_json::from_str::<Map<String, Value>>(arguments) else {
        return json!({"error": "the arguments are not a json object"}).to_string();
    };
    let time = rfc3339(utc);
    match arguments.get("timezone") {
        None | Some(Value::Null) => json!({"time": time}),
        Some(Value::String(zone)) if is_utc(zone) => json!({"time": time}),
        Some(zone) => json!({"time": time, "note": format!("{zone} is not known here, the time is in UTC")}),
    }
    .to_string()
}

fn is_utc(zone: &str) -> bool {
    ["", "utc", "etc/utc", "z", "gmt"].contains(&zone.trim().to_ascii_lowercase().as_str())
}

/// `time` as RFC 3339 in UTC, in whole seconds, rounded down.
fn rfc3339(time: SystemTime) -> String {
    let seconds = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => signed_seconds(after),
        Err(before) => {
            let before = before.duration();
            -signed_seconds(before) - i64::from(before.subsec_nanos() > 0)
        }
    };
    let (days, second) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

fn signed_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// Year, month and day of the proleptic Gregorian calendar, `days` after 1970-01-01.
///
/// Years are counted from March, so that a leap day is the last of its year; then the months have
/// 31, 30, 31, 30, 31 days over and over, 153 in five of them.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_FROM_YEAR_0_TO_1970;
    let (cycle, day_of_cycle) = (days.div_euclid(DAYS_PER_400_YEARS), days.rem_euclid(DAYS_PER_400_YEARS));
    // The last century of a cycle and the last year of four are a day longer than the others.
    let century = (day_of_cycle / DAYS_PER_CENTURY).min(3);
    let day_of_century = day_of_cycle - century * DAYS_PER_CENTURY;
    let (four_years, day_of_four) = (day_of_century / DAYS_PER_4_YEARS, day_of_century % DAYS_PER_4_YEARS);
    let year_of_four = (day_of_four / 365).min(3);
    let day_of_year = day_of_four - year_of_four * 365;
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let year_from_march = 400 * cycle + 100 * century + 4 * four_years + year_of_four;
    match month_from_march {
        0..=9 => (year_from_march, month_from_march + 3, day),
        _ => (year_from_march + 1, month_from_march - 9, day),
    }
}

const SECONDS_PER_DAY: i64 = 86_400;
const DAYS_PER_4_YEARS: i64 = 1_461;
const DAYS_PER_CENTURY: i64 = 36_524;
const DAYS_PER_400_YEARS: i64 = 146_097;
/// From 0000-03-01 to 1970-01-01.
const DAYS_FROM_YEAR_0_TO_1970: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn call(name: &str, arguments: &str) -> FunctionCall {
        FunctionCall {
            id: "c1".into(),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
            client_side: true,
            thought_signature: None,
        }
    }

    #[test]
    fn known_moments() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_210_096, "2024-02-29T12:34:56Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (1_767_225_600, "2026-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(at(seconds)), text);
        }
    }

    #[test]
    fn before_the_epoch_rounds_down() {
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH - Duration::from_millis(1)), "1969-12-31T23:59:59Z");
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH - Duration::from_secs(86_400)), "1969-12-31T00:00:00Z");
    }

    #[test]
    fn every_day_of_eight_centuries_follows_the_one_before() {
        let mut date = civil_from_days(-146_097);
        assert_eq!(date, (1570, 1, 1));
        for days in -146_096..=146_097 {
            let (year, month, day) = date;
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            date = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (_, day) if day == last => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
            assert_eq!(civil_from_days(days), date);
        }
    }

    #[test]
    fn the_time_is_answered_in_utc() {
        let time = at(1_709_210_096);
        for arguments in ["", "{}", r#"{"timezone":"UTC"}"#, r#"{"timezone":null}"#] {
            assert_eq!(answer(&call(NAME, arguments), time), r#"{"time":"2024-02-29T12:34:56Z"}"#);
        }
        assert_eq!(
            answer(&call(NAME, r#"{"timezone":"Europe/Paris"}"#), time),
            r#"{"time":"2024-02-29T12:34:56Z","note":"\"Europe/Paris\" is not known here, the time is in UTC"}"#
        );
    }

    #[test]
    fn what_cannot_be_answered_is_still_answered_as_json() {
        let time = at(0);
        assert_eq!(answer(&call("sing", "{}"), time), r#"{"error":"there is no function sing"}"#);
        for arguments in ["[]", "{", "7"] {
            let error = r#"{"error":"the arguments are not a json object"}"#;
            assert_eq!(answer(&call(NAME, arguments), time), error);
        }
    }
}
