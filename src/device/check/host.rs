//! What a device's slots are compared with: the same requests on the CPU, and on the reference where the vocabulary
//! is small, each compared with the other first.

use std::sync::Arc;

use super::differs;
use super::random::{self, Random};
use super::worlds::World;
use crate::device::layout::{
    FLAG_LOGPROB, FLAG_TOP_SHIFT, Level, NO_LIMIT, RowResult, Slot, row_status, slot_status,
};
use crate::engine::{Backend, Engine, EngineOptions, Finish, Request, SlotId, Step};
use crate::error::{ErrorKind, Result};
use crate::reference::Configuration;
use crate::sampling::{LogitsBatch, RowParams, SamplingParams, stream};
use crate::table::Grammar;
use crate::vocab::Vocabulary;

/// A request being decoded.
pub struct Live {
    /// What its output must match.
    pub grammar: Option<Arc<Grammar>>,
    /// How it is sampled.
    pub params: SamplingParams,
    /// Its prompt.
    pub prompt: Vec<u32>,
    /// Its limit.
    pub max_tokens: Option<u32>,
    /// Which choice of its request.
    choice: u32,
    cpu: SlotId,
    reference: Option<SlotId>,
    /// Before each token, and now.
    places: Vec<Configuration>,
    /// How it ended, if it has, and whether that was by a stop token.
    pub finish: Option<(Finish, bool)>,
    /// Tokens that a device can take back.
    pub history: usize,
}

/// What one row of a step gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// As [`RowResult`], the log-probability as bits.
    pub result: (u32, u32, u32, u32),
    /// The likeliest tokens, log-probabilities as bits.
    pub tops: Vec<(u32, u32)>,
}

impl Outcome {
    /// Of a device's row.
    pub fn of(result: &RowResult, tops: Vec<(u32, u32)>) -> Self {
        Outcome { result: (result.token, result.logprob.to_bits(), result.status, result.finish), tops }
    }
}

/// The host's engines.
pub struct Host {
    vocab: Arc<Vocabulary>,
    cpu: Engine,
    reference: Option<Engine>,
}

impl Host {
    /// Room for `slots` requests and one to try things out with.
    ///
    /// # Errors
    /// What the engines say.
    pub fn new(world: &World, slots: usize) -> Result<Host> {
        let engine = |backend| {
            Engine::new(world.vocab.clone(), EngineOptions { slots: slots + 1, backend, threads: 1 })
        };
        Ok(Host {
            vocab: world.vocab.clone(),
            cpu: engine(Backend::Cpu)?,
            reference: world.small.then(|| engine(Backend::Reference)).transpose()?,
        })
    }

    /// Takes in a random request.
    ///
    /// # Errors
    /// What the engines say.
    pub fn admit(&mut self, world: &World, random: &mut Random) -> Result<Live> {
        let grammar = (!world.grammars.is_empty() && random.chance(90))
            .then(|| world.grammars[random.below(world.grammars.len())].clone());
        let width = self.vocab.width();
        let prompt: Vec<u32> = (0..random.pick(&[0, 1, 9])).map(|_| random.below(width) as u32).collect();
        let mut max_tokens = match random.below(3) {
            0 => None,
            1 => Some(1 + random.below(40) as u32),
            _ => Some(random.below(4) as u32),
        };
        if let Some(grammar) = &grammar {
            max_tokens = max_tokens.filter(|_| grammar.is_bounded()).map(|n| n + grammar.least_tokens());
        } else if max_tokens == Some(0) {
            max_tokens = Some(1);
        }
        let mut params = random::params(random, width);
        // Often the likeliest token would be one that ends nothing.
        if random.chance(50) {
            params = SamplingParams { seed: params.seed, ..SamplingParams::default() };
        }
        let choice = random.below(3) as u32;
        let request = || Request {
            grammar: grammar.clone(),
            params: params.clone(),
            prompt: &prompt,
            max_tokens,
            choice,
        };
        let cpu = self.cpu.admit(request())?;
        let reference = self.reference.as_mut().map(|engine| engine.admit(request())).transpose()?;
        let places = grammar.iter().map(|grammar| Configuration::start(grammar)).collect();
        Ok(Live {
            grammar,
            params,
            prompt,
            max_tokens,
            choice,
            cpu,
            reference,
            places,
            finish: None,
            history: 0,
        })
    }

    /// Lets a request go.
    ///
    /// # Errors
    /// What the engines say.
    pub fn retire(&mut self, live: &Live) -> Result<()> {
        if let (Some(engine), Some(id)) = (&mut self.reference, live.reference) {
            engine.retire(id)?;
        }
        self.cpu.retire(live.cpu)
    }

    /// The legal tokens of a request that has not finished.
    ///
    /// # Errors
    /// If the CPU and the reference differ.
    pub fn mask(&mut self, live: &Live) -> Result<Vec<u32>> {
        let mut words = vec![0; self.vocab.width().div_ceil(32)];
        self.cpu.fill_mask(live.cpu, &mut words)?;
        if let (Some(engine), Some(id)) = (&mut self.reference, live.reference) {
            let mut expected = vec![0; words.len()];
            engine.fill_mask(id, &mut expected)?;
            if expected != words {
                return Err(differs(format!("the CPU's mask is not the reference's, {}", live.words())));
            }
        }
        Ok(words)
    }

    /// One step of one request.
    ///
    /// # Errors
    /// If the CPU and the reference differ.
    pub fn step(&mut self, live: &mut Live, logits: &LogitsBatch<'_>, keep: usize) -> Result<Outcome> {
        if live.finish.is_some() {
            return Ok(Outcome { result: (0, 0, row_status::NOT_RUNNING, 0), tops: Vec::new() });
        }
        let sampled = self.cpu.step(&[live.cpu], logits).remove(0);
        if let (Some(engine), Some(id)) = (&mut self.reference, live.reference) {
            let expected = engine.step(&[id], logits).remove(0);
            if format!("{expected:?}") != format!("{sampled:?}") {
                let what = live.words();
                return Err(differs(format!(
                    "the CPU gives {sampled:?}, the reference {expected:?}, {what}"
                )));
            }
        }
        match sampled {
            Ok(step) => {
                self.took(live, step.token, step.finish, keep)?;
                Ok(outcome(&step, live))
            }
            Err(error) if error.kind() == ErrorKind::NoLegalToken => {
                Ok(Outcome { result: (0, 0, row_status::NO_LEGAL_TOKEN, 0), tops: Vec::new() })
            }
            Err(error) => Err(error),
        }
    }

    /// Moves a request on by a token; whether it was legal.
    ///
    /// # Errors
    /// If the CPU and the reference differ.
    pub fn advance(&mut self, live: &mut Live, token: u32, keep: usize) -> Result<bool> {
        let legal = self.cpu.advance(live.cpu, token).is_ok();
        if let (Some(engine), Some(id)) = (&mut self.reference, live.reference)
            && engine.advance(id, token).is_ok() != legal
        {
            return Err(differs(format!("the CPU says {legal} to token {token}, {}", live.words())));
        }
        if legal {
            let finish = self.cpu.finish(live.cpu)?;
            self.took(live, token, finish, keep)?;
        }
        Ok(legal)
    }

    /// Notes down a token that the engines took.
    fn took(&mut self, live: &mut Live, token: u32, finish: Option<Finish>, keep: usize) -> Result<()> {
        let stop = self.vocab.is_stop(token);
        live.finish = finish.map(|finish| (finish, stop));
        if stop {
            return Ok(());
        }
        live.history = (live.history + 1).min(keep);
        if let (Some(grammar), Some(at)) = (&live.grammar, live.places.last()) {
            let taken = live.places.len() as u64 - 1;
            let left = live.max_tokens.map(|max| u64::from(max) - taken);
            let next = at.after_token(grammar, &self.vocab, token, left);
            let illegal = || differs(format!("the reference does not take token {token}, {}", live.words()));
            live.places.push(next.ok_or_else(illegal)?);
        }
        Ok(())
    }

    /// Takes back tokens, which there must be.
    ///
    /// # Errors
    /// What the engines say.
    pub fn rollback(&mut self, live: &mut Live, n: usize) -> Result<()> {
        self.cpu.rollback(live.cpu, n)?;
        if let (Some(engine), Some(id)) = (&mut self.reference, live.reference) {
            engine.rollback(id, n)?;
        }
        // Without a token taken back, an output that ended by itself is still at its end.
        live.finish = self.cpu.finish(live.cpu)?.map(|finish| (finish, false));
        live.history -= n;
        live.places.truncate(live.places.len().saturating_sub(n).max(1));
        Ok(())
    }

    /// The tokens of a request's output.
    ///
    /// # Errors
    /// None, for a request that was not retired.
    pub fn tokens(&self, live: &Live) -> Result<&[u32]> {
        self.cpu.tokens(live.cpu)
    }

    /// The bytes that must come next.
    ///
    /// # Errors
    /// If the CPU and the reference differ.
    pub fn forced(&mut self, live: &Live) -> Result<Vec<u8>> {
        let bytes = self.cpu.forced(live.cpu)?;
        if let (Some(engine), Some(id)) = (&mut self.reference, live.reference)
            && engine.forced(id)? != bytes
        {
            return Err(differs(format!("the CPU and the reference force other bytes, {}", live.words())));
        }
        Ok(bytes)
    }

    /// For a chain of draft tokens: how many from the first on could come next, and the legal sets before each of those
    /// and after the last, empty sets past an end.
    ///
    /// # Errors
    /// What the engine says.
    pub fn draft(&mut self, live: &Live, chain: &[u32]) -> Result<(usize, Vec<Vec<u32>>)> {
        let trial = self.cpu.clone_slot(live.cpu)?;
        let mut sets = Vec::new();
        let mut taken = 0;
        for next in chain.iter().map(Some).chain([None]) {
            let mut words = vec![0; self.vocab.width().div_ceil(32)];
            if self.cpu.finish(trial)?.is_none() {
                self.cpu.fill_mask(trial, &mut words)?;
            }
            sets.push(words);
            match next {
                Some(&token) if self.cpu.advance(trial, token).is_ok() => taken += 1,
                _ => break,
            }
        }
        self.cpu.retire(trial)?;
        Ok((taken, sets))
    }

    /// The line and the levels that a device should have for a request, but for addresses.
    ///
    /// # Errors
    /// None, for a request that was not retired.
    pub fn line(&self, live: &Live) -> Result<(Slot, Vec<Level>)> {
        let output = self.tokens(live)?.len();
        let mut slot = Slot {
            seed: live.params.seed,
            position: (live.prompt.len() + output) as u64,
            budget: live.max_tokens.map_or(NO_LIMIT, |max| max - output as u32),
            stream: stream(live.choice, false),
            status: match live.finish {
                None => slot_status::RUNNING,
                Some(finish) => finished(finish),
            },
            output: output as u32,
            params: live.row_params(),
            flags: live.flags(),
            history: live.history as u32,
            ..bytemuck::Zeroable::zeroed()
        };
        let mut levels = Vec::new();
        if let Some(at) = live.places.last() {
            slot.state = at.state;
            slot.count = at.count;
            slot.spaces = at.spaces;
            slot.seen = at.seen;
            slot.depth = at.stack.len() as u32;
            slot.owed = at.stack.iter().map(|level| u64::from(level.cost)).sum();
            levels.extend(at.stack.iter().map(|l| Level {
                seen: l.seen,
                site: l.site,
                count: l.count,
                cost: l.cost,
                below: 0,
            }));
        }
        Ok((slot, levels))
    }
}

impl Live {
    /// Its parameters as kernels read them.
    pub fn row_params(&self) -> RowParams {
        self.params.row_params()
    }

    /// [`Slot::flags`].
    fn flags(&self) -> u32 {
        u32::from(self.params.top_logprobs) << FLAG_TOP_SHIFT
            | if self.params.logprobs { FLAG_LOGPROB } else { 0 }
    }

    /// Where it is, for messages.
    pub fn words(&self) -> String {
        let at = self.places.last();
        format!(
            "at {at:?} after {} tokens, limit {:?}, {:?}",
            self.places.len(),
            self.max_tokens,
            self.params
        )
    }
}

/// The status of a slot that has finished.
fn finished((finish, by_stop): (Finish, bool)) -> u32 {
    match (finish, by_stop) {
        (Finish::Stop, true) => slot_status::STOPPED,
        (Finish::Stop, false) => slot_status::COMPLETE,
        (Finish::Length, _) => slot_status::LENGTH,
    }
}

fn outcome(step: &Step, live: &Live) -> Outcome {
    Outcome {
        result: (
            step.token,
            step.logprob.unwrap_or_default().to_bits(),
            row_status::OK,
            live.finish.map_or(0, finished),
        ),
        tops: step.top.iter().map(|&(id, ln)| (id, ln.to_bits())).collect(),
    }
}
