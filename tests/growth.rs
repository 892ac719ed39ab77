//! How the number of states grows with the number of alternatives: by a little for each, never by doubling.

mod common;

use std::time::Instant;

use common::{accepts, compile};
use serde_json::{Map, Value, json};
use warpgrammar::automaton::{Options, Whitespace};

type Family = fn(usize) -> Value;

fn any_of(n: usize, alternative: impl Fn(usize) -> Value) -> Value {
    json!({ "anyOf": (0..n).map(alternative).collect::<Vec<_>>() })
}

/// `k0`, `k1` …: each with its own schema.
fn keys(n: usize, schema: impl Fn(usize) -> Value) -> Map<String, Value> {
    (0..n).map(|j| (format!("k{j}"), schema(j))).collect()
}

fn letter(i: usize) -> String {
    char::from(b'a' + i as u8).to_string()
}

fn states(schema: &Value) -> usize {
    let options = Options { whitespace: Whitespace::Compact, max_states: 20_000, ..Options::default() };
    compile(schema, &options).unwrap_or_else(|e| panic!("{e}: {schema}")).states().len()
}

/// At most `power` in the number of alternatives: doubling it multiplies the states by little more than
/// 2^`power`.
fn grows(name: &str, family: Family, power: u32) {
    let found: Vec<(usize, usize)> = (4..=12).map(|n| (n, states(&family(n)))).collect();
    println!("{name}: {found:?}");
    for (n, few) in &found {
        if let Some((_, many)) = found.iter().find(|f| f.0 == 2 * n) {
            assert!(*many <= (few << power) * 5 / 4, "{name}: {found:?}");
        }
    }
}

#[test]
fn patterns_of_different_lengths() {
    let least: Family =
        |n| any_of(n, |i| json!({"type": "string", "pattern": letter(i), "minLength": 3 * i}));
    grows("minLength", least, 3);
    let most: Family =
        |n| any_of(n, |i| json!({"type": "string", "pattern": letter(i), "maxLength": 3 * i + 2}));
    grows("maxLength", most, 1);
    let nested: Family = |n| {
        let one = |i| json!({"type": "string", "pattern": letter(i), "minLength": i, "maxLength": 99 - i});
        any_of(n, one)
    };
    grows("nested ranges", nested, 2);
    let overlapping: Family = |n| {
        let one = |i| json!({"type": "string", "pattern": letter(i), "minLength": i, "maxLength": 50 + i});
        any_of(n, one)
    };
    grows("overlapping ranges", overlapping, 3);
}

#[test]
fn arrays_of_different_lengths() {
    let family: Family = |n| {
        let prefix = |i| (0..n).map(move |j| if i == j { json!({"const": 1}) } else { json!(true) });
        any_of(n, |i| json!({"type": "array", "minItems": i, "prefixItems": prefix(i).collect::<Vec<_>>()}))
    };
    grows("minItems", family, 2);
}

#[test]
fn open_objects_with_the_same_keys() {
    let family: Family = |n| {
        let of = |i: usize| keys(n, |j| if i == j { json!({"const": 1}) } else { json!(true) });
        let name = |i: usize| format!("k{i}");
        any_of(n, |i| json!({"type": "object", "properties": of(i), "required": [name(i)]}))
    };
    grows("same keys", family, 1);
    let rotated: Family = |n| {
        let of = |i: usize| {
            let schema = |j: usize| if i == j { json!({"const": 1}) } else { json!(true) };
            let map = (0..n).map(|j| (i + j) % n).map(|j| (format!("k{j}"), schema(j)));
            map.collect::<Map<_, _>>()
        };
        any_of(n, |i| json!({"type": "object", "properties": of(i)}))
    };
    grows("rotated keys", rotated, 3);
}

#[test]
fn open_objects_with_keys_of_their_own() {
    grows("own key", |n| any_of(n, |i| json!({"properties": {format!("k{i}"): {"const": i}}})), 1);
    let pair: Family = |n| {
        any_of(n, |i| json!({"properties": {"kind": {"const": i}, format!("k{i}"): {"type": "integer"}}}))
    };
    grows("kind and own key", pair, 1);
    let with_common: Family = |n| {
        let of = |i: usize| {
            let mut all = keys(n, |j| if i == j { json!({"const": 1}) } else { json!(true) });
            all.insert(format!("own{i}"), json!(true));
            all
        };
        any_of(n, |i| json!({"properties": of(i), "required": [format!("k{i}")]}))
    };
    grows("common keys and an own one", with_common, 2);
}

/// Following one alternative instead of all leaves every object writable that a reader would miss.
#[test]
fn many_open_objects_still_mix() {
    let one = |i: usize| json!({"type": "object", "properties": {format!("k{i}"): {"const": i}, format!("m{i}"): {"type": "integer"}}});
    let schema = any_of(8, one);
    let g = compile(&schema, &Options::default()).unwrap();
    for text in [
        "{}",
        r#"{"k0":0,"m0":1}"#,
        r#"{"k0":0,"m0":1,"k1":1,"m1":"any"}"#,
        r#"{"k7":7,"m7":1,"k1":"any","m3":"any","x":null}"#,
        r#"{"k3":0,"x":1}"#,
        r#"{"x":1,"k5":0}"#,
        r#"{"k0":0,"m0":"any","x":1}"#,
    ] {
        assert_eq!(accepts(&g, text), Ok(()), "{text}");
        let valid = jsonschema::is_valid(&schema, &serde_json::from_str(text).unwrap());
        assert!(valid, "{text}");
    }
    let all_wrong = (0..8).map(|i| format!(r#""k{i}":"no""#)).collect::<Vec<_>>().join(",");
    assert!(accepts(&g, &format!("{{{all_wrong}}}")).is_err());
}

/// Counts are never walked one by one, however many states an item passes through.
#[test]
fn counts_of_any_size() {
    let most = 4_000_000_000u32;
    let item = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]});
    for schema in [
        json!({"type": "array", "minItems": most}),
        json!({"type": "array", "maxItems": most, "items": item}),
        json!({"type": "array", "minItems": most, "maxItems": most, "items": {"type": "integer"}}),
        json!({"type": "array", "minItems": most, "prefixItems": [{"const": 1}, item], "items": item}),
        json!({"anyOf": [{"type": "array", "minItems": most}, {"type": "array", "maxItems": 2, "items": item}]}),
        json!({"type": "array", "items": {"type": "array", "minItems": most - 7}, "minItems": most}),
        json!({"type": "string", "pattern": "^[a-z\"]*é?[0-9]*$", "minLength": most}),
        json!({"type": "string", "pattern": "^(a|bb|ccc)*$", "minLength": most, "maxLength": most}),
    ] {
        for whitespace in [Whitespace::Flexible { max: 4 }, Whitespace::Indent(2)] {
            let start = Instant::now();
            let options = Options { whitespace, ..Options::default() };
            let g = compile(&schema, &options).unwrap_or_else(|e| panic!("{e}: {schema}"));
            assert!(start.elapsed().as_secs() < 2, "{:?}: {schema}", start.elapsed());
            assert!(g.states().len() < 500, "{} states: {schema}", g.states().len());
        }
    }
    let g = compile(&json!({"type": "array", "minItems": most}), &Options::default()).unwrap();
    assert_eq!(accepts(&g, "[1,2,3]"), Err(6));
}

/// A cycle that ticks more than once does not pass every count.
#[test]
fn counts_in_steps_are_exact() {
    for (pattern, min, max, good, bad) in [
        ("^(aaa)*$", 4, 8, &["aaaaaa"][..], &["aaaaaaa", "aaa\""][..]),
        ("^(aa|bbb)*$", 3, 4, &["bbb", "aaaa"], &["aaa\"", "bbba", "aab"]),
        ("^(ab)*c?$", 5, 5, &["ababc"], &["ababa", "abc"]),
        ("^(ab|cdcd)*$", 0, 5, &["abab", "cdcd", "ab"], &["abc", "ababa", "cdcda"]),
    ] {
        let schema = json!({"type": "string", "pattern": pattern, "minLength": min, "maxLength": max});
        let g = compile(&schema, &Options::default()).unwrap();
        for text in good {
            assert_eq!(accepts(&g, &format!("\"{text}\"")), Ok(()), "{pattern} {text}");
        }
        for text in bad {
            let text = format!("\"{text}");
            assert_eq!(accepts(&g, &text), Err(text.len() - 1), "{pattern} {text}");
        }
    }
}
