//! What one 20 ms frame costs on its way through, piece by piece. The pieces are those that every frame
//! of every session passes; sockets are not among them.

#![allow(clippy::disallowed_methods, reason = "a harness has a clock")]

use std::{
    hint::black_box,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_codec::{Decoder, Encoder};
use actix_http::ws::{Codec, Message};
use bytes::{Bytes, BytesMut};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use voxbridge::{
    config::{Backend, BackendUrl},
    gate::{Gate, Input, Leg, Limits},
    protocol::{
        agent::ClientMessage,
        audio::{ALAW_8K, AudioFormat, Encoding, MULAW_8K, PCM_24K, SAMPLE_RATES},
        realtime::{Append, ServerEvent},
    },
    recording::{Header, Origin, Recorder, RecordingSettings, Recordings},
    translate::audio::Transcoder,
    websocket::FrameGuard,
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

/// As a client's codec writes it.
fn client_frame(payload: &[u8]) -> BytesMut {
    let mut written = BytesMut::new();
    let message = Message::Binary(Bytes::copy_from_slice(payload));
    Codec::new().client_mode().encode(message, &mut written).expect("a frame can be written");
    written
}

/// What a client may speak that upstream does not, which has 24 kHz.
fn client_formats() -> impl Iterator<Item = AudioFormat> {
    let rates = SAMPLE_RATES.into_iter().filter(|rate| *rate != PCM_24K.sample_rate);
    let linear = rates.map(|sample_rate| AudioFormat { encoding: Encoding::Linear16, sample_rate });
    linear.chain([MULAW_8K, ALAW_8K])
}

/// 20 ms of it.
fn noise(format: AudioFormat) -> Bytes {
    let bytes = format.bytes_in(Duration::from_millis(20));
    (0..bytes).map(|n| ((n * n * 31) >> 3) as u8).collect()
}

fn name(format: AudioFormat) -> String {
    format!("{} {} kHz", format.encoding.name(), f64::from(format.sample_rate) / 1000.0)
}

/// A gate whose session is open, with a response that speaks.
fn speaking_gate(now: Instant) -> Gate {
    let url = BackendUrl::SelfPath("/sim/openai".to_owned());
    let backend = Backend::new("b", "/b", url);
    let limits = Limits::new(&backend, Duration::from_secs(60));
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
    let written = client_frame(&frame);
    let mut guard = FrameGuard::new(1024 * 1024);
    c.bench_function("guard a client's frame", |b| b.iter(|| guard.follow(black_box(&written))));
    let mut codec = Codec::new();
    let mut stream = BytesMut::new();
    c.bench_function("WebSocket: read a client's frame", |b| {
        b.iter(|| {
            stream.extend_from_slice(&written);
            codec.decode(&mut stream)
        });
    });
    let answer = Bytes::from(audio.clone());
    let mut out = BytesMut::new();
    c.bench_function("WebSocket: write a frame to a client", |b| {
        b.iter(|| {
            out.clear();
            codec.encode(Message::Binary(answer.clone()), &mut out)
        });
    });

    for client in client_formats() {
        for (from, to) in [(client, PCM_24K), (PCM_24K, client)] {
            let mut transcoder = Transcoder::new(from, to);
            let audio = noise(from);
            c.bench_function(&format!("convert {} to {}", name(from), name(to)), |b| {
                b.iter(|| transcoder.push(black_box(audio.clone())));
            });
        }
    }

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

    record(c, &delta);
}

/// What a recorded session pays for its frames. The queue is emptied between measurements, so that it has room.
fn record(c: &mut Criterion, delta: &Input) {
    const FRAMES: usize = 1_000;
    let directory = tempfile::TempDir::new().expect("a directory for recordings");
    let settings = Arc::new(RecordingSettings {
        directory: directory.path().to_owned(),
        audio: false,
        session_bytes: u64::MAX,
        total_bytes: 1 << 30,
    });
    let recordings = Recordings::default();
    let backend = Backend::new("b", "/b", BackendUrl::SelfPath("/sim/openai".to_owned()));
    let mut gate = speaking_gate(Instant::now());
    let effects = gate.handle(delta.clone(), Instant::now());
    c.bench_function(&format!("record {FRAMES} frames of the agent"), |b| {
        b.iter_batched_ref(
            || {
                recordings.finish(Duration::from_secs(10));
                let limits = Limits::new(&backend, Duration::from_secs(60));
                let id = uuid::Uuid::new_v4().to_string();
                let header = Header::new(&backend, limits, None, id);
                let origin = Origin { header, url: "wss://h", content: false, scrubber: Rc::default() };
                Recorder::begin(&recordings, &settings, origin)
            },
            |recorder| {
                for frame in 0..FRAMES as u64 {
                    let taken = recorder.input(black_box(delta), Duration::from_millis(20 * frame));
                    taken.and_then(|()| recorder.effects(black_box(&effects))).expect("it is recorded");
                }
            },
            BatchSize::PerIteration,
        );
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = hot_path
}
criterion_main!(benches);
