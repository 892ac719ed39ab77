//! A transition table under construction, and its normal form.
//!
//! Constructions fill a [`Table`] state by state in whatever order suits them, with unreachable states,
//! states that lead nowhere and bytes that are told apart for no reason. [`Table::finish`] turns that into
//! the form every [`ByteDfa`] has: trimmed to live states, minimised if that is cheap, states in
//! breadth-first order from the start, equal columns merged. Equal languages over equal boundaries that are
//! small enough to be minimised therefore come out as equal tables, so they can be shared by hashing.

use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use super::minimise::blocks;
use super::{ByteDfa, DfaState};

/// Tables with more live transitions are not minimised: up to here it takes a few milliseconds at worst,
/// and the automata that are larger are large because they are minimal or nearly so.
const MINIMISE_TRANSITIONS: usize = 150_000;

/// Dense rows over byte classes. State 0 is dead from the beginning.
pub(super) struct Table {
    pub classes: Box<[u8; 256]>,
    pub stride: usize,
    pub rows: Vec<DfaState>,
    pub accepting: Vec<bool>,
    pub boundary: Vec<bool>,
}

impl Table {
    /// A table over `classes`, numbered from 0 without gaps, with only the dead state.
    pub fn new(classes: Box<[u8; 256]>) -> Table {
        let stride = classes.iter().max().map_or(1, |&c| usize::from(c) + 1);
        let mut table =
            Table { classes, stride, rows: Vec::new(), accepting: Vec::new(), boundary: Vec::new() };
        table.push(false, true);
        table
    }

    /// Adds a state without successors.
    pub fn push(&mut self, accepting: bool, boundary: bool) -> DfaState {
        let state = self.accepting.len() as DfaState;
        self.rows.resize(self.rows.len() + self.stride, ByteDfa::DEAD);
        self.accepting.push(accepting);
        self.boundary.push(boundary);
        state
    }

    /// Number of states, the dead one included.
    pub fn len(&self) -> usize {
        self.accepting.len()
    }

    /// The successors of `state` by class.
    pub fn row(&self, state: DfaState) -> &[DfaState] {
        &self.rows[state as usize * self.stride..][..self.stride]
    }

    /// The successors of `state` by class.
    pub fn row_mut(&mut self, state: DfaState) -> &mut [DfaState] {
        &mut self.rows[state as usize * self.stride..][..self.stride]
    }

    /// Sets the successor of `state` on one byte's class.
    pub fn set(&mut self, state: DfaState, byte: u8, to: DfaState) {
        let class = usize::from(self.classes[usize::from(byte)]);
        self.row_mut(state)[class] = to;
    }

    /// The automaton that starts in `start`, in normal form.
    pub fn finish(self, start: DfaState) -> ByteDfa {
        self.finish_within(start, MINIMISE_TRANSITIONS)
    }

    /// The same of an automaton that is minimised whatever its size.
    pub fn minimised(dfa: ByteDfa) -> ByteDfa {
        let ByteDfa { classes, stride, rows, accepting, boundary, start } = dfa;
        Table { classes, stride: stride as usize, rows, accepting, boundary }.finish_within(start, usize::MAX)
    }

    fn finish_within(self, start: DfaState, most: usize) -> ByteDfa {
        let trimmed = self.trim(start);
        let transitions = trimmed.rows.iter().filter(|&&to| to != ByteDfa::DEAD).count();
        if transitions == 0 || transitions > most {
            return trimmed.into_dfa();
        }
        let (block_of, count) = blocks(&trimmed, transitions);
        if count == trimmed.len() {
            return trimmed.into_dfa();
        }
        let mut representative = vec![ByteDfa::DEAD; count];
        for s in (1..trimmed.len()).rev() {
            representative[block_of[s] as usize] = s as u32;
        }
        let merged: Vec<u32> = block_of.iter().map(|&b| representative[b as usize]).collect();
        trimmed.quotient(1, &merged).merge_columns().into_dfa()
    }

    /// The same for a table that is minimal already.
    pub fn finish_minimal(self, start: DfaState) -> ByteDfa {
        self.trim(start).into_dfa()
    }

    /// Only live states that can be reached, in breadth-first order, with equal columns merged.
    fn trim(self, start: DfaState) -> Table {
        let live = self.live();
        let kept = |s: DfaState| if live[s as usize] { s } else { ByteDfa::DEAD };
        let kept: Vec<DfaState> = (0..self.len() as DfaState).map(kept).collect();
        self.quotient(start, &kept).merge_columns()
    }

    /// Per state, whether an accepting state can be reached from it.
    fn live(&self) -> Vec<bool> {
        // Predecessors in compressed rows: those of `s` are `from[first[s]..first[s + 1]]`.
        let mut first = vec![0u32; self.len() + 1];
        for &to in &self.rows {
            first[to as usize] += 1;
        }
        let mut sum = 0;
        for slot in &mut first {
            sum += *slot;
            *slot = sum;
        }
        let mut from = vec![0u32; self.rows.len()];
        for (i, &to) in self.rows.iter().enumerate() {
            first[to as usize] -= 1;
            from[first[to as usize] as usize] = (i / self.stride) as u32;
        }
        let mut live = self.accepting.clone();
        live[0] = false;
        let mut work: Vec<u32> = (1..self.len() as u32).filter(|&s| live[s as usize]).collect();
        while let Some(s) = work.pop() {
            for &p in &from[first[s as usize] as usize..first[s as usize + 1] as usize] {
                if p != 0 && !live[p as usize] {
                    live[p as usize] = true;
                    work.push(p);
                }
            }
        }
        live
    }

    /// The part that can be reached from `start` when every state stands for `of[state]` (0 for dead), in
    /// breadth-first order. The start becomes state 1, unless nothing is accepted.
    fn quotient(&self, start: DfaState, of: &[u32]) -> Table {
        let mut out = Table::new(self.classes.clone());
        out.stride = self.stride;
        out.rows.resize(self.stride, ByteDfa::DEAD);
        let start = of[start as usize];
        if start == ByteDfa::DEAD {
            return out;
        }
        let mut id = vec![ByteDfa::DEAD; self.len()];
        let mut order = vec![start];
        id[start as usize] = out.push(self.accepting[start as usize], self.boundary[start as usize]);
        let mut done = 0;
        while done < order.len() {
            let old = order[done];
            done += 1;
            for class in 0..self.stride {
                let to = of[self.rows[old as usize * self.stride + class] as usize];
                if to == ByteDfa::DEAD {
                    continue;
                }
                if id[to as usize] == ByteDfa::DEAD {
                    id[to as usize] = out.push(self.accepting[to as usize], self.boundary[to as usize]);
                    order.push(to);
                }
                out.rows[done * self.stride + class] = id[to as usize];
            }
        }
        out
    }

    /// Merges byte classes with equal columns and numbers them by their first byte.
    fn merge_columns(self) -> Table {
        let mut hash = vec![0u64; self.stride];
        for row in self.rows.chunks_exact(self.stride) {
            for (h, &to) in hash.iter_mut().zip(row) {
                *h = (h.rotate_left(5) ^ u64::from(to)).wrapping_mul(0x517c_c1b7_2722_0a95);
            }
        }
        let equal = |a: usize, b: usize| self.rows.chunks_exact(self.stride).all(|row| row[a] == row[b]);
        let mut kept: Vec<usize> = Vec::new();
        let mut new_class: Vec<Option<u8>> = vec![None; self.stride];
        let mut by_hash: FxHashMap<u64, u8> = FxHashMap::default();
        let mut classes = self.classes.clone();
        for class in classes.iter_mut() {
            let old = usize::from(*class);
            *class = match new_class[old] {
                Some(c) => c,
                None => {
                    let fresh = kept.len() as u8;
                    let c = match by_hash.entry(hash[old]) {
                        Entry::Occupied(o) if equal(kept[usize::from(*o.get())], old) => *o.get(),
                        Entry::Occupied(_) => fresh,
                        Entry::Vacant(v) => *v.insert(fresh),
                    };
                    if c == fresh {
                        kept.push(old);
                    }
                    new_class[old] = Some(c);
                    c
                }
            };
        }
        let mut rows = Vec::with_capacity(self.len() * kept.len());
        for row in self.rows.chunks_exact(self.stride) {
            rows.extend(kept.iter().map(|&c| row[c]));
        }
        Table { classes, stride: kept.len(), rows, accepting: self.accepting, boundary: self.boundary }
    }

    /// The table as it is. Only for tables out of [`Table::quotient`], whose start is state 1.
    fn into_dfa(self) -> ByteDfa {
        ByteDfa {
            start: u32::from(self.len() > 1),
            classes: self.classes,
            stride: self.stride as u32,
            rows: self.rows,
            accepting: self.accepting,
            boundary: self.boundary,
        }
    }
}

/// Numbers the classes of the coarsest partition in which two neighbouring bytes `b`, `b + 1` may share a
/// class only if `cut(b)` is false. Classes are intervals, in order.
pub(super) fn interval_classes(cut: impl Fn(u8) -> bool) -> Box<[u8; 256]> {
    let mut classes = Box::new([0; 256]);
    for b in 0..255u8 {
        classes[usize::from(b) + 1] = classes[usize::from(b)] + u8::from(cut(b));
    }
    classes
}
