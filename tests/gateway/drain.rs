//! The drain of translated sessions: who may finish a turn, who is told to go, and what is served meanwhile.
//! `passthrough/drain.rs` has the others, `process.rs` the end behind the drain.

use tokio::time::Instant;

use crate::peers::client::Client;
use crate::peers::frames;
use crate::peers::gateway::{Config, Gateway, PATH};
use crate::peers::http::{self, Connection, UPGRADE};
use crate::peers::mock::{Mock, Peer};
use crate::peers::raw::RawPeer;
use crate::peers::raw_frame::RawFrame;
use crate::peers::script::Script;
use crate::peers::sound::{counted, heard, plain_settings};
use crate::peers::{ms, s};

const CALL: &str = r#"{"id":"1","name":"get_current_time","arguments":"{}"}"#;
const FUNCTION: &str = "[[functions.route]]\nnames = [\"get_current_time\"]";

/// So much audio in each piece of an answer, bytes: 100 ms.
const PIECE: usize = 4800;

/// The first half of an answer's audio.
fn half() -> Vec<u8> {
    counted(2 * PIECE)[..PIECE].to_vec()
}

/// Begins an answer on a connection; its client has the first half of it.
async fn begin_answer(peer: &Peer, client: &Client) {
    peer.send(&frames::output_audio_delta(&half()));
    client.wait_for("audio", s(5), |journal| (heard(journal).len() == PIECE).then_some(())).await;
}

/// Ends the answer.
fn finish_answer(peer: &Peer) {
    peer.send(&frames::output_audio_delta(&counted(2 * PIECE)[PIECE..]));
    peer.send(&frames::output_audio_done());
    peer.send(&frames::output_text_done(frames::REPLY));
}

/// A client in the middle of an answer, and its upstream; the gateway's first connection.
async fn in_its_turn(gateway: &Gateway, mock: &Mock) -> (Client, Peer) {
    let mut client = gateway.connect().await;
    client.open_with(&plain_settings()).await;
    let peer = mock.peer(1).await;
    begin_answer(&peer, &client).await;
    (client, peer)
}

async fn drain(gateway: &Gateway, sessions: usize) {
    gateway.terminate().await;
    let line = format!("draining sessions={sessions} at_most_s=25");
    gateway.expect_log(&["INFO", &line], s(2)).await;
}

#[tokio::test]
async fn an_answer_is_finished_before_its_session_ends() {
    let mock = Mock::start(Script::default()).await;
    let mut gateway = Gateway::for_mock(&mock).await;
    let (client, peer) = in_its_turn(&gateway, &mock).await;
    drain(&gateway, 1).await;
    finish_answer(&peer);
    client.expect_ending("SERVER_GOING_AWAY", 1012).await;
    let journal = client.journal();
    assert_eq!(heard(&journal), counted(2 * PIECE));
    let told = journal.position("Error");
    assert!(journal.position("AgentAudioDone") < told, "{journal}");
    assert_eq!(journal.spoken_texts("assistant"), [frames::REPLY]);
    gateway.expect_log(&["INFO", "stopping sessions=0"], s(2)).await;
    assert_eq!(gateway.exit(s(3)).await, Some(0));
}

#[tokio::test]
async fn a_session_between_turns_ends_at_once_and_another_goes_on() {
    let mock = Mock::start(Script::default()).await;
    let mut gateway = Gateway::for_mock(&mock).await;
    let (client, peer) = in_its_turn(&gateway, &mock).await;
    let mut idle = gateway.connect().await;
    idle.open_with(&plain_settings()).await;
    let silent = gateway.connect().await;
    gateway.signal("INT").await;
    idle.expect_ending("SERVER_GOING_AWAY", 1012).await;
    silent.expect_ending("SERVER_GOING_AWAY", 1012).await;
    assert!(client.journal().closed().is_none(), "{}", client.journal());
    finish_answer(&peer);
    client.expect_ending("SERVER_GOING_AWAY", 1012).await;
    assert_eq!(gateway.exit(s(3)).await, Some(0));
}

#[tokio::test]
async fn what_a_turn_may_need_is_served_while_nobody_is_admitted() {
    let mock = Mock::start(Script::default()).await;
    let mut gateway = Config::for_mock(&mock).section(FUNCTION).start().await;
    let port = gateway.port();
    let mut kept = Connection::open(port).await;
    kept.head("GET", "/ready", "").await;
    assert_eq!(kept.answer().await.status, 200);
    let (client, peer) = in_its_turn(&gateway, &mock).await;
    drain(&gateway, 1).await;
    // Both on the connection that was there before and on new ones.
    kept.head("GET", "/ready", "").await;
    for answer in
        [kept.answer().await, http::get(port, "/ready", "").await, http::get(port, PATH, UPGRADE).await]
    {
        assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (503, Some("stopping")));
    }
    kept.head("GET", "/health", "").await;
    assert_eq!(kept.answer().await.status, 200);
    kept.post("/function-call", "", CALL).await;
    for answer in [kept.answer().await, http::post(port, "/function-call", "", CALL).await] {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.json()["content"].is_string(), "{}", answer.body);
    }
    assert_eq!(mock.upgrades().len(), 1, "somebody was admitted");
    finish_answer(&peer);
    client.expect_ending("SERVER_GOING_AWAY", 1012).await;
    assert_eq!(gateway.exit(s(3)).await, Some(0));
}

#[tokio::test]
async fn a_turn_without_an_end_is_cut_when_the_drain_is_over() {
    let mock = Mock::start(Script::default()).await;
    let mut gateway = Config::for_mock(&mock).section("drain_timeout_s = 1").start().await;
    let (client, _peer) = in_its_turn(&gateway, &mock).await;
    let asked = Instant::now();
    gateway.terminate().await;
    client.expect_ending("SERVER_GOING_AWAY", 1012).await;
    assert!(asked.elapsed() >= s(1), "after {:?}", asked.elapsed());
    gateway.expect_log(&["INFO", "stopping sessions=1"], s(2)).await;
    assert_eq!(gateway.exit(s(3)).await, Some(0));
}

#[tokio::test]
async fn without_a_drain_timeout_no_turn_is_waited_for() {
    let mock = Mock::start(Script::default()).await;
    let mut gateway = Config::for_mock(&mock).section("drain_timeout_s = 0").start().await;
    let (client, _peer) = in_its_turn(&gateway, &mock).await;
    gateway.terminate().await;
    client.expect_ending("SERVER_GOING_AWAY", 1012).await;
    assert!(!gateway.log().contains("draining"), "it drains");
    assert_eq!(gateway.exit(s(3)).await, Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    for second in ["TERM", "INT"] {
        let mock = Mock::start(Script::default()).await;
        let mut gateway = Gateway::for_mock(&mock).await;
        let (client, _peer) = in_its_turn(&gateway, &mock).await;
        drain(&gateway, 1).await;
        gateway.signal(second).await;
        client.expect_ending("SERVER_GOING_AWAY", 1012).await;
        assert_eq!(gateway.exit(s(2)).await, Some(0));
    }
}

/// Begins a session that leaves a close unanswered and its socket open.
async fn deaf(gateway: &Gateway) -> RawPeer {
    let mut deaf = RawPeer::connect(gateway.port(), PATH, "").await;
    deaf.send(&RawFrame::text(&plain_settings().to_string())).await;
    // Welcome and SettingsApplied.
    deaf.expect_data(2).await;
    deaf
}

#[tokio::test]
async fn a_client_that_does_not_close_holds_nothing_up_after_a_second_signal() {
    let mock = Mock::start(Script::default()).await;
    let mut gateway = Gateway::for_mock(&mock).await;
    let deaf = deaf(&gateway).await;
    mock.peer(1).await.send(&frames::output_audio_delta(&half()));
    deaf.expect_data(4).await;
    drain(&gateway, 1).await;
    gateway.terminate().await;
    assert_eq!(deaf.expect_close().await.0, Some(1012));
    assert_eq!(gateway.exit(s(3)).await, Some(0));
}

/// The second signal comes when the drain is over already and closes are waited for.
#[tokio::test]
async fn a_second_signal_ends_the_wait_for_closes_as_well() {
    let mock = Mock::start(Script::default()).await;
    let mut gateway = Config::for_mock(&mock).section("drain_timeout_s = 0").start().await;
    let deaf = deaf(&gateway).await;
    gateway.terminate().await;
    assert_eq!(deaf.expect_close().await.0, Some(1012));
    let asked = Instant::now();
    gateway.terminate().await;
    assert_eq!(gateway.exit(s(3)).await, Some(0));
    assert!(asked.elapsed() < ms(2500), "after {:?}", asked.elapsed());
    gateway.expect_log(&["stopping at once"], s(1)).await;
}

/// Whoever gets in while the signal is on its way is told as well: else the drain would take its 25 s.
#[tokio::test]
async fn a_session_that_is_admitted_meanwhile_is_told_as_well() {
    let mock = Mock::start(Script::default()).await;
    let mut gateway = Gateway::for_mock(&mock).await;
    let port = gateway.port();
    let connecting = async move {
        let mut admitted = Vec::new();
        loop {
            let mut connection = Connection::open(port).await;
            connection.head("GET", PATH, UPGRADE).await;
            if connection.answer().await.status == 503 {
                return admitted;
            }
            admitted.push(connection);
        }
    };
    let connecting = tokio::spawn(connecting);
    mock.peer(3).await;
    gateway.terminate().await;
    // They close nothing; the gateway hangs up.
    assert!(connecting.await.expect("it ends").len() >= 3);
    assert_eq!(gateway.exit(s(6)).await, Some(0));
}
