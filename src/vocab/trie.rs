//! A trie over token bytes, laid out for a walk that prunes.
//!
//! # The problem
//!
//! A mask outside any slice must try the bytes of tens of thousands of tokens against an automaton.
//! Tokens share prefixes, so each distinct prefix should be stepped once, and a dead prefix should
//! cost one step however many tokens hang below it.
//!
//! # Layout
//!
//! Nodes in depth-first preorder, siblings by rising byte, no root node (the forest's roots are the
//! first bytes). A node's children follow it directly; `skip` is the first node after its subtree. So
//! going down is `i + 1`, pruning is `i = skip`, and memory is read forwards only:
//!
//! ```text
//! i = 0
//! while i < nodes.len():
//!     s = step(state[depth[i] - 1], byte[i])
//!     if s is dead:  i = skip[i]
//!     else:          state[depth[i]] = s; tokens ending at i are legal; i += 1
//! ```
//!
//! Token ids are stored in the same preorder, so the tokens at a node and the tokens in a whole
//! subtree are both contiguous ranges.

use std::fmt;

use bytemuck::{Pod, Zeroable};

use super::Vocabulary;

/// No such node, in the table of first bytes.
const NO_NODE: u32 = u32::MAX;

/// One node: the prefix spelled by the bytes on the way to it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct TrieNode {
    /// Preorder index of the first node outside this subtree; always greater than the node's own.
    pub skip: u32,
    /// Index into [`TokenTrie::tokens_sorted`] of the first token that ends here or below.
    pub first_token: u32,
    /// Length of the prefix in bytes, at least 1.
    pub depth: u16,
    /// Last byte of the prefix.
    pub byte: u8,
    /// 1 if a token ends here, else 0.
    pub is_token: u8,
}

// Five nodes to a cache line, and the layout a device copy would have.
const _: () = assert!(size_of::<TrieNode>() == 12);

/// Tokens by their bytes; see the module's comment for the layout.
///
/// Invariants: nodes are in preorder with siblings by rising byte; `i < skip[i] <= nodes().len()`;
/// `first_token` never decreases; every leaf has `is_token == 1`; each id of the set occurs exactly once in
/// [`tokens_sorted`](Self::tokens_sorted), which is ordered by bytes and, for equal bytes, by id.
#[derive(Clone)]
pub struct TokenTrie {
    /// One more than there are nodes: the last is a sentinel of depth 0 that ends every range.
    nodes: Vec<TrieNode>,
    tokens: Vec<u32>,
    root_child: Box<[u32; 256]>,
    max_depth: usize,
}

impl TokenTrie {
    /// The trie over those of `ids` that have bytes; others, and repetitions, are left out.
    pub fn from_ids(vocabulary: &Vocabulary, ids: impl IntoIterator<Item = u32>) -> Self {
        Self::from_entries(ids.into_iter().filter_map(|id| Some((id, vocabulary.bytes(id)?))))
    }

    /// The trie over `(id, bytes)` pairs; pairs with no bytes are left out.
    pub(super) fn from_entries<'a>(entries: impl IntoIterator<Item = (u32, &'a [u8])>) -> Self {
        // Most comparisons are decided by the first eight bytes, held in a register.
        let mut sorted: Vec<(u64, &[u8], u32)> = entries
            .into_iter()
            .filter(|(_, bytes)| !bytes.is_empty())
            .map(|(id, bytes)| (leading_bytes(bytes), bytes, id))
            .collect();
        sorted.sort_unstable();
        sorted.dedup();

        let mut trie = TokenTrie {
            nodes: Vec::with_capacity(sorted.len() * 2 + 1),
            tokens: Vec::with_capacity(sorted.len()),
            root_child: Box::new([NO_NODE; 256]),
            max_depth: 0,
        };
        // Nodes on the way to the last token; their subtrees are still growing.
        let mut open: Vec<u32> = Vec::new();
        let mut last: &[u8] = &[];
        for (_, bytes, id) in sorted {
            let shared = last.iter().zip(bytes).take_while(|(a, b)| a == b).count();
            trie.close(&mut open, shared);
            for (i, &byte) in bytes.iter().enumerate().skip(shared) {
                let node = trie.nodes.len() as u32;
                if i == 0 {
                    trie.root_child[byte as usize] = node;
                }
                open.push(node);
                trie.nodes.push(TrieNode {
                    skip: 0,
                    first_token: trie.tokens.len() as u32,
                    depth: (i + 1) as u16,
                    byte,
                    is_token: u8::from(i + 1 == bytes.len()),
                });
            }
            trie.tokens.push(id);
            trie.max_depth = trie.max_depth.max(bytes.len());
            last = bytes;
        }
        trie.close(&mut open, 0);
        let end = trie.nodes.len() as u32;
        trie.nodes.push(TrieNode { skip: end, first_token: trie.tokens.len() as u32, ..TrieNode::zeroed() });
        trie.nodes.shrink_to_fit();
        trie
    }

    /// Ends the subtrees of all open nodes deeper than `depth`.
    fn close(&mut self, open: &mut Vec<u32>, depth: usize) {
        let end = self.nodes.len() as u32;
        for node in open.drain(depth..) {
            self.nodes[node as usize].skip = end;
        }
    }

    /// The nodes in preorder.
    pub fn nodes(&self) -> &[TrieNode] {
        &self.nodes[..self.nodes.len() - 1]
    }

    /// All token ids in preorder: by bytes, equal bytes by id.
    pub fn tokens_sorted(&self) -> &[u32] {
        &self.tokens
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is no token at all.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Length of the longest token in bytes; 0 when empty.
    pub fn max_depth(&self) -> usize {
        self.max_depth
    }

    /// Ids of the tokens that end exactly at `node`, rising; several if their bytes are equal.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn tokens_at(&self, node: u32) -> &[u32] {
        let (here, next) = (&self.nodes[node as usize], &self.nodes[node as usize + 1]);
        // The next node in preorder is the first child or, for a leaf, the node after the subtree; either
        // way its range begins where the tokens of this node end.
        &self.tokens[here.first_token as usize..next.first_token as usize]
    }

    /// Ids of the tokens that end at `node` or below it, in preorder.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn tokens_under(&self, node: u32) -> &[u32] {
        let here = &self.nodes[node as usize];
        &self.tokens[here.first_token as usize..self.nodes[here.skip as usize].first_token as usize]
    }

    /// The node of the one-byte prefix `byte`, if a token begins with it.
    pub fn root_child(&self, byte: u8) -> Option<u32> {
        Some(self.root_child[byte as usize]).filter(|&node| node != NO_NODE)
    }

    /// The child of `node` over `byte`; visits the children with smaller bytes on the way.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn child(&self, node: u32, byte: u8) -> Option<u32> {
        let end = self.nodes[node as usize].skip;
        let mut child = node + 1;
        while child < end {
            let here = &self.nodes[child as usize];
            if here.byte >= byte {
                return (here.byte == byte).then_some(child);
            }
            child = here.skip;
        }
        None
    }

    /// The node whose prefix is `bytes`, if any; `None` for the empty prefix, which has no node.
    pub fn find(&self, bytes: &[u8]) -> Option<u32> {
        let (&first, rest) = bytes.split_first()?;
        rest.iter().try_fold(self.root_child(first)?, |node, &byte| self.child(node, byte))
    }

    /// The longest token that `text` begins with, as (length in bytes, node).
    pub fn longest_prefix(&self, text: &[u8]) -> Option<(usize, u32)> {
        let (&first, rest) = text.split_first()?;
        let mut node = self.root_child(first)?;
        let mut longest = None;
        let mut rest = rest.iter();
        loop {
            let here = &self.nodes[node as usize];
            if here.is_token == 1 {
                longest = Some((here.depth as usize, node));
            }
            match rest.next().and_then(|&byte| self.child(node, byte)) {
                Some(child) => node = child,
                None => return longest,
            }
        }
    }

    /// Runs an automaton over every prefix that keeps it alive.
    ///
    /// `step(state, byte)` is called once per node whose parent lives; `None` prunes the subtree.
    /// `found(state, ids)` is called for every node where tokens end, with the state after them, in preorder.
    pub fn walk<S: Copy>(
        &self,
        root: S,
        mut step: impl FnMut(S, u8) -> Option<S>,
        mut found: impl FnMut(S, &[u32]),
    ) {
        let mut states = vec![root; self.max_depth + 1];
        let end = self.nodes().len();
        let mut i = 0;
        while i < end {
            let node = &self.nodes[i];
            let depth = node.depth as usize;
            let Some(state) = step(states[depth - 1], node.byte) else {
                i = node.skip as usize;
                continue;
            };
            states[depth] = state;
            if node.is_token == 1 {
                found(state, self.tokens_at(i as u32));
            }
            i += 1;
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<TrieNode>()
            + self.tokens.capacity() * size_of::<u32>()
            + size_of_val(&*self.root_child)
    }
}

impl fmt::Debug for TokenTrie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenTrie")
            .field("tokens", &self.tokens.len())
            .field("nodes", &self.nodes().len())
            .field("max_depth", &self.max_depth)
            .finish()
    }
}

/// The first eight bytes as a number that sorts like them; zeros stand in for missing ones.
fn leading_bytes(bytes: &[u8]) -> u64 {
    let mut key = [0u8; 8];
    let n = bytes.len().min(8);
    key[..n].copy_from_slice(&bytes[..n]);
    u64::from_be_bytes(key)
}
