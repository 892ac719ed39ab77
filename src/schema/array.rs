//! `prefixItems`, `items`, `additionalItems`, `minItems` and `maxItems`.

use serde_json::{Map, Value};

use super::lowering::{Lowering, Types};
use crate::error::{ErrorKind, Result};
use crate::ir::{NodeId, Range, TRUE, TypeSet};

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
        let rest = match rest {
            (_, None) => TRUE,
            (keyword, Some(schema)) => self.child(&[keyword], schema)?,
        };
        all.push(self.ir.array(first, rest, range.unwrap_or(Range::ANY)));
        Ok(())
    }
}
