//! What every token does inside a JSON string, worked out once per vocabulary.
//!
//! From each sub-state of [`crate::automaton::string`] a token either dies, ends inside the string in some
//! sub-state, or reaches the closing quote, after which only its suffix matters. None of it depends on
//! the schema. For the sub-state between two characters it is also kept how many characters a token
//! completes, for strings of limited length.

use rustc_hash::FxHashMap;

use crate::table::string_tokens::{End, StringContents};
use crate::vocab::{SliceId, TokenTrie, Vocabulary};

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

/// Tokens that close a string, by what follows the quote; or tokens that begin with plain characters and go on
/// otherwise, by what follows these.
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

impl StringTable {
    pub(super) fn new(contents: &StringContents, vocab: &Vocabulary, start: u8) -> StringTable {
        let plain = vocab.slices().get(SliceId::PLAIN);
        let mut inside = vec![0u32; vocab.width().div_ceil(32)].into_boxed_slice();
        let (mut escaped, mut partial) = (Vec::new(), Vec::new());
        let mut exits: Vec<(&[u8], u16, u32)> = Vec::new();
        let mut max_ticks = 0;
        contents.ends(vocab, vocab.trie(), start, |end, ticks, token| {
            max_ticks = max_ticks.max(ticks);
            let to = match end {
                End::Behind(suffix) => return exits.push((suffix, ticks, token)),
                End::Inside(to) => to,
            };
            inside[token as usize / 32] |= 1 << (token % 32);
            if to != 0 {
                partial.push((to, ticks, token));
            } else if start != 0 || !plain.contains(token) {
                escaped.push((ticks, token));
            }
        });
        escaped.sort_unstable();
        partial.sort_unstable();
        StringTable { inside, escaped, partial, exits: Exits::new(exits), max_ticks: max_ticks.into() }
    }
}

impl Exits {
    /// From (suffix, characters before it, token).
    pub(super) fn new(mut entries: Vec<(&[u8], u16, u32)>) -> Exits {
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
