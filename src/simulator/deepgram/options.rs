//! The trouble a simulated session makes on purpose, as names and text values: one set for the configuration
//! file and the query string. Knows nothing of sessions.

use std::time::Duration;

use crate::simulator::values::{milliseconds, number, read, some_text, within, words};

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
            let set = options.set(name, value).ok_or_else(|| format!("unknown simulator option {name}"))?;
            set.map_err(|why| format!("simulator option {name} = \"{value}\": {why}"))?;
            Ok(options)
        })
    }

    /// Sets an option; `None` if there is none of this name.
    pub(in crate::simulator) fn set(&mut self, name: &str, value: &str) -> Option<Result<(), String>> {
        Some(match name {
            "key" => some_text(value).map(|key| self.key = Some(key)),
            "transcript" => read(value, &mut self.transcript),
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
        let expected = Options {
            key: Some("key-1".to_owned()),
            transcript: "Good morning".to_owned(),
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
