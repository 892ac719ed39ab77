//! The sampling kernels, emulated: bit for bit what the reference and the CPU give.

mod arithmetic;
mod equality;
mod spreads;
