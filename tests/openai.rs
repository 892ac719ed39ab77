//! Chat Completions requests and batch lines: what is read, what is refused and in which words.

use serde_json::{Value, json};
use warpgrammar::openai::batch::{duplicate, output_line, parse_line};
use warpgrammar::openai::{
    ChatRequest, Completion, FinishReason, ResponseFormat, Role, TokenLogprob, template,
};

/// A body with the members of `extra` added to, or put in place of, the usual ones.
fn body(extra: Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "Say it as JSON."}]});
    for (key, value) in extra.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

fn read(extra: Value) -> ChatRequest {
    ChatRequest::parse(&body(extra)).unwrap()
}

#[test]
fn defaults_are_the_apis() {
    let chat = read(json!({}));
    assert_eq!(chat.format, ResponseFormat::Text);
    assert_eq!((chat.sampling.temperature, chat.sampling.top_p, chat.seeded), (1.0, 1.0, false));
    assert_eq!((chat.max_tokens, chat.stop.len()), (None, 0));
}

#[test]
fn every_parameter_is_read() {
    let chat = read(json!({
        "temperature": 0, "top_p": 0.9, "seed": -1, "max_completion_tokens": 400, "n": 1, "stream": false,
        "presence_penalty": 0.5, "frequency_penalty": -2, "logit_bias": {"17": -100, "3": 1.5}, "stop": ["a", "b"],
        "logprobs": true, "top_logprobs": 5, "user": "u", "metadata": {"k": "v"}, "store": true, "tools": [],
        "top_k": 40, "min_p": 0.05, "repetition_penalty": 1.1, "response_format": {"type": "text"},
    }));
    let s = &chat.sampling;
    assert_eq!((s.temperature, s.top_p, s.seed, s.top_k), (0.0, 0.9, u64::MAX, 40));
    assert_eq!(
        (s.presence_penalty, s.frequency_penalty, s.min_p, s.repetition_penalty),
        (0.5, -2.0, 0.05, 1.1)
    );
    assert_eq!(s.logit_bias, [(17, -100.0), (3, 1.5)]);
    assert_eq!((s.logprobs, s.top_logprobs, chat.max_tokens), (true, 5, Some(400)));
    assert_eq!(chat.stop, ["a", "b"]);
}

#[test]
fn messages_take_text_parts_and_make_a_prompt() {
    let chat = read(json!({"messages": [
        {"role": "developer", "content": "Be brief.\n"},
        {"role": "user", "content": [{"type": "text", "text": "Alice "}, {"type": "text", "text": "and Bob"}]},
    ]}));
    assert_eq!(chat.messages[0].role, Role::System);
    assert_eq!(
        template::prompt(&chat.messages),
        "system:\nBe brief.\n\nuser:\nAlice and Bob\n\nassistant:\n"
    );
}

#[test]
fn a_schema_is_kept_in_its_order() {
    let schema = json!({"type": "object", "properties": {"z": {}, "a": {}}});
    let format = json!({"type": "json_schema",
        "json_schema": {"name": "z_to-A9", "description": "d", "strict": true, "schema": schema}});
    let chat = read(json!({"response_format": format}));
    assert_eq!(chat.format.name(), "z_to-A9");
    assert_eq!(chat.format.schema().unwrap().to_string(), schema.to_string());
    assert_eq!(
        read(json!({"response_format": {"type": "json_object"}})).format.schema().unwrap()["type"],
        "object"
    );
}

#[test]
fn refusals_name_the_place_and_the_parameter() {
    let named = |name: &str| json!({"type": "json_schema", "json_schema": {"name": name, "schema": {}}});
    let image = json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}]);
    let cases = [
        (json!({"messages": []}), "/messages", "messages", "empty"),
        (json!({"messages": null}), "/messages", "messages", "Missing required parameter: 'messages'."),
        (json!({"messages": [{"content": "x"}]}), "/messages/0/role", "messages[0].role", "Missing"),
        (
            json!({"messages": [{"role": "tool", "content": "x"}]}),
            "/messages/0/role",
            "messages[0].role",
            "'tool'",
        ),
        (
            json!({"messages": image}),
            "/messages/0/content/0/type",
            "messages[0].content[0].type",
            "image_url",
        ),
        (json!({"temperature": 2.5}), "/temperature", "temperature", "2.5 is not between 0 and 2"),
        (json!({"temperature": "hot"}), "/temperature", "temperature", "expected a number, but got a string"),
        (json!({"top_p": -1}), "/top_p", "top_p", "between 0 and 1"),
        (json!({"n": 2}), "/n", "n", "Only 'n' = 1"),
        (json!({"seed": 1.5}), "/seed", "seed", "64-bit integer"),
        (json!({"max_tokens": 0}), "/max_tokens", "max_tokens", "between 1"),
        (
            json!({"max_tokens": 1, "max_completion_tokens": 1}),
            "/max_tokens",
            "max_tokens",
            "at the same time",
        ),
        (json!({"stop": ["1", "2", "3", "4", "5"]}), "/stop", "stop", "at most 4"),
        (json!({"stop": "}", "response_format": named("a")}), "/stop", "stop", "could cut the value"),
        (json!({"logit_bias": {"x": 1}}), "/logit_bias/x", "logit_bias.x", "not a token id"),
        (json!({"logit_bias": {"7": 101}}), "/logit_bias/7", "logit_bias[7]", "between -100 and 100"),
        (json!({"logprobs": true, "top_logprobs": 21}), "/top_logprobs", "top_logprobs", "between 0 and 20"),
        (json!({"top_logprobs": 2}), "/top_logprobs", "top_logprobs", "needs 'logprobs'"),
        (json!({"stream": true}), "/stream", "stream", "not supported in a batch"),
        (json!({"tools": [{}]}), "/tools", "tools", "not supported"),
        (json!({"guided_json": {}}), "/guided_json", "guided_json", "Unknown parameter: 'guided_json'"),
        (
            json!({"response_format": {"type": "xml"}}),
            "/response_format/type",
            "response_format.type",
            "'xml'",
        ),
        (
            json!({"response_format": named("with space")}),
            "/response_format/json_schema/name",
            "response_format.json_schema.name",
            "'with space' must have",
        ),
        (
            json!({"response_format": named(&"n".repeat(65))}),
            "/response_format/json_schema/name",
            "response_format.json_schema.name",
            "1 to 64",
        ),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}}),
            "/response_format/json_schema/schema",
            "response_format.json_schema.schema",
            "Missing",
        ),
    ];
    for (extra, pointer, param, words) in cases {
        let error = ChatRequest::parse(&body(extra.clone())).expect_err(&extra.to_string());
        assert_eq!(
            (error.status, error.pointer.as_str(), error.param.as_deref()),
            (400, pointer, Some(param)),
            "{extra}"
        );
        assert!(error.message.contains(words), "{extra}: {}", error.message);
        assert_eq!(error.body()["error"]["type"], "invalid_request_error");
    }
}

#[test]
fn json_mode_wants_the_word_json() {
    let format = json!({"type": "json_object"});
    let messages = json!([{"role": "user", "content": "List three colours."}]);
    let error =
        ChatRequest::parse(&body(json!({"messages": messages, "response_format": format}))).unwrap_err();
    assert_eq!(
        error.message,
        "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
    );
    assert_eq!(error.param.as_deref(), Some("messages"));
}

#[test]
fn batch_lines_are_read_or_refused_with_their_number() {
    let line = |method: &str, url: &str| {
        json!({"custom_id": "a", "method": method, "url": url, "body": body(json!({}))}).to_string()
    };
    let request = parse_line(1, &line("POST", "/v1/chat/completions")).unwrap();
    assert_eq!((request.custom_id.as_str(), request.chat.model.as_str()), ("a", "m"));

    let refused = [
        (line("GET", "/v1/chat/completions"), Some("a"), "/method"),
        (line("POST", "/v1/embeddings"), Some("a"), "/url"),
        (r#"{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}"#.into(), Some("a"), "/body"),
        (r#"{"method": "POST"}"#.into(), None, "/custom_id"),
        ("[]".into(), None, ""),
        ("{\"custom_id\": ".into(), None, ""),
        (
            json!({"custom_id": "b", "method": "POST", "url": "/v1/chat/completions", "body": body(json!({"n": 3}))})
                .to_string(),
            Some("b"),
            "/body/n",
        ),
    ];
    for (text, custom_id, pointer) in refused {
        let error = parse_line(7, &text).expect_err(&text);
        assert_eq!(
            (error.line, error.custom_id.as_deref(), error.error.pointer.as_str()),
            (7, custom_id, pointer)
        );
        let out = error.to_json();
        assert_eq!((&out["line"], &out["response"]["status_code"]), (&json!(7), &json!(400)));
        assert_eq!(out["custom_id"], json!(custom_id));
        assert!(out["response"]["body"]["error"]["message"].is_string());
    }
    assert_eq!(duplicate(4, "a", 1).to_json()["response"]["body"]["error"]["code"], "duplicate_custom_id");
}

#[test]
fn a_reply_has_the_apis_shape() {
    let completion = Completion {
        key: "a".into(),
        created: 7,
        model: "m".into(),
        content: "{}".into(),
        finish_reason: FinishReason::Stop,
        logprobs: Some(vec![TokenLogprob {
            bytes: b"{}".to_vec(),
            logprob: -0.5,
            top: vec![(b"{}".to_vec(), -0.5), (vec![0xc3], f32::NEG_INFINITY)],
        }]),
        prompt_tokens: 3,
        completion_tokens: 2,
        system_fingerprint: "f".into(),
    };
    let line = output_line("a", completion.to_json());
    assert_eq!(line["response"]["status_code"], 200);
    let reply = &line["response"]["body"];
    assert_eq!(reply["object"], "chat.completion");
    assert_eq!(
        reply["choices"][0]["message"],
        json!({"role": "assistant", "content": "{}", "refusal": null})
    );
    assert_eq!(reply["choices"][0]["finish_reason"], "stop");
    assert_eq!(reply["usage"], json!({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}));
    let token = &reply["choices"][0]["logprobs"]["content"][0];
    assert_eq!((&token["token"], &token["bytes"]), (&json!("{}"), &json!([123, 125])));
    assert_eq!(token["top_logprobs"][1]["logprob"], json!(-9999.0));
    let keys: Vec<&str> = reply.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["id", "object", "created", "model", "choices", "usage", "system_fingerprint"]);
}
