//! The emulated device: host memory, and the kernels of `kernels/` compiled for the host.
//!
//! The library is embedded in the crate and loaded when the first driver is made. The environment variable
//! `WARPGRAMMAR_EMULATOR` names another one to load instead: `sanitized` for the one with AddressSanitizer (in a
//! process started with its runtime, see [`sanitizer_runtime`]), or a path. `WARPGRAMMAR_SKIP_BARRIER=file:line`
//! leaves out one barrier, which some test must then notice.
//!
//! A launch is done when it returns, so errors come from the launch itself, and a seed fixes the order in which
//! threads ran.

mod library;

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ffi::{CStr, CString, c_void};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use super::driver::{ALIGNMENT, Buffer, Description, Driver, Event, Graph, Launch, Pinned};
use crate::error::{Error, ErrorKind, Result};
use library::{Interface, interface};

fn error(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Device, message)
}

/// The runtime of AddressSanitizer that a process must be started with (`LD_PRELOAD`) to load the sanitized
/// library; `None` if that library could not be built.
pub fn sanitizer_runtime() -> Option<&'static str> {
    let runtime = env!("WG_ASAN_RUNTIME");
    (!runtime.is_empty()).then_some(runtime)
}

/// Whether the library that this process uses is the sanitized one: some twenty times slower.
pub fn is_sanitized() -> bool {
    interface().is_ok_and(|i| (i.sanitized)() != 0)
}

/// A kernel of the emulator's launch table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// As given to `WG_KERNEL`.
    pub name: String,
    /// Size of its parameter struct in bytes.
    pub params: usize,
    /// The most threads a block of it may have.
    pub threads: u32,
}

/// All kernels that were compiled, in no particular order.
pub fn kernels() -> Result<Vec<Kernel>> {
    let interface = interface()?;
    let mut kernels = Vec::new();
    for index in 0.. {
        let (mut params, mut threads) = (0, 0);
        // SAFETY: both pointers are to live variables of the right type.
        let name = unsafe { (interface.kernel)(index, &mut params, &mut threads) };
        if name.is_null() {
            break;
        }
        // SAFETY: not null, so a string literal of the library, which is never unloaded.
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
        kernels.push(Kernel { name, params: params as usize, threads });
    }
    Ok(kernels)
}

/// What the last launch did, as far as its kernel says so (`WG_LOADS`, `WG_COUNT`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The longest way of a block through reads of global memory that wait for one another: between two barriers
    /// that of the busiest thread.
    pub path: u64,
    /// The most barriers that a block came to.
    pub barriers: u64,
    /// What the kernel counted, over all blocks; of `legal`, see `kernels/walk.cuh`.
    pub counts: [u64; 8],
}

/// The most shared memory of a block: what every architecture that we build for can give.
const SHARED: u32 = 99 * 1024;

/// The emulated device, or a branch of it.
pub struct Emulated {
    shared: Arc<Shared>,
}

/// What a device and its branches share: one machine, which does everything in the order it is asked for.
struct Shared {
    interface: &'static Interface,
    state: Mutex<State>,
    description: Description,
}

struct State {
    machine: Machine,
    /// What a capture under way has noted down.
    captured: Option<Vec<Work>>,
}

/// The C side's machine.
struct Machine(*mut c_void);

// SAFETY: a machine may be used by any thread, one at a time (kernels/emulator/interface.cpp), and is reached only
// through the mutex.
unsafe impl Send for Machine {}

/// Something that a capture notes down.
enum Work {
    Launch { kernel: CString, launch: Launch, params: Block },
    Copy { to: u64, from: u64, bytes: usize },
    Fill { to: u64, bytes: usize, value: u8 },
}

impl Emulated {
    /// A device with seed 0.
    pub fn new() -> Result<Self> {
        Self::with_seed(0)
    }

    /// A device whose threads run in an order drawn from `seed`. Each launch goes on drawing where the last one
    /// stopped.
    pub fn with_seed(seed: u64) -> Result<Self> {
        let interface = interface()?;
        // SAFETY: takes a number; null is checked.
        let machine = unsafe { (interface.new)(seed) };
        if machine.is_null() {
            return Err(error("no memory for the emulator"));
        }
        let how = if is_sanitized() { "sanitized emulator" } else { "emulator" };
        let description = Description {
            name: format!("{how} on the host's {}", std::env::consts::ARCH),
            capability: (0, 0),
            // Small, so that small inputs already make blocks take more than one piece of work.
            multiprocessors: 4,
            l2: 1 << 20,
            memory: 1 << 34,
            shared: SHARED,
        };
        let state = Mutex::new(State { machine: Machine(machine), captured: None });
        let device = Emulated { shared: Arc::new(Shared { interface, state, description }) };
        if let Ok(barrier) = std::env::var("WARPGRAMMAR_SKIP_BARRIER") {
            let (file, line) = barrier
                .split_once(':')
                .and_then(|(file, line)| Some((file, line.parse().ok()?)))
                .ok_or_else(|| error(format!("WARPGRAMMAR_SKIP_BARRIER={barrier} is not file:line")))?;
            device.skip_barrier(file, line)?;
        }
        Ok(device)
    }

    /// Leaves out the barrier (`WG_SYNC`, `WG_SYNC_WARP`) on `line` of `file`, a name without its directory.
    pub fn skip_barrier(&self, file: &str, line: u32) -> Result<()> {
        let file = CString::new(file).map_err(|_| error("a file name with a zero byte"))?;
        let state = self.lock();
        // SAFETY: the machine is live and locked; the string ends with a zero byte and is copied.
        unsafe { (self.shared.interface.skip)(state.machine.0, file.as_ptr(), line) };
        Ok(())
    }

    /// Takes a launch for endless after this many collectives; 2^28, about a minute, unless set.
    pub fn limit_collectives(&self, limit: u64) {
        let state = self.lock();
        // SAFETY: the machine is live and locked.
        unsafe { (self.shared.interface.limit)(state.machine.0, limit) };
    }

    /// The collectives that warps and blocks completed in the last launch.
    pub fn collectives(&self) -> u64 {
        let state = self.lock();
        // SAFETY: the machine is live and locked.
        unsafe { (self.shared.interface.collectives)(state.machine.0) }
    }

    /// What the last launch did.
    pub fn counts(&self) -> Counts {
        let mut all = [0; 10];
        let state = self.lock();
        // SAFETY: the machine is live and locked; as many numbers are written as there is room for.
        unsafe { (self.shared.interface.counts)(state.machine.0, all.as_mut_ptr(), all.len() as u32) };
        let [path, barriers, counts @ ..] = all;
        Counts { path, barriers, counts }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }

    /// The lock, for work that no graph can hold.
    fn lock_outside_captures(&self, what: &str) -> Result<MutexGuard<'_, State>> {
        let state = self.lock();
        if state.captured.is_some() {
            return Err(error(format!("{what} during a capture")));
        }
        Ok(state)
    }

    /// Does `work` now, or notes it down.
    ///
    /// # Safety
    ///
    /// Its addresses must hold what it reads and writes, now or at every replay.
    unsafe fn queue(&self, work: Work) -> Result<()> {
        let mut state = self.lock();
        match &mut state.captured {
            Some(captured) => {
                captured.push(work);
                Ok(())
            }
            // SAFETY: the caller's promise.
            None => unsafe { self.shared.run(&state.machine, &work) },
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the machine as its last launch left it.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// # Safety
    ///
    /// `machine` is this device's and its lock is held; the addresses of `work` hold what it reads and writes.
    unsafe fn run(&self, machine: &Machine, work: &Work) -> Result<()> {
        match work {
            Work::Copy { to, from, bytes } => {
                // SAFETY: the caller's promise; `copy` allows the ranges to overlap.
                unsafe { std::ptr::copy(*from as *const u8, *to as *mut u8, *bytes) };
                Ok(())
            }
            Work::Fill { to, bytes, value } => {
                // SAFETY: the caller's promise.
                unsafe { std::ptr::write_bytes(*to as *mut u8, *value, *bytes) };
                Ok(())
            }
            Work::Launch { kernel, launch, params } => {
                // SAFETY: the machine is live and locked, the name ends with a zero byte, `params` says its own size; what
                // the kernel reads and writes is the caller's promise.
                let message = unsafe {
                    (self.interface.launch)(
                        machine.0,
                        kernel.as_ptr(),
                        launch.blocks,
                        launch.threads,
                        u64::from(launch.shared),
                        params.at as *const c_void,
                        params.bytes as u64,
                    )
                };
                if message.is_null() {
                    return Ok(());
                }
                // SAFETY: not null, so the machine's message, which stands until its next launch; the lock is held.
                Err(error(unsafe { CStr::from_ptr(message) }.to_string_lossy()))
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let state = self.lock();
        // SAFETY: made by `new`, freed once, and no launch is under way.
        unsafe { (self.interface.free)(state.machine.0) };
    }
}

impl fmt::Debug for Emulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Emulated")
    }
}

/// Zeroed memory in an allocation of its own, of exactly its size: AddressSanitizer sees the first byte beyond.
struct Block {
    at: *mut u8,
    bytes: usize,
}

// SAFETY: `at` is owned and only freed; what reads and writes through it are launches and copies, whose callers answer
// for the order (`Driver::launch`), as on a GPU.
unsafe impl Send for Block {}
// SAFETY: as above; a shared `Block` gives no access at all.
unsafe impl Sync for Block {}

impl Block {
    fn layout(bytes: usize) -> Result<Layout> {
        Layout::from_size_align(bytes.max(1), ALIGNMENT).map_err(|e| error(e.to_string()))
    }

    fn new(bytes: usize) -> Result<Self> {
        // SAFETY: the size is not zero; null is checked.
        let at = unsafe { alloc_zeroed(Self::layout(bytes)?) };
        if at.is_null() {
            return Err(error(format!("no memory for {bytes} bytes")));
        }
        Ok(Block { at, bytes })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Ok(layout) = Self::layout(self.bytes) {
            // SAFETY: allocated with this layout, and freed once.
            unsafe { dealloc(self.at, layout) }
        }
    }
}

impl Driver for Emulated {
    fn description(&self) -> &Description {
        &self.shared.description
    }

    fn alloc(&self, bytes: usize) -> Result<Buffer> {
        let _state = self.lock_outside_captures("an allocation")?;
        if bytes == 0 {
            return Ok(Buffer::new(0, 0, Box::new(())));
        }
        let block = Block::new(bytes)?;
        Ok(Buffer::new(block.at as u64, bytes, Box::new(block)))
    }

    fn upload(&self, to: &Buffer, offset: usize, from: &[u8]) -> Result<()> {
        let to = to.range(offset, from.len())?;
        let _state = self.lock_outside_captures("an upload")?;
        // SAFETY: `range` found the bytes inside a live allocation of this process; `from` is another one, since device
        // memory is never lent as a slice. The lock keeps launches out.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to as *mut u8, from.len()) };
        Ok(())
    }

    fn download(&self, from: &Buffer, offset: usize, to: &mut [u8]) -> Result<()> {
        let from = from.range(offset, to.len())?;
        let _state = self.lock_outside_captures("a download")?;
        // SAFETY: as in `upload`.
        unsafe { std::ptr::copy_nonoverlapping(from as *const u8, to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    fn alloc_pinned(&self, bytes: usize) -> Result<Pinned> {
        let block = Block::new(bytes)?;
        Ok(Pinned::new(block.at, bytes, Box::new(block)))
    }

    unsafe fn download_later(
        &self,
        from: &Buffer,
        offset: usize,
        to: &Pinned,
        to_offset: usize,
        bytes: usize,
    ) -> Result<()> {
        let (from, to) = (from.range(offset, bytes)?, to.range(to_offset, bytes)? as u64);
        // SAFETY: both ranges are inside live allocations, and stay by the caller's promise.
        unsafe { self.queue(Work::Copy { to, from, bytes }) }
    }

    fn copy(
        &self,
        to: &Buffer,
        to_offset: usize,
        from: &Buffer,
        from_offset: usize,
        bytes: usize,
    ) -> Result<()> {
        let (to, from) = (to.range(to_offset, bytes)?, from.range(from_offset, bytes)?);
        // SAFETY: both ranges are inside live allocations; that they are at a replay is promised there.
        unsafe { self.queue(Work::Copy { to, from, bytes }) }
    }

    fn fill(&self, to: &Buffer, offset: usize, bytes: usize, value: u8) -> Result<()> {
        let to = to.range(offset, bytes)?;
        // SAFETY: the range is inside a live allocation; that it is at a replay is promised there.
        unsafe { self.queue(Work::Fill { to, bytes, value }) }
    }

    unsafe fn launch(&self, kernel: &str, launch: Launch, params: &[u8]) -> Result<()> {
        let kernel = CString::new(kernel).map_err(|_| error("a kernel name with a zero byte"))?;
        let copy = Block::new(params.len())?;
        // SAFETY: `copy` has room for `params`, and is new.
        unsafe { std::ptr::copy_nonoverlapping(params.as_ptr(), copy.at, params.len()) };
        // SAFETY: the caller's promise.
        unsafe { self.queue(Work::Launch { kernel, launch, params: copy }) }
    }

    fn synchronize(&self) -> Result<()> {
        self.lock_outside_captures("waiting").map(drop)
    }

    fn branch(&self) -> Result<Box<dyn Driver>> {
        Ok(Box::new(Emulated { shared: self.shared.clone() }))
    }

    fn record(&self) -> Result<Event> {
        Ok(Event::new(Instant::now()))
    }

    fn wait(&self, event: &Event) -> Result<()> {
        // Everything queued before is done, or noted down before what follows.
        event.own::<Instant>().map(|_| ())
    }

    fn is_done(&self, event: &Event) -> Result<bool> {
        event.own::<Instant>().map(|_| true)
    }

    fn microseconds(&self, begin: &Event, end: &Event) -> Result<f64> {
        let (begin, end) = (begin.own::<Instant>()?, end.own::<Instant>()?);
        Ok(end.saturating_duration_since(*begin).as_secs_f64() * 1e6)
    }

    fn begin_capture(&self) -> Result<()> {
        self.lock_outside_captures("a capture")?.captured = Some(Vec::new());
        Ok(())
    }

    fn end_capture(&self) -> Result<Graph> {
        let captured = self.lock().captured.take().ok_or_else(|| error("there is no capture to end"))?;
        Ok(Graph::new(captured))
    }

    unsafe fn replay(&self, graph: &Graph) -> Result<()> {
        let work = graph.own::<Vec<Work>>()?;
        let state = self.lock_outside_captures("a replay")?;
        for one in work {
            // SAFETY: the caller's promise.
            unsafe { self.shared.run(&state.machine, one)? };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
