//! The grammars of these tests.

use std::sync::Arc;

use serde_json::{Value, json};
use warpgrammar::automaton::{KeyOrder, Options, Whitespace};
use warpgrammar::cpu::Program;
use warpgrammar::table::Grammar;

use super::common::{Random, compile};
use super::generator;

/// A compiled schema, for the CPU and for the device.
pub struct Compiled {
    pub program: Program,
    pub what: String,
}

impl Compiled {
    pub fn grammar(&self) -> &Arc<Grammar> {
        self.program.grammar()
    }
}

/// Schemas that lead to every way of making a set.
fn chosen() -> Vec<Value> {
    let mut all = vec![
        json!(true),
        json!({"type": "object"}),
        json!({"type": "string", "minLength": 2, "maxLength": 4}),
        json!({"type": "string", "minLength": 5}),
        json!({"type": "string", "minLength": 40, "maxLength": 60}),
        json!({"type": "string", "minLength": 140, "maxLength": 300}),
        json!({"type": "string", "pattern": "^(aaa)*b$", "maxLength": 5}),
        json!({"type": "string", "pattern": "^[ab]*$", "minLength": 3, "maxLength": 7}),
        json!({"type": "string", "pattern": "^[a-z]+$"}),
        json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{3,10}$"}),
        json!({"type": "string", "pattern": "^[a-z]+(-[0-9]+)?$"}),
        json!({"type": "string", "pattern": "^[A-Za-z0-9_]*$", "maxLength": 150}),
        json!({"type": "string", "pattern": "^https?://", "maxLength": 30}),
        json!({"type": "string", "pattern": "b.*c"}),
        json!({"type": "string", "format": "date"}),
        json!({"type": "integer"}),
        json!({"type": "number", "minimum": 1.5}),
        json!({"enum": ["red", "green", "b\"lue", "é", 1, null, {"a": [1, 2]}]}),
        json!({"type": "object", "properties": {"a": {"type": "string"}, "ab": {"type": "integer"}},
               "required": ["ab"], "additionalProperties": {"type": "boolean"}}),
        json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}, "c": true},
               "required": ["b"], "additionalProperties": false}),
        json!({"type": "array", "items": {"type": "string", "maxLength": 9}, "minItems": 3}),
        json!({"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 5}),
        json!({"anyOf": [
            {"type": "object", "properties": {"kind": {"const": "a"}, "x": {"type": "string"}},
             "required": ["kind", "x"], "additionalProperties": false},
            {"type": "object", "properties": {"kind": {"const": "b"}, "y": {"type": "integer"}},
             "required": ["kind", "y"], "additionalProperties": false}
        ]}),
        json!({"anyOf": [{"type": "array", "items": {"$ref": "#"}, "maxItems": 3},
                         {"type": "string", "maxLength": 2}]}),
        json!({"anyOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
                         {"type": "object", "properties": {"b": {"type": "object", "required": ["c"]}}}]}),
    ];
    // Alternatives that cost more or less: a short budget enters the cheaper form of a frame.
    let e = || json!({"$ref": "#/$defs/E"});
    let node = |op: &str, args: Value| {
        json!({"type": "object", "properties": {"op": {"const": op}, "args": args}, "required": ["op", "args"],
               "additionalProperties": false})
    };
    let pair = || json!({"type": "array", "items": e(), "minItems": 2, "maxItems": 2});
    let tagged = |tag: &str, n: usize| {
        let items: Vec<Value> = std::iter::once(json!({"const": tag})).chain((1..n).map(|_| e())).collect();
        json!({"type": "array", "prefixItems": items, "items": false, "minItems": n})
    };
    for any_of in [
        json!([node("lit", json!({"type": "integer"})), node("neg", e()), node("add", pair())]),
        json!([{"type": "integer"}, tagged("neg", 2), tagged("add", 3)]),
        json!([{"type": "null"}, {"type": "object", "properties": {"a": {"anyOf": [{"type": "null"}, e()]}},
               "required": ["a"], "additionalProperties": false}, pair()]),
    ] {
        all.push(json!({"$ref": "#/$defs/E", "$defs": {"E": {"anyOf": any_of}}}));
    }
    // Forced from one level into another of the same depth, which goes on otherwise.
    let only = |items: Value| {
        let n = items.as_array().map_or(0, Vec::len);
        json!({"type": "array", "prefixItems": items, "items": false, "minItems": n})
    };
    let number = |n: u32| json!({ "const": n });
    let pair_of_ones = only(json!([number(1), number(1)]));
    all.push(only(json!([pair_of_ones, only(json!([number(2)])), pair_of_ones])));
    for i in 2..5 {
        all.push(json!({"type": "array", "items": all[i], "minItems": 2}));
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/schemas");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    all.extend(
        files.iter().map(|f| serde_json::from_str::<Value>(&std::fs::read_to_string(f).unwrap()).unwrap()),
    );
    all
}

/// Schemas whose frames have forms that cost more or less.
pub fn with_variants() -> Vec<Value> {
    chosen().into_iter().filter(|s| s["$defs"]["E"].is_object()).collect()
}

/// Both key orders, every kind of whitespace, little depth.
fn modes() -> Vec<Options> {
    let mut all = Vec::new();
    for whitespace in [Whitespace::Compact, Whitespace::Flexible { max: 3 }, Whitespace::Indent(2)] {
        for key_order in [KeyOrder::Schema, KeyOrder::Any] {
            all.push(Options { whitespace, key_order, ..Options::default() });
        }
    }
    for max_depth in [3, 5] {
        all.push(Options { whitespace: Whitespace::Compact, max_depth, ..Options::default() });
    }
    all
}

/// The chosen schemas, and `random_schemas` random ones, one in `every` of their modes.
pub fn compiled(
    seed: u64,
    random_schemas: usize,
    every: usize,
    spellable: Option<&[bool; 256]>,
) -> Vec<Compiled> {
    let mut random = Random(seed);
    let shape = generator::Shape { depth: 2, references: true, composed: false };
    let mut schemas = chosen();
    schemas.extend((0..random_schemas).map(|_| generator::schema(&mut random, shape)));
    let mut all = Vec::new();
    for schema in &schemas {
        for mut options in modes() {
            if random.below(every) != 0 {
                continue;
            }
            if let Some(spellable) = spellable {
                *options.spellable = *spellable;
            }
            let Ok(grammar) = compile(schema, &options) else { continue };
            let loaded = Grammar::from_bytes(grammar.as_bytes()).expect("what is packed can be loaded");
            let what =
                format!("{schema} {:?} {:?} {}", options.whitespace, options.key_order, options.max_depth);
            all.push(Compiled { program: Program::new(Arc::new(loaded)), what });
        }
    }
    all
}
