// Sampling a batch: how a grid of blocks goes through rows and tiles.
//
// The tiles of all wide rows, row after row, and WG_LIST_TILES for every row of a list make one line of work;
// each block takes an equal piece of it. A block's warps read its tiles without waiting for each other; at
// the end the block adds its number of tiles to the ticket of each row it touched. Who completes a ticket
// finishes the row, and sets the ticket back for the next launch.
//
// Which block reads which tile changes with the batch, the grid and `group`, and no result does: records merge
// by integer sums.
#pragma once

#include "list.cuh"

// Reads this block's tiles `from` ... `to` - 1 of the wide rows and writes their records.
template <u32 FORMAT>
WG_DEVICE void scan_tiles(const SampleParams& p, SampleShared& s, u32 from, u32 to) {
    Row view = {};
    u32 current = 0xffffffffu, row = 0;
    bool weigh = false;
    float scale = 0.0f;
    for (u32 i = from + WG_WARP; i < to; i += WG_WARPS) {
        const u32 n = i / p.tiles;
        if (n != current) {
            current = n;
            row = nth_row(s.wide, s.wide_before, n);
            const u32 slot_index = ((const u32*)p.rows)[row];
            const Slot* slot = (const Slot*)p.slots + slot_index;
            view = make_row<FORMAT>(p, row, slot_index,
                                    ((const LegalHead*)p.legal_heads)[slot_index].kind == LEGAL_BITMAP);
            weigh = scan_weighs(slot, p.width);
            scale = slot->params.scale;
        }
        const u32 tile = i - n * p.tiles;
        const TileRecord record = scan_tile<FORMAT>(view, tile, weigh, scale, s.stage[WG_WARP]);
        if (WG_LANE == 0) ((TileRecord*)p.records)[(u64)row * p.tiles + tile] = record;
    }
    WG_FENCE();
    WG_SYNC();
}

// Reads all tiles of one wide row by this block alone.
template <u32 FORMAT>
WG_DEVICE void scan_row(const SampleParams& p, SampleShared& s, u32 row, u32 slot_index) {
    const Slot* slot = (const Slot*)p.slots + slot_index;
    const bool bitmap = ((const LegalHead*)p.legal_heads)[slot_index].kind == LEGAL_BITMAP;
    const Row view = make_row<FORMAT>(p, row, slot_index, bitmap);
    const bool weigh = scan_weighs(slot, p.width);
    for (u32 tile = WG_WARP; tile < p.tiles; tile += WG_WARPS) {
        const TileRecord record = scan_tile<FORMAT>(view, tile, weigh, slot->params.scale, s.stage[WG_WARP]);
        if (WG_LANE == 0) ((TileRecord*)p.records)[(u64)row * p.tiles + tile] = record;
    }
    WG_FENCE();
    WG_SYNC();
}

// Takes the tickets of up to 32 wide rows from number `first` on; bit i: row first + i is complete.
WG_DEVICE u32 take_tickets(const SampleParams& p, SampleShared& s, u32 first, u32 from, u32 to) {
    if (WG_WARP == 0) {
        const u32 n = first + WG_LANE;
        const u32 begin = n * p.tiles;
        bool complete = false;
        if (begin < to) {
            const u32 end = begin + p.tiles;
            const u32 own = (end < to ? end : to) - (begin > from ? begin : from);
            complete = own == p.tiles;
            if (!complete) {
                u32* ticket = (u32*)p.tickets + nth_row(s.wide, s.wide_before, n);
                complete = wg_atomic_add(ticket, own) + own == p.tiles;
                if (complete) *ticket = 0;
            }
        }
        const u32 all = WG_BALLOT(complete);
        WG_FENCE();
        if (WG_LANE == 0) s.finished = all;
    }
    WG_SYNC();
    // Of more than 32 rows in a piece all but the first and the last are complete, and finishing one takes barriers:
    // nobody writes this again before all have read it.
    return s.finished;
}

// Calls `finish(row, slot, result)` with every thread of the block for each row it is left with.
template <u32 FORMAT, typename Finish>
WG_DEVICE void run_batch(const SampleParams& p, SampleShared& s, Finish finish) {
    deal_rows(p, s);
    const u32 words = (p.row_count + 31) / 32;
    const u32 tiles = s.wide_before[words] * p.tiles;
    const u32 lists = s.listed_before[words];
    const u32 work = tiles + lists * WG_LIST_TILES;
    u32 share = (work + WG_BLOCKS - 1) / WG_BLOCKS;
    share = share > p.group ? share : p.group;
    const u64 start = (u64)WG_BLOCK * share;
    if (start >= work) return;
    const u32 from = (u32)start;
    const u32 to = work - from > share ? from + share : work;

    if (from < tiles) {
        const u32 end = to < tiles ? to : tiles;
        scan_tiles<FORMAT>(p, s, from, end);
        for (u32 first = from / p.tiles; first * p.tiles < end; first += 32) {
            for (u32 left = take_tickets(p, s, first, from, end); left != 0; left &= left - 1) {
                const u32 row = nth_row(s.wide, s.wide_before, first + wg_ffs(left) - 1);
                const u32 slot = ((const u32*)p.rows)[row];
                finish(row, slot, sample_wide<FORMAT>(p, row, slot));
                WG_SYNC();
            }
        }
    }
    // The rows of lists whose first unit of work lies in this block's piece.
    const u32 begin = from > tiles ? (from - tiles + WG_LIST_TILES - 1) / WG_LIST_TILES : 0;
    for (u32 n = begin; n < lists && tiles + n * WG_LIST_TILES < to; n++) {
        const u32 row = nth_row(s.listed, s.listed_before, n);
        const u32 slot = ((const u32*)p.rows)[row];
        finish(row, slot, sample_list<FORMAT>(p, row, slot));
        WG_SYNC();
    }
}
