//! What has been said so far.

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions; `developer` is its newer name.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A function that the model has called.
    Tool,
}

impl Role {
    /// The name in requests and in the prompt.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
        }
    }
}

/// One message, its text parts joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said; of [`Role::Tool`], what the function returned.
    pub text: String,
    /// The functions that the assistant called.
    pub calls: Vec<Call>,
}

impl Message {
    /// A message without calls.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Message { role, text: text.into(), calls: Vec::new() }
    }
}

/// A function called, in a message or in a reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// What tells it from other calls.
    pub id: String,
    /// The function.
    pub name: String,
    /// Its arguments, as JSON text.
    pub arguments: String,
}
