//! Conversations with translated backends, however the key is configured, with an upstream that quotes all it was sent.

use serde_json::{Value, json};
use tokio::join;

use super::search::Canaries;
use super::{FORMATS, assert_format};
use crate::peers::frames;
use crate::peers::gateway::Gateway;
use crate::peers::raw::{RawPeer, RawUpstream};
use crate::peers::raw_frame::RawFrame;

/// The backend's key. It has what URLs write in another way, and is good for a subprotocol as well.
pub(super) const KEY: &str = "sk-canary+key.51c7-0000000000000000";
/// In a header from the environment, and in one of the file.
pub(super) const OF_ENVIRONMENT: &str = "canary-of-the-environment-77d1";
pub(super) const OF_FILE: &str = "canary-of-the-file-88e2";
/// In the query of the URL.
pub(super) const OF_URL: &str = "canary-of-the-url-99f3";
pub(super) const SECRETS: [&str; 4] = [KEY, OF_ENVIRONMENT, OF_FILE, OF_URL];

/// What is said, by whom and where.
const PROMPT: &str = "xylophone-prompt";
const GREETING: &str = "quetzal-greeting";
const EARLIER: &str = "ocelot-earlier";
const TYPED: &str = "narwhal-typed";
const SPOKEN: &str = "wombat-spoken";
const REPLY: &str = "axolotl-reply";
const TRANSCRIPT: &str = "pangolin-transcript";
const ARGUMENT: &str = "capybara-argument";
const RESULT: &str = "okapi-result";
const MALFORMED: &str = "lemur-malformed";
const MISPLACED: &str = "tapir-misplaced";
const DAMAGED: &str = "kestrel-damaged";
/// Those that the log has with `log_content`; the others are in what is no message.
const WORDS: [&str; 9] = [PROMPT, GREETING, EARLIER, TYPED, SPOKEN, REPLY, TRANSCRIPT, ARGUMENT, RESULT];
const WORDS_OF_NO_MESSAGE: [&str; 3] = [MALFORMED, MISPLACED, DAMAGED];

/// A gateway at trace level with one backend, and its upstream.
struct Stage {
    gateway: Gateway,
    upstream: RawUpstream,
}

impl Stage {
    /// `lines` are the backend's; `query` is the URL's.
    async fn start(lines: &str, query: &str, log_content: bool, format: (&str, &str)) -> Self {
        let upstream = RawUpstream::start().await;
        let url = upstream.url(&format!("/v1/realtime?signature={OF_URL}{query}"));
        let toml = format!(
            "[server]\nhost = \"127.0.0.1\"\nport = 0\n[logging]\nlog_content = {log_content}\n\
             [[backends]]\nname = \"openai\"\nkind = \"openai-realtime\"\npath = \"/openai\"\nurl = \"{url}\"\n\
             headers = {{ x-env = \"Bearer ${{CANARY_HEADER}}\", x-file-key = \"{OF_FILE}\" }}\n{lines}\n"
        );
        let environment =
            [format, ("RUST_LOG", "trace"), ("CANARY_HEADER", OF_ENVIRONMENT), ("CANARY_KEY", KEY)];
        Self { gateway: Gateway::start_with(&toml, &environment).await, upstream }
    }

    async fn connect(&self) -> (RawPeer, RawPeer) {
        join!(RawPeer::connect(self.gateway.port(), "/openai", ""), self.upstream.accept())
    }
}

/// Every member that may hold a text, in an event of upstream's that quotes what it was sent.
pub(super) fn quoted() -> String {
    format!("you sent {} to me", SECRETS.join(" and "))
}

async fn says(peer: &mut RawPeer, message: &Value) {
    peer.send(&RawFrame::text(&message.to_string())).await;
}

async fn settings(client: &mut RawPeer) {
    let function = json!({"name": "get_weather", "parameters": {"type": "object", "properties": {}}});
    let earlier = json!([{"type": "History", "role": "user", "content": EARLIER}]);
    let agent = json!({
        "context": {"messages": earlier}, "think": {"prompt": PROMPT, "functions": [function]},
    });
    says(client, &json!({"type": "Settings", "agent": agent})).await;
}

/// A conversation with everything in it that can hold words. Its greeting, or its context, is in the Settings.
async fn converse(client: &mut RawPeer, upstream: &mut RawPeer) {
    settings(client).await;
    upstream.expect_seen(EARLIER).await;
    says(upstream, &frames::session_updated()).await;
    client.expect_seen("SettingsApplied").await;
    client.send(&RawFrame::binary([0; 640])).await;
    says(client, &json!({"type": "InjectUserMessage", "content": TYPED})).await;
    upstream.expect_seen(TYPED).await;
    let content = json!([{"type": "input_text", "text": TYPED}]);
    says(upstream, &frames::user_item("conversation.item.added", &content)).await;
    upstream.expect_seen("response.create").await;
    says(upstream, &frames::output_text_done(REPLY)).await;
    client.expect_seen(REPLY).await;
    says(upstream, &frames::audio_transcript_done(TRANSCRIPT)).await;
    client.expect_seen(TRANSCRIPT).await;
    let call = json!({"type": "response.function_call_arguments.done", "call_id": "call_1",
        "name": "get_weather", "arguments": json!({"city": ARGUMENT}).to_string()});
    says(upstream, &call).await;
    client.expect_seen(ARGUMENT).await;
    says(
        client,
        &json!({"type": "FunctionCallResponse", "id": "call_1", "name": "get_weather", "content": RESULT}),
    )
    .await;
    upstream.expect_seen(RESULT).await;
    says(upstream, &frames::speech_started()).await;
    says(upstream, &frames::transcription_delta("item_u", SPOKEN)).await;
    let mut heard = frames::transcription_completed("item_u");
    heard["transcript"] = json!(SPOKEN);
    says(upstream, &heard).await;
    says(upstream, &frames::speech_stopped()).await;
    client.expect_seen(SPOKEN).await;
}

/// What neither side should send, with words in it, and secrets in what upstream sends.
async fn misbehave(client: &mut RawPeer, upstream: &mut RawPeer) {
    for text in [
        format!("{{\"type\":\"InjectUserMessage\",\"content\":\"{MALFORMED}"),
        json!({"type": "Settings", "audio": MISPLACED}).to_string(),
        json!({"type": "InjectUserMessage", "content": {"text": MISPLACED}}).to_string(),
        json!({"type": "UpdateThink", "think": {"functions": MISPLACED}}).to_string(),
        json!({"type": "FunctionCallResponse", "id": [MISPLACED]}).to_string(),
    ] {
        client.send(&RawFrame::text(&text)).await;
    }
    let quoted = quoted();
    let error =
        json!({"message": quoted, "code": KEY, "param": OF_FILE, "type": OF_ENVIRONMENT, "event_id": KEY});
    for event in [
        json!({"type": "error", "error": error}),
        json!({"type": "error", "error": {"message": quoted, "code": "invalid_api_key"}}),
        json!({"type": KEY, "text": quoted}),
        json!({"type": "response.created", "response": {"id": KEY}}),
        json!({"type": "response.output_text.done", "response_id": KEY, "item_id": OF_FILE, "text": quoted}),
        json!({"type": "response.done", "response": {"id": KEY, "status": "failed",
            "status_details": {"error": {"code": OF_FILE, "message": quoted}}}}),
        json!({"type": "response.created", "response": KEY}),
        json!({"type": "response.done", "response": {"id": 7, "status": DAMAGED, KEY: OF_FILE}}),
        json!({"type": "conversation.item.added", "item": DAMAGED}),
        json!({"type": "session.updated", "session": {KEY: {KEY: 1}, "audio": quoted}}),
        json!({"type": ["error", KEY]}),
        json!({"type": "response.function_call_arguments.done", "call_id": KEY, "name": OF_FILE, "arguments": quoted}),
        json!({"type": "error", "error": {"message": "enough", "code": "the_last_one"}}),
    ] {
        says(upstream, &event).await;
    }
    upstream.send(&RawFrame::text(&quoted)).await;
    upstream.send(&RawFrame::text(&format!("{{\"type\":\"error\",\"error\":{{\"message\":\"{quoted}"))).await;
    upstream.send(&RawFrame::binary(quoted)).await;
    client.expect_seen("the_last_one").await;
    client.expect_seen("not json").await;
}

/// All of it, with the key configured by these lines; what came to the client.
async fn live(stage: &Stage) -> Vec<u8> {
    let (mut client, mut upstream) = stage.connect().await;
    converse(&mut client, &mut upstream).await;
    misbehave(&mut client, &mut upstream).await;
    // What a close frame has room for cuts the key in two.
    let mut reason = format!("{:.<100}{KEY}", "no key ");
    reason.truncate(123);
    upstream.send(&RawFrame::close(Some(4001), &reason)).await;
    assert_eq!(client.expect_close().await, (Some(4001), format!("{:.<100}***", "no key ")));
    let (mut greeted, mut upstream) = stage.connect().await;
    says(&mut greeted, &json!({"type": "Settings", "agent": {"greeting": GREETING}})).await;
    upstream.expect_data(1).await;
    says(&mut upstream, &frames::session_updated()).await;
    greeted.expect_seen(GREETING).await;
    greeted.send(&RawFrame::close(Some(1000), "done")).await;
    upstream.expect_close().await;
    [client.bytes(), greeted.bytes()].concat()
}

fn sources() -> [(String, &'static str); 3] {
    [
        (format!("api_key = \"{KEY}\""), ""),
        ("api_key_env = \"CANARY_KEY\"".to_owned(), "&model=other"),
        // Azure's older endpoint, where events are put into another shape.
        (
            "api_key_env = \"CANARY_KEY\"\nauth_header = \"api-key\"\nmodel = \"m\"".to_owned(),
            "&api-version=2025-04-01-preview&deployment=d",
        ),
    ]
}

#[tokio::test]
async fn neither_key_nor_words_are_told() {
    for ((lines, query), format) in
        sources().into_iter().flat_map(|source| FORMATS.map(|format| (source.clone(), format)))
    {
        let stage = Stage::start(&lines, query, false, format).await;
        let seen = live(&stage).await;
        Canaries::new(&SECRETS).assert_none("what the client was sent", &seen);
        let log = stage.gateway.output();
        Canaries::new(&SECRETS).assert_none("the log", &log);
        Canaries::new(&WORDS).assert_none("the log", &log);
        Canaries::new(&WORDS_OF_NO_MESSAGE).assert_none("the log", &log);
        assert_format(format, &stage.gateway.log());
        let recorded = recorded(&stage).await;
        for canaries in [&SECRETS[..], &WORDS, &WORDS_OF_NO_MESSAGE] {
            Canaries::new(canaries).assert_none("the recordings", &recorded);
        }
        assert!(log.contains("conversation.item.create"), "nothing was logged");
    }
}

#[tokio::test]
async fn words_are_told_where_the_operator_wants_them_and_keys_never() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), format!("{KEY}\n")).expect("it can be written");
    for format in FORMATS {
        let stage = Stage::start(&format!("api_key_file = {:?}", file.path()), "", true, format).await;
        let seen = live(&stage).await;
        let log = stage.gateway.output();
        Canaries::new(&WORDS).assert_all("the log", &log);
        Canaries::new(&SECRETS).assert_none("the log", &log);
        Canaries::new(&SECRETS).assert_none("what the client was sent", &seen);
        assert_format(format, &stage.gateway.log());
        let recorded = recorded(&stage).await;
        Canaries::new(&WORDS).assert_all("the recordings", &recorded);
        Canaries::new(&SECRETS).assert_none("the recordings", &recorded);
    }
}

/// The recordings of both conversations.
async fn recorded(stage: &Stage) -> Vec<u8> {
    let recordings = stage.gateway.recordings();
    recordings.ended(2).await;
    recordings.bytes()
}
