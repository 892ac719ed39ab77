//! What tokens do inside a JSON string: a walk of a vocabulary by the automaton of string contents.
//!
//! None of it depends on a schema, so each backend asks once per vocabulary and lays the answers out as it reads them.

use crate::automaton::string::{Sub, edges};
use crate::vocab::{TokenTrie, Vocabulary};

/// Number of sub-states of [`crate::automaton::string`].
pub(crate) const SUBS: usize = Sub::COUNT as usize;
const DEAD: u8 = u8::MAX;

/// Where a token ends that a string does not refuse.
pub(crate) enum End<'a> {
    /// Inside the string, in this sub-state.
    Inside(u8),
    /// Behind the closing quote, after this suffix of the token.
    Behind(&'a [u8]),
}

/// The automaton of string contents as a table.
pub(crate) struct StringContents {
    /// `[sub * 256 + byte]`.
    next: Vec<u8>,
    /// Per sub-state, shortest bytes that lead to it from the main one.
    pub to: [Vec<u8>; SUBS],
    /// Per sub-state, bytes that lead from it to the main one and complete one character.
    pub from: [Vec<u8>; SUBS],
}

impl StringContents {
    pub fn new() -> Self {
        let mut next = vec![DEAD; SUBS * 256];
        for sub in 0..SUBS {
            for &(lo, hi, to) in edges(Sub(sub as u8)) {
                next[sub * 256 + lo as usize..=sub * 256 + hi as usize].fill(to);
            }
        }
        let mut to: [Vec<u8>; SUBS] = Default::default();
        let mut queue = std::collections::VecDeque::from([0u8]);
        while let Some(sub) = queue.pop_front() {
            for &(lo, _, target) in edges(Sub(sub)) {
                if target != 0 && to[target as usize].is_empty() {
                    to[target as usize] = [&to[sub as usize][..], &[lo]].concat();
                    queue.push_back(target);
                }
            }
        }
        let from = std::array::from_fn(|sub| {
            let (mut s, mut bytes) = (sub as u8, Vec::new());
            while s != 0 {
                let (byte, _, target) = edges(Sub(s))[0];
                bytes.push(byte);
                s = target;
            }
            bytes
        });
        StringContents { next, to, from }
    }

    #[inline]
    fn step(&self, sub: u8, byte: u8) -> u8 {
        self.next[sub as usize * 256 + byte as usize]
    }

    /// Calls `found` with every token of `trie` that lives from sub-state `start`, in the trie's order: where it ends,
    /// the characters it completes before that or before the closing quote, and its id.
    pub fn ends<'a>(
        &self,
        vocab: &'a Vocabulary,
        trie: &TokenTrie,
        start: u8,
        mut found: impl FnMut(End<'a>, u16, u32),
    ) {
        let mut states = vec![(start, 0u16); trie.max_depth() + 1];
        let nodes = trie.nodes();
        let mut i = 0;
        while i < nodes.len() {
            let node = &nodes[i];
            let depth = node.depth as usize;
            let (sub, chars) = states[depth - 1];
            if sub == 0 && node.byte == b'"' {
                for &token in trie.tokens_under(i as u32) {
                    let bytes = vocab.bytes(token).expect("tokens of the trie have bytes");
                    found(End::Behind(&bytes[depth..]), chars, token);
                }
                i = node.skip as usize;
                continue;
            }
            let to = self.step(sub, node.byte);
            if to == DEAD {
                i = node.skip as usize;
                continue;
            }
            let chars = chars + u16::from(to == 0);
            states[depth] = (to, chars);
            if node.is_token != 0 {
                for &token in trie.tokens_at(i as u32) {
                    found(End::Inside(to), chars, token);
                }
            }
            i += 1;
        }
    }
}
