// The one file that knows which compiler reads it: nvcc or NVRTC for a GPU, the host's C++ compiler for
// the emulator (emulator/shim.h). Kernels use the names below and no CUDA name of their own.
//
// A kernel takes one argument, a plain struct `p`:
//
//     WG_KERNEL(name, Params, threads, min_blocks) { ... p.rows ... WG_THREAD ... }
//
// Collectives (WG_SYNC, WG_BALLOT, WG_SHFL, WG_REDUCE_ADD ...) are macros because the emulator wants the
// line they stand on. All threads of the block (WG_SYNC) or of the warp (every other) must come to the same
// one; lanes that have nothing to do come too. On a GPU a collective under divergence is undefined
// behaviour that mostly works; the emulator reports it.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef int i32;
typedef unsigned long long u64;

static_assert(sizeof(u16) == 2 && sizeof(u32) == 4 && sizeof(i32) == 4 && sizeof(u64) == 8, "fixed widths");

// What a 16-byte load returns.
struct alignas(16) wg_u4 {
    u32 x, y, z, w;
};

#define WG_WARP_SIZE 32u

#ifdef __CUDACC__

#define WG_KERNEL(name, Params, threads, min_blocks)                                                            \
    extern "C" __global__ void __launch_bounds__(threads, min_blocks) name(const __grid_constant__ Params p)
#define WG_DEVICE __device__ __forceinline__
// For code that is not worth a copy at every place that calls it.
#define WG_NOINLINE __device__ __noinline__
// A function that stays one: large, called from several places, and not where time goes.
#define WG_FUNCTION [[maybe_unused]] static __device__ __noinline__
// Tables that device code reads (`WG_CONSTANT float WEIGHTS[5] = {...}`).
#define WG_CONSTANT static __device__ const

#ifdef WG_STATIC_SHARED
// For scripts/check-kernels.sh, so that the compiler says how much a kernel takes.
template <typename T>
WG_DEVICE T& wg_static_shared() {
    __shared__ T shared;
    return shared;
}
#define WG_SHARED(T, s) T& s = wg_static_shared<T>()
#else
#define WG_SHARED(T, s)                                                                                         \
    extern __shared__ __align__(16) unsigned char wg_dynamic_shared[];                                          \
    T& s = *reinterpret_cast<T*>(wg_dynamic_shared)
#endif

#define WG_THREAD (threadIdx.x)
#define WG_LANE (threadIdx.x & 31u)
#define WG_WARP (threadIdx.x >> 5)
#define WG_BLOCK (blockIdx.x)
#define WG_BLOCKS (gridDim.x)
#define WG_THREADS (blockDim.x)

#define WG_SYNC() __syncthreads()
#define WG_SYNC_WARP() __syncwarp()
#define WG_BALLOT(pred) __ballot_sync(0xffffffffu, (pred))
#define WG_ANY(pred) (__any_sync(0xffffffffu, (pred)) != 0)
#define WG_ALL(pred) (__all_sync(0xffffffffu, (pred)) != 0)
#define WG_SHFL(v, lane) __shfl_sync(0xffffffffu, (v), (int)(lane))
#define WG_SHFL_XOR(v, m) __shfl_xor_sync(0xffffffffu, (v), (int)(m))
#define WG_SHFL_UP(v, d) __shfl_up_sync(0xffffffffu, (v), (unsigned)(d))
#define WG_SHFL_DOWN(v, d) __shfl_down_sync(0xffffffffu, (v), (unsigned)(d))
// One `redux` each on sm_80 and later.
#define WG_REDUCE_ADD(v) __reduce_add_sync(0xffffffffu, (u32)(v))
#define WG_REDUCE_MAX(v) __reduce_max_sync(0xffffffffu, (u32)(v))
#define WG_REDUCE_MIN(v) __reduce_min_sync(0xffffffffu, (u32)(v))
#define WG_REDUCE_OR(v) __reduce_or_sync(0xffffffffu, (u32)(v))

// For the emulator to count, nothing on a GPU: `n` reads of global memory, each of which waits for the one before; `n` more
// of what `i` stands for (emulator/machine.h).
#define WG_LOADS(n) ((void)0)
#define WG_COUNT(i, n) ((void)0)

// Orders this thread's writes before its later ones for every other block.
#define WG_FENCE() __threadfence()

WG_DEVICE u32 wg_atomic_add(u32* at, u32 v) { return atomicAdd(at, v); }
WG_DEVICE u32 wg_atomic_or(u32* at, u32 v) { return atomicOr(at, v); }
WG_DEVICE u32 wg_atomic_and(u32* at, u32 v) { return atomicAnd(at, v); }
WG_DEVICE u32 wg_atomic_max(u32* at, u32 v) { return atomicMax(at, v); }
WG_DEVICE u64 wg_atomic_add64(u64* at, u64 v) { return atomicAdd(at, v); }
WG_DEVICE u32 wg_atomic_cas(u32* at, u32 expected, u32 v) { return atomicCAS(at, expected, v); }

WG_DEVICE wg_u4 wg_load16(const void* at) {
    const uint4 v = *static_cast<const uint4*>(at);
    return {v.x, v.y, v.z, v.w};
}
// For data read once: leaves L1 to the tables that are read again and again.
WG_DEVICE wg_u4 wg_load16_stream(const void* at) {
    wg_u4 v;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(at));
    return v;
}
// Data that other blocks wrote before they took a ticket: from L2, past this SM's L1.
template <typename T>
WG_DEVICE T wg_volatile_load(const T* at) {
    return __ldcg(at);
}
WG_DEVICE wg_u4 wg_volatile_load(const wg_u4* at) {
    const uint4 v = __ldcg(reinterpret_cast<const uint4*>(at));
    return {v.x, v.y, v.z, v.w};
}

WG_DEVICE float wg_fma(float a, float b, float c) { return __fmaf_rn(a, b, c); }
WG_DEVICE float wg_div(float a, float b) { return __fdiv_rn(a, b); }
// The greater of a number and `than`, and `than` for NaN; of zeros, either. One instruction.
WG_DEVICE float wg_max(float v, float than) { return fmaxf(v, than); }
// An IEEE half, exactly.
WG_DEVICE float wg_half(u16 bits) {
    float v;
    asm("cvt.f32.f16 %0, %1;" : "=f"(v) : "h"(bits));
    return v;
}
WG_DEVICE u32 wg_bits(float v) { return __float_as_uint(v); }
WG_DEVICE float wg_float(u32 bits) { return __uint_as_float(bits); }
WG_DEVICE u32 wg_popc(u32 v) { return (u32)__popc(v); }
// The lowest set bit, counted from 1; 0 if there is none.
WG_DEVICE u32 wg_ffs(u32 v) { return (u32)__ffs((int)v); }
WG_DEVICE u32 wg_clz(u32 v) { return (u32)__clz((int)v); }
WG_DEVICE u64 wg_mulhi64(u64 a, u64 b) { return __umul64hi(a, b); }

#else
#include "emulator/shim.h"
#endif
