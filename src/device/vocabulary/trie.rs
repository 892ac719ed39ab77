//! A trie for a block of threads: level by level, children side by side.

use super::layout::{NODE_TOKENS, TrieNode};
use crate::vocab::TokenTrie;

/// Lays a trie out. `slices` gives the slices of each token; at most [`NODE_TOKENS`] tokens end at a node.
pub(super) fn level_order(trie: &TokenTrie, slices: impl Fn(u32) -> u8) -> Vec<TrieNode> {
    let nodes = trie.nodes();
    // Preorder puts children behind their parent, so backwards every node is done before its parent asks.
    let mut within = vec![u8::MAX; nodes.len()];
    let mut parents: Vec<usize> = vec![usize::MAX; nodes.len()];
    let mut way: Vec<usize> = Vec::new();
    for (i, node) in nodes.iter().enumerate() {
        way.truncate(node.depth as usize - 1);
        parents[i] = way.last().copied().unwrap_or(usize::MAX);
        way.push(i);
    }
    for i in (0..nodes.len()).rev() {
        for &token in trie.tokens_at(i as u32) {
            within[i] &= slices(token);
        }
        if parents[i] != usize::MAX {
            within[parents[i]] &= within[i];
        }
    }
    let children = |from: usize, end: usize| {
        let next = move |&c: &usize| Some(nodes[c].skip as usize).filter(|&c| c < end);
        std::iter::successors(Some(from).filter(|&c| c < end), next)
    };
    let count = |from: usize, end: usize| children(from, end).count() as u32;
    let roots = count(0, nodes.len());
    let tokens = trie.tokens_sorted().len() as u32;
    let mut out = Vec::with_capacity(nodes.len() + 1);
    out.push(TrieNode { first_child: 1, first_token: 0, end_token: tokens, packed: roots << 8 });
    let mut level: Vec<usize> = children(0, nodes.len()).collect();
    let mut next_child = 1 + roots;
    while !level.is_empty() {
        let mut below = Vec::new();
        for &i in &level {
            let node = &nodes[i];
            let n = count(i + 1, node.skip as usize);
            let here = trie.tokens_at(i as u32).len();
            debug_assert!(here <= NODE_TOKENS);
            out.push(TrieNode {
                first_child: next_child,
                first_token: node.first_token,
                end_token: node.first_token + trie.tokens_under(i as u32).len() as u32,
                packed: u32::from(node.byte) | n << 8 | (here as u32) << 17 | u32::from(within[i]) << 24,
            });
            next_child += n;
            below.extend(children(i + 1, node.skip as usize));
        }
        level = below;
    }
    out
}

/// The node of a token's first byte.
pub(super) fn child_of_root(nodes: &[TrieNode], byte: u8) -> Option<u32> {
    let children = nodes[0].first_child..nodes[0].first_child + (nodes[0].packed >> 8 & 0x1ff);
    children.into_iter().find(|&i| nodes[i as usize].packed & 0xff == u32::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::Vocabulary;

    #[test]
    fn every_token_is_found_by_its_bytes() {
        let texts = ["a", "ab", "abc", "b", "ba", "ab", "c\"d", "é"];
        let vocab =
            Vocabulary::from_tokens(texts.iter().map(|t| Some(t.as_bytes().to_vec())).collect()).unwrap();
        let trie = vocab.trie();
        let nodes = level_order(trie, |token| if texts[token as usize].is_ascii() { 1 } else { 0 });
        for (token, text) in texts.iter().enumerate() {
            let mut at = nodes[0];
            let mut ascii = true;
            for byte in text.bytes() {
                let n = at.packed >> 8 & 0x1ff;
                at = *nodes[at.first_child as usize..][..n as usize]
                    .iter()
                    .find(|c| c.packed & 0xff == u32::from(byte))
                    .expect("a child per byte");
                ascii &= at.packed >> 24 & 1 == u32::from(text.is_ascii());
            }
            let here = at.packed >> 17 & 0x7f;
            let ids = &trie.tokens_sorted()[at.first_token as usize..][..here as usize];
            assert!(ids.contains(&(token as u32)), "{text}");
            assert!(at.end_token >= at.first_token + here);
            assert!(ascii, "the slices of {text}");
        }
    }
}
