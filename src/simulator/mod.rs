//! Simulators of the services that backends reach, mounted under `/sim/`: as strict as the real ones, with a
//! voice that can be heard, and trouble on request. They are the backends of the default configuration and of the
//! tests.
//!
//! They share no types with the gateway on purpose: what both got wrong would pass unseen. They must not know the
//! gateway, or where they are mounted beside their own paths.
//!
//! | Module | What it is |
//! |---|---|
//! | `openai` | the OpenAI Realtime API, and Azure's |
//! | `deepgram` | Deepgram's Voice Agent and its transcription |
//! | `socket` | what drives a session of any of them |
//! | `reply` | what the simulated model answers |
//! | `codec`, `vad`, `voice` | audio: formats, where speech is, and speech itself |
//! | `values` | how the values of options are read |

mod codec;
pub mod deepgram;
pub mod openai;
mod reply;
#[cfg(test)]
mod served;
mod socket;
mod vad;
mod values;
mod voice;

use actix_web::web;

/// The trouble that the simulators make, each by its own options.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// `[simulator.openai]`.
    pub openai: openai::Options,
    /// `[simulator.deepgram]`.
    pub deepgram: deepgram::Options,
}

impl Options {
    /// Reads the options of both sections; what is not named keeps its default.
    ///
    /// # Errors
    /// The text begins with the section and names the first unknown option or bad value.
    pub fn parse<K: AsRef<str>, V: AsRef<str>>(
        openai: impl IntoIterator<Item = (K, V)>,
        deepgram: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, String> {
        Ok(Self {
            openai: openai::Options::parse(openai).map_err(|why| format!("simulator.openai: {why}"))?,
            deepgram: deepgram::Options::parse(deepgram)
                .map_err(|why| format!("simulator.deepgram: {why}"))?,
        })
    }

    /// The same options with one of them set: `openai.NAME` or `deepgram.NAME`, or `NAME` alone for each simulator
    /// that has it.
    ///
    /// # Errors
    /// The text names the unknown option or the bad value.
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, String> {
        let outcomes = match name.split_once('.') {
            Some(("openai", name)) => [self.openai.set(name, value), None],
            Some(("deepgram", name)) => [None, self.deepgram.set(name, value)],
            _ => [self.openai.set(name, value), self.deepgram.set(name, value)],
        };
        let outcome = outcomes.into_iter().flatten().reduce(Result::and);
        values::named(outcome, name, value).map(|()| self)
    }
}

/// Mounts every simulator: see [`openai::configure`] and [`deepgram::configure`].
pub fn configure(options: Options) -> impl FnOnce(&mut web::ServiceConfig) {
    move |service| {
        service.configure(openai::configure(options.openai)).configure(deepgram::configure(options.deepgram));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_service_is_for_that_one_and_a_bare_name_for_all_that_have_it() {
        let set = |name, value| Options::default().with(name, value);
        let both = set("refuse", "429").expect("both have it");
        assert_eq!((both.openai.refuse, both.deepgram.refuse), (Some(429), Some(429)));
        let one = set("openai.refuse", "429").expect("it has it");
        assert_eq!((one.openai.refuse, one.deepgram.refuse), (Some(429), None));
        let other = set("deepgram.refuse", "429").expect("it has it");
        assert_eq!((other.openai.refuse, other.deepgram.refuse), (None, Some(429)));
        assert!(!set("require_model", "false").expect("one has it").openai.require_model);
        for (name, value) in [
            ("colour", "red"),
            ("deepgram.require_model", "true"),
            ("openai.key", "k"),
            ("azure.refuse", "429"),
            ("refuse", "1"),
        ] {
            let error = set(name, value).expect_err(name);
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn a_refusal_names_the_section() {
        let bad = [("colour", "red")];
        let error = Options::parse(bad, []).expect_err("unknown");
        assert_eq!(error, "simulator.openai: unknown simulator option colour");
        let error = Options::parse([], bad).expect_err("unknown");
        assert_eq!(error, "simulator.deepgram: unknown simulator option colour");
    }
}
