//! The shapes of OpenAI's Chat Completions and of its batch files, as far as structured output needs them.
//!
//! Nothing here generates text. A request body is read into a [`ChatRequest`] (or refused with the
//! [`ApiError`] a server would answer), [`template`] turns its messages into one prompt, and a
//! finished generation becomes a `chat.completion` object through [`Completion`]. [`batch`] does the
//! same for lines of a batch file.
//!
//! # What is read, and what is refused
//!
//! A parameter is honoured, documented as having no effect, or refused by name. None is dropped in
//! silence.
//!
//! | parameter | |
//! |---|---|
//! | `messages` | roles system, developer, user, assistant; content a string or text parts |
//! | `response_format` | `text`, `json_object`, `json_schema` |
//! | `temperature` 0–2, `top_p` 0–1, `seed`, `presence_penalty`, `frequency_penalty` −2–2, `logit_bias` −100–100 | honoured |
//! | `top_k`, `min_p`, `repetition_penalty` | honoured; not OpenAI's, but taken by vLLM and SGLang too |
//! | `max_completion_tokens`, `max_tokens` | one of them |
//! | `logprobs`, `top_logprobs` 0–20 | honoured |
//! | `stop` | up to four strings, with `text` only (below) |
//! | `n` | 1 |
//! | `user`, `metadata`, `store`, `service_tier`, `safety_identifier`, `prompt_cache_key` | no effect |
//! | `stream: true`, `tools`, anything else | refused |
//!
//! `strict` is read and has no effect: a schema is enforced in full or refused, whatever `strict` says.
//!
//! # Stop sequences and JSON
//!
//! A stop sequence ends the text before the place where it would appear. Inside a JSON value that
//! leaves half a value, which is what a response format promises not to produce; and ignoring the
//! sequence would be a silent change of the request. So `stop` together with `json_object` or
//! `json_schema` is refused. The end of the value ends the text in any case.

pub mod batch;
mod error;
mod fields;
mod format;
mod identifier;
mod message;
mod request;
mod response;
pub mod stop;
pub mod template;

pub use error::ApiError;
pub use format::ResponseFormat;
pub use identifier::{derived_seed, identifier};
pub use message::{Message, Role};
pub use request::ChatRequest;
pub use response::{Completion, FinishReason, TokenLogprob};
