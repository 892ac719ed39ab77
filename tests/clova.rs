//! CLOVA Studio's requests, replies and errors.

use serde_json::{Value, json};
use warpgrammar::chat::{Choice, FinishReason, Reply, Role, Usage};
use warpgrammar::clova::{ClovaRequest, error_body};

fn body(extra: Value) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": "x"}]});
    for (key, value) in extra.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

fn read(extra: Value) -> ClovaRequest {
    ClovaRequest::parse("HCX-007", &body(extra)).unwrap()
}

fn forecast() -> Value {
    let number = |description: &str| json!({"type": "number", "description": description});
    json!({"type": "object", "properties": {
        "temp_high_c": number("Highest temperature (Celsius)"),
        "temp_low_c": number("Lowest temperature (Celsius)"),
        "precipitation_percent": {"type": "number", "minimum": 0, "maximum": 100},
    }, "required": ["temp_high_c", "temp_low_c", "precipitation_percent"]})
}

#[test]
fn defaults_and_ranges_are_the_apis() {
    let plain = read(json!({})).generation;
    let s = &plain.sampling;
    assert_eq!((s.top_p, s.top_k, s.temperature, s.repetition_penalty), (0.8, 0, 0.5, 1.1));
    assert_eq!((plain.max_tokens, plain.seeded, plain.stop.len()), (Some(100), false, 0));

    let all = read(json!({
        "topP": 1, "topK": 128, "maxTokens": 4096, "temperature": 0, "repetitionPenalty": 2.0, "stop": [],
        "seed": 4294967295u32, "thinking": {"effort": "none"}, "includeAiFilters": false,
        "responseFormat": {"type": "json", "schema": forecast()},
    }));
    let s = &all.generation.sampling;
    assert_eq!((s.top_p, s.top_k, s.temperature, s.repetition_penalty), (1.0, 128, 0.0, 2.0));
    assert_eq!((s.seed, all.generation.seeded, all.include_ai_filters), (4294967295, true, false));
    assert_eq!(all.generation.format.schema(), Some(forecast()));

    for (key, bad) in [
        ("topP", json!(0)),
        ("topP", json!(1.01)),
        ("topK", json!(129)),
        ("maxTokens", json!(0)),
        ("maxTokens", json!(4097)),
        ("temperature", json!(1.1)),
        ("repetitionPenalty", json!(0)),
        ("repetitionPenalty", json!(2.1)),
        ("seed", json!(4294967296u64)),
        ("seed", json!(-1)),
        ("stop", json!("x")),
        ("tools", json!([])),
        ("thinking", json!({"effort": "low"})),
        ("thinking", json!({"effort": "none", "budget": 1})),
        ("unknown", json!(1)),
    ] {
        let error = ClovaRequest::parse("m", &body(json!({key: bad}))).expect_err(key);
        assert!(error.pointer.starts_with(&format!("/{key}")), "{error}");
        let out = error_body(&error);
        assert_eq!((error.status, &out["status"]["code"]), (400, &json!("40001")), "{key}");
        assert!(out["status"]["message"].as_str().unwrap().contains(key), "{out}");
    }
    assert_eq!(error_body(&ClovaRequest::parse("m", &json!([])).unwrap_err())["status"]["code"], "40000");
}

#[test]
fn messages_and_schemas_are_held_to_the_apis_rules() {
    let messages = json!([{"role": "system", "content": "a"},
                          {"role": "user", "content": [{"type": "text", "text": "b"}]}]);
    let request = read(json!({"messages": messages}));
    assert_eq!(request.generation.messages[0].role, Role::System);
    let refused = |extra: Value| ClovaRequest::parse("m", &body(extra)).unwrap_err();
    let twice = json!([{"role": "system", "content": "a"}, {"role": "system", "content": "b"}]);
    assert_eq!(refused(json!({"messages": twice})).pointer, "/messages/1/role");
    let image = json!([{"role": "user", "content": [{"type": "image_url", "imageUrl": {}}]}]);
    assert_eq!(refused(json!({"messages": image})).pointer, "/messages/0/content/0/type");

    let format = |schema: Value| json!({"responseFormat": {"type": "json", "schema": schema}});
    let error =
        refused(format(json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "x"}}})));
    assert_eq!(error.pointer, "/responseFormat/schema/properties/a");
    assert!(error.message.contains("'pattern' is not permitted"), "{error}");
    let error = refused(json!({"responseFormat": {"type": "json_schema"}}));
    assert_eq!(error.pointer, "/responseFormat/type");
    let mut stopping = format(forecast());
    stopping["stop"] = json!(["}"]);
    assert_eq!(refused(stopping).pointer, "/stop");
}

#[test]
fn a_reply_has_the_apis_shape() {
    let reply = Reply {
        key: "a".into(),
        created_ms: 1_791_043_155_123,
        choices: vec![Choice {
            content: Some("{}".into()),
            finish: Some(FinishReason::Stop),
            ..Choice::default()
        }],
        usage: Usage { prompt: 843, completion: 80 },
        seed: 1_561_390_649,
        system_fingerprint: "f".into(),
    };
    assert_eq!(
        read(json!({})).reply(&reply),
        json!({
            "status": {"code": "20000", "message": "OK"},
            "result": {
                "created": 1_791_043_155_123u64,
                "usage": {"promptTokens": 843, "completionTokens": 80, "totalTokens": 923},
                "message": {"role": "assistant", "content": "{}"},
                "finishReason": "stop",
                "seed": 1_561_390_649,
                "aiFilter": [],
            },
        })
    );
    let bare = read(json!({"includeAiFilters": false})).reply(&reply);
    assert!(bare["result"].get("aiFilter").is_none());
}
