//! Launching `kernels/legal.cu`: every slot's next legal set.

use bytemuck::{Pod, Zeroable, bytes_of};

use super::driver::{Buffer, Driver, Launch};
use super::layout::{LIST_CAP, LegalHead, Level};
use super::slots::{SlotArrays, SlotMemory, holds};
use super::vocabulary::DeviceVocabulary;
use crate::error::{Error, ErrorKind, Result};

/// Threads of a block.
pub const THREADS: u32 = 128;
/// `sizeof(LegalBlock)`.
const SHARED: u32 = 37_960;
/// Warps of a block, each with levels of its own for tokens that find no room in the pool.
const WARPS: usize = THREADS as usize / 32;
/// `sizeof(Level)`, of which a walk's pool is made.
const POOL_NODE: usize = size_of::<Level>();
/// Levels that the tokens of one walk may open, unless chosen otherwise.
pub const DEFAULT_POOL: usize = 1024;
/// Parts that a long walk is cut into, unless chosen otherwise.
pub const DEFAULT_PARTS: usize = 64;

/// Of `kernels/legal.cu`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(super) struct LegalParams {
    arrays: SlotArrays,
    heads: u64,
    ids: u64,
    words: u64,
    found: u64,
    tickets: u64,
    pool: u64,
    spare: u64,
    pool_room: u32,
    parts: u32,
}

const _: () = assert!(size_of::<LegalParams>() == 120);

/// Legal sets in device memory, a row for each slot.
#[derive(Debug)]
pub struct LegalSets {
    heads: Buffer,
    ids: Buffer,
    words: Buffer,
    found: Buffer,
    tickets: Buffer,
    slots: usize,
    stride: usize,
}

impl LegalSets {
    /// Room for the sets of `slots` slots.
    ///
    /// # Errors
    /// What the driver says.
    pub fn new(driver: &dyn Driver, slots: usize, vocab: &DeviceVocabulary) -> Result<Self> {
        let words = slots * vocab.stride() * 4;
        Ok(LegalSets {
            heads: driver.alloc(slots * size_of::<LegalHead>())?,
            ids: driver.alloc(slots * LIST_CAP * 4)?,
            words: driver.alloc(words)?,
            found: driver.alloc(if vocab.has_long_walks() { words } else { 0 })?,
            tickets: driver.alloc(slots * 4)?,
            slots,
            stride: vocab.stride(),
        })
    }

    /// [`LegalHead`] `[slots]`.
    pub fn heads(&self) -> &Buffer {
        &self.heads
    }

    /// u32 `[slots][LIST_CAP]`.
    pub fn ids(&self) -> &Buffer {
        &self.ids
    }

    /// u32 `[slots][stride]`.
    pub fn words(&self) -> &Buffer {
        &self.words
    }

    /// Words from one slot's bitmap to the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Number of slots.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Bytes of everything.
    pub fn bytes(&self) -> usize {
        [&self.heads, &self.ids, &self.words, &self.found, &self.tickets].iter().map(|b| b.len()).sum()
    }
}

/// What the blocks of a walk need besides: as many as run at a time.
#[derive(Debug)]
pub struct WalkMemory {
    pool: Buffer,
    spare: Buffer,
    blocks: u32,
    pool_room: u32,
    max_levels: usize,
    /// Level arrays of each block.
    arrays: usize,
}

impl WalkMemory {
    /// For `blocks` blocks, each with room for `pool_room` opened levels ([`DEFAULT_POOL`]; with less, some walks take
    /// longer).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] for no blocks.
    pub fn new(driver: &dyn Driver, blocks: u32, pool_room: usize, max_levels: usize) -> Result<Self> {
        if blocks == 0 || pool_room > 1 << 24 {
            let message = format!("{blocks} blocks with room for {pool_room} levels");
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
        // One array more than `legal` needs, for the way to a draft token.
        let arrays = WARPS + 1;
        Ok(WalkMemory {
            pool: driver.alloc(blocks as usize * pool_room * POOL_NODE)?,
            spare: driver.alloc(blocks as usize * arrays * max_levels * size_of::<Level>())?,
            blocks,
            pool_room: pool_room as u32,
            max_levels,
            arrays,
        })
    }

    /// Blocks of a launch.
    pub fn blocks(&self) -> u32 {
        self.blocks
    }

    pub(super) fn pool(&self) -> (u64, u32) {
        (self.pool.address(), self.pool_room)
    }

    /// The level arrays, if there are enough of them.
    pub(super) fn spare(&self, slots: &SlotMemory) -> Result<u64> {
        if slots.max_levels() > self.max_levels {
            let message = format!("slots have {} levels, walks {}", slots.max_levels(), self.max_levels);
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
        debug_assert_eq!(self.arrays, WARPS + 1);
        Ok(self.spare.address())
    }

    /// Bytes of everything.
    pub fn bytes(&self) -> usize {
        self.pool.len() + self.spare.len()
    }
}

/// Makes the legal set of every slot, for the next step or [`masks`](super::masks). Long walks are cut into
/// `parts`; no result depends on that or on the number of blocks.
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] for memory of other sizes; whatever the driver reports.
pub fn legal(
    driver: &dyn Driver,
    slots: &SlotMemory,
    vocab: &DeviceVocabulary,
    sets: &LegalSets,
    walks: &WalkMemory,
    parts: usize,
) -> Result<()> {
    let params = params(slots, vocab, sets, walks, parts)?;
    let launch = Launch { blocks: walks.blocks(), threads: THREADS, shared: SHARED };
    // SAFETY: `LegalParams` mirrors the kernel's struct; the sets have a row per slot of this vocabulary's stride, walks
    // as many blocks as the launch and levels enough; what slots refer to is answered for where they are written.
    unsafe { driver.launch("legal", launch, bytes_of(&params)) }
}

/// The kernel's parameters, with every size checked.
pub(super) fn params(
    slots: &SlotMemory,
    vocab: &DeviceVocabulary,
    sets: &LegalSets,
    walks: &WalkMemory,
    parts: usize,
) -> Result<LegalParams> {
    if sets.slots != slots.count() || sets.stride != vocab.stride() {
        let message = format!(
            "sets of {} slots and {} words; there are {} slots of {} words",
            sets.slots,
            sets.stride,
            slots.count(),
            vocab.stride()
        );
        return Err(Error::new(ErrorKind::InvalidParameter, message));
    }
    // Slot and part share an index.
    let parts = if sets.found.is_empty() { 1 } else { parts.clamp(1, 1 << 10) };
    if parts > 1 {
        holds("what walks have found", &sets.found, sets.words.len())?;
    }
    let (pool, pool_room) = walks.pool();
    Ok(LegalParams {
        arrays: slots.arrays(vocab),
        heads: sets.heads.address(),
        ids: sets.ids.address(),
        words: sets.words.address(),
        found: sets.found.address(),
        tickets: sets.tickets.address(),
        pool,
        spare: walks.spare(slots)?,
        pool_room,
        parts: parts as u32,
    })
}
