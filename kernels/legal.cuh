// The set of legal tokens at a place, by one block: the twin of src/cpu/masker.rs.
//
// | plan    | state                                        | set                                                   |
// |---------|----------------------------------------------|-------------------------------------------------------|
// | FREE    | in a string, no threshold or budget near     | a bitmap of the vocabulary, a walk of 500 suffixes    |
// | COUNTED | in a string, near a threshold or the budget  | a slice's bitmap by length, lists, a walk of suffixes |
// | CLOSED  | every character of a slice leads back        | a slice's bitmap by length, a walk of what is outside |
// | WALK    | any other                                    | a walk of the trie                                    |
//
// A token within a slice, or a string, ends where its number of characters leads to. Places after 0, 1, 2 ...
// characters change only at thresholds, so they are a few segments, found by one thread.
#pragma once

#include "advance.cuh"
#include "walk.cuh"

enum Plan : u32 { PLAN_WALK = 0, PLAN_FREE = 1, PLAN_COUNTED = 2, PLAN_CLOSED = 3 };

#define LEGAL_SEGMENTS 8u
#define LEGAL_CHARS (TRIE_MAX_DEPTH + 1u)

// Places after `from` and more characters, up to the next segment's.
struct Segment {
    Config c;   // after exactly `from`
    u32 from;
    u32 tick;   // what each further character adds to the count
};

// Tokens with `least ... most` characters before the closing quote are behind it at `after`.
struct Exit {
    Config after;
    u32 least, most;
};

struct LegalShared {
    WalkShared walk;
    Config root;
    const u32* base_words;
    u32 plan;
    u32 sub;       // FREE: the sub-state
    u32 slice;     // COUNTED and CLOSED
    u32 upto;      // all lengths up to this one are legal, and in the base
    u32 bound;     // the base holds all lengths up to this one
    u32 most;      // characters a token may have
    u32 segment_count;
    u32 exit_count;
    u32 complete;
    u32 loose_again;  // the pool was full while loose tokens were read
    u32 ok[LEGAL_CHARS / 32];  // bit k: a token of k characters may end there
    u32 partial_ok[STRING_SUBS][LEGAL_CHARS / 32];
    Segment segments[LEGAL_SEGMENTS];
    Exit exits[LEGAL_SEGMENTS];
};
static_assert(LEGAL_CHARS % 32 == 0, "whole words");

WG_DEVICE OneLevel root_levels(const LegalShared& s) {
    return {s.walk.base, s.walk.base, s.root.depth, {0, 0, 0, 0, 0}, 0xffffffffu};
}

WG_DEVICE bool is_between_characters(const StateInfo& s) { return (s.free & STATE_SUB_MASK) == 1; }

// Whether none of some bytes (a set of 256 bits) is read in a state: its row alone tells.
WG_DEVICE bool shuts_out(const GrammarView& g, const StateInfo& s, const u8* bytes) {
    const u32* row = section_at<u32>(g, g.rows) + s.row;
    if (row[0] >> 29 != ACTION_DEAD || s.flags != 0) return false;
    for (u32 i = 0; i < row[1]; ++i) {
        if (row[2 + 2 * i + 1] >> 29 == ACTION_DEAD) continue;
        const u32 first = row[2 + 2 * i] & 0xffu, last = row[2 + 2 * i] >> 8;
        for (u32 byte = first; byte <= last; ++byte) {
            if ((bytes[byte / 8] >> (byte % 8) & 1u) != 0) return false;
        }
    }
    return true;
}

WG_DEVICE u32 saturating_count(u32 count, u32 more) {
    return count + more < count ? 0xffffffffu : count + more;
}

// The place after `chars` characters, which must not exceed `most`.
WG_DEVICE Config after_chars(const LegalShared& s, u32 chars) {
    u32 i = s.segment_count - 1;
    while (i > 0 && s.segments[i].from > chars) --i;
    const Segment& segment = s.segments[i];
    Config c = segment.c;
    if (chars > segment.from) {
        c.count = saturating_count(c.count, segment.tick * (chars - segment.from));
        c.spaces = 0;
    }
    return c;
}

// Finds the segments; by one thread. False if some state on the way reads some of the slice's characters only.
WG_FUNCTION bool find_segments(LegalShared& s, const SliceInfo& slice, bool string, u32 max) {
    const GrammarView& g = s.walk.g;
    Config c = s.root;
    u32 from = 0;
    s.segment_count = 0;
    for (;;) {
        const StateInfo state = state_of(g, c.state);
        const bool open = string ? is_between_characters(state) : (state.slices >> s.slice & 1u) != 0;
        if (!open && !shuts_out(g, state, slice.bytes)) return false;
        if (s.segment_count == LEGAL_SEGMENTS) return false;
        Segment& segment = s.segments[s.segment_count++];
        segment = {c, from, 0};
        s.most = from;
        if (!open || from == max) return true;
        Config next = c;
        OneLevel one = root_levels(s);
        if (!read_byte(g, one, next, 'a', WG_UNLIMITED)) return true;
        segment.tick = next.count - c.count;
        if (next.state != c.state) {
            c = next;
            from += 1;
            continue;
        }
        const Extra& e = section_at<Extra>(g, g.extras)[state.extra];
        // Characters until the count reaches the threshold.
        if (e.chain_to == 0 || segment.tick == 0 || (u64)c.count + (max - from) < e.chain_at) {
            s.most = max;
            return true;
        }
        const u32 steps = e.chain_at - c.count;
        c = next;
        c.count = e.chain_at - 1;
        one = root_levels(s);
        if (!read_byte(g, one, c, 'a', WG_UNLIMITED)) {
            s.most = from + steps - 1;
            return true;
        }
        from += steps;
    }
}

// Where tokens that reach the closing quote are behind it; by one thread.
WG_FUNCTION void find_exits(LegalShared& s) {
    s.exit_count = 0;
    for (u32 i = 0; i < s.segment_count; ++i) {
        Config after = s.segments[i].c;
        OneLevel one = root_levels(s);
        if (!read_byte(s.walk.g, one, after, '"', left_after(s.walk.budget))) continue;
        const u32 least = s.segments[i].from;
        const u32 most = i + 1 < s.segment_count ? s.segments[i + 1].from - 1 : s.most;
        if (s.exit_count > 0) {
            Exit& last = s.exits[s.exit_count - 1];
            if (last.most + 1 == least && last.after.state == after.state && last.after.count == after.count &&
                last.after.seen == after.seen) {
                last.most = most;
                continue;
            }
        }
        s.exits[s.exit_count++] = {after, least, most};
    }
}

// Tries FREE; by one thread. `sub` is the sub-state that the root stands for.
WG_FUNCTION void plan_free(LegalShared& s, const VocabView& v, u32 sub) {
    const GrammarView& g = s.walk.g;
    const SubPath& path = v.header->paths[sub];
    Config main = s.root;
    OneLevel one = root_levels(s);
    for (u32 i = 0; i < path.from_len; ++i) {
        if (!read_byte(g, one, main, path.from[i], WG_UNLIMITED)) return;
    }
    const StateInfo state = state_of(g, main.state);
    if (!is_between_characters(state) || (state.free & STATE_STEADY) == 0) return;
    // The root must be a state of the very string that it completes a character of.
    Config back = main;
    for (u32 i = 0; i < path.to_len; ++i) {
        if (!read_byte(g, one, back, path.to[i], WG_UNLIMITED)) return;
    }
    if (back.state != s.root.state) return;
    const StringInfo& info = v.header->strings[sub];
    const Extra& e = section_at<Extra>(g, g.extras)[state.extra];
    if (e.chain_to != 0 && (u64)main.count + info.max_chars + 1 >= e.chain_at) return;
    if (s.walk.budget != WG_NO_LIMIT) {
        // Bounds fall as the count grows.
        Config least = main;
        least.count = s.root.count;
        if (saturating_add(bound_of(g, least), STEADY_SLACK) >= s.walk.budget) return;
    }
    s.plan = PLAN_FREE;
    s.sub = sub;
    s.exit_count = 0;
    one = root_levels(s);
    if (read_byte(g, one, main, '"', left_after(s.walk.budget))) {
        s.exits[0] = {main, 0, 0xffffu};
        s.exit_count = 1;
    }
}

// Decides how the set is made; by the whole block. The walk's fields and the root must be set.
WG_FUNCTION void plan_legal(LegalShared& s, const VocabView& v) {
    const GrammarView& g = s.walk.g;
    WG_SYNC();
    if (WG_THREAD == 0) {
        const StateInfo state = state_of(g, s.root.state);
        const u32 sub = state.free & STATE_SUB_MASK;
        OneLevel one = root_levels(s);
        s.complete = is_complete(g, one, s.root);
        s.plan = PLAN_WALK;
        s.exit_count = 0;
        s.loose_again = 0;
        if (sub != 0) plan_free(s, v, sub - 1);
        if (s.plan == PLAN_WALK && sub == 1) {
            s.slice = 0;
            if (find_segments(s, v.header->slices[0], true, v.header->strings[0].max_chars)) {
                s.plan = PLAN_COUNTED;
                find_exits(s);
            }
        }
        if (s.plan == PLAN_WALK && state.slices != 0) {
            // Of those that it is closed under, the first has the most tokens.
            s.slice = wg_ffs(state.slices) - 1;
            const SliceInfo& slice = v.header->slices[s.slice];
            if (find_segments(s, slice, false, slice.max_chars)) s.plan = PLAN_CLOSED;
        }
    }
    if (WG_THREAD == 0) WG_COUNT(COUNT_PLANS + s.plan, 1);
    WG_SYNC();
    if (s.plan == PLAN_FREE) {
        if (WG_THREAD == 0) s.base_words = section_at<u32>(v, v.header->strings[s.sub].inside);
        WG_SYNC();
        return;
    }
    if (s.plan == PLAN_WALK) return;
    // Which lengths may end, a thread a length.
    for (u32 from = 0; from < LEGAL_CHARS; from += WG_THREADS) {
        const u32 k = from + WG_THREAD;
        const bool may = k >= 1 && k <= s.most && k < LEGAL_CHARS && fits(g, after_chars(s, k), s.walk.budget);
        const u32 bits = WG_BALLOT(may);
        if (WG_LANE == 0 && k < LEGAL_CHARS) s.ok[k / 32] = bits;
    }
    WG_SYNC();
    if (WG_THREAD == 0) {
        const SliceInfo& slice = v.header->slices[s.slice];
        u32 upto = 0;
        while (upto < s.most && (s.ok[(upto + 1) / 32] >> ((upto + 1) % 32) & 1u) != 0) ++upto;
        u32 bitmap = 0;
        while (bitmap + 1 < slice.bitmaps && slice.bounds[bitmap + 1] <= upto) ++bitmap;
        if (upto >= slice.max_chars) bitmap = slice.bitmaps - 1;
        s.upto = upto;
        s.bound = bitmap + 1 == slice.bitmaps ? slice.max_chars : slice.bounds[bitmap];
        s.base_words = section_at<u32>(v, slice.words) + (u64)bitmap * v.header->stride;
    }
    WG_SYNC();
}

// Writes the bitmap that the set begins with; with `found`, what walks have found is added and taken away
// from there. By the whole block.
WG_DEVICE void write_base(const LegalShared& s, const VocabView& v, u32* words, u32* found) {
    const u32 n = v.header->stride / 4;
    const bool empty = s.plan == PLAN_WALK;
    wg_u4* to = reinterpret_cast<wg_u4*>(words);
    for (u32 i = WG_THREAD; i < n; i += WG_THREADS) {
        wg_u4 w = {0, 0, 0, 0};
        if (!empty) w = wg_load16(s.base_words + 4 * i);
        if (found != nullptr) {
            wg_u4* from = reinterpret_cast<wg_u4*>(found) + i;
            const wg_u4 more = wg_volatile_load(from);
            w = {w.x | more.x, w.y | more.y, w.z | more.z, w.w | more.w};
            *from = {0, 0, 0, 0};
        }
        to[i] = w;
    }
    WG_SYNC();
}

WG_DEVICE bool has_bit(const u32* words, u32 bit) { return (words[bit / 32] >> (bit % 32) & 1u) != 0; }

// The slice's tokens of lengths that the base leaves out.
WG_FUNCTION void add_lengths(LegalShared& s, const VocabView& v) {
    const SliceInfo& slice = v.header->slices[s.slice];
    const u32 last = s.most < slice.max_chars ? s.most : slice.max_chars;
    if (s.bound >= last) return;
    const u32* ids = section_at<u32>(v, v.header->by_chars);
    const u32* starts = section_at<u32>(v, v.header->char_starts);
    const u16* info = section_at<u16>(v, v.header->info);
    for (u32 i = starts[s.bound + 1] + WG_THREAD; i < starts[last + 1]; i += WG_THREADS) {
        const u32 token = ids[i];
        if (has_bit(s.ok, info[token] & 0xffu) && (info[token] >> (8 + s.slice) & 1u) != 0) emit(s.walk, token);
    }
}

// The tokens of a string near a threshold that end inside it and are not plain.
WG_FUNCTION void add_inside(LegalShared& s, const VocabView& v) {
    const GrammarView& g = s.walk.g;
    const StringInfo& info = v.header->strings[0];
    const StringToken* escaped = section_at<StringToken>(v, info.escaped);
    for (u32 i = WG_THREAD; i < info.escaped.count; i += WG_THREADS) {
        if (has_bit(s.ok, escaped[i].chars)) emit(s.walk, escaped[i].token);
    }
    // Within a character it is the sub-state and the number of characters before it that matter.
    const u32 lengths = (s.most < info.partial_chars ? s.most : info.partial_chars) + 1;
    for (u32 i = WG_THREAD; i < STRING_SUBS * (LEGAL_CHARS / 32); i += WG_THREADS) (&s.partial_ok[0][0])[i] = 0;
    WG_SYNC();
    for (u32 i = WG_THREAD; i < (STRING_SUBS - 1) * lengths; i += WG_THREADS) {
        const u32 sub = 1 + i / lengths, chars = i % lengths;
        const SubPath& path = v.header->paths[sub];
        Config c = after_chars(s, chars);
        OneLevel one = root_levels(s);
        bool legal = is_between_characters(state_of(g, c.state));
        for (u32 b = 0; legal && b < path.to_len; ++b) legal = read_byte(g, one, c, path.to[b], WG_UNLIMITED);
        if (legal && fits(g, c, s.walk.budget)) wg_atomic_or(&s.partial_ok[sub][chars / 32], 1u << (chars % 32));
    }
    WG_SYNC();
    const StringToken* partial = section_at<StringToken>(v, info.partial);
    for (u32 i = WG_THREAD; i < info.partial.count; i += WG_THREADS) {
        const StringToken t = partial[i];
        if (t.chars <= s.most && has_bit(s.partial_ok[t.sub], t.chars)) emit(s.walk, t.token);
    }
}

// The tokens that leave a string.
WG_FUNCTION void add_exits(LegalShared& s, const VocabView& v) {
    const StringInfo& info = v.header->strings[s.plan == PLAN_FREE ? s.sub : 0];
    for (u32 i = 0; i < s.exit_count; ++i) {
        WalkOf w = walk_of(v, info.suffixes);
        w.exits = section_at<StringToken>(v, info.exits);
        w.exit_starts = section_at<u32>(v, info.suffix_starts);
        w.least_chars = s.exits[i].least;
        w.most_chars = s.exits[i].most;
        const Config after = s.exits[i].after;
        if (fits(s.walk.g, after, s.walk.budget)) {
            // The empty suffix is the last.
            const u32 empty = info.suffix_starts.count - 2;
            for (u32 j = w.exit_starts[empty] + WG_THREAD; j < w.exit_starts[empty + 1]; j += WG_THREADS) {
                const StringToken t = w.exits[j];
                if (t.chars >= w.least_chars && t.chars <= w.most_chars) emit(s.walk, t.token);
            }
        }
        walk(s.walk, w, after);
    }
}

// The tokens that no trie holds: most lie within a slice and need no reading, the rest are read one a thread.
WG_FUNCTION void add_loose(LegalShared& s, const VocabView& v) {
    const u32* loose = section_at<u32>(v, v.header->loose);
    const u32 n = v.header->loose.count;
    WG_SYNC();
    if (WG_THREAD == 0) s.walk.pool_used = 0;
    WG_SYNC();
    for (u32 i = WG_THREAD; i < n; i += WG_THREADS) {
        PoolLevels levels = {s.walk.base, s.walk.pool, &s.walk.pool_used, s.walk.pool_room, false};
        Config c = s.root;
        if (read_token(s.walk.g, v, levels, c, loose[i], s.walk.budget)) emit(s.walk, loose[i]);
        if (levels.full) wg_atomic_or(&s.loose_again, 1);
    }
    WG_SYNC();
    // Bits can be set twice; a list is made anew instead.
    if (s.loose_again != 0 && s.walk.listing == 0 && WG_LANE == 0) {
        for (u32 i = WG_WARP; i < n; i += WG_THREADS / WG_WARP_SIZE) {
            LinearLevels levels = {s.walk.base, s.walk.spare + (u64)WG_WARP * s.walk.max_levels, s.root.depth,
                                   s.walk.max_levels};
            Config c = s.root;
            if (read_token(s.walk.g, v, levels, c, loose[i], s.walk.budget)) emit(s.walk, loose[i]);
        }
    }
    WG_SYNC();
}

// What needs no walk, except in the first part of a set that several blocks make.
WG_DEVICE void add_rest(LegalShared& s, const VocabView& v) {
    if (s.plan == PLAN_COUNTED || s.plan == PLAN_CLOSED) add_lengths(s, v);
    if (s.plan == PLAN_COUNTED) add_inside(s, v);
    if (s.plan == PLAN_COUNTED || s.plan == PLAN_FREE) add_exits(s, v);
    add_loose(s, v);
    if (s.complete != 0) {
        const u32* stops = section_at<u32>(v, v.header->stop_ids);
        for (u32 i = WG_THREAD; i < v.header->stop_ids.count; i += WG_THREADS) emit(s.walk, stops[i]);
    }
    WG_SYNC();
}

// The walk of the vocabulary that the plan asks for, if it does, or one of `parts` parts of it.
WG_DEVICE bool add_walk(LegalShared& s, const VocabView& v, u32 part, u32 parts) {
    if (s.plan != PLAN_WALK && s.plan != PLAN_CLOSED) return true;
    const bool rest = s.plan == PLAN_CLOSED && s.slice == 0;
    WalkOf w = walk_of(v, rest ? v.header->rest : v.header->all);
    if (s.plan == PLAN_CLOSED && !rest) w.skip = 1u << s.slice;
    const u64 n = w.last;
    w.first = (u32)(n * part / parts);
    w.last = (u32)(n * (part + 1) / parts);
    return walk(s.walk, w, s.root);
}

// Makes the whole set, in `words` or, if it is small and may be one, in the list of the walk. By the whole block.
WG_FUNCTION void make_legal(LegalShared& s, const VocabView& v, u32* words, bool may_list) {
    plan_legal(s, v);
    const bool list = may_list && s.plan == PLAN_WALK;
    if (WG_THREAD == 0) {
        s.walk.words = words;
        s.walk.listing = list;
        s.walk.count = 0;
    }
    WG_SYNC();
    if (list) {
        const bool whole = add_walk(s, v, 0, 1);
        if (whole) add_rest(s, v);
        WG_SYNC();
        // A list that is too long, or may lack a token, is made anew as bits.
        if (whole && s.walk.count <= WALK_LIST && s.loose_again == 0) return;
        WG_SYNC();
        if (WG_THREAD == 0) s.walk.listing = 0;
        WG_SYNC();
    }
    write_base(s, v, words, nullptr);
    add_rest(s, v);
    add_walk(s, v, 0, 1);
}

// Writes the list in ascending order; by the whole block. Each thread counts, for its ids, how many are smaller.
WG_DEVICE void write_list(const WalkShared& s, u32* ids) {
    for (u32 i = WG_THREAD; i < s.count; i += WG_THREADS) {
        const u32 id = s.list[i];
        u32 rank = 0;
        for (u32 j = 0; j < s.count; ++j) rank += s.list[j] < id;
        ids[rank] = id;
    }
}
