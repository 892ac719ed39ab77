//! Emulated = reference = CPU, for rows, widths, forms of legal sets and spreads of every kind.

use warpgrammar::cpu::sampler::SamplerScratch;
use warpgrammar::device::Emulated;
use warpgrammar::device::emulated::is_sanitized;

use crate::batch::{self, Form, RowCase, Shape};
use crate::random::Random;

/// Runs `batches` random batches; the number of row-steps.
fn compare(
    seed: u64,
    batches: usize,
    rows: impl Fn(&mut Random, usize) -> usize,
    width: impl Fn(&mut Random) -> usize,
) -> usize {
    let batches = if is_sanitized() { batches.div_ceil(20) } else { batches };
    let mut random = Random(seed);
    let mut scratch = SamplerScratch::default();
    let device = Emulated::with_seed(seed).unwrap();
    let mut steps = 0;
    for number in 0..batches {
        let (width, format) = (width(&mut random), random.below(3));
        let rows = rows(&mut random, number);
        let cases: Vec<RowCase> = (0..rows).map(|_| RowCase::random(&mut random, width, format)).collect();
        let cases: Vec<&RowCase> = cases.iter().collect();
        let forms: Vec<Form> = cases.iter().map(|case| random.pick(&batch::forms(case, width))).collect();
        let shape = Shape::random(&mut random, format, width);
        if rows == 0 {
            continue;
        }
        let (outcomes, records) = batch::sample(&device, &mut random, &cases, &forms, &shape);
        for (i, case) in cases.iter().enumerate() {
            let what = || {
                format!(
                    "row {i} of {rows}, batch {number} of seed {seed}, {:?} of {} legal, {shape:?}, {:?} {:?}",
                    forms[i],
                    case.ids.len(),
                    case.kind,
                    case.params
                )
            };
            assert_eq!(outcomes[i], case.expected(&mut scratch), "{}", what());
            if forms[i] != Form::Ids
                && let Some(expected) = case.records()
            {
                assert_eq!(records[i], expected, "records of {}", what());
            }
        }
        steps += 2 * rows;
    }
    steps
}

#[test]
fn tiny_rows() {
    compare(1, 300, |random, _| 1 + random.below(20), |random| 1 + random.below(80));
}

#[test]
fn every_number_of_rows() {
    compare(2, 71, |_, number| number, |random| random.pick(&[1, 31, 100, 1000]));
}

#[test]
fn rows_of_a_few_tiles() {
    compare(3, 200, |random, _| 1 + random.below(8), |random| 1 + random.below(5_000));
}

#[test]
fn rows_at_tile_and_word_edges() {
    compare(
        4,
        200,
        |random, _| 1 + random.below(8),
        |random| {
            let edge = random.pick(&[32, 64, 1024, 2048, 3072]);
            edge + random.below(3) - 1
        },
    );
}

#[test]
fn rows_of_sixteen_thousand() {
    compare(5, 60, |random, _| 1 + random.below(6), |random| 16_384 - random.below(3));
}

#[test]
fn rows_of_a_whole_vocabulary() {
    compare(6, 8, |random, _| 1 + random.below(4), |random| random.pick(&[200_019, 128_256, 151_936]));
}
