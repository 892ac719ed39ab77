//! The engine's tests once more, over the emulated kernels.

#[path = "../common/mod.rs"]
mod common;
#[path = "../engine"]
mod emulated {
    pub mod envelopes;
    pub mod outputs;
    pub mod rollback;
    pub mod rows;
    pub mod slots;
}
#[path = "../engine/support.rs"]
mod support;

use warpgrammar::engine::Backend;

const BACKENDS: &[Backend] = &[Backend::Emulated];
const ONE_IN: usize = 8;
