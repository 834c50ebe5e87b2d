//! A bad network between the legs: every ending of a session, and conversations that it must not change.

mod by_client;
mod by_dial;
mod by_silence;
mod by_time;
mod by_upstream;
pub(crate) mod conversation;
mod cuts;
mod disturbed;
mod endings;
mod proxy;
pub(crate) mod stage;
