//! Slots and batches.

use std::sync::Arc;

use super::host::{HostSlots, Interpreter};
use super::on_device::DeviceSlots;
use super::slot::{Backend, Request};
use crate::device::{Cuda, Driver, Emulated};
use crate::error::{Error, ErrorKind, Result};
use crate::sampling::LogitsBatch;
use crate::vocab::Vocabulary;

/// How an engine is set up.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Greatest number of requests at a time.
    pub slots: usize,
    /// What steps them.
    pub backend: Backend,
    /// Threads that share a batch's rows; 1 does everything on the caller's.
    pub threads: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        EngineOptions { slots: 256, backend: Backend::Cpu, threads: 1 }
    }
}

/// Names an admitted request. Ids of retired requests are never mistaken for later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlotId {
    index: u32,
    generation: u32,
}

/// Why an output ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// A stop token, or nothing can follow. With a grammar the output is complete; it also ends so when the
    /// budget is used up, since it is complete by then.
    Stop,
    /// Free text used up its budget. Outputs with a grammar never end so.
    Length,
}

/// One row's result.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The token sampled.
    pub token: u32,
    /// Its natural log-probability among the legal tokens, if asked for.
    pub logprob: Option<f32>,
    /// The likeliest legal tokens with theirs, best first, as many as asked for.
    pub top: Vec<(u32, f32)>,
    /// Set if this token ended the output.
    pub finish: Option<Finish>,
}

/// What keeps the requests of an engine, by index: the host's memory or a device's. Indices passed in are of
/// admitted requests, unless said otherwise.
pub(super) trait Slots: Send {
    /// Takes a request into the free place `index`.
    fn admit(&mut self, index: u32, request: Request<'_>) -> Result<()>;
    /// Frees a place.
    fn retire(&mut self, index: u32);
    /// Makes the free place `to` a copy of `from`.
    fn copy(&mut self, from: u32, to: u32) -> Result<()>;
    /// One token for each row that has a request; every request has at most one row.
    fn step(&mut self, rows: &[Option<u32>], logits: &LogitsBatch<'_>) -> Vec<Option<Result<Step>>>;
    /// See [`Engine::advance`].
    fn advance(&mut self, index: u32, token: u32) -> Result<()>;
    /// See [`Engine::fill_mask`]; `words` has the right length.
    fn fill_mask(&mut self, index: u32, words: &mut [u32]) -> Result<()>;
    /// See [`Engine::rollback`].
    fn rollback(&mut self, index: u32, n: usize) -> Result<()>;
    /// See [`Engine::forced`].
    fn forced(&mut self, index: u32) -> Result<Vec<u8>>;
    /// See [`Engine::validate_tokens`].
    fn validate(&mut self, index: u32, tokens: &[u32]) -> Result<usize>;
    /// See [`Engine::is_complete`].
    fn is_complete(&self, index: u32) -> Result<bool>;
    /// See [`Engine::finish`].
    fn finish(&self, index: u32) -> Option<Finish>;
    /// See [`Engine::tokens`].
    fn tokens(&self, index: u32) -> &[u32];
}

struct Place {
    generation: u32,
    taken: bool,
}

/// Requests in slots, stepped together.
pub struct Engine {
    vocab: Arc<Vocabulary>,
    backend: Backend,
    capacity: usize,
    places: Vec<Place>,
    free: Vec<u32>,
    slots: Box<dyn Slots>,
}

impl Engine {
    /// An engine with all slots free.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] for no slots or no threads; [`ErrorKind::NoDevice`] if the backend
    /// needs a device that is not there, [`ErrorKind::Device`] if it has not enough memory.
    pub fn new(vocab: Arc<Vocabulary>, options: EngineOptions) -> Result<Self> {
        if options.slots == 0 || options.threads == 0 || options.slots > u32::MAX as usize {
            return Err(Error::new(
                ErrorKind::InvalidParameter,
                "an engine needs at least one slot and one thread",
            ));
        }
        let on_device = |device: Arc<dyn Driver>, backend: Backend| {
            Ok(Engine { backend, ..Self::on_device(vocab.clone(), options.slots, device)? })
        };
        let slots: Box<dyn Slots> = match options.backend {
            Backend::Auto => match Cuda::open(0) {
                Ok(device) => return on_device(Arc::new(device), Backend::Cuda),
                Err(why) => {
                    tracing::info!("no device is used: {why}");
                    return Self::new(vocab, EngineOptions { backend: Backend::Cpu, ..options });
                }
            },
            Backend::Cuda => return on_device(Arc::new(Cuda::open(0)?), Backend::Cuda),
            Backend::Emulated => return on_device(Arc::new(Emulated::new()?), Backend::Emulated),
            Backend::Cpu => Box::new(HostSlots::new(vocab.clone(), Interpreter::Cpu, options.threads)),
            Backend::Reference => {
                Box::new(HostSlots::new(vocab.clone(), Interpreter::Reference, options.threads))
            }
        };
        let backend = options.backend;
        Ok(Engine { vocab, backend, capacity: options.slots, places: Vec::new(), free: Vec::new(), slots })
    }

    /// An engine of `slots` slots on a device of the caller's choice, or on a stream of the caller's.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn on_device(vocab: Arc<Vocabulary>, slots: usize, driver: Arc<dyn Driver>) -> Result<Self> {
        let kept = Box::new(DeviceSlots::new(vocab.clone(), driver, slots)?);
        let (backend, places, free) = (Backend::Cuda, Vec::new(), Vec::new());
        Ok(Engine { vocab, backend, capacity: slots, places, free, slots: kept })
    }

    /// The vocabulary of all requests.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.vocab
    }

    /// What it computes with; [`Backend::Auto`] has been decided.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Number of admitted requests.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether no request is admitted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of requests that can still be admitted.
    pub fn free_slots(&self) -> usize {
        self.capacity - self.len()
    }

    /// Takes a request into a free slot.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] for sampling parameters out of range, a `max_tokens` below
    /// [`crate::Grammar::least_tokens`] or a grammar of another vocabulary; [`ErrorKind::LimitExceeded`]
    /// if all slots are taken.
    pub fn admit(&mut self, request: Request<'_>) -> Result<SlotId> {
        self.place(|slots, index| slots.admit(index, request))
    }

    /// Finds a free place and has it filled.
    fn place(&mut self, fill: impl FnOnce(&mut dyn Slots, u32) -> Result<()>) -> Result<SlotId> {
        if self.free_slots() == 0 {
            let message = format!("all {} slots are taken; retire one first", self.capacity);
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { generation: 0, taken: false });
            self.places.len() as u32 - 1
        });
        if let Err(error) = fill(&mut *self.slots, index) {
            self.free.push(index);
            return Err(error);
        }
        let place = &mut self.places[index as usize];
        place.taken = true;
        Ok(SlotId { index, generation: place.generation })
    }

    fn index(&self, id: SlotId) -> Result<u32> {
        let place = self.places.get(id.index as usize);
        place
            .filter(|p| p.taken && p.generation == id.generation)
            .map(|_| id.index)
            .ok_or_else(|| retired(id))
    }

    /// Frees a slot.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] if it is free already, as every call with such an id.
    pub fn retire(&mut self, id: SlotId) -> Result<()> {
        let index = self.index(id)?;
        self.slots.retire(index);
        let place = &mut self.places[index as usize];
        place.taken = false;
        place.generation += 1;
        self.free.push(index);
        Ok(())
    }

    /// A second request in the same state; it draws the same random numbers from here on.
    ///
    /// # Errors
    /// As [`Engine::admit`] if all slots are taken.
    pub fn clone_slot(&mut self, id: SlotId) -> Result<SlotId> {
        let from = self.index(id)?;
        self.place(|slots, to| slots.copy(from, to))
    }

    /// Samples one token for each row and moves its request on: row i of `logits`, `[rows, width]`, is
    /// for `ids[i]`. The result of a row does not depend on its index or on the other rows.
    ///
    /// # Errors
    /// Per row: [`ErrorKind::NoLegalToken`] if no legal token has a logit above −∞; an id that is retired,
    /// finished or named twice. The request is then as it was. All rows fail if the logits' shape does not
    /// fit.
    pub fn step(&mut self, ids: &[SlotId], logits: &LogitsBatch<'_>) -> Vec<Result<Step>> {
        if logits.rows() != ids.len() || logits.width() != self.vocab.width() {
            let message = format!(
                "the logits are [{}, {}], the batch needs [{}, {}]",
                logits.rows(),
                logits.width(),
                ids.len(),
                self.vocab.width()
            );
            return ids
                .iter()
                .map(|_| Err(Error::new(ErrorKind::InvalidParameter, message.clone())))
                .collect();
        }
        let mut named = vec![false; self.places.len()];
        let first_of = |id: &SlotId| {
            let index = self.index(*id).ok()?;
            (!std::mem::replace(&mut named[index as usize], true)).then_some(index)
        };
        let rows: Vec<Option<u32>> = ids.iter().map(first_of).collect();
        let results = self.slots.step(&rows, logits);
        ids.iter().zip(results).map(|(id, result)| result.unwrap_or_else(|| Err(retired(*id)))).collect()
    }

    /// Moves one request on by a token sampled elsewhere.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalToken`]; the request is then as it was.
    pub fn advance(&mut self, id: SlotId, token: u32) -> Result<()> {
        let index = self.index(id)?;
        self.slots.advance(index, token)
    }

    /// Writes the legal tokens of a request: `[ceil(width / 32)]` words, bit t % 32 of word t / 32 set if
    /// token t is legal, 0 beyond the vocabulary. Every token is legal without a grammar, none after the end.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] if `words` has another length.
    pub fn fill_mask(&mut self, id: SlotId, words: &mut [u32]) -> Result<()> {
        let needed = self.vocab.width().div_ceil(32);
        if words.len() != needed {
            let message = format!("the mask has {} words, it needs {needed}", words.len());
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
        let index = self.index(id)?;
        self.slots.fill_mask(index, words)
    }

    /// Takes back the last `n` tokens, and a stop token after them.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] if there are fewer.
    pub fn rollback(&mut self, id: SlotId, n: usize) -> Result<()> {
        let index = self.index(id)?;
        self.slots.rollback(index, n)
    }

    /// The bytes that must come next whatever is sampled; empty where there is a choice.
    ///
    /// # Errors
    /// Only for an id that is retired.
    pub fn forced(&mut self, id: SlotId) -> Result<Vec<u8>> {
        let index = self.index(id)?;
        self.slots.forced(index)
    }

    /// The length of the longest prefix of `tokens` that could come next. Changes nothing.
    ///
    /// # Errors
    /// Only for an id that is retired.
    pub fn validate_tokens(&mut self, id: SlotId, tokens: &[u32]) -> Result<usize> {
        let index = self.index(id)?;
        self.slots.validate(index, tokens)
    }

    /// Whether the output so far satisfies the grammar (always, without one).
    ///
    /// # Errors
    /// Only for an id that is retired.
    pub fn is_complete(&self, id: SlotId) -> Result<bool> {
        self.slots.is_complete(self.index(id)?)
    }

    /// How the output ended, if it has.
    ///
    /// # Errors
    /// Only for an id that is retired.
    pub fn finish(&self, id: SlotId) -> Result<Option<Finish>> {
        Ok(self.slots.finish(self.index(id)?))
    }

    /// The output's tokens so far, stop tokens excluded.
    ///
    /// # Errors
    /// Only for an id that is retired.
    pub fn tokens(&self, id: SlotId) -> Result<&[u32]> {
        Ok(self.slots.tokens(self.index(id)?))
    }
}

fn retired(id: SlotId) -> Error {
    let message = format!("slot {} is retired, or named twice in one batch", id.index);
    Error::new(ErrorKind::InvalidParameter, message)
}
