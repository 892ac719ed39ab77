// Moving a slot on by a token, and back: the twin of src/engine/slot.rs (`advance`, `end`, `rollback`).
//
// A slot is moved by one warp. Lane 0 reads the token's bytes, which cannot be shared out; the lanes copy
// levels: at most `depth` of them, 32 bytes each, into the history and from the spare array.
#pragma once

#include "adjust.cuh"
#include "automaton.cuh"

// Where slots are: the twin of src/device/advance.rs.
struct SlotArrays {
    u64 slots;    // Slot [slot_count]
    u64 levels;   // Level [slot_count][max_levels]
    u64 spare;    // Level [slot_count][max_levels]: what a token opens before it is known to be legal
    u64 history;  // [slot_count][keep] of a Snapshot and max_levels Levels
    u64 vocab;    // VocabHeader
    u32 slot_count;
    u32 max_levels;  // at least every grammar's max_depth
    u32 keep;        // tokens that can be taken back, at most
    u32 padding;
};
static_assert(sizeof(SlotArrays) == 56, "device::advance::SlotArrays");

// What became of a token; the first two are RowStatus's.
enum AdvanceVerdict : u32 {
    ADVANCE_OK = 0,
    ADVANCE_INACTIVE = 1,     // the row has no slot
    ADVANCE_ILLEGAL = 2,
    ADVANCE_NOT_RUNNING = 3,  // the slot is free or has finished
    ADVANCE_COUNTS_FULL = 4,  // no room to count the token for penalties
};

// A slot as far as tokens move it.
struct Place {
    Config c;
    u32 budget;
    u32 status;
};

WG_DEVICE Place place_of(const Slot& s) {
    return {{s.seen, s.owed, s.state, s.count, s.spaces, s.depth, WG_OWN_LEVELS, 0}, s.budget, s.status};
}

WG_DEVICE Slot* slot_at(const SlotArrays& a, u32 slot) { return reinterpret_cast<Slot*>(a.slots) + slot; }
WG_DEVICE Level* levels_at(const SlotArrays& a, u32 slot) {
    return reinterpret_cast<Level*>(a.levels) + (u64)slot * a.max_levels;
}
WG_DEVICE Level* spare_at(const SlotArrays& a, u32 slot) {
    return reinterpret_cast<Level*>(a.spare) + (u64)slot * a.max_levels;
}
// The record that goes with the slot's token number `output`.
WG_DEVICE Snapshot* snapshot_at(const SlotArrays& a, u32 slot, u32 output) {
    const u64 size = sizeof(Snapshot) + (u64)a.max_levels * sizeof(Level);
    return reinterpret_cast<Snapshot*>(a.history + ((u64)slot * a.keep + output % a.keep) * size);
}

// Whether no byte can follow a complete text.
WG_FUNCTION bool is_at_end(const GrammarView& g, const LinearLevels& levels, const Config& c) {
    const u32* row = section_at<u32>(g, g.rows) + row_of(g, c.state);
    // Nearly always the state after the document, whose row is empty.
    if (row[0] >> 29 == ACTION_DEAD && row[1] == 0) return true;
#pragma unroll 1
    for (u32 byte = 0; byte < 256; ++byte) {
        Config next = c;
        OneLevel one = one_level(levels);
        if (read_byte(g, one, next, byte, WG_UNLIMITED)) return false;
    }
    return true;
}

// The parts of reading a token, each by itself: what one needs is not kept in registers while another runs.
WG_FUNCTION bool completes(const GrammarView& g, const LinearLevels& levels, const Config& c) {
    return is_complete(g, levels, c);
}
WG_FUNCTION bool skips(const GrammarView& g, const VocabView& v, LinearLevels& levels, Config& c, u32 token) {
    const Bytes bytes = bytes_of(v, token);
    return skip_token(g, v, levels, c, token, bytes.to - bytes.from);
}
WG_FUNCTION bool reads(const GrammarView& g, const VocabView& v, LinearLevels& levels, Config& c, u32 token, u64 left) {
    const Bytes bytes = bytes_of(v, token);
    return bytes.from != bytes.to && read_bytes(g, v, levels, c, bytes, left);
}

WG_FUNCTION bool rests(const GrammarView& g, const Config& c, u32 budget) { return fits(g, c, budget); }

// Moves a running place on by a token. If the answer is not ADVANCE_OK the place is of no use any more.
WG_DEVICE u32 follow(const GrammarView& g, bool constrained, const VocabView& v, LinearLevels& levels, Place& p, u32 token) {
    if (token >= v.header->width) return ADVANCE_ILLEGAL;
    if (is_stop(v, token)) {
        if (constrained && !completes(g, levels, p.c)) return ADVANCE_ILLEGAL;
        p.status = SLOT_STOPPED;
        return ADVANCE_OK;
    }
    // read_token, part by part.
    if (constrained && !skips(g, v, levels, p.c, token) &&
        !reads(g, v, levels, p.c, token, left_after(p.budget))) {
        return ADVANCE_ILLEGAL;
    }
    if (constrained && !rests(g, p.c, p.budget)) return ADVANCE_ILLEGAL;
    if (p.budget != WG_NO_LIMIT && p.budget != 0) p.budget -= 1;
    const bool used_up = p.budget == 0;
    if (constrained && completes(g, levels, p.c) && (used_up || is_at_end(g, levels, p.c))) {
        p.status = SLOT_COMPLETE;
    } else if (used_up) {
        p.status = SLOT_LENGTH;
    }
    return ADVANCE_OK;
}

// Copies `n` levels; by all lanes of a warp.
WG_DEVICE void copy_levels(Level* to, const Level* from, u32 n) {
    u64* target = reinterpret_cast<u64*>(to);
    const u64* source = reinterpret_cast<const u64*>(from);
    for (u32 i = WG_LANE; i < n * (sizeof(Level) / sizeof(u64)); i += WG_WARP_SIZE) target[i] = source[i];
}

// What a token makes of a slot, before any of it is kept.
struct Moved {
    Place p;
    u32 floor;    // levels from here on are the token's
    u32 stopped;  // by a stop token
};

// Counts a token that was read; by one thread.
WG_DEVICE u32 count_next(const Slot& s, u32 token) {
    Adjust* adjust = reinterpret_cast<Adjust*>(s.adjust);
    if (s.adjust == WG_NONE) return ADVANCE_OK;
    if (!adjust_has_room(adjust, token)) return ADVANCE_COUNTS_FULL;
    adjust_push(adjust, token);
    return ADVANCE_OK;
}

// Reads a token from where a slot is; by one thread. A function of its own, because of what it asks of registers while
// bytes are read: its caller has nothing in them then.
WG_FUNCTION u32 read_next(const SlotArrays& a, u32 slot, u32 token, Moved& moved) {
    const Slot* s = slot_at(a, slot);
    moved.p = place_of(*s);
    if (moved.p.status != SLOT_RUNNING) return ADVANCE_NOT_RUNNING;
    const bool constrained = s->grammar != WG_NONE;
    GrammarView g = {};
    if (constrained) g = view_of(s->grammar);
    LinearLevels levels = {levels_at(a, slot), spare_at(a, slot), moved.p.c.depth, a.max_levels};
    const u32 verdict = follow(g, constrained, vocab_of(a.vocab), levels, moved.p, token);
    moved.floor = levels.floor;
    moved.stopped = moved.p.status == SLOT_STOPPED;
    return verdict;
}

// Moves a slot on by a token; by all lanes of a warp, with the same argument. Unless the answer is ADVANCE_OK,
// nothing has changed. The slot's new status is in its line.
//
// `n` is read anew after the token has been: a step has it in shared memory, and nothing of it in registers while
// bytes are read.
WG_DEVICE u32 advance_slot(const Next& n) {
    Moved moved = {};
    u32 verdict = ADVANCE_OK;
    if (WG_LANE == 0) {
        verdict = read_next(*n.arrays, n.slot, n.token, moved);
        if (verdict == ADVANCE_OK && moved.stopped == 0) {
            verdict = count_next(*slot_at(*n.arrays, n.slot), n.token);
        }
    }
    verdict = WG_SHFL(verdict, 0);
    if (verdict != ADVANCE_OK) return verdict;
    const SlotArrays& a = *n.arrays;
    Slot* s = slot_at(a, n.slot);
    if (WG_SHFL(moved.stopped, 0) != 0) {
        // A stop token is no token of the output: nothing but the status has changed.
        if (WG_LANE == 0) s->status = SLOT_STOPPED;
        WG_SYNC_WARP();
        return ADVANCE_OK;
    }
    const u32 floor = WG_SHFL(moved.floor, 0);
    const u32 depth = WG_SHFL(moved.p.c.depth, 0);
    Level* base = levels_at(a, n.slot);
    if (a.keep != 0) {
        Snapshot* record = snapshot_at(a, n.slot, s->output);
        copy_levels(reinterpret_cast<Level*>(record + 1), base, s->depth);
        if (WG_LANE == 0) {
            *record = {s->seen, s->owed, s->state, s->count, s->spaces, s->depth, s->budget, s->status, n.token, 0};
        }
        WG_SYNC_WARP();
    }
    if (floor < depth) copy_levels(base + floor, spare_at(a, n.slot) + floor, depth - floor);
    if (WG_LANE == 0) {
        const Place& p = moved.p;
        s->seen = p.c.seen;
        s->owed = p.c.owed;
        s->state = p.c.state;
        s->count = p.c.count;
        s->spaces = p.c.spaces;
        s->depth = p.c.depth;
        s->budget = p.budget;
        s->status = p.status;
        s->position += 1;
        s->output += 1;
        if (s->history < a.keep) s->history += 1;
    }
    WG_SYNC_WARP();
    return ADVANCE_OK;
}

// Takes back the last `n` tokens, and a stop token after them; by all lanes of a warp. False, and nothing
// changes, if the history is shorter or the slot is free.
WG_DEVICE bool rollback_slot(const SlotArrays& a, u32 slot, u32 n) {
    Slot* s = slot_at(a, slot);
    const u32 status = s->status, output = s->output;
    const bool can = status != SLOT_FREE && n <= s->history;
    const u64 adjust = s->adjust;
    WG_SYNC_WARP();
    if (!can) return false;
    if (n > 0) {
        const Snapshot* record = snapshot_at(a, slot, output - n);
        const Snapshot old = *record;
        copy_levels(levels_at(a, slot), reinterpret_cast<const Level*>(record + 1), old.depth);
        if (WG_LANE == 0) {
            if (adjust != WG_NONE) {
                for (u32 i = 1; i <= n; ++i) {
                    adjust_pop(reinterpret_cast<Adjust*>(adjust), snapshot_at(a, slot, output - i)->token);
                }
            }
            s->seen = old.seen;
            s->owed = old.owed;
            s->state = old.state;
            s->count = old.count;
            s->spaces = old.spaces;
            s->depth = old.depth;
            s->budget = old.budget;
            s->position -= n;
            s->output = output - n;
            s->history -= n;
        }
    }
    // Without a token taken back, an output at its end is still there.
    if (WG_LANE == 0 && (n > 0 || status == SLOT_STOPPED)) s->status = SLOT_RUNNING;
    WG_SYNC_WARP();
    return true;
}
