//! Free key order: which names are still ahead of a state, and what missing members cost.
//!
//! In most frames a register says which names are missing, and a state's bound is that of closing the object
//! at once plus what is missing. In *judged* frames ([`ObjectData::judged`]) the states say it themselves, and
//! bounds are those of ways through the states, as with a fixed order. The register still keeps names from
//! coming twice, so a way must not rely on a name that may be taken: see [`Naming`].

use rustc_hash::FxHashMap;

use super::cost::{Amount, Costs, UNKNOWN, through};
use super::key_set::KeySet;
use super::machine::{Indent, KeyCost, Keys};
use super::raw::*;
use super::trim::{NEVER, Trim, TrimId, Trimmer};

/// What a member begun may become.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ahead {
    /// Declared names that it may have.
    names: KeySet,
    /// Their needs.
    needs: [u8; KeySet::CAPACITY],
    /// The need, and the bound, if it is one that is not declared.
    open_need: u8,
    open: Amount,
}

impl Ahead {
    const NOTHING: Ahead = Ahead {
        names: KeySet::EMPTY,
        needs: [NEVER; KeySet::CAPACITY],
        open_need: NEVER,
        open: Amount::UNKNOWN,
    };

    fn name(&mut self, name: usize, need: u8) {
        self.names |= KeySet::one(name);
        self.needs[name] = self.needs[name].min(need);
    }

    fn open(&mut self, need: u8, rest: Amount) {
        self.open_need = self.open_need.min(need);
        if rest.base < self.open.base {
            self.open = rest;
        }
    }
}

/// Judged frames: which of the names ahead of a state are certain not to be taken.
///
/// Such a name, and any that is not declared, can be relied upon. Where there is none, all that is known is
/// that some name ahead is not taken, else the state would not have been reached.
pub(crate) struct Naming {
    /// Per state: `None` if it is not within a name, else whether a name ahead can be relied upon.
    sure: Vec<Option<bool>>,
}

/// The names ahead of the states of a judged frame; `None` for other frames.
pub(crate) fn naming(t: &Trimmer<'_, '_>, trim: &Trim) -> Option<Naming> {
    let f = &t.x.frames[trim.frame as usize];
    f.object.as_ref().filter(|data| data.judged)?;
    let mut sure: Vec<Option<bool>> =
        f.states.iter().map(|state| is_naming(&state.key).then_some(false)).collect();
    loop {
        let mut changed = false;
        for &s in &f.flow.backwards {
            let (s, state) = (s as usize, &f.states[s as usize]);
            if sure[s] != Some(false) || !trim.is_live(s as RawId, 0) {
                continue;
            }
            let relied_on = |edge: &Edge| match *edge {
                Edge::Stay { to, space: false, .. } => {
                    trim.is_live(to, 0) && is_sure(&sure, &f.states[to as usize].key, to)
                }
                Edge::Enter { site, .. } => {
                    let site = &t.x.sites[site as usize];
                    let mut ends = site.targets.iter().enumerate();
                    ends.any(|(o, to)| to.is_some_and(|to| trim.is_live(to, 0)) && t.can_end(site, o))
                }
                _ => false,
            };
            if state.edges.iter().any(|e| relied_on(&e.2)) {
                sure[s] = Some(true);
                changed = true;
            }
        }
        if !changed {
            return Some(Naming { sure });
        }
    }
}

fn is_sure(sure: &[Option<bool>], key: &StateKey, state: RawId) -> bool {
    match key {
        StateKey::Colon(_, _, certain) => *certain,
        _ => sure[state as usize] == Some(true),
    }
}

impl Naming {
    /// Whether a state is within a name, and none ahead can be relied upon.
    pub fn unsure(&self, state: RawId) -> Option<()> {
        (self.sure[state as usize] == Some(false)).then_some(())
    }

    /// Whether a way from a state may go on at another.
    pub fn counts(&self, trim: &Trim, f: &RawFrame, state: RawId, to: RawId) -> bool {
        match self.sure[state as usize] {
            None => true,
            Some(false) => trim.is_live(to, 0),
            Some(true) => is_sure(&self.sure, &f.states[to as usize].key, to),
        }
    }
}

/// What the members of one trimmed object frame cost.
pub(crate) struct Members {
    /// Names that some alternative requires.
    pub required: KeySet,
    /// Per name, the tokens and the spaces per level of a whole member, from its comma to its value's end.
    member: Vec<(u32, u32)>,
    /// The bound once nothing is missing.
    closing: Amount,
    /// The bound at the object's start. It stays unknown if a name that some alternative requires leads back
    /// here without end, even where another alternative does not.
    pub all_missing: Amount,
}

impl Members {
    pub fn new(t: &Trimmer<'_, '_>, id: TrimId, costs: &Costs) -> Self {
        let trim = &t.trims[id];
        let f = &t.x.frames[trim.frame as usize];
        let data = f.object.as_ref().expect("object frame");
        // Nothing is ever written that leads where the object cannot be finished.
        let useful = || {
            let live = f.states.iter().enumerate().filter(|(s, _)| trim.is_live(*s as RawId, 0));
            live.filter(|(s, _)| trim.need[trim.at(*s as RawId, 0)] != NEVER)
        };
        let (mut required, mut closing) = (KeySet::EMPTY, Amount::ZERO);
        let newline = u32::from(t.x.indented());
        for (_, state) in useful() {
            if let StateKey::MemberDone(_, false) = state.key {
                // Closed by a brace, on a line of its own in indented output.
                closing = Amount { base: 1 + newline, spaces: newline };
            }
            required |= state.keys.map_or(KeySet::EMPTY, |k| k.required);
        }
        let mut member = vec![(0, 0); data.names.len()];
        for (s, state) in useful() {
            if let StateKey::Colon(_, seen @ 1.., _) = state.key {
                let name = seen as usize - 1;
                let value = costs.amount(trim, s as RawId, 0);
                if value.base == UNKNOWN {
                    member[name] = (UNKNOWN, 0);
                    continue;
                }
                let (rest, spaces) = value.minus(closing);
                let key = data.names[name].1.len() as u32 + 3 + newline;
                member[name] =
                    (member[name].0.max(key.saturating_add(rest)), member[name].1.max(spaces + newline));
            }
        }
        // An object that can only stay empty is as good as closed at its start.
        let by_states = data.judged || closing.base == 0;
        let mut all_missing = if by_states { costs.amount(trim, 0, 0) } else { closing };
        for cost in required.iter().map(|name| member[name]) {
            all_missing = if cost.0 == UNKNOWN || all_missing.base == UNKNOWN {
                Amount::UNKNOWN
            } else {
                all_missing.plus(cost.0, cost.1)
            };
        }
        Members { required, member, closing, all_missing }
    }
}

/// What the states of one trimmed object frame share.
pub(crate) struct FreeOrder {
    members: Members,
    /// The states say what is missing.
    judged: bool,
    keys: FxHashMap<RawId, Keys>,
    /// Per name the least need of a member in any state, and what it is in states where a name needs more.
    least_needs: Box<[u8]>,
    needs: FxHashMap<RawId, Box<[u8]>>,
    places: FxHashMap<RawId, Place>,
}

/// Where a state is, as far as its bound is concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The frame may be left as soon as nothing is missing.
    Between,
    /// A member is begun, and its name not yet decided.
    Naming,
    /// A member's name is decided, or the closing brace is all that is left.
    Decided,
}

impl FreeOrder {
    pub fn new(t: &Trimmer<'_, '_>, id: TrimId, costs: &Costs, all: &[Costs]) -> Self {
        let trim = &t.trims[id];
        let f = &t.x.frames[trim.frame as usize];
        let data = f.object.as_ref().expect("object frame");
        let mut order = FreeOrder {
            members: Members::new(t, id, costs),
            judged: data.judged,
            keys: FxHashMap::default(),
            least_needs: Box::default(),
            needs: FxHashMap::default(),
            places: FxHashMap::default(),
        };
        let newline = u32::from(t.x.indented());
        let Members { required, ref member, closing, .. } = order.members;
        let ahead = look_ahead(t, id, costs, all);
        let mut least = vec![NEVER; data.names.len()];
        for (name, a) in ahead.iter().flat_map(|a| a.names.iter().map(move |name| (name, a))) {
            least[name] = least[name].min(a.needs[name]);
        }
        order.least_needs = least.into();
        let live = f.states.iter().enumerate().filter(|(s, _)| trim.is_live(*s as RawId, 0));
        for (s, state) in live {
            let s = s as RawId;
            let raw = state.keys.unwrap_or_default();
            let mut keys = Keys { name: raw.name, required, ..Keys::default() };
            let place = match state.key {
                _ if is_naming(&state.key) => Place::Naming,
                StateKey::MemberDone(_, false) | StateKey::ObjectStart(_, false) => Place::Between,
                _ => Place::Decided,
            };
            if place == Place::Naming {
                let a = &ahead[s as usize];
                keys.ahead = a.names;
                keys.open_need = Some(a.open_need);
                if a.names.iter().any(|name| a.needs[name] != order.least_needs[name]) {
                    let mut needs = order.least_needs.clone();
                    a.names.iter().for_each(|name| needs[name] = a.needs[name]);
                    order.needs.insert(s, needs);
                }
            }
            if place == Place::Naming && !data.judged {
                let a = &ahead[s as usize];
                keys.written =
                    (raw.written, if matches!(state.key, StateKey::Key(..)) { newline } else { 0 });
                if a.open.base != UNKNOWN {
                    keys.rest = a.open.minus(closing);
                }
                for cost in a.names.iter().map(|name| member[name]) {
                    keys.rest.0 = keys.rest.0.max(cost.0.saturating_sub(keys.written.0));
                    keys.rest.1 = keys.rest.1.max(cost.1.saturating_sub(keys.written.1));
                }
            }
            order.places.insert(s, place);
            order.keys.insert(s, keys);
        }
        order
    }

    /// Names that some alternative requires.
    pub fn required(&self) -> KeySet {
        self.members.required
    }

    /// A state's bookkeeping, without [`Keys::costs`].
    pub fn keys(&self, s: RawId) -> Keys {
        self.keys[&s]
    }

    /// What members cost, and need of those that a state may become; for most states of a frame it is the same.
    pub fn key_cost(&self, s: RawId) -> KeyCost {
        let needs = self.needs.get(&s).unwrap_or(&self.least_needs);
        let tokens = if self.judged { Box::default() } else { self.members.member.as_slice().into() };
        KeyCost { tokens, needs: needs.clone() }
    }

    /// Whether a member is begun and its name not decided: then the needs of its names say whether the
    /// depth is enough, and the state's own does not.
    pub fn is_naming(&self, s: RawId) -> bool {
        self.places[&s] == Place::Naming
    }

    /// The bound of a state without its missing members, where it is not the one by bytes.
    pub fn base(&self, s: RawId) -> Option<(u32, u32)> {
        let rest = match self.places[&s] {
            _ if self.judged => return None,
            Place::Decided => return None,
            Place::Between if self.members.closing.base == 0 => return None,
            Place::Between => (0, 0),
            // With no declared name ahead, the rest does not depend on what is missing.
            Place::Naming if self.keys[&s].ahead.is_empty() => self.keys[&s].rest,
            Place::Naming => (0, 0),
        };
        Some((self.members.closing.base.saturating_add(rest.0), self.members.closing.spaces + rest.1))
    }
}

fn is_naming(key: &StateKey) -> bool {
    matches!(key, StateKey::Key(..) | StateKey::Comma(..) | StateKey::ObjectStart(_, true))
}

/// Per state in which a member's name is not decided, what it may become. Names are finite, so few passes
/// from the back settle it.
fn look_ahead(t: &Trimmer<'_, '_>, id: TrimId, costs: &Costs, all: &[Costs]) -> Vec<Ahead> {
    let trim = &t.trims[id];
    let f = &t.x.frames[trim.frame as usize];
    let need = |s: RawId| trim.need[trim.at(s, 0)];
    let mut ahead = vec![Ahead::NOTHING; f.states.len()];
    loop {
        let mut changed = false;
        for &s in &f.flow.backwards {
            let (s, state) = (s as usize, &f.states[s as usize]);
            if !is_naming(&state.key) || !trim.is_live(s as RawId, 0) {
                continue;
            }
            let mut here = Ahead::NOTHING;
            for &(lo, hi, edge) in &state.edges {
                match edge {
                    Edge::Stay { to, space: false, .. } if trim.is_live(to, 0) && need(to) != NEVER => {
                        match f.states[to as usize].key {
                            StateKey::Colon(_, 0, _) => {
                                here.open(need(to), costs.amount(trim, to, 0).plus(1, 0))
                            }
                            StateKey::Colon(_, seen, _) => here.name(seen as usize - 1, need(to)),
                            _ => {
                                let below = ahead[to as usize];
                                for name in below.names.iter() {
                                    here.name(name, below.needs[name]);
                                }
                                here.open(below.open_need, below.open.plus(1, 0));
                            }
                        }
                    }
                    Edge::Enter { site, .. } => {
                        let targets = &t.x.sites[site as usize].targets;
                        if let Some(&(_, child)) = trim.entries(&t.x.sites[site as usize], 0).last() {
                            let rest = through(t, trim, costs, all, site, child, 0, Some((lo, hi)));
                            let outcomes = t.trims[child].useful.iter();
                            let after = outcomes.filter_map(|&o| targets.get(o as usize).copied().flatten());
                            // The key itself is one level.
                            if let Some(least) = after.map(need).min() {
                                here.open(least.max(1), rest);
                            }
                        }
                    }
                    _ => {}
                }
            }
            if state.indent != Indent::None {
                here.open = here.open.plus(0, 1);
            }
            changed |= here != ahead[s];
            ahead[s] = here;
        }
        if !changed {
            return ahead;
        }
    }
}
