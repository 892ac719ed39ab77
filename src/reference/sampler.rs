//! The sampler, slow and plain: the specification in [`crate::sampling`], read top to bottom.
//!
//! One row at a time, a full sort, no early outs. Every other backend must give the same bits.

use crate::error::Result;
use crate::sampling::{
    Draw, ILLEGAL, LegalSet, Logits, RowParams, Sampled, SamplingParams, TILE, TOP_P_OFF, TileRecord,
    TokenCounts, UNIT_BITS, biased, canonical, log_probability, log2_ratio, mass, no_legal_token, penalised,
    pick_tile, pick_token, total_mass, weight,
};

/// The legal logits of a row with bias and penalties, `[width]`; −∞ where illegal.
pub fn adjusted(row: Logits, legal: LegalSet, params: &SamplingParams, counts: &TokenCounts) -> Vec<f32> {
    let row_params = params.row_params();
    (0..row.width() as u32)
        .map(|id| {
            if !legal.contains(id) {
                return ILLEGAL;
            }
            let mut z = canonical(row.get(id as usize));
            if let Some(&(_, bias)) = params.logit_bias.iter().find(|entry| entry.0 == id) {
                z = biased(z, bias);
            }
            penalised(z, counts.get(id), &row_params)
        })
        .collect()
}

/// The greatest logit of each tile; −∞ for a tile without a legal token.
pub fn tile_maxima(z: &[f32]) -> Vec<f32> {
    let greatest = |tile: &[f32]| tile.iter().copied().fold(ILLEGAL, f32::max);
    z.chunks(TILE).map(greatest).collect()
}

/// The record of each tile, with the weights of the kept tokens.
pub fn tile_records(z: &[f32], kept: &[bool], s: f32) -> Vec<TileRecord> {
    let maxima = tile_maxima(z);
    let mut records = vec![TileRecord::EMPTY; maxima.len()];
    for (record, max) in records.iter_mut().zip(maxima) {
        record.max = max;
    }
    for id in (0..z.len()).filter(|&id| kept[id]) {
        let record = &mut records[id / TILE];
        record.sum += u64::from(weight(z[id], record.max, s));
    }
    records
}

/// Legal ids, greatest logit first, ties by lower id.
pub fn ranking(z: &[f32]) -> Vec<u32> {
    let mut ids: Vec<u32> = (0..z.len() as u32).filter(|&id| z[id as usize] > ILLEGAL).collect();
    // The sort is stable, so equal logits stay in id order.
    ids.sort_by(|&a, &b| z[b as usize].total_cmp(&z[a as usize]));
    ids
}

/// How many tokens of the `ranking` the truncations keep.
pub fn kept(z: &[f32], ranking: &[u32], params: &RowParams) -> usize {
    let s = params.scale;
    let row_max = z[ranking[0] as usize];

    let mut n = ranking.iter().take_while(|&&id| (z[id as usize] - row_max) * s >= params.min_p_log2).count();
    n = n.min(params.top_k as usize);
    if params.top_p == TOP_P_OFF {
        return n;
    }
    let records = tile_records(z, &flags(z.len(), &ranking[..n]), s);
    let total = total_mass(&records, row_max, s);
    let enough = ((u128::from(total) * u128::from(params.top_p)) >> 32).max(1) as u64;
    let mut prefix = 0;
    for (i, &id) in ranking[..n].iter().enumerate() {
        let a = records[id as usize / TILE].max;
        let w = weight(z[id as usize], a, s);
        prefix += mass(u64::from(w), a, row_max, s);
        if prefix >= enough {
            return i + 1;
        }
    }
    n
}

/// Samples one row.
///
/// `params` must be valid for the row's width. [`Draw::new`] makes `draw` of seed and position.
///
/// # Errors
///
/// `NoLegalToken` if no legal token has a logit above −∞; `InvalidParameter` if `legal` does not fit the row.
pub fn sample(
    row: Logits,
    legal: LegalSet,
    params: &SamplingParams,
    counts: &TokenCounts,
    draw: Draw,
) -> Result<Sampled> {
    legal.check(row.width())?;
    let row_params = params.row_params();
    let s = row_params.scale;
    let z = adjusted(row, legal, params, counts);
    let ranking = ranking(&z);
    if ranking.is_empty() {
        return Err(no_legal_token());
    }
    let row_max = z[ranking[0] as usize];

    let token = if row_params.greedy == 1 {
        ranking[0]
    } else {
        let n = kept(&z, &ranking, &row_params);
        let kept = flags(z.len(), &ranking[..n]);
        let records = tile_records(&z, &kept, s);
        let tile = pick_tile(&records, row_max, s, draw.tile).expect("the best token has mass");
        let first = tile * TILE;
        let weights: Vec<u32> = (first..z.len().min(first + TILE))
            .map(|id| match kept[id] {
                true => weight(z[id], records[tile].max, s),
                false => 0,
            })
            .collect();
        (first + pick_token(&weights, draw.token).expect("a tile with mass has weight")) as u32
    };

    let mut sampled = Sampled { token, ..Sampled::default() };
    if params.logprobs {
        let records = tile_records(&z, &flags(z.len(), &ranking), s);
        let log2_total = log2_ratio(total_mass(&records, row_max, s), UNIT_BITS);
        let logprob = |id: u32| log_probability(z[id as usize], row_max, s, log2_total);
        sampled.logprob = Some(logprob(token));
        let best = ranking.iter().take(params.top_logprobs.into());
        sampled.top = best.map(|&id| (id, logprob(id))).collect();
    }
    Ok(sampled)
}

/// `[width]` flags, set for `ids`.
fn flags(width: usize, ids: &[u32]) -> Vec<bool> {
    let mut flags = vec![false; width];
    for &id in ids {
        flags[id as usize] = true;
    }
    flags
}
