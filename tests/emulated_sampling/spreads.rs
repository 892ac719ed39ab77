//! What a row gives does not depend on where it stands, on its neighbours, on the grid or on the split.

use warpgrammar::cpu::sampler::SamplerScratch;
use warpgrammar::device::Emulated;
use warpgrammar::device::check::random::Random;
use warpgrammar::device::check::sampling::{RowCase, Shape, compare_with};
use warpgrammar::device::emulated::is_sanitized;
use warpgrammar::device::sample::Spread;

#[test]
fn a_row_gives_the_same_anywhere() {
    let mut random = Random(11);
    let mut scratch = SamplerScratch::default();
    for format in 0..3 {
        for width in [700, 3_100, 9_216] {
            let cases: Vec<RowCase> = (0..12).map(|_| RowCase::random(&mut random, width, format)).collect();
            let expected: Vec<_> = cases.iter().map(|case| case.expected(&mut scratch).unwrap()).collect();
            for seed in 0..if is_sanitized() { 2 } else { 30 } {
                let device = Emulated::with_seed(seed).unwrap();
                // Any rows, in any order, with repetitions.
                let chosen: Vec<usize> = (0..1 + random.below(20)).map(|_| random.below(12)).collect();
                let rows: Vec<&RowCase> = chosen.iter().map(|&i| &cases[i]).collect();
                let expected: Vec<_> = chosen.iter().map(|&i| expected[i].clone()).collect();
                let mut shape = Shape::random(&mut random, format, width);
                shape.spread = match random.below(3) {
                    0 => Spread::new(rows.len(), width, random.pick(&[1, 4, 528])),
                    1 => Spread { blocks: 1 + random.below(60) as u32, group: 1 },
                    _ => shape.spread,
                };
                compare_with(&device, &mut random, &rows, &expected, &shape).unwrap();
            }
        }
    }
}

#[test]
fn a_spread_covers_the_work_with_resident_blocks() {
    // One row of 196 tiles: eight to a block.
    assert_eq!(Spread::new(1, 200_019, 528), Spread { blocks: 25, group: 8 });
    assert_eq!(Spread::new(256, 200_019, 528).blocks, 528);
    assert_eq!(Spread::new(0, 200_019, 528).blocks, 1);
    // Rows of lists take a block each, whatever the width.
    assert_eq!(Spread::new(64, 100, 528).blocks, 64);
}
