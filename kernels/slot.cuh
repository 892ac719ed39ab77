// What a step reads and writes of one request, and what it reports: the twin of src/device/layout.rs.
//
// A slot is one 128-byte line: the hot state of a request, and its sampling parameters. Its open levels and
// its history stand in arrays of their own.
#pragma once

#include "port.cuh"

// Slot::grammar and Slot::adjust of a slot that has none.
#define WG_NONE 0ull
// A row that belongs to no slot, in the row map.
#define WG_INACTIVE 0xffffffffu
// Slot::budget without a limit.
#define WG_NO_LIMIT 0xffffffffu
// RowParams::top_k and RowParams::top_p when they are off.
#define WG_TOP_K_OFF 0xffffffffu
#define WG_TOP_P_OFF 0xffffffffu

// Slot::status.
enum SlotStatus : u32 {
    SLOT_FREE = 0,
    SLOT_RUNNING = 1,
    SLOT_STOPPED = 2,   // by a stop token
    SLOT_COMPLETE = 3,  // nothing can follow, or the budget is used up on a complete output
    SLOT_LENGTH = 4,    // the budget is used up
};

// RowResult::status.
enum RowStatus : u32 {
    ROW_OK = 0,
    ROW_INACTIVE = 1,
    ROW_NO_LEGAL_TOKEN = 2,  // every legal logit is NaN or -inf, or no token is legal
    ROW_NOT_RUNNING = 3,
    ROW_COUNTS_FULL = 4,     // the slot's table of token counts has no room for another token
    ROW_ILLEGAL = 5,         // the slot cannot take the token: its legal set is another state's
};

// LegalHead::kind.
enum LegalKind : u32 {
    LEGAL_ALL = 0,     // every id below the width
    LEGAL_LIST = 1,    // `count` ids, ascending
    LEGAL_BITMAP = 2,  // a bit per id, least significant first; bits from the width on are ignored
};

// Most ids of a list; a larger set is a bitmap.
#define WG_LIST_CAP 1024u

// Slot::flags.
#define WG_FLAG_LOGPROB 1u
// How many of the likeliest tokens to report, 0 ... 20.
#define WG_FLAG_TOP_SHIFT 8u
#define WG_FLAG_TOP_MASK 31u
#define WG_TOP_MAX 20u

// sampling::RowParams.
struct RowParams {
    float scale;       // s = f32(log2(e) / T), at T = 1 for a greedy row
    float min_p_log2;  // -inf = off
    u32 top_p;         // floor(2^32 p)
    u32 top_k;
    float repetition;  // 1 = off
    float frequency;   // 0 = off
    float presence;    // 0 = off
    u32 greedy;        // 1: the likeliest token
};
static_assert(sizeof(RowParams) == 32, "sampling::RowParams");

// A set of the names that one object declares: the twin of src/automaton/key_set.rs.
struct KeySet {
    u64 low;  // names below 64
    u64 high;
};
static_assert(sizeof(KeySet) == 16 && alignof(KeySet) == 8, "automaton::key_set::KeySet");

WG_DEVICE KeySet operator&(KeySet a, KeySet b) { return {a.low & b.low, a.high & b.high}; }
WG_DEVICE KeySet operator|(KeySet a, KeySet b) { return {a.low | b.low, a.high | b.high}; }
// The names of `a` that are not in `b`.
WG_DEVICE KeySet operator-(KeySet a, KeySet b) { return {a.low & ~b.low, a.high & ~b.high}; }
WG_DEVICE bool operator==(KeySet a, KeySet b) { return a.low == b.low && a.high == b.high; }
WG_DEVICE bool is_empty(KeySet a) { return (a.low | a.high) == 0; }
WG_DEVICE KeySet one_key(u32 name) {
    const u64 bit = 1ull << (name & 63u);
    return {name < 64u ? bit : 0ull, name < 64u ? 0ull : bit};
}

struct alignas(128) Slot {
    u64 grammar;   // address of the grammar's block, WG_NONE = unconstrained
    KeySet seen;   // keys seen by the open level, for a free key order
    u64 owed;      // sum of the open levels' costs
    u64 seed;      // Philox key
    u64 position;  // prompt tokens + output tokens: Philox counter
    u64 adjust;    // address of the Adjust block, WG_NONE = no bias and no penalty
    u32 state;
    u32 count;
    u32 spaces;
    u32 depth;
    u32 budget;  // tokens that may still be written, the next one included
    u32 stream;  // Philox stream
    u32 status;  // SlotStatus
    u32 output;  // tokens written; the next history record is number output % keep
    RowParams params;
    u32 flags;
    u32 history;  // tokens that can be taken back now
};
static_assert(sizeof(Slot) == 128 && alignof(Slot) == 128, "device::layout::Slot");
static_assert(__builtin_offsetof(Slot, adjust) == 48 && __builtin_offsetof(Slot, state) == 56, "Slot");
static_assert(__builtin_offsetof(Slot, status) == 80 && __builtin_offsetof(Slot, params) == 88, "Slot");
static_assert(__builtin_offsetof(Slot, flags) == 120 && __builtin_offsetof(Slot, history) == 124, "Slot");

// An open level below the current one.
struct Level {
    KeySet seen;
    u32 site;
    u32 count;
    u32 cost;
    u32 below;  // in the pool of a walk: the level around it, or WG_OWN_LEVELS; else 0
};
static_assert(sizeof(Level) == 32, "device::layout::Level");

// A slot's state before a token, for taking the token back; `depth` levels follow it.
struct Snapshot {
    KeySet seen;
    u64 owed;
    u32 state;
    u32 count;
    u32 spaces;
    u32 depth;
    u32 budget;
    u32 status;
    u32 token;  // the token that followed
    u32 padding;
};
static_assert(sizeof(Snapshot) == 56, "device::layout::Snapshot");

// A slot's next legal set; lists and bitmaps stand in arrays with a row per slot.
struct LegalHead {
    u32 kind;
    u32 count;
};
static_assert(sizeof(LegalHead) == 8, "device::layout::LegalHead");

struct alignas(16) RowResult {
    u32 token;
    float logprob;  // natural; 0 unless asked for
    u32 status;     // RowStatus
    u32 finish;     // SlotStatus after the token if the slot has finished, else 0
};
static_assert(sizeof(RowResult) == 16, "device::layout::RowResult");

// One of a row's likeliest tokens.
struct TopToken {
    u32 token;  // WG_INACTIVE past the last
    float logprob;
};
static_assert(sizeof(TopToken) == 8, "device::layout::TopToken");

struct SlotArrays;  // advance.cuh

// A token that is to move a slot on.
struct Next {
    const SlotArrays* arrays;
    u32 slot;
    u32 token;
};
