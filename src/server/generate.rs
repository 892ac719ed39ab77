//! A request for text: let in, prepared, decoded, answered whole or as a stream.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Response, header};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant as Deadline, timeout_at};

use super::app::App;
use super::metrics::{Counted, Metrics};
use super::refusal::{decoding_stopped, json, too_many};
use super::upload::read_body;
use super::worker::{Client, Item, Waiter};
use crate::api::{Endpoint, Request, Stream};
use crate::chat::{Event, derived_seed};
use crate::decode::{Answer, Prepared};
use crate::openai::ApiError;

/// A place among the requests that are served. It is given back when the reply is whole, or the client gone.
struct Place {
    _permit: OwnedSemaphorePermit,
    _counted: Counted<fn(&Metrics) -> &AtomicUsize>,
}

/// Answers a request to an endpoint.
///
/// # Errors
/// What is to be answered instead.
pub async fn generate(
    app: Arc<App>,
    endpoint: Endpoint,
    headers: HeaderMap,
    body: Body,
    key: String,
) -> Result<Response<Body>, ApiError> {
    let limit = app.limits.request_time;
    let deadline = Deadline::now() + limit;
    let body = timeout_at(deadline, read_body(&headers, body, app.limits.body_bytes)).await;
    let body = body.unwrap_or_else(|_| {
        Err(ApiError::of_status(408, format!("The request did not arrive within {} s.", limit.as_secs_f64())))
    })?;
    let arrived = Instant::now();
    let place = Arc::new(enter(&app)?);
    let clova_stream = matches!(endpoint, Endpoint::Clova { .. }) && wants_stream(&headers);
    let seed = derived_seed(app.preparing.seed, &[&key]);
    let prepared = timeout_at(deadline, app.preparing.prepare(endpoint, body, seed, place.clone()));
    let prepared = prepared.await.unwrap_or_else(|_| Err(too_late(limit)))?;
    let job = Job { app, key, arrived, deadline, place };
    if clova_stream || prepared.request.streams() {
        job.stream(prepared).await
    } else {
        job.whole(prepared).await
    }
}

/// CLOVA Studio's way to ask for a stream.
fn wants_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|list| list.split(',')).any(|kind| {
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
    })
}

fn enter(app: &App) -> Result<Place, ApiError> {
    let permit = app.places.clone().try_acquire_owned().map_err(|_| too_many(app.limits.requests()))?;
    let of: fn(&Metrics) -> &AtomicUsize = |metrics| &metrics.in_flight;
    Ok(Place { _permit: permit, _counted: Counted::new(&app.metrics, of) })
}

fn too_late(limit: Duration) -> ApiError {
    let message = format!("The reply was not whole within {} s; it was given up.", limit.as_secs_f64());
    ApiError::of_status(504, message).with_code("timeout")
}

/// A request that was let in.
struct Job {
    app: Arc<App>,
    /// What its identifiers are derived from.
    key: String,
    arrived: Instant,
    deadline: Deadline,
    place: Arc<Place>,
}

impl Job {
    fn client(&self, request: &Request, waiter: Waiter) -> Client {
        let choices = request.generation().choices;
        Client::new(waiter, choices, self.arrived, self.app.metrics.clone())
    }

    /// Answers when the reply is whole. If the client goes away, this future is dropped and with it the receiver, which is
    /// how the decoding thread gets to know.
    async fn whole(self, prepared: Prepared) -> Result<Response<Body>, ApiError> {
        let request = prepared.request.clone();
        let (done, outcome) = oneshot::channel();
        let waiter = Waiter::Whole(Answer::new(request.generation().choices), done);
        let client = self.client(&request, waiter);
        self.app.worker.decode(prepared, client).await?;
        let limit = self.app.limits.request_time;
        let (answer, usage) = timeout_at(self.deadline, outcome)
            .await
            .map_err(|_| too_late(limit))?
            .unwrap_or_else(|_| Err(decoding_stopped()))?;
        let seed = request.generation().sampling.seed;
        let reply = answer.finish(self.key, usage, seed, &self.app.fingerprint);
        Ok(json(200, &request.reply(&reply)))
    }

    /// Answers with the first token: what is refused before it still has a status of its own.
    async fn stream(self, prepared: Prepared) -> Result<Response<Body>, ApiError> {
        let request = prepared.request.clone();
        let (sender, mut items) = mpsc::channel(self.app.limits.stream_buffer.max(2));
        let client = self.client(&request, Waiter::Stream(sender));
        self.app.worker.decode(prepared, client).await?;
        let limit = self.app.limits.request_time;
        let first = timeout_at(self.deadline, items.recv()).await.map_err(|_| too_late(limit))?;
        let first = match first {
            Some(Item::Fail(error)) => return Err(error),
            None => return Err(decoding_stopped()),
            Some(first) => first,
        };
        let created = crate::decode::now_ms() / 1000;
        let mut events = Stream::new(&request, &self.key, created, &self.app.fingerprint);
        let begun = events.begin();
        let feed = Feed {
            events,
            items,
            deadline: self.deadline,
            limit,
            ended: false,
            begun,
            first: Some(first),
            _place: self.place,
        };
        let mut reply = Response::new(Body::from_stream(stream::unfold(feed, |mut feed| async move {
            let bytes = feed.next().await?;
            Some((Ok::<Bytes, Infallible>(bytes), feed))
        })));
        for (name, value) in [
            (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
            (header::CACHE_CONTROL, "no-cache"),
            // Proxies are not to collect events.
            (header::HeaderName::from_static("x-accel-buffering"), "no"),
        ] {
            reply.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        Ok(reply)
    }
}

/// The rest of a stream.
struct Feed {
    events: Stream,
    items: mpsc::Receiver<Item>,
    deadline: Deadline,
    limit: Duration,
    ended: bool,
    begun: Vec<Event>,
    first: Option<Item>,
    _place: Arc<Place>,
}

impl Feed {
    /// The next item, or the failure that takes its place.
    async fn item(&mut self) -> Item {
        match timeout_at(self.deadline, self.items.recv()).await {
            Ok(Some(item)) => item,
            Ok(None) => Item::Fail(too_slow()),
            Err(_) => Item::Fail(too_late(self.limit)),
        }
    }

    /// The next bytes; several events at once if they are there. `None` after the end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let mut events = std::mem::take(&mut self.begun);
        let mut next = self.first.take();
        // A token that completes no character has no event.
        while !self.ended && (next.is_some() || events.is_empty()) {
            let item = match next {
                Some(item) => item,
                None => self.item().await,
            };
            match item {
                Item::Delta(choice, delta) => events.extend(self.events.push(choice, delta)),
                Item::End(usage) => {
                    events.extend(self.events.end(usage));
                    self.ended = true;
                }
                Item::Fail(error) => {
                    events.extend(self.events.fail(&error));
                    self.ended = true;
                }
            }
            next = self.items.try_recv().ok();
        }
        if self.ended {
            // The decoding thread is not to fill a channel that nobody empties.
            self.items.close();
        }
        Some(events.iter().map(Event::to_string).collect::<String>().into())
    }
}

fn too_slow() -> ApiError {
    let words = "The stream was read more slowly than it was written, and was given up.";
    ApiError::of_status(503, words).with_code("slow_reader")
}
