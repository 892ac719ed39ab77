//! What masks cost on the CPU, in microseconds on one thread, with o200k_base:
//! `cargo test --release --test mask_figures -- --ignored --nocapture`
//!
//! *New*: nothing is remembered; the least of several times. *First*: the same with a program just made. *Seen*: remembered.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use common::{data, dumps};
use serde_json::{Map, Value, json};
use warpgrammar::cpu::{Masker, Program, State, VocabTables};
use warpgrammar::engine::{Compiler, CompilerOptions, Grammar};
use warpgrammar::vocab::Vocabulary;

struct Bench {
    vocab: Arc<Vocabulary>,
    compiler: Compiler,
    seen: Masker,
    new: Masker,
    out: Vec<u32>,
}

impl Bench {
    fn new() -> Bench {
        let vocab = Vocabulary::o200k_base().unwrap();
        let tables = Arc::new(VocabTables::new(vocab.clone()));
        tables.warm_up();
        println!("tables of the vocabulary: {:?}", tables.build_time());
        Bench {
            compiler: Compiler::new(vocab.clone(), CompilerOptions::default()).unwrap(),
            seen: Masker::new(tables.clone()),
            new: Masker::with_memo(tables, 0),
            out: vec![0; vocab.width().div_ceil(32)],
            vocab,
        }
    }

    /// The least of `n` times of a mask, remembered or not.
    fn least(&mut self, program: &Program, state: &State, n: usize, seen: bool) -> f64 {
        let masker = if seen { &mut self.seen } else { &mut self.new };
        let out = &mut self.out;
        (0..n).map(|_| micros(|| masker.mask(program, state, None, out))).fold(f64::MAX, f64::min)
    }

    /// The least of `n` times of a mask where the program is new each time.
    fn least_first(&mut self, grammar: &Arc<Grammar>, state: &State, n: usize) -> f64 {
        let one = |_| {
            let program = Program::new(grammar.clone());
            let state = State::from_reference(&state.to_reference(), 0);
            micros(|| self.new.mask(&program, &state, None, &mut self.out))
        };
        (0..n).map(one).fold(f64::MAX, f64::min)
    }
}

fn micros(f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_secs_f64() * 1e6
}

fn spread(name: &str, mut us: Vec<f64>) {
    us.sort_by(f64::total_cmp);
    let Some(last) = us.len().checked_sub(1) else { return };
    let at = |q: f64| us[(last as f64 * q) as usize];
    print!("{name:20} {:6} places", us.len());
    for (name, q) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)] {
        print!("  {name} {:8.2}", at(q));
    }
    println!("  mean {:8.2}", us.iter().sum::<f64>() / us.len() as f64);
}

/// What a text of JSON is followed by.
fn kind(text: &str) -> &'static str {
    let (mut in_string, mut escaped, mut is_key, mut key_next) = (false, false, false, false);
    let (mut open, mut last) = (Vec::new(), ' ');
    for c in text.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else {
            match c {
                '"' => (in_string, is_key) = (true, key_next),
                '{' | '[' => open.push(c),
                '}' | ']' => drop(open.pop()),
                _ => {}
            }
            if !matches!(c, '"' | ' ') {
                key_next = matches!(c, '{' | ',') && open.last() == Some(&'{');
            }
        }
        last = if c == ' ' { last } else { c };
    }
    match (in_string, is_key) {
        (true, true) => return "in a key",
        (true, false) => return "in a string",
        _ => {}
    }
    match last {
        '{' | '[' => "after an opener",
        '}' | ']' | '"' => "after a value",
        ',' => "after a comma",
        ':' => "after a colon",
        '0'..='9' => "in a number",
        ' ' => "start",
        _ => "in or after a word",
    }
}

#[test]
#[ignore = "prints figures, checks nothing"]
fn masks_of_real_texts() {
    let (Some(list), Some(folder)) = (data("maskbench-sample.txt"), data("maskbench")) else { return };
    let mut bench = Bench::new();
    let mut by_kind: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let (mut as_they_come, mut again, mut tokens_us) = (Vec::new(), Vec::new(), Vec::new());
    for name in std::fs::read_to_string(list).unwrap().split_whitespace().step_by(6) {
        let file: Value = serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap();
        let Ok(grammar) = bench.compiler.compile(&file["schema"]) else { continue };
        let program = Program::new(grammar);
        let mut known = BTreeSet::new();
        for test in file["tests"].as_array().into_iter().flatten() {
            let text = dumps(&test["data"]);
            let mut state = State::start(&program, 0);
            let mut read = 0;
            for token in bench.vocab.encode(&text).unwrap() {
                as_they_come.push(bench.least(&program, &state, 1, true));
                again.push(bench.least(&program, &state, 1, true));
                let place = state.to_reference();
                if known.insert((place.state, place.spaces, place.stack.len())) {
                    let us = bench.least(&program, &state, 2, false);
                    by_kind.entry(kind(&text[..text.floor_char_boundary(read)])).or_default().push(us);
                }
                let mut legal = false;
                tokens_us.push(micros(|| legal = state.advance(&program, &bench.vocab, token, None)));
                if !legal {
                    break;
                }
                read += bench.vocab.bytes(token).unwrap().len();
            }
        }
    }
    println!("new, by kind of state:");
    spread("all", by_kind.values().flatten().copied().collect());
    by_kind.into_iter().for_each(|(kind, us)| spread(kind, us));
    spread("masks as they come", as_they_come);
    spread("the same again", again);
    spread("tokens", tokens_us);
}

/// (name, schema, prefix that leads to the state)
fn states() -> Vec<(&'static str, Value, &'static str)> {
    let one = |schema: Value| json!({"type": "object", "properties": {"a": schema}, "required": ["a"], "additionalProperties": false});
    let text = |key: &str, value: &str| one(json!({"type": "string", key: value}));
    let limited = |most: u32| one(json!({"type": "string", "maxLength": most}));
    let two = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "additionalProperties": false});
    let package = ["name", "version", "description", "keywords", "homepage", "license", "author", "main"];
    let package: Map<String, Value> = package.iter().map(|name| (name.to_string(), json!({}))).collect();
    let package = json!({"type": "object", "properties": package});
    let many: Map<String, Value> =
        (0..500).map(|i| (format!("property_{i}"), json!({"type": "string"}))).collect();
    let many_open = json!({"type": "object", "properties": many});
    let many = json!({"type": "object", "properties": many, "additionalProperties": false});
    let names: Vec<String> = (0..5000).map(|i| format!("value number {i}")).collect();
    vec![
        ("start", one(json!({})), ""),
        ("object", one(json!({})), "{"),
        ("after a value", two.clone(), "{\"a\": \"x\""),
        ("after a comma", two, "{\"a\": \"x\","),
        ("any value", one(json!({})), "{\"a\":"),
        ("value: string", one(json!({"type": "string"})), "{\"a\":"),
        ("value: number", one(json!({"type": "number"})), "{\"a\":"),
        ("in a number", one(json!({"type": "number"})), "{\"a\": 1"),
        ("string", one(json!({"type": "string"})), "{\"a\": \"x"),
        ("maxLength 10", limited(10), "{\"a\": \"xyzz"),
        ("maxLength 10,000", limited(10_000), "{\"a\": \"xyzz"),
        ("^[a-z0-9_-]+$", text("pattern", "^[a-z0-9_-]+$"), "{\"a\": \"x"),
        ("^\\w{1,255}$", text("pattern", "^\\w{1,255}$"), "{\"a\": \"x"),
        ("^\\w{1,64}@\\w{1,64}$", text("pattern", "^\\w{1,64}@\\w{1,64}$"), "{\"a\": \"x"),
        ("^\\S+$", text("pattern", "^\\S+$"), "{\"a\": \"x"),
        ("^.+/.+$", text("pattern", "^.+/.+$"), "{\"a\": \"x"),
        ("^(?!foo).*$", text("pattern", "^(?!foo).*$"), "{\"a\": \""),
        ("^[^aeiou]+$", text("pattern", "^[^aeiou]+$"), "{\"a\": \"x"),
        ("^[a-zà-ÿ]+$", text("pattern", "^[a-zà-ÿ]+$"), "{\"a\": \"x"),
        ("foo[0-9]", text("pattern", "foo[0-9]"), "{\"a\": \"x"),
        ("date", text("format", "date"), "{\"a\": \"2"),
        ("uuid", text("format", "uuid"), "{\"a\": \"12"),
        ("email", text("format", "email"), "{\"a\": \"x"),
        ("hostname", text("format", "hostname"), "{\"a\": \"ab"),
        ("idn-hostname", text("format", "idn-hostname"), "{\"a\": \"ab"),
        ("uri", text("format", "uri"), "{\"a\": \"https://ex"),
        ("iri", text("format", "iri"), "{\"a\": \"https://x"),
        ("uri-template", text("format", "uri-template"), "{\"a\": \"x"),
        ("regex", text("format", "regex"), "{\"a\": \"x"),
        ("open key: start", package.clone(), "{\""),
        ("open key: a name's", package.clone(), "{\"na"),
        ("open key: inside", package, "{\"xx"),
        ("500 optional: key", many.clone(), "{\""),
        ("500 optional: comma", many, "{\"property_1\": \"\","),
        ("500 optional, open", many_open, "{\""),
        ("enum of 5,000", one(json!({"enum": names})), "{\"a\": \"value"),
    ]
}

#[test]
#[ignore = "prints figures, checks nothing"]
fn masks_by_kind_of_state() {
    let mut bench = Bench::new();
    println!("{:24} {:>10} {:>10} {:>10} {:>8}", "", "new", "first", "seen", "legal");
    for (name, schema, prefix) in states() {
        let grammar = bench.compiler.compile(&schema).unwrap();
        let program = Program::new(grammar.clone());
        let mut state = State::start(&program, 0);
        for token in bench.vocab.encode(prefix).unwrap() {
            assert!(state.advance(&program, &bench.vocab, token, None), "{name}: {prefix:?}");
        }
        let new = bench.least(&program, &state, 50, false);
        let first = bench.least_first(&grammar, &state, 20);
        let seen = bench.least(&program, &state, 50, true);
        let legal: u32 = bench.out.iter().map(|w| w.count_ones()).sum();
        println!("{name:24} {new:10.2} {first:10.2} {seen:10.2} {legal:8}");
    }
}
