//! Hash-consed Boolean formulas: the states of a frame.
//!
//! Determinising a set of alternatives by remembering *which sets of them are alive* costs 2^n states.
//! A formula over the alternatives costs what their combination really needs: decided alternatives
//! become constants, constants fold, equal operands merge, and a disjunct that implies another is
//! absorbed. Two frame states are the same state iff their formulas have the same id.
//!
//! Formulas are monotone (no negation): whatever is judged negatively is given an atom of its own.

use rustc_hash::{FxHashMap, FxHashSet};

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

/// The arena of all formulas over atoms of type `A`.
pub(crate) struct Formulas<A> {
    nodes: Vec<Node<A>>,
    ids: FxHashMap<Node<A>, Formula>,
}

impl<A: Copy + Eq + std::hash::Hash> Formulas<A> {
    pub fn new() -> Self {
        Formulas { nodes: vec![Node::Never, Node::Always], ids: FxHashMap::default() }
    }

    pub fn node(&self, f: Formula) -> &Node<A> {
        &self.nodes[f.0 as usize]
    }

    fn intern(&mut self, node: Node<A>) -> Formula {
        if let Some(&id) = self.ids.get(&node) {
            return id;
        }
        let id = Formula(self.nodes.len() as u32);
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

    /// `x ∨ (x ∧ y)` is `x`; `x ∧ (x ∨ y)` is `x`.
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
        let includes = |big: &[Formula], small: Formula| match inner(small) {
            None => big.binary_search(&small).is_ok(),
            Some(parts) => parts.len() < big.len() && parts.iter().all(|p| big.binary_search(p).is_ok()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_fold_and_operands_merge() {
        let mut f = Formulas::new();
        let (a, b, c) = (f.atom(1u32), f.atom(2), f.atom(3));
        assert_eq!(f.and([a, ALWAYS]), a);
        assert_eq!(f.and([a, NEVER]), NEVER);
        assert_eq!(f.or([a, NEVER, a]), a);
        let (ab, ba) = (f.and([a, b]), f.and([b, a]));
        assert_eq!(ab, ba);
        let (abc, nested) = (f.and([a, b, c]), f.and([ab, c]));
        assert_eq!(abc, nested);
    }

    #[test]
    fn an_implied_operand_is_absorbed() {
        let mut f = Formulas::new();
        let (a, b, c) = (f.atom(1u32), f.atom(2), f.atom(3));
        let ab = f.and([a, b]);
        assert_eq!(f.or([a, ab]), a);
        let abc = f.and([a, b, c]);
        assert_eq!(f.or([ab, abc]), ab);
        let a_or_b = f.or([a, b]);
        assert_eq!(f.and([a, a_or_b]), a);
        let kept = f.or([ab, c]);
        assert_ne!(kept, c);
    }

    #[test]
    fn mapping_atoms_agrees_with_evaluation() {
        let mut f = Formulas::new();
        let atoms: Vec<_> = (0..4u32).map(|i| f.atom(i)).collect();
        let left = f.and([atoms[0], atoms[1]]);
        let right = f.or([atoms[2], atoms[3]]);
        let all = f.or([left, right]);
        for bits in 0..16u32 {
            let want = f.evaluate(all, &mut |a| bits >> a & 1 == 1);
            let got = f.map(all, &mut |_, a| Formula::from(bits >> a & 1 == 1));
            assert_eq!(got.constant(), Some(want));
        }
    }
}
