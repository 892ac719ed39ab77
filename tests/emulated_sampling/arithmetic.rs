//! The arithmetic of `kernels/`, function by function, and the picking functions at the edges of the draw.

use warpgrammar::device::Emulated;
use warpgrammar::device::check::probe;
use warpgrammar::device::check::random::Random;
use warpgrammar::device::emulated::is_sanitized;

#[test]
fn every_function_is_the_host_s() {
    let device = Emulated::with_seed(1).unwrap();
    let n = if is_sanitized() { 500 } else { 20_000 };
    probe::arithmetic(&device, &mut Random(1), n).unwrap();
}

#[test]
fn picks_at_the_edges_of_the_draw() {
    for seed in 0..4 {
        let device = Emulated::with_seed(seed).unwrap();
        let n = if is_sanitized() { 4 } else { 100 };
        probe::picks(&device, &mut Random(seed), n).unwrap();
    }
}
