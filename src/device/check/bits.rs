//! Masks as words.

use super::random::Random;

/// Every bit of a width.
pub fn all_ones(width: usize) -> Vec<u32> {
    let word = |i: usize| if width - 32 * i >= 32 { u32::MAX } else { (1 << (width % 32)) - 1 };
    (0..width.div_ceil(32)).map(word).collect()
}

/// One of the bits that are set.
pub fn some_bit(random: &mut Random, words: &[u32]) -> Option<u32> {
    let set: u32 = words.iter().map(|w| w.count_ones()).sum();
    let mut left = random.below(set.max(1) as usize) as u32;
    for (i, &word) in words.iter().enumerate() {
        if left < word.count_ones() {
            return (0..32)
                .filter(|bit| word >> bit & 1 == 1)
                .nth(left as usize)
                .map(|bit| i as u32 * 32 + bit);
        }
        left -= word.count_ones();
    }
    None
}

/// Where two masks differ.
pub fn difference(got: &[u32], expected: &[u32]) -> String {
    let differing = |of: &[u32], other: &[u32]| -> (usize, Vec<u32>) {
        let ids = (0..of.len() as u32 * 32).filter(|&id| {
            let bit = |w: &[u32]| w[id as usize / 32] >> (id % 32) & 1;
            bit(of) == 1 && bit(other) == 0
        });
        let ids: Vec<u32> = ids.collect();
        (ids.len(), ids.into_iter().take(5).collect())
    };
    let (more, some) = differing(got, expected);
    let (fewer, others) = differing(expected, got);
    format!("{more} ids too many {some:?}, {fewer} missing {others:?}")
}
