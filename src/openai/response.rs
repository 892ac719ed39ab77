//! The `chat.completion` object.

use serde_json::{Value, json};

use super::request::ChatRequest;
use crate::chat::{Call, Choice, Logprobs, Reply, TokenLogprob, Usage, identifier};

impl ChatRequest {
    /// The reply as JSON.
    pub fn reply(&self, reply: &Reply) -> Value {
        let choices = reply.choices.iter().enumerate().map(|(index, choice)| {
            json!({
                "index": index,
                "message": message(choice, &reply.key, index),
                "logprobs": choice.logprobs.as_ref().map(logprobs),
                "finish_reason": choice.finish.map(|reason| reason.as_str()),
            })
        });
        json!({
            "id": completion_id(&reply.key),
            "object": "chat.completion",
            "created": reply.created(),
            "model": self.model,
            "choices": choices.collect::<Vec<Value>>(),
            "usage": usage(reply.usage),
            "system_fingerprint": reply.system_fingerprint,
        })
    }
}

/// The `id` of a reply and of its chunks.
pub(super) fn completion_id(key: &str) -> String {
    identifier("chatcmpl-", &[key])
}

/// The `id` of a call.
pub(super) fn call_id(key: &str, choice: usize, call: usize) -> String {
    identifier("call_", &[key, &choice.to_string(), &call.to_string()])
}

fn message(choice: &Choice, key: &str, index: usize) -> Value {
    let mut out = json!({"role": "assistant", "content": choice.content, "refusal": choice.refusal});
    if !choice.calls.is_empty() {
        let call = |(k, call): (usize, &Call)| {
            json!({
                "id": call_id(key, index, k),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            })
        };
        out["tool_calls"] = choice.calls.iter().enumerate().map(call).collect();
    }
    out
}

/// The `usage` object.
pub(super) fn usage(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total(),
    })
}

/// The `logprobs` object; what has no tokens is null.
pub(super) fn logprobs(all: &Logprobs) -> Value {
    let list = |tokens: &[TokenLogprob]| match tokens {
        [] => Value::Null,
        tokens => tokens.iter().map(token).collect(),
    };
    json!({"content": list(&all.content), "refusal": list(&all.refusal)})
}

/// One token's entry.
pub(super) fn token(token: &TokenLogprob) -> Value {
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
