//! A reply as a stream of events.

use serde_json::{Value, json};

use super::request::ClovaRequest;
use super::response::{error_body, message, usage};
use crate::chat::{Choice, Delta, Event, EventData, FinishReason, Piece, Usage, identifier};
use crate::openai::ApiError;

/// Turns what is generated into events. Nothing is sent here.
///
/// ```text
/// push     token      a piece of the text
/// end      result     the whole text, why it ended, usage;  then signal: [DONE]
/// fail     error
/// ```
#[derive(Debug)]
pub struct ClovaStream {
    key: String,
    created: u64,
    seed: u64,
    include_ai_filters: bool,
    choice: Choice,
    sent: usize,
}

impl ClovaStream {
    /// The stream of a reply; `key` is what identifiers are derived from, `created` Unix time in seconds.
    pub fn new(request: &ClovaRequest, key: &str, created: u64) -> Self {
        ClovaStream {
            key: key.to_owned(),
            created,
            seed: request.generation.sampling.seed,
            include_ai_filters: request.include_ai_filters,
            choice: Choice::default(),
            sent: 0,
        }
    }

    /// The events of what one step has added.
    pub fn push(&mut self, delta: Delta) -> Vec<Event> {
        let mut events = Vec::new();
        for piece in &delta.pieces {
            let (Piece::Content(text) | Piece::Refusal(text)) = piece else { continue };
            if !text.is_empty() {
                let data = self.data(text.clone(), None, Value::Null);
                events.push(self.event("token", data));
            }
        }
        self.choice.add(delta);
        events
    }

    /// The events after the last token.
    pub fn end(&mut self, tokens: Usage) -> Vec<Event> {
        let text = self.choice.content.clone().or_else(|| self.choice.refusal.clone());
        let mut data = self.data(text.unwrap_or_default(), self.choice.finish, usage(tokens));
        if self.include_ai_filters {
            data["aiFilter"] = json!([]);
        }
        let result = self.event("result", data);
        vec![result, self.event("signal", json!({"data": "[DONE]"}))]
    }

    /// The event of a failure after the stream has begun.
    pub fn fail(&mut self, error: &ApiError) -> Vec<Event> {
        vec![self.event("error", error_body(error))]
    }

    fn data(&self, text: String, finish: Option<FinishReason>, usage: Value) -> Value {
        json!({
            "message": message(text),
            "finishReason": finish.map(FinishReason::as_str),
            "created": self.created,
            "seed": self.seed,
            "usage": usage,
        })
    }

    fn event(&mut self, name: &'static str, data: Value) -> Event {
        self.sent += 1;
        let id = identifier("", &[&self.key, &self.sent.to_string()]);
        Event { id: Some(id), name: Some(name), data: EventData::Json(data) }
    }
}
