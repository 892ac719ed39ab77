//! Instances as text, and their keys in the schema's order.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Map, Value};

use super::fits::fits;

/// How deep references and applicators are followed at one place.
const FOLLOWED: usize = 16;

/// The text of an instance with `", "` and `": "` between items, as Python's
/// `json.dumps(value, ensure_ascii=False)` writes it. Numbers keep their spelling, but for a sign that an
/// exponent gains in parsing.
pub fn text(value: &Value) -> String {
    let mut out = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut out, Spaced)).expect("a vector takes every write");
    String::from_utf8(out).expect("JSON is UTF-8")
}

/// `, ` between items and `: ` after keys.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}

/// Whose order the keys of an object with alternatives are written in. An object that is generated has the order
/// of one of them, or that of all together where they are judged together (docs/SCHEMA.md, Order of keys).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Alternatives {
    /// All of them, one after the other.
    Merged,
    /// The first that the value seems written for.
    Fitting,
}

/// The same instance with the keys that the schema declares first and in its order, then those that are
/// only required, then the others in their own order.
///
/// Best effort: the schemas that may speak about a place are collected through `properties`, `items`,
/// local references and applicators, without judging which conditions apply.
pub fn reordered(schema: &Value, instance: &Value, alternatives: Alternatives) -> Value {
    reorder(schema, &[schema], instance, alternatives)
}

fn reorder(root: &Value, schemas: &[&Value], instance: &Value, alternatives: Alternatives) -> Value {
    let mut all = Vec::new();
    let place = Place { root, instance, alternatives };
    for schema in schemas {
        collect(place, schema, FOLLOWED, &mut all);
    }
    match instance {
        Value::Object(members) => {
            let member = |key: &String| {
                let schemas: Vec<&Value> = all.iter().flat_map(|s| member_schemas(s, key)).collect();
                (key.clone(), reorder(root, &schemas, &members[key], alternatives))
            };
            Value::Object(key_order(&all, members).into_iter().map(member).collect())
        }
        Value::Array(items) => {
            let item = |(k, item): (usize, &Value)| {
                let schemas: Vec<&Value> = all.iter().filter_map(|s| item_schema(s, k)).collect();
                reorder(root, &schemas, item, alternatives)
            };
            Value::Array(items.iter().enumerate().map(item).collect())
        }
        scalar => scalar.clone(),
    }
}

/// The members' keys in the order they are to be written in.
fn key_order<'a>(schemas: &[&'a Value], members: &'a Map<String, Value>) -> Vec<&'a String> {
    let declared = schemas.iter().filter_map(|s| s.get("properties")?.as_object()).flat_map(Map::keys);
    let required = schemas.iter().filter_map(|s| s.get("required")?.as_array()).flatten();
    let required = required.filter_map(|key| members.get_key_value(key.as_str()?)).map(|(key, _)| key);
    let mut order: Vec<&String> = Vec::new();
    for key in declared.chain(required).chain(members.keys()) {
        if members.contains_key(key) && !order.contains(&key) {
            order.push(key);
        }
    }
    order
}

/// A value in an instance, and the document that speaks about it.
#[derive(Clone, Copy)]
struct Place<'a, 'v> {
    root: &'a Value,
    instance: &'v Value,
    alternatives: Alternatives,
}

/// `schema` and what it refers to or applies in place.
fn collect<'a>(place: Place<'a, '_>, schema: &'a Value, left: usize, out: &mut Vec<&'a Value>) {
    if left == 0 || out.iter().any(|seen| std::ptr::eq(*seen, schema)) {
        return;
    }
    out.push(schema);
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        match (keyword.as_str(), value) {
            ("$ref", Value::String(reference)) => {
                if let Some(target) = reference.strip_prefix('#').and_then(|at| place.root.pointer(at)) {
                    collect(place, target, left - 1, out);
                }
            }
            ("anyOf" | "oneOf", Value::Array(list)) if place.alternatives == Alternatives::Fitting => {
                let fitting = list.iter().find(|part| fits(place.root, part, place.instance));
                fitting.into_iter().for_each(|part| collect(place, part, left - 1, out));
            }
            ("allOf" | "anyOf" | "oneOf", Value::Array(list)) => {
                list.iter().for_each(|part| collect(place, part, left - 1, out));
            }
            ("if", condition) => {
                let branches = ["then", "else"].into_iter().filter_map(|keyword| schema.get(keyword));
                [condition].into_iter().chain(branches).for_each(|part| collect(place, part, left - 1, out));
            }
            ("dependentSchemas" | "dependencies", Value::Object(map)) => {
                map.values().for_each(|part| collect(place, part, left - 1, out));
            }
            _ => {}
        }
    }
}

fn member_schemas<'a>(schema: &'a Value, key: &str) -> Vec<&'a Value> {
    let declared = schema.get("properties").and_then(|p| p.get(key));
    let patterns = schema.get("patternProperties").and_then(Value::as_object);
    let others = declared.or_else(|| schema.get("additionalProperties"));
    others.into_iter().chain(patterns.into_iter().flat_map(Map::values)).collect()
}

fn item_schema(schema: &Value, index: usize) -> Option<&Value> {
    let prefix = schema.get("prefixItems").and_then(|p| p.get(index));
    match schema.get("items") {
        _ if prefix.is_some() => prefix,
        Some(Value::Array(items)) => items.get(index).or_else(|| schema.get("additionalItems")),
        items => items,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_is_pythons() {
        // json.dumps of the same value, except for -0.50 and 1e5, which Python writes as -0.5 and 100000.0.
        let value: Value =
            serde_json::from_str(r#"{"a":[1,-0.50,1e5,{}],"é\"":"\u0001\n\/\u007f","b":[],"c":null}"#)
                .unwrap();
        assert_eq!(
            text(&value),
            "{\"a\": [1, -0.50, 1e+5, {}], \"é\\\"\": \"\\u0001\\n/\u{7f}\", \"b\": [], \"c\": null}"
        );
    }

    #[test]
    fn declared_keys_come_in_the_schemas_order() {
        let schema = json!({
            "properties": {"b": {"$ref": "#/$defs/pair"}, "a": {"items": {"$ref": "#/$defs/pair"}}},
            "required": ["z"],
            "$defs": {"pair": {"anyOf": [{"properties": {"y": {}, "x": {}}}]}},
        });
        let instance = json!({"open": 0, "z": 1, "a": [{"x": 1, "y": 2}, 3], "b": {"w": 0, "x": 1, "y": 2}});
        assert_eq!(
            reordered(&schema, &instance, Alternatives::Merged).to_string(),
            r#"{"b":{"y":2,"x":1,"w":0},"a":[{"y":2,"x":1},3],"z":1,"open":0}"#
        );
    }

    #[test]
    fn an_alternative_has_its_own_order() {
        let schema = json!({"anyOf": [
            {"properties": {"a": {}, "kind": {"const": "p"}}, "required": ["kind"]},
            {"properties": {"kind": {"const": "q"}, "b": {}, "a": {}}, "required": ["kind"]},
        ]});
        let instance = json!({"a": 0, "b": 1, "kind": "q"});
        let written = |alternatives| reordered(&schema, &instance, alternatives).to_string();
        assert_eq!(written(Alternatives::Merged), r#"{"a":0,"kind":"q","b":1}"#);
        assert_eq!(written(Alternatives::Fitting), r#"{"kind":"q","b":1,"a":0}"#);
    }
}
