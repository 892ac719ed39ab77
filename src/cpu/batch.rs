//! Masks of several rows at once.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::masker::Masker;
use super::program::Program;
use super::state::State;

/// Starting threads takes about this long; less work than that is done by the caller.
const WORTH_A_THREAD: Duration = Duration::from_micros(200);

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

/// As [`Masker::mask`] for every row, with at most one thread per masker.
///
/// A remembered mask takes a microsecond, a new one may take a hundred, and nobody knows beforehand. So the
/// caller begins alone; threads join once the rows left would take it longer than starting them does,
/// going by the rows so far.
///
/// # Panics
/// If there is no masker, or as [`Masker::mask`].
pub fn mask_rows(maskers: &mut [Masker], rows: &mut [MaskRow<'_>]) {
    let (mine, others) = maskers.split_first_mut().expect("at least one masker");
    let total = rows.len() as u32;
    let start = Instant::now();
    let mut rows = rows.iter_mut();
    for done in 1.. {
        let Some(row) = rows.next() else { return };
        mine.mask(row.program, row.state, row.budget, row.out);
        if !others.is_empty() && start.elapsed() / done * (total - done) > 2 * WORTH_A_THREAD {
            break;
        }
    }
    let left = Mutex::new(rows);
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
