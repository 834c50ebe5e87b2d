//! The trouble a simulated session makes on purpose, as names and text values: one set for the configuration
//! file and the query string. Knows nothing of sessions.

use std::time::Duration;

use crate::simulator::values::{
    milliseconds, named, number, read, some_text, type_and_code, within, word, words,
};

/// Scripted trouble. The default makes none.
///
/// Each field is an option of the same name in `[simulator.deepgram]` and in the query strings of `/sim/deepgram`.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// `key` (text; default: any, and none): the API key, or the JWT, that is asked for.
    pub key: Option<String>,
    /// `transcript` (default `What time is it?`): what every spoken input is taken to say. The simulator does
    /// not recognise speech; it only tells it from silence.
    pub transcript: String,
    /// `audio_speed` (above 0, at most 1000; default 8): how many times faster than real time audio is sent.
    pub audio_speed: f64,
    /// `text_only` (true, false): answers come without audio, and so without `AgentAudioDone`.
    pub text_only: bool,
    /// `sentences` (true, false): each sentence of an answer is a `ConversationText` of its own.
    pub sentences: bool,
    /// `function_result` (default `{"result":"done"}`): what every function with an endpoint answers. No network is
    /// used.
    pub function_result: String,
    /// `function_delay_ms` (default 20): how long such a function takes.
    pub function_delay: Duration,
    /// `thought_signatures` (true, false): function calls carry a signature, which the answers must give back.
    pub thought_signatures: bool,
    /// `settings_delay_ms`: `SettingsApplied` comes this much later; what the client sends meanwhile waits.
    pub settings_delay: Duration,
    /// `think_delay_ms`: an answer begins this long after `AgentThinking`.
    pub think_delay: Duration,
    /// `message_timeout_ms` (default 60000): silence of the client that ends an agent's session.
    pub message_timeout: Duration,
    /// `max_session_ms` (at most a day; default two hours): the life of an agent's session.
    pub max_session: Duration,
    /// `max_message_bytes` (default 1048576): a longer message ends an agent's session.
    pub max_message_bytes: usize,
    /// `error` (an error code): the agent sends it after `SettingsApplied`, and ends the session.
    pub error: Option<String>,
    /// `warning` (a warning code): the agent sends it after `SettingsApplied`.
    pub warning: Option<String>,
    /// `error_on` (`TYPE:CODE`, several separated by commas): the agent answers messages of a type with that error.
    pub error_on: Vec<(String, String)>,
    /// `delay_ms` (at most 600000): everything leaves this much later.
    pub delay: Duration,
    /// `drop` (message types, separated by commas): messages of these types are never sent.
    pub drop: Vec<String>,
    /// `refuse` (an HTTP status from 400 to 599): the upgrade is answered with it.
    pub refuse: Option<u16>,
    /// `close_after` (1 or more): the session is closed after so many text messages.
    pub close_after: Option<usize>,
    /// `close_code` (1000 to 4999; default 1011): the code for `close_after`.
    pub close_code: u16,
    /// `close_reason` (text of at most 123 bytes): the reason for `close_after`.
    pub close_reason: String,
    /// `silent` (true, false): the upgrade succeeds, then nothing is ever sent.
    pub silent: bool,
    /// `net_timeout_ms` (at most 600000; default: 10000 on v1, 25000 on v2): a transcription session without audio,
    /// on v1 without KeepAlive as well, is closed after this time.
    pub net_timeout: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            key: None,
            transcript: "What time is it?".to_owned(),
            audio_speed: 8.0,
            text_only: false,
            sentences: false,
            function_result: r#"{"result":"done"}"#.to_owned(),
            function_delay: Duration::from_millis(20),
            thought_signatures: false,
            settings_delay: Duration::ZERO,
            think_delay: Duration::ZERO,
            message_timeout: Duration::from_secs(60),
            max_session: Duration::from_secs(7200),
            max_message_bytes: 1 << 20,
            error: None,
            warning: None,
            error_on: Vec::new(),
            delay: Duration::ZERO,
            drop: Vec::new(),
            refuse: None,
            close_after: None,
            close_code: 1011,
            close_reason: "closed by the simulator".to_owned(),
            silent: false,
            net_timeout: None,
        }
    }
}

impl Options {
    /// Reads options from names and values; what is not named keeps its default.
    ///
    /// # Errors
    /// The text names the first unknown option or bad value.
    pub fn parse<K: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, String> {
        pairs.into_iter().try_fold(Self::default(), |mut options, (name, value)| {
            let (name, value) = (name.as_ref(), value.as_ref());
            named(options.set(name, value), name, value).map(|()| options)
        })
    }

    /// Sets an option; `None` if there is none of this name.
    pub(in crate::simulator) fn set(&mut self, name: &str, value: &str) -> Option<Result<(), String>> {
        Some(match name {
            "key" => some_text(value).map(|key| self.key = Some(key)),
            "transcript" => read(value, &mut self.transcript),
            "audio_speed" => within(value, 0.001..=1000.0, &mut self.audio_speed),
            "text_only" => read(value, &mut self.text_only),
            "sentences" => read(value, &mut self.sentences),
            "function_result" => read(value, &mut self.function_result),
            "function_delay_ms" => milliseconds(value).map(|delay| self.function_delay = delay),
            "thought_signatures" => read(value, &mut self.thought_signatures),
            "settings_delay_ms" => milliseconds(value).map(|delay| self.settings_delay = delay),
            "think_delay_ms" => milliseconds(value).map(|delay| self.think_delay = delay),
            "message_timeout_ms" => milliseconds(value).map(|after| self.message_timeout = after),
            "max_session_ms" => {
                number(value, 1..=86_400_000).map(|after| self.max_session = Duration::from_millis(after))
            }
            "max_message_bytes" => within(value, 1..=usize::MAX, &mut self.max_message_bytes),
            "error" => word(value).map(|code| self.error = Some(code)),
            "warning" => word(value).map(|code| self.warning = Some(code)),
            "error_on" => type_and_code(value).map(|pairs| self.error_on.extend(pairs)),
            "delay_ms" => milliseconds(value).map(|delay| self.delay = delay),
            "drop" => words(value).map(|types| self.drop.extend(types)),
            "refuse" => number(value, 400..=599).map(|status| self.refuse = Some(status)),
            "close_after" => number(value, 1..=usize::MAX).map(|count| self.close_after = Some(count)),
            "close_code" => within(value, 1000..=4999, &mut self.close_code),
            "close_reason" if value.len() > 123 => Err("expected at most 123 bytes".to_owned()),
            "close_reason" => read(value, &mut self.close_reason),
            "silent" => read(value, &mut self.silent),
            "net_timeout_ms" => milliseconds(value).map(|timeout| self.net_timeout = Some(timeout)),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [(&str, &str); 0] = [];

    #[test]
    fn nothing_named_is_no_trouble() {
        assert_eq!(Options::parse(NONE), Ok(Options::default()));
    }

    #[test]
    fn every_option_is_read() {
        let pairs = [
            ("key", "key-1"),
            ("transcript", "Good morning"),
            ("audio_speed", "2.5"),
            ("text_only", "true"),
            ("sentences", "true"),
            ("function_result", "rain"),
            ("function_delay_ms", "2"),
            ("thought_signatures", "true"),
            ("settings_delay_ms", "3"),
            ("think_delay_ms", "4"),
            ("message_timeout_ms", "5"),
            ("max_session_ms", "6"),
            ("max_message_bytes", "7"),
            ("error", "FAILED_TO_THINK"),
            ("warning", "SLOW_THINK_REQUEST"),
            ("error_on", "UpdatePrompt:FAILED_TO_THINK,KeepAlive:SERVER_GOING_AWAY"),
            ("delay_ms", "1"),
            ("drop", "Welcome, Results"),
            ("drop", "Metadata"),
            ("refuse", "503"),
            ("close_after", "5"),
            ("close_code", "4000"),
            ("close_reason", "enough"),
            ("silent", "true"),
            ("net_timeout_ms", "50"),
        ];
        let pair = |name: &str, code: &str| (name.to_owned(), code.to_owned());
        let expected = Options {
            key: Some("key-1".to_owned()),
            transcript: "Good morning".to_owned(),
            audio_speed: 2.5,
            text_only: true,
            sentences: true,
            function_result: "rain".to_owned(),
            function_delay: Duration::from_millis(2),
            thought_signatures: true,
            settings_delay: Duration::from_millis(3),
            think_delay: Duration::from_millis(4),
            message_timeout: Duration::from_millis(5),
            max_session: Duration::from_millis(6),
            max_message_bytes: 7,
            error: Some("FAILED_TO_THINK".to_owned()),
            warning: Some("SLOW_THINK_REQUEST".to_owned()),
            error_on: vec![pair("UpdatePrompt", "FAILED_TO_THINK"), pair("KeepAlive", "SERVER_GOING_AWAY")],
            delay: Duration::from_millis(1),
            drop: ["Welcome", "Results", "Metadata"].map(str::to_owned).to_vec(),
            refuse: Some(503),
            close_after: Some(5),
            close_code: 4000,
            close_reason: "enough".to_owned(),
            silent: true,
            net_timeout: Some(Duration::from_millis(50)),
        };
        assert_eq!(Options::parse(pairs), Ok(expected));
    }

    #[test]
    fn refusals_name_the_option() {
        for (name, value) in [
            ("colour", "red"),
            ("key", ""),
            ("delay_ms", "-1"),
            ("audio_speed", "0"),
            ("text_only", "1"),
            ("max_session_ms", "0"),
            ("error", "a code"),
            ("error_on", "Settings"),
            ("drop", ""),
            ("refuse", "200"),
            ("close_after", "0"),
            ("close_code", "99"),
            ("close_reason", &"x".repeat(124)),
            ("silent", "maybe"),
            ("net_timeout_ms", "soon"),
        ] {
            let error = Options::parse([(name, value)]).expect_err(name);
            assert!(error.contains(name), "{error}");
        }
    }
}
