//! Which assertions cannot hold of one value: where the alternatives of a `oneOf` exclude each other, at
//! least one is exactly one.

use super::{FALSE, IrBuilder, Node, NodeId, TypeSet};
use crate::pattern::{self, NumberSpec};

/// Most levels of properties and combinations looked into.
const MAX_DEPTH: u32 = 6;

/// Most pairs of alternatives compared.
const MAX_PAIRS: usize = 20_000;

/// Greatest product of automata built to see whether it is empty.
const MAX_PRODUCT: usize = 200_000;

impl IrBuilder {
    /// Whether any two of the assertions are known to exclude each other.
    pub(super) fn are_disjoint(&self, list: &[NodeId]) -> bool {
        let mut pairs = (0..list.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
        list.len() * list.len() <= 2 * MAX_PAIRS
            && pairs.all(|(i, j)| self.excludes(list[i], list[j], MAX_DEPTH))
    }

    /// Whether no value satisfies both, as far as it can be seen without looking far.
    fn excludes(&self, a: NodeId, b: NodeId, depth: u32) -> bool {
        if a == FALSE || b == FALSE {
            return true;
        }
        let common = self.possible(a).intersection(self.possible(b));
        if common == TypeSet::NONE {
            return true;
        }
        let Some(depth) = depth.checked_sub(1) else { return false };
        // An alternative of a disjunction at a time, then the conjunctions' parts, by type.
        for (x, y) in [(a, b), (b, a)] {
            if let Node::Or(list) = self.get(x) {
                return list.len() <= 64 && list.iter().all(|&x| self.excludes(x, y, depth));
            }
        }
        for (x, y) in [(a, b), (b, a)] {
            if let Node::And(list) = self.get(x)
                && let Some(&or) = list.iter().find(|&&x| matches!(self.get(x), Node::Or(_)))
                && self.excludes(or, y, depth)
            {
                return true;
            }
        }
        let (left, right) = (self.parts(a), self.parts(b));
        let some = |types: TypeSet, mut apart: Box<dyn FnMut(&Node, &Node) -> bool + '_>| {
            common.intersection(types) == TypeSet::NONE
                || left.iter().any(|&x| right.iter().any(|&y| apart(self.get(x), self.get(y))))
        };
        // Null is one value, and satisfies whatever is said of other types.
        !common.contains(TypeSet::NULL)
            && some(
                TypeSet::BOOLEAN,
                Box::new(|x, y| matches!((x, y), (Node::Bool(x), Node::Bool(y)) if x != y)),
            )
            && some(
                TypeSet::NUMBER,
                Box::new(|x, y| match (x, y) {
                    (Node::Number(x), Node::Number(y)) => {
                        let ((s, x), (t, y)) = (&self.numbers[*x as usize], &self.numbers[*y as usize]);
                        // A constant may have more digits than other numbers are written with.
                        let usual = |s: &NumberSpec| s.constant.as_ref().is_none_or(|c| c.len() <= 15);
                        (usual(s) && usual(t) || s.constant.is_some() && t.constant.is_some())
                            && x.len() * y.len() <= MAX_PRODUCT
                            && pattern::product(x, y, |x, y| x && y).is_empty()
                    }
                    _ => false,
                }),
            )
            && some(
                TypeSet::STRING,
                Box::new(|x, y| match (x, y) {
                    (Node::String(x), Node::String(y)) => {
                        let wide = |i: u32| {
                            let (narrow, wider) = &self.strings[i as usize];
                            wider.as_ref().unwrap_or(narrow).clone()
                        };
                        let (x, y) = (wide(*x), wide(*y));
                        x.len() * y.len() <= MAX_PRODUCT && pattern::product(&x, &y, |x, y| x && y).is_empty()
                    }
                    (Node::Length(x), Node::Length(y)) => x.max < y.min || y.max < x.min,
                    _ => false,
                }),
            )
            && some(
                TypeSet::ARRAY,
                Box::new(|x, y| match (x, y) {
                    (Node::Array(x), Node::Array(y)) => {
                        let item = |i: u32| {
                            let of = |a: &super::ArrayAssertion| *a.prefix.get(i as usize).unwrap_or(&a.rest);
                            self.excludes(of(x), of(y), depth)
                        };
                        x.items.max < y.items.min
                            || y.items.max < x.items.min
                            || (0..x.items.min.max(y.items.min).min(4)).any(item)
                    }
                    _ => false,
                }),
            )
            && some(
                TypeSet::OBJECT,
                Box::new(|x, y| match (x, y) {
                    (Node::Object(x), Node::Object(y)) => [(x, y), (y, x)].into_iter().any(|(x, y)| {
                        let mut required = x.properties.iter().filter(|p| p.required);
                        required.any(|p| {
                            let other = y.properties.iter().find(|q| q.name == p.name);
                            match other {
                                Some(q) => self.excludes(p.schema, q.schema, depth),
                                // With patterns it depends on the name.
                                None => y.patterns.is_empty() && self.excludes(p.schema, y.additional, depth),
                            }
                        })
                    }),
                    _ => false,
                }),
            )
    }

    fn possible(&self, id: NodeId) -> TypeSet {
        self.types[id.0 as usize]
    }

    fn parts(&self, id: NodeId) -> Vec<NodeId> {
        match self.get(id) {
            Node::And(list) => list.to_vec(),
            _ => vec![id],
        }
    }
}
