//! Small schemas that between them use every part of the automaton.

use serde_json::{Value, json};

pub fn schemas() -> Vec<Value> {
    vec![
        json!(true),
        json!({"type": "object"}),
        json!({"type": "string"}),
        json!({"type": "string", "minLength": 2, "maxLength": 4}),
        json!({"type": "string", "maxLength": 9}),
        json!({"type": "string", "minLength": 5}),
        json!({"type": "string", "minLength": 140, "maxLength": 300}),
        json!({"type": "string", "pattern": "^(aaa)*b$", "maxLength": 5}),
        json!({"type": "string", "pattern": "^[ab]*$", "minLength": 3, "maxLength": 7}),
        json!({"type": "string", "pattern": "^[a-z]+$"}),
        json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{3,10}$"}),
        json!({"type": "string", "pattern": "^[A-Za-z0-9_]*$", "maxLength": 150}),
        json!({"type": "string", "pattern": "^ab"}),
        json!({"type": "string", "pattern": "^https?://", "maxLength": 30}),
        json!({"type": "string", "pattern": "b.*c"}),
        json!({"type": "string", "format": "date"}),
        json!({"enum": ["red", "green", "b\"lue", "é", 1, null, {"a": [1, 2]}]}),
        json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}, "c": true},
               "required": ["b"], "additionalProperties": false}),
        json!({"type": "object", "properties": {"a": {"type": "string"}, "ab": {"type": "integer"}},
               "required": ["ab"], "additionalProperties": {"type": "boolean"}}),
        json!({"type": "object", "additionalProperties": {"type": "string", "maxLength": 3}}),
        // Once the declared name is written, no name is left; another may begin like it.
        json!({"type": "object", "properties": {"ab": {"type": "integer"}}, "propertyNames": {"enum": ["ab"]}}),
        json!({"type": "object", "properties": {"ab": {"type": "integer"}}, "propertyNames": {"enum": ["ab", "abc"]}}),
        json!({"type": "object", "properties": {"ab": {"type": "integer"}}, "patternProperties": {"^ab$": true},
               "additionalProperties": false}),
        json!({"type": "object", "properties": {"a": true, "b": true}, "propertyNames": {"enum": ["a", "b"]},
               "not": {"required": ["a"], "properties": {"a": {"const": 1}}}}),
        json!({"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 5}),
        json!({"type": "array", "items": {"type": "string"}, "minItems": 3}),
        json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "null"}], "items": {"type": "boolean"}}),
        json!({"anyOf": [
            {"type": "object", "properties": {"kind": {"const": "a"}, "x": {"type": "string"}}, "required": ["kind", "x"], "additionalProperties": false},
            {"type": "object", "properties": {"kind": {"const": "b"}, "y": {"type": "integer"}}, "required": ["kind", "y"], "additionalProperties": false}
        ]}),
        json!({"properties": {"a": {"type": "string"}}, "type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}),
        json!({"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}, "v": {"type": "number"}},
               "required": ["next", "v"], "additionalProperties": false}),
        json!({"type": "object", "properties": {"type": {"enum": ["div", "form"]}, "children": {"type": "array", "items": {"$ref": "#"}}},
               "required": ["type", "children"], "additionalProperties": false}),
        json!({"anyOf": [{"type": "array", "items": {"$ref": "#"}, "maxItems": 3}, {"type": "string", "maxLength": 2}]}),
        json!({"type": ["object", "array", "string"], "minItems": 1, "required": ["k"]}),
        json!({"anyOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
                         {"type": "object", "properties": {"b": {"type": "object", "required": ["c"]}}}]}),
        json!({"type": "array", "items": {"type": "string"}, "minItems": 4}),
        json!({"type": "array", "items": {"type": "array", "items": {"enum": [1, "a"]}, "minItems": 3}, "minItems": 2}),
        // An item that only a count forces, deeper than those before it.
        json!({"type": "array", "prefixItems": [{"type": "null"}, {"type": "null"}, {"type": "array", "minItems": 1,
               "items": {"type": "array", "minItems": 1, "items": {"type": "null"}}}], "minItems": 3, "maxItems": 5}),
        // The deeper object shares a frame that is older than itself.
        json!({"type": "object", "properties": {"s": {"type": "string"}, "o": {"type": "object",
               "properties": {"t": {"type": "string"}}, "required": ["t"], "additionalProperties": false}},
               "required": ["s", "o"], "additionalProperties": false}),
    ]
}
