// Where a text is, and the levels it has open.
//
// These are in the slot's array, which nobody writes while tokens are tried. What a token
// opens itself goes to a `Levels`, of which there are three: LinearLevels for one token read to its end,
// PoolLevels for many that share prefixes, OneLevel for a single byte.
//
// Thread mapping: one thread follows one text. Bytes moved: 32 a level opened or left.
#pragma once

#include "layout.cuh"
#include "slot.cuh"

// PoolLevels: the innermost level is the slot's own.
#define WG_OWN_LEVELS 0xffffffffu

// Where a text is; its levels are in a Levels.
struct Config {
    KeySet seen;
    u64 owed;  // sum of the open levels' costs
    u32 state;
    u32 count;
    u32 spaces;
    u32 depth;
    u32 top;   // PoolLevels only
    u32 walk;  // of a walk only: what is walked (walk.cuh)
};

// One token, read from its first byte to its last: levels below `floor` are still the slot's.
struct LinearLevels {
    const Level* base;
    Level* own;  // as many as the slot has room for
    u32 floor;
    u32 room;

    // A configuration has no top here.
    WG_DEVICE void set_top(Config&, u32) const {}
    WG_DEVICE bool reserve(const Config& c, u32& place) {
        place = c.depth;
        return c.depth < room;
    }
    WG_DEVICE void push(Config& c, u32, const Level& level) {
        own[c.depth] = level;
        c.depth += 1;
        c.owed += level.cost;
    }
    // The level last pushed there.
    WG_DEVICE const Level& opened_level(u32 depth, u32) const { return own[depth]; }
    WG_DEVICE Level pop(Config& c) {
        c.depth -= 1;
        WG_LOADS(1);
        const Level level = c.depth < floor ? base[c.depth] : own[c.depth];
        floor = c.depth < floor ? c.depth : floor;
        c.owed -= level.cost;
        return level;
    }
};

// Many texts that share prefixes: a tree of immutable levels, so that a fork is a copy of the Config.
struct PoolLevels {
    const Level* base;
    Level* pool;
    u32* used;  // shared by the block
    u32 room;
    bool full;  // a level found no room: the answer "illegal" is worth nothing

    WG_DEVICE void set_top(Config& c, u32 top) const { c.top = top; }
    WG_DEVICE bool reserve(const Config&, u32& place) {
        place = wg_atomic_add(used, 1);
        if (place < room) return true;
        full = true;
        return false;
    }
    WG_DEVICE void push(Config& c, u32 place, const Level& level) {
        pool[place] = level;
        pool[place].below = c.top;
        c.top = place;
        c.depth += 1;
        c.owed += level.cost;
    }
    WG_DEVICE const Level& opened_level(u32, u32 place) const { return pool[place]; }
    WG_DEVICE Level pop(Config& c) {
        c.depth -= 1;
        Level level;
        WG_LOADS(1);
        if (c.top == WG_OWN_LEVELS) {
            level = base[c.depth];
        } else {
            level = pool[c.top];
            c.top = level.below;
        }
        c.owed -= level.cost;
        return level;
    }
};

// A single byte tried after what a LinearLevels has read: it opens one level at most, which is then of no use.
struct OneLevel {
    const Level* base;
    const Level* own;
    u32 floor;
    Level opened;
    u32 opened_at;

    WG_DEVICE void set_top(Config&, u32) const {}
    WG_DEVICE bool reserve(const Config& c, u32& place) {
        place = 0;
        opened_at = c.depth;
        return true;
    }
    WG_DEVICE void push(Config& c, u32, const Level& level) {
        opened = level;
        c.depth += 1;
        c.owed += level.cost;
    }
    WG_DEVICE const Level& opened_level(u32, u32) const { return opened; }
    WG_DEVICE Level pop(Config& c) {
        c.depth -= 1;
        WG_LOADS(1);
        const Level level = c.depth == opened_at ? opened : c.depth < floor ? base[c.depth] : own[c.depth];
        c.owed -= level.cost;
        return level;
    }
};

WG_DEVICE OneLevel one_level(const LinearLevels& l) {
    return {l.base, l.own, l.floor, {{0, 0}, 0, 0, 0, 0}, 0xffffffffu};
}
