//! Random traffic of one direction: messages of both kinds, of any length and in any pieces, with pings anywhere.
//! Knows the names of messages, and nothing of who sends them or what becomes of them.

use std::iter::once;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::peers::raw_frame::{BINARY, CONTINUATION, RawFrame, TEXT};

const MIB: usize = 1024 * 1024;
/// The largest message.
pub(super) const LARGEST: usize = 5 * MIB;

/// What clients say, beside what the component says.
pub(super) const OF_CLIENTS: [&str; 7] =
    ["KeepAlive", "InjectUserMessage", "UpdatePrompt", "Finalize", "CloseStream", "Sing", ""];
/// What the component says in a way that Deepgram refuses.
pub(super) const OF_THE_COMPONENT: [&str; 3] = ["Settings", "InjectAgentMessage", "UpdateThink"];
/// What Deepgram says.
pub(super) const OF_UPSTREAM: [&str; 9] = [
    "Welcome",
    "SettingsApplied",
    "ConversationText",
    "FunctionCallRequest",
    "AgentAudioDone",
    "Results",
    "TurnInfo",
    "Error",
    "Sing",
];

/// What one side sends, and in writes of how many bytes.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) frames: Vec<RawFrame>,
    pub(super) size: usize,
}

pub(super) fn sent(kinds: Vec<&'static str>) -> impl Strategy<Value = Sent> {
    let sizes = select(vec![usize::MAX, 65_536, 1_500, 100]);
    (vec(message(kinds), 0..10), sizes).prop_map(|(messages, size)| {
        let frames: Vec<_> = messages.into_iter().flatten().collect();
        let bytes: usize = frames.iter().map(|frame| frame.payload.len()).sum();
        // Nobody has the time for megabytes in pieces of a hundred.
        Sent { frames, size: if bytes > MIB { size.max(1_500) } else { size } }
    })
}

/// A message in its frames, with pings before, between and behind them.
fn message(kinds: Vec<&'static str>) -> impl Strategy<Value = Vec<RawFrame>> {
    let ping = (any::<Index>(), vec(any::<u8>(), 0..126));
    let cuts = prop_oneof![3 => Just(Vec::new()), 2 => vec(any::<Index>(), 1..6)];
    let pings = prop_oneof![3 => Just(Vec::new()), 1 => vec(ping, 1..3)];
    (content(kinds), cuts, pings).prop_map(|((opcode, payload), cuts, pings)| {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
        cuts.sort_unstable();
        let mut frames = fragmented(opcode, &payload, &cuts);
        for (index, ping) in pings {
            frames.insert(index.index(frames.len() + 1), RawFrame::ping(ping));
        }
        frames
    })
}

fn fragmented(opcode: u8, payload: &[u8], cuts: &[usize]) -> Vec<RawFrame> {
    let begins = once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain(once(payload.len()));
    let frame = |(index, (begin, end)): (usize, (usize, usize))| {
        let opcode = if index == 0 { opcode } else { CONTINUATION };
        RawFrame::new(opcode, index == cuts.len(), &payload[begin..end])
    };
    begins.zip(ends).enumerate().map(frame).collect()
}

fn content(kinds: Vec<&'static str>) -> impl Strategy<Value = (u8, Vec<u8>)> {
    let json = (select(kinds), ".{0,40}", "[ \\t\\n]{0,3}").prop_map(|(kind, text, space)| {
        let text = serde_json::to_string(&text).expect("text can be written");
        format!("{space}{{{space}\"x\":{text},\"type\" :\"{kind}\"{space}}}{space}")
    });
    let lengths = vec![126, 127, 65_535, 65_536, 100_000, MIB, LARGEST];
    let bulk = (select(lengths), any::<bool>(), any::<u8>()).prop_map(|(length, is_text, seed)| {
        let byte = |index: usize| (index as u8).wrapping_mul(31).wrapping_add((index >> 8) as u8 ^ seed);
        if is_text {
            (TEXT, (0..length).map(|index| b' ' + byte(index) % 95).collect())
        } else {
            (BINARY, (0..length).map(byte).collect())
        }
    });
    prop_oneof![
        8 => ".{0,60}".prop_map(|text| (TEXT, text.into_bytes())),
        8 => json.prop_map(|text| (TEXT, text.into_bytes())),
        12 => vec(any::<u8>(), 0..200).prop_map(|bytes| (BINARY, bytes)),
        2 => Just((BINARY, Vec::new())),
        2 => Just((TEXT, Vec::new())),
        1 => bulk,
    ]
}
