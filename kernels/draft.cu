// Draft tokens judged before they are kept: for every node of a chain or a tree of them whether it could come next on
// its way from the slot, and if asked the legal sets at the slot and after every node. Changes no slot.
//
// Thread mapping: a block of 128 threads a node, each of which follows its own way from the slot, so that nodes wait
// for no other; one thread reads the tokens, the block makes the set as in legal.cu.
//
// Bytes moved a node: its way's tables, and with sets as much as legal.cu a slot. Floor: as there.
#include "legal.cuh"

// Nodes of a row.
#define DRAFT_NODES 64u
// DraftParams::parents: the node follows the slot itself.
#define DRAFT_ROOT 0xffffffffu

struct DraftParams {
    SlotArrays a;
    u64 rows;      // u32 [row_count]: slots
    u64 counts;    // u32 [row_count]: nodes of each row, at most `nodes`
    u64 tokens;    // u32 [row_count][nodes]
    u64 parents;   // u32 [row_count][nodes]: an earlier node or DRAFT_ROOT; 0: chains
    u64 verdicts;  // u32 [row_count][nodes]: the first AdvanceVerdict on the way that is not ADVANCE_OK
    u64 words;     // u32 [row_count][nodes + 1][stride]: the sets, the slot's first; 0: none wanted
    u64 pool;      // Level [blocks][pool_room]
    u64 spare;     // Level [blocks][WALK_WARPS + 1][max_levels]
    u32 row_count;
    u32 nodes;     // at most DRAFT_NODES
    u32 stride;    // words, a multiple of 4 and at least VocabHeader::stride
    u32 pool_room;
};
static_assert(sizeof(DraftParams) == 136, "device::draft::DraftParams");

struct DraftBlock {
    LegalShared legal;
    u32 path[DRAFT_NODES];
    u32 floor;
    u32 status;  // after the node
    u32 verdict;
};

// Follows the way to a node (or to the slot itself, node 0xffffffff); by one thread.
WG_DEVICE void follow_path(DraftBlock& s, const DraftParams& p, u32 row, u32 slot, u32 node, Level* own) {
    const u32* tokens = reinterpret_cast<const u32*>(p.tokens) + (u64)row * p.nodes;
    const u32* parents = reinterpret_cast<const u32*>(p.parents) + (u64)row * p.nodes;
    const VocabView v = vocab_of(p.a.vocab);
    const Slot& line = *slot_at(p.a, slot);
    u32 length = 0;
    s.verdict = ADVANCE_OK;
    while (node != DRAFT_ROOT) {
        s.path[length++] = node;
        const u32 parent = p.parents != 0 ? parents[node] : node - 1;
        // A parent that is no earlier node makes no way.
        if (parent != DRAFT_ROOT && parent >= node) s.verdict = ADVANCE_ILLEGAL;
        if (s.verdict != ADVANCE_OK) break;
        node = parent;
    }
    Place place = place_of(line);
    const bool constrained = line.grammar != WG_NONE;
    if (constrained) s.legal.walk.g = view_of(line.grammar);
    LinearLevels levels = {levels_at(p.a, slot), own, place.c.depth, p.a.max_levels};
    while (s.verdict == ADVANCE_OK && length > 0) {
        s.verdict = place.status != SLOT_RUNNING
                        ? (u32)ADVANCE_NOT_RUNNING
                        : follow(s.legal.walk.g, constrained, v, levels, place, tokens[s.path[--length]]);
    }
    s.floor = levels.floor;
    s.legal.root = place.c;
    s.legal.walk.budget = place.budget;
    s.status = place.status;
}

// The set after a node, or at the slot.
WG_DEVICE void write_set(DraftBlock& s, const DraftParams& p, u32 row, u32 slot, u32 node, Level* own) {
    const VocabView v = vocab_of(p.a.vocab);
    u32* words = reinterpret_cast<u32*>(p.words) + ((u64)row * (p.nodes + 1) + (node + 1)) * p.stride;
    const bool alive = s.verdict == ADVANCE_OK && s.status == SLOT_RUNNING;
    const bool constrained = slot_at(p.a, slot)->grammar != WG_NONE;
    if (!alive || !constrained) {
        const u32 width = v.header->width;
        for (u32 i = WG_THREAD; i < v.header->stride; i += WG_THREADS) {
            const u32 bits = 32 * i >= width ? 0 : width - 32 * i >= 32 ? 0xffffffffu : (1u << (width - 32 * i)) - 1;
            words[i] = alive ? bits : 0;
        }
        return;
    }
    // The walk reads levels from one place: those that are still the slot's go below the new ones.
    const Level* base = levels_at(p.a, slot);
    for (u32 i = WG_THREAD; i < s.floor; i += WG_THREADS) own[i] = base[i];
    if (WG_THREAD == 0) {
        s.legal.walk.base = own;
        s.legal.walk.pool = reinterpret_cast<Level*>(p.pool) + (u64)WG_BLOCK * p.pool_room;
        s.legal.walk.spare = own + p.a.max_levels;
        s.legal.walk.pool_room = p.pool_room;
        s.legal.walk.max_levels = p.a.max_levels;
    }
    // It begins with a barrier.
    make_legal(s.legal, v, words, false);
}

WG_KERNEL(verify_draft, DraftParams, WALK_THREADS, 3) {
    WG_SHARED(DraftBlock, s);
    const u32 each = p.nodes + (p.words != 0 ? 1 : 0);
    Level* own = reinterpret_cast<Level*>(p.spare) + (u64)WG_BLOCK * (WALK_WARPS + 1) * p.a.max_levels;
    for (u64 item = WG_BLOCK; item < (u64)p.row_count * each; item += WG_BLOCKS) {
        const u32 row = (u32)(item / each);
        // With sets, the slot's own comes first: node number -1.
        const u32 node = (u32)(item % each) - (p.words != 0 ? 1 : 0);
        const u32 slot = reinterpret_cast<const u32*>(p.rows)[row];
        const u32 count = reinterpret_cast<const u32*>(p.counts)[row];
        u32* verdict = reinterpret_cast<u32*>(p.verdicts) + (u64)row * p.nodes + node;
        const bool is_node = node != DRAFT_ROOT;
        if (slot >= p.a.slot_count || (is_node && node >= count)) {
            if (is_node && WG_THREAD == 0) *verdict = ADVANCE_INACTIVE;
            continue;
        }
        WG_SYNC();
        if (WG_THREAD == 0) {
            follow_path(s, p, row, slot, node, own);
            if (is_node) *verdict = s.verdict;
        }
        WG_SYNC();
        if (p.words != 0) write_set(s, p, row, slot, node, own);
    }
}

static_assert(sizeof(DraftBlock) == 37712, "device::draft::SHARED");
