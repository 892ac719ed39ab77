use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Lowered, SchemaOptions, lower, parse};
use crate::error::{ErrorKind, Result};

fn nested(depth: usize, wrap: fn(Value) -> Value) -> Value {
    (0..depth).fold(json!(true), |inner, _| wrap(inner))
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

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|e| e.kind())
}

#[test]
fn deep_text_is_refused() {
    let defaults = SchemaOptions::default();
    for (open, close) in
        [(r#"{"items":"#, "}"), ("[", "]"), (r#"{"const":["#, "]}"), (r#"{"anyOf":[{"not":"#, "}]}")]
    {
        let text = format!("{}true{}", open.repeat(10_000), close.repeat(10_000));
        assert_eq!(kind(parse(&text, &defaults)), Some(ErrorKind::LimitExceeded), "{open}");
        assert_eq!(kind(parse(&open.repeat(10_000), &defaults)), Some(ErrorKind::LimitExceeded), "{open}");
    }
}

#[test]
fn deep_values_are_refused_and_deep_enough_ones_fit_the_stack() {
    // Not by `json!`, which would go through a recursive serializer.
    fn object(key: &str, value: Value) -> Value {
        Value::Object([(key.to_owned(), value)].into_iter().collect())
    }
    let wraps: [fn(Value) -> Value; 4] = [
        |v| object("items", v),
        |v| object("properties", object("a", v)),
        |v| object("anyOf", Value::Array(vec![v, json!({"maxLength": 1})])),
        |v| object("const", Value::Array(vec![v])),
    ];
    let mut options = SchemaOptions::default();
    for wrap in wraps {
        let deep = nested(100_000, wrap);
        assert_eq!(kind(lower(&deep, &options)), Some(ErrorKind::LimitExceeded));
        // However high the limit is set.
        options.limits.max_depth = usize::MAX;
        assert_eq!(kind(lower(&deep, &options)), Some(ErrorKind::LimitExceeded));
        dismantle(deep);
        let levels = if wrap(json!(1)).get("items").is_some() { 255 } else { 85 };
        assert_eq!(kind(lower_on_1_mib(nested(levels, wrap), &options)), None);
        options.limits.max_depth = 128;
    }
    // A const nests one level at a time.
    options.limits.max_depth = usize::MAX;
    let value = json!({"const": nested(254, |v| Value::Array(vec![v]))});
    assert_eq!(kind(lower_on_1_mib(value, &options)), None);
}

/// What `max_depth` promises: 4 KiB of stack a level.
fn lower_on_1_mib(schema: Value, options: &SchemaOptions) -> Result<Lowered> {
    let options = options.clone();
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(move || lower(&schema, &options));
    thread.unwrap().join().unwrap()
}

/// A chain of references is as long as it likes.
#[test]
fn long_chains_of_references() {
    let definitions: serde_json::Map<_, _> = (0..20_000)
        .map(|i| (format!("d{i}"), json!({"$ref": format!("#/$defs/d{}", i + 1)})))
        .chain([("d20000".to_owned(), json!({"type": "null"}))])
        .collect();
    let schema = json!({"$ref": "#/$defs/d0", "$defs": definitions});
    assert_eq!(super::expression(&lower(&schema, &SchemaOptions::default()).unwrap().ir), "null");

    let definitions: serde_json::Map<_, _> = (0..20_000)
        .map(|i| (format!("d{i}"), json!({"items": {"$ref": format!("#/$defs/d{}", (i + 1) % 20_000)}})))
        .collect();
    let schema = json!({"$ref": "#/$defs/d0", "$defs": definitions});
    assert_eq!(lower(&schema, &SchemaOptions::default()).unwrap().ir.nodes.len(), 20_003);

    let definitions: serde_json::Map<_, _> = (0..20_000)
        .map(|i| (format!("d{i}"), json!({"$ref": format!("#/$defs/d{}", (i + 1) % 20_000)})))
        .collect();
    let schema = json!({"$ref": "#/$defs/d0", "$defs": definitions});
    let e = lower(&schema, &SchemaOptions::default()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::UnresolvedReference);
    assert!(e.message().len() < 1_000, "{e}");
}

/// Every definition twice in the one before: 2^64 nodes if it were written out.
#[test]
fn shared_references_are_lowered_once() {
    let definitions: serde_json::Map<_, _> = (0..64)
        .map(|i| {
            let next = json!({"$ref": format!("#/$defs/d{}", i + 1)});
            (format!("d{i}"), json!({"anyOf": [{"items": next.clone()}, {"additionalProperties": next}]}))
        })
        .chain([("d64".to_owned(), json!({"type": "null"}))])
        .collect();
    let schema = json!({"$ref": "#/$defs/d0", "$defs": definitions});
    assert!(lower(&schema, &SchemaOptions::default()).unwrap().ir.nodes.len() < 300);
}

#[test]
fn sizes_are_limited() {
    let limited = |set: fn(&mut super::super::SchemaLimits)| {
        let mut options = SchemaOptions::default();
        set(&mut options.limits);
        options
    };
    let schema = r#"{"enum":["aaaa","b",1,null],"properties":{"a":{"minLength":1},"b":{"minLength":2}}}"#;
    for options in [
        limited(|l| l.max_bytes = 10),
        limited(|l| l.max_values = 9),
        limited(|l| l.max_depth = 2),
        limited(|l| l.max_nodes = 3),
        limited(|l| l.max_enum_values = 3),
        limited(|l| l.max_enum_bytes = 4),
    ] {
        assert_eq!(kind(parse(schema, &options)), Some(ErrorKind::LimitExceeded), "{options:?}");
    }
    assert_eq!(kind(parse(schema, &SchemaOptions::default())), None);
}

#[test]
fn large_enums_end_in_time() {
    let start = Instant::now();
    for value in [|i: usize| json!(format!("{i:x}")), |i| json!(i), |i| json!([i % 7])] {
        let most: Vec<Value> = (0..20_000).map(value).collect();
        assert_eq!(kind(lower(&json!({"enum": most}), &SchemaOptions::default())), None);
        let more: Vec<Value> = (0..100_001).map(value).collect();
        let found = kind(lower(&json!({"enum": more}), &SchemaOptions::default()));
        assert_eq!(found, Some(ErrorKind::LimitExceeded));
    }
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

/// Pointers below a long key would take 200 GB.
#[test]
fn long_keys_are_not_kept_with_every_node() {
    let properties: serde_json::Map<_, _> =
        (0..50_000).map(|i| (format!("p{i}"), json!({"type": "string", "maxLength": i}))).collect();
    let schema = json!({"properties": {"한".repeat(1_000_000): {"properties": properties}}});
    let ir = lower(&schema, &SchemaOptions::default()).unwrap().ir;
    assert!(ir.pointers.iter().all(|p| p.len() < 1_100));
    let pointer = format!("#/{}", "a/".repeat(500_000));
    assert_eq!(
        kind(lower(&json!({"$ref": pointer}), &SchemaOptions::default())),
        Some(ErrorKind::UnresolvedReference)
    );
}
