//! How the user's speech is listened to: who decides that a turn is over, and how it is transcribed (OpenAI Realtime).
//! Knows the words of the configuration, but not how they are read or printed.

/// Who decides that the user's turn is over (OpenAI Realtime, turn detection).
#[derive(Debug, Clone, PartialEq)]
pub enum TurnDetection {
    /// Upstream, by silence.
    ServerVad {
        /// Loudness that counts as speech, 0 to 1.
        threshold: f64,
        /// Audio kept from before the speech, in milliseconds.
        prefix_padding_ms: u32,
        /// Silence that ends a turn, in milliseconds.
        silence_duration_ms: u32,
        /// Silence after which the model speaks unasked, 5000 to 30000 ms; `None` is never.
        idle_timeout_ms: Option<u32>,
        /// Whether upstream answers a turn by itself.
        create_response: bool,
        /// Whether upstream cancels its response when the user speaks.
        interrupt_response: bool,
    },
    /// Upstream, by meaning.
    SemanticVad {
        /// How soon it takes a turn for finished.
        eagerness: Eagerness,
        /// Whether upstream answers a turn by itself.
        create_response: bool,
        /// Whether upstream cancels its response when the user speaks.
        interrupt_response: bool,
    },
    /// The gateway commits by time and amount of audio.
    Manual,
}

/// How soon semantic turn detection takes a turn for finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eagerness {
    /// Waits at most 8 s.
    Low,
    /// Waits at most 4 s.
    Medium,
    /// Waits at most 2 s.
    High,
    /// Upstream's choice, the same as medium.
    Auto,
}

impl Eagerness {
    /// The word for it, in the configuration and in the Realtime API alike.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Auto => "auto",
        }
    }
}

/// How the user's speech is transcribed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcription {
    /// Transcription model.
    pub model: String,
    /// Language of the speech where the client names none, `en` if `None`; `multi` lets the model find out.
    pub language: Option<String>,
    /// Hint for the model, such as names to expect.
    pub prompt: Option<String>,
}

impl Default for TurnDetection {
    fn default() -> Self {
        Self::ServerVad {
            threshold: 0.5,
            prefix_padding_ms: 300,
            silence_duration_ms: 200,
            idle_timeout_ms: None,
            create_response: true,
            interrupt_response: true,
        }
    }
}

impl Default for Transcription {
    fn default() -> Self {
        Self { model: "gpt-4o-transcribe".into(), language: None, prompt: None }
    }
}
