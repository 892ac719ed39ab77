//! What a mask and an advance cost with o200k_base: `cargo bench --bench masks`.
//!
//! `cold` remembers no masks, `warm` is asked for the same mask again and again; `walk` goes through recorded
//! outputs, each mask at its own place, and reports the mean of one mask.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use warpgrammar::automaton::{self, Options, Whitespace};
use warpgrammar::cpu::{MaskRow, Masker, Program, State, VocabTables, mask_rows};
use warpgrammar::schema::{self, SchemaOptions};
use warpgrammar::table;
use warpgrammar::vocab::Vocabulary;

fn program(schema: &Value, whitespace: Whitespace) -> Program {
    let lowered = schema::lower(schema, &SchemaOptions::default()).unwrap();
    let options = Options { whitespace, ..Options::default() };
    let machine = automaton::build(&lowered.ir, &options).unwrap();
    Program::new(Arc::new(table::pack(&machine, 0, table::DEFAULT_MAX_BYTES).unwrap()))
}

fn person() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "email": {"type": "string", "pattern": "^[a-z0-9._-]+@[a-z0-9.-]+$"},
            "country": {"type": "string", "minLength": 2, "maxLength": 40},
            "slug": {"type": "string", "pattern": "^[a-z0-9_-]+$"},
            "role": {"enum": ["admin", "editor", "viewer", "owner", "guest"]},
            "active": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 8},
            "address": {
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}, "born": {"type": "string", "format": "date"}},
                "required": ["street", "city"],
                "additionalProperties": false
            }
        },
        "required": ["name", "email", "role", "address"],
        "additionalProperties": false
    })
}

/// Any other members are allowed, as by default.
fn open() -> Value {
    json!({"type": "object", "properties": {"name": {"type": "string"}, "version": {"type": "string"}}, "required": ["name"]})
}

const PERSON: &str = r#"{"name": "Ada Lovelace", "email": "ada@analytical.engine.example", "country": "United Kingdom", "slug": "ada-lovelace_1815", "role": "editor", "active": true, "tags": ["mathematics", "poetry of numbers", "computing"], "address": {"street": "12 St James's Square, formerly of some other place with a rather long name", "city": "London", "born": "1815-12-10"}}"#;
const OPEN: &str = r#"{"name": "warp", "description": "A long text that says what this is, in some words", "nested": {"a": [true, null, "x"]}, "keywords": ["fast", "masks"]}"#;

/// Where a text is after a prefix, token by token.
fn places(p: &Program, vocab: &Vocabulary, text: &str) -> (Vec<State>, Vec<u32>) {
    let tokens = vocab.encode(text).unwrap();
    let mut state = State::start(p, 0);
    let mut all = vec![state.clone()];
    for &token in &tokens {
        let bytes = String::from_utf8_lossy(vocab.bytes(token).unwrap()).into_owned();
        assert!(state.advance(p, vocab, token, None), "{bytes:?} is illegal");
        all.push(state.clone());
    }
    (all, tokens)
}

/// The place after a prefix.
fn at(p: &Program, vocab: &Vocabulary, prefix: &str) -> State {
    places(p, vocab, prefix).0.pop().unwrap()
}

fn masks(c: &mut Criterion) {
    let vocab = Vocabulary::o200k_base().unwrap();
    let tables = Arc::new(VocabTables::new(Arc::clone(&vocab)));
    tables.warm_up();
    eprintln!("tables of the vocabulary: {:?}", tables.build_time());
    let mut out = vec![0u32; vocab.width().div_ceil(32)];

    for (mode, whitespace) in
        [("compact-ish", Whitespace::Flexible { max: 1 }), ("flexible", Whitespace::Flexible { max: 32 })]
    {
        let p = program(&person(), whitespace);
        let kinds = [
            ("start", ""),
            ("object start", "{"),
            ("in key", "{\""),
            ("colon", "{\"name\""),
            ("member value", "{\"name\":"),
            ("string", "{\"name\": \"Ada"),
            ("after string", "{\"name\": \"Ada\""),
            ("patterned", "{\"name\": \"A\", \"email\": \"ada"),
            ("limited", "{\"name\": \"A\", \"email\": \"a@b\", \"country\": \"Uni"),
            ("closed under a slice", "{\"name\": \"A\", \"email\": \"a@b\", \"slug\": \"ada"),
            ("enum", "{\"name\": \"A\", \"email\": \"a@b\", \"role\": \""),
        ];
        let mut group = c.benchmark_group(mode);
        for (name, prefix) in kinds {
            let state = at(&p, &vocab, prefix);
            let mut cold = Masker::with_memo(Arc::clone(&tables), 0);
            group.bench_function(format!("cold/{name}"), |b| {
                b.iter(|| cold.mask(&p, black_box(&state), None, &mut out))
            });
            let mut warm = Masker::new(Arc::clone(&tables));
            group.bench_function(format!("warm/{name}"), |b| {
                b.iter(|| warm.mask(&p, black_box(&state), None, &mut out))
            });
        }
    }

    let mut group = c.benchmark_group("walk");
    for (name, schema, text) in [("person", person(), PERSON), ("open object", open(), OPEN)] {
        let p = program(&schema, Whitespace::Flexible { max: 32 });
        let (states, tokens) = places(&p, &vocab, text);
        let (mut i, mut j, mut k) = (0, 0, 0);
        let mut cold = Masker::with_memo(Arc::clone(&tables), 0);
        group.bench_function(format!("cold/{name}"), |b| {
            b.iter(|| {
                i = (i + 1) % states.len();
                cold.mask(&p, &states[i], Some(4096), &mut out);
            });
        });
        let mut warm = Masker::new(Arc::clone(&tables));
        group.bench_function(format!("warm/{name}"), |b| {
            b.iter(|| {
                j = (j + 1) % states.len();
                warm.mask(&p, &states[j], Some(4096), &mut out);
            });
        });
        let mut state = State::start(&p, 64);
        group.bench_function(format!("advance/{name}"), |b| {
            b.iter(|| {
                if k == tokens.len() {
                    state = State::start(&p, 64);
                    k = 0;
                }
                k += 1;
                state.advance(&p, &vocab, tokens[k - 1], Some(4096))
            });
        });
        group.bench_function(format!("first mask of a new program/{name}"), |b| {
            b.iter(|| {
                let fresh = Program::new(Arc::clone(p.grammar()));
                cold.mask(&fresh, &states[0], None, &mut out);
            });
        });
    }

    let p = program(&person(), Whitespace::Flexible { max: 32 });
    let (states, _) = places(&p, &vocab, PERSON);
    let words = out.len();
    let mut block = vec![0u32; 64 * words];
    for threads in [1, 2] {
        let mut maskers: Vec<Masker> = (0..threads).map(|_| Masker::new(Arc::clone(&tables))).collect();
        group.bench_function(format!("64 rows, {threads} threads"), |b| {
            b.iter(|| {
                let rows = block.chunks_mut(words).enumerate();
                let mut rows: Vec<MaskRow<'_>> = rows
                    .map(|(i, out)| MaskRow {
                        program: &p,
                        state: &states[i % states.len()],
                        budget: None,
                        out,
                    })
                    .collect();
                mask_rows(&mut maskers, &mut rows);
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_millis(400)).warm_up_time(std::time::Duration::from_millis(100)).without_plots();
    targets = masks
}
criterion_main!(benches);
