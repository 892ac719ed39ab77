//! Requests by any API that is spoken here, told apart by their path.
//!
//! | path | API |
//! |---|---|
//! | `/v1/chat/completions` | OpenAI's Chat Completions |
//! | `/v1/responses` | OpenAI's Responses |
//! | `/openai/deployments/{deployment}/chat/completions?api-version=…`, `/openai/v1/chat/completions`, and `/chat/completions` in batch files | Azure's Chat Completions |
//! | `/openai/responses?api-version=…`, `/openai/v1/responses`, `/responses` | Azure's Responses |
//! | `/v3/chat-completions/{model}` | CLOVA Studio's Chat Completions |
//!
//! [`batch`] reads and writes the lines of batch files.

pub mod batch;
mod endpoint;
mod request;
mod stream;

pub use endpoint::Endpoint;
pub use request::Request;
pub use stream::Stream;
