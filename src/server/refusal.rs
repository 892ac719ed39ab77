//! Errors as HTTP replies.

use axum::body::Body;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use serde_json::Value;

use crate::api::Endpoint;
use crate::openai::ApiError;

/// After how many seconds a client that was turned away is to come again.
const RETRY_AFTER: &str = "1";

/// A JSON reply.
pub fn json(status: u16, body: &Value) -> Response<Body> {
    let mut reply = Response::new(Body::from(body.to_string()));
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = HeaderValue::from_static("application/json");
    reply.headers_mut().insert(header::CONTENT_TYPE, json);
    reply
}

/// The reply to a request that is refused, in the shape of the API that was asked; OpenAI's where there is none.
pub fn refuse(endpoint: Option<&Endpoint>, error: &ApiError) -> Response<Body> {
    let body = endpoint.map_or_else(|| error.body(), |endpoint| endpoint.error(error));
    let mut reply = json(error.status, &body);
    if matches!(error.status, 429 | 503) {
        reply.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    }
    if error.status == 401 {
        reply.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    reply
}

/// There is nothing at this path.
pub fn no_such_path(method: &Method, path: &str) -> ApiError {
    ApiError::of_status(404, format!("Invalid URL ({method} {path})"))
}

/// There is something, but not with this method.
pub fn wrong_method(method: &Method, path: &str) -> ApiError {
    let message = format!("Not allowed to {method} on {path}.");
    ApiError::of_status(405, message).with_code("method_not_supported")
}

/// What was asked for by id is not there.
pub fn no_such(what: &str, id: &str) -> ApiError {
    let error = ApiError::of_status(404, format!("No such {what}: '{id}'."));
    ApiError { param: Some("id".into()), ..error }
}

/// Everything is busy: the queue is full.
pub fn too_many(limit: usize) -> ApiError {
    let message = format!("{limit} requests are being served already; try again in a moment.");
    ApiError::of_status(429, message).with_code("rate_limit_exceeded")
}

/// The body is longer than it may be.
pub fn too_large(limit: u64) -> ApiError {
    let message = format!("The body of the request is longer than {limit} bytes.");
    ApiError::of_status(413, message).with_code("request_too_large")
}

/// The server is going down.
pub fn shutting_down() -> ApiError {
    ApiError::of_status(503, "The server is shutting down.").with_code("server_shutdown")
}

/// Something has panicked over this request. What it said is in the log.
pub fn defect() -> ApiError {
    ApiError::server("The request failed; this is a defect of the server.")
}

/// There is no decoding thread any more.
pub fn decoding_stopped() -> ApiError {
    ApiError::server("Decoding has stopped; see the server's log.")
}
