//! Masks by kind of state, commits and steps, of both engines: `cargo bench` here.
//!
//! Names are `group/state/engine`. *Warm*: the place was seen before. *New*: nothing is remembered, llguidance
//! is asked again at one place, which it remembers, so lay it beside *warm*. Both write the mask to a buffer of the caller.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use warpgrammar::cpu::{DEFAULT_MEMO_BYTES, State};
use warpgrammar_peers::{Engines, their_mask};

/// (kind of state, schema, prefix that leads to one)
fn states() -> Vec<(&'static str, Value, &'static str)> {
    let one = |schema: Value| json!({"type": "object", "properties": {"a": schema}, "required": ["a"], "additionalProperties": false});
    let optional: serde_json::Map<String, Value> =
        (0..500).map(|i| (format!("property_{i}"), json!({"type": "string"}))).collect();
    let names: Vec<String> = (0..5000).map(|i| format!("value number {i}")).collect();
    vec![
        ("start", one(json!({})), ""),
        (
            "after a value",
            json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "additionalProperties": false}),
            "{\"a\": \"x\"",
        ),
        ("start of any value", one(json!({})), "{\"a\":"),
        ("number", one(json!({"type": "number"})), "{\"a\": 1"),
        ("string", one(json!({"type": "string"})), "{\"a\": \"x"),
        ("string near maxLength", one(json!({"type": "string", "maxLength": 10})), "{\"a\": \"xyzz"),
        ("maxLength 10,000", one(json!({"type": "string", "maxLength": 10_000})), "{\"a\": \"xyzz"),
        ("one class", one(json!({"type": "string", "pattern": "^[a-z0-9_-]+$"})), "{\"a\": \"x"),
        ("w{1,255}", one(json!({"type": "string", "pattern": "^\\w{1,255}$"})), "{\"a\": \"x"),
        ("email", one(json!({"type": "string", "pattern": "^[a-z0-9._-]+@[a-z0-9.-]+$"})), "{\"a\": \"x"),
        ("date", one(json!({"type": "string", "format": "date"})), "{\"a\": \"2"),
        ("unanchored", one(json!({"type": "string", "pattern": "foo[0-9]"})), "{\"a\": \"x"),
        ("not a space", one(json!({"type": "string", "pattern": "^\\S+$"})), "{\"a\": \"x"),
        ("start of an open key", json!({"type": "object", "properties": {"name": {}, "version": {}}}), "{\""),
        (
            "500 optional properties",
            json!({"type": "object", "properties": optional, "additionalProperties": false}),
            "{\"",
        ),
        ("enum of 5,000", one(json!({"enum": names})), "{\"a\": \"value"),
    ]
}

fn masks(c: &mut Criterion) {
    let engines = Engines::new();
    let mut out = engines.mask();
    let mut group = c.benchmark_group("mask");
    for (name, schema, prefix) in states() {
        let (Some(program), Some(matcher)) = (engines.ours(&schema), engines.theirs(&schema)) else {
            eprintln!("{name}: one of the two refuses the schema");
            continue;
        };
        let (state, mut matcher) = engines.at(&program, &matcher, prefix);
        let mut warm = engines.masker(DEFAULT_MEMO_BYTES);
        group.bench_function(format!("{name}/warm"), |b| {
            b.iter(|| warm.mask(&program, black_box(&state), None, &mut out))
        });
        let mut new = engines.masker(0);
        group.bench_function(format!("{name}/new"), |b| {
            b.iter(|| new.mask(&program, black_box(&state), None, &mut out))
        });
        group.bench_function(format!("{name}/llguidance"), |b| {
            b.iter(|| their_mask(black_box(&mut matcher), &mut out))
        });
    }
    group.finish();
}

const TEXT: &str = r#"{"a": "A text of some words that a model might write, and then some more"}"#;

fn commits(c: &mut Criterion) {
    let engines = Engines::new();
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]});
    let program = engines.ours(&schema).expect("it compiles");
    let matcher = engines.theirs(&schema).expect("it compiles");
    let tokens = engines.vocab.encode(TEXT).expect("text is encodable");
    let mut group = c.benchmark_group("commit a text");
    group.bench_function("warpgrammar", |b| {
        b.iter(|| {
            let mut state = State::start(&program, 0);
            tokens.iter().for_each(|&t| assert!(state.advance(&program, &engines.vocab, t, None)));
        })
    });
    group.bench_function("llguidance", |b| {
        b.iter_batched(
            || matcher.deep_clone(),
            |mut matcher| {
                tokens.iter().for_each(|&t| matcher.consume_token(t).expect("legal"));
                matcher
            },
            criterion::BatchSize::SmallInput,
        )
    });
    group.finish();
}

/// One step of 128 rows, each of another schema: a mask and a token each.
fn steps(c: &mut Criterion) {
    const ROWS: usize = 128;
    let engines = Engines::new();
    let schema = |i: usize| {
        json!({"type": "object", "properties": {
            format!("name_{i}"): {"type": "string"},
            "n": {"type": "integer"},
            "kind": {"enum": ["a", "b", format!("c{i}")]},
        }, "required": [format!("name_{i}"), "n", "kind"], "additionalProperties": false})
    };
    let text = |i: usize| format!(r#"{{"name_{i}": "some text {i}", "n": {i}, "kind": "b"}}"#);
    let tokens: Vec<Vec<u32>> =
        (0..ROWS).map(|i| engines.vocab.encode(&text(i)).expect("text is encodable")).collect();
    let programs: Vec<_> = (0..ROWS).map(|i| engines.ours(&schema(i)).expect("it compiles")).collect();
    let mut states: Vec<State> = programs.iter().map(|p| State::start(p, 0)).collect();
    let mut masker = engines.masker(DEFAULT_MEMO_BYTES);
    let mut out = engines.mask();
    let mut group = c.benchmark_group("step of 128 rows");
    // Rows are at different places: row i has read i tokens more.
    let mut at: Vec<usize> = tokens.iter().enumerate().map(|(i, t)| i % t.len()).collect();
    for i in 0..ROWS {
        tokens[i][..at[i]]
            .iter()
            .for_each(|&t| assert!(states[i].advance(&programs[i], &engines.vocab, t, None)));
    }
    group.bench_function("warpgrammar", |b| {
        b.iter(|| {
            for i in 0..ROWS {
                if at[i] == tokens[i].len() {
                    at[i] = 0;
                    states[i] = State::start(&programs[i], 0);
                }
                masker.mask(&programs[i], &states[i], None, &mut out);
                states[i].advance(&programs[i], &engines.vocab, tokens[i][at[i]], None);
                at[i] += 1;
            }
        })
    });
    let fresh: Vec<_> = (0..ROWS).map(|i| engines.theirs(&schema(i)).expect("it compiles")).collect();
    let mut matchers: Vec<_> = fresh.iter().map(|m| m.deep_clone()).collect();
    let mut at: Vec<usize> = tokens.iter().enumerate().map(|(i, t)| i % t.len()).collect();
    for i in 0..ROWS {
        tokens[i][..at[i]].iter().for_each(|&t| matchers[i].consume_token(t).expect("legal"));
    }
    group.bench_function("llguidance", |b| {
        b.iter(|| {
            for i in 0..ROWS {
                if at[i] == tokens[i].len() {
                    at[i] = 0;
                    matchers[i] = fresh[i].deep_clone();
                }
                their_mask(&mut matchers[i], &mut out);
                matchers[i].consume_token(tokens[i][at[i]]).expect("legal");
                at[i] += 1;
            }
        })
    });
    group.finish();
}

/// The first mask of a schema just compiled.
fn first(c: &mut Criterion) {
    let engines = Engines::new();
    let mut out = engines.mask();
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]});
    let compiled = engines.ours(&schema).expect("it compiles");
    let matcher = engines.theirs(&schema).expect("it compiles");
    let mut masker = engines.masker(DEFAULT_MEMO_BYTES);
    let mut group = c.benchmark_group("first mask");
    group.bench_function("warpgrammar", |b| {
        b.iter(|| {
            let program = warpgrammar::cpu::Program::new(compiled.grammar().clone());
            masker.mask(&program, &State::start(&program, 0), None, &mut out);
        })
    });
    group.bench_function("llguidance", |b| {
        b.iter_batched_ref(
            || matcher.deep_clone(),
            |matcher| their_mask(matcher, &mut out),
            criterion::BatchSize::SmallInput,
        )
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().without_plots().sample_size(20)
        .warm_up_time(std::time::Duration::from_millis(100))
        .measurement_time(std::time::Duration::from_millis(400));
    targets = masks, first, commits, steps
}
criterion_main!(benches);
