//! R1 to R4: from the dial to the greeting. What the client sends before upstream's session is open waits
//! here.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};

use super::{
    CloseReason, Effect, Gate, LegEnd, Phase, Rule, Timer, TurnTaking, Wish, limits, updates::session_bytes,
};
use crate::{
    config::{Dialect, GreetingMode},
    protocol::{
        agent::{ClientMessage, Empty, Role, ServerMessage, Settings},
        ids::EventId,
        realtime::{ClientEvent, Session, SessionUpdate},
    },
    translate::{
        functions::Endpoint,
        settings::{SettingsError, Translated, translate},
    },
};

/// The pause between a response and the update of a Settings that it held back (R3).
const AFTER_RESPONSE: Duration = Duration::from_millis(100);

/// What a message that waits takes beside its text, about, bytes.
const HELD_MESSAGE: usize = 64;

/// How far the connection is on its way to an open session.
#[derive(Debug, Default)]
pub(super) struct Opening {
    socket_open: bool,
    session_open: bool,
    first: FirstSettings,
    /// What the first takes until it is applied, bytes.
    first_bytes: usize,
    /// Further Settings that wait for the first to be applied.
    more: VecDeque<Translated>,
    /// As text: what is read may take a hundred times as much, and nobody needs it yet.
    messages: VecDeque<Box<str>>,
    audio: Vec<Bytes>,
    held_bytes: usize,
    /// The client has gone, and what it said before still waits.
    leaving: Option<LegEnd>,
    /// Upstream's own end of the session, seconds since 1970.
    expires_at: Option<f64>,
}

#[derive(Debug, Default)]
enum FirstSettings {
    /// None has come that could be used.
    #[default]
    Missing,
    /// It waits for the socket, or for the end of a response.
    Waiting(Box<Translated>),
    /// Its update is on its way.
    InFlight { event_id: EventId, translated: Box<Translated> },
    /// Upstream has applied it.
    Applied,
}

impl Opening {
    pub(super) fn socket_open(&self) -> bool {
        self.socket_open
    }

    /// Whether anything but a `session.update` may go up.
    pub(super) fn session_open(&self) -> bool {
        self.session_open
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Bytes of that, and of the first Settings until they are applied.
    pub(super) fn kept_bytes(&self) -> usize {
        self.held_bytes + if self.settings_under_way() { self.first_bytes } else { 0 }
    }

    /// Whether our update is the one with this id.
    pub(super) fn update_in_flight(&self) -> Option<&EventId> {
        match &self.first {
            FirstSettings::InFlight { event_id, .. } => Some(event_id),
            _ => None,
        }
    }

    /// Whether a first Settings waits for upstream, or to go there.
    pub(super) fn settings_under_way(&self) -> bool {
        matches!(self.first, FirstSettings::Waiting(_) | FirstSettings::InFlight { .. })
    }

    /// Whether input waits for an update that is under way.
    pub(super) fn holds_input(&self) -> bool {
        self.settings_under_way() && !(self.messages.is_empty() && self.audio.is_empty())
    }

    /// The client has gone; the connection ends once what it said has gone up.
    pub(super) fn leave(&mut self, end: LegEnd) {
        self.leaving.get_or_insert(end);
    }

    /// Whether the client has been told that its Settings are applied.
    pub(super) fn applied(&self) -> bool {
        matches!(self.first, FirstSettings::Applied)
    }

    /// Whether a first Settings waits to go up; responses are not asked for meanwhile.
    pub(super) fn settings_wait(&self) -> bool {
        matches!(self.first, FirstSettings::Waiting(_))
    }

    pub(super) fn expires_at(&self) -> Option<f64> {
        self.expires_at
    }

    fn audio_open(&self) -> bool {
        // Audio that follows a Settings is in the format that the Settings names, and none overtakes what
        // is held for a Settings that was refused.
        let settled = matches!(self.first, FirstSettings::Missing | FirstSettings::Applied)
            || Rule::InputWaitsForSession.is_off();
        let next = self.audio.is_empty() || Rule::InputWaitsForSession.is_off();
        let open = self.session_open || Rule::InputWaitsForSession.is_off();
        open && settled && next
    }
}

impl Gate {
    pub(super) fn upstream_opened(&mut self, now: Instant) {
        self.opening.socket_open = true;
        self.timers.stop(Timer::Dial);
        self.configure(now);
    }

    pub(super) fn settings(&mut self, settings: &Settings, now: Instant) {
        let mut translated = match translate(settings, &self.backend) {
            Ok(translated) => translated,
            Err(error) => return self.refuse_settings(&error),
        };
        for warning in std::mem::take(&mut translated.warnings) {
            self.tell(ServerMessage::Warning(warning));
        }
        match self.opening.first {
            FirstSettings::Waiting(_) | FirstSettings::InFlight { .. } if Rule::OneSessionUpdate.is_on() => {
                self.opening.held_bytes += settings_weight(&translated);
                self.opening.more.push_back(translated);
                self.held(Rule::OneSessionUpdate);
            }
            FirstSettings::Applied if Rule::OneSessionUpdate.is_on() => {
                self.ignored(Rule::OneSessionUpdate);
                self.tell(ServerMessage::SettingsApplied(Empty {}));
            }
            _ => {
                self.timers.stop(Timer::Settings);
                self.component = match self.backend.dialect {
                    Dialect::Auto => translated.from_component,
                    Dialect::Deepgram => false,
                    Dialect::Component => true,
                };
                self.history = translated.history.unwrap_or(!self.component);
                self.opening.first_bytes = settings_weight(&translated);
                self.opening.first = FirstSettings::Waiting(Box::new(translated));
                self.configure(now);
            }
        }
    }

    pub(super) fn refuse_settings(&mut self, error: &SettingsError) {
        self.tell_error(error.code, error.to_string());
    }

    /// Sends the update of a first Settings as soon as it may go.
    pub(super) fn configure(&mut self, now: Instant) {
        let no_socket = !self.opening.socket_open && Rule::SettingsFirst.is_on();
        if no_socket || !self.opening.settings_wait() {
            if self.opening.settings_wait() {
                self.held(Rule::SettingsFirst);
            }
            return;
        }
        let paused = self.timers.is_set(Timer::KeptSettings) && Rule::OneSessionUpdate.is_on();
        let busy = self.turn.running() || self.updates.in_flight().is_some();
        if paused || busy && Rule::OneSessionUpdate.is_on() {
            return self.held(Rule::OneSessionUpdate);
        }
        let event_id = self.next_event_id();
        let FirstSettings::Waiting(translated) = std::mem::take(&mut self.opening.first) else { return };
        self.push_event(ClientEvent::SessionUpdate(Box::new(SessionUpdate {
            event_id: Some(event_id.clone()),
            session: Some(translated.session.clone()),
        })));
        self.opening.first = FirstSettings::InFlight { event_id, translated };
        self.timers.set(Timer::SessionUpdated, now + self.patience());
        if !self.opening.session_open {
            self.phase = Phase::Configuring;
        }
    }

    /// A response has ended: a Settings that waited for that goes up after a pause (R3).
    pub(super) fn response_ended_for_settings(&mut self, now: Instant) {
        if self.opening.settings_wait() && !self.turn.running() && Rule::OneSessionUpdate.is_on() {
            self.timers.set(Timer::KeptSettings, now + AFTER_RESPONSE);
        }
    }

    /// Upstream says when its session will end, seconds since 1970.
    pub(super) fn note_expiry(&mut self, at: Option<f64>) {
        self.opening.expires_at = at.or(self.opening.expires_at);
    }

    pub(super) fn session_updated(&mut self, session: Option<Session>, now: Instant) {
        let session = session.unwrap_or_default();
        self.note_expiry(session.expires_at);
        match std::mem::take(&mut self.opening.first) {
            FirstSettings::InFlight { translated, .. } => {
                self.opening.first = FirstSettings::Applied;
                self.timers.stop(Timer::SessionUpdated);
                self.updates.begin(&translated);
                self.plan = translated.audio;
                self.turns = translated.turns;
                self.effects.push(Effect::UseAudio(self.plan));
                for _ in 0..=self.opening.more.len() {
                    self.tell(ServerMessage::SettingsApplied(Empty {}));
                }
                self.opening.more.clear();
                if let Some(greeting) = translated.greeting {
                    self.greet(greeting);
                }
                self.open_session(now);
            }
            first => {
                let alone = matches!(first, FirstSettings::Missing) && !self.opening.session_open;
                self.opening.first = first;
                if alone || Rule::InputWaitsForSession.is_off() {
                    // Upstream configured itself: good enough for typed turns and audio, but an answer to
                    // nothing.
                    self.open_session(now);
                } else if !self.update_applied(&session, now) {
                    self.ignored(Rule::InputWaitsForSession);
                }
            }
        }
        self.updates.note_voice(&session);
        self.note_effective_turns(&session);
    }

    /// What upstream says is in force counts for more than what we asked for.
    fn note_effective_turns(&mut self, session: &Session) {
        // Absent says nothing, and null is what manual mode asked for.
        if let Some(Some(detection)) = session.stated_turn_detection()
            && let TurnTaking::Detected { create_response, interrupt_response } = &mut self.turns
        {
            *create_response = detection.create_response.unwrap_or(*create_response);
            *interrupt_response = detection.interrupt_response.unwrap_or(*interrupt_response);
        }
    }

    /// Upstream refused our update (R2): what waits goes on waiting, and the next Settings counts as the
    /// first.
    pub(super) fn update_refused(&mut self, now: Instant) {
        self.timers.stop(Timer::SessionUpdated);
        match self.opening.more.pop_front() {
            Some(next) => {
                self.opening.first_bytes = settings_weight(&next);
                self.opening.held_bytes = self.opening.held_bytes.saturating_sub(self.opening.first_bytes);
                self.opening.first = FirstSettings::Waiting(Box::new(next));
                self.configure(now);
            }
            None => {
                self.opening.first = FirstSettings::Missing;
                self.timers.set(Timer::Settings, now + self.limits.settings_timeout);
                if !self.opening.session_open {
                    self.phase = Phase::Opening;
                }
                self.leave_if_gone(now);
            }
        }
    }

    fn greet(&mut self, greeting: String) {
        self.tell_line(Role::Assistant, greeting.clone());
        match self.backend.greeting_mode {
            // In the middle of an answer that upstream began by itself the end is that answer's.
            GreetingMode::Text if self.turn.is_told() && Rule::SignalsAroundOutput.is_on() => (),
            GreetingMode::Text => self.tell_end_signals(),
            GreetingMode::Speak => {
                self.wishes.push(Wish::verbatim(greeting, true, false));
                // The text above has been given; its signals come with the speech, or for want of it.
                self.end_signals_owed = true;
            }
        }
    }

    fn open_session(&mut self, now: Instant) {
        self.opening.session_open = true;
        self.phase = Phase::Active;
        while let Some(text) = self.opening.messages.pop_front() {
            match ClientMessage::decode(&text, |_| ()) {
                Ok(message) => self.open_message(message, now),
                Err(error) => debug_assert!(false, "what was read can be read again: {error}"),
            }
        }
        let audio = std::mem::take(&mut self.opening.audio);
        self.opening.held_bytes = 0;
        match audio.len() {
            0 => (),
            1 => self.append(audio.into_iter().next().expect("its length is one"), now),
            _ => {
                let mut whole = BytesMut::with_capacity(audio.iter().map(Bytes::len).sum());
                audio.iter().for_each(|piece| whole.extend_from_slice(piece));
                self.append(whole.freeze(), now);
            }
        }
        self.leave_if_gone(now);
    }

    /// The client did not wait for this: now that what it said has gone up, the connection ends.
    fn leave_if_gone(&mut self, now: Instant) {
        if let Some(end) = self.opening.leaving.take() {
            self.commit_before_close();
            self.end(CloseReason::Client(end), now);
        }
    }

    /// A typed message of the client, now or when the session is open.
    pub(super) fn when_open(&mut self, message: ClientMessage, now: Instant) {
        if self.opening.session_open || Rule::InputWaitsForSession.is_off() {
            return self.open_message(message, now);
        }
        let text = message.encode().into_boxed_str();
        self.opening.held_bytes += text.len() + HELD_MESSAGE;
        self.opening.messages.push_back(text);
        self.held(Rule::InputWaitsForSession);
        self.check_held_input(now);
    }

    /// Audio of the client, now or when the session is open.
    pub(super) fn client_audio(&mut self, audio: Bytes, now: Instant) {
        if audio.is_empty() && Rule::ManualCommit.is_on() {
            return self.ignored(Rule::ManualCommit);
        }
        if self.opening.audio_open() {
            return self.append(audio, now);
        }
        self.opening.held_bytes += audio.len() + size_of::<Bytes>();
        self.opening.audio.push(audio);
        self.held(Rule::InputWaitsForSession);
        self.check_held_input(now);
    }

    /// With Settings on their way the client is simply not read on. Without, reading must go on, since
    /// the Settings may be behind the audio; then too much is too much.
    fn check_held_input(&mut self, now: Instant) {
        let limit = self.limits.before_ready;
        if self.opening.held_bytes > limit && matches!(self.opening.first, FirstSettings::Missing) {
            self.end(CloseReason::TooMuchInput { limit }, now);
        }
    }

    pub(super) fn expire_opening(&mut self, now: Instant) {
        if self.timers.take_due(Timer::KeptSettings, now) {
            self.configure(now);
        }
        if let Some(reason) = limits::exceeded(&mut self.timers, now) {
            self.end(reason, now);
        }
    }

    pub(super) fn expire_session_update(&mut self, now: Instant) {
        if self.timers.take_due(Timer::SessionUpdated, now) {
            self.ran_out(Rule::InputWaitsForSession);
            self.end(CloseReason::UpstreamSilent, now);
        }
    }
}

fn settings_weight(translated: &Translated) -> usize {
    let Translated { session, prompt, previous, greeting, endpoints, .. } = translated;
    let texts = [prompt, greeting].into_iter().flatten().chain([previous]).map(String::len);
    let endpoints = endpoints.values().map(Endpoint::bytes).sum::<usize>();
    size_of::<Translated>() + session_bytes(session) + texts.sum::<usize>() + endpoints
}
