//! The `chat.completion` object.

use serde_json::{Value, json};

use super::identifier::identifier;

/// Why the text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The value, or the text, was complete, or a stop sequence was reached.
    Stop,
    /// The most tokens allowed were generated.
    Length,
}

impl FinishReason {
    /// The name in replies.
    pub fn as_str(self) -> &'static str {
        match self {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
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

/// A finished reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// What the id is derived from, such as the line's `custom_id`.
    pub key: String,
    /// Unix time in seconds.
    pub created: u64,
    /// The model's name, as requested.
    pub model: String,
    /// The text.
    pub content: String,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// One entry a token, if they were asked for.
    pub logprobs: Option<Vec<TokenLogprob>>,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens generated, the one that ended the text included.
    pub completion_tokens: usize,
    /// Names the code that produced the text, such as `warpgrammar-0.1.0-cpu`.
    pub system_fingerprint: String,
}

impl Completion {
    /// The reply as JSON.
    pub fn to_json(&self) -> Value {
        let logprobs = self.logprobs.as_ref().map(|tokens| {
            let content: Vec<Value> = tokens.iter().map(token_json).collect();
            json!({"content": content, "refusal": null})
        });
        json!({
            "id": identifier("chatcmpl-", &[&self.key]),
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": self.content, "refusal": null},
                "logprobs": logprobs,
                "finish_reason": self.finish_reason.as_str(),
            }],
            "usage": {
                "prompt_tokens": self.prompt_tokens,
                "completion_tokens": self.completion_tokens,
                "total_tokens": self.prompt_tokens + self.completion_tokens,
            },
            "system_fingerprint": self.system_fingerprint,
        })
    }
}

fn token_json(token: &TokenLogprob) -> Value {
    let entry = |bytes: &[u8], logprob: f32| {
        // Bytes that are not UTF-8 by themselves show as U+FFFD in `token`; `bytes` is exact.
        json!({"token": String::from_utf8_lossy(bytes), "logprob": number(logprob), "bytes": bytes})
    };
    let mut out = entry(&token.bytes, token.logprob);
    out["top_logprobs"] = token.top.iter().map(|(bytes, logprob)| entry(bytes, *logprob)).collect();
    out
}

/// A log-probability as JSON; the API writes −9999 for what JSON cannot hold.
fn number(logprob: f32) -> Value {
    if logprob.is_finite() { json!(logprob) } else { json!(-9999.0) }
}
