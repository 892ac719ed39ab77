//! Which draft of JSON Schema a document is written in.

use serde_json::{Map, Value};

use super::keywords::{Position, each_schema};
use crate::error::{Error, ErrorKind, Result};

/// A draft, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    D3,
    D4,
    D6,
    D7,
    D2019,
    D2020,
}

/// The draft of a document, and whether its `$schema` says so.
///
/// Keywords are recognised whatever the draft, since a schema that declares draft 4 and uses `const`
/// means it; only spellings whose meaning *changed* look at the draft. Where it was guessed, the
/// reading that asserts more is taken: keywords beside `$ref` apply, and both forms of `items` and of
/// the exclusive bounds are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    pub version: Version,
    pub declared: bool,
}

impl Draft {
    /// The draft that `$schema` names, or else the one whose forms the document uses. A URI of another
    /// meta-schema is as good as none.
    pub fn of(root: &Value) -> Result<Self> {
        match root.get("$schema") {
            None => Ok(Draft::guess(root)),
            Some(Value::String(uri)) => Ok(Draft::named(uri).unwrap_or_else(|| Draft::guess(root))),
            Some(_) => {
                let message = "\"$schema\" must be a string, the URI of a JSON Schema draft";
                Err(Error::at(ErrorKind::InvalidSchema, "/$schema", message))
            }
        }
    }

    /// The draft with this meta-schema.
    pub fn named(uri: &str) -> Option<Self> {
        let (_, path) = uri.trim_end_matches('#').split_once("//json-schema.org/")?;
        let version = match path {
            "draft-03/schema" | "draft-03/hyper-schema" => Version::D3,
            "draft-04/schema" | "draft-04/hyper-schema" => Version::D4,
            "draft-06/schema" | "draft-06/hyper-schema" => Version::D6,
            "draft-07/schema" | "draft-07/hyper-schema" => Version::D7,
            "draft/2019-09/schema" | "draft/2019-09/hyper-schema" => Version::D2019,
            "draft/2020-12/schema" | "draft/2020-12/hyper-schema" | "schema" => Version::D2020,
            _ => return None,
        };
        Some(Draft { version, declared: true })
    }

    /// The draft whose forms a document without a known `$schema` uses: what only one draft has decides,
    /// then what only drafts up to 7 have; 2020-12 otherwise.
    fn guess(root: &Value) -> Self {
        let (mut boolean_bounds, mut old_ids, mut ids) = (false, false, false);
        let (mut up_to_7, mut only_2019, mut since_2019) = (false, false, false);
        let mut todo = vec![root];
        while let Some(schema) = todo.pop() {
            let Some(map) = schema.as_object() else { continue };
            let boolean = |key: &str| map.get(key).is_some_and(Value::is_boolean);
            boolean_bounds |= boolean("exclusiveMinimum") || boolean("exclusiveMaximum");
            let looks_like_id =
                |id: &str| id.starts_with('#') || id.contains("://") || id.starts_with("urn:");
            old_ids |= map.get("id").and_then(Value::as_str).is_some_and(looks_like_id);
            ids |= map.get("$id").is_some_and(Value::is_string);
            only_2019 |= map.contains_key("$recursiveRef") || map.contains_key("$recursiveAnchor");
            let newer = [
                "prefixItems",
                "$defs",
                "$anchor",
                "$dynamicRef",
                "$dynamicAnchor",
                "dependentRequired",
                "dependentSchemas",
                "unevaluatedItems",
                "unevaluatedProperties",
                "minContains",
                "maxContains",
            ];
            since_2019 |= newer.iter().any(|key| map.contains_key(*key));
            up_to_7 |=
                ["definitions", "dependencies", "additionalItems"].iter().any(|key| map.contains_key(*key))
                    || map.get("items").is_some_and(Value::is_array);
            each_schema(map, &mut |_: Position<'_>, schema| todo.push(schema));
        }
        let version = if boolean_bounds || (old_ids && !ids && !since_2019) {
            Version::D4
        } else if only_2019 {
            Version::D2019
        } else if up_to_7 && !since_2019 {
            Version::D7
        } else {
            Version::D2020
        };
        Draft { version, declared: false }
    }

    /// Whether `$ref` makes the keywords beside it ineffective.
    pub fn ref_overrides(self) -> bool {
        self.declared && self.version <= Version::D7
    }

    /// Whether `exclusiveMinimum` may be a boolean that turns `minimum` around.
    pub fn boolean_exclusive(self) -> bool {
        !self.declared || self.version <= Version::D4
    }

    /// Whether `items` may be an array, with `additionalItems` for the rest.
    pub fn items_list(self) -> bool {
        !self.declared || self.version != Version::D2020
    }

    /// Whether `prefixItems` is a keyword.
    pub fn prefix_items(self) -> bool {
        !self.declared || self.version >= Version::D2020
    }

    /// The identifier that a schema object gives itself, with a fragment if that is what it names.
    pub fn id(self, map: &Map<String, Value>) -> Option<&str> {
        if self.ref_overrides() && map.contains_key("$ref") {
            return None;
        }
        let keyword = if self.version <= Version::D4 { "id" } else { "$id" };
        map.get(keyword).and_then(Value::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::{Draft, Version};
    use serde_json::Value;

    #[test]
    fn drafts_are_told_by_their_forms() {
        for (schema, version) in [
            (r#"{}"#, Version::D2020),
            (r#"{"properties":{"a":{"minimum":1,"exclusiveMinimum":true}}}"#, Version::D4),
            (r##"{"definitions":{"a":{"id":"#a"}}}"##, Version::D4),
            (r#"{"id":"http://x/y"}"#, Version::D4),
            // A property's name, and a label that is no URI.
            (r#"{"properties":{"id":{}},"id":"order"}"#, Version::D2020),
            (r#"{"items":[{}]}"#, Version::D7),
            (r#"{"definitions":{"a":{}}}"#, Version::D7),
            (r#"{"anyOf":[{"dependencies":{"a":["b"]}}]}"#, Version::D7),
            (r#"{"definitions":{"a":{}},"$defs":{}}"#, Version::D2020),
            (r##"{"properties":{"a":{"$recursiveRef":"#"}}}"##, Version::D2019),
            (r#"{"enum":[{"definitions":{}}]}"#, Version::D2020),
            (r#"{"$schema":"http://example.com/own","definitions":{}}"#, Version::D7),
        ] {
            let schema: Value = serde_json::from_str(schema).unwrap();
            assert_eq!(Draft::of(&schema).unwrap(), Draft { version, declared: false }, "{schema}");
        }
        let declared = Draft::named("http://json-schema.org/draft-07/schema#").unwrap();
        assert_eq!((declared.version, declared.declared), (Version::D7, true));
    }
}
