//! cpu

pub mod sampler;
mod sampler_adjust;
mod sampler_list;
mod sampler_simd;
mod sampler_wide;
