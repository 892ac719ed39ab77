//! What vendors refuse, in their words.

use std::path::Path;

use serde_json::{Value, json};
use warpgrammar::openai::{ChatRequest, ResponsesRequest};
use warpgrammar::strict::{AZURE, CLOVA, OPENAI_2024, OPENAI_2026, PROFILES, Profile, check};

/// A closed object with one property `a`.
fn with(a: Value) -> Value {
    json!({"type": "object", "properties": {"a": a}, "required": ["a"], "additionalProperties": false})
}

fn message(schema: &Value, profile: &Profile) -> Option<(String, String)> {
    check(schema, profile).err().map(|v| (v.pointer, v.message))
}

#[test]
fn the_first_thing_wrong_is_told_in_the_vendors_words() {
    let string = || json!({"type": "string"});
    let cases = [
        (json!({}), "", "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'."),
        (
            json!({"type": "array", "items": {"type": "string"}}),
            "",
            "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"array\"'.",
        ),
        (
            json!({"anyOf": [with(string())]}),
            "",
            "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'.",
        ),
        (json!({"type": "object", "anyOf": []}), "", "In context=(), 'anyOf' is not permitted."),
        (
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}),
            "",
            "In context=(), 'additionalProperties' is required to be supplied and to be false.",
        ),
        (
            with(json!({"type": "object", "properties": {}, "additionalProperties": true})),
            "/properties/a",
            "In context=('properties', 'a'), 'additionalProperties' is required to be supplied and to be false.",
        ),
        (
            with(json!({"type": "array", "items": {"type": "object", "additionalProperties": false,
                 "properties": {"name": {"type": "string"}, "roles": {"type": "string"}}, "required": ["name"]}})),
            "/properties/a/items",
            "In context=('properties', 'a', 'items'), 'required' is required to be supplied and to be an array \
             including every key in properties. Missing 'roles'.",
        ),
        (
            json!({"type": "object", "properties": {}, "required": ["x"], "additionalProperties": false}),
            "",
            "In context=(), 'required' is required to be supplied and to be an array including every key in \
             properties. Extra required key 'x' supplied.",
        ),
        (
            with(json!({"oneOf": [{"type": "string"}]})),
            "/properties/a",
            "In context=('properties', 'a'), 'oneOf' is not permitted.",
        ),
        (
            with(json!({"anyOf": [{"type": "string"}, {"type": "string", "minLength": 1}]})),
            "/properties/a/anyOf/1",
            "In context=('properties', 'a', 'anyOf', '1'), 'minLength' is not permitted.",
        ),
        (
            with(json!({"type": "string", "default": "x"})),
            "/properties/a",
            "In context=('properties', 'a'), 'default' is not permitted.",
        ),
        (
            with(json!({"type": "string", "format": "uri"})),
            "/properties/a",
            "In context=('properties', 'a'), 'uri' is not a valid format.",
        ),
        (
            with(json!({"type": "strin"})),
            "/properties/a",
            "In context=('properties', 'a'), 'strin' is not valid under any of the given schemas.",
        ),
        (with(json!({})), "/properties/a", "In context=('properties', 'a'), schema must have a 'type' key."),
        (
            with(json!(true)),
            "/properties/a",
            "In context=('properties', 'a'), schema must have a 'type' key.",
        ),
        (
            with(json!({"type": ["array", "null"]})),
            "/properties/a",
            "In context=('properties', 'a'), array schema missing items.",
        ),
        (
            with(json!({"$ref": "#/$defs/x", "description": "d"})),
            "/properties/a",
            "In context=('properties', 'a'), $ref cannot have keywords {'description'}.",
        ),
        (
            with(json!({"$ref": "other.json"})),
            "/properties/a",
            "In context=('properties', 'a'), reference can only point to definitions defined at the top level of \
             the schema.",
        ),
        (
            json!({"type": "object", "properties": {}, "additionalProperties": false,
                   "$defs": {"it's": {"type": "string", "uniqueItems": true}}}),
            "/$defs/it's",
            "In context=('$defs', \"it's\"), 'uniqueItems' is not permitted.",
        ),
    ];
    for (schema, pointer, words) in cases {
        assert_eq!(message(&schema, &OPENAI_2026), Some((pointer.into(), words.into())), "{schema}");
    }
}

#[test]
fn limits_are_each_vendors() {
    let nested = |levels: usize| {
        let innermost =
            json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false});
        (1..levels).fold(innermost, |inner, _| with(inner))
    };
    let wide = |n: usize| {
        let names: Vec<String> = (0..n).map(|k| format!("p{k}")).collect();
        let properties: Value = names.iter().map(|name| (name.clone(), json!({"type": "string"}))).collect();
        json!({"type": "object", "properties": properties, "required": names, "additionalProperties": false})
    };
    let values = |n: usize, length: usize| {
        let values: Vec<String> = (0..n).map(|k| format!("{k:0length$}")).collect();
        with(json!({"type": "string", "enum": values}))
    };
    let enums = |most: usize, found: usize| {
        format!(
            "Expected at most {most} enum values in total within a single schema when using structured outputs, but \
             received {found}. Consider reducing the number of enums, or use 'strict: false' to opt out of \
             structured outputs."
        )
    };
    let begins = |schema: &Value, profile, words: &str| {
        let (pointer, message) = message(schema, profile).expect(words);
        assert_eq!(pointer, "");
        assert!(message.starts_with(words), "{message}");
    };
    assert_eq!(message(&nested(5), &OPENAI_2024), None);
    assert_eq!(
        message(&nested(6), &OPENAI_2024),
        Some((String::new(), "6 levels of nesting exceeds limit of 5.".into()))
    );
    assert_eq!(message(&nested(10), &OPENAI_2026), None);
    begins(&nested(11), &OPENAI_2026, "11 levels of nesting exceeds limit of 10.");
    assert_eq!(
        message(&nested(11), &CLOVA).map(|m| m.1),
        Some("In context=(), 'additionalProperties' is not permitted.".into())
    );

    assert_eq!(message(&wide(100), &AZURE), None);
    begins(&wide(101), &AZURE, "Expected at most 100 object properties in total");
    assert_eq!(message(&wide(5000), &OPENAI_2026), None);
    begins(&wide(5001), &OPENAI_2026, "Expected at most 5000 object properties in total");

    assert_eq!(message(&values(500, 3), &OPENAI_2024), None);
    assert_eq!(message(&values(520, 3), &OPENAI_2024), Some((String::new(), enums(500, 520))));
    assert_eq!(message(&values(1001, 3), &OPENAI_2026), Some((String::new(), enums(1000, 1001))));

    // 251 values of 30 characters are too many in one enum, 250 are not.
    assert_eq!(message(&values(250, 31), &OPENAI_2024), None);
    begins(&values(251, 30), &OPENAI_2024, "Expected at most 7500 characters within a single enum");
    begins(&values(250, 61), &OPENAI_2024, "Expected at most 15000 characters in all names");
    assert_eq!(message(&values(251, 59), &OPENAI_2026), None);
    begins(&values(251, 60), &OPENAI_2026, "Expected at most 15000 characters within a single enum");
}

#[test]
fn keywords_are_each_vendors() {
    let cases = [
        (json!({"type": "string", "pattern": "^a"}), [true, false, false, false]),
        (json!({"type": "string", "format": "date"}), [true, false, false, true]),
        (json!({"type": "number", "minimum": 0, "maximum": 100}), [true, false, false, true]),
        (json!({"type": "number", "multipleOf": 2}), [true, false, false, false]),
        (json!({"type": "array", "items": {"type": "string"}, "minItems": 1}), [true, false, false, true]),
        (json!({"type": "string", "maxLength": 3}), [false; 4]),
        (json!({"type": ["string", "null"]}), [true, true, true, false]),
        (json!({"const": "x"}), [true, true, true, false]),
        (json!({"enum": ["x"]}), [true; 4]),
        (json!({"not": {"type": "string"}}), [false; 4]),
    ];
    for (schema, taken) in cases {
        for (profile, taken) in PROFILES.into_iter().zip(taken) {
            let mut whole = with(schema.clone());
            if profile.name == "clova" {
                whole.as_object_mut().unwrap().remove("additionalProperties");
            }
            assert_eq!(check(&whole, profile).is_ok(), taken, "{} {schema}", profile.name);
        }
    }
}

#[test]
fn the_examples_are_strict() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/schemas");
    for name in [
        "calendar_event",
        "math_reasoning",
        "math_reasoning_defs",
        "ui",
        "linked_list",
        "item",
        "entities",
        "research_paper",
        "content_compliance",
        "get_weather",
        "get_delivery_date",
    ] {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        let schema: Value = serde_json::from_str(&text).unwrap();
        for profile in [&OPENAI_2026, &OPENAI_2024, &AZURE] {
            assert_eq!(message(&schema, profile), None, "{name} {}", profile.name);
        }
    }
}

#[test]
fn the_whole_reply_is_the_vendors() {
    let bad = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]});
    let words = "In context=(), 'additionalProperties' is required to be supplied and to be false.";
    let messages = json!([{"role": "user", "content": "x"}]);
    let chat = |member: &str, value: Value| {
        let body = json!({"model": "m", "messages": messages, member: value});
        let error = ChatRequest::parse(&body).unwrap_err();
        (error.status, error.body())
    };
    let responses = |member: &str, value: Value| {
        let body = json!({"model": "m", "input": "x", member: value});
        let error = ResponsesRequest::parse(&body).unwrap_err();
        (error.status, error.body())
    };
    let reply = |what: &str, param: &str, code: Option<&str>| {
        let message = format!("Invalid schema for {what} 'f': {words}");
        (
            400,
            json!({"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}),
        )
    };
    let format = json!({"name": "f", "schema": bad, "strict": true});
    assert_eq!(
        chat("response_format", json!({"type": "json_schema", "json_schema": format})),
        reply("response_format", "response_format", None)
    );
    assert_eq!(
        responses(
            "text",
            json!({"format": {"type": "json_schema", "name": "f", "schema": bad, "strict": true}})
        ),
        reply("response_format", "text.format.schema", Some("invalid_json_schema"))
    );
    let code = Some("invalid_function_parameters");
    assert_eq!(
        chat(
            "tools",
            json!([{"type": "function", "function": {"name": "f", "parameters": bad, "strict": true}}])
        ),
        reply("function", "tools[0].function.parameters", code)
    );
    assert_eq!(
        responses("tools", json!([{"type": "function", "name": "f", "parameters": bad, "strict": true}])),
        reply("function", "tools[0].parameters", code)
    );

    // Not strict, it may be anything that the engine enforces.
    let body = json!({"model": "m", "messages": messages, "response_format": {"type": "json_schema",
                      "json_schema": {"name": "f", "schema": bad, "strict": false}}});
    assert!(ChatRequest::parse(&body).is_ok());
    // In Responses a function is strict by itself, if it can be.
    let tools = json!([{"type": "function", "name": "f", "parameters": bad},
                       {"type": "function", "name": "g", "parameters": with(json!({"type": "string"}))}]);
    let read = ResponsesRequest::parse(&json!({"model": "m", "input": "x", "tools": tools})).unwrap();
    assert_eq!(read.generation.tools.iter().map(|t| t.strict).collect::<Vec<_>>(), [false, true]);
}
