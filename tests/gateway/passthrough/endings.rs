//! How a passed-through connection ends where none of its peers has closed it, and what the log says of one.

use std::time::Duration;

use tokio::join;

use super::stage::{PATH, Stage};
use crate::peers::raw::{RawPeer, RawUpstream};
use crate::peers::raw_frame::RawFrame;

const WITHIN: Duration = Duration::from_secs(5);

/// Every service, by its path.
const SERVICES: [&str; 3] = [PATH, "/dg/v1/listen", "/dg/v2/listen"];

#[tokio::test]
async fn the_end_of_the_program_is_told_on_each_service() {
    let no_drain = [("VOXBRIDGE__SERVER__DRAIN_TIMEOUT_S", "0")];
    let mut stage = Stage::start_at(RawUpstream::start().await, "", &no_drain).await;
    let mut connections = Vec::new();
    for target in SERVICES {
        connections.push(stage.connect(target).await);
    }
    stage.gateway.terminate().await;
    for ends in &mut connections {
        assert_eq!(ends.client.expect_close().await.0, Some(1012));
        assert!(ends.client.has_seen("SERVER_GOING_AWAY"));
        assert_eq!(ends.upstream.expect_close().await.0, Some(1000));
        ends.upstream.send(&RawFrame::close(Some(1000), "")).await;
        ends.client.send(&RawFrame::close(Some(1012), "")).await;
    }
    assert_eq!(stage.gateway.exit(WITHIN).await, Some(0));
}

#[tokio::test]
async fn a_status_is_final_and_is_told_by_what_it_means() {
    let stage = Stage::start("dial_attempts = 3").await;
    for (status, code, close) in [
        ("401 Unauthorized", "upstream_auth_failed", 1011),
        ("403 Forbidden", "upstream_auth_failed", 1011),
        ("429 Too Many Requests", "upstream_rate_limited", 1013),
        ("503 Service Unavailable", "upstream_unavailable", 1013),
    ] {
        for target in SERVICES {
            let client = RawPeer::connect(stage.gateway.port(), target, "");
            let (client, dialled) = join!(client, stage.upstream.dialled());
            dialled.refuse(status, "dg-error: no\r\n").await;
            assert_eq!(client.expect_close().await.0, Some(close), "{status} {target}");
            assert!(client.has_seen(code), "{status} {target}");
        }
    }
    assert!(stage.upstream.is_left_alone().await, "somebody dialled again");
}

#[tokio::test]
async fn limits_in_time_end_an_agent_and_the_age_alone_a_transcription() {
    let limits = "limits = { settings_timeout_s = 1, idle_timeout_s = 1, max_session_s = 3 }";
    let stage = Stage::start(limits).await;
    let agent = stage.connect(PATH).await;
    assert_eq!(agent.client.expect_close().await.0, Some(1011));
    assert!(agent.client.has_seen("CLIENT_MESSAGE_TIMEOUT"));
    let idle = stage.agent().await;
    assert_eq!(idle.client.expect_close().await.0, Some(1000));
    assert!(idle.client.has_seen("idle_timeout"));
    let transcription = stage.connect("/dg/v1/listen").await;
    assert_eq!(transcription.client.expect_close().await.0, Some(1000));
    assert!(transcription.client.has_seen("session_max_duration"));
    assert!(!transcription.client.has_seen("idle_timeout"));
}

#[tokio::test]
async fn the_log_has_the_names_that_both_sides_gave() {
    let stage = Stage::start_at(RawUpstream::start().await, "", &[]).await;
    for (headers, trace) in [
        ("X-Deepgram-Session-Id: session-1\r\n", "trace=session-1 "),
        ("Sec-WebSocket-Protocol: token, KEY, x-deepgram-session-id, session-2\r\n", "trace=session-2 "),
    ] {
        let client = RawPeer::connect(stage.gateway.port(), "/dg/v1/listen", headers);
        let (_client, dialled) = join!(client, stage.upstream.dialled());
        let _upstream = dialled.accept_with("dg-request-id: request-7\r\n").await;
        stage.gateway.expect_log(&[trace, "dir=upstream request_id=request-7"], WITHIN).await;
    }
}
