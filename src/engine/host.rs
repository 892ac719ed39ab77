//! Requests kept in the host's memory: the `cpu` and the `reference` backend.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use rustc_hash::FxHashMap;

use super::batch::{Finish, Slots, Step};
use super::slot::{Request, Scratch, Slot};
use crate::cpu::{Program, VocabTables};
use crate::error::Result;
use crate::sampling::LogitsBatch;
use crate::table::Grammar;
use crate::vocab::Vocabulary;

/// What reads the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interpreter {
    /// [`crate::cpu`].
    Cpu,
    /// [`crate::reference`].
    Reference,
}

/// Requests by index, and the buffers that their rows take turns in.
pub(super) struct HostSlots {
    vocab: Arc<Vocabulary>,
    interpreter: Interpreter,
    slots: Vec<Option<Box<Slot>>>,
    scratch: Vec<Scratch>,
    /// Grammars in use made ready, by their address, which each keeps from being used again.
    programs: FxHashMap<usize, Weak<Program>>,
    /// Some that may be asked for again, the last one first, so that what has been found out about them stays.
    recent: VecDeque<Arc<Program>>,
}

/// Programs kept when no request uses them, at most.
const RECENT_PROGRAMS: usize = 64;
/// Bytes of the tables of all of them, at most; the last one is kept whatever its size.
const RECENT_BYTES: usize = 16 << 20;

impl HostSlots {
    pub fn new(vocab: Arc<Vocabulary>, interpreter: Interpreter, threads: usize) -> Self {
        let tables = Arc::new(VocabTables::new(vocab.clone()));
        if interpreter == Interpreter::Cpu {
            // Built once a vocabulary; no request's first mask should be charged for it.
            tables.warm_up();
        }
        HostSlots {
            scratch: (0..threads).map(|_| Scratch::new(tables.clone())).collect(),
            vocab,
            interpreter,
            slots: Vec::new(),
            programs: FxHashMap::default(),
            recent: VecDeque::new(),
        }
    }

    fn program(&mut self, grammar: &Arc<Grammar>) -> Arc<Program> {
        let address = Arc::as_ptr(grammar) as usize;
        if let Some(program) = self.programs.get(&address).and_then(Weak::upgrade) {
            self.keep(program.clone());
            return program;
        }
        self.programs.retain(|_, program| program.strong_count() > 0);
        let program = Arc::new(Program::new(grammar.clone()));
        self.programs.insert(address, Arc::downgrade(&program));
        self.keep(program.clone());
        program
    }

    /// Makes a program the one asked for last.
    fn keep(&mut self, program: Arc<Program>) {
        self.recent.retain(|kept| !Arc::ptr_eq(kept, &program));
        self.recent.push_front(program);
        let mut bytes = 0;
        let fitting = self.recent.iter().take(RECENT_PROGRAMS).take_while(|program| {
            bytes += program.grammar().as_bytes().len();
            bytes <= RECENT_BYTES
        });
        let n = fitting.count().max(1);
        self.recent.truncate(n);
    }

    fn slot(&self, index: u32) -> &Slot {
        self.slots[index as usize].as_deref().expect("indices are of admitted requests")
    }

    fn slot_mut(&mut self, index: u32) -> &mut Slot {
        self.slots[index as usize].as_deref_mut().expect("indices are of admitted requests")
    }

    fn put(&mut self, index: u32, slot: Box<Slot>) {
        if self.slots.len() <= index as usize {
            self.slots.resize_with(index as usize + 1, || None);
        }
        self.slots[index as usize] = Some(slot);
    }
}

impl Slots for HostSlots {
    fn admit(&mut self, index: u32, request: Request<'_>) -> Result<()> {
        let program = request.grammar.as_ref().map(|grammar| self.program(grammar));
        let slot = Slot::new(request, program.as_ref(), &self.vocab, self.interpreter)?;
        self.put(index, Box::new(slot));
        Ok(())
    }

    fn retire(&mut self, index: u32) {
        self.slots[index as usize] = None;
    }

    fn copy(&mut self, from: u32, to: u32) -> Result<()> {
        let slot = Box::new(self.slot(from).clone());
        self.put(to, slot);
        Ok(())
    }

    fn step(&mut self, rows: &[Option<u32>], logits: &LogitsBatch<'_>) -> Vec<Option<Result<Step>>> {
        // Each slot is taken out for the step, so that rows can go to threads.
        let mut taken: Vec<Option<Box<Slot>>> =
            rows.iter().map(|row| row.and_then(|index| self.slots[index as usize].take())).collect();
        let mut results: Vec<Option<Result<Step>>> = rows.iter().map(|_| None).collect();
        let threads = self.scratch.len().min(rows.len()).max(1);
        let share = rows.len().div_ceil(threads).max(1);
        let (vocab, interpreter) = (&*self.vocab, self.interpreter);
        let run = |first: usize,
                   slots: &mut [Option<Box<Slot>>],
                   out: &mut [Option<Result<Step>>],
                   scratch: &mut Scratch| {
            for (i, (slot, out)) in slots.iter_mut().zip(out).enumerate() {
                *out = slot.as_deref_mut().map(|slot| {
                    let row = logits.row(first + i).expect("rows were counted by the caller");
                    slot.step(vocab, row, interpreter, scratch)
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
        for (row, slot) in rows.iter().zip(taken) {
            if let (Some(index), Some(slot)) = (row, slot) {
                self.slots[*index as usize] = Some(slot);
            }
        }
        results
    }

    fn advance(&mut self, index: u32, token: u32) -> Result<()> {
        let vocab = self.vocab.clone();
        self.slot_mut(index).advance(&vocab, token)
    }

    fn fill_mask(&mut self, index: u32, words: &mut [u32]) -> Result<()> {
        let slot = self.slots[index as usize].as_deref().expect("indices are of admitted requests");
        if slot.finish().is_some() {
            words.fill(0);
        } else if !slot.fill_mask(&mut self.scratch[0], words) {
            words.fill(u32::MAX);
            let width = self.vocab.width();
            if !width.is_multiple_of(32) {
                words[width / 32] = (1 << (width % 32)) - 1;
            }
        }
        Ok(())
    }

    fn rollback(&mut self, index: u32, n: usize) -> Result<()> {
        let vocab = self.vocab.clone();
        self.slot_mut(index).rollback(&vocab, n)
    }

    fn forced(&mut self, index: u32) -> Result<Vec<u8>> {
        Ok(self.slot(index).forced())
    }

    fn validate(&mut self, index: u32, tokens: &[u32]) -> Result<usize> {
        Ok(self.slot(index).validate(&self.vocab, tokens))
    }

    fn is_complete(&self, index: u32) -> Result<bool> {
        Ok(self.slot(index).is_complete())
    }

    fn finish(&self, index: u32) -> Option<Finish> {
        self.slot(index).finish()
    }

    fn tokens(&self, index: u32) -> &[u32] {
        self.slot(index).tokens()
    }
}
