//! One batch of requests, several times over: a graph's steps each take another copy, so that every step starts from the
//! recorded places and reads its own logits.

use std::sync::Arc;

use super::clock::{Clock, Times};
use super::logits::Arena;
use super::select::Sampling;
use super::states::Place;
use crate::device::check::rig::{DeviceWorld, Rig, RigSize};
use crate::device::driver::Buffer;
use crate::device::layout::Slot;
use crate::device::masks::{self, MaskedLogits, Masks};
use crate::device::sample::{Format, Spread};
use crate::error::Result;

/// Parts of a long walk.
const PARTS: usize = 64;
/// Tokens that slots can take back: a step writes history as in use.
const KEEP: usize = 8;

/// The copies.
pub struct Batch<'a> {
    clock: &'a Clock<'a>,
    world: Arc<DeviceWorld>,
    /// As recorded; never stepped.
    first: Rig,
    copies: Vec<Rig>,
    lines: Vec<Slot>,
    rows: usize,
    /// Masks written out, a batch each.
    masks: Buffer,
    words: usize,
}

impl<'a> Batch<'a> {
    /// `copies` copies of batches of up to `rows` rows.
    ///
    /// # Errors
    /// What the driver says.
    pub fn new(
        clock: &'a Clock<'a>,
        world: &Arc<DeviceWorld>,
        rows: usize,
        copies: usize,
    ) -> Result<Batch<'a>> {
        let device = clock.device();
        let multiprocessors = device.description().multiprocessors;
        let size = RigSize {
            slots: rows,
            rows,
            keep: KEEP,
            // Six blocks of walks fit a multiprocessor; more blocks than slots have nothing to do but long walks.
            walk_blocks: 6 * multiprocessors,
            walk_pool: crate::device::legal::DEFAULT_POOL,
            tops: false,
        };
        let rig = || Rig::new(device, world.clone(), size);
        let words = world.vocab.width().div_ceil(32);
        Ok(Batch {
            clock,
            world: world.clone(),
            first: rig()?,
            copies: (0..copies).map(|_| rig()).collect::<Result<_>>()?,
            lines: Vec::new(),
            rows: 0,
            masks: device.alloc(copies * rows * words * 4)?,
            words,
        })
    }

    /// Puts every copy at these places, one a row.
    ///
    /// # Errors
    /// What the driver says.
    pub fn set(&mut self, places: &[Place]) -> Result<()> {
        let device = self.clock.device();
        self.lines.clear();
        self.rows = places.len();
        for (index, place) in places.iter().enumerate() {
            let mut slot = place.slot;
            slot.seed = index as u64;
            self.first.write(device, index, place.grammar.as_ref(), &slot, &place.levels, None)?;
            slot.grammar = self.world.address(place.grammar.as_ref())?;
            self.lines.push(slot);
        }
        self.sample_with(Sampling::Temperature)?;
        self.restore()?;
        self.copies.iter().try_for_each(|rig| rig.legal(device, PARTS))
    }

    /// Samples all rows so from here on.
    ///
    /// # Errors
    /// What the driver says.
    pub fn sample_with(&mut self, sampling: Sampling) -> Result<()> {
        for line in &mut self.lines {
            line.params = sampling.params();
        }
        // The lines written one by one before, with other parameters.
        self.clock.device().upload(self.first.slots.lines(), 0, bytemuck::cast_slice(&self.lines))
    }

    fn restore(&self) -> Result<()> {
        // SAFETY: all rigs are of one world, whose grammars the lines name; no line has biases or a history.
        let copied = |rig: &Rig| unsafe { rig.slots.copy_from(self.clock.device(), &self.first.slots) };
        self.copies.iter().try_for_each(copied)
    }

    fn spread(&self) -> Spread {
        // Four blocks of sampling fit a multiprocessor.
        let multiprocessors = self.clock.device().description().multiprocessors;
        Spread::new(self.rows, self.world.vocab.width(), 4 * multiprocessors)
    }

    /// The legal sets of all slots.
    ///
    /// # Errors
    /// What the driver says.
    pub fn legal(&self) -> Result<Times> {
        let (clock, n) = (self.clock, self.copies.len());
        let graph = clock.capture(n, |i| self.copies[i].legal(clock.device(), PARTS))?;
        // SAFETY: the rigs outlive this call, whose every sample is waited for.
        unsafe { clock.replays(&graph, n, || Ok(())) }
    }

    fn one(&self, i: usize, arena: &Arena, whole: bool) -> Result<()> {
        // SAFETY: the arena outlives the replays, which are waited for by their events.
        let logits = unsafe { arena.batch(i, self.rows)? };
        match whole {
            true => self.copies[i].step_whole(self.clock.device(), &logits),
            false => self.copies[i].step(self.clock.device(), &logits, self.spread()),
        }
    }

    /// Steps in a graph, with their legal sets in the same launch if `whole`.
    ///
    /// # Errors
    /// What the driver says.
    pub fn step(&self, arena: &Arena, whole: bool) -> Result<Times> {
        let n = self.copies.len();
        let graph = self.clock.capture(n, |i| self.one(i, arena, whole))?;
        // SAFETY: as above.
        unsafe { self.clock.replays(&graph, n, || self.restore()) }
    }

    /// The same steps as launches.
    ///
    /// # Errors
    /// What the driver says.
    pub fn launched(&self, arena: &Arena) -> Result<Times> {
        self.clock.launches(self.copies.len(), || self.restore(), |i| self.one(i, arena, false))
    }

    /// Masks written out for all rows.
    ///
    /// # Errors
    /// What the driver says.
    pub fn fill(&self) -> Result<Times> {
        let n = self.copies.len();
        let graph = self.clock.capture(n, |i| {
            let rig = &self.copies[i];
            let device = self.clock.device();
            // All copies have the same masks, so one place serves.
            masks::fill_bitmask(
                device,
                &self.world.vocab,
                &rig.sets,
                &rig.rows,
                self.rows,
                &self.masks,
                self.words,
            )
        })?;
        // SAFETY: as above.
        unsafe { self.clock.replays(&graph, n, || Ok(())) }
    }

    /// The masks of the last [`Batch::fill`] applied in place. The arena's logits are masked from then on.
    ///
    /// # Errors
    /// What the driver says.
    pub fn apply(&self, arena: &Arena, format: Format) -> Result<Times> {
        let (n, width) = (self.copies.len(), self.world.vocab.width());
        let graph = self.clock.capture(n, |i| {
            let (address, elements) = arena.place(i, self.rows);
            let logits = MaskedLogits {
                address,
                elements,
                format,
                rows: self.rows,
                columns: width,
                stride: arena.stride(),
            };
            let masks = Masks { words: &self.masks, stride: self.words, width };
            // SAFETY: the arena outlives the replays; no row index is given.
            unsafe { masks::apply_bitmask(self.clock.device(), &logits, masks, None, self.rows) }
        })?;
        // SAFETY: as above.
        unsafe { self.clock.replays(&graph, n, || Ok(())) }
    }
}
