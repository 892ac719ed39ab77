//! One request being generated: its place in its grammar, its parameters, its history.

use std::sync::Arc;

use super::batch::{Finish, Step};
use super::host::Interpreter;
use super::position::Position;
use crate::cpu::sampler::SamplerScratch;
use crate::cpu::{Masker, Program, VocabTables};
use crate::error::{Error, ErrorKind, Result};
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
    /// The first CUDA device: tokens are sampled and followed there.
    Cuda,
    /// The CUDA kernels, emulated on the host: very slow, for tests.
    Emulated,
    /// The first CUDA device if there is one, else the CPU.
    Auto,
}

impl Backend {
    /// Its name, as on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Backend::Cpu => "cpu",
            Backend::Reference => "reference",
            Backend::Cuda => "cuda",
            Backend::Emulated => "emulated",
            Backend::Auto => "auto",
        }
    }
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

/// The state of one request.
#[derive(Clone)]
pub(super) struct Slot {
    params: SamplingParams,
    counts: TokenCounts,
    prompt_len: u64,
    max_tokens: Option<u32>,
    stream: u32,
    position: Option<Position>,
    tokens: Vec<u32>,
    finish: Option<Finish>,
}

/// Buffers that rows of one thread take turns in.
pub(super) struct Scratch {
    sampler: SamplerScratch,
    masker: Masker,
    mask: Vec<u32>,
}

impl Scratch {
    pub fn new(tables: Arc<VocabTables>) -> Self {
        let mask = vec![0; tables.vocab().width().div_ceil(32)];
        Scratch { sampler: SamplerScratch::default(), masker: Masker::new(tables), mask }
    }
}

impl Slot {
    /// `program` is the request's grammar made ready, if it has one.
    pub fn new(
        request: Request<'_>,
        program: Option<&Arc<Program>>,
        vocab: &Vocabulary,
        interpreter: Interpreter,
    ) -> Result<Self> {
        check(&request, vocab)?;
        Ok(Slot {
            position: program.map(|program| Position::start(program, interpreter)),
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
        self.position.as_ref().is_none_or(Position::is_complete)
    }

    /// Writes the legal tokens, `[ceil(width / 32)]` words; `false` if every token is legal and
    /// nothing was written.
    pub fn fill_mask(&self, scratch: &mut Scratch, words: &mut [u32]) -> bool {
        let Some(position) = &self.position else { return false };
        position.mask(&mut scratch.masker, self.left(), words);
        true
    }

    /// Samples one token and moves on.
    pub fn step(
        &mut self,
        vocab: &Vocabulary,
        logits: Logits<'_>,
        interpreter: Interpreter,
        scratch: &mut Scratch,
    ) -> Result<Step> {
        if self.finish.is_some() {
            return Err(finished());
        }
        let mut mask = std::mem::take(&mut scratch.mask);
        let legal = if self.fill_mask(scratch, &mut mask) { LegalSet::Bitmap(&mask) } else { LegalSet::All };
        let draw = Draw::new(self.params.seed, self.prompt_len + self.tokens.len() as u64, self.stream);
        let sampled = match interpreter {
            Interpreter::Cpu => crate::cpu::sampler::sample(
                logits,
                legal,
                &self.params,
                &self.counts,
                draw,
                &mut scratch.sampler,
            ),
            _ => crate::reference::sampler::sample(logits, legal, &self.params, &self.counts, draw),
        };
        scratch.mask = mask;
        let sampled = sampled?;
        self.advance(vocab, sampled.token)?;
        Ok(Step { token: sampled.token, logprob: sampled.logprob, top: sampled.top, finish: self.finish })
    }

    /// Moves on by a token chosen elsewhere.
    pub fn advance(&mut self, vocab: &Vocabulary, token: u32) -> Result<()> {
        if self.finish.is_some() {
            return Err(after_the_end(token));
        }
        if token as usize >= vocab.width() {
            return Err(illegal(token, vocab));
        }
        let left = self.left();
        if let Some(position) = &mut self.position {
            let legal = if vocab.is_stop(token) {
                position.is_complete()
            } else {
                position.advance(vocab, token, self.tokens.len() + 1, left)
            };
            if !legal {
                return Err(illegal(token, vocab));
            }
        }
        if vocab.is_stop(token) {
            self.finish = Some(Finish::Stop);
            return Ok(());
        }
        self.tokens.push(token);
        self.counts.push(token);
        self.finish = self.end();
        Ok(())
    }

    /// Whether the output is at its end without a stop token.
    fn end(&self) -> Option<Finish> {
        let used_up = self.left() == Some(0);
        match &self.position {
            Some(position) if position.is_at_end() || used_up && position.is_complete() => Some(Finish::Stop),
            Some(_) => {
                debug_assert!(!used_up, "a token is legal only if the output can be completed after it");
                None
            }
            None => used_up.then_some(Finish::Length),
        }
    }

    /// Takes back the last `n` tokens (a stop token is not one of them, but is taken back too).
    pub fn rollback(&mut self, vocab: &Vocabulary, n: usize) -> Result<()> {
        let Some(keep) = self.tokens.len().checked_sub(n) else {
            return Err(too_few(n, self.tokens.len()));
        };
        for &token in &self.tokens[keep..] {
            self.counts.pop(token);
        }
        if let Some(position) = &mut self.position {
            position.rollback(vocab, &self.tokens, keep, self.max_tokens.map(u64::from));
        }
        self.tokens.truncate(keep);
        self.finish = self.end();
        Ok(())
    }

    /// The bytes that must come next, whatever is sampled: jump-ahead text.
    pub fn forced(&self) -> Vec<u8> {
        self.position.as_ref().map_or_else(Vec::new, Position::forced)
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

/// What can be wrong with a request.
pub(super) fn check(request: &Request<'_>, vocab: &Vocabulary) -> Result<()> {
    request.params.validate(vocab.width())?;
    // First: the numbers of a grammar for another vocabulary mean nothing.
    if let Some(grammar) = &request.grammar
        && grammar.header().vocabulary != vocab.fingerprint()
    {
        let message = "the grammar was compiled for another vocabulary; compile the schema for this one";
        return Err(Error::new(ErrorKind::InvalidParameter, message));
    }
    if let (Some(grammar), Some(max)) = (&request.grammar, request.max_tokens) {
        let least = grammar.least_tokens();
        if !grammar.is_bounded() {
            return Err(Error::new(
                ErrorKind::InvalidParameter,
                "no number of tokens is known to be enough for this schema in free key order, since some of \
                 its alternatives recurse; leave max_tokens out, or keep the schema's key order",
            ));
        }
        if max < least {
            return Err(Error::new(
                ErrorKind::InvalidParameter,
                format!("max_tokens is {max}, but an output can need {least} tokens; allow at least {least}"),
            ));
        }
    }
    if request.max_tokens == Some(0) && request.grammar.is_none() {
        return Err(Error::new(ErrorKind::InvalidParameter, "max_tokens is 0, it must be at least 1"));
    }
    Ok(())
}

/// The error of stepping a request whose output has ended.
pub(super) fn finished() -> Error {
    Error::new(ErrorKind::InvalidParameter, "the slot has finished; retire it")
}

/// The error of a token for such a request.
pub(super) fn after_the_end(token: u32) -> Error {
    Error::new(ErrorKind::IllegalToken, format!("token {token} comes after the end of the output"))
}

/// The error of a token that is not legal, or none at all.
pub(super) fn illegal(token: u32, vocab: &Vocabulary) -> Error {
    let why = if token as usize >= vocab.width() {
        format!("token {token} is beyond the logits' width of {}", vocab.width())
    } else {
        let text = String::from_utf8_lossy(vocab.bytes(token).unwrap_or_default());
        format!("token {token} ({text:?}) cannot come next")
    };
    Error::new(ErrorKind::IllegalToken, why)
}

/// The error of taking back more tokens than there are.
pub(super) fn too_few(n: usize, tokens: usize) -> Error {
    Error::new(ErrorKind::InvalidParameter, format!("cannot take back {n} of {tokens} tokens"))
}
