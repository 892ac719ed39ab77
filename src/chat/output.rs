//! From the engine's tokens to a reply, one step at a time.

use std::sync::Arc;

use super::generation::{Generation, ToolChoice};
use super::plan::Plan;
use super::reply::{FinishReason, Logprobs, TokenLogprob};
use super::transcript::{Piece, Transcript};
use crate::engine::{Finish, Step};
use crate::vocab::Vocabulary;

/// What one step adds to a reply.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// Text, in order.
    pub pieces: Vec<Piece>,
    /// Log-probabilities of tokens whose text, or its beginning, has been passed on; if they were asked for.
    pub logprobs: Option<Logprobs>,
    /// Set by the last one.
    pub finish: Option<FinishReason>,
}

/// A reply in the making.
#[derive(Clone, Debug)]
pub struct Output {
    transcript: Transcript,
    tokens: usize,
    /// A call that was asked for by name ends with `stop`, as the API has it.
    named: bool,
    calls: bool,
    /// Log-probabilities not passed on yet, each with where in the text its token begins and whether that is a refusal.
    waiting: Option<Vec<(usize, bool, TokenLogprob)>>,
    /// Those of tokens of which it is not decided yet whether they are text.
    undecided: Vec<TokenLogprob>,
}

impl Output {
    /// An empty reply to a request; one of several if it asks for them.
    pub fn new(generation: &Generation, plan: Arc<Plan>) -> Self {
        Output {
            transcript: Transcript::new(plan, &generation.stop),
            tokens: 0,
            named: matches!(generation.tool_choice, ToolChoice::Named(_)),
            calls: false,
            waiting: generation.sampling.logprobs.then(Vec::new),
            undecided: Vec::new(),
        }
    }

    /// Tokens so far, one that ended the text included.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Takes one step's token. After a delta with `finish` there is none: the engine's slot may be retired.
    pub fn push(&mut self, step: &Step, vocab: &Vocabulary) -> Delta {
        let bytes = |id: u32| vocab.bytes(id).unwrap_or_default().to_vec();
        self.tokens += 1;
        let is_stop = vocab.is_stop(step.token);
        let mut pieces = Vec::new();
        let before = self.transcript.progress().0;
        if !is_stop {
            let token = bytes(step.token);
            pieces = self.transcript.push(&token);
            if self.waiting.is_some() {
                let top = step.top.iter().map(|&(id, logprob)| (bytes(id), logprob)).collect();
                let logprob = step.logprob.unwrap_or(f32::NEG_INFINITY);
                self.undecided.push(TokenLogprob { bytes: token, logprob, top });
            }
        }
        let ended = step.finish.is_some() || self.transcript.has_stopped();
        // Prose goes on until a stop token comes: without one it was cut off.
        let cut_off = step.finish == Some(Finish::Length) || !is_stop && self.transcript.is_open();
        let cut_off = cut_off && !self.transcript.has_stopped();
        if ended {
            pieces.extend(self.transcript.end());
        }
        self.decide(before);
        self.calls |= pieces.iter().any(|piece| matches!(piece, Piece::Call(_)));
        let reason = if cut_off {
            FinishReason::Length
        } else if self.calls && !self.named {
            FinishReason::ToolCalls
        } else {
            FinishReason::Stop
        };
        let finish = ended.then_some(reason);
        Delta { pieces, logprobs: self.passed_on(), finish }
    }

    /// Tells the undecided tokens that are text from those that are not, if that is known now. The text had `before`
    /// bytes before this step; what was added to it is the end of these tokens.
    fn decide(&mut self, before: usize) {
        if self.transcript.is_undecided() {
            return;
        }
        let undecided = std::mem::take(&mut self.undecided);
        let (Some(waiting), Some(refusal)) = (&mut self.waiting, self.transcript.is_refusal()) else {
            return;
        };
        let bytes: usize = undecided.iter().map(|token| token.bytes.len()).sum();
        let not_text = bytes.saturating_sub(self.transcript.progress().0 - before);
        let mut at = 0;
        for token in undecided {
            let begins = at;
            at += token.bytes.len();
            if at > not_text {
                waiting.push((before + begins.saturating_sub(not_text), refusal, token));
            }
        }
    }

    /// The log-probabilities of tokens of which some text was passed on.
    fn passed_on(&mut self) -> Option<Logprobs> {
        let waiting = self.waiting.as_mut()?;
        let passed = self.transcript.progress().1;
        let ready = waiting.iter().take_while(|(at, ..)| *at < passed).count();
        let mut out = Logprobs::default();
        for (_, refusal, token) in waiting.drain(..ready) {
            if refusal { &mut out.refusal } else { &mut out.content }.push(token);
        }
        Some(out)
    }
}
