//! The engine from outside: slots and their ids, rows and their errors, rollback, budgets, determinism.
//!
//! Logits are seeded noise or hostile on purpose; whatever they are, an output with a grammar is complete and
//! valid, and nothing a row does is felt by another.

#[path = "../common/mod.rs"]
mod common;
mod compiling;
mod envelopes;
mod outputs;
mod rollback;
mod rows;
mod slots;
mod support;

use warpgrammar::engine::Backend;

/// What keeps the slots; the first, unless a test compares several.
const BACKENDS: &[Backend] = &[Backend::Cpu, Backend::Reference];
/// Tests that repeat themselves do so one time in so many.
const ONE_IN: usize = 1;
