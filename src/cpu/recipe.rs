//! A mask as it is remembered: a bitmap that is there anyway, and the words in which it differs.

use super::tables::VocabTables;
use crate::vocab::SliceId;

/// With at most so many differing words no better base is looked for: they take less time than the copy.
const FEW: usize = 512;

/// How a mask is made.
#[derive(Debug)]
pub(super) struct Recipe {
    base: Base,
    /// Words of the mask that differ from the base, ascending.
    places: Box<[u16]>,
    /// The bits in which they do; of [`Base::Own`], all words of the mask.
    bits: Box<[u32]>,
    /// Greatest bound after any of the tokens in which it differs, less what the levels cost; `None` if nobody asked.
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
    /// Nothing of others'.
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
        let count = |base: Base| differing(mask, base.words(tables));
        let mut best = (count(base), base);
        for other in [Base::Empty, Base::Digits, Base::Begun] {
            if best.0 <= FEW {
                break;
            }
            let found = count(other);
            if found < best.0 {
                best = (found, other);
            }
        }
        // A differing word takes six bytes, one of a whole mask four.
        if best.0 > mask.len() / 2 || mask.len() > 1 << 16 {
            return Recipe { base: Base::Own, places: Box::default(), bits: mask.into(), most };
        }
        let (places, bits) = differences(mask, best.1.words(tables), best.0);
        Recipe { base: best.1, places, bits, most }
    }

    /// Writes the mask.
    pub fn follow(&self, tables: &VocabTables, out: &mut [u32]) {
        match self.base.words(tables) {
            Some(words) => out.copy_from_slice(words),
            None if self.base == Base::Own => return out.copy_from_slice(&self.bits),
            None => out.fill(0),
        }
        for (&place, &bits) in self.places.iter().zip(&self.bits) {
            out[usize::from(place)] ^= bits;
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        size_of_val(&*self.places) + size_of_val(&*self.bits)
    }
}

/// How many words of a mask differ from a bitmap, or from nothing.
fn differing(mask: &[u32], words: Option<&[u32]>) -> usize {
    let differs = |(word, base): (&u32, &u32)| u32::from(word != base);
    let count: u32 = match words {
        Some(words) => mask.iter().zip(words).map(differs).sum(),
        None => mask.iter().map(|&word| u32::from(word != 0)).sum(),
    };
    count as usize
}

/// The places and bits of the `count` words in which a mask differs from a bitmap, or from nothing.
fn differences(mask: &[u32], words: Option<&[u32]>, count: usize) -> (Box<[u16]>, Box<[u32]>) {
    /// Words looked at together; most blocks are equal.
    const STEP: usize = 16;
    let (mut places, mut bits) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for (block, here) in mask.chunks(STEP).enumerate() {
        let from = block * STEP;
        let base = words.map(|words| &words[from..from + here.len()]);
        if differing(here, base) == 0 {
            continue;
        }
        for (i, &word) in here.iter().enumerate() {
            let left = word ^ base.map_or(0, |base| base[i]);
            if left != 0 {
                places.push((from + i) as u16);
                bits.push(left);
            }
        }
    }
    (places.into(), bits.into())
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
