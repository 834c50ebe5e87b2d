//! KeepAlive for a client that is silent, as long as it answers: Deepgram closes on who says nothing. When a client
//! has been silent for a time it is pinged, and its answer is what lets a KeepAlive go up.

use std::time::{Duration, Instant};

use super::{Relay, Service};
use crate::{
    config::ListenVersion,
    gate::{Effect, timers::Timer},
    protocol::{Frame, Opcode},
};

/// The message, the same for both services.
const KEEP_ALIVE: &str = r#"{"type":"KeepAlive"}"#;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// What has to come first has not come.
    NotBegun,
    /// The client speaks, or is silent and has not been asked.
    Speaking,
    /// The client has been pinged.
    Asked,
    /// Nothing more is to go up, or this service has no KeepAlive.
    Never,
}

pub(super) struct KeepAlive {
    /// How long a client may be silent.
    silence: Duration,
    /// Whether audio alone counts as not being silent.
    audio_alone: bool,
    open: bool,
    state: State,
}

impl KeepAlive {
    pub(super) fn new(service: Service) -> Self {
        // The Voice Agent protocol wants one every 8 s; the listen protocol every 3 to 5 s, and closes after 10.
        let (silence, state) = match service {
            Service::Agent => (8, State::NotBegun),
            Service::Transcription(ListenVersion::V1) => (4, State::NotBegun),
            // It knows no KeepAlive and ends at one.
            Service::Transcription(ListenVersion::V2) => (0, State::Never),
        };
        let audio_alone = service != Service::Agent;
        Self { silence: Duration::from_secs(silence), audio_alone, open: false, state }
    }

    /// Upstream's socket is open.
    pub(super) fn opened(&mut self) {
        self.open = true;
    }

    /// What has to come first has come.
    pub(super) fn begun(&mut self) {
        if self.state == State::NotBegun {
            self.state = State::Speaking;
        }
    }

    /// The client will say nothing more.
    pub(super) fn ended(&mut self) {
        self.state = State::Never;
    }

    /// Whether the client may still say that it has ended.
    pub(super) fn waits_for_end(&self) -> bool {
        self.state != State::Never
    }
}

impl Relay {
    /// A frame of the client, before it is passed on.
    pub(super) fn client_speaks(&mut self, frame: &Frame, now: Instant) {
        if self.keep_alive.audio_alone {
            let goes_on = frame.opcode == Opcode::Continuation && self.up.in_message();
            if frame.opcode != Opcode::Binary && !goes_on {
                return;
            }
            if frame.opcode == Opcode::Binary && frame.last && frame.payload.is_empty() {
                // The end of the stream, as the listen protocol has it.
                self.keep_alive.ended();
                return self.timers.stop(Timer::Silence);
            }
            self.keep_alive.begun();
        }
        if self.keep_alive.state == State::Asked {
            self.keep_alive.state = State::Speaking;
        }
        self.wait_for_silence(now);
    }

    /// From now on silence counts, if it counts at all.
    pub(super) fn wait_for_silence(&mut self, now: Instant) {
        if self.keep_alive.state == State::Speaking && self.keep_alive.open {
            self.timers.set(Timer::Silence, now + self.keep_alive.silence);
        }
    }

    pub(super) fn expire_silence(&mut self, now: Instant) {
        if self.timers.take_due(Timer::Silence, now) {
            self.keep_alive.state = State::Asked;
            self.effects.push(Effect::Ping(super::Leg::Client));
        }
    }

    /// The client has answered a ping, or sent one: it is there.
    pub(super) fn client_answers(&mut self, now: Instant) {
        if self.keep_alive.state != State::Asked {
            return;
        }
        self.keep_alive.state = State::Speaking;
        if !self.up.in_message() {
            self.say_up(KEEP_ALIVE.to_owned());
        }
        self.wait_for_silence(now);
    }
}
