//! OpenAI's Responses, as far as structured output needs it.
//!
//! | parameter | |
//! |---|---|
//! | `input` | a string, or items: messages (text parts only), `function_call`, `function_call_output` |
//! | `instructions` | put before the input, as the system's |
//! | `text.format` | `text`, `json_object`, `json_schema` |
//! | `tools` | functions, up to 128; `tool_choice` none, auto, required or a function; `parallel_tool_calls` |
//! | `temperature` 0–2, `top_p` 0–1, `max_output_tokens` | honoured |
//! | `top_logprobs` 0–20 with `include: ["message.output_text.logprobs"]` | honoured |
//! | `stream` | read; who does not stream refuses it |
//! | `user`, `metadata`, `store`, `service_tier`, `safety_identifier`, `prompt_cache_key`, `text.verbosity` | no effect; nothing is stored |
//! | `truncation` auto, disabled | no effect: nothing is truncated |
//! | `previous_response_id`, `conversation`, `background`, `reasoning`, tools that are no functions, anything else | refused |
//!
//! A function of which `strict` is not said is strict if its schema is within the vendor's subset. A reply that its limit of
//! tokens has cut off has the status `incomplete`; that can only be prose.

mod request;
mod response;
mod stream;

pub use request::ResponsesRequest;
pub use stream::ResponsesStream;
