//! A conversation and the reply to it, whatever API it came by.
//!
//! ```text
//! openai/, clova/ ── read ──► Generation ── Plan::new ──► the ways a reply can go ── compile ──► Grammar
//!                             template ──► prompt                                                   │
//! openai/, clova/ ◄─ write ── Reply, Delta ◄── Output ◄──────────────── tokens ◄── the engine ◄─────┘
//! ```
//!
//! A reply is prose or JSON, calls of functions, or a refusal. A model that has no tokens for these writes them as
//! text; how is the business of one type, [`Framing`]. From it and from what a request allows, [`Plan`] makes an
//! [`Envelope`](crate::automaton::Envelope), so that all of it is one automaton: arguments match their schema however many
//! functions there are. [`Output`] reads the text back, token by token, into what it is made of. None of this is I/O.

mod event;
mod framing;
mod generation;
mod identifier;
mod message;
mod output;
mod plan;
mod reply;
mod scanner;
mod stop;
pub mod template;
mod text;
mod transcript;

pub use event::{Event, EventData};
pub use framing::Framing;
pub use generation::{Format, Generation, Tool, ToolChoice};
pub use identifier::{derived_seed, identifier};
pub use message::{Call, Message, Role};
pub use output::{Delta, Output};
pub use plan::{Compiled, Plan, Source};
pub use reply::{Choice, FinishReason, Logprobs, Reply, TokenLogprob, Usage};
pub use transcript::{Piece, Transcript};
