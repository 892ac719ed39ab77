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
//! Without a constraint the reply is a sentence of the prompt.
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
mod span;

use std::sync::Arc;

use self::lexicon::Lexicon;
use self::outline::{Mood, Outline, Place};
use self::span::{Kind, Span, key_stems, spans_of};
use super::{LogitsSource, SeqId, Tokens};
use crate::error::Result;

/// What a span loses each time it has been written.
const USED: f32 = 4.0;

/// A source of logits that copies from the prompt. See the [module](self) for what to expect of it.
pub struct CopyModel {
    vocab: Arc<dyn Tokens + Send + Sync>,
    lexicon: Lexicon,
    sequences: Vec<Option<Sequence>>,
    scratch: Outline,
}

/// One text in the making.
struct Sequence {
    /// The prompt's spans, then the lexicon's.
    spans: Vec<Span>,
    /// How often each span has been written.
    used: Vec<u32>,
    outline: Outline,
    /// The string or scalar at hand, so far; all of the text if it is not JSON.
    current: Vec<u8>,
    /// Stems of the key that was written last.
    key: Vec<u32>,
}

impl CopyModel {
    /// A model over `vocab`. Reads every token once.
    pub fn new(vocab: Arc<dyn Tokens + Send + Sync>) -> Self {
        let lexicon = Lexicon::new(vocab.as_ref());
        CopyModel {
            vocab,
            lexicon,
            sequences: Vec::new(),
            scratch: Outline::new(),
        }
    }

    fn write_row(&mut self, seq: SeqId, row: &mut [f32]) {
        let sequence = self.sequences[seq.0 as usize]
            .as_ref()
            .expect("the sequence is not finished");
        row.copy_from_slice(&self.lexicon.base);
        let continuations = sequence.continuations();
        let mood = sequence.mood(&continuations);
        for (id, bytes) in &self.lexicon.structural {
            self.scratch.clone_from(&sequence.outline);
            let mut price = 0.0;
            for &byte in bytes {
                price += self.scratch.price(byte, mood);
                self.scratch.push(byte);
            }
            row[*id as usize] = price.max(row[*id as usize]);
        }
        for &(token, price) in &continuations.tokens {
            let logit = &mut row[token as usize];
            *logit = logit.max(price);
        }
        for &id in &self.lexicon.stop_ids {
            row[id as usize] = sequence.stop_price(&continuations);
        }
    }
}

impl LogitsSource for CopyModel {
    fn width(&self) -> usize {
        self.lexicon.base.len()
    }

    fn start(&mut self, prompt: &[u32]) -> Result<SeqId> {
        let bytes: Vec<u8> = prompt
            .iter()
            .flat_map(|&id| self.vocab.bytes(id).unwrap_or_default())
            .copied()
            .collect();
        let mut spans = spans_of(self.vocab.as_ref(), &String::from_utf8_lossy(&bytes));
        spans.extend(self.lexicon.spans.iter().cloned());
        let used = vec![0; spans.len()];
        let fresh = Sequence {
            spans,
            used,
            outline: Outline::new(),
            current: Vec::new(),
            key: Vec::new(),
        };
        let free = self
            .sequences
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.sequences.len());
        if free == self.sequences.len() {
            self.sequences.push(None);
        }
        self.sequences[free] = Some(fresh);
        Ok(SeqId(free as u32))
    }

    fn logits(&mut self, seqs: &[SeqId], out: &mut [f32]) -> Result<()> {
        let width = self.width();
        assert_eq!(
            out.len(),
            seqs.len() * width,
            "the rows of logits are [sequences, width]"
        );
        for (&seq, row) in seqs.iter().zip(out.chunks_exact_mut(width)) {
            self.write_row(seq, row);
        }
        Ok(())
    }

    fn accept(&mut self, seq: SeqId, token: u32) {
        let Some(sequence) = self
            .sequences
            .get_mut(seq.0 as usize)
            .and_then(Option::as_mut)
        else {
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

/// What can come next of the value at hand.
struct Continuations {
    /// Tokens that go on with a span, with their price.
    tokens: Vec<(u32, f32)>,
    /// The best of their prices.
    best: f32,
    /// Whether what is written is a whole span.
    whole: bool,
}

impl Sequence {
    fn push(&mut self, byte: u8) {
        let before = self.outline.place();
        self.outline.push(byte);
        let after = self.outline.place();
        let open = |place| matches!(place, Place::String { .. } | Place::Scalar | Place::Prose);
        match (before, after) {
            (Place::String { key: true, .. }, Place::Colon) => {
                self.key = key_stems(&String::from_utf8_lossy(&self.current));
                self.wrote();
            }
            _ if open(before) && !open(after) => self.wrote(),
            // The opening quote belongs to nothing; a scalar's first byte belongs to it.
            _ if !open(before) => self.current.clear(),
            _ => {}
        }
        if open(after) && (open(before) || !matches!(after, Place::String { .. })) {
            self.current.push(byte);
        }
    }

    /// A value or key has ended: what it was, or began with, is less welcome from now on.
    fn wrote(&mut self) {
        for (span, used) in self.spans.iter().zip(&mut self.used) {
            let same = span.bytes == self.current;
            let overlaps = self.current.len() > 8
                && (span.bytes.starts_with(&self.current) || self.current.starts_with(&span.bytes));
            *used += u32::from(same || overlaps);
        }
    }

    /// The spans that the value at hand can still become.
    fn continuations(&self) -> Continuations {
        let kinds: &[Kind] = match self.outline.place() {
            Place::Start | Place::Prose => &[Kind::Text],
            Place::Value | Place::Scalar => &[Kind::Scalar],
            Place::String { key: true, .. } => &[Kind::Key],
            Place::String { .. } => &[Kind::Text],
            _ => &[],
        };
        let written: &[u8] = match self.outline.place() {
            Place::Start | Place::Value => &[],
            _ => &self.current,
        };
        let prose = matches!(self.outline.place(), Place::Start | Place::Prose);
        let recursion = 2.5 * self.outline.recursion() as f32;
        let mut out = Continuations {
            tokens: Vec::new(),
            best: f32::NEG_INFINITY,
            whole: false,
        };
        for (span, &used) in self.spans.iter().zip(&self.used) {
            if !kinds.contains(&span.kind) || !span.bytes.starts_with(written) {
                continue;
            }
            out.whole |= span.bytes.len() == written.len();
            let Some(token) = span.next(written.len()) else {
                continue;
            };
            let mut price = span.price + span.affinity(&self.key) - USED * used as f32;
            if prose && span.words < 4 {
                price -= 4.0;
            }
            if self.outline.in_array() && span.words > 4 {
                price -= 1.5;
            }
            if span.bytes == b"null" {
                price += recursion;
            }
            out.best = out.best.max(price);
            out.tokens.push((token, price));
        }
        out
    }

    /// How ready the value at hand is for its end.
    fn mood(&self, next: &Continuations) -> Mood {
        let goes_on = !next.tokens.is_empty();
        let length = self.current.len() as f32;
        let close = match (next.whole, goes_on) {
            (true, true) => next.best + 0.5,
            (true, false) => 1.0,
            (false, true) => next.best - 7.0 + length / 16.0,
            (false, false) => 0.0,
        };
        let end_scalar = match (next.whole, goes_on) {
            (true, _) | (_, false) => 0.0,
            (false, true) => next.best - 6.0,
        };
        let more = self
            .spans
            .iter()
            .zip(&self.used)
            .any(|(s, &u)| u == 0 && s.affinity(&self.key) >= 3.0);
        Mood {
            close,
            end_scalar,
            more: if more { 1.5 } else { 0.0 },
        }
    }

    /// Logit of the ids that end the text.
    fn stop_price(&self, next: &Continuations) -> f32 {
        match self.outline.place() {
            Place::Done => 8.0,
            Place::Prose if next.whole && next.tokens.is_empty() => 2.0,
            Place::Prose if next.whole => next.best,
            Place::Prose if next.tokens.is_empty() => 0.0,
            Place::Prose => -12.0 + self.current.len() as f32 / 40.0,
            _ => -12.0,
        }
    }
}
