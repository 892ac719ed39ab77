//! Array frames: which items may follow, and what they are judged for.
//!
//! The count is the number of commas, so an array of n ≥ 1 items is left at count n − 1. While prefix
//! items last, the item's number is part of the state; beyond them one state serves all items.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::explore::{Expansion, Explorer};
use super::formula::{ALWAYS, Formula, NEVER};
use super::machine::Indent;
use super::raw::*;
use crate::error::Result;
use crate::ir::{ArrayAssertion, Node, NodeId, TRUE};

impl Explorer<'_> {
    fn array_assertion(&self, node: NodeId) -> &ArrayAssertion {
        match self.ir.node(node) {
            Node::Array(a) => a,
            other => unreachable!("array atoms name array assertions, not {other:?}"),
        }
    }

    /// Drops assertions that no item from `index` on can violate.
    pub fn array_settle(&mut self, f: Formula, index: u32) -> Formula {
        let ir = self.ir;
        self.formulas.map(f, &mut |formulas, atom| match atom {
            Atom::Array { node, holds } => {
                let Node::Array(a) = ir.node(node) else { unreachable!() };
                let mut rest = a.prefix.iter().skip(index as usize).chain([&a.rest]);
                if rest.all(|&n| ir.resolve(n) == TRUE) { holds.into() } else { formulas.atom(atom) }
            }
            other => formulas.atom(other),
        })
    }

    /// The entries after item `index`, with the item's verdicts open.
    fn read_item(&mut self, verdicts: &[Formula], index: u32) -> Result<Rc<[Formula]>> {
        let mut after = FxHashMap::default();
        for atom in self.asserted(verdicts) {
            after.insert(atom, self.after_item(atom, index)?);
        }
        let mut result = Vec::with_capacity(verdicts.len());
        for &f in verdicts {
            let f = self.with_asserted(f, &after);
            let f = self.array_settle(f, index + 1);
            result.push(self.group(f));
        }
        Ok(result.into())
    }

    /// What is left of an atom after item `index`, whose verdict is open.
    fn after_item(&mut self, atom: Atom, index: u32) -> Result<Formula> {
        let now = self.formulas.atom(atom);
        match atom {
            Atom::Array { node, holds } => {
                let a = self.array_assertion(node);
                let item = *a.prefix.get(index as usize).unwrap_or(&a.rest);
                let verdict = self.verdict(item, holds)?;
                Ok(self.awaiting(atom, holds, verdict))
            }
            Atom::Least { node, items } => {
                let verdict = self.verdict(node, true)?;
                let fewer = match items {
                    1 => ALWAYS,
                    _ => self.formulas.atom(Atom::Least { node, items: items - 1 }),
                };
                let counted = self.formulas.and([verdict, fewer]);
                Ok(self.formulas.or([now, counted]))
            }
            Atom::Most { node, items } => {
                let verdict = self.verdict(node, false)?;
                let fewer = match items {
                    0 => NEVER,
                    _ => self.formulas.atom(Atom::Most { node, items: items - 1 }),
                };
                let counted = self.formulas.or([verdict, fewer]);
                Ok(self.formulas.and([now, counted]))
            }
            other => unreachable!("{other:?} is no atom of an array"),
        }
    }

    /// The item number from which on all are treated alike.
    fn saturation(&self, frame: FrameId) -> u32 {
        let entries = &self.frames[frame as usize].key.entries;
        let listed = |atom| match atom {
            Atom::Array { node, .. } => self.array_assertion(node).prefix.len(),
            _ => 0,
        };
        self.asserted(entries).into_iter().map(listed).max().unwrap_or(0) as u32
    }

    pub fn expand_array(&mut self, frame: FrameId, key: StateKey, out: &mut Expansion) -> Result<()> {
        let indented = self.indented();
        match key.clone() {
            StateKey::ArrayStart(verdicts, broken) => {
                if !broken {
                    let empty: Vec<Formula> = verdicts.iter().map(|&f| self.without_items(f)).collect();
                    let exit = self.exit(frame, &empty, 0);
                    out.leave(b']', exit);
                }
                if indented && !broken {
                    let after = self.read_item(&verdicts, 0)?;
                    if self.alive(frame, &after) {
                        let to = self.state(frame, StateKey::ArrayStart(verdicts, true))?;
                        out.stay(b'\n', to);
                    }
                } else {
                    self.item_edges(frame, &verdicts, 0, out)?;
                    self.space_loop(frame, &key, out);
                }
                if broken {
                    out.indent = Indent::Inner;
                }
            }
            StateKey::Item(index, verdicts) => {
                self.item_edges(frame, &verdicts, index, out)?;
                if indented {
                    out.indent = Indent::Inner;
                } else {
                    self.space_loop(frame, &key, out);
                }
            }
            StateKey::ItemBreak(index, verdicts) => {
                let to = self.state(frame, StateKey::Item(index, verdicts))?;
                out.stay(b'\n', to);
            }
            StateKey::ItemDone(index, verdicts, broken) => {
                if !indented || broken {
                    // Nothing but counts is open once the last item is read.
                    let ended: Vec<Formula> = verdicts.iter().map(|&f| self.items_ended(f)).collect();
                    let exit = self.exit(frame, &ended, 1);
                    out.leave(b']', exit);
                }
                if broken {
                    out.indent = Indent::Outer;
                    return Ok(());
                }
                let next = (index + 1).min(self.saturation(frame));
                let after = self.read_item(&verdicts, next)?;
                if self.alive(frame, &after) {
                    let to = if indented {
                        StateKey::ItemBreak(next, verdicts.clone())
                    } else {
                        StateKey::Item(next, verdicts.clone())
                    };
                    let to = self.state(frame, to)?;
                    out.edges.push((b',', b',', Edge::Stay { to, tick: true, space: false }));
                }
                if indented {
                    let to = self.state(frame, StateKey::ItemDone(index, verdicts, true))?;
                    out.stay(b'\n', to);
                } else {
                    self.space_loop(frame, &key, out);
                }
            }
            other => unreachable!("{other:?} is no state of an array"),
        }
        Ok(())
    }

    fn item_edges(
        &mut self,
        frame: FrameId,
        verdicts: &[Formula],
        index: u32,
        out: &mut Expansion,
    ) -> Result<()> {
        let after = self.read_item(verdicts, index)?;
        let asked = self.asked(after.iter());
        self.value_edges(frame, &asked, Continuation::Item { index, after }, out)
    }

    fn without_items(&mut self, f: Formula) -> Formula {
        self.formulas.map(f, &mut |_, atom| match atom {
            Atom::Count(range) => (range.min == 0).into(),
            other => holds_at_end(other).into(),
        })
    }

    fn items_ended(&mut self, f: Formula) -> Formula {
        self.formulas.map(f, &mut |formulas, atom| match atom {
            Atom::Count(_) => formulas.atom(atom),
            other => holds_at_end(other).into(),
        })
    }
}

/// Whether an atom that is not decided by then holds at the end of its array.
fn holds_at_end(atom: Atom) -> bool {
    match atom {
        Atom::Array { holds, .. } => holds,
        Atom::Least { .. } => false,
        Atom::Most { .. } => true,
        other => unreachable!("{other:?} is no atom of an array"),
    }
}
