//! Random walks: every legal byte leads on, every walk ends, and what it wrote satisfies the schema.

mod common;
#[path = "common/schemas.rs"]
mod schemas;

use common::{Random, compile, data};
use schemas::schemas;
use serde_json::{Value, json};
use warpgrammar::automaton::{KeyOrder, Options, Whitespace};
use warpgrammar::reference::Configuration;
use warpgrammar::table::Grammar;

/// Writes one output byte by byte. Panics at a dead end.
fn walk(g: &Grammar, random: &mut Random, patience: usize) -> Vec<u8> {
    let mut c = Configuration::start(g);
    let mut text = Vec::new();
    loop {
        if c.is_complete(g) && (text.len() > patience || random.below(3) == 0) {
            return text;
        }
        let bound = c.bound(g);
        let within = |left: u64| -> Vec<(u8, Configuration)> {
            let read = |b: u8| {
                let mut next = c.clone();
                (next.read_within(g, b, left) && next.can_rest(g)).then_some((b, next))
            };
            (0..=255u8).filter_map(read).collect()
        };
        let mut legal = within(u64::MAX);
        if legal.is_empty() {
            assert!(c.is_complete(g), "dead end after {:?} in {c:?}", String::from_utf8_lossy(&text));
            return text;
        }
        if !c.is_complete(g) {
            let home = within(bound - 1).into_iter().min_by_key(|l| l.1.bound(g)).expect("a way home");
            let least = home.1.bound(g);
            assert!(
                least < bound,
                "bound {bound} → {least} after {:?} in {c:?}",
                String::from_utf8_lossy(&text)
            );
            if text.len() > patience {
                legal = vec![home];
            }
        }
        if text.len() > patience {
            legal.truncate(1);
        } else if random.below(4) > 0 {
            // Structure is rarer than text; look for it.
            let structural: Vec<_> = legal.iter().filter(|l| b"\"{}[],:".contains(&l.0)).cloned().collect();
            if !structural.is_empty() {
                legal = structural;
            }
        }
        let (b, next) = legal.swap_remove(random.below(legal.len()));
        text.push(b);
        c = next;
    }
}

fn check(schema: &Value, options: &Options, walks: usize, random: &mut Random) {
    let g = match compile(schema, options) {
        Ok(g) => g,
        Err(e) => panic!("{e}: {schema}"),
    };
    check_grammar(&g, schema, walks, random);
}

fn check_grammar(g: &Grammar, schema: &Value, walks: usize, random: &mut Random) {
    let oracle = jsonschema::options().should_validate_formats(true).build(schema);
    for i in 0..walks {
        let text = walk(g, random, 40 << (i % 4));
        let value: Value = serde_json::from_slice(&text)
            .unwrap_or_else(|e| panic!("{e}: {:?} for {schema}", String::from_utf8_lossy(&text)));
        if let Ok(oracle) = &oracle {
            let text = String::from_utf8_lossy(&text);
            // ECMA-262's `.` leaves out four line ends, the oracle's only one of them.
            let oracle_errs = ["\\r", "\u{2028}", "\u{2029}"].iter().any(|end| text.contains(end))
                && schema.to_string().contains(".{");
            assert!(oracle.is_valid(&value) || oracle_errs, "{text} does not satisfy {schema}");
        }
    }
}

#[test]
fn walks_of_small_schemas_end_and_are_valid() {
    let mut random = Random(1);
    for schema in schemas() {
        for whitespace in [Whitespace::Compact, Whitespace::Flexible { max: 3 }, Whitespace::Indent(2)] {
            for key_order in [KeyOrder::Schema, KeyOrder::Any] {
                let options = Options { whitespace, key_order, ..Options::default() };
                check(&schema, &options, 12, &mut random);
            }
        }
    }
}

/// Objects of more names than a word has bits, in free key order: plain ones, required ones, and such as are judged.
#[test]
fn walks_of_wide_objects_end_and_are_valid() {
    let mut random = Random(8);
    for names in [65, 100, 128] {
        let name = |i: usize| format!("{}{i}", ["a", "key", "k"][i % 3]);
        let value = |i: usize| match i % 4 {
            0 => json!({"type": "integer"}),
            1 => json!({"type": "string", "maxLength": 3}),
            2 => json!({"enum": [i, "x"]}),
            _ => json!({"type": "array", "items": {"$ref": "#/$defs/leaf"}, "maxItems": 2}),
        };
        let properties: serde_json::Map<String, Value> = (0..names).map(|i| (name(i), value(i))).collect();
        let required = |step: usize| (0..names).filter(|i| i % step == 0).map(name).collect::<Vec<_>>();
        let base =
            json!({"type": "object", "properties": properties, "$defs": {"leaf": {"type": "boolean"}}});
        let with = |more: Value| {
            let mut schema = base.clone();
            schema.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            schema
        };
        let schemas = [
            with(json!({"required": required(16)})),
            with(json!({"required": required(3), "additionalProperties": false})),
            with(
                json!({"additionalProperties": false, "anyOf": [{"required": required(21)}, {"required": [name(1), name(names - 1)]}]}),
            ),
            with(
                json!({"required": required(32), "oneOf": [{"required": [name(0)]}, {"required": [name(names - 2)]}]}),
            ),
        ];
        for schema in schemas {
            for whitespace in [Whitespace::Compact, Whitespace::Indent(1)] {
                let options = Options { whitespace, key_order: KeyOrder::Any, ..Options::default() };
                check(&schema, &options, 4, &mut random);
            }
        }
    }
}

#[test]
fn a_small_depth_is_never_a_dead_end() {
    let mut random = Random(2);
    for schema in schemas() {
        for max_depth in 4..8 {
            let options = Options { max_depth, whitespace: Whitespace::Compact, ..Options::default() };
            check(&schema, &options, 12, &mut random);
        }
    }
}

#[test]
fn walks_of_real_schemas_end_and_are_valid() {
    let (Some(list), Some(folder)) = (data("maskbench-sample.txt"), data("maskbench")) else { return };
    let mut random = Random(3);
    let mut compiled = 0;
    for name in std::fs::read_to_string(list).unwrap().split_whitespace() {
        let file: Value = serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap();
        let Ok(g) = compile(&file["schema"], &Options::default()) else { continue };
        compiled += 1;
        check_grammar(&g, &file["schema"], 2, &mut random);
    }
    assert!(compiled > 300, "only {compiled} schemas compiled");
}

/// The same, of the whole corpus: some minutes with `--release`.
#[test]
#[ignore = "minutes"]
fn walks_of_all_real_schemas_end_and_are_valid() {
    let Some(folder) = data("maskbench") else { return };
    let mut random = Random(9);
    let (mut compiled, mut wrong) = (0, Vec::new());
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    for path in files {
        let file: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let Ok(g) = compile(&file["schema"], &Options::default()) else { continue };
        compiled += 1;
        let walks = std::panic::AssertUnwindSafe(|| check_grammar(&g, &file["schema"], 2, &mut random));
        if std::panic::catch_unwind(walks).is_err() {
            wrong.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    println!("{compiled} schemas compiled");
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(compiled > 5_000, "only {compiled} schemas compiled");
}

#[test]
fn merged_keys_come_in_the_order_of_their_first_appearance() {
    let schema = json!({"type": "object", "properties": {"z": {}}, "$ref": "#/$defs/b",
                        "$defs": {"b": {"properties": {"a": {}}}}});
    let g = compile(&schema, &Options::default()).unwrap();
    assert_eq!(common::accepts(&g, r#"{"z":1,"a":2}"#), Ok(()));
    assert_eq!(common::accepts(&g, r#"{"a":2,"z":1}"#), Err(9));
}

/// One constant, two references, a pair of subschemas: each met twice, the second time in another order.
#[test]
fn merged_keys_have_the_order_of_their_own_object() {
    let schema = json!({
        "$defs": {
            "ab": {"properties": {"a": {}, "b": {}}},
            "cd": {"properties": {"c": {}, "d": {}}},
            "in_ab": {"properties": {"in": {"$ref": "#/$defs/ab"}}},
            "in_cd": {"properties": {"in": {"$ref": "#/$defs/cd"}}},
        },
        "properties": {
            "const": {"const": {"b": 1, "a": 2}},
            "own": {"properties": {"a": {}, "b": {}}, "anyOf": [{"const": {"b": 1, "a": 2}}]},
            "one": {"$ref": "#/$defs/ab", "anyOf": [{"$ref": "#/$defs/cd"}]},
            "two": {"$ref": "#/$defs/cd", "anyOf": [{"$ref": "#/$defs/ab"}]},
            "inner one": {"$ref": "#/$defs/in_ab", "anyOf": [{"$ref": "#/$defs/in_cd"}]},
            "inner two": {"$ref": "#/$defs/in_cd", "anyOf": [{"$ref": "#/$defs/in_ab"}]},
            "either": {"type": "object", "anyOf": [{"$ref": "#/$defs/cd"}, {"$ref": "#/$defs/ab"}]},
        },
    });
    let g = compile(&schema, &Options::default()).unwrap();
    for text in [
        r#"{"const":{"b":1,"a":2}}"#,
        r#"{"own":{"a":2,"b":1}}"#,
        r#"{"one":{"a":1,"b":2,"c":3,"d":4}}"#,
        r#"{"two":{"c":3,"d":4,"a":1,"b":2}}"#,
        r#"{"inner one":{"in":{"a":1,"b":2,"c":3,"d":4}}}"#,
        r#"{"inner two":{"in":{"c":3,"d":4,"a":1,"b":2}}}"#,
        // Alternatives that stand by themselves keep their own orders.
        r#"{"either":{"c":3,"d":4,"b":1,"a":2}}"#,
        r#"{"either":{"a":3,"b":4,"d":1,"c":2}}"#,
    ] {
        assert_eq!(common::accepts(&g, text), Ok(()), "{text}");
    }
    for text in [
        r#"{"const":{"a"#,
        r#"{"own":{"b":1,"#,
        r#"{"one":{"c":3,"d":4,"a":"#,
        r#"{"two":{"a":1,"c":3,"b":"#,
        r#"{"inner one":{"in":{"c":3,"a":"#,
        r#"{"inner two":{"in":{"a":1,"c":"#,
    ] {
        assert!(common::accepts(&g, text).is_err_and(|read| read < text.len()), "{text}");
    }
}
