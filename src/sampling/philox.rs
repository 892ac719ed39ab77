//! Randomness: one Philox4x32-10 block per token, keyed by the request's seed.
//!
//! A counter-based generator has no state to keep, save or roll back: the draw of a token is a
//! function of (seed, position, stream) alone, whichever row, batch or machine computes it.
//!
//! Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

const MULTIPLIER: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];

/// The Philox4x32 bijection with ten rounds.
pub fn philox4x32_10(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key[0] = key[0].wrapping_add(WEYL[0]);
            key[1] = key[1].wrapping_add(WEYL[1]);
        }
        let a = u64::from(MULTIPLIER[0]) * u64::from(counter[0]);
        let b = u64::from(MULTIPLIER[1]) * u64::from(counter[2]);
        counter = [
            (b >> 32) as u32 ^ counter[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ counter[3] ^ key[1],
            a as u32,
        ];
    }
    counter
}

/// The stream of choice `n` of a request: the target model's even, the draft model's odd.
///
/// # Panics
///
/// If `choice` is 2^31 or more.
pub fn stream(choice: u32, draft: bool) -> u32 {
    assert!(choice < 1 << 31, "choice {choice} does not fit 31 bits");
    choice << 1 | u32::from(draft)
}

/// The 128 random bits of one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Draw {
    /// Picks the tile: a fraction of 2^64 of the row's mass.
    pub tile: u64,
    /// Picks the token in the tile: a fraction of 2^64 of the tile's weight.
    pub token: u64,
}

impl Draw {
    /// The draw for the token at absolute `position` (prompt included) of the request with `seed`.
    ///
    /// Key: seed, low word first. Counter: position (low word first), [`stream()`], 0.
    pub fn new(seed: u64, position: u64, stream: u32) -> Self {
        let counter = [position as u32, (position >> 32) as u32, stream, 0];
        let [a, b, c, d] = philox4x32_10(counter, [seed as u32, (seed >> 32) as u32]);
        Draw { tile: u64::from(a) | u64::from(b) << 32, token: u64::from(c) | u64::from(d) << 32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `philox4x32 10` in Random123's `kat_vectors`.
    #[test]
    fn known_answers() {
        let cases = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, output) in cases {
            assert_eq!(philox4x32_10(counter, key), output);
        }
    }

    #[test]
    fn draws_differ_by_seed_position_and_stream() {
        let base = Draw::new(7, 11, stream(0, false));
        assert_eq!(base, Draw::new(7, 11, 0));
        assert_ne!(base, Draw::new(8, 11, 0));
        assert_ne!(base, Draw::new(7 << 32, 11, 0));
        assert_ne!(base, Draw::new(7, 12, 0));
        assert_ne!(base, Draw::new(7, 11 << 32, 0));
        assert_ne!(base, Draw::new(7, 11, stream(0, true)));
        assert_ne!(base, Draw::new(7, 11, stream(1, false)));
    }
}
