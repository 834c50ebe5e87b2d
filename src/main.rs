//! The `voxbridge` command.

use std::process::ExitCode;

use clap::Parser;
use tikv_jemallocator::Jemalloc;
use voxbridge::cli::Cli;

/// Gives back what many connections have held, seconds after they have gone; the allocator of the C library keeps it. It is
/// built without the padding that makes 20 KiB of a frame of 16.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    Cli::parse().run()
}
