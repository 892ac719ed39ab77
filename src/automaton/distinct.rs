//! Members that must be there, counted so that a name written twice does not count twice.
//!
//! JSON lets a name come twice, and its reader keeps one. With `minProperties` above one that matters, and an
//! automaton does not remember names: it remembers their *classes*, by a hash of a few bits. A declared name
//! comes once and counts; another counts if none of its class has counted before. So two members are never
//! one to the reader, and a name that shares its class with another is written, but does not count.
//!
//! Once enough are counted nothing is remembered any more, so the classes are as many as the sets of fewer
//! than `least` of them allow.

use std::sync::Arc;

use super::explore::Explorer;
use super::formula::{ALWAYS, Formula, NEVER, Node as F};
use super::object::ObjectData;
use super::raw::*;
use crate::error::{Error, ErrorKind, Result};
use crate::ir::{FALSE, Range};
use crate::pattern::ByteDfa;

/// Most members that are counted one by one where names may come twice.
const MAX_LEAST: u32 = 8;

/// How many classes names fall into if so many must differ. Primes, for an even hash.
fn classes(least: u32) -> u8 {
    match least {
        ..=2 => 31,
        3 => 17,
        _ => 11,
    }
}

impl Explorer<'_> {
    /// Has the members of an entry's alternatives counted by name where they may have undeclared names, and
    /// by commas elsewhere.
    pub fn count_distinct(&mut self, data: &mut ObjectData, tracks: &mut [(u32, Formula)]) -> Result<()> {
        for (_, f) in tracks {
            let mut refused = None;
            if !self.is_closed(*f) {
                *f = self.formulas.map(*f, &mut |formulas, atom| match atom {
                    Atom::Count(range) if range.min > MAX_LEAST => {
                        refused.get_or_insert(range.min);
                        NEVER
                    }
                    Atom::Count(range) if range.min > 1 => {
                        let classes = classes(range.min);
                        let least = formulas.atom(Atom::Distinct { more: range.min as u8, seen: 0, classes });
                        let most = Range { min: 0, ..range };
                        let most =
                            if most == Range::ANY { ALWAYS } else { formulas.atom(Atom::Count(most)) };
                        formulas.and([least, most])
                    }
                    other => formulas.atom(other),
                });
            }
            if let Some(least) = refused {
                return Err(Error::new(
                    ErrorKind::LimitExceeded,
                    format!(
                        "at least {least} members, some of them undeclared: more than {MAX_LEAST} names are not told apart; \
                         declare them, or lower minProperties"
                    ),
                ));
            }
            self.formulas.atoms(*f, &mut |atom| match atom {
                Atom::Count(_) => data.counts = true,
                Atom::Distinct { classes, .. } => {
                    let all = (0..classes).map(|class| Atom::NameClass { class, classes });
                    if !data.conditions.contains(&Atom::NameClass { class: 0, classes }) {
                        data.conditions.extend(all);
                    }
                }
                _ => {}
            });
        }
        Ok(())
    }

    /// Whether what satisfies a formula has no undeclared names.
    fn is_closed(&self, f: Formula) -> bool {
        match self.formulas.node(f) {
            F::Never => true,
            F::Atom(Atom::Object { node, holds: true }) => {
                let o = self.object_assertion(*node);
                let forbids = |schema| self.ir.resolve(schema) == FALSE;
                forbids(o.additional) && o.patterns.iter().all(|p| forbids(p.schema))
            }
            F::And(list) => list.iter().any(|&g| self.is_closed(g)),
            F::Or(list) => list.iter().all(|&g| self.is_closed(g)),
            _ => false,
        }
    }

    /// What is still to be counted after one more name, a declared one unless it is `open`.
    pub fn name_counted(&mut self, atom: Atom, open: bool) -> Formula {
        let Atom::Distinct { more, seen, classes } = atom else { unreachable!("{atom:?} counts no names") };
        let left = |x: &mut Self, more: u8, seen: u32| match more {
            0 => ALWAYS,
            _ => x.formulas.atom(Atom::Distinct { more, seen, classes }),
        };
        if !open {
            return left(self, more - 1, seen);
        }
        // All classes are asked for, so that one automaton serves every set of them.
        let mut any = Vec::new();
        for class in 0..classes {
            let after = match seen >> class & 1 {
                0 => left(self, more - 1, seen | 1 << class),
                _ => left(self, more, seen),
            };
            let is = self.formulas.atom(Atom::NameClass { class, classes });
            any.push(self.formulas.and([is, after]));
        }
        self.formulas.or(any)
    }

    /// That a name, as spelled, is of a class: its automaton before the first byte.
    pub fn name_class(&mut self, class: u8, classes: u8) -> Formula {
        let first = match self.name_classes.get(&classes) {
            Some(&first) => first,
            None => {
                let first = self.strings.len() as u32;
                self.strings.extend((0..classes).map(|class| Arc::new(of_class(class, classes))));
                self.name_classes.insert(classes, first);
                first
            }
        };
        let dfa = first + u32::from(class);
        let state = self.strings[dfa as usize].start;
        self.formulas.atom(Atom::String { dfa, state })
    }
}

/// The names whose hash is `class`: `h ← (5·h + byte) mod classes`, from 0. State `1 + h` is hash `h`.
fn of_class(class: u8, classes: u8) -> ByteDfa {
    let n = u32::from(classes);
    let mut rows = vec![ByteDfa::DEAD; n as usize];
    for hash in 0..n {
        rows.extend((0..n).map(|byte| 1 + (5 * hash + byte) % n));
    }
    ByteDfa {
        classes: Box::new(std::array::from_fn(|byte| (byte as u32 % n) as u8)),
        stride: n,
        rows,
        accepting: (0..=n).map(|state| state == 1 + u32::from(class)).collect(),
        boundary: vec![true; n as usize + 1],
        start: 1,
    }
}
