//! Free key order: which names are still ahead of a state, and what missing members cost.

use rustc_hash::FxHashMap;

use super::cost::{Amount, Costs, UNKNOWN};
use super::machine::Keys;
use super::raw::*;
use super::trim::{NEVER, TrimId, Trimmer};

/// The names that may end a key begun, and whether it may be an undeclared one.
#[derive(Clone, Copy, Default)]
struct Ahead {
    names: u64,
    open: bool,
}

/// What the states of one trimmed object frame share.
pub(crate) struct FreeOrder {
    /// Names that some alternative requires.
    pub required: u64,
    /// Index in [`super::machine::Machine::key_costs`].
    pub costs: u32,
    /// The bound once nothing is missing.
    closing: Amount,
    /// The bound at the object's start.
    start: Amount,
    keys: FxHashMap<RawId, Keys>,
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
    /// Also returns the costs of the frame's names.
    pub fn new(t: &Trimmer<'_, '_>, id: TrimId, costs: &Costs, index: u32) -> (Self, [(u32, u32); 64]) {
        let trim = &t.trims[id];
        let f = &t.x.frames[trim.frame as usize];
        let data = f.object.as_ref().expect("object frame");
        let live = || f.states.iter().enumerate().filter(|(s, _)| trim.is_live(*s as RawId, 0));
        // Nothing is ever written that leads where the object cannot be finished.
        let useful = || live().filter(|(s, _)| trim.need[trim.at(*s as RawId, 0)] != NEVER);
        let mut order = FreeOrder {
            required: 0,
            costs: index,
            closing: Amount { base: 0, spaces: 0 },
            start: Amount { base: 0, spaces: 0 },
            keys: FxHashMap::default(),
            places: FxHashMap::default(),
        };
        for (s, state) in useful() {
            if let StateKey::MemberDone(_, false) = state.key {
                let amount = costs.amount(trim, s as RawId, 0);
                if amount.base == UNKNOWN {
                    order.closing = amount;
                    break;
                }
                order.closing.base = order.closing.base.max(amount.base);
                order.closing.spaces = order.closing.spaces.max(amount.spaces);
            }
            order.required |= state.keys.map_or(0, |k| k.required) & trim.writable;
        }
        // A member, from its comma to its value's end.
        let newline = u32::from(t.x.indented());
        let mut member = [(0, 0); 64];
        for (s, state) in useful() {
            if let StateKey::Colon(_, seen @ 1..) = state.key {
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
        order.start = if order.closing.base == 0 { costs.amount(trim, 0, 0) } else { order.closing };
        for (_, cost) in member.iter().enumerate().filter(|(name, _)| order.required >> name & 1 == 1) {
            order.start = if cost.0 == UNKNOWN { Amount::UNKNOWN } else { order.start.plus(cost.0, cost.1) };
        }
        let mut ahead = FxHashMap::default();
        for (s, state) in live() {
            let s = s as RawId;
            let raw = state.keys.unwrap_or_default();
            let mut keys = Keys { set: raw.set, required: order.required, costs: index, ..Keys::default() };
            let place = match state.key {
                StateKey::Key(..) | StateKey::Comma(..) | StateKey::ObjectStart(_, true) => Place::Naming,
                StateKey::MemberDone(_, false) | StateKey::ObjectStart(_, false) => Place::Between,
                _ => Place::Decided,
            };
            if place == Place::Naming {
                let a = look_ahead(t, id, s, &mut ahead);
                keys.ahead = a.names;
                keys.under = if a.open { 0 } else { a.names };
                keys.written =
                    (raw.written, if matches!(state.key, StateKey::Key(..)) { newline } else { 0 });
                let mut rest = (0, 0);
                if a.open {
                    rest = costs.amount(trim, s, 0).minus(order.closing);
                } else {
                    for (_, cost) in member.iter().enumerate().filter(|(n, _)| a.names >> n & 1 == 1) {
                        rest.0 = rest.0.max(cost.0.saturating_sub(keys.written.0));
                        rest.1 = rest.1.max(cost.1.saturating_sub(keys.written.1));
                    }
                }
                keys.rest = rest;
            }
            order.places.insert(s, place);
            order.keys.insert(s, keys);
        }
        (order, member)
    }

    /// The bound at the object's start, `None` if it is not known yet.
    pub fn all_missing(&self) -> Option<Amount> {
        (self.start.base != UNKNOWN).then_some(self.start)
    }

    pub fn keys(&self, s: RawId) -> Keys {
        self.keys[&s]
    }

    /// The bound of a state without its missing members, where it is not the one by bytes.
    pub fn base(&self, s: RawId) -> Option<(u32, u32)> {
        let rest = match self.places[&s] {
            Place::Decided => return None,
            Place::Between if self.closing.base == 0 => return None,
            Place::Between => (0, 0),
            // With no declared name ahead, the rest does not depend on what is missing.
            Place::Naming if self.keys[&s].ahead == 0 => self.keys[&s].rest,
            Place::Naming => (0, 0),
        };
        Some((self.closing.base.saturating_add(rest.0), self.closing.spaces + rest.1))
    }
}

/// Without recursion: a name is as long as it likes.
fn look_ahead(t: &Trimmer<'_, '_>, id: TrimId, s: RawId, memo: &mut FxHashMap<RawId, Ahead>) -> Ahead {
    let trim = &t.trims[id];
    let f = &t.x.frames[trim.frame as usize];
    let mut todo = vec![s];
    while let Some(&at) = todo.last() {
        let begun = memo.contains_key(&at);
        memo.entry(at).or_default();
        let mut result = Ahead::default();
        for &(.., edge) in &f.states[at as usize].edges {
            match edge {
                Edge::Stay { to, space: false, .. }
                    if trim.is_live(to, 0) && trim.need[trim.at(to, 0)] != NEVER =>
                {
                    match f.states[to as usize].key {
                        StateKey::Colon(_, 0) => result.open = true,
                        StateKey::Colon(_, seen) => result.names |= 1 << (seen - 1),
                        _ => match memo.get(&to) {
                            Some(below) => {
                                result.names |= below.names;
                                result.open |= below.open;
                            }
                            None => todo.push(to),
                        },
                    }
                }
                Edge::Enter { site, .. } => result.open |= !trim.entries[&(site, 0)].is_empty(),
                _ => {}
            }
        }
        // What is below is known on the second visit.
        if begun || todo.last() == Some(&at) {
            memo.insert(at, result);
            todo.pop();
        }
    }
    memo[&s]
}
