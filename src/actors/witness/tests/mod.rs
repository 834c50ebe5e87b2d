//! Golden logs: what is logged of a connection in virtual time, whose delays are known, line by line as it was when
//! somebody last looked at it. `VOXBRIDGE_GOLDEN=write cargo test --lib witness` writes the files anew; look at the
//! difference before you keep it.

mod timeline;
mod world;

use std::{fs, path::Path, time::Duration};

use log::Level;
use serde_json::json;

use crate::logging::Captured;
use world::World;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A typed turn before the session is ready, which calls a function that runs here.
fn typed_turn() -> Vec<Captured> {
    let mut world = World::new(&[("audio_speed", "1000")]);
    world.settings(ms(5));
    world.client(ms(40), &json!({"type": "InjectUserMessage", "content": "What time is it?"}));
    world.closes(ms(1_500));
    world.run()
}

/// A spoken turn, whose answer the user interrupts, and the answer to that.
fn barge_in() -> Vec<Captured> {
    let mut world = World::new(&[("audio_speed", "10"), ("transcript", "Tell me more.")]);
    world.settings(ms(5));
    world.speaks(ms(200), ms(600), ms(240));
    world.speaks(ms(1_400), ms(400), ms(240));
    world.closes(ms(3_500));
    world.run()
}

/// Upstream closes in the middle of an answer.
fn upstream_fails() -> Vec<Captured> {
    let mut world = World::new(&[("close_after", "9"), ("close_code", "1011")]);
    world.settings(ms(5));
    world.client(ms(300), &json!({"type": "InjectUserMessage", "content": "Hello."}));
    world.run()
}

fn golden(name: &str, lines: &[Captured]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/actors/witness/tests/golden");
    lines.iter().for_each(Captured::assert_formats_agree);
    let shown = || lines.iter().filter(|line| line.level <= Level::Debug);
    for (ending, now) in [
        ("txt", shown().map(|line| line.text.as_str()).collect::<String>()),
        ("jsonl", shown().map(|line| line.json.as_str()).collect()),
    ] {
        let file = folder.join(format!("{name}.{ending}"));
        if std::env::var("VOXBRIDGE_GOLDEN").is_ok_and(|wish| wish == "write") {
            fs::write(&file, &now).expect("the golden files can be written");
        }
        let golden = fs::read_to_string(&file).unwrap_or_default();
        for (number, (was, is)) in golden.lines().zip(now.lines()).enumerate() {
            assert_eq!(was, is, "{}:{}", file.display(), number + 1);
        }
        assert_eq!(golden.lines().count(), now.lines().count(), "{}", file.display());
    }
}

#[test]
fn the_log_of_a_typed_turn() {
    golden("typed_turn", &typed_turn());
}

#[test]
fn the_log_of_a_barge_in() {
    golden("barge_in", &barge_in());
}

#[test]
fn the_log_of_an_upstream_that_fails() {
    golden("upstream_fails", &upstream_fails());
}
