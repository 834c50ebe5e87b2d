//! Numbers from a seed. Knows nothing of what they decide.

/// The generator SplitMix64: small, and the same everywhere.
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The generator of input number `input` of a target that runs with `seed`.
    pub(crate) fn of_input(seed: u64, input: u64) -> Self {
        let mut of_seed = Self(seed);
        Self(of_seed.next() ^ input.wrapping_mul(0xd134_2543_de82_ef95))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, and without, this one, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// True once in so many times.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// The same of words.
    pub(crate) fn word<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// Mostly small, and now and then up to `end`.
    pub(crate) fn length(&mut self, end: usize) -> usize {
        let shift = self.below(usize::BITS as usize - end.leading_zeros() as usize + 1);
        self.below(end.max(1)) >> shift
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let words = (0..length.div_ceil(8)).flat_map(|_| self.next().to_le_bytes());
        words.take(length).collect()
    }
}
