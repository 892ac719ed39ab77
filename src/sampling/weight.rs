//! The arithmetic of one logit: powers of two, integer weights, logarithms of integers.
//!
//! Every function is a fixed sequence of correctly rounded `f32` operations; [`f32::mul_add`] is one
//! operation (`fmaf`, `__fmaf_rn`). A port must not contract the others (`--fmad=false`,
//! `-ffp-contract=off`), must keep subnormals, and must keep the order written here.
//!
//! They are `inline(always)` so that a backend compiled for FMA gets the instruction; anywhere else
//! `mul_add` is a call into the C library, bit-equal and many times slower.

/// Weights are counted in units of 2^−30.
pub const WEIGHT_BITS: u32 = 30;

/// Adding this rounds an `f32` of magnitude < 2^21 to an integer that stands in the low mantissa
/// bits: 1.5 · 2^23.
const ROUND: f32 = 12_582_912.0;

/// 2^f on [−½, ½], c0 = 1: minimax in relative error, 9.2e-8 before rounding.
///
/// Computed with the Remez exchange at 40 digits, then rounded to `f32`.
const EXP2: [f32; 5] = [
    f32::from_bits(0x3f31_7215), // 0.693147
    f32::from_bits(0x3e75_fcde), // 0.240222424
    f32::from_bits(0x3d63_5ba9), // 0.0555073358
    f32::from_bits(0x3c1e_7544), // 0.00967151299
    f32::from_bits(0x3aad_dd0c), // 0.00132647296
];

/// log2(1 + t) / t on [√½ − 1, √2 − 1], lowest power first: 6.7e-9 absolute after · t, before rounding.
const LOG2: [f32; 9] = [
    f32::from_bits(0x3fb8_aa3a), // 1.4426949
    f32::from_bits(0xbf38_aa35), // -0.72134715
    f32::from_bits(0x3ef6_3b7a), // 0.48092252
    f32::from_bits(0xbeb8_b073), // -0.3607212
    f32::from_bits(0x3e93_47bc), // 0.28765666
    f32::from_bits(0xbe74_3e71), // -0.23851945
    f32::from_bits(0x3e5e_98b3), // 0.21737938
    f32::from_bits(0xbe57_59c1), // -0.21030332
    f32::from_bits(0x3e00_6c1e), // 0.12541243
];

/// 2^`BIAS` · P(x) for −64 ≤ x ≤ 0, with P(0) = 1 exactly.
///
/// `n` is x rounded to the nearest integer, ties to even; f = x − n is exact; five fused
/// multiply-adds give 2^f; n and the bias are added to its exponent.
#[inline(always)]
fn exp2_biased<const BIAS: i32>(x: f32) -> f32 {
    let rounder = ROUND + BIAS as f32;
    let t = x + rounder;
    let f = x - (t - rounder);
    let mut p = EXP2[4];
    p = p.mul_add(f, EXP2[3]);
    p = p.mul_add(f, EXP2[2]);
    p = p.mul_add(f, EXP2[1]);
    p = p.mul_add(f, EXP2[0]);
    p = p.mul_add(f, 1.0);
    f32::from_bits(p.to_bits().wrapping_add(t.to_bits() << 23))
}

/// P(x) ≈ 2^x for −64 ≤ x ≤ 0: relative error below 1.6e-7, exact at integers.
#[inline(always)]
pub fn exp2(x: f32) -> f32 {
    exp2_biased::<0>(x)
}

/// 2^30 · P((z − a)·s) before truncation: in [0, 2^30], 2^30 at z = a, below 1 for an illegal `z`.
///
/// `a` is finite and not less than `z`, or `z` is NaN or −∞. The exponent is clamped to [−32, 0], NaN to −32.
#[inline(always)]
pub fn weight_f32(z: f32, a: f32, s: f32) -> f32 {
    let x = (z - a) * s;
    let x = if x > -32.0 { x } else { -32.0 };
    let x = if x < 0.0 { x } else { 0.0 };
    exp2_biased::<{ WEIGHT_BITS as i32 }>(x)
}

/// `y` in [0, 2^31) without its fraction: one `cvttps`, `__float2int_rz`.
#[inline(always)]
pub fn truncate(y: f32) -> u32 {
    y as u32
}

/// w = trunc(2^30 · P((z − a)·s)), the weight of a logit in a tile whose maximum is `a`.
#[inline(always)]
pub fn weight(z: f32, a: f32, s: f32) -> u32 {
    truncate(weight_f32(z, a, s))
}

/// P(x) as an integer mantissa of 24 bits and a power of two: `mantissa · 2^(−23 − down)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale24 {
    /// 2^23 … 2^24 − 1, or 0 when x < −40.
    pub mantissa: u32,
    /// 0 … 41.
    pub down: u32,
}

/// The weight of a tile whose maximum lies x = (a − z*)·s ≤ 0 below the row's, 0 if x < −40.
#[inline(always)]
pub fn scale24(a: f32, row_max: f32, s: f32) -> Scale24 {
    let x = (a - row_max) * s;
    if x >= -40.0 {
        let x = if x < 0.0 { x } else { 0.0 };
        let bits = exp2(x).to_bits();
        Scale24 { mantissa: bits & 0x007f_ffff | 0x0080_0000, down: 127 - (bits >> 23) }
    } else {
        Scale24 { mantissa: 0, down: 0 }
    }
}

/// log2 of a finite positive normal `m` · 2^`e`, for m in [1, 2) given as its 23 fraction bits.
#[inline(always)]
fn log2_parts(fraction: u32, e: i32) -> f32 {
    // Centred on 1, so that the result is exact at powers of two and accurate around them.
    let above = fraction >= 0x0035_04f3; // √2
    let m = f32::from_bits(fraction | if above { 0x3f00_0000 } else { 0x3f80_0000 });
    let t = m - 1.0;
    let mut q = LOG2[8];
    for c in LOG2[..8].iter().rev() {
        q = q.mul_add(t, *c);
    }
    q.mul_add(t, (e + i32::from(above)) as f32)
}

/// log2(n / 2^`unit`) for n > 0, from the leading 24 bits of `n`.
///
/// Absolute error below 2e-7 plus half a unit in the last place of the result; exact at powers of two.
pub fn log2_ratio(n: u64, unit: u32) -> f32 {
    debug_assert!(n > 0);
    let e = 63 - n.leading_zeros();
    let fraction = ((n << (63 - e)) >> 40) as u32 & 0x007f_ffff;
    log2_parts(fraction, e as i32 - unit as i32)
}

/// log2(p) for a normal `p` > 0, by the same polynomial.
pub fn log2_unit(p: f32) -> f32 {
    let bits = p.to_bits();
    log2_parts(bits & 0x007f_ffff, (bits >> 23) as i32 - 127)
}

/// ln of the probability of logit `z`: `row_max` is z*, `log2_total` is [`log2_ratio`] of the mass.
pub fn log_probability(z: f32, row_max: f32, s: f32, log2_total: f32) -> f32 {
    ((z - row_max) * s - log2_total) * std::f32::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp2_is_exact_at_integers_and_close_elsewhere() {
        let mut worst = 0f64;
        for i in 0..=64 * 4096 {
            let x = -(i as f32) / 4096.0;
            let exact = f64::from(x).exp2();
            worst = worst.max((f64::from(exp2(x)) / exact - 1.0).abs());
            if i % 4096 == 0 {
                assert_eq!(f64::from(exp2(x)), exact);
            }
            assert!(exp2(x) <= 1.0);
        }
        assert!(worst < 1.6e-7, "{worst:e}");
    }

    #[test]
    fn weights_at_the_ends() {
        assert_eq!(weight(3.0, 3.0, 1.0), 1 << 30);
        assert_eq!(weight(2.0, 3.0, 1.0), 1 << 29);
        assert_eq!(weight(-27.0, 3.0, 1.0), 1);
        assert_eq!(weight(-28.0, 3.0, 1.0), 0);
        for z in [f32::NAN, f32::NEG_INFINITY, -f32::MAX] {
            assert_eq!(weight(z, 3.0, 1.0), 0);
            assert_eq!(weight(z, f32::MAX, 14427.0), 0);
        }
        assert_eq!(weight(f32::INFINITY, f32::MAX, 1.0), 1 << 30);
    }

    #[test]
    fn scales_have_24_bits() {
        let one = Scale24 { mantissa: 1 << 23, down: 0 };
        assert_eq!(scale24(5.0, 5.0, 1.0), one);
        assert_eq!(scale24(-35.0, 5.0, 1.0).down, 40);
        assert_eq!(scale24(-35.001, 5.0, 1.0).mantissa, 0);
        for i in 0..40_000 {
            let x = -(i as f32) / 1000.0;
            let scale = scale24(x, 0.0, 1.0);
            let value = f64::from(scale.mantissa) * (-23.0 - f64::from(scale.down)).exp2();
            assert_eq!(value, f64::from(exp2(x)));
            assert!(scale.mantissa >> 23 == 1);
        }
    }

    #[test]
    fn log2_is_exact_at_powers_of_two_and_close_elsewhere() {
        let mut worst = 0f64;
        let mut n = 1u64;
        for _ in 0..200_000 {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let n = n >> (n & 31) | 1;
            let exact = (n as f64).log2() - 40.0;
            let error = (f64::from(log2_ratio(n, 40)) - exact).abs();
            worst = worst.max(error - exact.abs() * 6e-8);
            let unit = (n >> 11) as f32 / (1u64 << 53) as f32;
            if unit > 0.0 {
                let exact = f64::from(unit).log2();
                let error = (f64::from(log2_unit(unit)) - exact).abs();
                worst = worst.max(error - exact.abs() * 6e-8);
            }
        }
        assert!(worst < 2e-7, "{worst:e}");
        for e in 0..64 {
            assert_eq!(log2_ratio(1 << e, 40), e as f32 - 40.0);
        }
        assert_eq!(log2_unit(1.0), 0.0);
        assert_eq!(log2_unit(0.25), -2.0);
    }
}
