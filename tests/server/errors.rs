//! What is refused, in which shape and with which status.

use serde_json::{Value, json};

use crate::support::{POISON, Running, chat, event, format, long};

#[test]
fn errors_have_the_shape_of_the_api() {
    let server = Running::plain();
    let client = &server.client;
    let strict = |schema: Value| json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": schema}}});
    let open = json!({"type": "object", "properties": {}, "required": []});
    let cases: [(&str, Value, u16, Value, Value); 10] = [
        ("/v1/chat/completions", json!({}), 400, json!("model"), json!("missing_required_parameter")),
        ("/v1/chat/completions", json!([]), 400, Value::Null, json!("invalid_type")),
        (
            "/v1/chat/completions",
            chat(json!({"colour": 1})),
            400,
            json!("colour"),
            json!("unknown_parameter"),
        ),
        ("/v1/chat/completions", chat(json!({"n": 0})), 400, json!("n"), json!("value_out_of_range")),
        ("/v1/chat/completions", chat(strict(open)), 400, json!("response_format"), Value::Null),
        (
            "/v1/chat/completions",
            chat(
                json!({"response_format": format(&json!({"type": "string", "minLength": 5, "maxLength": 2}))}),
            ),
            400,
            json!("response_format"),
            Value::Null,
        ),
        // Found only when it is to be decoded, also by one who streams.
        (
            "/v1/chat/completions",
            chat(json!({"response_format": format(&long(100)), "max_tokens": 5, "stream": true})),
            400,
            Value::Null,
            Value::Null,
        ),
        ("/v1/responses", json!({"model": "m"}), 400, json!("input"), json!("missing_required_parameter")),
        (
            "/v1/responses",
            json!({"model": "m", "input": "x", "previous_response_id": "r"}),
            400,
            json!("previous_response_id"),
            json!("unsupported_parameter"),
        ),
        ("/v1/embeddings", json!({}), 404, Value::Null, Value::Null),
    ];
    for (path, body, status, param, code) in cases {
        let reply = client.post(path, &body);
        let error = &reply.json()["error"];
        assert_eq!(
            (reply.status, &error["param"], &error["code"]),
            (status, &param, &code),
            "{path} {body} {error}"
        );
        assert_eq!(error["type"], "invalid_request_error");
        assert!(!error["message"].as_str().unwrap().is_empty());
        assert_eq!(reply.header("content-type"), Some("application/json"));
    }
    let clova = client.post("/v3/chat-completions/HCX-007", &json!({"messages": []}));
    assert_eq!((clova.status, &clova.json()["status"]["code"]), (400, &json!("40001")));
    let clova = client.request("POST", "/v3/chat-completions/HCX-007", b"no");
    assert_eq!((clova.status, &clova.json()["status"]["code"]), (400, &json!("40000")));
}

#[test]
fn text_that_is_no_json() {
    let server = Running::plain();
    for body in [&b""[..], b"{", b"\xff\xfe", b"{} {}", &b"[".repeat(200_000)] {
        for path in ["/v1/chat/completions", "/v1/responses"] {
            let reply = server.client.request("POST", path, body);
            let message = &reply.json()["error"]["message"];
            assert_eq!(reply.status, 400);
            assert!(message.as_str().unwrap().starts_with("We could not parse the JSON body"), "{message}");
        }
    }
}

#[test]
fn paths_and_methods() {
    let server = Running::plain();
    let client = &server.client;
    for (method, path, status, allow) in [
        ("GET", "/", 404, None),
        ("POST", "/v1/nothing", 404, None),
        ("GET", "/v1/chat/completions", 405, Some("POST")),
        ("DELETE", "/v3/chat-completions/HCX-007", 405, Some("POST")),
        ("POST", "/health", 405, Some("GET,HEAD")),
        ("PUT", "/v1/files", 405, Some("GET,HEAD,POST")),
        ("GET", "/v1/files", 404, None),
        ("GET", "/v1/models/%ff", 404, None),
        ("GET", "/v1/batches/b", 404, None),
    ] {
        let reply = client.request(method, path, b"");
        assert_eq!((reply.status, reply.header("allow")), (status, allow), "{method} {path}");
        let body = reply.json();
        assert!(body["error"]["message"].is_string() || body["status"]["message"].is_string(), "{body}");
    }
}

#[test]
fn keys() {
    let server = Running::start(std::time::Duration::ZERO, |config| {
        config.keys = warpgrammar::server::Keys::new(["k-1".to_owned(), "k-2".to_owned()]);
    });
    let client = &server.client;
    let body = chat(json!({"response_format": format(&event())}));
    let refused = client.post("/v1/chat/completions", &body);
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer")));
    let wrong = client.with("authorization", "Bearer k-3").post("/v1/chat/completions", &body);
    assert_eq!((wrong.status, &wrong.json()["error"]["code"]), (401, &json!("invalid_api_key")));
    let clova = client.with("authorization", "Bearer k-3").post("/v3/chat-completions/m", &json!({}));
    assert_eq!((clova.status, &clova.json()["status"]["code"]), (401, &json!("40100")));
    for right in [client.with("authorization", "Bearer k-1"), client.with("api-key", "k-2")] {
        assert_eq!(right.post("/v1/chat/completions", &body).status, 200);
        assert_eq!(right.get("/v1/models").status, 200);
    }
    assert_eq!(client.get("/v1/models").status, 401);
    assert_eq!(client.get("/metrics").status, 401);
    assert_eq!(client.get("/health").status, 200);
    // Nobody learns from a path what is behind it.
    assert_eq!(client.get("/v1/nothing").status, 401);
}

#[test]
fn a_panic_is_the_error_of_its_request_alone() {
    let server = Running::start(std::time::Duration::from_millis(5), |_| {});
    let good = chat(json!({"response_format": format(&long(200)), "stream": true}));
    let bad = chat(json!({"messages": [{"role": "user", "content": POISON}]}));
    std::thread::scope(|scope| {
        let others: Vec<_> =
            (0..3).map(|_| scope.spawn(|| server.client.post("/v1/chat/completions", &good))).collect();
        std::thread::sleep(std::time::Duration::from_millis(100));
        for _ in 0..2 {
            let reply = server.client.post("/v1/chat/completions", &bad);
            assert_eq!((reply.status, &reply.json()["error"]["type"]), (500, &json!("server_error")));
        }
        for other in others {
            let events = other.join().unwrap().events();
            assert_eq!(events.last().unwrap().data, "[DONE]");
            let text: String = events[..events.len() - 1]
                .iter()
                .map(|e| e.json()["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned())
                .collect();
            let value: Value = serde_json::from_str(&text).unwrap();
            assert!(jsonschema::is_valid(&long(200), &value), "{text}");
        }
    });
    assert_eq!(server.client.get("/health").status, 200);
    server.client.wait_for("warpgrammar_slots_active", 0.0);
}
