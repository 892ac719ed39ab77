// Sampling a row whose legal tokens are a list: only their logits are read. By a block.
//
// Tokens stand in shared memory in id order. Those of one tile are neighbours; the first of them, the *head*,
// holds the tile's maximum and sum. Orders have the position in the list instead of the id, which orders ties
// alike and leads back to the token.
#pragma once

#include "wide.cuh"

// A list being sampled.
struct Listed {
    u32 count;
    float row_max;
    float scale;
};

// Finds each token's head, and the tiles' maxima; sum_tiles, which begins with a barrier, comes next.
WG_DEVICE void group_list(ListShared& l, u32 n) {
#pragma unroll 1
    for (u32 i = WG_THREAD; i < n; i += WG_THREADS) {
        // The first position with an id of the same tile.
        const u32 first = l.ids[i] & ~(WG_TILE - 1);
        u32 low = 0, high = i;
        while (low < high) {
            const u32 middle = (low + high) / 2;
            if (l.ids[middle] < first) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        l.heads[i] = low;
        l.maxima[i] = 0;
    }
    WG_SYNC();
#pragma unroll 1
    for (u32 i = WG_THREAD; i < n; i += WG_THREADS) wg_atomic_max(&l.maxima[l.heads[i]], key(l.logits[i]));
}

// The weight of a token that `cut` keeps, else 0.
WG_DEVICE u64 list_weight(const ListShared& l, const Listed& f, u32 i, u64 cut) {
    if (order(l.logits[i], i) < cut) return 0;
    return weight(l.logits[i], key_to_f32(l.maxima[l.heads[i]]), f.scale);
}

// The mass of a token that is kept.
WG_DEVICE u64 list_token_mass(const ListShared& l, const Listed& f, u32 i) {
    const float a = key_to_f32(l.maxima[l.heads[i]]);
    return mass(weight(l.logits[i], a, f.scale), a, f.row_max, f.scale);
}

// The mass of a head's tile, 0 for other tokens.
WG_DEVICE u64 list_tile_mass(const ListShared& l, const Listed& f, u32 i) {
    if (l.heads[i] != i) return 0;
    return mass(l.sums[i], key_to_f32(l.maxima[i]), f.row_max, f.scale);
}

// Sums the weights of what `cut` keeps, tile by tile.
WG_NOINLINE void sum_tiles(const Listed& f, u64 cut) {
    WG_SHARED(SampleShared, s);
    ListShared& l = s.list;
    WG_SYNC();
#pragma unroll 1
    for (u32 i = WG_THREAD; i < f.count; i += WG_THREADS) l.sums[i] = 0;
    WG_SYNC();
#pragma unroll 1
    for (u32 i = WG_THREAD; i < f.count; i += WG_THREADS) {
        const u64 w = list_weight(l, f, i, cut);
        if (w != 0) wg_atomic_add64(&l.sums[l.heads[i]], w);
    }
    WG_SYNC();
}

WG_NOINLINE u64 list_mass(const Listed& f) {
    WG_SHARED(SampleShared, s);
    const Found all = walk_to(
        s.block, f.count, [&](u32 i) { return list_tile_mass(s.list, f, i); }, [](u64) { return ~0ull; });
    return all.total;
}

// Sorts all tokens into `orders`.
WG_NOINLINE void rank_list(const Listed& f) {
    WG_SHARED(SampleShared, s);
    WG_SYNC();
#pragma unroll 1
    for (u32 i = WG_THREAD; i < f.count; i += WG_THREADS) s.orders[i] = order(s.list.logits[i], i);
    WG_SYNC();
    sort_orders(s.orders, f.count);
}

// Applies the row's truncations; the cut. `sums` hold what is kept.
WG_NOINLINE u64 truncate_list(const Listed& f, const RowParams& params) {
    WG_SHARED(SampleShared, s);
    u64 cut = WG_CUT_NONE;
    if (params.min_p_log2 > WG_ILLEGAL) cut = min_p_cut(f.row_max, f.scale, params.min_p_log2);
    u32 kept = 0;
#pragma unroll 1
    for (u32 i = WG_THREAD; i < f.count; i += WG_THREADS) kept += order(s.list.logits[i], i) >= cut;
    kept = block_add(s.block, kept);
    const bool ranked = params.top_k < kept || params.top_p != WG_TOP_P_OFF;
    if (ranked) rank_list(f);
    if (params.top_k < kept) {
        kept = params.top_k;
        cut = s.orders[kept - 1];
    }
    sum_tiles(f, cut);
    if (params.top_p == WG_TOP_P_OFF) return cut;
    const u64 enough = enough_mass(list_mass(f), params.top_p);
    const Found last = walk_to_sum(
        s.block, kept, [&](u32 i) { return list_token_mass(s.list, f, order_id(s.orders[i])); }, enough);
    if (last.index < kept) {
        cut = s.orders[last.index];
        sum_tiles(f, cut);
    }
    return cut;
}

// Reads the legal logits; the order of the best token, 0 if there is none.
template <u32 FORMAT>
WG_DEVICE u64 read_list(const SampleParams& p, SampleShared& s, const Row& row, const u32* ids, u32 count) {
    u64 best = 0;
#pragma unroll 1
    for (u32 i = WG_THREAD; i < count; i += WG_THREADS) {
        const u32 id = ids[i];
        const float z = id < p.width ? read_adjusted<FORMAT>(row, id) : WG_ILLEGAL;
        s.list.ids[i] = id;
        s.list.logits[i] = z;
        const u64 own = order(z, i);
        if (z > WG_ILLEGAL && own > best) best = own;
    }
    return block_max64(s.block, best);
}

// Samples a row of a list. The result's status is ROW_OK, or says why there is no token.
template <u32 FORMAT>
WG_NOINLINE RowResult sample_list(const SampleParams& p, u32 row, u32 slot_index) {
    WG_SHARED(SampleShared, s);
    const Slot* slot = (const Slot*)p.slots + slot_index;
    const u32 written = ((const LegalHead*)p.legal_heads)[slot_index].count;
    const u32 count = written < WG_LIST_CAP ? written : WG_LIST_CAP;
    const u32* ids = (const u32*)p.legal_ids + (u64)slot_index * WG_LIST_CAP;
    const Row view = make_row<FORMAT>(p, row, slot_index, false);
    const u64 best = read_list<FORMAT>(p, s, view, ids, count);
    if (slot->status != SLOT_RUNNING) return {0, 0.0f, ROW_NOT_RUNNING, 0};
    if (best == 0) return {0, 0.0f, ROW_NO_LEGAL_TOKEN, 0};

    const RowParams& params = slot->params;
    const Listed f = {count, order_logit(best), params.scale};
    const bool logprob = (slot->flags & WG_FLAG_LOGPROB) != 0;
    const u32 tops = tops_wanted(p, slot);
    u32 at = order_id(best);
    float log2_total = 0.0f;
    if (logprob || params.greedy == 0) {
        group_list(s.list, count);
        sum_tiles(f, WG_CUT_NONE);
    }
    if (logprob) log2_total = log2_of_mass(list_mass(f));
    if (tops > 0) {
        rank_list(f);
        u32 legal = 0;
#pragma unroll 1
    for (u32 i = WG_THREAD; i < count; i += WG_THREADS) legal += s.orders[i] >= WG_CUT_NONE;
        legal = block_add(s.block, legal);
#pragma unroll 1
    for (u32 i = WG_THREAD; i < legal; i += WG_THREADS) {
            const u64 order = s.orders[i];
            s.orders[i] = (order >> 32 << 32) | (u32)~s.list.ids[order_id(order)];
        }
        WG_SYNC();
        write_tops(p, s.orders, row, legal, tops, f.row_max, f.scale, log2_total);
    }
    if (params.greedy == 0) {
        const bool cuts = params.top_k < count || params.top_p != WG_TOP_P_OFF || params.min_p_log2 > WG_ILLEGAL;
        const u64 cut = cuts ? truncate_list(f, params) : WG_CUT_NONE;
        const Draw draw = make_draw(slot->seed, slot->position, slot->stream);
        const Found tile = pick(
            s.block, count, [&](u32 i) { return list_tile_mass(s.list, f, i); }, draw.tile);
        const Found token = pick(
            s.block, count,
            [&](u32 i) { return s.list.heads[i] == tile.index ? list_weight(s.list, f, i, cut) : 0ull; },
            draw.token);
        at = token.index;
    }
    const float z = s.list.logits[at];
    return {s.list.ids[at], logprob ? log_probability(z, f.row_max, f.scale, log2_total) : 0.0f, ROW_OK, 0};
}
