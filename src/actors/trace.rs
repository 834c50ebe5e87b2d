//! The fields that every log line of a connection begins with.

use std::rc::Rc;

use crate::usage_log::Source;

/// Who a log line is about. Cloning is a reference count.
#[derive(Clone)]
pub struct Trace(Rc<Fields>);

struct Fields {
    connection: String,
    trace: Option<String>,
    backend: String,
    subject: Option<String>,
}

impl Trace {
    /// `connection` names the connection, `trace` is the client's own name for it, if it gave one, and `subject` says
    /// whose token it came with, if with any.
    pub fn new(connection: String, trace: Option<String>, backend: String, subject: Option<String>) -> Self {
        Self(Rc::new(Fields { connection, trace, backend, subject }))
    }

    /// The connection's name.
    pub fn connection(&self) -> &str {
        &self.0.connection
    }

    /// The client's own name for the connection.
    pub(super) fn name(&self) -> Option<&str> {
        self.0.trace.as_deref()
    }

    /// The backend's name.
    pub(super) fn backend(&self) -> &str {
        &self.0.backend
    }

    /// What every line begins with.
    pub(crate) fn fields(&self) -> [(&'static str, &str); 3] {
        let Fields { connection, trace, backend, subject: _ } = &*self.0;
        [("conn", connection), ("trace", trace.as_deref().unwrap_or("-")), ("backend", backend)]
    }

    /// The same for the usage log.
    pub(super) fn source(&self) -> Source<'_> {
        let Fields { connection, trace, backend, subject } = &*self.0;
        Source { connection, trace: trace.as_deref(), backend, subject: subject.as_deref() }
    }
}
