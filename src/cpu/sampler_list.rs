//! Sampling from a list of tokens: narrow rows, and what a truncation has left of a wide one.
//!
//! A list is short, so it is ranked and weighed as a whole. Tokens stand in id order; those of one
//! tile form a span with a record of its own, and tiles without a token in the list have no mass.

use super::sampler_simd::Simd;
use crate::sampling::{
    Cutoff, Draw, ILLEGAL, RowParams, TILE, TOP_P_OFF, TileRecord, UNIT_BITS, log2_ratio, mass, order,
    order_to_cutoff, pick_tile, pick_token, total_mass,
};

/// Legal tokens in id order, `[n]`, with their tiles.
#[derive(Debug, Default)]
pub(super) struct TokenList {
    ids: Vec<u32>,
    z: Vec<f32>,
    /// Each token's tile's maximum.
    a: Vec<f32>,
    weights: Vec<u32>,
    /// End of each tile's span.
    ends: Vec<usize>,
    records: Vec<TileRecord>,
    orders: Vec<u64>,
}

impl TokenList {
    pub fn clear(&mut self) {
        self.ids.clear();
        self.z.clear();
    }

    /// Appends a token with its canonical logit; ids must ascend.
    pub fn push(&mut self, id: u32, z: f32) {
        self.ids.push(id);
        self.z.push(z);
    }

    /// Groups the tokens into tiles.
    ///
    /// The list must be all of a row's legal tokens or the head of its order, so that a tile with a
    /// token in the list has its greatest logit there too.
    pub fn group(&mut self) {
        self.ends.clear();
        self.records.clear();
        self.a.clear();
        let mut start = 0;
        for tokens in self.ids.chunk_by(|a, b| *a as usize / TILE == *b as usize / TILE) {
            let end = start + tokens.len();
            let max = self.z[start..end].iter().copied().fold(ILLEGAL, f32::max);
            self.ends.push(end);
            self.records.push(TileRecord { max, ..TileRecord::EMPTY });
            self.a.resize(end, max);
            start = end;
        }
    }

    /// The greatest logit, −∞ if the list is empty.
    pub fn max(&self) -> f32 {
        self.records.iter().map(|r| r.max).fold(ILLEGAL, f32::max)
    }

    /// The first token whose logit is `z`.
    pub fn first_with(&self, z: f32) -> Option<u32> {
        Some(self.ids[self.z.iter().position(|&t| t == z)?])
    }

    /// Weighs every token and sums the tiles.
    pub fn weigh(&mut self, simd: Simd, s: f32) {
        self.weights.resize(self.ids.len(), 0);
        simd.weights_each(&self.z, &self.a, s, &mut self.weights);
        self.sum();
    }

    fn sum(&mut self) {
        let mut start = 0;
        for (record, &end) in self.records.iter_mut().zip(&self.ends) {
            record.sum = self.weights[start..end].iter().map(|&w| u64::from(w)).sum();
            start = end;
        }
    }

    /// log2 of the mass of the list in units of one token at `row_max`.
    pub fn log2_total(&self, row_max: f32, s: f32) -> f32 {
        log2_ratio(total_mass(&self.records, row_max, s), UNIT_BITS)
    }

    /// Takes the weight of every token that min-p, top-k and top-p cut. The list must be weighed.
    pub fn truncate(&mut self, row_max: f32, params: &RowParams) {
        // Low halves are positions instead of ids: they order ties alike and lead back to the token.
        self.orders.clear();
        let s = params.scale;
        let tokens = self.z.iter().enumerate();
        self.orders.extend(
            tokens
                .filter(|&(_, &z)| (z - row_max) * s >= params.min_p_log2)
                .map(|(i, &z)| order(z, i as u32)),
        );
        let k = params.top_k as usize;
        if k < self.orders.len() {
            self.orders.select_nth_unstable_by(k - 1, |a, b| b.cmp(a));
            self.orders.truncate(k);
        }
        let last = self.orders.iter().copied().min();
        self.cut(last.map_or(Cutoff::NONE, order_to_cutoff));
        if params.top_p != TOP_P_OFF {
            let total = total_mass(&self.records, row_max, s);
            let last = self.top_p(enough(total, params), row_max, s);
            self.cut(last.map_or(Cutoff::NONE, order_to_cutoff));
        }
    }

    /// The last order of the least prefix with a mass of at least `enough`; `None` if none has it.
    ///
    /// `orders` must be in use and the list weighed.
    fn top_p(&mut self, enough: u64, row_max: f32, s: f32) -> Option<u64> {
        // Sorted piece by piece: the prefix is short as a rule.
        let mut rest = &mut self.orders[..];
        let mut piece = 32;
        let mut prefix = 0;
        while !rest.is_empty() {
            let n = piece.min(rest.len());
            if n < rest.len() {
                rest.select_nth_unstable_by(n - 1, |a, b| b.cmp(a));
            }
            let (head, tail) = rest.split_at_mut(n);
            head.sort_unstable_by(|a, b| b.cmp(a));
            for &order in head.iter() {
                let i = order_to_cutoff(order).id as usize;
                prefix += mass(u64::from(self.weights[i]), self.a[i], row_max, s);
                if prefix >= enough {
                    return Some(order);
                }
            }
            rest = tail;
            piece *= 4;
        }
        None
    }

    /// Takes the weight of every position after the cut, and sums the tiles again.
    fn cut(&mut self, cut: Cutoff) {
        for (i, (w, &z)) in self.weights.iter_mut().zip(&self.z).enumerate() {
            if !cut.keeps(z, i as u32) {
                *w = 0;
            }
        }
        self.sum();
    }

    /// The mass of the best tokens of a list that is the head of a row: whether a prefix of it has
    /// at least `enough`, with the tokens after that prefix cut.
    pub fn truncate_to(&mut self, enough: u64, row_max: f32, s: f32) -> bool {
        self.orders.clear();
        let tokens = self.z.iter().enumerate();
        self.orders.extend(tokens.map(|(i, &z)| order(z, i as u32)));
        match self.top_p(enough, row_max, s) {
            Some(last) => {
                self.cut(order_to_cutoff(last));
                true
            }
            None => false,
        }
    }

    /// Draws a token: id and logit. The list must be weighed, and its best token must have mass.
    pub fn draw(&self, row_max: f32, s: f32, draw: Draw) -> (u32, f32) {
        let tile = pick_tile(&self.records, row_max, s, draw.tile).expect("the best token has mass");
        let start = if tile == 0 { 0 } else { self.ends[tile - 1] };
        let weights = &self.weights[start..self.ends[tile]];
        let i = start + pick_token(weights, draw.token).expect("a tile with mass has weight");
        (self.ids[i], self.z[i])
    }

    /// Appends the orders of the best `n` tokens, best first.
    pub fn best(&self, n: usize, orders: &mut Vec<u64>) {
        orders.clear();
        orders.extend(self.ids.iter().zip(&self.z).map(|(&id, &z)| order(z, id)));
        keep_best(n, orders);
        orders.sort_unstable_by(|a, b| b.cmp(a));
    }
}

/// The mass that top-p asks of a prefix: max(1, ⌊total · p32 / 2^32⌋).
pub(super) fn enough(total: u64, params: &RowParams) -> u64 {
    (((u128::from(total) * u128::from(params.top_p)) >> 32) as u64).max(1)
}

/// Drops all but the greatest `n` orders; the rest is in no order.
pub(super) fn keep_best(n: usize, orders: &mut Vec<u64>) {
    if n < orders.len() {
        if n > 0 {
            orders.select_nth_unstable_by(n - 1, |a, b| b.cmp(a));
        }
        orders.truncate(n);
    }
}
