//! Schemas, vocabularies and stored grammars that mean harm: each is answered in bounded time, without a
//! panic, and nothing that should be refused is taken. `-- --nocapture` prints the times.

mod common;

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use common::Random;
use serde_json::{Map, Value, json};
use warpgrammar::automaton::{KeyOrder, Whitespace};
use warpgrammar::engine::Request;
use warpgrammar::reference::Configuration;
use warpgrammar::vocab::Vocabulary;
use warpgrammar::{Compiler, CompilerOptions, Engine, EngineOptions, ErrorKind, Grammar, Result};

/// No case may take longer.
const LIMIT: Duration = Duration::from_secs(90);

/// Runs one case on a thread of its own, which is left behind if it hangs.
fn timed<T: Send + 'static>(name: &str, case: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = channel();
    let start = Instant::now();
    std::thread::spawn(move || {
        // Nobody listens any more once the time is over.
        let _ = send.send(case());
    });
    let result =
        receive.recv_timeout(LIMIT).unwrap_or_else(|e| panic!("{name}: {e} after {:?}", start.elapsed()));
    println!("{:8.3} s  {name}", start.elapsed().as_secs_f64());
    result
}

fn bytes_except(missing: &[u8], longer: &[&str]) -> Arc<Vocabulary> {
    let mut tokens: Vec<Option<Vec<u8>>> =
        (0..=255u8).map(|b| (!missing.contains(&b)).then(|| vec![b])).collect();
    tokens.extend(longer.iter().map(|t| Some(t.as_bytes().to_vec())));
    tokens.push(Some(b"<end>".to_vec()));
    let stop = tokens.len() as u32 - 1;
    Arc::new(Vocabulary::from_tokens(tokens).unwrap().with_stop_ids(&[stop]).unwrap())
}

fn compiler(key_order: KeyOrder) -> Compiler {
    Compiler::new(bytes_except(&[], &[]), CompilerOptions { key_order, ..CompilerOptions::default() })
        .unwrap()
}

/// Goes home the cheapest way; every step is one byte and brings the bound down.
fn cheapest(g: &Grammar, most: usize) -> Option<Vec<u8>> {
    let mut at = Configuration::start(g);
    let mut text = Vec::new();
    while !at.is_complete(g) {
        if text.len() == most {
            return None;
        }
        let ways = (0..=255u8).filter_map(|b| {
            let mut next = at.clone();
            let left = at.bound(g).saturating_sub(1);
            (next.read_within(g, b, left) && next.can_rest(g)).then_some((next.bound(g), b, next))
        });
        let (bound, b, next) = ways.min_by_key(|w| (w.0, w.1)).expect("no dead end");
        // Bounds beyond 2^32 saturate.
        assert!(
            bound < at.bound(g) || bound >= u64::from(u32::MAX),
            "{bound} after {:?}",
            String::from_utf8_lossy(&text)
        );
        text.push(b);
        at = next;
    }
    Some(text)
}

fn reads(g: &Grammar, text: &str) -> bool {
    common::accepts(g, text).is_ok()
}

/// What has to come of a schema.
#[derive(Clone, Copy)]
enum Expect {
    Compiles,
    Error(ErrorKind),
    /// Either way, in time.
    Answer,
}

fn judge(name: &str, schema: Value, key_order: KeyOrder, expect: Expect) -> Option<Arc<Grammar>> {
    let label = format!("{name}, {key_order:?}");
    let shown: String = schema.to_string().chars().take(200).collect();
    let result = timed(&label, move || {
        let result = compiler(key_order).compile(&schema);
        if let Ok(g) = &result
            && let Some(text) = cheapest(g, 2_000)
        {
            let value: Value = serde_json::from_slice(&text).expect("JSON");
            // References out of the ordinary are not the oracle's business.
            if let Ok(oracle) = jsonschema::options().should_validate_formats(true).build(&schema) {
                assert!(oracle.is_valid(&value), "{value}");
            }
        }
        result
    });
    match (expect, &result) {
        (Expect::Compiles, Err(e)) => panic!("{label}: {e}: {shown}"),
        (Expect::Error(kind), Err(e)) => assert_eq!(e.kind(), kind, "{label}: {e}: {shown}"),
        (Expect::Error(_), Ok(g)) => panic!("{label}: compiled to {g:?}: {shown}"),
        (Expect::Answer, Err(e)) => println!("            {e}"),
        _ => {}
    }
    result.ok()
}

fn both(name: &str, schema: &Value, expect: Expect) {
    for key_order in [KeyOrder::Schema, KeyOrder::Any] {
        judge(name, schema.clone(), key_order, expect);
    }
}

/// Takes a deep value apart, whose own destructor would recurse.
fn dismantle(value: Value) {
    let mut todo = vec![value];
    while let Some(value) = todo.pop() {
        match value {
            Value::Array(list) => todo.extend(list),
            Value::Object(map) => todo.extend(map.into_iter().map(|(_, v)| v)),
            _ => {}
        }
    }
}

#[test]
fn deep_schemas_are_refused() {
    for (open, close) in
        [("{\"items\":", "}"), ("[", "]"), ("{\"anyOf\":[", "]}"), ("{\"properties\":{\"a\":", "}}")]
    {
        let text = format!("{}true{}", open.repeat(10_000), close.repeat(10_000));
        let kind = timed(open, move || compiler(KeyOrder::Schema).compile_str(&text).unwrap_err().kind());
        assert_eq!(kind, ErrorKind::LimitExceeded, "{open}");
    }
    let kind = timed("a deep value", || {
        let deep = (0..10_000)
            .fold(Value::Bool(true), |inner, _| Value::Object(Map::from_iter([("items".to_owned(), inner)])));
        let kind = compiler(KeyOrder::Schema).compile(&deep).unwrap_err().kind();
        dismantle(deep);
        kind
    });
    assert_eq!(kind, ErrorKind::LimitExceeded);
    // As deep as is allowed: more levels than the output may have are no error while they are optional.
    let items = (0..120).fold(json!(true), |inner, _| json!({"type": "array", "items": inner}));
    both("120 arrays", &items, Expect::Compiles);
    let required = (0..63)
        .fold(json!({"type": "null"}), |inner, _| json!({"type": "array", "items": inner, "minItems": 1}));
    both("63 arrays of at least one", &required, Expect::Compiles);
}

#[test]
fn deep_outputs_are_refused_not_overflowed() {
    let schema = json!({"anyOf": [{"type": "array", "items": {"$ref": "#"}}, {"type": "object"}]});
    let g = judge("any depth", schema, KeyOrder::Schema, Expect::Compiles).unwrap();
    let depth = g.max_depth();
    assert!(reads(&g, &format!("{}{}", "[".repeat(depth), "]".repeat(depth))));
    assert!(!reads(&g, &format!("{}{}", "[".repeat(depth + 1), "]".repeat(depth + 1))));
    assert!(!reads(&g, &"[".repeat(10_000)));
    assert!(!reads(&g, &"{\"a\":".repeat(10_000)));
}

#[test]
fn references_without_progress() {
    let refused = Expect::Error(ErrorKind::UnresolvedReference);
    both("itself", &json!({"$ref": "#"}), refused);
    both(
        "two",
        &json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}),
        refused,
    );
    both("in anyOf", &json!({"anyOf": [{"$ref": "#"}]}), Expect::Answer);
    let beside = json!({"anyOf": [{"$ref": "#"}, {"type": "integer"}]});
    for order in [KeyOrder::Schema, KeyOrder::Any] {
        if let Some(g) = judge("beside an integer", beside.clone(), order, Expect::Answer) {
            assert!(reads(&g, "7") && !reads(&g, "\"7\""));
        }
    }
    both("nowhere", &json!({"$ref": "#/$defs/nothing"}), refused);
    both("no pointer", &json!({"$ref": "#/%zz/~7"}), refused);
    both("no string", &json!({"$ref": 7}), Expect::Error(ErrorKind::InvalidSchema));
    let mut chain: Map<String, Value> =
        (0..5_000).map(|i| (format!("d{i}"), json!({"$ref": format!("#/$defs/d{}", i + 1)}))).collect();
    chain.insert("d5000".into(), json!({"type": "integer"}));
    both("a chain", &json!({"$ref": "#/$defs/d0", "$defs": chain}), Expect::Compiles);
    let ladder: Map<String, Value> = (0..40)
        .map(|i| {
            let next = if i == 39 {
                json!({"type": "null"})
            } else {
                json!({"$ref": format!("#/$defs/d{}", i + 1)})
            };
            (
                format!("d{i}"),
                json!({"anyOf": [{"type": "array", "items": next.clone()},
                {"type": "object", "properties": {"a": next.clone(), "b": next}}]}),
            )
        })
        .collect();
    both("2^40 paths", &json!({"$ref": "#/$defs/d0", "$defs": ladder}), Expect::Compiles);
}

#[test]
fn what_nothing_satisfies_is_refused() {
    let recursive = |more: Value| {
        let mut schema = json!({"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}});
        schema.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        schema
    };
    let cases = [
        json!(false),
        json!({"type": "string", "enum": [1, null]}),
        json!({"type": "integer", "const": "1"}),
        json!({"type": "object", "enum": [[], "a"]}),
        json!({"type": "string", "minLength": 3, "maxLength": 2}),
        json!({"type": "array", "minItems": 3, "maxItems": 2}),
        json!({"type": "integer", "minimum": 3, "maximum": 2}),
        json!({"type": "number", "exclusiveMinimum": 2, "maximum": 2}),
        json!({"type": "integer", "minimum": 0.2, "maximum": 0.8}),
        json!({"type": "integer", "multipleOf": 7, "minimum": 1, "maximum": 6}),
        json!({"type": "object", "required": ["a"], "properties": {"a": false}}),
        json!({"type": "object", "required": ["b"], "properties": {"a": true}, "additionalProperties": false}),
        json!({"type": "array", "items": false, "minItems": 1}),
        json!({"type": "array", "prefixItems": [true, false], "minItems": 2}),
        json!({"type": "array", "prefixItems": [true], "items": false, "minItems": 2}),
        json!({"type": "array", "items": {"type": "integer", "enum": ["a"]}, "minItems": 1}),
        json!({"type": "string", "pattern": "^a{5}$", "maxLength": 4}),
        json!({"type": "string", "pattern": "^(aaa)*$", "minLength": 4, "maxLength": 5}),
        json!({"type": "string", "pattern": "^b", "enum": ["a", "ab"]}),
        json!({"type": "string", "format": "date", "maxLength": 9}),
        json!({"type": "string", "format": "uuid", "pattern": "^x"}),
        json!({"enum": ["abc", "abd"], "maxLength": 2}),
        json!({"enum": [[1, 2], [3]], "type": "array", "minItems": 3}),
        json!({"const": {"a": 1}, "required": ["b"]}),
        json!({"const": {"a": 1}, "properties": {"a": {"type": "string"}}}),
        json!({"anyOf": [false, {"type": "string", "enum": [1]}]}),
        json!({"type": "integer", "anyOf": [{"type": "string"}, {"type": "null"}]}),
        recursive(json!({})),
        recursive(json!({"additionalProperties": false})),
        json!({"type": "array", "items": {"$ref": "#"}, "minItems": 1}),
        json!({"type": "array", "prefixItems": [{"type": "integer"}, {"$ref": "#"}], "minItems": 2}),
        json!({"anyOf": [recursive(json!({})), {"type": "array", "items": {"$ref": "#"}, "minItems": 1}]}),
        json!({"$ref": "#/$defs/a", "$defs": {
            "a": {"type": "object", "properties": {"x": {"$ref": "#/$defs/b"}}, "required": ["x"]},
            "b": {"type": "array", "items": {"$ref": "#/$defs/a"}, "minItems": 2}}}),
        // Each alternative is fine; together they are not.
        json!({"type": "object", "properties": {"k": {"enum": ["a", "b"]}}, "required": ["k"], "anyOf": [
            {"properties": {"k": {"const": "c"}}}, {"properties": {"k": {"type": "integer"}}}]}),
        json!({"type": "array", "minItems": 2, "anyOf": [{"maxItems": 1}, {"items": false}]}),
    ];
    for schema in cases {
        both(&schema.to_string(), &schema, Expect::Error(ErrorKind::Unsatisfiable));
    }
    // The one at fault among many.
    let mut many: Map<String, Value> =
        (0..3_000).map(|i| (format!("k{i}"), json!({"type": "string", "maxLength": i}))).collect();
    many.insert("last".into(), json!({"type": "string", "enum": [1]}));
    let names: Vec<String> = many.keys().cloned().collect();
    let schema = json!({"type": "object", "properties": many, "required": names});
    judge("one of 3,000", schema, KeyOrder::Schema, Expect::Error(ErrorKind::Unsatisfiable));
    // What is only optional is simply never written.
    let optional = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/never"}, "b": {"type": "integer"}},
        "$defs": {"never": {"type": "string", "enum": [1]}}, "additionalProperties": false});
    for order in [KeyOrder::Schema, KeyOrder::Any] {
        let g = judge("optional and impossible", optional.clone(), order, Expect::Compiles).unwrap();
        assert!(
            reads(&g, "{\"b\":1}")
                && reads(&g, "{}")
                && !reads(&g, "{\"a\":1}")
                && !reads(&g, "{\"a\":\"x\"}")
        );
        let mut at = Configuration::start(&g);
        assert!(b"{\"".iter().all(|&b| at.read(&g, b)));
        assert!(!at.read(&g, b'a'), "a name that cannot be finished is not begun");
    }
    // Neither is an item or an alternative that can never end.
    let endless = json!({"anyOf": [{"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/anyOf/0"}}}, {"type": "integer"}]});
    let g = judge("one alternative never ends", endless, KeyOrder::Schema, Expect::Compiles).unwrap();
    assert!(!Configuration::start(&g).read(&g, b'{'));
}

#[test]
fn exploding_patterns() {
    let patterns = [
        "^(a|b)*a(a|b){24}$".to_owned(),
        "(a|b)*a(a|b){18}".to_owned(),
        "^(x+x+)+y$".to_owned(),
        "^(((a{100}){100}){100}){100}$".to_owned(),
        "^(\\p{L}{1,1000}){1,1000}$".to_owned(),
        "^\\w{1,5000}$".to_owned(),
        "^.{0,100000}$".to_owned(),
        "^(ab){2,50000}$".to_owned(),
        "(.*a){30}".to_owned(),
        "^(a?){500}a{500}$".to_owned(),
        "a".repeat(1 << 20),
        format!("^({})$", (0..5_000).map(|i| format!("word{i}")).collect::<Vec<_>>().join("|")),
        format!("{}a{}", "(".repeat(5_000), ")".repeat(5_000)),
        format!("{}a{}", "(?:".repeat(5_000), ")*".repeat(5_000)),
        "[".repeat(50_000),
        "(?=a)b(?!c)".to_owned(),
        "(a)\\1".to_owned(),
        "a{1000000000}".to_owned(),
        "a{99999999999999999999}".to_owned(),
        "\\u{110000}".to_owned(),
        "^[\\s\\S]*[\\ud800-\\udfff]$".to_owned(),
    ];
    for pattern in patterns {
        let name: String = pattern.chars().take(40).collect();
        judge(&name, json!({"type": "string", "pattern": pattern}), KeyOrder::Schema, Expect::Answer);
    }
    let kind = ErrorKind::InvalidSchema;
    judge("unclosed", json!({"type": "string", "pattern": "(a"}), KeyOrder::Schema, Expect::Error(kind));
}

#[test]
fn huge_enums() {
    let many = |value: fn(usize) -> Value| Value::from((0..20_000).map(value).collect::<Vec<_>>());
    let strings = json!({"enum": many(|i| json!(format!("{:x}", i * 7919)))});
    let g = judge("20,000 strings", strings, KeyOrder::Schema, Expect::Compiles).unwrap();
    assert!(reads(&g, &format!("\"{:x}\"", 777 * 7919)) && !reads(&g, "\"zz\""));
    let g =
        judge("20,000 integers", json!({"enum": many(|i| json!(i * 3))}), KeyOrder::Schema, Expect::Answer);
    if let Some(g) = g {
        assert!(reads(&g, "2997") && !reads(&g, "2998"));
    }
    judge(
        "20,000 arrays",
        json!({"enum": many(|i| json!([i % 7, i % 11, i % 13]))}),
        KeyOrder::Schema,
        Expect::Answer,
    );
    judge(
        "20,000 objects",
        json!({"enum": many(|i| json!({"a": i % 40, "b": i % 50}))}),
        KeyOrder::Schema,
        Expect::Answer,
    );
    let same = json!({"enum": vec![json!("same"); 20_000]});
    let g = judge("one value 20,000 times", same, KeyOrder::Schema, Expect::Compiles).unwrap();
    assert!(reads(&g, "\"same\"") && g.states().len() < 50);
    both(
        "duplicates",
        &json!({"enum": ["a", "a", 1, 1.0, 1, null, null, [1], [1], {"a": 1}, {"a": 1}]}),
        Expect::Compiles,
    );
    judge("a string of 100 KB", json!({"const": "x".repeat(100_000)}), KeyOrder::Schema, Expect::Compiles);
    let limit = Expect::Error(ErrorKind::LimitExceeded);
    judge("a string of 1 MB", json!({"const": "x".repeat(1_000_000)}), KeyOrder::Schema, limit);
}

#[test]
fn many_properties() {
    let properties = |n: usize, schema: fn(usize) -> Value| -> Map<String, Value> {
        (0..n).map(|i| (format!("property_{i}"), schema(i))).collect()
    };
    let plain =
        |i: usize| if i.is_multiple_of(2) { json!({"type": "integer"}) } else { json!({"type": "string"}) };
    for n in [200, 500] {
        for (name, additional) in
            [("closed", json!(false)), ("open", json!(true)), ("typed", json!({"type": "null"}))]
        {
            let schema = json!({"type": "object", "properties": properties(n, plain), "additionalProperties": additional});
            let g =
                judge(&format!("{n} optional, {name}"), schema.clone(), KeyOrder::Schema, Expect::Compiles)
                    .unwrap();
            assert!(reads(&g, "{\"property_0\":1,\"property_99\":\"\",\"property_198\":2}"));
            assert!(
                !reads(&g, "{\"property_99\":\"\",\"property_0\":1}") && !reads(&g, "{\"property_0\":\"\"}")
            );
            judge(
                &format!("{n} optional, {name}"),
                schema,
                KeyOrder::Any,
                Expect::Error(ErrorKind::LimitExceeded),
            );
        }
    }
    for n in [64, 65, 127, 128] {
        let schema = json!({"type": "object", "properties": properties(n, plain)});
        let g = judge(&format!("{n} optional"), schema, KeyOrder::Any, Expect::Compiles).unwrap();
        let member =
            |i: usize| format!("\"property_{i}\":{}", if i.is_multiple_of(2) { "1" } else { "\"\"" });
        assert!(reads(&g, &format!("{{{},\"x\":{{}},{}}}", member(n - 1), member(0))));
        for twice in [0, 3, 63, n - 1] {
            let text = format!("{{{},{},{}}}", member(twice), member(5), member(twice));
            assert!(!reads(&g, &text), "{text}");
        }
        let all: Vec<String> = (0..n).rev().map(member).collect();
        assert!(reads(&g, &format!("{{{}}}", all.join(","))));
    }
    let schema = json!({"type": "object", "properties": properties(129, plain)});
    judge("129 optional", schema, KeyOrder::Any, Expect::Error(ErrorKind::LimitExceeded));
    let names: Vec<String> = properties(128, plain).keys().cloned().collect();
    let schema = json!({"type": "object", "properties": properties(128, plain), "required": names});
    let g = judge("128 required", schema, KeyOrder::Any, Expect::Compiles).unwrap();
    let member = |i: usize| format!("\"property_{i}\":{}", if i.is_multiple_of(2) { "1" } else { "\"\"" });
    for missing in [None, Some(0), Some(63), Some(64), Some(127)] {
        let all: Vec<String> = (0..128).rev().filter(|&i| Some(i) != missing).map(member).collect();
        assert_eq!(reads(&g, &format!("{{{}}}", all.join(","))), missing.is_none(), "without {missing:?}");
    }
    let names: Vec<String> = properties(500, plain).keys().cloned().collect();
    let schema = json!({"type": "object", "properties": properties(500, plain), "required": names});
    judge("500 required", schema, KeyOrder::Schema, Expect::Compiles);
    // Names that are beginnings of each other.
    let nested: Map<String, Value> = (0..300).map(|i| ("a".repeat(i), json!({"const": i}))).collect();
    let g = judge(
        "300 beginnings",
        json!({"type": "object", "properties": nested}),
        KeyOrder::Schema,
        Expect::Compiles,
    )
    .unwrap();
    assert!(reads(&g, "{\"\":0,\"aa\":2,\"aaaa\":4}") && !reads(&g, "{\"aa\":3}"));
}

#[test]
fn strange_keys() {
    let long = "k".repeat(100_000);
    let schema = json!({"type": "object", "properties": {&long: {"type": "integer"}}, "required": [&long], "additionalProperties": false});
    let g = judge("a key of 100 KB", schema.clone(), KeyOrder::Schema, Expect::Compiles).unwrap();
    assert!(reads(&g, &format!("{{\"{long}\":1}}")) && !reads(&g, &format!("{{\"{long}k\":1}}")));
    assert!(u64::from(g.least_tokens()) > 100_000);
    judge("a key of 100 KB", schema, KeyOrder::Any, Expect::Compiles);
    let odd = [
        "",
        " ",
        "키",
        "\u{1F600}",
        "é",
        "e\u{301}",
        "a\"b",
        "\\",
        "\n",
        "\u{0}",
        "\u{7f}",
        "\u{2028}",
        "/",
        "~1",
        "$ref",
        "a\\u0062",
    ];
    let properties: Map<String, Value> =
        odd.iter().enumerate().map(|(i, k)| ((*k).to_owned(), json!({"const": i}))).collect();
    let schema =
        json!({"type": "object", "properties": properties, "required": odd, "additionalProperties": false});
    for order in [KeyOrder::Schema, KeyOrder::Any] {
        let g = judge("odd keys", schema.clone(), order, Expect::Compiles).unwrap();
        let members: Vec<String> =
            odd.iter().enumerate().map(|(i, k)| format!("{}:{i}", Value::from(*k))).collect();
        assert!(reads(&g, &format!("{{{}}}", members.join(","))), "{members:?}");
        // No second spelling of a name.
        let twice = members.join(",").replace("\" \"", "\"\\u0020\"");
        assert!(!reads(&g, &format!("{{{twice}}}")));
    }
}

#[test]
fn counts_beyond_reason() {
    let big = [
        "1000000000",
        "4294967294",
        "4294967295",
        "4294967296",
        "18446744073709551615",
        "18446744073709551616",
        "1e30",
    ];
    for n in big {
        for keyword in ["maxLength", "maxItems"] {
            let kind = if keyword == "maxLength" { "string" } else { "array" };
            let schema: Value =
                serde_json::from_str(&format!("{{\"type\":\"{kind}\",\"{keyword}\":{n}}}")).unwrap();
            if let Some(g) = judge(&schema.to_string(), schema.clone(), KeyOrder::Schema, Expect::Answer) {
                assert!(reads(&g, if kind == "string" { "\"ab\"" } else { "[1, 2]" }), "{schema}");
            }
        }
        for (keyword, short) in [("minLength", "\"ab\""), ("minItems", "[1, 2]")] {
            let kind = if keyword == "minLength" { "string" } else { "array" };
            let schema: Value =
                serde_json::from_str(&format!("{{\"type\":\"{kind}\",\"{keyword}\":{n}}}")).unwrap();
            if let Some(g) = judge(&schema.to_string(), schema.clone(), KeyOrder::Schema, Expect::Answer) {
                assert!(!reads(&g, short), "{short} for {schema}");
                assert!(g.least_tokens() >= 1_000_000_000, "{} tokens for {schema}", g.least_tokens());
            }
        }
    }
    // A window that no text reaches in practice, and one just below the largest count.
    both(
        "a narrow window",
        &json!({"type": "string", "minLength": 999_999_999, "maxLength": 1_000_000_000}),
        Expect::Compiles,
    );
    both(
        "at the end",
        &json!({"type": "array", "minItems": 4_294_967_290_u64, "maxItems": 4_294_967_294_u64}),
        Expect::Answer,
    );
    let items = json!({"type": "array", "items": {"type": "array", "minItems": 1_000_000_000}, "minItems": 1_000_000_000});
    both("1e18 items", &items, Expect::Answer);
    for bad in ["-1", "1.5", "\"3\"", "null", "[1]"] {
        let schema: Value =
            serde_json::from_str(&format!("{{\"type\":\"string\",\"minLength\":{bad}}}")).unwrap();
        both(bad, &schema, Expect::Error(ErrorKind::InvalidSchema));
    }
}

#[test]
fn many_alternatives() {
    let tagged: Vec<Value> = (0..300)
        .map(|i| {
            json!({"type": "object", "properties": {"kind": {"const": format!("kind{i}")}, "a": {"type": "integer"},
                format!("only{i}"): {"type": "string"}}, "required": ["kind"], "additionalProperties": false})
        })
        .collect();
    let g =
        judge("300 tagged objects", json!({"anyOf": tagged}), KeyOrder::Schema, Expect::Compiles).unwrap();
    assert!(
        reads(&g, "{\"kind\":\"kind7\",\"only7\":\"\"}") && !reads(&g, "{\"kind\":\"kind7\",\"only8\":\"\"}")
    );
    judge("300 tagged objects", json!({"anyOf": tagged}), KeyOrder::Any, Expect::Answer);
    let required: Vec<Value> =
        (0..300).map(|i| json!({"type": "object", "required": [format!("k{i}")]})).collect();
    judge("300 times one required name", json!({"anyOf": required}), KeyOrder::Schema, Expect::Answer);
    let open = |n: usize| -> Vec<Value> {
        (0..n)
            .map(|i| json!({"type": "object", "properties": {format!("k{i}"): {"type": "integer"}}}))
            .collect()
    };
    both("12 open objects", &json!({"anyOf": open(12)}), Expect::Answer);
    judge("24 open objects", json!({"anyOf": open(24)}), KeyOrder::Schema, Expect::Answer);
    let items: Vec<Value> = (0..20)
        .map(|i| json!({"type": "array", "items": {"enum": (0..20).filter(|&n| n != i).collect::<Vec<_>>()}}))
        .collect();
    judge("20 arrays without one value", json!({"anyOf": items}), KeyOrder::Schema, Expect::Answer);
    let counts: Vec<Value> =
        (0..300).map(|i| json!({"type": "array", "minItems": 10 * i, "maxItems": 10 * i + 3})).collect();
    judge("300 windows of counts", json!({"anyOf": counts}), KeyOrder::Schema, Expect::Answer);
    let lengths: Vec<Value> =
        (0..300).map(|i| json!({"type": "string", "minLength": 10 * i, "maxLength": 10 * i + 3})).collect();
    judge("300 windows of lengths", json!({"anyOf": lengths}), KeyOrder::Schema, Expect::Answer);
    let patterns: Vec<Value> =
        (0..12).map(|i| json!({"type": "string", "pattern": format!("a.{{{i}}}b")})).collect();
    judge("12 patterns", json!({"anyOf": patterns}), KeyOrder::Schema, Expect::Answer);
    let nested = (0..40).fold(json!({"type": "integer"}), |inner, i| {
        json!({"anyOf": [inner, {"type": "string", "maxLength": i}, {"type": "object", "required": [format!("k{i}")]}]})
    });
    both("anyOf 40 deep", &nested, Expect::Answer);
}

/// Conjunctions of alternatives multiply out only where they must.
#[test]
fn conjunctions_of_alternatives() {
    let chain = |n: usize| {
        let defs: Map<String, Value> = (0..n)
            .map(|i| {
                let mut schema =
                    json!({"anyOf": [{"required": [format!("a{i}")]}, {"required": [format!("b{i}")]}]});
                if i + 1 < n {
                    schema["$ref"] = json!(format!("#/$defs/d{}", i + 1));
                }
                (format!("d{i}"), schema)
            })
            .collect();
        json!({"type": "object", "$ref": "#/$defs/d0", "$defs": defs})
    };
    both("4 choices", &chain(4), Expect::Compiles);
    both("8 choices", &chain(8), Expect::Answer);
    both("16 choices", &chain(16), Expect::Answer);
    both("30 choices", &chain(30), Expect::Answer);
}

#[test]
fn vocabularies_that_cannot_spell_the_schema() {
    let compile =
        |missing: &[u8], longer: &[&str], schema: Value| -> (Arc<Vocabulary>, Result<Arc<Grammar>>) {
            let vocab = bytes_except(missing, longer);
            let options = CompilerOptions { whitespace: Whitespace::Compact, ..CompilerOptions::default() };
            let result = Compiler::new(vocab.clone(), options).unwrap().compile(&schema);
            (vocab, result)
        };
    let refused = [
        (&b"0123456789"[..], json!({"type": "integer"})),
        (b"\"", json!({"type": "string"})),
        (b"\"", json!({"type": "object", "required": ["a"]})),
        (b"{", json!({"type": "object"})),
        (b"}", json!({"type": "object"})),
        (b"]", json!({"type": "array", "items": {"type": "integer"}})),
        (b",", json!({"type": "array", "minItems": 2})),
        (b":", json!({"type": "object", "required": ["a"]})),
        (b"k", json!({"type": "object", "properties": {"k": true}, "required": ["k"]})),
        (b"e", json!({"enum": [true, false]})),
        (b"\xe2", json!({"const": "€"})),
        (b"\\", json!({"const": "\n"})),
        (b"-", json!({"type": "integer", "maximum": -1})),
        (b"a", json!({"type": "string", "pattern": "^(a|ba|cca)$"})),
    ];
    for (missing, schema) in refused {
        let shown = String::from_utf8_lossy(missing).into_owned();
        let e = compile(missing, &[], schema.clone()).1.expect_err(&shown);
        assert_eq!(e.kind(), ErrorKind::Vocabulary, "without {shown:?}: {e}: {schema}");
        // A longer token does not help: it may not fit where the byte is needed.
        let longer = format!("{}zz", String::from_utf8_lossy(&missing[..1]));
        assert!(compile(missing, &[&longer], schema).1.is_err());
    }

    // What can be done without the bytes still works, and runs into nothing.
    let possible = [
        (&b"0123456789"[..], json!({"enum": [1, "a", 20]})),
        (
            b"k",
            json!({"type": "object", "properties": {"k": {"type": "integer"}, "a": {"type": "null"}}, "required": ["a"]}),
        ),
        (b"]", json!({"type": ["array", "string"], "maxLength": 3})),
        (b",", json!({"type": "array", "items": {"enum": ["x"]}})),
        (b"\\\x80", json!({"type": "string", "maxLength": 6})),
        (b"abc", json!({"type": "string", "pattern": "^[a-e]{3,5}$"})),
        (b"\\", json!({"enum": ["a\nb", "ab"]})),
        (b"}", json!({"anyOf": [{"type": "array", "items": {"$ref": "#"}}, {"type": "object"}]})),
    ];
    for (missing, schema) in possible {
        let shown = String::from_utf8_lossy(missing).into_owned();
        // Longer tokens lead to where only the missing byte would help.
        let (vocab, result) = compile(
            missing,
            &["{\"", "[[", "[1", "\"]", ",\"", "k\"", "12", "ab", "\\n", "\"}"],
            schema.clone(),
        );
        let grammar = result.unwrap_or_else(|e| panic!("without {shown:?}: {e}: {schema}"));
        let oracle = jsonschema::validator_for(&schema).unwrap();
        let mut engine = Engine::new(vocab.clone(), EngineOptions::default()).unwrap();
        let mut random = Random(17);
        for round in 0..30 {
            let max_tokens = Some(grammar.least_tokens() + round);
            let id = engine
                .admit(Request { grammar: Some(grammar.clone()), max_tokens, ..Request::default() })
                .unwrap();
            let mut words = vec![0u32; vocab.width().div_ceil(32)];
            while engine.finish(id).unwrap().is_none() {
                engine.fill_mask(id, &mut words).unwrap();
                let legal: Vec<u32> = (0..vocab.width() as u32)
                    .filter(|t| words[*t as usize / 32] >> (t % 32) & 1 == 1)
                    .collect();
                let output: Vec<u8> = engine
                    .tokens(id)
                    .unwrap()
                    .iter()
                    .flat_map(|&t| vocab.bytes(t).unwrap().to_vec())
                    .collect();
                assert!(
                    !legal.is_empty(),
                    "stuck without {shown:?} after {:?}: {schema}",
                    String::from_utf8_lossy(&output)
                );
                engine.advance(id, legal[random.below(legal.len())]).unwrap();
            }
            let output: Vec<u8> =
                engine.tokens(id).unwrap().iter().flat_map(|&t| vocab.bytes(t).unwrap().to_vec()).collect();
            let value: Value = serde_json::from_slice(&output).unwrap();
            assert!(oracle.is_valid(&value), "{value} for {schema}");
            engine.retire(id).unwrap();
        }
    }
}

#[test]
fn damaged_grammars_are_not_loaded() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string", "maxLength": 3}, "b": {"enum": [1, "x"]}},
        "required": ["b"], "additionalProperties": false});
    for order in [KeyOrder::Schema, KeyOrder::Any] {
        let grammar = compiler(order).compile(&schema).unwrap();
        let bytes = grammar.as_bytes();
        assert_eq!(&Grammar::from_bytes(bytes).unwrap(), &*grammar);
        let refused = |bytes: &[u8]| match Grammar::from_bytes(bytes) {
            Err(e) => e.kind() == ErrorKind::CorruptGrammar,
            Ok(_) => false,
        };
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= flip;
                assert!(refused(&damaged), "byte {at} changed by {flip:#x}");
            }
        }
        for length in 0..bytes.len() {
            assert!(refused(&bytes[..length]), "cut to {length} bytes");
        }
        for more in [1, 7, 8, 4096] {
            assert!(refused(&[bytes, &vec![0; more]].concat()), "{more} bytes more");
        }
        assert!(refused(&vec![0; bytes.len()]) && refused(&vec![0xff; bytes.len()]));
        let mut swapped = bytes.to_vec();
        swapped.rotate_left(8);
        assert!(refused(&swapped));
        // Unaligned memory is read all the same.
        let shifted = [&[0u8], bytes].concat();
        assert_eq!(&Grammar::from_bytes(&shifted[1..]).unwrap(), &*grammar);
    }
}

/// With the checksum put right, an index out of range is found by the check, or does no harm.
#[test]
fn indices_out_of_range_do_not_panic() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "^a+$", "maxLength": 3}, "b": {"type": "array", "maxItems": 2}},
        "required": ["b"], "additionalProperties": {"type": "integer"}});
    // Names of both words of a set.
    let names: Vec<String> =
        (0..70).map(|i| format!("{}", (b'a' + i % 26) as char).repeat(1 + i as usize / 26)).collect();
    let properties: Map<String, Value> =
        names.iter().map(|n| (n.clone(), json!({"type": ["integer", "array"]}))).collect();
    let wide = json!({"type": "object", "properties": properties, "required": names[60..]});
    let (mut loaded, mut refused) = (0, 0);
    for (order, schema) in [(KeyOrder::Schema, &schema), (KeyOrder::Any, &schema), (KeyOrder::Any, &wide)] {
        let grammar = compiler(order).compile(schema).unwrap();
        let words: Vec<u64> =
            grammar.as_bytes().chunks_exact(8).map(|c| u64::from_le_bytes(c.try_into().unwrap())).collect();
        let checksum = |words: &[u64]| {
            words[2..].iter().fold(0xcbf2_9ce4_8422_2325u64, |h, &w| {
                (h ^ w).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
            })
        };
        assert_eq!(checksum(&words), words[1], "the checksum is computed otherwise now");
        let mut random = Random(23);
        for _ in 0..4_000 {
            let mut damaged = words.clone();
            let at = 2 + random.below(words.len() - 2);
            let shift = 8 * random.below(8);
            damaged[at] ^= (1 + random.next() % 255) << shift;
            damaged[1] = checksum(&damaged);
            let bytes: Vec<u8> = damaged.iter().flat_map(|w| w.to_le_bytes()).collect();
            let Ok(g) = Grammar::from_bytes(&bytes) else {
                refused += 1;
                continue;
            };
            loaded += 1;
            for text in ["{\"a\":\"aa\",\"b\":[1,[]],\"c\":7}", "{\"b\": [ 1 ]}", "[1e5,null]", "\"\\ud83d"] {
                let mut at = Configuration::start(&g);
                for b in text.bytes() {
                    let mut other = at.clone();
                    other.read(&g, b ^ 1);
                    if !at.read(&g, b) {
                        break;
                    }
                    at.can_rest(&g);
                    at.bound(&g);
                    at.is_complete(&g);
                }
            }
        }
    }
    println!("{refused} refused, {loaded} loaded");
    assert!(refused > 500 && loaded > 500);
}

/// Finding the place to blame must not cost more than finding that there is one.
#[test]
fn blame_is_found_in_bounded_time() {
    // Every level needs twenty large values that are fine, and one that is not.
    let large = json!({"type": "string", "pattern": "^[ab]*a[ab]{9}$"});
    let nested = |inner: Value, (): ()| {
        let mut properties: Map<String, Value> =
            (0..20).map(|i| (format!("fine{i}"), json!({"$ref": "#/$defs/large"}))).collect();
        properties.insert("x".into(), inner);
        let names: Vec<String> = properties.keys().cloned().collect();
        json!({"type": "object", "properties": properties, "required": names})
    };
    let fault = json!({"type": "string", "pattern": "^abc$", "minLength": 5});
    let mut schema = std::iter::repeat_n((), 40).fold(fault, nested);
    schema["$defs"] = json!({ "large": large });
    let (place, again) = ("/properties/x".repeat(40), schema.clone());
    let error = timed("deeply nested", move || compiler(KeyOrder::Schema).compile(&again).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Unsatisfiable);
    assert_eq!(error.pointer().unwrap(), place);

    // A search that may explore no more states than the schema has gives up on the way.
    let options = CompilerOptions { max_states: 12_000, ..CompilerOptions::default() };
    let compiler = Compiler::new(bytes_except(&[], &[]), options).unwrap();
    let error = timed("given up", move || compiler.compile(&schema).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Unsatisfiable);
    let found = error.pointer().unwrap();
    assert!(found.len() < place.len() && place.starts_with(found), "{found}");
}

/// A byte that is missing from the vocabulary is not to blame for what no byte could satisfy.
#[test]
fn missing_bytes_are_blamed_only_where_they_matter() {
    let endless = json!({"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}});
    let spelled = json!({"type": "object", "required": ["q"]});
    for key_order in [KeyOrder::Schema, KeyOrder::Any] {
        let options = CompilerOptions { key_order, ..CompilerOptions::default() };
        let compiler = Compiler::new(bytes_except(b"q", &[]), options).unwrap();
        assert_eq!(compiler.compile(&endless).unwrap_err().kind(), ErrorKind::Unsatisfiable, "{key_order:?}");
        assert_eq!(compiler.compile(&spelled).unwrap_err().kind(), ErrorKind::Vocabulary, "{key_order:?}");
    }
}
