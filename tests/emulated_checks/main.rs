//! Checks of the emulated tests themselves: they run once more under the sanitizers, and they must notice when
//! something in the kernels is broken.

mod binaries;
mod mutations;
mod sanitized;
mod source;
