// The order of a row, the twin of src/sampling/order.rs: by logit, greatest first, ties by lower id, all in
// integers. What a truncation keeps is a prefix of it, described by the order of its last member, the *cut*.
#pragma once

#include "weight.cuh"

// NaN becomes -inf (illegal), +inf becomes f32::MAX, -0 becomes +0.
WG_DEVICE float canonical(float z) {
    z = wg_max(z, WG_ILLEGAL);
    z = z < WG_F32_MAX ? z : WG_F32_MAX;
    return z + 0.0f;
}

// An unsigned integer in the order of the canonical logits; 0 for -inf, 1 for -f32::MAX.
WG_DEVICE u32 key(float z) {
    const u32 bits = wg_bits(z);
    const u32 sign = (u32)((i32)bits >> 31);
    return (bits ^ (sign | 0x80000000u)) - 0x007fffffu;
}

// The inverse of key.
WG_DEVICE float key_to_f32(u32 key) {
    const u32 ordered = key + 0x007fffffu;
    const u32 negative = (u32)((i32)ordered >> 31) ^ 0xffffffffu;
    return wg_float(ordered ^ (negative | 0x80000000u));
}

// Logit and id in one integer: the greater comes first.
WG_DEVICE u64 order(float z, u32 id) { return (u64)key(z) << 32 | (u32)~id; }
WG_DEVICE u32 order_id(u64 order) { return ~(u32)order; }
WG_DEVICE float order_logit(u64 order) { return key_to_f32((u32)(order >> 32)); }

// The cut that keeps every legal token; illegal ones are below it.
#define WG_CUT_NONE (1ull << 32)
