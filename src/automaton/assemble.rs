//! Assembly: trimmed frames and bounds become the states and sites of the finished automaton.
//!
//! States are numbered as they are first reached, and then renumbered so that a state with one
//! successor is followed by it: runs of forced bytes become runs of consecutive states.

use rustc_hash::FxHashMap;

use super::cost::{Amount, Costs, after};
use super::counts::INFINITY;
use super::free_order::FreeOrder;
use super::key_set::KeySet;
use super::machine::*;
use super::raw::*;
use super::trim::{Trim, TrimId, Trimmer, exit_choices, exit_outcome};

/// Adjacent regions in which a state behaves alike, and its bound there.
#[derive(Clone, Copy)]
pub(super) struct Range {
    first: usize,
    last: usize,
    cost: Cost,
    /// The finished state; [`DEAD`] until it is asked for.
    id: StateId,
}

/// The forms of a trimmed frame's states.
pub(super) enum Forms {
    /// No state has been asked for.
    Unknown,
    /// Nothing depends on counts: each state has one; [`DEAD`] until it is asked for.
    One(Vec<StateId>),
    /// Not empty where they are known.
    Many(Vec<Vec<Range>>),
}

impl Forms {
    /// All finished states of one raw state.
    pub(super) fn of(&self, raw: RawId) -> impl Iterator<Item = StateId> {
        let (one, many) = match self {
            Forms::Unknown => (None, &[][..]),
            Forms::One(ids) => (ids.get(raw as usize).copied(), &[][..]),
            Forms::Many(ranges) => (None, ranges.get(raw as usize).map_or(&[][..], |r| &r[..])),
        };
        one.into_iter().chain(many.iter().map(|r| r.id))
    }
}

pub(super) struct Assembler<'t, 'x, 'a> {
    pub(super) t: &'t Trimmer<'x, 'a>,
    pub(super) costs: &'t [Costs],
    /// Per trimmed frame, the forms of its states.
    pub(super) forms: Vec<Forms>,
    site_ids: FxHashMap<Site, SiteId>,
    /// What becomes of a site in a region of a trimmed frame.
    pub(super) entered: FxHashMap<(TrimId, RawSiteId, usize), Option<SiteId>>,
    choice_ids: FxHashMap<Vec<(KeySet, u32)>, u32>,
    key_cost_ids: FxHashMap<KeyCost, u32>,
    free_orders: FxHashMap<TrimId, FreeOrder>,
    /// Per trimmed frame that has been made before, per state of it the one here; [`DEAD`] until it is asked for.
    pub(super) copies: Vec<Vec<StateId>>,
    pub(super) queue: Vec<Job>,
    pub(super) machine: Machine,
}

/// A state to be filled in.
#[derive(Clone, Copy)]
pub(super) enum Job {
    /// A raw state's variant.
    Make(TrimId, RawId, usize),
    /// A state of a frame that has been made before.
    Copy(TrimId, StateId),
}

/// Builds the machine. The document must be satisfiable.
pub(crate) fn assemble(t: &Trimmer<'_, '_>, costs: &[Costs]) -> Machine {
    let options = t.x.options;
    let dead = State {
        row: Row { ranges: Vec::new(), default: Action::Dead },
        chain: None,
        need: State::NO_REST,
        cost: Cost::default(),
        indent: Indent::None,
        keys: None,
        accepting: false,
        free: 0,
        slices: 0,
        tightened: false,
        label: Label::Dead,
    };
    let mut a = Assembler {
        t,
        costs,
        forms: t.trims.iter().map(|_| Forms::Unknown).collect(),
        site_ids: FxHashMap::default(),
        entered: FxHashMap::default(),
        choice_ids: FxHashMap::default(),
        key_cost_ids: FxHashMap::default(),
        free_orders: FxHashMap::default(),
        copies: vec![Vec::new(); t.trims.len()],
        queue: Vec::new(),
        machine: Machine {
            states: vec![dead],
            sites: Vec::new(),
            choices: Vec::new(),
            key_costs: Vec::new(),
            start: DEAD,
            max_spaces: options.max_spaces(),
            indent: options.indent_width(),
            max_depth: options.max_depth,
            frames: Vec::new(),
        },
    };
    a.machine.start = a.state(t.reached[0], 0, 0);
    let mut next = 0;
    while next < a.queue.len() {
        match a.queue[next] {
            Job::Make(trim, raw, variant) => a.fill(trim, raw, variant),
            Job::Copy(trim, state) => a.copy(trim, state),
        }
        next += 1;
    }
    a.machine.frames = t.reached.iter().filter_map(|&id| a.found(id)).collect();
    super::renumber::renumber(a.machine)
}

impl Assembler<'_, '_, '_> {
    /// The state of a raw state in a region; dead if it is not kept there.
    pub(super) fn state(&mut self, trim: TrimId, raw: RawId, region: usize) -> StateId {
        let t = &self.t.trims[trim];
        if !t.is_live(raw, region) {
            return DEAD;
        }
        let frame = &self.t.x.frames[t.frame as usize];
        if let Some(kept) = &frame.kept {
            let start = kept.starts[raw as usize].as_ref().expect("it is live");
            return self.copy_of(trim, kept, start.state);
        }
        if let Forms::Unknown = self.forms[trim] {
            self.forms[trim] = match t.regions[..] {
                [_] => Forms::One(vec![DEAD; frame.states.len()]),
                _ => Forms::Many(vec![Vec::new(); frame.states.len()]),
            };
        }
        let variant = match &self.forms[trim] {
            Forms::Many(ranges) => {
                if ranges[raw as usize].is_empty() {
                    let known = self.variants_of(trim, raw);
                    let Forms::Many(ranges) = &mut self.forms[trim] else { unreachable!("they are many") };
                    ranges[raw as usize] = known;
                }
                self.variant_in(trim, raw, region)
            }
            _ => 0,
        };
        self.variant(trim, raw, variant)
    }

    fn variant_in(&self, trim: TrimId, raw: RawId, region: usize) -> usize {
        let Forms::Many(ranges) = &self.forms[trim] else { return 0 };
        let place = ranges[raw as usize].iter().position(|v| v.first <= region && region <= v.last);
        place.expect("every region in which a state is kept belongs to a variant")
    }

    fn variant(&mut self, trim: TrimId, raw: RawId, variant: usize) -> StateId {
        let id = self.machine.states.len() as StateId;
        let known = match &mut self.forms[trim] {
            Forms::One(ids) => &mut ids[raw as usize],
            Forms::Many(ranges) => &mut ranges[raw as usize][variant].id,
            Forms::Unknown => unreachable!("a state has been asked for"),
        };
        if *known != DEAD {
            return *known;
        }
        *known = id;
        let dead = self.machine.states[0].clone();
        self.machine.states.push(dead);
        self.queue.push(Job::Make(trim, raw, variant));
        id
    }

    /// Merges the regions of a state in which it has the same edges and one bound fits all.
    fn variants_of(&self, id: TrimId, raw: RawId) -> Vec<Range> {
        let trim = &self.t.trims[id];
        let mut variants: Vec<Range> = Vec::new();
        let mut previous: Option<Vec<Seen>> = None;
        for region in 0..trim.regions.len() {
            if !trim.is_live(raw, region) {
                previous = None;
                continue;
            }
            let seen = self.seen(id, raw, region);
            let cost = self.costs[id].cost(trim, raw, region);
            if let (Some(before), Some(v)) = (&previous, variants.last_mut())
                && *before == seen
                && let Some(cost) = merged(v.cost, trim, v.first, cost, region)
            {
                v.last = region;
                v.cost = cost;
            } else {
                variants.push(Range { first: region, last: region, cost, id: DEAD });
            }
            previous = Some(seen);
        }
        variants
    }

    /// What can be told of a state's edges in a region.
    fn seen(&self, id: TrimId, raw: RawId, region: usize) -> Vec<Seen> {
        let trim = &self.t.trims[id];
        let f = &self.t.x.frames[trim.frame as usize];
        let state = &f.states[raw as usize];
        let mut seen = vec![Seen::Need(trim.need[trim.at(raw, region)])];
        let default = [(0, 255, state.default)];
        for &(.., edge) in state.edges.iter().chain(&default) {
            seen.push(match edge {
                Edge::Dead => Seen::Dead,
                Edge::Stay { to, tick, .. } => {
                    let mut regions = if tick { trim.after_tick(region) } else { region..=region };
                    Seen::Stay(regions.any(|r| trim.is_live(to, r)))
                }
                Edge::Enter { site, .. } => {
                    let entries = trim.entries(&self.t.x.sites[site as usize], region).iter();
                    let after = |child: TrimId| {
                        after(self.t, trim, &self.costs[id], site, &self.t.trims[child].useful, region)
                    };
                    Seen::Enter(entries.map(|&(depth, child)| (depth, child, after(child))).collect())
                }
                Edge::Leave { exit, .. } => Seen::Leave(exit_outcome(&f.exits[exit as usize], trim, region)),
            });
        }
        seen
    }

    fn fill(&mut self, id: TrimId, raw: RawId, variant: usize) {
        let t = self.t;
        let trim = &t.trims[id];
        let f = &t.x.frames[trim.frame as usize];
        let state = &f.states[raw as usize];
        let (Range { first: region, cost, id: id_in_machine, .. }, next) = match &self.forms[id] {
            Forms::Many(ranges) => {
                (ranges[raw as usize][variant], ranges[raw as usize].get(variant + 1).map(|v| v.first))
            }
            Forms::One(ids) => {
                let cost = self.costs[id].cost(trim, raw, 0);
                (Range { first: 0, last: 0, cost, id: ids[raw as usize] }, None)
            }
            Forms::Unknown => unreachable!("a state has been asked for"),
        };
        let mut ranges: Vec<(u8, u8, Action)> = Vec::with_capacity(state.edges.len());
        for &(lo, hi, edge) in &state.edges {
            let action = self.action(id, raw, edge, region);
            if action != Action::Dead {
                push_range(&mut ranges, (lo, hi), action);
            }
        }
        let default = self.action(id, raw, state.default, region);
        let chain = next.map(|first| (trim.regions[first].0, self.variant(id, raw, variant + 1)));
        let (mut keys, naming) = self.keys(id, raw);
        if let (Some(keys), Indent::Outer, [(.., Action::Choose { choice })]) =
            (&mut keys, state.indent, &ranges[..])
        {
            keys.closes = choice + 1;
        }
        let cost = match self.free_order(id).and_then(|order| order.base(raw)) {
            Some((base, spaces)) => Cost { base, spaces, ..Cost::default() },
            None => cost,
        };
        self.machine.states[id_in_machine as usize] = State {
            row: Row { ranges, default },
            chain,
            need: if naming { 0 } else { trim.need[trim.at(raw, region)] },
            cost,
            indent: state.indent,
            keys,
            accepting: state.accepting,
            free: state.free,
            slices: 0,
            tightened: false,
            label: state.label,
        };
    }

    fn action(&mut self, id: TrimId, raw: RawId, edge: Edge, region: usize) -> Action {
        let t = self.t;
        let trim = &t.trims[id];
        match edge {
            Edge::Dead => Action::Dead,
            Edge::Stay { to, tick, space } => {
                let at = if tick { *trim.after_tick(region).start() } else { region };
                match self.state(id, to, at) {
                    DEAD => Action::Dead,
                    to => Action::Stay { to, tick, space },
                }
            }
            Edge::Enter { site, read } => {
                let entered = match self.entered.get(&(id, site, region)) {
                    Some(&known) => known,
                    None => {
                        let made = self.enter(id, site, region);
                        self.entered.insert((id, site, region), made);
                        made
                    }
                };
                entered.map_or(Action::Dead, |site| Action::Enter { site, read })
            }
            Edge::Leave { exit, read } => {
                let exit = &t.x.frames[trim.frame as usize].exits[exit as usize];
                if let Some(outcome) = exit_outcome(exit, trim, region) {
                    return Action::Leave { outcome, read };
                }
                let choices = exit_choices(exit, trim, raw);
                match choices[..] {
                    [] => Action::Dead,
                    [(KeySet::EMPTY, outcome)] => Action::Leave { outcome, read },
                    _ => Action::Choose { choice: self.choice(&choices) },
                }
            }
        }
    }

    fn enter(&mut self, id: TrimId, site: RawSiteId, region: usize) -> Option<SiteId> {
        let t = self.t;
        let trim = &t.trims[id];
        let s = &t.x.sites[site as usize];
        let entries = trim.entries(s, region);
        let &(_, widest) = entries.last()?;
        let useful = &t.trims[widest].useful;
        let mut targets = vec![DEAD; t.x.frames[s.child as usize].outcomes.len()];
        for &o in useful {
            if let Some(&Some(to)) = s.targets.get(o as usize) {
                targets[o as usize] = self.state(id, to, region);
            }
        }
        let charged = self.free_order(id).filter(|order| !order.required().is_empty());
        let required = match charged.map(|order| (order.required(), order.key_cost(0))) {
            Some((required, cost)) => (required, self.key_cost(&cost)),
            None => (KeySet::EMPTY, 0),
        };
        let form = if required.0.is_empty() {
            self.costs[id].cost(trim, s.targets.iter().flatten().copied().next().unwrap_or(0), region)
        } else {
            Cost::default()
        };
        let mut variants = Vec::with_capacity(entries.len());
        for &(depth, child) in entries {
            let start = self.state(child, s.start, 0);
            let outcomes = t.trims[child].useful.clone();
            let Amount { base, spaces } = after(t, trim, &self.costs[id], site, &outcomes, region);
            if start != DEAD {
                let cost = Cost { base, spaces, ..form };
                variants.push(Variant { depth, start, outcomes, cost, required });
            }
        }
        if variants.is_empty() {
            return None;
        }
        Some(self.site(Site { variants, targets }))
    }

    pub(super) fn site(&mut self, new: Site) -> SiteId {
        if let Some(&known) = self.site_ids.get(&new) {
            return known;
        }
        let site = self.machine.sites.len() as SiteId;
        self.machine.sites.push(new.clone());
        self.site_ids.insert(new, site);
        site
    }

    pub(super) fn choice(&mut self, choices: &Vec<(KeySet, u32)>) -> u32 {
        if let Some(&known) = self.choice_ids.get(choices) {
            return known;
        }
        let choice = self.machine.choices.len() as u32;
        self.machine.choices.push(choices.clone());
        self.choice_ids.insert(choices.clone(), choice);
        choice
    }

    /// The bookkeeping of free key order, for object frames under it.
    fn free_order(&mut self, id: TrimId) -> Option<&FreeOrder> {
        let t = self.t;
        let kind = t.x.frames[t.trims[id].frame as usize].key.kind;
        if kind != Kind::Object || !t.x.any_order() {
            return None;
        }
        if !self.free_orders.contains_key(&id) {
            self.free_orders.insert(id, FreeOrder::new(t, id, &self.costs[id], self.costs));
        }
        self.free_orders.get(&id)
    }

    /// The registers of a state under free key order, and whether the name of a member is undecided there
    /// that can be finished somehow.
    fn keys(&mut self, id: TrimId, raw: RawId) -> (Option<Keys>, bool) {
        let trim = &self.t.trims[id];
        let spellable = trim.need[trim.at(raw, 0)] != State::NO_REST;
        let Some(order) = self.free_order(id) else { return (None, false) };
        let (mut keys, naming) = (order.keys(raw), order.is_naming(raw));
        let cost = order.key_cost(raw);
        keys.costs = self.key_cost(&cost);
        (Some(keys), naming && spellable)
    }

    pub(super) fn key_cost(&mut self, cost: &KeyCost) -> u32 {
        if let Some(&known) = self.key_cost_ids.get(cost) {
            return known;
        }
        let id = self.machine.key_costs.len() as u32;
        self.machine.key_costs.push(cost.clone());
        self.key_cost_ids.insert(cost.clone(), id);
        id
    }
}

/// What one edge does in one region, as far as it can differ between regions.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Need(u8),
    Dead,
    Stay(bool),
    Enter(Vec<(u8, TrimId, Amount)>),
    Leave(Option<u32>),
}

/// One bound that equals `a` from region `first` up to `region`, and `b` in `region`, if there is one.
fn merged(a: Cost, trim: &Trim, first: usize, b: Cost, region: usize) -> Option<Cost> {
    let missing = |c: Cost, n: u32| u64::from(c.at.saturating_sub(n));
    let tokens = |c: Cost, n: u32| u64::from(c.base) + missing(c, n) * u64::from(c.per_tick);
    let spaces = |c: Cost, n: u32| u64::from(c.spaces) + missing(c, n) * u64::from(c.tick_spaces);
    let slope = |c: Cost| (c.per_tick, c.tick_spaces);
    // Both are linear within their regions: agreeing at both ends is agreeing throughout.
    let agree = |x: Cost, y: Cost, from: usize, to: usize| {
        let (lo, hi) = (trim.regions[from].0, trim.regions[to].1);
        let top = if hi == INFINITY { lo.max(x.at).max(y.at) } else { hi - 1 };
        [lo, top].iter().all(|&n| tokens(x, n) == tokens(y, n) && spaces(x, n) == spaces(y, n))
    };
    if agree(a, b, region, region) && (a.at <= trim.regions[region].0 || slope(a) == slope(b)) {
        return Some(a);
    }
    let one_count = region == first + 1 && trim.regions[first].1 - trim.regions[first].0 == 1;
    ((slope(a) == slope(b) || one_count) && agree(a, b, first, region - 1)).then_some(b)
}
