// What a block does together: reductions, the first position at which a running sum passes a target, a sort.
// Every function is a collective of the block, and gives every thread its result. Blocks have 256 threads, or
// fewer where legal sets are made in the same launch.
#pragma once

#include "order.cuh"

#define WG_SAMPLE_THREADS 256u
// Blocks that share a multiprocessor: 24 warps with 80 registers a thread.
#define WG_SAMPLE_BLOCKS 3
#define WG_MAX_WARPS (WG_SAMPLE_THREADS / WG_WARP_SIZE)
#define WG_WARPS (WG_THREADS / WG_WARP_SIZE)

// Most orders of a list that is ranked in shared memory.
#define WG_RANKED_CAP 1024u

struct BlockShared {
    u64 sums[WG_MAX_WARPS];
    u32 words[WG_MAX_WARPS];
    u32 found;
    u32 count;
};

// The sum of the first `warps` sums.
WG_DEVICE u64 sum_of(const u64* sums, u32 warps) {
    u64 sum = 0;
#pragma unroll
    for (u32 w = 0; w < WG_MAX_WARPS; w++) {
        if (w < warps) sum += sums[w];
    }
    return sum;
}

WG_DEVICE u32 block_max(BlockShared& s, u32 v) {
    v = WG_REDUCE_MAX(v);
    if (WG_LANE == 0) s.words[WG_WARP] = v;
    WG_SYNC();
#pragma unroll
    for (u32 w = 0; w < WG_MAX_WARPS; w++) v = w < WG_WARPS && s.words[w] > v ? s.words[w] : v;
    WG_SYNC();
    return v;
}

// Callers come to a barrier before `sums` is used again.
WG_DEVICE u64 block_max64(BlockShared& s, u64 v) {
    const u32 high = WG_REDUCE_MAX((u32)(v >> 32));
    const u32 low = WG_REDUCE_MAX((u32)(v >> 32) == high ? (u32)v : 0u);
    v = (u64)high << 32 | low;
    if (WG_LANE == 0) s.sums[WG_WARP] = v;
    WG_SYNC();
#pragma unroll
    for (u32 w = 0; w < WG_MAX_WARPS; w++) v = w < WG_WARPS && s.sums[w] > v ? s.sums[w] : v;
    return v;
}

WG_DEVICE u32 block_add(BlockShared& s, u32 v) {
    v = WG_REDUCE_ADD(v);
    if (WG_LANE == 0) s.words[WG_WARP] = v;
    WG_SYNC();
    v = 0;
#pragma unroll
    for (u32 w = 0; w < WG_MAX_WARPS; w++) v += w < WG_WARPS ? s.words[w] : 0;
    WG_SYNC();
    return v;
}

// What walk_to found: the first position whose running sum is above the target (`n` if none), and the sums
// of all values and of those before the position.
struct Found {
    u32 index;
    u64 total;
    u64 before;
};

// Values 0 ... n - 1 are value(i); the target is target(total). Each thread sums a run of neighbours, a scan
// places the runs, and the one thread whose run crosses the target walks it again.
template <typename Value, typename Target>
WG_DEVICE Found walk_to(BlockShared& s, u32 n, Value value, Target target) {
    const u32 per = (n + WG_THREADS - 1) / WG_THREADS;
    const u32 from = WG_THREAD * per < n ? WG_THREAD * per : n;
    const u32 to = from + per < n ? from + per : n;
    u64 own = 0;
#pragma unroll 1
    for (u32 i = from; i < to; i++) own += value(i);
    u64 through = own;
#pragma unroll
    for (u32 d = 1; d < WG_WARP_SIZE; d *= 2) {
        const u64 left = WG_SHFL_UP(through, d);
        if (WG_LANE >= d) through += left;
    }
    if (WG_LANE == 31) s.sums[WG_WARP] = through;
    if (WG_THREAD == 0) s.found = n;
    WG_SYNC();
    const u64 total = sum_of(s.sums, WG_WARPS);
    u64 before = through - own + sum_of(s.sums, WG_WARP);
    const u64 aim = target(total);
    WG_SYNC();
    if (before <= aim && aim - before < own) {
        u32 i = from;
#pragma unroll 1
        while (true) {
            const u64 v = value(i);
            if (aim - before < v) break;
            before += v;
            i++;
        }
        s.found = i;
        s.sums[0] = before;
    }
    WG_SYNC();
    const Found found = {s.found, total, s.sums[0]};
    WG_SYNC();
    return found;
}

// The first position at which the running sum exceeds floor(draw total / 2^64): pick_tile and pick_token.
template <typename Value>
WG_DEVICE Found pick(BlockShared& s, u32 n, Value value, u64 draw) {
    return walk_to(s, n, value, [draw](u64 total) { return wg_mulhi64(draw, total); });
}

// The end of the least prefix whose sum is at least `enough`, which is above 0.
template <typename Value>
WG_DEVICE Found walk_to_sum(BlockShared& s, u32 n, Value value, u64 enough) {
    return walk_to(s, n, value, [enough](u64) { return enough - 1; });
}

// Sorts n <= WG_RANKED_CAP orders, greatest first (bitonic). Positions up to the next power of two are
// overwritten.
WG_DEVICE void sort_orders(u64* orders, u32 n) {
    u32 padded = 2;
    while (padded < n) padded *= 2;
#pragma unroll 1
    for (u32 i = n + WG_THREAD; i < padded; i += WG_THREADS) orders[i] = 0;
    WG_SYNC();
#pragma unroll 1
    for (u32 run = 2; run <= padded; run *= 2) {
#pragma unroll 1
        for (u32 step = run / 2; step > 0; step /= 2) {
#pragma unroll 1
            for (u32 i = WG_THREAD; i < padded / 2; i += WG_THREADS) {
                const u32 low = (i & ~(step - 1)) * 2 | (i & (step - 1));
                const u64 a = orders[low], b = orders[low + step];
                if ((a < b) == ((low & run) == 0)) {
                    orders[low] = b;
                    orders[low + step] = a;
                }
            }
            WG_SYNC();
        }
    }
}
