// One tile, one warp, one record (src/sampling/tile.rs).
//
// Instructions per logit, counted in SASS: see docs/KERNELS.md.
#pragma once

#include "logits.cuh"

// Sum of the weights of 32 logits a lane; none is above `a`. Three weights fit 32 bits, so the carry is
// taken once in three.
WG_DEVICE u64 sum_weights(const float (&z)[32], float a, float s) {
    u64 sum = 0;
#pragma unroll
    for (u32 i = 0; i < 30; i += 3) {
        sum += weight_below(z[i], a, s) + weight_below(z[i + 1], a, s) + weight_below(z[i + 2], a, s);
    }
    return sum + (weight_below(z[30], a, s) + weight_below(z[31], a, s));
}

// The sum over a warp of values up to 2^36, each lane's own.
WG_DEVICE u64 warp_add(u64 v) {
    const u32 low = WG_REDUCE_ADD((u32)v & 0x3ffffffu);
    const u32 high = WG_REDUCE_ADD((u32)(v >> 26));
    return ((u64)high << 26) + low;
}

// The record of a tile over its legal logits, with the sum if `weigh`. `stage` is the warp's own [1024].
template <u32 FORMAT>
WG_DEVICE TileRecord scan_tile(const Row& row, u32 tile, bool weigh, float s, float* stage) {
    float z[32];
    if (is_plain(row, tile)) {
        load_tile<FORMAT>(row, tile, z);
    } else {
        stage_tile<FORMAT>(row, tile, WG_CUT_NONE, stage);
#pragma unroll
        for (u32 i = 0; i < 32; i++) z[i] = stage[i * 32 + WG_LANE];
    }
    // NaN is not greater than anything.
    float max = WG_ILLEGAL;
#pragma unroll
    for (u32 i = 0; i < 32; i++) max = wg_max(z[i], max);  // hot: max 32
    max = key_to_f32(WG_REDUCE_MAX(key(canonical(max))));

    TileRecord record = {0, max, 0};
    if (weigh && max > WG_ILLEGAL) {
        if (max == WG_F32_MAX) {
#pragma unroll
            for (u32 i = 0; i < 32; i++) z[i] = z[i] > max ? max : z[i];  // +inf; NaN stays
        }
        record.sum = warp_add(sum_weights(z, max, s));  // hot: weigh 32
    }
    return record;
}
