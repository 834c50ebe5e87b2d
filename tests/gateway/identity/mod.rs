//! Who gets in, over real sockets: where a token may stand, what it is good for and what is granted.

mod admission;
mod grants;
mod reload;
mod rights;
pub(crate) mod stage;
