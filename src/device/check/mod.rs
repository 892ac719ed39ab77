//! Kernels against the specification, on any device: tests run these checks emulated, `doctor` on a card.

pub mod all;
mod bits;
pub mod decode;
pub mod graphs;
pub mod host;
pub mod probe;
pub mod random;
pub mod rig;
pub mod sampling;
mod sampling_batch;
pub mod schemas;
pub mod stepping;
pub mod worlds;

#[cfg(test)]
mod tests;

use bytemuck::{Pod, cast_slice, cast_slice_mut};

use super::driver::{Buffer, Driver};
use crate::error::{Error, ErrorKind, Result};

/// A check that failed.
fn differs(what: String) -> Error {
    Error::new(ErrorKind::Device, what)
}

fn upload<T: Pod>(device: &dyn Driver, values: &[T]) -> Result<Buffer> {
    let buffer = device.alloc(size_of_val(values))?;
    device.upload(&buffer, 0, cast_slice(values))?;
    Ok(buffer)
}

fn download<T: Pod>(device: &dyn Driver, buffer: &Buffer, n: usize) -> Result<Vec<T>> {
    let mut values = vec![T::zeroed(); n];
    device.download(buffer, 0, cast_slice_mut(&mut values))?;
    Ok(values)
}
