//! How calls and refusals are written as text.
//!
//! Models that were trained to call functions have tokens or markers of their own for it. Where there are none, and for
//! the built-in source of logits, a call is written as many open models (Hermes, Qwen) write it:
//!
//! ```text
//! <tool_call>
//! {"name": "get_weather", "arguments": {"location":"Lisbon"}}
//! </tool_call>
//! ```
//!
//! The arguments are a value of the function's schema; the rest is fixed, byte for byte. Several calls follow each
//! other on lines of their own. A reply that begins otherwise is no call, so a reply with content makes no calls.
//! A refusal begins with a marker that the operator names, and goes on in prose.

use super::generation::{Generation, Tool, ToolChoice};
use super::message::Call;

/// The fixed text around calls and before refusals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framing {
    /// Before the name of the function called.
    pub before_name: String,
    /// Between its name and its arguments.
    pub before_arguments: String,
    /// After its arguments.
    pub after_arguments: String,
    /// Between two calls.
    pub between_calls: String,
    /// What a refusal begins with; `None` if the model is not to refuse in a way of its own.
    pub refusal: Option<String>,
}

impl Default for Framing {
    fn default() -> Self {
        Framing {
            before_name: "<tool_call>\n{\"name\": \"".into(),
            before_arguments: "\", \"arguments\": ".into(),
            after_arguments: "}\n</tool_call>".into(),
            between_calls: "\n".into(),
            refusal: None,
        }
    }
}

impl Framing {
    /// What a call of the function begins with.
    pub fn opening(&self, name: &str) -> String {
        format!("{}{name}{}", self.before_name, self.before_arguments)
    }

    /// A call as text.
    pub fn call(&self, call: &Call) -> String {
        format!("{}{}{}", self.opening(&call.name), call.arguments, self.after_arguments)
    }

    /// What a model is told: the functions it may call and how; and how to refuse. Empty if there is nothing to
    /// tell.
    pub fn instructions(&self, generation: &Generation) -> String {
        let callable = generation.callable().into_iter().filter_map(|k| generation.tools.get(k));
        let callable: Vec<&Tool> = callable.collect();
        let mut out = String::new();
        if !callable.is_empty() {
            out += match generation.tool_choice {
                ToolChoice::Auto => "You may call these functions:\n",
                _ => "Call one of these functions:\n",
            };
            for tool in callable {
                let function = serde_json::json!({
                    "name": tool.name, "description": tool.description, "parameters": tool.parameters,
                });
                out += &format!("{function}\n");
            }
            let example = Call { name: "NAME".into(), arguments: "ARGUMENTS".into(), ..Call::default() };
            out += &format!("A call is written so, and nothing else:\n{}\n", self.call(&example));
        }
        if let Some(marker) = &self.refusal {
            out += &format!("To refuse, write {marker} and the reason.\n");
        }
        out
    }
}
