//! Masks seen lately.
//!
//! Texts come back to the same places: the comma after a member, the inside of a string. An entry is kept as
//! a static bitmap and the tokens in which the mask differs from it, so a hit costs a copy and a few hundred bits.
//!
//! # What a mask depends on
//!
//! The state, the whitespace run, the keys seen; of the levels, those that tokens can leave. How many that are
//! is known once the mask was made, so it is noted per state, and the key has no more levels than that:
//!
//! ```text
//! levels[state] = most levels that any mask of the state has looked at
//! key = state, spaces, keys seen, count, levels[state], that many levels
//! ```
//!
//! The depth matters only near the greatest one. Counts matter only as far as something looks at them
//! ([`super::thresholds`]).

use rustc_hash::FxHashMap;

use super::head::{Head, Levels};
use super::program::View;
use super::recipe::Recipe;

/// Writes into `key` all that a mask at `head` can depend on if it looks at no more than `levels` levels, but for the vocabulary
/// and the budget. Tokens have at most `reach` bytes and open at most `opens` levels.
pub(super) fn key(
    v: &View<'_>,
    levels: &Levels,
    head: &Head,
    (reach, opens): (u32, u32),
    looked_at: u32,
    key: &mut Vec<u64>,
) {
    key.clear();
    let counts = v.program.counts();
    let far = v.indent == 0 && head.depth + opens + v.program.max_need() < v.max_depth;
    // A text is complete only where no level is open.
    let depth = if far { u32::MAX - u32::from(head.depth <= looked_at) } else { head.depth };
    key.extend([
        v.program.id(),
        u64::from(head.state) | u64::from(head.spaces) << 32,
        u64::from(depth) | u64::from(looked_at) << 32,
        head.seen.0[0],
        head.seen.0[1],
        counts.map_or(0, |c| c.of_state(head, reach)),
    ]);
    for node in levels.of(head).take(looked_at as usize) {
        let count = counts.map_or(0, |c| {
            let s = &v.sites[node.site as usize];
            c.of_level(&v.lists[s.targets as usize..][..s.target_count as usize], node.count, reach)
        });
        key.extend([
            u64::from(node.site) | u64::from(node.cost) << 32,
            count,
            node.seen.0[0],
            node.seen.0[1],
        ]);
    }
}

/// Recipes by key, bounded in bytes; what has not been used for the longest goes first, roughly.
///
/// Two generations: the young one takes what is new or used, and when it is full it becomes the old
/// one, whose last content is dropped.
#[derive(Debug)]
pub(super) struct Memo {
    young: FxHashMap<Box<[u64]>, Recipe>,
    old: FxHashMap<Box<[u64]>, Recipe>,
    bytes: usize,
    limit: usize,
}

impl Memo {
    /// Of at most `limit` bytes, roughly; 0 keeps nothing.
    pub fn new(limit: usize) -> Memo {
        Memo { young: FxHashMap::default(), old: FxHashMap::default(), bytes: 0, limit }
    }

    pub fn get(&mut self, key: &[u64]) -> Option<&Recipe> {
        if !self.young.contains_key(key) {
            let (key, found) = self.old.remove_entry(key)?;
            self.insert(key, found);
        }
        self.young.get(key)
    }

    pub fn insert(&mut self, key: Box<[u64]>, recipe: Recipe) {
        self.bytes += size_of_val(&*key) + recipe.heap_bytes() + 128;
        if self.bytes > self.limit / 2 {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.young.insert(key, recipe);
    }

    /// Whether anything is kept.
    pub fn keeps(&self) -> bool {
        self.limit > 0
    }

    pub fn clear(&mut self) {
        *self = Memo::new(self.limit);
    }
}
