//! The `voxbridge` command.

use std::process::ExitCode;

use clap::Parser;
use tikv_jemallocator::Jemalloc;
use voxbridge::cli::Cli;

/// Gives back what many connections have held, seconds after they have gone. The allocator of the C library keeps it.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    Cli::parse().run()
}
