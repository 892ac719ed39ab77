//! Chat Completions requests and batch lines: what is read, what is refused and in which words.

use serde_json::{Value, json};
use warpgrammar::api::Request;
use warpgrammar::api::batch::{duplicate, output_line, parse_line};
use warpgrammar::chat::{
    Call, Choice, FinishReason, Format, Framing, Logprobs, Reply, Role, TokenLogprob, Tool, ToolChoice,
    Usage, template,
};
use warpgrammar::openai::ChatRequest;

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

fn function(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}})
}

#[test]
fn defaults_are_the_apis() {
    let chat = read(json!({})).generation;
    assert_eq!(chat.format, Format::Text);
    assert_eq!((chat.sampling.temperature, chat.sampling.top_p, chat.seeded), (1.0, 1.0, false));
    assert_eq!((chat.max_tokens, chat.stop.len(), chat.choices), (None, 0, 1));
    assert_eq!((chat.tools.len(), chat.tool_choice, chat.parallel_calls), (0, ToolChoice::Auto, true));
}

#[test]
fn every_parameter_is_read() {
    let chat = read(json!({
        "temperature": 0, "top_p": 0.9, "seed": -1, "max_completion_tokens": 400, "n": 1, "stream": false,
        "presence_penalty": 0.5, "frequency_penalty": -2, "logit_bias": {"17": -100, "3": 1.5}, "stop": ["a", "b"],
        "logprobs": true, "top_logprobs": 5, "user": "u", "metadata": {"k": "v"}, "store": true, "tools": [],
        "top_k": 40, "min_p": 0.05, "repetition_penalty": 1.1, "response_format": {"type": "text"},
    }))
    .generation;
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
    assert_eq!(chat.generation.messages[0].role, Role::System);
    assert_eq!(
        template::prompt(&chat.generation, &Framing::default()),
        "system:\nBe brief.\n\nuser:\nAlice and Bob\n\nassistant:\n"
    );
}

#[test]
fn a_schema_is_kept_in_its_order() {
    let schema = json!({"type": "object", "properties": {"z": {}, "a": {}}});
    let format = json!({"type": "json_schema",
        "json_schema": {"name": "z_to-A9", "description": "d", "strict": false, "schema": schema}});
    let chat = read(json!({"response_format": format})).generation;
    assert_eq!(chat.format.name(), "z_to-A9");
    assert_eq!(chat.format.schema().unwrap().to_string(), schema.to_string());
    assert_eq!(
        read(json!({"response_format": {"type": "json_object"}})).generation.format.schema().unwrap()["type"],
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
            json!({"messages": [{"role": "function", "content": "x"}]}),
            "/messages/0/role",
            "messages[0].role",
            "'function'",
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
        (json!({"n": 129}), "/n", "n", "between 1 and 128"),
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
        (json!({"functions": [{}]}), "/functions", "functions", "use 'tools'"),
        (json!({"tools": [{}]}), "/tools/0/type", "tools[0].type", "Missing"),
        (json!({"tools": [{"type": "custom"}]}), "/tools/0/type", "tools[0].type", "'custom'"),
        (
            json!({"tools": [{"type": "function", "function": {"name": "a b"}}]}),
            "/tools/0/function/name",
            "tools[0].function.name",
            "'a b' must have 1 to 64",
        ),
        (
            json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}]}),
            "/tools/0/function/parameters",
            "tools[0].function.parameters",
            "Invalid schema for function 'f': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"array\"'.",
        ),
        (
            json!({"tools": [function("f"), function("f")]}),
            "/tools/1",
            "tools[1]",
            "Two functions are named 'f'.",
        ),
        (
            json!({"tool_choice": "required"}),
            "/tool_choice",
            "tool_choice",
            "'tool_choice' is only allowed when 'tools' are specified.",
        ),
        (
            json!({"tools": [function("f")], "tool_choice": {"type": "function", "function": {"name": "g"}}}),
            "/tool_choice",
            "tool_choice",
            "Tool choice 'g' not found in 'tools' parameter.",
        ),
        (json!({"tools": [function("f")], "stop": "x"}), "/stop", "stop", "could cut arguments short"),
        (
            json!({"stream_options": {}}),
            "/stream_options",
            "stream_options",
            "only allowed when 'stream' is true",
        ),
        (
            json!({"messages": [{"role": "tool", "content": "x"}]}),
            "/messages/0/tool_call_id",
            "messages[0].tool_call_id",
            "Missing",
        ),
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
    let Request::Chat(chat) = &request.request else { panic!("{request:?}") };
    assert_eq!((request.custom_id.as_str(), chat.model.as_str()), ("a", "m"));

    let refused = [
        (line("GET", "/v1/chat/completions"), Some("a"), "/method"),
        (line("POST", "/v1/embeddings"), Some("a"), "/url"),
        (r#"{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}"#.into(), Some("a"), "/body"),
        (r#"{"method": "POST"}"#.into(), None, "/custom_id"),
        ("[]".into(), None, ""),
        ("{\"custom_id\": ".into(), None, ""),
        (
            json!({"custom_id": "b", "method": "POST", "url": "/v1/chat/completions", "body": body(json!({"n": 300}))})
                .to_string(),
            Some("b"),
            "/body/n",
        ),
        (
            json!({"custom_id": "b", "method": "POST", "url": "/v1/chat/completions",
                   "body": body(json!({"stream": true}))})
            .to_string(),
            Some("b"),
            "/body/stream",
        ),
    ];
    for (text, custom_id, pointer) in refused {
        let error = parse_line(7, &text).expect_err(&text);
        assert_eq!(
            (error.line, error.custom_id.as_deref(), error.error.pointer.as_str()),
            (7, custom_id, pointer)
        );
        let out = error.to_json("");
        assert_eq!((&out["line"], &out["response"]["status_code"]), (&json!(7), &json!(400)));
        assert_eq!(out["custom_id"], json!(custom_id));
        assert!(out["response"]["body"]["error"]["message"].is_string());
    }
    let first =
        json!({"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body(json!({}))});
    let first = parse_line(1, &first.to_string()).unwrap();
    assert_eq!(
        duplicate(4, &first, 1).to_json("")["response"]["body"]["error"]["code"],
        "duplicate_custom_id"
    );
}

#[test]
fn functions_are_read_as_they_may_be_called() {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                        "additionalProperties": false});
    let weather = json!({"type": "function", "function": {"name": "weather", "description": "Looks it up.",
                         "parameters": schema, "strict": true}});
    let bare = json!({"type": "function", "function": {"name": "now"}});
    let chat = read(json!({"tools": [weather, bare], "parallel_tool_calls": false})).generation;
    let [one, two] = &chat.tools[..] else { panic!("{:?}", chat.tools) };
    let description = Some("Looks it up.".to_owned());
    assert_eq!(*one, Tool { name: "weather".into(), description, parameters: schema, strict: true });
    assert_eq!((two.strict, &two.parameters["additionalProperties"]), (false, &json!(false)));
    assert_eq!(
        (chat.tool_choice, chat.parallel_calls, chat.callable()),
        (ToolChoice::Auto, false, vec![0, 1])
    );

    let choice = |choice: Value| {
        let chat = read(json!({"tools": [function("f"), function("g")], "tool_choice": choice})).generation;
        (chat.tool_choice, chat.callable())
    };
    assert_eq!(choice(json!("none")), (ToolChoice::None, vec![]));
    assert_eq!(choice(json!("required")), (ToolChoice::Required, vec![0, 1]));
    let named = json!({"type": "function", "function": {"name": "g"}});
    assert_eq!(choice(named), (ToolChoice::Named(1), vec![1]));
}

#[test]
fn a_conversation_goes_on_after_calls() {
    let call =
        json!({"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}});
    let chat = read(json!({"tools": [function("f")], "messages": [
        {"role": "user", "content": "Do it."},
        {"role": "assistant", "content": null, "refusal": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "done"},
        {"role": "assistant", "content": null, "refusal": "No more."},
    ]}));
    let prompt = template::prompt(&chat.generation, &Framing::default());
    let end = "user:\nDo it.\n\nassistant:\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\":1}}\n</tool_call>\n\n\
               tool:\ndone\n\nassistant:\nNo more.\n\nassistant:\n";
    assert!(prompt.ends_with(end), "{prompt}");
    // What the source of logits is told.
    assert!(prompt.starts_with("system:\nYou may call these functions:\n{\"name\":\"f\","), "{prompt}");
}

fn reply(choices: Vec<Choice>) -> Reply {
    Reply {
        key: "a".into(),
        created_ms: 7_500,
        choices,
        usage: Usage { prompt: 3, completion: 2 },
        seed: 9,
        system_fingerprint: "f".into(),
    }
}

#[test]
fn a_reply_has_the_apis_shape() {
    let token = TokenLogprob {
        bytes: b"{}".to_vec(),
        logprob: -0.5,
        top: vec![(b"{}".to_vec(), -0.5), (vec![0xc3], f32::NEG_INFINITY)],
    };
    let choice = Choice {
        content: Some("{}".into()),
        finish: Some(FinishReason::Stop),
        logprobs: Some(Logprobs { content: vec![token], refusal: Vec::new() }),
        ..Choice::default()
    };
    let line = output_line("", "a", read(json!({})).reply(&reply(vec![choice])));
    assert_eq!(line["response"]["status_code"], 200);
    let reply = &line["response"]["body"];
    assert_eq!((&reply["object"], &reply["created"]), (&json!("chat.completion"), &json!(7)));
    assert_eq!(
        reply["choices"][0]["message"],
        json!({"role": "assistant", "content": "{}", "refusal": null})
    );
    assert_eq!(reply["choices"][0]["finish_reason"], "stop");
    assert_eq!(reply["usage"], json!({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}));
    let token = &reply["choices"][0]["logprobs"]["content"][0];
    assert_eq!((&token["token"], &token["bytes"]), (&json!("{}"), &json!([123, 125])));
    assert_eq!(token["top_logprobs"][1]["logprob"], json!(-9999.0));
    assert_eq!(reply["choices"][0]["logprobs"]["refusal"], Value::Null);
    let keys: Vec<&str> = reply.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["id", "object", "created", "model", "choices", "usage", "system_fingerprint"]);
}

#[test]
fn calls_and_refusals_have_the_apis_shape() {
    let call = |name: &str| Call { name: name.into(), arguments: "{}".into(), ..Call::default() };
    let calling = Choice {
        calls: vec![call("f"), call("g")],
        finish: Some(FinishReason::ToolCalls),
        ..Choice::default()
    };
    let refusing =
        Choice { refusal: Some("No.".into()), finish: Some(FinishReason::Stop), ..Choice::default() };
    let body = read(json!({"n": 2})).reply(&reply(vec![calling, refusing]));
    let message = &body["choices"][0]["message"];
    assert_eq!((&message["content"], &message["refusal"]), (&Value::Null, &Value::Null));
    assert_eq!(message["tool_calls"][1]["function"], json!({"name": "g", "arguments": "{}"}));
    assert_ne!(message["tool_calls"][0]["id"], message["tool_calls"][1]["id"]);
    assert_eq!(body["choices"][0]["finish_reason"], "tool_calls");
    let refusal = json!({"role": "assistant", "content": null, "refusal": "No."});
    assert_eq!((&body["choices"][1]["message"], &body["choices"][1]["index"]), (&refusal, &json!(1)));
}
