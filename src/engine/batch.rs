//! Slots and batches.

use std::sync::{Arc, Weak};

use rustc_hash::FxHashMap;

use super::slot::{Backend, Request, Scratch, Slot};
use crate::cpu::{Program, VocabTables};
use crate::error::{Error, ErrorKind, Result};
use crate::sampling::LogitsBatch;
use crate::table::Grammar;
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

struct Place {
    generation: u32,
    slot: Option<Box<Slot>>,
}

/// Requests in slots, stepped together.
pub struct Engine {
    vocab: Arc<Vocabulary>,
    options: EngineOptions,
    places: Vec<Place>,
    free: Vec<u32>,
    scratch: Vec<Scratch>,
    /// Grammars in use made ready, by their address, which each keeps from being used again.
    programs: FxHashMap<usize, Weak<Program>>,
}

impl Engine {
    /// An engine with all slots free.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] for no slots or no threads.
    pub fn new(vocab: Arc<Vocabulary>, options: EngineOptions) -> Result<Self> {
        if options.slots == 0 || options.threads == 0 || options.slots > u32::MAX as usize {
            return Err(Error::new(
                ErrorKind::InvalidParameter,
                "an engine needs at least one slot and one thread",
            ));
        }
        let tables = Arc::new(VocabTables::new(vocab.clone()));
        if options.backend == Backend::Cpu {
            // Built once a vocabulary; no request's first mask should be charged for it.
            tables.warm_up();
        }
        let scratch = (0..options.threads).map(|_| Scratch::new(tables.clone())).collect();
        let programs = FxHashMap::default();
        Ok(Engine { vocab, options, places: Vec::new(), free: Vec::new(), scratch, programs })
    }

    /// The vocabulary of all requests.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.vocab
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
        self.options.slots - self.len()
    }

    /// Takes a request into a free slot.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] for sampling parameters out of range, a `max_tokens` below
    /// [`crate::Grammar::least_tokens`] or a grammar of another vocabulary; [`ErrorKind::LimitExceeded`]
    /// if all slots are taken.
    pub fn admit(&mut self, request: Request<'_>) -> Result<SlotId> {
        self.check_free()?;
        let program = request.grammar.as_ref().map(|grammar| self.program(grammar));
        let slot = Slot::new(request, program.as_ref(), &self.vocab, self.options.backend)?;
        Ok(self.place(slot))
    }

    fn program(&mut self, grammar: &Arc<Grammar>) -> Arc<Program> {
        let address = Arc::as_ptr(grammar) as usize;
        if let Some(program) = self.programs.get(&address).and_then(Weak::upgrade) {
            return program;
        }
        self.programs.retain(|_, program| program.strong_count() > 0);
        let program = Arc::new(Program::new(grammar.clone()));
        self.programs.insert(address, Arc::downgrade(&program));
        program
    }

    fn check_free(&self) -> Result<()> {
        if self.free_slots() == 0 {
            let message = format!("all {} slots are taken; retire one first", self.options.slots);
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        Ok(())
    }

    fn place(&mut self, slot: Slot) -> SlotId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { generation: 0, slot: None });
            self.places.len() as u32 - 1
        });
        let place = &mut self.places[index as usize];
        place.slot = Some(Box::new(slot));
        SlotId { index, generation: place.generation }
    }

    fn slot(&self, id: SlotId) -> Result<&Slot> {
        let place = self.places.get(id.index as usize).filter(|p| p.generation == id.generation);
        place.and_then(|p| p.slot.as_deref()).ok_or_else(|| retired(id))
    }

    fn slot_mut(&mut self, id: SlotId) -> Result<&mut Slot> {
        let place = self.places.get_mut(id.index as usize).filter(|p| p.generation == id.generation);
        place.and_then(|p| p.slot.as_deref_mut()).ok_or_else(|| retired(id))
    }

    /// Frees a slot.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] if it is free already, as every call with such an id.
    pub fn retire(&mut self, id: SlotId) -> Result<()> {
        self.slot(id)?;
        let place = &mut self.places[id.index as usize];
        place.slot = None;
        place.generation += 1;
        self.free.push(id.index);
        Ok(())
    }

    /// A second request in the same state; it draws the same random numbers from here on.
    ///
    /// # Errors
    /// As [`Engine::admit`] if all slots are taken.
    pub fn clone_slot(&mut self, id: SlotId) -> Result<SlotId> {
        self.slot(id)?;
        self.check_free()?;
        let slot = self.slot(id)?.clone();
        Ok(self.place(slot))
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
        // Each slot is taken out for the step, so that rows can go to threads; a second row for the same
        // slot does not find it.
        let mut taken: Vec<Option<Box<Slot>>> = ids
            .iter()
            .map(|id| {
                let place = self.places.get_mut(id.index as usize).filter(|p| p.generation == id.generation);
                place.and_then(|p| p.slot.take())
            })
            .collect();
        let mut results: Vec<Option<Result<Step>>> = ids.iter().map(|_| None).collect();
        let threads = self.scratch.len().min(ids.len()).max(1);
        let share = ids.len().div_ceil(threads).max(1);
        let (vocab, backend) = (&*self.vocab, self.options.backend);
        let run = |first: usize,
                   slots: &mut [Option<Box<Slot>>],
                   out: &mut [Option<Result<Step>>],
                   scratch: &mut Scratch| {
            for (i, (slot, out)) in slots.iter_mut().zip(out).enumerate() {
                *out = slot.as_deref_mut().map(|slot| {
                    let row = logits.row(first + i).expect("rows were counted above");
                    slot.step(vocab, row, backend, scratch)
                });
            }
        };
        if threads == 1 {
            run(0, &mut taken, &mut results, &mut self.scratch[0]);
        } else {
            std::thread::scope(|scope| {
                let parts = taken.chunks_mut(share).zip(results.chunks_mut(share)).zip(&mut self.scratch);
                for (i, ((slots, out), scratch)) in parts.enumerate() {
                    let run = &run;
                    scope.spawn(move || run(i * share, slots, out, scratch));
                }
            });
        }
        let mut steps = Vec::with_capacity(ids.len());
        for ((id, slot), result) in ids.iter().zip(taken).zip(results) {
            if let Some(slot) = slot {
                self.places[id.index as usize].slot = Some(slot);
            }
            steps.push(result.unwrap_or_else(|| Err(retired(*id))));
        }
        steps
    }

    /// Moves one request on by a token sampled elsewhere.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalToken`]; the request is then as it was.
    pub fn advance(&mut self, id: SlotId, token: u32) -> Result<()> {
        let vocab = self.vocab.clone();
        self.slot_mut(id)?.advance(&vocab, token)
    }

    /// Writes the legal tokens of a request: `[ceil(width / 32)]` words, bit t % 32 of word t / 32 set if
    /// token t is legal, 0 beyond the vocabulary. All ones for a request without a grammar.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] if `words` has another length.
    pub fn fill_mask(&mut self, id: SlotId, words: &mut [u32]) -> Result<()> {
        let width = self.vocab.width();
        if words.len() != width.div_ceil(32) {
            let message = format!("the mask has {} words, it needs {}", words.len(), width.div_ceil(32));
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
        let place = self.places.get(id.index as usize).filter(|p| p.generation == id.generation);
        let slot = place.and_then(|p| p.slot.as_deref()).ok_or_else(|| retired(id))?;
        if !slot.fill_mask(&mut self.scratch[0], words) {
            words.fill(u32::MAX);
            if !width.is_multiple_of(32) {
                words[width / 32] = (1 << (width % 32)) - 1;
            }
        }
        Ok(())
    }

    /// Takes back the last `n` tokens, and a stop token after them.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] if there are fewer.
    pub fn rollback(&mut self, id: SlotId, n: usize) -> Result<()> {
        let vocab = self.vocab.clone();
        self.slot_mut(id)?.rollback(&vocab, n)
    }

    /// The bytes that must come next whatever is sampled; empty where there is a choice.
    ///
    /// # Errors
    /// Only for an id that is retired.
    pub fn forced(&self, id: SlotId) -> Result<Vec<u8>> {
        Ok(self.slot(id)?.forced())
    }

    /// The length of the longest prefix of `tokens` that could come next. Changes nothing.
    ///
    /// # Errors
    /// Only for an id that is retired.
    pub fn validate_tokens(&self, id: SlotId, tokens: &[u32]) -> Result<usize> {
        Ok(self.slot(id)?.validate(&self.vocab, tokens))
    }

    /// Whether the output so far satisfies the grammar (always, without one).
    ///
    /// # Errors
    /// Only for an id that is retired.
    pub fn is_complete(&self, id: SlotId) -> Result<bool> {
        Ok(self.slot(id)?.is_complete())
    }

    /// How the output ended, if it has.
    ///
    /// # Errors
    /// Only for an id that is retired.
    pub fn finish(&self, id: SlotId) -> Result<Option<Finish>> {
        Ok(self.slot(id)?.finish())
    }

    /// The output's tokens so far, stop tokens excluded.
    ///
    /// # Errors
    /// Only for an id that is retired.
    pub fn tokens(&self, id: SlotId) -> Result<&[u32]> {
        Ok(self.slot(id)?.tokens())
    }
}

fn retired(id: SlotId) -> Error {
    let message = format!("slot {} is retired, or named twice in one batch", id.index);
    Error::new(ErrorKind::InvalidParameter, message)
}
