//! What a request asks for, in no API's spelling.

use serde_json::{Value, json};

use super::message::Message;
use crate::sampling::SamplingParams;

/// Everything that decides what is generated.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// The conversation so far; never empty once it was read from a request.
    pub messages: Vec<Message>,
    /// What the reply must look like if it calls no function.
    pub format: Format,
    /// Functions that may be called.
    pub tools: Vec<Tool>,
    /// Whether one must be.
    pub tool_choice: ToolChoice,
    /// Whether one reply may call several functions, or one several times.
    pub parallel_calls: bool,
    /// How tokens are chosen; its seed is 0 if the request names none.
    pub sampling: SamplingParams,
    /// Whether the request names a seed.
    pub seeded: bool,
    /// How many replies are wanted, at least 1.
    pub choices: u32,
    /// The most tokens to generate for each, if the request says.
    pub max_tokens: Option<u32>,
    /// Sequences before which free text ends; none if there is a JSON format or a function to call.
    pub stop: Vec<String>,
}

impl Default for Generation {
    /// One reply of free text to nothing.
    fn default() -> Self {
        Generation {
            messages: Vec::new(),
            format: Format::Text,
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            parallel_calls: true,
            sampling: SamplingParams::default(),
            seeded: false,
            choices: 1,
            max_tokens: None,
            stop: Vec::new(),
        }
    }
}

/// What a reply that calls no function must look like.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Format {
    /// No constraint.
    #[default]
    Text,
    /// JSON mode: any JSON object.
    JsonObject,
    /// JSON that matches `schema`.
    JsonSchema {
        /// A label; it appears in error messages and has no effect on the output.
        name: String,
        /// What the model is told of it.
        description: Option<String>,
        /// The schema, as it was sent.
        schema: Value,
        /// Whether it was held to the strict subset. It is enforced in full either way.
        strict: bool,
    },
}

impl Format {
    /// The schema that constrains the output; JSON mode is the schema of all objects.
    pub fn schema(&self) -> Option<Value> {
        match self {
            Format::Text => None,
            Format::JsonObject => Some(json!({"type": "object"})),
            Format::JsonSchema { schema, .. } => Some(schema.clone()),
        }
    }

    /// The name for error messages.
    pub fn name(&self) -> &str {
        match self {
            Format::Text => "text",
            Format::JsonObject => "json_object",
            Format::JsonSchema { name, .. } => name,
        }
    }
}

/// A function that may be called.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name: letters, digits, `_` and `-` only.
    pub name: String,
    /// What the model is told of it.
    pub description: Option<String>,
    /// The schema of its arguments.
    pub parameters: Value,
    /// Whether the schema was held to the strict subset. It is enforced in full either way.
    pub strict: bool,
}

/// Whether functions are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// No.
    None,
    /// As the model likes.
    #[default]
    Auto,
    /// At least one is.
    Required,
    /// This one is, by its place among the tools.
    Named(usize),
}

impl Generation {
    /// The functions that the reply may call, by their place among the tools.
    pub fn callable(&self) -> Vec<usize> {
        match self.tool_choice {
            ToolChoice::None => Vec::new(),
            ToolChoice::Auto | ToolChoice::Required => (0..self.tools.len()).collect(),
            ToolChoice::Named(one) => vec![one],
        }
    }
}
