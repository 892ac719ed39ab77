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

// Kernels NAME_f32, NAME_f16 and NAME_bf16, each of which is `batch` of a format.
#define WG_FORMAT_KERNEL(name, Params, Shared, batch, format, threads, min_blocks)                              \
    WG_KERNEL(name, Params, threads, min_blocks) {                                                              \
        WG_SHARED(Shared, s);                                                                                   \
        batch<format>(p, s);                                                                                    \
    }
#define WG_FORMAT_KERNELS(name, Params, Shared, batch, threads, min_blocks)                                     \
    WG_FORMAT_KERNEL(name##_f32, Params, Shared, batch, WG_F32, threads, min_blocks)                            \
    WG_FORMAT_KERNEL(name##_f16, Params, Shared, batch, WG_F16, threads, min_blocks)                            \
    WG_FORMAT_KERNEL(name##_bf16, Params, Shared, batch, WG_BF16, threads, min_blocks)

// Where the tiles in a block's piece end.
WG_DEVICE u32 end_of_tiles(const Piece& piece) { return piece.to < piece.tiles ? piece.to : piece.tiles; }

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
            // For stage_tile. Every lane has read what it needs of the last row, as the warp has reduced its tile.
            if (WG_LANE == 0) s.rows[WG_WARP] = view;
            WG_SYNC_WARP();
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
    if (WG_LANE == 0) s.rows[WG_WARP] = view;
    WG_SYNC_WARP();
    for (u32 tile = WG_WARP; tile < p.tiles; tile += WG_WARPS) {
        const TileRecord record = scan_tile<FORMAT>(view, tile, weigh, slot->params.scale, s.stage[WG_WARP]);
        if (WG_LANE == 0) ((TileRecord*)p.records)[(u64)row * p.tiles + tile] = record;
    }
    WG_FENCE();
    WG_SYNC();
}

// Takes the tickets of up to 32 wide rows from number `first` on; bit i of `finished`: row first + i is complete.
WG_DEVICE void take_tickets(const SampleParams& p, SampleShared& s, u32 first) {
    if (WG_WARP == 0) {
        const u32 from = s.piece.from, to = end_of_tiles(s.piece);
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
}

// Calls `finish(row, slot, result)` with every thread of the block for each row it is left with.
template <u32 FORMAT, typename Finish>
WG_DEVICE void run_batch(const SampleParams& p, SampleShared& s, Finish finish) {
    deal_rows(p, s);
    const Piece& piece = s.piece;
    if (piece.from >= piece.to) return;

    if (piece.from < piece.tiles) {
        scan_tiles<FORMAT>(p, s, piece.from, end_of_tiles(piece));
        // Of more than 32 rows in a piece all but the first and the last are complete, and finishing one takes barriers:
        // nobody writes `finished` again before all have read it. One number is all that lives through the finishing
        // of a row; the rest is read again.
        for (u32 i = 0; (piece.from / p.tiles + i) * p.tiles < end_of_tiles(piece); i++) {
            if (i % 32 == 0) take_tickets(p, s, piece.from / p.tiles + i);
            if ((s.finished >> i % 32 & 1) == 0) continue;
            const u32 row = nth_row(s.wide, s.wide_before, piece.from / p.tiles + i);
            const u32 slot = ((const u32*)p.rows)[row];
            finish(row, slot, sample_wide<FORMAT>(p, row, slot));
            WG_SYNC();
        }
    }
    // The rows of lists whose first unit of work lies in this block's piece.
    const u32 behind = piece.from > piece.tiles ? piece.from - piece.tiles : 0;
    for (u32 n = (behind + WG_LIST_TILES - 1) / WG_LIST_TILES;
         n < piece.lists && piece.tiles + n * WG_LIST_TILES < piece.to; n++) {
        const u32 row = nth_row(s.listed, s.listed_before, n);
        const u32 slot = ((const u32*)p.rows)[row];
        finish(row, slot, sample_list<FORMAT>(p, row, slot));
        WG_SYNC();
    }
}
