//! Chat messages: a role and text.

use serde_json::Value;

use super::error::ApiError;
use super::fields::{Fields, Read, wrong_type};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions; `developer` is its newer name.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The name in requests and in the prompt.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }
}

/// One message, its text parts joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub text: String,
}

/// Reads `messages`.
pub(super) fn read_messages(value: &Value, pointer: &str) -> Read<Vec<Message>> {
    let Value::Array(items) = value else {
        return Err(wrong_type(pointer, "an array", value));
    };
    if items.is_empty() {
        return Err(ApiError::invalid(pointer, "'messages' is empty; give at least one message."));
    }
    items.iter().enumerate().map(|(k, item)| read_message(item, format!("{pointer}/{k}"))).collect()
}

fn read_message(value: &Value, pointer: String) -> Read<Message> {
    let fields = Fields::of(value, pointer)?;
    fields.need("role")?;
    let role = match fields.text("role")?.unwrap_or_default() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        other => {
            let message = format!("Unsupported role '{other}'; use system, developer, user or assistant.");
            return Err(ApiError::invalid(fields.at("role"), message).with_code("invalid_value"));
        }
    };
    for key in fields.keys() {
        // `name` and an earlier reply's `refusal` are not part of the prompt.
        let known = matches!(key, "role" | "content" | "name" | "refusal");
        if !known && fields.get(key).is_some() {
            let message = format!("Unsupported member '{key}' of a message.");
            return Err(ApiError::invalid(fields.at(key), message).with_code("unsupported_parameter"));
        }
    }
    let text = match fields.need("content")? {
        Value::String(text) => text.clone(),
        Value::Array(parts) => read_parts(parts, &fields.at("content"))?,
        other => {
            return Err(wrong_type(&fields.at("content"), "a string or an array of parts", other));
        }
    };
    Ok(Message { role, text })
}

fn read_parts(parts: &[Value], pointer: &str) -> Read<String> {
    let mut text = String::new();
    for (k, part) in parts.iter().enumerate() {
        let fields = Fields::of(part, format!("{pointer}/{k}"))?;
        fields.need("type")?;
        let kind = fields.text("type")?.unwrap_or_default();
        if kind != "text" {
            let message = format!("Unsupported content type '{kind}': only 'text' parts can be read.");
            return Err(ApiError::invalid(fields.at("type"), message).with_code("invalid_value"));
        }
        fields.need("text")?;
        text.push_str(fields.text("text")?.unwrap_or_default());
    }
    Ok(text)
}
