// The walk of a trie by one block: every token whose bytes lead on from a place, and which may end there.
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
// tables for each, which all tasks share.
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
// Ids collected before a set becomes a bitmap.
#define WALK_LIST 512u
static_assert(WALK_LIST <= WG_LIST_CAP, "a list must fit");

// What the emulator counts of a walk (WG_COUNT): rounds, nodes tried, nodes found alive, sets begun, by plan.
enum WalkCount : u32 { COUNT_ROUNDS = 0, COUNT_TRIED = 1, COUNT_LIVING = 2, COUNT_PLANS = 4 };

struct Task {
    Config c;
    u32 next, end;  // nodes
};
static_assert(sizeof(Task) == 48, "six banks' worth");

struct WalkShared {
    Task stack[WALK_TASKS];
    u32 list[WALK_LIST];
    u32 put_off[WALK_PUT_OFF];
    u32 marks[WALK_WARPS];
    u32 sums[WALK_WARPS];
    u32 size;       // of the stack
    u32 taken;      // tasks dealt out to the last child this round
    u32 pool_used;
    u32 put_off_count;
    u32 count;      // ids found, while listing
    u32 listing;    // 0: set bits of `words`
    u32* words;
    // What a walk needs besides.
    GrammarView g;
    const Level* base;
    PoolNode* pool;
    Level* spare;  // [WALK_WARPS][max_levels]
    u32 pool_room;
    u32 max_levels;
    u32 budget;
};

// What to walk: the trie, and which of its tokens are wanted.
struct WalkOf {
    const TrieNode* nodes;
    const u32* tokens;
    u32 skip;         // slices whose tokens are not wanted, as in TrieNode::packed >> 24
    u32 first, last;  // range of `tokens` that is
    // For suffixes: `tokens` are suffixes, each of which stands for tokens with so many characters before it.
    const StringToken* exits;
    const u32* exit_starts;
    u32 least_chars, most_chars;
};

WG_DEVICE WalkOf walk_of(const VocabView& v, const TrieInfo& t) {
    return {section_at<TrieNode>(v, t.nodes), section_at<u32>(v, t.tokens), 0, 0, t.tokens.count, nullptr, nullptr, 0, 0};
}

WG_DEVICE TrieNode node_at(const WalkOf& w, u32 node) {
    WG_LOADS(1);
    const wg_u4 raw = wg_load16(w.nodes + node);
    return {raw.x, raw.y, raw.z, raw.w};
}
WG_DEVICE u32 node_byte(const TrieNode& n) { return n.packed & 0xffu; }
WG_DEVICE u32 node_children(const TrieNode& n) { return n.packed >> 8 & 0x1ffu; }
WG_DEVICE u32 node_tokens(const TrieNode& n) { return n.packed >> 17 & 0x7fu; }

WG_DEVICE bool wanted(const WalkOf& w, const TrieNode& n) {
    return n.end_token > w.first && n.first_token < w.last && (n.packed >> 24 & w.skip) == 0;
}

WG_DEVICE void emit(WalkShared& s, u32 token) {
    if (s.listing != 0) {
        const u32 at = wg_atomic_add(&s.count, 1);
        if (at < WALK_LIST) s.list[at] = token;
    } else {
        wg_atomic_or(s.words + token / 32, 1u << (token % 32));
    }
}

WG_DEVICE void emit_entry(WalkShared& s, const WalkOf& w, u32 position) {
    if (w.exits == nullptr) {
        emit(s, w.tokens[position]);
        return;
    }
    const u32 suffix = w.tokens[position];
    for (u32 i = w.exit_starts[suffix]; i < w.exit_starts[suffix + 1]; ++i) {
        const StringToken t = w.exits[i];
        if (t.chars >= w.least_chars && t.chars <= w.most_chars) emit(s, t.token);
    }
}

// Reads the bytes of one entry of the trie by themselves: whether it may end there.
WG_DEVICE bool try_entry(const WalkShared& s, const WalkOf& w, LinearLevels levels, Config c, u32 position) {
    const u64 left = left_after(s.budget);
    TrieNode at = node_at(w, 0);
    for (u32 depth = 0; depth < WALK_RESERVE; ++depth) {
        const u32 end = at.first_child + node_children(at);
        u32 child = at.first_child;
        while (child + 1 < end && node_at(w, child).end_token <= position) ++child;
        if (child >= end) return false;
        at = node_at(w, child);
        if (!read_byte(s.g, levels, c, node_byte(at), left)) return false;
        if (position < at.first_token + node_tokens(at)) return fits(s.g, c, s.budget);
    }
    return false;
}

// The subtrees that were put off, or everything; by one lane of each warp.
WG_FUNCTION void walk_put_off(WalkShared& s, const WalkOf& w, const Config& root) {
    if (WG_LANE != 0) return;
    const LinearLevels levels = {s.base, s.spare + (u64)WG_WARP * s.max_levels, root.depth, s.max_levels};
    const bool all = s.put_off_count > WALK_PUT_OFF;
    const u32 n = all ? 1 : s.put_off_count;
    for (u32 i = 0; i < n; ++i) {
        const TrieNode top = node_at(w, all ? 0 : s.put_off[i]);
        const u32 first = top.first_token < w.first ? w.first : top.first_token;
        const u32 last = top.end_token > w.last ? w.last : top.end_token;
        for (u32 position = first + WG_WARP; position < last; position += WALK_WARPS) {
            if (try_entry(s, w, levels, root, position)) emit_entry(s, w, position);
        }
    }
}

// Walks from `root`; by the whole block, with the same arguments. False if a list has become too long, or
// would have to be made anew: the walk must then be repeated with bits.
WG_FUNCTION bool walk(WalkShared& s, const WalkOf& w, const Config& root) {
    const u64 left = left_after(s.budget);
    WG_SYNC();
    if (WG_THREAD == 0) {
        const TrieNode top = node_at(w, 0);
        const u32 children = node_children(top);
        s.stack[0] = {root, top.first_child, top.first_child + children};
        s.size = w.first < w.last && children > 0 ? 1 : 0;
        s.pool_used = 0;
        s.put_off_count = 0;
    }
    WG_SYNC();
    bool whole = true;
    for (;;) {
        const u32 size = s.size;
        if (size == 0) break;
        if (WG_THREAD == 0) WG_COUNT(COUNT_ROUNDS, 1);
        // Too many for a list: uniform, because nobody adds between these barriers.
        if (s.listing != 0 && s.count > WALK_LIST) {
            whole = false;
            break;
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
                const TrieNode n = node_at(w, node);
                WG_COUNT(COUNT_TRIED, 1);
                if (!wanted(w, n)) break;
                if (!read_byte(s.g, levels, c, node_byte(n), left)) {
                    if (levels.full) {
                        const u32 at = wg_atomic_add(&s.put_off_count, 1);
                        if (at < WALK_PUT_OFF) s.put_off[at] = node;
                    }
                    break;
                }
                const u32 here = node_tokens(n);
                WG_COUNT(COUNT_LIVING, 1);
                if (here != 0 && fits(s.g, c, s.budget)) {
                    // On the way to a part's tokens there may be some of another part: their bits are set twice.
                    for (u32 i = 0; i < here; ++i) emit_entry(s, w, n.first_token + i);
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
            walk_put_off(s, w, root);
        }
    }
    WG_SYNC();
    return whole;
}
