//! What all connections share.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::auth::Keys;
use super::jobs::Jobs;
use super::metrics::{Metrics, Sizes};
use super::preparing::Preparing;
use super::worker::Worker;

/// Bounds on what clients can ask of a server. Each has a default that costs little.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time; further ones wait to be accepted.
    pub connections: usize,
    /// Choices decoded at a time.
    pub slots: usize,
    /// Requests that may be waiting besides as many as there are slots; a further one is answered with 429.
    pub queue: usize,
    /// The longest body of a request, in bytes.
    pub body_bytes: usize,
    /// The longest text of a schema, in bytes.
    pub schema_bytes: usize,
    /// Compilations at a time.
    pub compiles: usize,
    /// How long a request waits for its schema to be compiled.
    pub compile_time: Duration,
    /// How long a request may take, from its first byte to the last of its reply.
    pub request_time: Duration,
    /// How long a client may read nothing of what is written.
    pub stall_time: Duration,
    /// How long a client may take to send a request's head, and keep an idle connection.
    pub head_time: Duration,
    /// Steps that the reader of a stream may be behind, besides what the connection holds.
    pub stream_buffer: usize,
    /// The longest file, in bytes.
    pub file_bytes: u64,
    /// Most lines of a batch.
    pub batch_lines: usize,
    /// Lines of a batch that are prepared or decoded at a time.
    pub batch_slots: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 512,
            slots: 32,
            queue: 256,
            body_bytes: 4 << 20,
            schema_bytes: 1 << 20,
            compiles: 2,
            compile_time: Duration::from_secs(10),
            request_time: Duration::from_secs(600),
            stall_time: Duration::from_secs(30),
            head_time: Duration::from_secs(30),
            stream_buffer: 1024,
            file_bytes: 200_000_000,
            batch_lines: 50_000,
            batch_slots: 16,
        }
    }
}

impl Limits {
    /// Requests that are let in at a time.
    pub fn requests(&self) -> usize {
        self.slots + self.queue
    }
}

/// What all connections share.
pub struct App {
    pub keys: Keys,
    pub models: Vec<String>,
    pub fingerprint: String,
    pub limits: Limits,
    pub metrics: Arc<Metrics>,
    pub preparing: Arc<Preparing>,
    pub worker: Worker,
    /// Places for requests.
    pub places: Arc<Semaphore>,
    /// Files and batches, if there is a folder for them.
    pub jobs: Option<Arc<Jobs>>,
    /// Unix time in seconds.
    pub started: u64,
    pub names: Names,
}

impl App {
    /// What metrics are read with.
    pub fn sizes(&self) -> Sizes {
        Sizes { slots: self.limits.slots, cache: self.preparing.compiler.cache_usage() }
    }
}

/// Names that are given out once, also by a server that is started again.
pub struct Names {
    run: String,
    next: AtomicU64,
}

impl Names {
    /// Names of this run.
    pub fn new() -> Self {
        Names { run: format!("{:016x}", RandomState::new().hash_one(0)), next: AtomicU64::new(0) }
    }

    /// A name that was not given out before.
    pub fn next(&self) -> String {
        format!("{}-{}", self.run, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

impl Default for Names {
    fn default() -> Self {
        Names::new()
    }
}
