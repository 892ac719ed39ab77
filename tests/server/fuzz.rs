//! Bodies and schemas that mean no good, over a socket: every one is answered, in time, and none is the server's fault.

use std::sync::OnceLock;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

#[path = "../common/bodies.rs"]
mod bodies;

use self::bodies::{PATHS, good, replace, value};
use crate::client::Reply;
use crate::support::Running;

fn server() -> &'static Running {
    static SERVER: OnceLock<Running> = OnceLock::new();
    SERVER.get_or_init(|| {
        Running::start(Duration::ZERO, |config| {
            config.max_tokens = 200;
            config.limits.request_time = Duration::from_secs(20);
        })
    })
}

fn answered(path: &str, body: &Value) -> Result<Reply, TestCaseError> {
    let reply = server().client.post(path, body);
    prop_assert!(matches!(reply.status, 200 | 400), "{} for {path} {body}: {}", reply.status, reply.text());
    Ok(reply)
}

/// Some bound on what is generated, where the body has none: schemas without one are legal.
fn bounded(path: &str, mut body: Value) -> Value {
    let key = match path {
        "/v1/responses" => "max_output_tokens",
        "/v3/chat-completions/m" => "maxTokens",
        _ => "max_completion_tokens",
    };
    if let Some(body) = body.as_object_mut() {
        body.entry(key).or_insert(json!(200));
    }
    body
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn every_body_is_answered(part in value(), at in 0usize..60) {
        for path in PATHS.into_iter().filter(|path| *path != "/chat/completions") {
            let mut body = good(path);
            replace(&mut body, &mut { at }, &part);
            answered(path, &bounded(path, body))?;
        }
    }

    #[test]
    fn every_schema_is_answered(schema in value()) {
        let messages = json!([{"role": "user", "content": "json"}]);
        let format = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}});
        let body = json!({"model": "m", "messages": messages, "response_format": format, "max_tokens": 200});
        let reply = answered("/v1/chat/completions", &body)?;
        if reply.status == 200 {
            let text = reply.json()["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned();
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text} for {schema}");
        }
        let clova = json!({"messages": [{"role": "user", "content": "x"}], "maxTokens": 200,
                           "responseFormat": {"type": "json", "schema": schema}});
        answered("/v3/chat-completions/m", &clova)?;
        let tool = json!({"type": "function", "name": "f", "parameters": schema});
        answered("/v1/responses", &json!({"model": "m", "input": "x", "tools": [tool], "max_output_tokens": 200}))?;
    }

    #[test]
    fn every_damaged_text_is_answered(damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4)) {
        for path in PATHS {
            let mut text = bounded(path, good(path)).to_string().into_bytes();
            for &(at, byte) in &damage {
                let at = at % text.len();
                text[at] = byte;
            }
            let reply = server().client.request("POST", path, &text);
            prop_assert!(matches!(reply.status, 200 | 400), "{}: {}", reply.status, String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn every_text_is_answered(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        for path in PATHS {
            let reply = server().client.request("POST", path, &body);
            prop_assert_eq!(reply.status, 400);
        }
    }
}
