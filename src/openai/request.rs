//! A Chat Completions request, read and checked.

use serde_json::Value;

use super::error::ApiError;
use super::fields::{Fields, Read, number_in, wrong_type};
use super::format::{read_response_format, response_format};
use super::message::read_messages;
use super::tools::{Style, parameters, read_tools};
use crate::chat::{Generation, Source};
use crate::error::Error;
use crate::sampling::SamplingParams;
use crate::strict::{self, Profile};

/// The most alternatives reported with a token.
const TOP_LOGPROBS: u64 = 20;
/// The most stop sequences.
const STOP_SEQUENCES: usize = 4;

/// Parameters that are read and change nothing here: they concern the operator of an API.
const WITHOUT_EFFECT: &[&str] =
    &["user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"];

/// Everything else that is understood.
const UNDERSTOOD: &[&str] = &[
    "model",
    "messages",
    "response_format",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "n",
    "seed",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "stream",
    "stream_options",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
];

/// The body of a Chat Completions request.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatRequest {
    /// The model's name; it is echoed in the reply and selects nothing.
    pub model: String,
    /// What is to be generated.
    pub generation: Generation,
    /// Whether, and how, the reply is streamed.
    pub stream: Option<StreamOptions>,
}

/// How a reply is streamed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamOptions {
    /// Whether a last chunk tells the tokens used.
    pub include_usage: bool,
}

impl ChatRequest {
    /// Reads a body; strict schemas are held to what OpenAI takes in 2026.
    ///
    /// # Errors
    /// As [`ChatRequest::parse_with`].
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
        refuse_unserved(&fields)?;
        fields.need("model")?;
        let model = fields.text("model")?.unwrap_or_default().to_owned();
        let messages = read_messages(fields.need("messages")?, "/messages")?;
        let format = read_response_format(&fields, &messages, profile)?;
        let tools = read_tools(&fields, Style::Chat, profile)?;
        let generation = Generation {
            messages,
            format,
            tools: tools.list,
            tool_choice: tools.choice,
            parallel_calls: tools.parallel,
            sampling: read_sampling(&fields)?,
            seeded: fields.get("seed").is_some(),
            choices: fields.integer("n", 1, 128)?.unwrap_or(1) as u32,
            max_tokens: read_max_tokens(&fields)?,
            stop: read_stop(&fields)?,
        };
        refuse_stop(&generation)?;
        Ok(ChatRequest { model, generation, stream: read_stream(&fields)? })
    }

    /// The answer to a schema that the compiler refuses.
    pub fn schema_error(&self, source: Source, error: &Error) -> ApiError {
        match source {
            Source::Format => response_format(self.generation.format.name()).refused(error),
            Source::Tool(at) => parameters(Style::Chat, at, &self.generation.tools[at].name).refused(error),
            Source::Request => ApiError::invalid("", error.message()),
        }
    }
}

/// A stop sequence could cut a value short.
fn refuse_stop(generation: &Generation) -> Read<()> {
    let what = if generation.stop.is_empty() {
        return Ok(());
    } else if generation.format.is_json() {
        "a JSON 'response_format': a stop sequence could cut the value short. Remove 'stop'; the end of the JSON value"
    } else if !generation.callable().is_empty() {
        "'tools': a stop sequence could cut arguments short. Remove 'stop'; the end of the call"
    } else {
        return Ok(());
    };
    let message = format!("'stop' cannot be combined with {what} ends the reply.");
    Err(ApiError::invalid("/stop", message).with_code("unsupported_parameter"))
}

fn read_stream(fields: &Fields<'_>) -> Read<Option<StreamOptions>> {
    let options = fields.object("stream_options")?;
    if fields.flag("stream")? != Some(true) {
        return match options {
            Some(_) => {
                let message = "'stream_options' is only allowed when 'stream' is true.";
                Err(ApiError::invalid("/stream_options", message))
            }
            None => Ok(None),
        };
    }
    let Some(options) = options else { return Ok(Some(StreamOptions::default())) };
    // `include_obfuscation` pads chunks against eavesdroppers; none are padded here.
    if let Some(key) = options.keys().find(|key| !matches!(*key, "include_usage" | "include_obfuscation")) {
        return Err(options.unknown(key));
    }
    Ok(Some(StreamOptions { include_usage: options.flag("include_usage")?.unwrap_or(false) }))
}

/// Refuses what would change the reply's shape, and names that are not known.
fn refuse_unserved(fields: &Fields<'_>) -> Read<()> {
    for (key, value) in fields.members() {
        let instead = match key {
            "functions" if value.as_array().is_some_and(Vec::is_empty) => continue,
            "functions" => "tools",
            "function_call" => "tool_choice",
            _ if UNDERSTOOD.contains(&key) || WITHOUT_EFFECT.contains(&key) => continue,
            _ => return Err(fields.unknown(key)),
        };
        let message = format!("'{key}' is not supported; use '{instead}'.");
        return Err(ApiError::invalid(fields.at(key), message).with_code("unsupported_parameter"));
    }
    Ok(())
}

fn read_sampling(fields: &Fields<'_>) -> Read<SamplingParams> {
    let plain = SamplingParams::default();
    let number = |key, low, high, default: f32| -> Read<f32> {
        Ok(fields.number(key, low, high)?.map_or(default, |x| x as f32))
    };
    let logprobs = fields.flag("logprobs")?.unwrap_or(false);
    let top_logprobs = fields.integer("top_logprobs", 0, TOP_LOGPROBS)?;
    if top_logprobs.is_some() && !logprobs {
        return Err(ApiError::invalid("/top_logprobs", "'top_logprobs' needs 'logprobs' to be true."));
    }
    let repetition_penalty = number("repetition_penalty", 0.0, 2.0, plain.repetition_penalty)?;
    if repetition_penalty == 0.0 {
        return Err(ApiError::invalid("/repetition_penalty", "'repetition_penalty' must be greater than 0."));
    }
    Ok(SamplingParams {
        temperature: number("temperature", 0.0, 2.0, plain.temperature)?,
        top_k: fields.integer("top_k", 0, u32::MAX.into())?.unwrap_or(0) as u32,
        top_p: number("top_p", 0.0, 1.0, plain.top_p)?,
        min_p: number("min_p", 0.0, 1.0, plain.min_p)?,
        repetition_penalty,
        frequency_penalty: number("frequency_penalty", -2.0, 2.0, plain.frequency_penalty)?,
        presence_penalty: number("presence_penalty", -2.0, 2.0, plain.presence_penalty)?,
        logit_bias: read_logit_bias(fields)?,
        seed: read_seed(fields)?.unwrap_or(plain.seed),
        logprobs,
        top_logprobs: top_logprobs.unwrap_or(0) as u8,
    })
}

/// Any 64-bit integer; a negative one counts as its two's complement.
fn read_seed(fields: &Fields<'_>) -> Read<Option<u64>> {
    let Some(value) = fields.get("seed") else {
        return Ok(None);
    };
    match value.as_u64().or_else(|| value.as_i64().map(|n| n as u64)) {
        Some(seed) => Ok(Some(seed)),
        None => Err(wrong_type("/seed", "a 64-bit integer", value)),
    }
}

fn read_max_tokens(fields: &Fields<'_>) -> Read<Option<u32>> {
    let limit = u32::MAX.into();
    let new = fields.integer("max_completion_tokens", 1, limit)?;
    let old = fields.integer("max_tokens", 1, limit)?;
    if new.is_some() && old.is_some() {
        let message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
        return Err(ApiError::invalid("/max_tokens", message));
    }
    Ok(new.or(old).map(|n| n as u32))
}

fn read_stop(fields: &Fields<'_>) -> Read<Vec<String>> {
    let list: Vec<&Value> = match fields.get("stop") {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
    };
    if list.len() > STOP_SEQUENCES {
        let message = format!("'stop' has {} sequences; at most {STOP_SEQUENCES} are allowed.", list.len());
        return Err(ApiError::invalid("/stop", message));
    }
    let text = |value: &Value| match value.as_str() {
        Some("") => Err(ApiError::invalid("/stop", "A stop sequence is empty; remove it.")),
        Some(text) => Ok(text.to_owned()),
        None => Err(wrong_type("/stop", "a string or an array of strings", value)),
    };
    list.into_iter().map(text).collect()
}

fn read_logit_bias(fields: &Fields<'_>) -> Read<Vec<(u32, f32)>> {
    let Some(map) = fields.object("logit_bias")? else {
        return Ok(Vec::new());
    };
    let entry = |(key, value): (&str, &Value)| {
        let pointer = map.at(key);
        let Ok(id) = key.parse::<u32>() else {
            let message = format!("Invalid key in 'logit_bias': '{key}' is not a token id.");
            return Err(ApiError::invalid(pointer, message).with_code("invalid_value"));
        };
        Ok((id, number_in(value, &pointer, -100.0, 100.0)? as f32))
    };
    map.members().map(entry).collect()
}
