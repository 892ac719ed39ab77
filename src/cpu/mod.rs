//! The fast CPU backend: bit for bit what [`crate::reference`] gives.

pub mod sampler;
mod sampler_adjust;
mod sampler_list;
mod sampler_simd;
mod sampler_wide;
