//! Hash-consed Boolean formulas: the states of a frame.
//!
//! Determinising a set of alternatives by remembering *which sets of them are alive* costs 2^n states.
//! A formula over the alternatives costs what their combination really needs: decided alternatives
//! become constants, constants fold, equal operands merge, and a disjunct that implies another is
//! absorbed. Two frame states are the same state iff their formulas have the same id.
//!
//! Formulas are monotone (no negation): whatever is judged negatively is given an atom of its own.
//!
//! Atoms that hold on a range of counts imply each other: ranges intersect under *and*, unite under
//! *or*, and a contained one is absorbed. Without that, alternatives that differ in their ranges alone
//! would be told apart for ever: `n ≥ 0 ∨ n ≥ 3` would not be the constant it is.

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
    And(Box<[Formula]>),
    Or(Box<[Formula]>),
}

/// What formulas are made of.
pub(crate) trait Alternative: Copy + Eq + std::hash::Hash {
    /// If the atom says that the count lies in a range: that range.
    fn range(self) -> Option<Range>;
    /// The atom which says that the count lies in `range`.
    fn within(range: Range) -> Self;
}

/// The arena of all formulas over atoms of type `A`.
pub(crate) struct Formulas<A> {
    nodes: Vec<Node<A>>,
    /// Per node, whether it or one of its operands is a range of counts.
    counts: Vec<bool>,
    ids: FxHashMap<Node<A>, Formula>,
}

impl<A: Alternative> Formulas<A> {
    pub fn new() -> Self {
        Formulas { nodes: vec![Node::Never, Node::Always], counts: vec![false; 2], ids: FxHashMap::default() }
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
        });
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

    fn map_memo(
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
