//! `voxbridge replay`: prints what a recording comes to. Decides nothing about it.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;

use super::failed;
use crate::recording::{Ladder, Outcome, replay as play};

/// What is said to `voxbridge replay`.
#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The recording
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print every step as a diagram: who said what to whom, and which rule kept it
    #[arg(long)]
    steps: bool,
}

/// Replays the recording. Status 0: the same outcome; 1: a difference; 2: no recording, or one that is broken.
pub(super) fn replay(args: &ReplayArgs) -> ExitCode {
    let file = args.file.display();
    let recording = match File::open(&args.file) {
        Ok(recording) => BufReader::new(recording),
        Err(error) => return failed(&format!("{file}: {error}"), 2),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    // Nobody may be reading; that is no reason to fail.
    let mut print = |text: &str| _ = out.write_all(text.as_bytes());
    let mut ladder = Ladder::default();
    if args.steps {
        print(&Ladder::heading());
    }
    let outcome = play(recording, |step| {
        if args.steps {
            print(&ladder.step(step));
        }
    });
    if args.steps {
        print(&ladder.end());
        print("\n");
    }
    let status = match &outcome {
        Ok(outcome) => {
            print(&format!("{file}: {outcome}"));
            if matches!(outcome, Outcome::Same(_)) { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(_) => ExitCode::from(2),
    };
    _ = out.flush();
    match outcome {
        Ok(_) => status,
        Err(error) => failed(&format!("{file}: {error}"), 2),
    }
}
