//! Checks of the emulated tests themselves: they run once more under the sanitizers, and they must notice when
//! something in the kernels is broken.

mod binaries;
mod changes;
mod mutations;
mod order;
mod sanitized;
mod source;
mod unnoticed;
