//! `minLength`, `maxLength`, `pattern` and `format`.

use serde_json::{Map, Value};

use super::languages;
use super::lowering::{LeafKey, Lowering, Types, shown};
use crate::error::{ErrorKind, Result};
use crate::ir::{NodeId, Range, TypeSet};

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
        for keyword in ["contentEncoding", "contentMediaType"] {
            if relevant && map.contains_key(keyword) {
                self.warn(
                    keyword,
                    format!("\"{keyword}\" is an annotation and asserts nothing; write a pattern"),
                );
            }
        }
        Ok(())
    }

    /// The values that match a regular expression, if it can be enforced. Characters that it counts are left to the frame.
    fn pattern(&mut self, source: &str) -> Result<Option<NodeId>> {
        self.pattern_leaf(LeafKey::Uncounted(source.to_owned()), "pattern", |x| {
            let (dfa, lengths) = languages::uncounted(source, &x.options.patterns)?;
            let text = x.ir.string(dfa);
            if lengths == Range::ANY {
                return Ok(text);
            }
            let length = x.ir.length(lengths);
            Ok(x.ir.and(vec![text, length]))
        })
    }

    /// The names that match a regular expression of `keyword`, if it can be enforced.
    pub fn pattern_at(&mut self, source: &str, keyword: &str) -> Result<Option<NodeId>> {
        self.pattern_leaf(LeafKey::Pattern(source.to_owned()), keyword, |x| {
            Ok(x.ir.string(languages::pattern(source, &x.options.patterns)?))
        })
    }

    fn pattern_leaf(
        &mut self,
        key: LeafKey,
        keyword: &str,
        build: impl FnOnce(&mut Self) -> Result<NodeId>,
    ) -> Result<Option<NodeId>> {
        if let Some(&node) = self.leaves.get(&key) {
            return Ok(Some(node));
        }
        match build(self) {
            Ok(node) => {
                self.leaves.insert(key, node);
                Ok(Some(node))
            }
            Err(e) if e.kind() == ErrorKind::UnsupportedKeyword => {
                self.unsupported(keyword, e.message().to_owned()).map(|()| None)
            }
            Err(e) => Err(e.or_at(self.pointer_to(keyword))),
        }
    }

    /// A format that the standard does not define is an annotation, as it says; not enforcing it is
    /// right, but seldom what the author expects.
    fn format(&mut self, name: &str) -> Result<Option<NodeId>> {
        if let Some(dfa) = languages::format(name) {
            let key = LeafKey::Format(name.to_owned());
            if !self.leaves.contains_key(&key) {
                let node = match languages::wider_format(name) {
                    Some(wider) => self.ir.narrowed_string(dfa, wider),
                    None => self.ir.string(dfa),
                };
                self.leaves.insert(key.clone(), node);
            }
            return Ok(Some(self.leaves[&key]));
        }
        let name = shown(&Value::from(name));
        self.warn(
            "format",
            format!("{name} is not a format of the standard and asserts nothing; write a pattern"),
        );
        Ok(None)
    }
}
