// Reading the logits of a row: f32, f16 or bf16, masked and adjusted.
//
// A tile is read in one of two ways. `load_tile` is the hot one: whole tiles of rows that start at a multiple
// of 16 bytes, 16-byte loads straight into registers, 32 logits a lane. `stage_tile` takes any tile - the
// last one, a row with an odd start, one with biases or penalties - and leaves it in shared memory in id
// order; whatever reads a tile a second time uses it too.
#pragma once

#include "adjust.cuh"

#define WG_F32 0u
#define WG_F16 1u
#define WG_BF16 2u

// A row of logits and what is done to them.
struct Row {
    const u8* logits;
    const u32* mask;       // a bit per id; null: every id is legal
    const Adjust* adjust;  // null: none
    const RowParams* params;
    u32 width;
    bool aligned;  // the row starts at a multiple of 16 bytes
};

template <u32 FORMAT>
WG_DEVICE float read_logit(const u8* logits, u32 id) {
    if (FORMAT == WG_F32) return ((const float*)logits)[id];
    const u16 bits = ((const u16*)logits)[id];
    return FORMAT == WG_F16 ? wg_half(bits) : wg_float((u32)bits << 16);
}

// A logit whose bit in the mask is set, as the sampler sees it.
template <u32 FORMAT>
WG_DEVICE float read_adjusted(const Row& row, u32 id) {
    float z = canonical(read_logit<FORMAT>(row.logits, id));
    if (row.adjust != nullptr && (adjust_bitmap(row.adjust)[id / 32] >> (id % 32) & 1) != 0) {
        z = adjusted(z, row.adjust, id, *row.params);
    }
    return z;
}

// Reads a tile, by a warp, into `to` [1024]: canonical logits, -inf for what is illegal, past the width, or
// below `cut` in the row's order. Loads are 128 or 64 bytes a warp, 8 in flight. Lane l writes what is at l + 32 i; a
// warp that reads it back in the same way needs no barrier.
template <u32 FORMAT>
WG_NOINLINE void stage_tile(const Row& row, u32 tile, u64 cut, float* to) {
    const u32 first = tile * WG_TILE + WG_LANE;
    for (u32 part = 0; part < 4; part++) {
        float z[8];
#pragma unroll
        for (u32 i = 0; i < 8; i++) {
            const u32 id = first + (part * 8 + i) * 32;
            bool legal = id < row.width;
            if (legal && row.mask != nullptr) legal = (row.mask[id / 32] >> WG_LANE & 1) != 0;
            z[i] = legal ? read_logit<FORMAT>(row.logits, id) : WG_ILLEGAL;
        }
#pragma unroll
        for (u32 i = 0; i < 8; i++) {
            const u32 id = first + (part * 8 + i) * 32;
            z[i] = canonical(z[i]);
            if (row.adjust != nullptr && z[i] > WG_ILLEGAL &&
                (adjust_bitmap(row.adjust)[id / 32] >> WG_LANE & 1) != 0) {
                z[i] = adjusted(z[i], row.adjust, id, *row.params);
            }
            to[(part * 8 + i) * 32 + WG_LANE] = order(z[i], id) >= cut ? z[i] : WG_ILLEGAL;
        }
    }
}

// Whether a tile can be read by load_tile; all lanes of a warp ask.
WG_DEVICE bool is_plain(const Row& row, u32 tile) {
    if (!row.aligned || (tile + 1) * WG_TILE > row.width) return false;
    if (row.adjust == nullptr) return true;
    return !WG_ANY(adjust_bitmap(row.adjust)[tile * 32 + WG_LANE] != 0);
}

// Lanes of 16 bytes per warp and tile, and logits in each.
template <u32 FORMAT>
struct Vectors {
    static constexpr u32 COUNT = FORMAT == WG_F32 ? 8 : 4;
    static constexpr u32 LOGITS = 32 / COUNT;
};

// 16 bytes as logits.
template <u32 FORMAT>
WG_DEVICE void widen(const wg_u4& v, float* z) {
    const u32 words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
        if (FORMAT == WG_F32) {
            z[i] = wg_float(words[i]);
        } else if (FORMAT == WG_F16) {
            z[2 * i] = wg_half((u16)words[i]);
            z[2 * i + 1] = wg_half((u16)(words[i] >> 16));
        } else {
            z[2 * i] = wg_float(words[i] << 16);
            z[2 * i + 1] = wg_float(words[i] & 0xffff0000u);
        }
    }
}

// Reads a whole tile into registers, raw but for the mask: lane l has, of vector v, the LOGITS ids from
// (v 32 + l) LOGITS on. Vectors without a legal id are not read.
template <u32 FORMAT>
WG_DEVICE void load_tile(const Row& row, u32 tile, float (&z)[32]) {
    constexpr u32 COUNT = Vectors<FORMAT>::COUNT, LOGITS = Vectors<FORMAT>::LOGITS;
    const u8* at = row.logits + ((u64)tile * WG_TILE + WG_LANE * LOGITS) * (FORMAT == WG_F32 ? 4 : 2);
    wg_u4 v[COUNT];
    if (row.mask == nullptr) {
#pragma unroll
        for (u32 i = 0; i < COUNT; i++) v[i] = wg_load16_stream(at + i * 512);  // hot: read 32
#pragma unroll
        for (u32 i = 0; i < COUNT; i++) widen<FORMAT>(v[i], &z[i * LOGITS]);  // hot: read 32
        return;
    }
    const u8* bytes = (const u8*)(row.mask + tile * 32);
    u32 legal[COUNT];
#pragma unroll
    for (u32 i = 0; i < COUNT; i++) {
        legal[i] = bytes[(i * 32 + WG_LANE) * LOGITS / 8];
        if (LOGITS == 4) legal[i] = legal[i] >> (WG_LANE & 1) * 4 & 15;
    }
#pragma unroll
    for (u32 i = 0; i < COUNT; i++) {
        v[i] = {0, 0, 0, 0};
        if (legal[i] != 0) v[i] = wg_load16_stream(at + i * 512);
    }
#pragma unroll
    for (u32 i = 0; i < COUNT; i++) {
        widen<FORMAT>(v[i], &z[i * LOGITS]);
#pragma unroll
        for (u32 j = 0; j < LOGITS; j++) {
            z[i * LOGITS + j] = (legal[i] >> j & 1) != 0 ? z[i * LOGITS + j] : WG_ILLEGAL;
        }
    }
}
