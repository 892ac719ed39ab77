//! A small validator of its own: which spelled-out values does a schema allow in the order it declares?
//!
//! Written from the documentation, not from the engine: `properties` in their order, then names that are
//! only required, then undeclared ones, which may repeat. Alternatives keep their own order, unless the
//! schema around them says something about objects too: then all names have one order.
#![allow(dead_code)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::Value;

/// A value as it is spelled: members in order, repetitions kept.
#[derive(Clone, Debug)]
pub enum Tree {
    Null,
    Bool(bool),
    /// The text.
    Number(String),
    /// The characters, and whether each has its shortest spelling.
    String(String, bool),
    Array(Vec<Rc<Tree>>),
    Object(Vec<(String, Rc<Tree>)>),
}

impl Tree {
    /// The value, the last of repeated members winning.
    pub fn value(&self) -> Value {
        match self {
            Tree::Null => Value::Null,
            Tree::Bool(b) => Value::Bool(*b),
            Tree::Number(text) => serde_json::from_str(text).expect("a number"),
            Tree::String(text, _) => Value::from(text.as_str()),
            Tree::Array(items) => items.iter().map(|i| i.value()).collect(),
            Tree::Object(members) => {
                Value::Object(members.iter().map(|(k, v)| (k.clone(), v.value())).collect())
            }
        }
    }

    /// Whether a name is written twice in some object.
    pub fn repeats(&self) -> bool {
        match self {
            Tree::Array(items) => items.iter().any(|i| i.repeats()),
            Tree::Object(members) => {
                let twice = |i: usize| members[..i].iter().any(|m| m.0 == members[i].0);
                (0..members.len()).any(|i| twice(i) || members[i].1.repeats())
            }
            _ => false,
        }
    }

    /// Whether every string has its shortest spelling.
    pub fn canonical(&self) -> bool {
        match self {
            Tree::String(_, canonical) => *canonical,
            Tree::Array(items) => items.iter().all(|i| i.canonical()),
            Tree::Object(members) => members.iter().all(|m| m.1.canonical()),
            _ => true,
        }
    }
}

/// Judges trees by one schema.
pub struct Ordered<'a> {
    root: &'a Value,
    patterns: RefCell<HashMap<String, jsonschema::Validator>>,
}

impl<'a> Ordered<'a> {
    pub fn new(root: &'a Value) -> Self {
        Ordered { root, patterns: RefCell::default() }
    }

    pub fn allows(&self, tree: &Tree) -> bool {
        self.holds(self.root, tree, true)
    }

    fn holds(&self, schema: &Value, tree: &Tree, order: bool) -> bool {
        let Some(map) = schema.as_object() else { return schema == true };
        if let Some(target) = map.get("$ref") {
            let pointer = target.as_str().unwrap().strip_prefix('#').unwrap();
            return self.holds(self.root.pointer(pointer).unwrap(), tree, order);
        }
        let merged = ["properties", "required", "additionalProperties"].iter().any(|k| map.contains_key(*k));
        if let (true, true, Tree::Object(members)) = (order, merged, tree)
            && !in_order(&self.names(schema), members)
        {
            return false;
        }
        self.asserts(schema, tree)
            && map.get("anyOf").is_none_or(|any| {
                any.as_array().unwrap().iter().any(|s| self.holds(s, tree, order && !merged))
            })
    }

    fn names(&self, schema: &Value) -> Vec<String> {
        let (mut declared, mut required) = (Vec::new(), Vec::new());
        let mut todo = vec![schema];
        while let Some(schema) = todo.pop() {
            let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
            declared.extend(properties.map(|(k, _)| k.clone()));
            let names = schema.get("required").and_then(Value::as_array).into_iter().flatten();
            required.extend(names.map(|k| k.as_str().unwrap().to_owned()));
            todo.extend(schema.get("anyOf").and_then(Value::as_array).into_iter().flatten().rev());
        }
        let mut names = Vec::new();
        for name in declared.into_iter().chain(required) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn asserts(&self, schema: &Value, tree: &Tree) -> bool {
        let number = |name: &str| schema.get(name).and_then(Value::as_f64);
        let within = |n: usize, least: &str, most: &str| {
            number(least).is_none_or(|m| n as f64 >= m) && number(most).is_none_or(|m| n as f64 <= m)
        };
        if let Some(types) = schema.get("type") {
            let one = |t: &Value| {
                matches!(
                    (t.as_str().unwrap(), tree),
                    ("null", Tree::Null)
                        | ("boolean", Tree::Bool(_))
                        | ("number", Tree::Number(_))
                        | ("string", Tree::String(..))
                        | ("array", Tree::Array(_))
                        | ("object", Tree::Object(_))
                ) || matches!(tree, Tree::Number(n) if t == "integer" && !n.contains('.'))
            };
            if !types.as_array().map_or_else(|| one(types), |list| list.iter().any(one)) {
                return false;
            }
        }
        let constants = schema.get("enum").and_then(Value::as_array);
        if constants.is_some_and(|list| !list.iter().any(|c| self.equals(c, tree))) {
            return false;
        }
        if schema.get("const").is_some_and(|c| !self.equals(c, tree)) {
            return false;
        }
        match tree {
            Tree::Null | Tree::Bool(_) => true,
            Tree::Number(text) => {
                let n: f64 = text.parse().unwrap();
                // Zero is never written with a sign.
                !(n == 0.0 && text.starts_with('-'))
                    && number("minimum").is_none_or(|m| n >= m)
                    && number("maximum").is_none_or(|m| n <= m)
                    && number("exclusiveMinimum").is_none_or(|m| n > m)
                    && number("exclusiveMaximum").is_none_or(|m| n < m)
                    && number("multipleOf").is_none_or(|m| n % m == 0.0 && !text.contains('.'))
            }
            Tree::String(text, canonical) => {
                within(text.chars().count(), "minLength", "maxLength")
                    && schema
                        .get("pattern")
                        .is_none_or(|p| *canonical && self.matches(p.as_str().unwrap(), text))
            }
            Tree::Array(items) => {
                let prefix = schema.get("prefixItems").and_then(Value::as_array);
                let item = |i: usize| prefix.and_then(|p| p.get(i)).or_else(|| schema.get("items"));
                within(items.len(), "minItems", "maxItems")
                    && items.iter().enumerate().all(|(i, t)| item(i).is_none_or(|s| self.holds(s, t, true)))
            }
            Tree::Object(members) => {
                let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
                let properties = schema.get("properties");
                let inner = |name: &str| {
                    properties.and_then(|p| p.get(name)).or_else(|| schema.get("additionalProperties"))
                };
                required.map(|r| r.as_str().unwrap()).all(|r| members.iter().any(|m| m.0 == r))
                    && members.iter().all(|(k, t)| inner(k).is_none_or(|s| self.holds(s, t, true)))
            }
        }
    }

    fn matches(&self, pattern: &str, text: &str) -> bool {
        let mut patterns = self.patterns.borrow_mut();
        let validator = patterns.entry(pattern.to_owned()).or_insert_with(|| {
            jsonschema::validator_for(&serde_json::json!({ "pattern": pattern })).expect("a pattern")
        });
        validator.is_valid(&Value::from(text))
    }

    /// A constant: its own order, one spelling.
    fn equals(&self, constant: &Value, tree: &Tree) -> bool {
        match (constant, tree) {
            (Value::Null, Tree::Null) => true,
            (Value::Bool(a), Tree::Bool(b)) => a == b,
            (Value::Number(a), Tree::Number(b)) => a.to_string() == *b,
            (Value::String(a), Tree::String(b, canonical)) => a == b && *canonical,
            (Value::Array(a), Tree::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| self.equals(a, b))
            }
            (Value::Object(a), Tree::Object(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| *a.0 == b.0 && self.equals(a.1, &b.1))
            }
            _ => false,
        }
    }
}

/// Declared names in their order, each once, before all others.
fn in_order(names: &[String], members: &[(String, Rc<Tree>)]) -> bool {
    let places: Vec<usize> =
        members.iter().map(|m| names.iter().position(|n| *n == m.0).unwrap_or(names.len())).collect();
    places.windows(2).all(|w| w[0] < w[1] || w[0] == names.len() && w[1] == names.len())
}
