//! The chat template: how a conversation becomes one prompt.
//!
//! A trained model brings a template of its own. The built-in source of logits has none, so this is
//! the plainest one that keeps roles apart: a line `role:` before each message, a blank line after
//! it, and an open `assistant:` at the end.
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

use super::message::Message;

/// The prompt of a conversation.
pub fn prompt(messages: &[Message]) -> String {
    let mut out = String::new();
    for message in messages {
        out.push_str(message.role.as_str());
        out.push_str(":\n");
        out.push_str(message.text.trim_end());
        out.push_str("\n\n");
    }
    out.push_str("assistant:\n");
    out
}
