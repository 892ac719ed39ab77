//! Rows: each fails or succeeds by itself, whatever the batch around it.

use serde_json::json;
use warpgrammar::engine::{Backend, Request, SlotId, Step};
use warpgrammar::sampling::{Logits, LogitsBatch, SamplingParams};
use warpgrammar::{Engine, EngineOptions, ErrorKind};

use crate::common::Random;
use crate::support::*;

#[test]
fn hostile_rows_hurt_only_themselves() {
    let vocab = vocabulary();
    let compiler = compiler(&vocab);
    let grammar = compiler.compile(&person()).unwrap();
    let width = vocab.width();
    for &backend in crate::BACKENDS {
        for threads in [1, 3] {
            let mut engine =
                Engine::new(vocab.clone(), EngineOptions { slots: 20, backend, threads }).unwrap();
            let mut random = Random(7);
            let good = noise(&mut random, width);
            // Only what the grammar forbids has a logit.
            let mut illegal_only = vec![f32::NEG_INFINITY; width];
            illegal_only[usize::from(b'x')] = 3.0;
            let mut nan_but_one = vec![f32::NAN; width];
            nan_but_one[usize::from(b'{')] = -1e30;
            let mut beyond = vec![f32::NEG_INFINITY; width];
            beyond[width - 1] = 5.0;
            let mut hole = vec![f32::NEG_INFINITY; width];
            hole[vocab.len() - 2] = f32::INFINITY;
            let rows: Vec<(&str, Vec<f32>, bool)> = vec![
                ("good", good.clone(), true),
                ("NaN", vec![f32::NAN; width], false),
                ("good", good.clone(), true),
                ("all -inf", vec![f32::NEG_INFINITY; width], false),
                ("all +inf", vec![f32::INFINITY; width], true),
                ("only illegal", illegal_only, false),
                ("NaN but one", nan_but_one, true),
                ("beyond the vocabulary", beyond, false),
                ("a hole", hole, false),
                ("least", vec![f32::MIN; width], true),
                ("subnormal", vec![f32::from_bits(1); width], true),
                ("good", good.clone(), true),
            ];
            let ids: Vec<SlotId> = rows.iter().map(|_| engine.admit(with(&grammar)).unwrap()).collect();
            let before: Vec<_> = ids.iter().map(|&id| seen(&mut engine, id)).collect();
            let flat: Vec<f32> = rows.iter().flat_map(|r| r.1.clone()).collect();
            let batch = LogitsBatch::new(Logits::F32(&flat), rows.len(), width, width).unwrap();
            let results = engine.step(&ids, &batch);
            for (i, (name, _, fine)) in rows.iter().enumerate() {
                match &results[i] {
                    Ok(step) => {
                        assert!(fine, "{name} gave {step:?}");
                        let legal = before[i].1[step.token as usize / 32] >> (step.token % 32) & 1;
                        assert_eq!(legal, 1, "{name}: token {}", step.token);
                        assert_eq!(engine.tokens(ids[i]).unwrap(), [step.token]);
                    }
                    Err(e) => {
                        assert!(!fine, "{name}: {e}");
                        assert_eq!(e.kind(), ErrorKind::NoLegalToken, "{name}: {e}");
                        assert_eq!(seen(&mut engine, ids[i]), before[i], "{name} left a trace");
                    }
                }
            }
            assert_eq!(results[0], results[2]);
            assert_eq!(results[0], results[11]);
            // A failed row goes on as if nothing had been.
            let again = step(&mut engine, ids[1], &good).unwrap();
            assert_eq!(&again, results[0].as_ref().unwrap());
        }
    }
}

#[test]
fn a_row_that_has_no_slot_of_its_own_fails_alone() {
    let vocab = vocabulary();
    let grammar = compiler(&vocab).compile(&person()).unwrap();
    let mut engine = engine(&vocab, 8);
    let width = vocab.width();
    let (a, b, c) = (
        engine.admit(with(&grammar)).unwrap(),
        engine.admit(with(&grammar)).unwrap(),
        engine.admit(Request::default()).unwrap(),
    );
    let gone = engine.admit(Request::default()).unwrap();
    engine.retire(gone).unwrap();
    let done = engine.admit(Request::default()).unwrap();
    engine.advance(done, stop(&vocab)).unwrap();
    let mut random = Random(11);
    let row = noise(&mut random, width);
    let ids = [a, gone, b, a, done, c, a, b];
    let flat = row.repeat(ids.len());
    let results = engine.step(&ids, &LogitsBatch::new(Logits::F32(&flat), ids.len(), width, width).unwrap());
    let fine: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(fine, [true, false, true, false, false, true, false, false]);
    for result in results.iter().filter(|r| r.is_err()) {
        assert_eq!(kind(result.clone()), Some(ErrorKind::InvalidParameter));
    }
    for id in [a, b, c] {
        assert_eq!(engine.tokens(id).unwrap().len(), 1, "each slot moved once");
    }

    // Shapes that do not fit fail every row and move none.
    let before = [a, b, c].map(|id| seen(&mut engine, id));
    let short = vec![0.0; 3 * width];
    for (rows, wide) in [(3, width - 1), (2, width), (0, width), (1, 1)] {
        let batch = LogitsBatch::new(Logits::F32(&short), rows, width, wide).unwrap();
        let results = engine.step(&[a, b, c], &batch);
        assert_eq!(results.len(), 3);
        assert!(results.into_iter().all(|r| kind(r) == Some(ErrorKind::InvalidParameter)));
    }
    assert_eq!([a, b, c].map(|id| seen(&mut engine, id)), before);
    assert!(engine.step(&[], &LogitsBatch::new(Logits::F32(&[]), 0, width, width).unwrap()).is_empty());
    assert_eq!(engine.step(&[], &LogitsBatch::new(Logits::F32(&row), 1, width, width).unwrap()).len(), 0);
}

/// The same requests stepped in batches of all shapes, row orders, threads and backends.
#[test]
fn a_row_does_not_depend_on_its_batch() {
    let vocab = vocabulary();
    let compiler = compiler(&vocab);
    let width = vocab.width();
    let schemas = [
        Some(person()),
        None,
        Some(json!({"type": "object"})),
        Some(json!({"type": "array", "minItems": 4})),
    ];
    let requests: Vec<Request> = (0..8)
        .map(|i| Request {
            grammar: schemas[i % 4].as_ref().map(|s| compiler.compile(s).unwrap()),
            params: SamplingParams {
                seed: i as u64 / 4,
                temperature: [1.0, 0.0, 0.7, 3.0][i % 4],
                top_p: [1.0, 0.8][i % 2],
                top_k: [0, 40][i / 2 % 2],
                frequency_penalty: [0.0, 0.5][i / 4],
                logprobs: true,
                top_logprobs: 3,
                ..SamplingParams::default()
            },
            prompt: &[1, 2, 3],
            max_tokens: Some(300),
            choice: i as u32 % 3,
        })
        .collect();
    // The logits of a request at a step are its own, wherever it stands.
    let row = |request: usize, n: usize| noise(&mut Random((request * 1000 + n) as u64), width);
    let run = |shuffle: u64, threads: usize, backend: Backend, at_once: usize, stride: usize| {
        let mut engine = Engine::new(vocab.clone(), EngineOptions { slots: 8, backend, threads }).unwrap();
        let mut random = Random(shuffle);
        let mut order: Vec<usize> = (0..8).collect();
        for i in (1..8).rev() {
            order.swap(i, random.below(i + 1));
        }
        let mut ids = vec![None; 8];
        for &i in &order {
            ids[i] = Some(engine.admit(requests[i].clone()).unwrap());
        }
        let ids: Vec<SlotId> = ids.into_iter().flatten().collect();
        let mut steps: Vec<Vec<Step>> = vec![Vec::new(); 8];
        for n in 0..25 {
            for part in order.chunks(at_once) {
                let part: Vec<usize> =
                    part.iter().copied().filter(|&i| engine.finish(ids[i]).unwrap().is_none()).collect();
                let mut flat = vec![f32::NAN; part.len() * stride];
                for (r, &i) in part.iter().enumerate() {
                    flat[r * stride..][..width].copy_from_slice(&row(i, n));
                }
                let batch = LogitsBatch::new(Logits::F32(&flat), part.len(), stride, width).unwrap();
                let rows: Vec<SlotId> = part.iter().map(|&i| ids[i]).collect();
                for (&i, result) in part.iter().zip(engine.step(&rows, &batch)) {
                    steps[i].push(result.unwrap());
                }
            }
            order.rotate_left(3);
        }
        steps
    };
    let plain = run(1, 1, Backend::Cpu, 8, width);
    assert_ne!(plain[0], plain[4], "other seeds, other tokens");
    for &backend in crate::BACKENDS {
        for (shuffle, threads, at_once, stride) in [
            (1, 1, 8, width),
            (2, 4, 8, width + 5),
            (3, 2, 3, width),
            (4, 16, 5, width + 1),
            (5, 1, 1, width),
        ] {
            assert!(
                plain == run(shuffle, threads, backend, at_once, stride),
                "{shuffle} {threads} {backend:?} {at_once}"
            );
        }
    }
}
