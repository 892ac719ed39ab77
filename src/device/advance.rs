//! Launching `kernels/advance.cu`: slots moved on and back, and the bytes that must come next.

use bytemuck::{Pod, Zeroable, bytes_of};

use super::driver::{Buffer, Driver, Launch};
use super::slots::{SlotArrays, SlotMemory, holds};
use super::vocabulary::DeviceVocabulary;
use crate::error::Result;

/// Threads of a block, a warp for each row.
const THREADS: u32 = 128;
/// Blocks beyond these take turns.
const MAX_BLOCKS: usize = 1024;

/// What became of a row's token, or of taking tokens back.
pub mod verdict {
    /// Done.
    pub const OK: u32 = 0;
    /// The row has no slot.
    pub const INACTIVE: u32 = 1;
    /// The token is illegal, or the history is shorter; the slot is as it was.
    pub const ILLEGAL: u32 = 2;
    /// The slot is free or has finished.
    pub const NOT_RUNNING: u32 = 3;
    /// No room to count the token for penalties; the slot is as it was.
    pub const COUNTS_FULL: u32 = 4;
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct RowParams {
    arrays: SlotArrays,
    rows: u64,
    given: u64,
    answers: u64,
    row_count: u32,
    /// Only `forced` reads it.
    capacity: u32,
}

const _: () = assert!(size_of::<RowParams>() == 88);

/// Which slots a launch is about.
#[derive(Clone, Copy, Debug)]
pub struct SlotRows<'a> {
    /// The slots.
    pub slots: &'a SlotMemory,
    /// Their vocabulary.
    pub vocab: &'a DeviceVocabulary,
    /// u32 `[count]`: each row's slot, [`INACTIVE`](super::layout::INACTIVE) if it has none. No slot may stand
    /// in two rows, or what becomes of it is undefined.
    pub rows: &'a Buffer,
    /// Number of rows.
    pub count: usize,
}

/// Blocks of a launch that has a warp for each row.
fn launch_for(rows: usize) -> Launch {
    let blocks = rows.div_ceil(THREADS as usize / 32).clamp(1, MAX_BLOCKS);
    Launch { blocks: blocks as u32, threads: THREADS, shared: 0 }
}

fn launch(
    driver: &dyn Driver,
    kernel: &str,
    rows: SlotRows<'_>,
    given: &Buffer,
    answers: &Buffer,
    capacity: usize,
) -> Result<()> {
    if rows.count == 0 {
        return Ok(());
    }
    holds("the row map", rows.rows, 4 * rows.count)?;
    let params = RowParams {
        arrays: rows.slots.arrays(rows.vocab),
        rows: rows.rows.address(),
        given: given.address(),
        answers: answers.address(),
        row_count: rows.count as u32,
        capacity: capacity as u32,
    };
    // SAFETY: `RowParams` mirrors the three kernels' structs, which differ in names only. The callers below checked
    // the buffers; the kernels check slots' indices; what slots refer to is answered for where they are written.
    unsafe { driver.launch(kernel, launch_for(rows.count), bytes_of(&params)) }
}

/// Moves each row's slot on by a token: `tokens` and `verdicts` are u32 `[rows]`. An illegal token leaves the slot as
/// it was.
///
/// # Errors
/// [`InvalidParameter`](crate::ErrorKind::InvalidParameter) if a buffer is too small; whatever the driver reports.
pub fn advance(driver: &dyn Driver, rows: SlotRows<'_>, tokens: &Buffer, verdicts: &Buffer) -> Result<()> {
    holds("tokens", tokens, 4 * rows.count)?;
    holds("verdicts", verdicts, 4 * rows.count)?;
    launch(driver, "advance", rows, tokens, verdicts, 0)
}

/// Takes back each row's last `counts[row]` tokens, and a stop token after them: `counts` and `verdicts` are u32
/// `[rows]`. Where the history is shorter the slot stays as it was.
///
/// # Errors
/// As [`advance`].
pub fn rollback(driver: &dyn Driver, rows: SlotRows<'_>, counts: &Buffer, verdicts: &Buffer) -> Result<()> {
    holds("counts", counts, 4 * rows.count)?;
    holds("verdicts", verdicts, 4 * rows.count)?;
    launch(driver, "rollback", rows, counts, verdicts, 0)
}

/// Writes the bytes that must come next in each row's slot, at most `capacity`: `bytes` is u8 `[rows][capacity]`,
/// `lengths` u32 `[rows]`.
///
/// # Errors
/// As [`advance`].
pub fn forced(
    driver: &dyn Driver,
    rows: SlotRows<'_>,
    bytes: &Buffer,
    lengths: &Buffer,
    capacity: usize,
) -> Result<()> {
    holds("forced bytes", bytes, rows.count.saturating_mul(capacity))?;
    holds("lengths", lengths, 4 * rows.count)?;
    launch(driver, "forced", rows, bytes, lengths, capacity)
}
