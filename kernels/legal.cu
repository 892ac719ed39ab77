// Every slot's next legal set, for the step to read: all tokens, a list of ids, or a bitmap. Meant for a branch of
// the step's graph that runs beside the model's forward pass.
//
// Thread mapping. A block of 128 threads a slot, blocks persistent. Slots whose walk is long (a pattern that no slice
// covers: most of the vocabulary's trie is alive) are cut into `parts` by ranges of the sorted tokens and come
// first, so that no block is left with one alone; the block that finishes a slot's last part by ticket puts the
// set together and resets the ticket. No block waits for another.
//
// Bytes moved a slot, V = 200k: a string writes a bitmap of 25 KB, reads it from L2 where every string has it
// from, and walks some 800 nodes (16 bytes each) of suffixes; a structural state walks from dozens to a few
// thousand nodes and writes a list of at most 2 KB; a long walk reads up to the whole trie.
// Floor: 512 strings are 12.8 MB of writes to L2 and as many reads.
#pragma once

#include "legal.cuh"

struct LegalParams {
    SlotArrays a;
    u64 heads;    // LegalHead [slot_count]
    u64 ids;      // u32 [slot_count][WG_LIST_CAP]
    u64 words;    // u32 [slot_count][stride], stride = VocabHeader::stride
    u64 found;    // the same, all zero between launches: what parts of a long walk have found
    u64 tickets;  // u32 [slot_count], zero between launches
    u64 pool;     // Level [blocks][pool_room]
    u64 spare;    // Level [blocks][WALK_WARPS][max_levels]
    u32 pool_room;
    u32 parts;    // of a long walk, at least 1
};
static_assert(sizeof(LegalParams) == 56 + 64, "device::legal::LegalParams");

// Bytes that a state reads by itself from which its walk is taken for long.
#define LONG_WALK_BYTES 64u

struct LegalBlock {
    LegalShared legal;
    u32 queue[WALK_THREADS];  // slot and part of long walks: part * slot_count + slot
    u32 queued;
    u32 last;
};

// Whether the walk is likely to see most of the trie. Any answer is right, if all blocks give the same.
WG_FUNCTION bool is_long(const SlotArrays& a, u32 slot) {
    const Slot& s = *slot_at(a, slot);
    if (s.status != SLOT_RUNNING || s.grammar == WG_NONE) return false;
    const GrammarView g = view_of(s.grammar);
    const StateInfo state = state_of(g, s.state);
    if ((state.free & STATE_SUB_MASK) != 0 || (state.slices & 1u) != 0) return false;
    // Without a count there is a trie of what follows the slice's characters.
    if (state.slices != 0) return state.extra != 0;
    if (missing_spaces(g, place_of(s).c, state.flags) > 0) return false;
    const u32* row = section_at<u32>(g, g.rows) + state.row;
    u32 listed = 0, read = 0;
    for (u32 i = 0; i < row[1]; ++i) {
        const u32 bytes = (row[2 + 2 * i] >> 8) - (row[2 + 2 * i] & 0xffu) + 1;
        listed += bytes;
        if (row[2 + 2 * i + 1] >> 29 != ACTION_DEAD) read += bytes;
    }
    const bool reads = row[0] >> 29 == ACTION_STAY || row[0] >> 29 == ACTION_AHEAD;
    if (read + (reads ? 256 - listed : 0) < LONG_WALK_BYTES) return false;
    // Where letters lead to a place closed under a slice, that place's set is nearly this one's.
    for (u32 byte = 'K'; byte <= 'z'; byte += 'z' - 'K') {
        Config c = place_of(s).c;
        const Level* levels = levels_at(a, slot);
        OneLevel one = {levels, levels, c.depth, {{0, 0}, 0, 0, 0, 0}, 0xffffffffu};
        if (read_byte(g, one, c, byte, left_after(s.budget)) && state_of(g, c.state).slices != 0) return false;
    }
    return true;
}

// What comes next, plan_legal, begins with a barrier.
WG_FUNCTION void take_slot(LegalShared& s, const LegalParams& p, u32 slot) {
    WG_SYNC();
    if (WG_THREAD == 0) {
        const Slot& line = *slot_at(p.a, slot);
        s.root = place_of(line).c;
        s.walk.g = view_of(line.grammar);
        s.walk.base = levels_at(p.a, slot);
        s.walk.pool = reinterpret_cast<Level*>(p.pool) + (u64)WG_BLOCK * p.pool_room;
        s.walk.spare = reinterpret_cast<Level*>(p.spare) + (u64)WG_BLOCK * WALK_WARPS * p.a.max_levels;
        s.walk.pool_room = p.pool_room;
        s.walk.max_levels = p.a.max_levels;
        s.walk.budget = line.budget;
    }
}

WG_DEVICE u32* row_of(u64 words, const VocabView& v, u32 slot) {
    return reinterpret_cast<u32*>(words) + (u64)slot * v.header->stride;
}
WG_DEVICE LegalHead* head_of(const LegalParams& p, u32 slot) { return reinterpret_cast<LegalHead*>(p.heads) + slot; }

// One part of a slot's long walk; the last to be done makes the set.
WG_DEVICE void long_part(LegalBlock& s, const LegalParams& p, const VocabView& v, u32 slot, u32 part) {
    LegalShared& legal = s.legal;
    take_slot(legal, p, slot);
    plan_legal(legal, v);
    if (legal.plan == PLAN_USUAL || (legal.plan == PLAN_CLOSED && legal.steady != 0)) {
        // Not long after all, and nothing that could be put together from parts.
        if (part != 0) return;
        make_legal(legal, v, row_of(p.words, v, slot), false);
        if (WG_THREAD == 0) *head_of(p, slot) = {LEGAL_BITMAP, 0};
        return;
    }
    // The walk begins with a barrier.
    if (WG_THREAD == 0) {
        legal.walk.words = row_of(p.found, v, slot);
        legal.walk.stride = v.header->stride;
        legal.walk.listing = 0;
    }
    add_walk(legal, v, part, p.parts);
    WG_FENCE();
    WG_SYNC();
    u32* tickets = reinterpret_cast<u32*>(p.tickets);
    if (WG_THREAD == 0) s.last = wg_atomic_add(&tickets[slot], 1) == p.parts - 1;
    WG_SYNC();
    if (s.last == 0) return;
    WG_FENCE();
    if (WG_THREAD == 0) {
        tickets[slot] = 0;
        legal.walk.words = row_of(p.words, v, slot);
        *head_of(p, slot) = {LEGAL_BITMAP, 0};
    }
    // It ends with a barrier, before anything asks the walk where its words are.
    write_base(legal, v, row_of(p.words, v, slot), row_of(p.found, v, slot));
    add_rest(legal, v);
}

WG_FUNCTION void whole_slot(LegalBlock& s, const LegalParams& p, const VocabView& v, u32 slot) {
    const Slot& line = *slot_at(p.a, slot);
    if (line.status != SLOT_RUNNING || line.grammar == WG_NONE) {
        if (WG_THREAD == 0) *head_of(p, slot) = {line.status == SLOT_RUNNING ? LEGAL_ALL : LEGAL_LIST, 0};
        return;
    }
    take_slot(s.legal, p, slot);
    make_legal(s.legal, v, row_of(p.words, v, slot), true);
    const WalkShared& walk = s.legal.walk;
    const u32 listed = walk.listing != 0;
    if (listed) write_list(walk, reinterpret_cast<u32*>(p.ids) + (u64)slot * WG_LIST_CAP);
    if (WG_THREAD == 0) *head_of(p, slot) = {listed ? LEGAL_LIST : LEGAL_BITMAP, listed ? walk.count : 0};
}

WG_KERNEL(legal, LegalParams, WALK_THREADS, 4) {
    WG_SHARED(LegalBlock, s);
    const VocabView v = vocab_of(p.a.vocab);
    const u32 slots = p.a.slot_count;
    if (p.parts > 1) {
        // Fewer than 2^30 (device::slots, device::legal).
        const u32 items = slots * p.parts;
        for (u32 from = 0; from < items; from += WG_BLOCKS * WALK_THREADS) {
            const u32 item = from + WG_THREAD * WG_BLOCKS + WG_BLOCK;
            const bool is = item < items && is_long(p.a, item % slots);
            WG_SYNC();
            if (WG_THREAD == 0) s.queued = 0;
            WG_SYNC();
            if (is) s.queue[wg_atomic_add(&s.queued, 1)] = item;
            WG_SYNC();
            for (u32 i = 0; i < s.queued; ++i) long_part(s, p, v, s.queue[i] % slots, s.queue[i] / slots);
        }
    }
    for (u32 slot = WG_BLOCK; slot < slots; slot += WG_BLOCKS) {
        if (p.parts > 1 && is_long(p.a, slot)) continue;
        whole_slot(s, p, v, slot);
    }
}

static_assert(sizeof(LegalBlock) == 37960, "device::legal::SHARED");
