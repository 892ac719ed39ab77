//! Masks seen lately.
//!
//! Texts come back to the same places: the comma after a member, the inside of a string. An entry is kept as
//! it was made, a static bitmap and a list of tokens, so a hit costs a copy and a few hundred bits.
//!
//! # What a mask depends on
//!
//! The state, the whitespace run, the keys seen, the depth, and of every level the site and the keys. Counts
//! matter only as far as something looks at them, so a count is replaced by how many thresholds it has
//! reached, unless one is so near that a token could cross it. [`Thresholds`] is that something.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::head::{Head, Levels};
use super::program::View;
use crate::table::layout::*;

/// Most states of a frame that are looked at for thresholds; beyond, counts are taken as they are.
const MAX_SEARCH: usize = 512;

/// The counts at which a level's behaviour or bounds change, as seen from one state or site.
#[derive(Debug)]
pub(super) struct Thresholds {
    /// Ascending; `None` if there are too many states to tell.
    at: Option<Box<[u32]>>,
    /// Below this, bounds depend on the very count.
    exact_below: u32,
}

/// Stands for a count of which only the number of thresholds reached is known.
const CLASS: u64 = 1 << 40;

impl Thresholds {
    /// Of all states reachable from `from` without entering or leaving the level.
    fn search(v: &View<'_>, from: &[u32], exact_below: u32) -> Thresholds {
        let mut seen: Vec<u32> = from.to_vec();
        let mut t = Thresholds { at: None, exact_below };
        let mut at = Vec::new();
        let mut next = 0;
        let add = |state: u32, seen: &mut Vec<u32>| {
            if state != 0 && !seen.contains(&state) {
                seen.push(state);
            }
        };
        while next < seen.len() {
            if seen.len() > MAX_SEARCH {
                return Thresholds { at: None, exact_below: u32::MAX };
            }
            let state = seen[next];
            next += 1;
            let extra = v.extra(state);
            if extra.chain_to != 0 {
                at.push(extra.chain_at);
                add(extra.chain_to, &mut seen);
            }
            if extra.cost_at != 0 {
                t.exact_below = t.exact_below.max(extra.cost_at);
            }
            let row = &v.rows[v.states[state as usize].row as usize..];
            let words = row[2..][..2 * row[1] as usize].iter().skip(1).step_by(2).chain(&row[..1]);
            for &word in words {
                let action = PackedAction(word);
                match action.kind() {
                    ActionKind::Ahead | ActionKind::Stay => add(action.target(state), &mut seen),
                    ActionKind::Enter => {
                        let s = &v.sites[action.index() as usize];
                        let ats = v.variants_of(action.index()).iter().map(|v| v.cost_at);
                        t.exact_below = t.exact_below.max(ats.max().unwrap_or(0));
                        for &target in &v.lists[s.targets as usize..][..s.target_count as usize] {
                            add(target, &mut seen);
                        }
                    }
                    _ => {}
                }
            }
        }
        at.sort_unstable();
        at.dedup();
        t.at = Some(at.into());
        t
    }

    /// The count, as far as tokens of at most `reach` bytes can tell.
    fn class(&self, count: u32, reach: u32) -> u64 {
        let exact = u64::from(count);
        let Some(at) = &self.at else { return exact };
        if count < self.exact_below {
            return exact;
        }
        let reached = at.partition_point(|&t| t <= count);
        match at.get(reached) {
            Some(&next) if next - count <= reach => exact,
            _ => CLASS + reached as u64,
        }
    }
}

/// Writes into `key` all that a mask at `head` can depend on, but for the vocabulary and the budget.
pub(super) fn key(v: &View<'_>, levels: &Levels, head: &Head, reach: u32, key: &mut Vec<u64>) {
    key.clear();
    let counts = v.program.counts();
    let count = if counts { of_state(v, head.state).class(head.count, reach) } else { 0 };
    key.extend([
        v.program.id(),
        u64::from(head.state) | u64::from(head.spaces) << 32,
        count,
        head.seen.0[0],
        head.seen.0[1],
        u64::from(head.depth),
    ]);
    for node in levels.of(head) {
        let count = if counts { of_site(v, node.site).class(node.count, reach) } else { 0 };
        key.extend([u64::from(node.site), count, node.seen.0[0], node.seen.0[1]]);
    }
}

fn of_state<'a>(v: &View<'a>, state: u32) -> &'a Thresholds {
    v.program.state_thresholds[state as usize].get_or_init(|| Thresholds::search(v, &[state], 0))
}

fn of_site<'a>(v: &View<'a>, site: u32) -> &'a Thresholds {
    v.program.site_thresholds[site as usize].get_or_init(|| {
        let s = &v.sites[site as usize];
        let targets = &v.lists[s.targets as usize..][..s.target_count as usize];
        let targets: Vec<u32> = targets.iter().copied().filter(|&t| t != 0).collect();
        let exact_below = v.variants_of(site).iter().map(|v| v.cost_at).max().unwrap_or(0);
        Thresholds::search(v, &targets, exact_below)
    })
}

/// How a mask is made: a base, and tokens added to it.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    pub base: Base,
    pub tokens: Vec<u32>,
    /// Greatest bound after any of the tokens; `None` if nobody asked.
    pub most: Option<u64>,
}

/// What a mask begins with.
#[derive(Clone, Debug)]
pub(super) enum Base {
    /// Nothing.
    Empty,
    /// Tokens that stay within a string, from a sub-state.
    String(u8),
    /// Tokens of a slice with at most so many characters, as [`crate::vocab::Slice::bitmap`] has them.
    Slice(u8, u32),
    /// A bitmap of its own.
    Own(Arc<[u32]>),
}

/// Recipes by key, bounded in bytes; what has not been used for the longest goes first, roughly.
///
/// Two generations: the young one takes what is new or used, and when it is full it becomes the old
/// one, whose last content is dropped.
#[derive(Debug)]
pub(super) struct Memo {
    young: FxHashMap<Box<[u64]>, Arc<Recipe>>,
    old: FxHashMap<Box<[u64]>, Arc<Recipe>>,
    bytes: usize,
    limit: usize,
}

impl Memo {
    /// Of at most `limit` bytes, roughly; 0 keeps nothing.
    pub fn new(limit: usize) -> Memo {
        Memo { young: FxHashMap::default(), old: FxHashMap::default(), bytes: 0, limit }
    }

    pub fn get(&mut self, key: &[u64]) -> Option<Arc<Recipe>> {
        if let Some(found) = self.young.get(key) {
            return Some(Arc::clone(found));
        }
        let (key, found) = self.old.remove_entry(key)?;
        self.insert(key, Arc::clone(&found));
        Some(found)
    }

    pub fn insert(&mut self, key: Box<[u64]>, recipe: Arc<Recipe>) {
        if self.limit == 0 {
            return;
        }
        let own = if let Base::Own(words) = &recipe.base { size_of_val(&**words) } else { 0 };
        self.bytes += size_of_val(&*key) + own + recipe.tokens.len() * size_of::<u32>() + 128;
        if self.bytes > self.limit / 2 {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.young.insert(key, recipe);
    }

    pub fn clear(&mut self) {
        *self = Memo::new(self.limit);
    }
}
