// The set of legal tokens at a place, by one block: the twin of src/cpu/masker.rs.
//
// | plan    | state                                        | set                                                   |
// |---------|----------------------------------------------|-------------------------------------------------------|
// | FREE    | in a string, no threshold or budget near     | a bitmap of the vocabulary, a walk of 500 suffixes    |
// | COUNTED | in a string, near a threshold or the budget  | a slice's bitmap by length, lists, a walk of suffixes |
// | CLOSED  | every character of a slice leads back        | a slice's bitmap by length, a walk of what is outside |
// | USUAL   | most characters lead to one closed place     | CLOSED from there, put right where others lead        |
// | WALK    | any other                                    | a walk of the trie, runs of blanks and digits at once |
//
// Thread mapping: all 128 threads of a block make one set; see walk.cuh and plan.cuh.
//
// Bytes moved and floor: legal.cu.
#pragma once

#include "plan.cuh"

// Writes the bitmap that the set begins with; with `found`, what walks have found is added and taken away
// from there. By the whole block.
WG_FUNCTION void write_base(const LegalShared& s, const VocabView& v, u32* words, u32* found) {
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
    const WalkOf& w = s.walk.of;
    WG_SYNC();
    if (WG_THREAD == 0) {
        s.walk.of = walk_of(v, info.suffixes, info.exits, info.suffix_starts);
        s.walk.root_count = 0;
        for (u32 i = 0; i < s.exit_count; ++i) {
            add_root(s.walk, w, s.exits[i].after, 0, suffixes_after(s.exits[i].least, s.exits[i].most));
        }
    }
    WG_SYNC();
    for (u32 i = 0; i < s.exit_count; ++i) {
        if (!fits(s.walk.g, s.exits[i].after, s.walk.budget)) continue;
        // The empty suffix is the last.
        const u32 empty = info.suffix_starts.count - 2;
        for (u32 j = w.suffix_starts[empty] + WG_THREAD; j < w.suffix_starts[empty + 1]; j += WG_THREADS) {
            const StringToken t = w.suffix_tokens[j];
            if (t.chars >= s.exits[i].least && t.chars <= s.exits[i].most) emit(s.walk, t.token);
        }
    }
    walk(s.walk, w);
}

// The tokens that are runs of whitespace or of digits, where these lead to one place.
WG_FUNCTION void add_runs(LegalShared& s, const VocabView& v) {
    const StringToken* spaces = section_at<StringToken>(v, v.header->spaces.whole);
    const StringToken* digits = section_at<StringToken>(v, v.header->digits.whole);
    const u32 blank = s.space_limit != 0 && fits(s.walk.g, s.space_place, s.walk.budget) ? v.header->spaces.whole.count : 0;
    const u32 n = blank + (s.walk.digits != 0 ? v.header->digits.whole.count : 0);
    // In pieces that a list has room for.
    for (u32 from = 0; from < n; from += WALK_LIST) {
        WG_SYNC();
        const bool long_list = s.walk.listing != 0 && s.walk.count > WALK_LIST;
        WG_SYNC();
        if (long_list) list_to_bits(s.walk);
        for (u32 i = from + WG_THREAD; i < n && i < from + WALK_LIST; i += WG_THREADS) {
            const StringToken t = i < blank ? spaces[i] : digits[i - blank];
            const bool legal = i < blank ? t.chars <= s.space_limit
                                         : (s.walk.digits >> t.sub & 1u) != 0 && t.chars <= s.digit_limit &&
                                               (s.digit_ok >> t.chars & 1u) != 0;
            if (legal) emit(s.walk, t.token);
        }
    }
}

// Reads a loose token: the plain characters that it begins with at once, from where the place is closed under them.
template <typename Levels>
WG_DEVICE bool read_loose(const LegalShared& s, const VocabView& v, Levels& levels, Config& c, const LooseToken& t) {
    const GrammarView& g = s.walk.g;
    const u32* starts = section_at<u32>(v, v.header->starts);
    const u8* bytes = section_at<u8>(v, v.header->bytes) + starts[t.token];
    const u32 n = starts[t.token + 1] - starts[t.token];
    if (s.space_limit != 0 && s.plan == PLAN_WALK && t.spaces > s.space_limit) return false;
    const bool counted = s.plan == PLAN_COUNTED || (s.plan == PLAN_CLOSED && s.slice == 0);
    if (counted && s.most < v.header->slices[0].max_chars && t.chars > s.most) return false;
    const u64 left = left_after(s.walk.budget);
    u32 i = 0;
    while (i < n) {
        // Characters of one byte each can be counted from anywhere.
        const bool countable = i + 1 < t.bytes && (i == 0 || t.chars == t.bytes) && g.indent == 0;
        const u32 chars = countable ? t.chars - i : 0;
        if (chars > 1 && (state_of(g, c.state).slices & 1u) != 0) {
            const Extra& e = section_at<Extra>(g, g.extras)[extra_of(g, c.state)];
            Config one = c;
            if ((e.chain_to == 0 || (u64)c.count + chars < e.chain_at) && read_apart(g, levels, one, 'a', WG_UNLIMITED) &&
                one.state == c.state) {
                const u64 count = (u64)c.count + (u64)chars * (one.count - c.count);
                c = one;
                c.count = count > 0xffffffffu ? 0xffffffffu : (u32)count;
                i = t.bytes;
                continue;
            }
        }
        if (!read_apart(g, levels, c, bytes[i], left)) return false;
        ++i;
    }
    return fits(g, c, s.walk.budget);
}

// The tokens that no trie holds, one a thread.
WG_FUNCTION void add_loose(LegalShared& s, const VocabView& v) {
    const LooseToken* loose = section_at<LooseToken>(v, v.header->loose);
    const u32 n = v.header->loose.count;
    WG_SYNC();
    if (WG_THREAD == 0) s.walk.pool_used = 0;
    WG_SYNC();
    for (u32 i = WG_THREAD; i < n; i += WG_THREADS) {
        PoolLevels levels = {s.walk.base, s.walk.pool, &s.walk.pool_used, s.walk.pool_room, false};
        Config c = s.root;
        const LooseToken t = loose[i];
        if (read_loose(s, v, levels, c, t)) emit(s.walk, t.token);
        if (levels.full) wg_atomic_or(&s.loose_again, 1);
    }
    WG_SYNC();
    // Bits can be set twice; a list is made anew instead.
    if (s.loose_again != 0 && s.walk.listing == 0 && WG_LANE == 0) {
        for (u32 i = WG_WARP; i < n; i += WG_THREADS / WG_WARP_SIZE) {
            LinearLevels levels = {s.walk.base, s.walk.spare + (u64)WG_WARP * s.walk.max_levels, s.root.depth,
                                   s.walk.max_levels};
            Config c = s.root;
            const LooseToken t = loose[i];
            if (read_loose(s, v, levels, c, t)) emit(s.walk, t.token);
        }
    }
    WG_SYNC();
}

// What needs no walk, except in the first part of a set that several blocks make.
WG_FUNCTION void add_rest(LegalShared& s, const VocabView& v) {
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
    if (s.plan == PLAN_FREE || s.plan == PLAN_COUNTED) return true;
    const bool suffixes = s.plan == PLAN_USUAL || (s.plan == PLAN_CLOSED && s.steady != 0);
    const RunInfo& run = suffixes ? v.header->outside[s.slice] : v.header->spaces;
    WalkOf& w = s.walk.of;
    // Tokens that begin outside a narrow slice are in the trie of all tokens alone.
    const u32 least = s.slice == 0 ? 0 : 1;
    WG_SYNC();
    if (WG_THREAD == 0) {
        w = walk_of(v, run.suffixes, run.tokens, run.starts);
        if (s.plan == PLAN_CLOSED && !suffixes) w.skip = 1u << s.slice;
        const u64 n = w.last;
        w.first = (u32)(n * part / parts);
        w.last = (u32)(n * (part + 1) / parts);
        s.walk.root_count = 0;
        if (suffixes && least != 0) add_root(s.walk, w, s.root, 0, WALK_NO_SLICE);
        if (s.plan == PLAN_USUAL) {
            if (least == 0) add_root(s.walk, w, s.root, 0, suffixes_after(0, 0));
            add_root(s.walk, w, s.walk.usual, 0, suffixes_after(1, WALK_ANY_CHARS));
        } else if (suffixes) {
            for (u32 i = 0; i < s.segment_count; ++i) {
                const u32 most = i + 1 < s.segment_count ? s.segments[i + 1].from - 1 : s.most;
                const u32 from = s.segments[i].from < least ? least : s.segments[i].from;
                if (from <= most) add_root(s.walk, w, s.segments[i].c, 0, suffixes_after(from, most));
            }
        } else {
            const u32 spaces = s.plan == PLAN_WALK && s.space_limit != 0 ? WALK_NO_SPACES : 0;
            const u32 digits = s.plan == PLAN_WALK && s.walk.digits != 0 ? WALK_NO_DIGITS : 0;
            add_root(s.walk, w, s.root, 0, spaces | digits);
            if (spaces != 0 && v.header->blank != 0) add_root(s.walk, w, s.space_place, v.header->blank, spaces);
            if (spaces != 0 && part == 0) add_root(s.walk, w, s.space_place, 0, suffixes_after(1, s.space_limit));
        }
    }
    if (s.plan == PLAN_WALK && part == 0) add_runs(s, v);
    if (!walk(s.walk, w)) return false;
    if (s.plan != PLAN_USUAL) return true;
    WG_SYNC();
    if (WG_THREAD == 0) {
        s.walk.root_count = 0;
        add_root(s.walk, w, s.root, 0, WALK_SLICE_FIRST | WALK_FIX | WALK_WITHIN);
    }
    return walk(s.walk, w);
}

// Makes the whole set, in `words` or, if it is small and may be one, in the list of the walk. By the whole block.
WG_FUNCTION void make_legal(LegalShared& s, const VocabView& v, u32* words, bool may_list) {
    plan_legal(s, v);
    const bool list = may_list && s.plan == PLAN_WALK;
    if (WG_THREAD == 0) {
        s.walk.words = words;
        s.walk.stride = v.header->stride;
        s.walk.listing = list;
        s.walk.count = 0;
    }
    WG_SYNC();
    if (list) {
        const bool whole = add_walk(s, v, 0, 1);
        if (whole) add_rest(s, v);
        WG_SYNC();
        if (whole && s.walk.count <= WALK_LIST_ROOM && (s.walk.listing == 0 || s.loose_again == 0)) {
            if (s.walk.listing != 0 && s.walk.count > WALK_LIST) list_to_bits(s.walk);
            return;
        }
        // A list that lacks a token, or may, is made anew as bits.
        WG_SYNC();
        if (WG_THREAD == 0) s.walk.listing = 0;
        WG_SYNC();
    }
    write_base(s, v, words, nullptr);
    add_walk(s, v, 0, 1);
    add_rest(s, v);
}

// Writes the list in ascending order; by the whole block. Each thread counts, for its ids, how many are smaller.
WG_FUNCTION void write_list(const WalkShared& s, u32* ids) {
    for (u32 i = WG_THREAD; i < s.count; i += WG_THREADS) {
        const u32 id = s.list[i];
        u32 rank = 0;
        for (u32 j = 0; j < s.count; ++j) rank += s.list[j] < id;
        ids[rank] = id;
    }
}
