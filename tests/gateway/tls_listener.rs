//! The listener with a certificate of its own: sessions, a new certificate while one lives, and peers that speak
//! something else or nothing.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::peers::application::Application;
use crate::peers::client::Client;
use crate::peers::frames;
use crate::peers::gateway::{Config, Gateway, PATH, run};
use crate::peers::journal::Journal;
use crate::peers::mock::Mock;
use crate::peers::pace::Pace;
use crate::peers::reply::Reply;
use crate::peers::script::Script;
use crate::peers::sound::{counted, plain_settings};
use crate::peers::tls::{Files, Trust};
use crate::peers::{eventually, ms, s};

const MIB: usize = 1024 * 1024;

/// Both simulators behind the listener itself.
const SIMULATED: &str = r#"
[simulator]
enabled = true
[[backends]]
name = "translated"
kind = "openai-realtime"
path = "/openai"
url = "self:/sim/openai"
[[backends]]
name = "passed-through"
kind = "deepgram-agent"
path = "/deepgram"
url = "self:/sim/deepgram/v1/agent/converse"
"#;

/// A gateway whose backends are its own simulators.
async fn simulated(files: &Files) -> Gateway {
    let tls = files.toml();
    Gateway::start(&format!("[server]\nhost = \"127.0.0.1\"\nport = 0\nworkers = 1\n{tls}\n{SIMULATED}"))
        .await
}

/// A gateway in front of a mock, with limits that end who is stuck after a second.
async fn before_mock(files: &Files, mock: &Mock) -> Gateway {
    let limits = format!("[limits]\nleg_bytes = {MIB}\nslow_client_timeout_s = 1");
    Config::for_mock(mock).section(&files.toml()).section(&limits).start().await
}

async fn client(gateway: &Gateway, path: &str, trust: &Trust) -> Client {
    let url = format!("wss://127.0.0.1:{}{path}", gateway.port());
    Client::connect_tls(&url, trust, Pace::FREE).await
}

/// A whole turn by text.
async fn turn(client: &mut Client) {
    let turns = client.journal().spoken_texts("assistant").len();
    client.inject("Hello there").await;
    client
        .wait_for("answer", s(10), |journal| {
            (journal.spoken_texts("assistant").len() > turns && journal.binaries().next().is_some())
                .then_some(())
        })
        .await;
    client.journal().assert_no_error();
}

#[tokio::test]
async fn sessions_over_tls_reach_both_kinds_of_backend_at_the_listener_itself() {
    let (files, trust) = Files::new();
    let gateway = simulated(&files).await;
    let address = format!("127.0.0.1:{}", gateway.port());
    gateway.expect_printed(&format!("voxbridge 0.1.0 listening on https://{address}")).await;
    let certificate = files.certificate().display().to_string();
    let command = format!("voxbridge talk --url wss://{address}/openai --ca {certificate}");
    gateway.expect_printed(&format!("try: {command} --text \"What time is it?\"")).await;
    for path in ["/openai", "/deepgram"] {
        let mut client = client(&gateway, path, &trust).await;
        if path == "/deepgram" {
            client.expect_passed_through();
        }
        client
            .open_with(&json!({"type": "Settings",
                "audio": {"input": {"encoding": "linear16", "sample_rate": 16000}},
                "agent": {"think": {"provider": {"type": "open_ai", "model": "gpt-4o-mini"}, "prompt": "Be brief."}}}))
            .await;
        turn(&mut client).await;
        client.close(1000, "").await;
    }
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections_and_a_broken_one_for_none() {
    let (files, first) = Files::new();
    let gateway = simulated(&files).await;
    let mut early = client(&gateway, PATH, &first).await;
    early.open_with(&plain_settings()).await;
    turn(&mut early).await;

    let second = files.renew();
    let is_new = async || second.connect(gateway.port()).await.ok().map(drop);
    eventually("new certificate", s(5), is_new).await;
    assert!(first.connect(gateway.port()).await.is_err(), "the old certificate is still shown");
    turn(&mut early).await;
    // Its upstream is the listener itself, which has to be trusted anew.
    let mut late = client(&gateway, PATH, &second).await;
    late.open_with(&plain_settings()).await;
    turn(&mut late).await;

    files.write_key("");
    gateway.expect_log(&["ERROR", "certificate", "key.pem holds no private key"], s(5)).await;
    let mut last = client(&gateway, PATH, &second).await;
    last.open_with(&plain_settings()).await;
    turn(&mut last).await;
    turn(&mut early).await;
}

#[tokio::test]
async fn a_certificate_out_of_its_time_is_told_whenever_it_is_read() {
    let (files, _) = Files::new();
    let expired = files.renew_for((2020, 1, 1), (2021, 2, 3));
    let gateway = simulated(&files).await;
    let name = files.certificate().display().to_string();
    gateway.expect_log(&["WARN", &name, "expired at 2021-02-03T00:00:00Z"], s(5)).await;
    // It is used all the same.
    let error = expired.connect(gateway.port()).await.expect_err("clients look at the dates");
    assert!(error.to_string().contains("expired"), "{error}");
    files.renew_for((4000, 1, 1), (4001, 1, 1));
    gateway.expect_log(&["WARN", &name, "is not valid before 4000-01-01T00:00:00Z"], s(5)).await;
    let valid = files.renew();
    eventually("new certificate", s(5), async || valid.connect(gateway.port()).await.ok().map(drop)).await;
    let warnings = gateway.log().lines().filter(|line| line.contains(" WARN ")).count();
    assert_eq!(warnings, 2, "{}", gateway.log());
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused_at_start() {
    let (files, _) = Files::new();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    files.write_key(&other.signing_key.serialize_pem());
    let toml = Config::for_url("ws://127.0.0.1:9/").section(&files.toml()).toml();
    let (finished, file) = run(&["--config", "FILE"], &toml).await;
    assert_eq!(finished.status, Some(2), "{}", finished.stderr);
    let key = files.key().display().to_string();
    for part in [&file.display().to_string(), "server.tls_key: ", &key, "is not that of"] {
        assert!(finished.stderr.contains(part), "no {part} in: {}", finished.stderr);
    }
}

/// What comes back for some bytes until the gateway ends the connection.
async fn answer_to(gateway: &Gateway, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", gateway.port())).await.expect("it listens");
    stream.write_all(bytes).await.expect("it reads");
    let mut answer = Vec::new();
    // A reset is an end as well.
    let _ = timeout(s(10), stream.read_to_end(&mut answer)).await.expect("the connection is ended");
    answer
}

/// The greeting of a client that knows TLS up to the version given, by its second number, and one cipher suite.
fn client_hello(version: u8) -> Vec<u8> {
    let mut hello = vec![3, version];
    hello.extend([7; 32]);
    // No session; TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256; no compression.
    hello.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
    // Curve P-256, uncompressed points, ECDSA with SHA-256, the extended master secret.
    let extensions: &[u8] =
        &[0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 4, 0, 2, 4, 3, 0, 23, 0, 0];
    hello.extend([0, extensions.len() as u8]);
    hello.extend(extensions);
    let message = [&[1, 0, 0, hello.len() as u8][..], &hello].concat();
    [&[22, 3, 1, 0, message.len() as u8][..], &message].concat()
}

#[tokio::test]
async fn tls_1_1_and_plain_http_are_refused_and_harm_nobody() {
    const ALERT: u8 = 21;
    const PROTOCOL_VERSION: u8 = 70;
    let (files, trust) = Files::new();
    let gateway = simulated(&files).await;
    for version in [1, 2] {
        let answer = answer_to(&gateway, &client_hello(version)).await;
        assert_eq!((answer.first(), answer.last()), (Some(&ALERT), Some(&PROTOCOL_VERSION)), "{answer:?}");
    }
    // The same greeting in TLS 1.2 is answered with a handshake.
    let mut stream = TcpStream::connect(("127.0.0.1", gateway.port())).await.expect("it listens");
    stream.write_all(&client_hello(3)).await.expect("it reads");
    assert_eq!(stream.read_u8().await.expect("it answers"), 22);

    let answer = answer_to(&gateway, b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await;
    assert_eq!(answer.first(), Some(&ALERT), "{answer:?}");
    gateway.expect_log(&["DEBUG", "a tls handshake failed"], s(2)).await;
    client(&gateway, PATH, &trust).await.open_with(&plain_settings()).await;
}

#[tokio::test]
async fn a_client_that_offers_http_2_as_well_gets_http_1() {
    let (files, trust) = Files::new();
    let gateway = simulated(&files).await;
    let mut stream = trust.offering(&["h2", "http/1.1"]).connect(gateway.port()).await.expect("a handshake");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n").await.expect("it reads");
    let mut start = [0; 15];
    timeout(s(5), stream.read_exact(&mut start)).await.expect("it answers").expect("it answers");
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    assert!(trust.offering(&["h2"]).connect(gateway.port()).await.is_err(), "http/2 alone is not spoken");
}

#[tokio::test]
async fn handshakes_that_are_not_finished_keep_nobody_out_and_are_ended() {
    /// More than actix has at a time by itself.
    const HALF_OPEN: usize = 300;
    let (files, trust) = Files::new();
    let gateway = simulated(&files).await;
    let mut half_open = Vec::new();
    for _ in 0..HALF_OPEN {
        let mut stream = TcpStream::connect(("127.0.0.1", gateway.port())).await.expect("it listens");
        stream.write_all(&client_hello(3)[..40]).await.expect("it is there");
        half_open.push(stream);
    }
    let session = async {
        client(&gateway, PATH, &trust).await.open_with(&plain_settings()).await;
    };
    timeout(s(3), session).await.expect("a session while the others say nothing");
    for mut stream in half_open {
        let mut end = Vec::new();
        let _ = timeout(s(10), stream.read_to_end(&mut end)).await.expect("the handshake has a limit");
    }
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_ended_over_tls_as_well() {
    let (files, trust) = Files::new();
    let mock = Mock::start(Script::default()).await;
    let gateway = before_mock(&files, &mock).await;
    let mut first = client(&gateway, PATH, &trust).await;
    first.open_with(&plain_settings()).await;
    let before = gateway.files_and_threads();
    let pace = Pace::variable();
    let url = format!("wss://127.0.0.1:{}{PATH}", gateway.port());
    let mut stuck = Client::connect_tls(&url, &trust, pace.clone()).await;
    stuck.open_with(&plain_settings()).await;
    let upstream = mock.peer(2).await;
    pace.set(0);
    for piece in counted(8 * MIB).chunks(64 * 1024) {
        upstream.send(&frames::output_audio_delta(piece));
    }
    gateway.expect_log(&["session ended cause=client_too_slow"], s(15)).await;
    // Its socket is gone although it has read nothing and not hung up.
    gateway.assert_nothing_left(before, s(5)).await;
    let closed = |journal: &Journal| journal.on(2).closed().map(|_| ());
    mock.wait_for("close of the stuck session", s(5), closed).await;
    first.assert_goes_on().await;
}

#[tokio::test]
async fn a_slow_client_loses_nothing_over_tls() {
    const AUDIO: usize = MIB;
    let (files, trust) = Files::new();
    let mock = Mock::start(Script::default()).await;
    let gateway = before_mock(&files, &mock).await;
    let pace = Pace::variable();
    let url = format!("wss://127.0.0.1:{}{PATH}", gateway.port());
    let mut slow = Client::connect_tls(&url, &trust, pace.clone()).await;
    slow.open_with(&plain_settings()).await;
    let upstream = mock.peer(1).await;
    pace.set(AUDIO / 2);
    for piece in counted(AUDIO).chunks(64 * 1024) {
        upstream.send(&frames::output_audio_delta(piece));
    }
    let heard = |journal: &Journal| {
        let heard: Vec<u8> = journal.binaries().flat_map(|(_, audio)| audio.to_vec()).collect();
        (heard.len() >= AUDIO).then_some(heard)
    };
    assert!(slow.wait_for("all of the audio", s(20), heard).await == counted(AUDIO), "the audio was changed");
    pace.set(usize::MAX);
    slow.assert_goes_on().await;
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_function_call_over_tls() {
    let (files, trust) = Files::new();
    let application = Application::start(|_| Reply::nothing().then_hang()).await;
    let route = format!("[[functions.route]]\nnames = [\"f\"]\nurl = \"{}\"", application.url());
    let config = Config::for_url("ws://127.0.0.1:9/").section(&files.toml()).section(&route);
    let gateway = config.start().await;
    let mut stream = trust.connect(gateway.port()).await.expect("a handshake");
    let body = r#"{"id":"call_1","name":"f","arguments":"{}"}"#;
    let length = body.len();
    let request = format!(
        "POST /function-call HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("it reads");
    stream.flush().await.expect("it reads");
    application.expect_requests(1, s(5)).await;
    // What came with the handshake is read, or the connection would end with a reset.
    assert!(timeout(ms(100), stream.read_u8()).await.is_err(), "an answer came");
    drop(stream);
    application.expect_cut_off(1, s(2)).await;
}

#[tokio::test]
async fn talk_trusts_whom_it_is_told_to() {
    let (files, _) = Files::new();
    let gateway = simulated(&files).await;
    let url = format!("wss://127.0.0.1:{}{PATH}", gateway.port());
    let certificate = files.certificate().display().to_string();
    let say = ["talk", "--url", &url, "--text", "Hello"];
    let (finished, _) = run(&[&say[..], &["--ca", &certificate]].concat(), "").await;
    assert_eq!(finished.status, Some(0), "{}", finished.stderr);
    assert!(finished.stdout.contains("agent: "), "{}", finished.stdout);
    let (finished, _) = run(&say, "").await;
    assert_eq!(finished.status, Some(1), "{}", finished.stdout);
    assert!(finished.stderr.contains("certificate"), "{}", finished.stderr);
    let key = files.key().display().to_string();
    let (finished, _) = run(&[&say[..], &["--ca", &key]].concat(), "").await;
    assert_eq!(finished.status, Some(1), "{}", finished.stdout);
    assert!(finished.stderr.contains("key.pem holds no certificate"), "{}", finished.stderr);
}
