//! The records of a vocabulary's block: the twins of those in `kernels/layout.cuh`.

use std::mem::offset_of;

use bytemuck::{Pod, Zeroable};

pub use crate::table::Section;

/// Longest token of tries and bitmaps, in bytes.
pub const TRIE_MAX_DEPTH: usize = 63;
/// Slices that states have a bit for.
pub const SLICES: usize = 8;
/// Bitmaps of a slice, at most.
pub const SLICE_BOUNDS: usize = 10;
/// Sub-states of the automaton of string contents.
pub const STRING_SUBS: usize = crate::table::string_tokens::SUBS;
/// [`VocabHeader::info`]: not whole characters, or too many.
pub const CHARS_UNKNOWN: u16 = 255;
/// Tokens that may end at one node.
pub const NODE_TOKENS: usize = 127;

/// One node; nodes stand level by level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C, align(16))]
pub struct TrieNode {
    /// The first of its children, which are neighbours, by rising byte.
    pub first_child: u32,
    /// The first of the tokens that end here, or below.
    pub first_token: u32,
    /// The end of those.
    pub end_token: u32,
    /// Byte, children << 8, tokens that end here << 17, slices that hold all tokens here and below << 24.
    pub packed: u32,
}

/// A trie; node 0 is its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct TrieInfo {
    /// [`TrieNode`]s.
    pub nodes: Section,
    /// Ids, or numbers of suffixes, by bytes.
    pub tokens: Section,
}

/// A token by what it does inside a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
#[repr(C)]
pub struct StringToken {
    /// The token.
    pub token: u32,
    /// Characters that it completes before it ends, or before the quote.
    pub chars: u16,
    /// The sub-state that it ends in.
    pub sub: u16,
}

/// What tokens do inside a string, from one sub-state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct StringInfo {
    /// Words: tokens that end inside the string.
    pub inside: Section,
    /// [`StringToken`]s that end between characters and are not plain.
    pub escaped: Section,
    /// [`StringToken`]s that end within a character.
    pub partial: Section,
    /// [`StringToken`]s that reach the closing quote, by suffix.
    pub exits: Section,
    /// Where each suffix's begin, and the end; the last suffix is the empty one.
    pub suffix_starts: Section,
    /// The suffixes that are not empty.
    pub suffixes: TrieInfo,
    /// Most characters that any token completes.
    pub max_chars: u32,
    /// The same among `partial`.
    pub partial_chars: u32,
}

/// Tokens by the run of a class's characters that they begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct RunInfo {
    /// [`StringToken`]s that are nothing but such a run, by its characters.
    pub whole: Section,
    /// [`StringToken`]s of the others, by what follows the run.
    pub tokens: Section,
    /// Where each suffix's begin, and the end.
    pub starts: Section,
    /// The suffixes.
    pub suffixes: TrieInfo,
    /// Most characters among `whole`.
    pub max_chars: u32,
    /// 0.
    pub padding: u32,
}

/// A token that no trie and no bitmap holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct LooseToken {
    /// The token.
    pub token: u32,
    /// Plain characters that it begins with.
    pub chars: u16,
    /// Their bytes.
    pub bytes: u16,
    /// Bytes of whitespace that it begins with.
    pub spaces: u32,
    /// 0.
    pub padding: u32,
}

/// The tokens of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct SliceInfo {
    /// Bitmap i holds the tokens of at most `bounds[i]` characters, the last one all.
    pub bounds: [u32; SLICE_BOUNDS],
    /// How many bitmaps there are.
    pub bitmaps: u32,
    /// Characters of the longest token.
    pub max_chars: u32,
    /// The bitmaps, [`VocabHeader::stride`] words each.
    pub words: Section,
    /// Bit b: byte b occurs in the slice's characters.
    pub bytes: [u8; 32],
}

/// Bytes into a sub-state of a string and out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct SubPath {
    /// Length of `to`.
    pub to_len: u8,
    /// Length of `from`.
    pub from_len: u8,
    /// Shortest bytes that lead there from between characters.
    pub to: [u8; 15],
    /// Bytes that complete one character.
    pub from: [u8; 15],
}

/// The start of the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct VocabHeader {
    /// [`MAGIC`].
    pub magic: u64,
    /// Of the vocabulary.
    pub fingerprint: u64,
    /// Bytes of the block.
    pub size: u32,
    /// Logits per row.
    pub width: u32,
    /// Ids in `starts`.
    pub len: u32,
    /// Words of a bitmap.
    pub words: u32,
    /// Words of a bitmap, padded to 16 bytes.
    pub stride: u32,
    /// Longest token, in bytes.
    pub max_token_len: u32,
    /// Where each token's bytes begin, and the end.
    pub starts: Section,
    /// All tokens' bytes.
    pub bytes: Section,
    /// Per token, characters | slices << 8.
    pub info: Section,
    /// By rising id.
    pub stop_ids: Section,
    /// [`LooseToken`]s: those that no trie and no bitmap holds.
    pub loose: Section,
    /// Plain tokens by number of characters.
    pub by_chars: Section,
    /// Where those of each number begin.
    pub char_starts: Section,
    /// Every token but the loose ones.
    pub all: TrieInfo,
    /// Whitespace; tokens of one blank and something else are in `all` alone.
    pub spaces: RunInfo,
    /// Digits, with the first one in `sub`; nothing if some token has digits and something else behind them.
    pub digits: RunInfo,
    /// The node of the single blank in `all`; 0: none.
    pub blank: u32,
    /// 0.
    pub padding: u32,
    /// Per sub-state.
    pub paths: [SubPath; STRING_SUBS],
    /// Per slice.
    pub slices: [SliceInfo; SLICES],
    /// Per slice, the tokens that are not in it, by the characters of it that they begin with. Those that begin with none
    /// stand here for the first slice alone.
    pub outside: [RunInfo; SLICES],
    /// Per sub-state.
    pub strings: [StringInfo; STRING_SUBS],
}

/// `"WARPVOC2"`, little endian: the layout's version is its last character.
pub const MAGIC: u64 = u64::from_le_bytes(*b"WARPVOC2");

const _: () = assert!(size_of::<TrieNode>() == 16 && size_of::<TrieInfo>() == 16);
const _: () = assert!(size_of::<StringToken>() == 8 && size_of::<StringInfo>() == 64);
const _: () = assert!(size_of::<SliceInfo>() == 88 && size_of::<SubPath>() == 32);
const _: () = assert!(offset_of!(VocabHeader, starts) == 40 && offset_of!(VocabHeader, all) == 96);
const _: () = assert!(size_of::<RunInfo>() == 48 && size_of::<LooseToken>() == 16);
const _: () = assert!(offset_of!(VocabHeader, spaces) == 112 && offset_of!(VocabHeader, blank) == 208);
const _: () = assert!(offset_of!(VocabHeader, paths) == 216 && offset_of!(VocabHeader, slices) == 856);
const _: () = assert!(offset_of!(VocabHeader, outside) == 1560 && offset_of!(VocabHeader, strings) == 1944);
const _: () = assert!(size_of::<VocabHeader>() == 3224);

#[cfg(test)]
mod grammar {
    //! The records of grammars that `kernels/layout.cuh` mirrors, at the offsets that it asserts.
    use std::mem::offset_of;

    use crate::table::Header;
    use crate::table::layout::*;

    #[test]
    fn records_lie_where_the_kernels_read_them() {
        assert_eq!(size_of::<Header>(), 136);
        assert_eq!((offset_of!(Header, states), offset_of!(Header, choices)), (48, 128));
        assert_eq!((size_of::<PackedState>(), PackedState::HAS_EXTRA), (8, 1 << 24));
        assert_eq!(
            (offset_of!(StateKind, need), offset_of!(StateKind, free), size_of::<StateKind>()),
            (8, 11, 12)
        );
        assert_eq!(offset_of!(Extra, keys), 24);
        assert_eq!((offset_of!(KeyInfo, name), offset_of!(KeyInfo, open_need)), (32, 60));
        assert_eq!((offset_of!(MemberCost, need), size_of::<MemberCost>()), (8, 12));
        assert_eq!(offset_of!(SiteInfo, target_count), 12);
        assert_eq!((offset_of!(VariantInfo, terms), size_of::<VariantInfo>()), (4, 8));
        assert_eq!((offset_of!(VariantTerms, keys), size_of::<VariantTerms>()), (24, 28));
        assert_eq!((offset_of!(Choice, outcome), offset_of!(Choice, last)), (16, 20));
    }
}
