//! Requests in, tokens out, one step of all rows at a time.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::prepared::{Prepared, refusal};
use crate::chat::{Delta, Output, Usage};
use crate::engine::{Backend, Engine, EngineOptions, Request, SlotId, Step};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{LogitsSource, SeqId};
use crate::openai::ApiError;
use crate::sampling::{Logits, LogitsBatch};
use crate::vocab::Vocabulary;

/// Who waits for the replies to a request.
pub trait Reader {
    /// Takes what a step has added to a choice. `Break`: nobody reads any more, and the request is dropped.
    fn take(&mut self, choice: u32, delta: Delta) -> ControlFlow<()>;

    /// Whether nobody reads any more. It is asked before each step, of requests that wait, too.
    fn is_gone(&self) -> bool {
        false
    }
}

/// A request that has ended, with its reader.
#[derive(Debug)]
pub struct Ended<R> {
    /// Who waited for it.
    pub reader: R,
    /// The tokens used, or why there is no reply.
    pub outcome: std::result::Result<Usage, ApiError>,
}

/// How a [`Scheduler`] is set up.
#[derive(Clone, Debug)]
pub struct SchedulerOptions {
    /// The engine's set-up.
    pub engine: EngineOptions,
    /// The most tokens for requests that name no limit. Not for schemas of which no bound is known.
    pub max_tokens: u32,
}

/// What decoding took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decoding {
    /// Tokens drawn.
    pub tokens: usize,
    /// Steps of the batch.
    pub steps: usize,
    /// Time in the engine: masks, sampling and advancing.
    pub engine: Duration,
    /// Time in the source of logits.
    pub source: Duration,
}

/// Decodes requests together; `M` computes logits, an `R` reads each request's replies.
pub struct Scheduler<M, R> {
    engine: Engine,
    vocab: Arc<Vocabulary>,
    options: SchedulerOptions,
    source: M,
    requests: HashMap<u64, Begun<R>>,
    /// Choices without a slot, in the order of submission.
    waiting: VecDeque<(u64, u32)>,
    rows: Vec<Row>,
    submitted: u64,
    logits: Vec<f32>,
    done: Decoding,
    /// Requests that have ended and are not handed back yet.
    ended: Vec<Ended<R>>,
    /// The engine is not where the rows are: it must be set up anew before the next step.
    stale: bool,
}

/// A request that was submitted.
struct Begun<R> {
    prepared: Prepared,
    reader: R,
    tokens: usize,
    /// Choices that have not ended.
    open: u32,
}

/// A choice in a slot.
struct Row {
    request: u64,
    choice: u32,
    slot: SlotId,
    seq: SeqId,
    output: Output,
    /// Tokens drawn, for the engine to be set up anew.
    tokens: Vec<u32>,
}

impl<M: LogitsSource, R: Reader> Scheduler<M, R> {
    /// A scheduler without requests.
    ///
    /// # Errors
    /// As [`Engine::new`]; [`ErrorKind::InvalidParameter`] for a source of another width than the vocabulary's.
    pub fn new(vocab: Arc<Vocabulary>, options: SchedulerOptions, source: M) -> Result<Self> {
        if source.width() != vocab.width() {
            let message = format!(
                "the source's rows have {} logits, the vocabulary has {} tokens",
                source.width(),
                vocab.width()
            );
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
        Ok(Scheduler {
            engine: Engine::new(vocab.clone(), options.engine.clone())?,
            vocab,
            options,
            source,
            requests: HashMap::new(),
            waiting: VecDeque::new(),
            rows: Vec::new(),
            submitted: 0,
            logits: Vec::new(),
            done: Decoding::default(),
            ended: Vec::new(),
            stale: false,
        })
    }

    /// Takes a request; its choices are given slots in the order of submission.
    pub fn submit(&mut self, prepared: Prepared, reader: R) {
        let id = self.submitted;
        self.submitted += 1;
        let choices = prepared.request.generation().choices;
        self.requests.insert(id, Begun { prepared, reader, tokens: 0, open: choices });
        self.waiting.extend((0..choices).map(|choice| (id, choice)));
    }

    /// Whether a request submitted now would have a slot at the next step.
    pub fn has_room(&self) -> bool {
        self.waiting.len() < self.engine.free_slots()
    }

    /// Whether there is nothing to do.
    pub fn is_idle(&self) -> bool {
        self.requests.is_empty() && self.ended.is_empty()
    }

    /// The backend that decodes, [`crate::engine::Backend::Auto`] decided.
    pub fn backend(&self) -> Backend {
        self.engine.backend()
    }

    /// Slots in use, and choices that wait for one.
    pub fn load(&self) -> (usize, usize) {
        (self.rows.len(), self.waiting.len())
    }

    /// What decoding took so far.
    pub fn decoding(&self) -> Decoding {
        self.done
    }

    /// Draws one token for every row, and hands back the requests that have ended.
    ///
    /// A panic in the engine or the source ends the request that caused it, and no other.
    ///
    /// # Errors
    /// The source fails as a whole, or the engine cannot be set up anew after a panic. Requests stay as they were, and those
    /// that have ended are handed back by the next call; see [`Scheduler::abandon`], too.
    pub fn step(&mut self) -> Result<Vec<Ended<R>>> {
        if self.stale {
            self.set_up_anew(&[])?;
        }
        self.drop_unread();
        self.admit_waiting()?;
        if !self.rows.is_empty() {
            let all = 0..self.rows.len();
            let steps = match catch_unwind(AssertUnwindSafe(|| self.compute(all))) {
                Ok(steps) => steps?,
                Err(_) => self.compute_one_by_one()?,
            };
            self.done.steps += 1;
            self.done.tokens += steps.iter().filter(|step| step.is_ok()).count();
            for (row, step) in std::mem::take(&mut self.rows).into_iter().zip(steps) {
                self.hand_out(row, step);
            }
        }
        Ok(std::mem::take(&mut self.ended))
    }

    /// Ends all requests that have not ended with this error.
    pub fn abandon(&mut self, error: &ApiError) -> Vec<Ended<R>> {
        self.waiting.clear();
        for row in std::mem::take(&mut self.rows) {
            self.retire(&row);
        }
        let open = self.requests.drain();
        self.ended.extend(open.map(|(_, begun)| Ended { reader: begun.reader, outcome: Err(error.clone()) }));
        std::mem::take(&mut self.ended)
    }

    /// Steps these rows.
    fn compute(&mut self, rows: std::ops::Range<usize>) -> Result<Vec<Result<Step>>> {
        let rows = &self.rows[rows];
        let width = self.vocab.width();
        let seqs: Vec<SeqId> = rows.iter().map(|row| row.seq).collect();
        let slots: Vec<SlotId> = rows.iter().map(|row| row.slot).collect();
        self.logits.resize(rows.len() * width, 0.0);
        let start = Instant::now();
        self.source.logits(&seqs, &mut self.logits)?;
        let computed = Instant::now();
        let batch = LogitsBatch::new(Logits::F32(&self.logits), rows.len(), width, width)?;
        let steps = self.engine.step(&slots, &batch);
        self.done.source += computed - start;
        self.done.engine += computed.elapsed();
        Ok(steps)
    }

    /// Steps the rows apart after a panic in the step of all of them: the one that panics again is at fault. What the
    /// panic has left of the engine is thrown away, and what was drawn in that step with it; the same tokens are drawn again.
    fn compute_one_by_one(&mut self) -> Result<Vec<Result<Step>>> {
        tracing::error!("a step has panicked; its rows are stepped one by one");
        let mut steps: Vec<Result<Step>> = Vec::with_capacity(self.rows.len());
        self.set_up_anew(&steps)?;
        for at in 0..self.rows.len() {
            let step = match catch_unwind(AssertUnwindSafe(|| self.compute(at..at + 1))) {
                Ok(Ok(mut step)) => step.remove(0),
                Ok(Err(error)) => {
                    // The rows before this one have been stepped, and what they drew is not handed out.
                    self.stale = true;
                    return Err(error);
                }
                Err(panic) => Err(panicked(&*panic)),
            };
            let failed = step.is_err();
            steps.push(step);
            if failed {
                self.set_up_anew(&steps)?;
            }
        }
        Ok(steps)
    }

    /// A new engine with all rows where they were, the first ones after the steps that were made.
    fn set_up_anew(&mut self, steps: &[Result<Step>]) -> Result<()> {
        self.stale = true;
        self.engine = Engine::new(self.vocab.clone(), self.options.engine.clone())?;
        for at in 0..self.rows.len() {
            let (request, choice) = (self.rows[at].request, self.rows[at].choice);
            let slot = self.slot(request, choice)?;
            self.rows[at].slot = slot;
            let next = steps.get(at).and_then(|step| step.as_ref().ok()).map(|step| step.token);
            for token in self.rows[at].tokens.iter().copied().chain(next) {
                // Free text may end with any stop token; the row is retired before it is stepped again.
                self.engine.advance(slot, token)?;
            }
        }
        self.stale = false;
        Ok(())
    }

    fn admit_waiting(&mut self) -> Result<()> {
        while self.engine.free_slots() > 0
            && let Some((id, choice)) = self.waiting.pop_front()
        {
            match catch_unwind(AssertUnwindSafe(|| self.admit(id, choice))) {
                Ok(Ok(row)) => self.rows.push(row),
                Ok(Err(error)) => self.fail(id, refusal(&error)),
                Err(panic) => {
                    self.stale = true;
                    self.fail(id, refusal(&panicked(&*panic)));
                    self.set_up_anew(&[])?;
                }
            }
        }
        Ok(())
    }

    fn slot(&mut self, id: u64, choice: u32) -> Result<SlotId> {
        let prepared = &self.requests[&id].prepared;
        let generation = prepared.request.generation();
        let grammar = prepared.grammar.clone();
        // The default limit is not for schemas of which no bound is known; a limit asked for is refused.
        let bounded = grammar.as_ref().is_none_or(|g| g.is_bounded());
        let max_tokens = generation.max_tokens.or(bounded.then_some(self.options.max_tokens));
        let params = generation.sampling.clone();
        self.engine.admit(Request { grammar, params, prompt: &prepared.prompt, max_tokens, choice })
    }

    fn admit(&mut self, id: u64, choice: u32) -> Result<Row> {
        let slot = self.slot(id, choice)?;
        let Prepared { request, plan, prompt, .. } = &self.requests[&id].prepared;
        let seq = match self.source.start(prompt) {
            Ok(seq) => seq,
            Err(error) => {
                self.engine.retire(slot)?;
                return Err(error);
            }
        };
        self.source.expect(seq, &plan.openings().collect::<Vec<_>>());
        let output = Output::new(request.generation(), plan.clone());
        Ok(Row { request: id, choice, slot, seq, output, tokens: Vec::new() })
    }

    /// Gives a row's token to its reader. The row goes back among the others unless it has ended.
    fn hand_out(&mut self, mut row: Row, step: Result<Step>) {
        let Some(begun) = self.requests.get_mut(&row.request) else { return self.retire(&row) };
        let step = match step {
            Ok(step) => step,
            Err(error) => {
                let message = format!("{error} (after {} tokens)", row.output.tokens());
                self.retire(&row);
                return self.fail(row.request, ApiError::server(message));
            }
        };
        row.tokens.push(step.token);
        let source = &mut self.source;
        let vocab = &self.vocab;
        let taken = catch_unwind(AssertUnwindSafe(|| {
            source.accept(row.seq, step.token);
            let delta = row.output.push(&step, vocab);
            let last = delta.finish.is_some();
            (last, begun.reader.take(row.choice, delta))
        }));
        let (last, flow) = match taken {
            Ok(taken) => taken,
            Err(panic) => {
                self.retire(&row);
                return self.fail(row.request, refusal(&panicked(&*panic)));
            }
        };
        begun.tokens += 1;
        begun.open -= u32::from(last);
        let (whole, id) = (begun.open == 0, row.request);
        if last || flow.is_break() {
            self.retire(&row);
        } else {
            self.rows.push(row);
        }
        if flow.is_break() {
            self.remove(id);
        } else if whole && let Some(begun) = self.remove(id) {
            let usage = Usage { prompt: begun.prepared.prompt.len(), completion: begun.tokens };
            self.ended.push(Ended { reader: begun.reader, outcome: Ok(usage) });
        }
    }

    /// Drops the requests that nobody reads any more.
    fn drop_unread(&mut self) {
        let gone: Vec<u64> =
            self.requests.iter().filter(|(_, b)| b.reader.is_gone()).map(|(&id, _)| id).collect();
        gone.into_iter().for_each(|id| drop(self.remove(id)));
    }

    /// Ends a request without a reply. Of several rows that fail at once, the first speaks for it.
    fn fail(&mut self, id: u64, error: ApiError) {
        if let Some(begun) = self.remove(id) {
            self.ended.push(Ended { reader: begun.reader, outcome: Err(error) });
        }
    }

    /// Takes a request out, and all that works on it.
    fn remove(&mut self, id: u64) -> Option<Begun<R>> {
        self.waiting.retain(|waiting| waiting.0 != id);
        let (of_it, others) = std::mem::take(&mut self.rows).into_iter().partition(|row| row.request == id);
        self.rows = others;
        let of_it: Vec<Row> = of_it;
        of_it.iter().for_each(|row| self.retire(row));
        self.requests.remove(&id)
    }

    fn retire(&mut self, row: &Row) {
        self.source.finish(row.seq);
        // A stale engine is thrown away, with its slots.
        if !self.stale
            && let Err(error) = self.engine.retire(row.slot)
        {
            // What cannot be retired is not there.
            tracing::error!("a slot could not be given back: {error}");
        }
    }
}

/// The error for a panic. What it says is for the log: it names lines of code, and perhaps what somebody wrote.
fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!("a request has panicked: {text}");
    Error::new(ErrorKind::Internal, "decoding this request failed; this is a defect of the server")
}
