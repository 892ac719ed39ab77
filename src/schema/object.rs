//! `properties`, `required` and `additionalProperties`.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::lowering::{Lowering, Types};
use crate::error::Result;
use crate::ir::{NodeId, Property, TRUE, TypeSet};

impl<'a> Lowering<'a> {
    /// Pushes what the keywords for objects assert, as one node.
    ///
    /// The subschemas of a schema that is never an object are not looked at.
    pub fn object(&mut self, map: &'a Map<String, Value>, types: Types, all: &mut Vec<NodeId>) -> Result<()> {
        let declared = match map.get("properties") {
            None => None,
            Some(Value::Object(declared)) => Some(declared),
            Some(_) => return Err(self.invalid("properties", "an object of schemas")),
        };
        let required = self.required(map)?;
        if !types.set.contains(TypeSet::OBJECT) {
            return Ok(());
        }
        let mut properties = Vec::with_capacity(declared.map_or(0, Map::len));
        let mut index = HashMap::new();
        for (name, schema) in declared.into_iter().flatten() {
            let schema = self.child(&["properties", name], schema)?;
            index.insert(name.as_str(), properties.len());
            properties.push(Property { name: Arc::from(name.as_str()), schema, required: false });
        }
        let additional = match map.get("additionalProperties") {
            None => TRUE,
            Some(schema) => self.child(&["additionalProperties"], schema)?,
        };
        let own = properties.len() as u32;
        for name in required {
            let next = properties.len();
            let at = *index.entry(name).or_insert(next);
            if at == next {
                properties.push(Property { name: Arc::from(name), schema: additional, required: true });
            }
            properties[at].required = true;
        }
        all.push(self.ir.object(properties, own, additional));
        Ok(())
    }

    fn required(&mut self, map: &'a Map<String, Value>) -> Result<Vec<&'a str>> {
        let names = match map.get("required") {
            None => Some(Vec::new()),
            Some(Value::Array(list)) => list.iter().map(Value::as_str).collect(),
            Some(_) => None,
        };
        names.ok_or_else(|| self.invalid("required", "a list of property names"))
    }
}
