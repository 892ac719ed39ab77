//! The sampler: every backend against the reference, and the reference against plain mathematics.

#[path = "../common/mod.rs"]
mod common;
mod distribution;
mod equality;
mod random;
mod truncation;
