//! What a value's formula comes to once the kind of the value is known: leaves become automata, counts and members.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::explore::Explorer;
use super::formula::{ALWAYS, Formula, Formulas, NEVER};
use super::raw::*;
use crate::error::Result;
use crate::ir::{Node, Range, TypeSet};
use crate::pattern::{self, Digits, NumberSpec};

/// Remainders that digits may multiply: with 15 digits they are some 4,000 states, more than which a single divisor is not
/// given either.
const MOST_REMAINDERS: u64 = 266;

impl Explorer<'_> {
    /// Makes the automata of the leaves of a formula that must not hold, but for those that leave digits uncounted.
    fn complete(&mut self, f: Formula, kind: Kind, uncounted: &FxHashMap<(u32, bool), u32>) -> Result<()> {
        let mut missing = Vec::new();
        self.formulas.atoms(f, &mut |atom| {
            if let Atom::Leaf { node, holds: false } = atom
                && !self.complements.contains_key(&node)
            {
                missing.push(node);
            }
        });
        for node in missing {
            let next = match self.ir.node(node) {
                Node::String(i) if kind == Kind::String => {
                    let accepted = self.ir.wider[*i as usize].as_ref().unwrap_or(&self.strings[*i as usize]);
                    let any = pattern::canonical_any();
                    let outside = pattern::product(&any, accepted, |any, accepted| any && !accepted);
                    self.strings.push(Arc::new(outside));
                    self.strings.len() - 1
                }
                Node::Number(i) if kind == Kind::Number && !uncounted.contains_key(&(*i, false)) => {
                    let outside = pattern::number_outside(&self.ir.numbers[*i as usize].0, Digits::Limited);
                    let pointer = &self.ir.pointers[node.0 as usize];
                    self.numbers.push(Arc::new(outside.map_err(|e| e.or_at(pointer.to_string()))?));
                    self.numbers.len() - 1
                }
                _ => continue,
            };
            self.complements.insert(node, next as u32);
        }
        Ok(())
    }

    /// The automata that leave digits uncounted, for the assertions of a formula that have one and are worth it; by assertion, and
    /// whether it holds. Where there is any the frame counts, whatever automata the others have.
    fn uncounted(&mut self, f: Formula) -> FxHashMap<(u32, bool), u32> {
        let mut leaves: Vec<(u32, bool)> = Vec::new();
        self.formulas.atoms(f, &mut |atom| {
            if let Atom::Leaf { node, holds } = atom
                && let Node::Number(i) = self.ir.node(node)
                && !leaves.contains(&(*i, holds))
            {
                leaves.push((*i, holds));
            }
        });
        let mut made = FxHashMap::default();
        let spec = |i: u32| &self.ir.numbers[i as usize].0;
        if !leaves.iter().all(|&(i, _)| pattern::is_short(spec(i))) {
            return made;
        }
        // Between two bounds there are few digits, and often few multiples.
        let open = |s: &NumberSpec| s.minimum.is_none() || s.maximum.is_none();
        leaves.retain(|&(i, _)| open(spec(i)) && pattern::is_countable(spec(i)));
        let divisors = leaves.iter().filter_map(|&(i, _)| pattern::whole_divisor(spec(i)));
        let together = divisors.fold(1u64, |all, m| all.saturating_mul(m / gcd(all, m)));
        if together <= MOST_REMAINDERS {
            return made;
        }
        for (i, holds) in leaves {
            if let Some(&known) = self.uncounted.get(&(i, holds)) {
                made.insert((i, holds), known);
                continue;
            }
            let spec = &self.ir.numbers[i as usize].0;
            let dfa = if holds {
                pattern::shared_number(spec, Digits::Counted)
            } else {
                pattern::number_outside(spec, Digits::Counted).map(Arc::new)
            };
            // One that is too large stays as it is.
            if let Ok(dfa) = dfa {
                let next = self.numbers.len() as u32;
                self.numbers.push(dfa);
                self.uncounted.insert((i, holds), next);
                made.insert((i, holds), next);
            }
        }
        made
    }

    /// What remains of a formula over leaves once the value's kind is known.
    pub fn restrict(&mut self, f: Formula, kind: Kind) -> Result<Formula> {
        if f.constant().is_some() {
            return Ok(f);
        }
        if let Some(&done) = self.restricted.get(&(f, kind)) {
            return Ok(done);
        }
        let uncounted = if kind == Kind::Number { self.uncounted(f) } else { FxHashMap::default() };
        self.complete(f, kind, &uncounted)?;
        let (ir, strings, numbers, complements) = (self.ir, &self.strings, &self.numbers, &self.complements);
        let types = match kind {
            Kind::Null => TypeSet::NULL,
            Kind::True | Kind::False => TypeSet::BOOLEAN,
            Kind::Number => TypeSet::NUMBER,
            Kind::String => TypeSet::STRING,
            Kind::Array => TypeSet::ARRAY,
            _ => TypeSet::OBJECT,
        };
        let done = self.formulas.map(f, &mut |formulas, atom| {
            let (node, holds) = match atom {
                Atom::Leaf { node, holds } => (node, holds),
                Atom::Ordered(_) if kind == Kind::Object => return formulas.atom(atom),
                Atom::Ordered(_) => return ALWAYS,
                other => unreachable!("a value not begun has only leaves, not {other:?}"),
            };
            let automaton = |own: u32| if holds { own } else { complements[&node] };
            match ir.node(node) {
                Node::Type(set) => (set.contains(types) == holds).into(),
                Node::Bool(b) if kind == Kind::True || kind == Kind::False => {
                    ((*b == (kind == Kind::True)) == holds).into()
                }
                Node::Length(r) if kind == Kind::String => counted(formulas, *r, holds),
                Node::String(i) if kind == Kind::String => {
                    let dfa = automaton(*i);
                    let start = strings[dfa as usize].start;
                    if start == 0 { NEVER } else { formulas.atom(Atom::String { dfa, state: start }) }
                }
                Node::Number(i) if kind == Kind::Number => {
                    let dfa = uncounted.get(&(*i, holds)).copied().unwrap_or_else(|| automaton(*i));
                    let start = numbers[dfa as usize].start;
                    if start == 0 { NEVER } else { formulas.atom(Atom::Number { dfa, state: start }) }
                }
                Node::Object(_) if kind == Kind::Object => formulas.atom(Atom::Object { node, holds }),
                Node::Members(r) if kind == Kind::Object => counted(formulas, *r, holds),
                Node::Array(a) if kind == Kind::Array => {
                    let count = counted(formulas, a.items, holds);
                    let array = formulas.atom(Atom::Array { node, holds });
                    if holds { formulas.and([array, count]) } else { formulas.or([array, count]) }
                }
                Node::Contains(of, range) if kind == Kind::Array => {
                    let node = ir.resolve(*of);
                    let least = |items: u32| (items > 0).then_some(Atom::Least { node, items });
                    let most = |items: u32| (items < u32::MAX).then_some(Atom::Most { node, items });
                    let bounds = if holds {
                        [least(range.min), most(range.max)]
                    } else {
                        let fewer = range.min.checked_sub(1).and_then(most);
                        [fewer, range.max.checked_add(1).and_then(least)]
                    };
                    let bounds: Vec<Formula> =
                        bounds.into_iter().flatten().map(|a| formulas.atom(a)).collect();
                    if holds { formulas.and(bounds) } else { formulas.or(bounds) }
                }
                // Whatever it says of other types holds of this one.
                _ => holds.into(),
            }
        });
        let done = if self.is_negative(done) { done } else { self.settle_order(done) };
        self.restricted.insert((f, kind), done);
        Ok(done)
    }

    /// Whether an object is judged for violating something: then there is one order for all.
    pub fn is_negative(&self, f: Formula) -> bool {
        let mut negative = false;
        self.formulas.atoms(f, &mut |atom| negative |= matches!(atom, Atom::Object { holds: false, .. }));
        negative
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// That a count lies in a range, or outside of it.
fn counted(formulas: &mut Formulas<Atom>, range: Range, holds: bool) -> Formula {
    if holds {
        return if range.min > range.max { NEVER } else { formulas.atom(Atom::Count(range)) };
    }
    if range.min > range.max {
        return ALWAYS;
    }
    let below = range.min.checked_sub(1).map(|max| Range { min: 0, max });
    let above = range.max.checked_add(1).map(|min| Range { min, max: u32::MAX });
    let outside: Vec<Formula> =
        [below, above].into_iter().flatten().map(|r| formulas.atom(Atom::Count(r))).collect();
    formulas.or(outside)
}
