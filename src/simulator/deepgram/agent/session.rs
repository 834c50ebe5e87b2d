//! The state machine of one simulated agent: messages and the time in, timed messages out. Time is counted from the
//! session's start. Knows nothing of sockets and has no clock of its own.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    answering::{Activity, Want},
    calls::Calls,
    configuration::Configuration,
    ear::Ear,
    messages::{self, Refused, unparsable},
};
use crate::simulator::{
    deepgram::{options::Options, wire::Wire},
    reply::Entry,
    socket::{self, Output},
};

/// A session.
#[derive(Debug)]
pub(in crate::simulator::deepgram) struct Session {
    pub(super) options: Options,
    pub(super) phase: Phase,
    /// What was said, oldest first.
    pub(super) entries: Vec<Entry>,
    pub(super) is_user_speaking: bool,
    /// When speech ends for want of audio; a microphone that is off sends no silence.
    pub(super) speech_fades_at: Option<Duration>,
    pub(super) activity: Activity,
    /// What the agent is to do next, oldest first.
    pub(super) wants: VecDeque<Want>,
    pub(super) calls: Calls,
    later: BTreeMap<(Duration, u64), Later>,
    /// When the client last sent a message.
    heard_at: Duration,
    /// When the session's end is announced, and when it comes.
    warns_at: Option<Duration>,
    expires_at: Duration,
    wire: Wire,
    token: String,
    made_ids: u64,
}

/// How far a session has come.
#[derive(Debug)]
pub(super) enum Phase {
    /// No Settings yet.
    Opening,
    /// `SettingsApplied` is delayed: what comes meanwhile waits.
    Applying { settings: Value, held: Vec<Held> },
    /// Settings are in force.
    Active(Box<Agent>),
}

/// What only a session with Settings has.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) configuration: Configuration,
    /// `None` where the simulator does not decode the declared encoding.
    pub(super) ear: Option<Ear>,
}

/// A message that waits for `SettingsApplied`.
#[derive(Debug)]
pub(super) enum Held {
    Message(Value),
    Audio(Vec<u8>),
}

/// Something that happens at a set time.
#[derive(Debug)]
pub(super) enum Later {
    /// `SettingsApplied` is due.
    Apply,
    /// The endpoint of a function has answered.
    FunctionAnswered { id: String },
}

impl socket::Session for Session {
    fn text(&mut self, message: &str, now: Duration) {
        if !self.takes(message.len(), now) {
            return;
        }
        let outcome = match messages::read(message) {
            Ok(message) => self.take_message(message, now),
            Err(refused) => Err(refused),
        };
        if let Err(refused) = outcome {
            self.fail(&refused, now);
        }
    }

    fn binary(&mut self, message: &[u8], now: Duration) {
        if !self.takes(message.len(), now) {
            return;
        }
        let outcome = if messages::is_message(message) {
            Err(unparsable("a message came in a binary frame".to_owned()))
        } else {
            self.take_audio(message, now)
        };
        if let Err(refused) = outcome {
            self.fail(&refused, now);
        }
    }

    fn poll(&mut self, now: Duration) -> Vec<Output> {
        self.run_until(now);
        self.wire.take(now, &self.options)
    }

    fn deadline(&self) -> Option<Duration> {
        if self.wire.is_closing() {
            self.wire.due()
        } else {
            self.wire.due().into_iter().chain([self.next_at()]).min()
        }
    }
}

impl Session {
    /// A session at time zero, `Welcome` on its way.
    pub(in crate::simulator::deepgram) fn new(request_id: &str, options: Options) -> Self {
        let mut token = request_id.replace('-', "");
        token.truncate(12);
        let mut session = Self {
            phase: Phase::Opening,
            entries: Vec::new(),
            is_user_speaking: false,
            speech_fades_at: None,
            activity: Activity::Idle,
            wants: VecDeque::new(),
            calls: Calls::default(),
            later: BTreeMap::new(),
            heard_at: Duration::ZERO,
            // As long before the end as five minutes are before two hours.
            warns_at: Some(options.max_session * 23 / 24),
            expires_at: options.max_session,
            wire: Wire::default(),
            token,
            made_ids: 0,
            options,
        };
        session.send(json!({"type": "Welcome", "request_id": request_id}), Duration::ZERO);
        session
    }

    /// Sends a message.
    pub(super) fn send(&mut self, message: Value, now: Duration) {
        self.wire.message(&message, now, &self.options);
    }

    /// Sends audio.
    pub(super) fn send_audio(&mut self, audio: Vec<u8>, now: Duration) {
        self.wire.audio(audio, now, &self.options);
    }

    /// Sends a `Warning`.
    pub(super) fn warn(&mut self, code: &str, description: &str, now: Duration) {
        self.send(json!({"type": "Warning", "code": code, "description": description}), now);
    }

    /// Sends an `Error` and ends the session.
    pub(super) fn fail(&mut self, refused: &Refused, now: Duration) {
        self.end_with(refused.code, &refused.description, now);
    }

    /// Sends an `Error` of any code and ends the session.
    pub(super) fn end_with(&mut self, code: &str, description: &str, now: Duration) {
        self.send(json!({"type": "Error", "code": code, "description": description}), now);
        self.wire.close(close_code(code), code, now, &self.options);
    }

    /// What the Settings has put in force.
    pub(super) fn configuration(&self) -> &Configuration {
        match &self.phase {
            Phase::Active(agent) => &agent.configuration,
            Phase::Opening | Phase::Applying { .. } => unreachable!("only an active session does anything"),
        }
    }

    /// The same, to be changed.
    pub(super) fn configuration_mut(&mut self) -> &mut Configuration {
        match &mut self.phase {
            Phase::Active(agent) => &mut agent.configuration,
            Phase::Opening | Phase::Applying { .. } => unreachable!("only an active session does anything"),
        }
    }

    /// An id that no other session has.
    pub(super) fn fresh_id(&mut self, prefix: &str) -> String {
        self.made_ids += 1;
        format!("{prefix}_{}{:04}", self.token, self.made_ids)
    }

    /// Puts something on the calendar.
    pub(super) fn schedule(&mut self, later: Later, at: Duration) {
        self.made_ids += 1;
        self.later.insert((at, self.made_ids), later);
    }

    /// Whether a message of this length is to be looked at; one that is too long ends the session.
    fn takes(&mut self, length: usize, now: Duration) -> bool {
        self.run_until(now);
        if self.wire.is_closing() {
            return false;
        }
        self.heard_at = now;
        let is_too_long = length > self.options.max_message_bytes;
        if is_too_long {
            self.fail(&unparsable(format!("a message of {length} bytes is too long")), now);
        }
        !is_too_long
    }

    fn take_message(&mut self, message: Value, now: Duration) -> Result<(), Refused> {
        let name = message["type"].as_str().unwrap_or_default();
        if let Some((_, code)) = self.options.error_on.iter().find(|(scripted, _)| scripted == name) {
            let code = code.clone();
            self.end_with(&code, "the simulator was told to refuse this message", now);
            return Ok(());
        }
        match &mut self.phase {
            Phase::Opening if name == "Settings" => self.settings(message, now),
            Phase::Opening => Err(before_settings(name)),
            Phase::Applying { .. } | Phase::Active(_) if name == "Settings" => {
                let description = "Settings can be sent once".to_owned();
                Err(Refused { code: "SETTINGS_ALREADY_APPLIED", description })
            }
            Phase::Applying { held, .. } => {
                held.push(Held::Message(message));
                Ok(())
            }
            Phase::Active(_) => self.request(&message, now),
        }
    }

    fn take_audio(&mut self, audio: &[u8], now: Duration) -> Result<(), Refused> {
        match &mut self.phase {
            Phase::Opening => Err(before_settings("audio")),
            Phase::Applying { held, .. } => {
                held.push(Held::Audio(audio.to_vec()));
                Ok(())
            }
            Phase::Active(_) => self.hear(audio, now),
        }
    }

    /// `SettingsApplied`, then what has waited for it.
    fn apply(&mut self, now: Duration) {
        let Phase::Applying { settings, held } = std::mem::replace(&mut self.phase, Phase::Opening) else {
            unreachable!("a Settings is applied once")
        };
        let configuration = Configuration::of(&settings);
        let ear = configuration.input.format.map(Ear::new);
        self.phase = Phase::Active(Box::new(Agent { configuration, ear }));
        self.send(json!({"type": "SettingsApplied"}), now);
        self.settled(now);
        // After a refusal the rest is of no effect: nothing follows a close.
        for message in held {
            let outcome = match message {
                Held::Message(message) => self.request(&message, now),
                Held::Audio(audio) => self.hear(&audio, now),
            };
            if let Err(refused) = outcome {
                self.fail(&refused, now);
            }
        }
    }

    /// Does everything that is due by now, in the order of time and each at its own time.
    fn run_until(&mut self, now: Duration) {
        while !self.wire.is_closing() && self.next_at() <= now {
            let at = self.next_at();
            if at == self.expires_at {
                self.end_with("MAXIMUM_SESSION_LENGTH_REACHED", "the session has lasted too long", at);
            } else if at == self.heard_at + self.options.message_timeout {
                self.end_with("CLIENT_MESSAGE_TIMEOUT", "the client has sent no message for too long", at);
            } else if self.warns_at == Some(at) {
                self.warns_at = None;
                self.warn("MAXIMUM_SESSION_LENGTH_APPROACHING", "the session will end soon", at);
            } else if self.speech_fades_at == Some(at) {
                self.end_speech(at);
            } else if self.activity.due() == Some(at) {
                self.advance(at);
            } else if let Some((_, later)) = self.later.pop_first() {
                match later {
                    Later::Apply => self.apply(at),
                    Later::FunctionAnswered { id } => self.function_answered(&id, at),
                }
            }
        }
    }

    fn next_at(&self) -> Duration {
        let later = self.later.keys().map(|(at, _)| *at).take(1);
        let silence = self.heard_at + self.options.message_timeout;
        let soon = later
            .chain(self.activity.due())
            .chain(self.warns_at)
            .chain(self.speech_fades_at)
            .chain([silence])
            .min();
        soon.map_or(self.expires_at, |at| at.min(self.expires_at))
    }
}

/// The close code that follows an error ("Connection", "Codes"): the client's fault, or that of the service and of
/// time.
fn close_code(code: &str) -> u16 {
    match code {
        "NON_SETTINGS_MESSAGE_BEFORE_SETTINGS"
        | "SETTINGS_ALREADY_APPLIED"
        | "INVALID_SETTINGS"
        | "UNPARSABLE_CLIENT_MESSAGE"
        | "USER_AUDIO_FORMAT"
        | "NON_EXISTENT_FUNCTION_CALLED"
        | "AGENT_ID_NOT_SUPPORTED"
        | "INVALID_AGENT_ID" => 1008,
        _ => 1011,
    }
}

fn before_settings(what: &str) -> Refused {
    Refused {
        code: "NON_SETTINGS_MESSAGE_BEFORE_SETTINGS",
        description: format!("{what} came before Settings"),
    }
}
