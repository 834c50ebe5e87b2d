//! What looks on at a connection, step by step: its log lines, its metrics, its recording and what it comes to. Decides
//! nothing, and nothing that happens to it is felt by the connection.

#[cfg(test)]
mod tests;

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use log::Level;

use super::{Trace, state_machine::StateMachine};
use crate::{
    config::Scrubber,
    describe::{Step, describe_ending, milliseconds},
    functions::Outcome,
    gate::{CloseReason, Effect, Input, Leg, Phase, Severity},
    logging::{Fields, connection_log},
    metrics::SessionMetrics,
    protocol::{ids::CallId, shorten},
    recording::{Recorder, Stopped},
    tally::Tally,
    usage_log::{Source, UsageLog},
};

/// The cause of a connection that was cut with everything else, before its gate could give one.
const CUT: &str = "cut";

pub(super) struct Witness {
    parts: WitnessParts,
    opened: Instant,
    /// When it saw something last.
    seen: Instant,
    steps: u64,
    ended: bool,
}

/// What the witness tells, and whom.
pub(super) struct WitnessParts {
    pub(super) trace: Trace,
    pub(super) log_content: bool,
    /// What upstream may quote, of frames that are passed through, stands in no line.
    pub(super) scrubber: Rc<Scrubber>,
    /// Counts what the connection comes to.
    pub(super) tally: Tally,
    /// Counts what all connections of the backend come to.
    pub(super) metrics: SessionMetrics,
    /// Where that is written.
    pub(super) usage_log: UsageLog,
    /// The configured model.
    pub(super) model: Option<String>,
    /// Writes down each step; none if nothing is recorded.
    pub(super) recorder: Option<Box<Recorder>>,
}

/// What was seen of a step before the gate took its input.
pub(super) struct Seen {
    now: Instant,
    phase: Phase,
    step: Option<Box<Step>>,
}

impl Witness {
    /// Looks on at a connection that begins now.
    pub(super) fn new(parts: WitnessParts, opened: Instant) -> Self {
        Self { parts, opened, seen: opened, steps: 0, ended: false }
    }

    /// The gate is about to take this.
    pub(super) fn input(&mut self, input: &Input, phase: Phase, now: Instant) -> Seen {
        self.steps += 1;
        self.seen = now;
        if let Some(report) = self.parts.tally.input(input, now) {
            self.parts.metrics.reported(&report);
            self.write_usage(|source, model| source.reported(&report, model));
        }
        let WitnessParts { tally, metrics, .. } = &mut self.parts;
        metrics.input(input, now);
        if let Some(answered) = tally.take_answered() {
            metrics.answered(&answered);
        }
        let t = now.duration_since(self.opened);
        self.record(|recorder| recorder.input(input, t));
        // Whether it is of interest shows in what follows; above debug no step is.
        let step = log::log_enabled!(Level::Debug)
            .then(|| Box::new(Step::begin(self.steps, t, phase, input, self.parts.log_content)));
        Seen { now, phase, step }
    }

    /// The gate, which is now like this, answered with these effects; none has been carried out yet.
    pub(super) fn effects(&mut self, seen: Seen, gate: &StateMachine, effects: &[Effect]) {
        let Seen { now, phase: before, step } = seen;
        let WitnessParts { tally, metrics, .. } = &mut self.parts;
        tally.effects(effects, now);
        for effect in effects {
            metrics.effect(effect, now);
        }
        metrics.audio(tally.totals(), now);
        self.record(|recorder| recorder.effects(effects));
        let after = gate.phase();
        if let Some(step) = step {
            let level = step.level(after, effects);
            connection_log!(level, self.parts.trace, ..self.without_keys(step.end(after, effects)); "");
        }
        if before != after && after == Phase::Active {
            let after_ms = milliseconds(now.duration_since(self.opened));
            connection_log!(Level::Info, self.parts.trace, after_ms = after_ms; "session active");
        }
        if effects.contains(&Effect::Finished) {
            self.count_end(gate, now);
            self.log_end(gate, now);
            self.write_end(gate.close_reason().map_or(CUT, CloseReason::name));
            if let Some(recorder) = self.parts.recorder.take() {
                recorder.end();
            }
        }
    }

    /// A function that ran here is over. What the application said is content, also where it is an error; the kind of a
    /// failure is not.
    pub(super) fn function(&self, id: &CallId, name: &str, took: Duration, outcome: &Outcome) {
        let (function, call) = (shorten(name.to_owned()), shorten(id.to_string()));
        let (level, outcome) = match outcome {
            Ok(content) => {
                (Level::Info, Fields::default().with("outcome", "ok").with("bytes", content.len()))
            }
            Err(failure) => (failure.log_level(), failure.fields()),
        };
        connection_log!(
            level, self.parts.trace,
            function = function, call = call, duration_ms = milliseconds(took), ..outcome;
            "function ended"
        );
    }

    fn write_end(&mut self, cause: &str) {
        self.ended = true;
        let lived = self.seen.duration_since(self.opened);
        self.write_usage(|source, _| source.ended(cause, lived, self.parts.tally.totals()));
    }

    /// What upstream calls things quotes no key any more: its leg has taken them out.
    fn write_usage(&self, line: impl FnOnce(Source<'_>, Option<&str>) -> String) {
        let WitnessParts { trace, usage_log, model, .. } = &self.parts;
        if usage_log.is_on() {
            usage_log.write(line(trace.source(), model.as_deref()));
        }
    }

    /// Audio is on its way to the client's socket, in the client's format.
    pub(super) fn audio_to_client(&mut self, audio: &Bytes) {
        self.record(|recorder| recorder.audio(audio));
    }

    /// A recording that ends before its connection is nothing to the connection.
    fn record(&mut self, write: impl FnOnce(&mut Recorder) -> Result<(), Stopped>) {
        let Some(Err(stopped)) = self.parts.recorder.as_deref_mut().map(write) else { return };
        self.parts.recorder = None;
        let why = match stopped {
            Stopped::Cap => "it has logging.record_session_bytes",
            Stopped::Dropped => "the disk is too slow",
            // The log has it already.
            Stopped::Failed => return,
        };
        connection_log!(Level::Warn, self.parts.trace, reason = why; "the recording ends");
    }

    fn count_end(&mut self, gate: &StateMachine, now: Instant) {
        let Some(reason) = gate.close_reason() else { return };
        let lived = now.duration_since(self.opened);
        let queues = [Leg::Client, Leg::Upstream].map(|leg| gate.high_water(leg));
        let WitnessParts { tally, metrics, .. } = &mut self.parts;
        metrics.end(reason.name(), lived, tally.totals(), queues);
    }

    fn log_end(&self, gate: &StateMachine, now: Instant) {
        let Some(reason) = gate.close_reason() else { return };
        let level = match reason.ending().severity {
            Severity::Expected => Level::Info,
            Severity::Trouble => Level::Warn,
        };
        let lived = now.duration_since(self.opened);
        let fields = describe_ending(reason, lived, self.parts.tally.totals(), &gate.counts());
        connection_log!(level, self.parts.trace, ..self.without_keys(fields); "session ended");
    }

    fn without_keys(&self, mut fields: Fields) -> Fields {
        fields.scrub(&self.parts.scrubber);
        fields
    }
}

/// What a connection came to is written whatever becomes of its actor.
impl Drop for Witness {
    fn drop(&mut self) {
        if !self.ended {
            self.write_end(CUT);
        }
    }
}
