//! Launching `kernels/step.cu`: a decoding step of a batch.

use bytemuck::{Pod, Zeroable, bytes_of};

use super::driver::{Buffer, Driver, Launch};
use super::layout::{RowResult, TOP_MAX, TopToken};
use super::legal::{self, LegalParams, LegalSets, WalkMemory};
use super::sample::{DeviceLogits, SHARED, SampleBuffers, SampleParams, Spread, THREADS};
use super::slots::{SlotArrays, SlotMemory};
use super::vocabulary::DeviceVocabulary;
use crate::error::{Error, ErrorKind, Result};
use crate::sampling::{TILE, TileRecord};

/// Of `kernels/step.cu`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct StepParams {
    sample: SampleParams,
    arrays: SlotArrays,
}

const _: () = assert!(size_of::<StepParams>() == 168);

/// Of `kernels/step.cu`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct WholeStepParams {
    sample: SampleParams,
    legal: LegalParams,
}

const _: () = assert!(size_of::<WholeStepParams>() == 232);

/// What steps of up to so many rows write: results, and what blocks pass to each other.
#[derive(Debug)]
pub struct StepMemory {
    records: Buffer,
    tickets: Buffer,
    results: Buffer,
    tops: Option<Buffer>,
    rows: usize,
}

impl StepMemory {
    /// For batches of up to `rows` rows of `width` logits; with `tops`, the likeliest tokens are reported for slots
    /// that want them.
    ///
    /// # Errors
    ///
    /// What the driver says.
    pub fn new(driver: &dyn Driver, rows: usize, width: usize, tops: bool) -> Result<Self> {
        let records = rows * width.div_ceil(TILE) * size_of::<TileRecord>();
        Ok(StepMemory {
            records: driver.alloc(records)?,
            tickets: driver.alloc(rows * 4)?,
            results: driver.alloc(rows * size_of::<RowResult>())?,
            tops: tops.then(|| driver.alloc(rows * TOP_MAX * size_of::<TopToken>())).transpose()?,
            rows,
        })
    }

    /// [`RowResult`] `[rows]`.
    pub fn results(&self) -> &Buffer {
        &self.results
    }

    /// [`TopToken`] `[rows][TOP_MAX]`, if reported.
    pub fn tops(&self) -> Option<&Buffer> {
        self.tops.as_ref()
    }

    /// Most rows of a batch.
    pub fn rows(&self) -> usize {
        self.rows
    }
}

/// The slots of a step.
#[derive(Clone, Copy, Debug)]
pub struct StepSlots<'a> {
    /// The slots.
    pub slots: &'a SlotMemory,
    /// Their vocabulary.
    pub vocab: &'a DeviceVocabulary,
    /// Their legal sets.
    pub sets: &'a LegalSets,
    /// u32 `[rows]`: each row's slot, [`INACTIVE`](super::layout::INACTIVE) if it has none. No slot may stand in
    /// two rows, or what becomes of it is undefined.
    pub rows: &'a Buffer,
}

impl StepSlots<'_> {
    fn params(&self, logits: &DeviceLogits, memory: &StepMemory, spread: Spread) -> Result<SampleParams> {
        let refuse = |message: String| Err(Error::new(ErrorKind::InvalidParameter, message));
        if logits.width() != self.vocab.width() {
            let width = self.vocab.width();
            return refuse(format!("rows of {} logits; the vocabulary has {width}", logits.width()));
        }
        if self.sets.slots() != self.slots.count() || self.sets.stride() != self.vocab.stride() {
            let (sets, slots) = (self.sets.slots(), self.slots.count());
            return refuse(format!(
                "legal sets of {sets} slots, or of another vocabulary; there are {slots}"
            ));
        }
        SampleBuffers {
            rows: self.rows,
            slots: self.slots.lines(),
            legal_heads: self.sets.heads(),
            legal_ids: self.sets.ids(),
            legal_words: self.sets.words(),
            words: self.sets.stride(),
            records: &memory.records,
            tickets: &memory.tickets,
            results: &memory.results,
            tops: memory.tops.as_ref(),
        }
        .params(logits, spread)
    }
}

/// Samples a token for each row from the legal sets that [`legal`](legal::legal) left, and moves its slot on.
///
/// # Errors
///
/// `InvalidParameter` for memory of other sizes; whatever the driver reports.
pub fn step(
    driver: &dyn Driver,
    logits: &DeviceLogits,
    slots: StepSlots<'_>,
    memory: &StepMemory,
    spread: Spread,
) -> Result<()> {
    if logits.rows() == 0 {
        return Ok(());
    }
    let sample = slots.params(logits, memory, spread)?;
    let params = StepParams { sample, arrays: slots.slots.arrays(slots.vocab) };
    let kernel = format!("step_{}", logits.format().suffix());
    let launch = Launch { blocks: spread.blocks.max(1), threads: THREADS, shared: SHARED };
    // SAFETY: `StepParams` mirrors the kernel's struct; every buffer was checked against rows, slots and tiles, the
    // kernel checks slots' indices and listed ids itself; logits were promised where they were named, and what slots
    // refer to where they were written.
    unsafe { driver.launch(&kernel, launch, bytes_of(&params)) }
}

/// [`legal`](legal::legal) and [`step`] in one launch, for callers without a second stream: each row's legal set is
/// made in `slots.sets` before its token is sampled. A block of `walks` takes a row at a time.
///
/// # Errors
///
/// As [`step`].
pub fn step_whole(
    driver: &dyn Driver,
    logits: &DeviceLogits,
    slots: StepSlots<'_>,
    walks: &WalkMemory,
    memory: &StepMemory,
) -> Result<()> {
    if logits.rows() == 0 {
        return Ok(());
    }
    let sample = slots.params(logits, memory, Spread { blocks: walks.blocks(), group: 1 })?;
    let params =
        WholeStepParams { sample, legal: legal::params(slots.slots, slots.vocab, slots.sets, walks, 1)? };
    let kernel = format!("step_whole_{}", logits.format().suffix());
    let launch = Launch { blocks: walks.blocks(), threads: legal::THREADS, shared: SHARED };
    // SAFETY: as in `step`; walks have as many blocks as the launch, and levels enough.
    unsafe { driver.launch(&kernel, launch, bytes_of(&params)) }
}
