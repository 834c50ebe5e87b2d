//! What looks on at a connection, step by step: its log lines, its metrics and what it comes to. Decides nothing, and nothing that
//! happens to it is felt by the connection.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use log::Level;

use super::{
    Trace,
    describe::{describe_effect, describe_input, log_level},
    state_machine::StateMachine,
};
use crate::{
    config::Scrubber,
    functions::Outcome,
    gate::{Effect, Input, Leg, Phase, Severity},
    metrics::SessionMetrics,
    protocol::{ids::CallId, log_field},
    tally::Tally,
};

pub(super) struct Witness {
    parts: WitnessParts,
    opened: Instant,
    steps: u64,
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
}

/// What was seen of a step before the gate took its input.
pub(super) struct Seen {
    now: Instant,
    phase: Phase,
    level: Level,
    line: Option<String>,
}

impl Witness {
    /// Looks on at a connection that begins now.
    pub(super) fn new(parts: WitnessParts, opened: Instant) -> Self {
        Self { parts, opened, steps: 0 }
    }

    /// The gate is about to take this.
    pub(super) fn input(&mut self, input: &Input, phase: Phase, now: Instant) -> Seen {
        self.steps += 1;
        let WitnessParts { tally, metrics, .. } = &mut self.parts;
        if let Some(report) = tally.input(input, now) {
            metrics.reported(&report);
        }
        metrics.input(input, now);
        if let Some(answered) = tally.take_answered() {
            metrics.answered(&answered);
        }
        let level = log_level(input);
        let line = log::log_enabled!(level).then(|| describe_input(input, self.parts.log_content));
        Seen { now, phase, level, line }
    }

    /// The gate, which is now like this, answered with these effects; none has been carried out yet.
    pub(super) fn effects(&mut self, seen: Seen, gate: &StateMachine, effects: &[Effect]) {
        let Seen { now, phase: before, level, line } = seen;
        let WitnessParts { tally, metrics, .. } = &mut self.parts;
        tally.effects(effects, now);
        for effect in effects {
            metrics.effect(effect, now);
        }
        metrics.audio(tally.totals(), now);
        let after = gate.phase();
        if let Some(line) = line {
            self.log_step(level, (before, after), line, effects);
        }
        if before != after && after == Phase::Active {
            let took = now.duration_since(self.opened).as_millis();
            log::info!("{} session active after {took} ms", self.parts.trace);
        }
        if effects.contains(&Effect::Finished) {
            self.count_end(gate, now);
            self.log_end(gate, now);
        }
    }

    /// A function that ran here is over. What the application said is content, also where it is an error; the kind of a
    /// failure is not.
    pub(super) fn function(&self, id: &CallId, name: &str, took: Duration, outcome: &Outcome) {
        let (trace, call, name) = (&self.parts.trace, log_field(id.as_str()), log_field(name));
        let took = took.as_millis();
        let (level, outcome) = match outcome {
            Ok(content) => (Level::Info, format!("ok({} bytes)", content.len())),
            Err(failure) => (failure.log_level(), format!("{failure:?}")),
        };
        log::log!(level, "{trace} function={name} call={call} duration_ms={took} outcome={outcome}");
    }

    fn log_step(&self, level: Level, (before, after): (Phase, Phase), input: String, effects: &[Effect]) {
        let mut line = format!("phase={before:?}->{after:?} {input}");
        for effect in effects {
            describe_effect(effect, self.parts.log_content, &mut line);
        }
        let line = self.parts.scrubber.scrub(&line);
        log::log!(level, "{} step={} {line}", self.parts.trace, self.steps);
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
        let lived = now.duration_since(self.opened).as_secs_f64();
        let (cause, totals, counts) = (reason.name(), self.parts.tally.totals(), gate.counts());
        log::log!(
            level,
            "{} session ended cause={cause} duration_s={lived:.3}{totals}{counts} ({reason:?})",
            self.parts.trace
        );
    }
}
