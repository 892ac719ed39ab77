//! The order in which the names of conjoined objects are written.
//!
//! A formula is a set: it does not say which of its assertions the schema names first, and equal ones are
//! one wherever they occur. Mostly the order of first appearance in the whole schema does. Where some
//! subschema names them in another order, its formula is conjoined with an [`Atom::Ordered`] that says so
//! and asserts nothing; so the same assertions in another order are another question.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::explore::Explorer;
use super::formula::{ALWAYS, Formula, Node as F};
use super::raw::Atom;
use crate::ir::{Ir, Node, NodeId};

/// A list of object assertions in the order of their names.
pub(crate) type Order = Rc<[NodeId]>;

impl Explorer<'_> {
    /// The object assertions that a node makes of its value, in order of first appearance below it.
    pub fn objects(&mut self, node: NodeId) -> Order {
        if let Some(known) = self.objects_of.get(&node) {
            return known.clone();
        }
        let (mut found, mut seen) = (Vec::new(), FxHashSet::default());
        let mut todo = vec![node];
        while let Some(id) = todo.pop() {
            let id = self.ir.resolve(id);
            if !seen.insert(id) {
                continue;
            }
            match self.ir.node(id) {
                Node::And(list) | Node::Or(list) | Node::One(list) => todo.extend(list.iter().rev()),
                Node::Not(of) => todo.push(*of),
                Node::Object(_) => found.push(id),
                _ => {}
            }
        }
        let found: Order = found.into();
        self.objects_of.insert(node, found.clone());
        found
    }

    /// The formula with its object assertions in the order of `list`.
    pub fn ordered(&mut self, f: Formula, list: &[NodeId]) -> Formula {
        if list.len() < 2 {
            return f;
        }
        let now = self.order_of(f, &[]);
        let named: FxHashSet<NodeId> = now.iter().copied().collect();
        let wanted: Order = list.iter().copied().filter(|n| named.contains(n)).collect();
        if *now == *wanted {
            return f;
        }
        let bare = self.unmarked(f);
        self.marked(bare, wanted)
    }

    fn unmarked(&mut self, f: Formula) -> Formula {
        self.formulas.map(f, &mut |formulas, atom| match atom {
            Atom::Ordered(_) => ALWAYS,
            other => formulas.atom(other),
        })
    }

    /// The formula conjoined with an order, unless it has that order anyway.
    fn marked(&mut self, bare: Formula, order: Order) -> Formula {
        if *self.order_of(bare, &[]) == *order {
            return bare;
        }
        let next = self.orders.len() as u32;
        let id = *self.order_ids.entry(order.clone()).or_insert(next);
        if id == next {
            self.orders.push(order);
        }
        let mark = self.formulas.atom(Atom::Ordered(id));
        self.formulas.and([bare, mark])
    }

    /// The object assertions of a formula, in the order that it or one of the `outer` marks says.
    pub fn order_of(&self, f: Formula, outer: &[u32]) -> Vec<NodeId> {
        let (mut nodes, mut marks) = (Vec::new(), outer.to_vec());
        let mut seen = FxHashSet::default();
        self.formulas.atoms(f, &mut |atom| match atom {
            Atom::Ordered(id) => marks.push(id),
            Atom::Object { node, .. } if seen.insert(node) => nodes.push(node),
            Atom::Leaf { node, .. } if matches!(self.ir.node(node), Node::Object(_)) && seen.insert(node) => {
                nodes.push(node);
            }
            _ => {}
        });
        nodes.sort_unstable_by_key(|node| self.appearance[node.0 as usize]);
        // What orders more assertions stands further out.
        marks.sort_by_key(|&id| std::cmp::Reverse(self.orders[id as usize].len()));
        let mut placed: Vec<NodeId> = Vec::with_capacity(nodes.len());
        let mut left = seen;
        for node in marks.iter().flat_map(|&id| self.orders[id as usize].iter().copied()).chain(nodes) {
            if left.remove(&node) {
                placed.push(node);
            }
        }
        placed
    }

    /// A formula over object assertions, each of its alternatives marked with its own order and that only.
    pub fn settle_order(&mut self, f: Formula) -> Formula {
        let mut any = false;
        self.formulas.atoms(f, &mut |atom| any |= matches!(atom, Atom::Ordered(_)));
        if !any {
            return f;
        }
        self.settle_alternatives(f, &[])
    }

    fn settle_alternatives(&mut self, f: Formula, outer: &[u32]) -> Formula {
        let mut marks = outer.to_vec();
        let core = match self.formulas.node(f) {
            F::And(list) => {
                let mut rest = Vec::new();
                for &g in list.iter() {
                    match self.formulas.node(g) {
                        F::Atom(Atom::Ordered(id)) => marks.push(*id),
                        _ => rest.push(g),
                    }
                }
                self.formulas.and(rest)
            }
            _ => f,
        };
        if let F::Or(list) = self.formulas.node(core) {
            let list = list.clone();
            let settled: Vec<Formula> = list.iter().map(|&g| self.settle_alternatives(g, &marks)).collect();
            return self.formulas.or(settled);
        }
        let order = self.order_of(core, &marks);
        let bare = self.unmarked(core);
        self.marked(bare, order.into())
    }

    /// Verdicts awaited of one value, with the object assertions of all of them in the order of `list`.
    pub fn order_verdicts(&mut self, f: Formula, mut list: Vec<NodeId>) -> Formula {
        let mut seen = FxHashSet::default();
        list.retain(|&node| seen.insert(node));
        if list.len() < 2 {
            return f;
        }
        let mut verdicts = Vec::new();
        self.formulas.atoms(f, &mut |atom| {
            if let Atom::Verdict(v) = atom {
                verdicts.push(v);
            }
        });
        let ordered: Vec<Formula> = verdicts.iter().map(|&v| self.ordered(v, &list)).collect();
        if ordered == verdicts {
            return f;
        }
        let by: FxHashMap<Formula, Formula> = verdicts.into_iter().zip(ordered).collect();
        self.formulas.map(f, &mut |formulas, atom| match atom {
            Atom::Verdict(v) => formulas.atom(Atom::Verdict(by[&v])),
            other => formulas.atom(other),
        })
    }

    /// An alternative of an object's entry: its assertions in order, and itself without the mark.
    pub fn take_order(&mut self, f: Formula) -> (Vec<NodeId>, Formula) {
        let order = self.order_of(f, &[]);
        let bare = self.unmarked(f);
        (order, bare)
    }
}

/// Numbers the nodes in the order of a walk from the roots that takes operands, members and items in turn.
pub(crate) fn appearance(ir: &Ir, roots: &[NodeId]) -> Rc<[u32]> {
    let mut order = vec![u32::MAX; ir.nodes.len()];
    let mut next = 0;
    let mut todo: Vec<NodeId> = roots.iter().rev().copied().collect();
    while let Some(id) = todo.pop() {
        let id = ir.resolve(id);
        if order[id.0 as usize] != u32::MAX {
            continue;
        }
        order[id.0 as usize] = next;
        next += 1;
        let parts: Vec<NodeId> = match ir.node(id) {
            Node::And(list) | Node::Or(list) | Node::One(list) => list.to_vec(),
            Node::Not(of) | Node::Contains(of, _) => vec![*of],
            Node::Object(o) => {
                let patterns = o.patterns.iter().map(|p| p.schema);
                o.properties.iter().map(|p| p.schema).chain(patterns).chain([o.additional]).collect()
            }
            Node::Array(a) => a.prefix.iter().copied().chain([a.rest]).collect(),
            _ => Vec::new(),
        };
        todo.extend(parts.into_iter().rev());
    }
    order.into()
}
