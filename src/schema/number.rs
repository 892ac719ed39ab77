//! `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`, `multipleOf`, and `integer`.

use serde_json::{Map, Value};

use super::decimal::Decimal;
use super::languages;
use super::lowering::{Lowering, Types};
use crate::error::{ErrorKind, Result};
use crate::ir::{NodeId, TRUE, TypeSet};
use crate::pattern::{Bound, NumberSpec};

impl<'a> Lowering<'a> {
    /// Pushes what the keywords for numbers assert, as one node.
    pub fn number(&mut self, map: &'a Map<String, Value>, types: Types, all: &mut Vec<NodeId>) -> Result<()> {
        let spec = NumberSpec {
            integer: types.integer,
            minimum: self.bound(map, "minimum", "exclusiveMinimum", Decimal::gt)?,
            maximum: self.bound(map, "maximum", "exclusiveMaximum", Decimal::lt)?,
            multiple_of: None,
            decimals: 0,
            constant: None,
        };
        let relevant = types.set.contains(TypeSet::NUMBER);
        let spec = self.multiple_of(map, relevant, spec)?;
        if relevant {
            const KEYWORDS: [&str; 5] =
                ["multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"];
            let keyword = KEYWORDS.into_iter().find(|k| map.contains_key(*k)).unwrap_or("type");
            let node = self.number_leaf(spec, keyword)?;
            all.push(node);
        }
        Ok(())
    }

    /// The leaf of a specification, whose problems are `keyword`'s; `TRUE` for one that asserts
    /// nothing.
    pub fn number_leaf(&mut self, spec: NumberSpec, keyword: &str) -> Result<NodeId> {
        if spec == NumberSpec::default() {
            return Ok(TRUE);
        }
        match languages::number(&spec) {
            Ok(dfa) => Ok(self.ir.number(spec, dfa)),
            Err(e) if e.kind() == ErrorKind::UnsupportedKeyword => {
                self.unsupported(keyword, e.message().to_owned()).map(|()| TRUE)
            }
            Err(e) => Err(e.or_at(self.pointer_to(keyword))),
        }
    }

    /// The bound of a pair of keywords: the tighter, if both are there. In draft 4 the exclusive one is
    /// a boolean about the other.
    fn bound(
        &mut self,
        map: &Map<String, Value>,
        inclusive: &str,
        exclusive: &str,
        tighter: fn(&Decimal, &Decimal) -> bool,
    ) -> Result<Option<Bound>> {
        let included = match map.get(inclusive) {
            None => None,
            Some(Value::Number(n)) => Some(n.as_str()),
            Some(_) => return Err(self.invalid(inclusive, "a number")),
        };
        let excluded = match map.get(exclusive) {
            None => None,
            Some(Value::Number(n)) => Some(n.as_str()),
            Some(Value::Bool(flag)) if self.draft.boolean_exclusive() => {
                let bound = |value: &str| Bound { value: value.to_owned(), exclusive: *flag };
                return Ok(included.map(bound));
            }
            Some(Value::Bool(_)) => {
                let expected = "a number; the boolean form belongs to draft 4";
                return Err(self.invalid(exclusive, expected));
            }
            Some(_) => return Err(self.invalid(exclusive, "a number")),
        };
        let bound = |value: &str, exclusive| Some(Bound { value: value.to_owned(), exclusive });
        Ok(match (included, excluded) {
            (None, None) => None,
            (Some(i), None) => bound(i, false),
            (None, Some(e)) => bound(e, true),
            (Some(i), Some(e)) if tighter(&Decimal::new(i), &Decimal::new(e)) => bound(i, false),
            (Some(_), Some(e)) => bound(e, true),
        })
    }

    /// `multipleOf`, if numbers are `relevant`. A whole multiple makes the number an integer.
    fn multiple_of(
        &mut self,
        map: &Map<String, Value>,
        relevant: bool,
        mut spec: NumberSpec,
    ) -> Result<NumberSpec> {
        const EXPECTED: &str = "a number greater than 0";
        let Some(value) = map.get("multipleOf") else {
            return Ok(spec);
        };
        let Value::Number(text) = value else {
            return Err(self.invalid("multipleOf", EXPECTED));
        };
        let number = Decimal::new(text.as_str());
        if number.is_negative() || number.is_zero() {
            return Err(self.invalid("multipleOf", EXPECTED));
        }
        if !relevant {
            return Ok(spec);
        }
        match number.scaled() {
            Some((multiple, 0)) => {
                spec.integer = true;
                spec.multiple_of = Some(multiple).filter(|&m| m > 1);
            }
            Some((multiple, decimals)) => {
                spec.multiple_of = Some(multiple);
                spec.decimals = decimals;
            }
            None => {
                let message = "\"multipleOf\" has more digits than 2^64; write a number with fewer";
                return Err(self.error_at("multipleOf", ErrorKind::LimitExceeded, message));
            }
        }
        Ok(spec)
    }
}
