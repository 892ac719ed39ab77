//! The sampler's loops over a tile, compiled once per instruction set and chosen at run time.
//!
//! The loops are plain Rust over fixed-size chunks, inlined into functions with the target feature
//! enabled, where the compiler turns them into vector code. Every lane does the operations of
//! [`crate::sampling`] in their order, so all levels give the same bits; the portable one calls the C
//! library for each fused multiply-add and is some thirty times slower.
//!
//! A tile in memory ([`Tile`]) holds canonical logits but for two things that comparisons treat
//! alike: NaN may stand for illegal, and −0 for +0.

use half::{bf16, f16};

use crate::sampling::{ILLEGAL, TILE, WEIGHT_BITS, order, weight_f32};

/// The logits of one tile; −∞ past the width.
#[repr(align(64))]
#[derive(Clone)]
pub(super) struct Tile(pub [f32; TILE]);

/// Bins of the mass histogram.
pub(super) const BINS: usize = 4096;

/// An instruction set that this CPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simd(Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Simd {
    /// Plain code for any CPU; correct and slow.
    pub const PORTABLE: Simd = Simd(Level::Portable);

    /// The fastest level of this CPU.
    pub fn detect() -> Simd {
        Self::available().pop().unwrap_or(Self::PORTABLE)
    }

    /// Every level of this CPU, slowest first.
    pub fn available() -> Vec<Simd> {
        #[allow(unused_mut)]
        let mut levels = vec![Self::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        {
            let has_avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("popcnt");
            if has_avx2 {
                levels.push(Simd(Level::Avx2));
            }
            if has_avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                levels.push(Simd(Level::Avx512));
            }
        }
        levels
    }

    /// Short name for reports.
    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
        }
    }
}

/// Defines a method of [`Simd`] that runs a loop compiled for its level.
macro_rules! dispatched {
    ($(#[$doc:meta])* $name:ident$(<$T:ident: $bound:ident>)?($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)?) => {
        impl Simd {
            $(#[$doc])*
            #[inline]
            pub(super) fn $name$(<$T: $bound>)?(self, $($arg: $ty),*) $(-> $ret)? {
                #[cfg(target_arch = "x86_64")]
                #[target_feature(enable = "avx2,fma,popcnt")]
                fn avx2$(<$T: $bound>)?($($arg: $ty),*) $(-> $ret)? {
                    loops::$name($($arg),*)
                }
                #[cfg(target_arch = "x86_64")]
                #[target_feature(enable = "avx2,fma,popcnt,avx512f,avx512bw,avx512dq,avx512vl")]
                fn avx512$(<$T: $bound>)?($($arg: $ty),*) $(-> $ret)? {
                    loops::$name($($arg),*)
                }
                match self.0 {
                    Level::Portable => loops::$name($($arg),*),
                    // SAFETY: `available` is the only maker of this level, and the CPU has reported
                    // every feature the function is compiled for.
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2 => unsafe { avx2($($arg),*) },
                    // SAFETY: as above.
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512 => unsafe { avx512($($arg),*) },
                }
            }
        }
    };
}

dispatched! {
    /// Widens up to a tile of logits, forbids those whose mask bit is 0, and returns the greatest
    /// raw value (−∞ if none; may be −0 or +∞). `mask` has a word for every 32 logits.
    load<T: Widen>(row: &[T], mask: Option<&[u32]>, tile: &mut Tile) -> f32
}
dispatched! {
    /// [`load`](Self::load) without writing the tile.
    max<T: Widen>(row: &[T], mask: Option<&[u32]>) -> f32
}
dispatched! {
    /// Sum of the weights of `z` (a multiple of 16 logits, at most a tile) relative to `a`.
    sum_weights(z: &[f32], a: f32, s: f32) -> u64
}
dispatched! {
    /// Weights of `z` relative to `a`, lane by lane.
    weights(z: &[f32], a: f32, s: f32, weights: &mut [u32])
}
dispatched! {
    /// Weights of `z`, each relative to its own `a`.
    weights_each(z: &[f32], a: &[f32], s: f32, weights: &mut [u32])
}
dispatched! {
    /// Forbids the logits of a tile after the cut: below `z`, or equal to it and from `position` on.
    cut(tile: &mut Tile, z: f32, position: usize)
}
dispatched! {
    /// Appends the order of every logit ≥ `low`, which is above −∞; ids count from `first`.
    collect(tile: &Tile, first: u32, low: f32, orders: &mut Vec<u64>)
}
dispatched! {
    /// Histogram bins ⌊(row_max − z) · per_unit⌋, at most `BINS` − 1 (also for illegal logits).
    bins(tile: &Tile, row_max: f32, per_unit: f32, bins: &mut [u32; TILE])
}
dispatched! {
    /// Position of the first logit that equals `z`, which is not NaN; a tile's length if none does.
    find(tile: &Tile, z: f32) -> usize
}
dispatched! {
    /// Number of bits set.
    count_ones(words: &[u32]) -> usize
}

/// A number format that widens exactly to `f32` in a few vector instructions. NaN stays NaN.
pub(super) trait Widen: Copy {
    fn widen(self) -> f32;
}

impl Widen for f32 {
    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }
}

impl Widen for bf16 {
    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
}

impl Widen for f16 {
    /// The exponent is rebased by an exact multiplication with 2^112, which also normalises
    /// subnormals; infinities and NaN then get their exponent back.
    #[inline(always)]
    fn widen(self) -> f32 {
        let bits = u32::from(self.to_bits());
        let magnitude = (bits & 0x7fff) << 13;
        let rebased = (f32::from_bits(magnitude) * f32::from_bits(0x7780_0000)).to_bits();
        let special = if magnitude >= 0x0f80_0000 { 0x7f80_0000 } else { 0 };
        f32::from_bits(rebased | special | (bits & 0x8000) << 16)
    }
}

/// A float in 0 … 2^30 without its fraction.
#[inline(always)]
fn truncate_in_range(y: f32) -> u32 {
    // SAFETY: callers clamp their argument: `weight_f32` is in [0, 2^30] for every input, and bins
    // are in [0, BINS − 1]. So `y` is finite and its integer part fits an i32.
    let i: i32 = unsafe { y.to_int_unchecked() };
    i as u32
}

/// The loops, for inlining into one function per level.
mod loops {
    use super::*;

    /// The greater, or `max` if `z` is NaN: one `maxps`.
    #[inline(always)]
    fn greater(z: f32, max: f32) -> f32 {
        if z > max { z } else { max }
    }

    #[inline(always)]
    fn for_each_chunk<T: Widen, const STORE: bool>(row: &[T], mask: Option<&[u32]>, out: &mut [f32]) -> f32 {
        let mut best = [ILLEGAL; 32];
        let chunks = row.chunks_exact(32);
        let rest = chunks.remainder();
        let full = row.len() / 32;
        for (i, chunk) in chunks.enumerate() {
            let chunk: &[T; 32] = chunk.try_into().expect("32 logits");
            let word = mask.map_or(u32::MAX, |mask| mask[i]);
            if word == 0 {
                if STORE {
                    out[i * 32..][..32].fill(ILLEGAL);
                }
                continue;
            }
            let mut z = [0f32; 32];
            for j in 0..32 {
                z[j] = chunk[j].widen();
            }
            if word != u32::MAX {
                for (j, z) in z.iter_mut().enumerate() {
                    *z = if word & (1 << j) != 0 { *z } else { ILLEGAL };
                }
            }
            for j in 0..32 {
                best[j] = greater(z[j], best[j]);
            }
            if STORE {
                out[i * 32..][..32].copy_from_slice(&z);
            }
        }
        let mut max = best.iter().fold(ILLEGAL, |max, &z| greater(z, max));
        if !rest.is_empty() {
            let word = mask.map_or(u32::MAX, |mask| mask[full]);
            for (j, z) in rest.iter().enumerate() {
                let z = if word >> j & 1 == 1 { z.widen() } else { ILLEGAL };
                max = greater(z, max);
                if STORE {
                    out[full * 32 + j] = z;
                }
            }
        }
        if STORE {
            out[row.len()..].fill(ILLEGAL);
        }
        max
    }

    #[inline(always)]
    pub fn load<T: Widen>(row: &[T], mask: Option<&[u32]>, tile: &mut Tile) -> f32 {
        for_each_chunk::<T, true>(row, mask, &mut tile.0)
    }

    #[inline(always)]
    pub fn max<T: Widen>(row: &[T], mask: Option<&[u32]>) -> f32 {
        for_each_chunk::<T, false>(row, mask, &mut [])
    }

    #[inline(always)]
    pub fn sum_weights(z: &[f32], a: f32, s: f32) -> u64 {
        // Two 32-bit sums per lane, of the low 15 and the other bits: at most 64 · 2^15 each.
        const LANES: usize = 16;
        debug_assert!(z.len() <= TILE && z.len().is_multiple_of(LANES));
        let mut low = [0u32; LANES];
        let mut high = [0u32; LANES];
        for chunk in z.chunks_exact(LANES) {
            for j in 0..LANES {
                let w = truncate_in_range(weight_f32(chunk[j], a, s));
                low[j] += w & 0x7fff;
                high[j] += w >> 15;
            }
        }
        let sum = |lanes: [u32; LANES]| lanes.iter().map(|&n| u64::from(n)).sum::<u64>();
        (sum(high) << 15) + sum(low)
    }

    #[inline(always)]
    pub fn weights(z: &[f32], a: f32, s: f32, weights: &mut [u32]) {
        for (w, &z) in weights.iter_mut().zip(z) {
            *w = truncate_in_range(weight_f32(z, a, s));
        }
    }

    #[inline(always)]
    pub fn weights_each(z: &[f32], a: &[f32], s: f32, weights: &mut [u32]) {
        for ((w, &z), &a) in weights.iter_mut().zip(z).zip(a) {
            *w = truncate_in_range(weight_f32(z, a, s));
        }
    }

    #[inline(always)]
    pub fn cut(tile: &mut Tile, z: f32, position: usize) {
        let (before, after) = tile.0.split_at_mut(position.min(TILE));
        for t in before {
            *t = if *t >= z { *t } else { ILLEGAL };
        }
        for t in after {
            *t = if *t > z { *t } else { ILLEGAL };
        }
    }

    #[inline(always)]
    pub fn collect(tile: &Tile, first: u32, low: f32, orders: &mut Vec<u64>) {
        for (i, chunk) in tile.0.chunks_exact(32).enumerate() {
            let mut found = 0u32;
            for (j, &z) in chunk.iter().enumerate() {
                found |= u32::from(z >= low) << j;
            }
            while found != 0 {
                let j = found.trailing_zeros();
                orders.push(order(chunk[j as usize] + 0.0, first + 32 * i as u32 + j));
                found &= found - 1;
            }
        }
    }

    #[inline(always)]
    pub fn bins(tile: &Tile, row_max: f32, per_unit: f32, bins: &mut [u32; TILE]) {
        const LAST: f32 = (BINS - 1) as f32;
        for (bin, &z) in bins.iter_mut().zip(&tile.0) {
            let x = (row_max - z) * per_unit;
            let x = if x < LAST { x } else { LAST };
            let x = if x > 0.0 { x } else { 0.0 };
            *bin = truncate_in_range(x);
        }
    }

    #[inline(always)]
    pub fn find(tile: &Tile, z: f32) -> usize {
        for (i, chunk) in tile.0.chunks_exact(32).enumerate() {
            let mut any = false;
            for &t in chunk {
                any |= t == z;
            }
            if any {
                return 32 * i + chunk.iter().position(|&t| t == z).unwrap_or(0);
            }
        }
        TILE
    }

    #[inline(always)]
    pub fn count_ones(words: &[u32]) -> usize {
        words.iter().map(|w| w.count_ones() as usize).sum()
    }
}

const _: () = assert!(WEIGHT_BITS == 30 && (TILE / 16) << (WEIGHT_BITS - 15) < 1 << 32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widening_is_exact_for_every_half() {
        for bits in 0..=u16::MAX {
            for (ours, theirs) in [
                (f16::from_bits(bits).widen(), f16::from_bits(bits).to_f32()),
                (bf16::from_bits(bits).widen(), bf16::from_bits(bits).to_f32()),
            ] {
                assert!(
                    ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan()),
                    "{bits:#x}: {ours} {theirs}"
                );
            }
        }
    }

    #[test]
    fn partial_tiles_are_filled_and_masked() {
        let row: Vec<f32> = (0..70).map(|i| i as f32).collect();
        for simd in Simd::available() {
            let mut tile = Tile([7.0; TILE]);
            assert_eq!(simd.load(&row, None, &mut tile), 69.0);
            assert_eq!(tile.0[69], 69.0);
            assert!(tile.0[70..].iter().all(|&z| z == ILLEGAL));
            let mask = [u32::MAX, 0, 0b10_1111];
            assert_eq!(simd.load(&row, Some(&mask), &mut tile), 69.0);
            assert_eq!(simd.max(&row, Some(&mask)), 69.0);
            assert!(tile.0[32..64].iter().all(|&z| z == ILLEGAL));
            assert_eq!(tile.0[67..70], [67.0, ILLEGAL, 69.0]);
            assert_eq!(simd.max(&row, Some(&[0, 0, 0])), ILLEGAL);
            assert_eq!(simd.find(&tile, 67.0), 67);
            assert_eq!(simd.find(&tile, 0.5), TILE);
        }
    }
}
