//! The changes that the mutation check makes to the kernels.

/// A change to a kernel source.
pub struct Change {
    pub name: &'static str,
    pub file: &'static str,
    /// What stands there exactly once, with the part that is changed between `«` and `»`: one or more statements, or an
    /// expression.
    pub at: &'static str,
    /// What is put in its place, on one line.
    pub to: &'static str,
}

const fn change(file: &'static str, name: &'static str, at: &'static str, to: &'static str) -> Change {
    Change { name, file, at, to }
}

pub const CHANGES: &[Change] = &[
    // Sampling.
    change("run.cuh", "the ticket is not reset", "«if (complete) *ticket = 0;»", ""),
    change(
        "run.cuh",
        "the ticket is taken for complete too early",
        "complete = «wg_atomic_add(ticket, own) + own == p.tiles»;",
        "wg_atomic_add(ticket, own) + own + 1 >= p.tiles",
    ),
    change("tile.cuh", "a tile reads beyond the row", "bool legal = «id < row.width»;", "true"),
    change(
        "order.cuh",
        "ties go to the higher id",
        "return «(u64)key(z) << 32 | (u32)~id»;",
        "(u64)key(z) << 32 | id",
    ),
    change(
        "wide.cuh",
        "ties of tiles go to the last tile",
        "const u32 tile = «f.tiles - block_max(s.block, first)»;",
        "block_max(s.block, first > 0 ? f.tiles - first : 0)",
    ),
    change(
        "block.cuh",
        "a draw at the edge takes the token before it",
        "if («aim - before < v») break;",
        "aim - before <= v",
    ),
    change("tile.cuh", "NaN weighs as +inf", "z[i] = «z[i] > max ? max : z[i]»;", "z[i] < max ? z[i] : max"),
    change("adjust.cuh", "frequency counts the prompt", "if («output > 0») z =", "(prompt | output) > 0"),
    change(
        "sweep.cuh",
        "a digit forgets those before it",
        "filter.prefix = «filter.prefix << bits» |",
        "0ull",
    ),
    change(
        "truncate.cuh",
        "top-k beyond a list is taken for a list",
        "«if (k > WG_RANKED_CAP) return {cut, 0};»",
        "",
    ),
    change(
        "truncate.cuh",
        "min-p keeps one logit more",
        "return «(u64)high << 32»;",
        "(u64)(high - 1) << 32",
    ),
    change(
        "truncate.cuh",
        "top-p asks for one unit of mass more",
        "    const u64 enough = «enough_mass(row_mass(), top_p)»;\n    if (kept.listed > 0) {",
        "enough_mass(row_mass(), top_p) + 1",
    ),
    change("list.cuh", "a list is not grouped by tile", "l.heads[i] = «low»;", "0u"),
    change("step.cu", "a stop token's finish is not reported", "«status == SLOT_RUNNING ? 0 : status»", "0"),
    // The automaton.
    change(
        "automaton.cuh",
        "a token may rest where the depth left does not finish",
        "return need != STATE_NO_REST && «c.depth + need <= g.max_depth»;",
        "true",
    ),
    change(
        "automaton.cuh",
        "a frame is entered in a form too deep for what is left",
        "if («section_at<VariantTerms>(g, g.terms)[v.terms].depth > g.max_depth - outer») continue;",
        "false",
    ),
    change(
        "automaton.cuh",
        "a token may leave as many to write as are left with it",
        "(budget == WG_NO_LIMIT || «bound_of(g, c) < budget»)",
        "bound_of(g, c) <= budget",
    ),
    change(
        "automaton.cuh",
        "one space too many",
        "if («c.spaces > g.max_spaces») return false;",
        "c.spaces > g.max_spaces + 1",
    ),
    change(
        "automaton.cuh",
        "a token is skipped over a threshold",
        "if (e.chain_to != 0 && «(u64)c.count + chars >= e.chain_at») return false;",
        "false",
    ),
    // Moving slots.
    change(
        "advance.cuh",
        "an id beyond the width is a token",
        "if («token >= v.header->width») return ADVANCE_ILLEGAL;",
        "token > v.header->width",
    ),
    change(
        "advance.cuh",
        "a stop token may come in the middle",
        "if (constrained && «!completes(g, levels, p.c)») return ADVANCE_ILLEGAL;",
        "false",
    ),
    change(
        "advance.cuh",
        "a token costs no budget",
        "if (p.budget != WG_NO_LIMIT && p.budget != 0) «p.budget -= 1;»",
        "",
    ),
    change(
        "advance.cuh",
        "a complete text is reported as cut off",
        "p.status = «SLOT_COMPLETE»;",
        "SLOT_LENGTH",
    ),
    change(
        "advance.cuh",
        "a stop token is counted",
        "if (verdict == ADVANCE_OK && «moved.stopped == 0») {",
        "true",
    ),
    change(
        "advance.cuh",
        "one level that a token opened is not kept",
        "if («floor < depth») copy_levels",
        "floor + 1 < depth",
    ),
    change(
        "advance.cuh",
        "more can be taken back than was kept",
        "if («s->history < a.keep») s->history += 1;",
        "true",
    ),
    change(
        "advance.cuh",
        "a rollback is one token short",
        "const Snapshot* record = snapshot_at(a, slot, «output - n»);",
        "output - n + 1",
    ),
    change("advance.cuh", "a rollback leaves the history as long", "«s->history -= n;»", ""),
    change(
        "advance.cuh",
        "a rollback of nothing leaves a stop token",
        "if (WG_LANE == 0 && («n > 0 || status == SLOT_STOPPED»))",
        "n > 0",
    ),
    change(
        "advance.cu",
        "forced bytes go on past a choice",
        "if («WG_REDUCE_ADD(wg_popc(legal)) != 1») break;",
        "WG_REDUCE_ADD(wg_popc(legal)) < 1",
    ),
    change(
        "advance.cu",
        "forced bytes go on past a complete text",
        "if («is_complete(g, levels, c)») break;",
        "false",
    ),
    change("advance.cu", "one forced byte too many", "while («length < capacity») {", "length <= capacity"),
    // Legal sets.
    change(
        "roots.cuh",
        "the last token of a part is left out",
        "n.end_token > w.first && «n.first_token < w.last»",
        "n.first_token + 1 < w.last",
    ),
    change(
        "walk.cuh",
        "levels opened before a root are forgotten",
        "for (u32 place = «root.top»; place",
        "WG_OWN_LEVELS",
    ),
    change("walk.cuh", "what was put off is forgotten", "if («whole && s.put_off_count != 0») {", "false"),
    change(
        "roots.cuh",
        "tokens leave a string of any length",
        "if («t.chars >= least» && t.chars <= most) emit(s, t.token);",
        "true",
    ),
    change(
        "plan.cuh",
        "a slice's bitmap is that of shorter tokens",
        "section_at<u32>(v, slice.words) + «(u64)bitmap» * v.header->stride;",
        "(u64)(bitmap > 0 ? bitmap - 1 : 0)",
    ),
    change(
        "legal.cuh",
        "the longest tokens of a slice are left out",
        "«i < starts[last + 1]»; i += WG_THREADS",
        "i < starts[last]",
    ),
    change(
        "plan.cuh",
        "a threshold is a character late",
        "const u32 steps = «e.chain_at - c.count»;",
        "e.chain_at - c.count + 1",
    ),
    change(
        "plan.cuh",
        "a budget that is nearly used up does not matter in a string",
        "if («saturating_add(bound_of(g, least), STEADY_SLACK) >= s.walk.budget») return;",
        "false",
    ),
    change("legal.cuh", "a complete text does not stop", "if («s.complete != 0») {", "false"),
    change(
        "legal.cuh",
        "loose tokens that found no room are left out",
        "if («s.loose_again != 0» && s.walk.listing == 0 &&",
        "false",
    ),
    change("legal.cu", "the ticket of a long walk is not reset", "«tickets[slot] = 0;»", ""),
    change(
        "legal.cu",
        "a part of a long walk is taken for the last",
        "wg_atomic_add(&tickets[slot], 1) == «p.parts - 1»;",
        "0",
    ),
    change(
        "legal.cu",
        "every token is legal in a slot that has finished",
        "*head_of(p, slot) = {«line.status == SLOT_RUNNING ? LEGAL_ALL : LEGAL_LIST», 0};",
        "LEGAL_ALL",
    ),
    // Drafts.
    change("draft.cu", "a node beyond the last is judged", "(is_node && «node >= count»)", "node > count"),
    change(
        "draft.cu",
        "a node may follow a later one",
        "if (parent != DRAFT_ROOT && «parent >= node»)",
        "parent == node",
    ),
    change(
        "draft.cu",
        "a draft goes on after its end",
        "s.verdict = «place.status != SLOT_RUNNING»\n",
        "false",
    ),
    change(
        "draft.cu",
        "something is legal after a token that is not",
        "words[i] = «alive ? bits : 0»;",
        "bits",
    ),
    change(
        "draft.cu",
        "ids beyond the width are legal",
        "const u32 bits = «32 * i >= width ? 0 : width - 32 * i >= 32 ? 0xffffffffu : (1u << (width - 32 * i)) - 1»;",
        "0xffffffffu",
    ),
    // Masks.
    change(
        "masks.cu",
        "a mask is written beyond the width",
        "const u32 all = «tail >= 32 ? 0xffffffffu : (1u << tail) - 1»;",
        "0xffffffffu",
    ),
    change(
        "masks.cu",
        "the last id of a list is left out",
        "«i < head.count»; i += WG_THREADS",
        "i + 1 < head.count",
    ),
    change("masks.cu", "a mask is read beyond the width", "if («at < width» && (mask[", "true"),
    change(
        "masks.cu",
        "a word is read beyond the width",
        "(from + n - 1) / 32 && «from + n <= p.width») {",
        "true",
    ),
    change(
        "masks.cu",
        "groups are taken for aligned",
        "const u32 from = group == 0 ? 0 : «group * lanes - before»;",
        "group * lanes",
    ),
    change(
        "masks.cu",
        "a group is masked whole whatever its size",
        "if (bits == 0 && «n == lanes») {",
        "true",
    ),
];
