//! A connection's audio on its way through: the conversions that the gate's plan asks for.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::translate::{
    audio::{Transcoder, wav_header},
    settings::AudioPlan,
};

/// The largest audio frame that a client is sent, bytes.
const CLIENT_FRAME: usize = 256 * 1024;

pub(super) struct AudioPath {
    plan: AudioPlan,
    /// This one and the other are made for the first audio: a connection that is silent, or passed through, has none.
    up: Option<Transcoder>,
    down: Option<Transcoder>,
    header_due: bool,
}

impl Default for AudioPath {
    fn default() -> Self {
        Self::new(AudioPlan::default())
    }
}

impl AudioPath {
    pub(super) fn new(plan: AudioPlan) -> Self {
        Self { plan, up: None, down: None, header_due: plan.wav }
    }

    /// The client's audio in upstream's format; empty if it comes to no whole sample.
    pub(super) fn up(&mut self, audio: Bytes) -> Bytes {
        let AudioPlan { client_input, upstream_input, .. } = self.plan;
        self.up.get_or_insert_with(|| Transcoder::new(client_input, upstream_input)).push(audio)
    }

    /// Silence in upstream's format.
    pub(super) fn silence(&self, length: Duration) -> Bytes {
        let format = self.plan.upstream_input;
        Bytes::from(vec![format.silence(); format.bytes_in(length)])
    }

    /// Upstream's audio in the client's format, in frames that a client takes.
    pub(super) fn down(&mut self, audio: Bytes) -> impl Iterator<Item = Bytes> + use<> {
        let AudioPlan { upstream_output, client_output, .. } = self.plan;
        let down = self.down.get_or_insert_with(|| Transcoder::new(upstream_output, client_output));
        let mut rest = down.push(audio);
        if self.header_due && !rest.is_empty() {
            self.header_due = false;
            let mut whole = BytesMut::from(&wav_header(self.plan.client_output)[..]);
            whole.extend_from_slice(&rest);
            rest = whole.freeze();
        }
        std::iter::from_fn(move || (!rest.is_empty()).then(|| rest.split_to(rest.len().min(CLIENT_FRAME))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::audio::{ALAW_8K, MULAW_8K};

    #[test]
    fn large_audio_is_split_and_nothing_else_is_touched() {
        let mut path = AudioPath::default();
        let audio = Bytes::from((0..700_002).map(|n| n as u8).collect::<Vec<_>>());
        let frames: Vec<Bytes> = path.down(audio.clone()).collect();
        assert_eq!(frames.iter().map(Bytes::len).collect::<Vec<_>>(), [CLIENT_FRAME, CLIENT_FRAME, 175_714]);
        assert_eq!(frames.concat(), audio);
        assert_eq!(path.down(Bytes::new()).count(), 0);
    }

    #[test]
    fn what_converts_is_made_for_the_first_audio() {
        let mut path = AudioPath::default();
        assert!(path.up.is_none() && path.down.is_none());
        assert_eq!(path.up(Bytes::from_static(&[0; 640])).len() % 2, 0);
        assert!(path.up.is_some() && path.down.is_none());
    }

    #[test]
    fn a_wav_stream_begins_with_one_header() {
        let plan = AudioPlan { wav: true, ..AudioPlan::default() };
        let mut path = AudioPath::new(plan);
        let first: Vec<Bytes> = path.down(Bytes::from_static(&[1, 2])).collect();
        assert_eq!((first.len(), first[0].len(), &first[0][..4]), (1, 46, &b"RIFF"[..]));
        assert_eq!(path.down(Bytes::from_static(&[3, 4])).collect::<Vec<_>>(), [Bytes::from_static(&[3, 4])]);
    }

    #[test]
    fn silence_is_silent_in_each_format() {
        let of = |upstream_input| {
            AudioPath::new(AudioPlan { client_input: upstream_input, upstream_input, ..AudioPlan::default() })
                .silence(Duration::from_millis(1))
        };
        assert_eq!(AudioPath::default().silence(Duration::from_millis(1)), vec![0; 48]);
        assert_eq!(of(MULAW_8K), vec![0xff; 8]);
        assert_eq!(of(ALAW_8K), vec![0xd5; 8]);
    }
}
