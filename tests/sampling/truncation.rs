//! What min-p, top-k and top-p keep, against a plain `f64` implementation.

use warpgrammar::reference::sampler as reference;
use warpgrammar::sampling::{
    Draw, ILLEGAL, LegalSet, Logits, RowParams, SamplingParams, TOP_P_OFF, TokenCounts,
};

use warpgrammar::device::check::random::Random;

/// Number kept, or `None` if rounding could decide.
fn kept(z: &[f32], ranking: &[u32], params: &SamplingParams) -> Option<usize> {
    let temperature = f64::from(params.temperature);
    let max = f64::from(z[ranking[0] as usize]);
    let weights: Vec<f64> =
        ranking.iter().map(|&id| ((f64::from(z[id as usize]) - max) / temperature).exp()).collect();
    let near = |a: f64, b: f64| (a - b).abs() < 2e-6 * b.abs();

    let min_p = f64::from(params.min_p);
    if weights.iter().any(|&w| near(w, min_p)) {
        return None;
    }
    let mut n = weights.iter().take_while(|w| **w >= min_p).count();
    if params.top_k > 0 {
        n = n.min(params.top_k as usize);
    }
    if params.top_p < 1.0 {
        let target = weights[..n].iter().sum::<f64>() * f64::from(params.top_p);
        let mut prefix = 0.0;
        for (i, w) in weights[..n].iter().enumerate() {
            prefix += w;
            if near(prefix, target) {
                return None;
            }
            if prefix >= target {
                return Some(i + 1);
            }
        }
    }
    Some(n)
}

#[test]
fn sets_agree_with_plain_mathematics() {
    let mut random = Random(1);
    let mut judged = 0;
    for _ in 0..4_000 {
        let width = 1 + random.below(3_000);
        let spread = random.pick(&[0.3, 1.0, 3.0, 8.0]);
        let z: Vec<f32> = (0..width).map(|_| (random.normal() * spread) as f32).collect();
        let params = SamplingParams {
            temperature: random.pick(&[0.5, 1.0, 1.5]),
            top_k: random.pick(&[0, 0, 1, 7, 50, 1000]),
            top_p: random.pick(&[1.0, 0.05, 0.5, 0.9, 0.99]),
            min_p: random.pick(&[0.0, 0.0, 0.01, 0.1, 0.5]),
            ..SamplingParams::default()
        };
        let ranking = reference::ranking(&z);
        if let Some(expected) = kept(&z, &ranking, &params) {
            judged += 1;
            let got = reference::kept(&z, &ranking, &params.row_params());
            assert_eq!(got, expected, "{width} {spread} {params:?}");
        }
    }
    assert!(judged > 3_600, "{judged}");
}

#[test]
fn the_best_token_is_always_kept() {
    let z = [1.0, 5.0, 5.0, ILLEGAL];
    let ranking = reference::ranking(&z);
    assert_eq!(ranking, [1, 2, 0]);
    let off = SamplingParams::default().row_params();
    let one = [RowParams { top_p: 0, ..off }, RowParams { top_k: 1, ..off }, RowParams { top_p: 1, ..off }];
    for params in one {
        assert_eq!(reference::kept(&z, &ranking, &params), 1);
    }
    // Ties at the maximum pass min_p = 1.
    let ties = RowParams { min_p_log2: 0.0, ..off };
    assert_eq!(reference::kept(&z, &ranking, &ties), 2);
    assert_eq!(reference::kept(&z, &ranking, &off), 3);
    assert_eq!(off.top_p, TOP_P_OFF);
}

/// A prefix that ends exactly on the asked mass is enough.
#[test]
fn top_p_on_an_edge() {
    let z = [0.0; 4];
    let ranking = reference::ranking(&z);
    for (top_p, n) in [(0.25, 1), (0.5, 2), (0.75, 3), (0.750_1, 4), (0.249, 1)] {
        let params = SamplingParams { top_p, ..SamplingParams::default() };
        assert_eq!(reference::kept(&z, &ranking, &params.row_params()), n, "{top_p}");
    }
}

/// A truncation that removes nothing changes nothing.
#[test]
fn a_void_truncation_gives_the_same_tokens() {
    let mut random = Random(2);
    let row: Vec<f32> = (0..3000).map(|_| random.normal() as f32).collect();
    let plain = SamplingParams::default();
    let void = SamplingParams { top_k: 3000, min_p: 1e-9, ..SamplingParams::default() };
    for position in 0..200 {
        let draw = Draw::new(1, position, 0);
        let sample = |params| {
            let counts = TokenCounts::default();
            reference::sample(Logits::F32(&row), LegalSet::All, params, &counts, draw).unwrap()
        };
        assert_eq!(sample(&plain), sample(&void));
    }
}
