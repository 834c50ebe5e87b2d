//! What a connection has come to so far, in numbers: seen from what goes into its gate and what comes out of it.
//!
//! Pure, like the gates: no clock, no log. Whoever looks on at a connection shows each step to a [`Tally`]; what is
//! logged at the end of a connection, counted in metrics and written to the usage log is read from its [`Totals`].

use std::{fmt, time::Instant};

use crate::{
    gate::{ClientFrame, Effect, Input},
    protocol::agent::ServerMessage,
};

/// Looks on at one connection.
#[derive(Debug, Default)]
pub struct Tally {
    totals: Totals,
}

/// What a connection has come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Function calls of the model that were handed out, to the client or to functions that run here.
    pub function_calls: u64,
}

impl Tally {
    /// What goes into the gate, before it does.
    pub fn input(&mut self, _input: &Input, _now: Instant) {}

    /// What came out of the gate for that input.
    pub fn effects(&mut self, effects: &[Effect], _now: Instant) {
        for effect in effects {
            if let Effect::ToClient(ClientFrame::Message(message)) = effect
                && let ServerMessage::FunctionCallRequest(request) = &**message
            {
                self.totals.function_calls += request.functions.len() as u64;
            }
        }
    }

    /// What the connection has come to by now.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }
}

/// As ` name=number` each.
impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function_calls } = self;
        write!(f, " function_calls={function_calls}")
    }
}
