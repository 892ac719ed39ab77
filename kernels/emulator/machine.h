// The emulated machine: what a running kernel touches on every collective, and the collectives themselves.
// The scheduling behind them is in machine.cpp.
//
// One fiber per CUDA thread, all on one host thread. A fiber runs until it comes to a collective that others
// have not reached, then hands over to another lane of its warp, and when its warp waits, to another warp of
// any resident block. Which one is drawn from the machine's seed.
#pragma once

#include <stddef.h>
#include <string.h>

#include "fiber.h"

// u8 ... u64 and wg_u4 come from port.cuh, which includes this file through shim.h.

namespace wg_emulator {

struct Machine;
struct Block;
struct Warp;

enum class Kind : u32 { ballot = 1, any, all, shuffle, add, max, min, or_, sync_warp };

struct Fiber {
    Context context;
    Warp* warp;
    u32 thread;  // in its block
    u32 lane;
    u32 loads;   // WG_LOADS since the block's last barrier
};

struct Warp {
    // Operands of a collective, [32] its result. Two rows: a lane may come to the next collective before
    // another has read this one's, but not to the one after.
    u64 values[2][33];
    u32 phase;
    u32 arrived;     // lanes at the collective `code`
    u32 code;        // line | kind << 24: one number to compare per arrival
    const char* file;
    u32 ready;       // lanes that can run
    u32 at_barrier;  // lanes at the block's barrier
    u32 gone;        // lanes that left the kernel
    u32 turn;        // drawn anew per phase: bits 0..4 the lane to begin with, bit 5 the direction
    Block* block;
    Fiber* lanes;    // 32
    u32 index;       // in its block
};

struct Block {
    Machine* machine;
    u32 index;  // blockIdx.x
    u32 threads;
    u32 warps;
    u32 runnable;   // warps with a ready lane
    u32 starved;    // the warp that runs only when no other can, as a mask
    u32 waiting;    // threads at the barrier
    u32 gone;       // threads that left the kernel
    u32 line;       // of the barrier
    const char* file;
    u64 path;       // WG_LOADS of the busiest thread between barriers, summed over them
    u64 barriers;
    unsigned char* shared;
    Warp* warp;     // all of them
    Fiber* fibers;
};

// Things that kernels count (WG_COUNT).
constexpr u32 COUNTS = 8;

struct Machine {
    u64 random;
    u32 blocks;
    size_t shared_bytes;
    u64 collectives;   // completed by a warp in this launch
    // Of this launch: the longest way of a block through dependent reads, the most barriers of a block, WG_COUNT.
    u64 path;
    u64 barriers;
    u64 counts[COUNTS];
    u64 limit;         // more of them are a loop that does not end
    u32 skip_line;     // the barrier to leave out, 0 = none
    char skip_file[64];
};

// The running thread. `initial-exec`: one load, not a call, per use.
extern __thread Fiber* current __attribute__((tls_model("initial-exec"), visibility("hidden")));

// Gives the host thread to another fiber until this lane may go on.
__attribute__((noinline)) void wait(Warp& warp, u32 lane_bit);
// Called by the lane that completes a collective.
__attribute__((noinline)) void let_others_run_now();
[[noreturn]] __attribute__((noinline)) void fail_mixed(u32 code, const char* file);
[[noreturn]] __attribute__((noinline)) void fail_endless();
[[noreturn]] __attribute__((noinline)) void fail_alignment(const char* file, u32 line, const void* at);
bool skipped(const Machine& machine, const char* file, u32 line);
void sync_block(const char* file, u32 line);
void* shared(size_t bytes, const char* file, u32 line);

// splitmix64.
inline u64 draw(Machine& machine) {
    u64 z = machine.random += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

// Now and then, so that fibers of other warps and blocks come between two steps of this one.
inline void let_others_run() {
    if ((draw(*current->warp->block->machine) & 7) == 0) let_others_run_now();
}

// Comes to a collective with `value`; `finish` makes the result of the 32 values when all lanes are there.
template <typename Finish>
inline u64* collect(const char* file, u32 line, Kind kind, u64 value, Finish finish) {
    Fiber& me = *current;
    Warp& warp = *me.warp;
    const u32 bit = 1u << me.lane;
    const u32 code = line | (u32)kind << 24;
    if (warp.arrived == 0) {
        if ((warp.gone | warp.at_barrier) != 0) fail_mixed(code, file);
        warp.code = code;
        warp.file = file;
    } else if (warp.code != code) {
        fail_mixed(code, file);
    }
    u64* row = warp.values[warp.phase & 1];
    row[me.lane] = value;
    warp.arrived |= bit;
    if (warp.arrived != 0xffffffffu) {
        wait(warp, bit);
        return row;
    }
    finish(row);
    Machine& machine = *warp.block->machine;
    const u64 random = draw(machine);
    warp.arrived = 0;
    warp.ready = 0xffffffffu;
    warp.phase++;
    warp.turn = (u32)random & 63;
    if (++machine.collectives > machine.limit) fail_endless();
    if ((random >> 6 & 15) == 0) let_others_run_now();
    return row;
}

inline void sync_warp(const char* file, u32 line) {
    if (skipped(*current->warp->block->machine, file, line)) return;
    collect(file, line, Kind::sync_warp, 0, [](u64*) {});
}

inline u32 ballot(const char* file, u32 line, Kind kind, bool vote) {
    return (u32)collect(file, line, kind, vote, [](u64* row) {
        u64 votes = 0;
        for (u32 i = 0; i < 32; i++) votes |= row[i] << i;
        row[32] = votes;
    })[32];
}

// A source outside 0..31 is a shift beyond the warp's end: the lane keeps its own value.
template <typename T>
inline T shuffle(const char* file, u32 line, T value, u32 source) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles move 32 or 64 bits");
    u64 bits = 0;
    memcpy(&bits, &value, sizeof(T));
    const u64* row = collect(file, line, Kind::shuffle, bits, [](u64*) {});
    if (source < 32) memcpy(&value, &row[source], sizeof(T));
    return value;
}

template <typename Combine>
inline u32 reduce(const char* file, u32 line, Kind kind, u32 value, Combine combine) {
    return (u32)collect(file, line, kind, value, [combine](u64* row) {
        u32 sum = (u32)row[0];
        for (u32 i = 1; i < 32; i++) sum = combine(sum, (u32)row[i]);
        row[32] = sum;
    })[32];
}
inline u32 reduce_add(const char* file, u32 line, u32 v) {
    return reduce(file, line, Kind::add, v, [](u32 a, u32 b) { return a + b; });
}
inline u32 reduce_max(const char* file, u32 line, u32 v) {
    return reduce(file, line, Kind::max, v, [](u32 a, u32 b) { return a < b ? b : a; });
}
inline u32 reduce_min(const char* file, u32 line, u32 v) {
    return reduce(file, line, Kind::min, v, [](u32 a, u32 b) { return a < b ? a : b; });
}
inline u32 reduce_or(const char* file, u32 line, u32 v) {
    return reduce(file, line, Kind::or_, v, [](u32 a, u32 b) { return a | b; });
}

inline wg_u4 load16(const char* file, u32 line, const void* at) {
    if (((size_t)at & 15) != 0) fail_alignment(file, line, at);
    wg_u4 v;
    memcpy(&v, at, 16);
    return v;
}

// A kernel's entry in the launch table, made by WG_KERNEL before main.
struct Registration {
    const char* name;
    size_t params, alignment;
    u32 threads;
    void (*body)(const void* params);
    const Registration* next;
    Registration(const char* name, size_t params, size_t alignment, u32 threads, void (*body)(const void*));
};

}  // namespace wg_emulator
