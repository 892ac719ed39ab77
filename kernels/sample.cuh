// What sampling a batch needs: parameters, shared memory, and how its work is dealt out.
#pragma once

#include "block.cuh"
#include "philox.cuh"
#include "tile.cuh"

// Rows of one launch, and tiles of a row.
#define WG_MAX_ROWS 2048u
#define WG_MAX_TILES 512u
#define WG_ID_BITS 19u  // of an id below WG_MAX_TILES * WG_TILE

// A row of a list costs about as much of a block's time as this many tiles.
#define WG_LIST_TILES 8u

// src/device/sample.rs makes it, and checks it. Addresses are of device memory.
struct SampleParams {
    u64 logits;       // [rows] of `width`, `stride` elements apart
    u64 stride;       // in elements
    u64 rows;         // u32 [row_count]: slot of each row; at or beyond slot_count: none
    u64 results;      // RowResult [row_count]
    u64 tops;         // TopToken [row_count][WG_TOP_MAX], 0 = not wanted
    u64 slots;        // Slot [slot_count]
    u64 legal_heads;  // LegalHead [slot_count]
    u64 legal_ids;    // u32 [slot_count][WG_LIST_CAP]
    u64 legal_words;  // u32 [slot_count][words]
    u64 records;      // TileRecord [row_count][tiles]
    u64 tickets;      // u32 [row_count], 0 before and after every launch
    u32 row_count;
    u32 slot_count;
    u32 width;
    u32 tiles;  // ceil(width / 1024)
    u32 words;  // stride of legal_words, at least ceil(width / 32)
    u32 group;  // least tiles a block takes, so that a small batch does not crowd a ticket
};
static_assert(sizeof(SampleParams) == 112, "device::sample::SampleParams");

// Mass of a row by distance from its maximum, or by a digit of the order.
#define WG_BINS 512u
struct Histogram {
    u64 sums[WG_BINS];
    u32 counts[WG_BINS];
};

// A row of a list, in id order.
struct ListShared {
    u32 ids[WG_LIST_CAP];
    float logits[WG_LIST_CAP];
    u32 heads[WG_LIST_CAP];   // the position of the first id of the same tile
    u32 maxima[WG_LIST_CAP];  // of the tile whose first id stands here: key of the greatest logit,
    u64 sums[WG_LIST_CAP];    // and sum of the kept weights
};

struct SampleShared {
    union {
        float stage[WG_MAX_WARPS][WG_TILE];
        ListShared list;
    };
    union {
        u64 orders[WG_RANKED_CAP];
        Histogram histogram;
    };
    // The records of the row being finished.
    u64 sums[WG_MAX_TILES];
    float maxima[WG_MAX_TILES];
    // Which rows are wide and which are lists, and how many stand before each word.
    u32 wide[WG_MAX_ROWS / 32];
    u32 listed[WG_MAX_ROWS / 32];
    u32 wide_before[WG_MAX_ROWS / 32 + 1];
    u32 listed_before[WG_MAX_ROWS / 32 + 1];
    BlockShared block;
    u32 finished;  // rows of a block's share whose last ticket it took
};

// Below the 48 KiB that a block may have without asking.
static_assert(sizeof(SampleShared) == 48248, "device::sample::SHARED");

template <u32 FORMAT>
WG_DEVICE Row make_row(const SampleParams& p, u32 row, u32 slot_index, bool bitmap) {
    const Slot* slot = (const Slot*)p.slots + slot_index;
    Row view;
    view.logits = (const u8*)p.logits + (u64)row * p.stride * (FORMAT == WG_F32 ? 4 : 2);
    view.mask = bitmap ? (const u32*)p.legal_words + (u64)slot_index * p.words : nullptr;
    view.adjust = (const Adjust*)slot->adjust;
    view.params = &slot->params;
    view.width = p.width;
    view.aligned = ((u64)view.logits & 15) == 0;
    return view;
}

// Top-k that keeps every id is off.
WG_DEVICE u32 effective_top_k(const RowParams& params, u32 width) {
    return params.top_k < width ? params.top_k : WG_TOP_K_OFF;
}

// Whether a wide row's tiles are to be weighed in the scan: for its total, or to draw from them. Top-k and
// min-p weigh only what they leave.
WG_DEVICE bool scan_weighs(const Slot* slot, u32 width) {
    const RowParams& params = slot->params;
    if ((slot->flags & WG_FLAG_LOGPROB) != 0) return true;
    return params.greedy == 0 && effective_top_k(params, width) == WG_TOP_K_OFF &&
           params.min_p_log2 == WG_ILLEGAL;
}

// Sorts the rows into wide ones, lists and inactive ones. Every block does this for itself, and must come to
// the same answer: it looks at nothing that a launch changes.
WG_DEVICE void deal_rows(const SampleParams& p, SampleShared& s) {
    const u32 words = (p.row_count + 31) / 32;
    for (u32 first = 0; first < words * 32; first += WG_THREADS) {
        const u32 row = first + WG_THREAD;
        const u32 slot = row < p.row_count ? ((const u32*)p.rows)[row] : WG_INACTIVE;
        bool wide = false, listed = false;
        if (slot < p.slot_count) {
            listed = ((const LegalHead*)p.legal_heads)[slot].kind == LEGAL_LIST;
            wide = !listed;
        } else if (row < p.row_count && WG_BLOCK == 0) {
            ((RowResult*)p.results)[row] = {0, 0.0f, ROW_INACTIVE, 0};
        }
        const u32 wide_word = WG_BALLOT(wide);
        const u32 listed_word = WG_BALLOT(listed);
        if (WG_LANE == 0 && row / 32 < words) {
            s.wide[row / 32] = wide_word;
            s.listed[row / 32] = listed_word;
        }
    }
    WG_SYNC();
    if (WG_THREAD <= words) {
        u32 wide = 0, listed = 0;
#pragma unroll 1
        for (u32 w = 0; w < WG_THREAD; w++) {
            wide += wg_popc(s.wide[w]);
            listed += wg_popc(s.listed[w]);
        }
        s.wide_before[WG_THREAD] = wide;
        s.listed_before[WG_THREAD] = listed;
    }
    WG_SYNC();
}

// The n-th row whose bit is set; there must be one.
WG_NOINLINE u32 nth_row(const u32* words, const u32* before, u32 n) {
    u32 at = 0;
#pragma unroll 1
    while (before[at + 1] <= n) at++;
    u32 word = words[at];
#pragma unroll 1
    for (u32 skip = n - before[at]; skip > 0; skip--) word &= word - 1;
    return at * 32 + wg_ffs(word) - 1;
}
