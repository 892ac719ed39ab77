//! Outputs: where they end, what may come next, and that every budget is kept.

use std::sync::Arc;

use serde_json::{Value, json};
use warpgrammar::automaton::{KeyOrder, Whitespace};
use warpgrammar::engine::{Finish, Request, SlotId};
use warpgrammar::sampling::SamplingParams;
use warpgrammar::vocab::Vocabulary;
use warpgrammar::{Compiler, CompilerOptions, Engine, ErrorKind};

use crate::common::Random;
use crate::support::*;

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
    let legal = |engine: &mut Engine| mask(engine, id).iter().map(|w| w.count_ones() as usize).sum::<usize>();
    assert_eq!(legal(&mut engine), vocab.width());
    engine.advance(id, stop(&vocab)).unwrap();
    assert_eq!((engine.finish(id).unwrap(), engine.tokens(id).unwrap().len()), (Some(Finish::Stop), 0));
    assert_eq!(legal(&mut engine), 0, "nothing comes after the end");
}

/// A budget that ends a text which could go on still leaves it complete.
#[test]
fn a_used_up_budget_ends_a_complete_output() {
    let vocab = vocabulary();
    let grammar = compiler(&vocab).compile(&json!({"type": "integer"})).unwrap();
    let mut engine = engine(&vocab, 1);
    let max_tokens = Some(grammar.least_tokens());
    let id = engine.admit(Request { max_tokens, ..with(&grammar) }).unwrap();
    for left in (0..grammar.least_tokens()).rev() {
        engine.advance(id, u32::from(b'1')).unwrap();
        assert_eq!(engine.finish(id).unwrap(), (left == 0).then_some(Finish::Stop));
    }
    assert!(engine.is_complete(id).unwrap());
    // Taking nothing back changes nothing.
    engine.rollback(id, 0).unwrap();
    assert_eq!(engine.finish(id).unwrap(), Some(Finish::Stop));
    engine.rollback(id, 1).unwrap();
    assert_eq!(engine.finish(id).unwrap(), None);
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
            for max_tokens in (least..=least + 40).step_by(crate::ONE_IN) {
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
