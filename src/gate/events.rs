//! The table of upstream's events: what each is to the gate. Every one of them has its row; those that
//! say `silent` are understood and mean nothing to a client.

use std::time::Instant;

use super::{Gate, Rule, model_call::ModelCall, turn::Owner};
use crate::protocol::{
    ids::{ItemId, ResponseId},
    realtime::{Item, OutputItemEvent, ResponseEvent, ServerEvent, StreamEvent},
};

impl Gate {
    pub(super) fn upstream_event(&mut self, event: ServerEvent, now: Instant) {
        match event {
            // The session.
            ServerEvent::SessionCreated(created) if Rule::InputWaitsForSession.is_on() => {
                self.session_created(created.session);
            }
            ServerEvent::SessionCreated(updated) | ServerEvent::SessionUpdated(updated) => {
                self.session_updated(updated.session, now)
            }
            ServerEvent::Error(error) => self.upstream_error(error.error.unwrap_or_default(), now),

            // Responses.
            ServerEvent::ResponseCreated(created) => {
                let id = Self::response_id(created.response_id, created.response.as_ref());
                self.response_created(id, now);
            }
            ServerEvent::ResponseDone(done) => self.response_done(*done, now),
            ServerEvent::OutputItemAdded(added) => self.output_item(*added, false, now),
            ServerEvent::OutputItemDone(done) => self.output_item(*done, true, now),
            ServerEvent::OutputAudioDelta(delta) => {
                let owner = self.live(delta.response_id.as_ref(), delta.item_id.as_ref(), now);
                self.updates.fix_voice();
                self.response_audio(owner, delta.item_id, delta.delta, now);
            }
            ServerEvent::OutputTextDelta(delta) | ServerEvent::OutputTranscriptDelta(delta) => {
                let owner = self.live_stream(&delta, now);
                let text = delta.delta.unwrap_or_default();
                self.response_text_delta(owner, delta.item_id.as_ref(), &text, now);
            }
            ServerEvent::OutputTextDone(done) => self.text_done(*done, now),
            ServerEvent::OutputTranscriptDone(done) => {
                let owner = self.live_stream(&done, now);
                self.response_text_done(owner, done.item_id.as_ref(), done.transcript, now);
            }
            ServerEvent::OutputAudioDone(done) => self.audio_done(&done, now),
            ServerEvent::CallArgumentsDone(done) => {
                let owner = self.live_stream(&done, now);
                let call = ModelCall {
                    call_id: done.call_id,
                    item: done.item_id,
                    name: done.name,
                    arguments: done.arguments,
                    status: None,
                    index: done.output_index,
                };
                self.model_call(owner, call, true, now);
            }
            ServerEvent::ContentPartAdded(part) | ServerEvent::ContentPartDone(part) => {
                self.touch(part.response_id.as_ref(), part.item_id.as_ref(), now);
            }
            ServerEvent::CallArgumentsDelta(delta)
            | ServerEvent::McpArgumentsDelta(delta)
            | ServerEvent::McpArgumentsDone(delta) => {
                self.touch(delta.response_id.as_ref(), delta.item_id.as_ref(), now);
            }
            ServerEvent::McpCallInProgress(call)
            | ServerEvent::McpCallCompleted(call)
            | ServerEvent::McpCallFailed(call) => {
                self.touch(None, call.item_id.as_ref(), now);
            }

            // The conversation.
            ServerEvent::ItemAdded(event) | ServerEvent::ItemCreated(event) => {
                self.conversation_item(event.item.unwrap_or_default(), false, now);
            }
            ServerEvent::ItemDone(event) => {
                self.conversation_item(event.item.unwrap_or_default(), true, now);
            }

            // The user's speech.
            ServerEvent::SpeechStarted(_) => self.speech_started(now),
            ServerEvent::SpeechStopped(event) => self.speech_stopped(&event, now),
            ServerEvent::TranscriptionDelta(event) => self.transcription_delta(&event),
            ServerEvent::TranscriptionFailed(event) if Rule::UserSpeech.is_on() => {
                self.transcription_failed(&event);
            }
            ServerEvent::TranscriptionCompleted(event) | ServerEvent::TranscriptionFailed(event) => {
                self.transcription_completed(&event, now);
            }

            // Silent: acknowledgements that nobody waits for, and what only other transports send.
            ServerEvent::RateLimitsUpdated(_)
            | ServerEvent::ConversationCreated(_)
            | ServerEvent::ItemRetrieved(_)
            | ServerEvent::ItemDeleted(_)
            | ServerEvent::ItemTruncated(_)
            | ServerEvent::TranscriptionSegment(_)
            | ServerEvent::BufferCommitted(_)
            | ServerEvent::BufferCleared(_)
            | ServerEvent::TimeoutTriggered(_)
            | ServerEvent::DtmfReceived(_)
            | ServerEvent::OutputStarted(_)
            | ServerEvent::OutputStopped(_)
            | ServerEvent::OutputCleared(_)
            | ServerEvent::McpListInProgress(_)
            | ServerEvent::McpListCompleted(_)
            | ServerEvent::McpListFailed(_) => (),

            ServerEvent::Unknown(_) => {
                self.counts.unknown_events += 1;
                self.unknown_event("upstream sent an unknown event");
            }
        }
    }

    /// The owner of an event that may begin a response, which it shows to be alive.
    fn live(&mut self, response: Option<&ResponseId>, item: Option<&ItemId>, now: Instant) -> Owner {
        let owner = self.turn.owner_or_begin(response, item, now);
        if let Some(item) = item {
            self.turn.note_item(owner, item);
        }
        if let Some(response) = self.turn.get_mut(owner) {
            response.last_event = now;
        }
        owner
    }

    fn live_stream(&mut self, event: &StreamEvent, now: Instant) -> Owner {
        self.live(event.response_id.as_ref(), event.item_id.as_ref(), now)
    }

    /// Notes that the owner of an event is alive, if there is one.
    fn touch(&mut self, response: Option<&ResponseId>, item: Option<&ItemId>, now: Instant) -> Option<Owner> {
        let owner = self.turn.owner(response, item)?;
        if let Some(response) = self.turn.get_mut(owner) {
            response.last_event = now;
        }
        Some(owner)
    }

    fn response_done(&mut self, done: ResponseEvent, now: Instant) {
        let id = Self::response_id(done.response_id, done.response.as_ref());
        match self.touch(id.as_ref(), None, now) {
            Some(owner @ Owner::Announced(_)) => {
                self.announced_done(owner, done.response.unwrap_or_default(), now);
            }
            owner => self.unannounced_done(owner, done.response, now),
        }
    }

    /// The end of a text ends an unannounced response, and with it the calls it made (R6, R8).
    fn text_done(&mut self, done: StreamEvent, now: Instant) {
        let owner = self.live_stream(&done, now);
        self.response_text_done(owner, done.item_id.as_ref(), done.text, now);
        match owner {
            Owner::Announced(_) if Rule::OneActiveResponse.is_on() => return,
            _ => self.unannounced_text_done(owner, now),
        }
        self.calls.end_all();
    }

    /// The end of audio ends no response, but the speech of an unannounced one (R10).
    fn audio_done(&mut self, done: &StreamEvent, now: Instant) {
        match self.touch(done.response_id.as_ref(), done.item_id.as_ref(), now) {
            Some(owner @ (Owner::Unannounced | Owner::Loose))
                if !(Rule::NoStaleAudio.is_on() && self.drop_stale(owner)) =>
            {
                self.end_speaking(owner);
                if self.turn.get_mut(owner).is_some_and(|response| response.text_ended) {
                    self.finish_loose(now);
                }
            }
            _ => (),
        }
    }

    fn output_item(&mut self, event: OutputItemEvent, done: bool, now: Instant) {
        let item = event.item.unwrap_or_default();
        let owner = self.live(event.response_id.as_ref(), item.id.as_ref(), now);
        if let Some(mut call) = ModelCall::from_item(&item, event.output_index) {
            // What is in progress is no status yet, and its arguments are not whole.
            if !done {
                call.status = None;
                call.arguments = None;
            }
            let completed = item.status.as_deref().unwrap_or("completed") == "completed"
                || Rule::AnswersBeforeResponse.is_off();
            let runs = done && completed;
            self.model_call(owner, call, runs, now);
        }
    }

    fn conversation_item(&mut self, item: Item, done: bool, now: Instant) {
        self.confirm_item(&item);
        let is_ours =
            item.role.as_deref() == Some("user") || item.kind.as_deref() == Some("function_call_output");
        // What we sent says nothing of the response that runs.
        if !is_ours || Rule::OneActiveResponse.is_off() {
            self.touch(None, item.id.as_ref(), now);
        }
        self.item_text(&item, now);
        if (done || Rule::AnswersBeforeResponse.is_off())
            && item.kind.as_deref() == Some("function_call_output")
            && let Some(call_id) = &item.call_id
        {
            let ended = self.calls.end_by_output(call_id);
            // Where the calls were made by the response that we asked for, it no longer runs either.
            if ended.and_then(|serial| self.turn.by_serial(serial)) == Some(Owner::Unannounced) {
                self.end_unannounced(now);
            }
        }
    }

    fn session_created(&mut self, session: Option<crate::protocol::realtime::Session>) {
        self.note_expiry(session.and_then(|session| session.expires_at));
        self.ignored(Rule::InputWaitsForSession);
    }
}
