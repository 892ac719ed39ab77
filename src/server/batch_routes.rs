//! `/v1/batches`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::Response;
use serde_json::Value;
use tokio::time::timeout;

use super::app::App;
use super::file_routes::{answer, jobs, kept, on_disk};
use super::id::Id;
use super::jobs::{Batch, Jobs, Status};
use super::listing::Query;
use super::refusal::{json as json_reply, no_such};
use super::upload::{parse_body, read_body};
use crate::api::Endpoint;
use crate::chat::identifier;
use crate::decode::now_ms;
use crate::openai::{ApiError, Fields};

/// How long a batch may take, in seconds.
const WINDOW: u64 = 24 * 60 * 60;

/// `POST /v1/batches`
pub async fn create(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    let late = || Err(ApiError::of_status(408, "The request did not arrive in time."));
    let added = timeout(app.limits.request_time, add(&app, request)).await;
    answer(added.unwrap_or_else(|_| late()))
}

async fn add(app: &Arc<App>, request: Request) -> Result<Response<Body>, ApiError> {
    jobs(app)?;
    let (parts, body) = request.into_parts();
    let body = read_body(&parts.headers, body, app.limits.body_bytes).await?;
    let batch = read(app, &parse_body(&body)?)?;
    let add = |jobs: &Jobs| {
        if jobs.files.get(&batch.input_file_id).is_none() {
            let message = format!("Invalid 'input_file_id': there is no file '{}'.", batch.input_file_id);
            return Err(ApiError::invalid("/input_file_id", message).with_code("invalid_value"));
        }
        let object = batch.object();
        jobs.batches.add(batch).map_err(kept)?;
        Ok(json_reply(200, &object))
    };
    on_disk(app, add).await
}

fn read(app: &App, body: &Value) -> Result<Batch, ApiError> {
    let fields = Fields::of(body, "")?;
    let known = ["input_file_id", "endpoint", "completion_window", "metadata"];
    if let Some((key, _)) = fields.members().find(|(key, _)| !known.contains(key)) {
        return Err(fields.unknown(key));
    }
    let text = |key: &str| {
        fields.need(key)?;
        Ok(fields.text(key)?.unwrap_or_default().to_owned())
    };
    let invalid = |key: &str, words: String| {
        Err(ApiError::invalid(format!("/{key}"), format!("Invalid '{key}': {words}"))
            .with_code("invalid_value"))
    };
    let input_file_id = text("input_file_id")?;
    let endpoint = text("endpoint")?;
    if Endpoint::of(&endpoint).is_none() {
        return invalid("endpoint", format!("'{endpoint}' is no endpoint that can be served."));
    }
    let completion_window = text("completion_window")?;
    if completion_window != "24h" {
        return invalid("completion_window", format!("'{completion_window}'; only '24h' is supported."));
    }
    let metadata = fields.object("metadata")?.map_or(Value::Null, |_| body["metadata"].clone());
    if metadata.as_object().is_some_and(|map| map.values().any(|value| !value.is_string())) {
        return invalid("metadata", "its values must be strings.".into());
    }
    let name = app.names.next();
    let now = now_ms() / 1000;
    Ok(Batch {
        id: identifier("batch_", &[&name]),
        endpoint,
        input_file_id,
        completion_window,
        metadata,
        status: Status::Validating,
        errors: Vec::new(),
        output_file_id: identifier("file-", &[&name, "output"]),
        error_file_id: identifier("file-", &[&name, "errors"]),
        has_files: (false, false),
        counts: [0; 3],
        history: Vec::new(),
        created_at: now,
        expires_at: now + WINDOW,
    })
}

/// `GET /v1/batches`
pub async fn list(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response<Body> {
    let list = || {
        let query = Query::of(query.as_deref(), &[])?;
        let objects = jobs(&app)?.batches.all().iter().map(Batch::object).collect();
        Ok(json_reply(200, &query.page(objects, 20, 100)?))
    };
    answer(list())
}

/// `GET /v1/batches/{id}`
pub async fn retrieve(State(app): State<Arc<App>>, Id(id): Id) -> Response<Body> {
    let batch = || {
        let batch = jobs(&app)?.batches.get(&id).ok_or_else(|| no_such("batch", &id))?;
        Ok(json_reply(200, &batch.object()))
    };
    answer(batch())
}

/// `POST /v1/batches/{id}/cancel`
pub async fn cancel(State(app): State<Arc<App>>, Id(id): Id) -> Response<Body> {
    let cancel = move |jobs: &Jobs| {
        let mut refused = None;
        let now = now_ms() / 1000;
        let changed = jobs.batches.change(&id, |batch| match batch.status {
            // Nothing was done yet.
            Status::Validating => batch.enter(Status::Cancelled, now),
            Status::InProgress => batch.enter(Status::Cancelling, now),
            Status::Cancelling | Status::Cancelled => {}
            _ => refused = Some(batch.object()),
        });
        let batch = changed.map_err(kept)?.ok_or_else(|| no_such("batch", &id))?;
        if let Some(object) = refused {
            let message = format!("Cannot cancel a batch with status {}.", object["status"]);
            return Err(ApiError::of_status(409, message).with_code("invalid_status"));
        }
        Ok(json_reply(200, &batch.object()))
    };
    answer(on_disk(&app, cancel).await)
}
