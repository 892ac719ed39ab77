// Kernels that are wrong, each in one way that the emulator must report. Never compiled for a GPU.
#pragma once

#include "../port.cuh"

struct FaultParams {
    u64 out;   // u32 [words]
    u32 kind;
    u32 words;
};

struct FaultShared {
    u32 slot[256];
};

WG_KERNEL(fault, FaultParams, 256, 1) {
    u32* out = reinterpret_cast<u32*>(p.out);
    const u32 t = WG_THREAD;
    switch (p.kind) {
        case 0:  // nothing wrong
            WG_SYNC();
            break;
        case 1:  // a thread leaves, the others wait for it
            if (t == 70) return;
            WG_SYNC();
            break;
        case 2:  // two barriers
            if (t < 64)
                WG_SYNC();
            else
                WG_SYNC();
            break;
        case 3:  // two collectives of one kind
            if (WG_LANE < 16)
                out[0] = WG_BALLOT(1);
            else
                out[1] = WG_BALLOT(1);
            break;
        case 4:  // two kinds on one line
            if (WG_LANE == 31) { WG_SYNC_WARP(); } else { out[0] = WG_REDUCE_ADD(1); }
            break;
        case 5:  // a lane leaves, its warp votes
            if (t == 33) return;
            out[0] = WG_ANY(t == 0);
            break;
        case 6:  // half a warp at the block's barrier
            if (WG_LANE < 16)
                WG_SYNC();
            else
                WG_SYNC_WARP();
            break;
        case 7:  // a 16-byte load at a 4-byte address
            out[0] = wg_load16(out + 1).x;
            break;
        case 8: {  // more shared memory than the launch gave
            WG_SHARED(FaultShared, s);
            s.slot[t] = t;
            break;
        }
        case 9:  // never ends
            for (;;) WG_SYNC_WARP();
        case 10:  // one word past the end: AddressSanitizer's
            if (t == 0) out[p.words] = 1;
            break;
        case 11: {  // one word past the end of shared memory
            WG_SHARED(FaultShared, s);
            WG_SYNC();
            if (t == 0) (&s.slot[0])[256 + p.words] = 1;
            break;
        }
        case 12:  // a shift by the width: UndefinedBehaviorSanitizer's
            out[t] = 1u << (p.words + t % 2);
            break;
        case 13: {  // a local array, from another fiber's frame on: AddressSanitizer's
            u32 local[8];
            for (u32 i = 0; i < 8; i++) local[i] = i + t;
            WG_SYNC();
            const u32* first = local;
            __asm__ volatile("" : "+r"(first));  // or the compiler itself would know
            out[t] = first[p.words];
            break;
        }
        case 14: {  // a missing barrier: no report, but a result that depends on the order
            WG_SHARED(FaultShared, s);
            s.slot[t] = t;
            out[t] = s.slot[(t + 32) % WG_THREADS];
            break;
        }
    }
}
