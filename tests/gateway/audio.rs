//! The user's audio on its way up, from a WebSocket frame to the append: nothing lost, nothing added,
//! and the signal that the ideal conversion would give.

use std::f64::consts::{PI, TAU};

use base64_simd::STANDARD;
use bytes::Bytes;

use crate::peers::client::settings;
use crate::peers::journal::Journal;
use crate::peers::row::Row;
use crate::peers::s;
use crate::peers::script::Script;
use crate::peers::sound::{appended, heard};

const APPEND: &str = "input_audio_buffer.append";
/// What the conversion from 16 to 24 kHz delays, in samples of 24 kHz; stated in the README.
const DELAY: usize = 42;

/// Sends 16 kHz audio in frames of 1 to 1,500 bytes, odd ones among them, and gives back what upstream
/// was sent, as samples.
async fn through_the_gateway(samples: &[i16]) -> Vec<i16> {
    let mut row = Row::opened_with(
        Script::default(),
        &settings(&serde_json::json!({"useOpenAIManualAudioCommit": null})),
    )
    .await;
    let audio = Bytes::from(samples.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<_>>());
    let mut rest = audio.clone();
    let mut dice = 12_345_u32;
    while !rest.is_empty() {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = (1 + dice as usize / 65_536 % 1_500).min(rest.len());
        row.client.send_binary(rest.split_to(length).to_vec()).await;
    }
    // A typed turn behind the audio arrives behind it.
    row.client.inject("the end").await;
    row.mock.expect("conversation.item.create", s(20)).await;
    let journal = row.mock.journal();
    let mut bytes = Vec::new();
    for (_, append) in journal.all(APPEND) {
        let piece = append["audio"].as_str().expect("an append has audio");
        bytes.extend(STANDARD.decode_to_vec(piece).expect("it is base64"));
        assert_eq!(bytes.len() % 2, 0, "whole samples only");
    }
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn assert_is(what: &str, samples: &[i16], ideal: impl Fn(f64) -> f64, seconds: f64) {
    let length = samples.len() as f64 / 24_000.0;
    assert!((length - seconds).abs() < 0.001, "{what}: {length} s in place of {seconds} s");
    let (mut signal, mut noise) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate().skip(DELAY) {
        let ideal = ideal((n - DELAY) as f64 / 24_000.0);
        signal += ideal.powi(2);
        noise += (f64::from(*sample) - ideal).powi(2);
    }
    let ratio = 10.0 * (signal / noise).log10();
    println!("{what}: {ratio:.1} dB");
    assert!(ratio >= 50.0, "{what}: {ratio:.1} dB");
}

#[tokio::test]
async fn a_sweep_goes_up_as_the_ideal_sweep() {
    let sweep = |time: f64| 20_000.0 * (TAU * (50.0 + (6_800.0 - 50.0) / 10.0 * time / 2.0) * time).sin();
    let samples: Vec<i16> = (0..160_000).map(|n| sweep(f64::from(n) / 16_000.0).round() as i16).collect();
    assert_is("sweep", &through_the_gateway(&samples).await, sweep, 10.0);
}

#[tokio::test]
async fn speech_goes_up_as_the_ideal_speech() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/audio/question.wav");
    let mut wav = hound::WavReader::open(path).expect("the question is there");
    let samples: Vec<i16> = wav.samples().collect::<Result<_, _>>().expect("16-bit samples");
    let seconds = samples.len() as f64 / 16_000.0;
    // Band-limited interpolation with a window far longer than any converter's.
    let ideal = |time: f64| {
        let at = time * 16_000.0;
        let (first, last) = ((at as i64 - 200).max(0), (at as i64 + 200).min(samples.len() as i64 - 1));
        (first..=last)
            .map(|n| {
                let x = at - n as f64;
                let window = 0.5 + 0.5 * (PI * x / 201.0).cos();
                let sinc = if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
                f64::from(samples[n as usize]) * sinc * window
            })
            .sum()
    };
    assert_is("speech", &through_the_gateway(&samples).await, ideal, seconds);
}

/// Telephony: G.711 at 8 kHz is one of upstream's own formats, so no byte of it changes on either way.
#[tokio::test]
async fn g711_goes_both_ways_untouched() {
    for (encoding, upstream) in [("mulaw", "audio/pcmu"), ("alaw", "audio/pcma")] {
        let format = serde_json::json!({"encoding": encoding, "sample_rate": 8_000});
        let settings = serde_json::json!({"type": "Settings", "agent": {"think": {"prompt": "Be brief."}},
            "audio": {"input": format, "output": format}});
        let mut row = Row::opened_with(Script { echo: true, ..Script::default() }, &settings).await;
        let update = row.mock.expect("session.update", s(5)).await;
        for direction in ["input", "output"] {
            let stated = &update["session"]["audio"][direction]["format"]["type"];
            assert_eq!(stated, upstream, "{direction}: {update}");
        }
        // Every code there is, in frames of odd lengths.
        let spoken: Vec<u8> = (0..=u8::MAX).cycle().take(256 * 7).collect();
        for frame in spoken.chunks(161) {
            row.client.send_binary(frame.to_vec()).await;
        }
        let whole = |journal: &Journal| (heard(journal).len() >= spoken.len()).then(|| heard(journal));
        let back = row.client.wait_for("all audio", s(10), whole).await;
        assert_eq!(appended(&row.mock.journal()), spoken, "{encoding} on its way up");
        assert_eq!(back, spoken, "{encoding} on its way down");
    }
}
