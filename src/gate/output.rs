//! R10 and R11: what a response gives the client, with the signals around it.

use std::time::Instant;

use bytes::Bytes;

use super::{
    AudioMark, Gate, Rule,
    answers::EndStatus,
    items::hash_of,
    model_call::ModelCall,
    turn::{Owner, Running},
};
use crate::{
    protocol::{
        agent::{Empty, Role, ServerMessage},
        ids::{ItemId, ResponseId},
        realtime::{Item, Response as ResponseObject},
    },
    translate::to_client,
};

/// Texts of text events whose item may still follow.
const EVENT_TEXTS: usize = 8;

impl Gate {
    /// Audio of a response.
    pub(super) fn response_audio(&mut self, owner: Owner, item: Option<ItemId>, audio: Bytes, now: Instant) {
        let nothing = audio.is_empty() && Rule::SignalsAroundOutput.is_on();
        if nothing || Rule::NoStaleAudio.is_on() && self.drop_stale(owner) {
            return;
        }
        if let Some(response) = self.turn.get_mut(owner) {
            response.moments.audio(now);
        }
        self.start_speaking(owner, now);
        let Some(response) = self.turn.get_mut(owner) else { return };
        response.gave_output = true;
        response.gave_audio = true;
        let mark = AudioMark { response: response.serial, bytes: audio.len(), item };
        self.tell_audio(audio, mark);
    }

    /// Whether the owner was interrupted, so that nothing of it is sent any more (R13).
    pub(super) fn drop_stale(&mut self, owner: Owner) -> bool {
        let stale = self.turn.get_mut(owner).is_some_and(|response| response.interrupted);
        if stale {
            self.ignored(Rule::NoStaleAudio);
        }
        stale
    }

    /// A piece of text or transcript: kept until an item or the end gives the whole.
    pub(super) fn response_text_delta(
        &mut self,
        owner: Owner,
        item: Option<&ItemId>,
        delta: &str,
        now: Instant,
    ) {
        if let Some(response) = self.turn.get_mut(owner)
            && !(response.interrupted && Rule::NoStaleAudio.is_on())
        {
            response.draft(item, delta, false);
            response.moments.text(now);
        }
    }

    /// The whole text of a part. An unannounced response gives it at once; an announced one waits for the
    /// item.
    pub(super) fn response_text_done(
        &mut self,
        owner: Owner,
        item: Option<&ItemId>,
        text: Option<String>,
        now: Instant,
    ) {
        let stale = Rule::NoStaleAudio.is_on() && self.drop_stale(owner);
        let Some(response) = self.turn.get_mut(owner) else { return };
        response.moments.text(now);
        if matches!(owner, Owner::Announced(_)) && Rule::TextOnce.is_on() {
            if let Some(text) = text.filter(|_| !stale) {
                response.draft(item, &text, true);
            }
            return;
        }
        let draft = response.take_draft(item);
        let Some(text) = text.or(draft) else { return };
        let hash = hash_of(&text);
        // Given or withheld: the item that follows with this text says nothing new.
        let follows = stale || response.mute;
        if (!stale && self.give_text(owner, item, text, now)) || follows {
            if self.event_texts.len() == EVENT_TEXTS {
                self.event_texts.remove(0);
            }
            self.event_texts.push(hash);
        }
    }

    /// Whether a text event has dealt with the text of this item already (R11).
    fn known_text(&mut self, item: Option<&ItemId>, text: &str) -> bool {
        let text = hash_of(text);
        let same = |known: &u64| *known == text && Rule::TextOnce.is_on();
        let Some(at) = self.event_texts.iter().position(same) else { return false };
        self.event_texts.remove(at);
        if let Some(item) = item {
            self.given_items.insert(item);
        }
        self.ignored(Rule::TextOnce);
        true
    }

    /// Text of an assistant's item, from a `conversation.item.*` event.
    pub(super) fn item_text(&mut self, item: &Item, now: Instant) {
        let Some(text) = to_client::assistant_text(item) else { return };
        let id = item.id.as_ref();
        if self.known_text(id, &text) {
            return;
        }
        match self.turn.owner(None, id) {
            Some(owner) => {
                if Rule::NoStaleAudio.is_on() && self.drop_stale(owner) {
                    return;
                }
                if let Some(response) = self.turn.get_mut(owner) {
                    response.take_draft(id);
                }
                self.give_text(owner, id, text, now);
            }
            // Text without a response has no signals around it either.
            None if id.is_none_or(|id| self.given_items.insert(id)) || Rule::TextOnce.is_off() => {
                self.tell_assistant(text);
            }
            None => self.ignored(Rule::TextOnce),
        }
    }

    /// Sends a text, once per item; whether it was sent.
    pub(super) fn give_text(
        &mut self,
        owner: Owner,
        item: Option<&ItemId>,
        text: String,
        now: Instant,
    ) -> bool {
        if text.is_empty() && Rule::TextOnce.is_on() {
            return false;
        }
        if item.is_some_and(|item| !self.given_items.insert(item)) && Rule::TextOnce.is_on() {
            self.ignored(Rule::TextOnce);
            return false;
        }
        let Some(response) = self.turn.get_mut(owner) else { return false };
        if response.mute && Rule::GreetingOnce.is_on() {
            // It says what it was asked to say, of which the client gets our wording.
            if response.script.is_some() {
                self.start_speaking(owner, now);
            }
            if let Some(response) = self.turn.get_mut(owner) {
                response.withhold(text);
            }
            self.ignored(Rule::GreetingOnce);
            return false;
        }
        self.start_speaking(owner, now);
        if let Some(response) = self.turn.get_mut(owner) {
            response.gave_output = true;
        }
        self.tell_assistant(text);
        true
    }

    fn tell_assistant(&mut self, text: String) {
        self.tell_line(Role::Assistant, text);
    }

    /// `AgentStartedSpeaking`, once per response, before its first output.
    pub(super) fn start_speaking(&mut self, owner: Owner, now: Instant) {
        if owner != Owner::Loose && Rule::SignalsAroundOutput.is_on() {
            self.finish_loose_signals();
        }
        let Some(response) = self.turn.get_mut(owner) else { return };
        if response.given_up && response.end_signals {
            response.end_signals = false;
            response.announced_to_client = false;
        }
        if response.announced_to_client && Rule::SignalsAroundOutput.is_on() {
            return;
        }
        response.announced_to_client = true;
        // What the agent is told to say answers nothing that the user said.
        let turn_ended = if response.mute { None } else { self.speech.take_turn_ended() };
        let latencies = response.moments.start(turn_ended, now);
        let script = response.script.take();
        response.gave_output |= script.is_some();
        self.tell(ServerMessage::AgentStartedSpeaking(latencies));
        if let Some(script) = script {
            self.tell_assistant(script);
        }
    }

    /// `AgentDone`, in the component's dialect, and `AgentAudioDone`.
    pub(super) fn tell_end_signals(&mut self) {
        if self.component {
            self.tell(ServerMessage::AgentDone(Empty {}));
        }
        self.tell(ServerMessage::AgentAudioDone(Empty {}));
        self.tell_of_running_functions();
        self.end_signals_owed = false;
    }

    /// The end signals of a response that gave output, if it still owes them; whether it did.
    pub(super) fn signal_end(&mut self, owner: Owner) -> bool {
        let Some(response) = self.turn.get_mut(owner) else { return false };
        let told = response.end_signals && Rule::SignalsAroundOutput.is_on();
        let spoke = response.gave_output || Rule::SignalsAroundOutput.is_off();
        let due = spoke && !told;
        if due {
            response.end_signals = true;
            self.tell_end_signals();
        }
        due
    }

    /// The same at an end that is no interruption: how long everything took is told as well. The component
    /// has no use for that.
    pub(super) fn end_speaking(&mut self, owner: Owner) {
        if !self.signal_end(owner) || self.component && Rule::SignalsAroundOutput.is_on() {
            return;
        }
        let heard = self.speech.take_heard();
        let report = self.turn.get_mut(owner).and_then(|response| response.moments.report(heard));
        if let Some(report) = report {
            self.tell(ServerMessage::LatencyReport(report));
        }
    }

    /// Gives every text that no item gave, in the order in which it began.
    pub(super) fn give_drafts(&mut self, owner: Owner, now: Instant) {
        let Some(response) = self.turn.get_mut(owner) else { return };
        for draft in std::mem::take(&mut response.drafts) {
            self.give_text(owner, draft.item.as_ref(), draft.text, now);
        }
    }

    /// `response.done` of an announced response: the texts that are missing, the end signals, the
    /// failure, the calls.
    pub(super) fn announced_done(&mut self, owner: Owner, object: ResponseObject, now: Instant) {
        let status = EndStatus::from(object.status.as_deref());
        let failure = to_client::response_failure(&object);
        let stale = Rule::NoStaleAudio.is_on() && self.drop_stale(owner);
        for (index, item) in object.output.into_iter().flatten().enumerate() {
            if let Some(call) = ModelCall::from_item(&item, u32::try_from(index).ok()) {
                self.model_call(owner, call, false, now);
            } else if !stale && let Some(text) = to_client::assistant_text(&item) {
                let id = item.id.as_ref();
                // The item has all parts, a draft perhaps the last one alone.
                if let Some(response) = self.turn.get_mut(owner) {
                    response.take_draft(id);
                }
                let given = id.is_some_and(|id| self.given_items.contains(id)) && Rule::TextOnce.is_on();
                if !given && !self.known_text(id, &text) {
                    self.give_text(owner, id, text, now);
                }
            }
        }
        self.end_announced(owner, status, now);
        let told = self.turn.get_mut(owner).is_some_and(|response| response.error_told)
            && Rule::ErrorsByCode.is_on();
        if let Some(notice) = failure.filter(|_| !told) {
            self.closing.note_error(now);
            self.tell(ServerMessage::Error(notice));
        }
    }

    /// Ends an announced response (R6): what it still has is given, what it called is handed out.
    pub(super) fn end_announced(&mut self, owner: Owner, status: EndStatus, now: Instant) {
        self.give_drafts(owner, now);
        let Some(response) = self.turn.get_mut(owner) else { return };
        let again = response.ended;
        response.ended = true;
        response.given_up = status == EndStatus::GivenUp;
        self.end_speaking(owner);
        self.hand_out_at_end(owner, status, now);
        if !again || Rule::OneActiveResponse.is_off() {
            self.response_over(owner, now);
        }
    }

    /// The text of an unannounced response is over, which ends it (R6). Its audio may go on for a while,
    /// and its end signals come after that (R10).
    pub(super) fn unannounced_text_done(&mut self, owner: Owner, now: Instant) {
        let Some(response) = self.turn.get_mut(owner) else { return };
        let outlasts = response.gave_audio && !response.end_signals && Rule::SignalsAroundOutput.is_on();
        response.text_ended = outlasts;
        match owner {
            Owner::Unannounced if outlasts => {
                self.turn.loosen();
                self.after_response(now);
            }
            Owner::Loose if outlasts => (),
            Owner::Unannounced => self.end_unannounced(now),
            Owner::Announced(_) | Owner::Loose => self.finish_loose(now),
        }
    }

    /// The unannounced response that runs is over (R6).
    pub(super) fn end_unannounced(&mut self, now: Instant) {
        self.give_drafts(Owner::Unannounced, now);
        self.end_speaking(Owner::Unannounced);
        self.response_over(Owner::Unannounced, now);
        if let Some(Running { response, .. }) = self.turn.end_unannounced() {
            self.calls.end(response.serial);
        }
        self.after_response(now);
    }

    /// The loose response is over; it never counted as running.
    pub(super) fn finish_loose(&mut self, now: Instant) {
        self.give_drafts(Owner::Loose, now);
        self.finish_loose_signals();
        self.response_over(Owner::Loose, now);
        self.turn.end_loose();
    }

    fn finish_loose_signals(&mut self) {
        self.end_speaking(Owner::Loose);
    }

    /// What the end of any response means for the turn: a response that only called functions owes its
    /// end signals to the follow-up; one that gave nothing at all pays what is owed (R10).
    fn response_over(&mut self, owner: Owner, now: Instant) {
        let Some(response) = self.turn.get_mut(owner) else { return };
        if !response.gave_output {
            if response.handed_out && Rule::SignalsAroundOutput.is_on() {
                self.end_signals_owed = true;
            } else if self.end_signals_owed || response.announced_to_client {
                response.end_signals = true;
                self.tell_end_signals();
            }
        }
        if let Owner::Announced(_) = owner {
            self.after_response(now);
        }
    }

    /// What waited for the end of a response.
    fn after_response(&mut self, now: Instant) {
        if let Some(notice) = self.held_idle_error.take() {
            self.closing.note_error(now);
            self.tell(ServerMessage::Error(notice));
        }
        self.response_ended_for_settings(now);
        self.commit_rest(now);
    }

    pub(super) fn expire_responses(&mut self, now: Instant) {
        while let Some(owner) = self.turn.silent(self.patience(), now) {
            match owner {
                Owner::Loose => {
                    self.finish_loose(now);
                    continue;
                }
                Owner::Announced(_) => self.end_announced(owner, EndStatus::GivenUp, now),
                Owner::Unannounced => self.end_unannounced(now),
            }
            self.ran_out(Rule::OneActiveResponse);
            self.tell_warning("response_timeout", "upstream sent nothing more of a response".to_owned());
        }
    }

    /// `response.done` of a response that was never announced, or is unknown.
    pub(super) fn unannounced_done(
        &mut self,
        owner: Option<Owner>,
        object: Option<ResponseObject>,
        now: Instant,
    ) {
        let object = object.unwrap_or_default();
        let failure = to_client::response_failure(&object);
        if let Some(owner) = owner {
            for (index, item) in object.output.into_iter().flatten().enumerate() {
                match ModelCall::from_item(&item, u32::try_from(index).ok()) {
                    Some(call) => {
                        let whole = EndStatus::from(object.status.as_deref()) != EndStatus::Void
                            || Rule::AnswersBeforeResponse.is_off();
                        let runs = whole && item.status.as_deref().unwrap_or("completed") == "completed";
                        self.model_call(owner, call, runs, now);
                    }
                    None => self.item_text(&item, now),
                }
            }
        }
        let told =
            owner.and_then(|owner| self.turn.get_mut(owner)).is_some_and(|response| response.error_told)
                && Rule::ErrorsByCode.is_on();
        match owner {
            Some(Owner::Unannounced) => self.end_unannounced(now),
            Some(Owner::Loose) => self.finish_loose(now),
            Some(Owner::Announced(_)) | None => (),
        }
        if let Some(notice) = failure.filter(|_| !told) {
            self.closing.note_error(now);
            self.tell(ServerMessage::Error(notice));
        }
        // A response that made calls and was never announced ends with this, whichever it was (R8).
        self.calls.end_all();
    }

    /// The id of a response in either of the places where servers put it.
    pub(super) fn response_id(
        response_id: Option<ResponseId>,
        object: Option<&ResponseObject>,
    ) -> Option<ResponseId> {
        response_id.or_else(|| object.and_then(|object| object.id.clone()))
    }
}
