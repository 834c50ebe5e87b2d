//! The usage log, looked at from outside: what stands in the file is what upstream has reported, whatever became of the
//! sessions and of the file.

mod account;
mod file;
mod passed_through;
mod stage;
