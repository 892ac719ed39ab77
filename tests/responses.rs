//! Responses requests and replies.

use serde_json::{Value, json};
use warpgrammar::api::batch::parse_line;
use warpgrammar::chat::{
    Call, Choice, FinishReason, Format, Framing, Logprobs, Reply, TokenLogprob, ToolChoice, Usage, template,
};
use warpgrammar::openai::ResponsesRequest;

fn body(extra: Value) -> Value {
    let mut body = json!({"model": "m", "input": "Say it as JSON."});
    for (key, value) in extra.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

fn read(extra: Value) -> ResponsesRequest {
    ResponsesRequest::parse(&body(extra)).unwrap()
}

fn reply(choice: Choice) -> Reply {
    Reply {
        key: "a".into(),
        created_ms: 7_500,
        choices: vec![choice],
        usage: Usage { prompt: 3, completion: 2 },
        seed: 9,
        system_fingerprint: "f".into(),
    }
}

#[test]
fn every_parameter_is_read() {
    let schema = json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false});
    let request = read(json!({
        "instructions": "Be brief.", "temperature": 0, "top_p": 0.5, "max_output_tokens": 9, "stream": true,
        "include": ["message.output_text.logprobs"], "top_logprobs": 3, "store": false, "metadata": {"k": "v"},
        "text": {"format": {"type": "json_schema", "name": "n", "description": "d", "strict": true, "schema": schema},
                 "verbosity": "low"},
        "tools": [{"type": "function", "name": "f", "description": "d", "parameters": schema, "strict": true}],
        "tool_choice": {"type": "function", "name": "f"}, "parallel_tool_calls": false,
    }));
    let g = &request.generation;
    assert_eq!((g.sampling.temperature, g.sampling.top_p, g.sampling.top_logprobs), (0.0, 0.5, 3));
    assert_eq!((g.max_tokens, g.tool_choice, g.parallel_calls), (Some(9), ToolChoice::Named(0), false));
    let description = Some("d".to_owned());
    assert_eq!(g.format, Format::JsonSchema { name: "n".into(), description, schema, strict: true });
    assert!(request.stream && g.sampling.logprobs && g.tools[0].strict);
}

#[test]
fn input_is_a_conversation() {
    let request = read(json!({"instructions": "Be brief.", "input": [
        {"role": "developer", "content": "Use f."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Do it."}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "id": "fc_1", "status": "completed"},
        {"type": "function_call_output", "call_id": "c", "output": "done"},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
         "content": [{"type": "output_text", "text": "It is done.", "annotations": []}]},
    ]}));
    let prompt = template::prompt(&request.generation, &Framing::default());
    assert_eq!(
        prompt,
        "system:\nBe brief.\n\nsystem:\nUse f.\n\nuser:\nDo it.\n\nassistant:\n<tool_call>\n{\"name\": \"f\", \
         \"arguments\": {}}\n</tool_call>\n\ntool:\ndone\n\nassistant:\nIt is done.\n\nassistant:\n"
    );
}

#[test]
fn refusals_name_the_place_and_the_parameter() {
    let cases = [
        (json!({"input": null}), "/input", "input", "Missing required parameter: 'input'."),
        (json!({"input": []}), "/input", "input", "empty"),
        (json!({"input": [{"type": "reasoning"}]}), "/input/0/type", "input[0].type", "'reasoning'"),
        (json!({"input": [{"role": "user"}]}), "/input/0/content", "input[0].content", "Missing"),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}),
            "/input/0/content/0/type",
            "input[0].content[0].type",
            "input_image",
        ),
        (
            json!({"previous_response_id": "r"}),
            "/previous_response_id",
            "previous_response_id",
            "nothing is stored",
        ),
        (json!({"n": 2}), "/n", "n", "Unknown parameter: 'n'."),
        (json!({"truncation": "middle"}), "/truncation", "truncation", "Unsupported 'truncation' 'middle'"),
        (json!({"include": ["x"]}), "/include/0", "include[0]", "Unsupported"),
        (json!({"top_logprobs": 2}), "/top_logprobs", "top_logprobs", "needs 'include'"),
        (json!({"text": {"form": 1}}), "/text/form", "text.form", "Unknown parameter: 'text.form'."),
        (json!({"text": {"format": {"type": "xml"}}}), "/text/format/type", "text.format.type", "'xml'"),
        (
            json!({"text": {"format": {"type": "json_schema", "schema": {}}}}),
            "/text/format/name",
            "text.format.name",
            "Missing",
        ),
        (
            json!({"input": "List colours.", "text": {"format": {"type": "json_object"}}}),
            "/input",
            "input",
            "'input' must contain the word 'json' in some form, to use 'text.format' of type 'json_object'.",
        ),
        (json!({"tools": [{"type": "web_search"}]}), "/tools/0/type", "tools[0].type", "'web_search'"),
        (
            json!({"tools": [{"type": "function", "function": {"name": "f"}}]}),
            "/tools/0/function",
            "tools[0].function",
            "Unknown parameter: 'tools[0].function'.",
        ),
    ];
    for (extra, pointer, param, words) in cases {
        let error = ResponsesRequest::parse(&body(extra.clone())).expect_err(&extra.to_string());
        assert_eq!((error.pointer.as_str(), error.param.as_deref()), (pointer, Some(param)), "{extra}");
        assert!(error.message.contains(words), "{extra}: {}", error.message);
    }
}

#[test]
fn a_reply_has_the_apis_shape() {
    for said in ["auto", "disabled"] {
        let reply = read(json!({"truncation": said})).reply(&reply(Choice::default()));
        assert_eq!(reply["truncation"], said);
    }
    let request = read(json!({"include": ["message.output_text.logprobs"], "max_output_tokens": 5}));
    let token = TokenLogprob { bytes: b"{}".to_vec(), logprob: -0.5, top: Vec::new() };
    let choice = Choice {
        content: Some("{}".into()),
        finish: Some(FinishReason::Stop),
        logprobs: Some(Logprobs { content: vec![token], refusal: Vec::new() }),
        ..Choice::default()
    };
    let out = request.reply(&reply(choice.clone()));
    assert_eq!(
        (&out["object"], &out["created_at"], &out["status"]),
        (&json!("response"), &json!(7), &json!("completed"))
    );
    let item = &out["output"][0];
    assert_eq!(
        (&item["type"], &item["role"], &item["status"]),
        (&json!("message"), &json!("assistant"), &json!("completed"))
    );
    let part = &item["content"][0];
    assert_eq!(
        (&part["type"], &part["text"], &part["annotations"]),
        (&json!("output_text"), &json!("{}"), &json!([]))
    );
    assert_eq!(part["logprobs"][0]["token"], "{}");
    assert_eq!(out["incomplete_details"], Value::Null);
    assert_eq!((&out["usage"]["input_tokens"], &out["usage"]["total_tokens"]), (&json!(3), &json!(5)));
    assert_eq!((&out["text"], &out["max_output_tokens"]), (&json!({"format": {"type": "text"}}), &json!(5)));

    let cut_off = request.reply(&reply(Choice { finish: Some(FinishReason::Length), ..choice }));
    assert_eq!(cut_off["status"], "incomplete");
    assert_eq!(cut_off["incomplete_details"], json!({"reason": "max_output_tokens"}));
    assert_eq!(cut_off["output"][0]["status"], "incomplete");

    let refusing =
        Choice { refusal: Some("No.".into()), finish: Some(FinishReason::Stop), ..Choice::default() };
    let out = request.reply(&reply(refusing));
    assert_eq!(out["output"][0]["content"], json!([{"type": "refusal", "refusal": "No."}]));

    let call = Call { name: "f".into(), arguments: "{}".into(), ..Call::default() };
    let calling = Choice {
        calls: vec![call.clone(), call],
        finish: Some(FinishReason::ToolCalls),
        ..Choice::default()
    };
    let out = request.reply(&reply(calling));
    let items = out["output"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(
        (&items[1]["type"], &items[1]["name"], &items[1]["arguments"]),
        (&json!("function_call"), &json!("f"), &json!("{}"))
    );
    assert_ne!(items[0]["call_id"], items[1]["call_id"]);
}

#[test]
fn lines_of_every_api_are_read_and_refused_in_its_shape() {
    let line = |url: &str, body: Value| {
        json!({"custom_id": "a", "method": "POST", "url": url, "body": body}).to_string()
    };
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
    let azure = "/openai/deployments/d/chat/completions?api-version=2024-10-21";
    for (url, body) in [
        ("/v1/chat/completions", chat.clone()),
        ("/v1/responses", body(json!({}))),
        (azure, json!({"messages": chat["messages"]})),
        ("/v3/chat-completions/HCX-007", json!({"messages": chat["messages"]})),
    ] {
        assert!(parse_line(1, &line(url, body)).is_ok(), "{url}");
    }
    let refused = parse_line(3, &line("/v3/chat-completions/HCX-007", json!({}))).unwrap_err().to_json("");
    assert_eq!(refused["response"]["body"]["status"]["code"], "40001");
    let refused = parse_line(3, &line("/v1/responses", json!({}))).unwrap_err().to_json("");
    assert_eq!(refused["response"]["body"]["error"]["param"], "model");
    let refused = parse_line(3, &line("/v1/responses", body(json!({"stream": true})))).unwrap_err();
    assert_eq!(refused.error.pointer, "/body/stream");
    // Azure takes no patterns.
    let schema = json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "^a"}}, "required": ["a"],
                        "additionalProperties": false});
    let mut strict = chat;
    strict["response_format"] =
        json!({"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": schema}});
    assert!(parse_line(1, &line("/v1/chat/completions", strict.clone())).is_ok());
    let error = parse_line(1, &line("/chat/completions", strict)).unwrap_err().error;
    assert!(
        error.message.ends_with("In context=('properties', 'a'), 'pattern' is not permitted."),
        "{error}"
    );
}
