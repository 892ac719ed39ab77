//! CPU = reference, bit for bit, at every instruction set of this machine.

use warpgrammar::cpu::sampler::{self as cpu, SamplerScratch, Simd};
use warpgrammar::reference::sampler as reference;
use warpgrammar::sampling::{Draw, LegalSet, Logits, Sampled, SamplingParams, TILE, TileRecord, TokenCounts};
use warpgrammar::{ErrorKind, Result};

use warpgrammar::device::check::random::{self, Random};

/// A result as bits, so that −0, NaN and rounding count.
#[derive(Debug, PartialEq)]
struct Bits(u32, Option<u32>, Vec<(u32, u32)>);

fn bits(result: Result<Sampled>) -> std::result::Result<Bits, ErrorKind> {
    match result {
        Ok(sampled) => {
            let top = sampled.top.iter().map(|&(id, z)| (id, z.to_bits()));
            Ok(Bits(sampled.token, sampled.logprob.map(f32::to_bits), top.collect()))
        }
        Err(error) => Err(error.kind()),
    }
}

/// Runs `cases` random cases of up to `width` ids; the number that had no legal token.
fn compare(seed: u64, cases: usize, width: impl Fn(&mut Random) -> usize) -> usize {
    let mut random = Random(seed);
    let mut scratches: Vec<_> = Simd::available().into_iter().map(SamplerScratch::new).collect();
    let mut failures = 0;
    for case in 0..cases {
        let width = width(&mut random);
        let row = random::row(&mut random, width);
        let ids = random::legal_ids(&mut random, width);
        let bitmap = random::bitmap(&ids, width);
        let params = random::params(&mut random, width);
        params.validate(width).unwrap();
        let counts = random::counts(&mut random, width);
        let draw = match random.below(20) {
            0 => Draw { tile: 0, token: 0 },
            1 => Draw { tile: u64::MAX, token: u64::MAX },
            _ => Draw::new(params.seed, random.next(), 0),
        };
        let expected =
            bits(reference::sample(row.logits(), LegalSet::Bitmap(&bitmap), &params, &counts, draw));
        failures += usize::from(expected == Err(ErrorKind::NoLegalToken));
        for legal in random::forms(&ids, &bitmap, width) {
            for (scratch, simd) in scratches.iter_mut().zip(Simd::available()) {
                let got = bits(cpu::sample(row.logits(), legal, &params, &counts, draw, scratch));
                let form = match legal {
                    LegalSet::All => "all",
                    LegalSet::Ids(_) => "ids",
                    LegalSet::Bitmap(_) => "bitmap",
                };
                assert_eq!(
                    got,
                    expected,
                    "case {case} of seed {seed}, {}, {form} of {} legal in {width}, {params:?}",
                    simd.name(),
                    ids.len()
                );
            }
        }
    }
    failures
}

#[test]
fn tiny_rows() {
    let failures = compare(1, 20_000, |random| 1 + random.below(80));
    assert!((200..10_000).contains(&failures), "{failures}");
}

#[test]
fn rows_of_a_few_tiles() {
    compare(2, 6_000, |random| 1 + random.below(5_000));
}

#[test]
fn rows_at_tile_and_word_edges() {
    compare(3, 3_000, |random| {
        let edge = random.pick(&[32, 64, 1024, 2048, 3072]);
        edge + random.below(3) - 1
    });
}

#[test]
fn rows_of_a_whole_vocabulary() {
    compare(4, 60, |random| random.pick(&[200_019, 128_256, 32_000]));
}

#[test]
fn truncations_of_flat_and_tied_rows() {
    let mut random = Random(5);
    let width = 50_000;
    let mut scratch = SamplerScratch::default();
    for levels in [0.0, 1.0, 20.0, 1e6] {
        let row: Vec<f32> = (0..width)
            .map(|_| (random.normal() * levels).round() as f32 / f32::max(levels as f32, 1.0))
            .collect();
        for (top_k, top_p, min_p) in [
            (0, 0.9, 0.0),
            (0, 0.5, 0.001),
            (0, 1.0, 0.001),
            (10_000, 0.7, 0.0),
            (10_000, 1.0, 0.2),
            (300, 0.99, 0.0),
            (0, 0.999_999_9, 0.0),
        ] {
            let params = SamplingParams { top_k, top_p, min_p, ..SamplingParams::default() };
            for position in 0..3 {
                let draw = Draw::new(9, position, 0);
                let counts = TokenCounts::default();
                let (logits, legal) = (Logits::F32(&row), LegalSet::All);
                let expected = reference::sample(logits, legal, &params, &counts, draw);
                let got = cpu::sample(logits, legal, &params, &counts, draw, &mut scratch);
                assert_eq!(bits(got), bits(expected), "{levels} {params:?}");
            }
        }
    }
}

/// A prefix that has exactly the asked mass is enough, however it is found.
#[test]
fn top_p_that_ends_on_an_edge() {
    let mut scratch = SamplerScratch::default();
    for width in [16, 1024, 8192, 65_536] {
        let row = vec![2.0f32; width];
        let params = SamplingParams { top_p: 0.5, ..SamplingParams::default() };
        let draw = Draw { tile: u64::MAX, token: u64::MAX };
        let counts = TokenCounts::default();
        let (logits, legal) = (Logits::F32(&row), LegalSet::All);
        let got = cpu::sample(logits, legal, &params, &counts, draw, &mut scratch).unwrap();
        assert_eq!(got.token as usize, width / 2 - 1);
        let expected = reference::sample(logits, legal, &params, &counts, draw).unwrap();
        assert_eq!(got, expected);
    }
}

/// Any grouping of tiles into blocks or ranks gives the records, and so the token, of one pass.
#[test]
fn records_do_not_depend_on_the_split() {
    let mut random = Random(6);
    let mut scratch = SamplerScratch::default();
    for _ in 0..200 {
        let width = 1 + random.below(12_000);
        let random::Row::F32(row) = random::row(&mut random, width) else {
            continue;
        };
        let params = SamplingParams { temperature: 0.8, ..SamplingParams::default() };
        let counts = TokenCounts::default();
        let mut records = |row: &[f32]| -> Vec<TileRecord> {
            let legal = LegalSet::All;
            cpu::tile_records(Logits::F32(row), legal, &params, &counts, &mut scratch).unwrap().to_vec()
        };
        let whole = records(&row);
        let mut merged = Vec::new();
        let mut rest = &row[..];
        while !rest.is_empty() {
            let n = (TILE * (1 + random.below(4))).min(rest.len());
            merged.extend(records(&rest[..n]));
            rest = &rest[n..];
        }
        assert_eq!(merged, whole);
        let z = reference::adjusted(Logits::F32(&row), LegalSet::All, &params, &counts);
        let all = vec![true; width];
        assert_eq!(reference::tile_records(&z, &all, params.row_params().scale), whole);
    }
}

#[test]
fn a_wrong_legal_set_is_refused() {
    let mut scratch = SamplerScratch::default();
    let row = [0.0; 40];
    for legal in [LegalSet::Ids(&[4, 3]), LegalSet::Ids(&[40]), LegalSet::Bitmap(&[u32::MAX])] {
        let error = cpu::sample(
            Logits::F32(&row),
            legal,
            &SamplingParams::default(),
            &TokenCounts::default(),
            Draw::new(0, 0, 0),
            &mut scratch,
        );
        assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidParameter);
    }
}
