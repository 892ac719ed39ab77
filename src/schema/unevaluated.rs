//! `unevaluatedProperties` and `unevaluatedItems`, where it is known beforehand what the schemas applied in place
//! evaluate.
//!
//! What they evaluate depends on which of them hold. Each way in which they can hold is an alternative of its
//! own: its conditions, and what is evaluated then. Few alternatives are spelled out, more refused.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::draft::Version;
use super::lowering::{Lowering, Types};
use crate::error::Result;
use crate::ir::{NamePattern, NodeId, Property, Range, TRUE, TypeSet};

/// Most alternatives spelled out.
const MAX_ALTERNATIVES: usize = 64;

/// Most schemas of an `anyOf` whose sets are told apart.
const MAX_ANY: usize = 4;

/// Most schemas applied in place one within the other.
const MAX_DEPTH: u32 = 24;

/// What is evaluated if some conditions hold.
#[derive(Clone, Default)]
struct Evaluated {
    conditions: Vec<NodeId>,
    names: Vec<Arc<str>>,
    patterns: Vec<NodeId>,
    all_members: bool,
    prefix: usize,
    contained: Vec<NodeId>,
    all_items: bool,
}

impl Evaluated {
    fn with(&self, other: &Evaluated) -> Evaluated {
        let mut both = self.clone();
        both.conditions.extend(&other.conditions);
        for name in &other.names {
            if !both.names.contains(name) {
                both.names.push(name.clone());
            }
        }
        both.patterns.extend(&other.patterns);
        both.contained.extend(&other.contained);
        both.all_members |= other.all_members;
        both.all_items |= other.all_items;
        both.prefix = both.prefix.max(other.prefix);
        both
    }

    fn is_nothing(&self) -> bool {
        self.names.is_empty()
            && self.patterns.is_empty()
            && self.contained.is_empty()
            && !self.all_members
            && !self.all_items
            && self.prefix == 0
    }
}

/// Every combination of one alternative of each list; `None` if there are too many.
fn combinations(lists: Vec<Vec<Evaluated>>) -> Option<Vec<Evaluated>> {
    let mut all = vec![Evaluated::default()];
    for list in lists {
        all = all.iter().flat_map(|a| list.iter().map(move |b| a.with(b))).collect();
        if all.len() > MAX_ALTERNATIVES {
            return None;
        }
    }
    Some(all)
}

impl<'a> Lowering<'a> {
    /// Pushes what `unevaluatedProperties` and `unevaluatedItems` assert.
    pub fn unevaluated(
        &mut self,
        map: &'a Map<String, Value>,
        types: Types,
        all: &mut Vec<NodeId>,
    ) -> Result<()> {
        for (keyword, about) in
            [("unevaluatedProperties", TypeSet::OBJECT), ("unevaluatedItems", TypeSet::ARRAY)]
        {
            let Some(schema) = map.get(keyword).filter(|_| types.set.contains(about)) else { continue };
            let rest = self.child(&[keyword], schema)?;
            if rest == TRUE {
                continue;
            }
            let Some(alternatives) = self.evaluated(map, 0)? else {
                let message = format!(
                    "\"{keyword}\" is not enforced beside so many schemas, which of them hold being unknown; write {}",
                    if about == TypeSet::OBJECT { "additionalProperties" } else { "items" }
                );
                self.unsupported(keyword, message)?;
                continue;
            };
            let mut any = Vec::with_capacity(alternatives.len());
            for alternative in alternatives {
                any.push(self.at_keyword(keyword, |lowering| {
                    let closed = if about == TypeSet::OBJECT {
                        lowering.rest_of_members(&alternative, rest)
                    } else {
                        lowering.rest_of_items(&alternative, rest)
                    };
                    let conditions = alternative.conditions.iter().copied().chain([closed]);
                    lowering.ir.and(conditions)
                }));
            }
            all.push(self.at_keyword(keyword, |lowering| lowering.ir.or(any)));
        }
        Ok(())
    }

    fn rest_of_members(&mut self, evaluated: &Evaluated, rest: NodeId) -> NodeId {
        if evaluated.all_members {
            return TRUE;
        }
        let property = |name: &Arc<str>| Property { name: name.clone(), schema: TRUE, required: false };
        let properties: Vec<Property> = evaluated.names.iter().map(property).collect();
        let patterns = evaluated.patterns.iter().map(|&name| NamePattern { name, schema: TRUE }).collect();
        let declared = properties.len() as u32;
        self.ir.object_of(properties, declared, patterns, rest)
    }

    fn rest_of_items(&mut self, evaluated: &Evaluated, rest: NodeId) -> NodeId {
        if evaluated.all_items {
            return TRUE;
        }
        let rest = self.ir.or(evaluated.contained.iter().copied().chain([rest]));
        self.ir.array(vec![TRUE; evaluated.prefix], rest, Range::ANY)
    }

    /// The alternatives of what a schema evaluates, its own `unevaluated…` aside. `None` if there are too many.
    fn evaluated(&mut self, map: &'a Map<String, Value>, depth: u32) -> Result<Option<Vec<Evaluated>>> {
        if depth > MAX_DEPTH {
            return Ok(None);
        }
        if self.draft.ref_overrides()
            && let Some(reference) = map.get("$ref")
        {
            return self.evaluated_by_reference(reference, depth);
        }
        let mut own = Evaluated::default();
        let object = |keyword: &str| map.get(keyword).and_then(Value::as_object).into_iter().flatten();
        own.names.extend(object("properties").map(|(name, _)| Arc::from(name.as_str())));
        for (source, _) in object("patternProperties") {
            own.patterns.extend(self.pattern_at(source, "patternProperties")?);
        }
        own.all_members = map.contains_key("additionalProperties");
        let items = map.get("items");
        let list = map.get("prefixItems").or(items.filter(|i| i.is_array()));
        own.prefix = list.and_then(Value::as_array).map_or(0, Vec::len);
        own.all_items = items.is_some_and(|i| !i.is_array())
            || items.is_some_and(Value::is_array) && map.contains_key("additionalItems");
        if let Some(contains) = map.get("contains").filter(|_| self.draft.version != Version::D2019) {
            let node = self.child(&["contains"], contains)?;
            own.contained.push(node);
        }
        if depth > 0 {
            own.all_members |= map.contains_key("unevaluatedProperties");
            own.all_items |= map.contains_key("unevaluatedItems");
        }
        let mut lists = vec![vec![own]];
        for (name, value) in map {
            let list = match name.as_str() {
                "$ref" | "$dynamicRef" | "$recursiveRef" => self.evaluated_by_reference(value, depth)?,
                "allOf" => {
                    let mut all = Vec::new();
                    for (i, schema) in value.as_array().into_iter().flatten().enumerate() {
                        let Some(one) = self.evaluated_below(&["allOf", &i.to_string()], schema, depth)?
                        else {
                            return Ok(None);
                        };
                        all.push(one);
                    }
                    combinations(all)
                }
                "anyOf" | "oneOf" => self.evaluated_by_one(name, value, depth)?,
                "if" => self.evaluated_by_condition(map, value, depth)?,
                "dependentSchemas" | "dependencies" => {
                    let mut all = Vec::new();
                    for (key, schema) in value.as_object().into_iter().flatten() {
                        if schema.is_array() || schema.is_string() {
                            continue;
                        }
                        let Some(mut some) = self.evaluated_below(&[name, key], schema, depth)? else {
                            return Ok(None);
                        };
                        if some.iter().all(Evaluated::is_nothing) {
                            continue;
                        }
                        let (present, absent) = (self.requires(&[key]), self.forbids(key));
                        some.iter_mut().for_each(|e| e.conditions.push(present));
                        some.push(Evaluated { conditions: vec![absent], ..Evaluated::default() });
                        all.push(some);
                    }
                    combinations(all)
                }
                _ => continue,
            };
            let Some(list) = list else { return Ok(None) };
            lists.push(list);
        }
        Ok(combinations(lists))
    }

    fn evaluated_below(
        &mut self,
        tokens: &[&str],
        schema: &'a Value,
        depth: u32,
    ) -> Result<Option<Vec<Evaluated>>> {
        let Some(map) = schema.as_object() else { return Ok(Some(vec![Evaluated::default()])) };
        let (length, outside) = (self.path.len(), (self.scope, self.draft));
        if let Some(inside) = self.references.enter(schema, self.scope)? {
            (self.scope, self.draft) = inside;
        }
        tokens.iter().for_each(|t| super::pointer::push(&mut self.path, t));
        let found = self.evaluated(map, depth + 1);
        self.path.truncate(length);
        (self.scope, self.draft) = outside;
        found
    }

    fn evaluated_by_reference(&mut self, reference: &Value, depth: u32) -> Result<Option<Vec<Evaluated>>> {
        let Ok(id) = self.references.target(reference, self.scope) else { return Ok(None) };
        let target = &self.references.targets[id];
        let (schema, pointer, scope) = (target.schema, target.pointer.clone(), target.scope);
        let outside = (self.scope, self.draft);
        (self.scope, self.draft) = (scope, self.references.draft(id));
        let path = std::mem::replace(&mut self.path, pointer);
        let found = self.evaluated_below(&[], schema, depth);
        self.path = path;
        (self.scope, self.draft) = outside;
        found
    }

    /// `anyOf`: whichever hold, together; `oneOf`: the one that holds.
    fn evaluated_by_one(
        &mut self,
        keyword: &str,
        value: &'a Value,
        depth: u32,
    ) -> Result<Option<Vec<Evaluated>>> {
        let mut parts = Vec::new();
        for (i, schema) in value.as_array().into_iter().flatten().enumerate() {
            let Some(some) = self.evaluated_below(&[keyword, &i.to_string()], schema, depth)? else {
                return Ok(None);
            };
            parts.push((i, schema, some));
        }
        if parts.iter().all(|p| p.2.iter().all(Evaluated::is_nothing)) {
            return Ok(Some(vec![Evaluated::default()]));
        }
        if keyword == "anyOf" && parts.len() > MAX_ANY || parts.len() > MAX_ALTERNATIVES {
            return Ok(None);
        }
        for (i, schema, some) in &mut parts {
            let node = self.child_of_list(keyword, *i, schema)?;
            some.iter_mut().for_each(|e| e.conditions.push(node));
        }
        if keyword == "oneOf" {
            return Ok(Some(parts.into_iter().flat_map(|p| p.2).collect()));
        }
        let mut all = Vec::new();
        for set in 1..1usize << parts.len() {
            let chosen =
                parts.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1).map(|(_, p)| p.2.clone());
            let Some(some) = combinations(chosen.collect()) else { return Ok(None) };
            all.extend(some);
        }
        Ok((all.len() <= MAX_ALTERNATIVES).then_some(all))
    }

    fn evaluated_by_condition(
        &mut self,
        map: &'a Map<String, Value>,
        condition: &'a Value,
        depth: u32,
    ) -> Result<Option<Vec<Evaluated>>> {
        let mut sides = Vec::new();
        let Some(holding) = self.evaluated_below(&["if"], condition, depth)? else { return Ok(None) };
        for keyword in ["then", "else"] {
            let side = match map.get(keyword) {
                Some(schema) => self.evaluated_below(&[keyword], schema, depth)?,
                None => Some(vec![Evaluated::default()]),
            };
            let Some(side) = side else { return Ok(None) };
            sides.push(side);
        }
        let otherwise = sides.pop().expect("two sides");
        let Some(mut then) = combinations(vec![holding, sides.pop().expect("two sides")]) else {
            return Ok(None);
        };
        if then.iter().chain(&otherwise).all(Evaluated::is_nothing) {
            return Ok(Some(vec![Evaluated::default()]));
        }
        let node = self.child(&["if"], condition)?;
        let not = self.at_keyword("if", |lowering| lowering.ir.not(node));
        then.iter_mut().for_each(|e| e.conditions.push(node));
        then.extend(otherwise.into_iter().map(|mut e| {
            e.conditions.push(not);
            e
        }));
        Ok(Some(then))
    }
}
