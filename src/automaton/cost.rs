//! Bounds of the tokens needed to finish, for every state kept.
//!
//! The bound B of a configuration promises that some legal token leads to a configuration with bound
//! at most B − 1. Here it is built from bytes, each a token of its own (`table/` tightens it with the
//! vocabulary): B(s) = 1 + B(successor) along one chosen edge, for an entered frame the frame's own
//! bound plus the greatest bound of what may follow the outcomes of the cheapest variant: whoever
//! enters takes a variant that fits the tokens left (see [`super::machine::Site`]). The chosen edge and
//! variant never need more depth than the state's need, so the promise holds at every depth.
//!
//! **Counts.** In a region of counts [lo, hi) the bound is B(s, c) = D(s) + (hi − 1 − c)·b, where D is
//! exact at c = hi − 1 and b is the greatest drop, over the targets t of chosen ticking edges, from D(t) to
//! t's bound at hi in the next region (tokens and spaces each by themselves). Then for a chosen ticking edge s → t at c < hi − 1,
//! B(s, c) − 1 = B(t, hi) + (hi − 1 − c)·b ≥ D(t) + (hi − 2 − c)·b = B(t, c + 1).

use super::counts::INFINITY;
use super::free_order::{Members, Naming, naming};
use super::kept::Start;
use super::machine::{Cost, Indent, StateId};
use super::raw::*;
use super::trim::{Trim, TrimId, Trimmer, exit_useful, one_deeper};

/// A bound that is not known (yet).
pub(crate) const UNKNOWN: u32 = u32::MAX;

/// Tokens, and spaces per level of depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Amount {
    pub base: u32,
    pub spaces: u32,
}

impl Amount {
    pub const UNKNOWN: Amount = Amount { base: UNKNOWN, spaces: 0 };
    pub const ZERO: Amount = Amount { base: 0, spaces: 0 };

    pub fn plus(self, tokens: u32, spaces: u32) -> Amount {
        if self.base == UNKNOWN {
            return self;
        }
        Amount {
            base: self.base.saturating_add(tokens).min(UNKNOWN - 1),
            spaces: self.spaces.saturating_add(spaces),
        }
    }

    fn sum(self, other: Amount) -> Amount {
        if other.base == UNKNOWN { other } else { self.plus(other.base, other.spaces) }
    }

    pub fn max(self, other: Amount) -> Amount {
        Amount { base: self.base.max(other.base), spaces: self.spaces.max(other.spaces) }
    }

    pub fn minus(self, other: Amount) -> (u32, u32) {
        (self.base.saturating_sub(other.base), self.spaces.saturating_sub(other.spaces))
    }
}

/// The bounds of one trimmed frame.
#[derive(Clone, PartialEq)]
pub(crate) struct Costs {
    /// `[states × regions]`.
    amounts: Vec<Amount>,
    /// Per region, what a missing count costs.
    per_tick: Vec<Amount>,
    /// Free key order: the bound at an object's start, every required name missing.
    all_missing: Option<Amount>,
}

impl Costs {
    fn unknown(trim: &Trim) -> Costs {
        Costs {
            amounts: vec![Amount::UNKNOWN; trim.live.len()],
            per_tick: vec![Amount::ZERO; trim.regions.len()],
            all_missing: None,
        }
    }

    /// Whether the frame, entered at `start`, is known to be finished within some number of tokens.
    pub fn is_known(&self, trim: &Trim, start: RawId) -> bool {
        self.amount(trim, start, 0).base != UNKNOWN && self.all_missing.is_none_or(|a| a.base != UNKNOWN)
    }

    pub fn amount(&self, trim: &Trim, state: RawId, region: usize) -> Amount {
        self.amounts[trim.at(state, region)]
    }

    /// The bound of a state in a region as a function of the count.
    pub fn cost(&self, trim: &Trim, state: RawId, region: usize) -> Cost {
        let Amount { base, spaces } = self.amount(trim, state, region);
        let hi = trim.regions[region].1;
        let Amount { base: per_tick, spaces: tick_spaces } = self.per_tick[region];
        let at = if hi == INFINITY || self.per_tick[region] == Amount::ZERO { 0 } else { hi - 1 };
        Cost { base, at, per_tick, tick_spaces, spaces }
    }
}

/// How often the bounds of a frame may change before it is given up: the slopes of counted regions are
/// differences of bounds, so nothing forces them to settle.
const MAX_CHANGES: usize = 200;

/// Computes all bounds: the least fixpoint through recursion, from above. A frame is looked at again when the bounds
/// of one that it enters have changed.
pub(crate) fn settle_costs(t: &Trimmer<'_, '_>) -> Vec<Costs> {
    let mut all: Vec<Costs> = t.trims.iter().map(Costs::unknown).collect();
    let mut callers: Vec<Vec<TrimId>> = vec![Vec::new(); all.len()];
    let mut due = vec![false; all.len()];
    for &id in &t.reached {
        due[id] = true;
        for child in t.trims[id].children() {
            // Those of one caller come one after the other.
            if callers[child].last() != Some(&id) {
                callers[child].push(id);
            }
        }
    }
    let mut changes = vec![0usize; all.len()];
    while due.contains(&true) {
        for &id in t.reached.iter().rev() {
            if !std::mem::replace(&mut due[id], false) || changes[id] > MAX_CHANGES {
                continue;
            }
            let mut new = frame_costs(t, id, &all);
            if new == all[id] {
                continue;
            }
            changes[id] += 1;
            if changes[id] > MAX_CHANGES {
                // No bound is a right answer; one that is not a fixpoint would not be.
                new = Costs::unknown(&t.trims[id]);
            }
            all[id] = new;
            callers[id].iter().for_each(|&caller| due[caller] = true);
        }
    }
    all
}

fn frame_costs(t: &Trimmer<'_, '_>, id: TrimId, all: &[Costs]) -> Costs {
    let trim = &t.trims[id];
    let mut costs = Costs::unknown(trim);
    let f = &t.x.frames[trim.frame as usize];
    if let Some(kept) = &f.kept {
        let amounts = kept.starts.iter().map(|s| s.as_ref().map_or(Amount::UNKNOWN, |s| s.amount));
        costs.amounts = amounts.collect();
        costs.all_missing = kept.starts[0].as_ref().and_then(|s| s.all_missing);
        return costs;
    }
    let naming = naming(t, trim);
    let naming = naming.as_ref();
    let distinct = (trim.regions.len() > 1 && naming.is_none()).then(|| distinct_edges(t, f));
    let edges = |s: RawId| match &distinct {
        Some(lists) => &lists[s as usize][..],
        None => &f.states[s as usize].edges[..],
    };
    for region in (0..trim.regions.len()).rev() {
        f.flow.settle(|s| {
            let Some((amount, _)) = cheapest(t, trim, naming, &costs, all, (s, edges(s)), region) else {
                return false;
            };
            let here = &mut costs.amounts[trim.at(s, region)];
            let lower = weight(t, amount) < weight(t, *here);
            if lower {
                *here = amount;
            }
            lower
        });
        if trim.regions[region].1 == INFINITY {
            continue;
        }
        for s in 0..f.states.len() as RawId {
            if let Some((_, Some(to))) = cheapest(t, trim, naming, &costs, all, (s, edges(s)), region) {
                let here = costs.amounts[trim.at(to, region)];
                let above = at_start_of(trim, &costs, to, region + 1);
                if here.base != UNKNOWN && above.base != UNKNOWN {
                    let (base, spaces) = here.minus(above);
                    costs.per_tick[region] = costs.per_tick[region].max(Amount { base, spaces });
                }
            }
        }
    }
    if t.x.any_order() && f.key.kind == Kind::Object {
        costs.all_missing = Some(Members::new(t, id, &costs).all_missing);
    }
    costs
}

/// Per state its edges on bytes that can be spelled, those that stay at one state but once: where counts multiply the looks at
/// them.
fn distinct_edges(t: &Trimmer<'_, '_>, f: &RawFrame) -> Vec<Vec<(u8, u8, Edge)>> {
    let spelled = |lo: u8, hi: u8| (lo..=hi).find(|&b| t.x.options.spellable[b as usize]);
    let of = |state: &RawState| {
        let mut list: Vec<(u8, u8, Edge)> = Vec::with_capacity(state.edges.len());
        for &(lo, hi, edge) in &state.edges {
            match edge {
                Edge::Stay { space: true, .. } | Edge::Dead => {}
                Edge::Stay { .. } => {
                    if let Some(byte) = spelled(lo, hi)
                        && !list.iter().any(|e| e.2 == edge)
                    {
                        list.push((byte, byte, edge));
                    }
                }
                _ => list.push((lo, hi, edge)),
            }
        }
        list
    };
    f.states.iter().map(of).collect()
}

/// What is minimised: spaces are weighed as if four levels deep.
fn weight(t: &Trimmer<'_, '_>, a: Amount) -> u64 {
    u64::from(a.base) + u64::from(a.spaces) * u64::from(t.x.options.indent_width()) * 4
}

fn at_start_of(trim: &Trim, costs: &Costs, s: RawId, region: usize) -> Amount {
    at_count(trim, costs, s, region, trim.regions[region].0)
}

/// The bound of a state at a count of a region.
fn at_count(trim: &Trim, costs: &Costs, s: RawId, region: usize, count: u32) -> Amount {
    let amount = costs.amounts[trim.at(s, region)];
    let hi = trim.regions[region].1;
    let missing = if hi == INFINITY { 0 } else { hi - 1 - count };
    let Amount { base, spaces } = costs.per_tick[region];
    amount.plus(missing.saturating_mul(base), missing.saturating_mul(spaces))
}

/// The cheapest way on from a state by some of its edges that needs no more depth than necessary, and the state it ticks
/// into, if it does. Where names are all that is ahead and any of them may be taken, the dearest.
fn cheapest(
    t: &Trimmer<'_, '_>,
    trim: &Trim,
    naming: Option<&Naming>,
    costs: &Costs,
    all: &[Costs],
    (s, edges): (RawId, &[(u8, u8, Edge)]),
    region: usize,
) -> Option<(Amount, Option<RawId>)> {
    let at = trim.at(s, region);
    if !trim.live[at] || trim.need[at] == super::trim::NEVER {
        return None;
    }
    let f = &t.x.frames[trim.frame as usize];
    let state = &f.states[s as usize];
    if state.accepting {
        return Some((Amount::ZERO, None));
    }
    let spellable = &t.x.options.spellable;
    let mut best: Option<(Amount, Option<RawId>)> = None;
    let mut offer = |amount: Amount, tick: Option<RawId>| {
        if amount.base != UNKNOWN && best.is_none_or(|b| weight(t, amount) < weight(t, b.0)) {
            best = Some((amount, tick));
        }
    };
    let default = [(0, 255, state.default)];
    // A site that no other byte enters at a lower price: names are taken over at most bytes, in several ranges.
    let mut settled: Option<RawSiteId> = None;
    let mut dearest = naming.and_then(|n| n.unsure(s)).map(|_| Amount::ZERO);
    for &(lo, hi, edge) in edges.iter().chain(&default) {
        let spelled = (lo..=hi).any(|b| spellable[b as usize]);
        match edge {
            Edge::Dead => {}
            Edge::Stay { to, tick, space } => {
                if space || naming.is_some_and(|n| !n.counts(trim, f, s, to)) {
                    continue;
                }
                if let Some(dearest) = &mut dearest {
                    let next = if spelled { costs.amounts[trim.at(to, region)] } else { Amount::UNKNOWN };
                    *dearest = dearest.max(next.plus(1, 0));
                    continue;
                }
                if !spelled {
                    continue;
                }
                let last = trim.regions[region].1 == INFINITY;
                let r = if tick && !last { region + 1 } else { region };
                if trim.need[trim.at(to, r)] <= trim.need[at] {
                    let amount = if r == region {
                        costs.amounts[trim.at(to, r)]
                    } else {
                        at_start_of(trim, costs, to, r)
                    };
                    offer(amount.plus(1, 0), tick.then_some(to));
                }
            }
            Edge::Enter { site, read } => {
                if read && !spelled || settled == Some(site) {
                    continue;
                }
                let raw = &t.x.sites[site as usize];
                if !read && begins_at_least(t, trim.entries(raw, region), raw.start, (lo, hi)) {
                    settled = Some(site);
                }
                for &(depth, child) in trim.entries(raw, region) {
                    let inside = &t.trims[child];
                    let deep = one_deeper(inside.need[inside.at(raw.start, 0)]);
                    if depth.max(deep) <= trim.need[at] {
                        let first_bytes = if read { None } else { Some((lo, hi)) };
                        let amount = through(t, trim, costs, all, site, child, region, first_bytes);
                        offer(amount.plus(u32::from(read), 0), None);
                    }
                }
            }
            Edge::Leave { exit, read } => {
                if exit_useful(&f.exits[exit as usize], trim, s, region) && (!read || spelled) {
                    offer(Amount::ZERO.plus(u32::from(read), 0), None);
                }
            }
        }
    }
    if let Some(dearest) = dearest.filter(|d| d.base != UNKNOWN && *d != Amount::ZERO) {
        best = Some((dearest, None));
    }
    let levels = if state.indent == Indent::None { 0 } else { 1 };
    best.map(|(amount, tick)| (amount.plus(0, levels), tick))
}

/// The bound of entering one trimmed frame and going on after it, whatever its outcome. If the byte is
/// not read by entering, the frame begins with one of `first_bytes`.
#[expect(clippy::too_many_arguments)]
pub(crate) fn through(
    t: &Trimmer<'_, '_>,
    trim: &Trim,
    costs: &Costs,
    all: &[Costs],
    site: RawSiteId,
    child: TrimId,
    region: usize,
    first_bytes: Option<(u8, u8)>,
) -> Amount {
    let inside = &t.trims[child];
    let s = &t.x.sites[site as usize];
    let start = match (first_bytes, all[child].all_missing) {
        (Some(bytes), _) => beginning(t, inside, &all[child], s.start, bytes),
        (None, Some(missing)) => missing,
        // Every frame is entered at count 0.
        (None, None) => at_start_of(inside, &all[child], s.start, 0),
    };
    if start.base == UNKNOWN {
        return Amount::UNKNOWN;
    }
    // The frame is one level deeper, so its spaces are due once more.
    let deeper = Amount {
        base: start.base.saturating_add(start.spaces.saturating_mul(t.x.options.indent_width())),
        ..start
    };
    deeper.sum(after(t, trim, costs, site, &inside.useful, region))
}

/// Whether some byte of a range begins what a site enters as cheaply as any byte does.
fn begins_at_least(t: &Trimmer<'_, '_>, entries: &[(u8, TrimId)], start: RawId, (lo, hi): (u8, u8)) -> bool {
    let [(_, child)] = *entries else { return false };
    let Some(kept) = &t.x.frames[t.trims[child].frame as usize].kept else { return false };
    kept.starts[start as usize].as_ref().is_some_and(|s| s.least.is_some_and(|b| lo <= b && b <= hi))
}

/// The bound of a frame that begins with one of the given bytes.
fn beginning(t: &Trimmer<'_, '_>, inside: &Trim, costs: &Costs, start: RawId, (lo, hi): (u8, u8)) -> Amount {
    let f = &t.x.frames[inside.frame as usize];
    let mut best = Amount::UNKNOWN;
    let mut offer = |from: u8, to: u8, amount: &dyn Fn() -> Amount| {
        let (from, to) = (from.max(lo), to.min(hi));
        if from <= to && (from..=to).any(|b| t.x.options.spellable[b as usize]) {
            let amount = amount();
            if amount.base < best.base {
                best = amount;
            }
        }
    };
    match &f.kept {
        Some(kept) => {
            let first = kept.starts[start as usize].iter().flat_map(|s| &s.first);
            first.for_each(|&(from, to, amount)| offer(from, to, &|| amount));
        }
        None => {
            for &(from, to, edge) in &f.states[start as usize].edges {
                if let Edge::Stay { to: next, space: false, tick } = edge {
                    offer(from, to, &|| after_first(inside, costs, next, tick));
                }
            }
        }
    }
    best
}

/// The bound of a frame whose first byte leads to a state.
fn after_first(inside: &Trim, costs: &Costs, next: RawId, tick: bool) -> Amount {
    // A frame begins at count 0, and this byte may be counted.
    let region = if tick { *inside.after_tick(0).start() } else { 0 };
    at_count(inside, costs, next, region, u32::from(tick)).plus(1, 0)
}

/// What is told of a frame to whoever enters it at `start`; `state` is that of the machine.
pub(crate) fn start_of(
    t: &Trimmer<'_, '_>,
    id: TrimId,
    costs: &Costs,
    start: RawId,
    state: StateId,
) -> Start {
    let trim = &t.trims[id];
    let f = &t.x.frames[trim.frame as usize];
    let stays = f.states[start as usize].edges.iter().filter_map(|&(lo, hi, edge)| match edge {
        Edge::Stay { to, space: false, tick } => Some((lo, hi, after_first(trim, costs, to, tick))),
        _ => None,
    });
    let first: Vec<(u8, u8, Amount)> = stays.collect();
    let spelled = first.iter().filter_map(|&(lo, hi, amount)| {
        Some((amount.base, (lo..=hi).find(|&b| t.x.options.spellable[b as usize])?))
    });
    Start {
        state,
        need: trim.need[trim.at(start, 0)],
        amount: at_start_of(trim, costs, start, 0),
        all_missing: costs.all_missing,
        least: spelled.min().map(|(_, byte)| byte),
        first,
    }
}

/// The greatest bound of what may follow an entered frame.
pub(crate) fn after(
    t: &Trimmer<'_, '_>,
    trim: &Trim,
    costs: &Costs,
    site: RawSiteId,
    outcomes: &[u32],
    region: usize,
) -> Amount {
    let mut worst = Amount::ZERO;
    for &o in outcomes {
        if let Some(&Some(to)) = t.x.sites[site as usize].targets.get(o as usize) {
            worst = worst.max(costs.amounts[trim.at(to, region)]);
        }
    }
    worst
}
