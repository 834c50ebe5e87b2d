//! A step of a gate as the fields of its line: the input, what followed, and by which rules. Pure; knows no clock and
//! no log.

use std::time::Duration;

use log::Level;

use super::{
    describe_effect,
    effect::is_more_than_audio,
    input::{describe_input, log_level},
};
use crate::{
    gate::{Effect, Input, Occasion, Phase, Rules},
    logging::Fields,
};

/// What is to be told of a step, from before the gate takes its input.
pub(crate) struct Step {
    level: Level,
    fields: Fields,
    before: Phase,
    input: Fields,
    occasion: Occasion,
    content: bool,
}

impl Step {
    /// The `number`th input of a connection, `since` its first moment, in this phase. What was said is told if `content`
    /// asks for it.
    pub(crate) fn begin(number: u64, since: Duration, before: Phase, input: &Input, content: bool) -> Self {
        Self {
            level: log_level(input),
            fields: Fields::default().with("step", number).with("t_ms", milliseconds(since)),
            before,
            input: describe_input(input, content),
            occasion: Occasion::of(input),
            content,
        }
    }

    /// How loud it is to be told, once the gate, which is now in this phase, has answered with these effects.
    pub(crate) fn level(&self, after: Phase, effects: &[Effect]) -> Level {
        let is_more = after != self.before || effects.iter().any(is_more_than_audio);
        if is_more { Level::Debug } else { self.level }
    }

    /// The whole line, once the gate, which is now in this phase, has answered with these effects.
    pub(crate) fn end(self, after: Phase, effects: &[Effect]) -> Fields {
        let Self { level: _, fields, before, input, occasion, content } = self;
        fields
            .with("phase", format!("{before:?}->{after:?}"))
            .and(input)
            .with("rule", Rules::of(effects, occasion).to_string())
            .with(
                "effects[]",
                effects.iter().map(|effect| describe_effect(effect, content)).collect::<Vec<_>>(),
            )
    }
}

/// A time as fields have it.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::gate::{ClientFrame, Rule};

    #[test]
    fn audio_is_told_at_trace_unless_more_follows_from_it() {
        let level = |input: Input, after, effects: &[Effect]| {
            Step::begin(1, Duration::ZERO, Phase::Active, &input, false).level(after, effects)
        };
        let audio = || Input::ClientAudio(Bytes::from_static(b"12"));
        let sent = Effect::ToClient(ClientFrame::Audio(Bytes::new()));
        let held = Effect::Held(Rule::InputWaitsForSession);
        assert_eq!(level(audio(), Phase::Active, &[sent.clone(), held]), Level::Trace);
        assert_eq!(
            level(audio(), Phase::Active, &[sent, Effect::Pause(crate::gate::Leg::Client)]),
            Level::Debug
        );
        assert_eq!(level(Input::Timeout, Phase::Active, &[]), Level::Trace);
        assert_eq!(level(Input::Timeout, Phase::Closing, &[]), Level::Debug);
        assert_eq!(level(Input::Drain, Phase::Active, &[]), Level::Debug);
    }
}
