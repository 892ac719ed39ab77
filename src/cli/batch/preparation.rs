//! From the input's lines to requests that can be admitted.
//!
//! Reading, checking, tokenising and compiling run on a thread of their own, ahead of decoding: a
//! schema that takes long to compile delays its own request and those after it, and none that is being
//! decoded.

use std::collections::HashMap;
use std::io::BufRead;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use warpgrammar::api::batch::{BatchError, BatchRequest, duplicate, parse_line};
use warpgrammar::chat::{Framing, Plan, derived_seed, template};
use warpgrammar::engine::{Compiler, Grammar};
use warpgrammar::openai::ApiError;
use warpgrammar::{Error, ErrorKind, Result};

use super::settled::Settled;

/// A request, ready to be admitted.
pub struct Prepared {
    /// Its line, counted from 1.
    pub line: usize,
    /// The request, with a seed in any case.
    pub request: BatchRequest,
    /// The ways the replies can go.
    pub plan: Arc<Plan>,
    /// What the replies must match.
    pub grammar: Option<Arc<Grammar>>,
    /// The prompt's tokens.
    pub prompt: Vec<u32>,
}

/// One line, prepared or refused.
pub type Job = std::result::Result<Prepared, Box<BatchError>>;

/// What was read, and how long compiling took.
#[derive(Debug, Default)]
pub struct Progress {
    /// Lines that an earlier run has dealt with.
    pub settled: usize,
    /// Time of each call that compiled a schema or found it compiled.
    pub compile: Vec<Duration>,
}

/// Prepares the requests of one batch.
pub struct Preparation<'a> {
    /// Compiles the schemas.
    pub compiler: &'a Compiler,
    /// Lines to pass over.
    pub settled: Settled,
    /// Seeds requests that name no seed.
    pub seed: u64,
    /// How calls and refusals are written.
    pub framing: Framing,
}

impl Preparation<'_> {
    /// Sends a job for every line that is neither blank nor settled, until the input or the receiver ends.
    ///
    /// # Errors
    /// Only if the input cannot be read.
    pub fn run(&self, mut input: impl BufRead, jobs: &SyncSender<Job>) -> Result<Progress> {
        let mut done = Progress::default();
        let mut first_with: HashMap<String, usize> = HashMap::new();
        let mut bytes = Vec::new();
        for line in 1.. {
            bytes.clear();
            if input.read_until(b'\n', &mut bytes)? == 0 {
                break;
            }
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            let mut read = read(line, &bytes);
            if let Ok(request) = &read {
                match first_with.get(&request.custom_id) {
                    Some(&first) => read = Err(Box::new(duplicate(line, &request.custom_id, first))),
                    None => _ = first_with.insert(request.custom_id.clone(), line),
                }
            }
            let (custom_id, servable) = match &read {
                Ok(request) => (Some(request.custom_id.as_str()), true),
                Err(error) => (error.custom_id.as_deref(), false),
            };
            if self.settled.holds(line, custom_id, servable) {
                done.settled += 1;
                continue;
            }
            let job = read.and_then(|request| self.prepare(line, request, &mut done.compile));
            if jobs.send(job).is_err() {
                break;
            }
        }
        Ok(done)
    }

    fn prepare(&self, line: usize, mut request: BatchRequest, times: &mut Vec<Duration>) -> Job {
        request.request.seed(derived_seed(self.seed, &[&request.custom_id]));
        match self.build(&request, times) {
            Ok((plan, grammar, prompt)) => Ok(Prepared { line, request, plan, grammar, prompt }),
            Err(error) => Err(Box::new(in_body(line, &request, error))),
        }
    }

    fn build(&self, request: &BatchRequest, times: &mut Vec<Duration>) -> Built {
        let vocab = self.compiler.vocabulary();
        let generation = request.request.generation();
        let prompt = template::prompt(generation, &self.framing);
        let prompt = vocab.encode(&prompt).map_err(|e| refusal(&e))?;
        let plan = Plan::new(generation, &self.framing);
        let start = Instant::now();
        let grammar = plan.compile(self.compiler);
        if !matches!(grammar, Ok(None)) {
            times.push(start.elapsed());
        }
        let grammar = grammar.map_err(|(source, error)| request.request.schema_error(source, &error))?;
        Ok((Arc::new(plan), grammar, prompt))
    }
}

/// What [`Preparation::build`] makes of a request.
type Built = std::result::Result<(Arc<Plan>, Option<Arc<Grammar>>, Vec<u32>), ApiError>;

fn read(line: usize, bytes: &[u8]) -> std::result::Result<BatchRequest, Box<BatchError>> {
    // Editors on some systems open a file with a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").filter(|_| line == 1).unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => parse_line(line, text),
        Err(e) => {
            let error = ApiError::invalid("", format!("The line is not UTF-8: {e}."));
            let error = error.with_code("invalid_json_line");
            Err(Box::new(BatchError { line, custom_id: None, endpoint: None, error }))
        }
    }
}

/// The API's error for one of the engine's about a whole request.
pub fn refusal(error: &Error) -> ApiError {
    match error.kind() {
        ErrorKind::InvalidParameter | ErrorKind::Vocabulary => {
            ApiError::invalid(error.pointer().unwrap_or_default(), error.message())
        }
        _ => ApiError::server(error.to_string()),
    }
}

/// An error about a request's body as one about its line.
pub fn in_body(line: usize, request: &BatchRequest, error: ApiError) -> BatchError {
    let error = ApiError { pointer: format!("/body{}", error.pointer), ..error };
    let custom_id = Some(request.custom_id.clone());
    BatchError { line, custom_id, endpoint: Some(request.endpoint.clone()), error }
}
