//! R15: what goes wrong at either peer, told once and under the client's own names.

use std::time::Instant;

use super::{Gate, Rule, turn::Owner};
use crate::{
    protocol::{DecodeError, agent::ServerMessage, ids::EventId, realtime::ErrorBody},
    translate::to_client,
};

impl Gate {
    pub(super) fn client_malformed(&mut self, error: &DecodeError) {
        match error {
            DecodeError::Invalid { kind, path, reason }
                if matches!(
                    kind.as_str(),
                    "Settings" | "UpdatePrompt" | "UpdateThink" | "UpdateSpeak" | "UpdateListen"
                ) =>
            {
                // The message itself has no name.
                let place = if path == "." { String::new() } else { format!("{path}: ") };
                self.tell_error("INVALID_SETTINGS", format!("{place}{reason}"));
            }
            other => self.tell_error("UNPARSABLE_CLIENT_MESSAGE", other.to_string()),
        }
    }

    pub(super) fn upstream_malformed(&mut self, error: &DecodeError) {
        match error {
            DecodeError::NotJson { reason } => {
                let description = format!("upstream sent text that is not json: {reason}");
                self.tell_error("unmapped_upstream_event", description);
            }
            DecodeError::NoType | DecodeError::TooManyPlaces | DecodeError::Invalid { .. } => {
                self.unknown_event(&error.to_string());
            }
        }
    }

    /// An event that is not understood is nothing to the client.
    pub(super) fn unknown_event(&mut self, what: &str) {
        if Rule::ErrorsByCode.is_on() {
            return self.ignored(Rule::ErrorsByCode);
        }
        self.tell_error("unmapped_upstream_event", what.to_owned());
    }

    /// An `error` event.
    pub(super) fn upstream_error(&mut self, error: ErrorBody, now: Instant) {
        let cause = error.event_id.as_ref();
        match error.code.as_deref() {
            Some("conversation_already_has_active_response") if Rule::LostRaceIsKept.is_on() => {
                self.counts.lost_races += 1;
                return self.race_lost(cause, now);
            }
            Some("response_cancel_not_active") if Rule::ErrorsByCode.is_on() => {
                self.counts.lost_cancels += 1;
                if self.turn.begun_and_cancelled() {
                    // It did begin, so it is over; one that has not may still be announced.
                    self.end_unannounced(now);
                }
                return self.ignored(Rule::ErrorsByCode);
            }
            _ => (),
        }
        if self.opening.update_in_flight().is_none() && self.is_for_update(cause) {
            return self.change_refused(&error, now);
        }
        let notice = to_client::error(&error);
        let idle = error.code.as_deref() == Some("idle_timeout");
        if idle && self.turn.running() && Rule::ErrorsByCode.is_on() {
            self.held_idle_error = Some(notice);
            return self.held(Rule::ErrorsByCode);
        }
        self.closing.note_error(now);
        self.tell(ServerMessage::Error(notice));
        if self.is_for_update(cause) {
            return self.update_refused(now);
        }
        if let Some(cause) = cause
            && Rule::ItemBeforeResponse.is_on()
            && self.items.refuse(cause)
        {
            return;
        }
        if self.is_for_request(cause) {
            if let Some(running) = self.turn.requested() {
                running.response.error_told = true;
            }
            return self.end_unannounced(now);
        }
        let only = Rule::ItemBeforeResponse.is_on() && cause.is_none();
        let nothing_else = self.update_in_flight().is_none() && !self.turn.running();
        if only && nothing_else && self.items.doubt_only() {
            return;
        }
        let running = self.turn.running_serial().and_then(|serial| self.turn.by_serial(serial));
        if let Some(response) = self.turn.get_mut(running.unwrap_or(Owner::Loose)) {
            // An error that names another event of ours is another trouble.
            let its_own = response.asked.as_ref().map(|(event_id, _)| event_id);
            response.error_told |= cause.is_none() || cause == its_own;
        }
    }

    /// Whether an error means our `session.update`: by its id, or, without one, because nothing else
    /// is unanswered.
    fn is_for_update(&self, cause: Option<&EventId>) -> bool {
        let Some(update) = self.update_in_flight() else { return false };
        match cause {
            Some(cause) => cause == update,
            None => !self.items.waiting() && !self.turn.running(),
        }
    }

    /// Our `session.update` that upstream has not answered.
    fn update_in_flight(&self) -> Option<&EventId> {
        self.opening.update_in_flight().or_else(|| self.updates.in_flight())
    }

    /// The same for our `response.create`.
    fn is_for_request(&mut self, cause: Option<&EventId>) -> bool {
        let others = self.update_in_flight().is_some() || self.items.waiting();
        let Some(running) = self.turn.requested() else { return false };
        match (cause, &running.event_id) {
            (Some(cause), Some(ours)) => cause == ours,
            // One that has given something was plainly not refused.
            (None, Some(_)) => !others && !running.response.gave_output,
            (_, None) => false,
        }
    }
}
