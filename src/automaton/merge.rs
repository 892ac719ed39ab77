//! Merging the states of a text after which nothing differs any more.
//!
//! Formulas tell apart states for which different things are still open. That they come to the same (one of two remainders
//! is bound to fail, or two patterns to agree) they do not see, but a refinement of the finished frame does: large
//! products shrink to a third. It is done before anything is computed per state and count.

use rustc_hash::FxHashMap;

use super::explore::Explorer;
use super::raw::*;
use crate::pattern::minimise::{Transitions, refine};

/// Frames of fewer states are left as they are.
const FEW: usize = 64;

impl Explorer<'_> {
    /// Merges the states of all large text frames.
    pub fn merge_texts(&mut self) {
        let mut starts: FxHashMap<FrameId, Vec<RawId>> = FxHashMap::default();
        for (id, frame) in (0..).zip(&mut self.frames) {
            if frame.states.len() >= FEW
                && let Some(text) = frame.text.clone()
                && !text.ranges.is_empty()
            {
                starts.extend(merge(frame, &text.ranges).map(|renamed| (id, renamed)));
            }
        }
        for site in &mut self.sites {
            if let Some(renamed) = starts.get(&site.child) {
                site.start = renamed[site.start as usize];
            }
        }
    }
}

/// Merges the states of one frame; per former state its number now, if any were.
fn merge(frame: &mut RawFrame, ranges: &[(u8, u8)]) -> Option<Vec<RawId>> {
    // Exits that say the same are one.
    let mut exits: FxHashMap<&[(u32, Option<u32>)], u32> = FxHashMap::default();
    let same_exit: Vec<u32> =
        (0..).zip(&frame.exits).map(|(i, exit)| *exits.entry(&exit.pieces).or_insert(i)).collect();
    let settled = |edge: Edge| match edge {
        Edge::Leave { exit, read } => Edge::Leave { exit: same_exit[exit as usize], read },
        other => other,
    };
    // What a state does but for staying.
    let mut known: FxHashMap<Vec<(u8, u8, Edge)>, u32> = FxHashMap::default();
    let mut kinds = Vec::with_capacity(frame.states.len());
    for state in &frame.states {
        let leaves = state.edges.iter().filter(|e| !matches!(e.2, Edge::Stay { .. }));
        let mut kind: Vec<_> = leaves.map(|&(lo, hi, edge)| (lo, hi, settled(edge))).collect();
        kind.push((0, 255, settled(state.default)));
        // Where a name is taken over some bytes within a range may be missing; such a state stays as it is.
        if matches!(state.key, StateKey::NameStart(..)) {
            kind.push((0, 0, Edge::Stay { to: kinds.len() as RawId, tick: false, space: false }));
        }
        let next = known.len() as u32;
        kinds.push(*known.entry(kind).or_insert(next));
    }
    let edges: usize = frame.states.iter().map(|s| s.edges.len()).sum();
    let mut transitions = Transitions::with_capacity(edges);
    // Per state, the first edge that does not end before the range.
    let mut at = vec![0usize; frame.states.len()];
    for &(lo, _) in ranges {
        for counts in [false, true] {
            transitions.next_label();
            for (s, state) in frame.states.iter().enumerate() {
                while state.edges.get(at[s]).is_some_and(|e| e.1 < lo) {
                    at[s] += 1;
                }
                match state.edges.get(at[s]) {
                    Some(&(from, _, Edge::Stay { to, tick, .. })) if from <= lo && tick == counts => {
                        transitions.push(s as u32, to);
                    }
                    _ => {}
                }
            }
        }
    }
    let (block_of, blocks) = refine(&kinds, &transitions);
    if blocks == frame.states.len() {
        return None;
    }
    // Numbered as the first of each was found; the start stays the first.
    let mut number = vec![RawId::MAX; blocks];
    let mut kept = Vec::with_capacity(blocks);
    for (s, &block) in block_of.iter().enumerate() {
        if number[block as usize] == RawId::MAX {
            number[block as usize] = kept.len() as RawId;
            kept.push(s);
        }
    }
    let renamed: Vec<RawId> = block_of.iter().map(|&b| number[b as usize]).collect();
    let mut all: Vec<Option<RawState>> = std::mem::take(&mut frame.states).into_iter().map(Some).collect();
    frame.states = kept.iter().filter_map(|&s| all[s].take()).collect();
    for state in &mut frame.states {
        let mut edges: Vec<(u8, u8, Edge)> = Vec::with_capacity(state.edges.len());
        for &(lo, hi, edge) in &state.edges {
            let edge = match settled(edge) {
                Edge::Stay { to, tick, space } => Edge::Stay { to: renamed[to as usize], tick, space },
                other => other,
            };
            push_range(&mut edges, (lo, hi), edge);
        }
        state.edges = edges;
        state.default = settled(state.default);
    }
    frame.index.clear();
    Some(renamed)
}
