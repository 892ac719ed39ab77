//! The table of keywords: what becomes of each, and where its subschemas are.

use serde_json::{Map, Value};

use super::draft::{Draft, Version};
use crate::ir::TypeSet;

/// One keyword of the standard.
pub(super) struct Keyword {
    pub role: Role,
    pub holds: Holds,
}

/// What becomes of a keyword.
pub(super) enum Role {
    /// It is lowered by the function of its group.
    Enforced,
    /// It asserts nothing by itself.
    Ignored,
    /// It is not enforced: an error, unless it has no effect.
    Refused {
        /// The types it concerns; without effect on schemas that exclude them.
        about: TypeSet,
        /// Whether it is without effect as it stands.
        idle: fn(&Value, &Map<String, Value>) -> bool,
        /// What the author can do instead.
        way_out: &'static str,
    },
}

/// Which subschemas a keyword holds that apply to a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Nothing,
    /// A schema, or a list of them, for the same value.
    InPlace,
    /// An object of schemas for the same value.
    InPlaceByName,
    /// A schema, or a list of them, for a child of the value.
    Child,
    /// An object of schemas for children of the value.
    Children,
}

fn never(_: &Value, _: &Map<String, Value>) -> bool {
    false
}

/// The keyword of that name, or `None` for a name that is no keyword, which the standard says to
/// ignore.
pub(super) fn keyword(name: &str, draft: Draft) -> Option<Keyword> {
    let enforced = |holds| Some(Keyword { role: Role::Enforced, holds });
    let refused = |about, idle, way_out| {
        Some(Keyword { role: Role::Refused { about, idle, way_out }, holds: Holds::Nothing })
    };
    match name {
        "type" | "enum" | "const" | "$ref" | "$dynamicRef" | "$recursiveRef" => enforced(Holds::Nothing),
        "minLength" | "maxLength" | "pattern" | "format" => enforced(Holds::Nothing),
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
            enforced(Holds::Nothing)
        }
        "required" | "minItems" | "maxItems" => enforced(Holds::Nothing),
        "properties" => enforced(Holds::Children),
        "additionalProperties" | "items" | "prefixItems" | "additionalItems" => enforced(Holds::Child),
        "anyOf" => enforced(Holds::InPlace),

        "allOf" | "oneOf" | "not" | "if" | "then" | "else" => enforced(Holds::InPlace),
        "dependentRequired" => enforced(Holds::Nothing),
        "dependentSchemas" | "dependencies" => enforced(Holds::InPlaceByName),

        "patternProperties" => enforced(Holds::Children),
        "propertyNames" | "contains" => enforced(Holds::Child),
        "minProperties" | "maxProperties" | "uniqueItems" => enforced(Holds::Nothing),
        "unevaluatedProperties" | "unevaluatedItems" => enforced(Holds::Child),

        "extends" | "disallow" | "divisibleBy" if draft.version == Version::D3 => {
            refused(TypeSet::ALL, never, "write the schema in a later draft")
        }

        // They qualify `contains`, where they are judged.
        "minContains" | "maxContains" => Some(Keyword { role: Role::Ignored, holds: Holds::Nothing }),

        "$schema" | "$id" | "id" | "$anchor" | "$dynamicAnchor" | "$recursiveAnchor" | "$vocabulary"
        | "$comment" | "$defs" | "definitions" | "title" | "description" | "default" | "examples"
        | "deprecated" | "readOnly" | "writeOnly" | "contentEncoding" | "contentMediaType"
        | "contentSchema" => Some(Keyword { role: Role::Ignored, holds: Holds::Nothing }),
        _ => None,
    }
}

/// The subschemas of `whole` that apply to a value or its children, with whether they apply to a
/// child. Empty where `whole` is a `$ref` that overrides its siblings.
pub(super) fn subschemas(whole: &Map<String, Value>, draft: Draft) -> Vec<(&Value, bool)> {
    let mut found = Vec::new();
    if draft.ref_overrides() && whole.contains_key("$ref") {
        return found;
    }
    for (name, value) in whole {
        let Some(Keyword { holds, .. }) = keyword(name, draft) else {
            continue;
        };
        match (holds, value) {
            (Holds::Nothing, _) => {}
            (Holds::InPlace, Value::Array(list)) => found.extend(list.iter().map(|s| (s, false))),
            (Holds::InPlace, one) => found.push((one, false)),
            (Holds::InPlaceByName, Value::Object(map)) => found.extend(map.values().map(|s| (s, false))),
            (Holds::Child, Value::Array(list)) => found.extend(list.iter().map(|s| (s, true))),
            (Holds::Child, one) => found.push((one, true)),
            (Holds::Children, Value::Object(map)) => found.extend(map.values().map(|s| (s, true))),
            // Ill-formed: reported when it is lowered.
            (Holds::InPlaceByName | Holds::Children, _) => {}
        }
    }
    found
}

/// Where below a schema object another schema stands.
#[derive(Clone, Copy)]
pub(super) enum Position<'a> {
    /// It is the keyword's value.
    Keyword(&'a str),
    /// It is an element of the keyword's list.
    Element(&'a str, usize),
    /// It is a member of the keyword's object.
    Member(&'a str, &'a str),
}

/// Visits every schema directly below a schema object, whether or not it applies to anything: where
/// identifiers and anchors may stand, in all drafts.
pub(super) fn each_schema<'a>(whole: &'a Map<String, Value>, visit: &mut dyn FnMut(Position<'a>, &'a Value)) {
    for (name, value) in whole {
        match (name.as_str(), value) {
            ("allOf" | "anyOf" | "oneOf" | "prefixItems" | "items", Value::Array(list)) => {
                list.iter().enumerate().for_each(|(i, schema)| visit(Position::Element(name, i), schema));
            }
            (
                "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas"
                | "dependencies",
                Value::Object(map),
            ) => map.iter().for_each(|(key, schema)| visit(Position::Member(name, key), schema)),
            (
                "items"
                | "additionalItems"
                | "additionalProperties"
                | "unevaluatedItems"
                | "unevaluatedProperties"
                | "contains"
                | "propertyNames"
                | "not"
                | "if"
                | "then"
                | "else"
                | "contentSchema",
                schema,
            ) => visit(Position::Keyword(name), schema),
            _ => {}
        }
    }
}
