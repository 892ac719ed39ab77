// The automaton: reading a byte, and what a place in a text says about itself. The twin of
// src/reference/mod.rs, line for line where it can be.
//
// One thread follows one text. A byte costs three dependent look-ups (state, row, target's extra), all of a
// grammar that 32 lanes share, so that they mostly hit L1: about 200 cycles a byte and lane when they do.
#pragma once

#include "levels.cuh"

// No limit to the tokens that may follow.
#define WG_UNLIMITED 0xffffffffffffffffull
// Tables are checked when they are loaded, so no loop over them is endless; this many rounds for one byte
// are more than any text can need (each pops a level, of which there are at most 254).
#define WG_MAX_ROUNDS 512u

// A grammar's sections, looked up once.
struct GrammarView {
    const u8* base;
    u32 states, kinds, extras, keys, key_costs, rows, sites, variants, terms, lists, choices;
    u32 start, max_depth, max_spaces, indent;
};

WG_DEVICE GrammarView view_of(u64 grammar) {
    const u8* base = reinterpret_cast<const u8*>(grammar);
    const GrammarHeader& h = *reinterpret_cast<const GrammarHeader*>(base);
    return {base,
            h.states.offset,
            h.kinds.offset,
            h.extras.offset,
            h.keys.offset,
            h.key_costs.offset,
            h.rows.offset,
            h.sites.offset,
            h.variants.offset,
            h.terms.offset,
            h.lists.offset,
            h.choices.offset,
            h.start,
            h.max_depth,
            h.max_spaces,
            h.indent};
}

template <typename T>
WG_DEVICE const T* section_at(const GrammarView& g, u32 offset) {
    return reinterpret_cast<const T*>(g.base + offset);
}

WG_DEVICE PackedState packed_of(const GrammarView& g, u32 state) {
    WG_LOADS(1);
    return section_at<PackedState>(g, g.states)[state];
}

WG_DEVICE const StateKind& kind_of(const GrammarView& g, PackedState state) {
    WG_LOADS(1);
    return section_at<StateKind>(g, g.kinds)[(state.place >> 25) << 16 | state.rest >> 16];
}

// Only what is used of it is loaded; a grammar has few kinds, which stay in L1.
WG_DEVICE StateInfo state_of(const GrammarView& g, u32 state) {
    const PackedState packed = packed_of(g, state);
    const StateKind& kind = kind_of(g, packed);
    return {packed.place & PACKED_ROW, kind.cost + (packed.rest & 0xffffu), kind.extra, kind.need, kind.flags,
            kind.slices, kind.free};
}

WG_DEVICE u32 row_of(const GrammarView& g, u32 state) { return packed_of(g, state).place & PACKED_ROW; }

// Most states have none, and their kind need not be looked at.
WG_DEVICE u32 extra_of(const GrammarView& g, u32 state) {
    const PackedState packed = packed_of(g, state);
    return (packed.place & PACKED_HAS_EXTRA) != 0 ? kind_of(g, packed).extra : 0;
}

WG_DEVICE u64 saturating_add(u64 a, u64 b) {
    const u64 sum = a + b;
    return sum < a ? WG_UNLIMITED : sum;
}
WG_DEVICE u64 saturating_mul(u64 a, u64 b) { return wg_mulhi64(a, b) != 0 ? WG_UNLIMITED : a * b; }
WG_DEVICE u64 saturating_sub(u64 a, u64 b) { return a < b ? 0 : a - b; }
WG_DEVICE u32 lowest_bit(u64 v) {
    const u32 low = (u32)v;
    return low != 0 ? wg_ffs(low) - 1u : wg_ffs((u32)(v >> 32)) + 31u;
}

// The action of `byte` in the row at word `row`.
WG_DEVICE u32 action_of(const GrammarView& g, u32 row, u32 byte) {
    const u32* words = section_at<u32>(g, g.rows) + row;
    const u32 n = words[1];
    const u32* ranges = words + 2;
    // The first range that does not end before the byte.
    u32 low = 0, high = n;
    WG_LOADS(1);
    while (low < high) {
        WG_LOADS(1);
        const u32 middle = (low + high) / 2;
        if (ranges[2 * middle] >> 8 < byte) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < n && (ranges[2 * low] & 0xffu) <= byte ? ranges[2 * low + 1] : words[0];
}

#define WG_NO_CHOICE 0xffffffffu

// The outcome of the first choice that holds, from `first` on; WG_NO_CHOICE if none does.
WG_DEVICE u32 choice_of(const GrammarView& g, u32 first, KeySet seen) {
    const Choice* choices = section_at<Choice>(g, g.choices);
    for (u32 i = first;; ++i) {
        WG_LOADS(1);
        if (is_empty(choices[i].keys - seen)) return choices[i].outcome;
        if (choices[i].last != 0) return WG_NO_CHOICE;
    }
}
// Apart: only free key order chooses, and reading a byte has no register to spare for it.
WG_FUNCTION u32 choose(const GrammarView& g, u32 first, KeySet seen) { return choice_of(g, first, seen); }

// ---- Reading ----

// Few states have thresholds, registers of keys or bounds that depend on the count. What they need stands in
// functions of their own, which take and return numbers: in line it would be most of a walk's code, five times over,
// and by reference it would keep configurations in memory.
struct Arrival {
    u32 state;  // 0: illegal
    u32 name;   // 1 + the key that is seen now; 0: none
};

WG_DEVICE u32 lowest_key(KeySet set) { return set.low != 0 ? lowest_bit(set.low) : 64u + lowest_bit(set.high); }
WG_DEVICE KeySet without_lowest(KeySet set) {
    return {set.low & (set.low - 1), set.low != 0 ? set.high : set.high & (set.high - 1)};
}

WG_DEVICE bool can_name(const GrammarView& g, u32 depth, KeySet seen, const KeyInfo& keys) {
    const u32 left = g.max_depth - depth;
    if (keys.open_need <= left + 1 && keys.open_need <= 255u) return true;
    const MemberCost* costs = section_at<MemberCost>(g, g.key_costs) + keys.costs;
    for (KeySet unseen = keys.ahead - seen; !is_empty(unseen); unseen = without_lowest(unseen)) {
        if (costs[lowest_key(unseen)].need <= left) return true;
    }
    return false;
}

// What the register of keys says to an arrival. Apart, so that thresholds do not wait in registers meanwhile.
WG_FUNCTION Arrival arrive_keys(const GrammarView& g, u32 state, u32 which, u32 depth, KeySet seen) {
    const KeyInfo& keys = section_at<KeyInfo>(g, g.keys)[which];
    const u32 name = keys.name;
    const bool again = name != 0 && !is_empty(seen & one_key(name - 1));
    if (again || (keys.open_need != 0 && !can_name(g, depth, seen, keys)) ||
        (keys.closes != 0 && choice_of(g, keys.closes - 1, seen) == WG_NO_CHOICE)) {
        return {0, 0};
    }
    return {state, name};
}

// Arrives at a state whose extra is not 0.
WG_FUNCTION Arrival arrive_extra(const GrammarView& g, u32 state, u32 extra, u32 count, u32 depth, KeySet seen) {
    const Extra* extras = section_at<Extra>(g, g.extras);
    do {
        const Extra& e = extras[extra];
        WG_LOADS(1);
        if (e.chain_to == 0 || count < e.chain_at) {
            if (e.keys != 0) return arrive_keys(g, state, e.keys, depth, seen);
            break;
        }
        state = e.chain_to;
        extra = extra_of(g, state);
    } while (extra != 0);
    return {state, 0};
}

WG_DEVICE bool arrive(const GrammarView& g, Config& c, u32 state) {
    // Extra 0 asks nothing of an arrival.
    const u32 extra = extra_of(g, state);
    c.state = state;
    if (extra != 0) {
        const Arrival at = arrive_extra(g, state, extra, c.count, c.depth, c.seen);
        if (at.name != 0) c.seen = c.seen | one_key(at.name - 1);
        c.state = at.state;
    }
    return c.state != 0;
}

// What the required names not yet seen cost, in tokens.
WG_DEVICE u64 missing(const GrammarView& g, const KeyInfo& k, KeySet seen, u64 per_space) {
    const MemberCost* costs = section_at<MemberCost>(g, g.key_costs) + k.costs;
    u64 sum = 0;
    for (KeySet left = k.required - seen; !is_empty(left); left = without_lowest(left)) {
        const MemberCost& cost = costs[lowest_key(left)];
        sum += (u64)cost.tokens + (u64)cost.spaces * per_space;
    }
    return sum;
}

// A bound with what the register of keys adds to it. Apart, so that nothing waits in registers for the sum.
WG_FUNCTION u64 bound_keys(const GrammarView& g, u32 keys, u64 bound, KeySet seen, u64 per_space) {
    const KeyInfo& k = section_at<KeyInfo>(g, g.keys)[keys];
    bound = saturating_add(bound, missing(g, k, seen, per_space));
    if (!is_empty((k.ahead & k.required) - seen)) {
        return saturating_sub(bound, (u64)k.written + (u64)k.written_spaces * per_space);
    }
    return is_empty(k.ahead) ? bound : saturating_add(bound, (u64)k.rest + (u64)k.rest_spaces * per_space);
}

// `max(0, at - count) * (per_tick + tick_spaces * per_space)`
WG_DEVICE u64 ticks_cost(u32 at, u32 count, u32 per_tick, u32 tick_spaces, u64 per_space) {
    return at <= count ? 0 : saturating_mul(at - count, (u64)per_tick + (u64)tick_spaces * per_space);
}

// The bound within the level of a state whose extra is not 0, which costs `cost` by itself.
WG_FUNCTION u64 bound_extra(const GrammarView& g, u32 extra, u64 cost, u32 count, u32 spaces, u32 depth, KeySet seen) {
    const Extra& e = section_at<Extra>(g, g.extras)[extra];
    WG_LOADS(1);
    const u64 per_space = (u64)g.indent * depth;
    u64 bound = saturating_add(ticks_cost(e.cost_at, count, e.cost_per_tick, e.cost_tick_spaces, per_space),
                               cost + (u64)e.cost_spaces * per_space);
    bound = saturating_sub(bound, spaces);
    return e.keys == 0 ? bound : bound_keys(g, e.keys, bound, seen, per_space);
}

// Bound of the tokens needed to complete the text.
WG_DEVICE u64 bound_of(const GrammarView& g, const Config& c) {
    const StateInfo s = state_of(g, c.state);
    // Indentation already written.
    const u32 spaces = (s.flags & (STATE_INDENT_INNER | STATE_INDENT_OUTER)) != 0 ? c.spaces : 0;
    const u64 bound = s.extra == 0 ? saturating_sub(s.cost, spaces)
                                   : bound_extra(g, s.extra, s.cost, c.count, spaces, c.depth, c.seen);
    return saturating_add(bound, c.owed);
}

// Whether a token may end here: the depth left is enough to finish.
WG_DEVICE bool can_rest(const GrammarView& g, const Config& c) {
    const u32 need = state_of(g, c.state).need;
    return need != STATE_NO_REST && c.depth + need <= g.max_depth;
}

// Whether a token may end here with `budget` tokens left, itself included.
WG_DEVICE bool fits(const GrammarView& g, const Config& c, u32 budget) {
    return can_rest(g, c) && (budget == WG_NO_LIMIT || bound_of(g, c) < budget);
}

// Tokens that may follow one read with `budget` tokens left.
WG_DEVICE u64 left_after(u32 budget) {
    return budget == WG_NO_LIMIT ? WG_UNLIMITED : budget == 0 ? 0 : (u64)budget - 1;
}

template <typename Levels>
WG_DEVICE bool leave(const GrammarView& g, Levels& levels, Config& c, u32 outcome) {
    if (c.depth == 0) return false;
    const Level level = levels.pop(c);
    WG_LOADS(2);
    const SiteInfo s = section_at<SiteInfo>(g, g.sites)[level.site];
    if (outcome >= s.target_count) return false;
    c.count = level.count;
    c.seen = level.seen;
    c.spaces = 0;
    return arrive(g, c, section_at<u32>(g, g.lists)[s.targets + outcome]);
}

WG_DEVICE bool stay(const GrammarView& g, Config& c, u32 action) {
    if ((action & ACTION_SPACE) != 0) {
        c.spaces += 1;
        if (c.spaces > g.max_spaces) return false;
    } else {
        c.spaces = 0;
        if ((action & ACTION_FLAG) != 0 && c.count != 0xffffffffu) c.count += 1;
    }
    return arrive(g, c, (action & ACTION_INDEX) + (action >> 29 == ACTION_AHEAD ? c.state : 0));
}

// Reads a byte with the row of the state just entered. Loading refuses tables whose frames, entered without
// reading, begin by entering or leaving without reading, so this ends the byte.
template <typename Levels>
WG_DEVICE bool read_inside(const GrammarView& g, Levels& levels, Config& c, u32 byte) {
    const u32 action = action_of(g, row_of(g, c.state), byte);
    const u32 kind = action >> 29;
    if (kind == ACTION_STAY || kind == ACTION_AHEAD) return stay(g, c, action);
    if (kind != ACTION_LEAVE && kind != ACTION_CHOOSE) return false;
    u32 outcome = action & ACTION_INDEX;
    if (kind == ACTION_CHOOSE) outcome = choose(g, outcome, c.seen);
    return (action & ACTION_FLAG) != 0 && leave(g, levels, c, outcome);
}

// What may follow a frame that is entered on these terms, in tokens; more than a level can hold is as much as it can.
WG_FUNCTION u32 cost_after(const GrammarView& g, u32 which, u32 count, u32 depth, KeySet seen) {
    const VariantTerms& terms = section_at<VariantTerms>(g, g.terms)[which];
    const u64 per_space = (u64)g.indent * depth;
    u64 cost = (u64)terms.cost + (u64)terms.cost_spaces * per_space;
    if (terms.keys != 0) cost += missing(g, section_at<KeyInfo>(g, g.keys)[terms.keys], seen, per_space);
    cost = saturating_add(cost, ticks_cost(terms.cost_at, count, terms.cost_per_tick, terms.cost_tick_spaces, per_space));
    return cost > 0xffffffffu ? 0xffffffffu : (u32)cost;
}

// Enters the last variant that the depth left allows and that can be completed with `left` more tokens; if
// there is none, the first that the depth allows.
template <typename Levels>
WG_DEVICE bool enter(const GrammarView& g, Levels& levels, Config& c, u32 action, u32 byte, u64 left) {
    u32 place;
    if (c.depth == g.max_depth || !levels.reserve(c, place)) return false;
    WG_LOADS(1);
    const SiteInfo s = section_at<SiteInfo>(g, g.sites)[action & ACTION_INDEX];
    // What one variant changes and the next one reads, that one finds in the level just opened, not in registers.
    const u32 outer = c.depth;
    bool legal = false, opened = false;
    for (u32 i = s.variant_count; i-- > 0;) {
        const VariantInfo v = section_at<VariantInfo>(g, g.variants)[s.variants + i];
        WG_LOADS(2);
        if (section_at<VariantTerms>(g, g.terms)[v.terms].depth > g.max_depth - outer) continue;
        if (opened) {
            const Level& outside = levels.opened_level(outer, place);
            if (c.depth != outer) c.owed -= outside.cost;
            c.depth = outer;
            c.seen = outside.seen;
            c.count = outside.count;
            levels.set_top(c, outside.below);
        }
        opened = true;
        const u32 cost = cost_after(g, v.terms, c.count, outer, c.seen);
        levels.push(c, place, {c.seen, action & ACTION_INDEX, c.count, cost, 0});
        c.count = 0;
        c.spaces = 0;
        c.seen = {0, 0};
        legal = arrive(g, c, v.start) &&
                ((action & ACTION_FLAG) != 0 || read_inside(g, levels, c, byte));
        if (legal && (left == WG_UNLIMITED || bound_of(g, c) <= left)) break;
    }
    return legal;
}

// Spaces of indentation still to be written before anything else.
WG_DEVICE u32 missing_spaces(const GrammarView& g, const Config& c, u32 flags) {
    if ((flags & (STATE_INDENT_INNER | STATE_INDENT_OUTER)) == 0) return 0;
    const u32 levels = (flags & STATE_INDENT_INNER) != 0 ? c.depth : c.depth == 0 ? 0 : c.depth - 1;
    const u32 all = levels * g.indent;
    return all > c.spaces ? all - c.spaces : 0;
}

template <typename Levels>
WG_DEVICE bool read_inline(const GrammarView& g, Levels& levels, Config& c, u32 byte, u64 left) {
    if (g.indent != 0 && missing_spaces(g, c, state_of(g, c.state).flags) > 0) {
        c.spaces += 1;
        return byte == ' ';
    }
    for (u32 round = 0; round < WG_MAX_ROUNDS; ++round) {
        const u32 action = action_of(g, row_of(g, c.state), byte);
        const u32 kind = action >> 29;
        if (kind == ACTION_STAY || kind == ACTION_AHEAD) return stay(g, c, action);
        if (kind == ACTION_ENTER) return enter(g, levels, c, action, byte, left);
        if (kind != ACTION_LEAVE && kind != ACTION_CHOOSE) return false;
        u32 outcome = action & ACTION_INDEX;
        if (kind == ACTION_CHOOSE) outcome = choose(g, outcome, c.seen);
        if (!leave(g, levels, c, outcome)) return false;
        if ((action & ACTION_FLAG) != 0) return true;
    }
    return false;
}

// Reads one byte of a token after which `left` more may follow; false if it is illegal (the configuration
// is then of no use). Only walks have it in line: there it is the inner loop.
WG_DEVICE bool read_byte(const GrammarView& g, PoolLevels& levels, Config& c, u32 byte, u64 left) {
    return read_inline(g, levels, c, byte, left);
}
WG_FUNCTION bool read_byte(const GrammarView& g, LinearLevels& levels, Config& c, u32 byte, u64 left) {
    return read_inline(g, levels, c, byte, left);
}
// The same where it is not the inner loop.
WG_FUNCTION bool read_apart(const GrammarView& g, PoolLevels& levels, Config& c, u32 byte, u64 left) {
    return read_inline(g, levels, c, byte, left);
}
WG_DEVICE bool read_apart(const GrammarView& g, LinearLevels& levels, Config& c, u32 byte, u64 left) {
    return read_byte(g, levels, c, byte, left);
}
WG_FUNCTION bool read_byte(const GrammarView& g, OneLevel& levels, Config& c, u32 byte, u64 left) {
    return read_inline(g, levels, c, byte, left);
}

// Whether the text is complete.
template <typename Levels>
WG_DEVICE bool is_complete(const GrammarView& g, Levels levels, Config c) {
    for (u32 round = 0; round < WG_MAX_ROUNDS; ++round) {
        const StateInfo s = state_of(g, c.state);
        if ((s.flags & STATE_ACCEPTING) != 0) return c.depth == 0;
        // A number ends where the text does.
        WG_LOADS(1);
        const u32 action = section_at<u32>(g, g.rows)[s.row];
        const bool ends = action >> 29 == ACTION_LEAVE && (action & ACTION_FLAG) == 0;
        if (!ends || !leave(g, levels, c, action & ACTION_INDEX)) return false;
    }
    return false;
}

// ---- Tokens ----

struct VocabView {
    const u8* base;
    const VocabHeader* header;
};

WG_DEVICE VocabView vocab_of(u64 vocab) {
    const u8* base = reinterpret_cast<const u8*>(vocab);
    return {base, reinterpret_cast<const VocabHeader*>(base)};
}
template <typename T>
WG_DEVICE const T* section_at(const VocabView& v, const Section& s) {
    return reinterpret_cast<const T*>(v.base + s.offset);
}

WG_DEVICE bool is_stop(const VocabView& v, u32 token) {
    const u32* ids = section_at<u32>(v, v.header->stop_ids);
    for (u32 i = 0; i < v.header->stop_ids.count; ++i) {
        if (ids[i] == token) return true;
    }
    return false;
}

// Reads a token within a slice that the state is closed under at once, if it is one and far from any threshold.
template <typename Levels>
WG_DEVICE bool skip_token(const GrammarView& g, const VocabView& v, Levels& levels, Config& c, u32 token, u32 length) {
    const StateInfo s = state_of(g, c.state);
    if (s.slices == 0 || length < 3 || g.indent != 0) return false;
    const u32 info = section_at<u16>(v, v.header->info)[token];
    const u32 chars = info & 0xffu;
    if (chars == CHARS_UNKNOWN || (info >> 8 & s.slices) == 0) return false;
    const Extra& e = section_at<Extra>(g, g.extras)[s.extra];
    if (e.chain_to != 0 && (u64)c.count + chars >= e.chain_at) return false;
    Config one = c;
    if (!read_byte(g, levels, one, 'a', WG_UNLIMITED) || one.state != c.state) return false;
    const u64 count = (u64)c.count + (u64)chars * (one.count - c.count);
    c = one;
    c.count = count > 0xffffffffu ? 0xffffffffu : (u32)count;
    return true;
}

// Where a token's bytes are in the vocabulary's; none if it has none.
struct Bytes {
    u32 from;
    u32 to;
};

WG_DEVICE Bytes bytes_of(const VocabView& v, u32 token) {
    if (token >= v.header->len) return {0, 0};
    const u32* starts = section_at<u32>(v, v.header->starts);
    return {starts[token], starts[token + 1]};
}

// Reads bytes of a token after which `left` more tokens may follow; false if one is illegal.
template <typename Levels>
WG_DEVICE bool read_bytes(const GrammarView& g, const VocabView& v, Levels& levels, Config& c, Bytes which, u64 left) {
    const u8* bytes = section_at<u8>(v, v.header->bytes);
    for (u32 i = which.from; i < which.to; ++i) {
        if (!read_byte(g, levels, c, bytes[i], left)) return false;
    }
    return true;
}

// Reads all bytes of a token that is no stop token; false if it is illegal with `budget` tokens left.
template <typename Levels>
WG_DEVICE bool read_token(const GrammarView& g, const VocabView& v, Levels& levels, Config& c, u32 token, u32 budget) {
    const Bytes bytes = bytes_of(v, token);
    if (bytes.from == bytes.to) return false;
    if (!skip_token(g, v, levels, c, token, bytes.to - bytes.from) &&
        !read_bytes(g, v, levels, c, bytes, left_after(budget))) {
        return false;
    }
    return fits(g, c, budget);
}
