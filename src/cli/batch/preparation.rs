//! From the input's lines to requests that can be admitted.
//!
//! Reading, checking, tokenising and compiling run on a thread of their own, ahead of decoding: a
//! schema that takes long to compile delays its own request and those after it, and none that is being
//! decoded.

use std::io::BufRead;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use warpgrammar::Result;
use warpgrammar::api::batch::{BatchError, BatchRequest};
use warpgrammar::batch::{Lines, Settled};
use warpgrammar::chat::{Delta, Framing, derived_seed};
use warpgrammar::decode::{Answer, Draft, Prepared, Reader};
use warpgrammar::engine::Compiler;
use warpgrammar::openai::ApiError;

/// A line whose reply is being made.
pub struct Line {
    /// Its number, counted from 1.
    pub number: usize,
    /// What was read, with a seed in any case.
    pub request: BatchRequest,
    /// The reply so far.
    pub answer: Answer,
}

impl Reader for Line {
    fn take(&mut self, choice: u32, delta: Delta) -> ControlFlow<()> {
        self.answer.add(choice, delta);
        ControlFlow::Continue(())
    }
}

/// One line, prepared or refused.
pub type Job = std::result::Result<(Prepared, Line), Box<BatchError>>;

/// What was read, and how long compiling took.
#[derive(Debug, Default)]
pub struct Progress {
    /// Lines that an earlier run has dealt with.
    pub settled: usize,
    /// Time of each call that compiled a schema or found it compiled.
    pub compile: Vec<Duration>,
}

/// Most bytes of a line: what a reader of many lines at a time can hold.
const LONGEST: usize = 64 << 20;

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
    pub fn run(mut self, input: impl BufRead, jobs: &SyncSender<Job>) -> Result<Progress> {
        let mut compile = Vec::new();
        let mut lines = Lines::new(input, std::mem::take(&mut self.settled), LONGEST);
        for line in lines.by_ref() {
            let (number, read) = line?;
            let job = read.and_then(|request| self.prepare(number, request, &mut compile));
            if jobs.send(job).is_err() {
                break;
            }
        }
        Ok(Progress { settled: lines.settled(), compile })
    }

    fn prepare(&self, number: usize, mut request: BatchRequest, times: &mut Vec<Duration>) -> Job {
        request.request.seed(derived_seed(self.seed, &[&request.custom_id]));
        match self.build(&request, times) {
            Ok(prepared) => {
                let answer = Answer::new(request.request.generation().choices);
                Ok((prepared, Line { number, request, answer }))
            }
            Err(error) => Err(Box::new(request.in_body(number, error))),
        }
    }

    fn build(
        &self,
        request: &BatchRequest,
        times: &mut Vec<Duration>,
    ) -> std::result::Result<Prepared, ApiError> {
        let request = Arc::new(request.request.clone());
        let draft = Draft::new(request, self.compiler.vocabulary(), &self.framing)?;
        let start = Instant::now();
        let prepared = draft.compile(self.compiler);
        if draft.is_constrained() {
            times.push(start.elapsed());
        }
        prepared
    }
}
