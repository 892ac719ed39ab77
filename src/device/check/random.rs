//! Deterministic random rows, legal sets and parameters.

use crate::sampling::{LegalSet, Logits, SamplingParams, TokenCounts};
use half::{bf16, f16};

/// A small deterministic generator (SplitMix64), so that failures can be repeated.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// 64 random bits.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 … n − 1.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// 0 … 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal (Box–Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// A row in one of the three formats.
pub enum Row {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// IEEE half precision.
    F16(Vec<f16>),
    /// bfloat16.
    Bf16(Vec<bf16>),
}

impl Row {
    /// A view of it.
    pub fn logits(&self) -> Logits<'_> {
        match self {
            Row::F32(row) => Logits::F32(row),
            Row::F16(row) => Logits::F16(row),
            Row::Bf16(row) => Logits::Bf16(row),
        }
    }

    /// `values` rounded to a format: 0 f32, 1 f16, 2 bf16.
    pub fn of(values: Vec<f32>, format: usize) -> Row {
        match format {
            0 => Row::F32(values),
            1 => Row::F16(values.into_iter().map(f16::from_f32).collect()),
            _ => Row::Bf16(values.into_iter().map(bf16::from_f32).collect()),
        }
    }
}

/// Logits of many shapes, with ties, special values and extremes.
pub fn row(random: &mut Random, width: usize) -> Row {
    let values = values(random, width);
    Row::of(values, random.below(3))
}

/// As [`row`], before rounding to a format.
pub fn values(random: &mut Random, width: usize) -> Vec<f32> {
    let shape = random.below(9);
    let spread = random.pick(&[0.01, 0.5, 2.0, 6.0, 30.0]);
    let levels = random.pick(&[1.0, 4.0, 64.0]);
    let specials = random.pick(&[0, 0, 0, 1, 30, 100]);
    let mut values: Vec<f32> = (0..width)
        .map(|id| match shape {
            0..=3 => (random.normal() * spread) as f32,
            4 => (random.normal() * levels).round() as f32,
            5 => 1.25,
            6 => f32::from_bits(random.next() as u32),
            7 => -(id as f32) * spread as f32,
            _ => (random.unit() * spread) as f32,
        })
        .collect();
    for z in &mut values {
        if random.chance(specials) {
            *z = random.pick(&[
                f32::NAN,
                -f32::NAN,
                f32::INFINITY,
                f32::NEG_INFINITY,
                f32::NEG_INFINITY,
                0.0,
                -0.0,
                f32::MAX,
                -f32::MAX,
                1e-41,
                -1e-41,
                f32::NAN,
            ]);
        }
    }
    if random.chance(3) {
        values.fill(random.pick(&[f32::NAN, f32::NEG_INFINITY, f32::INFINITY]));
    }
    values
}

/// Legal ids, ascending.
pub fn legal_ids(random: &mut Random, width: usize) -> Vec<u32> {
    let all = 0..width as u32;
    match random.below(8) {
        0 => all.collect(),
        1 => all.filter(|_| random.chance(97)).collect(),
        2 => all.filter(|_| random.chance(50)).collect(),
        3 => all.filter(|_| random.chance(2)).collect(),
        4 => vec![random.below(width) as u32],
        5 if random.chance(20) => Vec::new(),
        // Whole words and tiles legal or not.
        6 => {
            let run = random.pick(&[32, 1024]);
            let keep: Vec<bool> = (0..=width / run).map(|_| random.chance(40)).collect();
            all.filter(|&id| keep[id as usize / run]).collect()
        }
        _ => {
            let mut ids: Vec<u32> = (0..random.below(30)).map(|_| random.below(width) as u32).collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        }
    }
}

/// `ids` as a bitmap, with garbage past the width.
pub fn bitmap(ids: &[u32], width: usize) -> Vec<u32> {
    let mut words = vec![0u32; width.div_ceil(32) + 1];
    for id in width..words.len() * 32 {
        words[id / 32] |= 1 << (id % 32);
    }
    for &id in ids {
        words[id as usize / 32] |= 1 << (id % 32);
    }
    words
}

/// Any combination of parameters.
pub fn params(random: &mut Random, width: usize) -> SamplingParams {
    let or_off = |random: &mut Random, off: f32, values: &[f32]| {
        if random.chance(60) { off } else { random.pick(values) }
    };
    let logprobs = random.chance(30);
    let mut params = SamplingParams {
        temperature: random.pick(&[0.0, 1.0, 1.0, 1.0, 0.7, 0.1, 1e-4, 2.0, 50.0]),
        top_k: if random.chance(60) {
            0
        } else {
            random.pick(&[1, 2, 5, 50, 1000, 4096, 5000, 100_000, u32::MAX])
        },
        top_p: or_off(random, 1.0, &[0.0, 1e-30, 0.1, 0.5, 0.9, 0.999, 0.999_999_9]),
        min_p: or_off(random, 0.0, &[1e-30, 1e-6, 0.01, 0.3, 1.0]),
        repetition_penalty: or_off(random, 1.0, &[0.5, 1.1, 2.0, 1e-30]),
        frequency_penalty: or_off(random, 0.0, &[0.5, -1.5, 2.0, 3e38]),
        presence_penalty: or_off(random, 0.0, &[0.5, -1.5, 2.0, -3e38]),
        seed: random.next(),
        logprobs,
        top_logprobs: if logprobs { random.pick(&[0, 1, 5, 20]) } else { 0 },
        ..SamplingParams::default()
    };
    if random.chance(30) {
        for _ in 0..random.below(20) {
            let id = random.below(width) as u32;
            if params.logit_bias.iter().all(|entry| entry.0 != id) {
                let bias = random.pick(&[f32::NEG_INFINITY, -100.0, -1.0, 0.5, 100.0, 3e38]);
                params.logit_bias.push((id, bias));
            }
        }
    }
    params
}

/// A prompt and some output; ids may lie past the width.
pub fn counts(random: &mut Random, width: usize) -> TokenCounts {
    let n = random.pick(&[0, 1, 40, 300]);
    let tokens: Vec<u32> = (0..n).map(|_| random.below(width + 2) as u32).collect();
    let (prompt, output) = tokens.split_at(random.below(n + 1));
    let mut counts = TokenCounts::from_prompt(prompt);
    output.iter().for_each(|&token| counts.push(token));
    counts
}

/// The forms of one legal set.
pub fn forms<'a>(ids: &'a [u32], bitmap: &'a [u32], width: usize) -> Vec<LegalSet<'a>> {
    let mut forms = vec![LegalSet::Ids(ids), LegalSet::Bitmap(bitmap)];
    if ids.len() == width {
        forms.push(LegalSet::All);
    }
    forms
}
