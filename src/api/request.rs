//! A request by any API.

use serde_json::Value;

use crate::chat::{Generation, Reply, Source};
use crate::clova::ClovaRequest;
use crate::error::Error;
use crate::openai::{ApiError, ChatRequest, ResponsesRequest};

/// A request that was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// By Chat Completions.
    Chat(ChatRequest),
    /// By Responses.
    Responses(Box<ResponsesRequest>),
    /// By CLOVA Studio.
    Clova(ClovaRequest),
}

impl Request {
    /// What is to be generated.
    pub fn generation(&self) -> &Generation {
        match self {
            Request::Chat(request) => &request.generation,
            Request::Responses(request) => &request.generation,
            Request::Clova(request) => &request.generation,
        }
    }

    /// Draws with a seed made from `seed`, unless the request names one.
    pub fn seed(&mut self, seed: u64) {
        let (generation, seed) = match self {
            Request::Chat(request) => (&mut request.generation, seed),
            Request::Responses(request) => (&mut request.generation, seed),
            // The reply tells the seed, in the range that a request may name: 1 to 2^32 − 1.
            Request::Clova(request) => (&mut request.generation, 1 + seed % u64::from(u32::MAX)),
        };
        if !generation.seeded {
            generation.sampling.seed = seed;
        }
    }

    /// Whether the reply is wanted as a stream. CLOVA says so in a header.
    pub fn streams(&self) -> bool {
        match self {
            Request::Chat(request) => request.stream.is_some(),
            Request::Responses(request) => request.stream,
            Request::Clova(_) => false,
        }
    }

    /// The answer to a schema that the compiler refuses.
    pub fn schema_error(&self, source: Source, error: &Error) -> ApiError {
        match self {
            Request::Chat(request) => request.schema_error(source, error),
            Request::Responses(request) => request.schema_error(source, error),
            Request::Clova(request) => request.schema_error(source, error),
        }
    }

    /// The body of the reply.
    pub fn reply(&self, reply: &Reply) -> Value {
        match self {
            Request::Chat(request) => request.reply(reply),
            Request::Responses(request) => request.reply(reply),
            Request::Clova(request) => request.reply(reply),
        }
    }
}
