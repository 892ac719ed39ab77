//! The order of a row: by logit, greatest first, ties by lower id.
//!
//! Comparisons are of integers, so that every backend agrees on NaN, infinities and zeros.

/// The stored value of an illegal logit: −∞, which has weight 0 and comes last.
pub const ILLEGAL: f32 = f32::NEG_INFINITY;

/// A logit as the sampler sees it: NaN becomes −∞ (illegal), +∞ becomes [`f32::MAX`], −0 becomes +0.
///
/// ```
/// use warpgrammar::sampling::canonical;
/// assert_eq!(canonical(f32::NAN), f32::NEG_INFINITY);
/// assert_eq!(canonical(f32::INFINITY), f32::MAX);
/// assert_eq!(canonical(-0.0).to_bits(), 0);
/// ```
#[inline(always)]
pub fn canonical(z: f32) -> f32 {
    let z = if z > ILLEGAL { z } else { ILLEGAL };
    let z = if z < f32::MAX { z } else { f32::MAX };
    z + 0.0
}

/// An unsigned integer in the order of the canonical logits; 0 for −∞.
///
/// Positive floats have the sign bit flipped, negative ones every bit, and the result is counted
/// from the value of −∞.
#[inline(always)]
pub fn key(z: f32) -> u32 {
    let bits = z.to_bits();
    let sign = (bits as i32 >> 31) as u32;
    (bits ^ (sign | 0x8000_0000)) - 0x007f_ffff
}

/// The inverse of [`key`].
#[inline(always)]
pub fn key_to_f32(key: u32) -> f32 {
    let ordered = key + 0x007f_ffff;
    let negative = ((ordered as i32 >> 31) as u32) ^ u32::MAX;
    f32::from_bits(ordered ^ (negative | 0x8000_0000))
}

/// Logit and id in one integer: the greater comes first in the row's order.
#[inline(always)]
pub fn order(z: f32, id: u32) -> u64 {
    (u64::from(key(z)) << 32) | u64::from(!id)
}

/// The last kept token of a truncated row; everything up to it in the row's order is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cutoff {
    /// Logit of the last kept token.
    pub z: f32,
    /// Its id: among equal logits, higher ids are cut.
    pub id: u32,
}

impl Cutoff {
    /// Keeps every legal token.
    pub const NONE: Cutoff = Cutoff { z: -f32::MAX, id: u32::MAX };

    /// Whether the token `id` with canonical logit `z` is kept.
    #[inline(always)]
    pub fn keeps(self, z: f32, id: u32) -> bool {
        z > self.z || (z == self.z && id <= self.id)
    }

    /// The stricter of two cut-offs.
    pub fn stricter(self, other: Cutoff) -> Cutoff {
        if order(self.z, self.id) >= order(other.z, other.id) { self } else { other }
    }
}

/// The cut-off after the token with this [`order`].
pub fn order_to_cutoff(order: u64) -> Cutoff {
    Cutoff { z: key_to_f32((order >> 32) as u32), id: !(order as u32) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_ordered_and_invertible() {
        let values = [
            ILLEGAL,
            -f32::MAX,
            -1.5,
            -1.0,
            -f32::MIN_POSITIVE,
            -1e-45,
            0.0,
            1e-45,
            f32::MIN_POSITIVE,
            1.0,
            1.5,
            f32::MAX,
        ];
        assert_eq!(key(ILLEGAL), 0);
        for pair in values.windows(2) {
            assert!(key(pair[0]) < key(pair[1]), "{pair:?}");
        }
        for z in values {
            assert_eq!(key_to_f32(key(z)).to_bits(), z.to_bits());
        }
        let mut bits = 1u32;
        for _ in 0..100_000 {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let z = canonical(f32::from_bits(bits));
            assert_eq!(key_to_f32(key(z)).to_bits(), z.to_bits());
        }
    }

    #[test]
    fn ties_go_to_the_lower_id() {
        assert!(order(1.0, 3) > order(1.0, 4));
        assert!(order(1.0, 9) > order(0.5, 0));
        let cut = order_to_cutoff(order(-2.5, 7));
        assert_eq!(cut, Cutoff { z: -2.5, id: 7 });
        assert!(cut.keeps(-2.5, 7) && !cut.keeps(-2.5, 8) && cut.keeps(-2.0, 8));
        assert!(!cut.keeps(ILLEGAL, 0) && !Cutoff::NONE.keeps(ILLEGAL, 0));
        assert!(Cutoff::NONE.keeps(-f32::MAX, 12));
    }
}
