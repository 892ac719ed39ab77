//! The sampler on the CPU: one row at a time, bit for bit what [`crate::reference::sampler`] gives.
//!
//! Rows with few legal tokens are gathered into a list; the others are read tile by tile, once for
//! greedy and temperature sampling, and in part again for truncations. Nothing is allocated once the
//! buffers of a [`SamplerScratch`] have grown, except the list of top log-probabilities of a result.

use half::{bf16, f16};

use super::sampler_list::TokenList;
pub use super::sampler_simd::Simd;
use super::sampler_simd::Widen;
use super::sampler_wide::{LIST, WideRow, WideScratch};
use crate::error::Result;
use crate::sampling::{
    Draw, ILLEGAL, LegalSet, Logits, RowParams, Sampled, SamplingParams, TileRecord, TokenCounts, canonical,
    log_probability, no_legal_token, order_to_cutoff,
};

/// Most legal tokens of a row that is gathered instead of scanned.
const NARROW: usize = 2048;

const _: () = assert!(NARROW <= LIST);

/// Buffers for sampling, one per thread.
pub struct SamplerScratch {
    simd: Simd,
    wide: WideScratch,
    list: TokenList,
    ids: Vec<u32>,
    words: Vec<u32>,
}

impl Default for SamplerScratch {
    fn default() -> Self {
        Self::new(Simd::detect())
    }
}

impl SamplerScratch {
    /// Buffers for the loops of one instruction set.
    pub fn new(simd: Simd) -> Self {
        SamplerScratch {
            simd,
            wide: WideScratch::default(),
            list: TokenList::default(),
            ids: Vec::new(),
            words: Vec::new(),
        }
    }
}

/// How a row's legal set is best read.
enum Reading<'a> {
    Narrow(&'a [u32]),
    Wide(Option<&'a [u32]>),
}

/// Lists are read as lists if short, bitmaps as bitmaps unless sparse.
fn reading<'a>(
    legal: LegalSet<'a>,
    width: usize,
    simd: Simd,
    ids: &'a mut Vec<u32>,
    words: &'a mut Vec<u32>,
) -> Reading<'a> {
    match legal {
        LegalSet::All => Reading::Wide(None),
        LegalSet::Ids(list) if list.len() <= NARROW => Reading::Narrow(list),
        LegalSet::Ids(list) => {
            words.clear();
            words.resize(width.div_ceil(32), 0);
            for &id in list {
                words[id as usize / 32] |= 1 << (id % 32);
            }
            Reading::Wide(Some(words))
        }
        LegalSet::Bitmap(bitmap) => {
            let bitmap = &bitmap[..width.div_ceil(32)];
            if simd.count_ones(bitmap) > NARROW {
                return Reading::Wide(Some(bitmap));
            }
            ids.clear();
            for (block, words) in bitmap.chunks(8).enumerate() {
                if words.iter().fold(0, |any, word| any | word) == 0 {
                    continue;
                }
                for (i, &word) in words.iter().enumerate() {
                    let mut rest = word;
                    while rest != 0 {
                        ids.push((256 * block + 32 * i) as u32 + rest.trailing_zeros());
                        rest &= rest - 1;
                    }
                }
            }
            // Bits past the width are ignored.
            while ids.last().is_some_and(|&id| id as usize >= width) {
                ids.pop();
            }
            Reading::Narrow(ids)
        }
    }
}

/// Samples one row, `[width]`.
///
/// `params` must be valid for the width ([`SamplingParams::validate`]); `counts` is read only if
/// they have a penalty. [`Draw::new`] makes `draw` of seed, position and stream.
///
/// # Errors
///
/// `NoLegalToken` if no legal token has a logit above −∞; `InvalidParameter` if `legal` does not fit
/// the row. Other rows are not concerned.
pub fn sample(
    row: Logits,
    legal: LegalSet,
    params: &SamplingParams,
    counts: &TokenCounts,
    draw: Draw,
    scratch: &mut SamplerScratch,
) -> Result<Sampled> {
    legal.check(row.width())?;
    let mut row_params = params.row_params();
    if row_params.top_k as usize >= row.width() {
        row_params.top_k = u32::MAX;
    }
    let SamplerScratch { simd, wide, list, ids, words } = scratch;
    match reading(legal, row.width(), *simd, ids, words) {
        Reading::Narrow(ids) => {
            wide.adjust.by_id(params);
            let mut gather = Gather { ids, params: &row_params, counts, wide, list };
            match row {
                Logits::F32(row) => gather.run(row),
                Logits::F16(row) => gather.run::<f16>(row),
                Logits::Bf16(row) => gather.run::<bf16>(row),
            }
            narrow(params, &row_params, draw, *simd, list, &mut wide.orders)
        }
        Reading::Wide(mask) => {
            wide.adjust.by_tile(params, &row_params, counts, row.width());
            let row = WideRow { logits: row, mask, params: &row_params, simd: *simd };
            sample_wide(row, params, draw, wide, list)
        }
    }
}

/// The records of all tiles of a row, over its legal tokens: what ranks exchange to merge a row.
///
/// Weights are at the temperature of `params`, at 1 if it is greedy. A rank that holds ids from a
/// multiple of [`TILE`](crate::sampling::TILE) on has the same records as the row it is a part of.
///
/// # Errors
///
/// `InvalidParameter` if `legal` does not fit the row.
pub fn tile_records<'a>(
    row: Logits,
    legal: LegalSet,
    params: &SamplingParams,
    counts: &TokenCounts,
    scratch: &'a mut SamplerScratch,
) -> Result<&'a [TileRecord]> {
    legal.check(row.width())?;
    let row_params = params.row_params();
    let mask = match legal {
        LegalSet::All => None,
        LegalSet::Bitmap(words) => Some(words),
        LegalSet::Ids(ids) => {
            scratch.words.clear();
            scratch.words.resize(row.width().div_ceil(32), 0);
            for &id in ids {
                scratch.words[id as usize / 32] |= 1 << (id % 32);
            }
            Some(&scratch.words[..])
        }
    };
    let wide = &mut scratch.wide;
    wide.adjust.by_tile(params, &row_params, counts, row.width());
    let row = WideRow { logits: row, mask, params: &row_params, simd: scratch.simd };
    row.scan(true, wide);
    Ok(&wide.records)
}

/// Gathers the legal logits of a narrow row into the list.
struct Gather<'a> {
    ids: &'a [u32],
    params: &'a RowParams,
    counts: &'a TokenCounts,
    wide: &'a WideScratch,
    list: &'a mut TokenList,
}

impl Gather<'_> {
    fn run<T: Widen>(&mut self, row: &[T]) {
        self.list.clear();
        for &id in self.ids {
            let z = canonical(row[id as usize].widen());
            let z = self.wide.adjust.adjust_one(id, z, self.params, self.counts);
            if z > ILLEGAL {
                self.list.push(id, z);
            }
        }
        self.list.group();
    }
}

fn narrow(
    params: &SamplingParams,
    row_params: &RowParams,
    draw: Draw,
    simd: Simd,
    list: &mut TokenList,
    orders: &mut Vec<u64>,
) -> Result<Sampled> {
    let s = row_params.scale;
    let row_max = list.max();
    if row_max == ILLEGAL {
        return Err(no_legal_token());
    }
    let greedy = row_params.greedy == 1;
    let mut log2_total = 0.0;
    if params.logprobs || !greedy {
        list.weigh(simd, s);
    }
    if params.logprobs {
        log2_total = list.log2_total(row_max, s);
    }
    let (token, z) = if greedy {
        let token = list.first_with(row_max);
        (token.expect("the list has its maximum"), row_max)
    } else {
        if row_params.has_truncation() {
            list.truncate(row_max, row_params);
        }
        list.draw(row_max, s, draw)
    };
    orders.clear();
    if params.top_logprobs > 0 {
        list.best(params.top_logprobs.into(), orders);
    }
    Ok(finish(params, token, z, orders, |z| log_probability(z, row_max, s, log2_total)))
}

fn sample_wide(
    row: WideRow,
    params: &SamplingParams,
    draw: Draw,
    wide: &mut WideScratch,
    list: &mut TokenList,
) -> Result<Sampled> {
    let scale = row.params.scale;
    let greedy = row.params.greedy == 1;
    // Top-k and min-p look at maxima first, and weigh only what they leave.
    let by_rank = row.params.top_k != u32::MAX || row.params.min_p_log2 > f32::NEG_INFINITY;
    let weigh = params.logprobs || !(greedy || by_rank);

    let row_max = row.scan(weigh, wide);
    if row_max == ILLEGAL {
        return Err(no_legal_token());
    }
    let (token, z) =
        if greedy { (row.first_with(row_max, wide), row_max) } else { row.draw(row_max, draw, wide, list) };
    wide.orders.clear();
    let mut log2_total = 0.0;
    if params.logprobs {
        log2_total = row.log2_total(row_max, wide);
        if params.top_logprobs > 0 {
            row.best(params.top_logprobs.into(), -f32::MAX, row_max, wide);
            wide.orders.sort_unstable_by(|a, b| b.cmp(a));
        }
    }
    Ok(finish(params, token, z, &wide.orders, |z| log_probability(z, row_max, scale, log2_total)))
}

/// The result, with log-probabilities if asked for.
fn finish(
    params: &SamplingParams,
    token: u32,
    z: f32,
    best: &[u64],
    logprob: impl Fn(f32) -> f32,
) -> Sampled {
    let top = best.iter().map(|&order| order_to_cutoff(order));
    Sampled {
        token,
        logprob: params.logprobs.then(|| logprob(z)),
        top: top.map(|best| (best.id, logprob(best.z))).collect(),
    }
}
