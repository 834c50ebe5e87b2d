//! Messages and bytes of one connection, as its legs count them. Only the connection's own thread writes, so that a frame
//! costs two plain additions; whoever collects reads from any thread. Knows no backend.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{gate::Leg, protocol::Frame};

/// Which way a frame goes, seen from voxbridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// A peer sent it.
    In,
    /// A peer is sent it.
    Out,
}

/// How many counts there are: messages and bytes, of each leg, each way.
pub(super) const COUNTS: usize = 8;

/// The labels of each count, in their order.
pub(super) const LABELS: [(&str, &str); COUNTS / 2] =
    [("client", "in"), ("client", "out"), ("upstream", "in"), ("upstream", "out")];

/// What the legs of one connection have counted: data messages and the bytes of their payloads, as on the wire.
#[derive(Debug, Default)]
pub struct WireCounts([AtomicU64; COUNTS]);

impl WireCounts {
    /// A data frame came.
    pub fn came(&self, leg: Leg, frame: &Frame) {
        self.count(leg, Direction::In, frame.payload.len(), frame.last);
    }

    /// A data frame goes out.
    pub fn goes(&self, leg: Leg, frame: &Frame) {
        self.count(leg, Direction::Out, frame.payload.len(), frame.last);
    }

    /// A whole data message with so many bytes goes out.
    pub fn message_goes(&self, leg: Leg, bytes: usize) {
        self.count(leg, Direction::Out, bytes, true);
    }

    fn count(&self, leg: Leg, direction: Direction, bytes: usize, ends_message: bool) {
        let pair = 2 * (2 * usize::from(leg == Leg::Upstream) + usize::from(direction == Direction::Out));
        add(&self.0[pair], u64::from(ends_message));
        add(&self.0[pair + 1], bytes as u64);
    }

    /// Messages and bytes, for each of [`LABELS`].
    pub(super) fn read(&self) -> [u64; COUNTS] {
        std::array::from_fn(|index| self.0[index].load(Relaxed))
    }
}

/// As there is one writer, nothing is lost between the two, and no other processor is asked.
fn add(count: &AtomicU64, more: u64) {
    count.store(count.load(Relaxed).wrapping_add(more), Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_leg_and_way_has_counts_of_its_own() {
        let counts = WireCounts::default();
        counts.came(Leg::Client, &Frame::text("a"));
        counts.message_goes(Leg::Client, 20);
        counts.came(Leg::Upstream, &Frame { last: false, ..Frame::binary("bcd") });
        counts.goes(Leg::Upstream, &Frame::binary("efgh"));
        counts.goes(Leg::Upstream, &Frame::binary("i"));
        assert_eq!(counts.read(), [1, 1, 1, 20, 0, 3, 2, 5]);
        assert_eq!(LABELS.map(|(leg, _)| leg), ["client", "client", "upstream", "upstream"]);
    }
}
