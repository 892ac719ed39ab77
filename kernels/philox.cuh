// Randomness: one Philox4x32-10 block per token, keyed by the request's seed (src/sampling/philox.rs).
//
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include "port.cuh"

// The 128 random bits of one token.
struct Draw {
    u64 tile;
    u64 token;
};

// Key: seed, low word first. Counter: position (low word first), stream, 0.
WG_DEVICE Draw make_draw(u64 seed, u64 position, u32 stream) {
    u32 c0 = (u32)position, c1 = (u32)(position >> 32), c2 = stream, c3 = 0;
    u32 k0 = (u32)seed, k1 = (u32)(seed >> 32);
    for (u32 round = 0; round < 10; round++) {
        const u64 a = (u64)0xd2511f53u * c0;
        const u64 b = (u64)0xcd9e8d57u * c2;
        c0 = (u32)(b >> 32) ^ c1 ^ k0;
        c1 = (u32)b;
        c2 = (u32)(a >> 32) ^ c3 ^ k1;
        c3 = (u32)a;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    return {(u64)c0 | (u64)c1 << 32, (u64)c2 | (u64)c3 << 32};
}
