//! From a body to a request that can be decoded, apart from the threads that serve connections.
//!
//! Reading and tokenising run on the runtime's blocking threads, as many at a time as requests are let in, but of long bodies
//! only so many that the trees they are read into fit the memory. Compiling
//! has fewer places, and a time limit. A compilation cannot be interrupted: it keeps its place until it ends, and its
//! result is remembered for whoever asks next, but the request that waited for it is answered in time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::metrics::Metrics;
use super::refusal::defect;
use super::upload::parse_body;
use crate::api::{Endpoint, Request};
use crate::chat::{Framing, Generation, Source};
use crate::decode::{Draft, Prepared};
use crate::engine::Compiler;
use crate::error::{Error, ErrorKind};
use crate::openai::ApiError;

/// KiB of bodies that are read at a time; what they are read into takes several times as much.
const READ_KIB: u32 = 64 << 10;

/// What preparing needs.
pub struct Preparing {
    pub compiler: Arc<Compiler>,
    pub framing: Framing,
    /// Seeds the requests that name no seed.
    pub seed: u64,
    /// The longest text of a schema, in bytes.
    pub max_schema_bytes: usize,
    /// Places for compilations.
    pub places: Arc<Semaphore>,
    /// Places for bodies to be read, one for a KiB.
    pub reading: Arc<Semaphore>,
    /// How long a request waits for its grammar.
    pub patience: Duration,
    pub metrics: Arc<Metrics>,
}

impl Preparing {
    /// All places for [`Preparing::reading`].
    pub fn reading() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(READ_KIB as usize))
    }

    /// Reads a body and makes it ready. `place` is held as long as the body is being read, also if nobody waits for it any
    /// more: clients that come and go do not pile up work.
    ///
    /// # Errors
    /// What is wrong with the request, 400; 503 if other compilations hold all places.
    pub async fn prepare(
        self: &Arc<Self>,
        endpoint: Endpoint,
        body: impl AsRef<[u8]> + Send + 'static,
        seed: u64,
        place: impl Send + 'static,
    ) -> Result<Prepared, ApiError> {
        let this = self.clone();
        let kib = u32::try_from(body.as_ref().len() >> 10).unwrap_or(u32::MAX).clamp(1, READ_KIB);
        let reading = self.reading.clone().acquire_many_owned(kib).await.map_err(|_| defect())?;
        let work = move || {
            let _places = (place, reading);
            let draft = this.draft(&endpoint, body.as_ref(), seed)?;
            // Looking it up takes as long as the schema is.
            draft.cached(&this.compiler).map_or(Ok(Ready::Not(draft)), |done| done.map(Ready::Yes))
        };
        match off_thread(work).await? {
            Ready::Yes(prepared) => Ok(prepared),
            Ready::Not(draft) => self.compile(draft).await,
        }
    }

    fn draft(&self, endpoint: &Endpoint, body: &[u8], seed: u64) -> Result<Draft, ApiError> {
        let mut request = endpoint.read(&parse_body(body)?)?;
        request.seed(seed);
        self.draft_of(request)
    }

    /// The draft of a request that was read.
    ///
    /// # Errors
    /// A schema that is too long, or a prompt that the vocabulary cannot spell.
    pub fn draft_of(&self, request: Request) -> Result<Draft, ApiError> {
        check_lengths(request.generation(), self.max_schema_bytes)
            .map_err(|(source, error)| request.schema_error(source, &error))?;
        Draft::new(Arc::new(request), self.compiler.vocabulary(), &self.framing)
    }

    /// Compiles here and now.
    pub fn compile_blocking(&self, draft: &Draft) -> Result<Prepared, ApiError> {
        if let Some(prepared) = draft.cached(&self.compiler) {
            return prepared;
        }
        let start = Instant::now();
        let prepared = draft.compile(&self.compiler);
        self.metrics.compile.observe(start.elapsed());
        prepared
    }

    async fn compile(self: &Arc<Self>, draft: Draft) -> Result<Prepared, ApiError> {
        let until = Instant::now() + self.patience;
        let Ok(place) = timeout(self.patience, self.places.clone().acquire_owned()).await else {
            let words = "All places for compiling schemas are taken; try again in a moment.";
            return Err(ApiError::of_status(503, words).with_code("compiler_busy"));
        };
        let this = self.clone();
        let request = draft.clone();
        let compiled = off_thread(move || {
            let _place = place;
            this.compile_blocking(&draft)
        });
        let left = until.saturating_duration_since(Instant::now());
        timeout(left, compiled).await.unwrap_or_else(|_| Err(self.too_slow(&request)))
    }

    fn too_slow(&self, draft: &Draft) -> ApiError {
        let seconds = self.patience.as_secs_f64();
        let message = format!("it takes more than {seconds} s to compile; make it smaller");
        let error = Error::new(ErrorKind::LimitExceeded, message);
        let generation = draft.request().generation();
        // Of several schemas, none is known to be the slow one.
        let source = match generation.callable()[..] {
            [] => Source::Format,
            [only] if !generation.format.is_json() => Source::Tool(only),
            _ => Source::Request,
        };
        draft.request().schema_error(source, &error)
    }
}

/// Whether there is anything to compile.
enum Ready {
    Yes(Prepared),
    Not(Draft),
}

fn check_lengths(generation: &Generation, limit: usize) -> Result<(), (Source, Error)> {
    let check = |source, schema: &Value| {
        let length = schema.to_string().len();
        if length <= limit {
            return Ok(());
        }
        let message = format!("it has {length} bytes, and {limit} are allowed");
        Err((source, Error::new(ErrorKind::LimitExceeded, message)))
    };
    if let Some(schema) = generation.format.schema() {
        check(Source::Format, &schema)?;
    }
    generation.tools.iter().enumerate().try_for_each(|(k, tool)| check(Source::Tool(k), &tool.parameters))
}

/// Runs `work` on a thread that may be kept busy. A panic in it is this request's error, and nobody else's.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    spawn_blocking(work).await.unwrap_or_else(|panic| {
        tracing::error!("preparing a request has panicked: {panic}");
        Err(defect())
    })
}
