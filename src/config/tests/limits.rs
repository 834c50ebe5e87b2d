//! `[backends.limits]`: a backend's own bounds, each as in `[limits]` where it has none.

use std::{num::NonZeroU32, time::Duration};

use super::super::*;
use super::{BACKEND, DEEPGRAM, load, load_with, refuses};

/// What a backend is told of keys that are none of its own.
const OF_PROCESS: [&str; 3] = [
    "process_bytes: holds for all backends together, belongs into [limits]",
    "max_sessions_per_ip: holds for all backends together, belongs into [limits]",
    "max_sessions_per_subject: holds for all backends together, belongs into [limits]",
];

/// Bounds for all that differ from the default.
const LIMITS: &str = "[limits]\nleg_bytes = 5000\nidle_timeout_s = 7\nmax_session_s = 8\n";

#[test]
fn a_backend_has_the_limits_for_all_but_for_its_own() {
    let own = "[backends.limits]\nbefore_ready_bytes = 2000\nleg_bytes = 6000\nmax_message_bytes = 3000\n\
               max_upstream_message_bytes = 4000\nsettings_timeout_s = 1\nidle_timeout_s = 0\nmax_session_s = 2\n\
               slow_client_timeout_s = 3\nmessages_per_s = 9\n";
    let config = load(&format!("{LIMITS}{BACKEND}{own}{DEEPGRAM}[backends.limits]\nmax_session_s = 0\n"));
    let config = config.expect("limits");
    let [openai, deepgram] = &config.backends[..] else { panic!("two backends") };
    let expected = Limits {
        before_ready_bytes: 2000,
        leg_bytes: 6000,
        max_message_bytes: 3000,
        max_upstream_message_bytes: 4000,
        settings_timeout: Duration::from_secs(1),
        idle_timeout: None,
        max_session: Some(Duration::from_secs(2)),
        slow_client_timeout: Duration::from_secs(3),
        messages_per_s: NonZeroU32::new(9),
    };
    assert_eq!(openai.limits, expected);
    assert_eq!((config.limits.leg_bytes, config.limits.max_session), (5000, Some(Duration::from_secs(8))));
    assert_eq!(deepgram.limits, Limits { max_session: None, ..config.limits.clone() });
    let plain = load(&format!("{LIMITS}{BACKEND}")).expect("no table");
    assert_eq!(plain.backends[0].limits, plain.limits);
}

#[test]
fn bad_limits_of_a_backend_name_its_key() {
    for (line, expected) in [
        ("leg_bytes = 1023", "leg_bytes: must be 1024 to 1073741824, is 1023"),
        ("settings_timeout_s = 0", "settings_timeout_s: must be 1 to 604800, is 0"),
        ("idle_timeout_s = \"x\"", "idle_timeout_s: expected an integer, found \"x\""),
        ("max_sessions = 5", "max_sessions: unknown key"),
        ("messages_per_s = -1", "messages_per_s: must be 0 to 1000000, is -1"),
        ("process_bytes = 1048576", OF_PROCESS[0]),
        ("max_sessions_per_ip = 1", OF_PROCESS[1]),
        ("max_sessions_per_subject = 1", OF_PROCESS[2]),
    ] {
        let expected = format!("my.toml: backends[0].limits.{expected}");
        refuses(&format!("{BACKEND}[backends.limits]\n{line}\n"), &[], &expected);
    }
    refuses(&format!("{BACKEND}limits = 5\n"), &[], "my.toml: backends[0].limits: expected a table");
}

#[test]
fn a_variable_sets_one() {
    let of = |text: &str, variables: &[(&str, &str)]| {
        let config = load_with(text, variables).expect("limits");
        (config.limits.leg_bytes, config.backends[0].limits.leg_bytes)
    };
    let name = "VOXBRIDGE__BACKENDS__A__LIMITS__LEG_BYTES";
    assert_eq!(of(&format!("{LIMITS}{BACKEND}"), &[(name, "9000")]), (5000, 9000));
    let text = format!("{BACKEND}limits = {{ leg_bytes = 7000 }}\n");
    assert_eq!(of(&text, &[(name, "9000")]), (4_194_304, 9000));
    assert_eq!(of(&text, &[("VOXBRIDGE__LIMITS__LEG_BYTES", "8000")]), (8000, 7000));
    let reason = "backends[0].limits.leg_bytes: must be 1024 to 1073741824, is 5";
    refuses(BACKEND, &[(name, "5")], &format!("environment variable {name}: {reason}"));
}
