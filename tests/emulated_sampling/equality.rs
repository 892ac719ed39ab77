//! Emulated = reference = CPU, for rows, widths and forms of legal sets of every kind.

use warpgrammar::cpu::sampler::SamplerScratch;
use warpgrammar::device::Emulated;
use warpgrammar::device::check::random::{Random, Row};
use warpgrammar::device::check::sampling::{self, Kind, RowCase, Shape};
use warpgrammar::device::emulated::is_sanitized;
use warpgrammar::sampling::{SamplingParams, TokenCounts};

/// Compares `batches` random batches, fewer under a sanitizer; tells how many row-steps that was.
fn compare(
    name: &str,
    seed: u64,
    batches: usize,
    rows: impl Fn(&mut Random, usize) -> usize,
    width: impl Fn(&mut Random) -> usize,
) {
    let batches = if is_sanitized() { batches.div_ceil(20) } else { batches };
    let mut random = Random(seed);
    let mut scratch = SamplerScratch::default();
    let device = Emulated::with_seed(seed).unwrap();
    let mut steps = 0;
    for number in 0..batches {
        let (width, format) = (width(&mut random), random.below(3));
        let rows = rows(&mut random, number);
        let cases: Vec<RowCase> = (0..rows).map(|_| RowCase::random(&mut random, width, format)).collect();
        let shape = Shape::random(&mut random, format, width);
        if let Err(error) = sampling::compare(&device, &mut random, &cases, &shape, &mut scratch) {
            panic!("batch {number} of seed {seed}: {error}");
        }
        // Each batch is sampled twice.
        steps += 2 * rows;
    }
    println!("{name}: {steps} row-steps");
}

#[test]
fn tiny_rows() {
    compare("tiny rows", 1, 3000, |random, _| 1 + random.below(20), |random| 1 + random.below(80));
}

#[test]
fn every_number_of_rows() {
    let rows = |_: &mut Random, number: usize| number % 71;
    compare("0 ... 70 rows", 2, 71 * 4, rows, |random| random.pick(&[1, 31, 100, 1000]));
}

#[test]
fn rows_of_a_few_tiles() {
    compare("a few tiles", 3, 1500, |random, _| 1 + random.below(8), |random| 1 + random.below(5_000));
}

#[test]
fn rows_at_tile_and_word_edges() {
    let rows = |random: &mut Random, _| 1 + random.below(8);
    compare("edges", 4, 1500, rows, |random| {
        let edge = random.pick(&[32, 64, 1024, 2048, 3072]);
        edge + random.below(3) - 1
    });
}

#[test]
fn rows_of_sixteen_thousand() {
    let rows = |random: &mut Random, _| 1 + random.below(6);
    compare("16k", 5, 300, rows, |random| 16_384 - random.below(3));
}

#[test]
fn rows_of_a_whole_vocabulary() {
    let rows = |random: &mut Random, _| 1 + random.below(4);
    compare("whole vocabularies", 6, 30, rows, |random| random.pick(&[200_019, 128_256, 151_936, 262_145]));
}

/// A batch of the given rows, each with each of the parameters.
fn rows_with(seed: u64, width: usize, rows: &[Vec<f32>], params: &[SamplingParams]) {
    let mut random = Random(seed);
    let mut scratch = SamplerScratch::default();
    let device = Emulated::with_seed(seed).unwrap();
    for row in rows {
        let format = random.below(3);
        let cases: Vec<RowCase> = params
            .iter()
            .map(|params| RowCase {
                kind: Kind::Running,
                logits: Row::of(row.clone(), format),
                ids: (0..width as u32).collect(),
                params: params.clone(),
                counts: TokenCounts::default(),
                position: random.next(),
                stream: 0,
            })
            .collect();
        let shape = Shape::random(&mut random, format, width);
        sampling::compare(&device, &mut random, &cases, &shape, &mut scratch).unwrap();
    }
}

/// Rows whose truncation no short list can hold: histograms by distance, then by digits of logit and id.
#[test]
fn truncations_of_flat_and_tied_rows() {
    for (seed, width) in [(7, 3_000), (8, 5_000), (9, 40_000)] {
        let mut random = Random(seed);
        let levels = [0.0, 1.0, 20.0, 1e6];
        let mut rows: Vec<Vec<f32>> = levels
            .iter()
            .map(|&levels| {
                let step = f64::max(levels, 1.0);
                (0..width).map(|_| ((random.normal() * levels).round() / step) as f32).collect()
            })
            .collect();
        // Far below the maximum, beyond the last bin; and neighbours in the last bit of a logit.
        rows.push((0..width).map(|id| if id == 77 { 100.0 } else { -(random.below(9) as f32) }).collect());
        rows.push((0..width).map(|_| f32::from_bits(0x4100_0000 + random.below(3) as u32)).collect());
        let width_k = width as u32;
        let params: Vec<SamplingParams> = [
            (0, 0.9, 0.0),
            (0, 0.5, 0.001),
            (0, 1.0, 0.001),
            (1500, 0.7, 0.0),
            (2500, 1.0, 0.2),
            (300, 0.99, 0.0),
            (1024, 1.0, 0.0),
            (1025, 1.0, 0.0),
            (1023, 0.999, 0.5),
            (width_k - 1, 1.0, 0.0),
            (width_k, 0.3, 0.0),
            (0, 0.999_999_9, 0.0),
        ]
        .into_iter()
        .map(|(top_k, top_p, min_p)| SamplingParams { top_k, top_p, min_p, ..SamplingParams::default() })
        .collect();
        rows_with(seed, width, &rows, &params);
    }
}

/// Few tiles, or a maximum that stands in one tile: where the best tokens are is found another way.
#[test]
fn the_best_of_few_tiles() {
    let mut random = Random(10);
    for width in [900, 2_000, 6_000] {
        let rows: Vec<Vec<f32>> = [0.5, 4.0]
            .iter()
            .map(|spread| (0..width).map(|_| (random.normal() * spread) as f32).collect())
            .collect();
        let params: Vec<SamplingParams> = [1, 2, 3, 7, 50, 200, 800, 1024, 1500]
            .into_iter()
            .map(|top_k| SamplingParams {
                top_k,
                temperature: random.pick(&[0.3, 1.0, 1e-4]),
                top_p: random.pick(&[1.0, 0.8]),
                logprobs: true,
                top_logprobs: 20,
                ..SamplingParams::default()
            })
            .collect();
        rows_with(10, width, &rows, &params);
    }
}
