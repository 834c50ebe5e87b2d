//! The `voxbridge` command.
fn main() {}
