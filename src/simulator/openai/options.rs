//! The trouble a simulated session makes on purpose, as names and text values: one set for the configuration
//! file and the query string. Knows nothing of sessions.

use std::time::Duration;

use crate::simulator::values::{
    milliseconds, named, number, read, some_text, type_and_code, within, word, words,
};

/// Scripted trouble. The default makes none.
///
/// Each field is an option of the same name in `[simulator.openai]` and in the query string of `/sim/openai`.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// `require_model` (true, false; default true): a connection without `?model=` is refused with 400.
    pub require_model: bool,
    /// `azure_key` (text; default: any): the key that the paths of Azure ask for.
    pub azure_key: Option<String>,
    /// `transcript` (default `What time is it?`): what every spoken input is taken to say. The simulator does
    /// not recognise speech; it only tells it from silence, whose transcript is empty.
    pub transcript: String,
    /// `audio_speed` (above 0, at most 1000; default 8): how many times faster than real time audio is sent.
    pub audio_speed: f64,
    /// `delay_ms` (at most 600000): every event leaves this much later.
    pub delay: Duration,
    /// `updated_delay_ms`: `session.updated` comes this much later.
    pub updated_delay: Duration,
    /// `item_added_delay_ms`: `conversation.item.added` and `.done` answer an item of the client this much later.
    pub item_added_delay: Duration,
    /// `response_delay_ms`: a response begins this long after it was asked for, and counts as running meanwhile.
    pub response_delay: Duration,
    /// `drop` (event types, separated by commas): events of these types are never sent.
    pub drop: Vec<String>,
    /// `reorder` (true, false): `conversation.item.done` before `response.output_item.done`, transcript done before
    /// audio done, and the user's transcription after `response.done`.
    pub reorder: bool,
    /// `refuse` (an HTTP status from 400 to 599): the upgrade is answered with it.
    pub refuse: Option<u16>,
    /// `fail` (an error code): each response ends `failed` with it.
    pub fail: Option<String>,
    /// `incomplete` (`max_output_tokens`, `content_filter`): each response ends half-way, `incomplete` for this reason.
    pub incomplete: Option<String>,
    /// `error_on` (`TYPE:CODE`, several separated by commas): client events of a type are answered with that error.
    pub error_on: Vec<(String, String)>,
    /// `close_after` (1 or more): the session is closed after so many events.
    pub close_after: Option<usize>,
    /// `close_code` (1000 to 4999; default 1011): the code for `close_after`.
    pub close_code: u16,
    /// `silent` (true, false): the upgrade succeeds, then nothing is ever sent.
    pub silent: bool,
    /// `beta_names` (true, false): output events and `conversation.item.created` bear their names of the beta API.
    pub beta_names: bool,
    /// `announce` (true, false; default true): when false there is no `response.created` and no `response.done`.
    pub announce: bool,
    /// `expires_in_s` (1 to 86400; default 3600): the session's life, which `session.expires_at` tells.
    pub expires_in: Duration,
    /// `session_expired_after_ms`: the session expires after this time, whatever `expires_at` said: error
    /// `session_expired`, then close 1001.
    pub session_expired_after: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            require_model: true,
            azure_key: None,
            transcript: "What time is it?".to_owned(),
            audio_speed: 8.0,
            delay: Duration::ZERO,
            updated_delay: Duration::ZERO,
            item_added_delay: Duration::ZERO,
            response_delay: Duration::ZERO,
            drop: Vec::new(),
            reorder: false,
            refuse: None,
            fail: None,
            incomplete: None,
            error_on: Vec::new(),
            close_after: None,
            close_code: 1011,
            silent: false,
            beta_names: false,
            announce: true,
            expires_in: Duration::from_secs(3600),
            session_expired_after: None,
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
        pairs
            .into_iter()
            .try_fold(Self::default(), |options, (name, value)| options.with(name.as_ref(), value.as_ref()))
    }

    /// The same options with one of them set.
    ///
    /// # Errors
    /// The text names the unknown option or the bad value.
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, String> {
        named(self.set(name, value), name, value).map(|()| self)
    }

    /// Sets an option; `None` if there is none of this name.
    pub(in crate::simulator) fn set(&mut self, name: &str, value: &str) -> Option<Result<(), String>> {
        Some(match name {
            "require_model" => read(value, &mut self.require_model),
            "azure_key" => some_text(value).map(|key| self.azure_key = Some(key)),
            "transcript" => read(value, &mut self.transcript),
            "audio_speed" => within(value, 0.001..=1000.0, &mut self.audio_speed),
            "delay_ms" => milliseconds(value).map(|delay| self.delay = delay),
            "updated_delay_ms" => milliseconds(value).map(|delay| self.updated_delay = delay),
            "item_added_delay_ms" => milliseconds(value).map(|delay| self.item_added_delay = delay),
            "response_delay_ms" => milliseconds(value).map(|delay| self.response_delay = delay),
            "drop" => words(value).map(|types| self.drop.extend(types)),
            "reorder" => read(value, &mut self.reorder),
            "refuse" => number(value, 400..=599).map(|status| self.refuse = Some(status)),
            "fail" => word(value).map(|code| self.fail = Some(code)),
            "incomplete" if ["max_output_tokens", "content_filter"].contains(&value) => {
                self.incomplete = Some(value.to_owned());
                Ok(())
            }
            "incomplete" => Err("expected max_output_tokens or content_filter".to_owned()),
            "error_on" => type_and_code(value).map(|pairs| self.error_on.extend(pairs)),
            "close_after" => number(value, 1..=usize::MAX).map(|count| self.close_after = Some(count)),
            "close_code" => within(value, 1000..=4999, &mut self.close_code),
            "silent" => read(value, &mut self.silent),
            "beta_names" => read(value, &mut self.beta_names),
            "announce" => read(value, &mut self.announce),
            "expires_in_s" => {
                number(value, 1..=86_400).map(|seconds| self.expires_in = Duration::from_secs(seconds))
            }
            "session_expired_after_ms" => {
                milliseconds(value).map(|after| self.session_expired_after = Some(after))
            }
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
            ("require_model", "false"),
            ("azure_key", "key-1"),
            ("transcript", "Good morning"),
            ("audio_speed", "2.5"),
            ("delay_ms", "1"),
            ("updated_delay_ms", "2"),
            ("item_added_delay_ms", "3"),
            ("response_delay_ms", "4"),
            ("drop", "response.done, error"),
            ("drop", "session.updated"),
            ("reorder", "true"),
            ("refuse", "503"),
            ("fail", "rate_limit_exceeded"),
            ("incomplete", "content_filter"),
            ("error_on", "response.create:server_error,session.update:invalid_value"),
            ("close_after", "5"),
            ("close_code", "4000"),
            ("silent", "true"),
            ("beta_names", "true"),
            ("announce", "false"),
            ("expires_in_s", "60"),
            ("session_expired_after_ms", "5"),
        ];
        let pair = |name: &str, code: &str| (name.to_owned(), code.to_owned());
        let expected = Options {
            require_model: false,
            azure_key: Some("key-1".to_owned()),
            transcript: "Good morning".to_owned(),
            audio_speed: 2.5,
            delay: Duration::from_millis(1),
            updated_delay: Duration::from_millis(2),
            item_added_delay: Duration::from_millis(3),
            response_delay: Duration::from_millis(4),
            drop: ["response.done", "error", "session.updated"].map(str::to_owned).to_vec(),
            reorder: true,
            refuse: Some(503),
            fail: Some("rate_limit_exceeded".to_owned()),
            incomplete: Some("content_filter".to_owned()),
            error_on: vec![pair("response.create", "server_error"), pair("session.update", "invalid_value")],
            close_after: Some(5),
            close_code: 4000,
            silent: true,
            beta_names: true,
            announce: false,
            expires_in: Duration::from_secs(60),
            session_expired_after: Some(Duration::from_millis(5)),
        };
        assert_eq!(Options::parse(pairs), Ok(expected));
    }

    #[test]
    fn refusals_name_the_option() {
        for (name, value) in [
            ("colour", "red"),
            ("azure_key", ""),
            ("audio_speed", "0"),
            ("audio_speed", "NaN"),
            ("delay_ms", "-1"),
            ("refuse", "200"),
            ("incomplete", "boredom"),
            ("error_on", "response.create"),
            ("drop", ""),
            ("close_code", "99"),
            ("silent", "maybe"),
        ] {
            let error = Options::parse([(name, value)]).expect_err(name);
            assert!(error.contains(name), "{error}");
        }
    }
}
