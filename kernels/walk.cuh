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

#include "roots.cuh"

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
    // Nobody adds before the round's next barrier.
    if (WG_THREAD == 0) s.range_count = 0;
}

WG_DEVICE bool same_levels(const WalkShared& s, const Config& a, const Config& b) {
    if (a.top == b.top) return true;
    if (a.top == WG_OWN_LEVELS || b.top == WG_OWN_LEVELS) return false;
    const Level& x = s.pool[a.top];
    const Level& y = s.pool[b.top];
    return x.below == y.below && x.seen == y.seen && x.site == y.site && x.count == y.count &&
           x.cost == y.cost;
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
    OneLevel none = {s.base, s.base, 0, {{0, 0}, 0, 0, 0, 0}, 0xffffffffu};
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

// The levels of a root, for one token read to its end: what was opened on the way to it lies in the pool, from where it is
// copied behind the slot's own. Anew for each token, since what a token opens is written over them.
WG_DEVICE LinearLevels levels_of(const WalkShared& s, const Config& root) {
    Level* own = s.spare + (u64)WG_WARP * s.max_levels;
    u32 depth = root.depth;
    for (u32 place = root.top; place != WG_OWN_LEVELS; place = s.pool[place].below) own[--depth] = s.pool[place];
    return {s.base, own, depth, s.max_levels};
}

// The subtrees that were put off, or everything; by one lane of each warp.
WG_FUNCTION void walk_put_off(WalkShared& s, const WalkOf& w) {
    if (WG_LANE != 0) return;
    const bool all = s.put_off_count > WALK_PUT_OFF;
    const u32 n = all ? s.root_count : s.put_off_count;
    for (u32 i = 0; i < n; ++i) {
        const Task& root = s.roots[all ? i : s.put_off[i] >> 28];
        const u32 walk = root.c.walk;
        const TrieNode top = node_at(w, walk, all ? root.next : s.put_off[i] & 0xfffffffu);
        u32 first = top.first_token;
        u32 last = all ? node_at(w, walk, root.end - 1).end_token : top.end_token;
        if ((walk & WALK_SUFFIXES) == 0) {
            first = first < w.first ? w.first : first;
            last = last > w.last ? w.last : last;
        }
        for (u32 position = first + WG_WARP; position < last; position += WALK_WARPS) {
            bool of_root;
            const bool legal = try_entry(s, w, levels_of(s, root.c), root, position, of_root);
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
