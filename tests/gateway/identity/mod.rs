//! Who gets in, over real sockets: where a token may stand, what it is good for, what is granted, and that neither a
//! token nor a key is ever seen where it does not belong.

mod admission;
mod canaries;
mod grants;
mod rights;
mod stage;
