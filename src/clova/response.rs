//! The reply and the error object.

use serde_json::{Value, json};

use super::request::ClovaRequest;
use crate::chat::{FinishReason, Reply, Usage};
use crate::openai::ApiError;

impl ClovaRequest {
    /// The reply as JSON.
    pub fn reply(&self, reply: &Reply) -> Value {
        let choice = reply.choices.first().cloned().unwrap_or_default();
        let mut result = json!({
            "created": reply.created_ms,
            "usage": usage(reply.usage),
            // A refusal has no member of its own.
            "message": message(choice.content.or(choice.refusal).unwrap_or_default()),
            "finishReason": choice.finish.map(FinishReason::as_str),
            "seed": reply.seed,
        });
        if self.include_ai_filters {
            result["aiFilter"] = json!([]);
        }
        json!({"status": {"code": "20000", "message": "OK"}, "result": result})
    }
}

pub(super) fn message(content: String) -> Value {
    json!({"role": "assistant", "content": content})
}

pub(super) fn usage(usage: Usage) -> Value {
    json!({
        "promptTokens": usage.prompt,
        "completionTokens": usage.completion,
        "totalTokens": usage.total(),
    })
}

/// The body of the answer to a request that is refused: `{"status": {"code", "message"}}`.
pub fn error_body(error: &ApiError) -> Value {
    let code = match (error.status, &error.param) {
        (500.., _) => "50000".into(),
        (400, Some(_)) => "40001".into(),
        (status, _) => format!("{status}00"),
    };
    json!({"status": {"code": code, "message": error.message}})
}
