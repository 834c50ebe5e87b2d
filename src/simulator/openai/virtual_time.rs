//! A session of the simulator in virtual time, for tests of whatever speaks with one. Knows nothing of who that is.

use std::time::Duration;

use super::{
    account::Account,
    beta::Api,
    configuration::Kind,
    options::Options,
    session::{self, Identity},
};
use crate::simulator::socket::{Output, Session as _};

/// A session whose clock is its caller's: times are since its start.
pub(crate) struct Session(session::Session);

/// What leaves a session.
pub(crate) enum Sent {
    /// A text frame.
    Text(String),
    /// The end of the connection.
    Close { code: u16, reason: String },
}

impl Session {
    /// A session of the present API with these options, whose ids are the same each time.
    pub(crate) fn new(options: &[(&str, &str)]) -> Self {
        let identity = Identity {
            token: "0123456789".to_owned(),
            model: "gpt-realtime".to_owned(),
            kind: Kind::Realtime,
            started_at: 1_790_000_000,
            api: Api::Ga,
            wants_beta: false,
        };
        let options = Options::parse(options.iter().copied()).expect("the options of a test");
        Self(session::Session::new(identity, options, Account::default()))
    }

    /// Takes a text frame.
    pub(crate) fn text(&mut self, text: &str, now: Duration) {
        self.0.text(text, now);
    }

    /// When the next frame leaves, if nothing comes before.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.0.deadline()
    }

    /// What leaves by now.
    pub(crate) fn poll(&mut self, now: Duration) -> Vec<Sent> {
        let sent = |output| match output {
            Output::Text(text) => Sent::Text(text),
            Output::Close { code, reason } => Sent::Close { code, reason },
            Output::Binary(_) => unreachable!("the API has no binary frames"),
        };
        self.0.poll(now).into_iter().map(sent).collect()
    }
}
