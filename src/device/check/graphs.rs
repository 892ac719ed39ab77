//! A graph of many steps against the same steps launched one by one. The graph holds kernels only: nothing of the host
//! runs between its steps.

use std::sync::Arc;

use super::differs;
use super::host::Host;
use super::random::{self, Random};
use super::rig::{DeviceWorld, Rig, RigSize};
use super::worlds::World;
use super::{download, upload};
use crate::device::driver::Driver;
use crate::device::layout::RowResult;
use crate::device::sample::{DeviceLogits, Format, Spread};
use crate::error::Result;

/// Decodes `steps` steps of `rows` rows from one batch of logits, once launched and once as a graph whose legal sets
/// are made on a forked branch, and compares slots and last results; the number of rows that took a step.
///
/// # Errors
/// The first difference, or what the driver reports.
pub fn round(
    device: &dyn Driver,
    world: &World,
    uploaded: &Arc<DeviceWorld>,
    random: &mut Random,
    rows: usize,
    steps: usize,
) -> Result<u64> {
    let multiprocessors = device.description().multiprocessors;
    let size =
        RigSize { slots: rows, rows, keep: 4, walk_blocks: multiprocessors, walk_pool: 256, tops: false };
    let mut rigs = [Rig::new(device, uploaded.clone(), size)?, Rig::new(device, uploaded.clone(), size)?];
    let mut host = Host::new(world, rows)?;
    for index in 0..rows {
        let live = host.admit(world, random)?;
        // Biases and penalties have blocks that steps change; here both rigs do without.
        let (mut slot, levels) = host.line(&live)?;
        (slot.params.repetition, slot.params.frequency, slot.params.presence) = (1.0, 0.0, 0.0);
        for rig in &mut rigs {
            rig.write(device, index, live.grammar.as_ref(), &slot, &levels, None)?;
        }
    }
    let width = world.vocab.width();
    let values: Vec<f32> = (0..rows).flat_map(|_| random::values(random, width)).collect();
    let logits = upload(device, &values)?;
    // SAFETY: the buffer is dropped after the last download, which waits for the work.
    let logits =
        unsafe { DeviceLogits::new(logits.address(), values.len(), Format::F32, rows, width, width)? };
    let spread = Spread::new(rows, width, 2 * multiprocessors);

    let [launched, captured] = &rigs;
    for _ in 0..steps {
        launched.legal(device, 8)?;
        launched.step(device, &logits, spread)?;
    }
    let expected: Vec<RowResult> = download(device, launched.memory.results(), rows)?;

    let branch = device.branch()?;
    device.begin_capture()?;
    let noted = (|| {
        for _ in 0..steps {
            branch.wait(&device.record()?)?;
            captured.legal(&*branch, 8)?;
            device.wait(&branch.record()?)?;
            captured.step(device, &logits, spread)?;
        }
        Ok(())
    })();
    let graph = device.end_capture();
    noted.and_then(|()| {
        // SAFETY: everything that was captured is still there, and is until the download below has waited.
        unsafe { device.replay(&graph?) }
    })?;
    let got: Vec<RowResult> = download(device, captured.memory.results(), rows)?;
    for index in 0..rows {
        let (slot, levels) = captured.slots.read(device, index)?;
        let (wanted, wanted_levels) = launched.slots.read(device, index)?;
        if slot != wanted || levels != wanted_levels || bits(&got[index]) != bits(&expected[index]) {
            return Err(differs(format!(
                "row {index} after a graph of {steps} steps is {:?} with {slot:?} {levels:?}; after launches \
                 {:?} with {wanted:?} {wanted_levels:?}",
                got[index], expected[index]
            )));
        }
    }
    Ok((rows * steps) as u64)
}

fn bits(result: &RowResult) -> (u32, u32, u32, u32) {
    (result.token, result.logprob.to_bits(), result.status, result.finish)
}
