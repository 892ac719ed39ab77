//! Reading members of a JSON object, with errors that name the place and the type that was found.

use serde_json::{Map, Value};

use super::error::ApiError;

/// The result of reading one member.
pub(crate) type Read<T> = Result<T, ApiError>;

/// An object of the request and where it stands; `null` members count as absent, as in the API.
#[derive(Clone)]
pub(crate) struct Fields<'a> {
    map: &'a Map<String, Value>,
    pointer: String,
}

impl<'a> Fields<'a> {
    /// `value` as an object.
    pub fn of(value: &'a Value, pointer: impl Into<String>) -> Read<Self> {
        let pointer = pointer.into();
        match value {
            Value::Object(map) => Ok(Fields { map, pointer }),
            other => Err(wrong_type(&pointer, "an object", other)),
        }
    }

    /// Where the member `key` stands.
    pub fn at(&self, key: &str) -> String {
        format!("{}/{}", self.pointer, key.replace('~', "~0").replace('/', "~1"))
    }

    /// The object as OpenAI names a parameter (`response_format`); empty for the body.
    pub fn param(&self) -> String {
        ApiError::invalid(self.pointer.as_str(), "").param.unwrap_or_default()
    }

    /// The error for a member that is not known.
    pub fn unknown(&self, key: &str) -> ApiError {
        let e = ApiError::invalid(self.at(key), "");
        let message = format!("Unknown parameter: '{}'.", e.param.as_deref().unwrap_or(key));
        ApiError { message, ..e }.with_code("unknown_parameter")
    }

    /// An optional array.
    pub fn array(&self, key: &str) -> Read<Option<&'a [Value]>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(other) => Err(wrong_type(&self.at(key), "an array", other)),
        }
    }

    /// The member, unless it is absent or null.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|v| !v.is_null())
    }

    /// The member, which must be there.
    pub fn need(&self, key: &str) -> Read<&'a Value> {
        let missing = || {
            let e = ApiError::invalid(self.at(key), "");
            let message = format!("Missing required parameter: '{}'.", e.param.as_deref().unwrap_or(key));
            ApiError { message, ..e }.with_code("missing_required_parameter")
        };
        self.get(key).ok_or_else(missing)
    }

    /// An optional string.
    pub fn text(&self, key: &str) -> Read<Option<&'a str>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        value.as_str().map(Some).ok_or_else(|| wrong_type(&self.at(key), "a string", value))
    }

    /// An optional boolean.
    pub fn flag(&self, key: &str) -> Read<Option<bool>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        value.as_bool().map(Some).ok_or_else(|| wrong_type(&self.at(key), "a boolean", value))
    }

    /// An optional number in `low..=high`.
    pub fn number(&self, key: &str, low: f64, high: f64) -> Read<Option<f64>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        number_in(value, &self.at(key), low, high).map(Some)
    }

    /// An optional integer in `low..=high`.
    pub fn integer(&self, key: &str, low: u64, high: u64) -> Read<Option<u64>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match value.as_u64() {
            Some(n) if (low..=high).contains(&n) => Ok(Some(n)),
            _ if value.as_f64().is_some_and(|f| f.fract() == 0.0) => {
                Err(out_of_range(&self.at(key), value, &low.to_string(), &high.to_string()))
            }
            _ => Err(wrong_type(&self.at(key), "an integer", value)),
        }
    }

    /// An optional object.
    pub fn object(&self, key: &str) -> Read<Option<Fields<'a>>> {
        self.get(key).map(|value| Fields::of(value, self.at(key))).transpose()
    }

    /// Every member's name, in the order of the text.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.map.keys().map(String::as_str)
    }

    /// Every member that is not null.
    pub fn members(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.map.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.as_str(), v))
    }
}

/// `value` as a number in `low..=high`.
pub(crate) fn number_in(value: &Value, pointer: &str, low: f64, high: f64) -> Read<f64> {
    match value.as_f64() {
        Some(x) if value.is_number() && (low..=high).contains(&x) => Ok(x),
        Some(_) => Err(out_of_range(pointer, value, &low.to_string(), &high.to_string())),
        None => Err(wrong_type(pointer, "a number", value)),
    }
}

/// "Invalid type for 'x': expected …, but got … instead."
pub(crate) fn wrong_type(pointer: &str, expected: &str, found: &Value) -> ApiError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    let e = ApiError::invalid(pointer, "");
    let message = match &e.param {
        Some(param) => {
            format!("Invalid type for '{param}': expected {expected}, but got {found} instead.")
        }
        None => format!("The body must be {expected}, but is {found}."),
    };
    ApiError { message, ..e }.with_code("invalid_type")
}

fn out_of_range(pointer: &str, found: &Value, low: &str, high: &str) -> ApiError {
    let e = ApiError::invalid(pointer, "");
    let param = e.param.as_deref().unwrap_or("value");
    let message = format!("Invalid '{param}': {found} is not between {low} and {high}.");
    ApiError { message, ..e }.with_code("value_out_of_range")
}
