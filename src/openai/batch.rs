//! Lines of a batch file: requests in, replies and errors out.
//!
//! A line in is `{"custom_id", "method": "POST", "url": "/v1/chat/completions", "body"}`. A line out
//! is `{"id", "custom_id", "response": {"status_code", "request_id", "body"}, "error": null}`, in the
//! order of completion. A line that cannot be served becomes one of the same shape in the error file, with
//! `status_code` 400 (or 500), the API's error object as body, and `line`, its number in the input counted from 1.

use serde_json::{Value, json};

use super::error::ApiError;
use super::fields::Fields;
use super::identifier::identifier;
use super::request::ChatRequest;

/// The one endpoint a line may name.
pub const URL: &str = "/v1/chat/completions";

/// A line that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchRequest {
    /// The caller's name for the request, unique in its file.
    pub custom_id: String,
    /// The request.
    pub chat: ChatRequest,
}

/// A line that cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchError {
    /// Line number in the input, counted from 1.
    pub line: usize,
    /// The line's name, if it could be read.
    pub custom_id: Option<String>,
    /// What is wrong; pointers are into the line's object.
    pub error: ApiError,
}

/// Reads line number `line` (from 1). Uniqueness of `custom_id` is the caller's to check.
///
/// # Errors
/// What is wrong with the line, ready for the error file. Pointers inside `body` start with `/body`.
pub fn parse_line(line: usize, text: &str) -> Result<BatchRequest, Box<BatchError>> {
    let fail = |custom_id: Option<&str>, error| {
        let custom_id = custom_id.map(str::to_owned);
        Box::new(BatchError { line, custom_id, error })
    };
    let value: Value = serde_json::from_str(text).map_err(|e| {
        fail(
            None,
            ApiError::invalid("", format!("The line is not JSON: {e}.")).with_code("invalid_json_line"),
        )
    })?;
    let custom_id = value.get("custom_id").and_then(Value::as_str);
    let chat = parse_fields(&value).map_err(|error| fail(custom_id, error))?;
    Ok(BatchRequest { custom_id: custom_id.unwrap_or_default().to_owned(), chat })
}

fn parse_fields(value: &Value) -> Result<ChatRequest, ApiError> {
    let fields = Fields::of(value, "")?;
    fields.need("custom_id")?;
    if fields.text("custom_id")?.is_none_or(str::is_empty) {
        return Err(ApiError::invalid("/custom_id", "'custom_id' is empty.").with_code("invalid_value"));
    }
    for (key, only, code) in [("method", "POST", "invalid_method"), ("url", URL, "invalid_url")] {
        fields.need(key)?;
        match fields.text(key)?.unwrap_or_default() {
            text if text == only => {}
            other => {
                let message = format!("Invalid '{key}': '{other}'; only '{only}' is supported.");
                return Err(ApiError::invalid(fields.at(key), message).with_code(code));
            }
        }
    }
    ChatRequest::parse(fields.need("body")?)
        .map_err(|e| ApiError { pointer: format!("/body{}", e.pointer), ..e })
}

/// The error for a `custom_id` that an earlier line has taken.
pub fn duplicate(line: usize, custom_id: &str, first: usize) -> BatchError {
    let message =
        format!("The custom_id '{custom_id}' is taken by line {first}; it must be unique in the file.");
    let error = ApiError::invalid("/custom_id", message).with_code("duplicate_custom_id");
    BatchError { line, custom_id: Some(custom_id.to_owned()), error }
}

/// The output line of a served request; `body` is a `chat.completion` object.
pub fn output_line(custom_id: &str, body: Value) -> Value {
    envelope(Some(custom_id), custom_id, 200, body)
}

impl BatchError {
    /// The line for the error file.
    pub fn to_json(&self) -> Value {
        let key = format!("{}:{}", self.line, self.custom_id.as_deref().unwrap_or(""));
        let mut out = envelope(self.custom_id.as_deref(), &key, self.error.status, self.error.body());
        out["line"] = json!(self.line);
        out
    }
}

fn envelope(custom_id: Option<&str>, key: &str, status: u16, body: Value) -> Value {
    json!({
        "id": identifier("batch_req_", &[key]),
        "custom_id": custom_id,
        "response": {"status_code": status, "request_id": identifier("req_", &[key]), "body": body},
        "error": null,
    })
}
