//! Functions that the gateway runs: an HTTP application as third neighbour, which may behave as it likes.

mod backends;
mod floods;
mod hanging;
mod hostile;
mod many;
mod misbehaviour;
mod mixed;
mod reload;
mod requests;
mod stage;
