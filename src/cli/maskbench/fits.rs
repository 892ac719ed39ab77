//! Whether an alternative may be the one that a value was written for.
//!
//! No validator: keywords that say little about which alternative is meant are taken to hold. All that
//! depends on the answer is whose key order an instance is written in.

use serde_json::Value;

/// How deep values and references are followed.
const FOLLOWED: usize = 12;

/// Whether nothing simple that `schema` says speaks against `value`: types, constants, required and
/// forbidden names, also of members and items.
pub fn fits(root: &Value, schema: &Value, value: &Value) -> bool {
    fits_to(root, schema, value, FOLLOWED)
}

fn fits_to(root: &Value, schema: &Value, value: &Value, left: usize) -> bool {
    let Some(left) = left.checked_sub(1) else { return true };
    let Value::Object(keywords) = schema else { return schema != &Value::Bool(false) };
    let holds = |schema: &Value| fits_to(root, schema, value, left);
    keywords.iter().all(|(keyword, said)| match (keyword.as_str(), said) {
        ("$ref", Value::String(reference)) => {
            reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer)).is_none_or(holds)
        }
        ("type", Value::String(name)) => is_of(value, name),
        ("type", Value::Array(names)) => names.iter().filter_map(Value::as_str).any(|n| is_of(value, n)),
        ("const", _) => said == value,
        ("enum", Value::Array(list)) => list.contains(value),
        ("allOf", Value::Array(list)) => list.iter().all(holds),
        ("anyOf" | "oneOf", Value::Array(list)) => list.iter().any(holds),
        ("required", Value::Array(names)) => value
            .as_object()
            .is_none_or(|o| names.iter().filter_map(Value::as_str).all(|n| o.contains_key(n))),
        ("properties", Value::Object(properties)) => value.as_object().is_none_or(|members| {
            let declared = properties.iter().filter_map(|(name, schema)| Some((schema, members.get(name)?)));
            declared.into_iter().all(|(schema, member)| fits_to(root, schema, member, left))
        }),
        ("additionalProperties", Value::Bool(false)) => {
            let declared = schema.get("properties").and_then(Value::as_object);
            let known = |name: &String| declared.is_some_and(|d| d.contains_key(name));
            schema.get("patternProperties").is_some()
                || value.as_object().is_none_or(|members| members.keys().all(known))
        }
        ("items", Value::Object(_)) if schema.get("prefixItems").is_none() => {
            value.as_array().is_none_or(|items| items.iter().all(|item| fits_to(root, said, item, left)))
        }
        _ => true,
    })
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn alternatives_are_told_apart_by_what_they_say_plainly() {
        let root =
            json!({"$defs": {"leaf": {"required": ["leaf"], "properties": {"leaf": {"type": "integer"}}}}});
        let leaf = json!({"$ref": "#/$defs/leaf"});
        assert!(fits(&root, &leaf, &json!({"leaf": 1})));
        assert!(!fits(&root, &leaf, &json!({"leaf": "1"})));
        assert!(!fits(&root, &leaf, &json!({})));
        let closed = json!({"properties": {"a": {"const": "x"}}, "additionalProperties": false});
        assert!(fits(&root, &closed, &json!({"a": "x"})));
        assert!(!fits(&root, &closed, &json!({"a": "y"})));
        assert!(!fits(&root, &closed, &json!({"b": "x"})));
        assert!(fits(
            &root,
            &json!({"items": {"anyOf": [closed, {"type": "null"}]}}),
            &json!([{"a": "x"}, null])
        ));
    }
}
