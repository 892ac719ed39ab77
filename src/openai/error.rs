//! The error object of the API: what a client sees instead of a completion.

use std::fmt;

use serde_json::{Value, json};

use crate::error::{Error, ErrorKind};

/// A refused request: HTTP status, message and the parameter at fault.
///
/// [`ApiError::body`] is the JSON object OpenAI's servers answer with. The [`pointer`](ApiError::pointer)
/// says where in the request body the problem is; it also opens the `Display` form, which is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status: 400 for a request that cannot be served as it stands, 500 for a failure on this side; a server has
    /// others besides.
    pub status: u16,
    /// Cause and way out.
    pub message: String,
    /// The parameter at fault, in OpenAI's spelling (`messages[0].role`, `response_format`).
    pub param: Option<String>,
    /// A stable code where OpenAI has one (`unsupported_parameter`, `invalid_type` …).
    pub code: Option<&'static str>,
    /// JSON pointer into the request body (`""` is the body itself).
    pub pointer: String,
}

impl ApiError {
    /// A 400 at `pointer`; the parameter's name is derived from the pointer.
    pub fn invalid(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        let pointer = pointer.into();
        ApiError { status: 400, message: message.into(), param: param_of(&pointer), code: None, pointer }
    }

    /// The same error with a code.
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// A failure that the request is not to blame for.
    pub fn server(message: impl Into<String>) -> Self {
        Self::of_status(500, message)
    }

    /// An error of no parameter, with an HTTP status.
    pub fn of_status(status: u16, message: impl Into<String>) -> Self {
        ApiError { status, message: message.into(), param: None, code: None, pointer: String::new() }
    }

    /// `{"error": {"message", "type", "param", "code"}}`.
    pub fn body(&self) -> Value {
        let kind = match self.status {
            429 => "rate_limit_error",
            ..500 => "invalid_request_error",
            _ => "server_error",
        };
        json!({"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}})
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}: {}", self.pointer, self.message)
    }
}

impl std::error::Error for ApiError {}

impl From<ApiError> for Error {
    fn from(e: ApiError) -> Self {
        Error::at(ErrorKind::InvalidRequest, e.pointer, e.message)
    }
}

/// The segments of a JSON pointer, unescaped.
pub(super) fn segments(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer.split('/').skip(1).map(|s| s.replace("~1", "/").replace("~0", "~"))
}

/// `/messages/0/role` as OpenAI writes it: `messages[0].role`.
fn param_of(pointer: &str) -> Option<String> {
    let mut out = String::new();
    for segment in segments(pointer) {
        if !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit()) && !out.is_empty() {
            out.push_str(&format!("[{segment}]"));
        } else {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(&segment);
        }
    }
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn params_are_spelt_as_openai_does() {
        assert_eq!(ApiError::invalid("/messages/0/role", "x").param.as_deref(), Some("messages[0].role"));
        assert_eq!(ApiError::invalid("", "x").param, None);
        assert_eq!(ApiError::invalid("/logit_bias/12", "x").param.as_deref(), Some("logit_bias[12]"));
    }
}
