//! Verdicts of members and items: awaited while the value is written, put in when it is known.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::explore::Explorer;
use super::formula::{Formula, NEVER, Node as F, Pair};
use super::raw::*;
use crate::error::Result;
use crate::ir::NodeId;

impl Explorer<'_> {
    /// What formulas say of members or items still to come, in order of appearance.
    pub fn asserted(&self, formulas: &[Formula]) -> Vec<Atom> {
        let (mut found, mut seen) = (Vec::new(), FxHashSet::default());
        for &f in formulas {
            self.formulas.atoms(f, &mut |atom| {
                if is_asserted(atom) && seen.insert(atom) {
                    found.push(atom);
                }
            });
        }
        found
    }

    /// That the value to come satisfies a node, or does not.
    pub fn verdict(&mut self, node: NodeId, holds: bool) -> Result<Formula> {
        let f = self.value(node, holds)?;
        Ok(self.verdict_of(f))
    }

    /// That the value to come satisfies a formula over leaves.
    pub fn verdict_of(&mut self, f: Formula) -> Formula {
        match f.constant() {
            Some(b) => b.into(),
            None => self.formulas.atom(Atom::Verdict(f)),
        }
    }

    /// What becomes of an assertion that holds (or is violated) if it did before and (or) a verdict does.
    pub fn awaiting(&mut self, assertion: Atom, holds: bool, verdict: Formula) -> Formula {
        let before = self.formulas.atom(assertion);
        if holds { self.formulas.and([before, verdict]) } else { self.formulas.or([before, verdict]) }
    }

    /// The formula with what it says of members or items replaced.
    pub fn with_asserted(&mut self, f: Formula, after: &FxHashMap<Atom, Formula>) -> Formula {
        self.formulas.map(f, &mut |formulas, atom| {
            if is_asserted(atom) { after[&atom] } else { formulas.atom(atom) }
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
            F::One(pairs, wanted) => {
                let (pairs, wanted) = (pairs.clone(), *wanted);
                let grouped: Vec<Pair> = pairs
                    .iter()
                    .map(|&(a, b)| (self.group_memo(a, memo), self.group_memo(b, memo)))
                    .collect();
                return self.formulas.one(grouped, wanted);
            }
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

fn is_asserted(atom: Atom) -> bool {
    matches!(
        atom,
        Atom::Object { .. }
            | Atom::Overwritable { .. }
            | Atom::Distinct { .. }
            | Atom::Room { .. }
            | Atom::Array { .. }
            | Atom::Least { .. }
            | Atom::Most { .. }
    )
}
