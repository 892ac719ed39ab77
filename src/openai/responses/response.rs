//! The `response` object and the items of its output.

use serde_json::{Value, json};

use super::request::ResponsesRequest;
use crate::chat::{Call, Choice, FinishReason, Reply, TokenLogprob, Usage, identifier};
use crate::openai::response::{call_id, token};

impl ResponsesRequest {
    /// The reply as JSON.
    pub fn reply(&self, reply: &Reply) -> Value {
        let choice = reply.choices.first().cloned().unwrap_or_default();
        let status = status(choice.finish);
        let output = self.output(&choice, &reply.key, status);
        let mut out = self.frame(&reply.key, reply.created(), status);
        if status == "incomplete" {
            out["incomplete_details"] = json!({"reason": "max_output_tokens"});
        }
        out["output"] = Value::Array(output);
        out["usage"] = usage(reply.usage);
        out
    }

    /// The object without output and usage.
    pub(super) fn frame(&self, key: &str, created: u64, status: &str) -> Value {
        let echo = &self.echo;
        json!({
            "id": response_id(key),
            "object": "response",
            "created_at": created,
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": null,
            "instructions": echo.instructions,
            "max_output_tokens": self.generation.max_tokens,
            "metadata": echo.metadata,
            "model": self.model,
            "output": [],
            "parallel_tool_calls": self.generation.parallel_calls,
            "previous_response_id": null,
            "reasoning": {"effort": null, "summary": null},
            "store": false,
            "temperature": echo.temperature,
            "text": {"format": echo.format},
            "tool_choice": echo.tool_choice,
            "tools": self.tools(),
            "top_logprobs": self.generation.sampling.top_logprobs,
            "top_p": echo.top_p,
            "truncation": echo.truncation,
            "usage": null,
            "user": echo.user,
        })
    }

    /// The tools as they were sent, with what was made of `strict`.
    fn tools(&self) -> Value {
        let mut tools = self.echo.tools.clone();
        for (tool, read) in tools.as_array_mut().into_iter().flatten().zip(&self.generation.tools) {
            tool["strict"] = read.strict.into();
        }
        tools
    }

    fn output(&self, choice: &Choice, key: &str, status: &str) -> Vec<Value> {
        let mut items = Vec::new();
        if let Some(text) = &choice.content {
            let logprobs = choice.logprobs.as_ref().map_or(&[][..], |l| &l.content);
            items.push(message_item(key, status, Some(text_part(text, logprobs))));
        }
        if let Some(refusal) = &choice.refusal {
            items.push(message_item(key, status, Some(refusal_part(refusal))));
        }
        items.extend(choice.calls.iter().enumerate().map(|(k, call)| call_item(key, k, call, status)));
        items
    }
}

/// What a finish means for the whole reply.
pub(super) fn status(finish: Option<FinishReason>) -> &'static str {
    match finish {
        None => "in_progress",
        Some(FinishReason::Length) => "incomplete",
        Some(_) => "completed",
    }
}

fn response_id(key: &str) -> String {
    identifier("resp_", &[key])
}

/// The `id` of the message.
pub(super) fn message_id(key: &str) -> String {
    identifier("msg_", &[key])
}

/// The `id` of the item of a call.
pub(super) fn call_item_id(key: &str, call: usize) -> String {
    identifier("fc_", &[key, &call.to_string()])
}

/// The item of a message.
pub(super) fn message_item(key: &str, status: &str, part: Option<Value>) -> Value {
    let content: Vec<Value> = part.into_iter().collect();
    json!({"id": message_id(key), "type": "message", "status": status, "role": "assistant", "content": content})
}

/// The part that content is.
pub(super) fn text_part(text: &str, logprobs: &[TokenLogprob]) -> Value {
    let logprobs: Vec<Value> = logprobs.iter().map(token).collect();
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs})
}

/// The part that a refusal is.
pub(super) fn refusal_part(refusal: &str) -> Value {
    json!({"type": "refusal", "refusal": refusal})
}

/// The item of a call.
pub(super) fn call_item(key: &str, at: usize, call: &Call, status: &str) -> Value {
    json!({
        "id": call_item_id(key, at),
        "type": "function_call",
        "status": status,
        "arguments": call.arguments,
        "call_id": call_id(key, 0, at),
        "name": call.name,
    })
}

/// The `usage` object.
pub(super) fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.total(),
    })
}
