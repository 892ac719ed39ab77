//! Members that must be there, counted so that a name written twice does not count twice.
//!
//! JSON lets a name come twice, and its reader keeps one. With `minProperties` above one that matters, and an
//! automaton does not remember names: it remembers their *classes*, by a hash of a few bits. A declared name
//! comes once and counts; another counts if none of its class has counted before. So two members are never
//! one to the reader, and a name that shares its class with another is written, but does not count.
//!
//! With free key order nothing else counts members: also the room that `maxProperties` leaves is counted down.
//!
//! Once enough are counted nothing is remembered any more, so the classes are as many as the sets of fewer
//! than `least` of them allow.

use std::sync::Arc;

use super::explore::Explorer;
use super::formula::{ALWAYS, Formula, NEVER, Node as F};
use super::object::ObjectData;
use super::raw::*;
use crate::error::{Error, ErrorKind, Result};
use crate::ir::{FALSE, Node, Range};
use crate::pattern::ByteDfa;

/// Most members that are counted one by one where names may come twice.
const MAX_LEAST: u32 = 8;

/// Most members for which there is room under `maxProperties` with free key order.
const MAX_ROOM: u32 = 256;

/// How many classes names fall into if so many must differ: a handful, where their sets are many.
fn classes(least: u32) -> u8 {
    match least {
        ..=2 => 31,
        3 => 11,
        _ => least as u8 + 1,
    }
}

impl Explorer<'_> {
    /// Has the members of an entry's alternatives counted by name where they may have undeclared names, and
    /// by commas elsewhere.
    pub fn count_distinct(&mut self, data: &mut ObjectData, tracks: &mut [(u32, Formula)]) -> Result<()> {
        for (_, f) in tracks {
            let mut refused = None;
            if data.judged || !self.is_closed(*f) {
                let least_counted = if data.judged { 1 } else { 2 };
                *f = self.formulas.map(*f, &mut |formulas, atom| match atom {
                    Atom::Count(range) if data.judged || range.min >= least_counted => {
                        let most = Range { min: 0, ..range };
                        let least = match range.min {
                            0 => ALWAYS,
                            more => {
                                refused = refused.max(Some(more).filter(|&n| n > MAX_LEAST));
                                let more = more.min(MAX_LEAST);
                                let classes = classes(more);
                                formulas.atom(Atom::Distinct { more: more as u8, seen: 0, classes })
                            }
                        };
                        let most = match range.max {
                            u32::MAX => ALWAYS,
                            more if data.judged => {
                                refused = refused.max(Some(more).filter(|&n| n > MAX_ROOM));
                                formulas.atom(Atom::Room { more: more.min(MAX_ROOM) })
                            }
                            _ => formulas.atom(Atom::Count(most)),
                        };
                        formulas.and([least, most])
                    }
                    other => formulas.atom(other),
                });
            }
            if let Some(members) = refused {
                return Err(Error::at(
                    ErrorKind::LimitExceeded,
                    self.counting(members),
                    format!(
                        "an object of {members} members is counted: where names are not declared no more than {MAX_LEAST} are \
                         told apart, and with free key order there is room for {MAX_ROOM} at most; declare the names, \
                         or use key order `schema`"
                    ),
                ));
            }
            self.formulas.atoms(*f, &mut |atom| match atom {
                Atom::Count(_) => data.counts = true,
                Atom::Distinct { classes, more: 2.., .. } => {
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

    /// The pointer of what counts so many members, or is violated by them.
    fn counting(&self, members: u32) -> String {
        let counts = |node: &Node| match node {
            Node::Members(r) => {
                [r.min, r.max, r.min.wrapping_sub(1), r.max.wrapping_add(1)].contains(&members)
            }
            _ => false,
        };
        let node = self.ir.nodes.iter().position(counts);
        node.map_or_else(String::new, |at| self.ir.pointers[at].to_string())
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

    /// Whether members are counted.
    pub fn is_counted(&self, f: Formula) -> bool {
        let mut counted = false;
        self.formulas.atoms(f, &mut |atom| counted |= matches!(atom, Atom::Count(_)));
        counted
    }

    /// What is still to be counted after one more name, a declared one unless it is `open`.
    pub fn name_counted(&mut self, atom: Atom, open: bool) -> Formula {
        let (more, seen, classes) = match atom {
            Atom::Distinct { more: 1, seen: 0, .. } => return ALWAYS,
            Atom::Room { more: 0 } => return NEVER,
            Atom::Room { more } => return self.formulas.atom(Atom::Room { more: more - 1 }),
            Atom::Distinct { more, seen, classes } => (more, seen, classes),
            other => unreachable!("{other:?} counts no names"),
        };
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

/// The value of a byte in the hash of a name, below `classes`. Of characters beyond ASCII little is told apart: so they are
/// few runs of bytes, and rows stay short.
fn value(byte: usize, classes: u32) -> u32 {
    (if byte < 0x80 { byte } else { byte / 16 }) as u32 % classes
}

/// The names whose hash is `class`: `h ← (5·h + value) mod classes`, from 1. State `1 + h` is hash `h`.
fn of_class(class: u8, classes: u8) -> ByteDfa {
    let n = u32::from(classes);
    let mut rows = vec![ByteDfa::DEAD; n as usize];
    for hash in 0..n {
        rows.extend((0..n).map(|value| 1 + (5 * hash + value) % n));
    }
    ByteDfa {
        classes: Box::new(std::array::from_fn(|byte| value(byte, n) as u8)),
        stride: n,
        rows,
        accepting: (0..=n).map(|state| state == 1 + u32::from(class)).collect(),
        boundary: vec![true; n as usize + 1],
        start: 2,
    }
}
