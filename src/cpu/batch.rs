//! Masks of several rows at once.

use std::sync::Mutex;

use super::masker::Masker;
use super::program::Program;
use super::state::State;

/// Rows that are worth a thread: starting one costs as much as ten masks.
const ROWS_PER_THREAD: usize = 16;

/// One row of a batch.
#[derive(Debug)]
pub struct MaskRow<'a> {
    /// The row's grammar.
    pub program: &'a Program,
    /// Where its text is.
    pub state: &'a State,
    /// Tokens left, the next included; `None`: any number.
    pub budget: Option<u64>,
    /// `[ceil(width / 32)]` words.
    pub out: &'a mut [u32],
}

/// As [`Masker::mask`] for every row, with at most one thread per masker and none for few rows.
///
/// # Panics
/// If there is no masker, or as [`Masker::mask`].
pub fn mask_rows(maskers: &mut [Masker], rows: &mut [MaskRow<'_>]) {
    let threads = (rows.len() / ROWS_PER_THREAD).clamp(1, maskers.len());
    let (mine, others) = maskers[..threads].split_first_mut().expect("at least one masker");
    if others.is_empty() {
        for row in rows {
            mine.mask(row.program, row.state, row.budget, row.out);
        }
        return;
    }
    let left = Mutex::new(rows.iter_mut());
    let work = |masker: &mut Masker| {
        loop {
            let row = left.lock().expect("nothing panics under the lock").next();
            let Some(row) = row else { return };
            masker.mask(row.program, row.state, row.budget, row.out);
        }
    };
    std::thread::scope(|scope| {
        for masker in others {
            scope.spawn(|| work(masker));
        }
        work(mine);
    });
}
