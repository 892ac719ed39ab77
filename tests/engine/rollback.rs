//! Rollback restores everything.

use serde_json::json;
use warpgrammar::automaton::KeyOrder;
use warpgrammar::engine::Request;
use warpgrammar::sampling::SamplingParams;
use warpgrammar::{Compiler, CompilerOptions};

use crate::common::Random;
use crate::support::*;

/// Random walks with rollbacks in between see at every length what they saw the first time.
#[test]
fn rollback_restores_everything() {
    let vocab = vocabulary();
    let compiler = compiler(&vocab);
    let schemas = [
        json!({"type": "array", "items": {"type": "integer"}, "minItems": 30}),
        json!({"type": "object"}),
        person(),
    ];
    for key_order in [KeyOrder::Schema, KeyOrder::Any] {
        let options = CompilerOptions { key_order, ..compiler.options().clone() };
        let compiler = Compiler::new(vocab.clone(), options).unwrap();
        for schema in &schemas {
            let grammar = compiler.compile(schema).unwrap();
            let mut engine = engine(&vocab, 4);
            let params = SamplingParams {
                frequency_penalty: 0.7,
                presence_penalty: 0.3,
                repetition_penalty: 1.2,
                ..SamplingParams::default()
            };
            let request = Request { params, prompt: &[65, 66, 66], ..with(&grammar) };
            let id = engine.admit(request).unwrap();
            let mut random = Random(5);
            let mut history = vec![seen(&mut engine, id)];
            for round in 0..150 {
                let length = engine.tokens(id).unwrap().len();
                if engine.finish(id).unwrap().is_some() || round % 7 == 6 {
                    let n = random.below(length + 1);
                    engine.rollback(id, n).unwrap();
                    history.truncate(length - n + 1);
                    assert_eq!(Some(&seen(&mut engine, id)), history.last(), "{schema} back by {n}");
                    continue;
                }
                if round % 50 == 30 {
                    assert!(engine.rollback(id, length + 1).is_err());
                }
                let result = step(&mut engine, id, &noise(&mut random, vocab.width())).unwrap();
                // A stop token is taken back with the tokens before it, or alone.
                if result.token == stop(&vocab) {
                    engine.rollback(id, 0).unwrap();
                    assert_eq!(Some(&seen(&mut engine, id)), history.last());
                } else {
                    history.push(seen(&mut engine, id));
                }
            }
        }
    }
}

/// What is sampled after a rollback, penalties included, is what a slot without a detour samples.
#[test]
fn penalties_roll_back() {
    let vocab = vocabulary();
    let params = SamplingParams {
        frequency_penalty: 2.0,
        presence_penalty: 1.0,
        repetition_penalty: 1.5,
        seed: 9,
        logprobs: true,
        top_logprobs: 5,
        ..SamplingParams::default()
    };
    let mut engine = engine(&vocab, 4);
    for grammar in [None, Some(compiler(&vocab).compile(&json!({"type": "string"})).unwrap())] {
        let request = || Request {
            grammar: grammar.clone(),
            params: params.clone(),
            prompt: &[97, 98],
            ..Request::default()
        };
        let (plain, detour) = (engine.admit(request()).unwrap(), engine.admit(request()).unwrap());
        for id in [plain, detour] {
            spell(&mut engine, id, "\"aab");
        }
        spell(&mut engine, detour, "aaabbbzzzz");
        engine.rollback(detour, 10).unwrap();
        let row = vec![1.0; vocab.width()];
        let (a, b) = (step(&mut engine, plain, &row).unwrap(), step(&mut engine, detour, &row).unwrap());
        assert_eq!(a, b);
        // And the penalties do something: `z` is likelier than `a`.
        let likely = |token: u8| {
            let mut row = vec![f32::NEG_INFINITY; vocab.width()];
            row[usize::from(token)] = 1.0;
            row[usize::from(b'q')] = 1.0;
            row
        };
        let mut shares = [0, 0];
        for (share, token) in shares.iter_mut().zip([b'a', b'z']) {
            for seed in 0..60 {
                let params = SamplingParams { seed, ..params.clone() };
                let id = engine.admit(Request { params, ..request() }).unwrap();
                spell(&mut engine, id, "\"aa");
                *share += u32::from(step(&mut engine, id, &likely(token)).unwrap().token == u32::from(token));
                engine.retire(id).unwrap();
            }
        }
        assert!(shares[0] + 10 < shares[1], "{shares:?}");
        engine.retire(plain).unwrap();
        engine.retire(detour).unwrap();
    }
}
