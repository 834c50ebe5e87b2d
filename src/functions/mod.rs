//! Runs the functions that the model calls, on threads of their own, so that none of them can hold up a
//! conversation. Knows a call, a deadline and where to answer; nothing of sessions, and nobody's rules.
//!
//! ```text
//!  actors, server ──► ExecutorPool ──► FunctionExecutor ──► an application, over HTTP/1.1
//!  (any thread)       places for a     one per thread:      or a built-in function
//!                     bounded number   deadline, retries,
//!       ◄── RunningCall ──────────────  its connections
//! ```
//!
//! An application is asked over connections of our own (`connection.rs`). The pool of awc uses a connection
//! again whatever else has come over it, and takes a 103, or what breaks off, for an answer. That of hyper, and
//! so reqwest's, uses it again at once: a call that must not be made twice is lost to a server that answers and
//! then closes. Nor can reqwest be told to leave a connection whose answer is ambiguous.

mod address;
mod admission;
mod answer;
mod application;
mod built_in;
mod connection;
mod connections;
mod executor;
mod failure;
mod framing;
mod pool;
mod request;
#[cfg(test)]
mod tests;

use std::fmt;

pub use self::{
    built_in::current_time,
    failure::{FAILURES, Failure},
    pool::{ExecutorPool, RunningCall},
};
use crate::{protocol::ids::CallId, translate::functions::Endpoint};

/// A function call to be run.
#[derive(Clone)]
pub struct Call {
    /// The model's name for the call.
    pub id: CallId,
    /// The function.
    pub name: String,
    /// Its arguments as the model wrote them: JSON text, as a rule.
    pub arguments: String,
    /// The backend whose model calls, whose routes it then has.
    pub backend: Option<String>,
    /// Where a client's Settings has it run; a route of the configuration's comes first.
    pub endpoint: Option<Endpoint>,
    /// The caller's own name for what this belongs to, for the application's log; handed on if it is one word of visible
    /// ASCII.
    pub trace: Option<String>,
    /// The trace that the caller belongs to (W3C Trace Context); handed on if it is well-formed.
    pub traceparent: Option<String>,
}

/// What became of a call: the text for the model, or why there is none.
pub type Outcome = Result<String, Failure>;

/// Arguments are content and are not printed.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({}, {:?}, {} bytes)", self.id, self.name, self.arguments.len())
    }
}
