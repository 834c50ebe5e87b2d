//! What looks on at a connection for its recording: a line for each step, and the audio if it is asked for. An audio frame
//! costs it some numbers. Knows neither files nor what a gate decides.

use std::{
    borrow::Cow,
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;

use super::{
    Encoder, End, Header, Mask, Part, Recording, RecordingSettings, Recordings, Stopped,
    format::{NoteLine, write},
    sound::Sound,
};
use crate::{
    config::Scrubber,
    gate::{ClientFrame, Effect, Input, UpstreamFrame},
    protocol::{
        Opcode,
        ids::{ItemId, ResponseId},
        realtime::{AudioDelta, ServerEvent},
    },
};

/// Records one connection.
pub struct Recorder {
    recording: Recording,
    encoder: Encoder<Mask>,
    /// The step that is under way, which is written when it is whole.
    line: Vec<u8>,
    steps: u64,
    /// Whether there may be words of a peer in the line.
    has_words: bool,
    /// The audio that the last line with such had been of: its ids are words of the peer, but are looked at once.
    heard: (Option<ResponseId>, Option<ItemId>),
    scrubber: Rc<Scrubber>,
    sound: Option<Sound>,
}

/// What is recorded, and how.
pub struct Origin<'o> {
    /// What the gate is made from, with the client's trace.
    pub header: Header,
    /// The URL that is dialled.
    pub url: &'o str,
    /// Whether what is said is written as it is.
    pub content: bool,
    /// What upstream may quote, and is not written.
    pub scrubber: Rc<Scrubber>,
}

impl Recorder {
    /// Begins a recording.
    pub fn begin(recordings: &Recordings, settings: &Arc<RecordingSettings>, origin: Origin<'_>) -> Self {
        let Origin { mut header, url, content, scrubber } = origin;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        header.started_unix_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        header.masked = !content;
        let mut recording = recordings.begin(&header.request_id, settings);
        let (inputs, effects) =
            if content { (Mask::off(), Mask::off()) } else { (Mask::inputs(rand::random()), Mask::filler()) };
        let (sound, note) = match settings.audio {
            true => {
                let (sound, note) = Sound::new(header.service, url, &mut recording);
                (Some(sound), note)
            }
            false => (None, None),
        };
        let mut recorder = Self {
            recording,
            encoder: Encoder::new(inputs, effects),
            line: Vec::new(),
            steps: 0,
            has_words: true,
            heard: (None, None),
            scrubber,
            sound,
        };
        header.encode(&mut recorder.line);
        note.iter().for_each(|note| recorder.note(note));
        recorder
    }

    /// The gate is about to take this, `t` after the connection's first moment.
    pub fn input(&mut self, input: &Input, t: Duration) -> Result<(), Stopped> {
        if self.steps == 0 {
            self.write()?;
        }
        self.steps += 1;
        self.has_words = self.is_of_words(input);
        if let Some(sound) = &mut self.sound
            && let Some(note) = sound.input(input, &mut self.recording)?
        {
            self.note(&note);
        }
        self.encoder.input(self.steps, t, input, &mut self.line);
        Ok(())
    }

    /// The gate answered this.
    pub fn effects(&mut self, effects: &[Effect]) -> Result<(), Stopped> {
        if let Some(sound) = &mut self.sound {
            effects.iter().try_for_each(|effect| sound.effect(effect, &mut self.recording))?;
        }
        self.has_words |= effects.iter().any(has_words);
        self.encoder.effects(effects, &mut self.line);
        self.write()
    }

    /// Audio is on its way to the client's socket, in the client's format.
    pub fn audio(&mut self, audio: &Bytes) -> Result<(), Stopped> {
        match &mut self.sound {
            Some(sound) => sound.agent(audio, &mut self.recording),
            None => Ok(()),
        }
    }

    /// The connection is over.
    pub fn end(self) {
        self.recording.end(End::Finished);
    }

    fn note(&mut self, note: &str) {
        write(&NoteLine { note: note.into() }, &mut self.line);
        self.line.push(b'\n');
    }

    fn write(&mut self) -> Result<(), Stopped> {
        if self.has_words {
            let line = str::from_utf8(&self.line).expect("it is JSON");
            if let Cow::Owned(scrubbed) = self.scrubber.cover(line) {
                self.line = scrubbed.into_bytes();
            }
        }
        let written = self.recording.write(Part::Steps, &self.line);
        self.line.clear();
        if self.line.capacity() > LARGE_LINE {
            self.line = Vec::new();
        }
        written
    }

    fn is_of_words(&mut self, input: &Input) -> bool {
        match input {
            Input::ClientAudio(_)
            | Input::Delivered { .. }
            | Input::Heard(_)
            | Input::ClientConnected
            | Input::ClientAlive
            | Input::UpstreamOpened
            | Input::Timeout
            | Input::Squeeze(_)
            | Input::Overload
            | Input::Drain
            | Input::Shutdown => false,
            Input::Upstream(ServerEvent::OutputAudioDelta(delta)) => {
                let AudioDelta { response_id, item_id, .. } = delta;
                let is_new = self.heard.0 != *response_id || self.heard.1 != *item_id;
                if is_new {
                    self.heard = (response_id.clone(), item_id.clone());
                }
                is_new
            }
            Input::ClientFrame(frame) | Input::UpstreamFrame(frame) => frame.opcode != Opcode::Binary,
            Input::Client(_)
            | Input::ClientMalformed(_)
            | Input::ClientClosed(_)
            | Input::UpstreamRefused(_)
            | Input::Upstream(_)
            | Input::UpstreamMalformed(_)
            | Input::UpstreamClosed { .. }
            | Input::FunctionFinished { .. } => true,
        }
    }
}

/// Whether words of a peer may be in it. Audio has ids of ours, or those of the input.
fn has_words(effect: &Effect) -> bool {
    match effect {
        Effect::ToClient(frame) => match frame {
            ClientFrame::Audio(_) => false,
            ClientFrame::Frame(frame) => frame.opcode != Opcode::Binary,
            ClientFrame::Message(_) => true,
        },
        Effect::ToUpstream(frame) => match frame {
            UpstreamFrame::Audio { .. } | UpstreamFrame::Silence { .. } => false,
            UpstreamFrame::Frame(frame) => frame.opcode != Opcode::Binary,
            UpstreamFrame::Event(_) | UpstreamFrame::Raw(_) => true,
        },
        Effect::Execute(_) | Effect::Close { .. } | Effect::CancelFunction(_) => true,
        Effect::OpenUpstream
        | Effect::UseAudio(_)
        | Effect::Pause(_)
        | Effect::Resume(_)
        | Effect::Held(_)
        | Effect::Ignored(_)
        | Effect::RanOut(_)
        | Effect::Ping(_)
        | Effect::HangUp(_)
        | Effect::Finished => false,
    }
}

/// A line of more than this is rare, and its memory is given back, bytes.
const LARGE_LINE: usize = 64 << 10;
