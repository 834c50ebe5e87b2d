//! A strict server of the Realtime protocol in simulated time: it refuses a second response, answers speech
//! by itself, and everything takes a while in both directions, so that all its races are the real ones.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::json;

use super::{
    scenario::{Action, Run, Scenario},
    words,
};
use crate::{
    gate::{ClientFrame, Effect, UpstreamFrame},
    protocol::{agent::ServerMessage, realtime::ClientEvent},
};

/// How long a response must be silent to be given up.
const GIVEN_UP_MS: u64 = 20_000;

/// What shapes a server's behaviour; any numbers do.
#[derive(Debug, Clone)]
pub(super) struct Character {
    /// On the way, each direction, ms.
    pub(super) latency_ms: u64,
    /// Between the events of one response, ms.
    pub(super) pace_ms: u64,
    /// What each response is, in turn: below 3 speech, 3 a call, 4 speech and a call, 5 a failure, else
    /// nothing ever comes of it.
    pub(super) responses: Vec<u8>,
    /// Whether it picks the ids of user items itself.
    pub(super) own_ids: bool,
    /// How long the client takes for each call, ms; 0 is never.
    pub(super) answers_ms: Vec<u64>,
    /// Whether speech interrupts it.
    pub(super) barge_in: bool,
}

/// What the world does besides.
#[derive(Debug, Clone, Copy)]
pub(super) enum Move {
    Inject,
    Microphone,
    Settings,
    /// The client has the agent say something, with this behavior.
    Say(&'static str),
    UpdatePrompt,
    UpdateVoice,
    SpeechStarts,
    SpeechStops,
}

/// Things that will happen, by the time and then in the order in which they were planned.
#[derive(Default)]
struct Agenda {
    entries: VecDeque<(u64, Event)>,
}

enum Event {
    /// The gate gets this from upstream.
    FromServer(Action),
    /// The server gets this from the gate.
    ToServer(ClientEvent),
    /// A step of the response with this number.
    Response(u32, Action),
    /// The last step of the response with this number.
    ResponseOver(u32, Action),
    /// The server answers the user's speech.
    AnswerSpeech,
    /// The client answers a call.
    Answer(String),
    /// A function that runs here is over.
    Finished(String),
}

impl Agenda {
    fn plan(&mut self, at_ms: u64, event: Event) {
        let place = self.entries.partition_point(|(at, _)| *at <= at_ms);
        self.entries.insert(place, (at_ms, event));
    }
}

/// The server with its wires, and the client that answers calls.
pub(super) struct World {
    pub(super) run: Run,
    character: Character,
    agenda: Agenda,
    now_ms: u64,
    speaking: bool,
    /// The number of the response that runs, and when it began.
    running: Option<u32>,
    running_since_ms: u64,
    begun: u32,
    items: u32,
    calls: usize,
    /// User items that no response has followed, by when they were made.
    unanswered_items: u32,
    /// Messages that the agent was to say.
    said: usize,
    /// It has given audio, so its voice is fixed.
    spoke: bool,
}

impl World {
    /// A world that begins after this much of `scenario`. The races that it loses it judges by itself.
    pub(super) fn new(scenario: Scenario, character: Character) -> Self {
        Self {
            run: Run::new(scenario.losing_races()),
            character,
            agenda: Agenda::default(),
            now_ms: 0,
            speaking: false,
            running: None,
            running_since_ms: 0,
            begun: 0,
            items: 0,
            calls: 0,
            unanswered_items: 0,
            said: 0,
            spoke: false,
        }
    }

    /// Something of the world's own happens.
    pub(super) fn happens(&mut self, at_ms: u64, what: Move) {
        self.pass(at_ms);
        match what {
            Move::Inject => {
                let text = format!("turn {}", self.items);
                self.tell_gate(words::inject(&text));
            }
            Move::Microphone => self.tell_gate(words::microphone(640)),
            Move::Settings => self.tell_gate(words::settings("{}")),
            Move::Say(behavior) => {
                self.said += 1;
                self.tell_gate(words::say(&format!("message {}", self.said), behavior));
            }
            Move::UpdatePrompt => self.tell_gate(words::update_prompt("More.")),
            Move::UpdateVoice => self.tell_gate(words::update_voice("cedar")),
            Move::SpeechStarts if !self.speaking => {
                self.speaking = true;
                self.emit(words::speech_started());
                if self.character.barge_in {
                    self.cancel();
                }
            }
            Move::SpeechStops if self.speaking => {
                self.speaking = false;
                self.emit(words::speech_stopped());
                self.agenda.plan(self.now_ms + self.character.pace_ms, Event::AnswerSpeech);
            }
            Move::SpeechStarts | Move::SpeechStops => (),
        }
    }

    /// Time passes for all of them.
    pub(super) fn pass(&mut self, to_ms: u64) {
        loop {
            let next = self.agenda.entries.front().map_or(u64::MAX, |(at, _)| *at).min(to_ms);
            // A timer that is due goes first: what it sends may be under way before the next event.
            if let Some(due) = self.run.due_ms().filter(|due| *due <= next) {
                self.now_ms = self.now_ms.max(due);
                let effects = self.run.pass(self.now_ms);
                self.carry_out(effects);
                continue;
            }
            self.now_ms = self.now_ms.max(next);
            if self.agenda.entries.front().is_none_or(|(at, _)| *at > to_ms) {
                return;
            }
            let (_, event) = self.agenda.entries.pop_front().expect("it was there just now");
            self.take(event);
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::FromServer(action) => self.tell_gate(action),
            Event::ToServer(event) => self.serve(event),
            Event::Response(number, action) if self.running == Some(number) => {
                self.spoke = true;
                self.emit(action);
            }
            Event::ResponseOver(number, action) if self.running == Some(number) => {
                self.running = None;
                self.emit(action);
            }
            Event::Response(..) | Event::ResponseOver(..) => (),
            Event::AnswerSpeech if self.running.is_none() && !self.speaking => self.respond(true),
            Event::AnswerSpeech => (),
            Event::Answer(call) => self.tell_gate(words::answer(&call, "done")),
            Event::Finished(call) if self.run.oracle.runs(&call) => {
                self.tell_gate(words::finished(&call, Ok("done")));
            }
            // It was stopped.
            Event::Finished(_) => (),
        }
    }

    fn tell_gate(&mut self, action: Action) {
        let effects = self.run.happen(self.now_ms, action);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        let arrives = self.now_ms + self.character.latency_ms;
        for effect in effects {
            match effect {
                Effect::ToUpstream(UpstreamFrame::Event(event)) => {
                    self.agenda.plan(arrives, Event::ToServer(*event));
                }
                Effect::ToClient(ClientFrame::Message(message)) => {
                    let ServerMessage::FunctionCallRequest(calls) = *message else { continue };
                    for call in calls.functions.into_iter().filter(|call| call.client_side) {
                        let takes = self.next_answer_ms();
                        if takes > 0 {
                            self.agenda.plan(self.now_ms + takes, Event::Answer(call.id.to_string()));
                        }
                    }
                }
                Effect::Execute(run) => {
                    let takes = self.next_answer_ms();
                    if takes > 0 {
                        self.agenda.plan(self.now_ms + takes, Event::Finished(run.id.to_string()));
                    }
                }
                _ => (),
            }
        }
    }

    fn next_answer_ms(&mut self) -> u64 {
        self.calls += 1;
        cycled(&self.character.answers_ms, self.calls - 1)
    }

    fn emit(&mut self, action: Action) {
        self.agenda.plan(self.now_ms + self.character.latency_ms, Event::FromServer(action));
    }

    fn serve(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::SessionUpdate(update) => {
                let session = update.session.expect("an update has a session");
                let voice = session.audio.and_then(|audio| audio.output).and_then(|output| output.voice);
                if voice.is_some() && self.spoke {
                    let id = update.event_id.expect("ours have ids");
                    return self.emit(words::error_for(id.as_str(), "cannot_update_voice"));
                }
                self.emit(words::session_updated());
            }
            ClientEvent::CreateItem(create) => {
                let item = create.item.expect("an item is created");
                if let Some(call) = &item.call_id {
                    self.emit(words::output_item("added", call.as_str()));
                    return self.emit(words::output_item("done", call.as_str()));
                }
                self.items += 1;
                self.unanswered_items += 1;
                let id = match self.character.own_ids {
                    true => format!("item_user_{}", self.items),
                    false => item.id.expect("ours have ids").to_string(),
                };
                let text = item.content.expect("a text")[0].text.clone().expect("a text");
                self.emit(words::user_item("added", &id, &text));
                self.emit(words::user_item("done", &id, &text));
            }
            ClientEvent::CreateResponse(create) if self.running.is_some() => {
                self.judge_race();
                let id = create.event_id.expect("ours have ids");
                self.emit(words::error_for(id.as_str(), "conversation_already_has_active_response"));
            }
            ClientEvent::CreateResponse(create) => {
                let choice = create.response.and_then(|response| response.tool_choice);
                self.respond(choice != Some("none".into()));
            }
            ClientEvent::CancelResponse(_) if self.running.is_some() => self.cancel(),
            ClientEvent::CancelResponse(_) => self.emit(words::error("response_cancel_not_active")),
            ClientEvent::TruncateItem(_) => (),
            other => panic!("{} is nothing that this session sends", other.kind()),
        }
    }

    /// The gate can lose a race only against what it does not know of: a response whose beginning crosses its
    /// request on the way, or one that it has given up.
    fn judge_race(&self) {
        let asked_at = self.now_ms - self.character.latency_ms;
        let known_at = self.running_since_ms + self.character.latency_ms;
        if (known_at..self.running_since_ms + GIVEN_UP_MS).contains(&asked_at) {
            self.run.fail("a response was asked for while one was known to run");
        }
    }

    fn cancel(&mut self) {
        if let Some(number) = self.running.take() {
            self.emit(words::done(&format!("resp_{number}"), "cancelled"));
        }
    }

    /// Begins a response, which from here on knows of every item so far.
    fn respond(&mut self, may_call: bool) {
        // In the end it only speaks, or call would follow call for ever.
        let kind = if self.begun < 12 { cycled(&self.character.responses, self.begun as usize) } else { 0 };
        let kind = if matches!(kind, 3 | 4) && !may_call { 0 } else { kind };
        self.begun += 1;
        self.unanswered_items = 0;
        let number = self.begun;
        self.running = Some(number);
        self.running_since_ms = self.now_ms;
        let (response, item, call) =
            (format!("resp_{number}"), format!("item_{number}"), format!("call_{number}"));
        self.emit(words::created(&response));
        let text = format!("answer {number}");
        let speech = [
            words::message_added(&response, &item),
            words::transcript_delta(&response, &item, &text),
            words::audio(&response, &item, 960),
            words::transcript_done(&response, &item, &text),
            words::audio_done(&response, &item),
            words::agent_item("done", &item, &text),
        ];
        let calls = [
            words::call_added(&response, 1, &call, "f"),
            words::call_done(&response, 1, &call, "f", "completed"),
        ];
        let failed = json!({"status": "failed", "status_details": {"error": {"code": "server_error"}}});
        let (steps, end): (Vec<Action>, Option<Action>) = match kind {
            0..3 => (speech.into(), Some(words::done(&response, "completed"))),
            3 => (calls.into(), Some(words::done(&response, "completed"))),
            4 => (speech.into_iter().chain(calls).collect(), Some(words::done(&response, "completed"))),
            5 => (vec![], Some(words::done_with(&response, failed))),
            _ => (vec![], None),
        };
        let mut at_ms = self.now_ms;
        for step in steps {
            at_ms += self.character.pace_ms;
            self.agenda.plan(at_ms, Event::Response(number, step));
        }
        match end {
            Some(end) => {
                self.agenda.plan(at_ms + self.character.pace_ms, Event::ResponseOver(number, end));
            }
            // It is lost: upstream itself gives it up only after the gate has.
            None => {
                let end = words::done(&response, "cancelled");
                self.agenda.plan(at_ms + 30_000, Event::ResponseOver(number, end));
            }
        }
    }

    /// Every message for the agent was spoken once, or something told the client why not.
    pub(super) fn judge_messages(&self) {
        let mut spoken = HashMap::new();
        let mut reasons = 0;
        for message in self.run.client_messages() {
            match message {
                ServerMessage::ConversationText(text) if text.content.starts_with("message ") => {
                    *spoken.entry(text.content.clone()).or_insert(0) += 1;
                }
                ServerMessage::InjectionRefused(_) | ServerMessage::Warning(_) | ServerMessage::Error(_) => {
                    reasons += 1;
                }
                _ => (),
            }
        }
        if spoken.values().any(|times| *times > 1) {
            self.run.fail("a message for the agent is spoken once");
        }
        // One that upstream spoke while an answer of its own was taken for it has upstream's wording, which
        // here is any text.
        let asked: HashSet<_> = self.run.upstream_events().filter_map(verbatim).collect();
        if self.said - asked.len() > reasons {
            self.run.fail("a message that is not spoken is not lost in silence");
        }
    }

    /// Whether a user item is still without a response that began after it.
    pub(super) fn has_unanswered_items(&self) -> bool {
        self.unanswered_items > 0
    }

    /// The user stops speaking, and everything has the time it needs.
    pub(super) fn come_to_rest(&mut self) {
        self.happens(self.now_ms, Move::SpeechStops);
        self.pass(self.now_ms + 1_500_000);
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms
    }
}

/// The message that a response is asked to speak.
fn verbatim(event: &ClientEvent) -> Option<&str> {
    let ClientEvent::CreateResponse(create) = event else { return None };
    create.response.as_ref()?.instructions.as_ref()?.lines().last()
}

fn cycled<T: Copy>(list: &[T], n: usize) -> T {
    list[n % list.len()]
}
