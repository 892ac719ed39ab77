//! Bodies of requests: read whole within a limit, or a file of a form written to the disk as it comes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, Multipart};
use axum::http::{HeaderMap, Request, header};
use futures_util::StreamExt;
use serde_json::Value;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::refusal::too_large;
use crate::openai::ApiError;

/// The longest field of a form that is no file, in bytes.
const FIELD_BYTES: usize = 1024;
/// How much longer a form may be than its file, in bytes.
pub const FORM_BYTES: u64 = 64 << 10;
/// The most bytes of a form in which nothing ends or begins, and which are held until something does.
const HELD_BYTES: usize = 1 << 20;

/// The body, of `limit` bytes at most.
///
/// # Errors
/// 413 if it is longer, which is said before it is read if the client tells; 400 if it breaks off.
pub async fn read_body(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, ApiError> {
    check_length(headers, limit as u64)?;
    to_bytes(body, limit).await.map_err(|error| {
        // The limit's error is one that other errors wrap.
        let mut source: Option<&dyn std::error::Error> = Some(&error);
        while let Some(at) = source {
            if at.to_string() == "length limit exceeded" {
                return too_large(limit as u64);
            }
            source = at.source();
        }
        ApiError::invalid("", format!("The body of the request could not be read: {error}."))
    })
}

/// The JSON of a body.
///
/// # Errors
/// 400 if it is none.
pub fn parse_body(body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(body)
        .map_err(|e| ApiError::invalid("", format!("We could not parse the JSON body of your request: {e}.")))
}

/// Refuses what says itself that it is too long.
fn check_length(headers: &HeaderMap, limit: u64) -> Result<(), ApiError> {
    let told = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match told {
        Some(bytes) if bytes > limit => Err(too_large(limit)),
        _ => Ok(()),
    }
}

/// The form of an upload.
pub struct Form {
    /// What the file is for.
    pub purpose: Option<String>,
    /// The file's name, if it was sent, and its length in bytes.
    pub file: Option<(String, u64)>,
}

/// How much of a form has come.
#[derive(Default)]
struct Came {
    whole: AtomicU64,
    /// Since a part began, or some of one was taken.
    held: AtomicUsize,
    too_long: AtomicBool,
    held_too_long: AtomicBool,
}

impl Came {
    /// The body, broken off where it is longer than `limit`, or where it only is held.
    fn counted(self: &Arc<Self>, body: Body, limit: u64) -> Body {
        let came = self.clone();
        Body::from_stream(body.into_data_stream().map(move |frame| {
            let frame = frame.map_err(std::io::Error::other)?;
            let whole = came.whole.fetch_add(frame.len() as u64, Ordering::Relaxed) + frame.len() as u64;
            let held = came.held.fetch_add(frame.len(), Ordering::Relaxed);
            if whole > limit {
                came.too_long.store(true, Ordering::Relaxed);
                return Err(std::io::Error::other("the form is too long"));
            }
            if held > HELD_BYTES {
                came.held_too_long.store(true, Ordering::Relaxed);
                return Err(std::io::Error::other("no part begins or ends"));
            }
            Ok(frame)
        }))
    }

    fn moved(&self) {
        self.held.store(0, Ordering::Relaxed);
    }
}

/// Reads `multipart/form-data`; the file is written to `path`.
///
/// # Errors
/// 400 for another kind of body or unknown fields, 413 for a file of more than `limit` bytes, 500 if it cannot be written.
pub async fn read_form(request: Request<Body>, path: &Path, limit: u64) -> Result<Form, ApiError> {
    check_length(request.headers(), limit + FORM_BYTES)?;
    let came = Arc::new(Came::default());
    let request = request.map(|body| came.counted(body, limit + FORM_BYTES));
    let mut parts = Multipart::from_request(request, &()).await.map_err(|error| {
        ApiError::invalid("", format!("The body must be multipart/form-data: {}.", error.body_text()))
    })?;
    let mut form = Form { purpose: None, file: None };
    let broken = |error: axum::extract::multipart::MultipartError| {
        if came.too_long.load(Ordering::Relaxed) {
            return too_large(limit);
        }
        let what = match came.held_too_long.load(Ordering::Relaxed) {
            true => format!("in {HELD_BYTES} bytes no part begins or ends"),
            false => error.body_text(),
        };
        ApiError::invalid("", format!("The form could not be read: {what}."))
    };
    while let Some(mut part) = parts.next_field().await.map_err(broken)? {
        came.moved();
        let name = part.name().unwrap_or_default();
        if name == "file" && form.file.is_some() || name == "purpose" && form.purpose.is_some() {
            let message = format!("Duplicate parameter: '{name}'.");
            return Err(ApiError::invalid(format!("/{name}"), message).with_code("duplicate_parameter"));
        }
        match name {
            "file" => {
                let name = part.file_name().unwrap_or("file").to_owned();
                let mut file = File::create(path).await.map_err(not_written)?;
                let mut bytes = 0;
                while let Some(chunk) = part.chunk().await.map_err(broken)? {
                    came.moved();
                    bytes += chunk.len() as u64;
                    if bytes > limit {
                        return Err(too_large(limit));
                    }
                    file.write_all(&chunk).await.map_err(not_written)?;
                }
                file.flush().await.map_err(not_written)?;
                file.sync_all().await.map_err(not_written)?;
                form.file = Some((name, bytes));
            }
            "purpose" => {
                let mut text = Vec::new();
                while let Some(chunk) = part.chunk().await.map_err(broken)? {
                    text.extend_from_slice(&chunk);
                    if text.len() > FIELD_BYTES {
                        return Err(ApiError::invalid("/purpose", "'purpose' is too long."));
                    }
                }
                form.purpose = Some(String::from_utf8_lossy(&text).into_owned());
            }
            other => {
                let message = format!("Unknown parameter: '{other}'.");
                return Err(ApiError::invalid(format!("/{other}"), message).with_code("unknown_parameter"));
            }
        }
    }
    Ok(form)
}

fn not_written(error: std::io::Error) -> ApiError {
    tracing::error!("an upload could not be written: {error}");
    ApiError::server("The file could not be written.")
}
