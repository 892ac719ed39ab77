//! Where an unsatisfiable schema is to blame.

use rustc_hash::FxHashMap;

use super::Options;
use super::envelope::Outer;
use super::explore::Explorer;
use super::machine::State;
use super::order::appearance;
use super::trim::Trimmer;
use crate::error::Result;
use crate::ir::{FALSE, Ir, Node, NodeId};

/// Satisfiability of parts of a schema, by any text at all: every byte counts as spelled.
pub(super) struct Blame<'a> {
    ir: &'a Ir,
    options: Options,
    /// See [`Explorer::appearance`].
    appearance: std::rc::Rc<[u32]>,
    known: FxHashMap<NodeId, bool>,
    /// States that may still be explored: as many in all as one schema may have. Beyond them the search is
    /// given up, and what encloses the place is blamed.
    left: usize,
}

impl<'a> Blame<'a> {
    pub fn new(ir: &'a Ir, roots: &[NodeId], options: &Options) -> Self {
        Blame {
            ir,
            options: Options { spellable: Box::new([true; 256]), ..options.clone() },
            appearance: appearance(ir, roots),
            known: FxHashMap::default(),
            left: options.max_states,
        }
    }

    /// The innermost subschema found that every value of `root` needs and none satisfies, as a JSON pointer.
    pub fn place(mut self, root: NodeId) -> String {
        let ir = self.ir;
        let mut at = ir.resolve(root);
        let mut seen = vec![at];
        loop {
            let needed: Vec<NodeId> = match ir.node(at) {
                // What each operand needs, since all of them must hold of one value.
                Node::And(list) => {
                    list.iter().flat_map(|&n| needed_by(ir.node(n))).chain(list.iter().copied()).collect()
                }
                node => needed_by(node),
            };
            let culprit = needed.into_iter().map(|n| ir.resolve(n)).find(|&n| {
                // The false schema has no place of its own.
                !seen.contains(&n) && n != FALSE && !self.may_hold(n)
            });
            match culprit {
                Some(n) => at = n,
                None => return ir.pointers[at.0 as usize].to_string(),
            }
            seen.push(at);
        }
    }

    /// Whether a part of the schema is satisfiable, as far as is known.
    fn may_hold(&mut self, node: NodeId) -> bool {
        if let Some(&known) = self.known.get(&node) {
            return known;
        }
        // A part that exceeds a limit is not known to be at fault.
        let holds = self.left == 0 || self.is_satisfiable(node).unwrap_or(true);
        self.known.insert(node, holds);
        holds
    }

    /// Whether some text satisfies a part of the schema.
    pub fn is_satisfiable(&mut self, node: NodeId) -> Result<bool> {
        self.options.max_states = self.options.max_states.min(self.left);
        let explored =
            Explorer::run_at(self.ir, Outer::bare(node), self.appearance.clone(), &self.options, None);
        let Ok(explored) = explored else {
            self.left = 0;
            return explored.map(|_| true);
        };
        self.left -= explored.frames.iter().map(|f| f.states.len()).sum::<usize>().min(self.left);
        let trimmed = Trimmer::run(&explored)?;
        let document = trimmed.document();
        // What recursion never ends, and what only counting rules out, shows in the need.
        Ok(document.is_live(0, 0) && document.need[0] != State::NO_REST)
    }
}

/// The subschemas without which an object or array cannot be.
fn needed_by(node: &Node) -> Vec<NodeId> {
    match node {
        Node::Object(o) => o.properties.iter().filter(|p| p.required).map(|p| p.schema).collect(),
        Node::Array(a) => {
            let first = a.prefix.iter().chain(std::iter::repeat(&a.rest));
            first.take(a.items.min.min(a.prefix.len() as u32 + 1) as usize).copied().collect()
        }
        _ => Vec::new(),
    }
}
