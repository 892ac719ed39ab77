//! `response_format`: free text, any JSON object, or JSON that matches a schema.

use serde_json::Value;

use super::error::ApiError;
use super::fields::{Fields, Read, wrong_type};
use super::message::Message;

/// The longest `json_schema.name`.
const NAME_CHARACTERS: usize = 64;

/// What the reply must look like.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ResponseFormat {
    /// No constraint.
    #[default]
    Text,
    /// JSON mode: any JSON object.
    JsonObject,
    /// JSON that matches `schema`.
    JsonSchema {
        /// A label; it appears in error messages and has no effect on the output.
        name: String,
        /// The schema, as it was sent.
        schema: Value,
    },
}

impl ResponseFormat {
    /// The schema that constrains the output; JSON mode is the schema of all objects.
    pub fn schema(&self) -> Option<Value> {
        match self {
            ResponseFormat::Text => None,
            ResponseFormat::JsonObject => Some(serde_json::json!({"type": "object"})),
            ResponseFormat::JsonSchema { schema, .. } => Some(schema.clone()),
        }
    }

    /// The name for error messages.
    pub fn name(&self) -> &str {
        match self {
            ResponseFormat::Text => "text",
            ResponseFormat::JsonObject => "json_object",
            ResponseFormat::JsonSchema { name, .. } => name,
        }
    }
}

/// Reads `response_format`, and holds JSON mode to its rule about the word JSON.
pub(super) fn read_format(body: &Fields<'_>, messages: &[Message]) -> Read<ResponseFormat> {
    let Some(fields) = body.object("response_format")? else {
        return Ok(ResponseFormat::Text);
    };
    fields.need("type")?;
    match fields.text("type")?.unwrap_or_default() {
        "text" => Ok(ResponseFormat::Text),
        "json_object" => {
            if messages.iter().any(|m| m.text.to_ascii_lowercase().contains("json")) {
                return Ok(ResponseFormat::JsonObject);
            }
            let message = "'messages' must contain the word 'json' in some form, to use 'response_format' of type \
                           'json_object'.";
            Err(ApiError::invalid("/messages", message))
        }
        "json_schema" => {
            fields.need("json_schema")?;
            read_json_schema(fields.object("json_schema")?.unwrap_or(fields))
        }
        other => {
            let message =
                format!("Unsupported response_format type '{other}'; use text, json_object or json_schema.");
            Err(ApiError::invalid(fields.at("type"), message).with_code("invalid_value"))
        }
    }
}

fn read_json_schema(fields: Fields<'_>) -> Read<ResponseFormat> {
    for key in fields.keys() {
        if !matches!(key, "name" | "description" | "schema" | "strict") {
            let message = format!("Unknown parameter: 'response_format.json_schema.{key}'.");
            return Err(ApiError::invalid(fields.at(key), message).with_code("unknown_parameter"));
        }
    }
    fields.need("name")?;
    let name = fields.text("name")?.unwrap_or_default();
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > NAME_CHARACTERS || !name.chars().all(legal) {
        let message = format!(
            "Invalid 'response_format.json_schema.name': '{name}' must have 1 to {NAME_CHARACTERS} of the characters \
             a-z, A-Z, 0-9, '_' and '-'."
        );
        return Err(ApiError::invalid(fields.at("name"), message).with_code("invalid_value"));
    }
    fields.text("description")?;
    fields.flag("strict")?;
    match fields.need("schema")? {
        schema @ (Value::Object(_) | Value::Bool(_)) => {
            Ok(ResponseFormat::JsonSchema { name: name.to_owned(), schema: schema.clone() })
        }
        other => Err(wrong_type(&fields.at("schema"), "an object", other)),
    }
}
