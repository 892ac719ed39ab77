//! The tables of a compiled schema: flat, relocatable, the same for every backend.

mod check;
mod closed;
mod grammar;
pub mod layout;
mod pack;
mod rows;
mod states;
pub(crate) mod string_tokens;
mod strings;
mod tighten;

pub use grammar::{Grammar, Header, MAGIC, Section, VERSION};
pub use pack::{DEFAULT_MAX_BYTES, pack};
pub use tighten::tighten;
