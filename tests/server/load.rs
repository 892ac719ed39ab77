//! Two hundred clients at a time, some of them bad.

use std::io::Read;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, Event};
use crate::support::Process;

/// Clients of a wave.
const CLIENTS: usize = 200;
/// Waves, after one that warms up.
const WAVES: usize = 6;

/// Schemas of several kinds; their texts are short.
fn schemas() -> Vec<Value> {
    let named = |members: Value| {
        let required: Vec<&String> = members.as_object().unwrap().keys().collect();
        json!({"type": "object", "properties": members, "required": required, "additionalProperties": false})
    };
    let steps = named(json!({"explanation": {"type": "string"}, "output": {"type": "string"}}));
    vec![
        named(json!({"name": {"type": "string"}, "date": {"type": "string", "format": "date"}})),
        named(
            json!({"steps": {"type": "array", "items": steps, "minItems": 1, "maxItems": 2}, "answer": {"type": "string"}}),
        ),
        named(
            json!({"high": {"type": "number", "minimum": -90, "maximum": 60}, "rain": {"type": "integer", "minimum": 0, "maximum": 100}}),
        ),
        named(json!({"kind": {"enum": ["person", "place", "thing"]}, "sure": {"type": "boolean"}})),
        json!({"type": "object", "properties": {"value": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
               "required": ["value", "next"], "additionalProperties": false}),
        named(
            json!({"code": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"}, "mail": {"type": "string", "format": "email"}}),
        ),
        named(
            json!({"item": {"anyOf": [named(json!({"a": {"type": "string"}})), named(json!({"b": {"type": "integer"}}))]}}),
        ),
    ]
}

/// What the deltas of a stream say, in whichever API it is.
fn said(events: &[Event]) -> String {
    let piece = |event: &Event| {
        let data = event.json();
        match data["type"].as_str() {
            Some("response.output_text.delta") => data["delta"].as_str().map(str::to_owned),
            Some(_) => None,
            None => {
                let delta = &data["choices"][0]["delta"];
                let arguments = &delta["tool_calls"][0]["function"]["arguments"];
                delta["content"].as_str().or(arguments.as_str()).map(str::to_owned)
            }
        }
    };
    events.iter().filter(|event| event.data != "[DONE]").filter_map(piece).collect()
}

/// What one client does; whether it wanted a reply.
fn visit(client: &Client, k: usize, schemas: &[(Value, jsonschema::Validator)]) -> bool {
    let (schema, validator) = &schemas[k % schemas.len()];
    let prompt = format!("Name: visitor {k}. Date: 2026-11-{:02}. The answer is {k}.", 1 + k % 28);
    let messages = json!([{"role": "user", "content": prompt}]);
    let format = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}});
    let chat = json!({"model": "m", "messages": messages, "response_format": format, "stream": true,
                      "max_completion_tokens": 400, "temperature": 0.8});
    match k % 10 {
        // Goes away after the first event.
        0 => drop(client.begin_stream("/v1/chat/completions", &chat)),
        // Goes away without reading anything.
        1 => drop(client.send("POST", "/v1/chat/completions", chat.to_string().as_bytes()).unwrap()),
        // Sends rubbish.
        2 => {
            let rubbish: Vec<u8> = (0..300).map(|i| (i * 7 + k) as u8).collect();
            assert_eq!(client.request("POST", "/v1/responses", &rubbish).status, 400);
        }
        3 => {
            let mut stream = std::net::TcpStream::connect(client.address).unwrap();
            std::io::Write::write_all(&mut stream, b"\x16\x03\x01 no HTTP at all\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        }
        4 => {
            let text = json!({"format": {"type": "json_schema", "name": "n", "schema": schema}});
            let body = json!({"model": "m", "input": prompt, "text": text, "stream": true, "max_output_tokens": 400});
            let events = client.post("/v1/responses", &body).events();
            assert_eq!(events.last().unwrap().name.as_deref(), Some("response.completed"));
            check(&said(&events), validator);
            return true;
        }
        5 => {
            let function = json!({"name": "f", "parameters": schema});
            let mut body = chat;
            body["tools"] = json!([{"type": "function", "function": function}]);
            body["tool_choice"] = json!("required");
            body["parallel_tool_calls"] = json!(false);
            body["response_format"] = Value::Null;
            let events = client.post("/v1/chat/completions", &body).events();
            assert_eq!(events.last().unwrap().data, "[DONE]");
            check(&said(&events), validator);
            return true;
        }
        _ => {
            let reply = client.post("/v1/chat/completions", &chat);
            assert_eq!(reply.status, 200, "{}", reply.text());
            let events = reply.events();
            assert_eq!(events.last().unwrap().data, "[DONE]", "a stream broke off");
            let finish = events[events.len() - 2].json()["choices"][0]["finish_reason"].clone();
            assert_eq!(finish, "stop");
            check(&said(&events), validator);
            return true;
        }
    }
    false
}

fn check(text: &str, validator: &jsonschema::Validator) {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert!(validator.is_valid(&value), "{text}");
}

#[test]
fn two_hundred_clients_at_a_time() {
    let start = Instant::now();
    let server =
        Process::start(&["--slots", "32", "--queue", "400", "--connections", "400", "--max-tokens", "400"]);
    let client = &server.client;
    let compiled: Vec<_> = schemas()
        .into_iter()
        .map(|schema| (schema.clone(), jsonschema::validator_for(&schema).unwrap()))
        .collect();
    let wave = || {
        let answered = std::thread::scope(|scope| {
            let visits: Vec<_> = (0..CLIENTS)
                .map(|k| {
                    let compiled = &compiled;
                    let thread = std::thread::Builder::new().stack_size(512 << 10);
                    thread.spawn_scoped(scope, move || visit(client, k, compiled)).unwrap()
                })
                .collect();
            visits.into_iter().map(|visit| visit.join().unwrap()).filter(|answered| *answered).count()
        });
        assert_eq!(answered, CLIENTS * 6 / 10);
        client.wait_for("warpgrammar_requests_in_flight", 0.0);
        client.wait_for("warpgrammar_slots_active", 0.0);
        client.wait_for("warpgrammar_queue_length", 0.0);
        client.wait_for("warpgrammar_connections", 1.0);
        server.resident()
    };
    let before = wave();
    let after: Vec<u64> = (0..WAVES).map(|_| wave()).collect();
    let took = start.elapsed();
    println!("{} clients, {took:?}; resident KiB: {before}, {after:?}", CLIENTS * (WAVES + 1));
    let last = after[WAVES - 1];
    assert!(last < before + before / 10 + (8 << 10), "memory grows: {before}, {after:?} KiB");
    assert!(took < Duration::from_secs(120), "{took:?}");
}
