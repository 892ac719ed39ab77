//! Verdicts of members and items: awaited while the value is written, put in when it is known.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::explore::Explorer;
use super::formula::{ALWAYS, Formula, NEVER, Node as F};
use super::raw::*;
use crate::error::Result;
use crate::ir::NodeId;

impl Explorer<'_> {
    /// The object or array assertions that formulas combine, in order of appearance.
    pub fn asserted(&self, formulas: &[Formula]) -> Vec<NodeId> {
        let (mut nodes, mut seen) = (Vec::new(), FxHashSet::default());
        for &f in formulas {
            self.formulas.atoms(f, &mut |atom| {
                if let Atom::Object(node) | Atom::Array(node) = atom
                    && seen.insert(node)
                {
                    nodes.push(node);
                }
            });
        }
        nodes
    }

    /// What becomes of an assertion of which the value that comes next must satisfy a schema.
    pub fn awaiting(&mut self, assertion: Atom, schema: NodeId) -> Result<Formula> {
        let atom = self.formulas.atom(assertion);
        Ok(match self.value(schema, 0)? {
            NEVER => NEVER,
            ALWAYS => atom,
            f => {
                let verdict = self.formulas.atom(Atom::Verdict(f));
                self.formulas.and([atom, verdict])
            }
        })
    }

    /// The formula with its object or array assertions replaced.
    pub fn with_asserted(&mut self, f: Formula, after: &FxHashMap<NodeId, Formula>) -> Formula {
        self.formulas.map(f, &mut |formulas, atom| match atom {
            Atom::Object(node) | Atom::Array(node) => after[&node],
            other => formulas.atom(other),
        })
    }

    /// Puts known verdicts into formulas that waited for them.
    pub fn settle(&mut self, after: &[Formula], asked: &[Formula], verdicts: &[bool]) -> Vec<Formula> {
        after.iter().map(|&f| self.settle_one(f, asked, verdicts)).collect()
    }

    pub fn settle_one(&mut self, f: Formula, asked: &[Formula], verdicts: &[bool]) -> Formula {
        self.formulas.map(f, &mut |formulas, atom| match atom {
            Atom::Verdict(v) => {
                let i = asked.iter().position(|&a| a == v).expect("every awaited verdict is asked for");
                verdicts[i].into()
            }
            other => formulas.atom(other),
        })
    }

    pub fn alive(&self, frame: FrameId, verdicts: &[Formula]) -> bool {
        self.frames[frame as usize].key.keep_false || verdicts.iter().any(|&f| f != NEVER)
    }

    /// Merges verdicts that are only ever used together into one, so that they are one entry of the
    /// frame entered next: `v(a) ∧ v(b)` is `v(a ∧ b)`.
    pub fn group(&mut self, f: Formula) -> Formula {
        self.group_memo(f, &mut FxHashMap::default())
    }

    fn group_memo(&mut self, f: Formula, memo: &mut FxHashMap<Formula, Formula>) -> Formula {
        let (list, conjunction) = match self.formulas.node(f) {
            F::And(list) => (list.clone(), true),
            F::Or(list) => (list.clone(), false),
            _ => return f,
        };
        if let Some(&known) = memo.get(&f) {
            return known;
        }
        let mut verdicts = Vec::new();
        let mut rest = Vec::new();
        for &g in list.iter() {
            match *self.formulas.node(g) {
                F::Atom(Atom::Verdict(v)) => verdicts.push(v),
                _ => rest.push(self.group_memo(g, memo)),
            }
        }
        if !verdicts.is_empty() {
            let both = if conjunction { self.formulas.and(verdicts) } else { self.formulas.or(verdicts) };
            rest.push(match both.constant() {
                Some(b) => b.into(),
                None => self.formulas.atom(Atom::Verdict(both)),
            });
        }
        let grouped = if conjunction { self.formulas.and(rest) } else { self.formulas.or(rest) };
        memo.insert(f, grouped);
        grouped
    }

    /// The verdicts that formulas wait for, in order of appearance.
    pub fn asked<'f>(&self, formulas: impl IntoIterator<Item = &'f Formula>) -> Rc<[Formula]> {
        let mut asked = Vec::new();
        for &f in formulas {
            self.formulas.atoms(f, &mut |atom| {
                if let Atom::Verdict(v) = atom
                    && !asked.contains(&v)
                {
                    asked.push(v);
                }
            });
        }
        asked.into()
    }
}
