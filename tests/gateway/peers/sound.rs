//! Audio that shows by itself whether any of it was lost, doubled or moved.
//! Knows how upstream is sent audio and nothing of sockets.

use base64_simd::STANDARD;
use serde_json::{Value, json};

use super::journal::Journal;

/// Settings that leave audio as it is, both ways.
pub(crate) fn plain_settings() -> Value {
    let format = json!({"encoding": "linear16", "sample_rate": 24000});
    json!({"type": "Settings", "audio": {"input": format, "output": format},
        "agent": {"think": {"prompt": "You are a helpful assistant."}}})
}

/// So many bytes of samples that count; a multiple of 4.
pub(crate) fn counted(bytes: usize) -> Vec<u8> {
    (0..bytes as u32 / 4).flat_map(u32::to_le_bytes).collect()
}

/// All audio that upstream was sent, in the order of its arrival.
pub(crate) fn appended(journal: &Journal) -> Vec<u8> {
    let mut audio = Vec::new();
    for (_, event) in journal.all("input_audio_buffer.append") {
        let text = event["audio"].as_str().expect("an append has audio");
        audio.extend(STANDARD.decode_to_vec(text).expect("its audio is base64"));
    }
    audio
}

/// All audio that a client was sent, in the order of its arrival.
pub(crate) fn heard(journal: &Journal) -> Vec<u8> {
    journal.binaries().flat_map(|(_, audio)| audio.iter().copied()).collect()
}
