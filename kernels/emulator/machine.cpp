// The scheduler: which fiber runs next, barriers of a block, and what is reported when a kernel breaks the
// rules of its collectives.
#include "../port.cuh"

#ifndef __CUDACC__
#include "machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "run.h"

namespace wg_emulator {

__thread Fiber* current __attribute__((tls_model("initial-exec"), visibility("hidden")));

static inline void switch_to(Fiber* next) {
    Fiber* me = current;
    if (me == next) return;
    current = next;
    switch_context(me->context, next->context);
}

// The next ready lane of `warp`, from its turn's first lane upwards or downwards.
static inline Fiber* ready_lane(Warp& warp) {
    const u32 first = warp.turn & 31;
    const u32 turned = first == 0 ? warp.ready : warp.ready >> first | warp.ready << (32 - first);
    const u32 step = warp.turn & 32 ? 31u - (u32)__builtin_clz(turned) : (u32)__builtin_ctz(turned);
    return &warp.lanes[(first + step) & 31];
}

// A warp of `candidates` (not 0), at random.
static inline Warp& any_of(Block& block, u32 candidates, u32 random) {
    const u32 first = random & 31;
    const u32 turned = first == 0 ? candidates : candidates >> first | candidates << (32 - first);
    return block.warp[(first + (u32)__builtin_ctz(turned)) & 31];
}

// A fiber that can run, from any resident block; the launching thread's when the grid is done.
static Fiber* pick(Run& run) {
    const u64 random = draw(run);
    const u32 first = (u32)(random >> 32) % run.resident;
    for (int starving = 0; starving < 2; starving++) {
        for (u32 i = 0; i < run.resident; i++) {
            Block& block = run.block[(first + i) % run.resident];
            const u32 candidates = starving ? block.runnable : block.runnable & ~block.starved;
            if (candidates != 0) return ready_lane(any_of(block, candidates, (u32)random));
        }
    }
    return &run.host;
}

static Run& run_of(Fiber& fiber) { return static_cast<Run&>(*fiber.warp->block->machine); }

void wait(Warp& warp, u32 lane_bit) {
    warp.ready &= ~lane_bit;
    Fiber* next;
    if (warp.ready != 0) {
        next = ready_lane(warp);
    } else {
        warp.block->runnable &= ~(1u << warp.index);
        next = pick(static_cast<Run&>(*warp.block->machine));
    }
    switch_to(next);
}

void let_others_run_now() { switch_to(pick(run_of(*current))); }

// The machine

static const char* file_name(const char* path) {
    const char* slash = strrchr(path, '/');
    return slash == nullptr ? path : slash + 1;
}

static const char* kind_name(u32 code) {
    static const char* const NAMES[] = {"a barrier of the block", "WG_BALLOT", "WG_ANY", "WG_ALL", "a shuffle",
                                        "WG_REDUCE_ADD", "WG_REDUCE_MAX", "WG_REDUCE_MIN", "WG_REDUCE_OR",
                                        "WG_SYNC_WARP"};
    const u32 kind = code >> 24;
    return kind < sizeof NAMES / sizeof *NAMES ? NAMES[kind] : "a collective";
}

// Ends the launch: back to the launching thread, leaving every fiber where it is.
[[noreturn]] static void fail(const char* format, ...) {
    Fiber& me = *current;
    Run& run = run_of(me);
    int at = snprintf(run.message, sizeof run.message, "kernel %s, block %u, thread %u: ", run.kernel->name,
                      me.warp->block->index, me.thread);
    va_list list;
    va_start(list, format);
    vsnprintf(run.message + at, sizeof run.message - (size_t)at, format, list);
    va_end(list);
    run.failed = true;
    switch_to(&run.host);
    abort();  // an abandoned fiber never runs again
}

void fail_mixed(u32 code, const char* file) {
    Warp& warp = *current->warp;
    const char* what = kind_name(code);
    const u32 line = code & 0xffffff;
    if (warp.arrived != 0)
        fail("mixed collectives in a warp: it came to %s (%s:%u) while lanes %08x wait at %s (%s:%u)", what,
             file_name(file), line, warp.arrived, kind_name(warp.code), file_name(warp.file),
             warp.code & 0xffffff);
    if (warp.at_barrier != 0)
        fail("mixed collectives in a warp: it came to %s (%s:%u) while lanes %08x wait at the block's barrier (%s:%u)",
             what, file_name(file), line, warp.at_barrier, file_name(warp.block->file), warp.block->line);
    fail("deadlock: it came to %s (%s:%u), but lanes %08x of its warp have left the kernel", what, file_name(file),
         line, warp.gone);
}

void fail_endless() {
    fail("no end in sight after %llu collectives: an endless loop", current->warp->block->machine->limit);
}

void fail_alignment(const char* file, u32 line, const void* at) {
    fail("misaligned 16-byte load from %p (%s:%u)", at, file_name(file), line);
}

bool skipped(const Machine& machine, const char* file, u32 line) {
    return machine.skip_line == line && strcmp(file_name(file), machine.skip_file) == 0;
}

// Between two barriers a block waits for the thread that reads the longest chain.
static void add_path(Block& block) {
    u32 most = 0;
    for (u32 i = 0; i < block.threads; i++) {
        Fiber& fiber = block.fibers[i];
        if (fiber.loads > most) most = fiber.loads;
        fiber.loads = 0;
    }
    block.path += most;
}

void sync_block(const char* file, u32 line) {
    Fiber& me = *current;
    Warp& warp = *me.warp;
    Block& block = *warp.block;
    if (skipped(*block.machine, file, line)) return;
    if (warp.arrived != 0) fail_mixed(line, file);
    if (block.gone != 0)
        fail("deadlock: it came to the block's barrier (%s:%u), but %u of %u threads have left the kernel",
             file_name(file), line, block.gone, block.threads);
    if (block.waiting == 0) {
        block.line = line;
        block.file = file;
    } else if (block.line != line) {
        fail("divergent barriers: it came to %s:%u while %u threads wait at %s:%u", file_name(file), line,
             block.waiting, file_name(block.file), block.line);
    }
    warp.at_barrier |= 1u << me.lane;
    if (++block.waiting < block.threads) return wait(warp, 1u << me.lane);
    Run& run = run_of(me);
    add_path(block);
    block.barriers++;
    block.waiting = 0;
    for (u32 i = 0; i < block.warps; i++) {
        block.warp[i].ready = 0xffffffffu;
        block.warp[i].at_barrier = 0;
        block.warp[i].turn = (u32)draw(run) & 63;
    }
    block.runnable = block.warps == 32 ? 0xffffffffu : (1u << block.warps) - 1;
    block.starved = 1u << draw(run) % block.warps;
    if (++run.collectives > run.limit) fail_endless();
    let_others_run_now();
}

void* shared(size_t bytes, const char* file, u32 line) {
    Block& block = *current->warp->block;
    if (bytes > block.machine->shared_bytes)
        fail("%zu bytes of shared memory are used (%s:%u), %zu were asked for at the launch", bytes,
             file_name(file), line, block.machine->shared_bytes);
    return block.shared;
}

// The grid

// Takes the next block of the grid into `block`; false if there is none left.
static bool next_block(Run& run, Block& block) {
    if (run.started == run.blocks) return false;
    // A rotation and a direction: any block may come before or after any other.
    const u32 order = run.started++;
    const u32 turned = run.descending ? run.blocks - 1 - order : order;
    block.index = (u32)(((u64)turned + run.first_block) % run.blocks);
    block.waiting = block.gone = 0;
    block.path = block.barriers = 0;
    block.runnable = block.warps == 32 ? 0xffffffffu : (1u << block.warps) - 1;
    block.starved = 1u << draw(run) % block.warps;
    for (u32 i = 0; i < block.warps; i++) {
        Warp& warp = block.warp[i];
        warp.phase = warp.arrived = warp.at_barrier = warp.gone = 0;
        warp.ready = 0xffffffffu;
        warp.turn = (u32)draw(run) & 63;
    }
    // Shared memory holds whatever the last block left: here, noise.
    const u64 noise = draw(run) | 1;
    for (size_t i = 0; i + 8 <= run.shared_bytes; i += 8) {
        const u64 word = noise * (i + 1);
        memcpy(block.shared + i, &word, 8);
    }
    return true;
}

// A thread left the kernel: the last of its block makes room for the next one.
static void leave(Fiber& me) {
    Warp& warp = *me.warp;
    Block& block = *warp.block;
    Run& run = run_of(me);
    if (warp.arrived != 0)
        fail("deadlock: it left the kernel while lanes %08x of its warp wait at %s (%s:%u)", warp.arrived,
             kind_name(warp.code), file_name(warp.file), warp.code & 0xffffff);
    if (block.waiting != 0)
        fail("deadlock: it left the kernel while %u threads wait at the block's barrier (%s:%u)", block.waiting,
             file_name(block.file), block.line);
    warp.gone |= 1u << me.lane;
    block.gone++;
    if (block.gone == block.threads) {
        warp.ready = 0;
        block.runnable = 0;
        add_path(block);
        if (block.path > run.path) run.path = block.path;
        if (block.barriers > run.barriers) run.barriers = block.barriers;
        next_block(run, block);
        switch_to(pick(run));
    } else {
        wait(warp, 1u << me.lane);
    }
}

// Where a fiber begins: it runs the kernel once for every block its place is given.
static void thread_main() {
    begin_context(current->context);
    for (;;) {
        const Run& run = run_of(*current);
        run.kernel->body(run.params);
        leave(*current);
    }
}

bool Run::make_room(u32 threads) {
    // Abandoned fibers hold frames of the failed kernel, and compiled code may hold the address of a
    // thread-local variable: all of them begin anew.
    if (failed || !pthread_equal(thread, pthread_self())) {
        stacks.forget_all();
        thread = pthread_self();
        prepared = 0;
        failed = false;
    }
    if (fibers == nullptr) {
        fibers = static_cast<Fiber*>(calloc(MAX_FIBERS, sizeof(Fiber)));
        if (fibers == nullptr || !stacks.reserve(MAX_FIBERS)) return false;
    }
    const u32 wanted = threads * resident;
    for (; prepared < wanted; prepared++) stacks.prepare(prepared, fibers[prepared].context, thread_main);
    const u32 warps = threads / 32;
    for (u32 b = 0; b < resident; b++) {
        Block& at = block[b];
        at.machine = this;
        at.threads = threads;
        at.warps = warps;
        at.warp = warp[b];
        at.fibers = fibers + b * threads;
        for (u32 t = 0; t < threads; t++) {
            at.fibers[t].thread = t;
            at.fibers[t].lane = t & 31;
            at.fibers[t].warp = &at.warp[t / 32];
        }
        for (u32 w = 0; w < warps; w++) {
            at.warp[w].block = &at;
            at.warp[w].index = w;
            at.warp[w].lanes = at.fibers + w * 32;
        }
        // Its own allocation of just this size, so that AddressSanitizer sees an access beyond its end.
        if (at.shared != nullptr && shared_room[b] == shared_bytes) continue;
        free(at.shared);
        at.shared = nullptr;
        shared_room[b] = shared_bytes;
        void* memory = nullptr;
        if (shared_bytes != 0 && posix_memalign(&memory, 128, shared_bytes) != 0) return false;
        at.shared = static_cast<unsigned char*>(memory);
    }
    return true;
}

bool Run::start() {
    started = 0;
    collectives = path = barriers = 0;
    for (u64& count : counts) count = 0;
    for (u32 i = 0; i < prepared; i++) fibers[i].loads = 0;
    first_block = (u32)(draw(*this) % blocks);
    descending = (draw(*this) & 1) != 0;
    for (u32 b = 0; b < resident; b++) next_block(*this, block[b]);
    host = {};
    current = &host;
    switch_to(pick(*this));
    return !failed;
}

Run::~Run() {
    for (Block& b : block) free(b.shared);
    free(fibers);
}

}  // namespace wg_emulator
#endif
