//! reference
pub mod sampler;
