//! The end of an object: what holds at `}`.

use super::explore::{Expansion, Explorer};
use super::formula::{ALWAYS, Formula, NEVER, Node as F};
use super::key_set::KeySet;
use super::raw::*;
use crate::error::{Error, ErrorKind, Result};
use crate::ir::NodeId;

/// Most sets of names told apart at `}` with free key order.
const MAX_COMBINATIONS: usize = 256;

impl Explorer<'_> {
    /// Per entry, whether it holds at `}`, as far as the count of members does not decide: what is missing is told
    /// by the position, or by the names that are known to be written.
    fn closing_in_order(&mut self, frame: FrameId, tracks: &Tracks) -> Vec<Formula> {
        let entries = self.frames[frame as usize].key.entries.len();
        let data = self.frames[frame as usize].object.as_ref().expect("object frame");
        let mut result = Vec::with_capacity(entries);
        for entry in tracks.iter().take(entries) {
            let mut any = Vec::with_capacity(entry.len());
            for &id in entry.iter() {
                let track = data.tracks[id as usize];
                let views = &data.shapes[track.shape as usize].views;
                any.push(self.formulas.map(track.holds, &mut |formulas, atom| match atom {
                    Atom::Object { node, holds } => {
                        let missing = if data.judged {
                            !views[&node].required.is_subset(track.seen)
                        } else {
                            views[&node].next_required[track.position as usize] != u32::MAX
                        };
                        (missing != holds).into()
                    }
                    Atom::Overwritable { .. } => ALWAYS,
                    Atom::Distinct { .. } => NEVER,
                    Atom::Room { .. } => ALWAYS,
                    other => formulas.atom(other),
                }));
            }
            result.push(self.formulas.or(any));
        }
        result
    }

    /// Free key order: per entry, the sets of names any one of which must have been seen for the
    /// entry to hold at `}`.
    fn closing(&mut self, frame: FrameId, tracks: &Tracks) -> Result<Vec<Vec<KeySet>>> {
        let entries = self.frames[frame as usize].key.entries.len();
        let data = self.frames[frame as usize].object.as_ref().expect("object frame");
        let mut result = Vec::with_capacity(entries);
        for entry in tracks.iter().take(entries) {
            let mut sets = Vec::new();
            for &id in entry.iter() {
                let track = data.tracks[id as usize];
                let shape = &data.shapes[track.shape as usize];
                let mut needs = |node: NodeId| -> Option<KeySet> {
                    let view = &shape.views[&node];
                    let mut at = view.next_required[track.position as usize];
                    let mut set = KeySet::EMPTY;
                    while at != u32::MAX {
                        set |= KeySet::one(shape.names[at as usize] as usize);
                        at = view.next_required[at as usize + 1];
                    }
                    Some(set)
                };
                sets.extend(self.sets(track.holds, &mut needs)?);
            }
            result.push(least_sets(sets));
        }
        Ok(result)
    }

    /// The disjunctive normal form of a formula whose atoms are sets of names.
    fn sets(&self, f: Formula, needs: &mut impl FnMut(NodeId) -> Option<KeySet>) -> Result<Vec<KeySet>> {
        let sets = match self.formulas.node(f) {
            F::Never => Vec::new(),
            F::Always => vec![KeySet::EMPTY],
            F::Atom(Atom::Object { node, holds: true }) => needs(*node).into_iter().collect(),
            F::One(..) => unreachable!("what is judged for violations is decided by the states"),
            F::Atom(other) => unreachable!("{other:?} is undecided at the end of an object"),
            F::Or(list) => {
                let mut any = Vec::new();
                for &g in list.iter() {
                    any.extend(self.sets(g, needs)?);
                }
                any
            }
            F::And(list) => {
                let mut all = vec![KeySet::EMPTY];
                for &g in list.iter() {
                    let one = self.sets(g, needs)?;
                    all = all.iter().flat_map(|&a| one.iter().map(move |&b| a | b)).collect();
                    all = least_sets(all);
                    if all.len() > MAX_COMBINATIONS {
                        return Err(too_many_combinations());
                    }
                }
                all
            }
        };
        Ok(least_sets(sets))
    }

    /// The exit at `}`, `written` members having been counted by no comma.
    pub fn object_exit(
        &mut self,
        frame: FrameId,
        tracks: &Tracks,
        written: u32,
        out: &mut Expansion,
    ) -> Result<Option<u32>> {
        if !self.any_order() || self.object_data(frame).judged {
            let verdicts = self.closing_in_order(frame, tracks);
            return Ok(self.exit(frame, &verdicts, written));
        }
        let closing = self.closing(frame, tracks)?;
        // Which entries hold is told by the union of one set of each.
        let mut unions = vec![KeySet::EMPTY];
        for sets in &closing {
            for i in 0..unions.len() {
                for &set in sets {
                    let both = unions[i] | set;
                    if !unions.contains(&both) {
                        unions.push(both);
                    }
                }
            }
            if unions.len() > MAX_COMBINATIONS {
                return Err(too_many_combinations());
            }
        }
        // The first whose names have been seen decides: where more holds first, then where fewer are needed.
        let mut ordered: Vec<(Vec<bool>, KeySet)> = unions
            .into_iter()
            .map(|set| (closing.iter().map(|sets| sets.iter().any(|&s| s.is_subset(set))).collect(), set))
            .collect();
        let holding = |verdicts: &[bool]| verdicts.iter().filter(|&&v| v).count();
        ordered.sort_unstable_by_key(|(v, set)| (std::cmp::Reverse(holding(v)), set.len(), *set));
        let mut choices: Vec<(KeySet, u32)> = Vec::new();
        for (verdicts, set) in ordered {
            if let Some(outcome) = self.outcome(frame, &verdicts) {
                choices.push((set, outcome));
            }
        }
        let Some(cheapest) = choices.iter().map(|c| c.0).min_by_key(|set| set.len()) else {
            return Ok(None);
        };
        out.keys.get_or_insert_default().required = cheapest;
        let exits = &mut self.frames[frame as usize].exits;
        exits.push(Exit { pieces: Vec::new(), choices });
        Ok(Some(exits.len() as u32 - 1))
    }
}

/// The sets that include no other.
fn least_sets(mut sets: Vec<KeySet>) -> Vec<KeySet> {
    sets.sort_unstable_by_key(|set| (set.len(), *set));
    let mut least: Vec<KeySet> = Vec::with_capacity(sets.len());
    for set in sets {
        if least.iter().all(|l| !l.is_subset(set)) {
            least.push(set);
        }
    }
    least
}

fn too_many_combinations() -> Error {
    let message = format!(
        "more than {MAX_COMBINATIONS} combinations of required properties decide one object; use key order `schema`"
    );
    Error::new(ErrorKind::LimitExceeded, message)
}
