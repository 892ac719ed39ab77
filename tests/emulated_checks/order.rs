//! In which order tests are tried on a mutation: whoever is likely to notice it, for the time that takes, comes first.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use crate::binaries::Test;

/// A test, and the time it takes when nothing is broken.
#[derive(Debug)]
pub struct Timed {
    pub test: Test,
    pub time: Duration,
}

/// What tests have noticed so far, by the file that was changed: tests of other kernels do not come into it.
#[derive(Debug, Default)]
pub struct Memory(Mutex<HashMap<(String, usize), Tries>>);

#[derive(Clone, Copy, Debug, Default)]
struct Tries {
    tried: u32,
    noticed: u32,
}

impl Memory {
    /// Test number `test` was tried on a mutation of `file`.
    pub fn add(&self, file: &str, test: usize, noticed: bool) {
        let mut memory = self.0.lock().expect("no panic");
        let tries = memory.entry((file.into(), test)).or_default();
        tries.tried += 1;
        tries.noticed += u32::from(noticed);
    }

    fn tries(&self, file: &str, test: usize) -> Tries {
        self.0.lock().expect("no panic").get(&(file.into(), test)).copied().unwrap_or_default()
    }

    /// The numbers of all tests, in the order that finds one that notices in the least time, if each notices as often
    /// as it did so far: by chance over time. A test that was not tried yet has half a chance.
    pub fn order(&self, file: &str, tests: &[Timed]) -> Vec<usize> {
        let chance_over_time = |&test: &usize| {
            let Tries { tried, noticed } = self.tries(file, test);
            (f64::from(noticed) + 0.5) / f64::from(tried + 1) / tests[test].time.as_secs_f64().max(1e-3)
        };
        let mut order: Vec<usize> = (0..tests.len()).collect();
        order.sort_by(|a, b| chance_over_time(b).total_cmp(&chance_over_time(a)));
        order
    }

    /// Tests that have noticed something in `file`, those that notice most first, for about `time`; at least one if
    /// there is any.
    pub fn witnesses(&self, file: &str, tests: &[Timed], time: Duration) -> Vec<usize> {
        let mut known: Vec<usize> =
            (0..tests.len()).filter(|&test| self.tries(file, test).noticed > 0).collect();
        known.sort_by_key(|&test| std::cmp::Reverse(self.tries(file, test).noticed));
        let mut all = Duration::ZERO;
        known.retain(|&test| {
            let first = all == Duration::ZERO;
            all += tests[test].time;
            first || all <= time
        });
        known
    }
}
