//! Tokens that close a JSON string, split at the quote.
//!
//! # The problem
//!
//! In a free string, what a token writes before its first unescaped quote does not depend on the schema;
//! what it writes after it (`,"`, `": `, `}]` …) does. Thousands of tokens hold a quote, but they differ by only
//! a few hundred suffixes, and only those need judging at each place the string can be left to.
//!
//! # Representation
//!
//! A *suffix* is what follows the quote, possibly nothing. Suffixes are numbered in byte order; each has the list of
//! tokens that end in it, and all of them form a [`TokenTrie`] whose "ids" are suffix ids:
//!
//! ```text
//! state after the quote = s; room for n characters in the string:
//!     walk(trie, s) → for each live suffix: its tokens with prefix_chars <= n are legal
//!     the empty suffix, if any, is live when s is
//! ```
//!
//! Tokens are split as read from the state between two characters of a string. In the middle of an escape or of
//! a UTF-8 sequence the first quote may mean something else; such states must walk the vocabulary's trie.

use super::{SliceId, TokenTrie};

/// The tokens that close a string, in two groups.
#[derive(Debug)]
pub struct QuoteSplit {
    plain: SuffixGroup,
    other: SuffixGroup,
}

/// Tokens that close a string, by what they write after the closing quote.
#[derive(Debug)]
pub struct SuffixGroup {
    /// All suffixes' bytes, in the order of their ids.
    bytes: Vec<u8>,
    /// `len() + 1` offsets into `bytes`.
    byte_starts: Vec<u32>,
    /// Every token of the group, by suffix id, then by number of characters, then by id.
    tokens: Vec<SplitToken>,
    /// `len() + 1` offsets into `tokens`.
    token_starts: Vec<u32>,
    trie: TokenTrie,
}

/// A token that closes a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SplitToken {
    /// Characters before the quote; `None` if they are not all plain ([`SliceId::PLAIN`]).
    pub prefix_chars: Option<u16>,
    /// The token.
    pub id: u32,
}

impl QuoteSplit {
    pub(super) fn new<'a>(tokens: impl Iterator<Item = (u32, &'a [u8])>) -> Self {
        let mut plain = Vec::new();
        let mut other = Vec::new();
        for (id, bytes) in tokens {
            let Some(quote) = closing_quote(bytes) else {
                continue;
            };
            let prefix_chars = plain_chars(&bytes[..quote]);
            let group = if prefix_chars.is_some() { &mut plain } else { &mut other };
            group.push((&bytes[quote + 1..], SplitToken { prefix_chars, id }));
        }
        QuoteSplit { plain: SuffixGroup::new(plain), other: SuffixGroup::new(other) }
    }

    /// Tokens with nothing but plain characters before the quote; every `prefix_chars` is `Some`. Whether
    /// they are legal in a free string depends on their suffix and the room for characters alone.
    pub fn plain(&self) -> &SuffixGroup {
        &self.plain
    }

    /// Tokens with an escape, a control character or part of a character before the quote; every
    /// `prefix_chars` is `None`. The prefix must be judged too.
    pub fn other(&self) -> &SuffixGroup {
        &self.other
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.plain.heap_bytes() + self.other.heap_bytes()
    }
}

impl SuffixGroup {
    fn new(mut entries: Vec<(&[u8], SplitToken)>) -> Self {
        entries.sort_unstable();
        let mut group = SuffixGroup {
            bytes: Vec::new(),
            byte_starts: vec![0],
            tokens: Vec::with_capacity(entries.len()),
            token_starts: vec![0],
            trie: TokenTrie::from_entries([]),
        };
        for same in entries.chunk_by(|(a, _), (b, _)| a == b) {
            group.bytes.extend_from_slice(same[0].0);
            group.tokens.extend(same.iter().map(|&(_, token)| token));
            group.byte_starts.push(group.bytes.len() as u32);
            group.token_starts.push(group.tokens.len() as u32);
        }
        group.trie = TokenTrie::from_entries((0..group.len() as u32).map(|id| (id, group.suffix(id))));
        group
    }

    /// Number of distinct suffixes; their ids are `0..len()`.
    pub fn len(&self) -> usize {
        self.byte_starts.len() - 1
    }

    /// Whether the group has no token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of a suffix.
    ///
    /// # Panics
    /// If there is no such suffix.
    pub fn suffix(&self, suffix: u32) -> &[u8] {
        let i = suffix as usize;
        &self.bytes[self.byte_starts[i] as usize..self.byte_starts[i + 1] as usize]
    }

    /// The tokens that end in a suffix, fewest characters first.
    ///
    /// # Panics
    /// If there is no such suffix.
    pub fn tokens(&self, suffix: u32) -> &[SplitToken] {
        let i = suffix as usize;
        &self.tokens[self.token_starts[i] as usize..self.token_starts[i + 1] as usize]
    }

    /// Every token of the group, by suffix id.
    pub fn all_tokens(&self) -> &[SplitToken] {
        &self.tokens
    }

    /// The id of the empty suffix, which the trie cannot hold, if some token ends at the quote.
    pub fn empty_suffix(&self) -> Option<u32> {
        // It sorts before every other.
        (!self.is_empty() && self.suffix(0).is_empty()).then_some(0)
    }

    /// The suffixes that are not empty, as a trie; its "token ids" are suffix ids.
    pub fn trie(&self) -> &TokenTrie {
        &self.trie
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
            + (self.byte_starts.capacity() + self.token_starts.capacity()) * size_of::<u32>()
            + self.tokens.capacity() * size_of::<SplitToken>()
            + self.trie.heap_bytes()
    }
}

/// Position of the first quote that no backslash escapes.
fn closing_quote(bytes: &[u8]) -> Option<usize> {
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            b'"' => return Some(i),
            // `\u` is followed by digits, never by a quote or backslash, so skipping one byte is enough.
            b'\\' => i += 2,
            _ => i += 1,
        }
    }
    None
}

/// Number of characters if all are plain.
fn plain_chars(bytes: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.chars().all(|c| SliceId::PLAIN.contains_char(c)).then(|| text.chars().count() as u16)
}
