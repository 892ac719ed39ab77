//! A mask as it is remembered: a bitmap that is there anyway, and the words in which it differs.

use super::tables::VocabTables;
use crate::vocab::SliceId;

/// Of a mask's blocks every so-manieth is compared with each base.
const SAMPLED: usize = 8;

/// Where at most one word of the sample in so many differs no better base is looked for: all that do take less time than the copy.
const FEW: usize = 12;

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
        let count = |base: Base| sample(mask, base.words(tables));
        let mut best = (count(base), base);
        let few = mask.len() / SAMPLED / FEW;
        for other in [Base::Empty, Base::Digits, Base::Begun] {
            if best.0 as usize <= few {
                break;
            }
            let found = count(other);
            if found < best.0 {
                best = (found, other);
            }
        }
        // A differing word takes six bytes, one of a whole mask four.
        let most_words = if mask.len() <= 1 << 16 { mask.len() / 2 } else { 0 };
        match differences(mask, best.1.words(tables), most_words) {
            Some((places, bits)) => Recipe { base: best.1, places, bits, most },
            None => Recipe { base: Base::Own, places: Box::default(), bits: mask.into(), most },
        }
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

/// Words compared together.
const BLOCK: usize = 16;
const NOTHING: [u32; BLOCK] = [0; BLOCK];

/// Blocks of a mask and of a bitmap, or of nothing: how many of their words differ.
fn differing(mask: &[u32; BLOCK], base: &[u32; BLOCK]) -> u32 {
    mask.iter().zip(base).map(|(word, base)| u32::from(word != base)).sum()
}

/// In how many words of a mask's sample it differs from a bitmap, or from nothing.
fn sample(mask: &[u32], words: Option<&[u32]>) -> u32 {
    let blocks = mask.as_chunks::<BLOCK>().0.iter().step_by(SAMPLED);
    match words {
        Some(words) => {
            blocks.zip(words.as_chunks().0.iter().step_by(SAMPLED)).map(|(m, w)| differing(m, w)).sum()
        }
        None => blocks.map(|m| differing(m, &NOTHING)).sum(),
    }
}

/// Places in a mask, ascending, and bits of the words there.
type Differences = (Box<[u16]>, Box<[u32]>);

/// The places and bits of the words in which a mask differs from a bitmap, or from nothing, unless they are more than
/// `most`.
fn differences(mask: &[u32], words: Option<&[u32]>, most: usize) -> Option<Differences> {
    let (mut places, mut bits) = (Vec::with_capacity(mask.len() / FEW), Vec::with_capacity(mask.len() / FEW));
    let (blocks, rest) = mask.as_chunks::<BLOCK>();
    let mut compare = |from: usize, mask: &[u32], base: &[u32]| {
        for (i, (word, base)) in mask.iter().zip(base).enumerate() {
            if word != base {
                places.push((from + i) as u16);
                bits.push(word ^ base);
            }
        }
        places.len() <= most
    };
    for (i, block) in blocks.iter().enumerate() {
        let base = words.map_or(&NOTHING, |words| &words.as_chunks().0[i]);
        if differing(block, base) > 0 && !compare(i * BLOCK, block, base) {
            return None;
        }
    }
    let from = blocks.len() * BLOCK;
    let base = words.map_or(&NOTHING[..rest.len()], |words| &words[from..]);
    compare(from, rest, base).then(|| (places.into(), bits.into()))
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
