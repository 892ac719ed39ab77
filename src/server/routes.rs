//! Paths and methods, and what every request goes through.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, Response, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::routing::{get, post};
use futures_util::FutureExt;
use serde_json::{Value, json};

use super::app::App;
use super::generate::generate;
use super::id::Id;
use super::refusal::{defect, json as json_reply, no_such_path, refuse, wrong_method};
use super::upload::FORM_BYTES;
use super::{batch_routes, file_routes};
use crate::api::Endpoint;
use crate::chat::identifier;
use crate::openai::ApiError;

/// All that is served.
pub fn router(app: Arc<App>) -> Router {
    // What a form has besides its file is kept in memory until the file is found.
    let form = usize::try_from(app.limits.file_bytes + FORM_BYTES).unwrap_or(usize::MAX);
    Router::new()
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .route("/v1/models", get(models))
        .route("/v1/models/{id}", get(model))
        .route(
            "/v1/files",
            get(file_routes::list).post(file_routes::create).layer(DefaultBodyLimit::max(form)),
        )
        .route("/v1/files/{id}", get(file_routes::retrieve).delete(file_routes::delete))
        .route("/v1/files/{id}/content", get(file_routes::content))
        .route("/v1/batches", get(batch_routes::list).post(batch_routes::create))
        .route("/v1/batches/{id}", get(batch_routes::retrieve))
        .route("/v1/batches/{id}/cancel", post(batch_routes::cancel))
        // What an endpoint is, `Endpoint` knows.
        .fallback(others)
        .method_not_allowed_fallback(not_allowed)
        // Bodies have limits of their own: files one that is greater.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(app.clone(), around))
        .with_state(app)
}

/// What identifies a request: its identifiers and its seed are derived from it.
#[derive(Clone)]
struct Key(String);

async fn others(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    let path = request.uri().path_and_query().map_or_else(|| request.uri().path(), |p| p.as_str());
    let Some(endpoint) = Endpoint::of(path) else {
        return refuse(None, &no_such_path(request.method(), request.uri().path()));
    };
    if request.method() != Method::POST {
        let mut reply = refuse(Some(&endpoint), &wrong_method(request.method(), request.uri().path()));
        reply.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return reply;
    }
    let (parts, body) = request.into_parts();
    let key = parts.extensions.get::<Key>().map_or_else(|| app.names.next(), |key| key.0.clone());
    let done = generate(app, endpoint.clone(), parts.headers, body, key).await;
    done.unwrap_or_else(|error| refuse(Some(&endpoint), &error))
}

async fn not_allowed(request: Request) -> Response<Body> {
    refuse(None, &wrong_method(request.method(), request.uri().path()))
}

/// Authorisation, the request's id, panics, and counting.
async fn around(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response<Body> {
    let path = request.uri().path_and_query().map_or("", |p| p.as_str()).to_owned();
    let label = label(&path);
    let key = app.names.next();
    let id = identifier("req_", &[&key]);
    request.extensions_mut().insert(Key(key));
    let method = request.method().clone();
    let admitted = if label == "/health" { Ok(()) } else { app.keys.admit(request.headers()) };
    let mut reply = match admitted {
        Err(error) => refuse(Endpoint::of(&path).as_ref(), &error),
        Ok(()) => AssertUnwindSafe(next.run(request))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| refuse(Endpoint::of(&path).as_ref(), &defect())),
    };
    app.metrics.replied(label, reply.status().as_u16());
    if let Ok(id) = HeaderValue::from_str(&id) {
        reply.headers_mut().insert("x-request-id", id);
    }
    tracing::info!(%method, path, status = reply.status().as_u16(), id, "answered");
    reply
}

/// What metrics call a path: there are few such names, whatever paths are asked for.
fn label(path: &str) -> &'static str {
    match Endpoint::of(path) {
        Some(Endpoint::Chat { deployment: Some(_), .. }) => {
            "/openai/deployments/{deployment}/chat/completions"
        }
        Some(Endpoint::Chat { deployment: None, .. }) => "/v1/chat/completions",
        Some(Endpoint::Responses { .. }) => "/v1/responses",
        Some(Endpoint::Clova { .. }) => "/v3/chat-completions/{model}",
        None => {
            let path = path.split('?').next().unwrap_or_default();
            let segments: Vec<&str> = path.split('/').skip(1).take(5).collect();
            match segments[..] {
                ["health"] => "/health",
                ["metrics"] => "/metrics",
                ["v1", "models"] => "/v1/models",
                ["v1", "models", _] => "/v1/models/{id}",
                ["v1", "files"] => "/v1/files",
                ["v1", "files", _] => "/v1/files/{id}",
                ["v1", "files", _, "content"] => "/v1/files/{id}/content",
                ["v1", "batches"] => "/v1/batches",
                ["v1", "batches", _] => "/v1/batches/{id}",
                ["v1", "batches", _, "cancel"] => "/v1/batches/{id}/cancel",
                _ => "other",
            }
        }
    }
}

async fn health(State(app): State<Arc<App>>) -> Response<Body> {
    if app.worker.is_alive() {
        return json_reply(200, &json!({"status": "ok"}));
    }
    json_reply(503, &json!({"status": "decoding has stopped"}))
}

async fn metrics(State(app): State<Arc<App>>) -> Response<Body> {
    let mut reply = Response::new(Body::from(app.metrics.text(&app.sizes())));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    reply.headers_mut().insert(header::CONTENT_TYPE, kind);
    reply
}

async fn models(State(app): State<Arc<App>>) -> Response<Body> {
    let data: Vec<Value> = app.models.iter().map(|id| model_object(&app, id)).collect();
    json_reply(200, &json!({"object": "list", "data": data}))
}

async fn model(State(app): State<Arc<App>>, Id(id): Id) -> Response<Body> {
    if app.models.contains(&id) {
        return json_reply(200, &model_object(&app, &id));
    }
    let message = format!("The model '{id}' does not exist.");
    let error = ApiError::of_status(404, message).with_code("model_not_found");
    refuse(None, &ApiError { param: Some("model".into()), ..error })
}

fn model_object(app: &App, id: &str) -> Value {
    json!({"id": id, "object": "model", "created": app.started, "owned_by": "warpgrammar"})
}
