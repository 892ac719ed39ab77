//! A mask as it is remembered: a bitmap that is there anyway, and the tokens in which it differs.

use super::tables::VocabTables;
use crate::vocab::SliceId;

/// A recipe lists at most this many tokens; a mask that needs more is kept as it is.
const MAX_LISTED: usize = 4096;

/// With at most so many, no better base is looked for: they take less time than the copy.
const FEW: usize = 512;

/// How a mask is made.
#[derive(Debug)]
pub(super) struct Recipe {
    base: Base,
    /// Tokens that are the other way round than in the base.
    tokens: Box<[u32]>,
    /// Greatest bound after any of the tokens, less what the levels cost; `None` if nobody asked.
    pub most: Option<u64>,
}

/// What a mask begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// Nothing.
    Empty,
    /// Tokens that stay within a string, from a sub-state.
    String(u8),
    /// All plain tokens.
    Plain,
    /// All tokens of plain characters, the last of which may be only begun.
    Begun,
    /// All tokens of digits.
    Digits,
    /// Nothing; the list is not of tokens but all words of the mask.
    Own,
}

impl Base {
    fn words(self, tables: &VocabTables) -> Option<&[u32]> {
        match self {
            Base::String(sub) => Some(&tables.string(sub).inside),
            Base::Plain => Some(tables.vocab().slices().get(SliceId::PLAIN).bitmap(u32::MAX).words),
            Base::Begun => Some(tables.classes().begun()),
            Base::Digits => Some(tables.vocab().slices().get(SliceId::DIGITS).bitmap(u32::MAX).words),
            Base::Empty | Base::Own => None,
        }
    }
}

impl Recipe {
    /// The recipe of a mask, which may resemble `base`.
    pub fn of(mask: &[u32], base: Base, tables: &VocabTables, most: Option<u64>) -> Recipe {
        let differing = |base: Base| Some((base, differences(mask, base.words(tables))?));
        let mut best = differing(base);
        for other in [Base::Empty, Base::Digits, Base::Begun] {
            if best.as_ref().is_some_and(|best| best.1.len() <= FEW) {
                break;
            }
            if let Some(found) = differing(other)
                && best.as_ref().is_none_or(|best| found.1.len() < best.1.len())
            {
                best = Some(found);
            }
        }
        let (base, tokens) = best.unwrap_or_else(|| (Base::Own, mask.to_vec()));
        Recipe { base, tokens: tokens.into_boxed_slice(), most }
    }

    /// Writes the mask.
    pub fn follow(&self, tables: &VocabTables, out: &mut [u32]) {
        match self.base.words(tables) {
            Some(words) => out.copy_from_slice(words),
            None if self.base == Base::Own => return out.copy_from_slice(&self.tokens),
            None => out.fill(0),
        }
        for &token in &self.tokens {
            out[token as usize / 32] ^= 1 << (token % 32);
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        size_of_val(&*self.tokens)
    }
}

/// The tokens in which a mask differs from a bitmap, or from nothing, unless they are too many.
fn differences(mask: &[u32], words: Option<&[u32]>) -> Option<Vec<u32>> {
    const STEP: usize = 16;
    let mut tokens = Vec::new();
    for (block, mask) in mask.chunks(STEP).enumerate() {
        let from = block * STEP;
        let word = |i: usize| mask[i] ^ words.map_or(0, |words| words[from + i]);
        if (0..mask.len()).fold(0, |any, i| any | word(i)) == 0 {
            continue;
        }
        for i in 0..mask.len() {
            let mut left = word(i);
            while left != 0 {
                tokens.push(((from + i) * 32) as u32 + left.trailing_zeros());
                left &= left - 1;
            }
        }
        if tokens.len() > MAX_LISTED {
            return None;
        }
    }
    Some(tokens)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::vocab::Vocabulary;

    #[test]
    fn any_mask_is_made_again() {
        let tokens = (0..9000u32).map(|i| Some(format!("a{i}").into_bytes())).collect();
        let tables = VocabTables::new(Arc::new(Vocabulary::from_tokens(tokens).unwrap()));
        let words = 9000usize.div_ceil(32);
        let plain = Base::Plain.words(&tables).unwrap().to_vec();
        let few: Vec<u32> = (0..words as u32).map(|i| u32::from(i % 7 == 0) << (i % 32)).collect();
        let without: Vec<u32> = plain.iter().zip(&few).map(|(p, f)| p & !f).collect();
        let half: Vec<u32> = (0..words).map(|i| if i < 280 { 0x5555_5555 } else { 0 }).collect();
        let wants =
            [(vec![0; words], Base::Empty), (few, Base::Empty), (without, Base::Begun), (half, Base::Own)];
        for (mask, base) in wants {
            for like in [Base::Empty, Base::Plain, Base::String(0), Base::Begun] {
                let recipe = Recipe::of(&mask, like, &tables, None);
                assert!(recipe.base == base || recipe.base == like, "{like:?}: {:?}", recipe.base);
                let mut out = vec![7; words];
                recipe.follow(&tables, &mut out);
                assert!(out == mask);
            }
        }
    }
}
