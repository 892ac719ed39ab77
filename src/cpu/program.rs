//! A grammar made ready for this backend.
//!
//! Making one costs an allocation of 16 bytes a state and one look at each: long rows are unfolded, and thresholds looked for,
//! when a text first gets there.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::classes::Class;
use super::facts::{ClassFact, Facts, SIMPLE, class_fact};
use super::head::{Head, Levels};
use super::thresholds::Counts;
use crate::table::Grammar;
use crate::table::layout::*;

/// A compiled schema with what this backend has found out about it. Share it in an [`Arc`].
pub struct Program {
    grammar: Arc<Grammar>,
    /// Unlike any other program's in this process.
    id: u64,
    facts: Box<[OnceLock<Box<Facts>>]>,
    /// `None` if no count is ever looked at.
    counts: Option<Counts>,
    /// Per state, most levels that any mask there has looked at; 255: any number.
    looked_at: Box<[AtomicU8]>,
    /// Greatest need of a state that has one, and of what is entered.
    max_need: u32,
}

impl Program {
    /// Takes a grammar over.
    pub fn new(grammar: Arc<Grammar>) -> Program {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let needs = grammar.states().iter().map(|s| s.need).filter(|&need| need != u8::MAX);
        let depths = grammar.terms().iter().map(|t| t.depth);
        Program {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            facts: grammar.states().iter().map(|_| OnceLock::new()).collect(),
            counts: Counts::of(&grammar),
            looked_at: grammar.states().iter().map(|_| AtomicU8::new(0)).collect(),
            max_need: needs.map(u32::from).chain(depths).max().unwrap_or(0),
            grammar,
        }
    }

    /// The grammar.
    pub fn grammar(&self) -> &Arc<Grammar> {
        &self.grammar
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn counts(&self) -> Option<&Counts> {
        self.counts.as_ref()
    }

    /// Most levels that any mask of a state has looked at so far.
    pub(super) fn looked_at(&self, state: u32) -> u32 {
        match self.looked_at[state as usize].load(Ordering::Relaxed) {
            u8::MAX => u32::MAX,
            levels => levels.into(),
        }
    }

    /// Notes that a mask of a state has looked at so many levels.
    pub(super) fn look_at(&self, state: u32, levels: u32) {
        self.looked_at[state as usize].fetch_max(levels.try_into().unwrap_or(u8::MAX), Ordering::Relaxed);
    }

    /// No state needs more further levels, unless none are enough.
    pub(super) fn max_need(&self) -> u32 {
        self.max_need
    }

    /// The sections of the tables, looked up once.
    pub(super) fn view(&self) -> View<'_> {
        let g = &*self.grammar;
        let h = g.header();
        View {
            program: self,
            states: g.states(),
            extras: g.extras(),
            keys: g.keys(),
            key_costs: g.key_costs(),
            rows: g.rows(),
            sites: g.sites(),
            variants: g.variants(),
            terms: g.terms(),
            lists: g.lists(),
            choices: g.choices(),
            start: h.start,
            max_depth: h.max_depth,
            max_spaces: h.max_spaces,
            indent: h.indent,
        }
    }

    /// Bytes on the heap beside the grammar's own, with whatever has been unfolded so far.
    pub fn heap_bytes(&self) -> usize {
        size_of_val(&*self.facts)
            + size_of_val(&*self.looked_at)
            + self.counts.as_ref().map_or(0, Counts::heap_bytes)
            + self.facts.iter().filter(|f| f.get().is_some()).count() * size_of::<Facts>()
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").field("grammar", &self.grammar).finish_non_exhaustive()
    }
}

/// A program's tables as slices, and the automaton that reads them.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub program: &'a Program,
    pub states: States<'a>,
    pub extras: &'a [Extra],
    pub keys: &'a [KeyInfo],
    pub key_costs: &'a [MemberCost],
    pub rows: &'a [u32],
    pub sites: &'a [SiteInfo],
    pub variants: &'a [VariantInfo],
    pub terms: &'a [VariantTerms],
    pub lists: &'a [u32],
    pub choices: &'a [Choice],
    pub start: u32,
    pub max_depth: u32,
    pub max_spaces: u32,
    pub indent: u32,
}

impl<'a> View<'a> {
    #[inline]
    pub fn facts(&self, state: u32) -> &'a Facts {
        self.program.facts[state as usize].get_or_init(|| Box::new(Facts::new(self, state)))
    }

    /// The row of a state: a default, the number of ranges, the ranges.
    #[inline]
    pub fn row(&self, state: u32) -> &'a [u32] {
        let row = &self.rows[self.states.row(state)..];
        &row[..2 + 2 * row[1] as usize]
    }

    /// What a byte does in a state, as [`Facts::actions`] has it.
    #[inline]
    pub fn word(&self, state: u32, byte: u8) -> u32 {
        match self.program.facts[state as usize].get() {
            Some(facts) => facts.actions[byte as usize],
            None => self.look_up(state, byte),
        }
    }

    fn look_up(&self, state: u32, byte: u8) -> u32 {
        let row = self.row(state);
        if row[1] > NARROW {
            return self.facts(state).actions[byte as usize];
        }
        let range = row[2..].chunks_exact(2).find(|r| u32::from(byte) <= r[0] >> 8);
        let word = range.filter(|r| r[0] & 0xff <= u32::from(byte)).map_or(row[0], |r| r[1]);
        let action = PackedAction(word);
        match action.kind() {
            ActionKind::Ahead => {
                PackedAction::new(ActionKind::Stay, action.flag(), action.space(), action.target(state)).0
            }
            _ => word,
        }
    }

    /// What a class of characters does in a state.
    pub fn class_fact(&self, state: u32, class: Class) -> ClassFact {
        let row = self.row(state);
        if row[1] > NARROW {
            self.facts(state).class(self, state, class)
        } else {
            class_fact(self, state, class)
        }
    }

    #[inline]
    pub fn extra(&self, state: u32) -> &'a Extra {
        &self.extras[self.states.extra(state) as usize]
    }

    /// Before the first byte.
    pub fn start(&self) -> Head {
        Head::at(self.start)
    }

    /// Reads one byte; `false` if it is illegal (the head is then of no use).
    #[inline]
    pub fn read(&self, levels: &mut Levels, h: &mut Head, byte: u8) -> bool {
        if self.indent != 0 && self.missing_spaces(h) > 0 {
            h.spaces += 1;
            return byte == b' ';
        }
        let word = self.word(h.state, byte);
        if word >> 29 == SIMPLE {
            h.state = word & MAX_INDEX;
            h.spaces = 0;
            h.count = h.count.saturating_add(word >> 28 & 1);
            return true;
        }
        word >> 29 != 0 && self.act(levels, h, byte, PackedAction(word))
    }

    fn act(&self, levels: &mut Levels, h: &mut Head, byte: u8, mut action: PackedAction) -> bool {
        loop {
            let index = action.index();
            match action.kind() {
                ActionKind::Enter => {
                    return self.enter(levels, h, index, (!action.flag()).then_some(byte));
                }
                ActionKind::Leave | ActionKind::Choose => {
                    let outcome = if action.kind() == ActionKind::Leave {
                        Some(index)
                    } else {
                        self.choose(index, h.seen)
                    };
                    let left = outcome.is_some_and(|o| self.leave(levels, h, o));
                    levels.lowest = levels.lowest.min(h.depth);
                    if !left {
                        return false;
                    }
                    if action.flag() {
                        return true;
                    }
                }
                ActionKind::Dead if action.0 >> 29 != SIMPLE => return false,
                _ => {
                    h.spaces = if action.space() { h.spaces + 1 } else { 0 };
                    if action.space() {
                        if h.spaces > self.max_spaces {
                            return false;
                        }
                    } else if action.flag() {
                        h.count = h.count.saturating_add(1);
                    }
                    return self.arrive(h, index);
                }
            }
            action = PackedAction(self.word(h.state, byte));
        }
    }

    fn arrive(&self, h: &mut Head, state: u32) -> bool {
        h.state = state;
        loop {
            let extra = self.extra(h.state);
            if extra.chain_to == 0 || h.count < extra.chain_at {
                if extra.keys != 0 {
                    let keys = &self.keys[extra.keys as usize];
                    if keys.open_need != 0 && !self.can_name(h, keys) {
                        return false;
                    }
                    if keys.closes != 0 && self.choose(keys.closes - 1, h.seen).is_none() {
                        return false;
                    }
                    if keys.name != 0 {
                        let name = keys.name as usize - 1;
                        if h.seen.contains(name) {
                            return false;
                        }
                        h.seen |= KeySet::one(name);
                    }
                }
                return h.state != 0;
            }
            h.state = extra.chain_to;
        }
    }

    /// Whether a member begun can get a name with which the depth left suffices.
    fn can_name(&self, h: &Head, keys: &KeyInfo) -> bool {
        let left = self.max_depth - h.depth;
        if keys.open_need <= u32::from(u8::MAX) && keys.open_need <= left + 1 {
            return true;
        }
        let costs = &self.key_costs[keys.costs as usize..];
        (keys.ahead - h.seen).iter().any(|name| costs[name].need <= left)
    }

    pub fn variants_of(&self, site: u32) -> &'a [VariantInfo] {
        let s = &self.sites[site as usize];
        &self.variants[s.variants as usize..][..s.variant_count as usize]
    }

    fn terms_of(&self, v: &VariantInfo) -> &'a VariantTerms {
        &self.terms[v.terms as usize]
    }

    /// Enters by a site; if the byte was not read by entering, the frame reads it.
    fn enter(&self, levels: &mut Levels, h: &mut Head, site: u32, unread: Option<u8>) -> bool {
        let depth = self.max_depth - h.depth;
        let variants = self.variants_of(site);
        if depth == 0 {
            return false;
        }
        if let [only] = variants {
            return self.terms_of(only).depth <= depth && self.enter_variant(levels, h, site, only, unread);
        }
        let (before, used) = (*h, levels.nodes.len());
        let mut legal = false;
        for variant in variants.iter().rev().filter(|v| self.terms_of(v).depth <= depth) {
            *h = before;
            levels.nodes.truncate(used);
            legal = self.enter_variant(levels, h, site, variant, unread);
            if legal {
                if levels.left == u64::MAX {
                    return true;
                }
                let bound = self.bound(h);
                if bound <= levels.left {
                    levels.asked = levels.asked.max(bound);
                    return true;
                }
                levels.narrowed = true;
            }
        }
        legal
    }

    fn enter_variant(
        &self,
        levels: &mut Levels,
        h: &mut Head,
        site: u32,
        v: &VariantInfo,
        unread: Option<u8>,
    ) -> bool {
        let terms = self.terms_of(v);
        let per_space = u64::from(self.indent) * u64::from(h.depth);
        let spaces = u64::from(terms.cost_spaces) * per_space;
        let per_tick = u64::from(terms.cost_per_tick) + u64::from(terms.cost_tick_spaces) * per_space;
        let ticks = u64::from(terms.cost_at.saturating_sub(h.count)).saturating_mul(per_tick);
        let keys = if terms.keys == 0 { 0 } else { self.missing(h, &self.keys[terms.keys as usize]) };
        let cost = ticks.saturating_add(u64::from(terms.cost) + spaces + keys);
        levels.push(h, site, cost.min(u64::from(u32::MAX)) as u32);
        h.count = 0;
        h.spaces = 0;
        h.seen = KeySet::EMPTY;
        self.arrive(h, v.start)
            && unread.is_none_or(|byte| {
                let action = PackedAction(self.word(h.state, byte));
                self.act(levels, h, byte, action)
            })
    }

    /// Pops with an outcome, as an unread [`ActionKind::Leave`] does.
    pub fn leave(&self, levels: &Levels, h: &mut Head, outcome: u32) -> bool {
        let Some(level) = levels.pop(h) else { return false };
        let s = &self.sites[level.site as usize];
        if outcome >= s.target_count {
            return false;
        }
        h.count = level.count;
        h.seen = level.seen;
        h.spaces = 0;
        self.arrive(h, self.lists[(s.targets + outcome) as usize])
    }

    fn choose(&self, first: u32, seen: KeySet) -> Option<u32> {
        for choice in &self.choices[first as usize..] {
            if choice.keys.is_subset(seen) {
                return Some(choice.outcome);
            }
            if choice.last != 0 {
                break;
            }
        }
        None
    }

    /// Spaces of indentation still to be written before anything else.
    pub fn missing_spaces(&self, h: &Head) -> u32 {
        let levels =
            match self.states.get(h.state).flags & (StateInfo::INDENT_INNER | StateInfo::INDENT_OUTER) {
                StateInfo::INDENT_INNER => h.depth,
                StateInfo::INDENT_OUTER => h.depth.saturating_sub(1),
                _ => return 0,
            };
        (levels * self.indent).saturating_sub(h.spaces)
    }

    /// What the required names not yet seen cost, in tokens.
    fn missing(&self, h: &Head, keys: &KeyInfo) -> u64 {
        let costs = &self.key_costs[keys.costs as usize..];
        let per_space = u64::from(self.indent) * u64::from(h.depth);
        let missing = (keys.required - h.seen).iter().map(|name| &costs[name]);
        missing.map(|cost| u64::from(cost.tokens) + u64::from(cost.spaces) * per_space).sum()
    }

    /// Bound of the tokens needed to complete the text.
    pub fn bound(&self, h: &Head) -> u64 {
        let s = self.states.get(h.state);
        let mut bound = u64::from(s.cost);
        if s.extra != 0 {
            let e = &self.extras[s.extra as usize];
            let per_space = u64::from(self.indent) * u64::from(h.depth);
            let per_tick = u64::from(e.cost_per_tick) + u64::from(e.cost_tick_spaces) * per_space;
            let ticks = u64::from(e.cost_at.saturating_sub(h.count)).saturating_mul(per_tick);
            bound = ticks.saturating_add(bound + u64::from(e.cost_spaces) * per_space);
            if s.flags & (StateInfo::INDENT_INNER | StateInfo::INDENT_OUTER) != 0 {
                bound = bound.saturating_sub(u64::from(h.spaces));
            }
            if e.keys != 0 {
                let k = &self.keys[e.keys as usize];
                bound = bound.saturating_add(self.missing(h, k));
                if !(k.ahead & k.required).is_subset(h.seen) {
                    bound =
                        bound.saturating_sub(u64::from(k.written) + u64::from(k.written_spaces) * per_space);
                } else if !k.ahead.is_empty() {
                    bound = bound.saturating_add(u64::from(k.rest) + u64::from(k.rest_spaces) * per_space);
                }
            }
        } else if s.flags & (StateInfo::INDENT_INNER | StateInfo::INDENT_OUTER) != 0 {
            bound = bound.saturating_sub(u64::from(h.spaces));
        }
        bound.saturating_add(h.cost)
    }

    /// Whether a state is closed under a slice, and no threshold is within so many characters.
    pub fn is_closed(&self, h: &Head, slice: u8, longest: u32) -> bool {
        let extra = self.extra(h.state);
        self.states.get(h.state).slices >> slice & 1 != 0
            && (extra.chain_to == 0 || h.count.saturating_add(longest) < extra.chain_at)
    }

    /// Whether a token may end here: the depth left is enough to finish.
    #[inline]
    pub fn can_rest(&self, h: &Head) -> bool {
        let need = self.states.get(h.state).need;
        need != u8::MAX && h.depth + u32::from(need) <= self.max_depth
    }

    /// Whether the text is complete.
    pub fn is_complete(&self, levels: &Levels, h: &Head) -> bool {
        self.completes(levels, h).0
    }

    /// The same, and how many levels are left open by those that had to be looked at.
    pub fn completes(&self, levels: &Levels, h: &Head) -> (bool, u32) {
        let mut h = *h;
        loop {
            let s = self.states.get(h.state);
            if s.flags & StateInfo::ACCEPTING != 0 {
                return (h.depth == 0, h.depth);
            }
            // A number ends where the text does.
            let default = PackedAction(self.rows[s.row as usize]);
            let ends = default.kind() == ActionKind::Leave && !default.flag();
            if !ends || !self.leave(levels, &mut h, default.index()) {
                return (false, h.depth);
            }
        }
    }

    /// The bytes that may be legal next: a superset that is rarely larger than the truth.
    pub fn legal(&self, levels: &Levels, h: &Head) -> [u64; 4] {
        self.legal_below(levels, h).0
    }

    /// The same, and how many levels are left open by those that had to be looked at.
    pub fn legal_below(&self, levels: &Levels, h: &Head) -> ([u64; 4], u32) {
        let mut h = *h;
        let mut legal = [0; 4];
        if self.indent != 0 && self.missing_spaces(&h) > 0 {
            legal[0] |= 1 << b' ';
            return (legal, h.depth);
        }
        loop {
            let row = self.row(h.state);
            let default = PackedAction(row[0]);
            let unread = default.kind() == ActionKind::Leave && !default.flag();
            if !unread {
                let here = if row[1] > NARROW { self.facts(h.state).legal } else { living(row) };
                return (std::array::from_fn(|i| legal[i] | here[i]), h.depth);
            }
            let here = if row[1] > NARROW { self.facts(h.state).read } else { listed(row) };
            legal = std::array::from_fn(|i| legal[i] | here[i]);
            if !self.leave(levels, &mut h, default.index()) {
                return (legal, h.depth);
            }
        }
    }
}

/// Rows of at most so many ranges are searched; longer ones are unfolded when they are first read.
pub(super) const NARROW: u32 = 6;

/// The bytes that a row lists and does not refuse, but for those it treats as it treats the rest.
fn listed(row: &[u32]) -> [u64; 4] {
    let mut bytes = [0; 4];
    for r in row[2..].chunks_exact(2) {
        if PackedAction(r[1]).kind() != ActionKind::Dead && r[1] != row[0] {
            ((r[0] & 0xff)..=(r[0] >> 8)).for_each(|b| bytes[b as usize / 64] |= 1 << (b % 64));
        }
    }
    bytes
}

/// The bytes that a row does not refuse.
fn living(row: &[u32]) -> [u64; 4] {
    if PackedAction(row[0]).kind() == ActionKind::Dead {
        return listed(row);
    }
    let mut bytes = [u64::MAX; 4];
    for r in row[2..].chunks_exact(2) {
        if PackedAction(r[1]).kind() == ActionKind::Dead {
            ((r[0] & 0xff)..=(r[0] >> 8)).for_each(|b| bytes[b as usize / 64] &= !(1 << (b % 64)));
        }
    }
    bytes
}
