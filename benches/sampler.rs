//! One row of 200,019 logits (the width of o200k_base) on one thread: `cargo bench --bench sampler`.
//!
//! Names are `mode/format/legal set`; a suffix is an instruction set other than the CPU's best.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use half::bf16;
use warpgrammar::cpu::sampler::{SamplerScratch, Simd, sample};
use warpgrammar::sampling::{Draw, LegalSet, Logits, SamplingParams, TokenCounts};

const WIDTH: usize = 200_019;

fn noise(state: &mut u64) -> f32 {
    // The sum of four uniforms: near enough to a normal distribution.
    let mut sum = 0.0;
    for _ in 0..4 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        sum += (*state >> 40) as f32 / (1 << 24) as f32 - 0.5;
    }
    sum * 1.7
}

fn bench(c: &mut Criterion) {
    let mut state = 1;
    // A model's row: a broad body and a few likely tokens.
    let mut peaked: Vec<f32> = (0..WIDTH).map(|_| 2.0 * noise(&mut state)).collect();
    for i in 0..200 {
        peaked[i * 997 % WIDTH] += 16.0 - i as f32 * 0.1;
    }
    let flat: Vec<f32> = (0..WIDTH).map(|_| noise(&mut state)).collect();
    let half: Vec<bf16> = peaked.iter().map(|&z| bf16::from_f32(z)).collect();
    let dense: Vec<u32> =
        (0..WIDTH.div_ceil(32)).map(|i| if i % 8 == 0 { 0x7fff_fff7 } else { u32::MAX }).collect();
    let mixed: Vec<u32> = (0..WIDTH as u32 / 32 + 1).map(|i| i.wrapping_mul(0x9e37_79b9)).collect();
    let ids: Vec<u32> = (0..20).map(|i| i * 9_973).collect();
    let sparse = {
        let mut words = vec![0u32; WIDTH.div_ceil(32)];
        ids.iter().for_each(|id| words[*id as usize / 32] |= 1 << (id % 32));
        words
    };

    let on = SamplingParams::default();
    let greedy = SamplingParams { temperature: 0.0, ..on.clone() };
    let top_p = SamplingParams { top_p: 0.9, ..on.clone() };
    let top_k = SamplingParams { top_k: 50, ..on.clone() };
    let both = SamplingParams { top_k: 50, top_p: 0.9, temperature: 0.7, ..on.clone() };
    let min_p = SamplingParams { min_p: 0.05, ..on.clone() };
    let logprobs = SamplingParams { logprobs: true, top_logprobs: 5, ..on.clone() };
    let penalties = SamplingParams { repetition_penalty: 1.1, presence_penalty: 0.5, ..on.clone() };
    let prompt: Vec<u32> = (0..1000).map(|i| i * 197).collect();
    let counts = TokenCounts::from_prompt(&prompt);

    let (f32s, bf16s) = (Logits::F32(&peaked), Logits::Bf16(&half));
    let dense = LegalSet::Bitmap(&dense);
    let cases = [
        ("greedy/f32/all", &greedy, f32s, LegalSet::All),
        ("greedy/f32/dense", &greedy, f32s, dense),
        ("greedy/bf16/dense", &greedy, bf16s, dense),
        ("temperature/f32/all", &on, f32s, LegalSet::All),
        ("temperature/f32/dense", &on, f32s, dense),
        ("temperature/f32/mixed", &on, f32s, LegalSet::Bitmap(&mixed)),
        ("temperature/bf16/dense", &on, bf16s, dense),
        ("top-p 0.9/f32/dense", &top_p, f32s, dense),
        ("top-p 0.9/bf16/dense", &top_p, bf16s, dense),
        ("top-p 0.9/flat f32/all", &top_p, Logits::F32(&flat), LegalSet::All),
        ("top-k 50/f32/dense", &top_k, f32s, dense),
        ("top-k 50/flat f32/all", &top_k, Logits::F32(&flat), LegalSet::All),
        ("top-k 50/bf16/dense", &top_k, bf16s, dense),
        ("top-k 50 top-p 0.9/f32/dense", &both, f32s, dense),
        ("min-p 0.05/f32/dense", &min_p, f32s, dense),
        ("logprobs 5/f32/dense", &logprobs, f32s, dense),
        ("penalties of 1000/f32/dense", &penalties, f32s, dense),
        ("temperature/f32/20 ids", &on, f32s, LegalSet::Ids(&ids)),
        ("top-p 0.9/f32/20 ids", &top_p, f32s, LegalSet::Ids(&ids)),
        ("temperature/f32/20 in a bitmap", &on, f32s, LegalSet::Bitmap(&sparse)),
    ];
    let levels = Simd::available();
    for (name, params, row, legal) in cases {
        for (i, &simd) in levels.iter().enumerate().skip(1) {
            let name = match i + 1 == levels.len() {
                true => name.to_owned(),
                false => format!("{name} {}", simd.name()),
            };
            let mut scratch = SamplerScratch::new(simd);
            let mut position = 0;
            c.bench_function(&name, |b| {
                b.iter(|| {
                    position += 1;
                    let draw = Draw::new(1, position, 0);
                    sample(black_box(row), legal, params, &counts, draw, &mut scratch).unwrap()
                });
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().without_plots().sample_size(30)
        .warm_up_time(std::time::Duration::from_millis(150))
        .measurement_time(std::time::Duration::from_millis(400));
    targets = bench
}
criterion_main!(benches);
