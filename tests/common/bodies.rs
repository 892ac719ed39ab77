//! Bodies of requests for all APIs, good ones and ones that mean no good.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

const KEYS: &[&str] = &[
    "model",
    "messages",
    "role",
    "content",
    "type",
    "text",
    "name",
    "schema",
    "strict",
    "json_schema",
    "response_format",
    "responseFormat",
    "format",
    "tools",
    "function",
    "parameters",
    "tool_choice",
    "input",
    "instructions",
    "stop",
    "n",
    "seed",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "anyOf",
    "enum",
    "$ref",
    "$defs",
    "é'\"\\/~",
];

const WORDS: &[&str] = &[
    "user",
    "system",
    "assistant",
    "tool",
    "text",
    "json",
    "json_schema",
    "json_object",
    "function",
    "auto",
    "required",
    "object",
    "array",
    "string",
    "input_text",
    "f",
    "#",
    "#/$defs/a",
    "",
    "none",
    "message",
    "function_call",
];

/// Values with the keys and words that requests and schemas have.
pub fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|x| json!(x)),
        proptest::sample::select(WORDS).prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((proptest::sample::select(KEYS), inner), 0..6).prop_map(|members| {
                Value::Object(members.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Map<_, _>>())
            }),
        ]
    })
}

/// Puts `part` in the place of some value of `whole`, counted in the order of the text.
pub fn replace(whole: &mut Value, at: &mut usize, part: &Value) {
    if *at == 0 {
        *whole = part.clone();
    }
    *at = at.wrapping_sub(1);
    match whole {
        Value::Array(list) => list.iter_mut().for_each(|v| replace(v, at, part)),
        Value::Object(map) => map.values_mut().for_each(|v| replace(v, at, part)),
        _ => {}
    }
}

/// A body that the path takes.
pub fn good(path: &str) -> Value {
    let schema = json!({"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"$ref": "#"}]}},
                        "required": ["a"], "additionalProperties": false});
    let messages = json!([{"role": "user", "content": [{"type": "text", "text": "json"}]},
                          {"role": "assistant", "content": "x"}]);
    match path {
        "/v1/responses" => json!({
            "model": "m", "input": [{"type": "message", "role": "user", "content": "json"},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}],
            "text": {"format": {"type": "json_schema", "name": "n", "schema": schema, "strict": true}},
            "tools": [{"type": "function", "name": "f", "parameters": schema}], "tool_choice": "auto",
        }),
        "/v3/chat-completions/m" => json!({
            "messages": [{"role": "user", "content": "x"}], "stop": [], "seed": 1,
            "responseFormat": {"type": "json", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}},
        }),
        _ => json!({
            "model": "m", "messages": messages, "stop": null, "logit_bias": {"1": 1}, "n": 2,
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": true}},
            "tools": [{"type": "function", "function": {"name": "f", "parameters": schema, "strict": true}}],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
        }),
    }
}

/// One path of each API.
pub const PATHS: [&str; 4] =
    ["/v1/chat/completions", "/v1/responses", "/chat/completions", "/v3/chat-completions/m"];
