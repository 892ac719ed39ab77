//! Free key order: which names are still ahead of a state, and what missing members cost.
//!
//! In most frames a register says which names are missing, and a state's bound is that of closing the object
//! at once plus what is missing. In *judged* frames ([`ObjectData::judged`]) the states say it themselves, and
//! bounds are those of ways through the states, as with a fixed order. The register still keeps names from
//! coming twice, so a way must not rely on a name that may be taken: see [`Naming`].

use rustc_hash::FxHashMap;

use super::cost::{Amount, Costs, UNKNOWN, through};
use super::machine::{Indent, Keys};
use super::raw::*;
use super::trim::{NEVER, Trim, TrimId, Trimmer};

/// What a member begun may become.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ahead {
    /// Declared names that it may have.
    names: u64,
    /// Their needs.
    needs: [u8; 64],
    /// The need, and the bound, if it is one that is not declared.
    open_need: u8,
    open: Amount,
}

impl Ahead {
    const NOTHING: Ahead = Ahead { names: 0, needs: [NEVER; 64], open_need: NEVER, open: Amount::UNKNOWN };

    fn name(&mut self, name: usize, need: u8) {
        self.names |= 1 << name;
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
                    t.x.sites[site as usize].targets.iter().flatten().any(|&to| trim.is_live(to, 0))
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

/// What the states of one trimmed object frame share.
pub(crate) struct FreeOrder {
    /// Names that some alternative requires.
    pub required: u64,
    /// Per name, the cost of a whole member.
    pub member: [(u32, u32); 64],
    /// The bound once nothing is missing.
    closing: Amount,
    /// The bound at the object's start.
    start: Amount,
    /// The states say what is missing.
    judged: bool,
    keys: FxHashMap<RawId, (Keys, [u8; 64])>,
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
        let live = || f.states.iter().enumerate().filter(|(s, _)| trim.is_live(*s as RawId, 0));
        // Nothing is ever written that leads where the object cannot be finished.
        let useful = || live().filter(|(s, _)| trim.need[trim.at(*s as RawId, 0)] != NEVER);
        let mut order = FreeOrder {
            required: 0,
            member: [(0, 0); 64],
            closing: Amount { base: 0, spaces: 0 },
            start: Amount { base: 0, spaces: 0 },
            judged: data.judged,
            keys: FxHashMap::default(),
            places: FxHashMap::default(),
        };
        let newline = u32::from(t.x.indented());
        for (_, state) in useful() {
            if let StateKey::MemberDone(_, false) = state.key {
                // Closed by a brace, on a line of its own in indented output.
                order.closing = Amount { base: 1 + newline, spaces: newline };
            }
            order.required |= state.keys.map_or(0, |k| k.required);
        }
        // A member, from its comma to its value's end.
        let mut member = [(0, 0); 64];
        for (s, state) in useful() {
            if let StateKey::Colon(_, seen @ 1.., _) = state.key {
                let name = seen as usize - 1;
                let value = costs.amount(trim, s as RawId, 0);
                if value.base == UNKNOWN {
                    member[name] = (UNKNOWN, 0);
                    continue;
                }
                let (rest, spaces) = value.minus(order.closing);
                let key = data.names[name].1.len() as u32 + 3 + newline;
                member[name] =
                    (member[name].0.max(key.saturating_add(rest)), member[name].1.max(spaces + newline));
            }
        }
        // An object that can only stay empty is as good as closed at its start.
        let by_states = data.judged || order.closing.base == 0;
        order.start = if by_states { costs.amount(trim, 0, 0) } else { order.closing };
        for (_, cost) in member.iter().enumerate().filter(|(name, _)| order.required >> name & 1 == 1) {
            order.start = if cost.0 == UNKNOWN || order.start.base == UNKNOWN {
                Amount::UNKNOWN
            } else {
                order.start.plus(cost.0, cost.1)
            };
        }
        let ahead = look_ahead(t, id, costs, all);
        for (s, state) in live() {
            let s = s as RawId;
            let raw = state.keys.unwrap_or_default();
            let mut keys = Keys { set: raw.set, required: order.required, ..Keys::default() };
            let mut needs = [0; 64];
            let place = match state.key {
                _ if is_naming(&state.key) => Place::Naming,
                StateKey::MemberDone(_, false) | StateKey::ObjectStart(_, false) => Place::Between,
                _ => Place::Decided,
            };
            if place == Place::Naming {
                let a = &ahead[s as usize];
                keys.ahead = a.names;
                keys.open_need = Some(a.open_need);
                needs = a.needs;
            }
            if place == Place::Naming && !data.judged {
                let a = &ahead[s as usize];
                keys.written =
                    (raw.written, if matches!(state.key, StateKey::Key(..)) { newline } else { 0 });
                if a.open.base != UNKNOWN {
                    keys.rest = a.open.minus(order.closing);
                }
                for (_, cost) in member.iter().enumerate().filter(|(n, _)| a.names >> n & 1 == 1) {
                    keys.rest.0 = keys.rest.0.max(cost.0.saturating_sub(keys.written.0));
                    keys.rest.1 = keys.rest.1.max(cost.1.saturating_sub(keys.written.1));
                }
            }
            order.places.insert(s, place);
            order.keys.insert(s, (keys, needs));
        }
        order.member = if data.judged { [(0, 0); 64] } else { member };
        order
    }

    /// The bound at the object's start. It stays unknown if a name that some alternative requires leads
    /// back here without end, even where another alternative does not.
    pub fn all_missing(&self) -> Amount {
        self.start
    }

    /// A state's bookkeeping, without [`Keys::costs`], and what members need that it may become.
    pub fn keys(&self, s: RawId) -> (Keys, [u8; 64]) {
        self.keys[&s]
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
            Place::Between if self.closing.base == 0 => return None,
            Place::Between => (0, 0),
            // With no declared name ahead, the rest does not depend on what is missing.
            Place::Naming if self.keys[&s].0.ahead == 0 => self.keys[&s].0.rest,
            Place::Naming => (0, 0),
        };
        Some((self.closing.base.saturating_add(rest.0), self.closing.spaces + rest.1))
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
                                for name in (0..64).filter(|n| below.names >> n & 1 == 1) {
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
