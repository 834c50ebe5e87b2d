//! The `voxbridge` command.

use std::process::ExitCode;

use clap::Parser;
use voxbridge::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
