//! Measurements of a card: every kernel of a step against the time that its bytes must take.
//!
//! Times are per node of a graph of several steps, medians of replays timed by events. Each step of a graph has slots and
//! legal sets of its own, put back to recorded places before each replay, and logits that are in no cache: they rotate
//! through more than twice the L2, and before each replay a copy fills the L2 with something else. Tables of grammars
//! and vocabularies are read by every step and stay where they are.
//!
//! The vocabularies are o200k_base and its first n ranks; the logits are made up ([`logits::Shape`]). Both are said in
//! the tables, since neither is a model's.

mod batch;
pub mod clock;
pub mod logits;
pub mod report;
mod run;
pub mod select;
pub mod states;
pub mod tables;
#[cfg(test)]
mod tests;

pub use report::Report;
pub use run::run;
pub use select::Selection;
