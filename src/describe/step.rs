//! A step of a gate as the fields of its line: the input, what followed, and by which rules. Pure; knows no clock and
//! no log.

use std::time::Duration;

use super::{describe_effect, describe_input};
use crate::{
    gate::{Effect, Input, Occasion, Phase, Rules},
    logging::Fields,
};

/// What is to be told of a step, from before the gate takes its input.
pub(crate) struct Step {
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
            fields: Fields::default().with("step", number).with("t_ms", milliseconds(since)),
            before,
            input: describe_input(input, content),
            occasion: Occasion::of(input),
            content,
        }
    }

    /// The whole line, once the gate, which is now in this phase, has answered with these effects.
    pub(crate) fn end(self, after: Phase, effects: &[Effect]) -> Fields {
        let Self { fields, before, input, occasion, content } = self;
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
