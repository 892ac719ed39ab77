//! Lists of objects, a page at a time.

use serde_json::{Value, json};

use crate::openai::ApiError;

/// What a query asks for: `limit`, `after`, and what else is allowed.
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// A parameter that is neither of a page nor among `others`.
    pub fn of(query: Option<&str>, others: &[&str]) -> Result<Self, ApiError> {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let pairs: Vec<(String, String)> = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        match pairs
            .iter()
            .find(|(k, _)| !["limit", "after"].contains(&k.as_str()) && !others.contains(&k.as_str()))
        {
            Some((key, _)) => {
                let message = format!("Unknown parameter: '{key}'.");
                Err(ApiError::invalid(format!("/{key}"), message).with_code("unknown_parameter"))
            }
            None => Ok(Query(pairs)),
        }
    }

    /// The value of a parameter.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// The page of `objects` that is asked for, of `default` objects if it is not said and `most` at most.
    ///
    /// # Errors
    /// A limit out of range, or no object with the id that is to come before.
    pub fn page(&self, objects: Vec<Value>, default: usize, most: usize) -> Result<Value, ApiError> {
        let limit = match self.get("limit") {
            None => default,
            Some(text) => match text.parse() {
                Ok(n) if (1..=most).contains(&n) => n,
                _ => {
                    let message = format!("Invalid 'limit': '{text}' is not between 1 and {most}.");
                    return Err(ApiError::invalid("/limit", message).with_code("invalid_value"));
                }
            },
        };
        let start = match self.get("after") {
            None => 0,
            Some(after) => match objects.iter().position(|object| object["id"] == after) {
                Some(at) => at + 1,
                None => {
                    let message = format!("Invalid 'after': there is no '{after}'.");
                    return Err(ApiError::invalid("/after", message).with_code("invalid_value"));
                }
            },
        };
        let has_more = objects.len() > start + limit;
        let page: Vec<Value> = objects.into_iter().skip(start).take(limit).collect();
        let id = |object: Option<&Value>| object.map_or(Value::Null, |object| object["id"].clone());
        Ok(json!({
            "object": "list", "first_id": id(page.first()), "last_id": id(page.last()), "has_more": has_more,
            "data": page,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Value {
        let objects = ["a", "b", "c"].map(|id| json!({"id": id})).into();
        match Query::of(Some(query), &["purpose"]).and_then(|query| query.page(objects, 2, 10)) {
            Ok(page) => json!([page["first_id"], page["last_id"], page["has_more"]]),
            Err(error) => json!(error.param),
        }
    }

    #[test]
    fn pages_follow_each_other() {
        assert_eq!(page(""), json!(["a", "b", true]));
        assert_eq!(page("after=b&purpose=x"), json!(["c", "c", false]));
        assert_eq!(page("after=c"), json!([null, null, false]));
        assert_eq!(page("limit=3"), json!(["a", "c", false]));
        for (query, param) in
            [("limit=0", "limit"), ("limit=11", "limit"), ("after=x", "after"), ("sort=1", "sort")]
        {
            assert_eq!(page(query), json!(param));
        }
    }
}
