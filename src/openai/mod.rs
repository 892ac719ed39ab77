//! OpenAI's Chat Completions, as far as structured output needs it; [`responses`] has Responses.
//!
//! Nothing here generates text. A request body is read into a [`ChatRequest`] (or refused with the
//! [`ApiError`] a server would answer), whose [`Generation`](crate::chat::Generation) says what is wanted; the finished
//! [`Reply`](crate::chat::Reply) becomes a `chat.completion` object through [`ChatRequest::reply`].
//!
//! # What is read, and what is refused
//!
//! A parameter is honoured, documented as having no effect, or refused by name. None is dropped in
//! silence.
//!
//! | parameter | |
//! |---|---|
//! | `messages` | roles system, developer, user, assistant (with `tool_calls`), tool; content a string or text parts |
//! | `response_format` | `text`, `json_object`, `json_schema` |
//! | `tools` | functions, up to 128; `tool_choice` none, auto, required or a function; `parallel_tool_calls` |
//! | `temperature` 0–2, `top_p` 0–1, `seed`, `presence_penalty`, `frequency_penalty` −2–2, `logit_bias` −100–100 | honoured |
//! | `top_k`, `min_p`, `repetition_penalty` | honoured; not OpenAI's, but taken by vLLM and SGLang too |
//! | `max_completion_tokens`, `max_tokens` | one of them |
//! | `logprobs`, `top_logprobs` 0–20 | of content and refusals; not of calls |
//! | `stop` | up to four strings, with free text only (below) |
//! | `n` | 1–128 |
//! | `stream`, `stream_options` | read; who does not stream refuses `stream` |
//! | `user`, `metadata`, `store`, `service_tier`, `safety_identifier`, `prompt_cache_key` | no effect |
//! | `functions`, `function_call`, tools that are no functions, anything else | refused |
//!
//! # What is enforced
//!
//! A schema, of the format or of a function's arguments, is enforced in full or refused, whatever `strict` says. With
//! `strict: true` it must also be within the vendor's subset ([`crate::strict`]), so that what runs here runs there. Without
//! it, anything the engine enforces will do.
//!
//! All functions and the format are one grammar, so arguments match their schema with `parallel_tool_calls`, too. A
//! reply has content, or calls, or a refusal, and nothing of the others. Refusals are generated if the caller names what
//! they begin with ([`Framing::refusal`](crate::chat::Framing::refusal)).
//!
//! # Stop sequences and JSON
//!
//! A stop sequence ends the text before the place where it would appear. Inside a JSON value that
//! leaves half a value, which is what a response format promises not to produce; and ignoring the
//! sequence would be a silent change of the request. So `stop` together with `json_object`,
//! `json_schema` or functions that may be called is refused. The end of the value ends the text in any case.

mod error;
mod fields;
mod format;
mod message;
mod request;
mod response;
pub mod responses;
mod schema;
mod stream;
mod tools;

pub use error::ApiError;
pub(crate) use fields::{Fields, wrong_type};
pub(crate) use message::read_content;
pub use request::{ChatRequest, StreamOptions};
pub use responses::{ResponsesRequest, ResponsesStream};
pub use stream::ChatStream;
