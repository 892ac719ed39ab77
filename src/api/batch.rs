//! Lines of a batch file: requests in, replies and errors out.
//!
//! A line in is `{"custom_id", "method": "POST", "url", "body"}`; the url says which API it speaks. A line out
//! is `{"id", "custom_id", "response": {"status_code", "request_id", "body"}, "error": null}`, in the
//! order of completion. A line that cannot be served becomes one of the same shape in the error file, with
//! `status_code` 400 (or 500), the API's error object as body, and `line`, its number in the input counted from 1.

use serde_json::{Value, json};

use super::endpoint::Endpoint;
use super::request::Request;
use crate::chat::identifier;
use crate::openai::{ApiError, Fields};

/// A line that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchRequest {
    /// The caller's name for the request, unique in its file.
    pub custom_id: String,
    /// Where it is addressed to.
    pub endpoint: Endpoint,
    /// The request.
    pub request: Request,
}

/// A line that cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchError {
    /// Line number in the input, counted from 1.
    pub line: usize,
    /// The line's name, if it could be read.
    pub custom_id: Option<String>,
    /// Where it is addressed to, if that could be read: errors have the shape of that API.
    pub endpoint: Option<Endpoint>,
    /// What is wrong; pointers are into the line's object.
    pub error: ApiError,
}

/// Reads line number `line` (from 1). Uniqueness of `custom_id` is the caller's to check.
///
/// # Errors
/// What is wrong with the line, ready for the error file. Pointers inside `body` start with `/body`.
pub fn parse_line(line: usize, text: &str) -> Result<BatchRequest, Box<BatchError>> {
    let value: Value = serde_json::from_str(text).map_err(|e| {
        let error =
            ApiError::invalid("", format!("The line is not JSON: {e}.")).with_code("invalid_json_line");
        Box::new(BatchError { line, custom_id: None, endpoint: None, error })
    })?;
    let custom_id = value.get("custom_id").and_then(Value::as_str);
    let endpoint = value.get("url").and_then(Value::as_str).and_then(Endpoint::of);
    let fail = |error| {
        Box::new(BatchError {
            line,
            custom_id: custom_id.map(str::to_owned),
            endpoint: endpoint.clone(),
            error,
        })
    };
    let body = check_line(&value).map_err(fail)?;
    let Some(endpoint) = &endpoint else {
        let url = value["url"].as_str().unwrap_or_default();
        let message = format!("Invalid 'url': '{url}' is no endpoint that can be served.");
        return Err(fail(ApiError::invalid("/url", message).with_code("invalid_url")));
    };
    let in_body = |e: ApiError| ApiError { pointer: format!("/body{}", e.pointer), ..e };
    let request = endpoint.read(body).map_err(|e| fail(in_body(e)))?;
    if request.streams() {
        let message = "'stream' is not supported in a batch; remove it.";
        return Err(fail(in_body(ApiError::invalid("/stream", message).with_code("unsupported_parameter"))));
    }
    Ok(BatchRequest {
        custom_id: custom_id.unwrap_or_default().to_owned(),
        endpoint: endpoint.clone(),
        request,
    })
}

/// The body of a line whose other members are in order; the url only is not looked at.
fn check_line(value: &Value) -> Result<&Value, ApiError> {
    let fields = Fields::of(value, "")?;
    fields.need("custom_id")?;
    if fields.text("custom_id")?.is_none_or(str::is_empty) {
        return Err(ApiError::invalid("/custom_id", "'custom_id' is empty.").with_code("invalid_value"));
    }
    fields.need("method")?;
    match fields.text("method")?.unwrap_or_default() {
        "POST" => {}
        other => {
            let message = format!("Invalid 'method': '{other}'; only 'POST' is supported.");
            return Err(ApiError::invalid("/method", message).with_code("invalid_method"));
        }
    }
    fields.need("url")?;
    fields.text("url")?;
    fields.need("body")
}

/// The error for a request whose `custom_id` an earlier line has taken.
pub fn duplicate(line: usize, request: &BatchRequest, first: usize) -> BatchError {
    let custom_id = &request.custom_id;
    let message =
        format!("The custom_id '{custom_id}' is taken by line {first}; it must be unique in the file.");
    let error = ApiError::invalid("/custom_id", message).with_code("duplicate_custom_id");
    BatchError { line, custom_id: Some(custom_id.clone()), endpoint: Some(request.endpoint.clone()), error }
}

/// The output line of a served request; `body` is the reply of its API. Identifiers are derived from `job` and the
/// `custom_id`: `job` tells a file's lines from those of others, and may be empty.
pub fn output_line(job: &str, custom_id: &str, body: Value) -> Value {
    envelope(Some(custom_id), &line_key(job, custom_id), 200, body)
}

/// What the identifiers of a line's reply are derived from.
pub fn line_key(job: &str, custom_id: &str) -> String {
    if job.is_empty() { custom_id.to_owned() } else { format!("{job}:{custom_id}") }
}

impl BatchRequest {
    /// An error about the request's body as one about its line.
    pub fn in_body(&self, line: usize, error: ApiError) -> BatchError {
        let error = ApiError { pointer: format!("/body{}", error.pointer), ..error };
        let custom_id = Some(self.custom_id.clone());
        BatchError { line, custom_id, endpoint: Some(self.endpoint.clone()), error }
    }
}

impl BatchError {
    /// The line for the error file; of `job`, see [`output_line`].
    pub fn to_json(&self, job: &str) -> Value {
        let key = format!("{}:{}", self.line, self.custom_id.as_deref().unwrap_or(""));
        let key = line_key(job, &key);
        let body = self.endpoint.as_ref().map_or_else(|| self.error.body(), |at| at.error(&self.error));
        let mut out = envelope(self.custom_id.as_deref(), &key, self.error.status, body);
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
