//! Frames without members: strings, numbers, literals and undeclared keys.
//!
//! A string or number frame is the lazy product of the automata that its entries mention, with the
//! automaton of *any* canonical string or number running alongside so that a text for which every
//! verdict is already known is still read to its end.

use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::explore::{Expansion, Explorer};
use super::formula::{ALWAYS, Formula, NEVER};
use super::raw::*;
use super::string::{Sub, edges as free_edges};
use crate::error::Result;
use crate::pattern::{self, ByteDfa, Digits};

/// What all states of one text frame share.
pub(crate) struct TextData {
    /// `None` for unrestricted strings.
    any: Option<Arc<ByteDfa>>,
    /// Byte ranges on which every automaton of the frame is constant.
    pub ranges: Vec<(u8, u8)>,
    /// Numbers: whether their digits are counted, here and not by the automata.
    digits: Digits,
}

/// Per automaton the state after a byte; of any text's automaton last.
type Successors = SmallVec<[u32; 4]>;

impl TextData {
    fn new(any: Arc<ByteDfa>, automata: &[&ByteDfa], digits: Digits) -> Self {
        let mut ranges = Vec::new();
        let mut from = 0u8;
        for b in 1..=255u8 {
            let differs = |d: &ByteDfa| d.classes[b as usize] != d.classes[b as usize - 1];
            if differs(&any) || automata.iter().any(|d| differs(d)) {
                ranges.push((from, b - 1));
                from = b;
            }
        }
        ranges.push((from, 255));
        TextData { any: Some(any), ranges, digits }
    }
}

impl Explorer<'_> {
    /// The shared data of a new frame, if it is a text frame.
    pub fn text_data(&mut self, key: &FrameKey) -> Result<Option<TextData>> {
        let (mut strings, mut numbers) = (Vec::new(), Vec::new());
        for &f in &key.entries {
            self.formulas.atoms(f, &mut |atom| match atom {
                Atom::String { dfa, .. } if !strings.contains(&dfa) => strings.push(dfa),
                Atom::Number { dfa, .. } if !numbers.contains(&dfa) => numbers.push(dfa),
                _ => {}
            });
        }
        Ok(match key.kind {
            Kind::OpenKey if key.entries.is_empty() => None,
            Kind::String if strings.is_empty() => {
                Some(TextData { any: None, ranges: Vec::new(), digits: Digits::Limited })
            }
            Kind::String | Kind::OpenKey => {
                let automata: Vec<&ByteDfa> = strings.iter().map(|&i| &*self.strings[i as usize]).collect();
                Some(TextData::new(pattern::canonical_any(), &automata, Digits::Limited))
            }
            Kind::Number => {
                let automata: Vec<&ByteDfa> = numbers.iter().map(|&i| &*self.numbers[i as usize]).collect();
                let counted = self.uncounted.values().any(|dfa| numbers.contains(dfa));
                let digits = if counted { Digits::Counted } else { Digits::Limited };
                Some(TextData::new(pattern::any_number(digits), &automata, digits))
            }
            _ => None,
        })
    }

    /// The start state of a string or number frame, or of one of judged keys.
    pub fn text_start(&mut self, frame: FrameId) -> StateKey {
        let f = &self.frames[frame as usize];
        match &f.text.as_ref().expect("strings and numbers have text data").any {
            None => StateKey::Free(Sub::MAIN.0),
            Some(any) => StateKey::Text(any.start, f.key.entries.clone().into()),
        }
    }

    pub fn expand_free(&mut self, frame: FrameId, sub: u8, out: &mut Expansion) -> Result<()> {
        for &(lo, hi, to) in free_edges(Sub(sub)) {
            let to_id = self.state(frame, StateKey::Free(to))?;
            out.edges.push((lo, hi, Edge::Stay { to: to_id, tick: Sub(to) == Sub::MAIN, space: false }));
        }
        if Sub(sub) == Sub::MAIN {
            let entries = self.frames[frame as usize].key.entries.clone();
            let exit = self.exit(frame, &entries, 0);
            out.leave(b'"', exit);
        }
        if self.frames[frame as usize].key.entries.is_empty() {
            out.free = sub + 1;
        }
        Ok(())
    }

    pub fn expand_text(
        &mut self,
        frame: FrameId,
        any_state: u32,
        verdicts: Rc<[Formula]>,
        out: &mut Expansion,
    ) -> Result<()> {
        let data = self.frames[frame as usize].text.clone().expect("text state");
        let any = data.any.as_ref().expect("unrestricted strings have states of their own");
        let string = self.frames[frame as usize].key.kind != Kind::Number;
        let counted = data.digits == Digits::Counted;
        let mut next: Vec<Formula> = Vec::with_capacity(verdicts.len());
        // Where a range leads follows from the states that it leads to in the automata, and those are few.
        let automata = self.automata(&verdicts);
        let mut known: SmallVec<[(Successors, Option<RawId>); 8]> = SmallVec::new();
        for &(lo, hi) in &data.ranges {
            let any_next = any.next(any_state, lo);
            if any_next == ByteDfa::DEAD && string {
                continue;
            }
            let boundary = any.boundary[any_next as usize];
            let all = if string { &self.strings } else { &self.numbers };
            let successors = automata.iter().map(|&(dfa, state)| all[dfa as usize].next(state, lo));
            let successors: Successors = successors.chain([any_next]).collect();
            let to = match known.iter().find(|k| k.0 == successors) {
                Some(&(_, to)) => to,
                None => {
                    next.clear();
                    for &f in verdicts.iter() {
                        next.push(self.read(f, lo, string && boundary));
                    }
                    // Numbers of a bounded range may have more digits than an unbounded one is given.
                    let spelled = any_next != ByteDfa::DEAD || next.iter().any(|&f| f != NEVER);
                    let leads_on = spelled && self.alive(frame, &next);
                    let key = StateKey::Text(any_next, next.as_slice().into());
                    let to = if leads_on { Some(self.state(frame, key)?) } else { None };
                    known.push((successors, to));
                    to
                }
            };
            let Some(to) = to else { continue };
            let tick = string && boundary || counted && lo.is_ascii_digit();
            let edge = Edge::Stay { to, tick, space: false };
            push_range(&mut out.edges, (lo, hi), edge);
        }
        let ended: Vec<Formula> = verdicts.iter().map(|&f| self.ended(f)).collect();
        let whole = any.accepting[any_state as usize] || !string && ended.contains(&ALWAYS);
        let most = if counted { pattern::COUNTED_DIGITS } else { u32::MAX };
        let exit = if whole { self.exit_within(frame, &ended, 0, most) } else { None };
        match exit {
            Some(exit) if string => out.leave(b'"', Some(exit)),
            // Whatever cannot go on in the number is read by the level around it.
            Some(exit) => out.default = Edge::Leave { exit, read: false },
            None => {}
        }
        Ok(())
    }

    /// The automata of formulas over a text, each in the states that it is in.
    fn automata(&self, formulas: &[Formula]) -> SmallVec<[(u32, u32); 4]> {
        let mut automata = SmallVec::new();
        for &f in formulas {
            self.formulas.atoms(f, &mut |atom| {
                if let Atom::String { dfa, state } | Atom::Number { dfa, state } = atom {
                    automata.push((dfa, state));
                }
            });
        }
        automata.sort_unstable();
        automata.dedup();
        automata
    }

    /// The formula after one more byte. Parts that formulas share are looked at once for all of them.
    pub fn read(&mut self, f: Formula, byte: u8, whole_character: bool) -> Formula {
        const MOST_READINGS: usize = 1 << 21;
        let (strings, numbers, universal) = (&self.strings, &self.numbers, &mut self.universal);
        let known = &mut self.readings[usize::from(byte) * 2 + usize::from(whole_character)];
        let before = known.len();
        let next = self.formulas.map_memo(
            f,
            &mut |formulas, atom| match atom {
                Atom::String { dfa, state } => match strings[dfa as usize].next(state, byte) {
                    ByteDfa::DEAD => NEVER,
                    state if whole_character && is_universal(universal, strings, dfa, state) => ALWAYS,
                    state => formulas.atom(Atom::String { dfa, state }),
                },
                Atom::Number { dfa, state } => match numbers[dfa as usize].next(state, byte) {
                    ByteDfa::DEAD => NEVER,
                    state => formulas.atom(Atom::Number { dfa, state }),
                },
                other => formulas.atom(other),
            },
            known,
        );
        self.known_readings += known.len() - before;
        if self.known_readings > MOST_READINGS {
            self.readings.iter_mut().for_each(FxHashMap::clear);
            self.known_readings = 0;
        }
        next
    }

    /// The formula when the text ends here.
    pub fn ended(&mut self, f: Formula) -> Formula {
        let (strings, numbers) = (&self.strings, &self.numbers);
        self.formulas.map(f, &mut |formulas, atom| match atom {
            Atom::String { dfa, state } => strings[dfa as usize].accepting[state as usize].into(),
            Atom::Number { dfa, state } => numbers[dfa as usize].accepting[state as usize].into(),
            other => formulas.atom(other),
        })
    }

    pub fn expand_literal(&mut self, frame: FrameId, read: u8, out: &mut Expansion) -> Result<()> {
        let text: &[u8] = match self.frames[frame as usize].key.kind {
            Kind::True => b"true",
            Kind::False => b"false",
            _ => b"null",
        };
        let byte = text[read as usize];
        if read as usize + 1 == text.len() {
            let exit = self.exit(frame, &[], 0);
            out.leave(byte, exit);
        } else {
            let to = self.state(frame, StateKey::Literal(read + 1))?;
            out.stay(byte, to);
        }
        Ok(())
    }

    pub fn expand_open_key(&mut self, frame: FrameId, any_state: u32, out: &mut Expansion) -> Result<()> {
        for &(lo, hi, next) in pattern::canonical_edges(any_state) {
            let to = self.state(frame, StateKey::OpenKey(next))?;
            out.edges.push((lo, hi, Edge::Stay { to, tick: false, space: false }));
        }
        if pattern::canonical_any().accepting[any_state as usize] {
            let exit = self.exit(frame, &[], 0);
            out.leave(b'"', exit);
        }
        Ok(())
    }
}

/// Whether a string automaton accepts everything from `state` on.
fn is_universal(
    known: &mut FxHashMap<(u32, u32), bool>,
    strings: &[Arc<ByteDfa>],
    dfa: u32,
    state: u32,
) -> bool {
    *known.entry((dfa, state)).or_insert_with(|| pattern::is_universal(&strings[dfa as usize], state))
}
