//! Back-pressure, as far as it is the translating gate's own: what it holds besides its queues, and what has all of its time
//! again when a leg is read again.

use std::time::Instant;

use super::{
    CloseReason, Gate, Leg, Phase, Timer,
    flow_control::Upward,
    speech::{LONGEST_SPEECH, OWN_ANSWER},
};

impl Gate {
    /// Pauses the leg whose input the other cannot take, and lets it go on when half of that is gone.
    pub(super) fn balance(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Closing | Phase::Closed) {
            return;
        }
        let down = self.to_client.bytes();
        if self.flow.balance_upstream(down, &mut self.timers, &mut self.effects, now) {
            self.wait_anew_for_upstream(now);
        }
        let (queued, budget) = (self.to_upstream.bytes(), self.flow.leg_budget());
        // Without Settings on their way they are what the client is read for.
        let waits = self.opening.settings_under_way();
        let held = waits && self.opening.held_bytes() > self.limits.before_ready;
        // Upstream is paused by then, so these are answers to the client's own messages.
        let unread = self.to_client.queued_messages() > budget;
        let blocked = held || unread || self.owed_bytes() > budget;
        // The session has a time of its own to open in.
        let upward = Upward { queued, budget, blocked, excused: held };
        if self.flow.balance_client(upward, &mut self.timers, &mut self.effects, now) {
            self.calls.wait_anew_for_answers(now + self.limits.call_timeout);
        }
    }

    /// Bytes of what waits for upstream's word, without being in a queue.
    fn owed_bytes(&self) -> usize {
        self.items.bytes() + self.updates.bytes() + self.wished_bytes()
    }

    /// Bytes that the connection keeps, nearly.
    pub fn kept_bytes(&self) -> usize {
        let queued = self.to_client.bytes() + self.to_upstream.bytes();
        queued
            + self.opening.kept_bytes()
            + self.updates.kept_bytes()
            + self.owed_bytes()
            + self.calls.bytes()
    }

    /// The most that has waited for this leg at a time, the leg's own window included, bytes.
    pub fn high_water(&self, leg: Leg) -> usize {
        match leg {
            Leg::Client => self.to_client.high_water(),
            Leg::Upstream => self.to_upstream.high_water(),
        }
    }

    /// There is no more memory: what waits for the client goes first.
    pub(super) fn overload(&mut self, now: Instant) {
        self.to_client.clear();
        self.to_upstream.clear();
        self.end(CloseReason::Overloaded, now);
    }

    /// Upstream has been silent for as long as it was not read: whatever it owes has all of its time again.
    fn wait_anew_for_upstream(&mut self, now: Instant) {
        let deadline = now + self.patience();
        self.items.wait_anew(deadline);
        self.updates.wait_anew(deadline);
        self.calls.wait_anew_for_ends(deadline);
        self.turn.wait_anew(now);
        self.timers.put_off(Timer::SessionUpdated, deadline);
        self.timers.put_off(Timer::SpeechEnd, now + LONGEST_SPEECH);
        self.timers.put_off(Timer::SpeechAnswer, now + OWN_ANSWER);
    }

    /// A leg has written frames of this weight, or a part of one.
    pub(super) fn delivered(&mut self, leg: Leg, bytes: usize, now: Instant) {
        match leg {
            Leg::Client => {
                let (playback, format) = (&mut self.playback, self.plan.upstream_output);
                self.to_client.delivered(bytes, |audio| playback.delivered(audio, format, now));
            }
            Leg::Upstream => self.to_upstream.delivered(bytes, |_| ()),
        }
        self.flow.progress(leg, &mut self.timers, now);
        self.closing_progress(now);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{
        config::{Backend, BackendUrl},
        gate::{Effect, Input, Limits, WINDOW},
        protocol::{DecodeError, agent::ClientMessage, realtime::ServerEvent},
    };

    const BUDGET: usize = 10_000;
    const PATIENCE: Duration = Duration::from_secs(10);

    fn gate(now: Instant) -> Gate {
        let backend = Backend::new("b", "/b", BackendUrl::SelfPath("/".to_owned()));
        let limits = Limits {
            before_ready: BUDGET,
            leg: BUDGET,
            idle_timeout: None,
            slow_leg_timeout: PATIENCE,
            ping_interval: None,
            ..Limits::new(&backend, Duration::from_secs(60))
        };
        let mut gate = Gate::new(Arc::new(backend), limits, "r".to_owned());
        let welcome = gate.handle(Input::ClientConnected, now).iter().map(weight_of).sum();
        let _ = gate.handle(Input::Delivered { leg: Leg::Client, bytes: welcome }, now);
        gate
    }

    /// A client that sends garbage until it is not read any more, and the weight of what it is told.
    fn flooded(now: Instant) -> (Gate, usize) {
        let mut gate = gate(now);
        let mut weight = 0;
        let mut effects = Vec::new();
        while !effects.contains(&Effect::Pause(Leg::Client)) {
            weight += effects.iter().map(weight_of).sum::<usize>();
            assert!(weight + gate.to_client.queued_messages() < WINDOW + 2 * BUDGET, "read for ever");
            effects = gate.handle(Input::ClientMalformed(DecodeError::NoType), now);
        }
        (gate, weight)
    }

    fn weight_of(effect: &Effect) -> usize {
        match effect {
            Effect::ToClient(frame) => frame.weight(),
            _ => 0,
        }
    }

    #[test]
    fn a_client_that_reads_no_answers_is_not_asked_for_more() {
        let now = Instant::now();
        let (mut gate, weight) = flooded(now);
        let effects = gate.handle(Input::Delivered { leg: Leg::Client, bytes: weight }, now);
        assert!(effects.contains(&Effect::Resume(Leg::Client)));
    }

    #[test]
    fn the_client_is_to_blame_and_not_upstream() {
        let now = Instant::now();
        let (mut gate, _) = flooded(now);
        let effects = gate.handle(Input::Timeout, now + PATIENCE);
        assert_eq!(gate.close_reason(), Some(&CloseReason::ClientTooSlow), "{effects:?}");
    }

    #[test]
    fn turns_that_upstream_never_confirms_hold_up_the_client() {
        let now = Instant::now();
        let mut gate = gate(now);
        let mut effects = gate.handle(Input::UpstreamOpened, now);
        let updated = ServerEvent::decode(r#"{"type":"session.updated"}"#).expect("an event").event;
        effects.extend(gate.handle(Input::Upstream(updated), now));
        let typed = ClientMessage::decode(r#"{"type":"InjectUserMessage","content":"a"}"#, |_| ());
        let typed = Input::Client(typed.expect("a message"));
        while !effects.contains(&Effect::Pause(Leg::Client)) {
            assert!(gate.items.bytes() <= BUDGET, "the client is read for ever");
            for effect in std::mem::take(&mut effects) {
                let (leg, bytes) = match effect {
                    Effect::ToClient(frame) => (Leg::Client, frame.weight()),
                    Effect::ToUpstream(frame) => (Leg::Upstream, frame.weight()),
                    _ => continue,
                };
                effects.extend(gate.handle(Input::Delivered { leg, bytes }, now));
            }
            effects.extend(gate.handle(typed.clone(), now));
        }
        let patience = gate.patience();
        assert!(gate.handle(Input::Timeout, now + patience).contains(&Effect::Resume(Leg::Client)));
        assert_eq!(gate.close_reason(), None);
    }

    /// Elements of a map with one member, which are short on the wire.
    const ELEMENTS: usize = 10_000;

    fn functions() -> String {
        let elements = vec![r#"{"":0}"#; ELEMENTS].join(",");
        format!(r#"{{"functions":[{{"name":"f","parameters":{{"enum":[{elements}]}}}}]}}"#)
    }

    #[test]
    fn what_is_read_of_settings_and_changes_is_kept_and_counted_until_it_is_applied() {
        let now = Instant::now();
        let mut gate = gate(now);
        let message = |text: &str| Input::Client(ClientMessage::decode(text, |_| ()).expect("a message"));
        let updated =
            || Input::Upstream(ServerEvent::decode(r#"{"type":"session.updated"}"#).expect("one").event);
        let deliver = |gate: &mut Gate, effects: Vec<Effect>| {
            for effect in effects {
                let (leg, bytes) = match effect {
                    Effect::ToClient(frame) => (Leg::Client, frame.weight()),
                    Effect::ToUpstream(frame) => (Leg::Upstream, frame.weight()),
                    _ => continue,
                };
                let _ = gate.handle(Input::Delivered { leg, bytes }, now);
            }
        };
        let prompt = "p".repeat(5_000);
        let settings = format!(r#"{{"type":"Settings","agent":{{"think":{}}}}}"#, functions());
        let change = format!(r#"{{"type":"UpdateThink","think":{}}}"#, functions());
        let _ = gate.handle(message(&settings), now);
        assert!(gate.kept_bytes() > 200 * ELEMENTS, "{} bytes of Settings", gate.kept_bytes());
        let effects = gate.handle(Input::UpstreamOpened, now);
        deliver(&mut gate, effects);
        assert!(gate.kept_bytes() > 200 * ELEMENTS, "{} bytes on their way", gate.kept_bytes());
        let effects = gate.handle(updated(), now);
        deliver(&mut gate, effects);
        assert!(gate.kept_bytes() < ELEMENTS, "{} bytes once applied", gate.kept_bytes());
        let effects = gate.handle(message(&change), now);
        deliver(&mut gate, effects);
        assert!(gate.kept_bytes() > 200 * ELEMENTS, "{} bytes of a change", gate.kept_bytes());
        let effects = gate.handle(updated(), now);
        deliver(&mut gate, effects);
        let effects = gate.handle(message(&format!(r#"{{"type":"UpdatePrompt","prompt":"{prompt}"}}"#)), now);
        deliver(&mut gate, effects);
        let effects = gate.handle(updated(), now);
        deliver(&mut gate, effects);
        assert!((5_000..ELEMENTS).contains(&gate.kept_bytes()), "{} bytes in force", gate.kept_bytes());
    }
}
