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
            _ => Err(Error::new(
                ErrorKind::Device,
                format!("bytes {offset}..{} of a buffer of {}", offset.wrapping_add(bytes), self.bytes),
            )),
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes at {:#x})", self.bytes, self.address)
    }
}

/// A device: one queue of work on one GPU, or on the emulator.
pub trait Driver: Send + Sync + fmt::Debug {
    /// The device in words, for people.
    fn name(&self) -> String;

    /// `bytes` zeroed bytes, aligned to [`ALIGNMENT`].
    fn alloc(&self, bytes: usize) -> Result<Buffer>;

    /// Copies `from` to byte `offset` of `to`. `from` may be changed as soon as this returns.
    fn upload(&self, to: &Buffer, offset: usize, from: &[u8]) -> Result<()>;

    /// Copies from byte `offset` of `from`, after waiting for all work before it.
    fn download(&self, from: &Buffer, offset: usize, to: &mut [u8]) -> Result<()>;

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
    /// memory of this device as the kernel reads or writes through it, until the launch is done.
    unsafe fn launch(&self, kernel: &str, launch: Launch, params: &[u8]) -> Result<()>;

    /// Waits until everything queued is done, and reports what failed on the way.
    fn synchronize(&self) -> Result<()>;
}
