//! Stateless translation between the two protocols: the only place that names both. What is said when is
//! the gate's business; here is what the bytes say.

pub mod audio;
pub mod beta;
mod context;
mod formats;
pub mod g711;
mod listen;
pub mod resample;
pub mod settings;
mod speak;
#[cfg(test)]
mod tests;
mod think;
pub mod to_client;
pub mod to_upstream;
mod turns;
pub mod updates;
