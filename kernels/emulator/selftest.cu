// Proves port.cuh: the same kernels on the emulator and on a card, compared with plain arithmetic on the host
// (src/device/selftest.rs).
#pragma once

#include "../port.cuh"

// One block of up to 8 warps. Every lane writes WORDS words, which the host computes from `seed` and its place.
struct SelftestParams {
    u64 out;    // u32 [blocks][threads][SELFTEST_WORDS]
    u64 sums;   // u64 [2]: tickets taken, the last block's sum over all blocks
    u64 input;  // u32 [blocks][threads], 16-byte aligned
    u32 seed;
    u32 padding;
};

#define SELFTEST_WORDS 24

struct SelftestShared {
    u32 turn[256];
    u32 total;
    u32 ticket;
};

WG_DEVICE u32 selftest_mix(u32 x) {
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}

// Every name of port.cuh once; lanes take different branches between collectives.
WG_KERNEL(selftest, SelftestParams, 256, 1) {
    WG_SHARED(SelftestShared, s);
    const u32 at = WG_BLOCK * WG_THREADS + WG_THREAD;
    u32* out = reinterpret_cast<u32*>(p.out) + (u64)at * SELFTEST_WORDS;
    const u32 v = selftest_mix(p.seed + at);
    u32 n = 0;
    out[n++] = WG_BALLOT(v & 1);
    out[n++] = WG_ANY((v & 63) == 0);
    out[n++] = WG_ALL((v & 63) != 0);
    out[n++] = WG_SHFL(v, v >> 3);
    out[n++] = WG_SHFL_XOR(v, 5);
    out[n++] = WG_SHFL_UP(v, 3);
    out[n++] = WG_SHFL_DOWN(v, 7);
    const u64 wide = WG_SHFL_XOR((u64)v << 32 | ~v, 16);
    out[n++] = (u32)(wide >> 32);
    out[n++] = (u32)wide;
    out[n++] = wg_bits(WG_SHFL((float)(v & 0xffff), 9));
    out[n++] = WG_REDUCE_ADD(v);
    out[n++] = WG_REDUCE_MAX(v);
    out[n++] = WG_REDUCE_MIN(v);
    out[n++] = WG_REDUCE_OR(v & (v >> 1) & (v >> 2) & (v >> 3));

    // A neighbour's word through shared memory: within the warp, then across the block.
    s.turn[WG_THREAD] = v;
    WG_SYNC_WARP();
    out[n++] = s.turn[WG_THREAD ^ 1];
    WG_SYNC();
    out[n++] = s.turn[(WG_THREAD + 37) % WG_THREADS];
    if (WG_THREAD == 0) s.total = 0;
    WG_SYNC();
    if (v % 3 == 0) {
        wg_atomic_add(&s.total, 1);
    } else {
        for (u32 i = 0; i < v % 3; i++) wg_atomic_add(&s.total, 2);
    }
    WG_SYNC();
    out[n++] = s.total;

    // Arithmetic.
    const float a = (float)(i32)v * 0.001f, b = (float)(i32)(v << 7) * 1.7f, c = (float)(i32)(v << 13) * -0.3f;
    out[n++] = wg_bits(wg_fma(a, b, c));
    out[n++] = wg_bits(wg_div(a, b + 0.5f));
    out[n++] = wg_bits(a * b + c);  // two roundings: no contraction
    out[n++] = wg_popc(v) | wg_ffs(v & 0xff0) << 8 | wg_clz(v >> (v & 31)) << 16;
    out[n++] = (u32)(wg_mulhi64((u64)v << 32 | v, (u64)~v << 31 | 12345u) >> 11);
    const wg_u4 four = wg_load16(reinterpret_cast<const u32*>(p.input) + (at & ~3u));
    out[n++] = four.x ^ four.y * 3 ^ four.z * 5 ^ four.w * 7;
    const wg_u4 again = wg_load16_stream(reinterpret_cast<const u32*>(p.input) + (at & ~3u));
    out[n++] = again.x + again.y + again.z + again.w;

    // The last block by ticket adds up what all blocks wrote, and resets the ticket.
    u64* sums = reinterpret_cast<u64*>(p.sums);
    WG_FENCE();
    WG_SYNC();
    if (WG_THREAD == 0) s.ticket = (u32)wg_atomic_add64(&sums[0], 1);
    WG_SYNC();
    if (s.ticket + 1 != WG_BLOCKS) return;
    u64 sum = 0;
    const u32* all = reinterpret_cast<const u32*>(p.out);
    for (u64 i = WG_THREAD; i < (u64)WG_BLOCKS * WG_THREADS * SELFTEST_WORDS; i += WG_THREADS)
        sum += wg_volatile_load(&all[i]);
    wg_atomic_add64(&sums[1], sum);
    if (WG_THREAD == 0) sums[0] = 0;
}

struct SelftestSpeedParams {
    u64 out;  // u32 [blocks * threads]
    u32 rounds;
    u32 padding;
};

// `rounds` shuffles and sums by every warp: what a collective costs.
WG_KERNEL(selftest_speed, SelftestSpeedParams, 256, 1) {
    u32 v = WG_BLOCK * WG_THREADS + WG_THREAD;
    for (u32 i = 0; i < p.rounds; i++) v = WG_SHFL_XOR(v, 1 << (i % 5)) * 3 + 1;
    reinterpret_cast<u32*>(p.out)[WG_BLOCK * WG_THREADS + WG_THREAD] = v;
}
