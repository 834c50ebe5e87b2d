//! A connection as a file: what its gate was given and what it answered, step by step, and the gate once more, given
//! the same. The gate is pure, so that it answers the same, unless it has changed since.
//!
//! # The format, version 1
//!
//! Text in UTF-8, a JSON object a line. The first is the [`Header`]: everything that the gate is made from, and never
//! a key, a header or a URL. The others are the steps, in the order in which the gate took its inputs:
//!
//! ```json
//! {"n":7,"t_ns":120034000,"in":{"client_audio":640},"out":[{"append":{"event_id":"evt_3","bytes":640}}]}
//! ```
//!
//! `n` counts from 1, `t_ns` is the time since the gate's first moment in nanoseconds, `in` the input and `out` the
//! effects, left out if there are none. An input or effect is a word, `"timeout"`, or an object with the word as its
//! one key. Messages are their JSON, audio is its number of bytes. The last line is `{"end":"finished"}` or says what
//! kept the rest from being written ([`End`]); a file without one was cut off. Between them `{"note":"…"}` says something
//! to the reader alone.
//!
//! Where the header says `masked`, no text is what was said: in inputs a stand-in of the same length takes its place,
//! the same for the same text, in effects `x`. So a replay takes the same way, and fills its own effects with `x` before
//! it compares.
//!
//! | File | What it is |
//! |---|---|
//! | `header.rs`, `schema.rs` | the first line, and the gate that it makes |
//! | `format.rs` | the other lines |
//! | `encode.rs`, `plain.rs`, `decode.rs` | inputs and effects to lines, and lines to inputs |
//! | `mask.rs`, `mask/` | what stands in the place of what was said |
//! | `recorder.rs`, `sound.rs` | what looks on at a connection and hands over what it sees and hears |
//! | `writer.rs`, `writer/`, `store.rs`, `wav.rs` | the thread that writes, and the files |
//! | `replay.rs`, `difference.rs`, `ladder.rs`, `words.rs` | a recording given to a gate once more; where the gate differs; all of it as a diagram |

mod decode;
mod difference;
mod encode;
mod format;
mod header;
mod ladder;
mod mask;
mod plain;
mod recorder;
mod replay;
mod schema;
mod sound;
mod store;
#[cfg(test)]
pub(crate) mod tape;
#[cfg(test)]
mod tests;
mod wav;
mod words;
mod writer;

pub use encode::{Encoder, Masking, Unmasked};
pub use format::End;
pub use header::{AnyGate, Header};
pub use ladder::Ladder;
pub use mask::Mask;
pub use recorder::{Origin, Recorder};
pub use replay::{Difference, Outcome, ReplayError, Step, Summary, replay};
pub use writer::{Part, Recording, RecordingSettings, Recordings, Stopped, check_directory};

/// The version of the format. It changes with every change after which an older program would read something else.
pub const VERSION: u32 = 1;

/// The beginning of a text that somebody else has written, on one line.
fn shown(text: &str, most: usize) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
