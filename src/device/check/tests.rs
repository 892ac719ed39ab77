//! The checks that `warpgrammar doctor` runs, as it runs them without a GPU; and that a device that errs is found out.

use crate::device::Emulated;
use crate::device::check::all::{Outcome, Plan, run};
use crate::device::driver::{Buffer, Description, Driver, Event, Graph, Launch, Pinned};
use crate::device::emulated::is_sanitized;
use crate::error::Result;

fn outcomes(device: &dyn Driver, seconds: f64) -> Vec<Outcome> {
    let plan = Plan { seconds, whole: !is_sanitized(), ..Plan::EMULATOR };
    run(device, &plan, |outcome| println!("{outcome:?}")).unwrap()
}

#[test]
fn emulated_checks_agree() {
    let outcomes = outcomes(&Emulated::new().unwrap(), 2.0);
    assert!(outcomes.len() >= 8);
    for outcome in outcomes {
        assert_eq!(outcome.failure, None, "{}", outcome.name);
        assert!(outcome.compared > 0 && outcome.rounds > 0);
    }
}

/// A device whose downloads have one wrong bit.
#[derive(Debug)]
struct Flaky(Emulated);

impl Driver for Flaky {
    fn description(&self) -> &Description {
        self.0.description()
    }
    fn alloc(&self, bytes: usize) -> Result<Buffer> {
        self.0.alloc(bytes)
    }
    fn upload(&self, to: &Buffer, offset: usize, from: &[u8]) -> Result<()> {
        self.0.upload(to, offset, from)
    }
    fn download(&self, from: &Buffer, offset: usize, to: &mut [u8]) -> Result<()> {
        self.0.download(from, offset, to)?;
        if let Some(first) = to.first_mut() {
            *first ^= 1;
        }
        Ok(())
    }
    fn alloc_pinned(&self, bytes: usize) -> Result<Pinned> {
        self.0.alloc_pinned(bytes)
    }
    unsafe fn download_later(
        &self,
        from: &Buffer,
        offset: usize,
        to: &Pinned,
        to_offset: usize,
        bytes: usize,
    ) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { self.0.download_later(from, offset, to, to_offset, bytes) }
    }
    fn copy(
        &self,
        to: &Buffer,
        to_offset: usize,
        from: &Buffer,
        from_offset: usize,
        bytes: usize,
    ) -> Result<()> {
        self.0.copy(to, to_offset, from, from_offset, bytes)
    }
    fn fill(&self, to: &Buffer, offset: usize, bytes: usize, value: u8) -> Result<()> {
        self.0.fill(to, offset, bytes, value)
    }
    unsafe fn launch(&self, kernel: &str, launch: Launch, params: &[u8]) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { self.0.launch(kernel, launch, params) }
    }
    fn synchronize(&self) -> Result<()> {
        self.0.synchronize()
    }
    fn branch(&self) -> Result<Box<dyn Driver>> {
        self.0.branch()
    }
    fn record(&self) -> Result<Event> {
        self.0.record()
    }
    fn wait(&self, event: &Event) -> Result<()> {
        self.0.wait(event)
    }
    fn is_done(&self, event: &Event) -> Result<bool> {
        self.0.is_done(event)
    }
    fn microseconds(&self, begin: &Event, end: &Event) -> Result<f64> {
        self.0.microseconds(begin, end)
    }
    fn begin_capture(&self) -> Result<()> {
        self.0.begin_capture()
    }
    fn end_capture(&self) -> Result<Graph> {
        self.0.end_capture()
    }
    unsafe fn replay(&self, graph: &Graph) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { self.0.replay(graph) }
    }
}

#[test]
fn emulated_checks_find_a_device_that_errs() {
    let outcomes = outcomes(&Flaky(Emulated::new().unwrap()), 0.0);
    for outcome in outcomes.iter().filter(|o| !o.name.starts_with("a graph")) {
        assert!(outcome.failure.is_some(), "{outcome:?}");
    }
}
