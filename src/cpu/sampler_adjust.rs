//! Biases and penalties, gathered once per row so that a pass over tiles finds its own.

use crate::sampling::{
    RowParams, SamplingParams, TILE, TokenCount, TokenCounts, biased, canonical, penalised,
};

/// What is to be done to one logit of a row.
#[derive(Clone, Copy, Debug)]
enum Change {
    Bias(f32),
    Seen(TokenCount),
}

/// The changes of a row, by tile. Changes of one tile stand together, biases before penalties.
#[derive(Debug, Default)]
pub(super) struct Adjustments {
    changes: Vec<(u32, Change)>,
    /// `[tiles + 1]`: where each tile's changes start; empty if the row has none.
    starts: Vec<u32>,
    /// Biases in id order, for rows that look up single ids.
    biases: Vec<(u32, f32)>,
}

impl Adjustments {
    /// Gathers the changes of a row of `width` logits, bucketed by tile.
    pub fn by_tile(&mut self, params: &SamplingParams, row: &RowParams, counts: &TokenCounts, width: usize) {
        self.starts.clear();
        self.changes.clear();
        let counts = row.has_penalties().then_some(counts);
        let seen = || {
            let counts = counts.into_iter().flat_map(TokenCounts::iter);
            counts.filter(|&(id, _)| (id as usize) < width)
        };
        if params.logit_bias.is_empty() && seen().next().is_none() {
            return;
        }
        // A counting sort; placing from the back leaves `starts` shifted down to the first of each.
        self.starts.resize(width.div_ceil(TILE) + 1, 0);
        let ids = params.logit_bias.iter().map(|entry| entry.0);
        for id in ids.chain(seen().map(|entry| entry.0)) {
            self.starts[id as usize / TILE] += 1;
        }
        let mut total = 0;
        for start in &mut self.starts {
            total += *start;
            *start = total;
        }
        self.changes.resize(total as usize, (0, Change::Bias(0.0)));
        let mut place = |id: u32, change| {
            let end = &mut self.starts[id as usize / TILE];
            *end -= 1;
            self.changes[*end as usize] = (id, change);
        };
        for (id, count) in seen() {
            place(id, Change::Seen(count));
        }
        for &(id, bias) in &params.logit_bias {
            place(id, Change::Bias(bias));
        }
    }

    fn of(&self, tile: usize) -> &[(u32, Change)] {
        match self.starts.get(tile..tile + 2) {
            Some(&[start, end]) => &self.changes[start as usize..end as usize],
            _ => &[],
        }
    }

    /// Whether `tile` has changes.
    pub fn touches(&self, tile: usize) -> bool {
        !self.of(tile).is_empty()
    }

    /// Applies the changes of `tile` to its logits; whether there were any.
    pub fn apply(&self, tile: usize, row: &RowParams, z: &mut [f32; TILE]) -> bool {
        let changes = self.of(tile);
        for &(id, change) in changes {
            let z = &mut z[id as usize % TILE];
            *z = match change {
                Change::Bias(bias) => biased(canonical(*z), bias),
                Change::Seen(count) => penalised(canonical(*z), count, row),
            };
        }
        !changes.is_empty()
    }

    /// Gathers the biases for [`adjust_one`](Self::adjust_one).
    pub fn by_id(&mut self, params: &SamplingParams) {
        self.biases.clear();
        self.biases.extend_from_slice(&params.logit_bias);
        self.biases.sort_unstable_by_key(|entry| entry.0);
    }

    /// The canonical logit `z` of `id`, adjusted.
    pub fn adjust_one(&self, id: u32, z: f32, row: &RowParams, counts: &TokenCounts) -> f32 {
        let mut z = z;
        if !self.biases.is_empty()
            && let Ok(i) = self.biases.binary_search_by_key(&id, |entry| entry.0)
        {
            z = biased(z, self.biases[i].1);
        }
        if row.has_penalties() {
            z = penalised(z, counts.get(id), row);
        }
        z
    }
}
