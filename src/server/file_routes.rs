//! `/v1/files`.

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderValue, Response, header};
use serde_json::json;
use tokio::fs::File;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::app::App;
use super::id::Id;
use super::jobs::{Batch, FileRecord, Jobs};
use super::listing::Query;
use super::refusal::{json as json_reply, no_such, refuse};
use super::upload::read_form;
use crate::chat::identifier;
use crate::decode::now_ms;
use crate::openai::ApiError;

/// How much of a file is read at a time, in bytes.
const CHUNK: usize = 64 << 10;

type Answer = Result<Response<Body>, ApiError>;

/// The reply, or the error's in OpenAI's shape.
pub fn answer(done: Answer) -> Response<Body> {
    done.unwrap_or_else(|error| refuse(None, &error))
}

/// Files and batches, if they are served.
///
/// # Errors
/// They are not.
pub fn jobs(app: &App) -> Result<&Jobs, ApiError> {
    let words =
        "Files and batches are not served: the server was started without a folder for them (--data).";
    app.jobs.as_deref().ok_or_else(|| ApiError::of_status(404, words).with_code("not_enabled"))
}

/// Runs what reads and writes the folder, which may take as long as a disk takes.
///
/// # Errors
/// Those of `work`, and if it panics.
pub async fn on_disk<T: Send + 'static>(
    app: &Arc<App>,
    work: impl FnOnce(&Jobs) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let app = app.clone();
    let done = spawn_blocking(move || work(jobs(&app)?)).await;
    done.unwrap_or_else(|panic| Err(kept(crate::Error::new(crate::ErrorKind::Internal, panic.to_string()))))
}

/// The API's error for one of keeping files, of which the client is told nothing.
pub fn kept(error: crate::Error) -> ApiError {
    tracing::error!("{error}");
    ApiError::server("The folder of files and batches cannot be read or written.")
}

/// `POST /v1/files`
pub async fn create(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    let late = || Err(ApiError::of_status(408, "The file did not arrive in time."));
    let stored = timeout(app.limits.request_time, store(&app, request)).await;
    answer(stored.unwrap_or_else(|_| late()))
}

async fn store(app: &Arc<App>, request: Request) -> Answer {
    let files = &jobs(app)?.files;
    let id = identifier("file-", &[&app.names.next()]);
    let path = files.upload_path(&id);
    // Whatever comes of it, what was written and is not kept is removed.
    let mut remove = Remove(Some(path.clone()));
    let form = read_form(request, &path, app.limits.file_bytes).await?;
    let missing = |key: &str| {
        let message = format!("Missing required parameter: '{key}'.");
        ApiError::invalid(format!("/{key}"), message).with_code("missing_required_parameter")
    };
    match form.purpose.as_deref() {
        Some("batch") => {}
        None => return Err(missing("purpose")),
        Some(other) => {
            let message = format!("Invalid 'purpose': '{other}'; only 'batch' is supported.");
            return Err(ApiError::invalid("/purpose", message).with_code("invalid_value"));
        }
    }
    let (filename, bytes) = form.file.ok_or_else(|| missing("file"))?;
    let created_at = now_ms() / 1000;
    let file = FileRecord { id, filename, purpose: "batch".into(), bytes, created_at, at: "".into() };
    let file = on_disk(app, |jobs| jobs.files.add_upload(file).map_err(kept)).await?;
    remove.0 = None;
    Ok(json_reply(200, &file.object()))
}

struct Remove(Option<PathBuf>);

impl Drop for Remove {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // It may not have been begun.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// `GET /v1/files`
pub async fn list(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response<Body> {
    let list = || {
        let query = Query::of(query.as_deref(), &["purpose", "order"])?;
        let wanted = |file: &FileRecord| query.get("purpose").is_none_or(|purpose| file.purpose == purpose);
        let files = jobs(&app)?.files.all().into_iter().filter(wanted);
        let mut objects: Vec<_> = files.map(|file| file.object()).collect();
        match query.get("order") {
            None | Some("desc") => {}
            Some("asc") => objects.reverse(),
            Some(other) => {
                let message = format!("Invalid 'order': '{other}'; use asc or desc.");
                return Err(ApiError::invalid("/order", message).with_code("invalid_value"));
            }
        }
        Ok(json_reply(200, &query.page(objects, 10_000, 10_000)?))
    };
    answer(list())
}

fn find(app: &App, id: &str) -> Result<FileRecord, ApiError> {
    jobs(app)?.files.get(id).ok_or_else(|| no_such("File object", id))
}

/// `GET /v1/files/{id}`
pub async fn retrieve(State(app): State<Arc<App>>, Id(id): Id) -> Response<Body> {
    answer(find(&app, &id).map(|file| json_reply(200, &file.object())))
}

/// `DELETE /v1/files/{id}`
pub async fn delete(State(app): State<Arc<App>>, Id(id): Id) -> Response<Body> {
    let delete = move |jobs: &Jobs| {
        let file = jobs.files.get(&id).ok_or_else(|| no_such("File object", &id))?;
        let uses = |batch: &Batch| !batch.status.is_final() && batch.input_file_id == file.id;
        if let Some(batch) = jobs.batches.all().iter().find(|batch| uses(batch)) {
            let message =
                format!("File '{id}' is the input of {}, which is not done; cancel that first.", batch.id);
            return Err(ApiError::of_status(409, message).with_code("file_in_use"));
        }
        jobs.files.remove(&file.id).map_err(kept)?;
        Ok(json_reply(200, &json!({"id": file.id, "object": "file", "deleted": true})))
    };
    answer(on_disk(&app, delete).await)
}

/// `GET /v1/files/{id}/content`
pub async fn content(State(app): State<Arc<App>>, Id(id): Id) -> Response<Body> {
    answer(send(&app, &id).await)
}

async fn send(app: &App, id: &str) -> Answer {
    let file = find(app, id)?;
    let opened = File::open(jobs(app)?.files.path(&file)).await;
    let opened = opened.map_err(|error| kept(error.into()))?;
    let chunks = futures_util::stream::unfold(opened, |mut file| async move {
        use tokio::io::AsyncReadExt;
        let mut chunk = Vec::with_capacity(CHUNK);
        match (&mut file).take(CHUNK as u64).read_to_end(&mut chunk).await {
            Ok(0) => None,
            Ok(_) => Some((Ok(axum::body::Bytes::from(chunk)), file)),
            Err(error) => Some((Err(error), file)),
        }
    });
    let mut reply = Response::new(Body::from_stream(chunks));
    let kind = HeaderValue::from_static("application/octet-stream");
    reply.headers_mut().insert(header::CONTENT_TYPE, kind);
    reply.headers_mut().insert(header::CONTENT_LENGTH, file.bytes.into());
    Ok(reply)
}
