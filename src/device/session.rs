//! Requests on a device: their slots, grammars and legal sets, and the steps of a batch.
//!
//! Everything is allocated when a session is made; admitting a request copies its line and, if they are not there
//! yet, its grammar's tables. A step queues launches and waits for nothing, so it can be captured in a graph
//! together with the model's own work:
//!
//! ```text
//! admit ─► place_rows ─► ┌ legal (a branch under the model's forward pass) ┐ ─► step ─► results
//!                        └ …                                               ┘
//! ```

use std::sync::Arc;

use bytemuck::{Zeroable, cast_slice, cast_slice_mut};

use super::adjust;
use super::advance::{self, SlotRows};
use super::arena::{Arena, ArenaUse};
use super::draft::{self, Draft, MAX_NODES};
use super::driver::{Buffer, Driver};
use super::layout::{
    FLAG_LOGPROB, FLAG_TOP_SHIFT, INACTIVE, Level, NO_LIMIT, RowResult, Slot, TOP_MAX, TopToken, slot_status,
};
use super::legal::{self, DEFAULT_PARTS, DEFAULT_POOL, LegalSets, WalkMemory};
use super::masks;
use super::sample::{DeviceLogits, MAX_ROWS, Spread};
use super::slots::{SlotMemory, holds};
use super::step::{self, StepMemory, StepSlots};
use super::vocabulary::DeviceVocabulary;
use crate::error::{Error, ErrorKind, Result};
use crate::sampling::{SamplingParams, TokenCounts};
use crate::table::Grammar;
use crate::vocab::Vocabulary;

/// Bytes that `forced` reports at most.
const MAX_FORCED: usize = 4096;
/// Blocks of a walk that run on one multiprocessor at a time, by their shared memory.
const WALKS_PER_SM: u32 = 6;
/// Blocks of sampling, likewise.
const SAMPLES_PER_SM: u32 = 4;

/// Sizes of a session's memory.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// Requests at a time.
    pub slots: usize,
    /// Greatest depth of any grammar.
    pub max_depth: usize,
    /// Tokens of a request that [`Session::rollback`] can take back.
    pub history: usize,
    /// Bytes for grammars' tables.
    pub grammar_bytes: usize,
}

impl Default for SessionOptions {
    fn default() -> Self {
        SessionOptions { slots: 256, max_depth: 128, history: 16, grammar_bytes: 64 << 20 }
    }
}

/// A request as a slot takes it.
#[derive(Clone, Debug)]
pub struct SlotRequest<'a> {
    /// What the output must match; `None` for free text.
    pub grammar: Option<&'a Arc<Grammar>>,
    /// Valid for the vocabulary's width.
    pub params: &'a SamplingParams,
    /// Of the prompt, and of the output if the request is taken up again.
    pub counts: &'a TokenCounts,
    /// Tokens of the prompt.
    pub prompt_len: u64,
    /// Greatest number of output tokens.
    pub max_tokens: Option<u32>,
    /// See [`crate::sampling::stream`].
    pub stream: u32,
}

/// What a slot keeps alive.
#[derive(Default)]
struct Held {
    grammar: Option<Arc<Grammar>>,
    adjust: Option<Buffer>,
}

/// See the module's text.
pub struct Session {
    driver: Arc<dyn Driver>,
    vocab: DeviceVocabulary,
    arena: Arena,
    slots: SlotMemory,
    sets: LegalSets,
    walks: WalkMemory,
    memory: StepMemory,
    /// u32 `[MAX_ROWS]` each: the slots of the rows placed, those of another call, what it is given and answers.
    rows: Buffer,
    others: Buffer,
    given: Buffer,
    answers: Buffer,
    held: Vec<Held>,
    /// Rows placed last.
    placed: usize,
    resident: u32,
}

impl Session {
    /// Uploads the vocabulary and allocates everything.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] for sizes out of range, [`ErrorKind::Device`] if the device has not enough
    /// memory.
    pub fn new(driver: Arc<dyn Driver>, vocab: &Vocabulary, options: &SessionOptions) -> Result<Self> {
        let d = &*driver;
        let multiprocessors = d.description().multiprocessors.max(1);
        let vocab = DeviceVocabulary::new(d, vocab)?;
        let slots = SlotMemory::new(d, options.slots, options.max_depth, options.history)?;
        let sets = LegalSets::new(d, options.slots, &vocab)?;
        let walks = WalkMemory::new(d, multiprocessors * WALKS_PER_SM, DEFAULT_POOL, options.max_depth)?;
        let memory = StepMemory::new(d, MAX_ROWS.min(options.slots), vocab.width(), true)?;
        let words = MAX_ROWS.max(MAX_NODES) * 4;
        Ok(Session {
            arena: Arena::new(driver.clone(), options.grammar_bytes)?,
            rows: driver.alloc(words)?,
            others: driver.alloc(words)?,
            placed: 0,
            given: driver.alloc(words)?,
            answers: driver.alloc(words)?,
            held: (0..options.slots).map(|_| Held::default()).collect(),
            resident: multiprocessors * SAMPLES_PER_SM,
            driver,
            vocab,
            slots,
            sets,
            walks,
            memory,
        })
    }

    /// The device.
    pub fn driver(&self) -> &Arc<dyn Driver> {
        &self.driver
    }

    /// Logits per row.
    pub fn width(&self) -> usize {
        self.vocab.width()
    }

    /// Most rows of a step.
    pub fn max_rows(&self) -> usize {
        self.memory.rows()
    }

    /// Bytes of device memory: the vocabulary's, the grammars', and all slots' together.
    pub fn bytes(&self) -> (usize, ArenaUse, usize) {
        (self.vocab.bytes(), self.arena.usage(), self.slots.bytes() + self.sets.bytes() + self.walks.bytes())
    }

    /// Takes a request into a slot, in place of whatever is there.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] for a slot that is not there, a grammar of another vocabulary or one deeper than
    /// the slots; [`ErrorKind::LimitExceeded`] if its tables do not fit beside those in use. The slot is then free.
    pub fn admit(&mut self, slot: usize, request: &SlotRequest<'_>) -> Result<()> {
        self.retire(slot)?;
        if let Some(grammar) = request.grammar {
            if grammar.header().vocabulary != self.vocab.fingerprint() {
                let message =
                    "the grammar was compiled for another vocabulary; compile the schema for this one";
                return Err(Error::new(ErrorKind::InvalidParameter, message));
            }
            if grammar.max_depth() > self.slots.max_levels() {
                let message = format!(
                    "the grammar nests up to {} levels, the slots have room for {}; compile it with a lower max_depth",
                    grammar.max_depth(),
                    self.slots.max_levels()
                );
                return Err(Error::new(ErrorKind::InvalidParameter, message));
            }
        }
        let mut held = Held::default();
        if adjust::is_needed(request.params) {
            let further = request.max_tokens.map_or(usize::MAX, |max| max as usize);
            let block = adjust::block(request.params, request.counts, self.vocab.width(), further)?;
            let buffer = self.driver.alloc(block.len())?;
            self.driver.upload(&buffer, 0, &block)?;
            held.adjust = Some(buffer);
        }
        let address = request.grammar.map(|grammar| self.arena.acquire(grammar)).transpose()?;
        held.grammar = request.grammar.cloned();
        let line = Slot {
            grammar: address.unwrap_or(0),
            seed: request.params.seed,
            position: request.prompt_len,
            adjust: held.adjust.as_ref().map_or(0, Buffer::address),
            state: request.grammar.map_or(0, |grammar| grammar.header().start),
            budget: request.max_tokens.unwrap_or(NO_LIMIT),
            stream: request.stream,
            status: slot_status::RUNNING,
            params: request.params.row_params(),
            flags: (u32::from(request.params.logprobs) * FLAG_LOGPROB)
                | (u32::from(request.params.top_logprobs) << FLAG_TOP_SHIFT),
            ..Slot::zeroed()
        };
        // What the slot refers to is kept before it is written.
        self.held[slot] = held;
        // SAFETY: the grammar was checked when it was compiled or loaded, for this vocabulary and these levels, and lies
        // whole at `address` until it is released, which `retire` does after the line is cleared; the block of
        // adjustments was made for this width and is held as long. There is no history yet.
        let written = unsafe { self.slots.write(&*self.driver, slot, &line, &[]) };
        if written.is_err() {
            self.forget(slot);
        }
        written
    }

    /// Frees a slot; it may be free already.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] for a slot that is not there.
    pub fn retire(&mut self, slot: usize) -> Result<()> {
        // SAFETY: a free line refers to nothing.
        unsafe { self.slots.write(&*self.driver, slot, &Slot::zeroed(), &[])? };
        self.forget(slot);
        Ok(())
    }

    fn forget(&mut self, slot: usize) {
        if let Some(grammar) = std::mem::take(&mut self.held[slot]).grammar {
            self.arena.release(&grammar);
        }
    }

    /// Makes slot `to` a copy of slot `from`, but that none of its tokens can be taken back.
    ///
    /// # Errors
    /// As [`Session::admit`].
    pub fn copy(&mut self, from: usize, to: usize) -> Result<()> {
        if from == to {
            return self.slots.read(&*self.driver, from).map(|_| ());
        }
        let (mut line, levels) = self.slots.read(&*self.driver, from)?;
        self.retire(to)?;
        let mut held = Held::default();
        if let Some(block) = &self.held[from].adjust {
            let copy = self.driver.alloc(block.len())?;
            self.driver.copy(&copy, 0, block, 0, block.len())?;
            line.adjust = copy.address();
            held.adjust = Some(copy);
        }
        if let Some(grammar) = self.held[from].grammar.clone() {
            line.grammar = self.arena.acquire(&grammar)?;
            held.grammar = Some(grammar);
        }
        line.history = 0;
        self.held[to] = held;
        // SAFETY: as in `admit`; state and levels were those of the same grammar.
        let written = unsafe { self.slots.write(&*self.driver, to, &line, &levels) };
        if written.is_err() {
            self.forget(to);
        }
        written
    }

    /// Says which slot each row of the next launches is for; [`INACTIVE`] for none.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] for too many rows, a slot that is not there or one named twice.
    pub fn place_rows(&mut self, rows: &[u32]) -> Result<()> {
        self.check_slots(rows)?;
        self.placed = 0;
        self.driver.upload(&self.rows, 0, cast_slice(rows))?;
        self.placed = rows.len();
        Ok(())
    }

    fn check_slots(&self, rows: &[u32]) -> Result<()> {
        let refuse = |message: String| Err(Error::new(ErrorKind::InvalidParameter, message));
        if rows.len() > self.memory.rows() {
            return refuse(format!("{} rows; a step takes at most {}", rows.len(), self.memory.rows()));
        }
        let mut named = vec![false; self.held.len()];
        for &row in rows.iter().filter(|&&row| row != INACTIVE) {
            match named.get_mut(row as usize) {
                Some(named) if !*named => *named = true,
                Some(_) => return refuse(format!("slot {row} stands in two rows")),
                None => return refuse(format!("there is no slot {row}")),
            }
        }
        Ok(())
    }

    /// The rows of a call that leaves those placed alone.
    fn other_rows(&self, rows: &[u32]) -> Result<SlotRows<'_>> {
        self.check_slots(rows)?;
        self.driver.upload(&self.others, 0, cast_slice(rows))?;
        Ok(SlotRows { slots: &self.slots, vocab: &self.vocab, rows: &self.others, count: rows.len() })
    }

    /// Queues the making of every slot's legal set, for the next [`Session::step`] or [`Session::fill_bitmask`].
    ///
    /// # Errors
    /// What the driver says.
    pub fn legal(&self) -> Result<()> {
        legal::legal(&*self.driver, &self.slots, &self.vocab, &self.sets, &self.walks, DEFAULT_PARTS)
    }

    /// Queues a step of the rows placed: samples a token for each from its legal set and moves its slot on.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] if the logits do not fit; what the driver says.
    pub fn step(&self, logits: &DeviceLogits) -> Result<()> {
        self.check_rows(logits.rows())?;
        let spread = Spread::new(logits.rows(), logits.width(), self.resident);
        step::step(&*self.driver, logits, self.step_slots(), &self.memory, spread)
    }

    /// As [`Session::legal`] and [`Session::step`] in one launch, for the rows' slots alone.
    ///
    /// # Errors
    /// As [`Session::step`].
    pub fn step_whole(&self, logits: &DeviceLogits) -> Result<()> {
        self.check_rows(logits.rows())?;
        step::step_whole(&*self.driver, logits, self.step_slots(), &self.walks, &self.memory)
    }

    fn check_rows(&self, rows: usize) -> Result<()> {
        if rows <= self.placed {
            return Ok(());
        }
        let message = format!("{rows} rows, but {} were placed", self.placed);
        Err(Error::new(ErrorKind::InvalidParameter, message))
    }

    fn step_slots(&self) -> StepSlots<'_> {
        StepSlots { slots: &self.slots, vocab: &self.vocab, sets: &self.sets, rows: &self.rows }
    }

    /// [`RowResult`] `[rows]` on the device, for who reads it there.
    pub fn results_buffer(&self) -> &Buffer {
        self.memory.results()
    }

    /// Waits for the last step and returns the results of its first `rows` rows.
    ///
    /// # Errors
    /// What the driver says, also of the step.
    pub fn results(&self, rows: usize) -> Result<Vec<RowResult>> {
        let mut results = vec![RowResult::zeroed(); rows];
        self.driver.download(self.memory.results(), 0, cast_slice_mut(&mut results))?;
        Ok(results)
    }

    /// The likeliest tokens of a row of the last step, as many as its slot asked for.
    ///
    /// # Errors
    /// What the driver says.
    pub fn tops(&self, row: usize) -> Result<Vec<TopToken>> {
        let mut tops = vec![TopToken::zeroed(); TOP_MAX];
        let buffer = self.memory.tops().expect("made with likeliest tokens");
        self.driver.download(buffer, row * TOP_MAX * size_of::<TopToken>(), cast_slice_mut(&mut tops))?;
        tops.retain(|top| top.token != INACTIVE);
        Ok(tops)
    }

    /// Moves slots on by tokens sampled elsewhere; a [`verdict`](advance::verdict) for each.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] for slots that are not there or named twice; what the driver says.
    pub fn advance(&mut self, rows: &[u32], tokens: &[u32]) -> Result<Vec<u32>> {
        self.given_and_answered(rows, tokens, advance::advance)
    }

    /// Takes back each slot's last tokens; a [`verdict`](advance::verdict) for each.
    ///
    /// # Errors
    /// As [`Session::advance`].
    pub fn rollback(&mut self, rows: &[u32], counts: &[u32]) -> Result<Vec<u32>> {
        self.given_and_answered(rows, counts, advance::rollback)
    }

    fn given_and_answered(
        &mut self,
        rows: &[u32],
        given: &[u32],
        launch: impl Fn(&dyn Driver, SlotRows<'_>, &Buffer, &Buffer) -> Result<()>,
    ) -> Result<Vec<u32>> {
        if rows.len() != given.len() {
            let message = format!("{} rows and {} numbers for them", rows.len(), given.len());
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
        let others = self.other_rows(rows)?;
        self.driver.upload(&self.given, 0, cast_slice(given))?;
        launch(&*self.driver, others, &self.given, &self.answers)?;
        let mut answers = vec![0u32; rows.len()];
        self.driver.download(&self.answers, 0, cast_slice_mut(&mut answers))?;
        Ok(answers)
    }

    /// The bytes that must come next in a slot.
    ///
    /// # Errors
    /// As [`Session::advance`].
    pub fn forced(&mut self, slot: u32) -> Result<Vec<u8>> {
        let others = self.other_rows(&[slot])?;
        let bytes = self.driver.alloc(MAX_FORCED)?;
        advance::forced(&*self.driver, others, &bytes, &self.answers, MAX_FORCED)?;
        let mut length = [0u32];
        self.driver.download(&self.answers, 0, cast_slice_mut(&mut length))?;
        let mut forced = vec![0; (length[0] as usize).min(MAX_FORCED)];
        self.driver.download(&bytes, 0, &mut forced)?;
        Ok(forced)
    }

    /// How many of at most [`MAX_NODES`] tokens, from the first on, could come next in a slot. Changes nothing.
    ///
    /// # Errors
    /// As [`Session::advance`], and for too many tokens.
    pub fn validate(&mut self, slot: u32, tokens: &[u32]) -> Result<usize> {
        let others = self.other_rows(&[slot])?;
        if tokens.is_empty() {
            return Ok(0);
        }
        let counts = self.driver.alloc(4)?;
        self.driver.upload(&counts, 0, cast_slice(&[tokens.len() as u32]))?;
        holds("draft tokens", &self.given, 4 * tokens.len())?;
        self.driver.upload(&self.given, 0, cast_slice(tokens))?;
        let draft = Draft {
            nodes: tokens.len(),
            counts: &counts,
            tokens: &self.given,
            parents: None,
            verdicts: &self.answers,
            sets: None,
        };
        draft::verify_draft(&*self.driver, others, &draft, &self.walks)?;
        let mut verdicts = vec![0u32; tokens.len()];
        self.driver.download(&self.answers, 0, cast_slice_mut(&mut verdicts))?;
        Ok(verdicts.iter().take_while(|&&v| v == advance::verdict::OK).count())
    }

    /// Queues the writing of the placed rows' masks: u32 `[rows][stride]`, bit t % 32 of word t / 32 for token t. The
    /// sets must have been made by [`Session::legal`].
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] for shapes that do not fit; what the driver says.
    pub fn fill_bitmask(&self, rows: usize, out: &Buffer, stride: usize) -> Result<()> {
        self.check_rows(rows)?;
        masks::fill_bitmask(&*self.driver, &self.vocab, &self.sets, &self.rows, rows, out, stride)
    }

    /// A slot's line and its open levels.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] for a slot that is not there.
    pub fn read(&self, slot: usize) -> Result<(Slot, Vec<Level>)> {
        self.slots.read(&*self.driver, slot)
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("driver", &self.driver).field("slots", &self.slots.count()).finish()
    }
}
