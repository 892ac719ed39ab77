//! Continuous batching: a slot that falls free is given to the next request at once.
//!
//! ```text
//! while a slot is free and a job is ready:  admit it
//! logits of all active rows → step → each row's token to its reply and to the source
//! replies that ended: hand out, retire
//! ```
//!
//! A row's tokens do not depend on the rows beside it, so the replies do not depend on the number of
//! slots or on timing; only their order does.

use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use warpgrammar::Result;
use warpgrammar::engine::{Engine, Request, SlotId, Step};
use warpgrammar::model::{LogitsSource, SeqId};
use warpgrammar::openai::batch::BatchError;
use warpgrammar::openai::{ApiError, Completion, FinishReason};
use warpgrammar::sampling::{Logits, LogitsBatch};

use super::preparation::{Job, Prepared, in_body, refusal};
use super::reply::Reply;

/// What becomes of a line.
pub type Outcome = std::result::Result<(String, Completion), Box<BatchError>>;

/// What decoding took.
#[derive(Debug, Default)]
pub struct Decoding {
    /// Tokens drawn.
    pub tokens: usize,
    /// Calls of the engine's step.
    pub steps: usize,
    /// Time in the engine: masks, sampling and advancing.
    pub engine: Duration,
    /// Time in the source of logits.
    pub source: Duration,
}

/// Decodes the jobs of one batch.
pub struct Scheduler<'a, M> {
    /// Masks, samples and advances.
    pub engine: &'a mut Engine,
    /// Computes logits.
    pub source: &'a mut M,
    /// The most tokens for requests that name no limit.
    pub max_tokens: u32,
    /// Goes into every reply.
    pub fingerprint: &'a str,
}

/// One row of the batch.
struct Row {
    line: usize,
    slot: SlotId,
    seq: SeqId,
    reply: Reply,
}

impl<M: LogitsSource> Scheduler<'_, M> {
    /// Runs until the jobs end; `sink` gets every outcome as soon as it is there.
    ///
    /// # Errors
    /// The source fails as a whole, or `sink` does.
    pub fn run(
        &mut self,
        jobs: &Receiver<Job>,
        mut sink: impl FnMut(Outcome) -> Result<()>,
    ) -> Result<Decoding> {
        let width = self.engine.vocabulary().width();
        let mut done = Decoding::default();
        let mut rows: Vec<Row> = Vec::new();
        let mut logits = Vec::new();
        loop {
            while self.engine.free_slots() > 0 {
                let Some(job) = next_job(jobs, rows.is_empty()) else { break };
                match job.and_then(|prepared| self.admit(prepared)) {
                    Ok(row) => rows.push(row),
                    Err(error) => sink(Err(error))?,
                }
            }
            if rows.is_empty() {
                return Ok(done);
            }
            let seqs: Vec<SeqId> = rows.iter().map(|row| row.seq).collect();
            let slots: Vec<SlotId> = rows.iter().map(|row| row.slot).collect();
            logits.resize(rows.len() * width, 0.0);
            let start = Instant::now();
            self.source.logits(&seqs, &mut logits)?;
            let computed = Instant::now();
            let batch = LogitsBatch::new(Logits::F32(&logits), rows.len(), width, width)?;
            let steps = self.engine.step(&slots, &batch);
            done.source += computed - start;
            done.engine += computed.elapsed();
            done.steps += 1;
            done.tokens += steps.iter().filter(|step| step.is_ok()).count();

            let mut going_on = Vec::with_capacity(rows.len());
            for (mut row, step) in rows.drain(..).zip(steps) {
                match self.take(&mut row, step) {
                    None => going_on.push(row),
                    Some(end) => sink(self.retire(row, end)?)?,
                }
            }
            rows = going_on;
        }
    }

    fn admit(&mut self, prepared: Prepared) -> std::result::Result<Row, Box<BatchError>> {
        let Prepared { line, request, grammar, prompt } = prepared;
        // The default limit is not for schemas of which no bound is known; a limit asked for is refused.
        let bounded = grammar.as_ref().is_none_or(|g| g.is_bounded());
        let max_tokens = request.chat.max_tokens.or(bounded.then_some(self.max_tokens));
        let params = request.chat.sampling.clone();
        let admitted = self.engine.admit(Request { grammar, params, prompt: &prompt, max_tokens, choice: 0 });
        let started = admitted.and_then(|slot| match self.source.start(&prompt) {
            Ok(seq) => Ok((slot, seq)),
            Err(error) => {
                self.engine.retire(slot)?;
                Err(error)
            }
        });
        match started {
            Ok((slot, seq)) => Ok(Row { line, slot, seq, reply: Reply::new(request, prompt.len()) }),
            Err(error) => Err(Box::new(in_body(line, request.custom_id, refusal(&error)))),
        }
    }

    /// Gives a row its token; how it ended, if it has.
    fn take(&mut self, row: &mut Row, step: Result<Step>) -> Option<Result<FinishReason>> {
        match step {
            Ok(step) => {
                self.source.accept(row.seq, step.token);
                row.reply.push(&step, self.engine.vocabulary()).map(Ok)
            }
            Err(error) => Some(Err(error)),
        }
    }

    fn retire(&mut self, row: Row, end: Result<FinishReason>) -> Result<Outcome> {
        self.source.finish(row.seq);
        self.engine.retire(row.slot)?;
        let custom_id = row.reply.request.custom_id.clone();
        Ok(match end {
            Ok(reason) => Ok((custom_id, row.reply.finish(reason, self.fingerprint))),
            Err(error) => {
                let message = format!("{error} (after {} tokens)", row.reply.tokens());
                Err(Box::new(in_body(row.line, custom_id, ApiError::server(message))))
            }
        })
    }
}

/// The next job, if there is one yet, or, if told to `wait`, if there is one at all.
fn next_job(jobs: &Receiver<Job>, wait: bool) -> Option<Job> {
    match jobs.try_recv() {
        Ok(job) => Some(job),
        Err(TryRecvError::Empty) if wait => jobs.recv().ok(),
        Err(_) => None,
    }
}
