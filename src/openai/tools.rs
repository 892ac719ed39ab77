//! Functions that may be called: `tools`, `tool_choice` and `parallel_tool_calls`.
//!
//! Chat Completions describes a function one level down, in `function`; Responses on the level of the tool.

use serde_json::{Value, json};

use super::error::ApiError;
use super::fields::{Fields, Read, wrong_type};
use super::format::read_name;
use super::schema::SchemaPlace;
use crate::chat::{Tool, ToolChoice};
use crate::strict::{Profile, check};

/// The most functions in one request.
const TOOLS: usize = 128;

/// Which API describes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Chat,
    Responses,
}

/// What a request says of functions.
pub(super) struct Tools {
    pub list: Vec<Tool>,
    pub choice: ToolChoice,
    pub parallel: bool,
}

/// Where the schema of a function's arguments stands.
pub(super) fn parameters(style: Style, at: usize, name: &str) -> SchemaPlace {
    let inner = if style == Style::Chat { ("/function", ".function") } else { ("", "") };
    SchemaPlace {
        what: "function",
        name: name.to_owned(),
        pointer: format!("/tools/{at}{}/parameters", inner.0),
        param: format!("tools[{at}]{}.parameters", inner.1),
        code: Some("invalid_function_parameters"),
    }
}

/// Reads all that concerns functions.
pub(super) fn read_tools(body: &Fields<'_>, style: Style, profile: &Profile) -> Read<Tools> {
    let tools = body.array("tools")?.unwrap_or_default();
    if tools.len() > TOOLS {
        let message = format!("'tools' has {} functions; at most {TOOLS} are allowed.", tools.len());
        return Err(ApiError::invalid("/tools", message));
    }
    let mut list: Vec<Tool> = Vec::with_capacity(tools.len());
    for (at, tool) in tools.iter().enumerate() {
        let tool = read_tool(tool, style, at, profile)?;
        if list.iter().any(|known| known.name == tool.name) {
            let message = format!("Two functions are named '{}'.", tool.name);
            return Err(ApiError::invalid(format!("/tools/{at}"), message).with_code("invalid_value"));
        }
        list.push(tool);
    }
    // What needs no function is harmless without one.
    if list.is_empty() && body.get("tool_choice").is_some_and(|v| v != "none" && v != "auto") {
        let message = "'tool_choice' is only allowed when 'tools' are specified.";
        return Err(ApiError::invalid("/tool_choice", message));
    }
    let choice = match body.get("tool_choice") {
        None => ToolChoice::Auto,
        Some(value) => read_choice(value, style, &list)?,
    };
    let parallel = body.flag("parallel_tool_calls")?.unwrap_or(true);
    Ok(Tools { list, choice, parallel })
}

fn read_tool(value: &Value, style: Style, at: usize, profile: &Profile) -> Read<Tool> {
    let outer = Fields::of(value, format!("/tools/{at}"))?;
    outer.need("type")?;
    let kind = outer.text("type")?.unwrap_or_default();
    if kind != "function" {
        let message = format!("Unsupported tool type '{kind}': only 'function' can be called here.");
        return Err(ApiError::invalid(outer.at("type"), message).with_code("invalid_value"));
    }
    let (fields, known): (Fields<'_>, &[&str]) = match style {
        Style::Chat => {
            if let Some(key) = outer.keys().find(|key| !matches!(*key, "type" | "function")) {
                return Err(outer.unknown(key));
            }
            let function = Fields::of(outer.need("function")?, outer.at("function"))?;
            (function, &["name", "description", "parameters", "strict"])
        }
        Style::Responses => (outer, &["type", "name", "description", "parameters", "strict"]),
    };
    if let Some(key) = fields.keys().find(|key| !known.contains(key)) {
        return Err(fields.unknown(key));
    }
    let name = read_name(&fields)?;
    let description = fields.text("description")?.map(str::to_owned);
    let place = parameters(style, at, &name);
    let parameters = match fields.get("parameters") {
        None => json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false}),
        Some(schema @ Value::Object(_)) => schema.clone(),
        Some(other) => return Err(wrong_type(&fields.at("parameters"), "an object", other)),
    };
    place.check_root(&parameters)?;
    // In Responses, a function is strict by itself if it can be.
    let strict = match (fields.flag("strict")?, style) {
        (Some(strict), _) => strict,
        (None, Style::Chat) => false,
        (None, Style::Responses) => check(&parameters, profile).is_ok(),
    };
    if strict {
        place.check(&parameters, profile)?;
    }
    Ok(Tool { name, description, parameters, strict })
}

fn read_choice(value: &Value, style: Style, tools: &[Tool]) -> Read<ToolChoice> {
    let unsupported = |pointer: &str, what: &str| {
        let message = format!("Unsupported 'tool_choice' {what}: use none, auto, required or a function.");
        ApiError::invalid(pointer, message).with_code("invalid_value")
    };
    let fields = match value {
        Value::String(text) => {
            return match text.as_str() {
                "none" => Ok(ToolChoice::None),
                "auto" => Ok(ToolChoice::Auto),
                "required" => Ok(ToolChoice::Required),
                other => Err(unsupported("/tool_choice", &format!("'{other}'"))),
            };
        }
        Value::Object(_) => Fields::of(value, "/tool_choice")?,
        other => return Err(wrong_type("/tool_choice", "a string or an object", other)),
    };
    fields.need("type")?;
    let kind = fields.text("type")?.unwrap_or_default();
    if kind != "function" {
        return Err(unsupported("/tool_choice/type", &format!("type '{kind}'")));
    }
    let named = match style {
        Style::Chat => Fields::of(fields.need("function")?, fields.at("function"))?,
        Style::Responses => fields,
    };
    named.need("name")?;
    let name = named.text("name")?.unwrap_or_default();
    match tools.iter().position(|tool| tool.name == name) {
        Some(at) => Ok(ToolChoice::Named(at)),
        None => {
            let message = format!("Tool choice '{name}' not found in 'tools' parameter.");
            Err(ApiError::invalid("/tool_choice", message).with_code("invalid_value"))
        }
    }
}
