//! Launching `kernels/masks.cu`: masks for stacks that have a sampler of their own.

use bytemuck::{Pod, Zeroable, bytes_of};

use super::driver::{Buffer, Driver, Launch};
use super::legal::LegalSets;
use super::sample::Format;
use super::slots::holds;
use super::vocabulary::DeviceVocabulary;
use crate::error::{Error, ErrorKind, Result};

/// Threads of a block.
const THREADS: u32 = 256;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct FillParams {
    heads: u64,
    ids: u64,
    words: u64,
    rows: u64,
    out: u64,
    row_count: u32,
    slot_count: u32,
    width: u32,
    stride: u32,
    out_stride: u32,
    padding: u32,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct ApplyParams {
    logits: u64,
    mask: u64,
    rows: u64,
    stride: u64,
    row_count: u32,
    columns: u32,
    width: u32,
    mask_stride: u32,
    format: u32,
    padding: u32,
}

const _: () = assert!(size_of::<FillParams>() == 64 && size_of::<ApplyParams>() == 56);

fn refuse<T>(message: String) -> Result<T> {
    Err(Error::new(ErrorKind::InvalidParameter, message))
}

/// Writes the masks of `count` rows out, in the layout of XGrammar and llguidance: u32 `[rows][stride]` with
/// `stride >= ceil(width / 32)`, least significant bit first, 1 = legal, 0 beyond the width. A row without a slot is
/// all ones. The sets must have been made by [`legal`](super::legal::legal).
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] for shapes that do not fit; whatever the driver reports.
pub fn fill_bitmask(
    driver: &dyn Driver,
    vocab: &DeviceVocabulary,
    sets: &LegalSets,
    rows: &Buffer,
    count: usize,
    out: &Buffer,
    stride: usize,
) -> Result<()> {
    if count == 0 {
        return Ok(());
    }
    if sets.stride() != vocab.stride() {
        return refuse("the legal sets are of another vocabulary".into());
    }
    let words = vocab.width().div_ceil(32);
    if stride < words || stride > u32::MAX as usize {
        return refuse(format!("masks of {stride} words; {words} are needed"));
    }
    holds("the row map", rows, 4 * count)?;
    holds("masks", out, 4 * ((count - 1) * stride + words))?;
    let params = FillParams {
        heads: sets.heads().address(),
        ids: sets.ids().address(),
        words: sets.words().address(),
        rows: rows.address(),
        out: out.address(),
        row_count: count as u32,
        slot_count: sets.slots() as u32,
        width: vocab.width() as u32,
        stride: sets.stride() as u32,
        out_stride: stride as u32,
        padding: 0,
    };
    let launch = Launch { blocks: count.min(1 << 16) as u32, threads: THREADS, shared: 0 };
    // SAFETY: `FillParams` mirrors the kernel's struct; the buffers were checked; the kernel checks slots' indices, and
    // listed ids are below the width because `legal` wrote them.
    unsafe { driver.launch("fill_bitmask", launch, bytes_of(&params)) }
}

/// Logits to be masked in place, `[rows, columns]`, `stride` elements apart.
#[derive(Clone, Copy, Debug)]
pub struct MaskedLogits {
    /// Of the first logit.
    pub address: u64,
    /// Elements that may be written.
    pub elements: usize,
    /// How a logit is stored.
    pub format: Format,
    /// Rows there are.
    pub rows: usize,
    /// Logits of a row; those from the mask's width on become −∞.
    pub columns: usize,
    /// Elements from one row to the next.
    pub stride: usize,
}

/// Masks in device memory: u32 `[rows][stride]` of `width` bits.
#[derive(Clone, Copy, Debug)]
pub struct Masks<'a> {
    /// The words.
    pub words: &'a Buffer,
    /// Words from one row to the next.
    pub stride: usize,
    /// Bits of a row.
    pub width: usize,
}

/// Sets the illegal logits of rows to −∞, in place. `rows`, u32 `[count]`, names the rows of both logits and masks;
/// without it they are the first `count`.
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] for shapes that do not fit; whatever the driver reports.
///
/// # Safety
/// The memory behind `logits` must stay writable until the launch is done, and every index in `rows` be below
/// [`MaskedLogits::rows`]; an index that stands there twice is masked twice, to the same effect.
pub unsafe fn apply_bitmask(
    driver: &dyn Driver,
    logits: &MaskedLogits,
    masks: Masks<'_>,
    rows: Option<&Buffer>,
    count: usize,
) -> Result<()> {
    if count == 0 || logits.columns == 0 {
        return Ok(());
    }
    let bytes = logits.format.bytes();
    if !logits.address.is_multiple_of(bytes as u64) {
        return refuse(format!("logits at {:#x} are not aligned to {bytes} bytes", logits.address));
    }
    if logits.columns > 1 << 24 || masks.width > 1 << 24 || count > logits.rows && rows.is_none() {
        return refuse(format!("{count} rows of {} logits, masks of {} bits", logits.columns, masks.width));
    }
    let needed = logits.rows.saturating_sub(1).saturating_mul(logits.stride).saturating_add(logits.columns);
    if logits.stride < logits.columns || needed > logits.elements || logits.rows == 0 {
        return refuse(format!(
            "{} logits do not hold {} rows of {} with a stride of {}",
            logits.elements, logits.rows, logits.columns, logits.stride
        ));
    }
    let words = masks.width.div_ceil(32);
    if masks.stride < words {
        return refuse(format!("masks of {} words hold no {} bits", masks.stride, masks.width));
    }
    holds("masks", masks.words, 4 * ((logits.rows - 1) * masks.stride + words))?;
    if let Some(rows) = rows {
        holds("the list of rows", rows, 4 * count)?;
    }
    let params = ApplyParams {
        logits: logits.address,
        mask: masks.words.address(),
        rows: rows.map_or(0, Buffer::address),
        stride: logits.stride as u64,
        row_count: count as u32,
        columns: logits.columns as u32,
        width: masks.width as u32,
        mask_stride: masks.stride as u32,
        format: match logits.format {
            Format::F32 => 0,
            Format::F16 => 1,
            Format::Bf16 => 2,
        },
        padding: 0,
    };
    // Enough groups of 16 bytes for a few rounds of every block.
    let share = (logits.columns * bytes).div_ceil(16 * THREADS as usize * 4).max(1);
    let launch = Launch { blocks: (count * share).min(1 << 12) as u32, threads: THREADS, shared: 0 };
    // SAFETY: `ApplyParams` mirrors the kernel's struct; logits and masks were checked to hold all their rows; the
    // memory and the indices are the caller's promise.
    unsafe { driver.launch("apply_bitmask", launch, bytes_of(&params)) }
}
