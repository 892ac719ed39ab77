//! The counts at which anything changes: what a memo may forget of a count.
//!
//! States that follow each other within a frame look at the same count, so thresholds are those of a whole frame.
//! Frames are the connected parts of the graph of states, found once a program in time linear in its rows.

use super::head::Head;
use crate::table::Grammar;
use crate::table::layout::*;

/// The thresholds of one frame.
#[derive(Debug, Default)]
struct Thresholds {
    /// Ascending.
    at: Vec<u32>,
    /// Below this, bounds depend on the very count.
    exact_below: u32,
}

/// The thresholds of every frame of a grammar.
#[derive(Debug)]
pub(super) struct Counts {
    /// Per state, its frame.
    frame: Box<[u32]>,
    thresholds: Vec<Thresholds>,
}

/// Stands for a count of which only the number of thresholds reached is known.
const CLASS: u64 = 1 << 40;

fn find(parents: &mut [u32], mut state: u32) -> u32 {
    while parents[state as usize] != state {
        let above = parents[parents[state as usize] as usize];
        parents[state as usize] = above;
        state = above;
    }
    state
}

impl Counts {
    /// `None` if no count is ever looked at.
    pub fn of(g: &Grammar) -> Option<Counts> {
        let (states, extras, rows) = (g.states(), g.extras(), g.rows());
        let (sites, variants, lists) = (g.sites(), g.variants(), g.lists());
        let some = extras.iter().any(|e| e.chain_to != 0 || e.cost_at != 0)
            || g.terms().iter().any(|t| t.cost_at != 0);
        if !some {
            return None;
        }
        let targets =
            |site: &SiteInfo| lists[site.targets as usize..][..site.target_count as usize].iter().copied();
        let mut parents: Vec<u32> = (0..states.len() as u32).collect();
        let mut join = |a: u32, b: u32| {
            if b != 0 {
                let (a, b) = (find(&mut parents, a), find(&mut parents, b));
                parents[a.max(b) as usize] = a.min(b);
            }
        };
        for (state, info) in (0u32..).zip(states.iter()).skip(1) {
            join(state, extras[info.extra as usize].chain_to);
            let row = &rows[info.row as usize..];
            let words = row[2..][..2 * row[1] as usize].iter().skip(1).step_by(2).chain(&row[..1]);
            for &word in words {
                let action = PackedAction(word);
                match action.kind() {
                    ActionKind::Ahead | ActionKind::Stay => join(state, action.target(state)),
                    ActionKind::Enter => {
                        targets(&sites[action.index() as usize]).for_each(|t| join(state, t))
                    }
                    _ => {}
                }
            }
        }
        // The first of each frame stands for it.
        let mut thresholds: Vec<Thresholds> = Vec::new();
        let mut frame = vec![0u32; states.len()].into_boxed_slice();
        for state in 0..states.len() as u32 {
            let first = find(&mut parents, state);
            if first == state {
                frame[state as usize] = thresholds.len() as u32;
                thresholds.push(Thresholds::default());
            } else {
                frame[state as usize] = frame[first as usize];
            }
            let extra = &extras[states.extra(state) as usize];
            let here = &mut thresholds[frame[state as usize] as usize];
            if extra.chain_to != 0 {
                here.at.push(extra.chain_at);
            }
            here.exact_below = here.exact_below.max(extra.cost_at);
        }
        for site in sites {
            let own = &variants[site.variants as usize..][..site.variant_count as usize];
            let at = own.iter().map(|v| g.terms()[v.terms as usize].cost_at);
            let exact_below = at.max().unwrap_or(0);
            for target in targets(site).filter(|&t| t != 0) {
                let here = &mut thresholds[frame[target as usize] as usize];
                here.exact_below = here.exact_below.max(exact_below);
            }
        }
        for t in &mut thresholds {
            t.at.sort_unstable();
            t.at.dedup();
        }
        Some(Counts { frame, thresholds })
    }

    /// The count of a text in a state, as far as tokens of at most `reach` bytes can tell.
    pub fn of_state(&self, h: &Head, reach: u32) -> u64 {
        self.class(h.state, h.count, reach)
    }

    /// The count of a level to which the targets of a site come back.
    pub fn of_level(&self, targets: &[u32], count: u32, reach: u32) -> u64 {
        // All are in one frame; with none, nothing comes back.
        targets.iter().find(|&&t| t != 0).map_or(0, |&target| self.class(target, count, reach))
    }

    fn class(&self, state: u32, count: u32, reach: u32) -> u64 {
        let t = &self.thresholds[self.frame[state as usize] as usize];
        let exact = u64::from(count);
        if count < t.exact_below {
            return exact;
        }
        let reached = t.at.partition_point(|&at| at <= count);
        match t.at.get(reached) {
            Some(&next) if next - count <= reach => exact,
            _ => CLASS + reached as u64,
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        size_of_val(&*self.frame)
            + self.thresholds.iter().map(|t| size_of::<Thresholds>() + 4 * t.at.capacity()).sum::<usize>()
    }
}
