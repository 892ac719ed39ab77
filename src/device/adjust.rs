//! A request's biases and token counts as kernels read them: the twin of `kernels/adjust.cuh`.

use bytemuck::{Pod, Zeroable, bytes_of, cast_slice};

use crate::error::{Error, ErrorKind, Result};
use crate::sampling::{RowParams, SamplingParams, TILE, TokenCounts};

/// The head of a block.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C, align(16))]
struct Head {
    /// log2 of the number of entries.
    bits: u32,
    /// Entries in use.
    used: u32,
    /// Words of the bitmap, a multiple of 32.
    words: u32,
    /// 0 if tokens are not counted.
    counts: u32,
}

const _: () = assert!(size_of::<Head>() == 16);

/// A token with a bias, or that has occurred.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C, align(16))]
struct Entry {
    /// [`NO_ENTRY`] if not in use.
    id: u32,
    /// 0 if it has none.
    bias: f32,
    /// Occurrences in the prompt.
    prompt: u32,
    /// Occurrences in the output.
    output: u32,
}

const _: () = assert!(size_of::<Entry>() == 16);

const NO_ENTRY: u32 = u32::MAX;

/// Whether a request needs a block at all.
pub fn is_needed(params: &SamplingParams) -> bool {
    !params.logit_bias.is_empty() || params.row_params().has_penalties()
}

/// The bytes of a request's block, with room for `tokens` different further tokens if they are counted.
///
/// `params` must be valid for rows of `width` logits. Counted ids that lie beyond the width are left out.
///
/// # Errors
///
/// `InvalidParameter` if there would be more than 2^30 entries.
pub fn block(params: &SamplingParams, counts: &TokenCounts, width: usize, tokens: usize) -> Result<Vec<u8>> {
    let row: RowParams = params.row_params();
    let counted = row.has_penalties();
    let mut entries: Vec<Entry> =
        params.logit_bias.iter().map(|&(id, bias)| Entry { id, bias, prompt: 0, output: 0 }).collect();
    entries.sort_unstable_by_key(|entry| entry.id);
    if counted {
        let biases = entries.len();
        for (id, count) in counts.iter().filter(|&(id, _)| (id as usize) < width) {
            match entries[..biases].binary_search_by_key(&id, |entry| entry.id) {
                Ok(at) => {
                    entries[at].prompt = count.prompt;
                    entries[at].output = count.output;
                }
                Err(_) => entries.push(Entry { id, bias: 0.0, prompt: count.prompt, output: count.output }),
            }
        }
    }
    let further = if counted { tokens.min(width - entries.len()) } else { 0 };
    // Three quarters of the table may be used, and one entry must stay free.
    let least = ((entries.len() + further) as u64 * 4).div_ceil(3).max(4);
    let bits = least.next_power_of_two().trailing_zeros();
    if bits > 30 {
        let message = format!("{least} token counts do not fit a table; bound max_tokens");
        return Err(Error::new(ErrorKind::InvalidParameter, message));
    }

    let mut bitmap = vec![0u32; width.div_ceil(TILE) * 32];
    let mut table = vec![Entry { id: NO_ENTRY, bias: 0.0, prompt: 0, output: 0 }; 1 << bits];
    for entry in &entries {
        bitmap[entry.id as usize / 32] |= 1 << (entry.id % 32);
        let mut at = (entry.id.wrapping_mul(0x9e37_79b1) >> (32 - bits)) as usize;
        while table[at].id != NO_ENTRY {
            at = (at + 1) % table.len();
        }
        table[at] = *entry;
    }
    let head =
        Head { bits, used: entries.len() as u32, words: bitmap.len() as u32, counts: u32::from(counted) };
    let mut bytes = bytes_of(&head).to_vec();
    bytes.extend_from_slice(cast_slice(&bitmap));
    bytes.extend_from_slice(cast_slice(&table));
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_keeps_room() {
        let mut params =
            SamplingParams { logit_bias: vec![(5, 1.0), (3, -2.0)], ..SamplingParams::default() };
        let counts = TokenCounts::from_prompt(&[3, 3, 900, 4]);
        let heads = |params: &SamplingParams, tokens| {
            let bytes = block(params, &counts, 100, tokens).unwrap();
            bytemuck::pod_read_unaligned::<Head>(&bytes[..16])
        };
        let head = heads(&params, 10);
        assert_eq!((head.used, head.counts, head.words, head.bits), (2, 0, 32, 2));
        params.presence_penalty = 1.0;
        let head = heads(&params, 10);
        assert_eq!((head.used, head.counts, head.bits), (3, 1, 5));
        // There are no more than 97 other ids.
        assert_eq!(heads(&params, usize::MAX).bits, 8);
    }
}
