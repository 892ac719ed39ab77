//! The engine from outside: slots and their ids, rows and their errors, rollback, budgets, determinism.
//!
//! Logits are seeded noise or hostile on purpose; whatever they are, an output with a grammar is complete and
//! valid, and nothing a row does is felt by another.

mod common;

use std::sync::Arc;

use common::Random;
use serde_json::{Value, json};
use warpgrammar::automaton::{KeyOrder, Whitespace};
use warpgrammar::engine::{Backend, Finish, Request, SlotId, Step};
use warpgrammar::sampling::{Logits, LogitsBatch, SamplingParams};
use warpgrammar::vocab::Vocabulary;
use warpgrammar::{Compiler, CompilerOptions, Engine, EngineOptions, ErrorKind, Grammar};

/// A logit that wins against any noise.
const SURE: f32 = 100.0;

/// Every byte, some longer tokens, a hole, and a stop token at the end; two logits more than ids.
fn vocabulary() -> Arc<Vocabulary> {
    let mut tokens: Vec<Option<Vec<u8>>> = (0..=255u8).map(|b| Some(vec![b])).collect();
    let longer = [
        "{\"",
        "\":",
        "\": ",
        ",\"",
        ", \"",
        "\"}",
        "\"]",
        "]}",
        "}]",
        "}}",
        "[]",
        "{}",
        "\":[",
        "\":\"",
        "\",\"",
        "true",
        "false",
        "null",
        "12",
        "00",
        "name",
        "kind",
        "items",
        "ab",
        "abc",
        " ",
        "  ",
        "\n",
        "\\u",
        "\\n",
        "é",
        "한",
        "\u{1F600}",
        "\"},{\"",
        "[{\"",
        "\\ud83d",
        "\\ude00",
        "\\",
        "d83d",
        "1",
        "0.",
        "e+",
        "-1",
    ];
    tokens.extend(longer.map(|t| Some(t.as_bytes().to_vec())));
    tokens.push(Some(vec![0xed, 0x95]));
    tokens.push(None);
    tokens.push(Some(b"<end>".to_vec()));
    let (width, stop) = (tokens.len() + 2, tokens.len() as u32 - 1);
    let vocab = Vocabulary::from_tokens(tokens).unwrap().with_stop_ids(&[stop]).unwrap();
    Arc::new(vocab.with_logits_width(width).unwrap())
}

fn stop(vocab: &Vocabulary) -> u32 {
    vocab.stop_ids()[0]
}

fn compiler(vocab: &Arc<Vocabulary>) -> Compiler {
    Compiler::new(vocab.clone(), CompilerOptions::default()).unwrap()
}

fn engine(vocab: &Arc<Vocabulary>, slots: usize) -> Engine {
    Engine::new(vocab.clone(), EngineOptions { slots, ..EngineOptions::default() }).unwrap()
}

fn person() -> Value {
    json!({"type": "object", "properties": {
        "name": {"type": "string", "maxLength": 12},
        "kind": {"enum": ["ab", "abc", null]},
        "items": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 6}},
        "required": ["name", "items"], "additionalProperties": false})
}

fn noise(random: &mut Random, width: usize) -> Vec<f32> {
    (0..width).map(|_| (random.next() % 4096) as f32 / 256.0 - 8.0).collect()
}

/// Steps one row.
fn step(engine: &mut Engine, id: SlotId, row: &[f32]) -> warpgrammar::Result<Step> {
    let batch = LogitsBatch::new(Logits::F32(row), 1, row.len(), row.len()).unwrap();
    engine.step(&[id], &batch).pop().expect("a result a row")
}

fn text(engine: &Engine, id: SlotId) -> Vec<u8> {
    let vocab = engine.vocabulary();
    let tokens = engine.tokens(id).unwrap();
    tokens.iter().flat_map(|&t| vocab.bytes(t).unwrap_or_default().to_vec()).collect()
}

fn mask(engine: &mut Engine, id: SlotId) -> Vec<u32> {
    let mut words = vec![0; engine.vocabulary().width().div_ceil(32)];
    engine.fill_mask(id, &mut words).unwrap();
    words
}

/// All that can be seen of a slot.
fn seen(engine: &mut Engine, id: SlotId) -> (Vec<u32>, Vec<u32>, Vec<u8>, bool, Option<Finish>) {
    let tokens = engine.tokens(id).unwrap().to_vec();
    (
        tokens,
        mask(engine, id),
        engine.forced(id).unwrap(),
        engine.is_complete(id).unwrap(),
        engine.finish(id).unwrap(),
    )
}

fn spell(engine: &mut Engine, id: SlotId, text: &str) {
    for b in text.bytes() {
        engine.advance(id, u32::from(b)).unwrap_or_else(|e| panic!("{e} in {text:?}"));
    }
}

fn kind<T>(result: warpgrammar::Result<T>) -> Option<ErrorKind> {
    result.err().map(|e| e.kind())
}

fn with(grammar: &Arc<Grammar>) -> Request<'static> {
    Request { grammar: Some(grammar.clone()), ..Request::default() }
}

#[test]
fn ids_of_retired_slots_are_never_mistaken() {
    let vocab = vocabulary();
    let grammar = compiler(&vocab).compile(&person()).unwrap();
    let mut engine = engine(&vocab, 2);
    let first = engine.admit(with(&grammar)).unwrap();
    let second = engine.admit(Request::default()).unwrap();
    assert_eq!(kind(engine.admit(Request::default())), Some(ErrorKind::LimitExceeded));
    assert_eq!(kind(engine.clone_slot(first)), Some(ErrorKind::LimitExceeded));
    assert_eq!((engine.len(), engine.free_slots()), (2, 0));
    engine.retire(first).unwrap();
    assert_eq!(kind(engine.retire(first)), Some(ErrorKind::InvalidParameter));
    let third = engine.admit(Request::default()).unwrap();
    assert_ne!(first, third);
    spell(&mut engine, third, "xyz");

    let row = vec![0.0; vocab.width()];
    let refused = Some(ErrorKind::InvalidParameter);
    assert_eq!(kind(step(&mut engine, first, &row)), refused);
    assert_eq!(kind(engine.advance(first, 1)), refused);
    assert_eq!(kind(engine.rollback(first, 0)), refused);
    assert_eq!(kind(engine.forced(first)), refused);
    assert_eq!(kind(engine.validate_tokens(first, &[])), refused);
    assert_eq!(kind(engine.is_complete(first)), refused);
    assert_eq!(kind(engine.finish(first)), refused);
    assert_eq!(kind(engine.tokens(first)), refused);
    assert_eq!(kind(engine.fill_mask(first, &mut vec![0; vocab.width().div_ceil(32)])), refused);
    assert_eq!(kind(engine.clone_slot(first)), refused);
    assert_eq!(engine.tokens(third).unwrap(), [u32::from(b'x'), u32::from(b'y'), u32::from(b'z')]);

    // However often a place is used, an old id stays old.
    engine.retire(third).unwrap();
    let mut old = vec![first, third];
    for _ in 0..50 {
        let id = engine.admit(Request::default()).unwrap();
        assert!(!old.contains(&id));
        engine.retire(id).unwrap();
        old.push(id);
    }
    assert!(old.iter().all(|&id| engine.tokens(id).is_err()));
    engine.retire(second).unwrap();
    assert!(engine.is_empty());

    // An id of a larger engine.
    let mut large = self::engine(&vocab, 9);
    let far = (0..9).map(|_| large.admit(Request::default()).unwrap()).last().unwrap();
    assert_eq!(kind(engine.tokens(far)), refused);
    assert_eq!(kind(step(&mut engine, far, &row)), refused);
}

#[test]
fn parameters_out_of_range_are_refused() {
    let vocab = vocabulary();
    let none = |o: EngineOptions| kind(Engine::new(vocab.clone(), o));
    assert_eq!(
        none(EngineOptions { slots: 0, ..EngineOptions::default() }),
        Some(ErrorKind::InvalidParameter)
    );
    assert_eq!(
        none(EngineOptions { threads: 0, ..EngineOptions::default() }),
        Some(ErrorKind::InvalidParameter)
    );
    let mut engine = engine(&vocab, 4);
    let params = SamplingParams { temperature: -1.0, ..SamplingParams::default() };
    assert_eq!(
        kind(engine.admit(Request { params, ..Request::default() })),
        Some(ErrorKind::InvalidParameter)
    );
    let no_tokens = Request { max_tokens: Some(0), ..Request::default() };
    assert_eq!(kind(engine.admit(no_tokens)), Some(ErrorKind::InvalidParameter));

    let other = Arc::new(Vocabulary::from_tokens((0..=255u8).map(|b| Some(vec![b])).collect()).unwrap());
    let foreign = compiler(&other).compile(&person()).unwrap();
    assert_eq!(kind(engine.admit(with(&foreign))), Some(ErrorKind::InvalidParameter));
    assert!(engine.is_empty(), "a refused request takes no slot");

    let id = engine.admit(Request::default()).unwrap();
    assert_eq!(kind(engine.fill_mask(id, &mut [0; 3])), Some(ErrorKind::InvalidParameter));
    assert_eq!(kind(engine.rollback(id, 1)), Some(ErrorKind::InvalidParameter));
    assert_eq!(kind(engine.advance(id, vocab.width() as u32)), Some(ErrorKind::IllegalToken));
    assert_eq!(kind(engine.advance(id, u32::MAX)), Some(ErrorKind::IllegalToken));

    let depth = |max_depth| CompilerOptions { max_depth, ..CompilerOptions::default() };
    assert_eq!(kind(Compiler::new(vocab.clone(), depth(0))), Some(ErrorKind::InvalidParameter));
    assert_eq!(kind(Compiler::new(vocab.clone(), depth(255))), Some(ErrorKind::InvalidParameter));
}

#[test]
fn hostile_rows_hurt_only_themselves() {
    let vocab = vocabulary();
    let compiler = compiler(&vocab);
    let grammar = compiler.compile(&person()).unwrap();
    let width = vocab.width();
    for backend in [Backend::Cpu, Backend::Reference] {
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

#[test]
fn outputs_end_by_a_stop_token_or_when_nothing_can_follow() {
    let vocab = vocabulary();
    let compiler = compiler(&vocab);
    let mut engine = engine(&vocab, 8);

    // An object ends with its brace.
    let grammar = compiler.compile(&json!({"const": {"a": 1}})).unwrap();
    let id = engine.admit(with(&grammar)).unwrap();
    spell(&mut engine, id, "{\"a\":1");
    assert_eq!((engine.is_complete(id).unwrap(), engine.finish(id).unwrap()), (false, None));
    assert_eq!(kind(engine.advance(id, stop(&vocab))), Some(ErrorKind::IllegalToken));
    spell(&mut engine, id, "}");
    assert_eq!(engine.finish(id).unwrap(), Some(Finish::Stop));
    let row = vec![0.0; vocab.width()];
    assert!(step(&mut engine, id, &row).is_err());
    assert!(engine.advance(id, u32::from(b'}')).is_err());
    assert!(engine.advance(id, stop(&vocab)).is_err());
    assert_eq!(engine.validate_tokens(id, &[stop(&vocab)]).unwrap(), 0);
    assert_eq!(engine.tokens(id).unwrap().len(), 7);

    // A number could go on: only a stop token ends it.
    let grammar = compiler.compile(&json!({"type": "integer"})).unwrap();
    let id = engine.admit(with(&grammar)).unwrap();
    assert_eq!(kind(engine.advance(id, stop(&vocab))), Some(ErrorKind::IllegalToken));
    spell(&mut engine, id, "12");
    assert_eq!((engine.is_complete(id).unwrap(), engine.finish(id).unwrap()), (true, None));
    let mut only_stop = vec![f32::NEG_INFINITY; vocab.width()];
    only_stop[stop(&vocab) as usize] = -50.0;
    let ended = step(&mut engine, id, &only_stop).unwrap();
    assert_eq!((ended.token, ended.finish), (stop(&vocab), Some(Finish::Stop)));
    assert_eq!(text(&engine, id), b"12", "a stop token is no part of the output");

    // Free text ends by a stop token or its length, and may hold anything.
    let id = engine.admit(Request { max_tokens: Some(3), ..Request::default() }).unwrap();
    for token in [u32::from(b'x'), vocab.len() as u32 - 2] {
        engine.advance(id, token).unwrap();
    }
    assert_eq!(engine.finish(id).unwrap(), None);
    engine.advance(id, 0).unwrap();
    assert_eq!(engine.finish(id).unwrap(), Some(Finish::Length));
    let id = engine.admit(Request { max_tokens: Some(3), ..Request::default() }).unwrap();
    engine.advance(id, stop(&vocab)).unwrap();
    assert_eq!((engine.finish(id).unwrap(), engine.tokens(id).unwrap().len()), (Some(Finish::Stop), 0));
    let free = mask(&mut engine, id);
    assert_eq!(free.iter().map(|w| w.count_ones() as usize).sum::<usize>(), vocab.width());
}

#[test]
fn the_mask_is_what_can_be_appended() {
    let vocab = vocabulary();
    let grammar = compiler(&vocab).compile(&person()).unwrap();
    let mut engine = engine(&vocab, 4);
    let mut random = Random(3);
    for max_tokens in [None, Some(grammar.least_tokens() + 3)] {
        let id = engine.admit(Request { max_tokens, ..with(&grammar) }).unwrap();
        while engine.finish(id).unwrap().is_none() {
            let before = seen(&mut engine, id);
            let words = mask(&mut engine, id);
            for token in 0..32 * words.len() as u32 + 40 {
                let legal = words.get(token as usize / 32).is_some_and(|w| w >> (token % 32) & 1 == 1);
                assert_eq!(engine.validate_tokens(id, &[token]).unwrap() == 1, legal, "token {token}");
            }
            assert_eq!(seen(&mut engine, id), before, "validation changes nothing");
            let forced = engine.forced(id).unwrap();
            let chosen = step(&mut engine, id, &noise(&mut random, vocab.width())).unwrap().token;
            let bytes = vocab.bytes(chosen).unwrap_or_default();
            let common = bytes.len().min(forced.len());
            assert_eq!(bytes[..common], forced[..common], "what is forced is what comes");
        }
        assert!(serde_json::from_slice::<Value>(&text(&engine, id)).is_ok());
        engine.retire(id).unwrap();
    }
}

#[test]
fn forced_text_and_validation() {
    let vocab = vocabulary();
    let options = CompilerOptions { whitespace: Whitespace::Compact, ..CompilerOptions::default() };
    let compiler = Compiler::new(vocab.clone(), options).unwrap();
    let grammar = compiler.compile(&person()).unwrap();
    let mut engine = engine(&vocab, 4);
    let id = engine.admit(with(&grammar)).unwrap();
    assert_eq!(engine.forced(id).unwrap(), b"{\"name\":\"");
    spell(&mut engine, id, "{\"name\":\"");
    assert!(engine.forced(id).unwrap().is_empty());
    spell(&mut engine, id, "a\",\"k");
    assert_eq!(engine.forced(id).unwrap(), b"ind\":");
    let tokens: Vec<u32> = "ind\":null,\"items\":[1]}".bytes().map(u32::from).collect();
    assert_eq!(engine.validate_tokens(id, &tokens).unwrap(), tokens.len());
    let mut more = tokens.clone();
    more.push(stop(&vocab));
    assert_eq!(engine.validate_tokens(id, &more).unwrap(), tokens.len(), "the brace ended it");
    more[4] = u32::from(b';');
    assert_eq!(engine.validate_tokens(id, &more).unwrap(), 4);
    assert_eq!(engine.validate_tokens(id, &[u32::MAX]).unwrap(), 0);
    assert_eq!(engine.validate_tokens(id, &[]).unwrap(), 0);

    let constant = compiler.compile(&json!({"const": {"kind": ["ab", true], "é": "\n"}})).unwrap();
    let id = engine.admit(with(&constant)).unwrap();
    let whole = "{\"kind\":[\"ab\",true],\"é\":\"\\n\"}";
    assert_eq!(String::from_utf8(engine.forced(id).unwrap()).unwrap(), whole);
    spell(&mut engine, id, whole);
    assert!(engine.forced(id).unwrap().is_empty());
}

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

#[test]
fn a_clone_goes_its_own_way() {
    let vocab = vocabulary();
    let grammar = compiler(&vocab).compile(&person()).unwrap();
    let mut engine = engine(&vocab, 4);
    let id = engine.admit(with(&grammar)).unwrap();
    spell(&mut engine, id, "{\"name\":\"a");
    let copy = engine.clone_slot(id).unwrap();
    assert_eq!(seen(&mut engine, id), seen(&mut engine, copy));
    let mut random = Random(2);
    let row = noise(&mut random, vocab.width());
    let (a, b) = (step(&mut engine, id, &row).unwrap(), step(&mut engine, copy, &row).unwrap());
    assert_eq!(a, b, "the same random numbers");
    engine.rollback(copy, 1).unwrap();
    spell(&mut engine, copy, "bc\"");
    assert_eq!(engine.tokens(id).unwrap().len(), 11);
    let before = seen(&mut engine, copy);
    engine.retire(id).unwrap();
    assert_eq!(seen(&mut engine, copy), before);
    engine.rollback(copy, 4).unwrap();
    assert_eq!(text(&engine, copy), b"{\"name\":\"");
}

/// Logits made to run out of budget: each kind wants something else that is never enough.
fn hostile(kind: usize, random: &mut Random, vocab: &Vocabulary) -> Vec<f32> {
    let mut row = noise(random, vocab.width());
    let want = |row: &mut Vec<f32>, wanted: &dyn Fn(&[u8]) -> bool| {
        for id in 0..vocab.len() as u32 {
            if vocab.bytes(id).is_some_and(wanted) {
                row[id as usize] += SURE;
            }
        }
    };
    match kind {
        0 => {}
        // Opens whatever can be opened.
        1 => want(&mut row, &|b| b.iter().all(|c| b"[{\":,".contains(c))),
        // Whitespace.
        2 => want(&mut row, &|b| b.iter().all(|c| b" \n\t\r".contains(c))),
        // Digits and letters, one byte at a time.
        3 => want(&mut row, &|b| b.len() == 1 && b[0].is_ascii_alphanumeric()),
        // Anything but closing.
        4 => want(&mut row, &|b| !b.iter().any(|c| b"]}\"".contains(c))),
        // Half-finished escapes and characters.
        _ => want(&mut row, &|b| b[0] == b'\\' || b[0] >= 0x80),
    }
    // The stop token is the last choice.
    row[stop(vocab) as usize] = -SURE;
    row
}

fn generate(engine: &mut Engine, id: SlotId, kind: usize, random: &mut Random) -> Vec<u8> {
    let vocab = engine.vocabulary().clone();
    while engine.finish(id).unwrap().is_none() {
        let row = hostile(kind, random, &vocab);
        step(engine, id, &row).unwrap_or_else(|e| {
            panic!("{e} after {:?}", String::from_utf8_lossy(&text(engine, id)));
        });
    }
    assert_eq!(engine.finish(id).unwrap(), Some(Finish::Stop));
    assert!(engine.is_complete(id).unwrap());
    text(engine, id)
}

#[test]
fn every_budget_from_the_least_on_gives_complete_valid_outputs() {
    let vocab = vocabulary();
    let schemas = [
        person(),
        json!({"type": "object"}),
        json!({"type": "array", "items": {"type": "string", "pattern": "^(ab|abc)+$"}, "minItems": 3}),
        json!({"type": "string", "minLength": 9, "maxLength": 20}),
        json!({"anyOf": [{"type": "array", "items": {"$ref": "#"}, "minItems": 1}, {"enum": ["abcabc", 12]}]}),
        json!({"type": "object", "properties": {"items": {"type": "array", "items": {"$ref": "#"}},
               "kind": {"const": "abcabcabc"}}, "required": ["kind"], "additionalProperties": false}),
        json!({"type": "integer"}),
    ];
    let mut random = Random(21);
    for (i, schema) in schemas.iter().enumerate() {
        let oracle = jsonschema::validator_for(schema).unwrap();
        for whitespace in [Whitespace::Flexible { max: 3 }, Whitespace::Indent(2)] {
            let key_order = if i % 2 == 0 { KeyOrder::Any } else { KeyOrder::Schema };
            let options = CompilerOptions { whitespace, key_order, ..CompilerOptions::default() };
            let grammar = Compiler::new(vocab.clone(), options).unwrap().compile(schema).unwrap();
            let mut engine = engine(&vocab, 2);
            let least = grammar.least_tokens();
            for max_tokens in (0..least).rev().take(3) {
                let refused = engine.admit(Request { max_tokens: Some(max_tokens), ..with(&grammar) });
                assert_eq!(kind(refused), Some(ErrorKind::InvalidParameter), "{max_tokens} of {least}");
            }
            for max_tokens in least..=least + 40 {
                // Every kind on the budgets that are tightest, one on each of the rest.
                let kinds = if max_tokens < least + 6 {
                    0..6
                } else {
                    max_tokens as usize % 6..max_tokens as usize % 6 + 1
                };
                for kind in kinds {
                    let params = SamplingParams { seed: random.next(), ..SamplingParams::default() };
                    let request = Request { params, max_tokens: Some(max_tokens), ..with(&grammar) };
                    let id = engine.admit(request).unwrap();
                    let output = generate(&mut engine, id, kind, &mut random);
                    assert!(engine.tokens(id).unwrap().len() <= max_tokens as usize);
                    let value: Value = serde_json::from_slice(&output).unwrap_or_else(|e| {
                        panic!("{e}: {:?} for {schema}", String::from_utf8_lossy(&output));
                    });
                    assert!(oracle.is_valid(&value), "{value} for {schema}");
                    engine.retire(id).unwrap();
                }
            }
        }
    }
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
    for (shuffle, threads, backend, at_once, stride) in [
        (1, 1, Backend::Cpu, 8, width),
        (2, 4, Backend::Cpu, 8, width + 5),
        (3, 2, Backend::Cpu, 3, width),
        (4, 16, Backend::Cpu, 5, width + 1),
        (5, 1, Backend::Reference, 1, width),
        (6, 3, Backend::Reference, 8, width),
    ] {
        assert!(
            plain == run(shuffle, threads, backend, at_once, stride),
            "{shuffle} {threads} {backend:?} {at_once}"
        );
    }
}

#[test]
fn the_compiler_is_shared_by_threads_and_remembers() {
    let vocab = vocabulary();
    let compiler = compiler(&vocab);
    let schemas: Vec<Value> = (0..6)
        .map(|i| json!({"type": "object", "properties": {format!("k{i}"): {"type": "integer"}}}))
        .collect();
    let all: Vec<Vec<Arc<Grammar>>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| schemas.iter().map(|s| compiler.compile(s).unwrap()).collect()))
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(all.iter().all(|list| list.iter().zip(&all[0]).all(|(a, b)| Arc::ptr_eq(a, b))));
    assert!((1..6).all(|i| all[0][0] != all[0][i]));
    let (entries, bytes) = compiler.cache_usage();
    assert_eq!(entries, 6);
    assert!(bytes > 0);
    assert!(Arc::ptr_eq(&compiler.compile_str(&schemas[0].to_string()).unwrap(), &all[0][0]));

    // Errors are remembered too, and alike.
    let bad = json!({"type": "string", "minLength": 3, "maxLength": 2});
    let (a, b) = (compiler.compile(&bad).unwrap_err(), compiler.compile(&bad).unwrap_err());
    assert_eq!(a, b);
    assert_eq!(a.kind(), ErrorKind::Unsatisfiable);

    // A small cache forgets, but slots keep what they use.
    let options = CompilerOptions { max_cache_bytes: 1, ..CompilerOptions::default() };
    let forgetful = Compiler::new(vocab.clone(), options).unwrap();
    let first = forgetful.compile(&person()).unwrap();
    let mut engine = engine(&vocab, 2);
    let id = engine.admit(with(&first)).unwrap();
    drop(first);
    for schema in &schemas {
        forgetful.compile(schema).unwrap();
        assert!(forgetful.cache_usage().0 <= 1);
    }
    spell(&mut engine, id, "{\"name\":\"\",\"items\":[1]}");
    assert_eq!(engine.finish(id).unwrap(), Some(Finish::Stop));
}

/// A schema's text never stands for JSON mode.
#[test]
fn the_text_json_object_is_no_schema() {
    let vocab = vocabulary();
    let compiler = compiler(&vocab);
    assert_eq!(kind(compiler.compile_str("json_object")), Some(ErrorKind::InvalidJson));
    assert!(compiler.json_object().is_ok());
    assert_eq!(kind(compiler.compile_str("json_object")), Some(ErrorKind::InvalidJson));
}

/// A real vocabulary, lightly: its masks cost most.
#[test]
fn a_short_output_with_o200k_base() {
    let vocab = Arc::new(Vocabulary::o200k_base().unwrap());
    let compiler = compiler(&vocab);
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}, "items": {"type": "array"}},
                        "required": ["name", "items"], "additionalProperties": false});
    let grammar = compiler.compile(&schema).unwrap();
    let mut engine = engine(&vocab, 2);
    let least = grammar.least_tokens();
    assert!((5..12).contains(&least), "{least} tokens for {{\"name\":\"\",\"items\":[]}}");
    for max_tokens in [least, least + 9] {
        let params = SamplingParams { seed: 4, ..SamplingParams::default() };
        let id = engine.admit(Request { params, max_tokens: Some(max_tokens), ..with(&grammar) }).unwrap();
        let mut random = Random(1);
        while engine.finish(id).unwrap().is_none() {
            step(&mut engine, id, &noise(&mut random, vocab.width())).unwrap();
        }
        let output = text(&engine, id);
        let value: Value = serde_json::from_slice(&output).unwrap();
        assert!(jsonschema::is_valid(&schema, &value), "{value}");
        assert!(engine.tokens(id).unwrap().len() <= max_tokens as usize);
    }
}
