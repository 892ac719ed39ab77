// Reading a row again, by the block that finishes it: its best tokens into a list, its mass into a histogram,
// the sums of what a cut keeps. Only tiles that can matter are read; each by a warp, through its stage.
//
// A sweep costs its tiles' bytes once more, from L2 as a rule: the row was read moments ago.
//
// Functions that are not inlined name the block's shared memory themselves: the compiler then knows it for shared.
#pragma once

#include "sample.cuh"

// A row being finished, and what the whole block knows of it.
struct Finishing {
    Row row;
    float row_max;
    float scale;
    u32 tiles;
};

// Bins of equal width, this many bits of probability in all below the row's maximum; the last takes the rest.
#define WG_BIN_RANGE 40.0f

// Which tokens of a row a sweep looks at: those at or above `cut`, in the bins from `bin_from` to `bin_to`,
// whose rank agrees with `prefix` from bit `shift` on. All bits of a rank make 51.
struct Filter {
    u64 cut;
    u64 prefix;
    u32 shift;
    u32 bin_from;
    u32 bin_to;
};
#define WG_RANK_BITS (32u + WG_ID_BITS)

WG_DEVICE Filter filter_all(u64 cut) { return {cut, 0, WG_RANK_BITS, 0, WG_BINS - 1}; }

// The order without the bits that every id has set.
WG_DEVICE u64 rank_of(u64 order) {
    return (order >> 32) << WG_ID_BITS | ((u32)order & ((1u << WG_ID_BITS) - 1));
}

WG_DEVICE u32 bin_of(const Finishing& f, float z) {
    const float x = (f.row_max - z) * (f.scale * ((float)(WG_BINS - 1) / WG_BIN_RANGE));
    return x < (float)(WG_BINS - 1) ? (u32)x : WG_BINS - 1;
}

WG_DEVICE bool passes(const Finishing& f, const Filter& filter, float z, u32 id) {
    const u32 bin = bin_of(f, z);
    return bin >= filter.bin_from && bin <= filter.bin_to &&
           rank_of(order(z, id)) >> filter.shift == filter.prefix;
}

// The mass of one token of a wide row.
WG_NOINLINE u64 token_mass(const Finishing& f, float z, u32 id) {
    WG_SHARED(SampleShared, s);
    const float a = s.maxima[id >> WG_TILE_BITS];
    return mass(weight(z, a, f.scale), a, f.row_max, f.scale);
}

// Calls `visit(z, id)` for what the filter passes, each by one lane.
template <u32 FORMAT, typename Visit>
WG_DEVICE void sweep(SampleShared& s, const Finishing& f, const Filter& filter, Visit visit) {
    float* stage = s.stage[WG_WARP];
    const u32 least = (u32)(filter.cut >> 32);
    for (u32 tile = WG_WARP; tile < f.tiles; tile += WG_WARPS) {
        if (key(s.maxima[tile]) < least) continue;
        stage_tile<FORMAT>(f.row, tile, filter.cut, stage);
#pragma unroll 4
        for (u32 i = 0; i < 32; i++) {
            const float z = stage[i * 32 + WG_LANE];
            const u32 id = tile * WG_TILE + i * 32 + WG_LANE;
            if (z > WG_ILLEGAL && passes(f, filter, z, id)) visit(z, id);
        }
    }
}

// Puts the orders of what the filter passes into `orders`, in no order; their number, or more than
// WG_RANKED_CAP (and a list of no use) if they are too many.
template <u32 FORMAT>
WG_NOINLINE u32 collect(const Finishing& f, const Filter& filter) {
    WG_SHARED(SampleShared, s);
    WG_SYNC();
    if (WG_THREAD == 0) s.block.count = 0;
    WG_SYNC();
    sweep<FORMAT>(s, f, filter, [&](float z, u32 id) {
        if (*(volatile u32*)&s.block.count > WG_RANKED_CAP) return;
        const u32 at = wg_atomic_add(&s.block.count, 1);
        if (at < WG_RANKED_CAP) s.orders[at] = order(z, id);
    });
    WG_SYNC();
    const u32 count = s.block.count;
    WG_SYNC();
    return count;
}

// Fills the histogram with the mass (or the number, if not `by_mass`) of what the filter passes: by bin of
// distance while the filter knows no prefix, then by the next digit of the rank, greatest first.
template <u32 FORMAT>
WG_NOINLINE void fill_histogram(const Finishing& f, const Filter& filter, u32 digit_shift, bool by_mass) {
    WG_SHARED(SampleShared, s);
    WG_SYNC();
#pragma unroll 1
    for (u32 i = WG_THREAD; i < WG_BINS; i += WG_THREADS) {
        s.histogram.sums[i] = 0;
        s.histogram.counts[i] = 0;
    }
    WG_SYNC();
    sweep<FORMAT>(s, f, filter, [&](float z, u32 id) {
        const u32 bin = digit_shift == WG_RANK_BITS
                            ? bin_of(f, z)
                            : WG_BINS - 1 - ((u32)(rank_of(order(z, id)) >> digit_shift) & (WG_BINS - 1));
        wg_atomic_add64(&s.histogram.sums[bin], by_mass ? token_mass(f, z, id) : 1);
        wg_atomic_add(&s.histogram.counts[bin], 1);
    });
    WG_SYNC();
}

// The order of the first token, from the greatest down, at which the running mass (or number) of what `cut`
// keeps reaches `enough`; `cut` itself if that is never reached.
//
// Bins of distance first, then digits of the rank inside the bin that matters, until what is left of it can
// be ranked as a list.
template <u32 FORMAT>
WG_NOINLINE u64 find_cut(const Finishing& f, u64 cut, u64 enough, bool by_mass) {
    WG_SHARED(SampleShared, s);
    Filter filter = filter_all(cut);
    u32 shift = WG_RANK_BITS;
    while (true) {
        fill_histogram<FORMAT>(f, filter, shift, by_mass);
        const Histogram& h = s.histogram;
        const Found bin = walk_to_sum(s.block, WG_BINS, [&](u32 i) { return h.sums[i]; }, enough);
        if (bin.index == WG_BINS) return cut;
        enough -= bin.before;
        const u32 count = h.counts[bin.index];
        if (shift == WG_RANK_BITS) {
            filter.bin_from = filter.bin_to = bin.index;
        } else {
            const u32 bits = filter.shift - shift;
            filter.prefix = filter.prefix << bits | ((WG_BINS - 1 - bin.index) & ((1u << bits) - 1));
            filter.shift = shift;
        }
        if (count <= WG_RANKED_CAP) break;
        shift = shift > 9 ? shift - 9 : 0;
    }
    const u32 count = collect<FORMAT>(f, filter);
    sort_orders(s.orders, count);
    const Found last = walk_to_sum(
        s.block, count,
        [&](u32 i) {
            return by_mass ? token_mass(f, order_logit(s.orders[i]), order_id(s.orders[i])) : 1ull;
        },
        enough);
    return s.orders[last.index];
}

// Sets `sums` to the weights that a cut keeps, tile by tile.
template <u32 FORMAT>
WG_NOINLINE void sum_kept(const Finishing& f, u64 cut) {
    WG_SHARED(SampleShared, s);
    WG_SYNC();
    float* stage = s.stage[WG_WARP];
    for (u32 tile = WG_WARP; tile < f.tiles; tile += WG_WARPS) {
        u64 sum = 0;
        const float max = s.maxima[tile];
        if (key(max) >= (u32)(cut >> 32)) {
            stage_tile<FORMAT>(f.row, tile, cut, stage);
#pragma unroll 4
            for (u32 i = 0; i < 32; i++) sum += weight(stage[i * 32 + WG_LANE], max, f.scale);
            sum = warp_add(sum);
        }
        if (WG_LANE == 0) s.sums[tile] = sum;
    }
    WG_SYNC();
}
