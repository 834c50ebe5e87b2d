//! What the gateway says itself between the frames that it passes on, and to whom.

use serde_json::{Value, json};
use tokio::join;

use super::stage::{Ends, KEY, PATH, Stage};
use crate::peers::raw::RawUpstream;
use crate::peers::raw_frame::{PING, PONG, RawFrame};

fn json_of(frame: &RawFrame) -> Value {
    serde_json::from_slice(&frame.payload).expect("the gateway says JSON")
}

/// Waits for the ping that a silent client gets and answers it; what goes upstream then, and how much came before.
async fn keep_alive(ends: &mut Ends) -> (Value, usize) {
    let before = ends.upstream.data().len();
    let ping = ends.client.expect_opcode(PING, 1).await;
    assert_eq!(ends.upstream.data().len(), before, "the client has not answered yet");
    ends.client.send(&RawFrame::new(PONG, true, ping[0].payload.clone())).await;
    (json_of(&ends.upstream.expect_data(before + 1).await[before]), before)
}

#[tokio::test]
async fn a_silent_client_that_answers_a_ping_keeps_upstream_open() {
    let stage = Stage::start("").await;
    let mut agent = stage.agent().await;
    let [mut v1, mut v2] =
        [stage.connect("/dg/v1/listen").await, stage.connect("/dg/v2/listen?model=flux").await];
    for ends in [&mut v1, &mut v2] {
        ends.client.send(&RawFrame::binary([0; 640])).await;
        ends.upstream.expect_data(1).await;
    }
    let expected = (json!({"type": "KeepAlive"}), 1);
    // The agent's silence is the longest, so that by its end there would have been a ping on version 2.
    let (of_v1, of_agent) = join!(keep_alive(&mut v1), keep_alive(&mut agent));
    assert_eq!((&of_v1, &of_agent), (&expected, &expected));
    v2.finish().await;
    let pings = v2.client.frames().iter().filter(|frame| frame.opcode == PING).count();
    assert_eq!((pings, v2.upstream.data().len()), (0, 1), "version 2 ends at a KeepAlive");
}

#[tokio::test]
async fn an_error_of_the_gateways_own_has_the_shape_of_the_service() {
    let stage = Stage::start("").await;
    let told = async |target: &str| {
        let Ends { client, mut upstream } = stage.connect(target).await;
        upstream.send(&RawFrame::text(r#"{"type":"Connected","sequence_id":0}"#)).await;
        client.expect_data(1).await;
        drop(upstream);
        assert_eq!(client.expect_close().await.0, Some(1011), "{target}");
        json_of(&client.data()[1])
    };
    let error = json!({"type": "Error", "code": "upstream_closed", "description": "upstream vanished"});
    assert_eq!(told("/dg").await, error);
    let mut of_transcription = error;
    of_transcription["variant"] = "GatewayError".into();
    assert_eq!(told("/dg/v1/listen").await, of_transcription);
    of_transcription["sequence_id"] = 1.into();
    assert_eq!(told("/dg/v2/listen").await, of_transcription);
}

#[tokio::test]
async fn the_component_is_told_where_a_turn_ends() {
    let environment = [("VOXBRIDGE__BACKENDS__DEEPGRAM__DIALECT", "component")];
    let stage = Stage::start_at(RawUpstream::start().await, "", &environment).await;
    let mut ends = stage.agent().await;
    let text = RawFrame::text(r#"{"type":"ConversationText","role":"assistant","content":"Hi"}"#);
    let done = RawFrame::text(r#"{ "type":"AgentAudioDone" }"#);
    let with_audio = [text.clone(), RawFrame::binary([1, 2]), done.clone()];
    ends.upstream.send_all(&with_audio, usize::MAX).await;
    let came = ends.client.expect_data(4).await;
    assert_eq!(came[..2].iter().map(|frame| &**frame).collect::<Vec<_>>(), [&with_audio[0], &with_audio[1]]);
    assert_eq!((json_of(&came[2]), &*came[3]), (json!({"type": "AgentDone"}), &done));
    // Of a turn of text alone Deepgram says no end.
    ends.upstream.send(&text).await;
    let came = ends.client.expect_data(7).await;
    assert_eq!(*came[4], text);
    assert_eq!(
        [json_of(&came[5]), json_of(&came[6])],
        ["AgentDone", "AgentAudioDone"].map(|kind| json!({"type": kind}))
    );
    ends.finish().await;
}

#[tokio::test]
async fn backends_of_both_kinds_stand_side_by_side_each_with_its_key_and_limits() {
    let upstream = RawUpstream::start().await;
    let url = upstream.url("/v1/agent/converse");
    let more = format!(
        "[[backends]]\nname = \"second\"\nkind = \"deepgram-agent\"\npath = \"/second\"\nurl = \"{url}\"\n\
         api_key = \"key-of-the-second\"\nlimits = {{ max_message_bytes = 1024 }}\n\
         [[backends]]\nname = \"third\"\nkind = \"openai-realtime\"\npath = \"/third\"\nurl = \"{url}\"\n\
         api_key = \"key-of-the-third\"\n"
    );
    let stage = Stage::start_at(upstream, &more, &[]).await;
    let authorization = async |path| stage.connect(path).await.upstream.head.all("authorization").concat();
    assert_eq!(authorization(PATH).await, format!("Token {KEY}"));
    assert_eq!(authorization("/second").await, "Token key-of-the-second");
    assert_eq!(authorization("/third").await, "Bearer key-of-the-third");
    let long = RawFrame::binary(vec![0; 2_000]);
    let mut first = stage.connect(PATH).await;
    first.client.send(&long).await;
    assert_eq!(*first.upstream.expect_data(1).await[0], long);
    let mut second = stage.connect("/second").await;
    second.client.send(&long).await;
    assert_eq!(second.client.expect_close().await.0, Some(1009));
    assert!(second.upstream.data().is_empty());
}
