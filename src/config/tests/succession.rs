//! A configuration in the place of another: what it takes over, what waits for a restart, how the difference is told.

use super::super::*;
use super::{BACKEND, load};

const TOKENS: &str =
    "[auth]\nmode = \"tokens\"\n[[auth.tokens]]\nsubject = \"a\"\ntoken = \"0123456789abcdef\"\n";

fn config(text: &str) -> Config {
    load(&format!("{text}\n{BACKEND}")).unwrap_or_else(|error| panic!("{error}"))
}

fn server(lines: &str) -> Config {
    config(&format!("[server]\n{lines}"))
}

#[test]
fn what_needs_a_restart_is_as_it_was_and_told_by_its_key() {
    let running = server("port = 0\nmax_sessions = 5");
    let all = server(
        "host = \"::1\"\nport = 1\nadmin_port = 2\nworkers = 3\nmax_sessions = 4\ndrain_timeout_s = 5\n\
         [simulator]\nenabled = true",
    );
    let Succession { config, waiting } = all.succeed(&running).expect("it can follow");
    assert_eq!(
        waiting,
        [
            "server.host: stays \"127.0.0.1\" until a restart",
            "server.port: stays 0 until a restart",
            "server.admin_port: stays unset until a restart",
            "server.workers: stays 0 until a restart",
            "simulator: stays as it is until a restart",
        ]
    );
    let expected =
        Server { port: 0, max_sessions: 4, drain_timeout: Duration::from_secs(5), ..Server::default() };
    assert_eq!((config.server, config.simulator), (expected, Simulator::default()));
    let back = running.clone().succeed(&running).expect("it can follow itself");
    assert_eq!(back, Succession { config: running, waiting: Vec::new() });
}

#[test]
fn nobody_is_let_in_by_an_address_that_waits_for_a_restart() {
    let reachable = config(&format!("[server]\nhost = \"0.0.0.0\"\n{TOKENS}"));
    let refused = config("").succeed(&reachable);
    assert_eq!(
        refused,
        Err(
            "auth.mode: is \"none\" and \"0.0.0.0\", which stays until a restart, can be reached by others: \
             needs auth.allow_anonymous = true"
                .to_owned()
        )
    );
    let open = "[server]\nhost = \"0.0.0.0\"\n[auth]\nallow_anonymous = true";
    assert!(config(open).succeed(&reachable).is_ok());
    let other_token = config(&TOKENS.replace("0123", "3210"));
    assert_eq!(other_token.succeed(&reachable).expect("it asks for a token").config.server.host, "0.0.0.0");
    assert!(config("").succeed(&config("")).is_ok());
}

#[test]
fn the_difference_is_told_in_a_few_words() {
    let of = |new: &str, old: &str| config(new).changes_since(&config(old));
    assert_eq!(of("", ""), "nothing has changed");
    assert_eq!(of(TOKENS, ""), "sections changed: [auth]");
    let [server, logging] = ["[server]\nmax_sessions = 1\n", "[logging]\nlevel = \"debug\"\n"];
    assert_eq!(of(&format!("{server}{logging}"), ""), "sections changed: [server], [logging]");
    assert_eq!(of("[console]\nenabled = false", ""), "sections changed: [console]");
    assert_eq!(of("[limits]\nprocess_bytes = 1048576", ""), "sections changed: [limits]");
    // What is said for all holds for each.
    let first = config("").backends[0].name.clone();
    let limits = format!("backends changed: {first}; sections changed: [limits]");
    assert_eq!(of("[limits]\nidle_timeout_s = 1", ""), limits);
    assert_eq!(of("[functions]\nmax_queued = 1", ""), "sections changed: [functions]");
    let mut more = config("");
    more.backends.push(Backend { name: "b".to_owned(), ..more.backends[0].clone() });
    let mut key = more.clone();
    key.backends[1].api_key = Some(Secret::new("canary".to_owned()));
    assert_eq!(more.changes_since(&config("")), "backends added: b");
    assert_eq!(config("").changes_since(&more), "backends removed: b");
    assert_eq!(key.changes_since(&more), "backends changed: b");
    let mut other = key;
    other.backends.remove(0);
    assert_eq!(other.changes_since(&more), format!("backends removed: {first}; backends changed: b"));
}
