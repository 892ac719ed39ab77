//! `enum` and `const`.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::languages;
use super::lowering::{LeafKey, Lowering, Types};
use crate::error::Result;
use crate::ir::{FALSE, NodeId, Property, Range, TypeSet};
use crate::pattern::NumberSpec;

impl<'a> Lowering<'a> {
    /// Pushes what `enum` and `const` assert.
    ///
    /// Values of a type that `type` excludes are left out, which spares most of the alternatives in
    /// `{"type":["string","null"],"enum":[…]}`. An empty `enum` accepts nothing.
    pub fn literals(
        &mut self,
        map: &'a Map<String, Value>,
        types: Types,
        all: &mut Vec<NodeId>,
    ) -> Result<()> {
        if let Some(values) = map.get("enum") {
            let Value::Array(list) = values else {
                return Err(self.invalid("enum", "a list of values"));
            };
            self.room_for_literals(list.len(), "enum")?;
            let possible = list.iter().filter(|value| types.set.contains(type_of(value)));
            all.push(self.one_of_values(possible, "enum")?);
        }
        if let Some(value) = map.get("const") {
            all.push(self.one_of_values([value], "const")?);
        }
        Ok(())
    }

    /// Exactly this value.
    pub fn constant(&mut self, value: &Value, keyword: &str) -> Result<NodeId> {
        self.one_of_values([value], keyword)
    }

    /// One of these values: an alternative for all strings, one for all numbers, one for what is left
    /// of the types, and one for each array and object.
    fn one_of_values<'v>(
        &mut self,
        values: impl IntoIterator<Item = &'v Value>,
        keyword: &str,
    ) -> Result<NodeId> {
        let (mut strings, mut numbers, mut nested) = (Vec::new(), Vec::new(), Vec::new());
        let (mut types, mut booleans) = (TypeSet::NONE, [false; 2]);
        for value in values {
            self.count_literal(value.as_str().map_or(0, str::len), keyword)?;
            match value {
                Value::String(s) => strings.push(s.clone()),
                Value::Number(n) => {
                    let spec = NumberSpec { constant: Some(n.as_str().to_owned()), ..NumberSpec::default() };
                    numbers.push(self.number_leaf(spec, keyword)?);
                }
                Value::Bool(b) => booleans[usize::from(*b)] = true,
                Value::Null => types = types.union(TypeSet::NULL),
                Value::Array(_) | Value::Object(_) => nested.push(self.nested_value(value, keyword)?),
            }
        }
        let mut any = Vec::new();
        if !strings.is_empty() {
            strings.sort_unstable();
            strings.dedup();
            let set = self.leaf(LeafKey::Literals(strings), |key| match key {
                LeafKey::Literals(texts) => {
                    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                    Ok(Arc::new(languages::literals(&texts)))
                }
                _ => unreachable!("the key given above"),
            })?;
            any.push(self.of_type(TypeSet::STRING, set));
        }
        if !numbers.is_empty() {
            let set = self.ir.or(numbers);
            any.push(self.of_type(TypeSet::NUMBER, set));
        }
        match booleans {
            [true, true] => types = types.union(TypeSet::BOOLEAN),
            [false, false] => {}
            [_, value] => {
                let leaf = self.ir.boolean(value);
                any.push(self.of_type(TypeSet::BOOLEAN, leaf));
            }
        }
        any.push(self.ir.types(types));
        any.extend(nested);
        Ok(self.ir.or(any))
    }

    /// Exactly this array or object, its properties in its own order.
    fn nested_value(&mut self, value: &Value, keyword: &str) -> Result<NodeId> {
        match value {
            Value::Array(list) => {
                let mut items = Vec::with_capacity(list.len());
                for item in list {
                    items.push(self.one_of_values([item], keyword)?);
                }
                let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
                let leaf = self.ir.array(items, FALSE, Range { min: count, max: count });
                Ok(self.of_type(TypeSet::ARRAY, leaf))
            }
            Value::Object(map) => {
                let mut properties = Vec::with_capacity(map.len());
                for (name, value) in map {
                    let schema = self.one_of_values([value], keyword)?;
                    properties.push(Property { name: Arc::from(name.as_str()), schema, required: true });
                }
                let declared = properties.len() as u32;
                let leaf = self.ir.object(properties, declared, FALSE);
                Ok(self.of_type(TypeSet::OBJECT, leaf))
            }
            _ => unreachable!("only called for arrays and objects"),
        }
    }

    fn of_type(&mut self, types: TypeSet, leaf: NodeId) -> NodeId {
        let types = self.ir.types(types);
        self.ir.and([types, leaf])
    }
}

pub(super) fn type_of(value: &Value) -> TypeSet {
    match value {
        Value::Null => TypeSet::NULL,
        Value::Bool(_) => TypeSet::BOOLEAN,
        Value::Number(_) => TypeSet::NUMBER,
        Value::String(_) => TypeSet::STRING,
        Value::Array(_) => TypeSet::ARRAY,
        Value::Object(_) => TypeSet::OBJECT,
    }
}
