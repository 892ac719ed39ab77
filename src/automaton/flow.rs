//! Which states of a frame lead to which, and fixpoints along it.
//!
//! Whether a state can be finished, how deep that goes and what it costs all follow from the states that it
//! leads to. Such values are settled from the back: states in the order in which a depth-first walk leaves
//! them, and again only those that lead to one that has changed. Without cycles every state is looked at
//! once.

use super::raw::{Edge, RawId, RawSite, RawState};

/// The graph of one frame's states. Whitespace, after which a state is where it was, is no edge of it.
#[derive(Default)]
pub(crate) struct Flow {
    /// All states, those that a state leads to before it where no cycle forbids that.
    pub backwards: Vec<RawId>,
    /// Those that lead to state s are `before[starts[s]..starts[s + 1]]`.
    starts: Vec<u32>,
    before: Vec<RawId>,
}

impl Flow {
    pub fn new(states: &[RawState], sites: &[RawSite]) -> Self {
        let n = states.len();
        // Successors, those of state s at `after[ends[s - 1]..ends[s]]`.
        let (mut after, mut ends) = (Vec::with_capacity(2 * n), Vec::with_capacity(n));
        for state in states {
            for edge in state.edges.iter().map(|e| e.2).chain([state.default]) {
                match edge {
                    Edge::Stay { space: true, .. } | Edge::Dead | Edge::Leave { .. } => {}
                    Edge::Stay { to, .. } => after.push(to),
                    Edge::Enter { site, .. } => {
                        after.extend(sites[site as usize].targets.iter().flatten());
                    }
                }
            }
            ends.push(after.len() as u32);
        }
        let range = |s: usize| if s == 0 { 0 } else { ends[s - 1] as usize }..ends[s] as usize;
        let mut starts = vec![0u32; n + 1];
        after.iter().for_each(|&to| starts[to as usize + 1] += 1);
        (0..n).for_each(|s| starts[s + 1] += starts[s]);
        let mut next = starts.clone();
        let mut before = vec![0; after.len()];
        for s in 0..n {
            for &to in &after[range(s)] {
                before[next[to as usize] as usize] = s as RawId;
                next[to as usize] += 1;
            }
        }
        Flow { backwards: postorder(n, |s| &after[range(s)]), starts, before }
    }

    /// The states that lead to `s`; one as often as it does.
    pub fn before(&self, s: RawId) -> &[RawId] {
        &self.before[self.starts[s as usize] as usize..self.starts[s as usize + 1] as usize]
    }

    /// Calls `update` for every state, and again for those that lead to one for which it returned `true`, until
    /// it does so for none.
    pub fn settle(&self, mut update: impl FnMut(RawId) -> bool) {
        let mut due = vec![true; self.backwards.len()];
        let mut left = due.len();
        while left > 0 {
            for &s in &self.backwards {
                if !std::mem::replace(&mut due[s as usize], false) {
                    continue;
                }
                left -= 1;
                if update(s) {
                    for &p in self.before(s) {
                        left += usize::from(!std::mem::replace(&mut due[p as usize], true));
                    }
                }
            }
        }
    }
}

/// The order in which a depth-first walk leaves states.
fn postorder<'a>(n: usize, after: impl Fn(usize) -> &'a [RawId]) -> Vec<RawId> {
    let mut order = Vec::with_capacity(n);
    let mut met = vec![false; n];
    // The states on the way, and how many of their successors have been looked at.
    let mut path: Vec<(RawId, usize)> = Vec::new();
    for root in 0..n as RawId {
        if !std::mem::replace(&mut met[root as usize], true) {
            path.push((root, 0));
        }
        while let Some((s, looked)) = path.last_mut() {
            match after(*s as usize).get(*looked) {
                Some(&to) => {
                    *looked += 1;
                    if !std::mem::replace(&mut met[to as usize], true) {
                        path.push((to, 0));
                    }
                }
                None => {
                    order.push(*s);
                    path.pop();
                }
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_led_to_comes_first_and_cycles_end() {
        // 0 → 1 → 2 → 3, 2 → 1, 0 → 3.
        let edges: [&[RawId]; 4] = [&[1, 3], &[2], &[3, 1], &[]];
        let order = postorder(4, |s| edges[s]);
        assert_eq!(order, [3, 2, 1, 0]);
    }
}
