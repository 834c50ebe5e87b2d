//! A whole conversation as data, for each kind of backend: a typed turn, a spoken one with audio both ways, a function
//! call, a barge-in. Both of its sides, and what each of them has received in the end. Knows no fault.

use std::sync::Arc;

use base64_simd::STANDARD;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::stage::Kind;
use crate::peers::frames::{self, FUNCTION};
use crate::peers::ms;
use crate::peers::raw::RawPeer;
use crate::peers::raw_frame::{BINARY, RawFrame, TEXT};
use crate::peers::sound::{counted, plain_settings};

/// 20 ms of 24 kHz.
const FRAME: usize = 960;
/// Half a second of speech.
const SPEECH: usize = 25;

/// One step; each side's wait for what it is to have received by now.
enum Step {
    Client(RawFrame),
    Upstream(RawFrame),
    /// Upstream confirms the item that it was sent last.
    Confirm,
    /// The client has had so many messages with this.
    ClientHas(&'static str, usize),
    UpstreamHas(&'static str, usize),
    /// So much audio in all, bytes.
    ClientHears(usize),
    /// So many frames of audio.
    UpstreamHears(usize),
    /// 20 ms after the one before, where the conversation has its natural pace.
    Beat,
}

use Step::{Beat, Client, ClientHas, ClientHears, Confirm, Upstream, UpstreamHas, UpstreamHears};

/// How far a conversation came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// A side is gone.
    Part,
    /// Everything but the close.
    Whole,
}

/// How fast speech comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tempo {
    Natural,
    Fast,
}

/// What a side has received: each message without what is measured or chosen anew every time.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Received {
    Said(Value),
    Heard(Vec<u8>),
}

/// Plays the conversation up to its end or that of a side.
pub(crate) async fn converse(
    kind: Kind,
    tempo: Tempo,
    client: &mut RawPeer,
    upstream: &mut RawPeer,
) -> Reached {
    let mut beat = Instant::now();
    for step in script(kind) {
        let goes_on = match step {
            Client(frame) => {
                client.send(&frame).await;
                true
            }
            Upstream(frame) => {
                upstream.send(&frame).await;
                true
            }
            Confirm => {
                let frame = confirmation(&upstream.data());
                upstream.send(&frame).await;
                true
            }
            ClientHas(part, count) => has(client, part, count).await,
            UpstreamHas(part, count) => has(upstream, part, count).await,
            ClientHears(bytes) => {
                let heard = |frames: &[Arc<RawFrame>]| {
                    let audio = frames.iter().filter(|frame| frame.opcode == BINARY);
                    audio.map(|frame| frame.payload.len()).sum::<usize>() >= bytes
                };
                client.comes_to("audio", heard).await
            }
            UpstreamHears(count) if kind == Kind::Translated => {
                has(upstream, "input_audio_buffer.append", count).await
            }
            UpstreamHears(count) => {
                let heard = |frames: &[Arc<RawFrame>]| {
                    frames.iter().filter(|frame| frame.opcode == BINARY).count() >= count
                };
                upstream.comes_to("audio", heard).await
            }
            Beat if tempo == Tempo::Natural => {
                beat = (beat + ms(20)).max(Instant::now());
                sleep_until(beat).await;
                true
            }
            Beat => true,
        };
        if !goes_on {
            return Reached::Part;
        }
    }
    Reached::Whole
}

/// What a side has received, in its order.
pub(super) fn received(peer: &RawPeer) -> Vec<Received> {
    let one = |frame: Arc<RawFrame>| match frame.opcode {
        TEXT => {
            let mut message = serde_json::from_slice(&frame.payload).expect("text is JSON");
            mask(&mut message);
            Received::Said(message)
        }
        _ => Received::Heard(frame.payload.clone()),
    };
    peer.data().into_iter().map(one).collect()
}

/// Takes out what is measured, and the ids that are the gateway's own.
fn mask(message: &mut Value) {
    let Some(members) = message.as_object_mut() else { return };
    for (name, value) in members.iter_mut() {
        let measured = name.ends_with("latency") || name == "audio_end_ms";
        let own = name == "event_id" || name == "request_id";
        if measured || own {
            *value = Value::Null;
        } else if name == "item" && value["role"] == "user" {
            value["id"] = Value::Null;
        }
    }
}

async fn has(peer: &RawPeer, part: &str, count: usize) -> bool {
    let said = |frames: &[Arc<RawFrame>]| frames.iter().filter(|frame| frame.says(part)).count() >= count;
    peer.comes_to(part, said).await
}

fn confirmation(frames: &[Arc<RawFrame>]) -> RawFrame {
    let item = frames.iter().rev().find(|frame| frame.says("conversation.item.create"));
    let item: Value =
        serde_json::from_slice(&item.expect("the script has waited for it").payload).expect("it is JSON");
    say(json!({"type": "conversation.item.added", "item": item["item"]}))
}

fn say(message: Value) -> RawFrame {
    RawFrame::text(&message.to_string())
}

fn script(kind: Kind) -> Vec<Step> {
    let mut settings = plain_settings();
    settings["agent"]["think"]["functions"] =
        json!([{"name": FUNCTION, "parameters": {"type": "object", "properties": {}}}]);
    let mut script = vec![Client(say(settings))];
    let inject = |text| Client(say(json!({"type": "InjectUserMessage", "content": text})));
    let answer = json!({"type": "FunctionCallResponse", "id": "call_1", "name": FUNCTION, "content": "noon"});
    let mut voice = Voice::of(kind);
    script.extend(voice.opening());
    script.push(inject("Hello"));
    script.extend(voice.answers_typed(1, "one", &[5 * FRAME]));
    for frame in counted(SPEECH * FRAME).chunks(FRAME) {
        script.extend([Beat, Client(RawFrame::binary(frame))]);
    }
    script.push(UpstreamHears(SPEECH));
    script.extend(voice.answers_speech("two", &[FRAME; SPEECH]));
    script.extend(voice.calls());
    script.push(Client(say(answer)));
    script.extend(voice.answers_output("three", &[5 * FRAME]));
    // All of it has been played when the next answer begins, however late it came.
    script.extend((0..40).map(|_| Beat));
    script.push(inject("Tell me more"));
    // The last of it has a second that nobody can have heard when the user speaks.
    script.extend(voice.is_interrupted("four", &[5 * FRAME, 50 * FRAME]));
    script.extend(voice.answers_speech("five", &[5 * FRAME]));
    script
}

/// Upstream's part, in the words of a kind of backend.
struct Voice {
    kind: Kind,
    responses: usize,
    requests: usize,
    heard: usize,
    interruptions: usize,
}

impl Voice {
    fn of(kind: Kind) -> Self {
        Self { kind, responses: 0, requests: 0, heard: 0, interruptions: 0 }
    }

    fn translated(&self) -> bool {
        self.kind == Kind::Translated
    }

    fn opening(&self) -> Vec<Step> {
        let mut steps = if self.translated() {
            vec![UpstreamHas("session.update", 1), Upstream(say(frames::session_updated()))]
        } else {
            let applied = say(json!({"type": "SettingsApplied"}));
            vec![UpstreamHas("\"Settings\"", 1), Upstream(applied)]
        };
        steps.push(ClientHas("SettingsApplied", 1));
        steps
    }

    /// The id of the answer that was begun last.
    fn id(&self) -> String {
        format!("resp_{}", self.responses)
    }

    /// A piece of that answer's audio.
    fn piece(&self, length: usize) -> RawFrame {
        let audio = counted(length);
        if !self.translated() {
            return RawFrame::binary(audio);
        }
        let id = self.id();
        say(json!({"type": "response.output_audio.delta", "response_id": id, "item_id": format!("item_{id}"),
            "delta": STANDARD.encode_to_string(audio)}))
    }

    /// The frames of an answer's beginning and its audio, which the client hears.
    fn audio(&mut self, pieces: &[usize]) -> Vec<Step> {
        self.responses += 1;
        self.heard += pieces.iter().sum::<usize>();
        let begins = if self.translated() {
            json!({"type": "response.created", "response": {"id": self.id()}})
        } else {
            json!({"type": "AgentStartedSpeaking", "total_latency": 0.5})
        };
        let pieces = pieces.iter().flat_map(|length| [Beat, Upstream(self.piece(*length))]);
        [Upstream(say(begins))].into_iter().chain(pieces).collect()
    }

    /// The frames of an answer's end.
    fn text(&self, status: &str, text: &str) -> Vec<Step> {
        if !self.translated() {
            let said = json!({"type": "ConversationText", "role": "assistant", "content": text});
            return vec![Upstream(say(said)), Upstream(say(json!({"type": "AgentAudioDone"})))];
        }
        let id = self.id();
        let content = json!([{"type": "output_audio", "transcript": text}]);
        let item = json!({"id": format!("item_{id}"), "type": "message", "role": "assistant", "status": "completed",
            "content": content});
        let response = json!({"id": id, "status": status, "output": [item]});
        vec![Upstream(say(json!({"type": "response.done", "response": response})))]
    }

    fn speaks(&mut self, text: &'static str, pieces: &[usize]) -> Vec<Step> {
        let mut steps = self.audio(pieces);
        steps.extend(self.text("completed", text));
        steps.extend([ClientHears(self.heard), ClientHas(text, 1)]);
        steps
    }

    /// The request for an answer to what was typed for the `count`th time has come.
    fn takes_typed(&mut self, count: usize) -> Vec<Step> {
        if !self.translated() {
            return vec![UpstreamHas("InjectUserMessage", count)];
        }
        self.requests += 1;
        vec![UpstreamHas("input_text", count), Confirm, UpstreamHas("response.create", self.requests)]
    }

    fn answers_typed(&mut self, count: usize, text: &'static str, pieces: &[usize]) -> Vec<Step> {
        let mut steps = self.takes_typed(count);
        steps.extend(self.speaks(text, pieces));
        steps
    }

    fn starts_speaking(&mut self) -> Vec<Step> {
        self.interruptions += 1;
        vec![Upstream(say(if self.translated() {
            frames::speech_started()
        } else {
            json!({"type": "UserStartedSpeaking"})
        }))]
    }

    /// The user has spoken, and is answered.
    fn answers_speech(&mut self, text: &'static str, pieces: &[usize]) -> Vec<Step> {
        // After an interruption he has begun already.
        let mut steps = if self.interruptions == 2 { Vec::new() } else { self.starts_speaking() };
        steps.push(ClientHas("UserStartedSpeaking", self.interruptions));
        if self.translated() {
            let transcript = frames::transcription_completed(&format!("item_speech_{text}"));
            let heard = [frames::speech_stopped(), frames::committed(), transcript];
            steps.extend(heard.map(|event| Upstream(say(event))));
        } else {
            let heard = json!({"type": "ConversationText", "role": "user", "content": "Hello world"});
            steps.push(Upstream(say(heard)));
        }
        steps.extend(self.speaks(text, pieces));
        steps
    }

    fn calls(&self) -> Vec<Step> {
        let call = if self.translated() {
            let item = json!({"id": "item_call_1", "type": "function_call", "status": "completed",
                "call_id": "call_1", "name": FUNCTION, "arguments": "{}"});
            let response = json!({"id": "resp_call", "status": "completed", "output": [item]});
            vec![
                Upstream(say(json!({"type": "response.created", "response": {"id": "resp_call"}}))),
                Upstream(say(json!({"type": "response.done", "response": response}))),
            ]
        } else {
            let function = json!({"id": "call_1", "name": FUNCTION, "arguments": "{}", "client_side": true});
            vec![Upstream(say(json!({"type": "FunctionCallRequest", "functions": [function]})))]
        };
        call.into_iter().chain([ClientHas("FunctionCallRequest", 1)]).collect()
    }

    fn answers_output(&mut self, text: &'static str, pieces: &[usize]) -> Vec<Step> {
        let mut steps = if self.translated() {
            self.requests += 1;
            vec![UpstreamHas("function_call_output", 1), UpstreamHas("response.create", self.requests)]
        } else {
            vec![UpstreamHas("FunctionCallResponse", 1)]
        };
        steps.extend(self.speaks(text, pieces));
        steps
    }

    /// An answer to what was typed, during which the user speaks.
    fn is_interrupted(&mut self, text: &'static str, pieces: &[usize]) -> Vec<Step> {
        let mut steps = self.takes_typed(2);
        let before = self.heard;
        let mut audio = self.audio(pieces);
        let stale = audio.split_off(audio.len() - 2);
        steps.extend(audio);
        steps.push(ClientHears(before + pieces[0]));
        steps.extend(stale);
        steps.extend(self.starts_speaking());
        steps.push(ClientHears(self.heard));
        if self.translated() {
            steps.push(UpstreamHas("conversation.item.truncate", 1));
            // What is still on its way is not the client's any more.
            steps.push(Upstream(self.piece(FRAME)));
            steps.extend(self.text("cancelled", text));
        }
        steps
    }
}
