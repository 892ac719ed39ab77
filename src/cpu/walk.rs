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
pub(super) const MAX_DEPTH: u16 = 48;

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
        chosen(self.bytes, legal).map(|i| self.children[i])
    }
}

/// The positions, among those of `bytes`, of the members of `set`.
pub(super) fn chosen(bytes: [u64; 4], set: [u64; 4]) -> impl Iterator<Item = usize> {
    let mut before = 0;
    bytes.into_iter().zip(set).flat_map(move |(bytes, set)| {
        let first = before;
        before += bytes.count_ones();
        let mut left = bytes & set;
        std::iter::from_fn(move || {
            let bit = left & left.wrapping_neg();
            left &= left.wrapping_sub(1);
            (bit != 0).then(|| (first + (bytes & (bit - 1)).count_ones()) as usize)
        })
    })
}

/// Who is told about a walk.
pub(super) trait Visitor {
    /// A node was reached; tokens may end at it.
    fn alive(&mut self, v: &View<'_>, trie: &TokenTrie, node: u32, head: &Head);
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

    /// Walks what is below a node, and the node itself, from behind it.
    pub fn from(mut self, node: u32, head: Head) {
        self.arrive(node, head);
        if !self.fan_out(node, &head) {
            self.nodes(node + 1, self.trie.nodes()[node as usize].skip);
        }
        self.levels.nodes.truncate(head.used as usize);
    }

    fn children(&mut self, fan: &Fan, head: &Head) {
        let (legal, lowest) = self.view.legal_below(self.levels, head);
        self.levels.lowest = self.levels.lowest.min(lowest);
        for child in fan.over(legal) {
            self.nodes(child, self.trie.nodes()[child as usize].skip);
        }
    }

    fn arrive(&mut self, node: u32, head: Head) {
        self.visitor.alive(self.view, self.trie, node, &head);
        self.heads[self.trie.nodes()[node as usize].depth as usize] = head;
    }

    /// Goes on below a node of many children; `false` if it is none.
    fn fan_out(&mut self, node: u32, head: &Head) -> bool {
        let fan = match self.trie.nodes()[node as usize].skip - node >= MIN_NODES {
            true => self.fans.fans.get(&node),
            false => None,
        };
        fan.inspect(|fan| self.children(fan, head)).is_some()
    }

    fn nodes(&mut self, from: u32, to: u32) {
        let nodes = self.trie.nodes();
        let mut i = from;
        while i < to {
            let node = &nodes[i as usize];
            let above = &self.heads[node.depth as usize - 1];
            // Most nodes looked at are dead; telling so takes no copy of the head.
            if self.view.indent == 0 && self.view.word(above.state, node.byte) >> 29 == 0 {
                i = node.skip;
                continue;
            }
            let mut head = *above;
            self.levels.nodes.truncate(head.used as usize);
            if !self.view.read(self.levels, &mut head, node.byte) {
                i = node.skip;
                continue;
            }
            head.used = self.levels.nodes.len() as u32;
            self.arrive(i, head);
            i = if self.fan_out(i, &head) { node.skip } else { i + 1 };
        }
    }
}
