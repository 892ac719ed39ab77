//! The memory of slots: their lines, levels and history.

use bytemuck::{Pod, Zeroable};

use super::driver::{Buffer, Driver};
use super::layout::{Level, Slot, Snapshot};
use super::vocabulary::DeviceVocabulary;
use crate::error::{Error, ErrorKind, Result};

/// Where slots are, as kernels are told: the twin of `SlotArrays` in `kernels/advance.cuh`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct SlotArrays {
    slots: u64,
    levels: u64,
    spare: u64,
    history: u64,
    vocab: u64,
    slot_count: u32,
    max_levels: u32,
    keep: u32,
    padding: u32,
}

const _: () = assert!(size_of::<SlotArrays>() == 56);

/// Slots in device memory, all free at first.
#[derive(Debug)]
pub struct SlotMemory {
    slots: Buffer,
    levels: Buffer,
    spare: Buffer,
    history: Buffer,
    count: usize,
    max_levels: usize,
    keep: usize,
}

impl SlotMemory {
    /// Memory for `count` slots of grammars that open at most `max_levels` levels, of which `keep` tokens can be
    /// taken back.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] for no slots or levels, or sizes beyond what an index holds.
    pub fn new(driver: &dyn Driver, count: usize, max_levels: usize, keep: usize) -> Result<Self> {
        // One index of a launch holds a slot and a part of its walk.
        if !(1..1 << 20).contains(&count) || !(1..=254).contains(&max_levels) || keep > 1 << 20 {
            let message = format!("{count} slots with {max_levels} levels and {keep} tokens of history");
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
        let levels = max_levels * size_of::<Level>();
        Ok(SlotMemory {
            slots: driver.alloc(count * size_of::<Slot>())?,
            levels: driver.alloc(count * levels)?,
            spare: driver.alloc(count * levels)?,
            history: driver.alloc(count * keep * (size_of::<Snapshot>() + levels))?,
            count,
            max_levels,
            keep,
        })
    }

    /// Number of slots.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Levels per slot.
    pub fn max_levels(&self) -> usize {
        self.max_levels
    }

    /// Tokens that can be taken back.
    pub fn keep(&self) -> usize {
        self.keep
    }

    /// The slots' lines, [`Slot`] `[count]`.
    pub fn lines(&self) -> &Buffer {
        &self.slots
    }

    /// Bytes of everything.
    pub fn bytes(&self) -> usize {
        self.slots.len() + self.levels.len() + self.spare.len() + self.history.len()
    }

    /// What kernels are told.
    pub fn arrays(&self, vocab: &DeviceVocabulary) -> SlotArrays {
        SlotArrays {
            slots: self.slots.address(),
            levels: self.levels.address(),
            spare: self.spare.address(),
            history: self.history.address(),
            vocab: vocab.address(),
            slot_count: self.count as u32,
            max_levels: self.max_levels as u32,
            keep: self.keep as u32,
            padding: 0,
        }
    }

    /// Writes a slot's line.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] for an index beyond the slots or more levels than there is room for.
    ///
    /// # Safety
    /// Until the slot is written again, its `grammar` must be 0 or the address of a whole
    /// [`Grammar`](crate::table::Grammar) block on this device, made for the vocabulary that kernels are given with
    /// the slot, with a `max_depth` of at most [`SlotMemory::max_levels`], whose states and sites the line and its
    /// levels name; `adjust` must be 0 or the address of a [block](super::adjust) for that vocabulary; and
    /// `history` must not exceed the tokens that kernels have written since the line was first written.
    pub unsafe fn write(
        &self,
        driver: &dyn Driver,
        index: usize,
        slot: &Slot,
        levels: &[Level],
    ) -> Result<()> {
        if index >= self.count || levels.len() > self.max_levels || slot.depth as usize != levels.len() {
            let message = format!("slot {index} with {} levels at depth {}", levels.len(), slot.depth);
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
        driver.upload(&self.slots, index * size_of::<Slot>(), bytemuck::bytes_of(slot))?;
        let at = index * self.max_levels * size_of::<Level>();
        driver.upload(&self.levels, at, bytemuck::cast_slice(levels))
    }

    /// Makes all slots what `other`'s are, without what can be taken back; for measuring one state again and again.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] if sizes differ.
    ///
    /// # Safety
    /// As [`SlotMemory::write`] with the lines of `other`, whose `history` must be 0.
    pub(super) unsafe fn copy_from(&self, driver: &dyn Driver, other: &SlotMemory) -> Result<()> {
        if (self.count, self.max_levels) != (other.count, other.max_levels) {
            return Err(Error::new(ErrorKind::InvalidParameter, "slots of other sizes"));
        }
        driver.copy(&self.slots, 0, &other.slots, 0, self.slots.len())?;
        driver.copy(&self.levels, 0, &other.levels, 0, self.levels.len())
    }

    /// Reads a slot's line and its open levels.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] for an index beyond the slots.
    pub fn read(&self, driver: &dyn Driver, index: usize) -> Result<(Slot, Vec<Level>)> {
        if index >= self.count {
            return Err(Error::new(ErrorKind::InvalidParameter, format!("there is no slot {index}")));
        }
        let mut slot = Slot::zeroed();
        driver.download(&self.slots, index * size_of::<Slot>(), bytemuck::bytes_of_mut(&mut slot))?;
        let mut levels = vec![Level::zeroed(); slot.depth as usize];
        let at = index * self.max_levels * size_of::<Level>();
        driver.download(&self.levels, at, bytemuck::cast_slice_mut(&mut levels))?;
        Ok((slot, levels))
    }
}

/// Refuses a buffer that is too small.
pub(super) fn holds(name: &str, buffer: &Buffer, bytes: usize) -> Result<()> {
    if buffer.len() >= bytes {
        return Ok(());
    }
    let message = format!("the buffer of {name} has {} bytes, it needs {bytes}", buffer.len());
    Err(Error::new(ErrorKind::InvalidParameter, message))
}
