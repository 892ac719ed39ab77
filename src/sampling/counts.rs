//! Penalties and biases: what a token's past does to its logit.
//!
//! As the APIs have it, the repetition penalty (Hugging Face) looks at prompt and output, frequency
//! and presence penalties (OpenAI) at the output alone.

use rustc_hash::FxHashMap;

use super::order::canonical;
use super::params::RowParams;

/// How often a token has occurred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenCount {
    /// In the prompt.
    pub prompt: u32,
    /// In the output so far.
    pub output: u32,
}

/// Occurrences of every token that has occurred, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenCounts {
    counts: FxHashMap<u32, TokenCount>,
}

impl TokenCounts {
    /// Counts of a request with this prompt and no output yet.
    pub fn from_prompt(prompt: &[u32]) -> Self {
        let mut counts = TokenCounts::default();
        for &token in prompt {
            counts.counts.entry(token).or_default().prompt += 1;
        }
        counts
    }

    /// Counts one more output token.
    pub fn push(&mut self, token: u32) {
        self.counts.entry(token).or_default().output += 1;
    }

    /// Takes back one [`push`](Self::push) of `token`; false (and no change) if there is none.
    pub fn pop(&mut self, token: u32) -> bool {
        let Some(count) = self.counts.get_mut(&token).filter(|c| c.output > 0) else {
            return false;
        };
        count.output -= 1;
        if *count == TokenCount::default() {
            self.counts.remove(&token);
        }
        true
    }

    /// Occurrences of `token`.
    pub fn get(&self, token: u32) -> TokenCount {
        self.counts.get(&token).copied().unwrap_or_default()
    }

    /// Every token that has occurred, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, TokenCount)> + '_ {
        self.counts.iter().map(|(&token, &count)| (token, count))
    }

    /// Number of different tokens that have occurred.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether no token has occurred.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

/// A canonical logit with its bias: canonical(z + bias). −∞ stays −∞.
#[inline]
pub fn biased(z: f32, bias: f32) -> f32 {
    canonical(z + bias)
}

/// A canonical logit with its penalties, canonical again.
///
/// Repetition, if the token has occurred at all: z / r for z > 0, else z · r. Then frequency,
/// `fma(−frequency, occurrences in the output, z)`, and presence, z − presence, if it has occurred in the output.
#[inline]
pub fn penalised(z: f32, count: TokenCount, params: &RowParams) -> f32 {
    let mut z = z;
    if count != TokenCount::default() && params.repetition != 1.0 {
        z = if z > 0.0 { z / params.repetition } else { z * params.repetition };
    }
    if count.output > 0 {
        z = (-params.frequency).mul_add(count.output as f32, z) - params.presence;
    }
    canonical(z)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::SamplingParams;

    #[test]
    fn push_and_pop_are_inverse() {
        let before = TokenCounts::from_prompt(&[1, 1, 2]);
        let mut counts = before.clone();
        counts.push(1);
        counts.push(9);
        assert_eq!(counts.get(1), TokenCount { prompt: 2, output: 1 });
        assert_eq!(counts.len(), 3);
        assert!(counts.pop(9) && counts.pop(1));
        assert!(!counts.pop(1) && !counts.pop(9) && !counts.pop(77));
        assert_eq!(counts, before);
    }

    #[test]
    fn penalties_by_hand() {
        let params = SamplingParams {
            repetition_penalty: 2.0,
            frequency_penalty: 0.5,
            presence_penalty: 0.25,
            ..SamplingParams::default()
        }
        .row_params();
        let count = |prompt, output| TokenCount { prompt, output };
        assert_eq!(penalised(3.0, count(0, 0), &params), 3.0);
        assert_eq!(penalised(3.0, count(4, 0), &params), 1.5);
        assert_eq!(penalised(-3.0, count(4, 0), &params), -6.0);
        assert_eq!(penalised(3.0, count(0, 2), &params), 1.5 - 1.0 - 0.25);
        assert_eq!(penalised(f32::NEG_INFINITY, count(0, 2), &params), f32::NEG_INFINITY);
        assert_eq!(biased(1.0, -100.0), -99.0);
        assert_eq!(biased(f32::MAX, f32::MAX), f32::MAX);
        assert_eq!(biased(1.0, f32::NEG_INFINITY), f32::NEG_INFINITY);
    }
}
