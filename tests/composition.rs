//! Schemas that break naive constructions of composition, negation and counting.

mod common;

use std::time::{Duration, Instant};

use common::{accepts, compile};
use serde_json::{Map, Value, json};
use warpgrammar::ErrorKind;
use warpgrammar::automaton::{self, KeyOrder, Options, Whitespace};
use warpgrammar::schema::{self, SchemaOptions};

fn compact() -> Options {
    Options { whitespace: Whitespace::Compact, ..Options::default() }
}

/// The number of states of a schema's automaton, which must be found in little time.
fn states(schema: &Value) -> usize {
    let start = Instant::now();
    let lowered = schema::lower(schema, &SchemaOptions::default()).unwrap();
    let machine = automaton::build(&lowered.ir, &compact()).unwrap_or_else(|e| panic!("{e}: {schema}"));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?} for {schema}", start.elapsed());
    machine.states.len()
}

/// Texts that a schema accepts, and texts that it does not.
fn judge(schema: &Value, yes: &[impl AsRef<str>], no: &[impl AsRef<str>]) {
    let g = compile(schema, &compact()).unwrap_or_else(|e| panic!("{e}: {schema}"));
    let oracle = jsonschema::options().should_validate_formats(true).build(schema).unwrap();
    for text in yes.iter().map(AsRef::as_ref) {
        assert!(oracle.is_valid(&serde_json::from_str(text).unwrap()), "{text} is not valid for {schema}");
        assert_eq!(accepts(&g, text), Ok(()), "{text} for {schema}");
    }
    for text in no.iter().map(AsRef::as_ref) {
        assert!(accepts(&g, text).is_err(), "{text} for {schema}");
    }
}

fn letters(n: u8) -> Vec<String> {
    (0..n).map(|i| char::from(b'a' + i).to_string()).collect()
}

/// Which of the names have been seen would be 2^26 states; none or one are two a position.
#[test]
fn one_of_26_required_names() {
    let of = |n: u8| {
        let names = letters(n);
        let properties: Map<String, Value> =
            names.iter().map(|k| (k.clone(), json!({"type": "integer"}))).collect();
        let one: Vec<Value> = names.iter().map(|k| json!({"required": [k]})).collect();
        json!({"type": "object", "properties": properties, "additionalProperties": false, "oneOf": one})
    };
    judge(
        &of(26),
        &["{\"a\":1}", "{\"m\":1}", "{\"z\":1}"],
        &["{}", "{\"a\":1,\"z\":1}", "{\"b\":1,\"c\":1}"],
    );
    let (small, large) = (states(&of(13)), states(&of(26)));
    assert!(large < 5 * small && large < 2_000, "{small} and {large} states");
}

#[test]
fn three_one_ofs_of_10_under_one_all_of() {
    let names = letters(26);
    let one =
        |of: &[String]| json!({"oneOf": of.iter().map(|k| json!({"required": [k]})).collect::<Vec<_>>()});
    let schema = json!({"type": "object", "allOf": [one(&names[..10]), one(&names[8..18]), one(&names[16..])],
        "additionalProperties": {"type": "null"}});
    judge(
        &schema,
        &[
            "{\"a\":null,\"k\":null,\"z\":null}",
            "{\"i\":null,\"z\":null}",
            "{\"i\":null,\"z\":null,\"x1\":null}",
        ],
        &["{\"a\":null,\"k\":null}", "{\"a\":null,\"b\":null,\"k\":null,\"z\":null}", "{}"],
    );
    assert!(states(&schema) < 4_000);
}

#[test]
fn one_of_12_open_objects_with_common_optional_keys() {
    let one: Vec<Value> = (0..12)
        .map(|i| {
            let own = format!("own{i}");
            json!({"properties": {"id": {"type": "string"}, "name": {"type": "string"},
                own.clone(): {"type": "integer"}}, "required": [own]})
        })
        .collect();
    let schema = json!({"type": "object", "oneOf": one});
    judge(
        &schema,
        &["{\"id\":\"x\",\"own3\":1}", "{\"own11\":1}", "{\"name\":\"n\",\"own0\":7,\"else\":[]}"],
        &["{\"id\":\"x\"}", "{\"own3\":1,\"own4\":2}", "{\"id\":1,\"own3\":1}"],
    );
    assert!(states(&schema) < 10_000);
}

#[test]
fn one_of_patterns_that_overlap_at_two_sites() {
    let one = json!({"type": "string", "oneOf": [{"pattern": "^a"}, {"pattern": "^ab"}]});
    let schema = json!({"type": "array", "prefixItems": [one.clone(), one], "items": false, "minItems": 2});
    judge(
        &schema,
        &["[\"a\",\"ac\"]", "[\"aab\",\"a\"]"],
        &["[\"ab\",\"a\"]", "[\"a\",\"abc\"]", "[\"b\",\"a\"]", "[\"a\",\"\"]"],
    );
}

#[test]
fn a_negation_over_properties_in_another_order() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "additionalProperties": false,
        "not": {"properties": {"b": {"const": 1}, "a": {"const": 1}}, "required": ["b", "a"]}});
    judge(
        &schema,
        &["{}", "{\"a\":1}", "{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":1}"],
        &["{\"a\":1,\"b\":1}", "{\"b\":2,\"a\":2}"],
    );
}

/// A name has one spelling, so that it cannot slip past what is said of it.
#[test]
fn a_name_spelled_with_escapes() {
    let schema = json!({"type": "object", "not": {"required": ["a"]}});
    judge(&schema, &["{\"b\":1}", "{}"], &["{\"a\":1}", "{\"\\u0061\":1}", "{\"b\":1,\"\\u0061\":1}"]);
}

#[test]
fn constants_written_in_another_order() {
    let schema = json!({"properties": {"b": true, "a": true}, "const": {"a": 1, "b": 2}});
    judge(&schema, &["{\"b\":2,\"a\":1}"], &["{\"a\":1,\"b\":2}", "{\"b\":2}"]);
    let schema = json!({"type": "object", "properties": {"b": true, "a": true},
        "additionalProperties": false, "not": {"enum": [{"a": 1, "b": 2}, {}]}});
    judge(&schema, &["{\"b\":2}", "{\"b\":2,\"a\":2}"], &["{}", "{\"b\":2,\"a\":1}"]);
}

/// Skipping optional names must not lead where too few are left.
#[test]
fn least_members_with_optional_names_skipped() {
    let schema = json!({"type": "object", "properties": {"a": true, "b": true, "c": true, "d": true},
        "additionalProperties": false, "minProperties": 3, "maxProperties": 3});
    judge(
        &schema,
        &["{\"a\":1,\"b\":1,\"c\":1}", "{\"b\":1,\"c\":1,\"d\":1}"],
        &["{\"a\":1,\"b\":1}", "{\"a\":1,\"b\":1,\"c\":1,\"d\":1}"],
    );
    let g = compile(&schema, &compact()).unwrap();
    let dead = accepts(&g, "{\"c\":1,\"d\":1}").unwrap_err();
    assert_eq!(dead, 2, "c comes too late to be the first of three");
}

/// Of an array that must contain a string, anything else may follow anything else: only asking for the
/// string ends it.
#[test]
fn what_must_be_contained_has_a_bound() {
    let schema = json!({"type": "array", "contains": {"type": "string", "minLength": 3}, "minContains": 2});
    let g = compile(&schema, &compact()).unwrap();
    assert!(g.least_tokens() < 40, "{}", g.least_tokens());
    let nested = json!({"$ref": "#/$defs/t", "$defs": {"t": {"type": "array",
        "items": {"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/t"}]}, "contains": {"const": 7}}}});
    let g = compile(&nested, &compact()).unwrap();
    assert!(g.least_tokens() < 20, "{}", g.least_tokens());
    judge(&nested, &["[7]", "[1,7,[7]]"], &["[]", "[[7]]", "[7,[1]]"]);
}

#[test]
fn what_is_not_written_in_every_spelling_is_not_taken_for_invalid() {
    // 1.0 is an integer, though it is not written; an address with many labels is one.
    let schema = json!({"type": "number", "not": {"type": "integer"}});
    judge(&schema, &["1.5", "-0.25"], &["1", "1.0", "1e3", "0.0"]);
    let schema = json!({"type": "string", "not": {"format": "email"}});
    judge(&schema, &["\"a\""], &["\"a@b.c\"", "\"a@b.c.d.e.f.g.h\""]);
}

/// A base in common, and a value that tells the alternatives apart: whether one could follow is asked for
/// all at once, and must not be taken for a contradiction.
#[test]
fn one_of_extensions_of_a_common_base() {
    let one = |kind: &str| {
        json!({"allOf": [{"$ref": "#/$defs/base"},
        {"type": "object", "properties": {"kind": {"const": kind}}}]})
    };
    let schema = json!({"oneOf": [one("a"), one("b"), one("c")], "$defs": {"base": {"type": "object",
        "properties": {"id": {"type": "string"}, "kind": {"type": "string"}}, "required": ["kind"]}}});
    judge(&schema, &["{\"id\":\"x\",\"kind\":\"b\",\"x\":1}"], &["{\"id\":\"x\"}", "{\"kind\":\"d\"}"]);
}

#[test]
fn unevaluated_members_and_items() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}},
        "allOf": [{"properties": {"b": true}}],
        "if": {"required": ["b"]}, "then": {"properties": {"c": true}}, "unevaluatedProperties": false});
    judge(&schema, &["{\"a\":1}", "{\"a\":1,\"b\":1,\"c\":1}"], &["{\"a\":1,\"c\":1}", "{\"d\":1}"]);
    let schema = json!({"type": "array", "prefixItems": [{"type": "integer"}], "contains": {"type": "string"},
        "unevaluatedItems": {"type": "null"}});
    judge(&schema, &["[1,\"a\"]", "[1,null,\"a\"]"], &["[1]", "[1,2,\"a\"]"]);
}

/// With free key order the states remember the names that matter, and the register keeps the others apart.
#[test]
fn compositions_in_free_order() {
    let free = Options { key_order: KeyOrder::Any, ..compact() };
    let one_of = json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"},
        "n": {"type": "string"}}, "required": ["n"], "additionalProperties": false,
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}]});
    let few = json!({"type": "object", "properties": {"a": true, "b": true, "c": true, "d": true},
        "required": ["c"], "additionalProperties": false, "minProperties": 2, "maxProperties": 2});
    let unless = json!({"type": "object", "properties": {"a": {"type": "integer"}},
        "if": {"required": ["a"], "properties": {"a": {"const": 1}}}, "then": {"required": ["b"]},
        "else": {"not": {"required": ["b"]}}});
    let cases: [(&Value, &[&str], &[&str]); 3] = [
        (
            &one_of,
            &["{\"n\":\"\",\"a\":1}", "{\"b\":1,\"n\":\"\"}"],
            &["{\"n\":\"\"}", "{\"a\":1}", "{\"b\":1,\"a\":1,\"n\":\"\"}", "{\"a\":1,\"n\":\"\",\"a\":1}"],
        ),
        (
            &few,
            &["{\"d\":1,\"c\":1}", "{\"c\":1,\"a\":1}"],
            &["{\"a\":1,\"b\":1}", "{\"c\":1}", "{\"c\":1,\"b\":1,\"a\":1}", "{\"c\":1,\"c\":1}"],
        ),
        (
            &unless,
            &["{\"b\":1,\"a\":1}", "{\"a\":1,\"b\":1}", "{\"a\":2}", "{\"x\":1}"],
            &["{\"b\":1}", "{\"a\":1}", "{\"a\":2,\"b\":1}", "{\"b\":1,\"a\":2}"],
        ),
    ];
    for (schema, yes, no) in cases {
        let g = compile(schema, &free).unwrap_or_else(|e| panic!("{e}: {schema}"));
        yes.iter().for_each(|text| assert_eq!(accepts(&g, text), Ok(()), "{text} for {schema}"));
        no.iter().for_each(|text| assert!(accepts(&g, text).is_err(), "{text} for {schema}"));
    }
    // Where c is missing there is room for it, so two others are refused before the second's value.
    let g = compile(&few, &free).unwrap();
    assert_eq!(accepts(&g, "{\"a\":1,\"b\":1}"), Err(8));
}

/// A name that is not declared may be written twice, and its reader keeps one.
#[test]
fn names_written_twice() {
    let least = json!({"type": "object", "minProperties": 2});
    judge(&least, &["{\"a\":1,\"b\":1}"], &["{\"a\":1}", "{\"a\":1,\"a\":1}", "{\"ab\":1,\"ab\":{}}"]);
    let neighbours = json!({"type": "object", "propertyNames": {"enum": ["a", "b"]}, "minProperties": 2});
    judge(&neighbours, &["{\"a\":1,\"b\":1}", "{\"b\":1,\"a\":1}"], &["{\"a\":1}", "{\"b\":1,\"b\":1}"]);
    let violated = json!({"type": "object", "not": {"additionalProperties": {"type": "integer"}}});
    judge(&violated, &["{\"a\":\"\"}", "{\"a\":1,\"b\":\"\"}"], &["{\"a\":1}", "{\"a\":\"\",\"a\":1}", "{}"]);
    let Err(error) = compile(&json!({"type": "object", "minProperties": 9}), &compact()) else {
        panic!("no limit")
    };
    assert_eq!(
        (error.kind(), error.pointer()),
        (ErrorKind::LimitExceeded, Some("/minProperties")),
        "{error}"
    );
}

/// With their digits, the remainders would be fifteen times as many states.
#[test]
fn several_divisors() {
    let any = |list: Value| json!({"anyOf": list});
    let multiple = |m: u32| json!({"multipleOf": m});
    let schema = json!({"type": "number", "allOf": [
        any(json!([multiple(33), multiple(12), multiple(77)])),
        {"oneOf": [{"allOf": [{"not": multiple(6)}, {"not": multiple(7)}]}, multiple(44)]},
        {"not": multiple(8)}, {"exclusiveMaximum": 100_000}]});
    let g = compile(&schema, &compact()).unwrap();
    assert!(g.states().len() < 12_000, "{} states", g.states().len());
    let right = |n: i64| {
        let m = |m: i64| n % m == 0;
        (m(33) || m(12) || m(77)) && ((!m(6) && !m(7)) != m(44)) && !m(8) && n < 100_000
    };
    let oracle = jsonschema::validator_for(&schema).unwrap();
    let near = (-3_000..3_000).chain(99_000..101_000).chain((-999_999_999_999_000)..(-999_999_999_998_000));
    let mut accepted = 0;
    for n in near {
        assert_eq!(right(n), oracle.is_valid(&json!(n)), "{n}");
        assert_eq!(right(n), accepts(&g, &n.to_string()).is_ok(), "{n}");
        accepted += usize::from(right(n));
    }
    assert!(accepted > 20, "{accepted}");
    // Fifteen digits in all, a fraction's too; an integer has no fraction of its own.
    for text in ["-1000000000000032", "33.0", "3.3e1", "-0", "0033", "33.5"] {
        assert!(accepts(&g, text).is_err(), "{text}");
    }

    // Who is judged for something else besides may have a fraction.
    let either = json!({"anyOf": [{"allOf": [multiple(33), multiple(80), {"minimum": 5}]}, {"not": multiple(7)},
        {"minimum": 1.5, "maximum": 2.5}]});
    judge(
        &either,
        &["2640", "0.000000000001", "-14.5", "2", "1.75", "123456789.12345"],
        &["7", "-700", "0", "12345678912345.25", "1e2"],
    );
}

/// A multiple is one however many digits it has, though not all are written.
#[test]
fn multiples_with_many_digits() {
    let integer = |of: Value| json!({"type": "integer", "allOf": [of]});
    for (schema, yes, no) in [
        (
            integer(json!({"not": {"multipleOf": 8}})),
            vec!["1001"],
            vec!["1000000000000000", "100000000000000000"],
        ),
        (
            integer(json!({"not": {"anyOf": [{"multipleOf": 2003}, {"const": 1}]}})),
            vec!["2004"],
            vec!["2003000", "1"],
        ),
        (
            json!({"not": {"multipleOf": 2003}, "minimum": 0, "maximum": 100_000_000_000u64}),
            vec!["7", "0.5"],
            vec!["2003000", "2003000000"],
        ),
        (
            integer(json!({"oneOf": [{"multipleOf": 2}, {"const": 4}, {"multipleOf": 613}]})),
            vec!["6", "613"],
            vec!["4", "1226", "1226000"],
        ),
        (
            json!({"oneOf": [{"multipleOf": 2003}, {"const": 2_003_000_000}]}),
            vec!["2003"],
            vec!["2003000000"],
        ),
        (
            json!({"type": "number", "oneOf": [{"multipleOf": 2003}, {"minimum": 1_000_000_000}]}),
            vec!["2003", "1000000001"],
            vec!["2003000000"],
        ),
        (
            integer(json!({"oneOf": [{"multipleOf": 8}, {"minimum": 1_000_000_000_000_000u64}]})),
            vec!["8"],
            vec!["1000000000000000", "8000000000000000"],
        ),
        (
            json!({"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 1e20}]}),
            vec!["5"],
            vec!["100000000000000000000"],
        ),
        (
            json!({"type": "array", "items": {"type": "integer"},
                "contains": {"multipleOf": 8}, "minContains": 0, "maxContains": 0}),
            vec!["[]", "[7]"],
            vec!["[8000000000000000]"],
        ),
        // A divisor with few multiples, a constant beside many divisors.
        (
            json!({"allOf": [{"multipleOf": 1_000_003, "minimum": 0, "maximum": 5_000_000}, {"multipleOf": 7}]}),
            vec!["0"],
            vec!["1000003", "7"],
        ),
        (
            integer(
                json!({"anyOf": [{"multipleOf": 37}, {"allOf": [{"multipleOf": 8}, {"multipleOf": 3}]}, {"const": 12}]}),
            ),
            vec!["12", "37", "48", "370000000000000"],
            vec!["8", "9", "38"],
        ),
    ] {
        judge(&schema, &yes, &no);
    }
}

/// What has one length but for one part is told by its length, whatever stands beside it.
#[test]
fn patterns_that_count() {
    let text = |n: usize| format!("\"{}\"", "ab".repeat(n / 2) + &"c"[..n % 2]);
    for (schema, yes, no) in [
        (json!({"pattern": "^[a-z]{1,63}$"}), vec![1, 2, 62, 63], vec![0, 64, 65]),
        (
            json!({"pattern": "^[a-z]{1,63}$", "minLength": 20, "maxLength": 30}),
            vec![20, 30],
            vec![1, 19, 31],
        ),
        (json!({"not": {"pattern": "^[a-z]{14,20}$"}}), vec![0, 13, 21], vec![14, 17, 20]),
        (
            json!({"oneOf": [{"pattern": "^[a-z]{1,20}$"}, {"pattern": "^[a-c]{15,30}$"}]}),
            vec![14, 21],
            vec![15, 20, 31],
        ),
        (
            json!({"anyOf": [{"pattern": "^a[a-z]{13}$"}, {"pattern": "^(ab)*$"}]}),
            vec![2, 4, 14, 16],
            vec![1, 3, 13, 15],
        ),
    ] {
        let mut schema = schema;
        schema["type"] = json!("string");
        let (yes, no): (Vec<_>, Vec<_>) =
            (yes.into_iter().map(text).collect(), no.into_iter().map(text).collect());
        judge(&schema, &yes, &no);
        assert!(states(&schema) < 60, "{} states: {schema}", states(&schema));
    }
    // Names that are judged are counted where their frame is entered, those of a pattern of their own are not.
    judge(
        &json!({"type": "object", "patternProperties": {"^[a-z]{14,16}$": {"type": "null"}},
            "propertyNames": {"pattern": "^[a-z]{13,15}$"}, "additionalProperties": false}),
        &["{}".to_owned(), format!("{{{}:null}}", text(14)), format!("{{{}:null}}", text(15))],
        &[
            &format!("{{{}:null}}", text(13)),
            &format!("{{{}:null}}", text(16)),
            &format!("{{{}:1}}", text(14)),
        ],
    );
}
