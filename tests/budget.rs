//! Random schemas, walked at random: every walk ends within its budget and is valid, the bound always
//! falls along the cheapest token, and values near the schema are judged as an independent validator does.

mod common;
#[path = "common/generator.rs"]
mod generator;
#[path = "common/reorder.rs"]
mod reorder;

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use common::{Random, accepts};
use generator::{Shape, mutated, schema};
use serde_json::{Value, json};
use warpgrammar::automaton::{KeyOrder, Whitespace};
use warpgrammar::reference::Configuration;
use warpgrammar::vocab::Vocabulary;
use warpgrammar::{Compiler, CompilerOptions, ErrorKind, Grammar};

/// Every byte and, if asked for, tokens that span levels.
fn vocabulary(long: bool) -> Arc<Vocabulary> {
    let mut tokens: Vec<Option<Vec<u8>>> = (0..=255u8).map(|b| Some(vec![b])).collect();
    let longer = [
        "{\"", "\":", "\": ", ",\"", ", \"", "\"}", "\"]", "]}", "}]", "}}", "[]", "{}", "\":[", "\":\"",
        "\",\"", "true", "null", "false", "ab", "aba", "bb", "\"a\"", "\"a\":", "{\"a\":", "[1", "1]", "1,",
        "],[", "},{\"", "\"},{", "[[", "]]", "  ", "\n", "\n  ", "12", "0.", "\"ab", "b\":", ":{", ":[",
        "c\":1}",
    ];
    tokens.extend(longer.iter().filter(|_| long).map(|t| Some(t.as_bytes().to_vec())));
    Arc::new(Vocabulary::from_tokens(tokens).unwrap())
}

/// How walks are written.
const FIXED: &[(Whitespace, KeyOrder)] = &[
    (Whitespace::Compact, KeyOrder::Schema),
    (Whitespace::Flexible { max: 2 }, KeyOrder::Schema),
    (Whitespace::Indent(2), KeyOrder::Schema),
];
const FREE: &[(Whitespace, KeyOrder)] = &[
    (Whitespace::Compact, KeyOrder::Any),
    (Whitespace::Flexible { max: 2 }, KeyOrder::Any),
    (Whitespace::Indent(1), KeyOrder::Any),
];

fn compiler(vocab: &Arc<Vocabulary>, form: (Whitespace, KeyOrder), max_depth: u8) -> Compiler {
    let options =
        CompilerOptions { whitespace: form.0, key_order: form.1, max_depth, ..CompilerOptions::default() };
    Compiler::new(vocab.clone(), options).unwrap()
}

/// Compiles on a thread of its own, which is left behind if it hangs.
fn compile(compiler: &Arc<Compiler>, schema: &Value) -> warpgrammar::Result<Arc<Grammar>> {
    let (send, receive) = channel();
    let (compiler, owned) = (compiler.clone(), schema.clone());
    std::thread::spawn(move || {
        // Nobody listens any more once the time is over.
        let _ = send.send(compiler.compile(&owned));
    });
    receive.recv_timeout(Duration::from_secs(90)).unwrap_or_else(|e| panic!("{e}: compiling {schema}"))
}

/// The tokens that may come next, with what comes of them.
fn legal(
    g: &Grammar,
    vocab: &Vocabulary,
    at: &Configuration,
    left: Option<u64>,
) -> Vec<(u32, Configuration)> {
    (0..vocab.len() as u32).filter_map(|t| Some((t, at.after_token(g, vocab, t, left)?))).collect()
}

struct Walk<'a> {
    g: &'a Grammar,
    vocab: &'a Vocabulary,
    /// Said when something is wrong.
    about: String,
}

impl Walk<'_> {
    /// Writes until nothing is left of the budget, preferring structure, and returns the text.
    fn within(&self, budget: u64, random: &mut Random, greedy: bool) -> Vec<u8> {
        let (g, vocab) = (self.g, self.vocab);
        let mut at = Configuration::start(g);
        let mut text = Vec::new();
        for left in (0..=budget).rev() {
            let shown = String::from_utf8_lossy(&text).into_owned();
            let complete = at.is_complete(g);
            if complete && (left == 0 || random.below(8) == 0) {
                return text;
            }
            assert!(left > 0, "not complete with {budget} tokens: {shown:?} for {}", self.about);
            let mut next = legal(g, vocab, &at, Some(left));
            if next.is_empty() {
                assert!(complete, "stuck with {left} tokens left after {shown:?} for {}", self.about);
                return text;
            }
            if !complete {
                let bound = at.bound(g);
                let kept = !legal(g, vocab, &at, Some(bound)).is_empty();
                assert!(kept, "nothing within the bound {bound} after {shown:?} for {}", self.about);
            }
            if !greedy && random.below(3) > 0 {
                let structural = |t: u32| vocab.bytes(t).unwrap().iter().all(|b| b"\"{}[],:abc1".contains(b));
                let some: Vec<_> = next.iter().filter(|n| structural(n.0)).cloned().collect();
                next = if some.is_empty() { next } else { some };
            } else if greedy {
                // As far from the end as the budget allows.
                let most = next.iter().map(|n| n.1.bound(g)).max().unwrap();
                next.retain(|n| n.1.bound(g) == most);
            }
            let (token, after) = next.swap_remove(random.below(next.len()));
            text.extend_from_slice(vocab.bytes(token).unwrap());
            at = after;
        }
        unreachable!("the last round returns")
    }
}

/// Names written twice leave the last value only; the others have been judged as well.
fn parse(text: &[u8], about: &str) -> Value {
    serde_json::from_slice(text)
        .unwrap_or_else(|e| panic!("{e}: {:?} for {about}", String::from_utf8_lossy(text)))
}

fn run(rounds: u64, first_seed: u64, shape: Shape, depths: &[u8], forms: &[(Whitespace, KeyOrder)]) {
    let vocabularies = [vocabulary(false), vocabulary(true)];
    let (mut compiled, mut refused, mut judged, mut accepted) = (0, 0, 0, 0);
    let mut missed = Vec::new();
    for seed in first_seed..first_seed + rounds {
        let mut random = Random(seed * 0x1_0001);
        let schema = schema(&mut random, shape);
        let Ok(oracle) = jsonschema::validator_for(&schema) else {
            panic!("seed {seed}: no schema: {schema}")
        };
        let form = forms[seed as usize % forms.len()];
        let vocab = &vocabularies[seed as usize / forms.len() % 2];
        let max_depth = depths[random.below(depths.len())];
        let about = format!("seed {seed}, {form:?}, depth {max_depth}: {schema}");
        let g = match compile(&Arc::new(compiler(vocab, form, max_depth)), &schema) {
            Ok(g) => g,
            Err(e) => {
                let mut expected =
                    vec![ErrorKind::Unsatisfiable, ErrorKind::UnresolvedReference, ErrorKind::LimitExceeded];
                // What is not decided is refused by name.
                expected.extend(shape.composed.then_some(ErrorKind::UnsupportedKeyword));
                assert!(expected.contains(&e.kind()), "{e} for {about}");
                if e.kind() == ErrorKind::Unsatisfiable {
                    // Nothing that comes to mind satisfies it.
                    let mut value = json!({"a": 1});
                    for _ in 0..200 {
                        value = mutated(&value, &mut random);
                        assert!(!oracle.is_valid(&value), "{value} satisfies {about}");
                    }
                }
                refused += 1;
                continue;
            }
        };
        compiled += 1;
        let walk = Walk { g: &g, vocab, about: about.clone() };
        let least = u64::from(g.least_tokens());
        let mut values = Vec::new();
        for (more, greedy) in [(0, false), (0, true), (1, false), (5, true), (30, false), (30, true)] {
            if least + more > 400 {
                continue;
            }
            let text = walk.within(least + more, &mut random, greedy);
            let value = parse(&text, &about);
            assert!(oracle.is_valid(&value), "{} is not valid for {about}", String::from_utf8_lossy(&text));
            values.push(value);
        }
        if max_depth < 128 {
            continue;
        }
        // Values near those written. In free order acceptance is validity; in the schema's, some order will
        // do, but not every one is tried.
        if form.0 != Whitespace::Compact {
            continue;
        }
        for _ in 0..30 {
            let Some(value) = values.get(random.below(values.len().max(1))) else { break };
            let value = (0..=random.below(3)).fold(value.clone(), |v, _| mutated(&v, &mut random));
            let text = value.to_string();
            // Numbers have fewer spellings than values.
            if text.contains('.') || text.contains(['e', 'E']) && text.bytes().any(|b| b.is_ascii_digit()) {
                continue;
            }
            judged += 1;
            let valid = oracle.is_valid(&value);
            let found = match form.1 {
                KeyOrder::Any => accepts(&g, &text).is_ok(),
                KeyOrder::Schema => {
                    reorder::orders(&schema, &value).iter().any(|v| accepts(&g, &v.to_string()).is_ok())
                }
            };
            if valid && !found && form.1 == KeyOrder::Schema {
                missed.push(format!("{text} for {about}"));
            } else {
                assert_eq!(found, valid, "{text} for {about}");
            }
            accepted += usize::from(found);
            values.push(value);
        }
    }
    for text in missed.iter().take(3) {
        println!("in no order that was tried: {text}");
    }
    assert!(
        missed.len() * 20 <= accepted,
        "{} of {accepted} valid values in no order: {missed:#?}",
        missed.len()
    );
    println!("{compiled} compiled, {refused} refused, {judged} values judged, {accepted} accepted");
    assert!(compiled as u64 * 2 > rounds);
}

const PLAIN: Shape = Shape { depth: 2, references: false, composed: false };
const RECURSIVE: Shape = Shape { depth: 2, references: true, composed: false };
const DEEP: Shape = Shape { depth: 4, references: true, composed: false };

const COMPOSED: Shape = Shape { depth: 2, references: false, composed: true };
const COMPOSED_RECURSIVE: Shape = Shape { depth: 2, references: true, composed: true };

#[test]
fn random_compositions() {
    run(600, 30_000, COMPOSED, &[128], FIXED);
}

#[test]
fn random_recursive_compositions() {
    run(400, 40_000, COMPOSED_RECURSIVE, &[128], FIXED);
    run(200, 41_000, COMPOSED_RECURSIVE, &[3, 4, 6], FIXED);
}

#[test]
fn random_compositions_in_free_order() {
    run(400, 50_000, COMPOSED, &[128], FREE);
}

#[test]
fn random_schemas() {
    run(500, 0, PLAIN, &[128], FIXED);
}

#[test]
fn random_schemas_in_free_order() {
    run(500, 1_000, PLAIN, &[128], FREE);
}

#[test]
fn random_recursive_schemas() {
    run(500, 10_000, RECURSIVE, &[128], FIXED);
    run(100, 11_000, DEEP, &[128], FIXED);
}

#[test]
fn random_recursive_schemas_in_free_order() {
    run(500, 12_000, RECURSIVE, &[128], FREE);
    run(100, 13_000, DEEP, &[128], FREE);
}

#[test]
fn random_schemas_of_little_depth() {
    run(500, 20_000, RECURSIVE, &[2, 3, 4, 5], FIXED);
    run(100, 21_000, DEEP, &[4, 6], FIXED);
}

#[test]
fn random_schemas_of_little_depth_in_free_order() {
    run(500, 22_000, RECURSIVE, &[2, 3, 4, 5], FREE);
    run(100, 23_000, DEEP, &[4, 6], FREE);
}

/// A declared name that is written already is no way on: what it would cost is not the bound of the rest.
#[test]
fn an_open_name_that_begins_like_a_written_one() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a"],
        "additionalProperties": {"type": "string", "minLength": 20}});
    let g = compiler(&vocabulary(false), FREE[0], 128).compile(&schema).unwrap();
    let mut at = Configuration::start(&g);
    assert!(b"{\"a\":null,\"a".iter().all(|&b| at.read(&g, b)));
    let next = (0..=255u8).filter_map(|b| {
        let mut next = at.clone();
        (next.read_within(&g, b, at.bound(&g) - 1) && next.can_rest(&g)).then(|| next.bound(&g))
    });
    let least = next.min().expect("a way on");
    assert!(least < at.bound(&g), "bound {} → {least}", at.bound(&g));
}

/// A name that must be long costs its length, though its frame is entered without reading.
#[test]
fn names_with_a_least_length_have_a_bound() {
    for names in [
        json!({"pattern": "^[xyz]{20,30}$"}),
        json!({"pattern": "^[xyz]*$", "minLength": 20}),
        json!({"minLength": 20}),
        json!({"pattern": "^[xyz]{1,30}$", "minLength": 1}),
    ] {
        let schema = json!({"type": "object", "propertyNames": names, "minProperties": 1,
            "additionalProperties": {"type": "null"}});
        for &form in FIXED.iter().chain(FREE) {
            let g = compiler(&vocabulary(false), form, 128).compile(&schema).unwrap();
            let mut at = Configuration::start(&g);
            let mut left = u64::from(g.least_tokens());
            assert!(at.bound(&g) <= left, "{form:?} {schema}");
            while !at.is_complete(&g) {
                left = left.checked_sub(1).unwrap_or_else(|| panic!("no tokens are left: {form:?} {schema}"));
                let ways = (0..=255u8).filter_map(|b| {
                    let mut next = at.clone();
                    (next.read_within(&g, b, left) && next.can_rest(&g)).then_some(next)
                });
                let way = ways.min_by_key(|next| next.bound(&g));
                at = way.unwrap_or_else(|| panic!("a dead end with {left} left: {form:?} {schema}"));
                assert!(at.bound(&g) <= left, "bound {} with {left} left: {form:?} {schema}", at.bound(&g));
            }
        }
    }
}

/// A name whose value needs more levels than are left is not begun, nor the comma before it written.
#[test]
fn a_member_that_is_too_deep_is_not_begun_in_free_order() {
    let schema = json!({"type": "object", "properties": {
        "a": {"type": "array", "items": {"type": "null"}, "minItems": 1}, "b": {"type": "null"}},
        "additionalProperties": false});
    let g = compiler(&vocabulary(false), FREE[0], 2).compile(&schema).unwrap();
    let mut at = Configuration::start(&g);
    assert!(b"{\"b\":null".iter().all(|&b| at.read(&g, b)));
    let comma = at.read(&g, b',') && at.can_rest(&g);
    assert!(!comma, "only a, which is too deep, could follow");
}

/// An alternative that cannot be finished is not begun because another one could be.
#[test]
fn an_alternative_that_cannot_be_finished_is_not_followed_in_free_order() {
    let alternative = |a: Value, b: Value| json!({"type": "object", "properties": {"a": a, "b": b}, "required": ["a", "b"], "additionalProperties": false});
    let null = json!({"type": "null"});
    let never = json!({"type": "string", "enum": [1]});
    let schema =
        json!({"anyOf": [alternative(json!({"type": "string"}), never), alternative(null.clone(), null)]});
    for &form in [FIXED[0], FREE[0]].iter() {
        let g = compiler(&vocabulary(false), form, 128).compile(&schema).unwrap();
        let mut at = Configuration::start(&g);
        assert!(b"{\"a\":".iter().all(|&b| at.read(&g, b)));
        assert!(at.clone().read(&g, b'n'));
        assert!(!(at.read(&g, b'"') && at.can_rest(&g)), "{form:?}: no b goes with a string");
    }
}

/// An operand is a literal or again an expression; a value tells them apart, which comes before the
/// operand or after it.
#[test]
fn recursion_told_by_a_value_has_a_bound() {
    let node = |first: (&str, Value), second: (&str, Value)| {
        json!({"type": "object", "properties": {first.0: first.1, second.0: second.1},
            "required": [first.0, second.0], "additionalProperties": false})
    };
    let (lit, neg, e) = (json!({"const": "lit"}), json!({"const": "neg"}), json!({"$ref": "#/$defs/E"}));
    let integer = json!({"type": "integer"});
    let pair = json!({"type": "array", "items": e, "minItems": 2, "maxItems": 2});
    let alternatives = [
        json!([
            node(("op", lit.clone()), ("value", integer.clone())),
            node(("op", neg.clone()), ("arg", e.clone()))
        ]),
        json!([
            node(("op", neg.clone()), ("arg", e.clone())),
            node(("op", json!({"const": "add"})), ("args", pair.clone())),
            node(("op", lit.clone()), ("value", integer.clone()))
        ]),
        json!([integer, {"type": "array", "prefixItems": [lit, e], "items": false, "minItems": 2},
            {"type": "array", "prefixItems": [neg, pair], "items": false, "minItems": 2}]),
    ];
    let mut random = Random(7);
    for any_of in alternatives {
        let schema = json!({"$ref": "#/$defs/E", "$defs": {"E": {"anyOf": any_of}}});
        let oracle = jsonschema::validator_for(&schema).unwrap();
        for form in FIXED {
            for vocab in [vocabulary(false), vocabulary(true)] {
                for depth in [128, 12] {
                    let g = compiler(&vocab, *form, depth).compile(&schema).unwrap();
                    let least = u64::from(g.least_tokens());
                    assert!(g.is_bounded() && least < 120, "{least} for {form:?} {schema}");
                    let walk = Walk { g: &g, vocab: &vocab, about: format!("{form:?} {schema}") };
                    for (more, greedy) in [(0, false), (0, true), (3, false), (40, true), (60, false)] {
                        let value = parse(&walk.within(least + more, &mut random, greedy), &walk.about);
                        assert!(oracle.is_valid(&value), "{value} for {}", walk.about);
                    }
                }
            }
        }
    }
}
