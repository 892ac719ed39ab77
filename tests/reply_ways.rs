//! Replies that may be content, calls or refusals: what the grammar allows is what is read back.

use std::sync::Arc;

use serde_json::{Value, json};
use warpgrammar::chat::{Choice, FinishReason, Framing, Output, Piece, Plan, Source, Transcript};
use warpgrammar::engine::{
    Backend, Compiler, CompilerOptions, Engine, EngineOptions, Finish, Grammar, Request, Step,
};
use warpgrammar::openai::ChatRequest;
use warpgrammar::table::layout::StateInfo;
use warpgrammar::vocab::Vocabulary;
use warpgrammar::{Error, ErrorKind};

/// A vocabulary of all bytes and some longer tokens; the last ends the text.
fn vocab() -> Arc<Vocabulary> {
    let words: [&[u8]; 8] = [
        b"<tool_call>",
        b"\n{\"name\": \"",
        b"\", \"arguments\": ",
        b": {\"a\":",
        b"1}}\n",
        b"<refuse>No",
        "é!".as_bytes(),
        b"{\"a\":",
    ];
    let mut tokens: Vec<Vec<u8>> = (0..=255u8).map(|b| vec![b]).collect();
    tokens.extend(words.map(<[u8]>::to_vec));
    let stop = tokens.len() as u32;
    let tokens = tokens.into_iter().map(Some).chain([None]).collect();
    Arc::new(Vocabulary::from_tokens(tokens).unwrap().with_stop_ids(&[stop]).unwrap())
}

fn object(name: &str) -> Value {
    json!({"type": "object", "properties": {name: {"type": "integer"}}, "required": [name],
           "additionalProperties": false})
}

fn tool(name: &str, parameters: Value) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": parameters}})
}

fn request(extra: Value) -> ChatRequest {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}],
                          "tools": [tool("f", object("a")), tool("g", object("b"))]});
    for (key, value) in extra.as_object().unwrap() {
        body[key] = value.clone();
    }
    ChatRequest::parse(&body).unwrap()
}

fn framing() -> Framing {
    Framing { refusal: Some("<refuse>".into()), ..Framing::default() }
}

fn call(name: &str, arguments: &str) -> String {
    format!("<tool_call>\n{{\"name\": \"{name}\", \"arguments\": {arguments}}}\n</tool_call>")
}

struct Rig {
    vocab: Arc<Vocabulary>,
    compiler: Compiler,
}

impl Rig {
    fn new() -> Self {
        let vocab = vocab();
        let compiler = Compiler::new(vocab.clone(), CompilerOptions::default()).unwrap();
        Rig { vocab, compiler }
    }

    fn grammar(&self, request: &ChatRequest) -> Arc<Grammar> {
        Plan::new(&request.generation, &framing()).compile(&self.compiler).unwrap().unwrap()
    }

    /// Whether the grammar takes the text, byte by byte and as a whole.
    fn takes(&self, grammar: &Arc<Grammar>, text: &[u8], backend: Backend) -> bool {
        let options = EngineOptions { slots: 1, backend, threads: 1 };
        let mut engine = Engine::new(self.vocab.clone(), options).unwrap();
        let slot = engine.admit(Request { grammar: Some(grammar.clone()), ..Request::default() }).unwrap();
        text.iter().all(|&byte| engine.advance(slot, byte.into()).is_ok())
            && engine.is_complete(slot).unwrap()
    }

    /// What the reply is made of, read in pieces of so many bytes.
    fn read(&self, request: &ChatRequest, text: &str, width: usize) -> Choice {
        let plan = Arc::new(Plan::new(&request.generation, &framing()));
        let mut transcript = Transcript::new(plan, &request.generation.stop);
        let mut choice = Choice::default();
        let mut add = |pieces: Vec<Piece>| {
            choice.add(warpgrammar::chat::Delta { pieces, ..Default::default() });
        };
        text.as_bytes().chunks(width).for_each(|bytes| add(transcript.push(bytes)));
        add(transcript.end());
        choice
    }
}

#[test]
fn the_ways_of_a_request_are_one_grammar() {
    let rig = Rig::new();
    let two = format!("{}\n{}", call("f", "{\"a\":1}"), call("g", "{ \"b\": -2 }"));
    let format = json!({"type": "json_schema", "json_schema": {"name": "c", "schema": object("c")}});
    // Request, text, whether it can be generated.
    let cases = [
        (json!({}), "Hello <tool_call", true),
        (json!({}), "", true),
        (json!({}), "<tool_cal", true),
        (json!({}), "<tool_callé", true),
        (json!({}), "<tool_call>", true),
        (json!({}), "<refuse>I would rather not: <tool_call>", true),
        (json!({}), &*call("f", "{\"a\":1}"), true),
        (json!({}), &*call("g", "{\"b\":1}"), true),
        (json!({}), &*call("g", "{\"a\":1}"), false),
        (json!({}), &*call("f", "1"), false),
        (json!({}), "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\":1}", false),
        (json!({}), "<tool_call>\n{\"name\": \"h\", \"arguments\": {\"a\":1}}", true),
        (json!({}), &*two, true),
        (json!({"parallel_tool_calls": false}), &*two, false),
        (json!({"parallel_tool_calls": false}), &*call("f", "{\"a\":1}"), true),
        (json!({"tool_choice": "required"}), &*two, true),
        (json!({"tool_choice": "required"}), "Hello", false),
        (json!({"tool_choice": "required"}), "<refuse>", true),
        (
            json!({"tool_choice": {"type": "function", "function": {"name": "g"}}}),
            &*call("g", "{\"b\":0}"),
            true,
        ),
        (
            json!({"tool_choice": {"type": "function", "function": {"name": "g"}}}),
            &*call("f", "{\"a\":0}"),
            false,
        ),
        (json!({"tool_choice": {"type": "function", "function": {"name": "g"}}}), &*two, false),
        (json!({"tool_choice": "none", "response_format": format}), "{\"c\":1}", true),
        (json!({"tool_choice": "none", "response_format": format}), "Hello", false),
        (json!({"response_format": format}), "{\"c\":1}", true),
        (json!({"response_format": format}), &*call("f", "{\"a\":1}"), true),
        (json!({"response_format": format}), "<tool_call", false),
        (json!({"response_format": format}), "<refuse>No", true),
    ];
    for (extra, text, legal) in cases {
        let grammar = rig.grammar(&request(extra.clone()));
        for backend in [Backend::Cpu, Backend::Reference] {
            assert_eq!(rig.takes(&grammar, text.as_bytes(), backend), legal, "{extra} {text:?} {backend:?}");
        }
    }
    // Prose is UTF-8, whole characters at its end.
    let grammar = rig.grammar(&request(json!({})));
    for (bytes, legal) in
        [(&b"\xc3"[..], false), (b"\xc3\xa9", true), (b"\xff", false), (b"a\xed\xa0\x80", false)]
    {
        assert_eq!(rig.takes(&grammar, bytes, Backend::Cpu), legal, "{bytes:?}");
    }
}

#[test]
fn masks_and_states_are_the_references() {
    let rig = Rig::new();
    let grammar = rig.grammar(&request(json!({})));
    let words = rig.vocab.width().div_ceil(32);
    let two = format!("{}\n{}", call("f", "{\"a\":1}"), call("g", "{\"b\":-2}"));
    for text in ["Hé <tool_call>", "<tool_callé", "<refuse>No é", &two] {
        for max_tokens in [None, Some(90)] {
            let engines = [Backend::Cpu, Backend::Reference].map(|backend| {
                let mut engine =
                    Engine::new(rig.vocab.clone(), EngineOptions { slots: 1, backend, threads: 1 }).unwrap();
                let grammar = Some(grammar.clone());
                let slot = engine.admit(Request { grammar, max_tokens, ..Request::default() }).unwrap();
                (engine, slot)
            });
            let [mut cpu, mut reference] = engines;
            for byte in text.bytes() {
                let masks = [&mut cpu, &mut reference].map(|(engine, slot)| {
                    let mut mask = vec![0; words];
                    engine.fill_mask(*slot, &mut mask).unwrap();
                    mask
                });
                assert_eq!(masks[0], masks[1], "{text:?} before {byte}");
                let moved = [&mut cpu, &mut reference]
                    .map(|(engine, slot)| engine.advance(*slot, byte.into()).is_ok());
                assert_eq!(moved[0], moved[1]);
                if !moved[0] {
                    break;
                }
            }
        }
    }
}

#[test]
fn what_was_generated_is_read_back_however_it_is_cut() {
    let rig = Rig::new();
    let chat = request(json!({}));
    let two = format!("{}\n{}", call("f", "{\"a\":1}"), call("g", "{ \"b\": -2 }"));
    for width in 1..12 {
        let read = rig.read(&chat, &two, width);
        let calls: Vec<(&str, &str)> = read.calls.iter().map(|c| (&*c.name, &*c.arguments)).collect();
        assert_eq!(calls, [("f", "{\"a\":1}"), ("g", "{ \"b\": -2 }")]);
        assert_eq!((read.content, read.refusal), (None, None));
        for text in ["Hé <tool_call", "<tool_cal", "<", ""] {
            assert_eq!(rig.read(&chat, text, width).content.as_deref(), Some(text));
        }
        let read = rig.read(&chat, "<refuse>Né <tool_call>", width);
        assert_eq!((read.refusal.as_deref(), read.content), (Some("Né <tool_call>"), None));
    }
}

/// A step whose token is the text's; the last byte's step ends it if `finish` says so.
fn steps(text: &str, stop: Option<u32>, finish: Finish) -> Vec<Step> {
    let step = |token: u32| Step { token, logprob: Some(-1.0), top: Vec::new(), finish: None };
    let mut steps: Vec<Step> = text.bytes().map(|b| step(b.into())).chain(stop.map(step)).collect();
    steps.last_mut().unwrap().finish = Some(finish);
    steps
}

fn said(rig: &Rig, chat: &ChatRequest, steps: &[Step]) -> Choice {
    let plan = Arc::new(Plan::new(&chat.generation, &framing()));
    let mut output = Output::new(&chat.generation, plan);
    let mut choice = Choice::default();
    for step in steps {
        let delta = output.push(step, &rig.vocab);
        let ended = delta.finish.is_some();
        choice.add(delta);
        if ended {
            break;
        }
    }
    choice
}

#[test]
fn a_reply_says_why_it_ended() {
    let rig = Rig::new();
    let stop = rig.vocab.stop_ids()[0];
    let chat = request(json!({}));
    let named = request(json!({"tool_choice": {"type": "function", "function": {"name": "f"}}}));
    let one = call("f", "{\"a\":1}");
    let cases = [
        (&chat, "Hello", Some(stop), Finish::Stop, FinishReason::Stop),
        // With a grammar the engine calls prose complete when its tokens are used up.
        (&chat, "Hello", None, Finish::Stop, FinishReason::Length),
        (&chat, "<tool_", None, Finish::Stop, FinishReason::Length),
        (&chat, "<refuse>No", None, Finish::Stop, FinishReason::Length),
        (&chat, "<refuse>No", Some(stop), Finish::Stop, FinishReason::Stop),
        (&chat, &one, Some(stop), Finish::Stop, FinishReason::ToolCalls),
        (&chat, &one, None, Finish::Stop, FinishReason::ToolCalls),
        (&named, &one, None, Finish::Stop, FinishReason::Stop),
    ];
    for (chat, text, stop, finish, expected) in cases {
        assert_eq!(said(&rig, chat, &steps(text, stop, finish)).finish, Some(expected), "{text:?} {stop:?}");
    }
}

#[test]
fn log_probabilities_are_those_of_the_text_that_is_passed_on() {
    let rig = Rig::new();
    let stop = rig.vocab.stop_ids()[0];
    let mut chat = request(json!({"tools": [], "stop": ["END"], "logprobs": true}));
    let choice = said(&rig, &chat, &steps("one ENtwo END!", Some(stop), Finish::Stop));
    assert_eq!(choice.content.as_deref(), Some("one ENtwo "));
    let spelt: Vec<u8> = choice.logprobs.unwrap().content.iter().flat_map(|t| t.bytes.clone()).collect();
    assert_eq!(spelt, b"one ENtwo ");
    assert_eq!(choice.finish, Some(FinishReason::Stop));
    chat.generation.stop.clear();
    let choice = said(&rig, &chat, &steps("<refuse>No", Some(stop), Finish::Stop));
    let logprobs = choice.logprobs.unwrap();
    assert_eq!((logprobs.content.len(), logprobs.refusal.len()), (0, 2));
    // Tokens of which it was not decided at once that they are text, whether they begin as an opening does or are one
    // with its end.
    let with_tools = request(json!({"logprobs": true}));
    let long = |text: &str, token: u32, rest: &str| {
        let mut steps = steps(&format!("{text}_{rest}"), Some(stop), Finish::Stop);
        steps[text.len()].token = token;
        steps
    };
    for (said_as, content, spelt) in [
        (steps("<tool!", Some(stop), Finish::Stop), "<tool!", "<tool!"),
        (steps("<tool", None, Finish::Length), "<tool", "<tool"),
        (long("<", 262, "x"), "<é!x", "<é!x"),
    ] {
        let choice = said(&rig, &with_tools, &said_as);
        assert_eq!(choice.content.as_deref(), Some(content));
        let tokens = choice.logprobs.unwrap().content;
        let bytes: Vec<u8> = tokens.iter().flat_map(|t| t.bytes.clone()).collect();
        assert_eq!(String::from_utf8(bytes).unwrap(), spelt);
    }
    let choice = said(&rig, &with_tools, &long("", 261, "!"));
    let refusal: Vec<Vec<u8>> = choice.logprobs.unwrap().refusal.into_iter().map(|t| t.bytes).collect();
    assert_eq!(refusal, [b"<refuse>No".to_vec(), b"!".to_vec()]);
    let choice = said(&rig, &with_tools, &steps(&call("f", "{\"a\":1}"), Some(stop), Finish::Stop));
    assert_eq!(choice.logprobs.unwrap(), Default::default());
}

#[test]
fn a_schema_that_is_refused_is_named() {
    let rig = Rig::new();
    let refused = |extra: Value| -> (Source, Error) {
        let chat = request(extra);
        Plan::new(&chat.generation, &framing()).compile(&rig.compiler).unwrap_err()
    };
    let never = json!({"type": "object", "properties": {"b": false}, "required": ["b"]});
    let (source, error) = refused(json!({"tools": [tool("f", object("a")), tool("g", never)]}));
    assert_eq!((source, error.kind()), (Source::Tool(1), ErrorKind::Unsatisfiable));
    let wrong = json!({"type": "object", "properties": {"b": {"type": 7}}});
    let (source, error) = refused(json!({"tools": [tool("f", wrong.clone()), tool("g", object("a"))]}));
    assert_eq!((source, error.pointer()), (Source::Tool(0), Some("/properties/b/type")));
    let format = json!({"type": "json_schema", "json_schema": {"name": "c", "schema": wrong}});
    assert_eq!(refused(json!({"response_format": format})).0, Source::Format);
    // The marker of refusals is a beginning of a value.
    let chat = request(json!({"response_format": {"type": "json_object"}, "messages": [
        {"role": "user", "content": "json"}]}));
    let framing = Framing { refusal: Some("{no}".into()), ..Framing::default() };
    let (source, error) = Plan::new(&chat.generation, &framing).compile(&rig.compiler).unwrap_err();
    assert_eq!((source, error.kind()), (Source::Request, ErrorKind::InvalidParameter));
    // A reference stays within its schema.
    let list = json!({"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
                      "required": ["next"], "additionalProperties": false});
    let grammar = rig.grammar(&request(json!({"tools": [tool("f", list), tool("g", object("b"))]})));
    assert!(rig.takes(&grammar, call("f", "{\"next\":{\"next\":null}}").as_bytes(), Backend::Cpu));
    assert!(!rig.takes(&grammar, call("f", "{\"next\":{\"b\":1}}").as_bytes(), Backend::Cpu));
}

/// The masks of prose are a ready bitmap and a walk of the tokens outside it, as those of strings.
#[test]
fn prose_is_closed_under_plain_characters() {
    let rig = Rig::new();
    let grammar = rig.grammar(&request(json!({})));
    let plain = 1 << warpgrammar::vocab::SliceId::PLAIN.index();
    let closed =
        grammar.states().iter().filter(|s| s.flags & StateInfo::ACCEPTING != 0 && s.slices & plain != 0);
    assert_eq!(closed.count(), 1, "content's prose and the refusal's are one");
}

#[test]
fn a_call_begun_is_finished_within_the_limit() {
    let rig = Rig::new();
    let chat = request(json!({}));
    let grammar = rig.grammar(&chat);
    let mut engine = Engine::new(rig.vocab.clone(), EngineOptions::default()).unwrap();
    let width = rig.vocab.width();
    let mut cut_off = 0;
    for seed in 0..40 {
        for max_tokens in [1, 5, 20, 60] {
            let params = warpgrammar::sampling::SamplingParams { seed, ..Default::default() };
            let request = Request {
                grammar: Some(grammar.clone()),
                params,
                max_tokens: Some(max_tokens),
                ..Request::default()
            };
            let slot = engine.admit(request).unwrap();
            let mut output = Output::new(&chat.generation, Arc::new(Plan::new(&chat.generation, &framing())));
            let mut choice = Choice::default();
            while choice.finish.is_none() {
                // A model that likes to call.
                let mut logits = vec![0.0; width];
                logits[256] = 9.0;
                logits[257] = 9.0;
                let batch = warpgrammar::sampling::LogitsBatch::new(
                    warpgrammar::sampling::Logits::F32(&logits),
                    1,
                    width,
                    width,
                )
                .unwrap();
                let step = engine.step(&[slot], &batch).remove(0).unwrap();
                choice.add(output.push(&step, &rig.vocab));
            }
            engine.retire(slot).unwrap();
            for call in &choice.calls {
                let schema = object(if call.name == "f" { "a" } else { "b" });
                let value: Value = serde_json::from_str(&call.arguments).expect(&call.arguments);
                assert!(jsonschema::is_valid(&schema, &value), "{}", call.arguments);
            }
            assert_eq!(choice.calls.is_empty(), choice.content.is_some() || choice.refusal.is_some());
            cut_off += usize::from(choice.finish == Some(FinishReason::Length));
        }
    }
    assert!(cut_off > 0);
}
