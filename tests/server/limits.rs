//! Bounds: sizes, numbers and times.

use std::io::{BufReader, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::read_reply;
use crate::support::{Folder, Running, chat, event, format, long};

#[test]
fn bodies_and_schemas_that_are_too_long() {
    let server = Running::start(Duration::ZERO, |config| {
        config.limits.body_bytes = 20_000;
        config.limits.schema_bytes = 2_000;
    });
    let client = &server.client;
    let reply = client.request("POST", "/v1/chat/completions", &vec![b' '; 20_001]);
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (413, &json!("request_too_large")));
    let reply = client.request("POST", "/v3/chat-completions/m", &vec![b' '; 20_001]);
    assert_eq!((reply.status, &reply.json()["status"]["code"]), (413, &json!("41300")));
    // Without its length being told.
    let mut stream = std::net::TcpStream::connect(client.address).unwrap();
    let head =
        "POST /v1/responses HTTP/1.1\r\nhost: t\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = [b"5000\r\n".as_slice(), &[b' '; 0x5000], b"\r\n0\r\n\r\n"].concat();
    stream.write_all(&chunk).unwrap();
    let reply = read_reply(&mut BufReader::new(stream)).unwrap();
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (413, &json!("request_too_large")));

    let described = |bytes: usize| json!({"type": "object", "description": "x".repeat(bytes)});
    let reply =
        client.post("/v1/chat/completions", &chat(json!({"response_format": format(&described(1_900))})));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let reply =
        client.post("/v1/chat/completions", &chat(json!({"response_format": format(&described(2_000))})));
    assert_eq!((reply.status, &reply.json()["error"]["param"]), (400, &json!("response_format")));
    let tool = json!({"type": "function", "name": "f", "parameters": described(2_000)});
    let reply = client.post("/v1/responses", &json!({"model": "m", "input": "x", "tools": [tool]}));
    assert_eq!((reply.status, &reply.json()["error"]["param"]), (400, &json!("tools[0].parameters")));
}

#[test]
fn more_requests_than_are_let_in() {
    let server = Running::start(Duration::from_millis(5), |config| {
        config.limits.slots = 1;
        config.limits.queue = 1;
    });
    let client = &server.client;
    let body = chat(json!({"response_format": format(&long(400)), "stream": true}));
    let decoded = client.begin_stream("/v1/chat/completions", &body);
    let queued = client.send("POST", "/v1/chat/completions", body.to_string().as_bytes()).unwrap();
    client.wait_for("warpgrammar_requests_in_flight", 2.0);
    client.wait_for("warpgrammar_queue_length", 1.0);
    let start = Instant::now();
    let refused = client.post("/v1/chat/completions", &body);
    assert!(start.elapsed() < Duration::from_secs(1), "it was not told at once");
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    let error = &refused.json()["error"];
    assert_eq!((&error["type"], &error["code"]), (&json!("rate_limit_error"), &json!("rate_limit_exceeded")));
    let refused =
        client.post("/v3/chat-completions/m", &json!({"messages": [{"role": "user", "content": "x"}]}));
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert_eq!(refused.json()["status"]["code"], "42900");
    // Other paths are not concerned.
    assert_eq!(client.get("/v1/models").status, 200);
    // A place that is given back is given out.
    drop(decoded);
    let reply = read_reply(&mut BufReader::new(queued)).unwrap();
    assert_eq!(reply.events().last().unwrap().data, "[DONE]");
    assert_eq!(
        client.post("/v1/chat/completions", &chat(json!({"response_format": format(&event())}))).status,
        200
    );
}

#[test]
fn requests_that_take_too_long() {
    let server = Running::start(Duration::from_millis(10), |config| {
        config.limits.request_time = Duration::from_millis(500);
    });
    let client = &server.client;
    let body = json!({"response_format": format(&long(800))});
    let reply = client.post("/v1/chat/completions", &chat(body.clone()));
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (504, &json!("timeout")));
    client.wait_for("warpgrammar_slots_active", 0.0);
    let mut body = body;
    body["stream"] = true.into();
    let events = client.post("/v1/chat/completions", &chat(body)).events();
    assert!(events.len() > 3);
    assert_eq!(events.last().unwrap().json()["error"]["code"], "timeout");
    client.wait_for("warpgrammar_slots_active", 0.0);
    // One that does not arrive.
    let mut stream = std::net::TcpStream::connect(client.address).unwrap();
    let head = "POST /v1/responses HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-length: 10\r\n\r\n{";
    stream.write_all(head.as_bytes()).unwrap();
    let reply = read_reply(&mut BufReader::new(stream)).unwrap();
    assert_eq!(reply.status, 408);
}

#[test]
fn heads_that_do_not_end_and_connections_that_idle() {
    let server =
        Running::start(Duration::ZERO, |config| config.limits.head_time = Duration::from_millis(200));
    let mut slow = std::net::TcpStream::connect(server.client.address).unwrap();
    slow.write_all(b"POST /v1/responses HTTP/1.1\r\nhost:").unwrap();
    let _idle = std::net::TcpStream::connect(server.client.address).unwrap();
    // The connection that asks is one itself.
    server.client.wait_for("warpgrammar_connections", 1.0);
}

/// A schema that takes a while to compile, in a debug build at least.
fn slow_to_compile(seed: usize) -> Value {
    let member = |k: usize| {
        (
            format!("member_{seed}_{k}"),
            json!({"type": "string", "pattern": format!("^[a-f]{{1,{}}}(x|y)+$", 200 + k % 50)}),
        )
    };
    let properties: serde_json::Map<String, Value> = (0..60).map(member).collect();
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

#[test]
fn schemas_that_take_too_long() {
    let server = Running::start(Duration::ZERO, |config| {
        config.limits.compile_time = Duration::ZERO;
        config.limits.compiles = 1;
    });
    let client = &server.client;
    let body = chat(json!({"response_format": format(&slow_to_compile(0))}));
    let reply = client.post("/v1/chat/completions", &body);
    let error = &reply.json()["error"];
    assert_eq!((reply.status, &error["param"]), (400, &json!("response_format")), "{error}");
    assert!(error["message"].as_str().unwrap().contains("to compile"), "{error}");
    // Its place is taken until it ends; meanwhile others are told to come again.
    let other = chat(json!({"response_format": format(&slow_to_compile(1))}));
    let reply = client.post("/v1/chat/completions", &other);
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")), "{}", reply.text());
    assert_eq!(reply.json()["error"]["code"], "compiler_busy");
    // What needs no compiling is not concerned.
    let free = json!({"model": "m", "input": "Say something.", "max_output_tokens": 5});
    assert_eq!(client.post("/v1/responses", &free).status, 200);
    // When it is compiled, it is there for who asks again.
    client.wait_for("warpgrammar_compile_seconds_count", 1.0);
    let start = Instant::now();
    let mut reply = client.post("/v1/chat/completions", &body);
    while reply.status != 200 && start.elapsed() < Duration::from_secs(20) {
        reply = client.post("/v1/chat/completions", &body);
    }
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[test]
fn a_stream_that_is_not_read_is_given_up() {
    let server = Running::start(Duration::ZERO, |config| {
        config.limits.stream_buffer = 8;
        config.limits.stall_time = Duration::from_millis(500);
    });
    let client = &server.client;
    // Some tens of megabytes: more than sockets hold. Another request is to go on undisturbed.
    let body = chat(json!({
        "response_format": format(&long(8000)), "stream": true, "logprobs": true, "top_logprobs": 20, "n": 2,
        "max_completion_tokens": 100_000,
    }));
    let unread = client.begin_stream("/v1/chat/completions", &body);
    let reply = client.post("/v1/chat/completions", &chat(json!({"response_format": format(&event())})));
    assert_eq!(reply.status, 200);
    client.wait_for("warpgrammar_slots_active", 0.0);
    assert_eq!(client.metric("warpgrammar_dropped_total"), 1.0);
    client.wait_for("warpgrammar_connections", 1.0);
    client.wait_for("warpgrammar_requests_in_flight", 0.0);
    drop(unread);
}

#[test]
fn files_that_are_too_long_or_not_read() {
    let folder = Folder::new("limits");
    let data = folder.0.clone();
    let server = Running::start(Duration::ZERO, move |config| {
        config.data = Some(data);
        config.limits.file_bytes = 30_000_000;
        config.limits.stall_time = Duration::from_millis(300);
    });
    let client = &server.client;
    let reply = client.upload("big", &vec![b'x'; 30_000_001]);
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (413, &json!("request_too_large")));
    assert_eq!(std::fs::read_dir(folder.0.join("files")).unwrap().count(), 0, "something was left behind");
    let reply = client.upload("as big as may be", &vec![b'x'; 30_000_000]);
    assert_eq!((reply.status, &reply.json()["bytes"]), (200, &json!(30_000_000)), "{}", reply.text());
    let id = reply.json()["id"].as_str().unwrap().to_owned();
    let unread = client.send("GET", &format!("/v1/files/{id}/content"), b"").unwrap();
    std::thread::sleep(Duration::from_millis(100));
    client.wait_for("warpgrammar_connections", 1.0);
    drop(unread);
    let content = client.get(&format!("/v1/files/{id}/content"));
    assert_eq!(content.body.len(), 30_000_000);
}
