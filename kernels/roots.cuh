// What a walk begins at, what it leaves out, and where it puts what it finds: the parts of walk.cuh that are no rounds.
//
// Thread mapping: by single threads, whatever they have at hand. Bytes moved: 16 a node; an atomic operation on a word
// of the set, in L2, for each token found. Floor: see walk.cuh.
#pragma once

#include "automaton.cuh"

#define WALK_THREADS 128u
#define WALK_WARPS (WALK_THREADS / WG_WARP_SIZE)
#define WALK_TASKS 540u
// Tasks kept free for depth-first search: one per byte of the longest token of a trie.
#define WALK_RESERVE (TRIE_MAX_DEPTH + 1u)
// A thread goes down at most so many only children before it leaves the rest to the next round.
#define WALK_CHAIN 6u
// Subtrees that can be put off; if there are more, every token is read by itself.
#define WALK_PUT_OFF 64u
// Ids of a set before it becomes a bitmap, and collected until the round is over.
#define WALK_LIST 512u
#define WALK_LIST_ROOM 1024u
// Dead subtrees whose tokens the block takes out of the set together.
#define WALK_RANGES 64u
// Places that one walk can begin at.
#define WALK_ROOTS 10u
static_assert(WALK_LIST <= WG_LIST_CAP, "a list must fit");

// Config::walk. Bits 24-27 are the number of the root.
#define WALK_SUFFIXES 1u     // the trie of suffixes, of tokens with bits 8-15 to bits 16-23 characters before
#define WALK_NO_SPACES 2u    // of these children no whitespace,
#define WALK_NO_DIGITS 4u    // none of WalkShared::digits,
#define WALK_NO_SLICE 8u      // none of the slice's bytes,
#define WALK_SLICE_FIRST 64u  // or no others
#define WALK_FILTERS (WALK_NO_SPACES | WALK_NO_DIGITS | WALK_NO_SLICE | WALK_SLICE_FIRST)
// The set has what is legal from WalkShared::usual: here it is put right, down to where that place is met.
#define WALK_FIX 16u
#define WALK_WITHIN 32u      // nothing but the slice's bytes so far: the place may be met
#define WALK_ANY_CHARS 255u

// What the emulator counts of a walk (WG_COUNT): rounds, nodes tried, nodes found alive, sets begun, by plan.
enum WalkCount : u32 { COUNT_ROUNDS = 0, COUNT_TRIED = 1, COUNT_LIVING = 2, COUNT_PLANS = 3 };

struct Task {
    Config c;
    u32 next, end;  // nodes
};
static_assert(sizeof(Task) == 56, "14 banks: of 32 lanes that read neighbours two meet in each");

// What to walk. In shared memory: in registers it would be most of a thread's.
struct WalkOf {
    const TrieNode* nodes;
    const u32* tokens;
    u32 skip;         // slices whose tokens are not wanted, as in TrieNode::packed >> 24
    u32 first, last;  // range of `tokens` that is
    // The trie of suffixes: where each one's tokens stand.
    const TrieNode* suffix_nodes;
    const u32* suffixes;
    const StringToken* suffix_tokens;
    const u32* suffix_starts;
};

struct WalkShared {
    Task stack[WALK_TASKS];
    u32 list[WALK_LIST_ROOM];
    Task roots[WALK_ROOTS];
    u32 put_off[WALK_PUT_OFF];  // node | root << 28
    u32 ranges[WALK_RANGES][2];
    Config usual;
    WalkOf of;
    u32 marks[WALK_WARPS];
    u32 sums[WALK_WARPS];
    u32 size;       // of the stack
    u32 taken;      // tasks dealt out to the last child this round
    u32 root_count;
    u32 pool_used;
    u32 put_off_count;
    u32 range_count;
    u32 digits;     // bit i: no child that is digit i, where a root says so
    u32 count;      // ids found, while listing
    u32 listing;    // 0: set bits of `words`
    const u8* slice_bytes;  // SliceInfo::bytes
    u32 stride;     // of `words`
    u32* words;
    // What a walk needs besides.
    GrammarView g;
    const Level* base;
    Level* pool;
    Level* spare;  // [WALK_WARPS][max_levels]
    u32 pool_room;
    u32 max_levels;
    u32 budget;
    u32 padding;
};

WG_DEVICE WalkOf walk_of(const VocabView& v, const TrieInfo& suffixes, const Section& tokens, const Section& starts) {
    const TrieInfo& all = v.header->all;
    return {section_at<TrieNode>(v, all.nodes), section_at<u32>(v, all.tokens), 0, 0, all.tokens.count,
            section_at<TrieNode>(v, suffixes.nodes), section_at<u32>(v, suffixes.tokens),
            section_at<StringToken>(v, tokens), section_at<u32>(v, starts)};
}

WG_DEVICE TrieNode node_at(const WalkOf& w, u32 walk, u32 node) {
    WG_LOADS(1);
    const wg_u4 raw = wg_load16(((walk & WALK_SUFFIXES) != 0 ? w.suffix_nodes : w.nodes) + node);
    return {raw.x, raw.y, raw.z, raw.w};
}
WG_DEVICE u32 node_byte(const TrieNode& n) { return n.packed & 0xffu; }
WG_DEVICE u32 node_children(const TrieNode& n) { return n.packed >> 8 & 0x1ffu; }
WG_DEVICE u32 node_tokens(const TrieNode& n) { return n.packed >> 17 & 0x7fu; }

// Adds a root, by one thread: the children of a node, from a place.
WG_DEVICE void add_root(WalkShared& s, const WalkOf& w, const Config& c, u32 node, u32 walk) {
    const TrieNode top = node_at(w, walk, node);
    if (node_children(top) == 0) return;
    Task& root = s.roots[s.root_count];
    root = {c, top.first_child, top.first_child + node_children(top)};
    root.c.walk = walk | s.root_count << 24;
    s.root_count += 1;
}
WG_DEVICE u32 suffixes_after(u32 least, u32 most) {
    return WALK_SUFFIXES | least << 8 | (most < WALK_ANY_CHARS ? most : WALK_ANY_CHARS) << 16;
}

WG_DEVICE bool is_space(u32 byte) { return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r'; }
WG_DEVICE bool is_of_slice(const WalkShared& s, u32 byte) { return (s.slice_bytes[byte / 8] >> (byte % 8) & 1u) != 0; }
WG_DEVICE bool left_out(const WalkShared& s, u32 walk, u32 byte) {
    if ((walk & WALK_NO_SPACES) != 0 && is_space(byte)) return true;
    if ((walk & WALK_NO_DIGITS) != 0 && byte - '0' < 10u && (s.digits >> (byte - '0') & 1u) != 0) return true;
    if ((walk & (WALK_NO_SLICE | WALK_SLICE_FIRST)) == 0) return false;
    return is_of_slice(s, byte) == ((walk & WALK_NO_SLICE) != 0);
}

WG_DEVICE bool wanted(const WalkOf& w, u32 walk, const TrieNode& n) {
    if ((walk & WALK_SUFFIXES) != 0) return true;
    return n.end_token > w.first && n.first_token < w.last && (n.packed >> 24 & w.skip) == 0;
}

WG_DEVICE void emit(WalkShared& s, u32 token) {
    if (s.listing != 0) {
        const u32 at = wg_atomic_add(&s.count, 1);
        if (at < WALK_LIST_ROOM) s.list[at] = token;
    } else {
        wg_atomic_or(s.words + token / 32, 1u << (token % 32));
    }
}
WG_DEVICE void take_out(WalkShared& s, u32 token) { wg_atomic_and(s.words + token / 32, ~(1u << (token % 32))); }

// One entry of the trie, found legal or, where the set is put right, found not to be.
WG_FUNCTION void settle_entry(WalkShared& s, const WalkOf& w, u32 walk, u32 position, bool legal) {
    if ((walk & WALK_SUFFIXES) == 0) {
        if (legal) {
            emit(s, w.tokens[position]);
        } else {
            take_out(s, w.tokens[position]);
        }
        return;
    }
    const u32 suffix = w.suffixes[position];
    const u32 least = walk >> 8 & 0xffu, most = walk >> 16 & 0xffu;
    for (u32 i = w.suffix_starts[suffix]; i < w.suffix_starts[suffix + 1]; ++i) {
        const StringToken t = w.suffix_tokens[i];
        if (t.chars >= least && t.chars <= most) emit(s, t.token);
    }
}
