//! Where logits come from.
//!
//! The engine decides which tokens are legal and draws one; it never computes a logit. A program that
//! decodes needs something that does, a [`LogitsSource`]: one forward pass for a batch of sequences.
//! The command line comes with [`CopyModel`], which makes it usable, and its output readable, on a
//! machine without any model's weights.
//!
//! ```text
//! seq = source.start(prompt)        source.expect(seq, openings) if functions may be called
//! loop: source.logits([seq …], out)   the engine masks, samples, advances
//!       source.accept(seq, token)
//! source.finish(seq)
//! ```

mod copy;
mod tokens;

pub use copy::CopyModel;
pub use tokens::Tokens;

use crate::error::Result;

/// A sequence that a source is generating.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeqId(pub u32);

/// A source of logits for a batch of sequences.
pub trait LogitsSource {
    /// Logits in a row; at least the vocabulary's size.
    fn width(&self) -> usize;

    /// Begins a sequence after `prompt`, a list of token ids.
    ///
    /// # Errors
    /// A prompt the source cannot take (too long for its context, ids it does not know).
    fn start(&mut self, prompt: &[u32]) -> Result<SeqId>;

    /// Tells that the text may begin with one of `openings`, after which a JSON value comes: a source whose prompt has
    /// not told it how calls of functions are written.
    fn expect(&mut self, _seq: SeqId, _openings: &[&[u8]]) {}

    /// Writes the logits of the next token of every sequence into `out`, shaped `[seqs.len(), width]`.
    ///
    /// The same sequence must give the same row whatever else is in the batch: reproducible output
    /// rests on it.
    ///
    /// # Errors
    /// A failed forward pass. The sequences stay where they were.
    ///
    /// # Panics
    /// If `out` has another shape, or a sequence is finished.
    fn logits(&mut self, seqs: &[SeqId], out: &mut [f32]) -> Result<()>;

    /// Appends the token that was drawn.
    fn accept(&mut self, seq: SeqId, token: u32);

    /// Forgets the sequence; its id may be given out again.
    fn finish(&mut self, seq: SeqId);
}

impl<S: LogitsSource + ?Sized> LogitsSource for Box<S> {
    fn width(&self) -> usize {
        (**self).width()
    }

    fn start(&mut self, prompt: &[u32]) -> Result<SeqId> {
        (**self).start(prompt)
    }

    fn expect(&mut self, seq: SeqId, openings: &[&[u8]]) {
        (**self).expect(seq, openings);
    }

    fn logits(&mut self, seqs: &[SeqId], out: &mut [f32]) -> Result<()> {
        (**self).logits(seqs, out)
    }

    fn accept(&mut self, seq: SeqId, token: u32) {
        (**self).accept(seq, token);
    }

    fn finish(&mut self, seq: SeqId) {
        (**self).finish(seq);
    }
}
