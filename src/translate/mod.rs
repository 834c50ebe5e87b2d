//! Stateless translation between the two protocols: the only place that names both. What is said when is
//! the gate's business; here is what the bytes say.

pub mod audio;
mod formats;
pub mod g711;
pub mod resample;
pub mod settings;
#[cfg(test)]
mod tests;
pub mod to_client;
pub mod to_upstream;
