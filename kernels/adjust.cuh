// Biases and penalties: what a request and its past do to a logit (src/sampling/counts.rs).
//
// A request that has any owns a block in device memory: a bitmap of the ids with an entry, so that a tile
// without one costs a single word per lane, and a hash table of the entries. src/device/adjust.rs makes it.
//
//     Adjust                                16 bytes
//     bitmap       [words] u32              words = 32 per tile, the tail clear
//     entries      [2^bits] AdjustEntry     open addressing, linear probing; at most 3/4 are used
#pragma once

#include "order.cuh"
#include "slot.cuh"

struct alignas(16) Adjust {
    u32 bits;   // log2 of the number of entries, at least 2
    u32 used;   // entries in use
    u32 words;  // of the bitmap, a multiple of 32
    u32 counts;  // 0: the request has no penalties, and its tokens are not counted
};
static_assert(sizeof(Adjust) == 16, "device::adjust::AdjustHead");

// A token with a bias, or that has occurred.
struct alignas(16) AdjustEntry {
    u32 id;  // 0xffffffff = not in use
    float bias;
    u32 prompt;  // occurrences in the prompt
    u32 output;  // occurrences in the output so far
};
static_assert(sizeof(AdjustEntry) == 16, "device::adjust::AdjustEntry");

#define WG_NO_ENTRY 0xffffffffu

WG_DEVICE u32* adjust_bitmap(Adjust* block) { return (u32*)(block + 1); }
WG_DEVICE const u32* adjust_bitmap(const Adjust* block) { return (const u32*)(block + 1); }

// The entry of `id`, or the free one where it belongs. There always is a free one.
WG_DEVICE AdjustEntry* adjust_find(Adjust* block, u32 id) {
    AdjustEntry* entries = (AdjustEntry*)(adjust_bitmap(block) + block->words);
    const u32 last = (1u << block->bits) - 1;
    u32 at = (id * 0x9e3779b1u) >> (32 - block->bits);
    while (entries[at].id != id && entries[at].id != WG_NO_ENTRY) at = (at + 1) & last;
    return &entries[at];
}

WG_DEVICE bool has_penalties(const RowParams& params) {
    return params.repetition != 1.0f || params.frequency != 0.0f || params.presence != 0.0f;
}

// A canonical logit with its bias and its penalties, canonical again.
WG_NOINLINE float adjusted(float z, const Adjust* block, u32 id, const RowParams& params) {
    const wg_u4 raw = wg_load16(adjust_find((Adjust*)block, id));
    if (raw.x != id) return z;
    const u32 prompt = raw.z, output = raw.w;
    z = canonical(z + wg_float(raw.y));
    if ((prompt | output) != 0 && params.repetition != 1.0f) {
        z = z > 0.0f ? wg_div(z, params.repetition) : z * params.repetition;
    }
    if (output > 0) z = wg_fma(-params.frequency, (float)output, z) - params.presence;
    return canonical(z);
}

// Whether `id` can be counted: it has an entry, or there is room for one.
WG_DEVICE bool adjust_has_room(const Adjust* block, u32 id) {
    return block->counts == 0 || block->used < (3u << block->bits) / 4 || adjust_find((Adjust*)block, id)->id == id;
}

// Counts one more output token, by one thread. There must be room.
WG_DEVICE void adjust_push(Adjust* block, u32 id) {
    if (block->counts == 0) return;
    AdjustEntry* entry = adjust_find(block, id);
    if (entry->id == id) {
        entry->output++;
        return;
    }
    *entry = {id, 0.0f, 0, 1};
    block->used++;
    adjust_bitmap(block)[id / 32] |= 1u << (id % 32);
}

// Takes back one adjust_push of `id`. Its entry stays, and changes nothing once its counts are 0.
WG_DEVICE void adjust_pop(Adjust* block, u32 id) {
    AdjustEntry* entry = adjust_find(block, id);
    if (entry->id == id && entry->output > 0) entry->output--;
}
