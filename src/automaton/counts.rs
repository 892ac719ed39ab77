//! Sets of counts as sorted, disjoint, half-open intervals.

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
}
