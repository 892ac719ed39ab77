// What port.cuh's names mean to a host compiler: one fiber per CUDA thread, collectives that wait for the
// other lanes (machine.h), plain memory.
#pragma once

#include "machine.h"

// The kernel, and its entry in the launch table: there is no second list of kernels.
#define WG_KERNEL(name, Params, threads, min_blocks)                                                            \
    static void wg_kernel_##name(const Params& p);                                                              \
    static const wg_emulator::Registration wg_registration_##name(                                              \
        #name, sizeof(Params), alignof(Params), threads,                                                        \
        [](const void* params) { wg_kernel_##name(*static_cast<const Params*>(params)); });                     \
    static void wg_kernel_##name([[maybe_unused]] const Params& p)
#define WG_DEVICE inline
#define WG_FUNCTION [[maybe_unused]] static
#define WG_NOINLINE inline
#define WG_CONSTANT static const

#define WG_SHARED(T, s) T& s = *static_cast<T*>(wg_emulator::shared(sizeof(T), __FILE__, __LINE__))

#define WG_THREAD (wg_emulator::current->thread)
#define WG_LANE (wg_emulator::current->lane)
#define WG_WARP (wg_emulator::current->thread >> 5)
#define WG_BLOCK (wg_emulator::current->warp->block->index)
#define WG_BLOCKS (wg_emulator::current->warp->block->machine->blocks)
#define WG_THREADS (wg_emulator::current->warp->block->threads)

#define WG_SYNC() wg_emulator::sync_block(__FILE__, __LINE__)
#define WG_SYNC_WARP() wg_emulator::sync_warp(__FILE__, __LINE__)
#define WG_BALLOT(pred) wg_emulator::ballot(__FILE__, __LINE__, wg_emulator::Kind::ballot, !!(pred))
#define WG_ANY(pred) (wg_emulator::ballot(__FILE__, __LINE__, wg_emulator::Kind::any, !!(pred)) != 0)
#define WG_ALL(pred) (wg_emulator::ballot(__FILE__, __LINE__, wg_emulator::Kind::all, !!(pred)) == 0xffffffffu)
#define WG_SHFL(v, lane) wg_emulator::shuffle(__FILE__, __LINE__, (v), (u32)(lane) & 31u)
#define WG_SHFL_XOR(v, m) wg_emulator::shuffle(__FILE__, __LINE__, (v), WG_LANE ^ ((u32)(m) & 31u))
#define WG_SHFL_UP(v, d) wg_emulator::shuffle(__FILE__, __LINE__, (v), WG_LANE - (u32)(d))
#define WG_SHFL_DOWN(v, d) wg_emulator::shuffle(__FILE__, __LINE__, (v), WG_LANE + (u32)(d))
#define WG_REDUCE_ADD(v) wg_emulator::reduce_add(__FILE__, __LINE__, (u32)(v))
#define WG_REDUCE_MAX(v) wg_emulator::reduce_max(__FILE__, __LINE__, (u32)(v))
#define WG_REDUCE_MIN(v) wg_emulator::reduce_min(__FILE__, __LINE__, (u32)(v))
#define WG_REDUCE_OR(v) wg_emulator::reduce_or(__FILE__, __LINE__, (u32)(v))

#define WG_LOADS(n) ((void)(wg_emulator::current->loads += (u32)(n)))
#define WG_COUNT(i, n) ((void)(wg_emulator::current->warp->block->machine->counts[i] += (n)))

// Memory is sequentially consistent here: what a fence is for cannot go wrong, nor be tested.
#define WG_FENCE() ((void)0)

// Atomics are whole because fibers share one host thread. Another thread may run before one, so that blocks
// meet in any order.
inline u32 wg_atomic_add(u32* at, u32 v) {
    wg_emulator::let_others_run();
    const u32 old = *at;
    *at = old + v;
    return old;
}
inline u32 wg_atomic_or(u32* at, u32 v) {
    wg_emulator::let_others_run();
    const u32 old = *at;
    *at = old | v;
    return old;
}
inline u32 wg_atomic_and(u32* at, u32 v) {
    wg_emulator::let_others_run();
    const u32 old = *at;
    *at = old & v;
    return old;
}
inline u32 wg_atomic_max(u32* at, u32 v) {
    wg_emulator::let_others_run();
    const u32 old = *at;
    *at = old < v ? v : old;
    return old;
}
inline u64 wg_atomic_add64(u64* at, u64 v) {
    wg_emulator::let_others_run();
    const u64 old = *at;
    *at = old + v;
    return old;
}
inline u32 wg_atomic_cas(u32* at, u32 expected, u32 v) {
    wg_emulator::let_others_run();
    const u32 old = *at;
    if (old == expected) *at = v;
    return old;
}

#define wg_load16(at) wg_emulator::load16(__FILE__, __LINE__, (at))
#define wg_load16_stream(at) wg_emulator::load16(__FILE__, __LINE__, (at))
template <typename T>
inline T wg_volatile_load(const T* at) {
    return *const_cast<const volatile T*>(at);
}
inline wg_u4 wg_volatile_load(const wg_u4* at) { return wg_load16(at); }

// One correctly rounded operation: an instruction where the compiler was given one, otherwise the C
// library's fmaf, which is exact and slow.
inline float wg_fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline float wg_div(float a, float b) { return a / b; }
inline u32 wg_bits(float v) {
    u32 bits;
    memcpy(&bits, &v, 4);
    return bits;
}
inline float wg_float(u32 bits) {
    float v;
    memcpy(&v, &bits, 4);
    return v;
}
inline float wg_max(float v, float than) { return v > than ? v : than; }
// The exponent is rebased by an exact multiplication with 2^112, which also normalises subnormals; infinities
// and NaN then get their exponent back.
inline float wg_half(u16 half) {
    const u32 magnitude = (u32)(half & 0x7fff) << 13;
    const u32 rebased = wg_bits(wg_float(magnitude) * wg_float(0x77800000u));
    const u32 special = magnitude >= 0x0f800000u ? 0x7f800000u : 0;
    return wg_float(rebased | special | (u32)(half & 0x8000) << 16);
}
inline u32 wg_popc(u32 v) { return (u32)__builtin_popcount(v); }
inline u32 wg_ffs(u32 v) { return (u32)__builtin_ffs((int)v); }
inline u32 wg_clz(u32 v) { return v == 0 ? 32u : (u32)__builtin_clz(v); }
inline u64 wg_mulhi64(u64 a, u64 b) { return (u64)(((unsigned __int128)a * b) >> 64); }
