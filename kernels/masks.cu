// Masks for stacks that have a sampler of their own: bits written out, and logits masked in place.
//
// fill_bitmask: a block a row. Writes ceil(width / 32) words, and reads as many where the set is a bitmap (a list is a
// few ids). Floor: those bytes; at V = 200k, 25 KB written a row.
// apply_bitmask: a thread a group of 16 bytes of logits, neighbours neighbouring. Logits are never read: a group with
// nothing to mask costs a look at the mask, a group that is masked whole one store of 16 bytes. Floor: the mask's
// words and the masked logits' bytes.
#include "slot.cuh"

#define MASK_THREADS 256u

struct FillParams {
    u64 heads;  // LegalHead [slot_count]
    u64 ids;    // u32 [slot_count][WG_LIST_CAP]
    u64 words;  // u32 [slot_count][stride]
    u64 rows;   // u32 [row_count]: slots
    u64 out;    // u32 [row_count][out_stride]
    u32 row_count;
    u32 slot_count;
    u32 width;
    u32 stride;
    u32 out_stride;
    u32 padding;
};
static_assert(sizeof(FillParams) == 64, "device::masks::FillParams");

enum LogitType : u32 { LOGIT_F32 = 0, LOGIT_F16 = 1, LOGIT_BF16 = 2 };

struct ApplyParams {
    u64 logits;       // [rows][stride]
    u64 mask;         // u32 [rows][mask_stride]
    u64 rows;         // u32 [row_count]: which rows of both; 0: the first row_count
    u64 stride;       // elements
    u32 row_count;
    u32 columns;      // logits of a row that are masked
    u32 width;        // bits of a row of the mask; columns from here on are masked always
    u32 mask_stride;  // words
    u32 type;         // LogitType
    u32 padding;
};
static_assert(sizeof(ApplyParams) == 56, "device::masks::ApplyParams");

// A row without a slot is not masked: all ones.
WG_KERNEL(fill_bitmask, FillParams, MASK_THREADS, 4) {
    const u32 words = (p.width + 31) / 32;
    for (u32 row = WG_BLOCK; row < p.row_count; row += WG_BLOCKS) {
        const u32 slot = reinterpret_cast<const u32*>(p.rows)[row];
        u32* out = reinterpret_cast<u32*>(p.out) + (u64)row * p.out_stride;
        LegalHead head = {LEGAL_ALL, 0};
        if (slot < p.slot_count) head = reinterpret_cast<const LegalHead*>(p.heads)[slot];
        const u32* from = reinterpret_cast<const u32*>(p.words) + (u64)slot * p.stride;
        for (u32 i = WG_THREAD; i < words; i += WG_THREADS) {
            const u32 tail = p.width - 32 * i;
            const u32 all = tail >= 32 ? 0xffffffffu : (1u << tail) - 1;
            out[i] = head.kind == LEGAL_ALL ? all : head.kind == LEGAL_LIST ? 0 : from[i];
        }
        WG_SYNC();
        if (head.kind == LEGAL_LIST) {
            const u32* ids = reinterpret_cast<const u32*>(p.ids) + (u64)slot * WG_LIST_CAP;
            for (u32 i = WG_THREAD; i < head.count; i += WG_THREADS) {
                wg_atomic_or(out + ids[i] / 32, 1u << (ids[i] % 32));
            }
        }
    }
}

// Bits `first` to `first + n` of a row of the mask, n <= 8; 0 from the width on.
WG_DEVICE u32 mask_bits(const u32* mask, u32 width, u32 first, u32 n) {
    u32 bits = 0;
    for (u32 i = 0; i < n; ++i) {
        const u32 at = first + i;
        if (at < width && (mask[at / 32] >> (at % 32) & 1u) != 0) bits |= 1u << i;
    }
    return bits;
}

template <typename T>
WG_DEVICE void apply_row(const ApplyParams& p, u32 row, T minus_infinity, u32 first, u32 step) {
    const u32 lanes = 16 / sizeof(T);
    T* logits = reinterpret_cast<T*>(p.logits) + (u64)row * p.stride;
    const u32* mask = reinterpret_cast<const u32*>(p.mask) + (u64)row * p.mask_stride;
    // Groups are aligned: the first one may have fewer than all.
    const u32 before = (u32)((reinterpret_cast<u64>(logits) / sizeof(T)) % lanes);
    const u32 groups = (before + p.columns + lanes - 1) / lanes;
    u32 pattern = 0;
    for (u32 i = 0; i < sizeof(u32) / sizeof(T); ++i) pattern |= (u32)minus_infinity << (8 * sizeof(T) * i);
    for (u32 group = first; group < groups; group += step) {
        const u32 from = group == 0 ? 0 : group * lanes - before;
        const u32 to = group * lanes - before + lanes < p.columns ? group * lanes - before + lanes : p.columns;
        const u32 n = to - from;
        u32 bits;
        if (from / 32 == (from + n - 1) / 32 && from + n <= p.width) {
            bits = mask[from / 32] >> (from % 32) & ((1u << n) - 1);
        } else {
            bits = mask_bits(mask, p.width, from, n);
        }
        if (bits == (1u << n) - 1) continue;
        if (bits == 0 && n == lanes) {
            *reinterpret_cast<wg_u4*>(logits + from) = {pattern, pattern, pattern, pattern};
            continue;
        }
        for (u32 i = 0; i < n; ++i) {
            if ((bits >> i & 1u) == 0) logits[from + i] = minus_infinity;
        }
    }
}

WG_KERNEL(apply_bitmask, ApplyParams, MASK_THREADS, 4) {
    // Blocks share a row while there are more blocks than rows.
    const u32 share = WG_BLOCKS > p.row_count ? WG_BLOCKS / p.row_count : 1;
    for (u32 item = WG_BLOCK; item < p.row_count * share; item += WG_BLOCKS) {
        const u32 i = item / share;
        const u32 row = p.rows != 0 ? reinterpret_cast<const u32*>(p.rows)[i] : i;
        const u32 first = item % share * WG_THREADS + WG_THREAD, step = share * WG_THREADS;
        if (p.type == LOGIT_F32) {
            apply_row<u32>(p, row, 0xff800000u, first, step);
        } else {
            apply_row<u16>(p, row, p.type == LOGIT_F16 ? (u16)0xfc00u : (u16)0xff80u, first, step);
        }
    }
}
