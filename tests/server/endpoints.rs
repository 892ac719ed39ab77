//! Every endpoint, when all is well.

use std::time::Duration;

use serde_json::{Value, json};
use warpgrammar::engine::Backend;

use crate::client::Event;
use crate::support::{Running, chat, event, format};

/// The JSON in a text that must match the schema.
fn valid(schema: &Value, text: &str) -> Value {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert!(jsonschema::is_valid(schema, &value), "{value}");
    value
}

/// The deltas of a choice's chunks, joined by what they say.
fn joined(events: &[Event], index: u64) -> (String, Option<String>) {
    let mut text = String::new();
    let mut finish = None;
    for event in events.iter().filter(|event| event.data != "[DONE]") {
        let chunk = event.json();
        for choice in chunk["choices"].as_array().unwrap().iter().filter(|c| c["index"] == index) {
            text += choice["delta"]["content"].as_str().unwrap_or_default();
            finish = choice["finish_reason"].as_str().map(str::to_owned).or(finish);
        }
    }
    (text, finish)
}

/// `auto` is no backend: the same seed and fingerprint are the same text.
#[test]
fn the_fingerprint_names_the_backend_that_is_used() {
    let server = Running::start(Duration::ZERO, |config| config.backend = Backend::Auto);
    let reply = server.client.post("/v1/chat/completions", &chat(json!({}))).json();
    let fingerprint = reply["system_fingerprint"].as_str().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let named = ["cpu", "cuda"].map(|backend| format!("warpgrammar-{version}-{backend}"));
    assert!(named.iter().any(|name| name == fingerprint), "{fingerprint}");
}

#[test]
fn chat_completions_whole_and_as_a_stream() {
    let server = Running::plain();
    let client = &server.client;
    let body = chat(json!({"response_format": format(&event()), "seed": 7}));
    let reply = client.post("/v1/chat/completions", &body);
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    let whole = reply.json();
    let content = whole["choices"][0]["message"]["content"].as_str().unwrap();
    valid(&event(), content);
    assert_eq!(whole["choices"][0]["finish_reason"], "stop");
    assert!(whole["usage"]["completion_tokens"].as_u64().unwrap() > 2);

    let stream = client.post("/v1/chat/completions", &chat(json!({
        "response_format": format(&event()), "seed": 7, "stream": true, "stream_options": {"include_usage": true},
    })));
    assert_eq!(
        (stream.status, stream.header("content-type")),
        (200, Some("text/event-stream; charset=utf-8"))
    );
    let events = stream.events();
    assert_eq!(events.last().unwrap().data, "[DONE]");
    // The same seed gives the same text.
    assert_eq!(joined(&events, 0), (content.to_owned(), Some("stop".into())));
    assert_eq!(events[events.len() - 2].json()["usage"], whole["usage"]);
    let id = |event: &Event| event.json()["id"].clone();
    assert!(events[..events.len() - 1].iter().all(|event| id(event) == id(&events[0])));
    assert_ne!(id(&events[0]), whole["id"], "every reply has an id of its own");
    assert!(reply.header("x-request-id").unwrap().starts_with("req_"));
}

#[test]
fn several_choices_and_replies_without_a_seed() {
    let server = Running::start(std::time::Duration::ZERO, |config| config.limits.slots = 2);
    let client = &server.client;
    // More choices than slots.
    let digits = json!({"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9}, "minItems": 12,
                        "maxItems": 12});
    let body = json!({"response_format": format(&digits), "n": 5, "temperature": 2, "stream": true});
    let texts = || -> Vec<String> {
        let events = client.post("/v1/chat/completions", &chat(body.clone())).events();
        (0..5).map(|k| joined(&events, k).0).collect()
    };
    let (first, second) = (texts(), texts());
    first.iter().for_each(|text| _ = valid(&digits, text));
    assert_ne!(first, second, "without a seed, each request draws anew");
    assert_ne!(first[0], first[1], "each choice draws for itself");
}

#[test]
fn functions_are_called() {
    let server = Running::plain();
    let parameters = json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"],
                            "additionalProperties": false});
    let tools = json!([{"type": "function", "function": {"name": "look_up", "parameters": parameters, "strict": true}}]);
    let extra = json!({"tools": tools, "tool_choice": "required", "parallel_tool_calls": false});
    let reply = server.client.post("/v1/chat/completions", &chat(extra.clone())).json();
    let call = &reply["choices"][0]["message"]["tool_calls"][0]["function"];
    assert_eq!(
        (&call["name"], &reply["choices"][0]["finish_reason"]),
        (&json!("look_up"), &json!("tool_calls"))
    );
    valid(&parameters, call["arguments"].as_str().unwrap());

    let mut extra = extra;
    extra["stream"] = true.into();
    let events = server.client.post("/v1/chat/completions", &chat(extra)).events();
    let pieces = events.iter().filter(|e| e.data != "[DONE]").map(Event::json);
    let arguments: String = pieces
        .filter_map(|chunk| {
            chunk["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str().map(str::to_owned)
        })
        .collect();
    valid(&parameters, &arguments);
}

#[test]
fn responses_whole_and_as_a_stream() {
    let server = Running::plain();
    let body = |stream: bool| {
        json!({"model": "copy", "input": "Name: Ada. Date: Friday.", "stream": stream,
               "text": {"format": {"type": "json_schema", "name": "event", "schema": event(), "strict": true}}})
    };
    let reply = server.client.post("/v1/responses", &body(false)).json();
    assert_eq!(reply["status"], "completed");
    valid(&event(), reply["output"][0]["content"][0]["text"].as_str().unwrap());

    let reply = server.client.post("/v1/responses", &body(true));
    assert_eq!(reply.header("content-type"), Some("text/event-stream; charset=utf-8"));
    let events = reply.events();
    let mut text = String::new();
    for (k, event) in events.iter().enumerate() {
        let data = event.json();
        assert_eq!(data["type"], event.name.clone().unwrap());
        assert_eq!(data["sequence_number"], k);
        text +=
            if data["type"] == "response.output_text.delta" { data["delta"].as_str().unwrap() } else { "" };
    }
    assert_eq!(events[0].name.as_deref(), Some("response.created"));
    let last = events.last().unwrap().json();
    assert_eq!(last["type"], "response.completed");
    assert_eq!(last["response"]["output"][0]["content"][0]["text"], text);
    valid(&event(), &text);
}

#[test]
fn azures_paths() {
    let server = Running::start(std::time::Duration::ZERO, |config| {
        config.keys = warpgrammar::server::Keys::new(["secret".to_owned()]);
    });
    let client = server.client.with("api-key", "secret");
    let path = "/openai/deployments/my-model/chat/completions?api-version=2024-10-21";
    for model in [json!("named"), Value::Null] {
        let mut body = chat(json!({"response_format": format(&event()), "model": model}));
        let wanted = if model.is_null() { "my-model" } else { "named" };
        let reply = client.post(path, &body);
        assert_eq!((reply.status, &reply.json()["model"]), (200, &json!(wanted)));
        body.as_object_mut().unwrap().remove("model");
        assert_eq!(client.post(path, &body).json()["model"], "my-model");
    }
    let body = chat(json!({}));
    assert_eq!(client.post("/openai/deployments/my-model/chat/completions", &body).status, 404);
    assert_eq!(server.client.post(path, &body).status, 401);
    assert_eq!(client.post("/openai/v1/responses", &json!({"model": "m", "input": "x"})).status, 200);
}

#[test]
fn clova_studios_path() {
    let server = Running::plain();
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]});
    let body = json!({"messages": [{"role": "user", "content": "Name: Ada."}], "seed": 5,
                      "responseFormat": {"type": "json", "schema": schema}});
    let path = "/v3/chat-completions/HCX-007";
    let reply = server.client.post(path, &body).json();
    assert_eq!(reply["status"], json!({"code": "20000", "message": "OK"}));
    assert_eq!(reply["result"]["seed"], 5);
    let content = reply["result"]["message"]["content"].as_str().unwrap();
    valid(&schema, content);

    let client = server.client.with("accept", "text/event-stream");
    let reply = client.post(path, &body);
    assert_eq!(reply.header("content-type"), Some("text/event-stream; charset=utf-8"));
    let events = reply.events();
    assert!(events.iter().all(|event| event.id.is_some()));
    let names: Vec<&str> = events.iter().map(|event| event.name.as_deref().unwrap()).collect();
    let tokens = names.iter().take_while(|name| **name == "token").count();
    assert_eq!(names[tokens..], ["result", "signal"]);
    let text: String = events[..tokens]
        .iter()
        .map(|e| e.json()["message"]["content"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(text, content);
    assert_eq!(events[tokens].json()["message"]["content"], content);
    assert_eq!(client.post(path, &json!({"messages": []})).status, 400);
}

#[test]
fn models_health_and_metrics() {
    let server =
        Running::start(std::time::Duration::ZERO, |config| config.models = vec!["one".into(), "two".into()]);
    let client = &server.client;
    let list = client.get("/v1/models").json();
    let ids: Vec<&Value> = list["data"].as_array().unwrap().iter().map(|model| &model["id"]).collect();
    assert_eq!(ids, ["one", "two"]);
    assert_eq!(client.get("/v1/models/two").json()["object"], "model");
    let missing = client.get("/v1/models/three");
    assert_eq!((missing.status, &missing.json()["error"]["code"]), (404, &json!("model_not_found")));
    assert_eq!(client.get("/health").json()["status"], "ok");

    client.post("/v1/chat/completions", &chat(json!({"response_format": format(&event())})));
    client.post("/v1/chat/completions", &json!({}));
    let metrics = client.get("/metrics");
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(
        client.metric("warpgrammar_requests_total{endpoint=\"/v1/chat/completions\",status=\"200\"}"),
        1.0
    );
    assert_eq!(
        client.metric("warpgrammar_requests_total{endpoint=\"/v1/chat/completions\",status=\"400\"}"),
        1.0
    );
    assert_eq!(client.metric("warpgrammar_time_to_first_token_seconds_count"), 1.0);
    assert_eq!(client.metric("warpgrammar_compile_seconds_count"), 1.0);
    assert!(client.metric("warpgrammar_completion_tokens_total") > 1.0);
    assert_eq!(
        client.metric("warpgrammar_time_per_token_seconds_count"),
        client.metric("warpgrammar_completion_tokens_total") - 1.0
    );
    assert!(client.metric("warpgrammar_cache_bytes") > 100.0);
}
