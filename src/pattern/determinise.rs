//! The subset construction: from a regular expression to an automaton over decoded UTF-8.
//!
//! `regex-automata` compiles a [`Hir`] to a Thompson NFA over the bytes of UTF-8, and could determinise it
//! too. We do that last step ourselves, because we know three things it does not. Only membership is asked
//! for, so a state is an unordered *set*, with no priorities and no match positions. A search that has found
//! its match accepts whatever follows, so every set with a match collapses into one sink and patterns that
//! are not anchored stay small. And the limits can count what we care about.
//!
//! Assertions are edges of the NFA that ask about the neighbouring bytes. `^` is decided when reading
//! starts. `$`, `\b` and `\B` stay in the set, undecided, until the next byte or the end decides them; for
//! `\b` a state also remembers whether the last byte was a word character.

use regex_automata::nfa::thompson::{NFA, State, WhichCaptures};
use regex_automata::util::look::Look;
use regex_syntax::hir::Hir;
use rustc_hash::FxHashMap;

use super::regex::PatternLimits;
use super::spelling::{push_any, utf8_cut};
use super::table::{Table, interval_classes};
use super::{ByteDfa, DfaState};
use crate::error::{Error, ErrorKind, Result};

/// The automaton over decoded UTF-8 of the strings in which `hir` matches somewhere *from the start on*;
/// whatever follows a match is accepted.
pub(super) fn determinise(hir: &Hir, limits: &PatternLimits) -> Result<ByteDfa> {
    let config = NFA::config()
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(limits.max_nfa_bytes))
        .shrink(false);
    let nfa = NFA::compiler().configure(config).build_from_hir(hir).map_err(|error| {
        let limit = limits.max_nfa_bytes;
        match error.size_limit() {
            Some(_) => too_large(format!("its NFA needs more than {limit} bytes")),
            None => too_large(error.to_string()),
        }
    })?;
    Subsets::new(&nfa, limits).run()
}

fn too_large(why: String) -> Error {
    let way_out = "shorten its repeat counts, anchor it, or raise the limit";
    Error::new(ErrorKind::LimitExceeded, format!("the pattern is too large: {why}; {way_out}"))
}

/// What is known about a position when an assertion is judged.
#[derive(Clone, Copy)]
struct Around {
    start: bool,
    word_before: bool,
    next: Next,
}

/// What follows a position.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    Unknown,
    Byte { word: bool },
    End,
}

/// A set of NFA states in ascending order, none of them an ε-state except undecided assertions.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Subset {
    states: Box<[u32]>,
    /// Nothing has been read yet, so a `^` behind an undecided assertion (`$^`) would hold.
    start: bool,
    /// The last byte was a word character. Kept only if the pattern has `\b` or `\B`.
    word_before: bool,
}

struct Subsets<'n> {
    nfa: &'n NFA,
    limits: &'n PatternLimits,
    /// The pattern has `\b` or `\B`.
    words: bool,
    table: Table,
    /// The state after a match.
    sink: DfaState,
    ids: FxHashMap<Subset, DfaState>,
    order: Vec<(Subset, DfaState)>,
    steps: u64,
    stack: Vec<u32>,
    /// Per NFA state, the round in which it was last visited.
    visited: Vec<u32>,
    round: u32,
}

impl<'n> Subsets<'n> {
    fn new(nfa: &'n NFA, limits: &'n PatternLimits) -> Self {
        let words = nfa.look_set_any().contains_word();
        let by_nfa = nfa.byte_classes();
        let cut = |b: u8| {
            by_nfa.get(b) != by_nfa.get(b + 1) || utf8_cut(b) || (words && is_word(b) != is_word(b + 1))
        };
        let mut table = Table::new(interval_classes(cut));
        let sink = push_any(&mut table);
        Subsets {
            nfa,
            limits,
            words,
            table,
            sink,
            ids: FxHashMap::default(),
            order: Vec::new(),
            steps: 0,
            stack: Vec::new(),
            visited: vec![0; nfa.states().len()],
            round: 0,
        }
    }

    fn run(mut self) -> Result<ByteDfa> {
        let around = Around { start: true, word_before: false, next: Next::Unknown };
        let closed = self.closure(&[self.nfa.start_anchored().as_u32()], around);
        let start = self.intern(closed, 0, true, false)?;
        // Bytes still missing from the character being read, per entry of `order`: 0 at a boundary.
        let mut missing = vec![0u8];
        let mut class_bytes = vec![0u8; self.table.stride];
        (0..=255u8).for_each(|b| class_bytes[usize::from(self.table.classes[usize::from(b)])] = b);
        let mut buckets: Vec<Vec<u32>> = vec![Vec::new(); self.table.stride];
        let mut done = 0;
        while done < self.order.len() {
            let (subset, state) = self.order[done].clone();
            let gap = missing[done];
            done += 1;
            // Whether the next byte is a word character decides `\b`: one pass for each answer.
            for word_after in [false, true] {
                if word_after && !self.words {
                    break;
                }
                let from = if self.words {
                    let Subset { start, word_before, .. } = subset;
                    let next = Next::Byte { word: word_after };
                    self.closure(&subset.states, Around { start, word_before, next })
                } else {
                    subset.states.to_vec()
                };
                if self.has_match(&from) {
                    for class in 0..self.table.stride {
                        if !self.words || is_word(class_bytes[class]) == word_after {
                            self.table.row_mut(state)[class] = self.table.row(self.sink)[class];
                        }
                    }
                    continue;
                }
                self.fill(&from, &mut buckets);
                let mut previous: Option<(usize, DfaState)> = None;
                for class in 0..self.table.stride {
                    let byte = class_bytes[class];
                    if buckets[class].is_empty() || (self.words && is_word(byte) != word_after) {
                        continue;
                    }
                    let to = match previous {
                        Some((same, to))
                            if buckets[same] == buckets[class]
                                && length(byte) == length(class_bytes[same]) =>
                        {
                            to
                        }
                        _ => {
                            let after = Around { start: false, word_before: false, next: Next::Unknown };
                            let closed = self.closure(&buckets[class], after);
                            let gap = if gap > 0 { gap - 1 } else { length(byte) };
                            let known = self.order.len();
                            let to = self.intern(closed, gap, false, self.words && word_after)?;
                            missing.resize(missing.len() + self.order.len() - known, gap);
                            to
                        }
                    };
                    self.table.row_mut(state)[class] = to;
                    previous = Some((class, to));
                }
            }
        }
        Ok(self.table.finish(start))
    }

    /// Per byte class, the NFA states that `from` leads to.
    fn fill(&mut self, from: &[u32], buckets: &mut [Vec<u32>]) {
        buckets.iter_mut().for_each(Vec::clear);
        let classes = &self.table.classes;
        let mut add = |low: u8, high: u8, next: u32| {
            for bucket in
                &mut buckets[usize::from(classes[usize::from(low)])..=usize::from(classes[usize::from(high)])]
            {
                bucket.push(next);
                self.steps += 1;
            }
        };
        for &s in from {
            match &self.nfa.states()[s as usize] {
                State::ByteRange { trans } => add(trans.start, trans.end, trans.next.as_u32()),
                State::Sparse(sparse) => {
                    sparse.transitions.iter().for_each(|t| add(t.start, t.end, t.next.as_u32()));
                }
                State::Dense(dense) => {
                    (0..=255u8).filter_map(|b| Some((b, dense.matches_byte(b)?))).for_each(|(b, next)| {
                        if b == 0 || classes[usize::from(b)] != classes[usize::from(b) - 1] {
                            add(b, b, next.as_u32());
                        }
                    });
                }
                _ => {}
            }
        }
    }

    /// Everything that can be reached without reading: byte-reading states, matches, undecided assertions.
    fn closure(&mut self, from: &[u32], around: Around) -> Vec<u32> {
        self.round += 1;
        let mut out = Vec::new();
        self.stack.extend(from.iter().rev());
        while let Some(s) = self.stack.pop() {
            if std::mem::replace(&mut self.visited[s as usize], self.round) == self.round {
                continue;
            }
            self.steps += 1;
            match &self.nfa.states()[s as usize] {
                State::Look { look, next } => match decide(*look, around) {
                    Some(true) => self.stack.push(next.as_u32()),
                    Some(false) => {}
                    None => out.push(s),
                },
                State::Union { alternates } => self.stack.extend(alternates.iter().rev().map(|a| a.as_u32())),
                State::BinaryUnion { alt1, alt2 } => self.stack.extend([alt2.as_u32(), alt1.as_u32()]),
                State::Capture { next, .. } => self.stack.push(next.as_u32()),
                State::Fail => {}
                _ => out.push(s),
            }
        }
        out.sort_unstable();
        out
    }

    fn has_match(&self, states: &[u32]) -> bool {
        states.iter().any(|&s| matches!(self.nfa.states()[s as usize], State::Match { .. }))
    }

    fn intern(&mut self, states: Vec<u32>, gap: u8, start: bool, word_before: bool) -> Result<DfaState> {
        if states.is_empty() {
            return Ok(ByteDfa::DEAD);
        }
        if self.has_match(&states) {
            return Ok(self.sink);
        }
        let subset = Subset { states: states.into(), start, word_before };
        if let Some(&id) = self.ids.get(&subset) {
            return Ok(id);
        }
        if self.order.len() >= self.limits.max_states {
            return Err(too_large(format!("it needs more than {} states", self.limits.max_states)));
        }
        if self.steps > self.limits.max_steps {
            return Err(too_large(format!("it needs more than {} steps to compile", self.limits.max_steps)));
        }
        let around = Around { start, word_before, next: Next::End };
        let at_end = self.closure(&subset.states, around);
        let accepting = self.has_match(&at_end);
        let id = self.table.push(accepting, gap == 0);
        self.ids.insert(subset.clone(), id);
        self.order.push((subset, id));
        Ok(id)
    }
}

/// Whether an assertion holds, or `None` while that depends on what follows.
fn decide(look: Look, around: Around) -> Option<bool> {
    let word_after = match around.next {
        Next::Unknown if look != Look::Start => return None,
        Next::Byte { word } => word,
        Next::Unknown | Next::End => false,
    };
    Some(match look {
        Look::Start => around.start,
        Look::End => around.next == Next::End,
        Look::WordAscii => around.word_before != word_after,
        Look::WordAsciiNegate => around.word_before == word_after,
        // No other assertion comes out of the parser.
        _ => false,
    })
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

/// Continuation bytes that follow a leading byte.
fn length(byte: u8) -> u8 {
    match byte {
        0xc0..=0xdf => 1,
        0xe0..=0xef => 2,
        0xf0..=0xff => 3,
        _ => 0,
    }
}
