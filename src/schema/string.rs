//! `minLength`, `maxLength`, `pattern` and `format`.

use serde_json::{Map, Value};

use super::languages;
use super::lowering::{LeafKey, Lowering, Types, shown};
use crate::error::{ErrorKind, Result};
use crate::ir::{NodeId, TypeSet};

impl<'a> Lowering<'a> {
    /// Pushes what the keywords for strings assert.
    ///
    /// Formats are formats *of strings*: `{"type":"integer","format":"int32"}` asserts nothing.
    pub fn string(&mut self, map: &'a Map<String, Value>, types: Types, all: &mut Vec<NodeId>) -> Result<()> {
        let length = self.range(map, "minLength", "maxLength")?;
        let relevant = types.set.contains(TypeSet::STRING);
        if let Some(range) = length.filter(|_| relevant) {
            all.push(self.ir.length(range));
        }
        if let Some(pattern) = map.get("pattern") {
            let Some(source) = pattern.as_str() else {
                return Err(self.invalid("pattern", "a regular expression"));
            };
            if relevant {
                all.extend(self.pattern(source)?);
            }
        }
        if let Some(format) = map.get("format") {
            let Some(name) = format.as_str() else {
                return Err(self.invalid("format", "the name of a format"));
            };
            if relevant {
                all.extend(self.format(name)?);
            }
        }
        Ok(())
    }

    fn pattern(&mut self, source: &str) -> Result<Option<NodeId>> {
        self.pattern_at(source, "pattern")
    }

    /// The strings that match a regular expression of `keyword`, if it can be enforced.
    pub fn pattern_at(&mut self, source: &str, keyword: &str) -> Result<Option<NodeId>> {
        let limits = &self.options.patterns;
        let node = self.leaf(LeafKey::Pattern(source.to_owned()), |_| {
            languages::pattern(source, limits).map(Into::into)
        });
        match node {
            Ok(node) => Ok(Some(node)),
            Err(e) if e.kind() == ErrorKind::UnsupportedKeyword => {
                self.unsupported(keyword, e.message().to_owned()).map(|()| None)
            }
            Err(e) => Err(e.or_at(self.pointer_to(keyword))),
        }
    }

    fn format(&mut self, name: &str) -> Result<Option<NodeId>> {
        match languages::format(name) {
            Some(dfa) => {
                let key = LeafKey::Format(name.to_owned());
                if !self.leaves.contains_key(&key) {
                    let node = match languages::wider_format(name) {
                        Some(wider) => self.ir.narrowed_string(dfa, wider),
                        None => self.ir.string(dfa),
                    };
                    self.leaves.insert(key.clone(), node);
                }
                Ok(Some(self.leaves[&key]))
            }
            None => {
                let name = shown(&Value::from(name));
                let message = format!(
                    "the format {name} is not enforced; use date-time, time, date, duration, email, hostname, ipv4, ipv6, uuid or a pattern"
                );
                self.unsupported("format", message).map(|()| None)
            }
        }
    }
}
