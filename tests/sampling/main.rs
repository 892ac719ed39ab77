//! The sampler: every backend against the reference, and the reference against plain mathematics.

mod distribution;
mod equality;
mod truncation;
