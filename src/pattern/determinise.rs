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
//!
//! With lookahead, an element of the set is an NFA state *and* the obligations taken on along the way
//! (`lookaround`): all of them must come true for its match to count. Of two elements with the same NFA state
//! the one that owes more is dropped.

use regex_automata::nfa::thompson::{NFA, State, WhichCaptures};
use regex_automata::util::look::Look;
use regex_syntax::hir::{self, Hir};
use rustc_hash::{FxHashMap, FxHashSet};

use super::lookaround::{self, Lookaround, Obligation};
use super::regex::PatternLimits;
use super::spelling::{push_any, utf8_cut};
use super::table::{Table, interval_classes};
use super::{ByteDfa, DfaState};
use crate::error::{Error, ErrorKind, Result};

/// The automaton over decoded UTF-8 of the strings in which `hir` matches somewhere *from the start on*;
/// whatever follows a match is accepted. `looks` are the assertions that `hir` has stand-ins for.
pub(super) fn determinise(hir: &Hir, looks: &[Lookaround], limits: &PatternLimits) -> Result<ByteDfa> {
    determinise_from(hir, looks, limits, true, false)
}

/// The same where reading goes on at a position that is the start of the string or not, after a word
/// character or not.
fn determinise_from(
    hir: &Hir,
    looks: &[Lookaround],
    limits: &PatternLimits,
    start: bool,
    word_before: bool,
) -> Result<ByteDfa> {
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
    Subsets::new(&nfa, looks, limits)?.run(start, word_before)
}

/// Whether an expression depends on what is before it: the start of the string, or a word character. Its
/// lookaheads count as part of it.
fn depends(hir: &Hir, looks: &[Lookaround]) -> (bool, bool) {
    let own = hir.properties().look_set();
    let words = own.contains(hir::Look::WordAscii) || own.contains(hir::Look::WordAsciiNegate);
    let mut found = (own.contains(hir::Look::Start), words);
    for body in
        looks.iter().zip(lookaround::STAND_INS).filter(|(_, l)| own.contains(*l)).map(|(l, _)| &l.body)
    {
        let inner = depends(body, looks);
        found = (found.0 || inner.0, found.1 || inner.1);
    }
    found
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

/// An NFA state, and a set of obligations in the upper half.
type Element = u64;

fn element(state: u32, owed: u32) -> Element {
    u64::from(owed) << 32 | u64::from(state)
}

fn state_of(element: Element) -> usize {
    element as u32 as usize
}

fn owed_of(element: Element) -> u32 {
    (element >> 32) as u32
}

/// A set of elements in ascending order, no NFA state an ε-state except undecided assertions.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Subset {
    states: Box<[Element]>,
    /// Nothing has been read yet, so a `^` behind an undecided assertion (`$^`) would hold.
    start: bool,
    /// The last byte was a word character. Kept only if the pattern has `\b` or `\B`.
    word_before: bool,
    /// States of the lookbehinds' automata.
    behind: Box<[DfaState]>,
}

/// Obligations by index, each in a state; sorted.
type Owed = Box<[(u32, DfaState)]>;

struct Subsets<'n> {
    nfa: &'n NFA,
    looks: &'n [Lookaround],
    limits: &'n PatternLimits,
    /// The pattern has `\b` or `\B`.
    words: bool,
    table: Table,
    /// The state after a match.
    sink: DfaState,
    ids: FxHashMap<Subset, DfaState>,
    order: Vec<(Subset, DfaState)>,
    steps: u64,
    stack: Vec<Element>,
    /// Per NFA state, the round in which it was last visited without obligations.
    visited: Vec<u32>,
    visited_owing: FxHashSet<Element>,
    round: u32,
    /// Automata of lookaheads, and which one an assertion starts: by its index, at the start, after a word
    /// character, elsewhere.
    obligations: Vec<Obligation>,
    starts: FxHashMap<usize, [u32; 3]>,
    /// Automata of lookbehinds, with the index of the assertion.
    behind: Vec<(usize, ByteDfa)>,
    /// Sets of obligations; the empty one first.
    owed: Vec<Owed>,
    owed_ids: FxHashMap<Owed, u32>,
    owed_next: FxHashMap<(u32, u8), Option<u32>>,
}

impl<'n> Subsets<'n> {
    fn new(nfa: &'n NFA, looks: &'n [Lookaround], limits: &'n PatternLimits) -> Result<Self> {
        let own = nfa.look_set_any();
        let mut words = own.contains(Look::WordAscii) || own.contains(Look::WordAsciiNegate);
        let (mut obligations, mut starts, mut behind) = (Vec::new(), FxHashMap::default(), Vec::new());
        for (i, look) in looks.iter().enumerate().filter(|(i, _)| own.contains(lookaround::IN_NFA[*i])) {
            if look.behind {
                behind.push((i, determinise(&look.body, looks, limits)?));
                continue;
            }
            let (by_start, by_word) = depends(&look.body, looks);
            words |= by_word;
            let mut add = |start, word_before| -> Result<u32> {
                let ahead = determinise_from(&look.body, looks, limits, start, word_before)?;
                obligations.push(Obligation::new(ahead, look.negative));
                Ok(obligations.len() as u32 - 1)
            };
            let elsewhere = add(false, false)?;
            let at_start = if by_start { add(true, false)? } else { elsewhere };
            let after_word = if by_word { add(false, true)? } else { elsewhere };
            starts.insert(i, [at_start, after_word, elsewhere]);
        }
        let by_nfa = nfa.byte_classes();
        let beside: Vec<&ByteDfa> =
            behind.iter().map(|(_, dfa)| dfa).chain(obligations.iter().map(|o| &o.dfa)).collect();
        let cut = |b: u8| {
            by_nfa.get(b) != by_nfa.get(b + 1)
                || utf8_cut(b)
                || (words && is_word(b) != is_word(b + 1))
                || beside.iter().any(|dfa| dfa.classes[usize::from(b)] != dfa.classes[usize::from(b) + 1])
        };
        let mut table = Table::new(interval_classes(cut));
        let sink = push_any(&mut table);
        let nothing: Owed = Box::default();
        Ok(Subsets {
            nfa,
            looks,
            limits,
            words,
            table,
            sink,
            ids: FxHashMap::default(),
            order: Vec::new(),
            steps: 0,
            stack: Vec::new(),
            visited: vec![0; nfa.states().len()],
            visited_owing: FxHashSet::default(),
            round: 0,
            obligations,
            starts,
            behind,
            owed: vec![nothing.clone()],
            owed_ids: FxHashMap::from_iter([(nothing, 0)]),
            owed_next: FxHashMap::default(),
        })
    }

    fn run(mut self, start: bool, word_before: bool) -> Result<ByteDfa> {
        let word_before = word_before && self.words;
        let before: Box<[DfaState]> = self.behind.iter().map(|(_, dfa)| dfa.start).collect();
        let around = Around { start, word_before, next: Next::Unknown };
        let closed = self.closure(&[element(self.nfa.start_anchored().as_u32(), 0)], around, &before);
        let first = self.intern(closed, 0, start, word_before, before)?;
        // Bytes still missing from the character being read, per entry of `order`: 0 at a boundary.
        let mut missing = vec![0u8];
        let mut class_bytes = vec![0u8; self.table.stride];
        (0..=255u8).for_each(|b| class_bytes[usize::from(self.table.classes[usize::from(b)])] = b);
        let mut buckets: Vec<Vec<Element>> = vec![Vec::new(); self.table.stride];
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
                    self.closure(&subset.states, Around { start, word_before, next }, &subset.behind)
                } else {
                    subset.states.to_vec()
                };
                if self.has_match(&from) {
                    for (class, &byte) in class_bytes.iter().enumerate() {
                        if !self.words || is_word(byte) == word_after {
                            self.table.row_mut(state)[class] = self.table.row(self.sink)[class];
                        }
                    }
                    continue;
                }
                self.fill(&from, &class_bytes, &mut buckets);
                let mut previous: Option<(usize, DfaState, Box<[DfaState]>)> = None;
                for class in 0..self.table.stride {
                    let byte = class_bytes[class];
                    if buckets[class].is_empty() || (self.words && is_word(byte) != word_after) {
                        continue;
                    }
                    let behind: Box<[DfaState]> = subset
                        .behind
                        .iter()
                        .zip(&self.behind)
                        .map(|(s, (_, dfa))| dfa.next(*s, byte))
                        .collect();
                    let to = match &previous {
                        Some((same, to, before))
                            if buckets[*same] == buckets[class]
                                && length(byte) == length(class_bytes[*same])
                                && *before == behind =>
                        {
                            *to
                        }
                        _ => {
                            let word_before = self.words && word_after;
                            let after = Around { start: false, word_before, next: Next::Unknown };
                            let closed = self.closure(&buckets[class], after, &behind);
                            let gap = if gap > 0 { gap - 1 } else { length(byte) };
                            let known = self.order.len();
                            let to = self.intern(closed, gap, false, word_before, behind.clone())?;
                            missing.resize(missing.len() + self.order.len() - known, gap);
                            to
                        }
                    };
                    self.table.row_mut(state)[class] = to;
                    previous = Some((class, to, behind));
                }
            }
        }
        Ok(self.table.finish(first))
    }

    /// Per byte class, the elements that `from` leads to.
    fn fill(&mut self, from: &[Element], class_bytes: &[u8], buckets: &mut [Vec<Element>]) {
        buckets.iter_mut().for_each(Vec::clear);
        let nfa = self.nfa;
        let class_of = |byte: u8, table: &Table| usize::from(table.classes[usize::from(byte)]);
        for &e in from {
            let owed = owed_of(e);
            let mut add = |all: &mut Self, low: usize, high: usize, next: u32| {
                for class in low..=high {
                    all.steps += 1;
                    if let Some(owed) = all.owed_after(owed, class_bytes[class]) {
                        buckets[class].push(element(next, owed));
                    }
                }
            };
            match &nfa.states()[state_of(e)] {
                State::ByteRange { trans } => {
                    let (low, high) = (class_of(trans.start, &self.table), class_of(trans.end, &self.table));
                    add(self, low, high, trans.next.as_u32());
                }
                State::Sparse(sparse) => {
                    for t in &sparse.transitions {
                        let (low, high) = (class_of(t.start, &self.table), class_of(t.end, &self.table));
                        add(self, low, high, t.next.as_u32());
                    }
                }
                State::Dense(dense) => {
                    for (class, &byte) in class_bytes.iter().enumerate() {
                        if let Some(next) = dense.matches_byte(byte) {
                            add(self, class, class, next.as_u32());
                        }
                    }
                }
                // A match that owes something waits for it.
                State::Match { .. } => add(self, 0, class_bytes.len() - 1, e as u32),
                _ => {}
            }
        }
    }

    /// What is owed after a byte, or `None` if it cannot be met any more.
    fn owed_after(&mut self, owed: u32, byte: u8) -> Option<u32> {
        if owed == 0 {
            return Some(0);
        }
        if let Some(&known) = self.owed_next.get(&(owed, byte)) {
            return known;
        }
        let mut after = Vec::new();
        let mut met = true;
        for &(index, state) in &self.owed[owed as usize] {
            let obligation = &self.obligations[index as usize];
            match obligation.dfa.next(state, byte) {
                ByteDfa::DEAD => met = false,
                next if Some(next) == obligation.settled => {}
                next => after.push((index, next)),
            }
        }
        let next = met.then(|| self.intern_owed(after));
        self.owed_next.insert((owed, byte), next);
        next
    }

    fn intern_owed(&mut self, mut owed: Vec<(u32, DfaState)>) -> u32 {
        owed.sort_unstable();
        owed.dedup();
        let owed: Owed = owed.into();
        let fresh = self.owed.len() as u32;
        let id = *self.owed_ids.entry(owed.clone()).or_insert(fresh);
        if id == fresh {
            self.owed.push(owed);
        }
        id
    }

    /// What is owed once the assertion `index` is met where it stands, or `None` if it fails there.
    fn meet(&mut self, index: usize, owed: u32, around: Around, behind: &[DfaState]) -> Option<u32> {
        let look = &self.looks[index];
        if look.behind {
            let at = self.behind.iter().position(|(i, _)| *i == index)?;
            let holds = self.behind[at].1.accepting[behind[at] as usize];
            return (holds != look.negative).then_some(owed);
        }
        let [at_start, after_word, elsewhere] = *self.starts.get(&index)?;
        let new = match around {
            Around { start: true, .. } => at_start,
            Around { word_before: true, .. } => after_word,
            _ => elsewhere,
        };
        let obligation = &self.obligations[new as usize];
        match obligation.dfa.start {
            ByteDfa::DEAD => None,
            start if Some(start) == obligation.settled => Some(owed),
            start => {
                let all = self.owed[owed as usize].iter().copied().chain([(new, start)]).collect();
                Some(self.intern_owed(all))
            }
        }
    }

    /// Everything that can be reached without reading: byte-reading states, matches, undecided assertions.
    fn closure(&mut self, from: &[Element], around: Around, behind: &[DfaState]) -> Vec<Element> {
        self.round += 1;
        self.visited_owing.clear();
        let nfa = self.nfa;
        let mut out = Vec::new();
        self.stack.extend(from.iter().rev());
        while let Some(e) = self.stack.pop() {
            let (state, owed) = (state_of(e), owed_of(e));
            let seen = match owed {
                0 => std::mem::replace(&mut self.visited[state], self.round) == self.round,
                _ => !self.visited_owing.insert(e),
            };
            if seen {
                continue;
            }
            self.steps += 1;
            match &nfa.states()[state] {
                State::Look { look, next } => match lookaround::index(*look) {
                    Some(index) => {
                        if let Some(owed) = self.meet(index, owed, around, behind) {
                            self.stack.push(element(next.as_u32(), owed));
                        }
                    }
                    None => match decide(*look, around) {
                        Some(true) => self.stack.push(element(next.as_u32(), owed)),
                        Some(false) => {}
                        None => out.push(e),
                    },
                },
                State::Union { alternates } => {
                    self.stack.extend(alternates.iter().rev().map(|a| element(a.as_u32(), owed)));
                }
                State::BinaryUnion { alt1, alt2 } => {
                    self.stack.extend([element(alt2.as_u32(), owed), element(alt1.as_u32(), owed)]);
                }
                State::Capture { next, .. } => self.stack.push(element(next.as_u32(), owed)),
                State::Fail => {}
                _ => out.push(e),
            }
        }
        if !self.visited_owing.is_empty() {
            self.absorb(&mut out);
        }
        out.sort_unstable();
        out
    }

    /// Drops elements that owe all that another with the same NFA state owes.
    fn absorb(&mut self, elements: &mut Vec<Element>) {
        elements.sort_unstable_by_key(|&e| (e as u32, self.owed[owed_of(e) as usize].len()));
        let mut kept: Vec<Element> = Vec::with_capacity(elements.len());
        for &e in elements.iter() {
            let mine = &self.owed[owed_of(e) as usize];
            let same = kept.iter().rev().take_while(|k| **k as u32 == e as u32);
            let mut steps = 0;
            let absorbed = same.into_iter().any(|&k| {
                steps += 1;
                self.owed[owed_of(k) as usize].iter().all(|o| mine.binary_search(o).is_ok())
            });
            self.steps += steps;
            if !absorbed {
                kept.push(e);
            }
        }
        *elements = kept;
    }

    /// Whether there is a match that owes nothing.
    fn has_match(&self, elements: &[Element]) -> bool {
        let is_match = |e: Element| matches!(self.nfa.states()[state_of(e)], State::Match { .. });
        elements.iter().any(|&e| owed_of(e) == 0 && is_match(e))
    }

    /// Whether there is a match that owes nothing but what the end fulfils.
    fn has_match_at_end(&self, elements: &[Element]) -> bool {
        let fulfilled = |e: Element| {
            let mut owed = self.owed[owed_of(e) as usize].iter();
            owed.all(|&(index, state)| self.obligations[index as usize].dfa.accepting[state as usize])
        };
        let is_match = |e: Element| matches!(self.nfa.states()[state_of(e)], State::Match { .. });
        elements.iter().any(|&e| is_match(e) && fulfilled(e))
    }

    fn intern(
        &mut self,
        states: Vec<Element>,
        gap: u8,
        start: bool,
        word_before: bool,
        behind: Box<[DfaState]>,
    ) -> Result<DfaState> {
        if states.is_empty() {
            return Ok(ByteDfa::DEAD);
        }
        if self.has_match(&states) {
            return Ok(self.sink);
        }
        let subset = Subset { states: states.into(), start, word_before, behind };
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
        let at_end = self.closure(&subset.states, around, &subset.behind);
        let accepting = self.has_match_at_end(&at_end);
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
