use proptest::prelude::*;

use crate::vocab::{TokenTrie, Vocabulary};

/// A small automaton that dies, lives and depends on its history: a rolling hash with a share of dead states.
fn step(state: u32, byte: u8) -> Option<u32> {
    let next = (state ^ u32::from(byte)).wrapping_mul(0x9e37_79b1).rotate_left(7);
    (next % 16 > 2).then_some(next)
}

/// (id, state after it) of every token all of whose bytes keep the automaton alive, one token at a time.
fn brute_force(v: &Vocabulary, ids: impl IntoIterator<Item = u32>, root: u32) -> Vec<(u32, u32)> {
    let run = |id: u32| v.bytes(id)?.iter().try_fold(root, |state, &byte| step(state, byte));
    let mut found: Vec<_> = ids.into_iter().filter_map(|id| Some((id, run(id)?))).collect();
    found.sort_unstable();
    found
}

fn walked(trie: &TokenTrie, root: u32) -> (Vec<(u32, u32)>, usize) {
    let mut found = Vec::new();
    let mut steps = 0;
    let counted = |state, byte| {
        steps += 1;
        step(state, byte)
    };
    trie.walk(root, counted, |state, ids| found.extend(ids.iter().map(|&id| (id, state))));
    found.sort_unstable();
    (found, steps)
}

/// Everything the documentation promises about the arrays.
fn check_invariants(v: &Vocabulary, trie: &TokenTrie) {
    let nodes = trie.nodes();
    let bytes: Vec<&[u8]> = trie.tokens_sorted().iter().map(|&id| v.bytes(id).unwrap()).collect();
    assert!(bytes.is_sorted());
    let mut path: Vec<u8> = Vec::new();
    for (i, node) in nodes.iter().enumerate() {
        path.truncate(node.depth as usize - 1);
        path.push(node.byte);
        let at = i as u32;
        assert!(i < node.skip as usize && node.skip as usize <= nodes.len());
        assert_eq!(trie.find(&path), Some(at));
        assert_eq!(node.is_token == 1, !trie.tokens_at(at).is_empty());
        assert!(trie.tokens_at(at).is_sorted());
        assert!(trie.tokens_at(at).iter().all(|&id| v.bytes(id) == Some(&path)));
        let under = bytes.partition_point(|b| *b < &path[..]);
        let under = under..under + bytes[under..].iter().take_while(|b| b.starts_with(&path)).count();
        assert_eq!(trie.tokens_under(at), &trie.tokens_sorted()[under]);
        if node.skip as usize == i + 1 {
            assert_eq!(node.is_token, 1, "a leaf without a token");
        }
        assert_eq!(trie.root_child(node.byte) == Some(at), node.depth == 1);
    }
}

#[test]
fn layout_of_a_small_trie() {
    let v = super::list(&["b", "ab", "a", "abd", "b", "ac"]);
    let trie = v.trie();
    let shape: Vec<_> =
        trie.nodes().iter().map(|n| (n.byte, n.depth, n.skip, n.first_token, n.is_token)).collect();
    assert_eq!(
        shape,
        [(b'a', 1, 4, 0, 1), (b'b', 2, 3, 1, 1), (b'd', 3, 3, 2, 1), (b'c', 2, 4, 3, 1), (b'b', 1, 5, 4, 1)]
    );
    assert_eq!(trie.tokens_sorted(), [2, 1, 3, 5, 0, 4]);
    assert_eq!(trie.tokens_at(4), [0, 4]);
    assert_eq!(trie.tokens_under(0), [2, 1, 3, 5]);
    assert_eq!((trie.child(0, b'c'), trie.child(0, b'a'), trie.child(0, b'd')), (Some(3), None, None));
    assert_eq!((trie.find(b""), trie.find(b"x"), trie.find(b"abd")), (None, None, Some(2)));
    assert_eq!(trie.longest_prefix(b"abx"), Some((2, 1)));
    assert_eq!(trie.longest_prefix(b"x"), None);
    assert_eq!(format!("{trie:?}"), "TokenTrie { tokens: 6, nodes: 5, max_depth: 3 }");
    check_invariants(&v, trie);
}

#[test]
fn subsets_leave_out_what_has_no_bytes_and_repetitions() {
    let v = super::list(&["b", "ab", "a", "</s>"]).with_stop_ids(&[3]).unwrap();
    let trie = TokenTrie::from_ids(&v, [2, 3, 0, 2, 77]);
    assert_eq!(trie.tokens_sorted(), [2, 0]);
    check_invariants(&v, &trie);
    let empty = TokenTrie::from_ids(&v, [3]);
    assert!(empty.is_empty() && empty.nodes().is_empty() && empty.find(b"a").is_none());
    empty.walk((), |(), _| unreachable!(), |(), _| unreachable!());
}

#[test]
fn sorting_is_by_bytes_beyond_the_first_eight_and_zeros() {
    let tokens =
        [&b"abcdefgh\0"[..], b"abcdefgh", b"a\0", b"a", b"a\0\0\0\0\0\0\0\0", b"abcdefghz", b"abcdefgha"];
    let v = Vocabulary::from_tokens(tokens.iter().map(|t| Some(t.to_vec())).collect()).unwrap();
    check_invariants(&v, v.trie());
}

#[test]
fn walks_agree_with_brute_force_on_a_real_vocabulary() {
    let v = Vocabulary::o200k_base().unwrap();
    let trie = v.trie();
    let all = trie.nodes().len();
    for root in 0..4 {
        let (found, steps) = walked(trie, root);
        let expected = brute_force(&v, 0..v.len() as u32, root);
        assert!(expected.len() > 10_000, "the automaton must let something through");
        assert_eq!(found, expected);
        assert!(steps < all, "{steps} of {all}");
    }
    let third = (0..v.len() as u32).step_by(3);
    let subset = TokenTrie::from_ids(&v, third.clone());
    assert_eq!(walked(&subset, 9).0, brute_force(&v, third, 9));
}

proptest! {
    #[test]
    fn walks_agree_with_brute_force(
        tokens in prop::collection::vec(prop::option::of(prop::collection::vec(0u8..4, 0..5)), 1..60),
        root in any::<u32>(),
    ) {
        prop_assume!(tokens.iter().flatten().any(|t| !t.is_empty()));
        let v = Vocabulary::from_tokens(tokens).unwrap();
        check_invariants(&v, v.trie());
        prop_assert_eq!(walked(v.trie(), root).0, brute_force(&v, 0..v.len() as u32, root));
        let odd = (1..v.len() as u32).step_by(2);
        let subset = TokenTrie::from_ids(&v, odd.clone());
        check_invariants(&v, &subset);
        prop_assert_eq!(walked(&subset, root).0, brute_force(&v, odd, root));
    }
}
