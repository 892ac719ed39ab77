//! Sampling a wide row, tile by tile.
//!
//! ```text
//! scan:      for every tile: greatest legal logit, and the sum of the weights while it is in L1
//! truncate:  a short list of the best tokens if one is enough (top-k, peaked top-p, min-p);
//!            else a cut-off from a histogram of mass over logit, and a second pass for the sums
//! draw:      pick a tile from the records, read it again, pick a token
//! ```
//!
//! Finding the list costs no sort of the row: the k-th largest tile maximum is a lower bound of the
//! k-th largest logit, so about k tiles are read again.

use super::sampler_adjust::Adjustments;
use super::sampler_list::{TokenList, enough, keep_best};
use super::sampler_simd::{BINS, Simd, Tile};
use crate::sampling::{
    Cutoff, Draw, ILLEGAL, Logits, RowParams, TILE, TOP_P_OFF, TileRecord, UNIT_BITS, canonical, key,
    key_to_f32, log2_ratio, mass, order, order_to_cutoff, pick_tile, pick_token, scale24, total_mass,
};

/// Most tokens that are ranked as a list; longer heads of a row are found as a cut-off.
pub(super) const LIST: usize = 4096;

/// A wide row and its parameters.
#[derive(Clone, Copy)]
pub(super) struct WideRow<'a> {
    pub logits: Logits<'a>,
    pub mask: Option<&'a [u32]>,
    pub params: &'a RowParams,
    pub simd: Simd,
}

/// Buffers of a wide row, kept between rows.
pub(super) struct WideScratch {
    pub adjust: Adjustments,
    /// All legal tokens by tile; sums only if the scan weighed.
    pub records: Vec<TileRecord>,
    kept: Vec<TileRecord>,
    maxima: Vec<f32>,
    pub orders: Vec<u64>,
    masses: Vec<(u64, u64)>,
    histogram: Vec<u64>,
    tile: Box<Tile>,
    weights: Box<[u32; TILE]>,
    bins: Box<[u32; TILE]>,
}

impl Default for WideScratch {
    fn default() -> Self {
        WideScratch {
            adjust: Adjustments::default(),
            records: Vec::new(),
            kept: Vec::new(),
            maxima: Vec::new(),
            orders: Vec::new(),
            masses: Vec::new(),
            histogram: vec![0; BINS],
            tile: Box::new(Tile([ILLEGAL; TILE])),
            weights: Box::new([0; TILE]),
            bins: Box::new([0; TILE]),
        }
    }
}

impl WideRow<'_> {
    fn tiles(&self) -> usize {
        self.logits.width().div_ceil(TILE)
    }

    /// The ids of `tile`, its mask words, and whether one of them is legal.
    fn tile(&self, tile: usize) -> (std::ops::Range<usize>, Option<&[u32]>, bool) {
        let ids = tile * TILE..self.logits.width().min((tile + 1) * TILE);
        let words = self.mask.map(|mask| &mask[ids.start / 32..ids.end.div_ceil(32)]);
        let any = words.is_none_or(|words| words.iter().fold(0, |any, word| any | word) != 0);
        (ids, words, any)
    }

    /// Reads a tile with its mask and adjustments; its greatest logit.
    fn load(&self, index: usize, adjust: &Adjustments, tile: &mut Tile) -> f32 {
        let (ids, words, _) = self.tile(index);
        let mut max = match self.logits {
            Logits::F32(row) => self.simd.load(&row[ids], words, tile),
            Logits::F16(row) => self.simd.load(&row[ids], words, tile),
            Logits::Bf16(row) => self.simd.load(&row[ids], words, tile),
        };
        if adjust.apply(index, self.params, &mut tile.0) {
            max = self.simd.max(&tile.0, None);
        }
        if max > f32::MAX {
            for z in &mut tile.0 {
                *z = if *z > f32::MAX { f32::MAX } else { *z };
            }
        }
        canonical(max)
    }

    /// The greatest logit of a tile that has no adjustments.
    fn max(&self, index: usize) -> f32 {
        let (ids, words, _) = self.tile(index);
        canonical(match self.logits {
            Logits::F32(row) => self.simd.max(&row[ids], words),
            Logits::F16(row) => self.simd.max(&row[ids], words),
            Logits::Bf16(row) => self.simd.max(&row[ids], words),
        })
    }

    /// Fills `records`, with sums if `weigh`; the row's greatest logit, −∞ if none is legal.
    pub fn scan(&self, weigh: bool, scratch: &mut WideScratch) -> f32 {
        let s = self.params.scale;
        let mut row_max = ILLEGAL;
        scratch.records.clear();
        for index in 0..self.tiles() {
            let mut record = TileRecord::EMPTY;
            let (ids, words, any) = self.tile(index);
            let plain = !scratch.adjust.touches(index);
            match self.logits {
                _ if !any => {}
                Logits::F32(row) if plain && words.is_none() && ids.len() == TILE => {
                    record.max = self.max(index);
                    if weigh && record.max > ILLEGAL {
                        record.sum = self.simd.sum_weights(&row[ids], record.max, s);
                    }
                }
                _ if plain && !weigh => record.max = self.max(index),
                _ => {
                    record.max = self.load(index, &scratch.adjust, &mut scratch.tile);
                    if weigh && record.max > ILLEGAL {
                        record.sum = self.simd.sum_weights(&scratch.tile.0, record.max, s);
                    }
                }
            }
            row_max = if record.max > row_max { record.max } else { row_max };
            scratch.records.push(record);
        }
        row_max
    }

    /// The first id whose logit is the row's greatest.
    pub fn first_with(&self, row_max: f32, scratch: &mut WideScratch) -> u32 {
        let index = scratch.records.iter().position(|r| r.max == row_max);
        let index = index.expect("a tile has the greatest logit");
        self.load(index, &scratch.adjust, &mut scratch.tile);
        (index * TILE + self.simd.find(&scratch.tile, row_max)) as u32
    }

    /// Draws from what the truncations keep: id and logit. Top-p alone and no truncation need sums.
    pub fn draw(
        &self,
        row_max: f32,
        draw: Draw,
        scratch: &mut WideScratch,
        list: &mut TokenList,
    ) -> (u32, f32) {
        let params = self.params;
        let has_top_k = params.top_k != u32::MAX;
        let has_min_p = params.min_p_log2 > f32::NEG_INFINITY;
        if !params.has_truncation() {
            std::mem::swap(&mut scratch.records, &mut scratch.kept);
            let drawn = self.draw_kept(row_max, draw, Cutoff::NONE, scratch);
            std::mem::swap(&mut scratch.records, &mut scratch.kept);
            return drawn;
        }

        let mut cut = Cutoff { z: self.min_p_floor(row_max), ..Cutoff::NONE };
        if has_top_k {
            self.best(params.top_k as usize, cut.z, row_max, scratch);
            if scratch.orders.len() <= LIST {
                self.list(scratch, list);
                list.truncate(row_max, params);
                return list.draw(row_max, params.scale, draw);
            }
            let last = scratch.orders.iter().copied().min();
            cut = cut.stricter(order_to_cutoff(last.expect("a list beyond LIST")));
        } else if has_min_p {
            if self.collect(cut.z, LIST, scratch) {
                self.list(scratch, list);
                list.truncate(row_max, params);
                return list.draw(row_max, params.scale, draw);
            }
        } else {
            let total = total_mass(&scratch.records, row_max, params.scale);
            if self.collect(self.below(row_max, 8.0), LIST, scratch) {
                self.list(scratch, list);
                if list.truncate_to(enough(total, params), row_max, params.scale) {
                    return list.draw(row_max, params.scale, draw);
                }
            }
            cut = self.top_p_cutoff(total, row_max, cut, scratch);
            self.sum_kept(cut, scratch);
            return self.draw_kept(row_max, draw, cut, scratch);
        }

        self.sum_kept(cut, scratch);
        if params.top_p != TOP_P_OFF {
            let total = total_mass(&scratch.kept, row_max, params.scale);
            cut = self.top_p_cutoff(total, row_max, cut, scratch);
            self.sum_kept(cut, scratch);
        }
        self.draw_kept(row_max, draw, cut, scratch)
    }

    /// log2 of the legal mass in units of one token at `row_max`. The scan must have weighed.
    pub fn log2_total(&self, row_max: f32, scratch: &WideScratch) -> f32 {
        log2_ratio(total_mass(&scratch.records, row_max, self.params.scale), UNIT_BITS)
    }

    /// Leaves the orders of the best `n` tokens with a logit ≥ `floor` in `orders`, in no order.
    pub fn best(&self, n: usize, floor: f32, row_max: f32, scratch: &mut WideScratch) {
        scratch.maxima.clear();
        let maxima = scratch.records.iter().map(|r| r.max);
        scratch.maxima.extend(maxima.filter(|&max| max >= floor && max > ILLEGAL));
        if (1..=scratch.maxima.len()).contains(&n) {
            let (_, bound, _) = scratch.maxima.select_nth_unstable_by(n - 1, |a, b| b.total_cmp(a));
            let low = *bound;
            self.collect(low, usize::MAX, scratch);
        } else {
            let windows = [8.0, 16.0].map(|bits| self.below(row_max, bits));
            for low in windows.into_iter().chain([-f32::MAX]) {
                let low = low.max(floor);
                self.collect(low, usize::MAX, scratch);
                if scratch.orders.len() >= n || low == floor {
                    break;
                }
            }
        }
        keep_best(n, &mut scratch.orders);
    }

    /// A logit about `bits` bits of probability below `row_max`; any value would do.
    fn below(&self, row_max: f32, bits: f32) -> f32 {
        (row_max - bits / self.params.scale).max(-f32::MAX)
    }

    /// The least logit that min-p keeps: the test is monotonic in the logit, so bisect its keys.
    fn min_p_floor(&self, row_max: f32) -> f32 {
        let RowParams { scale, min_p_log2, .. } = *self.params;
        let keeps = |key| (key_to_f32(key) - row_max) * scale >= min_p_log2;
        let (mut cut, mut kept) = (key(-f32::MAX), key(row_max));
        if keeps(cut) {
            return -f32::MAX;
        }
        while kept - cut > 1 {
            let middle = cut + (kept - cut) / 2;
            if keeps(middle) {
                kept = middle;
            } else {
                cut = middle;
            }
        }
        key_to_f32(kept)
    }

    /// Leaves the orders of all logits ≥ `low` in `orders`, by id; false if there are more than `cap`.
    fn collect(&self, low: f32, cap: usize, scratch: &mut WideScratch) -> bool {
        scratch.orders.clear();
        for index in 0..self.tiles() {
            let max = scratch.records[index].max;
            if max >= low && max > ILLEGAL {
                self.load(index, &scratch.adjust, &mut scratch.tile);
                let first = (index * TILE) as u32;
                self.simd.collect(&scratch.tile, first, low, &mut scratch.orders);
                if scratch.orders.len() > cap {
                    return false;
                }
            }
        }
        true
    }

    /// Moves `orders` to the list, grouped and weighed.
    fn list(&self, scratch: &mut WideScratch, list: &mut TokenList) {
        // The low half is !id.
        scratch.orders.sort_unstable_by_key(|&order| std::cmp::Reverse(order as u32));
        list.clear();
        for &order in &scratch.orders {
            let token = order_to_cutoff(order);
            list.push(token.id, token.z);
        }
        list.group();
        list.weigh(self.simd, self.params.scale);
    }

    /// Reads a tile and forbids what the cut-off drops.
    fn load_kept(&self, index: usize, cut: Cutoff, adjust: &Adjustments, tile: &mut Tile) {
        self.load(index, adjust, tile);
        if cut != Cutoff::NONE {
            let kept = (cut.id as usize + 1).saturating_sub(index * TILE).min(TILE);
            self.simd.cut(tile, cut.z, kept);
        }
    }

    /// Whether a cut-off may keep tokens of a tile.
    fn may_keep(max: f32, cut: Cutoff) -> bool {
        max >= cut.z && max > ILLEGAL
    }

    /// Fills `kept`: the records with the sums of what the cut-off keeps.
    fn sum_kept(&self, cut: Cutoff, scratch: &mut WideScratch) {
        scratch.kept.clear();
        for index in 0..self.tiles() {
            let mut record = TileRecord { sum: 0, ..scratch.records[index] };
            if Self::may_keep(record.max, cut) {
                self.load_kept(index, cut, &scratch.adjust, &mut scratch.tile);
                record.sum = self.simd.sum_weights(&scratch.tile.0, record.max, self.params.scale);
            }
            scratch.kept.push(record);
        }
    }

    /// Picks tile and token from `kept`.
    fn draw_kept(&self, row_max: f32, draw: Draw, cut: Cutoff, scratch: &mut WideScratch) -> (u32, f32) {
        let s = self.params.scale;
        let index = pick_tile(&scratch.kept, row_max, s, draw.tile);
        let index = index.expect("the best token has mass");
        self.load_kept(index, cut, &scratch.adjust, &mut scratch.tile);
        let max = scratch.kept[index].max;
        let z = &scratch.tile.0;
        self.simd.weights(z, max, s, &mut scratch.weights[..]);
        let position = pick_token(&scratch.weights[..], draw.token);
        let position = position.expect("a tile with mass has weight");
        ((index * TILE + position) as u32, canonical(z[position]))
    }

    /// The cut-off of top-p within `cut`, whose total mass is `total`.
    ///
    /// A histogram of mass by logit says in which bin the prefix ends; only that bin is sorted.
    fn top_p_cutoff(&self, total: u64, row_max: f32, cut: Cutoff, scratch: &mut WideScratch) -> Cutoff {
        let s = self.params.scale;
        let enough = enough(total, self.params);
        let per_unit = s * ((BINS - 1) as f32 / 40.0);
        scratch.histogram.fill(0);
        for index in 0..self.tiles() {
            if let Some((mantissa, down)) = self.bin_tile(index, per_unit, row_max, cut, scratch) {
                for (&bin, &w) in scratch.bins.iter().zip(scratch.weights.iter()) {
                    scratch.histogram[bin as usize] += (u64::from(w) * mantissa) >> down;
                }
            }
        }
        let mut prefix = 0;
        let Some(last_bin) = scratch.histogram.iter().position(|&mass| {
            let reached = prefix + mass >= enough;
            prefix += if reached { 0 } else { mass };
            reached
        }) else {
            return cut;
        };
        scratch.masses.clear();
        for index in 0..self.tiles() {
            // A tile without weight of its own cannot end the prefix, nor lengthen it.
            let Some((mantissa, down)) = self.bin_tile(index, per_unit, row_max, cut, scratch) else {
                continue;
            };
            for i in 0..TILE {
                let mass = (u64::from(scratch.weights[i]) * mantissa) >> down;
                if scratch.bins[i] as usize == last_bin && mass > 0 {
                    let order = order(canonical(scratch.tile.0[i]), (index * TILE + i) as u32);
                    scratch.masses.push((order, mass));
                }
            }
        }
        scratch.masses.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.0));
        for &(order, mass) in &scratch.masses {
            prefix += mass;
            if prefix >= enough {
                return order_to_cutoff(order);
            }
        }
        unreachable!("the bin's mass reaches the sum")
    }

    /// Bins and weighs what `cut` keeps of a tile; the factor and shift that turn a weight into
    /// mass, `None` if the tile has none.
    fn bin_tile(
        &self,
        index: usize,
        per_unit: f32,
        row_max: f32,
        cut: Cutoff,
        scratch: &mut WideScratch,
    ) -> Option<(u64, u32)> {
        let s = self.params.scale;
        let max = scratch.records[index].max;
        let scale = scale24(max, row_max, s);
        if scale.mantissa == 0 || !Self::may_keep(max, cut) {
            return None;
        }
        debug_assert_eq!(
            mass(12345, max, row_max, s),
            (12345 * u64::from(scale.mantissa)) >> (13 + scale.down)
        );
        self.load_kept(index, cut, &scratch.adjust, &mut scratch.tile);
        self.simd.bins(&scratch.tile, row_max, per_unit, &mut scratch.bins);
        self.simd.weights(&scratch.tile.0, max, s, &mut scratch.weights[..]);
        Some((u64::from(scale.mantissa), 13 + scale.down))
    }
}
