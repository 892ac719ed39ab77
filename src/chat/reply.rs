//! Finished replies.

use super::message::Call;
use super::output::Delta;
use super::transcript::Piece;

/// Why a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The value, or the text, was complete, or a stop sequence was reached.
    Stop,
    /// The most tokens allowed were generated.
    Length,
    /// Functions are called.
    ToolCalls,
}

impl FinishReason {
    /// The name in replies.
    pub fn as_str(self) -> &'static str {
        match self {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
            FinishReason::ToolCalls => "tool_calls",
        }
    }
}

/// One token of the reply with its log-probability and the likeliest alternatives.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenLogprob {
    /// The token's bytes, which need not be whole characters.
    pub bytes: Vec<u8>,
    /// Natural logarithm of its probability among the legal tokens.
    pub logprob: f32,
    /// The likeliest tokens here, in falling order, as (bytes, log-probability).
    pub top: Vec<(Vec<u8>, f32)>,
}

/// Log-probabilities of the tokens of content and of a refusal. Those of calls are not reported.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logprobs {
    /// Of the content's tokens.
    pub content: Vec<TokenLogprob>,
    /// Of the refusal's tokens.
    pub refusal: Vec<TokenLogprob>,
}

/// One of the replies to a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// Prose or JSON; `None` if functions are called or the model refuses.
    pub content: Option<String>,
    /// Why the model refuses, if it does.
    pub refusal: Option<String>,
    /// The functions called.
    pub calls: Vec<Call>,
    /// Why it ended; `None` while it has not.
    pub finish: Option<FinishReason>,
    /// Of its tokens, if they were asked for.
    pub logprobs: Option<Logprobs>,
}

impl Choice {
    /// Takes what a step has added.
    pub fn add(&mut self, delta: Delta) {
        for piece in delta.pieces {
            match piece {
                Piece::Content(text) => self.content.get_or_insert_default().push_str(&text),
                Piece::Refusal(text) => self.refusal.get_or_insert_default().push_str(&text),
                Piece::Call(name) => self.calls.push(Call { name, ..Call::default() }),
                Piece::Arguments(text) => {
                    if let Some(call) = self.calls.last_mut() {
                        call.arguments.push_str(&text);
                    }
                }
            }
        }
        if let Some(new) = delta.logprobs {
            let all = self.logprobs.get_or_insert_default();
            all.content.extend(new.content);
            all.refusal.extend(new.refusal);
        }
        self.finish = delta.finish.or(self.finish);
    }
}

/// Tokens, as they are counted and billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the prompt.
    pub prompt: usize,
    /// Generated, of all choices together, those that ended the text included.
    pub completion: usize,
}

impl Usage {
    /// Both.
    pub fn total(self) -> usize {
        self.prompt + self.completion
    }
}

/// The finished reply to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// What identifiers are derived from, such as the line's `custom_id`.
    pub key: String,
    /// Unix time in milliseconds.
    pub created_ms: u64,
    /// The replies, as many as were asked for.
    pub choices: Vec<Choice>,
    /// Tokens.
    pub usage: Usage,
    /// The seed that was drawn with.
    pub seed: u64,
    /// Names the code that produced the text, such as `warpgrammar-0.1.0-cpu`.
    pub system_fingerprint: String,
}

impl Reply {
    /// Unix time in seconds.
    pub fn created(&self) -> u64 {
        self.created_ms / 1000
    }
}
