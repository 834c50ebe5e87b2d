//! Who gets a place: per address, also behind a proxy, per subject, in all; that a place is free again whatever ended
//! its session; and that every refusal says so in the same form.

use std::net::Ipv4Addr;

use serde_json::json;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::identity::stage::{SERVER, Stage, assert_refused, authorization, good};
use crate::peers::client::Client;
use crate::peers::gateway::{Config, Gateway, PATH};
use crate::peers::http::{self, Answer, Connection, UPGRADE};
use crate::peers::mock::Mock;
use crate::peers::script::Script;
use crate::peers::{eventually, s};

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const THERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// One place for each address, and a proxy at one of them.
const BEHIND_A_PROXY: &str = "trusted_proxies = [\"127.0.0.1\"]\n[limits]\nmax_sessions_per_ip = 1";
const BY_ADDRESS: &str = "too_many_sessions_of_address";
const BY_SUBJECT: &str = "too_many_sessions_of_subject";

/// Asks for an upgrade from an address. The session lasts as long as its connection.
async fn upgrade_from(source: Ipv4Addr, gateway: &Gateway, headers: &str) -> (Answer, Connection) {
    let mut connection = Connection::open_from(source, gateway.port()).await;
    connection.head("GET", PATH, &format!("{UPGRADE}{headers}")).await;
    (connection.answer().await, connection)
}

/// The connection of a session that has to be let in.
async fn admitted(source: Ipv4Addr, gateway: &Gateway, headers: &str) -> Connection {
    let (answer, connection) = upgrade_from(source, gateway, headers).await;
    assert_eq!(answer.status, 101, "{source} {headers}: {}", answer.body);
    connection
}

async fn turned_away(source: Ipv4Addr, gateway: &Gateway, headers: &str) {
    let (answer, _connection) = upgrade_from(source, gateway, headers).await;
    assert_turned_away(&answer, BY_ADDRESS);
}

#[track_caller]
fn assert_turned_away(answer: &Answer, code: &str) {
    assert_refused(answer, 429, code, code);
    assert_eq!(answer.header("retry-after"), Some("5"));
}

async fn limited(mock: &Mock, section: &str) -> Gateway {
    Config::for_mock(mock).section(section).start().await
}

#[tokio::test]
async fn each_address_has_its_own_places() {
    let mock = Mock::start(Script::default()).await;
    let gateway = limited(&mock, "[limits]\nmax_sessions_per_ip = 2").await;
    let first = admitted(HERE, &gateway, "").await;
    let _second = admitted(HERE, &gateway, "").await;
    turned_away(HERE, &gateway, "").await;
    let _third = admitted(THERE, &gateway, "").await;
    let _fourth = admitted(THERE, &gateway, "X-Forwarded-For: 203.0.113.7\r\n").await;
    // Nobody is trusted to say where somebody else is.
    turned_away(THERE, &gateway, "X-Forwarded-For: 203.0.113.8\r\nForwarded: for=203.0.113.8\r\n").await;
    let line = ["INFO", "refused path=/openai peer=127.0.0.1:", &format!(" code={BY_ADDRESS}")];
    gateway.expect_log(&line, s(5)).await;
    drop(first);
    let again = async || {
        let (answer, session) = upgrade_from(HERE, &gateway, "").await;
        (answer.status == 101).then_some(session)
    };
    let _again = eventually("free place", s(5), again).await;
    mock.peer(5).await;
    assert_eq!(mock.upgrades().len(), 5, "upstream was dialled for somebody who was refused");
    assert!(!gateway.log().contains(" client="), "it is the peer");
}

#[tokio::test]
async fn behind_a_proxy_the_client_counts() {
    let mock = Mock::start(Script::default()).await;
    let gateway = limited(&mock, BEHIND_A_PROXY).await;
    let _first = admitted(HERE, &gateway, "X-Forwarded-For: 203.0.113.7\r\n").await;
    turned_away(HERE, &gateway, "X-Forwarded-For: 203.0.113.7:4711\r\n").await;
    turned_away(HERE, &gateway, "X-Forwarded-For: 198.51.100.1, 203.0.113.7\r\n").await;
    turned_away(HERE, &gateway, "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 203.0.113.7\r\n").await;
    turned_away(HERE, &gateway, "Forwarded: for=\"203.0.113.7:80\";proto=https, for=127.0.0.1\r\n").await;
    let _second = admitted(HERE, &gateway, "Forwarded: for=203.0.113.8\r\n").await;
    // The proxy itself is somebody as well, and so is who comes directly.
    let _third = admitted(HERE, &gateway, "").await;
    turned_away(HERE, &gateway, "X-Forwarded-For: unknown\r\n").await;
    let _fourth = admitted(THERE, &gateway, "X-Forwarded-For: 203.0.113.9\r\n").await;
    turned_away(THERE, &gateway, "X-Forwarded-For: 203.0.113.10\r\n").await;
    gateway.expect_log(&["connected path=/openai peer=127.0.0.1:", " client=203.0.113.7"], s(5)).await;
    let refused = ["refused path=/openai", " client=203.0.113.7 code=too_many_sessions_of_address"];
    gateway.expect_log(&refused, s(5)).await;
    assert!(!gateway.log().contains("203.0.113.9"), "who is not trusted is not believed");
    assert!(!gateway.log().contains("WARN"), "nothing was unclear");
}

#[tokio::test]
async fn a_forged_header_beside_the_proxys_own_costs_nobody_else_a_place() {
    let mock = Mock::start(Script::default()).await;
    let gateway = limited(&mock, BEHIND_A_PROXY).await;
    let forged =
        |number: usize| format!("Forwarded: for=198.51.100.{number}\r\nX-Forwarded-For: 203.0.113.7\r\n");
    let _first = admitted(HERE, &gateway, &forged(1)).await;
    turned_away(HERE, &gateway, &forged(2)).await;
    turned_away(HERE, &gateway, "X-Forwarded-For: nonsense\r\n").await;
    let _named = admitted(HERE, &gateway, "Forwarded: for=198.51.100.1\r\n").await;
    let _own = admitted(HERE, &gateway, "X-Forwarded-For: 203.0.113.7\r\n").await;
    gateway
        .expect_log(
            &["WARN", "name different clients", "the address of the proxy counts", "proxy=127.0.0.1"],
            s(5),
        )
        .await;
    assert_eq!(gateway.log().matches("this is told once").count(), 1);
}

#[tokio::test]
async fn of_ipv6_a_network_is_one_address() {
    let mock = Mock::start(Script::default()).await;
    let gateway = limited(&mock, BEHIND_A_PROXY).await;
    let _first = admitted(HERE, &gateway, "X-Forwarded-For: 2001:db8:1:2::1\r\n").await;
    turned_away(HERE, &gateway, "X-Forwarded-For: 2001:db8:1:2:ffff::2\r\n").await;
    turned_away(HERE, &gateway, "Forwarded: for=\"[2001:db8:1:2::1]:4711\"\r\n").await;
    let _second = admitted(HERE, &gateway, "X-Forwarded-For: 2001:db8:1:3::1\r\n").await;
    let _third = admitted(HERE, &gateway, "X-Forwarded-For: ::ffff:203.0.113.7\r\n").await;
    turned_away(HERE, &gateway, "X-Forwarded-For: 203.0.113.7\r\n").await;
    let _fourth = admitted(HERE, &gateway, "X-Forwarded-For: ::ffff:203.0.113.8\r\n").await;
}

/// Tokens and JWTs with a limit, and two places in all.
async fn stage(limit: &str, value: &str) -> Stage {
    Stage::start_with("", &[(limit, value), ("VOXBRIDGE__SERVER__MAX_SESSIONS", "2")]).await
}

async fn upgrade_by(stage: &Stage, token: &str) -> (Answer, Connection) {
    upgrade_from(HERE, &stage.gateway, &authorization(token)).await
}

#[tokio::test]
async fn a_subject_has_its_places_whichever_of_its_tokens_it_shows() {
    let stage = stage("VOXBRIDGE__LIMITS__MAX_SESSIONS_PER_SUBJECT", "1").await;
    let same = good(&json!({ "sub": "shop server" }));
    let (first, session) = upgrade_by(&stage, SERVER).await;
    assert_eq!(first.status, 101, "{}", first.body);
    for token in [SERVER, &same] {
        assert_turned_away(&upgrade_by(&stage, token).await.0, BY_SUBJECT);
    }
    let line = ["refused path=/openai", &format!("subject=\"shop server\" code={BY_SUBJECT}")];
    stage.gateway.expect_log(&line, s(5)).await;
    let visitor = good(&json!({}));
    let (other, _other) = upgrade_by(&stage, &visitor).await;
    assert_eq!(other.status, 101, "{}", other.body);
    // Every place is taken, and still the one who has too many is told so.
    assert_turned_away(&upgrade_by(&stage, &visitor).await.0, BY_SUBJECT);
    let full = upgrade_by(&stage, &good(&json!({ "sub": "another" }))).await.0;
    assert_refused(&full, 503, "too_many_sessions", "all are taken");
    assert_eq!(full.header("retry-after"), Some("5"));
    drop(session);
    eventually("free place", s(5), async || (upgrade_by(&stage, &same).await.0.status == 101).then_some(()))
        .await;
}

#[tokio::test]
async fn a_token_for_one_use_survives_a_refusal() {
    for (limit, status) in [
        ("VOXBRIDGE__LIMITS__MAX_SESSIONS_PER_SUBJECT", 429),
        ("VOXBRIDGE__LIMITS__MAX_SESSIONS_PER_IP", 429),
        ("VOXBRIDGE__SERVER__MAX_SESSIONS", 503),
    ] {
        let stage = Stage::start_with("", &[(limit, "1")]).await;
        let (first, session) = upgrade_by(&stage, &good(&json!({}))).await;
        assert_eq!(first.status, 101, "{limit}: {}", first.body);
        let once = good(&json!({ "jti": "once-1", "single_use": true }));
        assert_eq!(upgrade_by(&stage, &once).await.0.status, status, "{limit}");
        let old = UPGRADE.replace("Version: 13", "Version: 12") + &authorization(&once);
        let bad = http::get(stage.gateway.port(), PATH, &old).await;
        assert_refused(&bad, 400, "bad_handshake", limit);
        assert_eq!(bad.header("sec-websocket-version"), Some("13"));
        drop(session);
        let admitted = async || {
            let (answer, session) = upgrade_by(&stage, &once).await;
            assert_ne!(answer.status, 401, "{limit}: a refusal has used it up");
            (answer.status == 101).then_some(session)
        };
        let session = eventually("free place", s(5), admitted).await;
        drop(session);
        let used = async || (upgrade_by(&stage, &once).await.0.status == 401).then_some(());
        eventually("refusal of a used token", s(5), used).await;
    }
}

/// A gateway where one who has one session is full in every way, its only client, and what ends its session.
async fn is_freed(what: &str, script: Script, lines: &str, end: impl AsyncFnOnce(&mut Client, &Mock)) {
    let mock = Mock::start(script).await;
    let limits = format!("[limits]\nmax_sessions_per_ip = 1\nmax_sessions_per_subject = 1\n{lines}");
    let auth = format!("[auth]\nmode = \"tokens\"\n[[auth.tokens]]\nsubject = \"a\"\ntoken = \"{SERVER}\"");
    let gateway = limited(&mock, &format!("max_sessions = 1\n{auth}\n{limits}")).await;
    let offered = format!("token, {SERVER}");
    let mut client = Client::connect_with(&gateway.url(PATH), &[("sec-websocket-protocol", &offered)]).await;
    let headers = authorization(SERVER);
    turned_away(HERE, &gateway, &headers).await;
    end(&mut client, &mock).await;
    // Twice, so that what one ending left behind would be missed.
    for _ in 0..2 {
        let admitted = async || {
            let (answer, session) = upgrade_from(HERE, &gateway, &headers).await;
            (answer.status == 101).then_some(session)
        };
        let session = eventually(&format!("free place after {what}"), s(5), admitted).await;
        turned_away(HERE, &gateway, &headers).await;
        drop(session);
    }
}

#[tokio::test]
async fn a_place_is_free_again_when_the_client_ends() {
    is_freed("a close", Script::default(), "", async |client, _| {
        client.open_s().await;
        client.close(1000, "").await;
    })
    .await;
    is_freed("a close before Settings", Script::default(), "", async |client, _| {
        client.close(1001, "").await
    })
    .await;
    is_freed("a broken protocol", Script::default(), "", async |client, _| {
        client.open_s().await;
        client.send_raw(&[0xff; 16]).await;
        client.expect_close(s(5)).await;
    })
    .await;
}

#[tokio::test]
async fn a_place_is_free_again_when_upstream_ends() {
    is_freed("a refused dial", Script { refuse: Some(401), ..Script::default() }, "", async |client, _| {
        client.expect_close(s(5)).await;
    })
    .await;
    is_freed("upstream's close", Script::default(), "", async |client, mock| {
        client.open_s().await;
        mock.peer(1).await.close(1001, "");
        client.expect_close(s(5)).await;
    })
    .await;
}

#[tokio::test]
async fn a_place_is_free_again_when_a_limit_ends_the_session() {
    for (what, line) in [
        ("its age", "max_session_s = 1"),
        ("silence", "idle_timeout_s = 1"),
        ("no Settings", "settings_timeout_s = 1"),
    ] {
        is_freed(what, Script::default(), line, async |client, _| _ = client.expect_close(s(5)).await).await;
    }
    is_freed("a large message", Script::default(), "max_message_bytes = 4096", async |client, _| {
        client.send_message(Message::binary(vec![0; 5000])).await;
        client.expect_close(s(5)).await;
    })
    .await;
}

#[tokio::test]
async fn every_refusal_has_a_body_and_the_header_of_its_status() {
    let mock = Mock::start(Script::default()).await;
    let gateway = Gateway::for_mock(&mock).await;
    let get = Some(("allow", "GET"));
    for (method, target, headers, status, code, header) in [
        ("GET", "/nowhere", "", 404, "not_found", None),
        ("POST", "/nowhere", "", 404, "not_found", None),
        ("GET", "/nowhere", UPGRADE, 404, "not_found", None),
        ("GET", "/%ff%00%zz", "", 404, "not_found", None),
        ("GET", "/openai/", UPGRADE, 404, "not_found", None),
        ("GET", "//openai", UPGRADE, 404, "not_found", None),
        ("OPTIONS", "*", "", 404, "not_found", None),
        ("CONNECT", "127.0.0.1:80", "", 404, "not_found", None),
        ("GET", "/v1/auth/grant", "", 404, "not_found", None),
        ("POST", "/health", "", 405, "method_not_allowed", get),
        ("PUT", "/ready", "", 405, "method_not_allowed", get),
        ("DELETE", "/v1/backends", "", 405, "method_not_allowed", get),
        ("POST", PATH, UPGRADE, 405, "method_not_allowed", get),
        ("OPTIONS", PATH, "", 405, "method_not_allowed", get),
        ("GET", PATH, "", 426, "upgrade_required", Some(("upgrade", "websocket"))),
        ("GET", PATH, "Upgrade: h2c\r\n", 426, "upgrade_required", Some(("upgrade", "websocket"))),
        ("GET", PATH, "Upgrade: websocket\r\n", 400, "bad_handshake", None),
    ] {
        let answer = http::send(gateway.port(), method, target, headers).await;
        assert_refused(&answer, status, code, &format!("{method} {target} {headers}"));
        assert_eq!(answer.header("content-type"), Some("application/json"), "{method} {target}");
        if let Some((name, value)) = header {
            assert_eq!(answer.header(name), Some(value), "{method} {target}");
        }
    }
    for part in ["refused path=/openai ", "refused path=- ", "refused path=/health "] {
        gateway.expect_log(&["INFO", part, " peer=127.0.0.1:", " code="], s(5)).await;
    }
}

/// Causes refusals until the log has a line that stands for others, and looks how many lines there are.
async fn assert_bounded(gateway: &Gateway, mark: &str, mut refuse: impl AsyncFnMut()) {
    let began = Instant::now();
    let mut refused = 0;
    let lines = || -> Vec<String> {
        gateway.log().lines().filter(|line| line.contains(mark)).map(str::to_owned).collect()
    };
    let summed = async || {
        refuse().await;
        refused += 1;
        let last = lines().pop()?;
        last.split_once(" left_out=").map(|(_, number)| number.parse::<usize>().expect("a number"))
    };
    let left_out = eventually("line that stands for others", s(10), summed).await;
    let lines = lines();
    assert_eq!(left_out + lines.len(), refused, "{lines:?}");
    assert!(left_out > 0 && lines.len() as u64 <= 1 + began.elapsed().as_secs(), "{lines:?}");
}

#[tokio::test]
async fn a_flood_of_refusals_is_a_line_in_a_second() {
    let mock = Mock::start(Script::default()).await;
    let gateway = limited(&mock, BEHIND_A_PROXY).await;
    let _session = admitted(HERE, &gateway, "").await;
    assert_bounded(&gateway, BY_ADDRESS, async || turned_away(HERE, &gateway, "").await).await;
    // Function calls have lines of another form.
    let headers = "X-Forwarded-For: 203.0.113.7\r\n";
    assert_bounded(&gateway, "outcome=method_not_allowed", async || {
        assert_eq!(http::get(gateway.port(), "/function-call", headers).await.status, 405);
    })
    .await;
    let line = ["function call trace=- peer=127.0.0.1:", " client=203.0.113.7 function=- "];
    gateway.expect_log(&line, s(5)).await;
}

/// Load balancers ask so.
#[tokio::test]
async fn probes_may_ask_for_the_head_alone() {
    let mock = Mock::start(Script::default()).await;
    let gateway = Config::for_mock(&mock).start().await;
    for path in ["/health", "/ready", "/metrics"] {
        assert_eq!(http::send(gateway.port(), "HEAD", path, "").await.status, 200, "{path}");
    }
    assert_eq!(http::send(gateway.port(), "HEAD", "/v1/backends", "").await.status, 405);
}
