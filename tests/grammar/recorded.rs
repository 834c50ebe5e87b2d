//! Holds recorded transcripts against the README's grammar. Each argument is a file of JSON lines as
//! `tests/sdk/recorder.py` writes them; a `down` line is what a client received. Prints `ok NAME` or `not ok NAME: why`
//! per connection.

#[path = "mod.rs"]
mod grammar;
mod transcript;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::Value;

/// Fewer messages are no conversation: there is a Welcome, an opening, a turn of four messages.
const FEWEST: usize = 8;

fn main() -> ExitCode {
    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let mut failed = files.is_empty();
    for file in &files {
        let name = file.file_stem().unwrap_or_default().display();
        let transcripts = transcripts(file).unwrap_or_else(|why| {
            println!("not ok order: {name}: {why}");
            BTreeMap::new()
        });
        failed |= transcripts.is_empty();
        for (connection, symbols) in transcripts {
            let count = symbols.len();
            let verdict = match transcript::judge(symbols, false) {
                Ok(()) if count < FEWEST => Err(format!("only {count} messages")),
                verdict => verdict,
            };
            failed |= verdict.is_err();
            match verdict {
                Ok(()) => println!("ok order: {name} {connection}: {count} messages"),
                Err(why) => println!("not ok order: {name} {connection}: {why}"),
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// What each connection received, by the grammar's names.
fn transcripts(file: &Path) -> Result<BTreeMap<String, Vec<String>>, String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    let mut transcripts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        if entry["direction"] == "down" {
            let symbol = match entry["raw"].as_str() {
                Some(raw) => transcript::symbol(&serde_json::from_str(raw).unwrap_or_default()),
                None => transcript::AUDIO.to_owned(),
            };
            transcripts.entry(entry["connection"].to_string()).or_default().push(symbol);
        }
    }
    if transcripts.is_empty() { Err("no transcript".to_owned()) } else { Ok(transcripts) }
}
