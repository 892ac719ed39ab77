//! Streams, event by event.

use std::sync::Arc;

use serde_json::{Value, json};
use warpgrammar::chat::{
    Choice, Delta, Event, EventData, FinishReason, Framing, Generation, Output, Piece, Plan, Usage,
};
use warpgrammar::clova::{ClovaRequest, ClovaStream};
use warpgrammar::engine::{Finish, Step};
use warpgrammar::openai::{ApiError, ChatRequest, ChatStream, ResponsesRequest, ResponsesStream};
use warpgrammar::vocab::Vocabulary;

const USAGE: Usage = Usage { prompt: 3, completion: 9 };

fn text(content: &str) -> Delta {
    Delta { pieces: vec![Piece::Content(content.into())], ..Delta::default() }
}

fn last(finish: FinishReason) -> Delta {
    Delta { finish: Some(finish), ..Delta::default() }
}

fn chat(extra: Value) -> ChatRequest {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": true});
    for (key, value) in extra.as_object().unwrap() {
        body[key] = value.clone();
    }
    ChatRequest::parse(&body).unwrap()
}

/// The deltas of chunks, or what else is told apart.
fn deltas(events: &[Event]) -> Vec<Value> {
    events
        .iter()
        .map(|event| match event.json() {
            None => json!("done"),
            Some(chunk) if chunk["choices"] == json!([]) => json!({"usage": chunk["usage"]["total_tokens"]}),
            Some(chunk) => {
                let choice = &chunk["choices"][0];
                json!([choice["index"], choice["delta"], choice["finish_reason"]])
            }
        })
        .collect()
}

#[test]
fn chunks_of_content() {
    let request = chat(json!({"stream_options": {"include_usage": true}, "n": 2}));
    let mut stream = ChatStream::new(&request, "k", 7, "f");
    let mut events = stream.begin();
    events.extend(stream.push(0, text("")));
    events.extend(stream.push(0, text("Hé")));
    events.extend(stream.push(1, text("Yes")));
    events.extend(stream.push(0, last(FinishReason::Stop)));
    events.extend(stream.push(1, last(FinishReason::Length)));
    events.extend(stream.end(USAGE));
    let role = json!({"role": "assistant", "content": "", "refusal": null});
    assert_eq!(
        deltas(&events),
        [
            json!([0, role, null]),
            json!([1, role, null]),
            json!([0, {"content": "Hé"}, null]),
            json!([1, {"content": "Yes"}, null]),
            json!([0, {}, "stop"]),
            json!([1, {}, "length"]),
            json!({"usage": 12}),
            json!("done"),
        ]
    );
    let chunk = events[2].json().unwrap();
    assert_eq!((&chunk["object"], &chunk["usage"]), (&json!("chat.completion.chunk"), &Value::Null));
    assert_eq!(chunk["id"], events[0].json().unwrap()["id"]);
    let wire = events.last().unwrap().to_string();
    assert_eq!(wire, "data: [DONE]\n\n");
    assert!(
        events[2].to_string().starts_with("data: {\"id\":\"chatcmpl-")
            && events[2].to_string().ends_with("}\n\n")
    );
    // Not asked for, usage is not there at all.
    let mut stream = ChatStream::new(&chat(json!({})), "k", 7, "f");
    assert!(stream.push(0, text("a"))[0].json().unwrap().get("usage").is_none());
    assert_eq!(stream.end(USAGE).len(), 1);
}

#[test]
fn chunks_of_calls_and_refusals() {
    let mut stream = ChatStream::new(&chat(json!({})), "k", 7, "f");
    let call = |name: &str| Piece::Call(name.into());
    let arguments = |text: &str| Piece::Arguments(text.into());
    let pieces = vec![call("f"), arguments("{\"a\":"), arguments("1}"), call("g"), arguments("{}")];
    let events = stream.push(0, Delta { pieces, finish: Some(FinishReason::ToolCalls), ..Delta::default() });
    let shown = deltas(&events);
    let id = |k: usize| events[k].json().unwrap()["choices"][0]["delta"]["tool_calls"][0]["id"].clone();
    let begun = |index: usize, id: Value, name: &str| {
        let function = json!({"name": name, "arguments": ""});
        json!([0, {"tool_calls": [{"index": index, "id": id, "type": "function", "function": function}]}, null])
    };
    let more = |index: usize, text: &str| json!([0, {"tool_calls": [{"index": index, "function": {"arguments": text}}]}, null]);
    assert_eq!(
        shown,
        [
            begun(0, id(0), "f"),
            more(0, "{\"a\":"),
            more(0, "1}"),
            begun(1, id(3), "g"),
            more(1, "{}"),
            json!([0, {}, "tool_calls"])
        ]
    );
    assert!(id(0).is_string() && id(0) != id(3));

    let refusing = Delta { pieces: vec![Piece::Refusal("No.".into())], ..Delta::default() };
    assert_eq!(deltas(&stream.push(0, refusing)), [json!([0, {"refusal": "No."}, null])]);
}

fn responses() -> ResponsesRequest {
    ResponsesRequest::parse(&json!({"model": "m", "input": "x", "stream": true})).unwrap()
}

fn names(events: &[Event]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event.json().unwrap()["type"].as_str().unwrap().trim_start_matches("response."))
        .collect()
}

#[test]
fn events_of_a_response() {
    let mut stream = ResponsesStream::new(responses(), "k", 7);
    let mut events = stream.begin();
    for delta in [text(""), text("{\"a\""), text(":1}"), last(FinishReason::Stop)] {
        events.extend(stream.push(delta));
    }
    events.extend(stream.end(USAGE));
    assert_eq!(
        names(&events),
        [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed"
        ]
    );
    for (k, event) in events.iter().enumerate() {
        let data = event.json().unwrap();
        assert_eq!(data["sequence_number"], json!(k));
        assert_eq!(event.name, data["type"].as_str());
    }
    assert_eq!(events[5].json().unwrap()["delta"], ":1}");
    assert_eq!(events[6].json().unwrap()["text"], "{\"a\":1}");
    let item = &events[8].json().unwrap()["item"];
    let whole = &events[9].json().unwrap()["response"];
    assert_eq!((&whole["output"][0], &whole["status"]), (item, &json!("completed")));
    assert_eq!(whole["usage"]["output_tokens"], 9);
    assert_eq!(events[0].json().unwrap()["response"]["status"], "in_progress");
    assert!(events[4].to_string().starts_with("event: response.output_text.delta\ndata: {\"type\":"));
}

#[test]
fn events_of_calls_refusals_and_ends_before_the_end() {
    let mut stream = ResponsesStream::new(responses(), "k", 7);
    let pieces = vec![
        Piece::Call("f".into()),
        Piece::Arguments("{}".into()),
        Piece::Call("g".into()),
        Piece::Arguments("{}".into()),
    ];
    let events = stream.push(Delta { pieces, finish: Some(FinishReason::ToolCalls), ..Delta::default() });
    let one = [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ];
    assert_eq!(names(&events), [one, one].concat());
    assert_eq!(events[4].json().unwrap()["output_index"], 1);
    assert_eq!(events[6].json().unwrap()["name"], "g");
    assert_eq!(events[0].json().unwrap()["item"]["id"], events[1].json().unwrap()["item_id"]);

    let mut stream = ResponsesStream::new(responses(), "k", 7);
    let refusing = Delta { pieces: vec![Piece::Refusal("No".into())], ..Delta::default() };
    let mut events = stream.push(refusing);
    events.extend(stream.push(last(FinishReason::Length)));
    events.extend(stream.end(USAGE));
    assert_eq!(
        names(&events),
        [
            "output_item.added",
            "content_part.added",
            "refusal.delta",
            "refusal.done",
            "content_part.done",
            "output_item.done",
            "incomplete"
        ]
    );
    let whole = &events.last().unwrap().json().unwrap()["response"];
    assert_eq!(whole["incomplete_details"]["reason"], "max_output_tokens");
    let failed = stream.fail("out of memory");
    assert_eq!(
        (names(&failed), &failed[0].json().unwrap()["response"]["error"]["message"]),
        (vec!["failed"], &json!("out of memory"))
    );
}

/// Log-probabilities of the deltas add up to those of the end, also of tokens that complete no character.
#[test]
fn a_response_streams_all_log_probabilities() {
    let vocab = bytes();
    let body =
        json!({"model": "m", "input": "x", "stream": true, "include": ["message.output_text.logprobs"]});
    let request = ResponsesRequest::parse(&body).unwrap();
    let plan = Arc::new(Plan::new(&request.generation, &Framing::default()));
    let mut output = Output::new(&request.generation, plan);
    let mut stream = ResponsesStream::new(request, "k", 7);
    let mut events = Vec::new();
    for token in "a😀".bytes().map(u32::from).chain([256]) {
        let finish = (token == 256).then_some(Finish::Stop);
        events.extend(
            stream.push(output.push(&Step { token, logprob: Some(-1.0), top: Vec::new(), finish }, &vocab)),
        );
    }
    let of = |name: &str| -> Vec<Value> {
        let named = events.iter().filter_map(Event::json).filter(|data| data["type"] == name);
        named.flat_map(|data| data["logprobs"].as_array().unwrap().clone()).collect()
    };
    assert_eq!(of("response.output_text.delta").len(), 5);
    assert_eq!(of("response.output_text.delta"), of("response.output_text.done"));
}

#[test]
fn a_failure_takes_the_place_of_the_rest() {
    let events = ChatStream::new(&chat(json!({})), "k", 7, "f").fail(&ApiError::server("lost"));
    let error = json!({"error": {"message": "lost", "type": "server_error", "param": null, "code": null}});
    assert_eq!(events, [Event::data(error)]);
}

#[test]
fn events_of_clova() {
    let body = json!({"messages": [{"role": "user", "content": "x"}], "seed": 5});
    let request = ClovaRequest::parse("HCX-007", &body).unwrap();
    let mut stream = ClovaStream::new(&request, "k", 7);
    let mut events = Vec::new();
    for delta in [text("{\n"), text("}"), last(FinishReason::Stop)] {
        events.extend(stream.push(delta));
    }
    events.extend(stream.end(USAGE));
    events.extend(stream.fail(&ApiError::server("lost")));
    let shown: Vec<(&str, &Value)> = events.iter().map(|e| (e.name.unwrap(), e.json().unwrap())).collect();
    let token = |text: &str| json!({"message": {"role": "assistant", "content": text}, "finishReason": null, "created": 7, "seed": 5, "usage": null});
    let result = json!({"message": {"role": "assistant", "content": "{\n}"}, "finishReason": "stop", "created": 7, "seed": 5,
                        "usage": {"promptTokens": 3, "completionTokens": 9, "totalTokens": 12}, "aiFilter": []});
    assert_eq!(
        shown,
        [
            ("token", &token("{\n")),
            ("token", &token("}")),
            ("result", &result),
            ("signal", &json!({"data": "[DONE]"})),
            ("error", &json!({"status": {"code": "50000", "message": "lost"}})),
        ]
    );
    let ids: std::collections::BTreeSet<_> = events.iter().map(|e| e.id.clone().unwrap()).collect();
    assert_eq!(ids.len(), events.len());
    let wire = events[0].to_string();
    let lines: Vec<&str> = wire.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(lines, ["id:", "event:", "data:", ""]);
}

/// A token for each byte, and one that ends the text.
fn bytes() -> Vocabulary {
    let tokens = (0..=255u8).map(|b| Some(vec![b])).chain([None]).collect();
    Vocabulary::from_tokens(tokens).unwrap().with_stop_ids(&[256]).unwrap()
}

/// What a stream says adds up to what the reply says, and no piece ends inside a character.
#[test]
fn a_stream_adds_up_to_the_reply() {
    let vocab = bytes();
    let generation: Generation = chat(json!({"stop": ["END"], "logprobs": true})).generation;
    let plan = Arc::new(Plan::new(&generation, &Framing::default()));
    for said in ["Grüße 😀 und E, EN", "é😀END und mehr", ""] {
        let mut output = Output::new(&generation, plan.clone());
        let mut stream = ChatStream::new(&chat(json!({})), "k", 7, "f");
        let mut choice = Choice::default();
        let (mut streamed, mut logprobs) = (String::new(), 0);
        for token in said.bytes().map(u32::from).chain([256]) {
            let finish = (token == 256).then_some(Finish::Stop);
            let delta = output.push(&Step { token, logprob: Some(-1.0), top: Vec::new(), finish }, &vocab);
            choice.add(delta.clone());
            for event in stream.push(0, delta.clone()) {
                let EventData::Json(chunk) = event.data else { panic!() };
                let piece = chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned();
                assert!(!piece.contains('\u{fffd}'));
                streamed += &piece;
                logprobs += chunk["choices"][0]["logprobs"]["content"].as_array().map_or(0, Vec::len);
            }
            if delta.finish.is_some() {
                break;
            }
        }
        let whole = said.split("END").next().unwrap();
        assert_eq!((choice.content.as_deref(), &*streamed), (Some(whole), whole));
        assert_eq!(logprobs, whole.len());
        assert_eq!(choice.logprobs.unwrap().content.len(), whole.len());
    }
}
