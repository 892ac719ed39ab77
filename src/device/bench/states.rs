//! Places in real schemas, recorded from texts that were written for them: what a batch of requests looks like in the
//! middle of decoding.

use std::sync::Arc;

use bytemuck::Zeroable;

use crate::device::check::random::Random;
use crate::device::check::schemas;
use crate::device::layout::{LIST_CAP, Level, NO_LIMIT, Slot, slot_status};
use crate::engine::{Engine, EngineOptions, Request};
use crate::error::Result;
use crate::model::{CopyModel, LogitsSource};
use crate::reference::Configuration;
use crate::sampling::{Logits, LogitsBatch, SamplingParams};
use crate::table::Grammar;
use crate::vocab::Vocabulary;
use crate::{Compiler, CompilerOptions};

/// What rows of a batch are doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Few tokens are legal: keys, punctuation, numbers, enums.
    Structural,
    /// Inside a string, most of the vocabulary is legal.
    String,
    /// Any place of a text, as often as it occurs.
    Mixed,
    /// The wide rows of the mixed batch, alone.
    MixedWide,
    /// No grammar.
    Free,
}

impl State {
    /// A name for tables.
    pub fn name(self) -> &'static str {
        match self {
            State::Structural => "structural",
            State::String => "string",
            State::Mixed => "mixed",
            State::MixedWide => "mixed, wide rows",
            State::Free => "unconstrained",
        }
    }
}

/// One place.
#[derive(Clone)]
pub struct Place {
    /// The grammar.
    pub grammar: Option<Arc<Grammar>>,
    /// The slot there.
    pub slot: Slot,
    /// Its levels.
    pub levels: Vec<Level>,
    /// How many tokens are legal.
    pub legal: usize,
}

impl Place {
    /// Without a grammar.
    pub fn free(width: usize) -> Place {
        let slot = Slot {
            budget: NO_LIMIT,
            status: slot_status::RUNNING,
            params: SamplingParams::default().row_params(),
            ..Slot::zeroed()
        };
        Place { grammar: None, slot, levels: Vec::new(), legal: width }
    }

    /// At a place of a grammar.
    pub fn at(grammar: &Arc<Grammar>, at: &Configuration, legal: usize) -> Place {
        let level = |l: &crate::reference::Level| Level {
            seen: l.seen,
            site: l.site,
            count: l.count,
            cost: l.cost,
            below: 0,
        };
        let slot = Slot {
            state: at.state,
            count: at.count,
            spaces: at.spaces,
            seen: at.seen,
            depth: at.stack.len() as u32,
            owed: at.stack.iter().map(|l| u64::from(l.cost)).sum(),
            ..Place::free(0).slot
        };
        Place { grammar: Some(grammar.clone()), slot, levels: at.stack.iter().map(level).collect(), legal }
    }

    /// Whether its row is read whole, and not by a list of ids.
    pub fn is_wide(&self) -> bool {
        self.legal > LIST_CAP
    }
}

/// Places recorded for one vocabulary.
pub struct Recorded {
    /// The vocabulary.
    pub vocab: Arc<Vocabulary>,
    /// The grammars of `examples/`.
    pub grammars: Vec<Arc<Grammar>>,
    places: Vec<Place>,
}

const PROMPT: &str = "Ada Lovelace <ada@example.org> met Alan Turing in London on 2026-11-20 at 14:30 to plan the \
    launch; about 120 people will come, the room costs 450.50 euros. Weather in Paris: 18.5 degrees, light rain. \
    Solve 8x + 7 = -23: subtract 7 from both sides, then divide by 8. Todo: book the hall, send the invitations, \
    write the programme. A paper on small automata by Kim, Sato and Ivanova, 2025.";

/// Tokens of a text, at most.
const LONGEST: usize = 160;

impl Recorded {
    /// Writes a few texts for each schema of `examples/` and notes every place down.
    ///
    /// # Errors
    /// If the vocabulary cannot spell a schema.
    pub fn new(vocab: Arc<Vocabulary>) -> Result<Recorded> {
        let compiler =
            Compiler::new(vocab.clone(), CompilerOptions { max_depth: 24, ..CompilerOptions::default() })?;
        let grammars = schemas::examples().iter().map(|s| compiler.compile(s)).collect::<Result<Vec<_>>>()?;
        let mut engine = Engine::new(vocab.clone(), EngineOptions { slots: 1, ..EngineOptions::default() })?;
        let mut source = CopyModel::new(vocab.clone());
        let prompt = vocab.encode(PROMPT)?;
        let mut row = vec![0.0; vocab.width()];
        let mut words = vec![0; vocab.width().div_ceil(32)];
        let mut places = Vec::new();
        for (i, grammar) in grammars.iter().enumerate() {
            let params = SamplingParams { seed: i as u64, ..SamplingParams::default() };
            let request =
                Request { grammar: Some(grammar.clone()), params, prompt: &prompt, ..Request::default() };
            let slot = engine.admit(request)?;
            let seq = source.start(&prompt)?;
            let mut at = Configuration::start(grammar);
            for _ in 0..LONGEST {
                engine.fill_mask(slot, &mut words)?;
                let legal = words.iter().map(|w| w.count_ones() as usize).sum();
                places.push(Place::at(grammar, &at, legal));
                source.logits(&[seq], &mut row)?;
                let batch = LogitsBatch::new(Logits::F32(&row), 1, row.len(), row.len())?;
                let step = engine.step(&[slot], &batch).remove(0)?;
                source.accept(seq, step.token);
                match at.after_token(grammar, &vocab, step.token, None) {
                    Some(next) if step.finish.is_none() => at = next,
                    _ => break,
                }
            }
            engine.retire(slot)?;
            source.finish(seq);
        }
        Ok(Recorded { vocab, grammars, places })
    }

    /// `rows` places of a state, drawn with a fixed seed. [`State::MixedWide`] gives as many as of [`State::Mixed`] are
    /// wide.
    pub fn draw(&self, state: State, rows: usize) -> Vec<Place> {
        let width = self.vocab.width();
        let fits = |place: &&Place| match state {
            State::Structural => !place.is_wide(),
            State::String => place.legal >= width / 2,
            _ => true,
        };
        if state == State::Free {
            return vec![Place::free(width); rows];
        }
        let pool: Vec<&Place> = self.places.iter().filter(fits).collect();
        let mut random = Random(rows as u64);
        let mut drawn: Vec<Place> = (0..rows).map(|_| pool[random.below(pool.len())].clone()).collect();
        if state == State::MixedWide {
            drawn.retain(Place::is_wide);
        }
        drawn
    }

    /// How many places there are, and how many of them are wide.
    pub fn counts(&self) -> (usize, usize) {
        (self.places.len(), self.places.iter().filter(|p| p.is_wide()).count())
    }
}
