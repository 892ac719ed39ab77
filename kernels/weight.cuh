// The arithmetic of one logit, the twin of src/sampling/weight.rs: powers of two, integer weights and
// masses, logarithms of integers. Every function is the same fixed sequence of correctly rounded
// operations; wg_fma is one of them, and nothing else may be contracted (--fmad=false, -ffp-contract=off).
#pragma once

#include "port.cuh"

// Ids per tile, and the bits of a position in one.
#define WG_TILE 1024u
#define WG_TILE_BITS 10u

// The stored value of an illegal logit.
#define WG_ILLEGAL (wg_float(0xff800000u))
#define WG_F32_MAX (wg_float(0x7f7fffffu))

// A tile's record, as blocks pass it on: the sum of the weights of its tokens, relative to `max`.
struct alignas(16) TileRecord {
    u64 sum;
    float max;  // greatest legal logit, -inf if the tile has none
    u32 reserved;
};
static_assert(sizeof(TileRecord) == 16, "sampling::TileRecord");

// 2^bias P(x) for -64 <= x <= 0. `n` is x rounded to an integer, which stands in the low mantissa bits of t;
// five fused multiply-adds give 2^(x - n); n and the bias are added to its exponent.
template <i32 BIAS>
WG_DEVICE float exp2_biased(float x) {
    const float rounder = 12582912.0f + (float)BIAS;
    const float t = x + rounder;
    const float f = x - (t - rounder);
    float p = wg_float(0x3aaddd0cu);
    p = wg_fma(p, f, wg_float(0x3c1e7544u));
    p = wg_fma(p, f, wg_float(0x3d635ba9u));
    p = wg_fma(p, f, wg_float(0x3e75fcdeu));
    p = wg_fma(p, f, wg_float(0x3f317215u));
    p = wg_fma(p, f, 1.0f);
    return wg_float(wg_bits(p) + (wg_bits(t) << 23));
}

// The weight of a logit that is not above the tile's maximum `a`, or NaN. One clamp less than `weight`:
// (z - a) s is not above 0, and wg_max takes NaN for -32.
WG_DEVICE u32 weight_below(float z, float a, float s) {
    return (u32)exp2_biased<30>(wg_max((z - a) * s, -32.0f));
}

// w = trunc(2^30 P((z - a) s)) for any z; z may be +inf where `a` is f32::MAX.
WG_DEVICE u32 weight(float z, float a, float s) {
    const float x = wg_max((z - a) * s, -32.0f);
    return (u32)exp2_biased<30>(x < 0.0f ? x : 0.0f);
}

// floor(S P((a - z*) s) 2^10), 0 if (a - z*) s < -40: a weight of a tile with maximum `a`, or a sum of
// them (at most 2^40), in units of the row, where 2^40 is one token at the row's maximum z*.
WG_DEVICE u64 mass(u64 sum, float a, float row_max, float s) {
    float x = (a - row_max) * s;
    if (!(x >= -40.0f)) return 0;
    x = x < 0.0f ? x : 0.0f;
    const u32 bits = wg_bits(exp2_biased<0>(x));
    const u32 mantissa = (bits & 0x007fffffu) | 0x00800000u;
    const u32 down = 127u - (bits >> 23);
    return (sum * mantissa) >> (13u + down);
}

// log2 of m 2^e, m in [1, 2) given as its 23 fraction bits. Centred on 1, so exact at powers of two.
WG_DEVICE float log2_parts(u32 fraction, i32 e) {
    const bool above = fraction >= 0x003504f3u;  // sqrt 2
    const float t = wg_float(fraction | (above ? 0x3f000000u : 0x3f800000u)) - 1.0f;
    float q = wg_float(0x3e006c1eu);
    q = wg_fma(q, t, wg_float(0xbe5759c1u));
    q = wg_fma(q, t, wg_float(0x3e5e98b3u));
    q = wg_fma(q, t, wg_float(0xbe743e71u));
    q = wg_fma(q, t, wg_float(0x3e9347bcu));
    q = wg_fma(q, t, wg_float(0xbeb8b073u));
    q = wg_fma(q, t, wg_float(0x3ef63b7au));
    q = wg_fma(q, t, wg_float(0xbf38aa35u));
    q = wg_fma(q, t, wg_float(0x3fb8aa3au));
    return wg_fma(q, t, (float)(e + (i32)above));
}

// log2(n / 2^40) for n > 0, from the leading 24 bits of n.
WG_DEVICE float log2_of_mass(u64 n) {
    const u32 high = (u32)(n >> 32);
    const u32 zeros = high != 0 ? wg_clz(high) : 32u + wg_clz((u32)n);
    const u32 fraction = (u32)((n << zeros) >> 40) & 0x007fffffu;
    return log2_parts(fraction, (i32)(63u - zeros) - 40);
}

// ln of the probability of logit z; ln 2 is rounded to f32.
WG_DEVICE float log_probability(float z, float row_max, float s, float log2_total) {
    return ((z - row_max) * s - log2_total) * wg_float(0x3f317218u);
}
