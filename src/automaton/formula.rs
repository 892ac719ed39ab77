//! Hash-consed Boolean formulas: the states of a frame.
//!
//! Determinising a set of alternatives by remembering *which sets of them are alive* costs 2^n states.
//! A formula over the alternatives costs what their combination really needs: decided alternatives
//! become constants, constants fold, equal operands merge, and a disjunct that implies another is
//! absorbed. Two frame states are the same state iff their formulas have the same id.
//!
//! Formulas are monotone (no negation): whatever is judged negatively is given an atom of its own, the
//! *complement* of the other. The two need not cover everything (of some texts it is not known whether
//! they are in a language), but never hold together; so `a ∧ ¬a` folds, and as each text is valid or not,
//! so does `a ∨ ¬a`. *Exactly one of n* would need n² operands spelled out; it is a node of its own, over
//! pairs of a formula and its complement, and so none-yet and one-already are all that is told apart.
//!
//! Atoms that hold on a range of counts imply each other: ranges intersect under *and*, unite under
//! *or*, and a contained one is absorbed. Without that, alternatives that differ in their ranges alone
//! would be told apart for ever: `n ≥ 0 ∨ n ≥ 3` would not be the constant it is.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::ir::Range;

/// A formula. Equal ids are equal formulas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Formula(u32);

/// Never holds.
pub(crate) const NEVER: Formula = Formula(0);
/// Always holds.
pub(crate) const ALWAYS: Formula = Formula(1);

impl From<bool> for Formula {
    fn from(b: bool) -> Self {
        if b { ALWAYS } else { NEVER }
    }
}

impl Formula {
    /// The truth value, if decided.
    pub fn constant(self) -> Option<bool> {
        match self {
            NEVER => Some(false),
            ALWAYS => Some(true),
            _ => None,
        }
    }
}

/// One node of a formula. Operands of `And` and `Or` are sorted, distinct and at least two.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node<A> {
    Never,
    Always,
    Atom(A),
    And(Rc<[Formula]>),
    Or(Rc<[Formula]>),
    /// Exactly one of the alternatives holds and the complements of all others (`true`), or it is certain
    /// that not exactly one does (`false`). Each is a formula and its complement; sorted, distinct, two or more.
    One(Rc<[Pair]>, bool),
}

/// A formula and its complement.
pub(crate) type Pair = (Formula, Formula);

/// What formulas are made of.
pub(crate) trait Alternative: Copy + Eq + std::hash::Hash {
    /// If the atom says that the count lies in a range: that range.
    fn range(self) -> Option<Range>;
    /// The atom which says that the count lies in `range`.
    fn within(range: Range) -> Self;
    /// The atom that never holds together with this one, and one of the two of which is true.
    fn complement(self) -> Option<Self>;
    /// Whether there are other atoms than ranges that this one can imply.
    fn implies_others(self) -> bool;
    /// Whether this atom holding means that the other one, not a range, does.
    fn implies(self, other: Self) -> bool;
}

/// The arena of all formulas over atoms of type `A`.
pub(crate) struct Formulas<A> {
    nodes: Vec<Node<A>>,
    /// Per node, whether it or one of its operands is a range of counts.
    counts: Vec<bool>,
    /// Per node, the complement of an atom.
    complements: Vec<Option<Formula>>,
    ids: FxHashMap<Node<A>, Formula>,
}

impl<A: Alternative> Formulas<A> {
    pub fn new() -> Self {
        Formulas {
            nodes: vec![Node::Never, Node::Always],
            counts: vec![false; 2],
            complements: vec![None; 2],
            ids: FxHashMap::default(),
        }
    }

    pub fn node(&self, f: Formula) -> &Node<A> {
        &self.nodes[f.0 as usize]
    }

    fn intern(&mut self, node: Node<A>) -> Formula {
        if let Some(&id) = self.ids.get(&node) {
            return id;
        }
        let id = Formula(self.nodes.len() as u32);
        self.counts.push(match &node {
            Node::Never | Node::Always => false,
            Node::Atom(a) => a.range().is_some(),
            Node::And(list) | Node::Or(list) => list.iter().any(|&f| self.range(f).is_some()),
            Node::One(..) => false,
        });
        let complement = match &node {
            Node::Atom(a) => a.complement().and_then(|c| self.ids.get(&Node::Atom(c)).copied()),
            _ => None,
        };
        if let Some(other) = complement {
            self.complements[other.0 as usize] = Some(id);
        }
        self.complements.push(complement);
        self.nodes.push(node.clone());
        self.ids.insert(node, id);
        id
    }

    pub fn atom(&mut self, a: A) -> Formula {
        self.intern(Node::Atom(a))
    }

    pub fn and(&mut self, operands: impl IntoIterator<Item = Formula>) -> Formula {
        self.combine(operands, true)
    }

    pub fn or(&mut self, operands: impl IntoIterator<Item = Formula>) -> Formula {
        self.combine(operands, false)
    }

    fn combine(&mut self, operands: impl IntoIterator<Item = Formula>, conjunction: bool) -> Formula {
        let (neutral, absorbing) = if conjunction { (ALWAYS, NEVER) } else { (NEVER, ALWAYS) };
        let mut list = Vec::new();
        for f in operands {
            if f == absorbing {
                return absorbing;
            }
            match self.node(f) {
                Node::And(inner) if conjunction => list.extend_from_slice(inner),
                Node::Or(inner) if !conjunction => list.extend_from_slice(inner),
                _ if f == neutral => {}
                _ => list.push(f),
            }
        }
        if list.iter().any(|f| self.counts[f.0 as usize]) {
            let decided = if conjunction { self.intersect(&mut list) } else { self.unite(&mut list) };
            if decided {
                return absorbing;
            }
        }
        list.sort_unstable();
        list.dedup();
        if list.iter().any(|f| self.complements[f.0 as usize].is_some()) {
            if list
                .iter()
                .any(|f| self.complements[f.0 as usize].is_some_and(|c| list.binary_search(&c).is_ok()))
            {
                return absorbing;
            }
            if let Some(shorter) = self.resolve(&list, conjunction) {
                return self.combine(shorter, conjunction);
            }
        }
        self.drop_implied(&mut list, conjunction);
        self.absorb(&mut list, conjunction);
        match list[..] {
            [] => neutral,
            [only] => only,
            _ if conjunction => self.intern(Node::And(list.into())),
            _ => self.intern(Node::Or(list.into())),
        }
    }

    fn range(&self, f: Formula) -> Option<Range> {
        match self.node(f) {
            Node::Atom(a) => a.range(),
            _ => None,
        }
    }

    /// Replaces the ranges among the operands of an *and* by the one they have in common; whether there
    /// is none.
    fn intersect(&mut self, list: &mut Vec<Formula>) -> bool {
        let mut common = Range::ANY;
        list.retain(|&f| match self.range(f) {
            Some(r) => {
                common = Range { min: common.min.max(r.min), max: common.max.min(r.max) };
                false
            }
            None => true,
        });
        if common != Range::ANY {
            list.push(self.atom(A::within(common)));
        }
        common.min > common.max
    }

    /// Unites the ranges among the operands of an *or*, and those of operands that differ in nothing
    /// else: `(x ∧ r) ∨ (x ∧ s)` is `x ∧ (r ∪ s)`. Whether every count is in one.
    fn unite(&mut self, list: &mut Vec<Formula>) -> bool {
        // What a range is conjoined with, in order of appearance.
        let mut parts: Vec<(Box<[Formula]>, Vec<Range>)> = Vec::new();
        let mut places: FxHashMap<Box<[Formula]>, usize> = FxHashMap::default();
        list.retain(|&f| {
            if !self.counts[f.0 as usize] {
                return true;
            }
            let (others, range): (Box<[Formula]>, _) = match self.node(f) {
                Node::Atom(_) => (Box::default(), self.range(f)),
                Node::And(all) => (
                    all.iter().copied().filter(|&g| self.range(g).is_none()).collect(),
                    all.iter().find_map(|&g| self.range(g)),
                ),
                _ => return true,
            };
            let range = range.expect("it counts");
            let at = *places.entry(others.clone()).or_insert(parts.len());
            if at == parts.len() {
                parts.push((others, Vec::new()));
            }
            parts[at].1.push(range);
            false
        });
        for (others, ranges) in parts {
            for range in union(ranges) {
                let range = if range == Range::ANY { ALWAYS } else { self.atom(A::within(range)) };
                let f = self.combine(others.iter().copied().chain([range]), true);
                if f == ALWAYS {
                    return true;
                }
                list.push(f);
            }
        }
        // Without its range an operand may be a disjunction itself.
        if list.iter().any(|&f| matches!(self.node(f), Node::Or(_))) {
            let flat = list.iter().flat_map(|&f| match self.node(f) {
                Node::Or(inner) => inner.to_vec(),
                _ => vec![f],
            });
            *list = flat.collect();
            return self.unite(list);
        }
        false
    }

    /// `a ∨ (¬a ∧ x)` is `a ∨ x`; `a ∧ (¬a ∨ x)` is `a ∧ x`. The operands so shortened, if any are.
    fn resolve(&mut self, list: &[Formula], conjunction: bool) -> Option<Vec<Formula>> {
        let decided = |s: &Self, f: Formula| {
            s.complements[f.0 as usize].is_some_and(|c| list.binary_search(&c).is_ok())
        };
        let mut shorter = Vec::with_capacity(list.len());
        let mut any = false;
        for &f in list {
            let inner = match self.node(f) {
                Node::Or(inner) if conjunction => inner,
                Node::And(inner) if !conjunction => inner,
                _ => {
                    shorter.push(f);
                    continue;
                }
            };
            if inner.iter().any(|&g| decided(self, g)) {
                let left: Vec<Formula> = inner.iter().copied().filter(|&g| !decided(self, g)).collect();
                shorter.push(self.combine(left, !conjunction));
                any = true;
            } else {
                shorter.push(f);
            }
        }
        any.then_some(shorter)
    }

    /// Of atoms one of which implies the other, one is enough.
    fn drop_implied(&self, list: &mut Vec<Formula>, conjunction: bool) {
        if !list.iter().any(|&f| matches!(self.node(f), Node::Atom(a) if a.implies_others())) {
            return;
        }
        let atom = |f: Formula| match self.node(f) {
            Node::Atom(a) if a.range().is_none() => Some(*a),
            _ => None,
        };
        let atoms: Vec<A> = list.iter().filter_map(|&f| atom(f)).collect();
        if atoms.len() < 2 {
            return;
        }
        list.retain(|&f| {
            atom(f).is_none_or(|a| {
                !atoms.iter().any(|&b| b != a && if conjunction { b.implies(a) } else { a.implies(b) })
            })
        });
    }

    /// Exactly one of the alternatives holds, or (`wanted` is false) it is certain that this is not so.
    pub fn one(&mut self, pairs: impl IntoIterator<Item = Pair>, wanted: bool) -> Formula {
        // A formula and its complement may both be supposed to hold, to see whether anything could follow.
        // That must never make less of it, so an alternative is left out only if both are decided.
        let mut list: Vec<Pair> = pairs.into_iter().filter(|&p| p != (NEVER, ALWAYS)).collect();
        if let Some(at) = list.iter().position(|p| p.0 == ALWAYS) {
            let (_, complement) = list.swap_remove(at);
            let others =
                if wanted { self.and(list.iter().map(|p| p.1)) } else { self.or(list.iter().map(|p| p.0)) };
            if complement == NEVER {
                return others;
            }
            let rest = self.one(list, wanted);
            let rest = self.and([complement, rest]);
            return self.or([others, rest]);
        }
        list.sort_unstable();
        // None of those that are there twice may hold, nor of those that cannot.
        let (mut none, mut any) = (Vec::new(), Vec::new());
        let mut kept: Vec<Pair> = Vec::with_capacity(list.len());
        for group in list.chunk_by(|a, b| a == b) {
            let (mut formula, complement) = group[0];
            if group.len() > 1 {
                if wanted {
                    formula = self.and([formula, complement]);
                } else {
                    any.push(formula);
                    formula = NEVER;
                }
            }
            if formula == NEVER && wanted {
                none.push(complement);
            } else {
                kept.push((formula, complement));
            }
        }
        kept.sort_unstable();
        let one = match kept[..] {
            [] => Formula::from(!wanted),
            [(formula, complement)] => {
                if wanted {
                    formula
                } else {
                    complement
                }
            }
            _ => self.intern(Node::One(kept.into(), wanted)),
        };
        none.push(one);
        any.push(self.and(none));
        self.or(any)
    }

    /// `x ∨ (x ∧ y)` is `x`; `x ∧ (x ∨ y)` is `x`; a range stands for all that it implies.
    fn absorb(&self, list: &mut Vec<Formula>, conjunction: bool) {
        let inner = |f: Formula| match self.node(f) {
            Node::Or(inner) if conjunction => Some(inner),
            Node::And(inner) if !conjunction => Some(inner),
            _ => None,
        };
        if list.len() < 2 || list.iter().all(|&f| inner(f).is_none()) {
            return;
        }
        let all = list.clone();
        let has = |big: &[Formula], part: Formula| {
            big.binary_search(&part).is_ok()
                || self.range(part).is_some_and(|r| {
                    big.iter().filter_map(|&g| self.range(g)).any(|q| {
                        let (small, large) = if conjunction { (r, q) } else { (q, r) };
                        large.min <= small.min && small.max <= large.max
                    })
                })
        };
        let includes = |big: &[Formula], small: Formula| match inner(small) {
            None => has(big, small),
            Some(parts) => parts.len() <= big.len() && parts.iter().all(|&p| has(big, p)),
        };
        list.retain(|&f| match inner(f) {
            None => true,
            Some(big) => !all.iter().any(|&g| g != f && includes(big, g)),
        });
    }

    /// Replaces every atom by a formula.
    pub fn map(&mut self, f: Formula, by: &mut impl FnMut(&mut Self, A) -> Formula) -> Formula {
        self.map_memo(f, by, &mut FxHashMap::default())
    }

    /// As `map`, where `memo` has what became of other formulas by the same replacement, and gets what becomes of
    /// this one's parts.
    pub fn map_memo(
        &mut self,
        f: Formula,
        by: &mut impl FnMut(&mut Self, A) -> Formula,
        memo: &mut FxHashMap<Formula, Formula>,
    ) -> Formula {
        let (operands, conjunction) = match self.node(f) {
            Node::Never | Node::Always => return f,
            Node::Atom(a) => {
                let a = *a;
                return by(self, a);
            }
            Node::And(list) => (list.clone(), true),
            Node::Or(list) => (list.clone(), false),
            Node::One(pairs, wanted) => {
                let (pairs, wanted) = (pairs.clone(), *wanted);
                if let Some(&done) = memo.get(&f) {
                    return done;
                }
                let mut mapped = Vec::with_capacity(pairs.len());
                for &(a, b) in pairs.iter() {
                    mapped.push((self.map_memo(a, by, memo), self.map_memo(b, by, memo)));
                }
                let done = self.one(mapped, wanted);
                memo.insert(f, done);
                return done;
            }
        };
        if let Some(&done) = memo.get(&f) {
            return done;
        }
        let mut mapped = Vec::with_capacity(operands.len());
        for &g in operands.iter() {
            let m = self.map_memo(g, by, memo);
            if m == Formula::from(!conjunction) {
                memo.insert(f, m);
                return m;
            }
            mapped.push(m);
        }
        let done = self.combine(mapped, conjunction);
        memo.insert(f, done);
        done
    }

    /// Calls `visit` on every atom, once per shared node.
    pub fn atoms(&self, f: Formula, visit: &mut impl FnMut(A)) {
        // Most formulas are one atom, or a few of them side by side.
        match self.node(f) {
            Node::Never | Node::Always => return,
            Node::Atom(a) => return visit(*a),
            Node::And(list) | Node::Or(list)
                if list.iter().all(|&g| matches!(self.node(g), Node::Atom(_))) =>
            {
                return list.iter().for_each(|&g| self.atoms(g, visit));
            }
            _ => {}
        }
        let mut seen = FxHashSet::default();
        let mut todo = vec![f];
        while let Some(f) = todo.pop() {
            match self.node(f) {
                Node::Never | Node::Always => {}
                Node::Atom(a) => visit(*a),
                Node::And(list) | Node::Or(list) => {
                    if seen.insert(f) {
                        todo.extend(list.iter().rev());
                    }
                }
                Node::One(pairs, _) => {
                    if seen.insert(f) {
                        todo.extend(pairs.iter().rev().flat_map(|p| [p.1, p.0]));
                    }
                }
            }
        }
    }

    /// The truth value when every atom's is known.
    pub fn evaluate(&self, f: Formula, atom: &mut impl FnMut(A) -> bool) -> bool {
        self.evaluate_memo(f, atom, &mut FxHashMap::default())
    }

    fn evaluate_memo(
        &self,
        f: Formula,
        atom: &mut impl FnMut(A) -> bool,
        memo: &mut FxHashMap<Formula, bool>,
    ) -> bool {
        let (list, conjunction) = match self.node(f) {
            Node::Never => return false,
            Node::Always => return true,
            Node::Atom(a) => return atom(*a),
            Node::And(list) => (list, true),
            Node::Or(list) => (list, false),
            Node::One(pairs, wanted) => {
                if let Some(&known) = memo.get(&f) {
                    return known;
                }
                let (mut hold, mut fail) = (0, 0);
                for &(a, b) in pairs.iter() {
                    hold += usize::from(self.evaluate_memo(a, atom, memo));
                    fail += usize::from(self.evaluate_memo(b, atom, memo));
                }
                let value = if *wanted {
                    hold == 1 && fail + 1 == pairs.len()
                } else {
                    hold > 1 || fail == pairs.len()
                };
                memo.insert(f, value);
                return value;
            }
        };
        if let Some(&known) = memo.get(&f) {
            return known;
        }
        let decided = list.iter().any(|&g| self.evaluate_memo(g, atom, memo) != conjunction);
        let value = decided != conjunction;
        memo.insert(f, value);
        value
    }
}

/// The fewest ranges that hold the same counts, ascending.
fn union(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable_by_key(|r| r.min);
    let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
    for r in ranges {
        match merged.last_mut() {
            Some(last) if r.min <= last.max.saturating_add(1) => last.max = last.max.max(r.max),
            _ => merged.push(r),
        }
    }
    merged
}

#[cfg(test)]
mod tests;
