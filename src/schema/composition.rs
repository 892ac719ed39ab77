//! Schemas applied in place: `allOf`, `anyOf`, `oneOf`, `not`, `if`, `dependentRequired`, `dependentSchemas` and
//! `dependencies`.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::lowering::{Lowering, Types};
use crate::error::Result;
use crate::ir::{FALSE, NodeId, Property, TRUE, TypeSet};

impl<'a> Lowering<'a> {
    /// Pushes what is applied in place, in textual order.
    pub fn in_place(
        &mut self,
        map: &'a Map<String, Value>,
        types: Types,
        all: &mut Vec<NodeId>,
    ) -> Result<()> {
        let object = types.set.contains(TypeSet::OBJECT);
        for (name, value) in map {
            let done = match name.as_str() {
                "$ref" | "$dynamicRef" | "$recursiveRef" => {
                    self.reference(name, value).map(|node| all.push(node))
                }
                "dependentRequired" | "dependentSchemas" | "dependencies" if object => {
                    self.dependencies(name, value, all)
                }
                "allOf" => self.schemas("allOf", value).map(|list| all.extend(list)),
                "anyOf" => self.schemas("anyOf", value).map(|list| all.push(self.ir.or(list))),
                "oneOf" => self
                    .schemas("oneOf", value)
                    .map(|list| all.push(self.at_keyword("oneOf", |lowering| lowering.ir.one(list)))),
                "not" => self
                    .child(&["not"], value)
                    .map(|node| all.push(self.at_keyword("not", |lowering| lowering.ir.not(node)))),
                "if" => self.conditional(map, value).map(|node| all.push(node)),
                _ => continue,
            };
            self.or_problem(done, ())?;
        }
        Ok(())
    }

    /// A keyword's list of schemas.
    pub fn schemas(&mut self, keyword: &str, value: &'a Value) -> Result<Vec<NodeId>> {
        let Some(list) = value.as_array().filter(|list| !list.is_empty()) else {
            return Err(self.invalid(keyword, "a list of at least one schema"));
        };
        list.iter().enumerate().map(|(i, schema)| self.child_of_list(keyword, i, schema)).collect()
    }

    /// `if`, `then` and `else`: what satisfies the condition satisfies `then`, what does not, `else`.
    fn conditional(&mut self, map: &'a Map<String, Value>, condition: &'a Value) -> Result<NodeId> {
        let branch = |lowering: &mut Self, keyword: &str| match map.get(keyword) {
            Some(schema) => lowering.child(&[keyword], schema),
            None => Ok(TRUE),
        };
        let (then, otherwise) = (branch(self, "then")?, branch(self, "else")?);
        if then == otherwise {
            return Ok(then);
        }
        let condition = self.child(&["if"], condition)?;
        Ok(self.at_keyword("if", |lowering| {
            let not = lowering.ir.not(condition);
            let (yes, no) = if then == TRUE {
                (condition, lowering.ir.and([not, otherwise]))
            } else if otherwise == TRUE {
                (lowering.ir.and([condition, then]), not)
            } else {
                (lowering.ir.and([condition, then]), lowering.ir.and([not, otherwise]))
            };
            lowering.ir.or([yes, no])
        }))
    }

    /// A keyword that says what a property's presence entails: other names, or a schema.
    fn dependencies(&mut self, keyword: &str, value: &'a Value, all: &mut Vec<NodeId>) -> Result<()> {
        let Some(entries) = value.as_object() else {
            return Err(self.invalid(keyword, "an object"));
        };
        for (name, entry) in entries {
            let names: Option<Vec<&str>> = match entry {
                Value::Array(list) => list.iter().map(Value::as_str).collect(),
                Value::String(one) if keyword == "dependencies" => Some(vec![one]),
                _ => None,
            };
            let then = match (keyword, names) {
                ("dependentRequired" | "dependencies", Some(names)) => self.requires(&names),
                ("dependentSchemas" | "dependencies", None) => self.child(&[keyword, name], entry)?,
                _ => return Err(self.invalid(keyword, "an object of lists of names")),
            };
            if then != TRUE {
                let absent = self.forbids(name);
                all.push(self.at_keyword(keyword, |lowering| lowering.ir.or([absent, then])));
            }
        }
        Ok(())
    }

    /// Objects have all of these names.
    pub fn requires(&mut self, names: &[&str]) -> NodeId {
        let mut properties: Vec<Property> = Vec::with_capacity(names.len());
        for name in names {
            if properties.iter().all(|p| &*p.name != *name) {
                properties.push(Property { name: Arc::from(*name), schema: TRUE, required: true });
            }
        }
        self.ir.object(properties, 0, TRUE)
    }

    /// Objects do not have this name.
    pub fn forbids(&mut self, name: &str) -> NodeId {
        self.ir.object(vec![Property { name: Arc::from(name), schema: FALSE, required: false }], 1, TRUE)
    }

    /// Builds nodes that are said to come from a keyword of the current schema.
    pub fn at_keyword(&mut self, keyword: &str, build: impl FnOnce(&mut Self) -> NodeId) -> NodeId {
        let place = self.ir.place();
        self.ir.set_place(super::pointer::keep(&self.pointer_to(keyword)));
        let node = build(self);
        self.ir.set_place(place);
        node
    }
}
