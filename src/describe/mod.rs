//! Inputs and effects in the words of the log: what kind, how large, how it ended. What was said is content and is
//! told only if the configuration asks for it. Pure: knows neither who asks nor where the words go.

mod effect;
mod ending;
mod input;
mod step;

pub(crate) use effect::describe_effect;
pub(crate) use ending::describe_ending;
pub(crate) use step::{Step, milliseconds};

use crate::{
    gate::Leg,
    protocol::{Frame, Opcode, shorten},
    translate::deepgram,
};

/// A leg as `dir` names it.
pub(crate) fn leg_name(leg: Leg) -> &'static str {
    match leg {
        Leg::Client => "client",
        Leg::Upstream => "upstream",
    }
}

/// The text of a frame that is passed through, if it holds a whole one.
fn whole_text(frame: &Frame) -> Option<&str> {
    let whole = frame.opcode == Opcode::Text && frame.last;
    whole.then(|| str::from_utf8(&frame.payload).ok()).flatten()
}

/// The type of a message that is passed through. Only the log looks into most of them.
fn kind_of(text: &str) -> String {
    deepgram::kind(text).map_or_else(|| "(unknown)".to_owned(), |kind| shorten(kind.into_owned()))
}
