//! An HTTP server that speaks the APIs of [`crate::api`], with any source of logits.
//!
//! ```text
//! connections ─► routes ─► generate ─ places (429) ─► preparing ─ read, tokenise, compile ─► worker
//!                   │         ▲                        on blocking threads                     │ one thread:
//!                   │         └───── whole replies, deltas: bounded channels ◄─────────────────┘ engine, source
//!                   └─► file_routes, batch_routes ─► jobs: files, batches, their thread ─► preparing, worker
//! ```
//!
//! | path | |
//! |---|---|
//! | `POST` to what [`Endpoint`](crate::api::Endpoint) knows | replies, whole or as server-sent events |
//! | `GET /v1/models`, `/v1/models/{id}` | the names that the server was given |
//! | `/v1/files`, `/v1/files/{id}`, `/v1/files/{id}/content` | inputs and results of batches |
//! | `/v1/batches`, `/v1/batches/{id}`, `/v1/batches/{id}/cancel` | files of requests |
//! | `GET /health` | needs no key; 503 once decoding has stopped |
//! | `GET /metrics` | Prometheus |
//!
//! # What happens under load
//!
//! As many requests as there are slots and places in the queue are let in; the next is answered with 429 and `Retry-After`.
//! Schemas are compiled on a bounded number of threads; a request whose schema takes too long is refused with 400, one that
//! found no thread in that time with 503. A client that goes away frees its slot at the next step. The decoding thread
//! never waits for a client: of a stream that is read more slowly than it is written, so many steps are kept
//! ([`Limits::stream_buffer`]), besides what fits into the connection; then the reply is given up, and the stream ends with
//! an error event. A connection to which nothing can be written for [`Limits::stall_time`] is closed.
//!
//! # How it ends
//!
//! When [`Server::run`]'s `stop` is done, nothing is accepted any more. What is being answered has [`Config::grace`] to end;
//! then streams end with an error event and other requests with 503. Batches are not waited for: they go on when a server
//! is started with the same folder, also after one that was killed, and every line is answered once.

mod app;
mod auth;
mod batch_routes;
mod connections;
mod file_routes;
mod generate;
mod id;
mod jobs;
mod listing;
mod metrics;
mod preparing;
mod refusal;
mod routes;
mod socket;
mod upload;
mod worker;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;

pub use self::app::Limits;
use self::app::{App, Names};
pub use self::auth::Keys;
use self::jobs::Jobs;
use self::metrics::Metrics;
use self::preparing::Preparing;
use self::worker::Worker;
use crate::chat::Framing;
use crate::decode::{SchedulerOptions, now_ms};
use crate::engine::{Backend, Compiler, EngineOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::model::LogitsSource;

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens, such as `127.0.0.1:8000`; with port 0, on one that is free.
    pub listen: String,
    /// The names that `/v1/models` lists. A request may name any: there is one source of logits.
    pub models: Vec<String>,
    /// Who may ask.
    pub keys: Keys,
    /// Bounds on what clients can ask.
    pub limits: Limits,
    /// A folder for files and batches; without one, they are not served.
    pub data: Option<PathBuf>,
    /// What steps the batch.
    pub backend: Backend,
    /// Threads that share the rows of a step.
    pub threads: usize,
    /// The most tokens for requests that name no limit.
    pub max_tokens: u32,
    /// Seeds requests that name no seed, together with what identifies them.
    pub seed: u64,
    /// How calls and refusals are written.
    pub framing: Framing,
    /// Goes into every reply: what produced it. The backend that is used is added.
    pub fingerprint: String,
    /// How long a server that is told to stop goes on with what it is doing.
    pub grace: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: "127.0.0.1:8000".into(),
            models: vec!["copy".into()],
            keys: Keys::default(),
            limits: Limits::default(),
            data: None,
            backend: Backend::Cpu,
            threads: 1,
            max_tokens: 1024,
            seed: 0,
            framing: Framing::default(),
            fingerprint: format!("warpgrammar-{}", env!("CARGO_PKG_VERSION")),
            grace: Duration::from_secs(30),
        }
    }
}

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    app: Arc<App>,
    grace: Duration,
}

impl Server {
    /// Listens, starts the decoding thread, and goes on with the batches of its folder. Must be called within a Tokio
    /// runtime.
    ///
    /// # Errors
    /// The address or the folder cannot be used; as [`crate::decode::Scheduler::new`].
    pub async fn bind(
        config: Config,
        compiler: Arc<Compiler>,
        source: Box<dyn LogitsSource + Send>,
    ) -> Result<Self> {
        let Config { listen, models, keys, limits, data, framing, fingerprint, grace, .. } = config;
        let cannot = |e| Error::new(ErrorKind::Io, format!("{listen}: {e}"));
        let listener = TcpListener::bind(&listen).await.map_err(cannot)?;
        let metrics = Arc::new(Metrics::default());
        let engine = EngineOptions { slots: limits.slots, backend: config.backend, threads: config.threads };
        let options = SchedulerOptions { engine, max_tokens: config.max_tokens };
        let vocab = compiler.vocabulary().clone();
        let worker = Worker::start(vocab, options, source, limits.requests(), metrics.clone())?;
        let fingerprint = format!("{fingerprint}-{}", worker.backend().as_str());
        let preparing = Arc::new(Preparing {
            compiler,
            framing,
            seed: config.seed,
            max_schema_bytes: limits.schema_bytes,
            places: Arc::new(Semaphore::new(limits.compiles.max(1))),
            reading: Preparing::reading(),
            patience: limits.compile_time,
            metrics: metrics.clone(),
        });
        let open = |dir: PathBuf| {
            Jobs::open(&dir, &limits, preparing.clone(), worker.clone(), metrics.clone(), fingerprint.clone())
        };
        let jobs = data.map(open).transpose()?.map(Arc::new);
        let app = App {
            keys,
            models,
            fingerprint,
            places: Arc::new(Semaphore::new(limits.requests())),
            limits,
            metrics,
            preparing,
            worker,
            jobs,
            started: now_ms() / 1000,
            names: Names::new(),
        };
        Ok(Server { listener, app: Arc::new(app), grace })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Serves until `stop` is done and what was being answered has ended.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let router = routes::router(self.app.clone());
        connections::serve(self.listener, router, self.app, self.grace, stop).await;
    }
}
