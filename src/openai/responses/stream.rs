//! A Responses reply as a stream of events.

use serde_json::{Value, json};

use super::request::ResponsesRequest;
use super::response::{call_item, call_item_id, message_id, message_item, refusal_part, status, text_part};
use crate::chat::{Call, Choice, Delta, Event, EventData, FinishReason, Piece, Reply, TokenLogprob, Usage};
use crate::openai::response::{call_id, token};

/// Turns what is generated into events. Nothing is sent here.
///
/// ```text
/// begin    created, in_progress
/// push     output_item.added, content_part.added, output_text.delta …    a part begins, and goes on
///          …done, content_part.done, output_item.done                   before the next item, and at the end
/// end      completed or incomplete, with the whole response
/// ```
#[derive(Debug)]
pub struct ResponsesStream {
    request: ResponsesRequest,
    key: String,
    created: u64,
    sequence: u64,
    /// All that was said.
    choice: Choice,
    /// The item that is open.
    open: Option<Item>,
    /// Items begun.
    items: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Text,
    Refusal,
    /// The call with this number.
    Call(usize),
}

impl ResponsesStream {
    /// The stream of a reply; `key` is what identifiers are derived from, `created` Unix time in seconds.
    pub fn new(request: ResponsesRequest, key: &str, created: u64) -> Self {
        let choice = Choice::default();
        ResponsesStream { request, key: key.to_owned(), created, sequence: 0, choice, open: None, items: 0 }
    }

    /// The events before the first token.
    pub fn begin(&mut self) -> Vec<Event> {
        let response = self.request.frame(&self.key, self.created, "in_progress");
        ["response.created", "response.in_progress"]
            .map(|name| self.event(name, json!({"response": response})))
            .into()
    }

    /// The events of what one step has added.
    pub fn push(&mut self, delta: Delta) -> Vec<Event> {
        let mut events = Vec::new();
        let mut logprobs = delta.logprobs.clone().map(|l| l.content).unwrap_or_default();
        for piece in &delta.pieces {
            let whole = Delta { pieces: vec![piece.clone()], ..Delta::default() };
            let item = match piece {
                Piece::Content(_) => Item::Text,
                Piece::Refusal(_) => Item::Refusal,
                Piece::Call(_) => Item::Call(self.choice.calls.len()),
                Piece::Arguments(_) => Item::Call(self.choice.calls.len().saturating_sub(1)),
            };
            if self.open != Some(item) {
                self.close("completed", &mut events);
                self.choice.add(whole);
                self.open(item, &mut events);
            } else {
                self.choice.add(whole);
            }
            events.extend(self.delta(piece, std::mem::take(&mut logprobs)));
        }
        if self.open == Some(Item::Text) && !logprobs.is_empty() {
            // Tokens that complete no character.
            events.extend(self.delta(&Piece::Content(String::new()), logprobs));
        }
        self.choice.add(Delta { pieces: Vec::new(), ..delta });
        if let Some(finish) = self.choice.finish {
            self.close(status(Some(finish)), &mut events);
        }
        events
    }

    /// The last event, with the whole response.
    pub fn end(&mut self, tokens: Usage) -> Vec<Event> {
        let reply = Reply {
            key: self.key.clone(),
            created_ms: self.created * 1000,
            choices: vec![self.choice.clone()],
            usage: tokens,
            seed: self.request.generation.sampling.seed,
            system_fingerprint: String::new(),
        };
        let response = self.request.reply(&reply);
        let name = match self.choice.finish {
            Some(FinishReason::Length) => "response.incomplete",
            _ => "response.completed",
        };
        vec![self.event(name, json!({"response": response}))]
    }

    /// The events of a failure after the stream has begun.
    pub fn fail(&mut self, message: &str) -> Vec<Event> {
        let mut response = self.request.frame(&self.key, self.created, "failed");
        response["error"] = json!({"code": "server_error", "message": message});
        vec![self.event("response.failed", json!({"response": response}))]
    }

    fn event(&mut self, name: &'static str, members: Value) -> Event {
        let mut data = json!({"type": name, "sequence_number": self.sequence});
        self.sequence += 1;
        if let (Some(data), Value::Object(members)) = (data.as_object_mut(), members) {
            data.extend(members);
        }
        Event { id: None, name: Some(name), data: EventData::Json(data) }
    }

    /// An event about the open part of the message.
    fn part_event(&mut self, name: &'static str, members: Value) -> Event {
        let mut all =
            json!({"item_id": message_id(&self.key), "output_index": self.index(), "content_index": 0});
        if let (Some(all), Value::Object(members)) = (all.as_object_mut(), members) {
            all.extend(members);
        }
        self.event(name, all)
    }

    fn index(&self) -> usize {
        self.items.saturating_sub(1)
    }

    fn open(&mut self, item: Item, events: &mut Vec<Event>) {
        self.open = Some(item);
        self.items += 1;
        let (shown, part) = match item {
            Item::Text => (message_item(&self.key, "in_progress", None), Some(text_part("", &[]))),
            Item::Refusal => (message_item(&self.key, "in_progress", None), Some(refusal_part(""))),
            Item::Call(at) => {
                let begun = Call { arguments: String::new(), ..self.call(at) };
                (call_item(&self.key, at, &begun, "in_progress"), None)
            }
        };
        let index = self.index();
        events.push(self.event("response.output_item.added", json!({"output_index": index, "item": shown})));
        if let Some(part) = part {
            events.push(self.part_event("response.content_part.added", json!({"part": part})));
        }
    }

    fn call(&self, at: usize) -> Call {
        self.choice.calls.get(at).cloned().unwrap_or_default()
    }

    fn delta(&mut self, piece: &Piece, logprobs: Vec<TokenLogprob>) -> Option<Event> {
        Some(match piece {
            Piece::Content(text) if text.is_empty() && logprobs.is_empty() => return None,
            Piece::Content(text) => {
                let logprobs: Vec<Value> = logprobs.iter().map(token).collect();
                self.part_event("response.output_text.delta", json!({"delta": text, "logprobs": logprobs}))
            }
            Piece::Refusal(text) if text.is_empty() => return None,
            Piece::Refusal(text) => self.part_event("response.refusal.delta", json!({"delta": text})),
            Piece::Call(_) => return None,
            Piece::Arguments(text) => {
                let id = call_item_id(&self.key, self.choice.calls.len().saturating_sub(1));
                let members = json!({"item_id": id, "output_index": self.index(), "delta": text});
                self.event("response.function_call_arguments.delta", members)
            }
        })
    }

    /// Ends the open item.
    fn close(&mut self, status: &str, events: &mut Vec<Event>) {
        let Some(item) = self.open.take() else { return };
        let index = self.index();
        let (part, shown) = match item {
            Item::Text => {
                let text = self.choice.content.clone().unwrap_or_default();
                let logprobs = self.choice.logprobs.clone().map(|l| l.content).unwrap_or_default();
                let part = text_part(&text, &logprobs);
                let said = json!({"text": text, "logprobs": part["logprobs"]});
                events.push(self.part_event("response.output_text.done", said));
                (Some(part.clone()), message_item(&self.key, status, Some(part)))
            }
            Item::Refusal => {
                let refusal = self.choice.refusal.clone().unwrap_or_default();
                let part = refusal_part(&refusal);
                events.push(self.part_event("response.refusal.done", json!({"refusal": refusal})));
                (Some(part.clone()), message_item(&self.key, status, Some(part)))
            }
            Item::Call(at) => {
                let call = self.call(at);
                let members = json!({
                    "item_id": call_item_id(&self.key, at), "output_index": index, "name": call.name,
                    "call_id": call_id(&self.key, 0, at), "arguments": call.arguments,
                });
                events.push(self.event("response.function_call_arguments.done", members));
                (None, call_item(&self.key, at, &call, status))
            }
        };
        if let Some(part) = part {
            events.push(self.part_event("response.content_part.done", json!({"part": part})));
        }
        events.push(self.event("response.output_item.done", json!({"output_index": index, "item": shown})));
    }
}
