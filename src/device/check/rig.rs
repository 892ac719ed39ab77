//! What a device needs to decode a batch, all of it allocated at once: checks and measurements work with it.

use std::sync::Arc;

use super::upload;
use crate::device::driver::{Buffer, Driver};
use crate::device::layout::{Level, Slot};
use crate::device::legal::{self, LegalSets, WalkMemory};
use crate::device::sample::{DeviceLogits, Spread};
use crate::device::slots::SlotMemory;
use crate::device::step::{self, StepMemory, StepSlots};
use crate::device::vocabulary::DeviceVocabulary;
use crate::error::{Error, ErrorKind, Result};
use crate::table::Grammar;

/// A vocabulary and grammars in a device's memory.
#[derive(Debug)]
pub struct DeviceWorld {
    /// The vocabulary.
    pub vocab: DeviceVocabulary,
    grammars: Vec<(Arc<Grammar>, Buffer)>,
    max_levels: usize,
}

impl DeviceWorld {
    /// Uploads them.
    ///
    /// # Errors
    /// What the driver says.
    pub fn new(
        device: &dyn Driver,
        vocab: &crate::vocab::Vocabulary,
        grammars: &[Arc<Grammar>],
    ) -> Result<DeviceWorld> {
        let uploaded = |g: &Arc<Grammar>| Ok((g.clone(), upload(device, g.as_bytes())?));
        Ok(DeviceWorld {
            vocab: DeviceVocabulary::new(device, vocab)?,
            grammars: grammars.iter().map(uploaded).collect::<Result<_>>()?,
            max_levels: grammars.iter().map(|g| g.max_depth()).max().unwrap_or(1).max(1),
        })
    }

    /// The address of a grammar's block; 0 for none.
    ///
    /// # Errors
    /// If the grammar is none of this world.
    pub fn address(&self, grammar: Option<&Arc<Grammar>>) -> Result<u64> {
        let Some(grammar) = grammar else { return Ok(0) };
        let found = self.grammars.iter().find(|(g, _)| Arc::ptr_eq(g, grammar));
        let unknown = || Error::new(ErrorKind::InvalidParameter, "a grammar that was not uploaded");
        found.map(|(_, block)| block.address()).ok_or_else(unknown)
    }

    /// Most levels of its grammars.
    pub fn max_levels(&self) -> usize {
        self.max_levels
    }
}

/// Sizes of a [`Rig`].
#[derive(Clone, Copy, Debug)]
pub struct RigSize {
    /// Slots.
    pub slots: usize,
    /// Most rows of a batch.
    pub rows: usize,
    /// Tokens that can be taken back.
    pub keep: usize,
    /// Blocks of walks.
    pub walk_blocks: u32,
    /// Levels that a walk may open.
    pub walk_pool: usize,
    /// Whether likeliest tokens are reported.
    pub tops: bool,
}

/// Slots with their legal sets, and what steps of them need.
#[derive(Debug)]
pub struct Rig {
    /// The world whose grammars slots follow.
    pub world: Arc<DeviceWorld>,
    /// Slots.
    pub slots: SlotMemory,
    /// Their legal sets.
    pub sets: LegalSets,
    /// For walks.
    pub walks: WalkMemory,
    /// For steps.
    pub memory: StepMemory,
    /// u32 `[rows]`: each row's slot.
    pub rows: Buffer,
    /// Buffers that slots refer to.
    kept: Vec<Option<Buffer>>,
}

impl Rig {
    /// All slots are free; row i has slot i.
    ///
    /// # Errors
    /// What the driver says.
    pub fn new(device: &dyn Driver, world: Arc<DeviceWorld>, size: RigSize) -> Result<Rig> {
        let levels = world.max_levels();
        let slots = SlotMemory::new(device, size.slots, levels, size.keep)?;
        let sets = LegalSets::new(device, size.slots, &world.vocab)?;
        let walks = WalkMemory::new(device, size.walk_blocks, size.walk_pool, levels)?;
        let memory = StepMemory::new(device, size.rows, world.vocab.width(), size.tops)?;
        let rows = upload(device, &(0..size.rows as u32).collect::<Vec<_>>())?;
        let kept = (0..size.slots).map(|_| None).collect();
        Ok(Rig { world, slots, sets, walks, memory, rows, kept })
    }

    /// Writes a slot that follows `grammar`, with the bytes of its block of biases and counts if it has one.
    ///
    /// `slot` and `levels` must be of a place in that grammar.
    ///
    /// # Errors
    /// If the grammar is none of this world, and what the driver says.
    pub fn write(
        &mut self,
        device: &dyn Driver,
        index: usize,
        grammar: Option<&Arc<Grammar>>,
        slot: &Slot,
        levels: &[Level],
        adjust: Option<&[u8]>,
    ) -> Result<()> {
        let mut slot = *slot;
        slot.grammar = self.world.address(grammar)?;
        let block = adjust.map(|bytes| upload(device, bytes)).transpose()?;
        slot.adjust = block.as_ref().map_or(0, Buffer::address);
        // SAFETY: the world keeps the grammar's block and the rig the block of biases as long as the slot; the place is
        // the caller's, who took it from the reference; no history is claimed.
        unsafe { self.slots.write(device, index, &slot, levels)? };
        self.kept[index] = block;
        Ok(())
    }

    /// Makes every slot's legal set.
    ///
    /// # Errors
    /// As [`legal::legal`].
    pub fn legal(&self, device: &dyn Driver, parts: usize) -> Result<()> {
        legal::legal(device, &self.slots, &self.world.vocab, &self.sets, &self.walks, parts)
    }

    fn step_slots(&self) -> StepSlots<'_> {
        StepSlots { slots: &self.slots, vocab: &self.world.vocab, sets: &self.sets, rows: &self.rows }
    }

    /// Samples from the sets and moves on.
    ///
    /// # Errors
    /// As [`step::step`].
    pub fn step(&self, device: &dyn Driver, logits: &DeviceLogits, spread: Spread) -> Result<()> {
        step::step(device, logits, self.step_slots(), &self.memory, spread)
    }

    /// The sets, sampling and moving on in one launch.
    ///
    /// # Errors
    /// As [`step::step_whole`].
    pub fn step_whole(&self, device: &dyn Driver, logits: &DeviceLogits) -> Result<()> {
        step::step_whole(device, logits, self.step_slots(), &self.walks, &self.memory)
    }
}
