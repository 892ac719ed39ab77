// What the host calls (src/device/emulated.rs): the table of kernels, machines, launches.
//
// Nothing here is thrown or aborts: a launch returns null, or a message that stands until the machine's next
// launch. A machine belongs to one caller at a time; different machines may run on different threads.
#include "../port.cuh"

#ifndef __CUDACC__
#include <new>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

namespace wg_emulator {

static const Registration* registrations = nullptr;

Registration::Registration(const char* name, size_t params, size_t alignment, u32 threads,
                           void (*body)(const void*))
    : name(name), params(params), alignment(alignment), threads(threads), body(body), next(registrations) {
    registrations = this;
}

static const Registration* find(const char* name) {
    const Registration* at = registrations;
    while (at != nullptr && strcmp(at->name, name) != 0) at = at->next;
    return at;
}

}  // namespace wg_emulator

using namespace wg_emulator;

#define WG_EXPORT extern "C" __attribute__((visibility("default")))

// Changes with this interface.
WG_EXPORT u32 wg_emulator_version() { return 2; }

WG_EXPORT u32 wg_emulator_sanitized() { return WG_ASAN; }

// The name of kernel `index`, and its parameters' size and greatest block through the pointers; null past the end.
WG_EXPORT const char* wg_emulator_kernel(u32 index, u64* params, u32* threads) {
    const Registration* at = registrations;
    while (at != nullptr && index-- > 0) at = at->next;
    if (at == nullptr) return nullptr;
    *params = at->params;
    *threads = at->threads;
    return at->name;
}

WG_EXPORT void* wg_emulator_new(u64 seed) {
    void* memory = calloc(1, sizeof(Run));  // not `new`: the library needs no C++ runtime
    if (memory == nullptr) return nullptr;
    Run* run = new (memory) Run();
    run->random = seed;
    run->limit = 1ull << 28;  // a minute
    return run;
}

WG_EXPORT void wg_emulator_free(void* machine) {
    static_cast<Run*>(machine)->~Run();
    free(machine);
}

// Leaves out the barrier on `line` of `file` (no directory; line 0 leaves out none).
WG_EXPORT void wg_emulator_skip(void* machine, const char* file, u32 line) {
    Run& run = *static_cast<Run*>(machine);
    snprintf(run.skip_file, sizeof run.skip_file, "%s", file);
    run.skip_line = line;
}

// Collectives after which a launch is taken for endless.
WG_EXPORT void wg_emulator_limit(void* machine, u64 collectives) { static_cast<Run*>(machine)->limit = collectives; }

// Collectives that warps and blocks completed in the last launch.
WG_EXPORT u64 wg_emulator_collectives(const void* machine) { return static_cast<const Run*>(machine)->collectives; }

// Of the last launch: the longest way of a block through dependent reads, the most barriers of a block, and what kernels
// counted; `n` numbers at most.
WG_EXPORT void wg_emulator_counts(const void* machine, u64* out, u32 n) {
    const Run& run = *static_cast<const Run*>(machine);
    for (u32 i = 0; i < n && i < 2 + COUNTS; i++) out[i] = i == 0 ? run.path : i == 1 ? run.barriers : run.counts[i - 2];
}

WG_EXPORT const char* wg_emulator_launch(void* machine, const char* name, u32 blocks, u32 threads, u64 shared,
                                         const void* params, u64 bytes) {
    Run& run = *static_cast<Run*>(machine);
    const auto refuse = [&run, name](const char* what, u64 is, u64 wanted) {
        snprintf(run.message, sizeof run.message, "kernel %s: %s: %llu against %llu", name, what, is, wanted);
        return run.message;
    };
    const Registration* kernel = find(name);
    if (kernel == nullptr) return refuse("no such kernel", 0, 0);
    if (bytes != kernel->params) return refuse("wrong size of parameters", bytes, kernel->params);
    if (blocks == 0 || blocks > 0x7fffffff) return refuse("wrong number of blocks", blocks, 0x7fffffff);
    if (threads == 0 || threads % 32 != 0) return refuse("the threads of a block are not whole warps", threads, 32);
    if (threads > kernel->threads) return refuse("more threads than its launch bounds", threads, kernel->threads);
    if (shared > MAX_SHARED) return refuse("too much shared memory", shared, MAX_SHARED);
    if (((size_t)params & (kernel->alignment - 1)) != 0)
        return refuse("misaligned parameters", (size_t)params, kernel->alignment);
    run.kernel = kernel;
    run.params = params;
    run.blocks = blocks;
    run.shared_bytes = shared;
    run.resident = MIN_RESIDENT + (u32)(draw(run) % (MAX_RESIDENT - MIN_RESIDENT + 1));
    if (run.resident > blocks) run.resident = blocks;
    if (!run.make_room(threads)) return refuse("no memory for its threads", threads, run.resident);
    return run.start() ? nullptr : run.message;
}
#endif
