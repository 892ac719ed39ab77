//! Where a request is in its grammar, by either backend.

use std::sync::Arc;

use super::host::Interpreter;
use crate::cpu::{Masker, Program, State};
use crate::reference::Configuration;
use crate::table::Grammar;
use crate::vocab::Vocabulary;

/// How many tokens apart the reference's positions are kept to roll back to.
const CHECKPOINT: usize = 32;
/// Tokens that the fast backend takes back at once; going back further reads the output again.
const HISTORY: usize = 256;

/// A place in a grammar, with what is needed to go back.
#[derive(Clone)]
pub(super) enum Position {
    Cpu {
        program: Arc<Program>,
        state: State,
    },
    Reference {
        grammar: Arc<Grammar>,
        at: Configuration,
        /// After 0, 32, 64 … tokens.
        checkpoints: Vec<Configuration>,
    },
}

impl Position {
    pub fn start(program: &Arc<Program>, interpreter: Interpreter) -> Self {
        match interpreter {
            Interpreter::Cpu => {
                Position::Cpu { state: State::start(program, HISTORY), program: program.clone() }
            }
            Interpreter::Reference => {
                let grammar = program.grammar().clone();
                let at = Configuration::start(&grammar);
                Position::Reference { checkpoints: vec![at.clone()], at, grammar }
            }
        }
    }

    pub fn is_complete(&self) -> bool {
        match self {
            Position::Cpu { program, state } => state.is_complete(program),
            Position::Reference { grammar, at, .. } => at.is_complete(grammar),
        }
    }

    /// Whether the text is complete and nothing can follow.
    pub fn is_at_end(&self) -> bool {
        match self {
            Position::Cpu { program, state } => state.is_at_end(program),
            Position::Reference { grammar, at, .. } => {
                at.is_complete(grammar) && next_bytes(at, grammar).next().is_none()
            }
        }
    }

    pub fn mask(&self, masker: &mut Masker, budget: Option<u64>, words: &mut [u32]) {
        match self {
            Position::Cpu { program, state } => masker.mask(program, state, budget, words),
            Position::Reference { grammar, at, .. } => {
                words.copy_from_slice(&at.mask(grammar, masker.tables().vocab(), budget));
            }
        }
    }

    /// Appends the `n`-th token (counted from 1); `false`, and nothing changes, if it is illegal.
    pub fn advance(&mut self, vocab: &Vocabulary, token: u32, n: usize, budget: Option<u64>) -> bool {
        match self {
            Position::Cpu { program, state } => state.advance(program, vocab, token, budget),
            Position::Reference { grammar, at, checkpoints } => {
                let Some(next) = at.after_token(grammar, vocab, token, budget) else { return false };
                *at = next;
                if n.is_multiple_of(CHECKPOINT) {
                    checkpoints.push(at.clone());
                }
                true
            }
        }
    }

    /// Goes back from `tokens` to its first `keep`; the first of them was read with `budget` tokens left.
    pub fn rollback(&mut self, vocab: &Vocabulary, tokens: &[u32], keep: usize, budget: Option<u64>) {
        let left = |read: usize| budget.map(|budget| budget - read as u64);
        match self {
            Position::Cpu { program, state } => {
                if !state.rollback(tokens.len() - keep) {
                    *state = State::start(program, HISTORY);
                    for (i, &token) in tokens[..keep].iter().enumerate() {
                        let legal = state.advance(program, vocab, token, left(i));
                        debug_assert!(legal, "what was read once can be read again");
                    }
                }
            }
            Position::Reference { grammar, at, checkpoints } => {
                checkpoints.truncate(keep / CHECKPOINT + 1);
                *at = checkpoints[keep / CHECKPOINT].clone();
                for (i, &token) in tokens[..keep].iter().enumerate().skip(keep / CHECKPOINT * CHECKPOINT) {
                    *at = at
                        .after_token(grammar, vocab, token, left(i))
                        .expect("what was read once can be read again");
                }
            }
        }
    }

    /// The bytes that must come next.
    pub fn forced(&self) -> Vec<u8> {
        match self {
            Position::Cpu { program, state } => state.clone().forced(program),
            Position::Reference { grammar, at, .. } => {
                let mut at = at.clone();
                let mut forced = Vec::new();
                // A grammar can force a text without end only by its own size.
                while !at.is_complete(grammar) && forced.len() < 4096 {
                    let (first, second) = {
                        let mut bytes = next_bytes(&at, grammar);
                        (bytes.next(), bytes.next())
                    };
                    let (Some(byte), None) = (first, second) else { break };
                    at.read(grammar, byte);
                    forced.push(byte);
                }
                forced
            }
        }
    }
}

/// The bytes that are legal next, ascending.
fn next_bytes<'a>(at: &'a Configuration, grammar: &'a Grammar) -> impl Iterator<Item = u8> + 'a {
    (0..=255u8).filter(|&b| at.clone().read(grammar, b))
}
