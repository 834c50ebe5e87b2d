//! What the client's leg was handed and what it has put into its socket, by weight: when the first audio of an answer is
//! there. Knows no frame.

use super::FirstAudio;

#[derive(Debug, Default)]
pub(super) struct Handed {
    /// The weight of all that the leg was handed.
    handed: u64,
    /// The weight of all that it has reported as delivered.
    delivered: u64,
    watched: Option<(u64, FirstAudio)>,
}

impl Handed {
    /// The leg was handed a frame of this weight.
    pub(super) fn handed(&mut self, weight: usize) {
        self.handed = self.handed.wrapping_add(weight as u64);
    }

    /// The frame that the leg was handed last is the first of an answer.
    pub(super) fn watch(&mut self, first: FirstAudio) {
        self.watched = Some((self.handed, first));
    }

    /// Nobody waits for that frame any more.
    pub(super) fn forget(&mut self) {
        self.watched = None;
    }

    /// The leg has delivered frames of this weight; the one that is watched if it is among them.
    pub(super) fn delivered(&mut self, weight: usize) -> Option<FirstAudio> {
        self.delivered = self.delivered.wrapping_add(weight as u64);
        let (mark, first) = self.watched?;
        if self.delivered < mark {
            return None;
        }
        self.watched = None;
        Some(first)
    }
}
