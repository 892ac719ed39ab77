//! What every token does inside a JSON string, worked out once per vocabulary.
//!
//! From each sub-state of [`crate::automaton::string`] a token either dies, ends inside the string in some
//! sub-state, or reaches the closing quote, after which only its suffix matters. None of it depends on
//! the schema. For the sub-state between two characters it is also kept how many characters a token
//! completes, for strings of limited length.

use rustc_hash::FxHashMap;

use crate::automaton::string::{Sub, edges};
use crate::vocab::{SliceId, TokenTrie, Vocabulary};

/// Number of sub-states.
pub(super) const SUBS: usize = Sub::COUNT as usize;
const DEAD: u8 = u8::MAX;

/// Tokens by what they do from one sub-state.
pub(super) struct StringTable {
    /// `[ceil(width / 32)]`: tokens that end inside the string, wherever.
    pub(super) inside: Box<[u32]>,
    /// Those that end between characters and are not plain: (characters completed, token), ascending.
    pub(super) escaped: Vec<(u16, u32)>,
    /// Those that end within a character: (sub-state, characters completed, token), ascending.
    pub(super) partial: Vec<(u8, u16, u32)>,
    /// Those that reach the closing quote.
    pub(super) exits: Exits,
    /// Most characters that any token completes.
    pub(super) max_ticks: u32,
}

/// Tokens that close a string, by what follows the quote.
pub(super) struct Exits {
    /// A vocabulary of suffixes; its ids number them. `None` if every suffix is empty.
    suffixes: Option<Vocabulary>,
    /// (characters before the quote, token), by suffix, then ascending.
    tokens: Vec<(u16, u32)>,
    /// Where each suffix's tokens start, and the end. The last suffix is the empty one.
    starts: Vec<u32>,
}

impl Exits {
    /// The suffixes that are not empty; ids are suffix numbers.
    pub fn trie(&self) -> Option<&TokenTrie> {
        self.suffixes.as_ref().map(Vocabulary::trie)
    }

    /// Tokens of a suffix: (characters before the quote, token), ascending.
    pub fn tokens(&self, suffix: u32) -> &[(u16, u32)] {
        let i = suffix as usize;
        &self.tokens[self.starts[i] as usize..self.starts[i + 1] as usize]
    }

    /// The number of the empty suffix, which may have no tokens.
    pub fn empty(&self) -> u32 {
        self.starts.len() as u32 - 2
    }
}

/// The string automaton as a table: `[sub * 256 + byte]`.
pub(super) struct Automaton {
    next: Vec<u8>,
    /// Per sub-state, shortest bytes that lead to it from the main one.
    pub to: [Vec<u8>; SUBS],
    /// Per sub-state, bytes that lead from it to the main one and complete one character.
    pub from: [Vec<u8>; SUBS],
}

impl Automaton {
    pub fn new() -> Automaton {
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
        Automaton { next, to, from }
    }

    #[inline]
    fn step(&self, sub: u8, byte: u8) -> u8 {
        self.next[sub as usize * 256 + byte as usize]
    }
}

impl StringTable {
    pub(super) fn new(automaton: &Automaton, vocab: &Vocabulary, start: u8) -> StringTable {
        let trie = vocab.trie();
        let plain = vocab.slices().get(SliceId::PLAIN);
        let mut inside = vec![0u32; vocab.width().div_ceil(32)].into_boxed_slice();
        let (mut escaped, mut partial) = (Vec::new(), Vec::new());
        let mut exits: Vec<(&[u8], u16, u32)> = Vec::new();
        let mut max_ticks = 0;
        let mut states = vec![(start, 0u16); trie.max_depth() + 1];
        let nodes = trie.nodes();
        let mut i = 0;
        while i < nodes.len() {
            let node = &nodes[i];
            let depth = node.depth as usize;
            let (sub, ticks) = states[depth - 1];
            if sub == 0 && node.byte == b'"' {
                for &token in trie.tokens_under(i as u32) {
                    let bytes = vocab.bytes(token).expect("tokens of the trie have bytes");
                    exits.push((&bytes[depth..], ticks, token));
                    max_ticks = max_ticks.max(ticks);
                }
                i = node.skip as usize;
                continue;
            }
            let to = automaton.step(sub, node.byte);
            if to == DEAD {
                i = node.skip as usize;
                continue;
            }
            let ticks = ticks + u16::from(to == 0);
            states[depth] = (to, ticks);
            if node.is_token != 0 {
                max_ticks = max_ticks.max(ticks);
                for &token in trie.tokens_at(i as u32) {
                    inside[token as usize / 32] |= 1 << (token % 32);
                    if to != 0 {
                        partial.push((to, ticks, token));
                    } else if start != 0 || !plain.contains(token) {
                        escaped.push((ticks, token));
                    }
                }
            }
            i += 1;
        }
        escaped.sort_unstable();
        partial.sort_unstable();
        StringTable { inside, escaped, partial, exits: Exits::new(exits), max_ticks: max_ticks.into() }
    }
}

impl Exits {
    fn new(mut entries: Vec<(&[u8], u16, u32)>) -> Exits {
        entries.sort_unstable();
        let mut ids: FxHashMap<&[u8], u32> = FxHashMap::default();
        let mut suffixes: Vec<Option<Vec<u8>>> = Vec::new();
        for (suffix, ..) in entries.iter().filter(|e| !e.0.is_empty()) {
            ids.entry(suffix).or_insert_with(|| {
                suffixes.push(Some(suffix.to_vec()));
                suffixes.len() as u32 - 1
            });
        }
        let n = suffixes.len() as u32;
        ids.insert(&[], n);
        entries.sort_by_key(|e| ids[e.0]);
        let starts = (0..=n + 1).map(|id| entries.partition_point(|e| ids[e.0] < id) as u32).collect();
        let suffixes = (n > 0).then(|| {
            Vocabulary::from_tokens(suffixes)
                .expect("suffixes are shorter and fewer than the tokens they are of")
        });
        Exits { suffixes, tokens: entries.into_iter().map(|e| (e.1, e.2)).collect(), starts }
    }
}

impl std::fmt::Debug for StringTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StringTable")
            .field("inside", &self.inside.iter().map(|w| w.count_ones()).sum::<u32>())
            .field("escaped", &self.escaped.len())
            .field("partial", &self.partial.len())
            .field("exits", &self.exits.tokens.len())
            .field("suffixes", &(self.exits.starts.len() - 1))
            .finish()
    }
}
