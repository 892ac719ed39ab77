//! Schemas in a request: where they stand, how the API speaks of them, and the strict subset.

use serde_json::Value;

use super::error::{ApiError, segments};
use crate::error::Error;
use crate::strict::{self, Profile};

/// Where a schema stands in a request.
pub(super) struct SchemaPlace {
    /// `response_format` or `function`.
    pub what: &'static str,
    /// The caller's name for it.
    pub name: String,
    /// JSON pointer to it.
    pub pointer: String,
    /// What an error says is at fault.
    pub param: String,
    /// The error's code.
    pub code: Option<&'static str>,
}

impl SchemaPlace {
    fn error(&self, inner: &str, words: &str) -> ApiError {
        ApiError {
            status: 400,
            message: format!("Invalid schema for {} '{}': {words}", self.what, self.name),
            param: Some(self.param.clone()),
            code: self.code,
            pointer: format!("{}{inner}", self.pointer),
        }
    }

    /// Holds the schema to a vendor's subset.
    pub fn check(&self, schema: &Value, profile: &Profile) -> Result<(), ApiError> {
        strict::check(schema, profile).map_err(|v| self.error(&v.pointer, &v.message))
    }

    /// Holds the schema of a function's arguments to what every function is held to.
    pub fn check_root(&self, schema: &Value) -> Result<(), ApiError> {
        strict::check_root(schema).map_err(|v| self.error(&v.pointer, &v.message))
    }

    /// The answer to a schema that the compiler refuses, in the API's manner.
    pub fn refused(&self, error: &Error) -> ApiError {
        let inner = error.pointer().unwrap_or("");
        let context: Vec<String> = segments(inner).collect();
        let context: Vec<&str> = context.iter().map(String::as_str).collect();
        let (context, kind) = (strict::python_tuple(&context), error.kind().as_str());
        self.error(inner, &format!("In context={context}, {kind}: {}", error.message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn errors_name_the_context() {
        let place = SchemaPlace {
            what: "response_format",
            name: "math".into(),
            pointer: "/response_format/json_schema/schema".into(),
            param: "response_format".into(),
            code: None,
        };
        let e = place.refused(&Error::at(ErrorKind::UnsupportedKeyword, "/properties/a", "no"));
        let words = "Invalid schema for response_format 'math': In context=('properties', 'a'), ";
        assert!(e.message.starts_with(words), "{}", e.message);
        assert_eq!(e.pointer, "/response_format/json_schema/schema/properties/a");
        assert_eq!(e.body()["error"]["param"], "response_format");
        let root = place.refused(&Error::new(ErrorKind::InvalidSchema, "no"));
        assert!(root.message.contains("context=(), "), "{}", root.message);
    }
}
