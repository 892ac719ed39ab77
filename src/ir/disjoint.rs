//! Which assertions cannot hold of one value: where the alternatives of a `oneOf` exclude each other, at
//! least one is exactly one.

use std::cell::Cell;
use std::sync::Arc;

use super::{ArrayAssertion, FALSE, IrBuilder, Node, NodeId, ObjectAssertion, TypeSet};
use crate::pattern::{self, ByteDfa, Digits, NumberSpec};

/// Most levels of properties and combinations looked into.
const MAX_DEPTH: u32 = 6;

/// Most pairs of assertions compared. What is given up is not taken to be disjoint.
const MAX_STEPS: u32 = 20_000;

/// Most states of automata compared, all pairs together.
const MAX_STATES: u32 = 1_000_000;

/// What may still be looked at.
struct Search {
    steps: Cell<u32>,
    states: Cell<u32>,
}

impl Search {
    fn take(of: &Cell<u32>, n: usize) -> bool {
        let left = u32::try_from(n).ok().and_then(|n| of.get().checked_sub(n));
        of.set(left.unwrap_or(0));
        left.is_some()
    }

    /// Whether no text is in both languages.
    fn are_apart(&self, x: &ByteDfa, y: &ByteDfa) -> bool {
        Self::take(&self.states, x.len().saturating_mul(y.len()))
            && pattern::product(x, y, |x, y| x && y).is_empty()
    }
}

/// The automaton of a number assertion, `own`, or one that accepts numbers with any number of digits.
fn of_any_length(spec: &NumberSpec, own: &Arc<ByteDfa>) -> Option<Arc<ByteDfa>> {
    if spec.constant.is_some() {
        return pattern::is_short(spec).then(|| own.clone());
    }
    let countable = pattern::is_countable(spec);
    countable.then(|| pattern::shared_number(spec, Digits::Counted).ok()).flatten()
}

impl IrBuilder {
    /// Whether any two of the assertions are known to exclude each other.
    pub(super) fn are_disjoint(&self, list: &[NodeId]) -> bool {
        let search = Search { steps: Cell::new(MAX_STEPS), states: Cell::new(MAX_STATES) };
        let mut pairs = (0..list.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
        pairs.all(|(i, j)| self.excludes(list[i], list[j], MAX_DEPTH, &search))
    }

    /// Whether no value satisfies both, as far as it can be seen without looking far.
    fn excludes(&self, a: NodeId, b: NodeId, depth: u32, search: &Search) -> bool {
        if a == FALSE || b == FALSE {
            return true;
        }
        let types = |id: NodeId| self.types[id.0 as usize];
        let common = types(a).intersection(types(b));
        if common == TypeSet::NONE {
            return true;
        }
        let Some(depth) = depth.checked_sub(1).filter(|_| Search::take(&search.steps, 1)) else {
            return false;
        };
        // An alternative of a disjunction at a time …
        for (x, y) in [(a, b), (b, a)] {
            if let Node::Or(list) = self.get(x) {
                return list.iter().all(|&x| self.excludes(x, y, depth, search));
            }
        }
        for (x, y) in [(a, b), (b, a)] {
            if let Node::And(list) = self.get(x)
                && let Some(&or) = list.iter().find(|&&x| matches!(self.get(x), Node::Or(_)))
                && self.excludes(or, y, depth, search)
            {
                return true;
            }
        }
        // … then, for each type that both allow, some two parts of the conjunctions.
        let parts = |id: NodeId| match self.get(id) {
            Node::And(list) => list.to_vec(),
            _ => vec![id],
        };
        let (left, right) = (parts(a), parts(b));
        let all = [TypeSet::NULL, TypeSet::BOOLEAN, TypeSet::NUMBER, TypeSet::STRING, TypeSet::ARRAY];
        all.into_iter().chain([TypeSet::OBJECT]).filter(|&t| common.contains(t)).all(|kind| {
            left.iter().any(|&x| {
                right.iter().any(|&y| self.parts_exclude(self.get(x), self.get(y), kind, depth, search))
            })
        })
    }

    /// Whether no value of a type satisfies two leaves.
    fn parts_exclude(&self, x: &Node, y: &Node, kind: TypeSet, depth: u32, search: &Search) -> bool {
        match (x, y) {
            (Node::Bool(x), Node::Bool(y)) => kind == TypeSet::BOOLEAN && x != y,
            (Node::Number(x), Node::Number(y)) if kind == TypeSet::NUMBER => {
                let ((s, x), (t, y)) = (&self.numbers[*x as usize], &self.numbers[*y as usize]);
                if s.multiple_of.is_some() || t.multiple_of.is_some() {
                    // Multiples are written with few digits, but others may be multiples as well.
                    return match (of_any_length(s, x), of_any_length(t, y)) {
                        (Some(x), Some(y)) => search.are_apart(&x, &y),
                        _ => false,
                    };
                }
                // Beyond long bounds and constants the others would be written with more digits than they are.
                let told = pattern::is_short(s) && pattern::is_short(t)
                    || s.constant.is_some() && t.constant.is_some();
                told && search.are_apart(x, y)
            }
            (Node::String(x), Node::String(y)) if kind == TypeSet::STRING => {
                let wide = |i: u32| {
                    let (narrow, wider) = &self.strings[i as usize];
                    wider.as_ref().unwrap_or(narrow)
                };
                search.are_apart(wide(*x), wide(*y))
            }
            (Node::Length(x), Node::Length(y)) => kind == TypeSet::STRING && (x.max < y.min || y.max < x.min),
            (Node::Array(x), Node::Array(y)) if kind == TypeSet::ARRAY => {
                let item = |i: u32| {
                    let of = |a: &ArrayAssertion| *a.prefix.get(i as usize).unwrap_or(&a.rest);
                    self.excludes(of(x), of(y), depth, search)
                };
                x.items.max < y.items.min
                    || y.items.max < x.items.min
                    || (0..x.items.min.max(y.items.min).min(4)).any(item)
            }
            (Node::Object(x), Node::Object(y)) if kind == TypeSet::OBJECT => {
                // With patterns, what is said of an undeclared name depends on it.
                let schema = |o: &ObjectAssertion, name: &str| {
                    let (declared, _) = o.properties.split_at(o.declared as usize);
                    let additional = o.patterns.is_empty().then_some(o.additional);
                    declared.iter().find(|p| &*p.name == name).map(|p| p.schema).or(additional)
                };
                let excludes = |x: &ObjectAssertion, y: &ObjectAssertion| {
                    x.properties.iter().filter(|p| p.required).any(|p| {
                        match (schema(x, &p.name), schema(y, &p.name)) {
                            (Some(p), Some(q)) => self.excludes(p, q, depth, search),
                            _ => false,
                        }
                    })
                };
                excludes(x, y) || excludes(y, x)
            }
            _ => false,
        }
    }
}
