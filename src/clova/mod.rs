//! CLOVA Studio's Chat Completions v3, as far as structured output needs it.
//!
//! | parameter | |
//! |---|---|
//! | `messages` | roles system (one at most), user, assistant; content a string or text parts |
//! | `topP` (0, 1], `topK` 0–128, `temperature` 0–1, `repetitionPenalty` (0, 2] | 0.8, 0, 0.5 and 1.1 if absent |
//! | `maxTokens` 1–4096 | 100 if absent; what a schema can need at most must fit (`warpgrammar check` prints it) |
//! | `seed` 0–4294967295 | 0, or none, draws one; the reply says which |
//! | `stop` | without `responseFormat` only: it could cut the value short |
//! | `responseFormat` | `{type: "json", schema}`; the schema must be within the vendor's subset ([`crate::strict::CLOVA`]) |
//! | `thinking` | `{effort: "none"}` |
//! | `includeAiFilters` | no filter runs here, so `aiFilter` is an empty list |
//! | `tools`, images, anything else | refused |
//!
//! Errors are `{status: {code, message}}`: 40001 if a parameter is at fault, 40000 if the request as a whole is, 50000 if
//! this side is.

mod request;
mod response;
mod stream;

pub use request::ClovaRequest;
pub use response::error_body;
pub use stream::ClovaStream;
