//! What the rest of the device side asks of a device: memory, copies and launches.
//!
//! All work is put into one queue and done in order; only [`Driver::download`] and [`Driver::synchronize`] wait for
//! it. Addresses are numbers: a kernel's parameters hold [`Buffer::address`] plus an offset, or an address that the
//! caller of the library gave.

use std::any::Any;
use std::fmt;

use crate::error::{Error, ErrorKind, Result};

/// Every buffer begins at a multiple of this.
pub const ALIGNMENT: usize = 256;

/// The shape of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Blocks of the grid, at least 1.
    pub blocks: u32,
    /// Threads of a block: whole warps, at most what `WG_KERNEL` was given.
    pub threads: u32,
    /// Dynamic shared memory of a block in bytes: the size of the struct that `WG_SHARED` names.
    pub shared: u32,
}

fn out_of_range(offset: usize, bytes: usize, size: usize) -> Error {
    Error::new(ErrorKind::Device, format!("{bytes} bytes at {offset} of a buffer of {size}"))
}

/// A piece of device memory, freed when it is dropped.
///
/// Work that was queued before the drop may still use it: a driver frees in the order of its queue.
pub struct Buffer {
    address: u64,
    bytes: usize,
    _memory: Box<dyn Any + Send + Sync>,
}

impl Buffer {
    /// `memory` frees the `bytes` at `address` when it is dropped.
    pub(crate) fn new(address: u64, bytes: usize, memory: Box<dyn Any + Send + Sync>) -> Self {
        Buffer { address, bytes, _memory: memory }
    }

    /// The device address of the first byte.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Size in bytes.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The address of byte `offset`, if `bytes` bytes lie there; every driver's copies ask this first.
    pub(crate) fn range(&self, offset: usize, bytes: usize) -> Result<u64> {
        match offset.checked_add(bytes) {
            Some(end) if end <= self.bytes => Ok(self.address + offset as u64),
            _ => Err(out_of_range(offset, bytes, self.bytes)),
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes at {:#x})", self.bytes, self.address)
    }
}

/// A piece of host memory that a device can write to while the host goes on.
pub struct Pinned {
    at: *mut u8,
    bytes: usize,
    _memory: Box<dyn Any + Send + Sync>,
}

// SAFETY: `at` is memory that `_memory` owns; it is read only by `Pinned::read`, and written only by work whose end the
// caller of `read` has waited for.
unsafe impl Send for Pinned {}
// SAFETY: as above.
unsafe impl Sync for Pinned {}

impl Pinned {
    /// `memory` keeps the `bytes` initialised bytes at `at` until it is dropped, and its drop waits for whatever still
    /// writes to them.
    pub(crate) fn new(at: *mut u8, bytes: usize, memory: Box<dyn Any + Send + Sync>) -> Self {
        Pinned { at, bytes, _memory: memory }
    }

    /// Size in bytes.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The address of byte `offset`, if `bytes` bytes lie there.
    pub(crate) fn range(&self, offset: usize, bytes: usize) -> Result<*mut u8> {
        match offset.checked_add(bytes) {
            Some(end) if end <= self.bytes => Ok(self.at.wrapping_add(offset)),
            _ => Err(out_of_range(offset, bytes, self.bytes)),
        }
    }

    /// Copies from byte `offset` on. What a [`Driver::download_later`] writes there is complete once an event
    /// recorded after it is done; before that the bytes are old, new or a mixture.
    pub fn read(&self, offset: usize, to: &mut [u8]) -> Result<()> {
        let from = self.range(offset, to.len())?;
        for (i, byte) in to.iter_mut().enumerate() {
            // SAFETY: in range; volatile because a device may be writing.
            *byte = unsafe { from.add(i).read_volatile() };
        }
        Ok(())
    }
}

/// A point in a queue, made by [`Driver::record`].
pub struct Event(Box<dyn Any + Send + Sync>);

impl Event {
    /// `own` is what the driver keeps of it.
    pub(crate) fn new(own: impl Any + Send + Sync) -> Self {
        Event(Box::new(own))
    }

    /// What it was made of, if it is of this kind of driver.
    pub(crate) fn own<T: 'static>(&self) -> Result<&T> {
        self.0.downcast_ref().ok_or_else(|| another_kind("an event"))
    }
}

/// Work that was captured once and can be replayed as a whole, made by [`Driver::end_capture`].
pub struct Graph(Box<dyn Any + Send + Sync>);

impl Graph {
    /// `own` is what the driver keeps of it.
    pub(crate) fn new(own: impl Any + Send + Sync) -> Self {
        Graph(Box::new(own))
    }

    /// What it was made of, if it is of this kind of driver.
    pub(crate) fn own<T: 'static>(&self) -> Result<&T> {
        self.0.downcast_ref().ok_or_else(|| another_kind("a graph"))
    }
}

fn another_kind(what: &str) -> Error {
    Error::new(ErrorKind::Device, format!("{what} of another kind of device"))
}

/// What a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// In words, for people.
    pub name: String,
    /// Compute capability: 9.0 is `(9, 0)`. The emulator has `(0, 0)`.
    pub capability: (u32, u32),
    /// Streaming multiprocessors; a persistent kernel's grid is a multiple of them.
    pub multiprocessors: u32,
    /// Bytes of the L2 cache.
    pub l2: u64,
    /// Bytes of memory.
    pub memory: u64,
    /// The most dynamic shared memory a block can ask for, in bytes.
    pub shared: u32,
}

/// A device: one queue of work on one GPU, or on the emulator.
pub trait Driver: Send + Sync + fmt::Debug {
    /// What the device is.
    fn description(&self) -> &Description;

    /// `bytes` zeroed bytes, aligned to [`ALIGNMENT`].
    fn alloc(&self, bytes: usize) -> Result<Buffer>;

    /// Copies `from` to byte `offset` of `to`. `from` may be changed as soon as this returns.
    fn upload(&self, to: &Buffer, offset: usize, from: &[u8]) -> Result<()>;

    /// Copies from byte `offset` of `from`, after waiting for all work before it.
    fn download(&self, from: &Buffer, offset: usize, to: &mut [u8]) -> Result<()>;

    /// Zeroed host memory for [`Driver::download_later`].
    fn alloc_pinned(&self, bytes: usize) -> Result<Pinned>;

    /// Queues a copy to the host and does not wait for it.
    ///
    /// # Safety
    ///
    /// Both ends must stay until the copy is done, and until the last replay if it is captured. (Outside a capture
    /// dropping them is in order: a drop waits.)
    unsafe fn download_later(
        &self,
        from: &Buffer,
        offset: usize,
        to: &Pinned,
        to_offset: usize,
        bytes: usize,
    ) -> Result<()>;

    /// Copies `bytes` bytes between buffers, or within one where the ranges do not overlap.
    fn copy(
        &self,
        to: &Buffer,
        to_offset: usize,
        from: &Buffer,
        from_offset: usize,
        bytes: usize,
    ) -> Result<()>;

    /// Sets `bytes` bytes from byte `offset` on to `value`.
    fn fill(&self, to: &Buffer, offset: usize, bytes: usize, value: u8) -> Result<()>;

    /// Runs `kernel` with the parameter struct `params`, byte for byte.
    ///
    /// # Safety
    ///
    /// `params` must be the bytes of the struct the kernel declares, and every address in it must stand for as much
    /// memory of this device as the kernel reads or writes through it, until the launch is done; if it is captured,
    /// until the last replay is.
    unsafe fn launch(&self, kernel: &str, launch: Launch, params: &[u8]) -> Result<()>;

    /// Waits until everything queued is done, and reports what failed on the way.
    fn synchronize(&self) -> Result<()>;

    /// Another queue on the same device, empty, with the same kernels.
    fn branch(&self) -> Result<Box<dyn Driver>>;

    /// Marks this point of the queue.
    fn record(&self) -> Result<Event>;

    /// What is queued after this waits for `event`, which may be another queue's of the same device. During a capture
    /// the other queue's work so joins the graph, and must be waited for in turn before the capture ends.
    fn wait(&self, event: &Event) -> Result<()>;

    /// Whether everything before `event` is done.
    fn is_done(&self, event: &Event) -> Result<bool>;

    /// Microseconds between two events, after waiting for both.
    fn microseconds(&self, begin: &Event, end: &Event) -> Result<f64>;

    /// From here on launches, copies and fills are noted down and not run. Uploads, downloads and allocations are
    /// not allowed until [`Driver::end_capture`].
    fn begin_capture(&self) -> Result<()>;

    /// What was noted down since [`Driver::begin_capture`].
    fn end_capture(&self) -> Result<Graph>;

    /// Queues a captured graph.
    ///
    /// # Safety
    ///
    /// All that was captured must still be allowed: see [`Driver::launch`] and [`Driver::download_later`]; the buffers
    /// of captured copies and fills must still be there.
    unsafe fn replay(&self, graph: &Graph) -> Result<()>;
}
