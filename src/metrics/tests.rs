//! What a scrape says of what has happened, and that no peer can make series.

use std::{collections::BTreeSet, time::Duration};

use super::*;
use crate::{
    functions::Failure,
    gate::{Effect, Input, Leg, Rule},
    protocol::Frame,
    tally::{Answered, Totals, TurnInput},
};

fn scraped(metrics: &Metrics) -> String {
    metrics.text(BudgetReading { held: 1, high_water: 2, limit: 3 })
}

/// The value of a series.
#[track_caller]
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {series} in:\n{text}"))
}

/// How many series there are.
fn series(text: &str) -> BTreeSet<&str> {
    let series = text.lines().filter(|line| !line.starts_with('#'));
    series.filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series).collect()
}

#[test]
fn every_series_of_a_backend_is_there_from_the_start_and_stays() {
    let metrics = Metrics::new();
    assert!(!scraped(&metrics).contains("backend="));
    let backend = metrics.backend("one");
    let before = scraped(&metrics);
    for family in
        ["sessions_open", "sessions_begun_total", "audio_seconds_total", "turn_latency_seconds_count"]
    {
        assert!(before.contains(&format!("voxbridge_{family}{{backend=\"one\"")), "{family}");
    }
    let session = SessionMetrics::begin(backend, Arc::default());
    drop(session);
    metrics.backend("two");
    metrics.backend("one");
    let text = scraped(&metrics);
    assert_eq!(value(&text, "voxbridge_sessions_begun_total{backend=\"one\"}"), 1.0);
    assert_eq!(value(&text, "voxbridge_sessions_begun_total{backend=\"two\"}"), 0.0);
    let of_one = |text| series(text).into_iter().filter(|series| series.contains("\"one\"")).count();
    assert_eq!(of_one(&text), of_one(&before), "a connection makes no series");
}

#[test]
fn a_thousand_invented_names_of_functions_are_one_series() {
    let metrics = Metrics::new();
    let functions = metrics.functions(["get_weather"]);
    let before = scraped(&metrics);
    let took = Duration::from_millis(20);
    functions.begins("get_weather").ends(&Ok(String::new()), took);
    for n in 0..1_000 {
        functions.begins(&format!("invented_{n}")).ends(&Err(Failure::Unknown(n.to_string())), took);
    }
    drop(functions.begins("get_weather"));
    let text = scraped(&metrics);
    assert_eq!(series(&text), series(&before));
    let calls = |labels| value(&text, &format!("voxbridge_function_calls_total{{{labels}}}"));
    assert_eq!(calls("function=\"get_weather\",outcome=\"ok\""), 1.0);
    assert_eq!(calls("function=\"get_weather\",outcome=\"cancelled\""), 1.0);
    assert_eq!(calls("function=\"other\",outcome=\"unknown_function\""), 1_000.0);
    let durations =
        |of| value(&text, &format!("voxbridge_function_duration_seconds_count{{function=\"{of}\"}}"));
    assert_eq!((durations("get_weather"), durations("other")), (1.0, 1_000.0));
}

#[test]
fn frames_are_in_the_next_scrape_and_stay_when_the_connection_has_gone() {
    let metrics = Metrics::new();
    let (one, other) = (Arc::new(WireCounts::default()), Arc::new(WireCounts::default()));
    let sessions = [&one, &other].map(|wire| SessionMetrics::begin(metrics.backend("b"), Arc::clone(wire)));
    let bytes = |metrics: &Metrics| {
        let series = "voxbridge_message_bytes_total{backend=\"b\",direction=\"in\",leg=\"client\"}";
        value(&scraped(metrics), series)
    };
    one.came(Leg::Client, &Frame::binary(vec![0; 100]));
    other.came(Leg::Client, &Frame::binary(vec![0; 10]));
    assert_eq!([bytes(&metrics), bytes(&metrics)], [110.0; 2], "each frame once");
    one.came(Leg::Client, &Frame::binary(vec![0; 1]));
    assert_eq!(bytes(&metrics), 111.0);
    other.came(Leg::Client, &Frame::binary(vec![0; 5]));
    drop(sessions);
    assert_eq!(bytes(&metrics), 116.0);
    one.came(Leg::Client, &Frame::binary(vec![0; 1_000]));
    assert_eq!(bytes(&metrics), 116.0, "nobody counts there any more");
    let messages = "voxbridge_messages_total{backend=\"b\",direction=\"in\",leg=\"client\"}";
    assert_eq!(value(&scraped(&metrics), messages), 4.0);
}

#[test]
fn a_session_is_open_until_it_is_dropped_and_ends_once() {
    let metrics = Metrics::new();
    let begin = || SessionMetrics::begin(metrics.backend("b"), Arc::default());
    let (mut ended, died) = (begin(), begin());
    let now = std::time::Instant::now();
    ended.effect(&Effect::OpenUpstream, now);
    ended.input(&Input::UpstreamOpened, now + Duration::from_millis(30));
    ended.input(&Input::UpstreamOpened, now + Duration::from_secs(30));
    for effect in [Effect::Held(Rule::OneActiveResponse), Effect::Ignored(Rule::NoStaleAudio)] {
        ended.effect(&effect, now);
    }
    let wait = Some((TurnInput::Speech, Duration::from_millis(350)));
    ended.answered(&Answered { wait, own: Duration::from_micros(700) });
    ended.answered(&Answered { wait: None, own: Duration::from_micros(100) });
    let open = "voxbridge_sessions_open{backend=\"b\"}";
    for _ in 0..2 {
        ended.end("client_closed", Duration::from_secs(4), &Totals::default(), [5_000, 0]);
    }
    assert_eq!(value(&scraped(&metrics), open), 2.0);
    drop((ended, died));
    let text = scraped(&metrics);
    assert_eq!(value(&text, open), 0.0);
    for (series, expected) in [
        ("sessions_ended_total{backend=\"b\",cause=\"client_closed\"}", 1.0),
        ("sessions_ended_total{backend=\"b\",cause=\"internal_error\"}", 1.0),
        ("session_duration_seconds_sum{backend=\"b\"}", 4.0),
        ("upstream_dial_seconds_count{backend=\"b\",outcome=\"opened\"}", 1.0),
        ("upstream_dial_seconds_bucket{backend=\"b\",outcome=\"opened\",le=\"0.05\"}", 1.0),
        ("upstream_dial_seconds_bucket{backend=\"b\",outcome=\"opened\",le=\"0.025\"}", 0.0),
        ("turn_latency_seconds_count{backend=\"b\",input=\"speech\"}", 1.0),
        ("turn_latency_seconds_count{backend=\"b\",input=\"text\"}", 0.0),
        ("turn_own_share_seconds_count{backend=\"b\"}", 2.0),
        ("queue_high_water_bytes_sum{backend=\"b\",leg=\"client\"}", 5_000.0),
        ("queue_high_water_bytes_count{backend=\"b\",leg=\"upstream\"}", 1.0),
        ("rule_actions_total{action=\"held\",backend=\"b\",rule=\"R6\"}", 1.0),
        ("rule_actions_total{action=\"ignored\",backend=\"b\",rule=\"R13\"}", 1.0),
        ("rule_actions_total{action=\"ran_out\",backend=\"b\",rule=\"R13\"}", 0.0),
        ("budget_limit_bytes", 3.0),
    ] {
        assert_eq!(value(&text, &format!("voxbridge_{series}")), expected, "{series}");
    }
}

#[test]
fn codes_of_upstream_are_one_series() {
    let metrics = Metrics::new();
    let mut session = SessionMetrics::begin(metrics.backend("b"), Arc::default());
    let before = scraped(&metrics);
    let now = std::time::Instant::now();
    let tell = |code: String| {
        let notice = crate::protocol::agent::Notice { description: String::new(), code };
        let message = crate::protocol::agent::ServerMessage::Error(notice);
        Effect::ToClient(crate::gate::ClientFrame::Message(Box::new(message)))
    };
    for n in 0..1_000 {
        session.effect(&tell(format!("invented_{n}")), now);
    }
    session.effect(&tell("MESSAGE_TOO_LARGE".to_owned()), now);
    let text = scraped(&metrics);
    assert_eq!(series(&text), series(&before));
    let of = |code: &str, kind: &str| {
        let labels = format!("backend=\"b\",code=\"{code}\",type=\"{kind}\"");
        value(&text, &format!("voxbridge_notices_total{{{labels}}}"))
    };
    assert_eq!((of("of_upstream", "Error"), of("MESSAGE_TOO_LARGE", "Error")), (1_000.0, 1.0));
    assert_eq!(of("MESSAGE_TOO_LARGE", "Warning"), 0.0);
}
