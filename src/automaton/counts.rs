//! Sets of counts as sorted, disjoint, half-open intervals, and the cycles that close them downwards.

use super::raw::RawId;

/// A set of counts. An end of `u32::MAX` is infinity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Counts(pub Vec<(u32, u32)>);

pub(crate) const INFINITY: u32 = u32::MAX;

impl Counts {
    pub fn all() -> Self {
        Counts(vec![(0, INFINITY)])
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, n: u32) -> bool {
        self.0.iter().any(|&(lo, hi)| lo <= n && n < hi)
    }

    /// The counts from which one tick leads into this set.
    pub fn before_tick(&self) -> Self {
        let shift = |n: u32| if n == INFINITY { n } else { n.saturating_sub(1) };
        Counts(self.0.iter().map(|&(lo, hi)| (shift(lo), shift(hi))).filter(|(lo, hi)| lo < hi).collect())
    }

    /// Everything up to the greatest element.
    pub fn closed_downwards(&self) -> Self {
        Counts(self.0.last().map(|&(_, hi)| (0, hi)).into_iter().collect())
    }

    /// Adds another set; whether anything changed.
    pub fn add(&mut self, other: &Counts) -> bool {
        let covered = |&(lo, hi): &(u32, u32)| self.0.iter().any(|&(a, b)| a <= lo && hi <= b);
        if other.0.iter().all(covered) {
            return false;
        }
        let mut all: Vec<(u32, u32)> = self.0.iter().chain(&other.0).copied().collect();
        all.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(all.len());
        for (lo, hi) in all {
            match merged.last_mut() {
                Some(last) if lo <= last.1 => last.1 = last.1.max(hi),
                _ => merged.push((lo, hi)),
            }
        }
        self.0 = merged;
        true
    }
}

/// The states on a cycle that ticks exactly once, given every state's predecessors and whether they tick.
///
/// Going round such a cycle, a state that can finish at some count can finish from any below. (Not so for
/// a cycle that ticks three times: what can finish at 6 can finish at 3, and not at 4.)
pub(crate) fn ticking_once(before: &[Vec<(RawId, bool)>]) -> Vec<bool> {
    // Most steps taken; a cycle not looked for costs time later, and nothing else.
    const MAX_STEPS: usize = 10_000_000;
    let mut after: Vec<Vec<RawId>> = vec![Vec::new(); before.len()];
    for (to, list) in before.iter().enumerate() {
        for &(from, _) in list.iter().filter(|p| !p.1) {
            after[from as usize].push(to as RawId);
        }
    }
    let mut on_cycle = vec![false; before.len()];
    // Which tick's search has last met the state, going back from its source, and on from its target.
    let mut met = vec![(0u32, 0u32); before.len()];
    let (mut tick, mut steps) = (0, 0);
    for to in 0..before.len() as RawId {
        for &(from, _) in before[to as usize].iter().filter(|p| p.1) {
            tick += 1;
            met[from as usize].0 = tick;
            let mut back = vec![from];
            while let Some(s) = back.pop() {
                for &(p, _) in before[s as usize].iter().filter(|p| !p.1) {
                    if std::mem::replace(&mut met[p as usize].0, tick) != tick {
                        back.push(p);
                    }
                }
                steps += before[s as usize].len();
            }
            if met[to as usize].0 != tick {
                continue;
            }
            met[to as usize].1 = tick;
            let mut on = vec![to];
            while let Some(s) = on.pop() {
                on_cycle[s as usize] = true;
                for &n in &after[s as usize] {
                    let (back, on_way) = &mut met[n as usize];
                    if *back == tick && std::mem::replace(on_way, tick) != tick {
                        on.push(n);
                    }
                }
                steps += after[s as usize].len();
            }
            if steps > MAX_STEPS {
                return on_cycle;
            }
        }
    }
    on_cycle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_plain_sets() {
        let plain = |c: &Counts| (0..40).filter(|&n| c.contains(n)).collect::<Vec<_>>();
        let a = Counts(vec![(2, 5), (9, 10)]);
        let b = Counts(vec![(5, 9), (20, INFINITY)]);
        let mut both = a.clone();
        assert!(both.add(&b));
        assert_eq!(both, Counts(vec![(2, 10), (20, INFINITY)]));
        assert!(!both.add(&a));
        let shifted: Vec<u32> = plain(&a).iter().map(|n| n - 1).collect();
        assert_eq!(plain(&a.before_tick()), shifted);
        assert_eq!(Counts(vec![(0, 1)]).before_tick(), Counts::default());
        assert_eq!(a.closed_downwards(), Counts(vec![(0, 10)]));
    }

    #[test]
    fn cycles_that_tick_once() {
        // 0 ─tick─► 1 ──► 2 ──► 0, 2 ─tick─► 3 ─tick─► 2, 4 ─tick─► 4, 3 ──► 4.
        let edges = [
            (0, 1, true),
            (1, 2, false),
            (2, 0, false),
            (2, 3, true),
            (3, 2, true),
            (4, 4, true),
            (3, 4, false),
        ];
        let mut before = vec![Vec::new(); 5];
        for (from, to, tick) in edges {
            before[to as usize].push((from, tick));
        }
        assert_eq!(ticking_once(&before), [true, true, true, false, true]);
    }
}
