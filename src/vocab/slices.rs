//! Tokens by character class: the part of a mask that no schema changes.
//!
//! # The problem
//!
//! Inside a free JSON string nearly every token is legal: of o200k_base's 199,998, all but 5,965 consist of
//! characters that stand for themselves there. Trying them one by one at every step would be absurd.
//!
//! # Representation
//!
//! A *slice* is a fixed set of characters with the tokens that consist only of whole characters of the set.
//! Each has bitmaps for tokens of at most 1, 2, 3, 4, 6, 8, 12 and 16 characters and of any length, because a
//! `maxLength` leaves room for only so many. What the bitmap of a bound leaves out up to the exact number is
//! short lists by length, and what is not in the slice at all is a trie to walk:
//!
//! ```text
//! state is closed under the slice, room for n characters:
//!     mask = bitmap(n).words
//!     mask |= tokens_between(bitmap(n).bound, n)
//!     mask |= walk(rest)
//! ```
//!
//! Characters are Unicode scalar values, as JSON Schema counts them.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::TokenTrie;
use super::table::TokenTable;

/// The most characters a token may have for each bitmap; the last bitmap has no bound.
const BOUNDS: [u32; 9] = [1, 2, 3, 4, 6, 8, 12, 16, u32::MAX];

/// A character class that tokens are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SliceId(u8);

impl SliceId {
    /// Every character that needs no escape in a JSON string: not below U+0020, not `"`, not `\`.
    pub const PLAIN: SliceId = SliceId(0);
    /// U+0020 to U+007E but `"` and `\`.
    pub const ASCII_PLAIN: SliceId = SliceId(1);
    /// `[A-Za-z0-9_-]`
    pub const IDENT: SliceId = SliceId(2);
    /// `[A-Za-z0-9_]`, ECMA-262's `\w`.
    pub const WORD: SliceId = SliceId(3);
    /// `[A-Za-z0-9]`
    pub const ALNUM: SliceId = SliceId(4);
    /// `[a-z0-9_-]`
    pub const SLUG: SliceId = SliceId(5);
    /// `[A-Za-z]`
    pub const ALPHA: SliceId = SliceId(6);
    /// `[a-z]`
    pub const ALPHA_LOWER: SliceId = SliceId(7);
    /// `[A-Z]`
    pub const ALPHA_UPPER: SliceId = SliceId(8);
    /// `[0-9A-Fa-f]`
    pub const HEX: SliceId = SliceId(9);
    /// `[0-9a-f]`
    pub const HEX_LOWER: SliceId = SliceId(10);
    /// `[0-9]`
    pub const DIGITS: SliceId = SliceId(11);

    /// All slices; `ALL[i].index() == i`.
    pub const ALL: [SliceId; 12] = [
        SliceId::PLAIN,
        SliceId::ASCII_PLAIN,
        SliceId::IDENT,
        SliceId::WORD,
        SliceId::ALNUM,
        SliceId::SLUG,
        SliceId::ALPHA,
        SliceId::ALPHA_LOWER,
        SliceId::ALPHA_UPPER,
        SliceId::HEX,
        SliceId::HEX_LOWER,
        SliceId::DIGITS,
    ];

    /// Position in [`ALL`](Self::ALL).
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The slice at position `index` of [`ALL`](Self::ALL).
    pub fn from_index(index: usize) -> Option<SliceId> {
        Self::ALL.get(index).copied()
    }

    /// A short name in lower case.
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 12] = [
            "plain",
            "ascii_plain",
            "ident",
            "word",
            "alnum",
            "slug",
            "alpha",
            "alpha_lower",
            "alpha_upper",
            "hex",
            "hex_lower",
            "digits",
        ];
        NAMES[self.index()]
    }

    /// Whether `c` belongs to the class.
    pub fn contains_char(self, c: char) -> bool {
        match self {
            SliceId::PLAIN => c >= ' ' && c != '"' && c != '\\',
            SliceId::ASCII_PLAIN => matches!(c, ' '..='~') && c != '"' && c != '\\',
            SliceId::IDENT => c.is_ascii_alphanumeric() || c == '_' || c == '-',
            SliceId::WORD => c.is_ascii_alphanumeric() || c == '_',
            SliceId::ALNUM => c.is_ascii_alphanumeric(),
            SliceId::SLUG => matches!(c, 'a'..='z' | '0'..='9' | '_' | '-'),
            SliceId::ALPHA => c.is_ascii_alphabetic(),
            SliceId::ALPHA_LOWER => c.is_ascii_lowercase(),
            SliceId::ALPHA_UPPER => c.is_ascii_uppercase(),
            SliceId::HEX => c.is_ascii_hexdigit(),
            SliceId::HEX_LOWER => matches!(c, '0'..='9' | 'a'..='f'),
            _ => c.is_ascii_digit(),
        }
    }

    /// Whether `byte` occurs in the UTF-8 form of some character of the class.
    pub fn contains_byte(self, byte: u8) -> bool {
        if byte.is_ascii() {
            self.contains_char(char::from(byte))
        } else {
            // Only the first class reaches beyond ASCII; 0xC0, 0xC1 and 0xF5 on are never UTF-8.
            self == SliceId::PLAIN && matches!(byte, 0x80..=0xbf | 0xc2..=0xf4)
        }
    }
}

/// All slices of one vocabulary.
pub struct Slices {
    tokens: Arc<Classified>,
    slices: [OnceLock<Slice>; SliceId::ALL.len()],
}

/// What every slice is cut from.
struct Classified {
    table: Arc<TokenTable>,
    width: usize,
    /// Per id: bit `i` is set if the token consists of whole characters of `SliceId::ALL[i]`.
    classes: Vec<u16>,
    /// Per id: number of characters; 0 if there are no bytes or they are not whole characters.
    chars: Vec<u16>,
}

impl Slices {
    pub(super) fn new(table: Arc<TokenTable>, width: usize) -> Self {
        let classes_of = |c: char| -> u16 {
            SliceId::ALL.iter().fold(0, |mask, id| mask | u16::from(id.contains_char(c)) << id.0)
        };
        let ascii: [u16; 128] = std::array::from_fn(|i| classes_of(char::from(i as u8)));
        let beyond = classes_of('\u{80}');
        let mut classes = vec![0; table.len()];
        let mut chars = vec![0; table.len()];
        for (id, bytes) in table.iter() {
            let Ok(text) = std::str::from_utf8(bytes) else {
                continue;
            };
            let mut mask = u16::MAX;
            let mut count = 0;
            for c in text.chars() {
                mask &= ascii.get(c as usize).copied().unwrap_or(beyond);
                count += 1;
            }
            classes[id as usize] = mask;
            chars[id as usize] = count;
        }
        let tokens = Arc::new(Classified { table, width, classes, chars });
        Slices { tokens, slices: Default::default() }
    }

    /// One slice. Built on the first call.
    pub fn get(&self, id: SliceId) -> &Slice {
        self.slices[id.index()].get_or_init(|| Slice::new(id, Arc::clone(&self.tokens)))
    }

    /// Number of characters in token `id`, 255 standing for that many or more; `None` if it has no bytes
    /// or they are not whole characters.
    pub fn chars(&self, id: u32) -> Option<u8> {
        let chars = *self.tokens.chars.get(id as usize)?;
        (chars > 0).then(|| u8::try_from(chars).unwrap_or(u8::MAX))
    }

    /// Bit i: token `id` consists of whole characters of slice i. 0 without bytes.
    pub(crate) fn classes(&self, id: u32) -> u16 {
        self.tokens.classes.get(id as usize).copied().unwrap_or(0)
    }

    /// Bytes on the heap, of what has been built so far.
    pub fn heap_bytes(&self) -> usize {
        let per_token = self.tokens.classes.capacity() + self.tokens.chars.capacity();
        per_token * size_of::<u16>()
            + self.slices.iter().filter_map(OnceLock::get).map(Slice::heap_bytes).sum::<usize>()
    }
}

impl fmt::Debug for Slices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.slices.iter().filter_map(OnceLock::get)).finish()
    }
}

/// The tokens of one character class.
pub struct Slice {
    id: SliceId,
    tokens: Arc<Classified>,
    /// (bound, bitmap), bounds rising; the last bound is `u32::MAX`. Bounds that would repeat it are left out.
    bitmaps: Vec<(u32, Vec<u32>)>,
    /// The slice's token ids by number of characters, then id.
    by_chars: Vec<u32>,
    /// Their numbers of characters, parallel to `by_chars`.
    counts: Vec<u16>,
    rest: OnceLock<TokenTrie>,
}

/// A bitmap of a slice, and what it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceMask<'a> {
    /// The bitmap holds all tokens of the slice with at most this many characters; `u32::MAX` if it
    /// holds the whole slice, 0 if it holds none.
    pub bound: u32,
    /// `[ceil(width / 32)]`, least significant bit first, 1 = in the set.
    pub words: &'a [u32],
}

impl Slice {
    fn new(id: SliceId, tokens: Arc<Classified>) -> Self {
        let bit = 1u16 << id.0;
        let mut members: Vec<(u16, u32)> = (0..tokens.classes.len())
            .filter(|&token| tokens.classes[token] & bit != 0)
            .map(|token| (tokens.chars[token], token as u32))
            .collect();
        members.sort_unstable();
        let longest = members.last().map_or(0, |&(chars, _)| u32::from(chars));

        // The bitmap of bound 0 is empty; keeping it spares every caller a special case.
        let mut words = vec![0u32; tokens.width.div_ceil(32)];
        let mut bitmaps = vec![(0, words.clone())];
        let mut next = members.iter().peekable();
        for bound in BOUNDS.into_iter().filter(|&bound| bound < longest || bound == u32::MAX) {
            while let Some((_, token)) = next.next_if(|&&(chars, _)| u32::from(chars) <= bound) {
                words[*token as usize / 32] |= 1 << (token % 32);
            }
            bitmaps.push((bound, words.clone()));
        }
        let (counts, by_chars) = members.into_iter().unzip();
        Slice { id, tokens, bitmaps, by_chars, counts, rest: OnceLock::new() }
    }

    /// Which class this is.
    pub fn id(&self) -> SliceId {
        self.id
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.by_chars.len()
    }

    /// Whether no token belongs to the slice.
    pub fn is_empty(&self) -> bool {
        self.by_chars.is_empty()
    }

    /// Whether `token` belongs to the slice.
    pub fn contains(&self, token: u32) -> bool {
        self.tokens.classes.get(token as usize).is_some_and(|classes| classes >> self.id.0 & 1 == 1)
    }

    /// Characters in the slice's longest token; 0 if there is none.
    pub fn max_chars(&self) -> u32 {
        self.counts.last().map_or(0, |&chars| chars.into())
    }

    /// The largest bitmap without any token of more than `max_chars` characters.
    ///
    /// Bounds are 0, 1, 2, 3, 4, 6, 8, 12, 16 and none; [`tokens_between`](Self::tokens_between) its bound
    /// and `max_chars` completes it.
    pub fn bitmap(&self, max_chars: u32) -> SliceMask<'_> {
        let fitting = if max_chars >= self.max_chars() {
            self.bitmaps.len() - 1
        } else {
            self.bitmaps.partition_point(|&(bound, _)| bound <= max_chars) - 1
        };
        let (bound, words) = &self.bitmaps[fitting];
        SliceMask { bound: *bound, words }
    }

    /// Ids of the tokens with more than `low` and at most `high` characters, shortest first; empty if `low >= high`.
    pub fn tokens_between(&self, low: u32, high: u32) -> &[u32] {
        let upto = |chars: u32| self.counts.partition_point(|&count| u32::from(count) <= chars);
        &self.by_chars[upto(low.min(high))..upto(high)]
    }

    /// The tokens with bytes that are *not* in the slice: what a mask must still walk. Built on the first call.
    ///
    /// Small for [`SliceId::PLAIN`]; for a narrow class it is nearly [`Vocabulary::trie`](super::Vocabulary::trie), which
    /// serves as well and is shared.
    pub fn rest(&self) -> &TokenTrie {
        self.rest.get_or_init(|| {
            TokenTrie::from_entries(self.tokens.table.iter().filter(|&(token, _)| !self.contains(token)))
        })
    }

    /// Whether `byte` occurs in the UTF-8 form of some character of the class.
    pub fn contains_byte(&self, byte: u8) -> bool {
        self.id.contains_byte(byte)
    }

    /// Bytes on the heap, with the trie if it has been built.
    pub fn heap_bytes(&self) -> usize {
        self.bitmaps.iter().map(|(_, words)| size_of_val(&**words)).sum::<usize>()
            + self.by_chars.capacity() * size_of::<u32>()
            + self.counts.capacity() * size_of::<u16>()
            + self.rest.get().map_or(0, TokenTrie::heap_bytes)
    }
}

impl fmt::Debug for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slice")
            .field("id", &self.id.name())
            .field("tokens", &self.len())
            .field("max_chars", &self.max_chars())
            .finish_non_exhaustive()
    }
}
