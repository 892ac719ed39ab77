//! The built-in source of logits: it copies from the prompt.
//!
//! [`CopyModel`] is **not a language model**. It has no weights and understands nothing; it exists so
//! that the command line runs, and shows readable output, on a machine with no model at all, and so
//! that tests have a quick, deterministic source. What it writes is made of pieces of the prompt:
//!
//! - a string value is a name, a clause or a sentence of the prompt, preferably one that stands after
//!   a word of the key (`"title"` takes what follows `Title:`), and then the closing quote;
//! - a number is one of the prompt's numbers, else a small one;
//! - arrays stay short, recursion shallow, and the text ends when its outermost value has;
//! - everything else sits on a floor far below, from which the constraint may still pick: any
//!   vocabulary and any schema gives valid output, it only stops being pretty.
//!
//! Without a constraint the reply is a sentence of the prompt. Where functions may be called, one is.
//!
//! # How a row is made
//!
//! ```text
//! row = base                                    one copy: floors by the look of the token
//! for each structural token t:  row[t] = Σ price of its bytes, walked over the outline
//! for each span that starts with what is written of this value:
//!     row[its next token] = max(row[…], price + affinity to the key − penalty if used)
//! ```
//!
//! A row costs the copy of `width` floats and a few thousand byte steps, whatever the prompt's length.

mod lexicon;
mod outline;
mod sequence;
mod span;

use std::sync::Arc;

use self::lexicon::Lexicon;
use self::outline::Outline;
use self::sequence::Sequence;
use self::span::{Kind, Span, spans_of};
use super::{LogitsSource, SeqId, Tokens};
use crate::error::Result;

/// Price of an opening that is expected: above every sentence of the prompt.
const OPENING: f32 = 12.0;

/// A source of logits that copies from the prompt. The file opens with what to expect of it.
pub struct CopyModel {
    vocab: Arc<dyn Tokens + Send + Sync>,
    lexicon: Lexicon,
    sequences: Vec<Option<Sequence>>,
    scratch: Outline,
}

impl CopyModel {
    /// A model over `vocab`. Reads every token once.
    pub fn new(vocab: Arc<dyn Tokens + Send + Sync>) -> Self {
        let lexicon = Lexicon::new(vocab.as_ref());
        CopyModel { vocab, lexicon, sequences: Vec::new(), scratch: Outline::new() }
    }

    fn write_row(&mut self, seq: SeqId, row: &mut [f32]) {
        let sequence = self.sequences[seq.0 as usize].as_ref().expect("the sequence is not finished");
        row.copy_from_slice(&self.lexicon.base);
        let continuations = sequence.continuations();
        for (id, bytes) in &self.lexicon.structural {
            self.scratch.clone_from(sequence.outline());
            let mut price = 0.0;
            for &byte in bytes {
                price += self.scratch.price(byte, continuations.mood);
                self.scratch.push(byte);
            }
            row[*id as usize] = price.max(row[*id as usize]);
        }
        for &(token, price) in &continuations.tokens {
            let logit = &mut row[token as usize];
            *logit = logit.max(price);
        }
        for &id in &self.lexicon.stop_ids {
            row[id as usize] = continuations.stop;
        }
    }
}

impl LogitsSource for CopyModel {
    fn width(&self) -> usize {
        self.lexicon.base.len()
    }

    fn start(&mut self, prompt: &[u32]) -> Result<SeqId> {
        let bytes: Vec<u8> =
            prompt.iter().flat_map(|&id| self.vocab.bytes(id).unwrap_or_default()).copied().collect();
        let mut spans = spans_of(self.vocab.as_ref(), &String::from_utf8_lossy(&bytes));
        spans.extend(self.lexicon.spans.iter().cloned());
        let fresh = Sequence::new(spans);
        let free = self.sequences.iter().position(Option::is_none).unwrap_or(self.sequences.len());
        if free == self.sequences.len() {
            self.sequences.push(None);
        }
        self.sequences[free] = Some(fresh);
        Ok(SeqId(free as u32))
    }

    fn expect(&mut self, seq: SeqId, openings: &[&[u8]]) {
        let span = |opening: &&[u8]| {
            Span::new(self.vocab.as_ref(), Kind::Text, &String::from_utf8_lossy(opening), OPENING)
        };
        let spans = openings.iter().map(span).collect();
        if let Some(sequence) = self.sequences.get_mut(seq.0 as usize).and_then(Option::as_mut) {
            sequence.expect(spans);
        }
    }

    fn logits(&mut self, seqs: &[SeqId], out: &mut [f32]) -> Result<()> {
        let width = self.width();
        assert_eq!(out.len(), seqs.len() * width, "the rows of logits are [sequences, width]");
        for (&seq, row) in seqs.iter().zip(out.chunks_exact_mut(width)) {
            self.write_row(seq, row);
        }
        Ok(())
    }

    fn accept(&mut self, seq: SeqId, token: u32) {
        let Some(sequence) = self.sequences.get_mut(seq.0 as usize).and_then(Option::as_mut) else {
            return;
        };
        for &byte in self.vocab.bytes(token).unwrap_or_default() {
            sequence.push(byte);
        }
    }

    fn finish(&mut self, seq: SeqId) {
        if let Some(slot) = self.sequences.get_mut(seq.0 as usize) {
            *slot = None;
        }
    }
}
