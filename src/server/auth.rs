//! Who may ask.

use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq;

use crate::openai::ApiError;

/// The keys that open a server; without any, it is open to all who reach it.
#[derive(Clone, Default)]
pub struct Keys(Vec<String>);

impl Keys {
    /// These keys; empty ones are left out.
    pub fn new(keys: impl IntoIterator<Item = String>) -> Self {
        Keys(keys.into_iter().filter(|key| !key.is_empty()).collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lets a request in that has a key in `Authorization: Bearer …` or, as Azure has it, in `api-key`.
    ///
    /// # Errors
    /// The answer to a request without a key, or with a wrong one.
    pub fn admit(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
            let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
        });
        let given = bearer.or_else(|| headers.get("api-key").and_then(|value| value.to_str().ok()));
        let Some(given) = given else {
            let words =
                "You didn't provide an API key. Send it as 'Authorization: Bearer KEY' or 'api-key: KEY'.";
            return Err(ApiError::of_status(401, words));
        };
        if self.hold(given) {
            return Ok(());
        }
        Err(ApiError::of_status(401, "Incorrect API key provided.").with_code("invalid_api_key"))
    }

    /// The time taken depends on the lengths of the keys, and on nothing else of them.
    fn hold(&self, given: &str) -> bool {
        let equal = self.0.iter().map(|key| key.as_bytes().ct_eq(given.as_bytes()));
        equal.fold(subtle::Choice::from(0), |any, one| any | one).into()
    }
}

/// Keys are not for logs.
impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(keys: &Keys, name: &'static str, value: &str) -> u16 {
        let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
        keys.admit(&headers).err().map_or(200, |error| error.status)
    }

    #[test]
    fn a_key_is_taken_from_either_header() {
        let keys = Keys::new(["one".into(), String::new(), "two".into()]);
        assert_eq!(format!("{keys:?}"), "2 keys");
        for (name, value, wanted) in [
            ("authorization", "Bearer one", 200),
            ("authorization", "bearer two", 200),
            ("authorization", "Bearer three", 401),
            ("authorization", "Bearer ", 401),
            ("authorization", "Basic one", 401),
            ("api-key", "two", 200),
            ("api-key", "on", 401),
            ("api-key", "", 401),
            ("x-key", "one", 401),
        ] {
            assert_eq!(status(&keys, name, value), wanted, "{name}: {value}");
        }
        assert_eq!(status(&Keys::default(), "x", "y"), 200);
    }
}
