//! Writes the members of objects in the order in which a schema declares them, as well as can be told
//! without deciding which alternatives hold: what the engine demands under `KeyOrder::Schema`.
#![allow(dead_code)]

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Which alternatives of an `anyOf` name the order.
#[derive(Clone, Copy, Debug)]
pub enum Pick {
    /// All of them, one after the other.
    All,
    /// Only the one with this number, modulo how many there are.
    Only(usize),
}

/// The value with the members of its objects in the order of `schema`, and that order by every pick, without
/// repetitions; the value as it is comes first.
pub fn orders(schema: &Value, value: &Value) -> Vec<Value> {
    let mut found = vec![value.clone()];
    let mut texts = BTreeSet::from([value.to_string()]);
    let picks = std::iter::once(Pick::All).chain((0..12).map(Pick::Only));
    for pick in picks {
        let reorder = Reorder { root: schema, pick };
        let next = reorder.value(value, &[schema], 0);
        // Values are equal whatever the order of their members; their texts are not.
        if texts.insert(next.to_string()) {
            found.push(next);
        }
    }
    found
}

struct Reorder<'a> {
    root: &'a Value,
    pick: Pick,
}

impl<'a> Reorder<'a> {
    fn value(&self, value: &Value, schemas: &[&'a Value], depth: u32) -> Value {
        let mut all = Vec::new();
        for schema in schemas {
            self.in_place(schema, 0, &mut all);
        }
        if depth > 60 {
            return value.clone();
        }
        match value {
            Value::Object(members) => Value::Object(self.object(members, &all, depth)),
            Value::Array(items) => {
                let item = |(i, item): (usize, &Value)| {
                    let schemas: Vec<&Value> = all.iter().filter_map(|s| item_schema(s, i)).collect();
                    self.value(item, &schemas, depth + 1)
                };
                Value::Array(items.iter().enumerate().map(item).collect())
            }
            other => other.clone(),
        }
    }

    fn object(&self, members: &Map<String, Value>, all: &[&'a Value], depth: u32) -> Map<String, Value> {
        let mut order: Vec<&str> = Vec::new();
        let declared = all.iter().filter_map(|s| s.get("properties")?.as_object());
        order.extend(declared.flat_map(|p| p.keys().map(String::as_str)));
        let dependent: Vec<(&str, &'a Value)> = all
            .iter()
            .flat_map(|s| ["dependentRequired", "dependentSchemas", "dependencies"].map(|k| s.get(k)))
            .filter_map(|d| d?.as_object())
            .flat_map(|d| d.iter().map(|(name, entry)| (name.as_str(), entry)))
            .collect();
        order.extend(dependent.iter().map(|d| d.0));
        let constants = all.iter().flat_map(|s| {
            let one = s.get("const").into_iter();
            one.chain(s.get("enum").and_then(Value::as_array).into_iter().flatten())
        });
        order.extend(constants.filter_map(Value::as_object).flat_map(|o| o.keys().map(String::as_str)));
        let required = all.iter().filter_map(|s| s.get("required")?.as_array()).flatten();
        order.extend(required.filter_map(Value::as_str));
        order.extend(dependent.iter().filter_map(|d| d.1.as_array()).flatten().filter_map(Value::as_str));
        order.extend(members.keys().map(String::as_str));
        let mut result = Map::new();
        for name in order {
            let Some(value) = members.get(name).filter(|_| !result.contains_key(name)) else { continue };
            let schemas: Vec<&Value> = all
                .iter()
                .flat_map(|s| {
                    let pattern = s.get("patternProperties").and_then(Value::as_object);
                    let own = s.get("properties").and_then(|p| p.get(name));
                    let others = own.or_else(|| s.get("additionalProperties"));
                    others.into_iter().chain(pattern.into_iter().flat_map(Map::values))
                })
                .collect();
            let constant = |s: &&'a Value| s.get("const").and_then(|c| c.get(name));
            let inner = match all.iter().find_map(constant) {
                // A constant has its own order.
                Some(constant) if constant == value => constant.clone(),
                _ => self.value(value, &schemas, depth + 1),
            };
            result.insert(name.to_owned(), inner);
        }
        result
    }

    /// A schema with those it applies in place: references and alternatives.
    fn in_place(&self, schema: &'a Value, depth: u32, all: &mut Vec<&'a Value>) {
        if depth > 30 || all.len() > 2_000 {
            return;
        }
        all.push(schema);
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|r| self.resolve(r));
        if let Some(target) = target {
            self.in_place(target, depth + 1, all);
        }
        for (keyword, value) in schema.as_object().into_iter().flatten() {
            match (keyword.as_str(), value) {
                ("allOf", Value::Array(list)) => {
                    list.iter().for_each(|schema| self.in_place(schema, depth + 1, all));
                }
                ("anyOf" | "oneOf", Value::Array(list)) => {
                    for (i, alternative) in list.iter().enumerate() {
                        match self.pick {
                            Pick::Only(n) if n % list.len() != i => {}
                            _ => self.in_place(alternative, depth + 1, all),
                        }
                    }
                }
                ("if", condition) => {
                    self.in_place(condition, depth + 1, all);
                    for branch in ["then", "else"].iter().filter_map(|k| schema.get(k)) {
                        self.in_place(branch, depth + 1, all);
                    }
                }
                ("dependentSchemas" | "dependencies", Value::Object(map)) => {
                    map.values().for_each(|schema| self.in_place(schema, depth + 1, all));
                }
                _ => {}
            }
        }
        if let Some(not) = schema.get("not") {
            self.in_place(not, depth + 1, all);
        }
    }

    fn resolve(&self, reference: &str) -> Option<&'a Value> {
        let fragment = reference.strip_prefix('#')?;
        let mut plain = Vec::new();
        let mut bytes = fragment.bytes();
        while let Some(b) = bytes.next() {
            if b == b'%' {
                let hex: Vec<u8> = bytes.by_ref().take(2).collect();
                plain.push(u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?);
            } else {
                plain.push(b);
            }
        }
        self.root.pointer(std::str::from_utf8(&plain).ok()?)
    }
}

fn item_schema(schema: &Value, index: usize) -> Option<&Value> {
    let items = schema.get("items");
    let listed = schema.get("prefixItems").or(items.filter(|i| i.is_array()));
    if let Some(found) = listed.and_then(Value::as_array).and_then(|list| list.get(index)) {
        return Some(found);
    }
    if items.is_some_and(Value::is_array) { schema.get("additionalItems") } else { items }
}
