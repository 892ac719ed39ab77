//! Launching the sampling kernels (`kernels/sample.cu`).

use bytemuck::{Pod, Zeroable, bytes_of};

use super::driver::{Buffer, Driver, Launch};
use super::layout::{LIST_CAP, LegalHead, RowResult, Slot, TOP_MAX, TopToken};
use crate::error::{Error, ErrorKind, Result};
use crate::sampling::{TILE, TileRecord};

/// Most rows of one launch.
pub const MAX_ROWS: usize = 2048;

/// Most logits of a row on a device.
pub const MAX_WIDTH: usize = 512 * TILE;

/// Threads of a block.
pub const THREADS: u32 = 256;

/// Shared memory of a block: `sizeof(SampleShared)`.
pub const SHARED: u32 = 48_664;

/// A row of a list costs about as much of a block's time as this many tiles.
const LIST_TILES: usize = 8;

/// How a logit is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// 32-bit float.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    Bf16,
}

impl Format {
    /// Bytes of a logit.
    pub fn bytes(self) -> usize {
        match self {
            Format::F32 => 4,
            Format::F16 | Format::Bf16 => 2,
        }
    }

    /// The ending of kernels' names.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Format::F32 => "f32",
            Format::F16 => "f16",
            Format::Bf16 => "bf16",
        }
    }
}

/// A batch of logits in device memory, `[rows, width]`, `stride` elements apart.
#[derive(Clone, Copy, Debug)]
pub struct DeviceLogits {
    address: u64,
    format: Format,
    rows: usize,
    width: usize,
    stride: usize,
}

impl DeviceLogits {
    /// Logits that begin at `address`, of which `elements` may be read.
    ///
    /// # Errors
    ///
    /// If the address is not one of an element, the stride is below the width, the memory ends before the last row
    /// does, or there are too many rows or logits for a launch.
    ///
    /// # Safety
    ///
    /// The `elements` logits must stay readable by the device until the work they are given to is done.
    pub unsafe fn new(
        address: u64,
        elements: usize,
        format: Format,
        rows: usize,
        width: usize,
        stride: usize,
    ) -> Result<Self> {
        let refuse = |what: String| Err(Error::new(ErrorKind::InvalidParameter, what));
        if !address.is_multiple_of(format.bytes() as u64) {
            return refuse(format!("logits at {address:#x} are not aligned to {} bytes", format.bytes()));
        }
        if width == 0 || width > MAX_WIDTH {
            return refuse(format!("rows of {width} logits; a device takes 1 to {MAX_WIDTH}"));
        }
        if rows > MAX_ROWS {
            return refuse(format!("{rows} rows; one launch takes at most {MAX_ROWS}"));
        }
        let needed = match rows {
            0 => Some(0),
            _ => (rows - 1).checked_mul(stride).and_then(|n| n.checked_add(width)),
        };
        if stride < width || needed.is_none_or(|n| n > elements) {
            return refuse(format!(
                "{elements} logits do not hold {rows} rows of {width} with a stride of {stride}; \
                 pass a stride of at least the width and (rows - 1) * stride + width elements"
            ));
        }
        Ok(DeviceLogits { address, format, rows, width, stride })
    }

    /// How a logit is stored.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Logits per row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Tiles per row.
    pub fn tiles(&self) -> usize {
        self.width.div_ceil(TILE)
    }
}

/// `kernels/sample.cuh`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(super) struct SampleParams {
    logits: u64,
    stride: u64,
    rows: u64,
    results: u64,
    tops: u64,
    slots: u64,
    legal_heads: u64,
    legal_ids: u64,
    legal_words: u64,
    records: u64,
    tickets: u64,
    row_count: u32,
    slot_count: u32,
    width: u32,
    tiles: u32,
    words: u32,
    group: u32,
}

const _: () = assert!(size_of::<SampleParams>() == 112);

/// How a batch is spread over blocks. No result depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Blocks of the grid.
    pub blocks: u32,
    /// Least number of tiles that a block takes.
    pub group: u32,
}

impl Spread {
    /// For a device on which `resident` blocks of sampling run at a time.
    ///
    /// A block has eight warps and a warp takes a tile at a time, so a block with fewer than eight tiles is not
    /// worth its ticket; and blocks beyond the resident ones would only wait.
    pub fn new(rows: usize, width: usize, resident: u32) -> Self {
        let group = 8;
        let most = rows * width.div_ceil(TILE).max(LIST_TILES);
        let blocks = most.div_ceil(group).clamp(1, resident.max(1) as usize);
        Spread { blocks: blocks as u32, group: group as u32 }
    }
}

/// The device memory that sampling a batch reads and writes, but for the logits.
#[derive(Clone, Copy, Debug)]
pub struct SampleBuffers<'a> {
    /// u32 `[rows]`: the slot of each row, [`INACTIVE`](super::layout::INACTIVE) if it has none.
    pub rows: &'a Buffer,
    /// [`Slot`] `[slots]`.
    pub slots: &'a Buffer,
    /// [`LegalHead`] `[slots]`.
    pub legal_heads: &'a Buffer,
    /// u32 `[slots][LIST_CAP]`.
    pub legal_ids: &'a Buffer,
    /// u32 `[slots][words]`.
    pub legal_words: &'a Buffer,
    /// Words of a slot's bitmap.
    pub words: usize,
    /// [`TileRecord`] `[rows][tiles]`, of any content.
    pub records: &'a Buffer,
    /// u32 `[rows]`, 0 before the first launch; every launch leaves them so.
    pub tickets: &'a Buffer,
    /// [`RowResult`] `[rows]`.
    pub results: &'a Buffer,
    /// [`TopToken`] `[rows][TOP_MAX]`, if likeliest tokens are to be reported.
    pub tops: Option<&'a Buffer>,
}

impl SampleBuffers<'_> {
    /// The kernel's parameters, with every size checked.
    pub(super) fn params(&self, logits: &DeviceLogits, spread: Spread) -> Result<SampleParams> {
        let rows = logits.rows;
        let slots = self.slots.len() / size_of::<Slot>();
        let tiles = logits.tiles();
        let too_small = |name: &str, needed: usize, has: usize| {
            let message =
                format!("the buffer of {name} has {has} bytes, a batch of {rows} rows needs {needed}");
            Err(Error::new(ErrorKind::InvalidParameter, message))
        };
        if self.words < logits.width.div_ceil(32) {
            return too_small("a bitmap", logits.width.div_ceil(32) * 4, self.words * 4);
        }
        for (name, buffer, needed) in [
            ("the row map", self.rows, rows * 4),
            ("legal heads", self.legal_heads, slots * size_of::<LegalHead>()),
            ("legal ids", self.legal_ids, slots * LIST_CAP * 4),
            ("legal words", self.legal_words, slots * self.words * 4),
            ("records", self.records, rows * tiles * size_of::<TileRecord>()),
            ("tickets", self.tickets, rows * 4),
            ("results", self.results, rows * size_of::<RowResult>()),
        ] {
            if buffer.len() < needed {
                return too_small(name, needed, buffer.len());
            }
        }
        let needed = rows * TOP_MAX * size_of::<TopToken>();
        if let Some(tops) = self.tops.filter(|tops| tops.len() < needed) {
            return too_small("likeliest tokens", needed, tops.len());
        }
        Ok(SampleParams {
            logits: logits.address,
            stride: logits.stride as u64,
            rows: self.rows.address(),
            results: self.results.address(),
            tops: self.tops.map_or(0, Buffer::address),
            slots: self.slots.address(),
            legal_heads: self.legal_heads.address(),
            legal_ids: self.legal_ids.address(),
            legal_words: self.legal_words.address(),
            records: self.records.address(),
            tickets: self.tickets.address(),
            row_count: rows as u32,
            slot_count: slots as u32,
            width: logits.width as u32,
            tiles: tiles as u32,
            words: self.words as u32,
            group: spread.group.max(1),
        })
    }
}

/// Samples a token for every row, and leaves slots as they are.
///
/// # Errors
///
/// `InvalidParameter` if a buffer is too small; whatever the driver reports.
///
/// # Safety
///
/// Slots must be as [`layout`](super::layout) has it, with `adjust` 0 or the address of a [block](super::adjust) made for this width,
/// and no slot may stand in two rows.
pub unsafe fn sample(
    driver: &dyn Driver,
    logits: &DeviceLogits,
    buffers: &SampleBuffers<'_>,
    spread: Spread,
) -> Result<()> {
    if logits.rows == 0 {
        return Ok(());
    }
    let params = buffers.params(logits, spread)?;
    let kernel = format!("sample_{}", logits.format.suffix());
    let launch = Launch { blocks: spread.blocks.max(1), threads: THREADS, shared: SHARED };
    // SAFETY: `SampleParams` mirrors the kernel's struct; `params` checked every buffer against rows, slots and
    // tiles; the kernel checks slot indices and listed ids itself; the rest is the caller's promise.
    unsafe { driver.launch(&kernel, launch, bytes_of(&params)) }
}
