//! One request being generated: its place in its grammar, its parameters, its history.

use std::sync::Arc;

use super::batch::{Finish, Step};
use crate::cpu::sampler::SamplerScratch;
use crate::error::{Error, ErrorKind, Result};
use crate::reference::Configuration;
use crate::sampling::{Draw, LegalSet, Logits, SamplingParams, TokenCounts, stream};
use crate::table::Grammar;
use crate::vocab::Vocabulary;

/// What steps a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// The fast CPU backend.
    #[default]
    Cpu,
    /// The specification: slow, for comparison.
    Reference,
}

/// What to generate.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// What the output must match; `None` for free text.
    pub grammar: Option<Arc<Grammar>>,
    /// How to sample.
    pub params: SamplingParams,
    /// The prompt's tokens, for penalties and the position of random numbers.
    pub prompt: &'a [u32],
    /// Greatest number of output tokens, a stop token not counted. With a grammar it must be at least
    /// [`Grammar::least_tokens`], and the output is then complete within it.
    pub max_tokens: Option<u32>,
    /// Which of several outputs of one request: choices draw independent random numbers.
    pub choice: u32,
}

/// How many tokens apart positions are kept to roll back to.
const CHECKPOINT: usize = 32;

/// The state of one request.
#[derive(Clone)]
pub(super) struct Slot {
    grammar: Option<Arc<Grammar>>,
    params: SamplingParams,
    counts: TokenCounts,
    prompt_len: u64,
    max_tokens: Option<u32>,
    stream: u32,
    position: Option<Configuration>,
    tokens: Vec<u32>,
    /// Positions after 0, 32, 64 … tokens.
    checkpoints: Vec<Configuration>,
    finish: Option<Finish>,
}

/// Buffers that rows of one thread take turns in.
#[derive(Default)]
pub(super) struct Scratch {
    sampler: SamplerScratch,
    mask: Vec<u32>,
}

impl Slot {
    pub fn new(request: Request<'_>, vocab: &Vocabulary) -> Result<Self> {
        request.params.validate(vocab.width())?;
        if let (Some(grammar), Some(max)) = (&request.grammar, request.max_tokens) {
            let least = grammar.least_tokens();
            if max < least {
                return Err(Error::new(
                    ErrorKind::InvalidParameter,
                    format!(
                        "max_tokens is {max}, but an output can need {least} tokens; allow at least {least}"
                    ),
                ));
            }
        }
        if request.max_tokens == Some(0) && request.grammar.is_none() {
            return Err(Error::new(ErrorKind::InvalidParameter, "max_tokens is 0, it must be at least 1"));
        }
        if let Some(grammar) = &request.grammar
            && grammar.header().vocabulary != vocab.fingerprint()
        {
            let message = "the grammar was compiled for another vocabulary; compile the schema for this one";
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
        let position = request.grammar.as_deref().map(Configuration::start);
        Ok(Slot {
            checkpoints: position.iter().cloned().collect(),
            position,
            grammar: request.grammar,
            counts: TokenCounts::from_prompt(request.prompt),
            prompt_len: request.prompt.len() as u64,
            stream: stream(request.choice, false),
            params: request.params,
            max_tokens: request.max_tokens,
            tokens: Vec::new(),
            finish: None,
        })
    }

    fn left(&self) -> Option<u64> {
        self.max_tokens.map(|max| u64::from(max) - self.tokens.len() as u64)
    }

    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    pub fn finish(&self) -> Option<Finish> {
        self.finish
    }

    /// Whether the output matches the grammar as it is; free text always does.
    pub fn is_complete(&self) -> bool {
        match (&self.position, &self.grammar) {
            (Some(position), Some(grammar)) => position.is_complete(grammar),
            _ => true,
        }
    }

    /// Writes the legal tokens, `[ceil(width / 32)]` words; `false` if every token is legal and
    /// nothing was written.
    pub fn fill_mask(&self, vocab: &Vocabulary, words: &mut [u32]) -> bool {
        let (Some(position), Some(grammar)) = (&self.position, &self.grammar) else { return false };
        words.copy_from_slice(&position.mask(grammar, vocab, self.left()));
        true
    }

    /// Samples one token and moves on.
    pub fn step(
        &mut self,
        vocab: &Vocabulary,
        logits: Logits<'_>,
        backend: Backend,
        scratch: &mut Scratch,
    ) -> Result<Step> {
        if self.finish.is_some() {
            return Err(Error::new(ErrorKind::InvalidParameter, "the slot has finished; retire it"));
        }
        let mut mask = std::mem::take(&mut scratch.mask);
        mask.resize(vocab.width().div_ceil(32), 0);
        let legal = if self.fill_mask(vocab, &mut mask) { LegalSet::Bitmap(&mask) } else { LegalSet::All };
        let draw = Draw::new(self.params.seed, self.prompt_len + self.tokens.len() as u64, self.stream);
        let sampled = match backend {
            Backend::Cpu => crate::cpu::sampler::sample(
                logits,
                legal,
                &self.params,
                &self.counts,
                draw,
                &mut scratch.sampler,
            ),
            Backend::Reference => {
                crate::reference::sampler::sample(logits, legal, &self.params, &self.counts, draw)
            }
        };
        scratch.mask = mask;
        let sampled = sampled?;
        self.advance(vocab, sampled.token)?;
        Ok(Step { token: sampled.token, logprob: sampled.logprob, top: sampled.top, finish: self.finish })
    }

    /// Moves on by a token chosen elsewhere.
    pub fn advance(&mut self, vocab: &Vocabulary, token: u32) -> Result<()> {
        let illegal = |why: String| Error::new(ErrorKind::IllegalToken, why);
        if self.finish.is_some() {
            return Err(illegal(format!("token {token} comes after the end of the output")));
        }
        if token as usize >= vocab.width() {
            return Err(illegal(format!("token {token} is beyond the logits' width of {}", vocab.width())));
        }
        if let (Some(position), Some(grammar)) = (&mut self.position, &self.grammar) {
            let left = self.max_tokens.map(|max| u64::from(max) - self.tokens.len() as u64);
            let Some(next) = position.after_token(grammar, vocab, token, left) else {
                return Err(illegal(format!(
                    "token {token} ({:?}) cannot come next",
                    String::from_utf8_lossy(vocab.bytes(token).unwrap_or_default())
                )));
            };
            *position = next;
        }
        if vocab.is_stop(token) {
            self.finish = Some(Finish::Stop);
            return Ok(());
        }
        self.tokens.push(token);
        self.counts.push(token);
        if self.tokens.len() % CHECKPOINT == 0
            && let Some(position) = &self.position
        {
            self.checkpoints.push(position.clone());
        }
        self.finish = self.end();
        Ok(())
    }

    /// Whether the output is at its end without a stop token.
    fn end(&self) -> Option<Finish> {
        if let (Some(position), Some(grammar)) = (&self.position, &self.grammar)
            && position.is_complete(grammar)
            && (self.left() == Some(0) || next_bytes(position, grammar).next().is_none())
        {
            return Some(Finish::Stop);
        }
        (self.left() == Some(0)).then_some(Finish::Length)
    }

    /// Takes back the last `n` tokens (a stop token is not one of them, but is taken back too).
    pub fn rollback(&mut self, vocab: &Vocabulary, n: usize) -> Result<()> {
        let Some(keep) = self.tokens.len().checked_sub(n) else {
            let message = format!("cannot take back {n} of {} tokens", self.tokens.len());
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        };
        for &token in &self.tokens[keep..] {
            self.counts.pop(token);
        }
        if let Some(grammar) = &self.grammar {
            self.checkpoints.truncate(keep / CHECKPOINT + 1);
            let mut position = self.checkpoints[keep / CHECKPOINT].clone();
            for &token in &self.tokens[keep / CHECKPOINT * CHECKPOINT..keep] {
                for &b in vocab.bytes(token).unwrap_or_default() {
                    position.read(grammar, b);
                }
            }
            self.position = Some(position);
        }
        self.tokens.truncate(keep);
        self.finish = None;
        Ok(())
    }

    /// The bytes that must come next, whatever is sampled: jump-ahead text.
    pub fn forced(&self) -> Vec<u8> {
        let (Some(position), Some(grammar)) = (&self.position, &self.grammar) else { return Vec::new() };
        let mut position = position.clone();
        let mut forced = Vec::new();
        // A grammar can force a text without end only by its own size.
        while !position.is_complete(grammar) && forced.len() < 1 << 16 {
            let mut bytes = next_bytes(&position, grammar);
            let (Some(byte), None) = (bytes.next(), bytes.next()) else { break };
            drop(bytes);
            position.read(grammar, byte);
            forced.push(byte);
        }
        forced
    }

    /// How many of the tokens, from the first on, could be appended one by one. Changes nothing.
    pub fn validate(&self, vocab: &Vocabulary, tokens: &[u32]) -> usize {
        if self.finish.is_some() {
            return 0;
        }
        let mut trial = self.clone();
        tokens.iter().take_while(|&&token| trial.advance(vocab, token).is_ok()).count()
    }
}

/// The bytes that are legal next, ascending.
fn next_bytes<'a>(position: &'a Configuration, grammar: &'a Grammar) -> impl Iterator<Item = u8> + 'a {
    (0..=255u8).filter(|&b| position.clone().read(grammar, b))
}
