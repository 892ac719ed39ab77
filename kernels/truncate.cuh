// Min-p, top-k and top-p of a wide row: which prefix of the row's order is kept.
//
// No sort of the row: the k-th largest tile maximum is a lower bound of the k-th largest logit, so about k
// tiles are read again; top-p of a peaked row ends within 8 or 16 bits of the maximum. What is found that way
// is ranked as a list in shared memory. Where it is too long for that - flat rows, ties - a histogram narrows
// the place of the cut.
#pragma once

#include "sweep.cuh"

// What is kept: everything at or above `cut`.
struct Kept {
    u64 cut;
    u32 listed;  // if above 0, `orders` holds exactly the kept tokens, this many
};

// The least cut that keeps every logit with (z - z*) s >= log2 p. The test is monotonic in the logit, so it is
// bisected over keys, 32 at a time.
WG_NOINLINE u64 min_p_cut(float row_max, float scale, float min_p_log2) {
    u32 low = (u32)(WG_CUT_NONE >> 32), high = key(row_max);
#pragma unroll 1
    while (low < high) {
        const u32 step = (high - low) / 32 + 1;
        const u64 probe = (u64)low + (u64)WG_LANE * step;
        const bool keeps =
            probe >= high || (key_to_f32((u32)probe) - row_max) * scale >= min_p_log2;
        const u32 kept = WG_BALLOT(keeps);
        const u32 first = kept == 0 ? 32 : wg_ffs(kept) - 1;
        const u64 end = (u64)low + (u64)first * step;
        if (first > 0) low = (u32)(end - step) + 1;
        if (end < high) high = (u32)end;
    }
    return (u64)high << 32;
}

// The mass of the row, from `sums` and `maxima`.
WG_NOINLINE u64 row_mass(const Finishing& f) {
    WG_SHARED(SampleShared, s);
    const Found all = walk_to(
        s.block, f.tiles, [&](u32 t) { return mass(s.sums[t], s.maxima[t], f.row_max, f.scale); },
        [](u64) { return ~0ull; });
    return all.total;
}

// max(1, floor(total p)).
WG_DEVICE u64 enough_mass(u64 total, u32 top_p) {
    const u64 enough = wg_mulhi64(total, (u64)top_p << 32);
    return enough > 0 ? enough : 1;
}

// Sets `sums` to the weights of the first n orders.
WG_NOINLINE void sum_list(const Finishing& f, u32 n) {
    WG_SHARED(SampleShared, s);
    WG_SYNC();
    for (u32 t = WG_THREAD; t < f.tiles; t += WG_THREADS) s.sums[t] = 0;
    WG_SYNC();
    for (u32 i = WG_THREAD; i < n; i += WG_THREADS) {
        const u32 tile = order_id(s.orders[i]) >> WG_TILE_BITS;
        wg_atomic_add64(&s.sums[tile], weight(order_logit(s.orders[i]), s.maxima[tile], f.scale));
    }
    WG_SYNC();
}

// The first position of the sorted list at which its running mass reaches `enough`; n if none does.
WG_NOINLINE u32 top_p_of_list(const Finishing& f, u32 n, u64 enough) {
    WG_SHARED(SampleShared, s);
    const Found last = walk_to_sum(
        s.block, n, [&](u32 i) { return token_mass(f, order_logit(s.orders[i]), order_id(s.orders[i])); },
        enough);
    return last.index;
}

// The key of the k-th largest tile maximum; there must be k tiles.
WG_DEVICE u32 kth_maximum(SampleShared& s, const Finishing& f, u32 k) {
    WG_SYNC();
    for (u32 t = WG_THREAD; t < f.tiles; t += WG_THREADS) {
        const float own = s.maxima[t];
        u32 greater = 0;
#pragma unroll 4
        for (u32 u = 0; u < f.tiles; u++) {
            const float other = s.maxima[u];
            greater += other > own || (other == own && u < t);
        }
        if (greater == k - 1) s.block.found = key(own);
    }
    WG_SYNC();
    return s.block.found;
}

// Leaves the best tokens at or above `cut`, at most k, sorted in `orders`, and says how many: never 0, as the
// row's maximum is above the cut. 0 if k is beyond a list: then `cut` has moved to keep just k.
template <u32 FORMAT>
WG_NOINLINE u32 rank_best(const Finishing& f, u32 k, u64& cut) {
    WG_SHARED(SampleShared, s);
    const u32 least = (u32)(cut >> 32);
    u32 tiles = 0;
    for (u32 t = WG_THREAD; t < f.tiles; t += WG_THREADS) tiles += key(s.maxima[t]) >= least;
    tiles = block_add(s.block, tiles);

    Filter filter = filter_all(cut);
    bool short_enough = false;
    if (k <= tiles) {
        const u64 bound = (u64)kth_maximum(s, f, k) << 32;
        filter.cut = bound > cut ? bound : cut;
        short_enough = true;  // as a rule; collect tells
    } else if (k <= WG_RANKED_CAP) {
        fill_histogram<FORMAT>(f, filter, WG_RANK_BITS, false);
        const Found bin = walk_to_sum(s.block, WG_BINS, [&](u32 i) { return s.histogram.sums[i]; }, k);
        const bool reached = bin.index < WG_BINS;
        filter.bin_to = reached ? bin.index : WG_BINS - 1;
        short_enough = (reached ? bin.before + s.histogram.sums[bin.index] : bin.total) <= WG_RANKED_CAP;
    }
    u32 count = WG_RANKED_CAP + 1;
    if (short_enough) count = collect<FORMAT>(f, filter);
    if (count > WG_RANKED_CAP) {
        cut = find_cut<FORMAT>(f, cut, k, false);
        if (k > WG_RANKED_CAP) return 0;
        count = collect<FORMAT>(f, filter_all(cut));
    }
    sort_orders(s.orders, count);
    return count < k ? count : k;
}

// Applies the row's truncations, and leaves in `sums` the weights of what is kept. Without top-k and min-p
// `sums` must hold the weights of all legal tokens.
template <u32 FORMAT>
WG_NOINLINE Kept truncate(const Finishing& f, u32 top_k, float min_p_log2, u32 top_p) {
    WG_SHARED(SampleShared, s);
    Kept kept = {WG_CUT_NONE, 0};
    if (top_k == WG_TOP_K_OFF && min_p_log2 == WG_ILLEGAL) {
        const u64 enough = enough_mass(row_mass(f), top_p);
#pragma unroll 1
        for (float bits = 8.0f; bits <= 16.0f; bits *= 2.0f) {
            const float low = wg_max(f.row_max - wg_div(bits, f.scale), -WG_F32_MAX);
            const u32 count = collect<FORMAT>(f, filter_all((u64)key(canonical(low)) << 32));
            if (count > WG_RANKED_CAP) break;
            sort_orders(s.orders, count);
            const u32 last = top_p_of_list(f, count, enough);
            if (last < count) {
                sum_list(f, last + 1);
                return {s.orders[last], last + 1};
            }
        }
        kept.cut = find_cut<FORMAT>(f, kept.cut, enough, true);
        sum_kept<FORMAT>(f, kept.cut);
        return kept;
    }

    if (min_p_log2 > WG_ILLEGAL) kept.cut = min_p_cut(f.row_max, f.scale, min_p_log2);
    if (top_k != WG_TOP_K_OFF) {
        kept.listed = rank_best<FORMAT>(f, top_k, kept.cut);
        if (kept.listed > 0) kept.cut = s.orders[kept.listed - 1];
    } else {
        const u32 count = collect<FORMAT>(f, filter_all(kept.cut));
        if (count <= WG_RANKED_CAP) kept.listed = count;
        if (top_p != WG_TOP_P_OFF && kept.listed > 0) sort_orders(s.orders, kept.listed);
    }
    if (kept.listed > 0) {
        sum_list(f, kept.listed);
    } else {
        sum_kept<FORMAT>(f, kept.cut);
    }
    if (top_p == WG_TOP_P_OFF) return kept;

    const u64 enough = enough_mass(row_mass(f), top_p);
    if (kept.listed > 0) {
        const u32 last = top_p_of_list(f, kept.listed, enough);
        if (last + 1 < kept.listed) {
            kept = {s.orders[last], last + 1};
            sum_list(f, kept.listed);
        }
    } else {
        kept.cut = find_cut<FORMAT>(f, kept.cut, enough, true);
        sum_kept<FORMAT>(f, kept.cut);
    }
    return kept;
}
