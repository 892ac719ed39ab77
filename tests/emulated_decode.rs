//! Emulated kernels = CPU = reference through whole decodes: masks, steps, slots, tokens taken back, drafts, forced
//! bytes.

use std::sync::Arc;

use warpgrammar::device::Emulated;
use warpgrammar::device::check::decode::{self, Size};
use warpgrammar::device::check::random::Random;
use warpgrammar::device::check::rig::DeviceWorld;
use warpgrammar::device::check::worlds::{Kind, World};
use warpgrammar::device::emulated::is_sanitized;

fn decode(kind: Kind, random_schemas: usize, rounds: u64, size: Size) {
    let rounds = if is_sanitized() { rounds.div_ceil(10) } else { rounds };
    let world = World::new(kind, &mut Random(kind as u64), random_schemas).unwrap();
    let device = Emulated::with_seed(5).unwrap();
    let uploaded = Arc::new(DeviceWorld::new(&device, &world.vocab, &world.grammars).unwrap());
    let mut rows = 0;
    for seed in 0..rounds {
        match decode::round(&device, &world, &uploaded, &mut Random(seed), size) {
            Ok(n) => rows += n,
            Err(error) => panic!("{}, seed {seed}: {error}", world.name),
        }
    }
    println!("{}: {} grammars, {rows} rows", world.name, world.grammars.len());
}

#[test]
fn emulated_decode_tiny() {
    decode(Kind::Tiny, 60, 40, Size { rows: 12, steps: 40 });
}

#[test]
fn emulated_decode_cut() {
    decode(Kind::Cut, 20, 6, Size { rows: 8, steps: 30 });
}

#[test]
fn emulated_decode_byte_fallback() {
    decode(Kind::ByteFallback, 20, 6, Size { rows: 8, steps: 30 });
}

#[test]
fn emulated_decode_whole() {
    decode(Kind::Whole, 4, 2, Size { rows: 4, steps: 12 });
}
