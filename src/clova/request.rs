//! A request, read and checked.

use serde_json::Value;

use crate::chat::{Format, Generation, Message, Role, Source, ToolChoice};
use crate::error::Error;
use crate::openai::{ApiError, Fields, read_content, wrong_type};
use crate::sampling::SamplingParams;
use crate::strict;

/// What is read.
type Read<T> = Result<T, ApiError>;

const UNDERSTOOD: &[&str] = &[
    "messages",
    "topP",
    "topK",
    "maxTokens",
    "temperature",
    "repetitionPenalty",
    "stop",
    "seed",
    "thinking",
    "responseFormat",
    "includeAiFilters",
];

/// The most tokens unless the request says otherwise.
const MAX_TOKENS: u32 = 100;

/// The body of a request, and the model of its path.
#[derive(Clone, Debug, PartialEq)]
pub struct ClovaRequest {
    /// The model's name; it selects nothing.
    pub model: String,
    /// What is to be generated.
    pub generation: Generation,
    /// Whether the reply lists what filters found.
    pub include_ai_filters: bool,
}

impl ClovaRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// The first problem, with the JSON pointer and the parameter it concerns; [`super::error_body`] makes the answer
    /// of it. See the [module](super) for what is refused.
    pub fn parse(model: &str, body: &Value) -> Result<Self, ApiError> {
        let fields = Fields::of(body, "")?;
        for (key, _) in fields.members() {
            if key == "tools" || key == "toolChoice" {
                let message =
                    format!("'{key}' is not supported here: structured outputs exclude function calls.");
                return Err(ApiError::invalid(fields.at(key), message));
            }
            if !UNDERSTOOD.contains(&key) {
                return Err(fields.unknown(key));
            }
        }
        let plain = SamplingParams::default();
        let above_0 = |key: &str, high: f64, default: f32| -> Read<f32> {
            match fields.number(key, 0.0, high)? {
                Some(0.0) => {
                    Err(ApiError::invalid(fields.at(key), format!("'{key}' must be greater than 0.")))
                }
                Some(x) => Ok(x as f32),
                None => Ok(default),
            }
        };
        let seed = fields.integer("seed", 0, u32::MAX.into())?.unwrap_or(0);
        let sampling = SamplingParams {
            temperature: fields.number("temperature", 0.0, 1.0)?.unwrap_or(0.5) as f32,
            top_p: above_0("topP", 1.0, 0.8)?,
            top_k: fields.integer("topK", 0, 128)?.unwrap_or(0) as u32,
            repetition_penalty: above_0("repetitionPenalty", 2.0, 1.1)?,
            seed,
            ..plain
        };
        read_thinking(&fields)?;
        let format = read_format(&fields)?;
        let stop = read_stop(&fields)?;
        if !stop.is_empty() && format.is_json() {
            let message =
                "'stop' cannot be combined with 'responseFormat': a stop sequence could cut the value short.";
            return Err(ApiError::invalid("/stop", message));
        }
        let max_tokens = fields.integer("maxTokens", 1, 4096)?.map_or(MAX_TOKENS, |n| n as u32);
        let generation = Generation {
            messages: read_messages(&fields)?,
            format,
            tool_choice: ToolChoice::None,
            sampling,
            seeded: seed != 0,
            max_tokens: Some(max_tokens),
            stop,
            ..Generation::default()
        };
        let include_ai_filters = fields.flag("includeAiFilters")?.unwrap_or(true);
        Ok(ClovaRequest { model: model.to_owned(), generation, include_ai_filters })
    }

    /// The answer to a schema that the compiler refuses.
    pub fn schema_error(&self, source: Source, error: &Error) -> ApiError {
        let at = match source {
            Source::Format => format!("/responseFormat/schema{}", error.pointer().unwrap_or("")),
            _ => String::new(),
        };
        refused(at, error.message())
    }
}

fn refused(pointer: String, message: &str) -> ApiError {
    let e = ApiError::invalid(pointer, "");
    let message = format!("Invalid parameter: responseFormat.schema: {message}");
    ApiError { param: Some("responseFormat.schema".into()), message, ..e }
}

fn read_thinking(fields: &Fields<'_>) -> Read<()> {
    let Some(thinking) = fields.object("thinking")? else { return Ok(()) };
    if let Some(key) = thinking.keys().find(|key| *key != "effort") {
        return Err(thinking.unknown(key));
    }
    match thinking.text("effort")? {
        None | Some("none") => Ok(()),
        Some(other) => {
            let message =
                format!("'thinking.effort' is '{other}': only 'none' goes with structured outputs.");
            Err(ApiError::invalid(thinking.at("effort"), message))
        }
    }
}

fn read_format(fields: &Fields<'_>) -> Read<Format> {
    let Some(format) = fields.object("responseFormat")? else { return Ok(Format::Text) };
    if let Some(key) = format.keys().find(|key| !matches!(*key, "type" | "schema")) {
        return Err(format.unknown(key));
    }
    format.need("type")?;
    match format.text("type")?.unwrap_or_default() {
        "json" => {}
        other => {
            let message = format!("'responseFormat.type' is '{other}': it must be 'json'.");
            return Err(ApiError::invalid(format.at("type"), message));
        }
    }
    let schema = match format.need("schema")? {
        schema @ Value::Object(_) => schema.clone(),
        other => return Err(wrong_type(&format.at("schema"), "an object", other)),
    };
    let pointer = format.at("schema");
    strict::check(&schema, &strict::CLOVA)
        .map_err(|v| refused(format!("{pointer}{}", v.pointer), &v.message))?;
    Ok(Format::JsonSchema { name: "schema".into(), description: None, schema, strict: true })
}

fn read_stop(fields: &Fields<'_>) -> Read<Vec<String>> {
    let text = |(k, value): (usize, &Value)| match value.as_str() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(wrong_type(&format!("/stop/{k}"), "a string that is not empty", value)),
    };
    fields.array("stop")?.unwrap_or_default().iter().enumerate().map(text).collect()
}

fn read_messages(fields: &Fields<'_>) -> Read<Vec<Message>> {
    fields.need("messages")?;
    let list = fields.array("messages")?.unwrap_or_default();
    if list.is_empty() {
        return Err(ApiError::invalid("/messages", "'messages' is empty; give at least one message."));
    }
    let mut messages: Vec<Message> = Vec::with_capacity(list.len());
    for (k, item) in list.iter().enumerate() {
        let message = Fields::of(item, format!("/messages/{k}"))?;
        if let Some(key) = message.keys().find(|key| !matches!(*key, "role" | "content")) {
            return Err(message.unknown(key));
        }
        message.need("role")?;
        let role = match message.text("role")?.unwrap_or_default() {
            "system" if messages.iter().any(|m| m.role == Role::System) => {
                let words = "Only one message can be the system's.";
                return Err(ApiError::invalid(message.at("role"), words));
            }
            "system" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            other => {
                let words = format!("Unsupported role '{other}'; use system, user or assistant.");
                return Err(ApiError::invalid(message.at("role"), words));
            }
        };
        let content = read_content(message.need("content")?, &message.at("content"), &["text"])?;
        messages.push(Message::new(role, content));
    }
    Ok(messages)
}
