//! Frames kept from one schema to the next.
//!
//! Most of what schemas ask for they ask alike: any value, an integer, a date, a string of at most 50
//! characters. Such a frame has one outcome, depends on nothing around it and is the same in every machine
//! built with the same options; so it is explored, trimmed, bounded and tightened once, and copied from
//! then on, state by state as they are reached. What it enters are other such frames, by what they are and
//! not by their states: a grammar has each at most once, copied or not.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::cost::{Amount, UNKNOWN};
use super::explore::Explorer;
use super::formula::{Formula, Node as F};
use super::key_set::KeySet;
use super::machine::*;
use super::raw::*;
use crate::ir::Range;
use crate::pattern::{self, ByteDfa};

/// Bytes of frames that are kept.
const MOST_BYTES: usize = 16 << 20;
/// Frames with larger automata (in words) are not recognised again: that would take longer than it saves.
const MOST_WORDS: usize = 1 << 13;

/// What a frame that can be kept is judged for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Content {
    /// Nothing: any text of the kind will do.
    Any(Kind),
    /// A formula that every text must satisfy, operands before what combines them.
    Text(Kind, Vec<Part>),
}

/// A node of a formula over automata and counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    And(usize),
    Or(usize),
    Automaton(Dfa, u32),
    Count(Range),
}

/// An automaton that is equal to others by what it accepts from each state.
#[derive(Clone, Debug)]
pub(crate) struct Dfa(Arc<ByteDfa>);

impl PartialEq for Dfa {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for Dfa {}

impl Hash for Dfa {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let words: &[u8] = bytemuck::cast_slice(&self.0.rows);
        state.write(words);
        state.write_u32(self.0.start);
    }
}

impl Content {
    /// Bytes of the automata that it names.
    fn heap_bytes(&self) -> usize {
        let Content::Text(_, parts) = self else { return 0 };
        let words =
            parts.iter().map(|part| if let Part::Automaton(dfa, _) = part { dfa.0.rows.len() } else { 0 });
        words.sum::<usize>() * size_of::<u32>()
    }

    /// The frames of one kind that ask for nothing.
    pub fn key(kind: Kind) -> FrameKey {
        FrameKey { kind, entries: Vec::new(), keep_false: true }
    }
}

impl Explorer<'_> {
    /// What a frame is judged for, if it can be kept.
    pub fn content(&self, key: &FrameKey) -> Option<Content> {
        match key.entries[..] {
            [] if key.kind != Kind::Document => Some(Content::Any(key.kind)),
            [f] if matches!(key.kind, Kind::String | Kind::Number) && !key.keep_false => {
                let (mut parts, mut words) = (Vec::new(), 0);
                self.parts(f, &mut parts, &mut words)?;
                Some(Content::Text(key.kind, parts))
            }
            _ => None,
        }
    }

    fn parts(&self, f: Formula, parts: &mut Vec<Part>, words: &mut usize) -> Option<()> {
        let mut operands = |list: &[Formula]| -> Option<usize> {
            list.iter().try_for_each(|&g| self.parts(g, parts, words))?;
            Some(list.len())
        };
        let part = match self.formulas.node(f) {
            F::And(list) => Part::And(operands(list)?),
            F::Or(list) => Part::Or(operands(list)?),
            F::Atom(Atom::Count(range)) => Part::Count(*range),
            &F::Atom(Atom::String { dfa, state }) => {
                Part::Automaton(Dfa(self.strings[dfa as usize].clone()), state)
            }
            &F::Atom(Atom::Number { dfa, state }) => {
                Part::Automaton(Dfa(self.numbers[dfa as usize].clone()), state)
            }
            _ => return None,
        };
        if let Part::Automaton(dfa, _) = &part {
            *words += dfa.0.rows.len();
        }
        parts.push(part);
        (*words <= MOST_WORDS && parts.len() <= 64).then_some(())
    }
}

/// Where a frame that is kept is entered. What is told of it here is what whoever enters it asks.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// Among the frame's states.
    pub state: StateId,
    /// See [`State::need`].
    pub need: u8,
    /// The bound by bytes.
    pub amount: Amount,
    /// Free key order: the same, every required name missing.
    pub all_missing: Option<Amount>,
    /// By its first bytes, the bound of what begins with one of them.
    pub first: Vec<(u8, u8, Amount)>,
    /// A byte after which it is lowest.
    pub least: Option<u8>,
}

/// Another frame that a kept one enters, of those that ask for nothing: its kind, and at which of its
/// [`KeptFrame::starts`].
pub(crate) type Child = (Kind, u32);

/// A frame that has been made before.
#[derive(Debug)]
pub(crate) struct KeptFrame {
    /// By number; only undeclared names have several, one for each state of a name's characters.
    pub starts: Vec<Option<Start>>,
    /// States explored to make it.
    pub explored: usize,
    /// Its only outcome.
    pub outcome: Box<[bool]>,
    /// All of its states, with tightened bounds; [`DEAD`] is the first. Sites, choices and costs of names are
    /// numbered as below.
    pub states: Vec<State>,
    /// In each variant `start` is an index into `children`.
    pub sites: Vec<Site>,
    pub choices: Vec<Vec<(KeySet, u32)>>,
    pub key_costs: Vec<KeyCost>,
    pub children: Vec<Child>,
}

/// A frame as it is found in a machine that has been built.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub content: Content,
    /// By number, as [`KeptFrame::starts`], with states of the machine.
    pub starts: Vec<Option<Start>>,
    /// If it was made for this machine: how many states were explored for it, and its outcome.
    pub made: Option<(usize, Box<[bool]>)>,
    /// The states of the machine that it consists of.
    pub states: Vec<StateId>,
}

/// Frames made with one set of options, for all who build with the same.
#[derive(Default)]
pub(crate) struct KeptFrames {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    frames: FxHashMap<Content, Arc<KeptFrame>>,
    bytes: usize,
}

impl KeptFrames {
    pub fn get(&self, content: &Content) -> Option<Arc<KeptFrame>> {
        // A panic while the lock is held leaves at most a frame missing.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).frames.get(content).cloned()
    }

    /// Keeps what was made for a machine whose bounds have been tightened. When too much is kept all of it is
    /// forgotten: what is in use comes back.
    pub fn keep(&self, machine: &Machine) {
        let mut entered: FxHashMap<StateId, Child> = FxHashMap::default();
        for frame in &machine.frames {
            if let Content::Any(kind) = frame.content {
                let starts =
                    (0..).zip(&frame.starts).filter_map(|(i, s)| Some((s.as_ref()?.state, (kind, i))));
                entered.extend(starts);
            }
        }
        for frame in &machine.frames {
            let Some(kept) = copy(machine, frame, &entered) else { continue };
            let states = kept.states.iter().map(|s| size_of::<State>() + 16 * s.row.ranges.len());
            let bytes = 1024 + states.sum::<usize>() + frame.content.heap_bytes();
            let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if all.bytes + bytes > MOST_BYTES {
                *all = Kept::default();
            }
            if bytes <= MOST_BYTES && all.frames.insert(frame.content.clone(), Arc::new(kept)).is_none() {
                all.bytes += bytes;
            }
        }
    }
}

/// A frame that was made for a machine, by itself; `None` if it was not, cannot be finished, or enters what is not kept.
fn copy(machine: &Machine, frame: &Found, entered: &FxHashMap<StateId, Child>) -> Option<KeptFrame> {
    let (explored, outcome) = frame.made.clone()?;
    let ends = |s: &Start| s.need != State::NO_REST && s.amount.base != UNKNOWN;
    if !frame.starts.iter().flatten().all(ends) {
        return None;
    }
    let mut number: FxHashMap<StateId, StateId> = FxHashMap::default();
    number.insert(DEAD, DEAD);
    for (&state, id) in frame.states.iter().zip(1..) {
        number.insert(state, id);
    }
    let mut kept = KeptFrame {
        starts: Vec::new(),
        explored,
        outcome,
        states: vec![machine.states[DEAD as usize].clone()],
        sites: Vec::new(),
        choices: Vec::new(),
        key_costs: Vec::new(),
        children: Vec::new(),
    };
    let mut sites: FxHashMap<SiteId, SiteId> = FxHashMap::default();
    for &id in &frame.states {
        let mut state = machine.states[id as usize].clone();
        let mut renamed = |kept: &mut KeptFrame, action: Action| -> Option<Action> {
            Some(match action {
                Action::Stay { to, tick, space } => Action::Stay { to: *number.get(&to)?, tick, space },
                Action::Enter { site, read } => {
                    let site = match sites.get(&site) {
                        Some(&known) => known,
                        None => {
                            let made = kept.copy_site(machine, site, &number, entered)?;
                            sites.insert(site, made);
                            made
                        }
                    };
                    Action::Enter { site, read }
                }
                Action::Choose { choice } => {
                    kept.choices.push(machine.choices[choice as usize].clone());
                    Action::Choose { choice: kept.choices.len() as u32 - 1 }
                }
                other => other,
            })
        };
        for range in &mut state.row.ranges {
            range.2 = renamed(&mut kept, range.2)?;
        }
        state.row.default = renamed(&mut kept, state.row.default)?;
        if let Some((_, to)) = &mut state.chain {
            *to = *number.get(to)?;
        }
        if let Some(keys) = &mut state.keys {
            keys.costs = kept.copy_cost(machine, keys.costs);
            if let Some(choice) = keys.closes.checked_sub(1) {
                kept.choices.push(machine.choices[choice as usize].clone());
                keys.closes = kept.choices.len() as u32;
            }
        }
        state.tightened = true;
        kept.states.push(state);
    }
    for start in &frame.starts {
        let start = start.clone().map(|s| Some(Start { state: *number.get(&s.state)?, ..s }));
        kept.starts.push(match start {
            Some(known) => Some(known?),
            None => None,
        });
    }
    Some(kept)
}

impl KeptFrame {
    fn copy_site(
        &mut self,
        machine: &Machine,
        site: SiteId,
        number: &FxHashMap<StateId, StateId>,
        entered: &FxHashMap<StateId, Child>,
    ) -> Option<SiteId> {
        let mut site = machine.sites[site as usize].clone();
        for target in &mut site.targets {
            *target = *number.get(target)?;
        }
        for variant in &mut site.variants {
            let child = *entered.get(&variant.start)?;
            let known = self.children.iter().position(|&c| c == child);
            variant.start = known.unwrap_or(self.children.len()) as StateId;
            if known.is_none() {
                self.children.push(child);
            }
            if variant.required.0 != KeySet::EMPTY {
                variant.required.1 = self.copy_cost(machine, variant.required.1);
            }
        }
        self.sites.push(site);
        Some(self.sites.len() as SiteId - 1)
    }

    fn copy_cost(&mut self, machine: &Machine, cost: u32) -> u32 {
        let cost = &machine.key_costs[cost as usize];
        let known = self.key_costs.iter().position(|c| c == cost);
        if known.is_none() {
            self.key_costs.push(cost.clone());
        }
        known.unwrap_or(self.key_costs.len() - 1) as u32
    }
}

/// The number of the start of undeclared names in a state of their characters; 0 is where they begin.
pub(crate) fn open_key_number(any_state: u32) -> u32 {
    if any_state == pattern::canonical_any().start { 0 } else { any_state }
}

/// The state of a name's characters with a number.
pub(crate) fn open_key_state(number: u32) -> u32 {
    if number == 0 { pattern::canonical_any().start } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automaton::{Builder, Options};
    use crate::ir::{IrBuilder, TRUE};

    #[test]
    fn what_was_made_is_kept_and_stands_for_itself() {
        let ir = IrBuilder::new().finish(TRUE);
        let builder = Builder::new(Options::default());
        let first = builder.build(&ir).unwrap();
        let made = |m: &Machine| m.frames.iter().filter(|f| f.made.is_some()).count();
        assert_eq!(made(&first), 8, "strings, numbers, three words, arrays, objects and names");
        builder.keep(&first);
        let kept = builder.kept.get(&Content::Any(Kind::Object)).expect("objects are kept");
        assert_eq!(kept.children.len(), 8);
        let second = builder.build(&ir).unwrap();
        assert_eq!(made(&second), 0);
        assert_eq!(first.states.len(), second.states.len());
        let rows = |m: &Machine| m.states.iter().map(|s| s.row.clone()).collect::<Vec<_>>();
        assert!(rows(&first) == rows(&second) && first.sites == second.sites);
    }
}
