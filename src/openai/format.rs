//! The format of a reply: free text, any JSON object, or JSON that matches a schema.
//!
//! Chat Completions has it as `response_format` with the schema one level down in `json_schema`; Responses has it as
//! `text.format`, all on one level.

use serde_json::Value;

use super::error::ApiError;
use super::fields::{Fields, Read, wrong_type};
use super::schema::SchemaPlace;
use crate::chat::{Format, Message};
use crate::strict::Profile;

/// The longest name of a schema or function.
const NAME_CHARACTERS: usize = 64;

/// Reads `response_format`.
pub(super) fn read_response_format(
    body: &Fields<'_>,
    messages: &[Message],
    profile: &Profile,
) -> Read<Format> {
    let Some(fields) = body.object("response_format")? else {
        return Ok(Format::Text);
    };
    let place = |name: String| SchemaPlace { name, ..response_format("") };
    read_format(
        &fields,
        fields.object("json_schema"),
        &["type", "json_schema"],
        place,
        messages,
        "messages",
        profile,
    )
}

/// Reads `text.format`.
pub(super) fn read_text_format(body: &Fields<'_>, messages: &[Message], profile: &Profile) -> Read<Format> {
    let Some(text) = body.object("text")? else {
        return Ok(Format::Text);
    };
    for key in text.keys() {
        // `verbosity` is a hint for models that were trained to take it.
        if !matches!(key, "format" | "verbosity") {
            return Err(text.unknown(key));
        }
    }
    let Some(fields) = text.object("format")? else {
        return Ok(Format::Text);
    };
    let place = |name: String| SchemaPlace { name, ..text_format("") };
    let keys = &["type", "name", "description", "schema", "strict"];
    read_format(&fields, Ok(Some(fields.clone())), keys, place, messages, "input", profile)
}

/// Where the schema of `response_format` stands.
pub(super) fn response_format(name: &str) -> SchemaPlace {
    SchemaPlace {
        what: "response_format",
        name: name.to_owned(),
        pointer: "/response_format/json_schema/schema".into(),
        param: "response_format".into(),
        code: None,
    }
}

/// Where the schema of `text.format` stands.
pub(super) fn text_format(name: &str) -> SchemaPlace {
    SchemaPlace {
        what: "response_format",
        name: name.to_owned(),
        pointer: "/text/format/schema".into(),
        param: "text.format.schema".into(),
        code: Some("invalid_json_schema"),
    }
}

/// Reads a format, and holds JSON mode to its rule about the word JSON. `described` has the name and the schema.
fn read_format(
    fields: &Fields<'_>,
    described: Read<Option<Fields<'_>>>,
    keys: &[&str],
    place: impl FnOnce(String) -> SchemaPlace,
    messages: &[Message],
    messages_key: &str,
    profile: &Profile,
) -> Read<Format> {
    fields.need("type")?;
    let kind = fields.text("type")?.unwrap_or_default();
    if let Some(key) = fields.keys().find(|key| !keys.contains(key)) {
        return Err(fields.unknown(key));
    }
    match kind {
        "text" => Ok(Format::Text),
        "json_object" => {
            if messages.iter().any(|m| m.text.to_ascii_lowercase().contains("json")) {
                return Ok(Format::JsonObject);
            }
            let param = fields.param();
            let message = format!(
                "'{messages_key}' must contain the word 'json' in some form, to use '{param}' of type 'json_object'."
            );
            Err(ApiError::invalid(format!("/{messages_key}"), message))
        }
        "json_schema" => {
            let Some(described) = described? else {
                fields.need("json_schema")?;
                return Ok(Format::Text);
            };
            read_json_schema(&described, place, profile)
        }
        other => {
            let param = fields.param();
            let message =
                format!("Unsupported {param} type '{other}'; use text, json_object or json_schema.");
            Err(ApiError::invalid(fields.at("type"), message).with_code("invalid_value"))
        }
    }
}

fn read_json_schema(
    fields: &Fields<'_>,
    place: impl FnOnce(String) -> SchemaPlace,
    profile: &Profile,
) -> Read<Format> {
    for key in fields.keys() {
        if !matches!(key, "type" | "name" | "description" | "schema" | "strict") {
            return Err(fields.unknown(key));
        }
    }
    let name = read_name(fields)?;
    let description = fields.text("description")?.map(str::to_owned);
    let strict = fields.flag("strict")?.unwrap_or(false);
    let schema = match fields.need("schema")? {
        schema @ (Value::Object(_) | Value::Bool(_)) => schema.clone(),
        other => return Err(wrong_type(&fields.at("schema"), "an object", other)),
    };
    if strict {
        place(name.clone()).check(&schema, profile)?;
    }
    Ok(Format::JsonSchema { name, description, schema, strict })
}

/// Reads the `name` of a schema or function.
pub(super) fn read_name(fields: &Fields<'_>) -> Read<String> {
    fields.need("name")?;
    let name = fields.text("name")?.unwrap_or_default();
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > NAME_CHARACTERS || !name.chars().all(legal) {
        let e = ApiError::invalid(fields.at("name"), "");
        let message = format!(
            "Invalid '{}': '{name}' must have 1 to {NAME_CHARACTERS} of the characters a-z, A-Z, 0-9, '_' and '-'.",
            e.param.as_deref().unwrap_or("name")
        );
        return Err(ApiError { message, ..e }.with_code("invalid_value"));
    }
    Ok(name.to_owned())
}
