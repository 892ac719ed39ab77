//! Tiles, how they merge into a row, and how a draw picks from them.
//!
//! A tile's record needs nothing but its own logits. Records merge by integer arithmetic, so a row
//! split over threads, blocks or tensor-parallel ranks (at multiples of [`TILE`] ids) gives the same
//! token as one pass: concatenate the records in id order.

use bytemuck::{Pod, Zeroable};

use super::weight::scale24;

/// Ids per tile. 1024 logits fit the registers of one warp and the L1 cache of a CPU.
pub const TILE: usize = 1024;

/// Mass of one token at the row's maximum, as a power of two.
///
/// With 40 bits, a tile counts exactly as long as its maximum is within 40 bits of the row's, and a
/// flat row of [`MAX_WIDTH`] ids stays below 2^64.
pub const UNIT_BITS: u32 = 40;

/// Greatest width of a row, in ids.
pub const MAX_WIDTH: usize = 1 << 23;

const _: () = assert!((MAX_WIDTH as u128) << UNIT_BITS < 1 << 64);

/// What a row needs to know about one tile.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct TileRecord {
    /// Sum of the weights of its kept tokens, at most 2^40.
    pub sum: u64,
    /// Greatest legal logit, −∞ if the tile has none. Weights are relative to it, whatever is kept.
    pub max: f32,
    /// 0; keeps the record at 16 bytes, one load on a GPU.
    pub reserved: u32,
}

const _: () = assert!(size_of::<TileRecord>() == 16);

impl TileRecord {
    /// A tile without a legal token.
    pub const EMPTY: TileRecord = TileRecord { sum: 0, max: f32::NEG_INFINITY, reserved: 0 };
}

/// ⌊S · P((a − z*)·s) · 2^10⌋: a weight of a tile with maximum `a`, or a sum of them (≤ 2^40), in
/// units of the row, where 2^[`UNIT_BITS`] is a token at the row's maximum z*.
///
/// The product of at most 40 and at most 24 bits fits 64: the only S of 41 bits is 2^40, and
/// 2^40 · (2^24 − 1) < 2^64.
#[inline(always)]
pub fn mass(sum: u64, a: f32, row_max: f32, s: f32) -> u64 {
    let scale = scale24(a, row_max, s);
    (sum * u64::from(scale.mantissa)) >> (13 + scale.down)
}

/// The row's mass: the sum of its tiles' masses.
pub fn total_mass(records: &[TileRecord], row_max: f32, s: f32) -> u64 {
    records.iter().map(|r| mass(r.sum, r.max, row_max, s)).sum()
}

/// ⌊draw · total / 2^64⌋: a draw as a target in 0 … total − 1 (`__umul64hi`).
#[inline(always)]
pub fn scale_draw(draw: u64, total: u64) -> u64 {
    ((u128::from(draw) * u128::from(total)) >> 64) as u64
}

/// The first tile at which the running mass exceeds ⌊draw · total / 2^64⌋.
///
/// `None` if no tile has mass.
pub fn pick_tile(records: &[TileRecord], row_max: f32, s: f32, draw: u64) -> Option<usize> {
    let target = scale_draw(draw, total_mass(records, row_max, s));
    let mut running = 0;
    records.iter().position(|r| {
        running += mass(r.sum, r.max, row_max, s);
        running > target
    })
}

/// The first position at which the running weight exceeds ⌊draw · total / 2^64⌋.
///
/// `weights` are a tile's kept ones in id order (a dropped token has weight 0). `None` if all are 0.
pub fn pick_token(weights: &[u32], draw: u64) -> Option<usize> {
    let target = scale_draw(draw, weights.iter().map(|&w| u64::from(w)).sum());
    let mut running = 0;
    weights.iter().position(|&w| {
        running += u64::from(w);
        running > target
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sum: u64, max: f32) -> TileRecord {
        TileRecord { sum, max, reserved: 0 }
    }

    #[test]
    fn tokens_at_the_boundaries_of_the_draw() {
        let weights = [0, 1, 0, 2, 1, 0];
        // Total 4: each quarter of the draws is one unit of weight.
        let quarter = 1u64 << 62;
        for (draw, position) in
            [(0, 1), (quarter - 1, 1), (quarter, 3), (3 * quarter - 1, 3), (3 * quarter, 4), (u64::MAX, 4)]
        {
            assert_eq!(pick_token(&weights, draw), Some(position), "{draw:#x}");
        }
        assert_eq!(pick_token(&[], 0), None);
        assert_eq!(pick_token(&[0, 0], u64::MAX), None);
        assert_eq!(pick_token(&[1 << 30; 1024], u64::MAX), Some(1023));
        assert_eq!(pick_token(&[1 << 30; 1024], 1 << 54), Some(1));
        assert_eq!(pick_token(&[1 << 30; 1024], (1 << 54) - 1), Some(0));
    }

    #[test]
    fn tiles_at_the_boundaries_of_the_draw() {
        let unit = 1 << 30;
        let records = [
            TileRecord::EMPTY,
            record(unit, 1.0),
            record(0, 2.0),
            record(unit, 2.0),
            record(unit, 1.0),
            TileRecord::EMPTY,
        ];
        // With s = 1 the masses are ¼, ½, ¼ of the total.
        let quarter = 1u64 << 62;
        for (draw, tile) in
            [(0, 1), (quarter - 1, 1), (quarter, 3), (3 * quarter - 1, 3), (3 * quarter, 4), (u64::MAX, 4)]
        {
            assert_eq!(pick_tile(&records, 2.0, 1.0, draw), Some(tile), "{draw:#x}");
        }
        assert_eq!(pick_tile(&[TileRecord::EMPTY], 0.0, 1.0, 0), None);
        assert_eq!(pick_tile(&[], 0.0, 1.0, 0), None);
    }

    #[test]
    fn mass_at_its_limits() {
        assert_eq!(mass(1 << 30, 0.0, 0.0, 1.0), 1 << UNIT_BITS);
        assert_eq!(mass(1 << 40, 0.0, 0.0, 1.0), 1 << 50);
        assert_eq!(mass(1 << 30, -40.0, 0.0, 1.0), 1);
        assert_eq!(mass((1 << 30) - 1, -40.0, 0.0, 1.0), 0);
        assert_eq!(mass(1 << 40, -40.01, 0.0, 1.0), 0);
        assert_eq!(mass(0, f32::NEG_INFINITY, 0.0, 1.0), 0);
        // The greatest mantissa times the greatest sum.
        let x = f32::from_bits(0x3380_0000);
        assert_eq!(mass(1 << 40, -x, 0.0, 1.0) >> 49, 1);
        let flat = vec![record(1 << 40, -1e-7); MAX_WIDTH / TILE];
        assert!(total_mass(&flat, 0.0, 1.0) <= (MAX_WIDTH as u64) << UNIT_BITS);
    }
}
