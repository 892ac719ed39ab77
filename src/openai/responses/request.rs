//! A Responses request, read and checked.

use serde_json::Value;

use crate::chat::{Call, Generation, Message, Role, Source};
use crate::error::Error;
use crate::openai::error::ApiError;
use crate::openai::fields::{Fields, Read, wrong_type};
use crate::openai::format::{read_text_format, text_format};
use crate::openai::message::{read_content, read_role};
use crate::openai::tools::{Style, parameters, read_tools};
use crate::sampling::SamplingParams;
use crate::strict::{self, Profile};

/// What `include` may name.
const LOGPROBS: &str = "message.output_text.logprobs";

/// Parameters that are read and change nothing here.
const WITHOUT_EFFECT: &[&str] =
    &["user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"];

/// Everything else that is understood.
const UNDERSTOOD: &[&str] = &[
    "model",
    "input",
    "instructions",
    "text",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "temperature",
    "top_p",
    "max_output_tokens",
    "top_logprobs",
    "include",
    "stream",
    "truncation",
];

/// The body of a Responses request.
#[derive(Clone, Debug, PartialEq)]
pub struct ResponsesRequest {
    /// The model's name; it is echoed in the reply and selects nothing.
    pub model: String,
    /// What is to be generated.
    pub generation: Generation,
    /// Whether the reply is streamed.
    pub stream: bool,
    /// What the reply repeats of the request, as it was sent.
    pub(super) echo: Echo,
}

/// Members of the request that the reply has again.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Echo {
    pub instructions: Value,
    pub format: Value,
    pub tools: Value,
    pub tool_choice: Value,
    pub metadata: Value,
    pub user: Value,
    pub truncation: &'static str,
    pub temperature: f64,
    pub top_p: f64,
}

impl ResponsesRequest {
    /// Reads a body; strict schemas are held to what OpenAI takes in 2026.
    ///
    /// # Errors
    /// As [`ResponsesRequest::parse_with`].
    pub fn parse(body: &Value) -> Result<Self, ApiError> {
        Self::parse_with(body, &strict::OPENAI_2026)
    }

    /// Reads a body; strict schemas are held to `profile`.
    ///
    /// # Errors
    /// The first problem, with the JSON pointer and the parameter it concerns. See the
    /// [module](super) for what is refused.
    pub fn parse_with(body: &Value, profile: &Profile) -> Result<Self, ApiError> {
        let fields = Fields::of(body, "")?;
        for (key, value) in fields.members() {
            let harmless = key == "background" && *value == Value::Bool(false);
            if !harmless && !UNDERSTOOD.contains(&key) && !WITHOUT_EFFECT.contains(&key) {
                return Err(unserved(&fields, key));
            }
        }
        fields.need("model")?;
        let model = fields.text("model")?.unwrap_or_default().to_owned();
        let messages = read_input(&fields)?;
        let format = read_text_format(&fields, &messages, profile)?;
        let tools = read_tools(&fields, Style::Responses, profile)?;
        let (temperature, top_p) = (
            fields.number("temperature", 0.0, 2.0)?.unwrap_or(1.0),
            fields.number("top_p", 0.0, 1.0)?.unwrap_or(1.0),
        );
        let sampling = SamplingParams {
            temperature: temperature as f32,
            top_p: top_p as f32,
            logprobs: read_include(&fields)?,
            top_logprobs: fields.integer("top_logprobs", 0, 20)?.unwrap_or(0) as u8,
            ..SamplingParams::default()
        };
        if sampling.top_logprobs > 0 && !sampling.logprobs {
            let message = format!("'top_logprobs' needs 'include' to name '{LOGPROBS}'.");
            return Err(ApiError::invalid("/top_logprobs", message));
        }
        let echo = Echo {
            instructions: member(body, "/instructions", Value::Null),
            format: member(body, "/text/format", serde_json::json!({"type": "text"})),
            tools: member(body, "/tools", Value::Array(Vec::new())),
            tool_choice: member(body, "/tool_choice", "auto".into()),
            metadata: member(body, "/metadata", serde_json::json!({})),
            user: member(body, "/user", Value::Null),
            truncation: read_truncation(&fields)?,
            temperature,
            top_p,
        };
        let generation = Generation {
            messages,
            format,
            tools: tools.list,
            tool_choice: tools.choice,
            parallel_calls: tools.parallel,
            sampling,
            seeded: false,
            choices: 1,
            max_tokens: fields.integer("max_output_tokens", 1, u32::MAX.into())?.map(|n| n as u32),
            stop: Vec::new(),
        };
        Ok(ResponsesRequest { model, generation, stream: fields.flag("stream")?.unwrap_or(false), echo })
    }

    /// The answer to a schema that the compiler refuses.
    pub fn schema_error(&self, source: Source, error: &Error) -> ApiError {
        match source {
            Source::Format => text_format(self.generation.format.name()).refused(error),
            Source::Tool(at) => {
                parameters(Style::Responses, at, &self.generation.tools[at].name).refused(error)
            }
            Source::Request => ApiError::invalid("", error.message()),
        }
    }
}

fn member(body: &Value, pointer: &str, absent: Value) -> Value {
    body.pointer(pointer).filter(|v| !v.is_null()).cloned().unwrap_or(absent)
}

fn unserved(fields: &Fields<'_>, key: &str) -> ApiError {
    let why = match key {
        "previous_response_id" | "conversation" => {
            "nothing is stored; send the whole conversation in 'input'"
        }
        "background" => "the reply is awaited",
        "reasoning" => "there is no model that reasons",
        _ => return fields.unknown(key),
    };
    let message = format!("'{key}' is not supported: {why}.");
    ApiError::invalid(fields.at(key), message).with_code("unsupported_parameter")
}

fn read_include(fields: &Fields<'_>) -> Read<bool> {
    let list = fields.array("include")?.unwrap_or_default();
    for (k, item) in list.iter().enumerate() {
        if item != LOGPROBS {
            let message = format!("Unsupported 'include' {item}: only '{LOGPROBS}' can be included.");
            return Err(ApiError::invalid(format!("/include/{k}"), message).with_code("invalid_value"));
        }
    }
    Ok(!list.is_empty())
}

/// `instructions` and `input` as messages.
/// Nothing is ever truncated, so both ways are the same.
fn read_truncation(fields: &Fields<'_>) -> Read<&'static str> {
    match fields.text("truncation")? {
        None | Some("disabled") => Ok("disabled"),
        Some("auto") => Ok("auto"),
        Some(other) => {
            let message = format!("Unsupported 'truncation' '{other}'; use auto or disabled.");
            Err(ApiError::invalid("/truncation", message).with_code("invalid_value"))
        }
    }
}

fn read_input(fields: &Fields<'_>) -> Read<Vec<Message>> {
    let mut messages = Vec::new();
    if let Some(text) = fields.text("instructions")? {
        messages.push(Message::new(Role::System, text));
    }
    match fields.need("input")? {
        Value::String(text) => messages.push(Message::new(Role::User, text.as_str())),
        Value::Array(items) if items.is_empty() => {
            return Err(ApiError::invalid("/input", "'input' is empty; give at least one message."));
        }
        Value::Array(items) => {
            for (k, item) in items.iter().enumerate() {
                read_item(&Fields::of(item, format!("/input/{k}"))?, &mut messages)?;
            }
        }
        other => return Err(wrong_type("/input", "a string or an array of items", other)),
    }
    Ok(messages)
}

fn read_item(fields: &Fields<'_>, messages: &mut Vec<Message>) -> Read<()> {
    let text = |key: &str| -> Read<String> {
        fields.need(key)?;
        Ok(fields.text(key)?.unwrap_or_default().to_owned())
    };
    let known: &[&str] = match fields.text("type")?.unwrap_or("message") {
        "message" => {
            let role = read_role(fields, false)?;
            let parts = &["input_text", "output_text", "refusal", "text"];
            let content = read_content(fields.need("content")?, &fields.at("content"), parts)?;
            messages.push(Message::new(role, content));
            &["type", "role", "content", "id", "status"]
        }
        "function_call" => {
            let call = Call { id: text("call_id")?, name: text("name")?, arguments: text("arguments")? };
            // Calls that follow each other were made in one reply.
            match messages.last_mut() {
                Some(last) if !last.calls.is_empty() => last.calls.push(call),
                _ => messages.push(Message { calls: vec![call], ..Message::new(Role::Assistant, "") }),
            }
            &["type", "call_id", "name", "arguments", "id", "status"]
        }
        "function_call_output" => {
            text("call_id")?;
            let output = read_content(fields.need("output")?, &fields.at("output"), &["input_text", "text"])?;
            messages.push(Message::new(Role::Tool, output));
            &["type", "call_id", "output", "id", "status"]
        }
        other => {
            let message = format!(
                "Unsupported item type '{other}'; use message, function_call or function_call_output."
            );
            return Err(ApiError::invalid(fields.at("type"), message).with_code("invalid_value"));
        }
    };
    match fields.keys().find(|key| !known.contains(key) && fields.get(key).is_some()) {
        Some(key) => Err(fields.unknown(key)),
        None => Ok(()),
    }
}
