//! Logits to measure with, in device memory: enough batches that none is in the cache when its turn comes.

use half::bf16;

use crate::device::check::random::Random;
use crate::device::driver::{Buffer, Driver};
use crate::device::sample::{DeviceLogits, Format};
use crate::error::Result;

/// How logits are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As models' are: by rank r about −1.3 ln r with noise, in random order. A few tokens hold most of the mass.
    Model,
    /// N(0, 1): flat.
    Normal,
    /// N(0, 1) and one token 30 above.
    Spike,
}

impl Shape {
    /// A name for tables.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Model => "model-like",
            Shape::Normal => "N(0,1)",
            Shape::Spike => "spike",
        }
    }

    fn row(self, random: &mut Random, width: usize) -> Vec<f32> {
        match self {
            Shape::Model => {
                let mut ranks: Vec<u32> = (0..width as u32).collect();
                for i in (1..width).rev() {
                    ranks.swap(i, random.below(i + 1));
                }
                let mut noise = || random.normal() * 0.6;
                ranks.iter().map(|&r| (18.0 - 1.3 * f64::from(r + 1).ln() + noise()) as f32).collect()
            }
            Shape::Normal => (0..width).map(|_| random.normal() as f32).collect(),
            Shape::Spike => {
                let mut row: Vec<f32> = (0..width).map(|_| random.normal() as f32).collect();
                row[random.below(width)] += 30.0;
                row
            }
        }
    }
}

/// Different rows that an arena is filled with, in turn.
const ROWS: usize = 12;

/// Batches of logits one after the other, rows padded to 64.
pub struct Arena {
    buffer: Buffer,
    format: Format,
    width: usize,
    stride: usize,
}

impl Arena {
    /// Fills `bytes` bytes, or a little less: whole rows, at least `rows`.
    ///
    /// # Errors
    /// What the driver says.
    pub fn new(
        device: &dyn Driver,
        shape: Shape,
        format: Format,
        width: usize,
        rows: usize,
        bytes: usize,
    ) -> Result<Arena> {
        let stride = width.next_multiple_of(64);
        let row_bytes = stride * format.bytes();
        let all = (bytes / row_bytes).max(rows);
        let buffer = device.alloc(all * row_bytes)?;
        let mut random = Random(width as u64);
        for i in 0..ROWS.min(all) {
            let mut row = shape.row(&mut random, width);
            row.resize(stride, f32::NEG_INFINITY);
            match format {
                Format::F32 => device.upload(&buffer, i * row_bytes, bytemuck::cast_slice(&row))?,
                _ => {
                    let narrow: Vec<bf16> = row.iter().map(|&z| bf16::from_f32(z)).collect();
                    device.upload(&buffer, i * row_bytes, bytemuck::cast_slice(&narrow))?;
                }
            }
        }
        // Whole rounds, doubled each time: copies, not uploads.
        let mut filled = ROWS.min(all);
        while filled < all {
            let more = filled.min(all - filled);
            device.copy(&buffer, filled * row_bytes, &buffer, 0, more * row_bytes)?;
            filled += more;
        }
        Ok(Arena { buffer, format, width, stride })
    }

    /// Bytes of all rows.
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// How many batches of `rows` rows there are.
    pub fn batches(&self, rows: usize) -> usize {
        self.buffer.len() / (rows * self.stride * self.format.bytes())
    }

    /// Elements from one row to the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Where batch `i` begins, counted around, and how many elements it has.
    pub fn place(&self, i: usize, rows: usize) -> (u64, usize) {
        let batch = rows * self.stride;
        let at = i % self.batches(rows) * batch * self.format.bytes();
        (self.buffer.address() + at as u64, batch)
    }

    /// Batch `i`, counted around.
    ///
    /// # Errors
    /// For more rows than a launch takes.
    ///
    /// # Safety
    /// The arena must stay until the work that is given the batch is done, for captured work until the last replay.
    pub unsafe fn batch(&self, i: usize, rows: usize) -> Result<DeviceLogits> {
        let (address, elements) = self.place(i, rows);
        // SAFETY: the elements lie in the buffer, which stays by the caller's promise.
        unsafe { DeviceLogits::new(address, elements, self.format, rows, self.width, self.stride) }
    }
}
