//! A Chat Completions reply as a stream of chunks.

use serde_json::{Value, json};

use super::error::ApiError;
use super::request::{ChatRequest, StreamOptions};
use super::response::{call_id, completion_id, logprobs, usage};
use crate::chat::{Delta, Event, EventData, Logprobs, Piece, Usage};

/// Turns what is generated into `chat.completion.chunk` events. Nothing is sent here.
///
/// ```text
/// begin    {role, content: ""}                                  for each choice
/// push     {content} | {refusal} | {tool_calls: [{index, …}]}    and the finish reason in a chunk of its own
/// end      usage, if it was asked for; then [DONE]
/// fail     the error object
/// ```
#[derive(Debug)]
pub struct ChatStream {
    key: String,
    created: u64,
    model: String,
    fingerprint: String,
    options: StreamOptions,
    /// Per choice, the calls begun.
    calls: Vec<usize>,
}

impl ChatStream {
    /// The stream of a reply; `key` is what identifiers are derived from, `created` Unix time in seconds.
    pub fn new(request: &ChatRequest, key: &str, created: u64, system_fingerprint: &str) -> Self {
        ChatStream {
            key: key.to_owned(),
            created,
            model: request.model.clone(),
            fingerprint: system_fingerprint.to_owned(),
            options: request.stream.unwrap_or_default(),
            calls: vec![0; request.generation.choices as usize],
        }
    }

    /// The chunks before the first token.
    pub fn begin(&self) -> Vec<Event> {
        let delta = json!({"role": "assistant", "content": "", "refusal": null});
        (0..self.calls.len()).map(|index| self.chunk(index, delta.clone(), None, None)).collect()
    }

    /// The chunks of what one step has added to a choice.
    ///
    /// # Panics
    /// If the request has no such choice.
    pub fn push(&mut self, index: usize, delta: Delta) -> Vec<Event> {
        let mut events = Vec::new();
        let mut waiting = delta.logprobs.filter(|l| *l != Logprobs::default());
        for piece in delta.pieces {
            let said = match piece {
                Piece::Content(text) if text.is_empty() => continue,
                Piece::Refusal(text) if text.is_empty() => continue,
                Piece::Content(text) => json!({"content": text}),
                Piece::Refusal(text) => json!({"refusal": text}),
                Piece::Call(name) => {
                    self.calls[index] += 1;
                    let at = self.calls[index] - 1;
                    json!({"tool_calls": [{
                        "index": at,
                        "id": call_id(&self.key, index, at),
                        "type": "function",
                        "function": {"name": name, "arguments": ""},
                    }]})
                }
                Piece::Arguments(text) => {
                    let at = self.calls[index].saturating_sub(1);
                    json!({"tool_calls": [{"index": at, "function": {"arguments": text}}]})
                }
            };
            events.push(self.chunk(index, said, waiting.take(), None));
        }
        if waiting.is_some() {
            // Tokens that complete no character.
            events.push(self.chunk(index, json!({"content": ""}), waiting, None));
        }
        if let Some(finish) = delta.finish {
            events.push(self.chunk(index, json!({}), None, Some(finish.as_str())));
        }
        events
    }

    /// The events after the last token of the last choice.
    pub fn end(&self, tokens: Usage) -> Vec<Event> {
        let mut events = Vec::new();
        if self.options.include_usage {
            let mut last = self.frame();
            last["choices"] = json!([]);
            last["usage"] = usage(tokens);
            events.push(Event::data(last));
        }
        events.push(Event { id: None, name: None, data: EventData::Done });
        events
    }

    /// The event of a failure after the stream has begun: the error object in the place of a chunk, and no `[DONE]`.
    pub fn fail(&self, error: &ApiError) -> Vec<Event> {
        vec![Event::data(error.body())]
    }

    fn chunk(&self, index: usize, delta: Value, of: Option<Logprobs>, finish: Option<&str>) -> Event {
        let mut chunk = self.frame();
        let of = of.as_ref().map(logprobs);
        chunk["choices"] = json!([{"index": index, "delta": delta, "logprobs": of, "finish_reason": finish}]);
        if self.options.include_usage {
            chunk["usage"] = Value::Null;
        }
        Event::data(chunk)
    }

    fn frame(&self) -> Value {
        json!({
            "id": completion_id(&self.key),
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
        })
    }
}
