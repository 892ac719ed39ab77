//! Launching `kernels/draft.cu`: draft tokens judged before they are kept.

use bytemuck::{Pod, Zeroable, bytes_of};

use super::advance::SlotRows;
use super::driver::{Buffer, Driver, Launch};
use super::legal::{THREADS, WalkMemory};
use super::slots::{SlotArrays, holds};
use crate::error::{Error, ErrorKind, Result};

/// Most draft tokens of a row.
pub const MAX_NODES: usize = 64;
/// As a parent: the token follows the slot itself.
pub const ROOT: u32 = u32::MAX;
/// `sizeof(DraftBlock)`.
const SHARED: u32 = 37_712;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct DraftParams {
    arrays: SlotArrays,
    rows: u64,
    counts: u64,
    tokens: u64,
    parents: u64,
    verdicts: u64,
    words: u64,
    pool: u64,
    spare: u64,
    row_count: u32,
    nodes: u32,
    stride: u32,
    pool_room: u32,
}

const _: () = assert!(size_of::<DraftParams>() == 136);

/// Draft tokens of a batch, and where the answers go.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// Room for the tokens of a row, at most [`MAX_NODES`].
    pub nodes: usize,
    /// u32 `[rows]`: how many each row has, at most `nodes`.
    pub counts: &'a Buffer,
    /// u32 `[rows][nodes]`.
    pub tokens: &'a Buffer,
    /// u32 `[rows][nodes]`: the earlier token that each follows, or [`ROOT`]. Without it every row is a chain.
    pub parents: Option<&'a Buffer>,
    /// u32 `[rows][nodes]`: the first [`verdict`](super::advance::verdict) on the way that is not `OK`.
    pub verdicts: &'a Buffer,
    /// u32 `[rows][nodes + 1][stride]` and the stride in words, if the legal sets are wanted: at the slot, then after
    /// each token; nothing is legal after an illegal or last one. The stride is a multiple of 4.
    pub sets: Option<(&'a Buffer, usize)>,
}

/// Judges draft tokens. Changes no slot.
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] for shapes that do not fit; whatever the driver reports.
pub fn verify_draft(
    driver: &dyn Driver,
    rows: SlotRows<'_>,
    draft: &Draft<'_>,
    walks: &WalkMemory,
) -> Result<()> {
    if rows.count == 0 || draft.nodes == 0 && draft.sets.is_none() {
        return Ok(());
    }
    let refuse = |message: String| Err(Error::new(ErrorKind::InvalidParameter, message));
    if draft.nodes > MAX_NODES {
        return refuse(format!("{} draft tokens; a row takes at most {MAX_NODES}", draft.nodes));
    }
    let all = 4 * rows.count * draft.nodes;
    holds("the row map", rows.rows, 4 * rows.count)?;
    holds("draft counts", draft.counts, 4 * rows.count)?;
    holds("draft tokens", draft.tokens, all)?;
    holds("verdicts", draft.verdicts, all)?;
    if let Some(parents) = draft.parents {
        holds("parents", parents, all)?;
    }
    let stride = draft.sets.map_or(0, |(_, stride)| stride);
    if let Some((words, stride)) = draft.sets {
        if stride < rows.vocab.stride() || !stride.is_multiple_of(4) {
            return refuse(format!(
                "sets of {stride} words; a multiple of 4 from {} on is needed",
                rows.vocab.stride()
            ));
        }
        holds("legal sets", words, 4 * rows.count * (draft.nodes + 1) * stride)?;
    }
    let (pool, pool_room) = walks.pool();
    let params = DraftParams {
        arrays: rows.slots.arrays(rows.vocab),
        rows: rows.rows.address(),
        counts: draft.counts.address(),
        tokens: draft.tokens.address(),
        parents: draft.parents.map_or(0, Buffer::address),
        verdicts: draft.verdicts.address(),
        words: draft.sets.map_or(0, |(words, _)| words.address()),
        pool,
        spare: walks.spare(rows.slots)?,
        row_count: rows.count as u32,
        nodes: draft.nodes as u32,
        stride: stride as u32,
        pool_room,
    };
    let launch = Launch { blocks: walks.blocks(), threads: THREADS, shared: SHARED };
    // SAFETY: `DraftParams` mirrors the kernel's struct; every buffer was checked against rows, nodes and stride;
    // the kernel checks slots' indices and parents; the rest is answered for where slots are written.
    unsafe { driver.launch("verify_draft", launch, bytes_of(&params)) }
}
