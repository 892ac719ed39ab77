//! Slots and their ids: admission, retirement, clones.

use std::sync::Arc;

use serde_json::json;
use warpgrammar::engine::Request;
use warpgrammar::sampling::SamplingParams;
use warpgrammar::vocab::Vocabulary;
use warpgrammar::{Compiler, CompilerOptions, Engine, EngineOptions, ErrorKind};

use crate::common::Random;
use crate::support::*;

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

/// Whatever else is wrong with a request: a grammar for another vocabulary is the first thing to say.
#[test]
fn a_grammar_for_another_vocabulary_is_refused_as_such() {
    let mut tokens: Vec<Option<Vec<u8>>> = (0..=255u8).map(|b| Some(vec![b])).collect();
    tokens.push(Some(b"<stop>".to_vec()));
    let other = Arc::new(Vocabulary::from_tokens(tokens).unwrap().with_stop_ids(&[256]).unwrap());
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
        "required": ["a", "b"]});
    let grammar = compiler(&other).compile(&schema).unwrap();
    let vocab = vocabulary();
    let mut engine = engine(&vocab, 1);
    for max_tokens in [None, Some(0), Some(1), Some(1_000)] {
        let error = engine.admit(Request { max_tokens, ..with(&grammar) }).unwrap_err();
        assert!(error.message().contains("another vocabulary"), "{max_tokens:?}: {error}");
    }
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
