//! The children of the nodes of the class trie that have many.

use super::classes::{ClassTrie, class_of};
use super::walk::MAX_DEPTH;

/// Nodes with fewer children have no fan.
const MIN_CHILDREN: usize = 8;

/// The children of one node.
#[derive(Debug)]
pub(super) struct ClassFan {
    bytes: [u64; 4],
    /// Those over a byte, by rising byte; then those over a class.
    children: Box<[u32]>,
}

/// Fans by node.
#[derive(Debug)]
pub(super) struct ClassFans {
    /// Per node, 1 + position among the fans; the last is the root's. 0: none.
    of: Box<[u32]>,
    fans: Vec<ClassFan>,
}

impl ClassFans {
    pub fn new(trie: &ClassTrie) -> ClassFans {
        let nodes = trie.nodes();
        let mut fans = ClassFans { of: vec![0; nodes.len() + 1].into_boxed_slice(), fans: Vec::new() };
        for parent in 0..=nodes.len() {
            let (mut child, end) = match nodes.get(parent) {
                Some(node) => (parent as u32 + 1, node.skip),
                None => (0, nodes.len() as u32),
            };
            let (mut bytes, mut children) = ([0; 4], Vec::new());
            while child < end {
                let node = &nodes[child as usize];
                if class_of(node.symbol).is_none() {
                    bytes[node.symbol as usize / 64] |= 1 << (node.symbol % 64);
                }
                children.push(child);
                child = node.skip;
            }
            let shallow = nodes.get(parent).is_none_or(|node| node.depth <= MAX_DEPTH);
            if children.len() >= MIN_CHILDREN && shallow || parent == nodes.len() {
                fans.fans.push(ClassFan { bytes, children: children.into_boxed_slice() });
                fans.of[parent] = fans.fans.len() as u32;
            }
        }
        fans
    }

    /// The fan of a node, or of the root.
    #[inline]
    pub fn of(&self, node: Option<u32>) -> Option<&ClassFan> {
        let fan = self.of[node.map_or(self.of.len() - 1, |node| node as usize)];
        (fan != 0).then(|| &self.fans[fan as usize - 1])
    }
}

impl ClassFan {
    /// The children over the bytes of a set.
    pub fn over(&self, set: [u64; 4]) -> impl Iterator<Item = u32> {
        super::walk::chosen(self.bytes, set).map(|i| self.children[i])
    }

    /// The children over classes.
    pub fn classes(&self) -> impl Iterator<Item = u32> {
        let bytes: u32 = self.bytes.iter().map(|w| w.count_ones()).sum();
        self.children[bytes as usize..].iter().copied()
    }
}
