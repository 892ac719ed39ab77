//! A reply in the making: from tokens to the `chat.completion` object.

use std::time::{SystemTime, UNIX_EPOCH};

use warpgrammar::engine::{Finish, Step};
use warpgrammar::openai::batch::BatchRequest;
use warpgrammar::openai::stop::StopScanner;
use warpgrammar::openai::{Completion, FinishReason, TokenLogprob};
use warpgrammar::vocab::Vocabulary;

/// What has been generated for one request.
pub struct Reply {
    /// The request.
    pub request: BatchRequest,
    prompt_tokens: usize,
    tokens: usize,
    text: Vec<u8>,
    stop: StopScanner,
    /// Where each token's text begins, and its log-probability, if they were asked for.
    logprobs: Option<Vec<(usize, TokenLogprob)>>,
}

impl Reply {
    /// An empty reply.
    pub fn new(request: BatchRequest, prompt_tokens: usize) -> Self {
        let stop = StopScanner::new(&request.chat.stop);
        let logprobs = request.chat.sampling.logprobs.then(Vec::new);
        Reply { request, prompt_tokens, tokens: 0, text: Vec::new(), stop, logprobs }
    }

    /// Tokens so far, one that ended the text included.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Takes one step's token; the reason if the reply ends with it.
    pub fn push(&mut self, step: &Step, vocab: &Vocabulary) -> Option<FinishReason> {
        let bytes = |id: u32| vocab.bytes(id).unwrap_or_default().to_vec();
        self.tokens += 1;
        if !vocab.is_stop(step.token) {
            if let Some(logprobs) = &mut self.logprobs {
                let top = step.top.iter().map(|&(id, logprob)| (bytes(id), logprob)).collect();
                let logprob = step.logprob.unwrap_or(f32::NEG_INFINITY);
                logprobs.push((self.text.len(), TokenLogprob { bytes: bytes(step.token), logprob, top }));
            }
            self.text.extend(bytes(step.token));
        }
        if let Some(cut) = self.stop.find(&self.text) {
            self.text.truncate(cut);
            if let Some(logprobs) = &mut self.logprobs {
                logprobs.retain(|(at, _)| *at < cut);
            }
            return Some(FinishReason::Stop);
        }
        step.finish.map(|finish| match finish {
            Finish::Stop => FinishReason::Stop,
            Finish::Length => FinishReason::Length,
        })
    }

    /// The finished reply. Free text can end inside a character, which then shows as U+FFFD.
    pub fn finish(self, finish_reason: FinishReason, system_fingerprint: &str) -> Completion {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Completion {
            key: self.request.custom_id,
            created: now.map_or(0, |t| t.as_secs()),
            model: self.request.chat.model,
            content: String::from_utf8_lossy(&self.text).into_owned(),
            finish_reason,
            logprobs: self.logprobs.map(|all| all.into_iter().map(|(_, token)| token).collect()),
            prompt_tokens: self.prompt_tokens,
            completion_tokens: self.tokens,
            system_fingerprint: system_fingerprint.to_owned(),
        }
    }
}
