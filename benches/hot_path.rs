//! What one 20 ms frame costs on its way through, piece by piece. The pieces are those that every frame
//! of every session passes; sockets are not among them.

#![allow(clippy::disallowed_methods, reason = "a harness has a clock")]

use std::{hint::black_box, sync::Arc, time::Instant};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use voxbridge::{
    config::{Backend, BackendUrl},
    gate::{Gate, Input, Leg, Limits},
    protocol::{
        agent::ClientMessage,
        audio::{PCM_16K, PCM_24K},
        realtime::{Append, ServerEvent},
    },
    translate::audio::Transcoder,
};

/// 20 ms at 16 kHz and at 24 kHz.
const UP: usize = 640;
const DOWN: usize = 960;

fn delta() -> String {
    let audio = base64_simd::STANDARD.encode_to_string(vec![7_u8; DOWN]);
    let ids = r#""response_id":"resp_CLQLOQ1234567890abcdef","item_id":"item_CLQLOQ1234567890abcdef""#;
    format!(
        r#"{{"type":"response.output_audio.delta","event_id":"event_1",{ids},"output_index":0,"content_index":0,"delta":"{audio}"}}"#
    )
}

fn event(json: &str) -> Input {
    Input::Upstream(ServerEvent::decode(json).expect("an event of this bench").event)
}

/// A gate whose session is open, with a response that speaks.
fn speaking_gate(now: Instant) -> Gate {
    let url = BackendUrl::SelfPath("/sim/openai".to_owned());
    let backend = Backend::new("b", "/b", url);
    let limits = Limits::new(&backend, std::time::Duration::from_secs(60));
    let mut gate = Gate::new(Arc::new(backend), limits, "id".to_owned());
    let settings = ClientMessage::decode(r#"{"type":"Settings"}"#, |_| ()).expect("a Settings");
    let created = r#"{"type":"response.created","response":{"id":"resp_CLQLOQ1234567890abcdef"}}"#;
    for input in [
        Input::ClientConnected,
        Input::UpstreamOpened,
        Input::Client(settings),
        event(r#"{"type":"session.updated"}"#),
        event(created),
    ] {
        black_box(gate.handle(input, now));
    }
    gate
}

fn hot_path(c: &mut Criterion) {
    let now = Instant::now();
    let text = delta();
    c.bench_function("decode an audio delta", |b| b.iter(|| ServerEvent::decode(black_box(&text))));

    let audio = vec![7_u8; DOWN];
    let mut out = Vec::new();
    let id = "vb_123456".into();
    c.bench_function("encode an append", |b| {
        b.iter(|| {
            out.clear();
            Append::encode_into(&id, black_box(&audio), &mut out);
        });
    });

    let frame = Bytes::from((0..UP).map(|n| (n * 31) as u8).collect::<Vec<_>>());
    let mut up = Transcoder::new(PCM_16K, PCM_24K);
    c.bench_function("convert 16 to 24 kHz", |b| b.iter(|| up.push(black_box(frame.clone()))));
    let mut down = Transcoder::new(PCM_24K, PCM_16K);
    let answer = Bytes::from(audio.clone());
    c.bench_function("convert 24 to 16 kHz", |b| b.iter(|| down.push(black_box(answer.clone()))));

    let mut gate = speaking_gate(now);
    c.bench_function("gate: user audio and its delivery", |b| {
        b.iter(|| {
            let effects = gate.handle(Input::ClientAudio(frame.clone()), now);
            black_box(&effects);
            gate.handle(Input::Delivered { leg: Leg::Upstream, bytes: 128 + 2 * UP }, now)
        });
    });

    let mut gate = speaking_gate(now);
    let delta = event(&text);
    c.bench_function("gate: agent audio and its delivery", |b| {
        b.iter(|| {
            let effects = gate.handle(delta.clone(), now);
            let weights = effects.iter().map(|effect| match effect {
                voxbridge::gate::Effect::ToClient(frame) => frame.weight(),
                _ => 0,
            });
            let bytes = weights.sum();
            gate.handle(Input::Delivered { leg: Leg::Client, bytes }, now)
        });
    });
}

criterion_group!(benches, hot_path);
criterion_main!(benches);
