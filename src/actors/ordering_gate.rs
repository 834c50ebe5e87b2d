//! The shell around the pure gate: takes a message as an `Input`, reads the clock once, carries out the
//! effects in order, and keeps one timer.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    rc::Rc,
    time::{Duration, Instant},
};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle,
    WrapFuture,
};

use log::Level;

use super::{
    ClientSocket, Drain, Shutdown, Trace,
    audio::AudioPath,
    budget::{Account, Part, Standing},
    client_reading::ReadSwitch,
    messages::{FromLeg, ToClient, ToUpstream},
    state_machine::StateMachine,
    witness::{Witness, WitnessParts},
};
use crate::{
    describe::leg_name,
    functions::{Call, ExecutorPool},
    gate::{ClientFrame, Effect, FunctionRun, Input, Leg, LegEnd, Phase, UpstreamFrame},
    logging::connection_log,
    metrics::FunctionMetrics,
    protocol::ids::CallId,
};

/// The actor.
pub struct OrderingGate {
    gate: StateMachine,
    parts: GateParts,
    audio: AudioPath,
    timer: Option<(Instant, SpawnHandle)>,
    /// Functions that run; stopping one that waits here cancels it.
    calls: HashMap<CallId, SpawnHandle>,
    witness: Witness,
    /// How the connection stood to the process's budget when the gate was last told.
    standing: Standing,
}

/// What the gate acts through.
pub(super) struct GateParts {
    pub(super) client: Recipient<ToClient>,
    pub(super) reading: Rc<ReadSwitch>,
    pub(super) socket: Option<ClientSocket>,
    pub(super) upstream: Recipient<ToUpstream>,
    /// What the connection holds of the process's budget.
    pub(super) account: Rc<Account>,
    pub(super) trace: Trace,
    /// Runs functions.
    pub(super) functions: ExecutorPool,
    /// Counts what becomes of them.
    pub(super) function_metrics: FunctionMetrics,
    /// The client's `traceparent` header, for the functions' applications.
    pub(super) traceparent: Option<String>,
    /// Dropped when the connection has ended.
    pub(super) on_end: Box<dyn std::any::Any>,
}

/// The timer of [`Gate::deadline`].
#[derive(Message)]
#[rtype(result = "()")]
struct Due;

/// The time, for the gate, which has no clock of its own.
#[allow(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn clock() -> Instant {
    Instant::now()
}

impl OrderingGate {
    pub(super) fn new(gate: StateMachine, parts: GateParts, witness: WitnessParts) -> Self {
        Self {
            gate,
            parts,
            audio: AudioPath::default(),
            timer: None,
            calls: HashMap::new(),
            witness: Witness::new(witness, clock()),
            standing: Standing::Ample,
        }
    }

    fn step(&mut self, input: Input, context: &mut Context<Self>) {
        self.handle(input, context);
        let standing = self.weigh();
        if standing != self.standing {
            self.standing = standing;
            self.handle(Input::Squeeze(standing != Standing::Ample), context);
            if standing == Standing::Over {
                self.handle(Input::Overload, context);
                // What it let go of is the others' at once, or they would have to go as well.
                self.weigh();
                // What a leg has of a message that is not whole goes as well, and no more of it may come.
                self.parts.reading.lose();
                self.to_upstream(ToUpstream::Forget, context);
            }
        }
    }

    /// Counts what the gate keeps, and says how the connection stands to the budget by that.
    fn weigh(&self) -> Standing {
        self.parts.account.hold(Part::Gate, self.gate.kept_bytes());
        self.parts.account.standing()
    }

    fn handle(&mut self, input: Input, context: &mut Context<Self>) {
        let now = clock();
        let seen = self.witness.input(&input, self.gate.phase(), now);
        let effects = self.gate.handle(input, now);
        self.witness.effects(seen, &self.gate, &effects);
        for effect in effects {
            self.carry_out(effect, context);
        }
        self.arm(context);
    }

    fn carry_out(&mut self, effect: Effect, context: &mut Context<Self>) {
        match effect {
            Effect::OpenUpstream => self.to_upstream(ToUpstream::Open, context),
            Effect::UseAudio(plan) => self.audio = AudioPath::new(plan),
            Effect::ToClient(frame) => self.client_frame(frame, context),
            Effect::ToUpstream(frame) => self.upstream_frame(frame, context),
            Effect::Pause(leg) => {
                connection_log!(Level::Debug, self.parts.trace, dir = leg_name(leg); "reading pauses");
                match leg {
                    Leg::Client => self.parts.reading.pause(),
                    Leg::Upstream => self.to_upstream(ToUpstream::Pause, context),
                }
            }
            Effect::Resume(leg) => {
                connection_log!(Level::Debug, self.parts.trace, dir = leg_name(leg); "reading goes on");
                match leg {
                    Leg::Client => self.parts.reading.resume(),
                    Leg::Upstream => self.to_upstream(ToUpstream::Resume, context),
                }
            }
            Effect::Execute(run) => self.execute(*run, context),
            Effect::CancelFunction(id) => {
                if let Some(call) = self.calls.remove(&id) {
                    context.cancel_future(call);
                }
            }
            Effect::Ping(Leg::Client) => self.to_client(ToClient::Ping, context),
            Effect::Ping(Leg::Upstream) => self.to_upstream(ToUpstream::Ping, context),
            Effect::Held(_) | Effect::Ignored(_) => (),
            Effect::RanOut(rule) => {
                connection_log!(Level::Error, self.parts.trace, rule:% = rule; "a wait ran out");
            }
            Effect::Close { leg: Leg::Client, code, reason } => {
                self.to_client(ToClient::Close { code, reason }, context);
            }
            Effect::Close { leg: Leg::Upstream, code, reason } => {
                self.to_upstream(ToUpstream::Close { code, reason }, context);
            }
            Effect::HangUp(Leg::Client) => {
                if let Some(socket) = &self.parts.socket {
                    socket.hang_up();
                }
            }
            Effect::HangUp(Leg::Upstream) => self.to_upstream(ToUpstream::HangUp, context),
            Effect::Finished => context.stop(),
        }
    }

    fn client_frame(&mut self, frame: ClientFrame, context: &mut Context<Self>) {
        let weight = frame.weight();
        match frame {
            ClientFrame::Message(message) => self.to_client(ToClient::Message { message, weight }, context),
            ClientFrame::Frame(frame) => self.to_client(ToClient::Frame { frame, weight }, context),
            ClientFrame::Audio(audio) => {
                let mut frames = self.audio.down(audio).peekable();
                // Audio that comes to nothing goes as an empty frame, so that it is delivered in its turn.
                let mut audio = frames.next().unwrap_or_default();
                self.witness.audio_to_client(&audio);
                while frames.peek().is_some() {
                    let first = std::mem::replace(&mut audio, frames.next().unwrap_or_default());
                    self.witness.audio_to_client(&audio);
                    self.to_client(ToClient::Audio { audio: first, weight: 0 }, context);
                }
                self.to_client(ToClient::Audio { audio, weight }, context);
            }
        }
    }

    fn upstream_frame(&mut self, frame: UpstreamFrame, context: &mut Context<Self>) {
        let weight = frame.weight();
        let message = match frame {
            UpstreamFrame::Event(event) => ToUpstream::Event { event, weight },
            UpstreamFrame::Raw(json) => ToUpstream::Raw { json, weight },
            UpstreamFrame::Frame(frame) => ToUpstream::Frame { frame, weight },
            UpstreamFrame::Audio { event_id, audio } => {
                ToUpstream::Append { event_id, audio: self.audio.up(audio), weight }
            }
            UpstreamFrame::Silence { event_id, length } => {
                ToUpstream::Append { event_id, audio: self.audio.silence(length), weight }
            }
        };
        self.to_upstream(message, context);
    }

    fn execute(&mut self, run: FunctionRun, context: &mut Context<Self>) {
        let FunctionRun { id, name, arguments, endpoint } = run;
        let traceparent = self.parts.traceparent.clone();
        let backend = Some(self.parts.trace.backend().to_owned());
        let trace = self.parts.trace.name().map(str::to_owned);
        let call =
            Call { id: id.clone(), name: name.clone(), arguments, backend, endpoint, trace, traceparent };
        let begun = clock();
        let counted = self.parts.function_metrics.begins(&name);
        let running = self.parts.functions.run(call);
        let outcome = async move { running?.await };
        let finished = id.clone();
        let finish = outcome.into_actor(self).map(move |outcome, this: &mut Self, context| {
            this.calls.remove(&finished);
            let took = clock().duration_since(begun);
            counted.ends(&outcome, took);
            this.witness.function(&finished, &name, took, &outcome);
            let outcome = outcome.map_err(|failure| failure.to_string());
            this.step(Input::FunctionFinished { call_id: finished, outcome }, context);
        });
        self.calls.insert(id, context.spawn(finish));
    }

    fn to_client(&self, message: ToClient, context: &mut Context<Self>) {
        if let Err(error) = self.parts.client.try_send(message) {
            self.lost(Leg::Client, &error.to_string(), context);
        }
    }

    fn to_upstream(&self, message: ToUpstream, context: &mut Context<Self>) {
        if let Err(error) = self.parts.upstream.try_send(message) {
            self.lost(Leg::Upstream, &error.to_string(), context);
        }
    }

    /// A leg takes no message: it is gone, and says so itself, or its mailbox is full, which the window
    /// rules out.
    fn lost(&self, leg: Leg, error: &str, context: &mut Context<Self>) {
        connection_log!(
            Level::Debug, self.parts.trace, dir = leg_name(leg), error = error;
            "takes no message"
        );
        let end = LegEnd::Vanished;
        context.notify(FromLeg(match leg {
            Leg::Client => Input::ClientClosed(end),
            Leg::Upstream => Input::UpstreamClosed { end, unix_s: 0 },
        }));
    }

    /// Keeps one timer at the gate's deadline. One that is early finds nothing to do and is set again.
    fn arm(&mut self, context: &mut Context<Self>) {
        let Some(deadline) = self.gate.deadline() else { return };
        if self.timer.as_ref().is_some_and(|(at, _)| *at <= deadline) {
            return;
        }
        if let Some((_, handle)) = self.timer.take() {
            context.cancel_future(handle);
        }
        let wait = deadline.saturating_duration_since(clock());
        // The timer counts in whole milliseconds and must not come before its time.
        let handle = context.notify_later(Due, wait + Duration::from_millis(1));
        self.timer = Some((deadline, handle));
    }
}

impl Actor for OrderingGate {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Self::Context) {
        if self.gate.phase() != Phase::Closed {
            // Only a panic ends the actor before the gate says so; then nobody is left to close the legs.
            connection_log!(Level::Error, self.parts.trace; "the gate died, both legs are cut");
            if let Some(socket) = &self.parts.socket {
                socket.hang_up();
            }
            // If its mailbox takes nothing it is on its way out already.
            let _ = self.parts.upstream.try_send(ToUpstream::HangUp);
        }
        self.parts.on_end = Box::new(());
    }
}

impl Handler<FromLeg> for OrderingGate {
    type Result = ();

    fn handle(&mut self, FromLeg(input): FromLeg, context: &mut Self::Context) {
        self.step(input, context);
    }
}

impl Handler<Due> for OrderingGate {
    type Result = ();

    fn handle(&mut self, _: Due, context: &mut Self::Context) {
        self.timer = None;
        self.step(Input::Timeout, context);
    }
}

impl Handler<Drain> for OrderingGate {
    type Result = ();

    fn handle(&mut self, _: Drain, context: &mut Self::Context) {
        self.step(Input::Drain, context);
    }
}

impl Handler<Shutdown> for OrderingGate {
    type Result = ();

    fn handle(&mut self, _: Shutdown, context: &mut Self::Context) {
        self.step(Input::Shutdown, context);
    }
}
