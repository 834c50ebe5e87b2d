//! The ordering gate: the one place that decides what may be sent when.
//!
//! Pure: no socket, no clock, no task, no log. What happens comes in as an [`Input`] with the time, what
//! is to be done goes out as [`Effect`]s, and [`Gate::deadline`] says when to come back if nothing
//! happens. The rules are listed in [`Rule`]; the files here keep them:
//!
//! | File | Rules |
//! |---|---|
//! | `opening.rs` | R1 to R4: upstream's session from the dial to the greeting |
//! | `updates.rs` | R3: what the client changes in the session |
//! | `items.rs`, `wishes.rs` | R5 to R7: typed turns, and when a response is asked for |
//! | `model_call.rs`, `calls.rs`, `answers.rs`, `functions.rs` | R8, R9: function calls, and those that run here |
//! | `turn.rs`, `output.rs`, `latency.rs` | R10, R11: what a response gives the client |
//! | `agent_message.rs` | what the client has the agent say |
//! | `speech.rs`, `playback.rs` | R12, R13: the user's speech, and barge-in |
//! | `manual.rs`, `audio_in.rs` | R14: the user's audio, and committing it |
//! | `errors.rs` | R15 |
//! | `closing.rs`, `ending.rs` | R16 |
//! | `drain.rs` | the end of a turn, when the program is asked to stop |
//! | `pressure.rs`, `flow_control.rs` | what a leg that does not read does to the other; the latter is both gates' |
//! | `liveness.rs`, `message_rate.rs` | a peer that is silent, and a client that says too much |
//! | `events.rs`, `counts.rs` | the table of upstream's events, and how often some came |
//! | `input.rs`, `effect.rs`, `effect_rule.rs` | what the gate takes in, what it asks for, and by which rule |
//! | `outbox.rs`, `timers.rs`, `limits.rs` | what waits for a leg, and until when |
//! | `relay/` | the other gate, of connections that are passed through |

mod agent_message;
mod answers;
mod audio_in;
mod calls;
mod closing;
mod counts;
mod drain;
mod effect;
mod effect_rule;
mod ending;
mod errors;
mod events;
mod flow_control;
mod functions;
mod input;
mod items;
mod latency;
mod limits;
mod liveness;
mod manual;
mod message_rate;
mod model_call;
mod opening;
mod outbox;
mod output;
mod playback;
mod pressure;
mod relay;
mod rule;
mod sending;
mod speech;
mod timers;
mod turn;
mod updates;
mod wishes;

#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub use counts::Counts;
pub use effect::{BASE_WEIGHT, ClientFrame, Effect, FunctionRun, UpstreamFrame};
pub use effect_rule::{Occasion, Rules};
pub use ending::{CloseReason, Ending, Severity, sendable};
pub use input::{Input, Leg, LegEnd, UpstreamError};
pub use limits::Limits;
pub use outbox::WINDOW;
pub use relay::{Relay, Service};
pub use rule::Rule;

use crate::{
    config::{Backend, Dialect},
    protocol::{
        agent::{ClientMessage, Empty, Notice, ServerMessage},
        ids::{CallId, ItemId},
        shorten,
    },
    translate::{
        settings::{AudioPlan, TurnTaking},
        updates::{update_listen, update_prompt, update_speak, update_think},
    },
};
use calls::FunctionCalls;
use closing::Closing;
use flow_control::FlowControl;
use items::{Items, RecentIds};
use manual::ManualCommit;
use opening::Opening;
use outbox::{AudioMark, Outbox};
use playback::Playback;
use speech::Speech;
use timers::{Timer, Timers};
use turn::{Turn, Wish};
use updates::Updates;

/// The largest message that a client is sent, bytes: Deepgram's SDKs refuse more.
pub const CLIENT_MESSAGE_LIMIT: usize = 1024 * 1024;

/// Where a connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The socket or the Settings is still missing.
    Opening,
    /// Our `session.update` is on its way.
    Configuring,
    /// Upstream's session is open for input.
    Active,
    /// The end has been decided; what is queued goes out.
    Closing,
    /// Nothing more will happen.
    Closed,
}

/// The state machine of one connection.
pub struct Gate {
    backend: Arc<Backend>,
    limits: Limits,
    request_id: String,
    phase: Phase,
    component: bool,
    plan: AudioPlan,
    turns: TurnTaking,
    /// Whether the client gets `History` messages.
    history: bool,
    updates: Updates,
    opening: Opening,
    items: Items,
    wishes: Vec<Wish>,
    /// Wishes that the log has been told of, so that each is `Held` once and not with every input.
    wishes_noted: usize,
    turn: Turn,
    calls: FunctionCalls,
    shown_outputs: RecentIds<CallId>,
    given_items: RecentIds<ItemId>,
    /// What text events said last, as hashes: see [`items::hash_of`].
    event_texts: Vec<u64>,
    end_signals_owed: bool,
    speech: Speech,
    playback: Playback,
    manual: ManualCommit,
    /// Bytes of a sample that the user's audio has begun and not ended.
    odd_bytes: usize,
    held_idle_error: Option<Notice>,
    /// The connection ends with its turn.
    draining: bool,
    closing: Closing,
    timers: Timers,
    to_client: Outbox<ClientFrame>,
    to_upstream: Outbox<UpstreamFrame>,
    flow: FlowControl,
    sent_events: u64,
    counts: Counts,
    effects: Vec<Effect>,
    /// See [`deadline`](Self::deadline).
    due: Option<Instant>,
}

impl Gate {
    /// A gate for a connection to `backend`. `request_id` is what its `Welcome` says.
    pub fn new(backend: Arc<Backend>, limits: Limits, request_id: String) -> Self {
        Self {
            phase: Phase::Opening,
            component: backend.dialect == Dialect::Component,
            plan: AudioPlan::default(),
            turns: TurnTaking::from(&backend.turn_detection),
            history: false,
            updates: Updates::default(),
            opening: Opening::default(),
            items: Items::default(),
            wishes: Vec::new(),
            wishes_noted: 0,
            turn: Turn::default(),
            calls: FunctionCalls::default(),
            shown_outputs: RecentIds::default(),
            given_items: RecentIds::default(),
            event_texts: Vec::new(),
            end_signals_owed: false,
            speech: Speech::default(),
            playback: Playback::default(),
            manual: ManualCommit::default(),
            odd_bytes: 0,
            held_idle_error: None,
            draining: false,
            closing: Closing::default(),
            timers: Timers::default(),
            to_client: Outbox::default(),
            to_upstream: Outbox::default(),
            flow: FlowControl::new(&limits),
            sent_events: 0,
            counts: Counts::default(),
            effects: Vec::new(),
            due: None,
            backend,
            limits,
            request_id,
        }
    }

    /// Takes in one thing that happened and says what is to be done, in order.
    #[must_use = "the effects are the gate's only way to act"]
    pub fn handle(&mut self, input: Input, now: Instant) -> Vec<Effect> {
        if self.phase == Phase::Closed && Rule::CloseOnce.is_on() {
            return vec![Effect::Ignored(Rule::CloseOnce)];
        }
        // Most inputs come before anything is due, and there is much to be asked.
        if matches!(input, Input::Timeout) || self.due.is_some_and(|at| at <= now) {
            self.expire(now);
        }
        if !matches!(self.phase, Phase::Closing | Phase::Closed) {
            self.flow.hear(&input, &mut self.timers, now);
        }
        match input {
            Input::Timeout | Input::Heard(_) => (),
            Input::Delivered { leg, bytes } => self.delivered(leg, bytes, now),
            Input::ClientClosed(end) => self.client_closed(end, now),
            Input::UpstreamClosed { end, unix_s } => self.upstream_closed(end, unix_s, now),
            Input::UpstreamRefused(error) => self.upstream_refused(error, now),
            _ if self.phase == Phase::Closing && Rule::CloseOnce.is_on() => self.ignored(Rule::CloseOnce),
            Input::ClientConnected => self.client_connected(now),
            Input::ClientAlive => (),
            Input::Client(message) => self.client_message(message, now),
            Input::ClientAudio(audio) => self.client_audio(audio, now),
            Input::ClientMalformed(error) => self.client_malformed(&error),
            Input::UpstreamOpened => self.upstream_opened(now),
            Input::Upstream(event) => self.upstream_event(event, now),
            Input::UpstreamMalformed(error) => self.upstream_malformed(&error),
            Input::FunctionFinished { call_id, outcome } => self.function_finished(&call_id, outcome, now),
            Input::Squeeze(squeezed) => self.flow.squeeze(squeezed),
            Input::Overload => self.overload(now),
            Input::Drain => self.draining = true,
            Input::Shutdown => self.end(CloseReason::Shutdown, now),
            Input::ClientFrame(_) | Input::UpstreamFrame(_) => {
                debug_assert!(false, "the legs of a gate decode what they read");
            }
        }
        self.settle(now);
        self.due = self.next_deadline();
        std::mem::take(&mut self.effects)
    }

    /// When `Input::Timeout` is due. A late, early or repeated one does no harm.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    fn next_deadline(&self) -> Option<Instant> {
        let (reads_client, reads_upstream) = (self.flow.reads(Leg::Client), self.flow.reads(Leg::Upstream));
        let timers = self.timers.next(reads_upstream);
        if matches!(self.phase, Phase::Closing | Phase::Closed) {
            return timers;
        }
        let running = self.turn.running();
        let others = [
            self.items.deadline().filter(|_| reads_upstream),
            self.updates.deadline().filter(|_| reads_upstream),
            self.calls.deadline(reads_client).filter(|_| self.opening.session_open()),
            self.calls.end_deadline().filter(|_| reads_upstream),
            self.turn.deadline(self.patience()).filter(|_| reads_upstream),
            self.manual.deadline().filter(|_| !running),
        ];
        others.into_iter().flatten().chain(timers).min()
    }

    /// The phase, for logs.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Why the connection ended, once that is decided.
    pub fn close_reason(&self) -> Option<&CloseReason> {
        self.closing.reason()
    }

    /// What was passed over in silence so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// *T* of the rules: how long anything that upstream owes is waited for.
    fn patience(&self) -> Duration {
        self.backend.deferred_response_timeout
    }

    fn expire(&mut self, now: Instant) {
        self.expire_closing(now);
        self.expire_opening(now);
        self.expire_liveness(now);
        // What upstream says while it is not read cannot be missed.
        let read = self.flow.reads(Leg::Upstream) || Rule::OneActiveResponse.is_off();
        if read {
            self.expire_session_update(now);
        }
        if self.phase == Phase::Closing && Rule::CloseOnce.is_on() {
            return;
        }
        self.expire_calls(now);
        if read {
            self.expire_speech(now);
            self.expire_call_ends(now);
            self.expire_items(now);
            self.expire_updates(now);
            self.expire_responses(now);
        }
        self.expire_manual(now);
    }

    /// What follows from any input: wishes that may go now, queues that have room, legs to be paused.
    fn settle(&mut self, now: Instant) {
        // Once the end is decided nothing of this could have an effect.
        if !matches!(self.phase, Phase::Closing | Phase::Closed) {
            self.settle_calls();
            self.next_update(now);
            self.respond(now);
            self.wishes_noted = self.wishes.len();
            self.end_when_drained(now);
        }
        while let Some(frame) = self.to_client.next_frame() {
            self.effects.push(Effect::ToClient(frame));
        }
        if self.opening.socket_open() || Rule::SettingsFirst.is_off() {
            while let Some(frame) = self.to_upstream.next_frame() {
                self.effects.push(Effect::ToUpstream(frame));
            }
        }
        self.start_functions(now);
        self.balance(now);
        self.close_what_is_empty();
    }

    fn client_connected(&mut self, now: Instant) {
        self.effects.push(Effect::OpenUpstream);
        let request_id = self.request_id.clone();
        self.tell(ServerMessage::Welcome(crate::protocol::agent::Welcome { request_id }));
        self.timers.set(Timer::Settings, now + self.limits.settings_timeout);
        self.timers.set(Timer::Dial, now + limits::longest_dial(&self.backend));
        if let Some(longest) = self.limits.max_session {
            self.timers.set(Timer::SessionAge, now + longest);
        }
    }

    fn client_message(&mut self, message: ClientMessage, now: Instant) {
        match message {
            ClientMessage::Settings(settings) => self.settings(&settings, now),
            ClientMessage::KeepAlive(_) => (),
            ClientMessage::InjectUserMessage(_)
            | ClientMessage::InjectAgentMessage(_)
            | ClientMessage::ForceEndTurn(_)
            | ClientMessage::FunctionCallResponse(_)
            | ClientMessage::UpdatePrompt(_)
            | ClientMessage::UpdateThink(_)
            | ClientMessage::UpdateSpeak(_)
            | ClientMessage::UpdateListen(_) => self.when_open(message, now),
            ClientMessage::Unknown(unknown) if self.backend.allow_client_json_passthrough => {
                self.when_open(ClientMessage::Unknown(unknown), now);
            }
            ClientMessage::UpdateThinkLive(_)
            | ClientMessage::CustomToThinkProvider(_)
            | ClientMessage::Unknown(_) => {
                let kind = shorten(message.kind().to_owned());
                let description = format!("a message of type {kind:?} is not taken here");
                self.tell_error("disallowed_client_message_type", description);
            }
        }
    }

    /// Carries out a typed message, once the session is open for it.
    fn open_message(&mut self, message: ClientMessage, now: Instant) {
        match message {
            ClientMessage::InjectUserMessage(message) => self.inject(message.content, now),
            ClientMessage::ForceEndTurn(_) => self.force_end_turn(now),
            ClientMessage::FunctionCallResponse(answer) => self.client_answer(&answer, now),
            ClientMessage::InjectAgentMessage(message) => self.inject_agent_message(message, now),
            ClientMessage::UpdatePrompt(message) => {
                let change = update_prompt(&message, &self.backend);
                self.update(Ok(change), ServerMessage::PromptUpdated(Empty {}), now);
            }
            ClientMessage::UpdateThink(message) => {
                let change = update_think(&message, &self.backend);
                self.update(change, ServerMessage::ThinkUpdated(Empty {}), now);
            }
            ClientMessage::UpdateSpeak(message) => {
                let change = update_speak(&message, &self.backend);
                self.update(change, ServerMessage::SpeakUpdated(Empty {}), now);
            }
            ClientMessage::UpdateListen(message) => {
                let change = update_listen(&message, self.updates.transcription(), &self.backend);
                self.update(change, ServerMessage::ListenUpdated(Empty {}), now);
            }
            ClientMessage::Unknown(unknown) => self.push_upstream(UpstreamFrame::Raw(unknown.json)),
            other => debug_assert!(false, "{} does not wait for the session", other.kind()),
        }
    }
}
