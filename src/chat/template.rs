//! The chat template: how a conversation becomes one prompt.
//!
//! A trained model brings a template of its own. The built-in source of logits has none, so this is
//! the plainest one that keeps roles apart: a line `role:` before each message, a blank line after
//! it, and an open `assistant:` at the end. What the model is told of functions and refusals comes first, as the system
//! would say it; calls in earlier messages are written as new ones would be.
//!
//! ```text
//! system:
//! Extract the event information.
//!
//! user:
//! Alice and Bob are going to a science fair on Friday.
//!
//! assistant:
//! ```

use super::framing::Framing;
use super::generation::Generation;
use super::message::{Message, Role};

/// The prompt of a request.
pub fn prompt(generation: &Generation, framing: &Framing) -> String {
    let mut out = String::new();
    let instructions = framing.instructions(generation);
    if !instructions.is_empty() {
        section(&mut out, Role::System, &instructions);
    }
    for Message { role, text, calls } in &generation.messages {
        let calls: Vec<String> = calls.iter().map(|call| framing.call(call)).collect();
        let text = match (text.trim_end(), calls.join(&framing.between_calls)) {
            (text, calls) if calls.is_empty() => text.to_owned(),
            ("", calls) => calls,
            (text, calls) => format!("{text}\n{calls}"),
        };
        section(&mut out, *role, &text);
    }
    out.push_str("assistant:\n");
    out
}

fn section(out: &mut String, role: Role, text: &str) {
    out.push_str(role.as_str());
    out.push_str(":\n");
    out.push_str(text.trim_end());
    out.push_str("\n\n");
}
