//! Conversations that are passed through: frames go as they are, whatever they quote, and what the gateway says and
//! logs itself quotes nothing.

use serde_json::json;
use tokio::join;

use super::search::Canaries;
use super::translated::{KEY, OF_ENVIRONMENT, OF_FILE, OF_URL, SECRETS, quoted};
use super::{FORMATS, assert_format};
use crate::peers::gateway::Gateway;
use crate::peers::raw::{RawPeer, RawUpstream};
use crate::peers::raw_frame::{RawFrame, TEXT};

const PROMPT: &str = "xylophone-prompt";
const SAID: &str = "wombat-said";
const FRAGMENT: &str = "okapi-fragment";
const ARGUMENT: &str = "capybara-argument";

const PATHS: [&str; 3] = ["/dg", "/dg/v1/listen", "/dg/v2/listen"];

/// What was told of the conversations: the log, the recordings, and what the client was sent. The key is quoted in frames
/// too, where `frames_quote` says so.
async fn live(
    auth_header: &str,
    log_content: bool,
    frames_quote: bool,
    format: (&str, &str),
) -> (String, Vec<u8>, Vec<u8>) {
    let upstream = RawUpstream::start().await;
    let (url, listen) =
        (upstream.url(&format!("/v1/agent/converse?key={OF_URL}")), upstream.url("/v1/listen"));
    let toml = format!(
        "[server]\nhost = \"127.0.0.1\"\nport = 0\n[logging]\nlog_content = {log_content}\n\
         [[backends]]\nname = \"dg\"\nkind = \"deepgram-agent\"\npath = \"/dg\"\nurl = \"{url}\"\n\
         transcription_url = \"{listen}\"\nauth_header = \"{auth_header}\"\napi_key = \"{KEY}\"\n\
         headers = {{ x-env = \"Bearer ${{CANARY_HEADER}}\", x-file-key = \"{OF_FILE}\" }}\n"
    );
    let environment = [format, ("RUST_LOG", "trace"), ("CANARY_HEADER", OF_ENVIRONMENT)];
    let gateway = Gateway::start_with(&toml, &environment).await;
    let mut seen = Vec::new();
    for path in PATHS {
        let (client, dialled) = join!(RawPeer::connect(gateway.port(), path, ""), upstream.dialled());
        let mut client = client;
        let mut upstream = dialled.accept_with(&format!("dg-request-id: {}\r\n", quoted())).await;
        let settings = json!({"type": "Settings", "agent": {"think": {"prompt": PROMPT}}});
        client.send(&RawFrame::text(&settings.to_string())).await;
        upstream.expect_seen(PROMPT).await;
        let quoted = if frames_quote { quoted() } else { "nothing".to_owned() };
        for text in [
            json!({"type": "ConversationText", "role": "user", "content": SAID}).to_string(),
            json!({"type": "FunctionCallRequest", "functions": [{"id": "c", "name": "f", "arguments": ARGUMENT,
                "client_side": true}]})
            .to_string(),
            json!({"type": "Error", "code": "INVALID_AUTH", "description": quoted}).to_string(),
            json!({"type": quoted, "description": quoted}).to_string(),
            format!("no json, {quoted}"),
        ] {
            upstream.send(&RawFrame::text(&text)).await;
        }
        upstream.send(&RawFrame::new(TEXT, false, format!("{FRAGMENT} {quoted}"))).await;
        upstream.send(&RawFrame::new(0, true, quoted)).await;
        upstream.send(&RawFrame::binary([0; 320])).await;
        client.expect_data(8).await;
        client.send(&RawFrame::text(&format!("{{\"type\":\"{SAID}"))).await;
        upstream.expect_data(2).await;
        upstream.send(&RawFrame::close(Some(4001), &format!("no such key: {KEY}"))).await;
        assert_eq!(client.expect_close().await, (Some(4001), "no such key: ***".to_owned()));
        seen.extend(client.bytes());
    }
    assert_format(format, &gateway.log());
    gateway.recordings().ended(PATHS.len()).await;
    (gateway.output(), gateway.recordings().bytes(), seen)
}

#[tokio::test]
async fn neither_key_nor_words_are_told() {
    let [text, json] = FORMATS;
    for (auth_header, format) in [("token", text), ("bearer", json), ("subprotocol", text)] {
        let (log, recorded, seen) = live(auth_header, false, false, format).await;
        Canaries::new(&SECRETS).assert_none("the recordings", &recorded);
        Canaries::new(&[PROMPT, SAID, FRAGMENT, ARGUMENT]).assert_none("the recordings", &recorded);
        Canaries::new(&SECRETS).assert_none("what the client was sent", seen);
        Canaries::new(&SECRETS).assert_none("the log", &log);
        Canaries::new(&[PROMPT, SAID, FRAGMENT, ARGUMENT]).assert_none("the log", &log);
    }
}

#[tokio::test]
async fn what_frames_quote_goes_to_the_client_alone() {
    for (log_content, format) in [false, true].into_iter().flat_map(|content| FORMATS.map(|it| (content, it)))
    {
        let (log, recorded, seen) = live("token", log_content, true, format).await;
        Canaries::new(&SECRETS).assert_none("the recordings", &recorded);
        Canaries::new(&SECRETS).assert_all("what the client was sent", seen);
        Canaries::new(&SECRETS).assert_none("the log", &log);
        let words = Canaries::new(&[PROMPT, SAID, ARGUMENT]);
        for (place, text) in [("the log", log.as_bytes()), ("the recordings", &recorded)] {
            if log_content { words.assert_all(place, text) } else { words.assert_none(place, text) }
        }
    }
}
