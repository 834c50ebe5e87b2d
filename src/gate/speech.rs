//! R12 and R13: what the user says, and what happens to the agent's answer when the user begins to speak.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{Gate, Rule, Timer, TurnTaking, Wish, turn::Owner};
use crate::{
    protocol::{
        agent::{Empty, Role, ServerMessage},
        ids::ItemId,
        realtime::{CancelResponse, ClientEvent, SpeechEvent, TranscriptionEvent, TruncateItem},
    },
    translate::to_client,
};

/// How long wishes wait for upstream to answer speech by itself (R6).
pub(super) const OWN_ANSWER: Duration = Duration::from_secs(1);
/// The longest utterance whose end wishes wait for.
pub(super) const LONGEST_SPEECH: Duration = Duration::from_secs(60);
/// Transcripts that may be under way at once, and the bytes of one.
const OPEN_TRANSCRIPTS: usize = 64;
const TRANSCRIPT_LIMIT: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Speech {
    speaking: bool,
    turn_ended: Option<Instant>,
    /// When the last utterance ended, until its transcript is there.
    unheard: Option<Instant>,
    /// How long the transcript of this turn's speech took.
    heard: Option<Duration>,
    /// What was heard so far of each utterance, the oldest first.
    transcripts: VecDeque<(ItemId, String)>,
}

impl Speech {
    pub(super) fn speaking(&self) -> bool {
        self.speaking
    }

    /// The user's part of the turn is over, however it was given; the latencies of the next answer count from
    /// here.
    pub(super) fn user_turn_ended(&mut self, now: Instant) {
        self.turn_ended = Some(now);
    }

    /// When it was over, for the first answer to it.
    pub(super) fn take_turn_ended(&mut self) -> Option<Instant> {
        self.turn_ended.take()
    }

    /// How long the transcript took, once.
    pub(super) fn take_heard(&mut self) -> Option<Duration> {
        self.heard.take()
    }

    /// The transcript of an utterance so far. One that upstream never completes makes room at last.
    fn transcript_of(&mut self, item: &ItemId) -> &mut String {
        let same = |known: &ItemId| known == item || Rule::UserSpeech.is_off();
        let known = self.transcripts.iter().position(|(known, _)| same(known));
        let at = known.unwrap_or_else(|| {
            if self.transcripts.len() >= OPEN_TRANSCRIPTS {
                self.transcripts.pop_front();
            }
            self.transcripts.push_back((item.clone(), String::new()));
            self.transcripts.len() - 1
        });
        &mut self.transcripts[at].1
    }

    fn take_transcript(&mut self, item: &ItemId) -> Option<String> {
        let same = |known: &ItemId| known == item || Rule::UserSpeech.is_off();
        let at = self.transcripts.iter().position(|(known, _)| same(known))?;
        self.transcripts.remove(at).map(|(_, text)| text)
    }
}

impl Gate {
    pub(super) fn speech_started(&mut self, now: Instant) {
        self.speech.speaking = true;
        self.timers.set(Timer::SpeechEnd, now + LONGEST_SPEECH);
        self.timers.stop(Timer::SpeechAnswer);
        if self.backend.barge_in || Rule::NoStaleAudio.is_off() {
            let upstream_interrupts =
                matches!(self.turns, TurnTaking::Detected { interrupt_response: true, .. });
            self.interrupt(upstream_interrupts, now);
        } else if self.agent_is_heard(now) {
            // The client would take it for the sign to stop playing.
            return self.ignored(Rule::NoStaleAudio);
        }
        self.tell(ServerMessage::UserStartedSpeaking(Empty {}));
    }

    pub(super) fn speech_stopped(&mut self, event: &SpeechEvent, now: Instant) {
        self.speech.speaking = false;
        self.speech.user_turn_ended(now);
        self.speech.unheard = Some(now);
        self.timers.stop(Timer::SpeechEnd);
        let answers_itself = matches!(self.turns, TurnTaking::Detected { create_response: true, .. });
        if self.component || Rule::UserSpeech.is_off() {
            self.tell(to_client::utterance_end(event));
            if answers_itself || Rule::UserSpeech.is_off() {
                self.tell(to_client::agent_thinking());
            } else {
                self.tell_of_running_functions();
            }
        }
        if answers_itself {
            self.timers.set(Timer::SpeechAnswer, now + OWN_ANSWER);
            // It can begin no answer while it gives another one, and may or may not come back to it.
            if self.turn.goes_on() {
                self.wishes.push(Wish::plain());
            }
        }
    }

    pub(super) fn expire_speech(&mut self, now: Instant) {
        self.timers.take_due(Timer::SpeechAnswer, now);
        if self.timers.take_due(Timer::SpeechEnd, now) {
            self.speech.speaking = false;
            self.ran_out(Rule::OneActiveResponse);
        }
    }

    /// A piece of the user's transcript. Deepgram's own clients get whole utterances only.
    pub(super) fn transcription_delta(&mut self, event: &TranscriptionEvent) {
        let (Some(item), Some(delta)) = (&event.item_id, &event.delta) else {
            return self.ignored(Rule::UserSpeech);
        };
        if !self.component && Rule::UserSpeech.is_on() {
            return self.ignored(Rule::UserSpeech);
        }
        let text = self.speech.transcript_of(item);
        if text.len() + delta.len() > TRANSCRIPT_LIMIT && Rule::UserSpeech.is_on() {
            return self.ignored(Rule::UserSpeech);
        }
        text.push_str(delta);
        let message = to_client::transcript(text.clone(), false, event);
        self.tell(message);
    }

    /// All of the user's transcript.
    pub(super) fn transcription_completed(&mut self, event: &TranscriptionEvent, now: Instant) {
        if let Some(ended) = self.speech.unheard.take() {
            self.speech.heard = Some(now.saturating_duration_since(ended));
        }
        let pieces = event.item_id.as_ref().and_then(|item| self.speech.take_transcript(item));
        let text = event.transcript.clone().or(pieces).unwrap_or_default();
        let empty = text.trim().is_empty();
        if self.component {
            let said = self.history.then(|| text.clone()).filter(|_| !empty);
            self.tell(to_client::transcript(text, true, event));
            if let Some(said) = said {
                self.tell(to_client::history_text(Role::User, said));
            }
        } else if empty && Rule::UserSpeech.is_on() {
            self.ignored(Rule::UserSpeech);
        } else {
            self.tell_line(Role::User, text);
        }
    }

    /// Nothing more comes for this utterance.
    pub(super) fn transcription_failed(&mut self, event: &TranscriptionEvent) {
        if let Some(item) = &event.item_id {
            self.speech.take_transcript(item);
        }
        self.ignored(Rule::UserSpeech);
    }

    /// Whether the client may be playing something of the agent, or is about to.
    pub(super) fn agent_is_heard(&mut self, now: Instant) -> bool {
        let running = self.turn.running_serial().and_then(|serial| self.turn.by_serial(serial));
        self.playback.plays(self.plan.upstream_output, now)
            || self.to_client.audio_on_its_way().is_some()
            || running.and_then(|owner| self.turn.get_mut(owner)).is_some_and(|response| response.is_heard())
    }

    /// Somebody else has the word (R13): the answers that may still be heard are cut off, and the one that
    /// runs is over.
    pub(super) fn interrupt(&mut self, upstream_interrupts: bool, now: Instant) {
        let on_its_way = self.to_client.audio_on_its_way().cloned();
        let cut = self.playback.cut(self.plan.upstream_output, now);
        let mut stale = self.to_client.drop_audio();
        // An answer that nobody asked for does not run, and may pause with all of it played.
        stale.extend(self.turn.loose_serial());
        let item = match (cut, on_its_way) {
            (Some(cut), _) => {
                stale.extend(cut.responses);
                cut.item.map(|item| (item, cut.heard))
            }
            (None, Some(mark)) => mark.item.map(|item| (item, Duration::ZERO)),
            (None, None) => None,
        };
        let running = self.turn.running_serial();
        if let Some(owner) = running.and_then(|serial| self.turn.by_serial(serial)) {
            let open = self.opening.session_open() || Rule::InputWaitsForSession.is_off();
            // It was cancelled then, or upstream has done so.
            let over = self.turn.get_mut(owner).is_some_and(|response| response.interrupted);
            let open = open && !(over && Rule::NoStaleAudio.is_on());
            if open && (!upstream_interrupts || Rule::NoStaleAudio.is_off()) {
                let event_id = Some(self.next_event_id());
                let response_id = self.turn.get_mut(owner).and_then(|response| response.id.clone());
                self.push_event(ClientEvent::CancelResponse(CancelResponse { event_id, response_id }));
            }
            // A request that upstream has not begun to answer is over only if we cancel it.
            let begun = self
                .turn
                .get_mut(owner)
                .is_some_and(|response| response.gave_output || response.moments.begun())
                || Rule::NoStaleAudio.is_off();
            if begun || !upstream_interrupts || matches!(owner, Owner::Announced(_)) {
                self.cut_off(owner, now);
            }
        }
        for serial in stale {
            if let Some(owner) = self.turn.by_serial(serial) {
                self.cut_off(owner, now);
            }
        }
        let open = self.opening.session_open() || Rule::InputWaitsForSession.is_off();
        if let Some((item_id, heard)) = item.filter(|_| open) {
            let event_id = Some(self.next_event_id());
            self.push_event(ClientEvent::TruncateItem(TruncateItem {
                event_id,
                item_id: Some(item_id),
                content_index: Some(0),
                audio_end_ms: Some(u64::try_from(heard.as_millis()).unwrap_or(u64::MAX)),
            }));
        }
    }

    /// The client gets the response's text so far and its end signals; then nothing more of it. Once or
    /// more often is the same.
    fn cut_off(&mut self, owner: Owner, now: Instant) {
        self.give_drafts(owner, now);
        self.signal_end(owner);
        if self.end_signals_owed {
            self.tell_end_signals();
        }
        let Some(response) = self.turn.get_mut(owner) else { return };
        response.interrupted = true;
        if response.script.take().is_some() {
            let description = "the message was cut off before it began".to_owned();
            if self.speech.speaking() {
                self.tell_warning("INJECT_AGENT_MESSAGE_DURING_USER_SPEECH", description);
            } else {
                self.tell_warning("INJECT_AGENT_MESSAGE_DURING_AGENT_SPEECH", description);
            }
        }
    }
}
