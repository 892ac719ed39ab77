// Moving slots on and back for stacks with a sampler of their own, and the bytes that must come next.
//
// Thread mapping: a warp a row. Reading a token is a chain of look-ups, three a byte, which no second lane can
// shorten; lanes share the copying of levels, and `forced` tries 256 bytes, eight a lane.
//
// Bytes moved a row: the slot's line twice, its levels once into the history (32 bytes each), and per byte of
// the token about 100 bytes of tables, from L1 or L2. Floor: a launch.
#include "advance.cuh"

#define ADVANCE_THREADS 128u

struct AdvanceParams {
    SlotArrays a;
    u64 rows;      // u32 [row_count]: slots
    u64 tokens;    // u32 [row_count]
    u64 verdicts;  // u32 [row_count]: AdvanceVerdict
    u32 row_count;
    u32 padding;
};
static_assert(sizeof(AdvanceParams) == 88, "device::advance::AdvanceParams");

struct RollbackParams {
    SlotArrays a;
    u64 rows;
    u64 counts;    // u32 [row_count]: tokens to take back
    u64 verdicts;  // u32 [row_count]: ADVANCE_OK, ADVANCE_INACTIVE or, if the history is shorter, ADVANCE_ILLEGAL
    u32 row_count;
    u32 padding;
};
static_assert(sizeof(RollbackParams) == 88, "device::advance::RollbackParams");

struct ForcedParams {
    SlotArrays a;
    u64 rows;
    u64 bytes;    // u8 [row_count][capacity]
    u64 lengths;  // u32 [row_count]
    u32 row_count;
    u32 capacity;
};
static_assert(sizeof(ForcedParams) == 88, "device::advance::ForcedParams");

WG_DEVICE u32 first_row() { return WG_BLOCK * (WG_THREADS / WG_WARP_SIZE) + WG_WARP; }
WG_DEVICE u32 row_step() { return WG_BLOCKS * (WG_THREADS / WG_WARP_SIZE); }

WG_KERNEL(advance, AdvanceParams, ADVANCE_THREADS, 4) {
    for (u32 row = first_row(); row < p.row_count; row += row_step()) {
        const u32 slot = reinterpret_cast<const u32*>(p.rows)[row];
        u32 verdict = ADVANCE_INACTIVE;
        if (slot < p.a.slot_count) {
            verdict = advance_slot({&p.a, slot, reinterpret_cast<const u32*>(p.tokens)[row]});
        }
        if (WG_LANE == 0) reinterpret_cast<u32*>(p.verdicts)[row] = verdict;
    }
}

WG_KERNEL(rollback, RollbackParams, ADVANCE_THREADS, 4) {
    for (u32 row = first_row(); row < p.row_count; row += row_step()) {
        const u32 slot = reinterpret_cast<const u32*>(p.rows)[row];
        u32 verdict = ADVANCE_INACTIVE;
        if (slot < p.a.slot_count) {
            const bool done = rollback_slot(p.a, slot, reinterpret_cast<const u32*>(p.counts)[row]);
            verdict = done ? ADVANCE_OK : ADVANCE_ILLEGAL;
        }
        if (WG_LANE == 0) reinterpret_cast<u32*>(p.verdicts)[row] = verdict;
    }
}

WG_DEVICE u64 broadcast64(u64 v) { return WG_SHFL(v, 0); }

// The bytes that every continuation begins with, whatever the budget; by all lanes of a warp.
WG_DEVICE u32 forced_bytes(const SlotArrays& a, u32 slot, u8* bytes, u32 capacity) {
    const Slot* s = slot_at(a, slot);
    if (s->status != SLOT_RUNNING || s->grammar == WG_NONE) return 0;
    const GrammarView g = view_of(s->grammar);
    LinearLevels levels = {levels_at(a, slot), spare_at(a, slot), s->depth, a.max_levels};
    Config c = place_of(*s).c;
    u32 length = 0;
    while (length < capacity) {
        if (is_complete(g, levels, c)) break;
        // Which of this lane's eight bytes can be next.
        u32 legal = 0;
        for (u32 i = 0; i < 8; ++i) {
            Config next = c;
            OneLevel one = one_level(levels);
            if (read_byte(g, one, next, 8 * WG_LANE + i, WG_UNLIMITED)) legal |= 1u << i;
        }
        if (WG_REDUCE_ADD(wg_popc(legal)) != 1) break;
        const u32 byte = WG_REDUCE_MAX(legal != 0 ? 8 * WG_LANE + wg_ffs(legal) - 1 : 0);
        // Lane 0 reads it; the others take over where it is then.
        if (WG_LANE == 0) {
            read_byte(g, levels, c, byte, WG_UNLIMITED);
            bytes[length] = (u8)byte;
        }
        WG_SYNC_WARP();
        c.seen = {broadcast64(c.seen.low), broadcast64(c.seen.high)};
        c.owed = broadcast64(c.owed);
        c.state = WG_SHFL(c.state, 0);
        c.count = WG_SHFL(c.count, 0);
        c.spaces = WG_SHFL(c.spaces, 0);
        c.depth = WG_SHFL(c.depth, 0);
        levels.floor = WG_SHFL(levels.floor, 0);
        length += 1;
    }
    return length;
}

WG_KERNEL(forced, ForcedParams, ADVANCE_THREADS, 4) {
    for (u32 row = first_row(); row < p.row_count; row += row_step()) {
        const u32 slot = reinterpret_cast<const u32*>(p.rows)[row];
        u32 length = 0;
        if (slot < p.a.slot_count) {
            length = forced_bytes(p.a, slot, reinterpret_cast<u8*>(p.bytes) + (u64)row * p.capacity, p.capacity);
        }
        if (WG_LANE == 0) reinterpret_cast<u32*>(p.lengths)[row] = length;
    }
}
