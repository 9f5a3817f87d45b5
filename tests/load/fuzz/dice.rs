//! Numbers that look random: each case has its own, of the seed, the kind and the number, so that one case can be made again.

pub struct Dice(u64);

impl Dice {
    pub fn of(seed: u64, kind: usize, number: u64) -> Self {
        let mut dice = Self(seed ^ (kind as u64) << 56);
        dice.0 = dice.roll() ^ number;
        dice
    }

    /// SplitMix64.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below a bound; 0 when the bound is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.roll() % bound.max(1) as u64) as usize
    }

    /// True once in so many.
    pub fn once_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// Damages bytes: flips, other bytes, a cut, a part that is there twice, a part that is gone.
    pub fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(6) {
            let (at, to) = (self.below(bytes.len()), self.below(bytes.len()));
            let (from, to) = (at.min(to), at.max(to).min(at.min(to) + 300));
            match self.below(12) {
                _ if bytes.is_empty() => bytes.extend_from_slice(&self.roll().to_le_bytes()),
                0..=4 => bytes[at] ^= 1 << self.below(8),
                5..=6 => bytes[at] = self.roll() as u8,
                7 => bytes[at] = *self.one(&[0, 0xff, 0x7f, 0x80, b'"', b'{', b'[', b',', b'\\']),
                8 => bytes.truncate(at),
                9 => drop(bytes.drain(from..to)),
                10 => {
                    let part = bytes[from..to].to_vec();
                    bytes.splice(to..to, part);
                }
                _ => {
                    let some = self.roll().to_le_bytes();
                    bytes.splice(at..at, some);
                }
            }
        }
    }
}
