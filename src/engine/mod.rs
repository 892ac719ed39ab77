//! The public API: compile schemas, admit requests to slots, step whole batches.
//!
//! ```text
//! Compiler (vocabulary, options, cache) ── compile ──► Arc<Grammar>
//! Engine (slots) ── admit(grammar, parameters, budget) ──► SlotId
//!                ── step(slots, logits) ──► a token or an error per row
//!                ── rollback, clone, forced, validate … retire
//! ```
//!
//! Compiling takes `&self` and may run on other threads while batches are stepped. An error concerns
//! one row; the other rows of the batch are stepped as if it were not there.

mod batch;
mod cache;
mod compiler;
mod host;
mod on_device;
mod position;
mod slot;

pub use batch::{Engine, EngineOptions, Finish, SlotId, Step};
pub use compiler::{Compiler, CompilerOptions};
pub use slot::{Backend, Request};

pub use crate::table::Grammar;
