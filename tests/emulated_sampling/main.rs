//! The sampling kernels, emulated: bit for bit what the reference and the CPU give.

mod batch;
mod equality;
#[path = "../sampling/random.rs"]
#[allow(dead_code)]
mod random;
