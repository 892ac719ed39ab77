//! What a compiler keeps from one schema for the next never shows: the tables are those of a new compiler, byte for byte.

mod common;
#[path = "common/generator.rs"]
mod generator;
#[path = "common/schemas.rs"]
mod schemas;

use std::sync::Arc;

use common::{Random, data};
use generator::{Shape, schema};
use serde_json::{Value, json};
use warpgrammar::automaton::{KeyOrder, Whitespace};
use warpgrammar::vocab::Vocabulary;
use warpgrammar::{Compiler, CompilerOptions, Grammar, Result};

/// Every byte alone but `missing`, and some tokens more.
fn vocabulary(missing: &[u8]) -> Arc<Vocabulary> {
    let single = (0..=255u8).filter(|b| !missing.contains(b)).map(|b| Some(vec![b]));
    let more = ["\":", "\", \"", "true", "12", "é", "ab", "\"}", "}}", "\"a\""];
    let tokens = single.chain(more.map(|t| Some(t.as_bytes().to_vec()))).chain([None]);
    Arc::new(Vocabulary::from_tokens(tokens.collect()).unwrap())
}

fn tables(compiler: &Compiler, schema: &Value) -> std::result::Result<Vec<u8>, String> {
    let compiled: Result<Arc<Grammar>> = compiler.compile(schema);
    compiled.map(|g| g.as_bytes().to_vec()).map_err(|e| e.to_string())
}

/// Compiles all with one compiler in two orders, and each with one of its own.
fn compare(vocab: &Arc<Vocabulary>, options: &CompilerOptions, schemas: &[Value]) {
    let new = || Compiler::new(vocab.clone(), options.clone()).unwrap();
    let alone: Vec<_> = schemas.iter().map(|schema| tables(&new(), schema)).collect();
    let (forwards, backwards) = (new(), new());
    for (schema, alone) in schemas.iter().zip(&alone) {
        assert!(tables(&forwards, schema) == *alone, "{schema} differs after others, {options:?}");
    }
    for (schema, alone) in schemas.iter().zip(&alone).rev() {
        assert!(tables(&backwards, schema) == *alone, "{schema} differs after later ones, {options:?}");
    }
}

/// Schemas whose parts have much in common.
fn related() -> Vec<Value> {
    let part = [
        json!(true),
        json!({"type": "integer"}),
        json!({"type": "integer", "minimum": 3}),
        json!({"type": "number", "multipleOf": 0.25}),
        json!({"type": "string", "maxLength": 7}),
        json!({"type": "string", "pattern": "^[a-c]{2,5}$"}),
        json!({"type": "string", "format": "date"}),
        json!({"enum": ["red", "green"]}),
        json!({"enum": ["red", 1, null]}),
        json!({"type": "array"}),
        json!({"type": "object"}),
        json!({"type": ["string", "null"], "minLength": 2}),
        json!({"not": {"type": "object"}}),
    ];
    let mut all = Vec::new();
    for (i, a) in part.iter().enumerate() {
        let b = &part[(i + 5) % part.len()];
        all.push(a.clone());
        all.push(json!({"type": "array", "items": a, "maxItems": 3}));
        all.push(json!({"type": "object", "properties": {"a": a, "b": b}, "required": ["b"]}));
        all.push(json!({"type": "object", "properties": {"a": a}, "additionalProperties": b}));
        all.push(
            json!({"anyOf": [a, {"type": "object", "properties": {"x": b}, "additionalProperties": false}]}),
        );
        all.push(json!({"oneOf": [a, b]}));
    }
    all
}

#[test]
fn tables_do_not_depend_on_what_was_compiled_before() {
    let mut all = related();
    all.extend(schemas::schemas());
    let mut random = Random(41);
    for composed in [false, true] {
        let shape = Shape { depth: 2, references: !composed, composed };
        all.extend((0..60).map(|_| schema(&mut random, shape)));
    }
    let vocab = vocabulary(&[]);
    for whitespace in [Whitespace::Compact, Whitespace::Flexible { max: 4 }, Whitespace::Indent(2)] {
        for key_order in [KeyOrder::Schema, KeyOrder::Any] {
            compare(&vocab, &CompilerOptions { whitespace, key_order, ..CompilerOptions::default() }, &all);
        }
    }
}

/// Bytes that cannot be spelled, little depth and few states: what is kept is kept for one set of options.
#[test]
fn limits_are_those_of_the_compiler() {
    let all = related();
    for missing in [&b"e"[..], b"\\", b"5-", b"}", b"\xc3"] {
        compare(&vocabulary(missing), &CompilerOptions::default(), &all);
    }
    let vocab = vocabulary(&[]);
    for max_depth in [1, 2, 3] {
        compare(&vocab, &CompilerOptions { max_depth, ..CompilerOptions::default() }, &all);
    }
    for max_states in [60, 120, 300] {
        compare(&vocab, &CompilerOptions { max_states, ..CompilerOptions::default() }, &all);
    }
}

#[test]
fn real_schemas_come_out_the_same() {
    let (Some(list), Some(dir)) = (data("maskbench-sample.txt"), data("maskbench")) else { return };
    let list = std::fs::read_to_string(list).unwrap();
    let schemas: Vec<Value> = list
        .split_whitespace()
        .step_by(4)
        .map(|name| {
            let case: Value = serde_json::from_slice(&std::fs::read(dir.join(name)).unwrap()).unwrap();
            case["schema"].clone()
        })
        .collect();
    // Large ones take longest and have least in common with others.
    let small: Vec<Value> = schemas.into_iter().filter(|s| s.to_string().len() < 4000).collect();
    assert!(small.len() > 50);
    compare(&vocabulary(&[]), &CompilerOptions::default(), &small);
}
