//! What a peer has received, in order and with times, and how a test waits for more of it.
//! Shared by the client and the mock upstream; knows nothing of either protocol beyond `type`.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::Bytes;

/// One thing that arrived.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// A text frame holding JSON.
    Json(Value),
    /// A text frame holding anything else.
    Text(String),
    /// A binary frame.
    Binary(Bytes),
    /// A close frame.
    Closed { code: Option<u16>, reason: String },
    /// The connection ended, with or without a close frame before it.
    Gone(String),
}

impl What {
    /// The `type` of a JSON message.
    pub(crate) fn kind(&self) -> Option<&str> {
        match self {
            Self::Json(value) => value["type"].as_str(),
            Self::Text(_) | Self::Binary(_) | Self::Closed { .. } | Self::Gone(_) => None,
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(value) => write!(f, "{}", shortened(&value.to_string())),
            Self::Text(text) => write!(f, "text, not JSON: {}", shortened(text)),
            Self::Binary(bytes) => write!(f, "binary, {} bytes", bytes.len()),
            Self::Closed { code, reason } => write!(f, "close {code:?} {reason:?}"),
            Self::Gone(how) => write!(f, "connection over: {how}"),
        }
    }
}

fn shortened(text: &str) -> String {
    const SHOWN: usize = 300;
    if text.len() <= SHOWN {
        return text.to_owned();
    }
    format!("{}… ({} bytes)", text.chars().take(SHOWN).collect::<String>(), text.len())
}

/// One arrival: when, on which connection, what.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) at: Instant,
    pub(crate) connection: usize,
    pub(crate) what: What,
}

/// Everything received so far, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    pub(crate) entries: Vec<Entry>,
    over: bool,
}

impl Journal {
    /// The JSON messages of one type, with their positions.
    pub(crate) fn all<'a>(&'a self, kind: &str) -> impl Iterator<Item = (usize, &'a Value)> {
        self.entries.iter().enumerate().filter_map(move |(index, entry)| match &entry.what {
            What::Json(value) if value["type"] == kind => Some((index, value)),
            _ => None,
        })
    }

    /// How many JSON messages of one type there are.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.all(kind).count()
    }

    /// Where the first message of a type stands.
    pub(crate) fn position(&self, kind: &str) -> Option<usize> {
        self.all(kind).next().map(|(index, _)| index)
    }

    /// Where the last message of a type stands.
    pub(crate) fn last_position(&self, kind: &str) -> Option<usize> {
        self.all(kind).last().map(|(index, _)| index)
    }

    /// The first message of a type.
    pub(crate) fn first(&self, kind: &str) -> Option<&Value> {
        self.all(kind).next().map(|(_, value)| value)
    }

    /// The first `ConversationText` of a role: its position and content.
    pub(crate) fn spoken(&self, role: &str) -> Option<(usize, &str)> {
        self.all("ConversationText")
            .find(|(_, value)| value["role"] == role)
            .map(|(index, value)| (index, value["content"].as_str().unwrap_or_default()))
    }

    /// The contents of every `ConversationText` of a role.
    pub(crate) fn spoken_texts(&self, role: &str) -> Vec<&str> {
        self.all("ConversationText")
            .filter(|(_, value)| value["role"] == role)
            .filter_map(|(_, value)| value["content"].as_str())
            .collect()
    }

    /// The binary frames, with their positions.
    pub(crate) fn binaries(&self) -> impl Iterator<Item = (usize, &Bytes)> {
        self.entries.iter().enumerate().filter_map(|(index, entry)| match &entry.what {
            What::Binary(bytes) => Some((index, bytes)),
            _ => None,
        })
    }

    /// The first close frame.
    pub(crate) fn closed(&self) -> Option<(Option<u16>, &str)> {
        self.entries.iter().find_map(|entry| match &entry.what {
            What::Closed { code, reason } => Some((*code, reason.as_str())),
            _ => None,
        })
    }

    /// Everything before a position.
    pub(crate) fn before(&self, position: usize) -> Self {
        Self { entries: self.entries[..position].to_vec(), over: false }
    }

    /// Everything that came on one connection.
    pub(crate) fn on(&self, connection: usize) -> Self {
        let entries = self.entries.iter().filter(|entry| entry.connection == connection).cloned().collect();
        Self { entries, over: false }
    }

    /// Everything that came up to a moment.
    pub(crate) fn until(&self, moment: Instant) -> Self {
        let entries = self.entries.iter().filter(|entry| entry.at <= moment).cloned().collect();
        Self { entries, over: false }
    }

    /// Fails if any `Error` came.
    #[track_caller]
    pub(crate) fn assert_no_error(&self) {
        assert_eq!(self.count("Error"), 0, "an Error came:\n{self}");
    }
}

impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.entries.first() else {
            return write!(f, "  (nothing)");
        };
        for entry in &self.entries {
            let millis = (entry.at - first.at).as_millis();
            writeln!(f, "  {millis:>6} ms  #{}  {}", entry.connection, entry.what)?;
        }
        Ok(())
    }
}

/// A journal that is still being written, and wakes those who wait for it.
#[derive(Debug)]
pub(crate) struct Recorder {
    journal: Mutex<Journal>,
    changed: watch::Sender<()>,
    whose: &'static str,
}

impl Recorder {
    pub(crate) fn new(whose: &'static str) -> Self {
        Self { journal: Mutex::default(), changed: watch::Sender::new(()), whose }
    }

    /// Adds an arrival, stamped with the present moment.
    pub(crate) fn note(&self, connection: usize, what: What) {
        let entry = Entry { at: Instant::now(), connection, what };
        self.journal.lock().expect("no holder panics").entries.push(entry);
        self.changed.send_replace(());
    }

    /// Says that nothing will follow, so that nobody waits for it.
    pub(crate) fn finish(&self) {
        self.journal.lock().expect("no holder panics").over = true;
        self.changed.send_replace(());
    }

    /// A copy of what there is.
    pub(crate) fn journal(&self) -> Journal {
        self.journal.lock().expect("no holder panics").clone()
    }

    /// Waits until `look` finds what it wants.
    ///
    /// # Panics
    ///
    /// With the whole journal, if that has not happened in time or the connection ended without it.
    pub(crate) async fn wait_for<T>(
        &self,
        wanted: &str,
        within: Duration,
        mut look: impl FnMut(&Journal) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + within;
        let mut changed = self.changed.subscribe();
        loop {
            let over = {
                let journal = self.journal.lock().expect("no holder panics");
                if let Some(found) = look(&journal) {
                    return found;
                }
                journal.over
            };
            if over || timeout_at(deadline, changed.changed()).await.is_err() {
                let (whose, journal) = (self.whose, self.journal());
                panic!("{whose} received no {wanted} within {within:?}; it has:\n{journal}");
            }
        }
    }
}
