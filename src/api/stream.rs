//! A reply by any API as a stream of events.

use super::request::Request;
use crate::chat::{Delta, Event, Usage};
use crate::clova::ClovaStream;
use crate::openai::{ApiError, ChatStream, ResponsesStream};

/// Turns what is generated into the events of the API that was asked. Nothing is sent here.
#[derive(Debug)]
pub enum Stream {
    /// Of Chat Completions.
    Chat(ChatStream),
    /// Of Responses.
    Responses(Box<ResponsesStream>),
    /// Of CLOVA Studio.
    Clova(Box<ClovaStream>),
}

impl Stream {
    /// The stream of the reply to `request`; `key` is what identifiers are derived from, `created` Unix time in seconds.
    pub fn new(request: &Request, key: &str, created: u64, system_fingerprint: &str) -> Self {
        match request {
            Request::Chat(request) => {
                Stream::Chat(ChatStream::new(request, key, created, system_fingerprint))
            }
            Request::Responses(request) => {
                Stream::Responses(Box::new(ResponsesStream::new((**request).clone(), key, created)))
            }
            Request::Clova(request) => Stream::Clova(Box::new(ClovaStream::new(request, key, created))),
        }
    }

    /// The events before the first token.
    pub fn begin(&mut self) -> Vec<Event> {
        match self {
            Stream::Chat(stream) => stream.begin(),
            Stream::Responses(stream) => stream.begin(),
            Stream::Clova(_) => Vec::new(),
        }
    }

    /// The events of what one step has added to a choice.
    ///
    /// # Panics
    /// If the request has no such choice.
    pub fn push(&mut self, choice: u32, delta: Delta) -> Vec<Event> {
        match self {
            Stream::Chat(stream) => stream.push(choice as usize, delta),
            Stream::Responses(stream) => stream.push(delta),
            Stream::Clova(stream) => stream.push(delta),
        }
    }

    /// The events after the last token.
    pub fn end(&mut self, tokens: Usage) -> Vec<Event> {
        match self {
            Stream::Chat(stream) => stream.end(tokens),
            Stream::Responses(stream) => stream.end(tokens),
            Stream::Clova(stream) => stream.end(tokens),
        }
    }

    /// The events of a failure after the stream has begun. Nothing comes after them.
    pub fn fail(&mut self, error: &ApiError) -> Vec<Event> {
        match self {
            Stream::Chat(stream) => stream.fail(error),
            Stream::Responses(stream) => stream.fail(&error.message),
            Stream::Clova(stream) => stream.fail(error),
        }
    }
}
