//! A tally that looks on at a real gate or relay: what it says must be what went through.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::{
    config::{Backend, BackendUrl, FunctionCalls, Functions, Route, Target},
    gate::{Gate, Leg, LegEnd, Limits, Phase, Relay},
    protocol::{Frame, Opcode, realtime::ServerEvent},
};

/// What a tally looks on at.
enum Machine {
    Gate(Box<Gate>),
    Relay(Box<Relay>),
}

struct Connection {
    machine: Machine,
    tally: Tally,
    now: Instant,
    reports: Vec<Report>,
}

fn backend(function: Option<&str>) -> Arc<Backend> {
    let mut backend = Backend::new("b", "/b", BackendUrl::SelfPath("/".to_owned()));
    if let Some(name) = function {
        let url = "http://h/".parse().expect("a url");
        let routes = vec![Route::new(vec![name.to_owned()], Target::Url(url))];
        backend.function_calls =
            FunctionCalls::Server(Arc::new(Functions { routes, ..Functions::default() }));
    }
    Arc::new(backend)
}

impl Connection {
    /// A translated one, of which a function of this name runs here.
    fn translated(function: Option<&str>) -> Self {
        let backend = backend(function);
        let limits = Limits::new(&backend, Duration::from_secs(60));
        let gate = Gate::new(backend, limits, "r".to_owned());
        Self::of(Machine::Gate(Box::new(gate)), Tally::default())
    }

    /// The same after the opening.
    fn open(function: Option<&str>, settings: Value) -> Self {
        let mut connection = Self::translated(function);
        connection.client(settings);
        connection.upstream(json!({"type": "session.created", "session": {"model": "m"}}));
        connection.upstream(json!({"type": "session.updated", "session": {}}));
        connection
    }

    fn passed_through(service: Service, url: &str, function: Option<&str>) -> Self {
        let backend = backend(function);
        let limits = Limits::new(&backend, Duration::from_secs(60));
        let relay = Relay::new(backend, limits, service);
        Self::of(Machine::Relay(Box::new(relay)), Tally::passed_through(service, url))
    }

    fn of(machine: Machine, tally: Tally) -> Self {
        let mut connection = Self { machine, tally, now: Instant::now(), reports: Vec::new() };
        connection.take(Input::ClientConnected);
        connection.take(Input::UpstreamOpened);
        connection
    }

    /// As the shell does it; what is sent is delivered at once.
    fn take(&mut self, input: Input) -> Vec<Effect> {
        self.reports.extend(self.tally.input(&input, self.now).map(|report| *report));
        let effects = match &mut self.machine {
            Machine::Gate(gate) => gate.handle(input, self.now),
            Machine::Relay(relay) => relay.handle(input, self.now),
        };
        self.tally.effects(&effects, self.now);
        for effect in &effects {
            let (leg, bytes) = match effect {
                Effect::ToClient(frame) => (Leg::Client, frame.weight()),
                Effect::ToUpstream(frame) => (Leg::Upstream, frame.weight()),
                _ => continue,
            };
            self.take(Input::Delivered { leg, bytes });
        }
        effects
    }

    fn client(&mut self, message: Value) -> Vec<Effect> {
        let message = ClientMessage::decode(&message.to_string(), |_| ()).expect("a message");
        self.take(Input::Client(message))
    }

    fn upstream(&mut self, event: Value) -> Vec<Effect> {
        let event = ServerEvent::decode(&event.to_string()).expect("an event").event;
        self.take(Input::Upstream(event))
    }

    fn microphone(&mut self, bytes: usize) {
        self.take(Input::ClientAudio(Bytes::from(vec![0; bytes])));
    }

    /// A whole response that says something.
    fn says(&mut self, id: &str, audio: usize) {
        self.upstream(json!({"type": "response.created", "response": {"id": id}}));
        let audio = base64_simd::STANDARD.encode_to_string(vec![0; audio]);
        let (response_id, item_id) = (id, format!("item_{id}"));
        self.upstream(
            json!({"type": "response.output_audio.delta", "response_id": response_id, "item_id": item_id,
            "delta": audio}),
        );
        self.upstream(json!({"type": "response.output_audio_transcript.done", "response_id": response_id,
            "item_id": item_id, "transcript": "text"}));
        self.done(id, json!({"input_tokens": 10, "output_tokens": 3}));
    }

    /// A whole response that calls a function.
    fn calls(&mut self, id: &str, call: &str, name: &str) {
        self.upstream(json!({"type": "response.created", "response": {"id": id}}));
        let item = json!({"id": format!("item_{id}"), "type": "function_call", "status": "completed", "name": name,
            "call_id": call, "arguments": "{}"});
        let done = json!({"type": "response.done", "response": {"id": id, "status": "completed", "output": [item],
            "usage": {"input_tokens": 10, "output_tokens": 3}}});
        self.upstream(done);
    }

    fn done(&mut self, id: &str, usage: Value) {
        let response = json!({"id": id, "status": "completed", "usage": usage});
        self.upstream(json!({"type": "response.done", "response": response}));
    }

    fn text(&mut self, from: Leg, text: &Value) {
        self.frame(from, Frame::text(text.to_string()));
    }

    fn frame(&mut self, from: Leg, frame: Frame) {
        self.take(match from {
            Leg::Client => Input::ClientFrame(frame),
            Leg::Upstream => Input::UpstreamFrame(frame),
        });
    }

    fn totals(&self) -> &Totals {
        self.tally.totals()
    }
}

fn settings() -> Value {
    json!({"type": "Settings", "flags": {"history": false}, "audio": {
        "input": {"encoding": "mulaw", "sample_rate": 8000}, "output": {"encoding": "linear16", "sample_rate": 16000}}})
}

fn inject() -> Value {
    json!({"type": "InjectUserMessage", "content": "hi"})
}

/// The user types, and upstream confirms the item.
fn types(connection: &mut Connection) {
    let effects = connection.client(inject());
    let sent = effects.iter().find_map(|effect| match effect {
        Effect::ToUpstream(UpstreamFrame::Event(event)) => match &**event {
            ClientEvent::CreateItem(create) => create.item.clone(),
            _ => None,
        },
        _ => None,
    });
    connection.upstream(json!({"type": "conversation.item.added", "item": sent.expect("an item goes up")}));
}

#[test]
fn audio_counts_by_the_formats_of_both_sides_and_also_what_came_before_they_were_known() {
    let mut connection = Connection::translated(None);
    connection.microphone(4_000);
    assert_eq!(connection.totals().audio_in.duration(), None);
    connection.client(settings());
    connection.microphone(2_000);
    connection.upstream(json!({"type": "session.updated", "session": {}}));
    connection.microphone(2_000);
    let Totals { audio_in, .. } = connection.totals();
    assert_eq!((audio_in.bytes(), audio_in.duration()), (8_000, Some(Duration::from_secs(1))));
    // Upstream speaks 24 kHz, whatever the client hears.
    connection.says("resp_1", 24_000);
    assert_eq!(connection.totals().audio_out.duration(), Some(Duration::from_millis(500)));
}

#[test]
fn a_connection_without_settings_has_audio_of_no_known_length() {
    let mut connection = Connection::translated(None);
    connection.microphone(4_000);
    connection.take(Input::ClientClosed(LegEnd::Vanished));
    let Totals { audio_in, audio_out, .. } = connection.totals();
    assert_eq!((audio_in.bytes(), audio_in.duration()), (4_000, None));
    assert_eq!(audio_out.duration(), Some(Duration::ZERO));
}

#[test]
fn audio_that_an_interruption_drops_was_not_sent_and_what_it_cost_counts() {
    let mut connection = Connection::open(None, settings());
    connection.upstream(json!({"type": "response.created", "response": {"id": "resp_1"}}));
    let delta = |bytes| {
        let audio = base64_simd::STANDARD.encode_to_string(vec![0; bytes]);
        json!({"type": "response.output_audio.delta", "response_id": "resp_1", "item_id": "i", "delta": audio})
    };
    connection.upstream(delta(4_800));
    connection.upstream(json!({"type": "input_audio_buffer.speech_started", "item_id": "u"}));
    connection.upstream(delta(48_000));
    connection.done("resp_1", json!({"output_tokens": 22}));
    let Totals { audio_out, responses, tokens, .. } = connection.totals();
    assert_eq!((audio_out.bytes(), *responses, tokens.of(TokenKind::Output)), (4_800, 1, Some(22)));
}

#[test]
fn what_upstream_reports_counts_when_the_gate_heeds_it_no_more_and_once() {
    let mut connection = Connection::open(None, settings());
    connection.upstream(json!({"type": "response.created", "response": {"id": "resp_1"}}));
    connection.take(Input::ClientClosed(LegEnd::Vanished));
    let Machine::Gate(gate) = &connection.machine else { unreachable!("it is translated") };
    assert_eq!(gate.phase(), Phase::Closing);
    for _ in 0..2 {
        connection.done("resp_1", json!({"input_tokens": 10, "output_tokens": 3}));
    }
    // No response of this id was ever begun, and then one that has none.
    connection.done("resp_7", json!({"input_tokens": 1}));
    connection.upstream(json!({"type": "response.done", "response": {"usage": {"input_tokens": 2}}}));
    let done = json!({"type": "conversation.item.input_audio_transcription.completed", "item_id": "u",
        "usage": {"type": "duration", "seconds": 1.5}});
    connection.upstream(done.clone());
    connection.upstream(done);
    let Totals { responses, tokens, transcriptions, transcribed, .. } = connection.totals();
    assert_eq!(
        (*responses, tokens.of(TokenKind::Input), tokens.of(TokenKind::Output)),
        (3, Some(13), Some(3))
    );
    assert_eq!((*transcriptions, *transcribed), (1, Duration::from_millis(1_500)));
    let models: Vec<_> = connection
        .reports
        .iter()
        .map(|report| match report {
            Report::Response(response) => response.model.as_deref(),
            Report::Transcription(transcription) => transcription.model.as_deref(),
        })
        .collect();
    assert_eq!(models, [Some("m"), Some("m"), Some("m"), None]);
}

#[test]
fn a_damaged_usage_harms_nothing() {
    let mut connection = Connection::open(None, settings());
    for usage in [json!(7), json!([]), json!({"input_tokens": [], "total_tokens": -1}), json!(null)] {
        connection.done("", usage);
    }
    assert_eq!(connection.totals().responses, 1);
    connection.upstream(json!({"type": "response.done", "response": "no object"}));
    assert_eq!((connection.totals().responses, connection.totals().tokens.is_empty()), (2, true));
}

#[test]
fn a_greeting_is_no_turn_and_an_answer_with_a_function_call_is_one() {
    let mut connection = Connection::open(None, settings());
    connection.says("resp_0", 960);
    assert_eq!(connection.totals().turns, 0);
    types(&mut connection);
    connection.calls("resp_1", "call_1", "f");
    connection.client(json!({"type": "FunctionCallResponse", "id": "call_1", "name": "f", "content": "x"}));
    connection.says("resp_2", 960);
    assert_eq!(connection.totals().turns, 1);
    connection.says("resp_3", 960);
    assert_eq!(connection.totals().turns, 1, "nothing was said in between");
    connection.upstream(json!({"type": "input_audio_buffer.speech_started", "item_id": "u"}));
    connection.upstream(json!({"type": "input_audio_buffer.speech_stopped", "item_id": "u"}));
    assert_eq!(connection.totals().turns, 1, "nothing was answered yet");
    connection.says("resp_4", 960);
    assert_eq!(connection.totals().turns, 2);
}

#[test]
fn a_turn_that_is_ended_by_hand_counts() {
    let manual = json!({"type": "Settings", "flags": {"history": false}, "agent": {"useOpenAIManualAudioCommit": true}});
    let mut connection = Connection::open(None, manual);
    connection.microphone(64_000);
    connection.now += Duration::from_secs(1);
    connection.take(Input::Timeout);
    connection.says("resp_1", 960);
    assert_eq!(connection.totals().turns, 1);
}

#[test]
fn calls_count_when_they_are_handed_out_and_answers_when_they_are_taken() {
    let mut connection = Connection::open(Some("here"), settings());
    connection.calls("resp_1", "call_1", "elsewhere");
    connection.calls("resp_2", "call_2", "here");
    let answer = |id: &str| json!({"type": "FunctionCallResponse", "id": id, "name": "f", "content": "x"});
    for id in ["call_1", "call_1", "call_7"] {
        connection.client(answer(id));
    }
    for _ in 0..2 {
        connection.take(Input::FunctionFinished { call_id: "call_2".into(), outcome: Ok("x".to_owned()) });
    }
    let Totals { function_calls, client_answers, server_answers, .. } = connection.totals();
    assert_eq!((*function_calls, *client_answers, *server_answers), (2, 1, 1));
}

#[test]
fn a_passed_through_agent_is_known_by_its_frames() {
    let mut connection =
        Connection::passed_through(Service::Agent, "wss://h/v1/agent/converse", Some("here"));
    connection.frame(Leg::Client, Frame::binary(vec![0; 4_000]));
    connection.text(Leg::Client, &settings());
    // Of a message in fragments each frame counts.
    let first = Frame { last: false, ..Frame::binary(vec![0; 2_000]) };
    let last = Frame { opcode: Opcode::Continuation, ..Frame::binary(vec![0; 2_000]) };
    connection.frame(Leg::Client, first);
    connection.frame(Leg::Client, last);
    connection.text(Leg::Client, &inject());
    for (n, text) in [
        json!({"type": "ConversationText", "role": "user", "content": "hi"}),
        json!({"type": "ConversationText", "role": "assistant", "content": "hello"}),
    ]
    .iter()
    .enumerate()
    {
        connection.text(Leg::Upstream, text);
        assert_eq!(connection.totals().turns, n as u64);
    }
    connection.frame(Leg::Upstream, Frame::binary(vec![0; 16_000]));
    let call = |id: &str, name: &str| json!({"id": id, "name": name, "arguments": "{}", "client_side": true});
    let functions = [call("1", "elsewhere"), call("2", "here"), call("3", "elsewhere")];
    connection.text(Leg::Upstream, &json!({"type": "FunctionCallRequest", "functions": functions}));
    for id in ["1", "2"] {
        connection.text(
            Leg::Client,
            &json!({"type": "FunctionCallResponse", "id": id, "name": "f", "content": ""}),
        );
    }
    connection.take(Input::FunctionFinished { call_id: "2".into(), outcome: Err("x".to_owned()) });
    let Totals { turns, audio_in, audio_out, function_calls, client_answers, server_answers, .. } =
        connection.totals();
    assert_eq!((audio_in.bytes(), audio_in.duration()), (8_000, Some(Duration::from_secs(1))));
    assert_eq!((audio_out.bytes(), audio_out.duration()), (16_000, Some(Duration::from_millis(500))));
    assert_eq!((*turns, *function_calls, *client_answers, *server_answers), (1, 3, 1, 1));
    assert!(connection.totals().tokens.is_empty());
}

#[test]
fn formats_that_tell_no_length_leave_it_open() {
    for (audio, seconds) in [
        (
            json!({"input": {"encoding": "ogg-opus", "sample_rate": 48000}, "output": {"encoding": "mp3"}}),
            [None; 2],
        ),
        (json!({"output": {"encoding": "linear16", "sample_rate": 24000, "container": "wav"}}), [None; 2]),
        (json!({"output": {"container": "none"}}), [None, Some(1)]),
        (json!({"input": {"encoding": "linear32", "sample_rate": 12000}}), [Some(1), Some(1)]),
        (json!({"input": {"encoding": "linear16"}, "output": {"sample_rate": 0}}), [None; 2]),
        (json!(null), [None, Some(1)]),
    ] {
        let mut connection = Connection::passed_through(Service::Agent, "wss://h", None);
        connection.text(Leg::Client, &json!({"type": "Settings", "audio": audio}));
        connection.frame(Leg::Client, Frame::binary(vec![0; 48_000]));
        connection.frame(Leg::Upstream, Frame::binary(vec![0; 48_000]));
        let Totals { audio_in, audio_out, .. } = connection.totals();
        let expected = seconds.map(|seconds| seconds.map(Duration::from_secs));
        assert_eq!([audio_in.duration(), audio_out.duration()], expected, "{audio}");
        assert_eq!((audio_in.bytes(), audio_out.bytes()), (48_000, 48_000));
    }
}

#[test]
fn of_transcription_only_audio_is_counted() {
    let service = Service::Transcription(crate::config::ListenVersion::V1);
    let url = "wss://h/v1/listen?encoding=linear16&sample_rate=16000&channels=2";
    let mut connection = Connection::passed_through(service, url, None);
    connection.frame(Leg::Client, Frame::binary(vec![0; 64_000]));
    connection.text(Leg::Client, &inject());
    for kind in ["ConversationText", "ConversationText", "AgentStartedSpeaking"] {
        connection.text(Leg::Upstream, &json!({"type": kind}));
    }
    let Totals { turns, audio_in, audio_out, .. } = connection.totals();
    assert_eq!((*turns, audio_in.duration()), (0, Some(Duration::from_secs(1))));
    assert_eq!(audio_out.bytes(), 0);
}
