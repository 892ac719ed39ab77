// A machine with its memory: what one launch after another is run on.
#pragma once

#include <pthread.h>

#include "machine.h"

namespace wg_emulator {

constexpr u32 MAX_THREADS = 1024;
// Resident at a time: three to five, so that blocks meet half-way, and as many as the grid has if fewer.
constexpr u32 MIN_RESIDENT = 3, MAX_RESIDENT = 5;
constexpr u32 MAX_FIBERS = MAX_THREADS * MAX_RESIDENT;
// What every architecture we build for can give a block.
constexpr size_t MAX_SHARED = 99 * 1024;

struct Run : Machine {
    const Registration* kernel = nullptr;
    const void* params = nullptr;
    u32 resident = 0;
    u32 started = 0;      // blocks of the grid that were begun
    u32 first_block = 0;
    bool descending = false;
    bool failed = false;
    u32 prepared = 0;     // fibers with a stack that can be run
    Fiber host = {};      // the launching thread
    Fiber* fibers = nullptr;
    Stacks stacks;
    pthread_t thread = {};  // that launched last
    size_t shared_room[MAX_RESIDENT] = {};
    Block block[MAX_RESIDENT] = {};
    Warp warp[MAX_RESIDENT][MAX_THREADS / 32] = {};
    char message[512] = {};

    Run() : Machine() {}
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    ~Run();
    // Threads, warps and shared memory for `resident` blocks of `threads`; false if there is no memory.
    bool make_room(u32 threads);
    // Runs the grid; false if it failed, with `message` set.
    bool start();
};

}  // namespace wg_emulator
