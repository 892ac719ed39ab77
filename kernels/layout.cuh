// The tables as kernels read them: the twin of src/table/layout.rs (a compiled grammar) and of
// src/device/vocabulary.rs (what masks know of a vocabulary). Sizes and offsets are asserted on both sides.
#pragma once

#include "slot.cuh"

// ---- A grammar: one relocatable block, src/table/grammar.rs ----

// Byte offset from the start of the block, a multiple of 8, and a number of records.
struct Section {
    u32 offset;
    u32 count;
};

struct GrammarHeader {
    u64 magic;
    u64 checksum;
    u64 vocabulary;
    u32 version;
    u32 start;
    u32 max_depth;
    u32 max_spaces;
    u32 indent;
    u32 size;
    Section states, kinds, extras, keys, key_costs, rows, sites, variants, terms, lists, choices;
};
static_assert(sizeof(GrammarHeader) == 136 && __builtin_offsetof(GrammarHeader, states) == 48, "table::Header");
static_assert(__builtin_offsetof(GrammarHeader, choices) == 128, "table::Header");

// A state as it is stored. `place`: row (24 bits), whether the kind has an extra, upper bits of the kind (7); `rest`: cost,
// to which the kind's is added (16), lower bits of the kind (16).
struct alignas(8) PackedState {
    u32 place;
    u32 rest;
};
static_assert(sizeof(PackedState) == 8, "states::PackedState");
#define PACKED_ROW 0xffffffu
#define PACKED_HAS_EXTRA (1u << 24)

// What many states have in common.
struct StateKind {
    u32 extra;
    u32 cost;
    u8 need;
    u8 flags;
    u8 slices;
    u8 free;
};
static_assert(sizeof(StateKind) == 12 && __builtin_offsetof(StateKind, need) == 8, "states::StateKind");

// Both together.
struct StateInfo {
    u32 row;
    u32 cost;
    u32 extra;
    u8 need;
    u8 flags;
    u8 slices;
    u8 free;
};

#define STATE_ACCEPTING 1u
#define STATE_INDENT_INNER 2u
#define STATE_INDENT_OUTER 4u
// StateInfo::need of a state that no token may end in.
#define STATE_NO_REST 255u
// StateInfo::free: 1 + sub-state of the automaton of string contents, and whether tokens may end anywhere in it.
#define STATE_SUB_MASK 0x7fu
#define STATE_STEADY 0x80u
// Most tokens that the bound inside a steady string exceeds the bound between its characters by.
#define STEADY_SLACK 16u

struct alignas(8) Extra {
    u32 chain_at;
    u32 chain_to;
    u32 cost_at;
    u32 cost_per_tick;
    u32 cost_tick_spaces;
    u32 cost_spaces;
    u32 keys;
    u32 padding;
};
static_assert(sizeof(Extra) == 32 && __builtin_offsetof(Extra, keys) == 24, "layout::Extra");

struct KeyInfo {
    KeySet required;
    KeySet ahead;
    u32 name;
    u32 costs;
    u32 written;
    u32 written_spaces;
    u32 rest;
    u32 rest_spaces;
    u32 closes;
    u32 open_need;
};
static_assert(sizeof(KeyInfo) == 64 && __builtin_offsetof(KeyInfo, open_need) == 60, "layout::KeyInfo");

struct MemberCost {
    u32 tokens;
    u32 spaces;
    u32 need;
};
static_assert(sizeof(MemberCost) == 12, "layout::MemberCost");

struct alignas(8) SiteInfo {
    u32 variants;
    u32 variant_count;
    u32 targets;
    u32 target_count;
};
static_assert(sizeof(SiteInfo) == 16, "layout::SiteInfo");

struct alignas(8) VariantInfo {
    u32 start;
    u32 terms;
};
static_assert(sizeof(VariantInfo) == 8, "layout::VariantInfo");

struct VariantTerms {
    u32 depth;
    u32 cost;
    u32 cost_at;
    u32 cost_per_tick;
    u32 cost_tick_spaces;
    u32 cost_spaces;
    u32 keys;
};
static_assert(sizeof(VariantTerms) == 28 && __builtin_offsetof(VariantTerms, keys) == 24, "layout::VariantTerms");

struct Choice {
    KeySet keys;
    u32 outcome;
    u32 last;
};
static_assert(sizeof(Choice) == 24, "layout::Choice");

// An action: kind in the upper 3 bits, two flags, an index of 27 bits. A row is
// [default, n, n x (first byte | last byte << 8, action)], ranges ascending.
enum ActionKind : u32 {
    ACTION_DEAD = 0,
    ACTION_AHEAD = 1,  // a distance
    ACTION_STAY = 2,
    ACTION_ENTER = 3,
    ACTION_LEAVE = 4,
    ACTION_CHOOSE = 5,
};
#define ACTION_FLAG (1u << 28)
#define ACTION_SPACE (1u << 27)
#define ACTION_INDEX ((1u << 27) - 1u)

// ---- A vocabulary: one relocatable block, src/device/vocabulary.rs ----

// Sub-states of the automaton of string contents; 0 is between characters.
#define STRING_SUBS 20u
// Longest token of the tries and bitmaps, in bytes; longer ones stand in a list of their own.
#define TRIE_MAX_DEPTH 63u
// Slices that states have a bit for; the first is the plain characters.
#define SLICES 8u
#define SLICE_BOUNDS 10u
// TokenInfo::chars of a token that is not whole plain characters, or too many of them.
#define CHARS_UNKNOWN 255u

// One node: the prefix spelled by the bytes on the way to it. Nodes stand level by level, so that the children
// of a node are neighbours and lanes that try them read neighbouring memory.
struct alignas(16) TrieNode {
    u32 first_child;
    // The tokens that end here, then those below: a range of TrieInfo::tokens, which is sorted by bytes.
    u32 first_token;
    u32 end_token;
    // Bits 0-7 byte, 8-16 children (0 ... 256), 17-23 tokens that end here, 24-31 slices that hold all of
    // the tokens here and below.
    u32 packed;
};
static_assert(sizeof(TrieNode) == 16, "device::vocabulary::TrieNode");

// A trie; node 0 is the root, of no bytes. `tokens` are ids, or numbers of suffixes.
struct TrieInfo {
    Section nodes;
    Section tokens;
};
static_assert(sizeof(TrieInfo) == 16, "device::vocabulary::TrieInfo");

// A token by what it does inside a string.
struct alignas(8) StringToken {
    u32 token;
    u16 chars;  // characters completed before it ends, or before the quote
    u16 sub;    // the sub-state it ends in
};
static_assert(sizeof(StringToken) == 8, "device::vocabulary::StringToken");

// What tokens do inside a string, from one sub-state: the twin of cpu/strings.rs.
struct StringInfo {
    Section inside;         // u32 words: tokens that end inside the string
    Section escaped;        // StringToken: end between characters, and are not plain
    Section partial;        // StringToken: end within a character
    Section exits;          // StringToken: reach the closing quote, by suffix
    Section suffix_starts;  // u32: where each suffix's tokens begin, and the end; the last is the empty suffix
    TrieInfo suffixes;      // the suffixes that are not empty
    u32 max_chars;          // most characters that any token completes
    u32 partial_chars;      // the same among `partial`
};
static_assert(sizeof(StringInfo) == 64, "device::vocabulary::StringInfo");

// Tokens by the run of a class's characters that they begin with.
struct RunInfo {
    Section whole;      // StringToken: nothing but such a run, by its characters
    Section tokens;     // StringToken: the others, by what follows the run; the last suffix is the empty one (of none)
    Section starts;     // u32: where each suffix's tokens begin, and the end
    TrieInfo suffixes;
    u32 max_chars;      // among `whole`
    u32 padding;
};
static_assert(sizeof(RunInfo) == 48, "device::vocabulary::RunInfo");

// A token that no trie and no bitmap holds.
struct LooseToken {
    u32 token;
    u16 chars;   // plain characters that it begins with
    u16 bytes;   // of these
    u32 spaces;  // bytes of whitespace that it begins with
    u32 padding;
};
static_assert(sizeof(LooseToken) == 16, "device::vocabulary::LooseToken");

// The tokens of a slice. Bitmap i holds those of at most bounds[i] characters; the last one all.
struct SliceInfo {
    u32 bounds[SLICE_BOUNDS];
    u32 bitmaps;    // how many
    u32 max_chars;  // of its longest token
    Section words;  // the bitmaps, one after the other, each padded to 16 bytes
    u8 bytes[32];   // bit b: byte b occurs in the slice's characters
};
static_assert(sizeof(SliceInfo) == 88, "device::vocabulary::SliceInfo");

// Bytes that lead into a sub-state from between characters, and out of it completing one character.
struct SubPath {
    u8 to_len;
    u8 from_len;
    u8 to[15];
    u8 from[15];
};
static_assert(sizeof(SubPath) == 32, "device::vocabulary::SubPath");

struct VocabHeader {
    u64 magic;
    u64 fingerprint;
    u32 size;            // bytes of the whole block
    u32 width;           // logits per row
    u32 len;             // ids with a place in `starts`
    u32 words;           // ceil(width / 32)
    u32 stride;          // words of a bitmap, padded to 16 bytes
    u32 max_token_len;   // bytes
    Section starts;      // u32, len + 1: where each token's bytes begin
    Section bytes;       // u8
    Section info;        // u16, len: characters | slices << 8
    Section stop_ids;    // u32, by rising id
    Section loose;       // LooseToken
    Section by_chars;    // u32: ids of plain tokens by number of characters, then id
    Section char_starts; // u32, TRIE_MAX_DEPTH + 2: where those of each number of characters begin
    TrieInfo all;        // every token but the loose ones
    RunInfo spaces;      // whitespace; tokens of one blank and something else are in `all` alone
    RunInfo digits;      // `sub` is the first digit; nothing if some token has digits and something else behind them
    u32 blank;           // the node of the single blank in `all`; 0: none
    u32 padding;
    SubPath paths[STRING_SUBS];
    SliceInfo slices[SLICES];
    RunInfo outside[SLICES];  // the tokens that are not in a slice, by the characters of it that they begin with; those
                              // that begin with none stand here for the first slice alone
    StringInfo strings[STRING_SUBS];
};
static_assert(__builtin_offsetof(VocabHeader, starts) == 40 && __builtin_offsetof(VocabHeader, all) == 96, "header");
static_assert(__builtin_offsetof(VocabHeader, spaces) == 112 && __builtin_offsetof(VocabHeader, blank) == 208, "header");
static_assert(__builtin_offsetof(VocabHeader, paths) == 216 && __builtin_offsetof(VocabHeader, slices) == 856, "header");
static_assert(__builtin_offsetof(VocabHeader, outside) == 1560 && __builtin_offsetof(VocabHeader, strings) == 1944, "header");
static_assert(sizeof(VocabHeader) == 3224, "VocabHeader");
