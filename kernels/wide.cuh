// Finishing a wide row: records to token. By the block that took the row's last ticket.
#pragma once

#include "truncate.cuh"

// A sampled token.
struct Chosen {
    u32 token;
    float logit;
};

// The first id whose logit is the row's greatest.
template <u32 FORMAT>
WG_DEVICE Chosen choose_greatest(SampleShared& s, const Finishing& f) {
    u32 first = 0;  // counted from the end, so that the greatest is the first tile
    for (u32 t = WG_THREAD; t < f.tiles; t += WG_THREADS) {
        if (s.maxima[t] == f.row_max && f.tiles - t > first) first = f.tiles - t;
    }
    const u32 tile = f.tiles - block_max(s.block, first);
    if (WG_WARP == 0) {
        stage_tile<FORMAT>(f.row, tile, WG_CUT_NONE, s.stage[0]);
        u32 at = WG_TILE;
#pragma unroll 4
        for (u32 i = 0; i < 32; i++) {
            if (s.stage[0][i * 32 + WG_LANE] == f.row_max && at == WG_TILE) at = i * 32 + WG_LANE;
        }
        at = WG_REDUCE_MIN(at);
        if (WG_LANE == 0) s.block.found = tile * WG_TILE + at;
    }
    WG_SYNC();
    return {s.block.found, f.row_max};
}

// Draws a tile by its mass, then a token of it, in id order, by its weight.
template <u32 FORMAT>
WG_DEVICE Chosen choose_drawn(SampleShared& s, const Finishing& f, u64 cut, Draw draw) {
    const Found tile = pick(
        s.block, f.tiles, [&](u32 t) { return mass(s.sums[t], s.maxima[t], f.row_max, f.scale); }, draw.tile);
    if (WG_WARP == 0) stage_tile<FORMAT>(f.row, tile.index, cut, s.stage[0]);
    WG_SYNC();
    const float a = s.maxima[tile.index];
    const Found token = pick(
        s.block, WG_TILE, [&](u32 i) { return (u64)weight(s.stage[0][i], a, f.scale); }, draw.token);
    return {tile.index * WG_TILE + token.index, s.stage[0][token.index]};
}

// Writes the likeliest `wanted` tokens of a row, which stand in `orders`, `count` of them.
WG_DEVICE void write_tops(const SampleParams& p, const u64* orders, u32 row, u32 count, u32 wanted, float row_max,
                          float scale, float log2_total) {
    if (WG_THREAD >= WG_TOP_MAX) return;
    TopToken top = {WG_INACTIVE, 0.0f};
    if (WG_THREAD < wanted && WG_THREAD < count) {
        const u64 order = orders[WG_THREAD];
        top = {order_id(order), log_probability(order_logit(order), row_max, scale, log2_total)};
    }
    ((TopToken*)p.tops)[(u64)row * WG_TOP_MAX + WG_THREAD] = top;
}

WG_DEVICE u32 tops_wanted(const SampleParams& p, const Slot* slot) {
    if (p.tops == 0 || (slot->flags & WG_FLAG_LOGPROB) == 0) return 0;
    const u32 wanted = slot->flags >> WG_FLAG_TOP_SHIFT & WG_FLAG_TOP_MASK;
    return wanted < WG_TOP_MAX ? wanted : WG_TOP_MAX;
}

// Samples a wide row whose records are complete. The result's status is ROW_OK, or says why there is no token.
template <u32 FORMAT>
WG_NOINLINE RowResult sample_wide(const SampleParams& p, u32 row, u32 slot_index) {
    WG_SHARED(SampleShared, s);
    const Slot* slot = (const Slot*)p.slots + slot_index;
    const bool bitmap = ((const LegalHead*)p.legal_heads)[slot_index].kind == LEGAL_BITMAP;
    Finishing f = {make_row<FORMAT>(p, row, slot_index, bitmap), 0.0f, slot->params.scale, p.tiles};
    const u8* records = (const u8*)p.records + (u64)row * p.tiles * sizeof(TileRecord);
    u32 best = 0;
    for (u32 t = WG_THREAD; t < f.tiles; t += WG_THREADS) {
        const wg_u4 raw = wg_volatile_load((const wg_u4*)records + t);
        s.sums[t] = (u64)raw.y << 32 | raw.x;
        s.maxima[t] = wg_float(raw.z);
        best = key(s.maxima[t]) > best ? key(s.maxima[t]) : best;
    }
    best = block_max(s.block, best);
    f.row_max = key_to_f32(best);
    if (slot->status != SLOT_RUNNING) return {0, 0.0f, ROW_NOT_RUNNING, 0};
    if (best == 0) return {0, 0.0f, ROW_NO_LEGAL_TOKEN, 0};

    const bool logprob = (slot->flags & WG_FLAG_LOGPROB) != 0;
    const float log2_total = logprob ? log2_of_mass(row_mass(f)) : 0.0f;
    const u32 tops = tops_wanted(p, slot);
    if (tops > 0) {
        u64 cut = WG_CUT_NONE;
        const u32 count = rank_best<FORMAT>(f, tops, cut);
        write_tops(p, s.orders, row, count, tops, f.row_max, f.scale, log2_total);
    }
    const RowParams& params = slot->params;
    Chosen chosen;
    if (params.greedy != 0) {
        chosen = choose_greatest<FORMAT>(s, f);
    } else {
        const u32 top_k = effective_top_k(params, p.width);
        Kept kept = {WG_CUT_NONE, 0};
        if (top_k != WG_TOP_K_OFF || params.min_p_log2 > WG_ILLEGAL || params.top_p != WG_TOP_P_OFF) {
            kept = truncate<FORMAT>(f, top_k, params.min_p_log2, params.top_p);
        }
        chosen = choose_drawn<FORMAT>(s, f, kept.cut, make_draw(slot->seed, slot->position, slot->stream));
    }
    const float ln = logprob ? log_probability(chosen.logit, f.row_max, f.scale, log2_total) : 0.0f;
    return {chosen.token, ln, ROW_OK, 0};
}
