//! The gateway's side of the console. What the page does, `tests/browser` has.

mod diagnosis;
mod files;
