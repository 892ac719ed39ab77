//! The device side: memory and kernels of a GPU, or of an emulated one.
//!
//! Everything above [`Driver`] is written once. [`cuda`] is a GPU; neither it nor a toolkit has to be there when the
//! crate is built or run, and what is missing is said by an error. [`emulated`] runs the kernels of `kernels/` on
//! the host, one fiber for each CUDA thread, and checks what a GPU would not; `docs/KERNELS.md` tells how it works
//! and what it cannot see.
//!
//! `unsafe` is allowed here, each block with the reason why it is sound.

pub mod adjust;
pub mod advance;
pub mod arena;
pub mod bench;
pub mod check;
pub mod cuda;
pub mod draft;
pub mod driver;
pub mod emulated;
pub mod layout;
pub mod legal;
pub mod masks;
pub mod sample;
pub mod selftest;
pub mod session;
pub mod slots;
pub mod step;
pub mod vocabulary;

pub use cuda::Cuda;
pub use driver::{Buffer, Driver, Launch};
pub use emulated::Emulated;
pub use session::{Session, SessionOptions, SlotRequest};
