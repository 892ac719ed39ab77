//! `properties`, `required`, `patternProperties`, `additionalProperties`, `propertyNames`, `minProperties` and
//! `maxProperties`.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::lowering::{Lowering, Types};
use crate::error::Result;
use crate::ir::{FALSE, NamePattern, NodeId, Property, Range, TRUE, TypeSet};

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
        let members = self.range(map, "minProperties", "maxProperties")?;
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
        let mut patterns = Vec::new();
        match map.get("patternProperties") {
            None => {}
            Some(Value::Object(list)) => {
                for (source, schema) in list {
                    let schema = self.child(&["patternProperties", source], schema)?;
                    let name = self.pattern_at(source, "patternProperties")?;
                    // Without its pattern, under `lenient`, the entry applies to no name.
                    patterns.push(NamePattern { name: name.unwrap_or(FALSE), schema });
                }
            }
            Some(_) => return Err(self.invalid("patternProperties", "an object of schemas")),
        }
        let own = properties.len() as u32;
        for name in required {
            let next = properties.len();
            let at = *index.entry(name).or_insert(next);
            if at == next {
                properties.push(Property { name: Arc::from(name), schema: additional, required: true });
            }
            properties[at].required = true;
        }
        let least = properties.iter().filter(|p| p.required).count();
        let most = (additional == FALSE && patterns.is_empty()).then_some(own as usize);
        all.push(self.ir.object_of(properties, own, patterns, additional));
        if let Some(schema) = map.get("propertyNames") {
            let names = self.child(&["propertyNames"], schema)?;
            all.push(self.at_keyword("propertyNames", |lowering| {
                let others = NamePattern { name: lowering.ir.not(names), schema: FALSE };
                lowering.ir.object_of(Vec::new(), 0, vec![others], TRUE)
            }));
        }
        if let Some(Range { mut min, mut max }) = members {
            // What the names ensure needs no count.
            if min as usize <= least {
                min = 0;
            }
            if most.is_some_and(|most| most <= max as usize) {
                max = u32::MAX;
            }
            let keyword = if min > 0 { "minProperties" } else { "maxProperties" };
            all.push(self.at_keyword(keyword, |lowering| lowering.ir.members(Range { min, max })));
        }
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
