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

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use serde_json::Value;
use warpgrammar::Result;
use warpgrammar::api::batch::{BatchError, output_line};
use warpgrammar::chat::{FinishReason, Output};
use warpgrammar::engine::{Engine, Grammar, Request, SlotId, Step};
use warpgrammar::model::{LogitsSource, SeqId};
use warpgrammar::openai::ApiError;
use warpgrammar::sampling::{Logits, LogitsBatch};

use super::preparation::{Job, Prepared, in_body, refusal};
use super::reply::Answer;

/// A line answered.
pub struct Answered {
    /// The line of the output.
    pub line: Value,
    /// Whether a reply was cut off by its limit of tokens.
    pub cut_off: bool,
}

/// What becomes of a line.
pub type Outcome = std::result::Result<Answered, Box<BatchError>>;

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
    choice: u32,
    slot: SlotId,
    seq: SeqId,
    output: Output,
}

/// Requests begun, and replies of them that wait for a slot.
#[derive(Default)]
struct Begun {
    answers: HashMap<usize, Answer>,
    waiting: VecDeque<(usize, u32, Option<Arc<Grammar>>)>,
}

impl Begun {
    fn add(&mut self, prepared: Prepared) {
        let Prepared { line, request, plan, grammar, prompt } = prepared;
        let choices = request.request.generation().choices;
        self.answers.insert(line, Answer::new(line, request, plan, prompt));
        self.waiting.extend((0..choices).map(|choice| (line, choice, grammar.clone())));
    }

    /// Gives a request up; its rows must be retired.
    fn fail(&mut self, line: usize, error: ApiError) -> Option<Box<BatchError>> {
        self.waiting.retain(|waiting| waiting.0 != line);
        let answer = self.answers.remove(&line)?;
        Some(Box::new(in_body(line, &answer.request, error)))
    }
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
        let mut begun = Begun::default();
        let mut logits = Vec::new();
        loop {
            while self.engine.free_slots() > 0 {
                if begun.waiting.is_empty() {
                    match next_job(jobs, rows.is_empty()) {
                        None => break,
                        Some(Ok(prepared)) => begun.add(prepared),
                        Some(Err(error)) => sink(Err(error))?,
                    }
                }
                let Some((line, choice, grammar)) = begun.waiting.pop_front() else { continue };
                match self.admit(&begun.answers[&line], choice, grammar) {
                    Ok(row) => rows.push(row),
                    Err(error) => self.give_up(line, error, &mut begun, &mut rows, &mut sink)?,
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

            let mut failed = Vec::new();
            let mut going_on = Vec::with_capacity(rows.len());
            for (mut row, step) in rows.drain(..).zip(steps) {
                match step {
                    Ok(step) if self.take(&mut row, &step, &mut begun, &mut sink)? => self.retire(&row)?,
                    Ok(_) => going_on.push(row),
                    Err(error) => {
                        let message = format!("{error} (after {} tokens)", row.output.tokens());
                        failed.push((row.line, ApiError::server(message)));
                        going_on.push(row);
                    }
                }
            }
            rows = going_on;
            for (line, error) in failed {
                self.give_up(line, error, &mut begun, &mut rows, &mut sink)?;
            }
        }
    }

    fn admit(
        &mut self,
        answer: &Answer,
        choice: u32,
        grammar: Option<Arc<Grammar>>,
    ) -> std::result::Result<Row, ApiError> {
        let generation = answer.request.request.generation();
        // The default limit is not for schemas of which no bound is known; a limit asked for is refused.
        let bounded = grammar.as_ref().is_none_or(|g| g.is_bounded());
        let max_tokens = generation.max_tokens.or(bounded.then_some(self.max_tokens));
        let params = generation.sampling.clone();
        let prompt = &answer.prompt;
        let admitted = self.engine.admit(Request { grammar, params, prompt, max_tokens, choice });
        let started = admitted.and_then(|slot| match self.source.start(prompt) {
            Ok(seq) => Ok((slot, seq)),
            Err(error) => {
                self.engine.retire(slot)?;
                Err(error)
            }
        });
        let (slot, seq) = started.map_err(|error| refusal(&error))?;
        self.source.expect(seq, &answer.plan.openings().collect::<Vec<_>>());
        Ok(Row { line: answer.line, choice, slot, seq, output: answer.output() })
    }

    /// Gives a row its token; whether the row has ended.
    fn take(
        &mut self,
        row: &mut Row,
        step: &Step,
        begun: &mut Begun,
        sink: &mut impl FnMut(Outcome) -> Result<()>,
    ) -> Result<bool> {
        self.source.accept(row.seq, step.token);
        let delta = row.output.push(step, self.engine.vocabulary());
        let ended = delta.finish.is_some();
        let Some(answer) = begun.answers.get_mut(&row.line) else { return Ok(ended) };
        if answer.add(row.choice, delta)
            && let Some(answer) = begun.answers.remove(&row.line)
        {
            let request = answer.request.clone();
            let reply = answer.finish(self.fingerprint);
            let cut_off = reply.choices.iter().any(|c| c.finish == Some(FinishReason::Length));
            sink(Ok(Answered {
                line: output_line(&request.custom_id, request.request.reply(&reply)),
                cut_off,
            }))?;
        }
        Ok(ended)
    }

    /// Ends a request without an answer, and the rows that work on it.
    fn give_up(
        &mut self,
        line: usize,
        error: ApiError,
        begun: &mut Begun,
        rows: &mut Vec<Row>,
        sink: &mut impl FnMut(Outcome) -> Result<()>,
    ) -> Result<()> {
        let (given_up, others) = std::mem::take(rows).into_iter().partition(|row| row.line == line);
        *rows = others;
        let given_up: Vec<Row> = given_up;
        given_up.iter().try_for_each(|row| self.retire(row))?;
        // Of several rows that fail at once, the first speaks for the request.
        begun.fail(line, error).map_or(Ok(()), |error| sink(Err(error)))
    }

    fn retire(&mut self, row: &Row) -> Result<()> {
        self.source.finish(row.seq);
        self.engine.retire(row.slot)
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
