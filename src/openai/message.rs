//! Chat messages.

use serde_json::Value;

use super::error::ApiError;
use super::fields::{Fields, Read, wrong_type};
use crate::chat::{Call, Message, Role};

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
    let role = read_role(&fields, true)?;
    for key in fields.keys() {
        // `name` is not part of the prompt.
        let known = match key {
            "role" | "content" | "name" => true,
            "refusal" | "tool_calls" => role == Role::Assistant,
            // Empty where a reply is sent back as it came.
            "annotations" => fields.array(key)?.is_none_or(<[Value]>::is_empty),
            "tool_call_id" => role == Role::Tool,
            _ => false,
        };
        if !known && fields.get(key).is_some() {
            let message = format!("Unsupported member '{key}' of a message.");
            return Err(ApiError::invalid(fields.at(key), message).with_code("unsupported_parameter"));
        }
    }
    if role == Role::Tool {
        fields.need("tool_call_id")?;
        fields.text("tool_call_id")?;
    }
    let calls = fields.array("tool_calls")?.unwrap_or_default().iter().enumerate();
    let calls: Read<Vec<Call>> =
        calls.map(|(k, call)| read_call(call, format!("{}/{k}", fields.at("tool_calls")))).collect();
    let calls = calls?;
    let refusal = fields.text("refusal")?;
    let mut text = match fields.get("content") {
        None if !calls.is_empty() || refusal.is_some() => String::new(),
        _ => read_content(fields.need("content")?, &fields.at("content"), &["text", "refusal"])?,
    };
    text.push_str(refusal.unwrap_or_default());
    Ok(Message { role, text, calls })
}

/// Reads `role`.
pub(super) fn read_role(fields: &Fields<'_>, tools: bool) -> Read<Role> {
    fields.need("role")?;
    match fields.text("role")?.unwrap_or_default() {
        "system" | "developer" => Ok(Role::System),
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "tool" if tools => Ok(Role::Tool),
        other => {
            let tool = if tools { "assistant or tool" } else { "or assistant" };
            let message = format!("Unsupported role '{other}'; use system, developer, user, {tool}.");
            Err(ApiError::invalid(fields.at("role"), message).with_code("invalid_value"))
        }
    }
}

fn read_call(value: &Value, pointer: String) -> Read<Call> {
    let fields = Fields::of(value, pointer)?;
    let function = Fields::of(fields.need("function")?, fields.at("function"))?;
    let need = |of: &Fields<'_>, key: &str| -> Read<String> {
        of.need(key)?;
        Ok(of.text(key)?.unwrap_or_default().to_owned())
    };
    Ok(Call {
        id: need(&fields, "id")?,
        name: need(&function, "name")?,
        arguments: need(&function, "arguments")?,
    })
}

/// Reads content: a string, or parts of these types, each with its text in the member of that name or in `text`.
pub(crate) fn read_content(value: &Value, pointer: &str, types: &[&str]) -> Read<String> {
    let parts = match value {
        Value::String(text) => return Ok(text.clone()),
        Value::Array(parts) => parts,
        other => return Err(wrong_type(pointer, "a string or an array of parts", other)),
    };
    let mut text = String::new();
    for (k, part) in parts.iter().enumerate() {
        let fields = Fields::of(part, format!("{pointer}/{k}"))?;
        fields.need("type")?;
        let kind = fields.text("type")?.unwrap_or_default();
        if !types.contains(&kind) {
            let message =
                format!("Unsupported content type '{kind}': only {} parts can be read.", quoted(types));
            return Err(ApiError::invalid(fields.at("type"), message).with_code("invalid_value"));
        }
        let key = if kind == "refusal" { kind } else { "text" };
        fields.need(key)?;
        text.push_str(fields.text(key)?.unwrap_or_default());
    }
    Ok(text)
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    names.join(" and ")
}
