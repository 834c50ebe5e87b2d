//! The README's table of endings, row by row: on each kind of backend a test that causes the ending and looks at the
//! client, at upstream, at the log and at the clock. A row, or a kind of backend, without a test fails here.

use std::collections::{BTreeMap, BTreeSet};

use super::stage::Kind;
use super::{by_client, by_dial, by_silence, by_time, by_upstream};

const README: &str = include_str!("../../../README.md");

/// Makes a test of each pair of an ending's log word and a kind of backend, and the list of all pairs.
macro_rules! endings {
    ($($cause:ident ($($kind:ident)+) $test:path;)+) => {
        const TESTED: &[(&str, &[&str])] = &[$((stringify!($cause), &[$(stringify!($kind)),+])),+];
        $(mod $cause {
            use super::*;

            $(#[tokio::test]
            async fn $kind() {
                $test(Kind::named(stringify!($kind))).await;
            })+
        })+
    };
}

endings! {
    client_closed (translated agent transcription) by_client::closes;
    client_vanished (translated agent transcription) by_client::vanishes;
    message_too_large (translated agent transcription) by_client::sends_too_much;
    client_protocol_error (translated agent transcription) by_client::breaks_the_protocol;
    upstream_unreachable (translated agent transcription) by_dial::reaches_nobody;
    upstream_auth_failed (translated agent transcription) by_dial::is_not_let_in;
    upstream_rate_limited (translated agent transcription) by_dial::is_one_too_many;
    upstream_unavailable (translated agent transcription) by_dial::is_not_served;
    upstream_silent (translated agent transcription) by_silence::of_upstream;
    upstream_closed (translated agent transcription) by_upstream::closes;
    upstream_vanished (translated agent transcription) by_upstream::vanishes;
    upstream_message_too_large (translated agent transcription) by_upstream::sends_too_much;
    upstream_protocol_error (translated agent transcription) by_upstream::breaks_the_protocol;
    session_expired (translated) by_upstream::expires;
    settings_timeout (translated agent) by_time::waits_for_settings;
    idle_timeout (translated agent) by_time::hears_nothing;
    session_max_duration (translated agent transcription) by_time::is_old;
    client_silent (translated agent transcription) by_silence::of_the_client;
    client_too_slow (translated agent transcription) by_time::is_not_read;
    upstream_too_slow (translated agent transcription) by_upstream::reads_too_slowly;
    too_much_input (translated) by_client::says_too_much_before_settings;
    overloaded (translated agent transcription) by_time::is_one_of_too_large;
    shutdown (translated agent transcription) by_time::stops;
}

/// Endings that a kind of backend does not have.
const NEVER: [(&str, Kind, &str); 6] = [
    ("session_expired", Kind::Agent, "upstream speaks for itself"),
    ("session_expired", Kind::Transcription, "upstream speaks for itself"),
    ("settings_timeout", Kind::Transcription, "there are no Settings"),
    ("idle_timeout", Kind::Transcription, "it is as quiet as its user"),
    ("too_much_input", Kind::Agent, "what is passed through waits with the client"),
    ("too_much_input", Kind::Transcription, "what is passed through waits with the client"),
];

/// The log words of the README's table.
fn rows() -> BTreeSet<&'static str> {
    let table = README.lines().skip_while(|line| !line.starts_with("| Log word |")).skip(2);
    let words = table.take_while(|line| line.starts_with('|')).filter_map(|line| line.split('`').nth(1));
    words.collect()
}

#[test]
fn every_row_is_tested_on_every_kind_of_backend_that_has_it() {
    let rows = rows();
    assert!(rows.len() > 20, "only {rows:?}");
    let tested: BTreeMap<_, BTreeSet<_>> = TESTED
        .iter()
        .map(|(cause, kinds)| (*cause, kinds.iter().map(|kind| Kind::named(kind)).collect()))
        .collect();
    assert_eq!(tested.keys().copied().collect::<BTreeSet<_>>(), rows);
    for (cause, kinds) in tested {
        for kind in Kind::ALL {
            let never = NEVER.iter().any(|(word, without, _)| *word == cause && *without == kind);
            assert_ne!(kinds.contains(&kind), never, "{cause}, {kind:?}");
        }
    }
}
