//! The same conversations with a translated backend and with a passed-through one: to a client they are the same but for
//! what the README's table says. Knows what is said, and of the order of messages only that table.

use serde_json::{Value, json};
use tokio::join;
use tokio::time::{Instant, sleep_until};

use super::differences::{Differences, Told};
use crate::peers::application::Application;
use crate::peers::client::Client;
use crate::peers::gateway::Gateway;
use crate::peers::journal::{Journal, What};
use crate::peers::reply::Reply;
use crate::peers::{ms, s};
use crate::transcript::{AUDIO, symbol};

const QUESTION: &[u8] = include_bytes!("../../audio/question.wav");
const WAV_HEADER_BYTES: usize = 44;
/// 20 ms of 16 kHz.
const FRAME_BYTES: usize = 640;
/// What the function returns, whoever runs it.
const TIME: &str = r#"{"time":"10:42"}"#;

/// One of the two backends, named by its path.
#[derive(Clone, Copy)]
enum Kind {
    Translated,
    PassedThrough,
}

/// A backend of each kind, whose paths begin so, with an option of its simulator and more lines.
fn backends(paths: &str, option: &str, lines: &str) -> String {
    let of = |kind, name, url| {
        format!(
            "[[backends]]\nname = \"{paths}-{name}\"\nkind = \"{kind}\"\npath = \"/{paths}-{name}\"\n\
             url = \"self:/sim/{url}?{option}\"\n{lines}\n"
        )
    };
    of("openai-realtime", "translated", "openai")
        + &of("deepgram-agent", "passed", "deepgram/v1/agent/converse")
}

/// A client and how much of what it got has been looked at.
struct Talk {
    client: Client,
    seen: usize,
}

impl Talk {
    async fn begin(gateway: &Gateway, paths: &str, kind: Kind, agent: Value) -> Self {
        let url = |name| gateway.url(&format!("/{paths}-{name}"));
        let mut client = match kind {
            Kind::Translated => Client::connect(&url("translated")).await,
            // The grammar is of the translated ones.
            Kind::PassedThrough => Client::connect_to_mock(&url("passed")).await,
        };
        let [input, output] =
            [16_000, 24_000].map(|rate| json!({"encoding": "linear16", "sample_rate": rate}));
        client
            .send(&json!({"type": "Settings", "audio": {"input": input, "output": output}, "agent": agent}))
            .await;
        Self { client, seen: 0 }
    }

    /// Waits until each of these has come since the last time; the next time begins behind the last of them.
    async fn until(&mut self, wanted: &[&str]) {
        let from = self.seen;
        let all_came = |journal: &Journal| {
            let symbols: Vec<_> = journal.entries.iter().skip(from).map(told).collect();
            let is =
                |wanted: &str, told: &Option<Told>| told.as_ref().is_some_and(|told| told.symbol == wanted);
            let position = |wanted: &&str| symbols.iter().position(|told| is(wanted, told));
            wanted.iter().map(position).collect::<Option<Vec<_>>>()?.into_iter().max()
        };
        let last = self.client.wait_for(&format!("{wanted:?}"), s(10), all_came).await;
        self.seen += last + 1;
    }

    /// The question four times as fast as it was spoken, then silence of so many frames.
    async fn speak(&mut self, silence: usize) {
        let start = Instant::now();
        let question = QUESTION[WAV_HEADER_BYTES..].chunks(FRAME_BYTES).map(<[u8]>::to_vec);
        let frames = question.chain(std::iter::repeat_n(vec![0; FRAME_BYTES], silence));
        for (frame, index) in frames.zip(0..) {
            sleep_until(start + ms(5 * index)).await;
            self.client.send_binary(frame).await;
        }
    }

    async fn answer_call(&mut self) {
        let journal = self.client.journal();
        let (_, request) = journal.all("FunctionCallRequest").last().expect("the test has waited for it");
        let [id, name] = ["id", "name"].map(|field| &request["functions"][0][field]);
        self.client
            .send(&json!({"type": "FunctionCallResponse", "id": id, "name": name, "content": TIME}))
            .await;
    }

    /// Everything that has been looked at, audio that is not interrupted as one.
    fn told(&self) -> Vec<Told> {
        let mut all: Vec<_> = self.client.journal().entries.iter().take(self.seen).filter_map(told).collect();
        all.dedup_by(|next, told| next.symbol == AUDIO && told.symbol == AUDIO);
        all
    }
}

/// A message without what is measured or chosen anew each time.
fn told(entry: &crate::peers::journal::Entry) -> Option<Told> {
    let message = match &entry.what {
        What::Json(message) => message,
        What::Binary(_) => return Some(Told { symbol: AUDIO.to_owned(), detail: String::new() }),
        What::Text(text) => panic!("text that is no JSON: {text}"),
        What::Closed { .. } | What::Gone(_) => return None,
    };
    let calls = message["functions"].as_array().or_else(|| message["function_calls"].as_array());
    let (symbol, detail) = match (message["type"].as_str(), calls) {
        (Some(kind), Some(calls)) => {
            let [call] = calls.as_slice() else { panic!("not one call: {message}") };
            let detail = json!([call["name"], call["arguments"], call["response"]]);
            (format!("{kind}(client_side: {})", call["client_side"]), detail.to_string())
        }
        (Some("History"), None) => {
            (format!("History({})", message["role"].as_str().unwrap_or_default()), text(&message["content"]))
        }
        (Some("Error" | "Warning"), None) => (symbol(message), text(&message["code"])),
        _ => (symbol(message), text(&message["content"])),
    };
    Some(Told { symbol, detail })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn think(functions: Value) -> Value {
    json!({"provider": {"type": "open_ai", "model": "gpt-4o-mini"}, "prompt": "Be brief.", "functions": functions})
}

fn clock() -> Value {
    let parameters = json!({"type": "object", "properties": {}});
    json!([{"name": "get_current_time", "description": "The current time of day", "parameters": parameters}])
}

/// A greeting, a typed turn, a spoken one with a function call, another typed one, updates, the client's own words.
async fn long(gateway: &Gateway, kind: Kind) -> Vec<Told> {
    let agent = json!({"greeting": "Welcome to the bridge.", "think": think(clock())});
    let mut talk = Talk::begin(gateway, "fast", kind, agent).await;
    talk.until(&["SettingsApplied", "AgentAudioDone"]).await;
    talk.client.inject("Hello there").await;
    talk.until(&["LatencyReport"]).await;
    talk.speak(30).await;
    talk.until(&["FunctionCallRequest(client_side: true)", "History(user)"]).await;
    talk.answer_call().await;
    talk.until(&["LatencyReport"]).await;
    talk.client.send(&json!({"type": "KeepAlive"})).await;
    talk.client.inject("The bridge closes at noon.").await;
    talk.until(&["LatencyReport"]).await;
    talk.client.send(&json!({"type": "UpdatePrompt", "prompt": "Speak slowly."})).await;
    talk.until(&["PromptUpdated"]).await;
    talk.client.send(&json!({"type": "UpdateThink", "think": think(json!([]))})).await;
    talk.until(&["ThinkUpdated"]).await;
    let words = "It opens at one.";
    talk.client.send(&json!({"type": "InjectAgentMessage", "message": words, "behavior": "queue"})).await;
    talk.until(&["AgentAudioDone"]).await;
    talk.client.send(&json!({"type": "ForceEndTurn"})).await;
    talk.until(&["Warning"]).await;
    talk.told()
}

/// An answer that the user interrupts.
async fn interrupted(gateway: &Gateway, kind: Kind) -> Vec<Told> {
    let mut talk = Talk::begin(gateway, "slow", kind, json!({"think": think(json!([]))})).await;
    talk.until(&["SettingsApplied"]).await;
    talk.client.inject("The bridge closes at noon, and it opens at one.").await;
    talk.until(&["audio"]).await;
    talk.speak(0).await;
    talk.until(&["UserStartedSpeaking"]).await;
    talk.told()
}

/// A function that voxbridge runs.
async fn run_here(gateway: &Gateway, kind: Kind) -> Vec<Told> {
    let mut talk = Talk::begin(gateway, "server", kind, json!({"think": think(json!([]))})).await;
    talk.until(&["SettingsApplied"]).await;
    talk.client.inject("What time is it?").await;
    talk.until(&["LatencyReport"]).await;
    talk.told()
}

#[tokio::test]
async fn backends_differ_by_the_table_alone() {
    let application = Application::start(|_| Reply::content(TIME)).await;
    let route = format!(
        "[[functions.route]]\nnames = [\"get_current_time\"]\nurl = \"{}\"\ndescription = \"The current time of day\"\n",
        application.url()
    );
    let toml = "[server]\nhost = \"127.0.0.1\"\nport = 0\n[simulator]\nenabled = true\n".to_owned()
        + &route
        + &backends("fast", "audio_speed=20", "")
        + &backends("slow", "audio_speed=1", "")
        + &backends("server", "audio_speed=20", "function_calls = \"server\"");
    let gateway = Gateway::start(&toml).await;
    let [translated, passed_through] = [Kind::Translated, Kind::PassedThrough];
    let mut differences = Differences::of_readme();
    let mut compare = |name, (translated, passed_through): (Vec<Told>, Vec<Told>)| {
        let outcome = differences.explain(&translated, &passed_through);
        outcome.unwrap_or_else(|difference| panic!("{name}: {difference}"));
    };
    compare("long", join!(long(&gateway, translated), long(&gateway, passed_through)));
    compare("interrupted", join!(interrupted(&gateway, translated), interrupted(&gateway, passed_through)));
    compare("run here", join!(run_here(&gateway, translated), run_here(&gateway, passed_through)));
    assert!(differences.unseen().is_empty(), "never seen: {:?}", differences.unseen());
}
