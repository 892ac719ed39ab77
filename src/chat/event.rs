//! Server-sent events.

use std::fmt;

use serde_json::Value;

/// One event of a stream. Its `Display` form is what goes over the wire, the blank line at its end included.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The event's id, if the API gives it one.
    pub id: Option<String>,
    /// The event's name, if the API gives it one.
    pub name: Option<&'static str>,
    /// What it says.
    pub data: EventData,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq)]
pub enum EventData {
    /// JSON, on one line.
    Json(Value),
    /// That the stream has ended: `[DONE]`.
    Done,
}

impl Event {
    /// An event without id and name.
    pub fn data(value: Value) -> Self {
        Event { id: None, name: None, data: EventData::Json(value) }
    }

    /// The JSON it says, if that is what it says.
    pub fn json(&self) -> Option<&Value> {
        match &self.data {
            EventData::Json(value) => Some(value),
            EventData::Done => None,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(id) = &self.id {
            writeln!(f, "id: {id}")?;
        }
        if let Some(name) = self.name {
            writeln!(f, "event: {name}")?;
        }
        match &self.data {
            EventData::Json(value) => writeln!(f, "data: {value}\n"),
            EventData::Done => writeln!(f, "data: [DONE]\n"),
        }
    }
}
