//! Times of launches and of graphs, by the driver's own events.

use crate::device::driver::{Buffer, Driver, Graph};
use crate::error::Result;

/// Times of one thing, µs each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    /// The median.
    pub median: f64,
    /// A tenth are below.
    pub low: f64,
    /// A tenth are above.
    pub high: f64,
}

impl Times {
    /// Of at least one sample.
    pub fn of(mut samples: Vec<f64>) -> Times {
        samples.sort_unstable_by(f64::total_cmp);
        let at = |q: f64| samples[((samples.len() - 1) as f64 * q).round() as usize];
        Times { median: at(0.5), low: at(0.1), high: at(0.9) }
    }
}

/// Takes times on a device, with its cache emptied of what is to be read.
pub struct Clock<'a> {
    device: &'a dyn Driver,
    /// More than four times the L2: copying one half to the other leaves nothing else in it.
    flush: Buffer,
    /// Samples of a median.
    repeats: usize,
}

impl<'a> Clock<'a> {
    /// Medians of `repeats` samples.
    ///
    /// # Errors
    /// What the driver says.
    pub fn new(device: &'a dyn Driver, repeats: usize) -> Result<Clock<'a>> {
        let half = (device.description().l2 as usize * 9 / 4).next_multiple_of(256);
        Ok(Clock { device, flush: device.alloc(2 * half)?, repeats })
    }

    /// The device.
    pub fn device(&self) -> &'a dyn Driver {
        self.device
    }

    fn empty_the_cache(&self) -> Result<()> {
        let half = self.flush.len() / 2;
        self.device.copy(&self.flush, 0, &self.flush, half, half)
    }

    /// Notes `nodes` pieces of work down as a graph, after doing the first of them once: a kernel's first launch
    /// loads it, which a capture may not. A failure of one ends the capture all the same.
    ///
    /// # Errors
    /// What the work or the driver says.
    pub fn capture(&self, nodes: usize, mut work: impl FnMut(usize) -> Result<()>) -> Result<Graph> {
        work(0)?;
        self.device.synchronize()?;
        self.device.begin_capture()?;
        let noted = (0..nodes).try_for_each(&mut work);
        let graph = self.device.end_capture();
        noted.and(graph)
    }

    /// Time per piece of a graph of `nodes`. Before every replay `before` runs, untimed, and the cache is emptied; one
    /// replay is thrown away.
    ///
    /// # Safety
    /// What was captured must still be there.
    ///
    /// # Errors
    /// What the work or the driver says.
    pub unsafe fn replays(
        &self,
        graph: &Graph,
        nodes: usize,
        mut before: impl FnMut() -> Result<()>,
    ) -> Result<Times> {
        // SAFETY: the caller's promise.
        self.samples(nodes, &mut before, || unsafe { self.device.replay(graph) })
    }

    /// Time per piece of `nodes` pieces of work launched one after the other, as [`Clock::replays`].
    ///
    /// # Errors
    /// What the work or the driver says.
    pub fn launches(
        &self,
        nodes: usize,
        mut before: impl FnMut() -> Result<()>,
        mut work: impl FnMut(usize) -> Result<()>,
    ) -> Result<Times> {
        self.samples(nodes, &mut before, || (0..nodes).try_for_each(&mut work))
    }

    fn samples(
        &self,
        nodes: usize,
        before: &mut dyn FnMut() -> Result<()>,
        mut timed: impl FnMut() -> Result<()>,
    ) -> Result<Times> {
        let mut samples = Vec::with_capacity(self.repeats);
        for i in 0..=self.repeats {
            before()?;
            self.empty_the_cache()?;
            let begin = self.device.record()?;
            timed()?;
            let end = self.device.record()?;
            let time = self.device.microseconds(&begin, &end)?;
            if i > 0 {
                samples.push(time / nodes as f64);
            }
        }
        Ok(Times::of(samples))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_quantiles() {
        let times = Times::of((0..=20).rev().map(f64::from).collect());
        assert_eq!(times, Times { median: 10.0, low: 2.0, high: 18.0 });
        assert_eq!(Times::of(vec![3.0]).high, 3.0);
    }
}
