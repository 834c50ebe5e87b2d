//! Codecs cut frames out of one buffer, which lives for as long as any of them. Here a frame that is much smaller
//! than others of its connection gets memory of its own. Knows nothing of what frames hold.

use bytes::Bytes;

/// The buffer that the frames of one connection are cut out of.
#[derive(Debug, Default)]
pub struct SharedBuffer {
    /// The largest frame so far, bytes: the buffer may have room for as much.
    largest: usize,
}

impl SharedBuffer {
    /// The next frame's payload, which may wait for long: the memory that it keeps stays in proportion to its length,
    /// which is what budgets count.
    pub fn cut(&mut self, payload: Bytes) -> Bytes {
        self.largest = self.largest.max(payload.len());
        if payload.len() < self.largest / 2 { Bytes::copy_from_slice(&payload) } else { payload }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_much_smaller_than_another_shares_nothing_with_it() {
        let read = Bytes::from(vec![7; 1_000]);
        let mut buffer = SharedBuffer::default();
        for (length, shares) in
            [(100, true), (50, true), (49, false), (1_000, true), (500, true), (499, false)]
        {
            let frame = read.slice(..length);
            let cut = buffer.cut(frame.clone());
            assert_eq!(cut, frame);
            assert_eq!(cut.as_ptr() == frame.as_ptr(), shares, "{length}");
        }
    }
}
