//! A passed-through backend, looked at frame by frame: what goes through unchanged, what is answered on the spot, which
//! of an upgrade's headers and parameters go on, and what never does.

mod closing;
mod destinations;
mod differences;
mod drain;
mod endings;
mod floods;
mod keys;
mod own_words;
mod queries;
mod same_conversation;
mod stage;
mod traffic;
mod transparency;
