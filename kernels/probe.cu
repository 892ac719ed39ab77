// probe: the sampler's arithmetic one function at a time, and its picking functions on given values, for tests.
//
// One block. Values come as u64; floats in their low 32 bits. Nothing here is part of a step.
#include "run.cuh"

struct ProbeParams {
    u64 out;     // u64 [count], or [3] for the functions of a whole block
    u64 values;  // u64 [count][4]
    u64 draw;
    u32 count;
    u32 what;
};
static_assert(sizeof(ProbeParams) == 32, "tests' ProbeParams");

WG_DEVICE u64 probe_value(u32 what, const u64* v) {
    const float a = wg_float((u32)v[0]), b = wg_float((u32)v[1]), c = wg_float((u32)v[2]);
    switch (what) {
        case 0: return weight(a, b, c);
        case 1: return weight_below(a, b, c);
        case 2: return mass(v[3], a, b, c);
        case 3: return wg_bits(log2_of_mass(v[0]));
        case 4: return wg_bits(log_probability(a, b, c, wg_float((u32)v[3])));
        case 5: return wg_bits(canonical(a));
        case 6: return key(canonical(a));
        case 7: return wg_bits(key_to_f32((u32)v[0]));
        case 8: return make_draw(v[0], v[1], (u32)v[2]).tile;
        case 9: return make_draw(v[0], v[1], (u32)v[2]).token;
        case 10: return wg_bits(wg_half((u16)v[0]));
        case 11: return min_p_cut(a, b, c);
        case 12: return enough_mass(v[0], (u32)v[1]);
    }
    return 0;
}

WG_KERNEL(probe, ProbeParams, WG_SAMPLE_THREADS, 1) {
    WG_SHARED(SampleShared, s);
    const u64* values = (const u64*)p.values;
    u64* out = (u64*)p.out;
    if (p.what < 16) {
        // Whole warps come to every value: one of the functions votes.
        for (u32 i = WG_WARP; i < p.count; i += WG_WARPS) {
            const u64 value = probe_value(p.what, values + 4 * i);
            if (WG_LANE == i % 32) out[i] = value;
        }
        return;
    }
    if (p.what == 18) {
        for (u32 i = WG_THREAD; i < p.count; i += WG_THREADS) s.orders[i] = values[i];
        sort_orders(s.orders, p.count);
        for (u32 i = WG_THREAD; i < p.count; i += WG_THREADS) out[i] = s.orders[i];
        return;
    }
    const auto value = [&](u32 i) { return values[i]; };
    const Found found = p.what == 16 ? pick(s.block, p.count, value, p.draw) : walk_to_sum(s.block, p.count, value, p.draw);
    if (WG_THREAD == p.draw % WG_THREADS) {
        out[0] = found.index;
        out[1] = found.total;
        out[2] = found.before;
    }
}
