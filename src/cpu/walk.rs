//! The pruned walk of a trie.
//!
//! ```text
//! for each node in preorder:
//!     head = heads[depth − 1];  read the node's byte
//!     illegal:  go to skip
//!     a token ends here and may rest:  found
//!     many children:  only those over a byte legal in the new state
//! ```
//!
//! A state outside of strings is left over a handful of bytes, while the node of a space has a hundred children:
//! trying them all would cost more than everything else. [`Fans`] says where the children of such
//! nodes are.

use rustc_hash::FxHashMap;

use super::head::{Head, Levels};
use super::program::View;
use crate::vocab::TokenTrie;

/// Subtrees with fewer nodes are walked without looking for a fan.
const MIN_NODES: u32 = 24;
/// Nodes with fewer children have no fan.
const MIN_CHILDREN: usize = 8;
/// Deeper nodes have no fan, which bounds recursion.
const MAX_DEPTH: u16 = 48;

/// The children of one node.
#[derive(Debug)]
struct Fan {
    bytes: [u64; 4],
    /// By rising byte.
    children: Vec<u32>,
}

/// The children of all nodes that have many.
#[derive(Debug)]
pub(super) struct Fans {
    root: Fan,
    fans: FxHashMap<u32, Fan>,
}

impl Fans {
    pub fn new(trie: &TokenTrie) -> Fans {
        let nodes = trie.nodes();
        let fan = |from: u32, to: u32| {
            let mut fan = Fan { bytes: [0; 4], children: Vec::new() };
            let mut child = from;
            while child < to {
                let node = &nodes[child as usize];
                fan.bytes[node.byte as usize / 64] |= 1 << (node.byte % 64);
                fan.children.push(child);
                child = node.skip;
            }
            fan
        };
        let mut fans = FxHashMap::default();
        for (i, node) in (0u32..).zip(nodes) {
            if node.skip - i >= MIN_NODES && node.depth <= MAX_DEPTH {
                let here = fan(i + 1, node.skip);
                if here.children.len() >= MIN_CHILDREN {
                    fans.insert(i, here);
                }
            }
        }
        Fans { root: fan(0, nodes.len() as u32), fans }
    }
}

impl Fan {
    /// The children over the bytes of a set.
    fn over(&self, legal: [u64; 4]) -> impl Iterator<Item = u32> {
        let mut before = 0;
        self.bytes.into_iter().zip(legal).flat_map(move |(bytes, legal)| {
            let first = before;
            before += bytes.count_ones();
            let mut left = bytes & legal;
            std::iter::from_fn(move || {
                let bit = left & left.wrapping_neg();
                left &= left.wrapping_sub(1);
                (bit != 0).then(|| self.children[(first + (bytes & (bit - 1)).count_ones()) as usize])
            })
        })
    }
}

/// What a walk does at a node that it has reached alive.
pub(super) enum Visit {
    /// Go on below.
    Below,
    /// Leave the subtree out.
    Skip,
}

/// Who is told about a walk.
pub(super) trait Visitor {
    /// A node was reached; tokens may end at it.
    fn alive(&mut self, v: &View<'_>, trie: &TokenTrie, node: u32, head: &Head) -> Visit;

    /// No text goes on below, or at, this node.
    fn dead(&mut self, _trie: &TokenTrie, _node: u32) {}

    /// Whether [`Visitor::dead`] must be called for every dead subtree.
    const WANTS_DEAD: bool = false;
}

/// A walk in progress.
pub(super) struct Walk<'w, 'p, V> {
    pub view: &'w View<'p>,
    pub levels: &'w mut Levels,
    pub trie: &'w TokenTrie,
    pub fans: &'w Fans,
    /// At least one more than the trie is deep.
    pub heads: &'w mut [Head],
    pub visitor: &'w mut V,
}

impl<V: Visitor> Walk<'_, '_, V> {
    /// Walks all of the trie from `root`.
    pub fn run(mut self, root: Head) {
        let fans = self.fans;
        self.heads[0] = root;
        self.children(&fans.root, &root);
        self.levels.nodes.truncate(root.used as usize);
    }

    fn children(&mut self, fan: &Fan, head: &Head) {
        let legal = self.view.legal(self.levels, head);
        if V::WANTS_DEAD {
            for child in fan.over(legal.map(|w| !w)) {
                self.visitor.dead(self.trie, child);
            }
        }
        for child in fan.over(legal) {
            self.nodes(child, self.trie.nodes()[child as usize].skip);
        }
    }

    fn nodes(&mut self, from: u32, to: u32) {
        let trie = self.trie;
        let nodes = trie.nodes();
        let mut i = from;
        while i < to {
            let node = &nodes[i as usize];
            let depth = node.depth as usize;
            // Most nodes looked at are dead; telling so takes no copy of the head.
            if self.view.indent == 0
                && self.view.facts(self.heads[depth - 1].state).actions[node.byte as usize] >> 29 == 0
            {
                if V::WANTS_DEAD {
                    self.visitor.dead(trie, i);
                }
                i = node.skip;
                continue;
            }
            let mut head = self.heads[depth - 1];
            self.levels.nodes.truncate(head.used as usize);
            if !self.view.read(self.levels, &mut head, node.byte) {
                if V::WANTS_DEAD {
                    self.visitor.dead(trie, i);
                }
                i = node.skip;
                continue;
            }
            head.used = self.levels.nodes.len() as u32;
            if let Visit::Skip = self.visitor.alive(self.view, trie, i, &head) {
                i = node.skip;
                continue;
            }
            self.heads[depth] = head;
            if node.skip - i >= MIN_NODES
                && let Some(fan) = self.fans.fans.get(&i)
            {
                self.children(fan, &head);
                i = node.skip;
            } else {
                i += 1;
            }
        }
    }
}
