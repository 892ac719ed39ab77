// How a slot's legal set is made: which plan (legal.cuh) fits the place, and where runs of characters lead from it.
//
// Thread mapping: one thread reads what is judged once, a thread a byte or a length what is judged many times.
//
// A token within a slice, or a string, ends where its number of characters leads to. Places after 0, 1, 2 ...
// characters change only at thresholds, so they are a few segments, found by one thread.
//
// Bytes moved: a few hundred, of the grammar's tables. Floor: a chain of some forty reads, most of them in L1.
#pragma once

#include "advance.cuh"
#include "walk.cuh"

enum Plan : u32 { PLAN_WALK = 0, PLAN_FREE = 1, PLAN_COUNTED = 2, PLAN_CLOSED = 3, PLAN_USUAL = 4 };

#define LEGAL_SEGMENTS 8u
#define LEGAL_CHARS (TRIE_MAX_DEPTH + 1u)
// Digits of a token, at most, for runs of digits to be looked at.
#define LEGAL_DIGITS 4u
// How far from a threshold counts do not matter: more than the characters of any token of a trie.
#define LEGAL_FAR 80u
static_assert(LEGAL_SEGMENTS <= WALK_ROOTS, "a root a segment");

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
    u32 steady;    // CLOSED: what follows plain characters does not depend on their number, but for the segment
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
    // WALK, by find_runs. Runs of whitespace lead to `space_place`, up to so many bytes; 0: not known where.
    u32 space_limit;
    // Runs that begin with one of WalkShared::digits lead to the place of their number of digits, up to so many.
    u32 digit_limit;
    u32 digit_ok;  // bit k: a token of k digits may end there
    u32 votes[WALK_WARPS];
    u32 slices[WALK_WARPS];
    Config space_place;
    Config digit_places[LEGAL_DIGITS];
};
static_assert(LEGAL_CHARS % 32 == 0, "whole words");

WG_DEVICE OneLevel root_levels(const LegalShared& s) {
    return {s.walk.base, s.walk.base, s.root.depth, {{0, 0}, 0, 0, 0, 0}, 0xffffffffu};
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

// Whether the place after some more characters differs from this one in the count alone, which nothing depends on: no
// threshold is near, and no bound that matters falls as characters come. `tick`: what one adds to the count.
WG_DEVICE bool is_steady(const LegalShared& s, const Config& c, u32 tick) {
    if (tick == 0) return true;
    const Extra& e = section_at<Extra>(s.walk.g, s.walk.g.extras)[extra_of(s.walk.g, c.state)];
    if (e.chain_to != 0 && (u64)c.count + LEGAL_FAR >= e.chain_at) return false;
    return s.walk.budget == WG_NO_LIMIT || (e.cost_per_tick == 0 && e.cost_tick_spaces == 0) || c.count > e.cost_at + 1;
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

WG_DEVICE bool read_pooled(LegalShared& s, Config& c, u32 byte) {
    PoolLevels levels = {s.walk.base, s.walk.pool, &s.walk.pool_used, s.walk.pool_room, false};
    return read_apart(s.walk.g, levels, c, byte, left_after(s.walk.budget));
}

// Where runs of whitespace and of digits lead, and whether most letters lead to one place that is closed under a
// slice; by the whole block, a byte a thread:
//
//     warp 0   each byte of whitespace, and each after it: one place, and back to it
//     warp 1   each digit: one place for some of them; then each digit from there, and so on
//     warps 2, 3   letters: a place to compare all others with (PLAN_USUAL)
WG_FUNCTION void find_runs(LegalShared& s, const VocabView& v) {
    const u32 spaces = ' ' | '\n' << 8 | '\t' << 16 | (u32)'\r' << 24;
    const u32 first = WG_LANE / 4, second = WG_LANE % 4;
    Config c = s.root;
    bool alive = false;
    u32 byte = 'A' + (WG_THREAD - 64);
    if (WG_WARP == 0) byte = spaces >> (8 * (first & 3u)) & 0xffu;
    if (WG_WARP == 1) byte = '0' + WG_LANE;
    if (WG_WARP == 0 ? WG_LANE < 16 : WG_WARP == 1 ? WG_LANE < 10 : byte <= 'z' && byte != '\\') {
        alive = read_pooled(s, c, byte);
    }
    if (WG_THREAD == 0) s.space_place = c;
    if (WG_THREAD == 37) s.digit_places[0] = c;
    WG_SYNC();
    bool vote;
    if (WG_WARP == 0) {
        vote = alive && WG_LANE < 16 && c.depth <= s.root.depth && same_but_spaces(s.walk, c, s.space_place) &&
               c.spaces == s.space_place.spaces;
        if (vote) {
            Config again = c;
            vote = read_pooled(s, again, spaces >> (8 * second) & 0xffu) && same_but_spaces(s.walk, again, c) &&
                   again.spaces == c.spaces + 1 &&
                   (state_of(s.walk.g, c.state).flags & (STATE_INDENT_INNER | STATE_INDENT_OUTER)) == 0;
        }
    } else if (WG_WARP == 1) {
        vote = alive && same_but_spaces(s.walk, c, s.digit_places[0]);
    } else {
        vote = alive && state_of(s.walk.g, c.state).slices != 0;
    }
    // Among places closed under slices that of the first slice: it has the most tokens.
    const u32 slice = WG_WARP >= 2 && vote ? wg_ffs(state_of(s.walk.g, c.state).slices) - 1 : SLICES;
    const u32 least = WG_REDUCE_MIN(slice);
    const u32 votes = WG_BALLOT(WG_WARP < 2 ? vote : vote && slice == least);
    if (WG_LANE == 0) {
        s.votes[WG_WARP] = votes;
        s.slices[WG_WARP] = least;
    }
    // The digits after the first.
    if (WG_WARP == 1) {
        const u32 longest = v.header->digits.max_chars;
        u32 limit = (votes >> 5 & 1u) != 0 && longest >= 1 && longest <= LEGAL_DIGITS ? 1 : 0;
        u32 ok = limit != 0 && fits(s.walk.g, s.digit_places[0], s.walk.budget) ? 2u : 0;
        for (u32 k = 1; limit == k && k < longest; ++k) {
            Config next = s.digit_places[k - 1];
            const bool read = WG_LANE < 10 && read_pooled(s, next, '0' + WG_LANE);
            if (WG_LANE == 5) s.digit_places[k] = next;
            WG_SYNC_WARP();
            const u32 readers = WG_BALLOT(read);
            const u32 same = WG_BALLOT(read && same_but_spaces(s.walk, next, s.digit_places[k]));
            // All alike, all dead, or nothing is known.
            if (same == 0x3ffu) {
                limit = k + 1;
                ok |= (fits(s.walk.g, s.digit_places[k], s.walk.budget) ? 1u : 0u) << (k + 1);
            } else if (readers != 0) {
                limit = 0;
            }
        }
        if (WG_LANE == 0) {
            s.digit_limit = limit;
            s.digit_ok = ok;
            s.walk.digits = limit != 0 ? votes & 0x3ffu : 0;
        }
    }
    WG_SYNC();
    const u32 warp = s.slices[2] <= s.slices[3] ? 2 : 3;
    const u32 chosen = s.votes[warp] != 0 ? 32 * warp + wg_ffs(s.votes[warp]) - 1 : WG_THREADS;
    if (WG_THREAD == chosen) {
        s.walk.usual = c;
        s.slice = slice;
        Config next = c;
        const bool back = read_pooled(s, next, 'a') && next.state == c.state && next.depth == c.depth;
        if (back && is_steady(s, c, next.count - c.count) && fits(s.walk.g, c, s.walk.budget)) s.plan = PLAN_USUAL;
    }
    if (WG_THREAD == 0 && (s.votes[0] & 0xffffu) == 0xffffu) {
        // The place has one byte of whitespace behind it.
        s.space_limit = s.walk.g.max_spaces - s.space_place.spaces + 1;
    }
    WG_SYNC();
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
            if (find_segments(s, slice, false, slice.max_chars)) {
                s.plan = PLAN_CLOSED;
                s.steady = 1;
                for (u32 i = 0; i < s.segment_count; ++i) {
                    const Segment& segment = s.segments[i];
                    const bool one = i + 1 < s.segment_count && s.segments[i + 1].from == segment.from + 1;
                    if (!one && !is_steady(s, segment.c, segment.tick)) s.steady = 0;
                }
            }
        }
        s.walk.pool_used = 0;
        s.walk.digits = 0;
        s.space_limit = 0;
    }
    WG_SYNC();
    if (s.plan == PLAN_WALK) find_runs(s, v);
    if (WG_THREAD == 0 && (s.plan == PLAN_CLOSED || s.plan == PLAN_USUAL)) {
        s.walk.slice_bytes = v.header->slices[s.slice].bytes;
    }
    if (WG_THREAD == 0) WG_COUNT(COUNT_PLANS + s.plan, 1);
    if (s.plan == PLAN_FREE) {
        if (WG_THREAD == 0) s.base_words = section_at<u32>(v, v.header->strings[s.sub].inside);
        WG_SYNC();
        return;
    }
    if (s.plan == PLAN_USUAL && WG_THREAD == 0) {
        const SliceInfo& slice = v.header->slices[s.slice];
        s.base_words = section_at<u32>(v, slice.words) + (u64)(slice.bitmaps - 1) * v.header->stride;
    }
    if (s.plan == PLAN_WALK || s.plan == PLAN_USUAL) {
        WG_SYNC();
        return;
    }
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

