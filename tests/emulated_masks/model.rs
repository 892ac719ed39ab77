//! A slot as the specification has it.

use warpgrammar::device::advance::verdict;
use warpgrammar::device::layout::{Level, NO_LIMIT, Slot, slot_status};
use warpgrammar::reference::Configuration;
use warpgrammar::table::Grammar;
use warpgrammar::vocab::Vocabulary;

use super::device::KEEP;

/// What `engine/slot.rs` keeps of a request, over the reference's configurations.
#[derive(Clone)]
pub struct Model {
    pub grammar: usize,
    pub c: Configuration,
    pub budget: Option<u64>,
    pub status: u32,
    pub output: u32,
    /// Before each of the last tokens.
    pub history: Vec<(Configuration, Option<u64>)>,
}

impl Model {
    pub fn new(grammar: usize, g: &Grammar, budget: Option<u64>) -> Model {
        let c = Configuration::start(g);
        Model { grammar, c, budget, status: slot_status::RUNNING, output: 0, history: Vec::new() }
    }

    pub fn advance(&mut self, g: &Grammar, vocab: &Vocabulary, token: u32) -> u32 {
        if self.status != slot_status::RUNNING {
            return verdict::NOT_RUNNING;
        }
        let Some(next) = self.c.after_token(g, vocab, token, self.budget) else { return verdict::ILLEGAL };
        if vocab.is_stop(token) {
            self.status = slot_status::STOPPED;
            return verdict::OK;
        }
        if self.history.len() == KEEP {
            self.history.remove(0);
        }
        self.history.push((std::mem::replace(&mut self.c, next), self.budget));
        self.budget = self.budget.map(|left| left - 1);
        self.output += 1;
        let used_up = self.budget == Some(0);
        let at_end = || !(0..=255u8).any(|b| self.c.clone().read(g, b));
        if self.c.is_complete(g) && (used_up || at_end()) {
            self.status = slot_status::COMPLETE;
        } else if used_up {
            self.status = slot_status::LENGTH;
        }
        verdict::OK
    }

    pub fn rollback(&mut self, n: usize) -> u32 {
        let Some(at) = self.history.len().checked_sub(n) else { return verdict::ILLEGAL };
        if let Some((c, budget)) = self.history.get(at) {
            (self.c, self.budget) = (c.clone(), *budget);
        }
        self.history.truncate(at);
        self.output -= n as u32;
        // Without a token taken back, an output at its end is still there.
        if n > 0 || self.status == slot_status::STOPPED {
            self.status = slot_status::RUNNING;
        }
        verdict::OK
    }

    /// What the device must hold. `position` is the prompt's length.
    pub fn slot(&self, grammar: u64, position: u64) -> (Slot, Vec<Level>) {
        let levels: Vec<Level> = self
            .c
            .stack
            .iter()
            .map(|l| Level { seen: l.seen, site: l.site, count: l.count, cost: l.cost, below: 0 })
            .collect();
        let slot = Slot {
            grammar,
            seen: self.c.seen,
            owed: levels.iter().map(|l| u64::from(l.cost)).sum(),
            position: position + u64::from(self.output),
            state: self.c.state,
            count: self.c.count,
            spaces: self.c.spaces,
            depth: levels.len() as u32,
            budget: self.budget.map_or(NO_LIMIT, |b| b as u32),
            status: self.status,
            output: self.output,
            history: self.history.len() as u32,
            ..bytemuck::Zeroable::zeroed()
        };
        (slot, levels)
    }
}
