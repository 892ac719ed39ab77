// The walk of tries by one block: every token whose bytes lead on from a place, and which may end there.
//
// What is walked. Roots are places with children of a node: of the trie of all tokens, or of a trie of suffixes, each of
// which stands for tokens with so many characters before it that have been judged already. Several roots are one
// walk, so that their rounds are shared.
//
// Thread mapping. The block keeps a stack of tasks in shared memory: a place, and children of a trie node still to
// be tried from it. Each round the tasks on top are dealt out, one child a thread, until all threads have one;
// a thread reads the child's byte, reports the tokens that end there, and pushes a task for the children
// below (a chain of only children it goes down by itself). Dead children end there, so a round of 128 children
// costs the same whether they come from one parent or from 128.
//
//     prefix sums of the tasks' children  ─►  marks where each task begins  ─►  thread i: the task of mark ≤ i
//
// Bounded memory. A round is only as wide as the stack has room for; once it is nearly full a round is one child,
// which is depth-first search and needs a task per byte of a token. Levels that tokens open are nodes of a
// pool; should it be full, the subtree is put off and its tokens are read one by one at the end.
//
// Bytes moved: 16 per child tried, in runs (children are neighbours), and three look-ups in the grammar's
// tables for each, which all tasks share. Floor: a round is four barriers and a chain of some twelve reads that mostly hit L1.
#pragma once

#include "automaton.cuh"

#define WALK_THREADS 128u
#define WALK_WARPS (WALK_THREADS / WG_WARP_SIZE)
#define WALK_TASKS 640u
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
static_assert(sizeof(Task) == 48, "six banks' worth");

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
    PoolNode* pool;
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

// The list becomes bits; by the whole block. Fewer than WALK_LIST_ROOM ids must be in it.
WG_FUNCTION void list_to_bits(WalkShared& s) {
    for (u32 i = WG_THREAD; i < s.stride / 4; i += WG_THREADS) reinterpret_cast<wg_u4*>(s.words)[i] = {0, 0, 0, 0};
    WG_SYNC();
    for (u32 i = WG_THREAD; i < s.count; i += WG_THREADS) {
        wg_atomic_or(s.words + s.list[i] / 32, 1u << (s.list[i] % 32));
    }
    if (WG_THREAD == 0) s.listing = 0;
    WG_SYNC();
}

// Takes the tokens of dead subtrees out; by the whole block.
WG_FUNCTION void clear_ranges(WalkShared& s, const WalkOf& w) {
    const u32 n = s.range_count < WALK_RANGES ? s.range_count : WALK_RANGES;
    for (u32 i = 0; i < n; ++i) {
        for (u32 at = s.ranges[i][0] + WG_THREAD; at < s.ranges[i][1]; at += WG_THREADS) take_out(s, w.tokens[at]);
    }
    WG_SYNC();
    if (WG_THREAD == 0) s.range_count = 0;
    WG_SYNC();
}

WG_DEVICE bool same_levels(const WalkShared& s, const Config& a, const Config& b) {
    if (a.top == b.top) return true;
    if (a.top == WG_OWN_LEVELS || b.top == WG_OWN_LEVELS) return false;
    const PoolNode& x = s.pool[a.top];
    const PoolNode& y = s.pool[b.top];
    return x.below == y.below && x.level.seen == y.level.seen && x.level.site == y.level.site &&
           x.level.count == y.level.count && x.level.cost == y.level.cost;
}
// Whether everything is the same from both places, but for the whitespace just written.
WG_DEVICE bool same_but_spaces(const WalkShared& s, const Config& a, const Config& b) {
    return a.state == b.state && a.count == b.count && a.depth == b.depth && a.seen == b.seen && a.owed == b.owed &&
           same_levels(s, a, b);
}

// Whether bytes of the slice's characters, the last of them `byte`, lead where they lead from the usual place.
WG_FUNCTION bool is_usual(const WalkShared& s, const Config& c, u32 byte) {
    if (same_but_spaces(s, c, s.usual)) return c.spaces == s.usual.spaces;
    if (byte < 0x80) return false;
    // The usual place is closed under the slice's characters, so that within one no level is opened or left.
    Config usual = s.usual;
    OneLevel none = {s.base, s.base, 0, {0, 0, 0, 0, 0}, 0xffffffffu};
    return read_byte(s.g, none, usual, byte, left_after(s.budget)) && same_but_spaces(s, c, usual);
}

// Reads the bytes of one entry of the trie by themselves: whether it may end there. `of_root`: the entry is one
// that the root leaves out.
WG_FUNCTION bool try_entry(const WalkShared& s, const WalkOf& w, LinearLevels levels, const Task& root, u32 position,
                         bool& of_root) {
    const u64 left = left_after(s.budget);
    Config c = root.c;
    u32 child = root.next, end = root.end;
    of_root = true;
    for (u32 depth = 0; depth < WALK_RESERVE; ++depth) {
        while (child + 1 < end && node_at(w, c.walk, child).end_token <= position) ++child;
        if (child >= end) return false;
        const TrieNode at = node_at(w, c.walk, child);
        if (depth == 0 && (position < at.first_token || position >= at.end_token || left_out(s, c.walk, node_byte(at)))) {
            of_root = false;
            return false;
        }
        if (!read_byte(s.g, levels, c, node_byte(at), left)) return false;
        if (position < at.first_token + node_tokens(at)) return fits(s.g, c, s.budget);
        child = at.first_child;
        end = at.first_child + node_children(at);
    }
    return false;
}

// The subtrees that were put off, or everything; by one lane of each warp.
WG_FUNCTION void walk_put_off(WalkShared& s, const WalkOf& w) {
    if (WG_LANE != 0) return;
    const bool all = s.put_off_count > WALK_PUT_OFF;
    const u32 n = all ? s.root_count : s.put_off_count;
    for (u32 i = 0; i < n; ++i) {
        const Task& root = s.roots[all ? i : s.put_off[i] >> 28];
        const u32 walk = root.c.walk;
        const LinearLevels levels = {s.base, s.spare + (u64)WG_WARP * s.max_levels, root.c.depth, s.max_levels};
        const TrieNode top = node_at(w, walk, all ? root.next : s.put_off[i] & 0xfffffffu);
        u32 first = top.first_token;
        u32 last = all ? node_at(w, walk, root.end - 1).end_token : top.end_token;
        if ((walk & WALK_SUFFIXES) == 0) {
            first = first < w.first ? w.first : first;
            last = last > w.last ? w.last : last;
        }
        for (u32 position = first + WG_WARP; position < last; position += WALK_WARPS) {
            bool of_root;
            const bool legal = try_entry(s, w, levels, root, position, of_root);
            if (legal || (of_root && (walk & WALK_FIX) != 0)) settle_entry(s, w, walk, position, legal);
        }
    }
}

// Notes a dead subtree for `clear_ranges`.
WG_FUNCTION void dead_range(WalkShared& s, const WalkOf& w, const TrieNode& n) {
    const u32 at = wg_atomic_add(&s.range_count, 1);
    if (at < WALK_RANGES) {
        s.ranges[at][0] = n.first_token;
        s.ranges[at][1] = n.end_token;
        return;
    }
    for (u32 i = n.first_token; i < n.end_token; ++i) take_out(s, w.tokens[i]);
}

// Walks from the roots; by the whole block, with the same arguments. False if a list has become too long, or
// would have to be made anew: the set must then be made again, with bits.
WG_FUNCTION bool walk(WalkShared& s, const WalkOf& w) {
    const u64 left = left_after(s.budget);
    WG_SYNC();
    if (WG_THREAD < s.root_count) s.stack[WG_THREAD] = s.roots[WG_THREAD];
    if (WG_THREAD == 0) {
        s.size = w.first < w.last ? s.root_count : 0;
        s.put_off_count = 0;
        s.range_count = 0;
    }
    WG_SYNC();
    bool whole = true;
    for (;;) {
        const u32 size = s.size;
        // Uniform, because nobody adds between these barriers.
        if (s.range_count != 0) clear_ranges(s, w);
        if (size == 0) break;
        if (WG_THREAD == 0) WG_COUNT(COUNT_ROUNDS, 1);
        if (s.listing != 0 && s.count > WALK_LIST) {
            if (s.count > WALK_LIST_ROOM) {
                whole = false;
                break;
            }
            list_to_bits(s);
        }
        const u32 tasks = size < WALK_THREADS ? size : WALK_THREADS;
        const u32 mine = size - 1 - WG_THREAD;  // the task this thread counts
        u32 next = 0, children = 0;
        if (WG_THREAD < tasks) {
            next = s.stack[mine].next;
            children = s.stack[mine].end - next;
        }
        u32 upto = children;
        for (u32 d = 1; d < WG_WARP_SIZE; d *= 2) {
            const u32 below = WG_SHFL_UP(upto, d);
            if (WG_LANE >= d) upto += below;
        }
        if (WG_LANE == WG_WARP_SIZE - 1) s.sums[WG_WARP] = upto;
        if (WG_THREAD < WALK_WARPS) s.marks[WG_THREAD] = 0;
        if (WG_THREAD == 0) s.taken = 0;
        WG_SYNC();
        u32 all = 0;
        for (u32 i = 0; i < WALK_WARPS; ++i) {
            if (i < WG_WARP) upto += s.sums[i];
            all += s.sums[i];
        }
        const u32 before = upto - children;
        const u32 room = WALK_TASKS - WALK_RESERVE;
        const u32 width = size + WALK_THREADS <= room ? WALK_THREADS : size < room ? room - size : 1;
        const u32 dealt = all < width ? all : width;
        if (children != 0 && before < dealt) {
            wg_atomic_or(&s.marks[before / 32], 1u << (before % 32));
            if (upto <= dealt) wg_atomic_max(&s.taken, WG_THREAD + 1);
        }
        WG_SYNC();
        // The task whose mark is the last at or before this thread's number.
        Config c = {};
        u32 node = 0;
        if (WG_THREAD < dealt) {
            u32 rank = 0, begin = 0;
            for (u32 i = 0; i <= WG_WARP; ++i) {
                const u32 bits = i < WG_WARP ? s.marks[i] : s.marks[i] & (0xffffffffu >> (31u - WG_LANE));
                rank += wg_popc(bits);
                if (bits != 0) begin = 32 * i + 31u - wg_clz(bits);
            }
            const Task& task = s.stack[size - rank];
            c = task.c;
            node = task.next + (WG_THREAD - begin);
        }
        if (WG_THREAD == 0) s.size = size - s.taken;
        WG_SYNC();
        // The one task that was dealt out in part stays, with what is left of it.
        if (children != 0 && before < dealt && upto > dealt) s.stack[mine].next = next + (dealt - before);
        if (WG_THREAD < dealt) {
            PoolLevels levels = {s.base, s.pool, &s.pool_used, s.pool_room, false};
            for (u32 hop = 0;; ++hop) {
                const TrieNode n = node_at(w, c.walk, node);
                WG_COUNT(COUNT_TRIED, 1);
                if (!wanted(w, c.walk, n)) break;
                const u32 byte = node_byte(n);
                if ((c.walk & WALK_FILTERS) != 0) {
                    if (left_out(s, c.walk, byte)) break;
                    c.walk &= ~WALK_FILTERS;
                }
                if (!read_byte(s.g, levels, c, byte, left)) {
                    if (levels.full) {
                        const u32 at = wg_atomic_add(&s.put_off_count, 1);
                        if (at < WALK_PUT_OFF) s.put_off[at] = node | (c.walk >> 24 & 15u) << 28;
                    } else if ((c.walk & WALK_FIX) != 0) {
                        dead_range(s, w, n);
                    }
                    break;
                }
                if ((c.walk & WALK_WITHIN) != 0) {
                    if (!is_of_slice(s, byte)) {
                        c.walk &= ~WALK_WITHIN;
                    } else if (is_usual(s, c, byte)) {
                        break;
                    }
                }
                const u32 here = node_tokens(n);
                WG_COUNT(COUNT_LIVING, 1);
                if (here != 0) {
                    const bool legal = fits(s.g, c, s.budget);
                    if (legal || (c.walk & WALK_FIX) != 0) {
                        // On the way to a part's tokens there may be some of another part: their bits are set twice.
                        for (u32 i = 0; i < here; ++i) settle_entry(s, w, c.walk, n.first_token + i, legal);
                    }
                }
                const u32 below = node_children(n);
                if (below == 0) break;
                if (below == 1 && hop < WALK_CHAIN) {
                    node = n.first_child;
                    continue;
                }
                const u32 at = wg_atomic_add(&s.size, 1);
                s.stack[at] = {c, n.first_child, n.first_child + below};
                break;
            }
        }
        WG_SYNC();
    }
    WG_SYNC();
    if (whole && s.put_off_count != 0) {
        if (s.listing != 0 && s.put_off_count > WALK_PUT_OFF) {
            // Some tokens are in the list already, and nobody knows which.
            whole = false;
        } else {
            walk_put_off(s, w);
        }
    }
    WG_SYNC();
    return whole;
}
