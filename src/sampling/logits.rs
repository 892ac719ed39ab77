//! Views of logits: one row, or a batch of rows.

use half::{bf16, f16};

use crate::error::{Error, ErrorKind, Result};

/// One row of logits, `[width]`, borrowed. Narrow formats are widened exactly to `f32`.
#[derive(Clone, Copy, Debug)]
pub enum Logits<'a> {
    /// 32-bit floats.
    F32(&'a [f32]),
    /// IEEE half precision.
    F16(&'a [f16]),
    /// bfloat16.
    Bf16(&'a [bf16]),
}

impl<'a> Logits<'a> {
    /// Number of ids.
    pub fn width(self) -> usize {
        match self {
            Logits::F32(row) => row.len(),
            Logits::F16(row) => row.len(),
            Logits::Bf16(row) => row.len(),
        }
    }

    /// The logit of `id`, widened.
    ///
    /// # Panics
    ///
    /// If `id` is not below the width.
    pub fn get(self, id: usize) -> f32 {
        match self {
            Logits::F32(row) => row[id],
            Logits::F16(row) => row[id].to_f32(),
            Logits::Bf16(row) => row[id].to_f32(),
        }
    }

    fn slice(self, range: std::ops::Range<usize>) -> Option<Logits<'a>> {
        Some(match self {
            Logits::F32(row) => Logits::F32(row.get(range)?),
            Logits::F16(row) => Logits::F16(row.get(range)?),
            Logits::Bf16(row) => Logits::Bf16(row.get(range)?),
        })
    }
}

/// A batch of rows, `[rows, width]`, `stride` elements apart.
#[derive(Clone, Copy, Debug)]
pub struct LogitsBatch<'a> {
    data: Logits<'a>,
    rows: usize,
    stride: usize,
    width: usize,
}

impl<'a> LogitsBatch<'a> {
    /// A view of `rows` rows of `width` logits that start `stride` elements apart in `data`.
    ///
    /// # Errors
    ///
    /// If `stride` is below `width`, or `data` ends before the last row does.
    pub fn new(data: Logits<'a>, rows: usize, stride: usize, width: usize) -> Result<Self> {
        let needed = match rows.checked_sub(1) {
            None => Some(0),
            Some(before) => before.checked_mul(stride).and_then(|n| n.checked_add(width)),
        };
        if stride < width || needed.is_none_or(|n| n > data.width()) {
            return Err(Error::new(
                ErrorKind::InvalidParameter,
                format!(
                    "{} logits do not hold {rows} rows of {width} with a stride of {stride}; \
                     pass a stride of at least the width and (rows - 1) * stride + width elements",
                    data.width()
                ),
            ));
        }
        Ok(LogitsBatch { data, rows, stride, width })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Ids per row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Row `row`, `None` past the last.
    pub fn row(&self, row: usize) -> Option<Logits<'a>> {
        if row >= self.rows {
            return None;
        }
        let start = row * self.stride;
        self.data.slice(start..start + self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_strided_batch() {
        let data: Vec<f32> = (0..11).map(|i| i as f32).collect();
        let batch = LogitsBatch::new(Logits::F32(&data), 3, 4, 3).unwrap();
        let rows: Vec<f32> = (0..3).map(|r| batch.row(r).unwrap().get(2)).collect();
        assert_eq!(rows, [2.0, 6.0, 10.0]);
        assert_eq!(batch.row(2).unwrap().width(), 3);
        assert!(batch.row(3).is_none());
        assert!(LogitsBatch::new(Logits::F32(&data), 3, 4, 4).is_err());
        assert!(LogitsBatch::new(Logits::F32(&data), 1, 2, 3).is_err());
        assert!(LogitsBatch::new(Logits::F32(&data), usize::MAX, 4, 4).is_err());
        assert!(LogitsBatch::new(Logits::F32(&[]), 0, 4, 4).is_ok());
    }
}
