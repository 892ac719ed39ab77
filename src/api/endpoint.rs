//! Paths.

use serde_json::Value;

use super::request::Request;
use crate::clova::{self, ClovaRequest};
use crate::openai::{ApiError, ChatRequest, ResponsesRequest};
use crate::strict::{AZURE, OPENAI_2026, Profile};

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Chat Completions of OpenAI or Azure.
    Chat {
        /// The strict subset of the vendor.
        profile: &'static Profile,
        /// Azure names the model in the path.
        deployment: Option<String>,
    },
    /// Responses of OpenAI or Azure.
    Responses {
        /// The strict subset of the vendor.
        profile: &'static Profile,
    },
    /// CLOVA Studio's Chat Completions v3.
    Clova {
        /// The model of the path.
        model: String,
    },
}

impl Endpoint {
    /// The endpoint of a path; a query after it is not looked at. Azure's versioned paths must have their `api-version`.
    pub fn of(path: &str) -> Option<Endpoint> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let versioned =
            query.split('&').any(|pair| pair.strip_prefix("api-version=").is_some_and(|v| !v.is_empty()));
        let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let chat = |profile, deployment| Some(Endpoint::Chat { profile, deployment });
        match segments[..] {
            ["v1", "chat", "completions"] => chat(&OPENAI_2026, None),
            ["v1", "responses"] => Some(Endpoint::Responses { profile: &OPENAI_2026 }),
            // Azure's batch lines, and its paths without versions.
            ["chat", "completions"] | ["openai", "v1", "chat", "completions"] => chat(&AZURE, None),
            ["responses"] | ["openai", "v1", "responses"] => Some(Endpoint::Responses { profile: &AZURE }),
            ["openai", "responses"] if versioned => Some(Endpoint::Responses { profile: &AZURE }),
            ["openai", "deployments", name, "chat", "completions"] if versioned && !name.is_empty() => {
                chat(&AZURE, Some(decoded(name)))
            }
            ["v3", "chat-completions", model] if !model.is_empty() => {
                Some(Endpoint::Clova { model: decoded(model) })
            }
            _ => None,
        }
    }

    /// Reads the body of a request.
    ///
    /// # Errors
    /// The first problem; [`Endpoint::error`] makes the answer of it.
    pub fn read(&self, body: &Value) -> Result<Request, ApiError> {
        match self {
            Endpoint::Chat { profile, deployment: None } => {
                ChatRequest::parse_with(body, profile).map(Request::Chat)
            }
            Endpoint::Chat { profile, deployment: Some(name) } => {
                let mut body = body.clone();
                if let Some(body) = body.as_object_mut() {
                    // As everywhere, null is as good as absent.
                    let model = body.entry("model").or_insert(Value::Null);
                    if model.is_null() {
                        *model = name.as_str().into();
                    }
                }
                ChatRequest::parse_with(&body, profile).map(Request::Chat)
            }
            Endpoint::Responses { profile } => {
                ResponsesRequest::parse_with(body, profile).map(|r| Request::Responses(Box::new(r)))
            }
            Endpoint::Clova { model } => ClovaRequest::parse(model, body).map(Request::Clova),
        }
    }

    /// The body of the answer to a request that is refused.
    pub fn error(&self, error: &ApiError) -> Value {
        match self {
            Endpoint::Chat { .. } | Endpoint::Responses { .. } => error.body(),
            Endpoint::Clova { .. } => clova::error_body(error),
        }
    }
}

/// A segment of a path without its percent-encoding. What is none is left as it is.
fn decoded(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|&b| char::from(b).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_apart() {
        let azure = |deployment: Option<&str>| Endpoint::Chat {
            profile: &AZURE,
            deployment: deployment.map(str::to_owned),
        };
        let cases = [
            ("/v1/chat/completions", Some(Endpoint::Chat { profile: &OPENAI_2026, deployment: None })),
            ("/v1/responses", Some(Endpoint::Responses { profile: &OPENAI_2026 })),
            ("/chat/completions", Some(azure(None))),
            ("/openai/deployments/d-1/chat/completions?api-version=2024-10-21", Some(azure(Some("d-1")))),
            ("/openai/deployments/d-1/chat/completions", None),
            ("/openai/deployments/d-1/chat/completions?api-version=", None),
            ("/openai/v1/responses", Some(Endpoint::Responses { profile: &AZURE })),
            ("/v3/chat-completions/HCX-007", Some(Endpoint::Clova { model: "HCX-007".into() })),
            ("/v3/chat-completions/", None),
            ("/v3/chat-completions/a%20b%2Fc%zz%4", Some(Endpoint::Clova { model: "a b/c%zz%4".into() })),
            ("/v1/embeddings", None),
            ("v1/responses", None),
        ];
        for (path, endpoint) in cases {
            assert_eq!(Endpoint::of(path), endpoint, "{path}");
        }
    }

    #[test]
    fn a_deployment_is_the_model_unless_the_body_names_one() {
        let endpoint = Endpoint::of("/openai/deployments/d/chat/completions?api-version=1").unwrap();
        let read = |body: Value| match endpoint.read(&body).unwrap() {
            Request::Chat(request) => request.model,
            other => panic!("{other:?}"),
        };
        let messages = serde_json::json!([{"role": "user", "content": "x"}]);
        assert_eq!(read(serde_json::json!({"messages": messages})), "d");
        assert_eq!(read(serde_json::json!({"messages": messages, "model": null})), "d");
        assert_eq!(read(serde_json::json!({"messages": messages, "model": "m"})), "m");
    }
}
