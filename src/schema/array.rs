//! `prefixItems`, `items`, `additionalItems`, `minItems`, `maxItems`, `contains` and `uniqueItems`.

use serde_json::{Map, Value, json};

use super::lowering::{Lowering, Types};
use crate::error::{ErrorKind, Result};
use crate::ir::{FALSE, NodeId, Range, TRUE, TypeSet};

impl<'a> Lowering<'a> {
    /// Pushes what the keywords for arrays assert, as one node.
    ///
    /// Up to draft 2019-09 `items` may be a list, with `additionalItems` for what follows it.
    pub fn array(&mut self, map: &'a Map<String, Value>, types: Types, all: &mut Vec<NodeId>) -> Result<()> {
        let range = self.range(map, "minItems", "maxItems")?;
        let prefix = match map.get("prefixItems") {
            None => None,
            Some(Value::Array(list)) if self.draft.prefix_items() => Some(("prefixItems", list)),
            Some(_) if self.draft.prefix_items() => {
                return Err(self.invalid("prefixItems", "a list of schemas"));
            }
            Some(_) => {
                let message = "\"prefixItems\" is no keyword of the draft that $schema names; write a list under \"items\", or name 2020-12";
                return Err(self.error_at("prefixItems", ErrorKind::InvalidSchema, message));
            }
        };
        let items = map.get("items");
        let (prefix, rest) = match items {
            Some(Value::Array(_)) if !self.draft.items_list() || prefix.is_some() => {
                return Err(self.invalid("items", "one schema; the list of schemas is \"prefixItems\""));
            }
            Some(Value::Array(list)) => {
                (Some(("items", list)), ("additionalItems", map.get("additionalItems")))
            }
            _ => (prefix, ("items", items)),
        };
        if !types.set.contains(TypeSet::ARRAY) {
            return Ok(());
        }
        let mut first = Vec::new();
        if let Some((keyword, list)) = prefix {
            for (i, schema) in list.iter().enumerate() {
                first.push(self.child_of_list(keyword, i, schema)?);
            }
        }
        let (listed, last) = (first.len(), rest.1);
        let rest = match rest {
            (_, None) => TRUE,
            (keyword, Some(schema)) => self.child(&[keyword], schema)?,
        };
        let range = range.unwrap_or(Range::ANY);
        all.push(self.ir.array(first, rest, range));
        self.contains(map, all)?;
        match map.get("uniqueItems") {
            None | Some(Value::Bool(false)) => Ok(()),
            Some(Value::Bool(true)) => {
                let most = if rest == FALSE { range.max.min(listed as u32) } else { range.max };
                if most > 1 { self.unique(last.filter(|_| listed == 0), all) } else { Ok(()) }
            }
            Some(_) => Err(self.invalid("uniqueItems", "a boolean")),
        }
    }

    /// `contains`, with `minContains` and `maxContains`.
    fn contains(&mut self, map: &'a Map<String, Value>, all: &mut Vec<NodeId>) -> Result<()> {
        let Some(schema) = map.get("contains") else { return Ok(()) };
        let least = self.count(map, "minContains")?.unwrap_or(1);
        let most = self.count(map, "maxContains")?.unwrap_or(u32::MAX);
        for (keyword, count) in [("minContains", least), ("maxContains", most)] {
            if count > MAX_CONTAINS && count < u32::MAX {
                let message = format!("items are counted one by one up to {MAX_CONTAINS}");
                return Err(self.error_at(keyword, ErrorKind::LimitExceeded, message));
            }
        }
        let node = self.child(&["contains"], schema)?;
        all.push(
            self.at_keyword("contains", |lowering| {
                lowering.ir.contains(node, Range { min: least, max: most })
            }),
        );
        Ok(())
    }

    /// `uniqueItems`, where all items are among few values: each occurs at most once.
    fn unique(&mut self, items: Option<&'a Value>, all: &mut Vec<NodeId>) -> Result<()> {
        let values = items.and_then(|items| self.values(items, 0));
        match values {
            Some(values) if values.len() <= MAX_UNIQUE => {
                for value in values {
                    let node = self.constant(&value, "uniqueItems")?;
                    all.push(self.at_keyword("uniqueItems", |lowering| {
                        lowering.ir.contains(node, Range { min: 0, max: 1 })
                    }));
                }
                Ok(())
            }
            Some(_) => {
                let message = format!(
                    "\"uniqueItems\" is not enforced for items of more than {MAX_UNIQUE} values; remove it"
                );
                self.unsupported("uniqueItems", message)
            }
            None => {
                let message = "\"uniqueItems\" is not enforced unless all items are one of a few values; list these under enum, set maxItems to 1 or remove it";
                self.unsupported("uniqueItems", message.to_owned())
            }
        }
    }

    /// All values that a schema can allow, if they are few and easily told.
    fn values(&self, schema: &Value, depth: u32) -> Option<Vec<Value>> {
        let map = schema.as_object()?;
        if let Some(value) = map.get("const") {
            return Some(vec![value.clone()]);
        }
        if let Some(list) = map.get("enum") {
            return list.as_array().cloned();
        }
        if let Some(reference) = map.get("$ref")
            && depth < 20
        {
            let target = self.references.target(reference, self.scope).ok()?;
            return self.values(self.references.targets[target].schema, depth + 1);
        }
        let types = map.get("type")?;
        let list = types.as_array().map_or(std::slice::from_ref(types), Vec::as_slice);
        let mut values = Vec::new();
        for one in list {
            match one.as_str()? {
                "null" => values.push(Value::Null),
                "boolean" => values.extend([json!(true), json!(false)]),
                _ => return None,
            }
        }
        Some(values)
    }
}

/// Greatest count of `minContains` and `maxContains`: which is reached is part of a state.
const MAX_CONTAINS: u32 = 256;

/// Most values told apart by `uniqueItems`: which of n have been written is 2^n states.
const MAX_UNIQUE: usize = 8;
