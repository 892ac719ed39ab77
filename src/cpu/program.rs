//! A grammar made ready for this backend.
//!
//! Making one costs an allocation of 16 bytes a state and nothing else: rows are unfolded when a text
//! first gets there.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::facts::{Facts, SIMPLE};
use super::head::{Head, Levels};
use super::memo::Thresholds;
use crate::table::Grammar;
use crate::table::layout::*;

/// A compiled schema with what this backend has found out about it. Share it in an [`Arc`].
pub struct Program {
    grammar: Arc<Grammar>,
    /// Unlike any other program's in this process.
    id: u64,
    facts: Box<[OnceLock<Box<Facts>>]>,
    pub(super) state_thresholds: Box<[OnceLock<Thresholds>]>,
    pub(super) site_thresholds: Box<[OnceLock<Thresholds>]>,
    /// Whether any count is ever looked at.
    counts: bool,
}

impl Program {
    /// Takes a grammar over.
    pub fn new(grammar: Arc<Grammar>) -> Program {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let (states, sites) = (grammar.states().len(), grammar.sites().len());
        let counts = grammar.extras().iter().any(|e| e.chain_to != 0 || e.cost_at != 0)
            || grammar.variants().iter().any(|v| v.cost_at != 0);
        let thresholds = |n: usize| (0..if counts { n } else { 0 }).map(|_| OnceLock::new()).collect();
        Program {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            facts: (0..states).map(|_| OnceLock::new()).collect(),
            state_thresholds: thresholds(states),
            site_thresholds: thresholds(sites),
            counts,
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

    pub(super) fn counts(&self) -> bool {
        self.counts
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
            + size_of_val(&*self.state_thresholds)
            + size_of_val(&*self.site_thresholds)
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
    pub states: &'a [StateInfo],
    pub extras: &'a [Extra],
    pub keys: &'a [KeyInfo],
    pub key_costs: &'a [MemberCost],
    pub rows: &'a [u32],
    pub sites: &'a [SiteInfo],
    pub variants: &'a [VariantInfo],
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

    #[inline]
    pub fn extra(&self, state: u32) -> &'a Extra {
        &self.extras[self.states[state as usize].extra as usize]
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
        let word = self.facts(h.state).actions[byte as usize];
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
                    if !outcome.is_some_and(|o| self.leave(levels, h, o)) {
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
            action = PackedAction(self.facts(h.state).actions[byte as usize]);
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

    /// Enters by a site; if the byte was not read by entering, the frame reads it.
    fn enter(&self, levels: &mut Levels, h: &mut Head, site: u32, unread: Option<u8>) -> bool {
        let depth = self.max_depth - h.depth;
        let variants = self.variants_of(site);
        if depth == 0 {
            return false;
        }
        if let [only] = variants {
            return only.depth <= depth && self.enter_variant(levels, h, site, only, unread);
        }
        let (before, used) = (*h, levels.nodes.len());
        let mut legal = false;
        for variant in variants.iter().rev().filter(|v| v.depth <= depth) {
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
        let per_space = u64::from(self.indent) * u64::from(h.depth);
        let spaces = u64::from(v.cost_spaces) * per_space;
        let per_tick = u64::from(v.cost_per_tick) + u64::from(v.cost_tick_spaces) * per_space;
        let ticks = u64::from(v.cost_at.saturating_sub(h.count)).saturating_mul(per_tick);
        let keys = if v.keys == 0 { 0 } else { self.missing(h, &self.keys[v.keys as usize]) };
        let cost = ticks.saturating_add(u64::from(v.cost) + spaces + keys);
        levels.push(h, site, cost.min(u64::from(u32::MAX)) as u32);
        h.count = 0;
        h.spaces = 0;
        h.seen = KeySet::EMPTY;
        self.arrive(h, v.start)
            && unread.is_none_or(|byte| {
                let action = PackedAction(self.facts(h.state).actions[byte as usize]);
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
            match self.states[h.state as usize].flags & (StateInfo::INDENT_INNER | StateInfo::INDENT_OUTER) {
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
        let s = &self.states[h.state as usize];
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

    /// Whether a token may end here: the depth left is enough to finish.
    #[inline]
    pub fn can_rest(&self, h: &Head) -> bool {
        let need = self.states[h.state as usize].need;
        need != u8::MAX && h.depth + u32::from(need) <= self.max_depth
    }

    /// Whether the text is complete.
    pub fn is_complete(&self, levels: &Levels, h: &Head) -> bool {
        let mut h = *h;
        loop {
            let s = &self.states[h.state as usize];
            if s.flags & StateInfo::ACCEPTING != 0 {
                return h.depth == 0;
            }
            // A number ends where the text does.
            let default = PackedAction(self.rows[s.row as usize]);
            let ends = default.kind() == ActionKind::Leave && !default.flag();
            if !ends || !self.leave(levels, &mut h, default.index()) {
                return false;
            }
        }
    }

    /// The bytes that may be legal next: a superset that is rarely larger than the truth.
    pub fn legal(&self, levels: &Levels, h: &Head) -> [u64; 4] {
        let mut h = *h;
        let mut legal = [0; 4];
        if self.indent != 0 && self.missing_spaces(&h) > 0 {
            legal[0] |= 1 << b' ';
            return legal;
        }
        loop {
            let facts = self.facts(h.state);
            let Some(outcome) = facts.leaves_unread else {
                return std::array::from_fn(|i| legal[i] | facts.legal[i]);
            };
            legal = std::array::from_fn(|i| legal[i] | facts.read[i]);
            if !self.leave(levels, &mut h, outcome) {
                return legal;
            }
        }
    }
}
