//! The families of backends, and their series of one backend: all of them are there from the start, with 0, so that rates
//! can be told from the first event on. Knows no connection but by what its legs count.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus::{
    Counter, CounterVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
};

use super::{
    families::{Families, series_of},
    notices::NOTICES,
    session::GATE_DIED,
    wire::{COUNTS, LABELS, WireCounts},
};
use crate::{
    gate::{CloseReason, Rule},
    tally::TokenKind,
};

/// Seconds from the end of the user's turn to the first sound of the answer.
const TURN_BUCKETS: [f64; 16] =
    [0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0];
/// Seconds that are our own doing.
const OWN_BUCKETS: [f64; 14] =
    [0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];
/// Seconds of a dial, which has 10 for each of two attempts.
const DIAL_BUCKETS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0];
/// Seconds of a session.
const SESSION_BUCKETS: [f64; 10] = [1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];
/// Bytes of a queue, of which a leg has a window and a budget.
const QUEUE_BUCKETS: [f64; 7] = [1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0];

/// How a dial can come out.
pub(super) const DIALS: [&str; 6] =
    ["opened", "unreachable", "timed_out", "auth_failed", "rate_limited", "unavailable"];
/// How a rule can act, as a label.
pub(super) const ACTIONS: [&str; 3] = ["held", "ignored", "ran_out"];
/// Every cause of an ending.
pub(super) const CAUSES: [&str; CloseReason::NAMES.len() + 1] = {
    let mut causes = [GATE_DIED; CloseReason::NAMES.len() + 1];
    let mut index = 0;
    while index < CloseReason::NAMES.len() {
        causes[index] = CloseReason::NAMES[index];
        index += 1;
    }
    causes
};

pub(super) struct BackendFamilies {
    open: IntGaugeVec,
    begun: IntCounterVec,
    ended: IntCounterVec,
    lived: HistogramVec,
    dials: HistogramVec,
    turns: HistogramVec,
    own_share: HistogramVec,
    queues: HistogramVec,
    messages: IntCounterVec,
    bytes: IntCounterVec,
    rules: IntCounterVec,
    notices: IntCounterVec,
    tokens: IntCounterVec,
    audio: CounterVec,
}

/// The counters of one backend.
pub struct BackendMetrics {
    pub(super) open: IntGauge,
    pub(super) begun: IntCounter,
    pub(super) ended: [IntCounter; CAUSES.len()],
    pub(super) lived: Histogram,
    pub(super) dials: [Histogram; DIALS.len()],
    /// Of speech, of text.
    pub(super) turns: [Histogram; 2],
    pub(super) own_share: Histogram,
    /// Of the client's leg, of upstream's.
    pub(super) queues: [Histogram; 2],
    pub(super) rules: Vec<[IntCounter; ACTIONS.len()]>,
    pub(super) notices: [IntCounter; NOTICES.len()],
    /// Of responses, of transcriptions.
    pub(super) tokens: [Vec<(TokenKind, IntCounter)>; 2],
    /// From clients, to clients.
    pub(super) audio: [Counter; 2],
    wire: [IntCounter; COUNTS],
    live: Mutex<Live>,
}

/// The connections that there are, and how much of what their legs have counted has been collected.
#[derive(Default)]
struct Live {
    next: u64,
    connections: BTreeMap<u64, (Arc<WireCounts>, [u64; COUNTS])>,
}

impl BackendFamilies {
    pub(super) fn new(families: &Families) -> Self {
        Self {
            open: families.gauges("sessions_open", "Sessions that there are", &["backend"]),
            begun: families.counters("sessions_begun_total", "Sessions that have begun", &["backend"]),
            ended: families.counters(
                "sessions_ended_total",
                "Sessions that have ended, by the log word of the ending",
                &["backend", "cause"],
            ),
            lived: families.histograms(
                "session_duration_seconds",
                "How long sessions lasted",
                &["backend"],
                &SESSION_BUCKETS,
            ),
            dials: families.histograms(
                "upstream_dial_seconds",
                "How long it took to reach upstream, or to give up, all attempts together",
                &["backend", "outcome"],
                &DIAL_BUCKETS,
            ),
            turns: families.histograms(
                "turn_latency_seconds",
                "From the end of the user's turn to the first audio of the answer in the client's socket",
                &["backend", "input"],
                &TURN_BUCKETS,
            ),
            own_share: families.histograms(
                "turn_own_share_seconds",
                "What voxbridge itself added to that: waits of its rules, and the way of the first audio through it",
                &["backend"],
                &OWN_BUCKETS,
            ),
            queues: families.histograms(
                "queue_high_water_bytes",
                "The most that waited for a leg at a time, once for each session that has ended",
                &["backend", "leg"],
                &QUEUE_BUCKETS,
            ),
            messages: families.counters(
                "messages_total",
                "Data messages on the wire",
                &["backend", "leg", "direction"],
            ),
            bytes: families.counters(
                "message_bytes_total",
                "Bytes of payload in data messages on the wire",
                &["backend", "leg", "direction"],
            ),
            rules: families.counters(
                "rule_actions_total",
                "How often an ordering rule held something back, let it go nowhere, or waited in vain",
                &["backend", "rule", "action"],
            ),
            notices: families.counters(
                "notices_total",
                "Errors and Warnings that clients of translated backends were sent, by voxbridge's own codes",
                &["backend", "type", "code"],
            ),
            tokens: families.counters(
                "tokens_total",
                "Tokens as upstream has reported them; every kind but all is a part of all of its direction",
                &["backend", "source", "direction", "kind"],
            ),
            audio: families.float_counters(
                "audio_seconds_total",
                "How long the audio plays that clients sent and were sent, as far as its format is known",
                &["backend", "direction"],
            ),
        }
    }

    pub(super) fn backend(&self, name: &str) -> BackendMetrics {
        let own = &[name][..];
        let wire = |index: usize| {
            let (leg, direction) = LABELS[index / 2];
            let family = if index.is_multiple_of(2) { &self.messages } else { &self.bytes };
            family.with_label_values(&[name, leg, direction])
        };
        let rule = |rule: &Rule| {
            let number = rule.to_string();
            series_of(&[name, &number], ACTIONS, |labels| self.rules.with_label_values(labels))
        };
        let tokens = |source: &str| {
            let kinds = TokenKind::ALL.into_iter().filter_map(|kind| Some((kind, token_labels(kind)?)));
            let series = kinds.map(|(kind, [direction, label])| {
                (kind, self.tokens.with_label_values(&[name, source, direction, label]))
            });
            series.collect()
        };
        BackendMetrics {
            open: self.open.with_label_values(own),
            begun: self.begun.with_label_values(own),
            ended: series_of(own, CAUSES, |labels| self.ended.with_label_values(labels)),
            lived: self.lived.with_label_values(own),
            dials: series_of(own, DIALS, |labels| self.dials.with_label_values(labels)),
            turns: series_of(own, ["speech", "text"], |labels| self.turns.with_label_values(labels)),
            own_share: self.own_share.with_label_values(own),
            queues: series_of(own, ["client", "upstream"], |labels| self.queues.with_label_values(labels)),
            rules: Rule::ALL.iter().map(rule).collect(),
            notices: NOTICES.map(|(kind, code)| self.notices.with_label_values(&[name, kind, code])),
            tokens: ["response", "transcription"].map(tokens),
            audio: series_of(own, ["in", "out"], |labels| self.audio.with_label_values(labels)),
            wire: std::array::from_fn(wire),
            live: Mutex::default(),
        }
    }
}

impl BackendMetrics {
    /// Adds what the legs of all connections have counted since this was last done.
    pub(super) fn collect(&self) {
        let mut sums = [0; COUNTS];
        for (wire, collected) in self.live().connections.values_mut() {
            add_new(wire, collected, &mut sums);
        }
        self.add(sums);
    }

    /// A connection begins, whose legs count here.
    pub(super) fn enter(&self, wire: Arc<WireCounts>) -> u64 {
        let mut live = self.live();
        let number = live.next;
        live.next += 1;
        live.connections.insert(number, (wire, [0; COUNTS]));
        number
    }

    /// Its legs count no more.
    pub(super) fn leave(&self, number: u64) {
        let mut sums = [0; COUNTS];
        // In two statements: the lock is not held for the counters.
        let left = self.live().connections.remove(&number);
        if let Some((wire, mut collected)) = left {
            add_new(&wire, &mut collected, &mut sums);
            self.add(sums);
        }
    }

    fn add(&self, sums: [u64; COUNTS]) {
        for (counter, more) in self.wire.iter().zip(sums) {
            if more > 0 {
                counter.inc_by(more);
            }
        }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        // The list is whole after any panic.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add_new(wire: &WireCounts, collected: &mut [u64; COUNTS], sums: &mut [u64; COUNTS]) {
    let counted = wire.read();
    for ((sum, now), before) in sums.iter_mut().zip(counted).zip(&*collected) {
        *sum += now.wrapping_sub(*before);
    }
    *collected = counted;
}

/// Direction and kind; none of what is the sum of both directions.
const fn token_labels(kind: TokenKind) -> Option<[&'static str; 2]> {
    Some(match kind {
        TokenKind::Input => ["in", "all"],
        TokenKind::InputText => ["in", "text"],
        TokenKind::InputAudio => ["in", "audio"],
        TokenKind::InputImage => ["in", "image"],
        TokenKind::Cached => ["in", "cached"],
        TokenKind::CachedText => ["in", "cached_text"],
        TokenKind::CachedAudio => ["in", "cached_audio"],
        TokenKind::CachedImage => ["in", "cached_image"],
        TokenKind::Output => ["out", "all"],
        TokenKind::OutputText => ["out", "text"],
        TokenKind::OutputAudio => ["out", "audio"],
        TokenKind::Total => return None,
    })
}
