//! Secrets and words that stand nowhere else. Whatever happens to a connection, no line of the log at trace level (of
//! any crate), no output of a command, no HTTP response, no close reason and no byte to a client has one of the
//! secrets; the words of a conversation go to its client, and into the log only with `log_content`.
//!
//! `search` says what is looked for and how; the others provoke everything that could tell.

mod commands;
mod endings;
mod functions;
mod passed_through;
mod search;
mod tokens;
mod translated;
