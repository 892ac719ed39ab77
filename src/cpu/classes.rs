//! The vocabulary by classes of characters: the trie that most masks walk.
//!
//! # The problem
//!
//! A pattern that reads nearly everything keeps most of the trie of bytes alive: o200k_base has 420,759
//! nodes. But automata of texts rarely tell one lower-case letter from another, and then `word` and `dear` come to
//! the same end.
//!
//! # Representation
//!
//! A trie over *symbols* instead of bytes: a class of characters (lower case, upper case, digits, line breaks and
//! tabs, any whole character beyond ASCII), or else the very byte. All tokens that spell the same symbols share
//! a node; for o200k_base there are about 10,000. Where an automaton does tell the bytes of a class apart, the nodes of
//! the trie of bytes that a class stands for say where to go on:
//!
//! ```text
//! node `tab lower`  ─ reals ─►  nodes "\ta", "\tb" … of the trie of bytes, by last byte
//! ```
//!
//! Nodes are in preorder, as in [`TokenTrie`]; tokens are listed in the order of nodes. A node of very many
//! tokens has them as a bitmap too.

use rustc_hash::FxHashMap;

use crate::automaton::string::{Sub, edges};
use crate::vocab::{SliceId, Vocabulary};

/// A class of characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Class {
    Lower,
    Upper,
    Digit,
    /// Tab, line feed, carriage return.
    Break,
    /// A whole character beyond ASCII, but for white space.
    Wide,
}

/// Whether bytes begin white space beyond ASCII, or are such a character. Patterns single it out with `\s` and `.`, so
/// that [`Class::Wide`] leaves it out; it is spelled byte by byte.
pub(super) fn begins_wide_space(bytes: &[u8]) -> bool {
    match *bytes {
        [0xc2 | 0xe1 | 0xe2 | 0xe3 | 0xef] => true,
        [0xc2, 0xa0] | [0xe1, 0x9a] | [0xe2, 0x80 | 0x81] | [0xe3, 0x80] | [0xef, 0xbb] => true,
        [0xe1, 0x9a, 0x80] | [0xe2, 0x81, 0x9f] | [0xe3, 0x80, 0x80] | [0xef, 0xbb, 0xbf] => true,
        [0xe2, 0x80, last] => matches!(last, 0x80..=0x8a | 0xa8 | 0xa9 | 0xaf),
        _ => false,
    }
}

/// Whether a token is of plain characters, the last of which may be only begun.
pub(super) fn is_begun_plain(bytes: &[u8]) -> bool {
    let step = |sub: u8, byte: u8| {
        let edge = edges(Sub(sub)).iter().find(|e| e.0 <= byte && byte <= e.1);
        edge.filter(|_| byte != b'\\').map(|e| e.2)
    };
    bytes.iter().try_fold(Sub::MAIN.0, |sub, &byte| step(sub, byte)).is_some()
}

/// Beyond the slices: tokens of JSON's whitespace only.
pub(super) const BLANK: u8 = 12;
/// Beyond the slices: tokens that [`is_begun_plain`] accepts.
pub(super) const BEGUN: u8 = 13;
const _: () = assert!(SliceId::ALL.len() <= BLANK as usize);

impl Class {
    pub const COUNT: usize = 5;
    pub const ALL: [Class; Class::COUNT] =
        [Class::Lower, Class::Upper, Class::Digit, Class::Break, Class::Wide];

    pub fn of(byte: u8) -> Option<Class> {
        Some(match byte {
            b'a'..=b'z' => Class::Lower,
            b'A'..=b'Z' => Class::Upper,
            b'0'..=b'9' => Class::Digit,
            b'\t' | b'\n' | b'\r' => Class::Break,
            _ => return None,
        })
    }

    /// The bytes of the class; of [`Class::Wide`], those that begin a character.
    pub fn bytes(self) -> &'static [(u8, u8)] {
        match self {
            Class::Lower => &[(b'a', b'z')],
            Class::Upper => &[(b'A', b'Z')],
            Class::Digit => &[(b'0', b'9')],
            Class::Break => &[(b'\t', b'\n'), (b'\r', b'\r')],
            Class::Wide => &[(0xc2, 0xf4)],
        }
    }

    pub fn symbol(self) -> Symbol {
        256 + self as Symbol
    }

    /// A character of the class.
    pub fn example(self) -> &'static [u8] {
        match self {
            Class::Lower => b"a",
            Class::Upper => b"A",
            Class::Digit => b"0",
            Class::Break => b"\n",
            Class::Wide => "\u{80}".as_bytes(),
        }
    }
}

/// A byte below 256, from there on a class.
pub(super) type Symbol = u16;

/// A symbol's class, if it is not a byte.
pub(super) fn class_of(symbol: Symbol) -> Option<Class> {
    (symbol as usize).checked_sub(256).map(|class| Class::ALL[class])
}

/// One node.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClassNode {
    /// The first node outside this subtree.
    pub skip: u32,
    /// Of the tokens that end here or below, the first in the list of tokens.
    pub first_token: u32,
    pub depth: u16,
    pub symbol: Symbol,
    /// Bit i: all tokens here and below are in slice i; or [`BLANK`].
    pub slices: u16,
    /// The same of the tokens here.
    pub own_slices: u16,
    /// 1 + position among bitmaps; 0: the tokens here are listed only.
    pub bitmap: u16,
}

/// See the module's comment.
pub(super) struct ClassTrie {
    /// One more than there are, which ends every range.
    nodes: Vec<ClassNode>,
    tokens: Vec<u32>,
    bitmaps: Vec<Box<[u32]>>,
    /// Per node, where its reals begin.
    real_starts: Vec<u32>,
    reals: Vec<u32>,
    /// The last byte of each real; of [`Class::Wide`], the first byte of the character.
    real_bytes: Vec<u8>,
    /// Tokens of whitespace only: (bytes, token), ascending.
    blanks: Vec<(u16, u32)>,
    /// Tokens that [`is_begun_plain`] accepts.
    begun: Box<[u32]>,
}

/// A node with at least so many tokens has a bitmap: setting a token takes about a nanosecond, adding a bitmap
/// of 25 KB a microsecond.
const MIN_BITMAP: usize = 1200;

/// The tokens while they are sorted in.
struct Growing {
    children: FxHashMap<(u32, Symbol), u32>,
    /// (parent, symbol) of each node but the root, which is 0.
    of: Vec<(u32, Symbol)>,
    tokens: Vec<Vec<u32>>,
    /// (node, byte, real)
    reals: Vec<(u32, u8, u32)>,
}

/// Where a prefix is: behind the symbols of `node`, with `pending` bytes of a character begun.
#[derive(Clone, Copy)]
struct Place {
    node: u32,
    sub: u8,
    pending: [u8; 3],
    len: u8,
}

impl Growing {
    fn child(&mut self, parent: u32, symbol: Symbol) -> u32 {
        let next = self.of.len() as u32;
        *self.children.entry((parent, symbol)).or_insert_with(|| {
            self.of.push((parent, symbol));
            self.tokens.push(Vec::new());
            next
        })
    }

    /// The node after the pending bytes, each a symbol of its own.
    fn spelled(&mut self, at: &Place) -> u32 {
        at.pending[..at.len as usize].iter().fold(at.node, |node, &byte| self.child(node, byte.into()))
    }

    /// Reads a byte of the trie's node `real`.
    fn read(&mut self, at: Place, byte: u8, real: u32) -> Place {
        let between = |node| Place { node, sub: 0, pending: [0; 3], len: 0 };
        let step = edges(Sub(at.sub)).iter().find(|e| byte >= 0x80 && e.0 <= byte && byte <= e.1);
        match step {
            Some(&(.., 0)) if begins_wide_space(&[&at.pending[..at.len as usize], &[byte]].concat()) => {
                let node = self.spelled(&at);
                between(self.child(node, byte.into()))
            }
            Some(&(.., 0)) => between(self.child(at.node, Class::Wide.symbol())),
            Some(&(.., sub)) => {
                if at.len == 0 {
                    let wide = self.child(at.node, Class::Wide.symbol());
                    self.reals.push((wide, byte, real));
                }
                let mut next = Place { sub, len: at.len + 1, ..at };
                next.pending[at.len as usize] = byte;
                next
            }
            None if at.len > 0 => {
                let node = self.spelled(&at);
                self.read(between(node), byte, real)
            }
            None => {
                let Some(class) = Class::of(byte) else { return between(self.child(at.node, byte.into())) };
                let node = self.child(at.node, class.symbol());
                self.reals.push((node, byte, real));
                between(node)
            }
        }
    }
}

impl ClassTrie {
    pub fn new(vocab: &Vocabulary) -> ClassTrie {
        let trie = vocab.trie();
        let mut g = Growing {
            children: FxHashMap::default(),
            of: vec![(0, 0)],
            tokens: vec![Vec::new()],
            reals: Vec::new(),
        };
        let mut places = vec![Place { node: 0, sub: 0, pending: [0; 3], len: 0 }; trie.max_depth() + 1];
        for (real, node) in (0u32..).zip(trie.nodes()) {
            let depth = node.depth as usize;
            places[depth] = g.read(places[depth - 1], node.byte, real);
            if node.is_token != 0 {
                let at = places[depth];
                let end = g.spelled(&at);
                g.tokens[end as usize].extend_from_slice(trie.tokens_at(real));
            }
        }
        Self::in_order(vocab, g)
    }

    /// Lays the nodes out in preorder, siblings by rising symbol.
    fn in_order(vocab: &Vocabulary, mut g: Growing) -> ClassTrie {
        let mut edges: Vec<(u32, Symbol, u32)> =
            (1u32..).zip(&g.of[1..]).map(|(node, &(parent, symbol))| (parent, symbol, node)).collect();
        edges.sort_unstable();
        g.reals.sort_unstable();
        let width = vocab.width().div_ceil(32);
        let mut t = ClassTrie {
            nodes: Vec::with_capacity(edges.len() + 1),
            tokens: Vec::with_capacity(vocab.len()),
            bitmaps: Vec::new(),
            real_starts: Vec::with_capacity(edges.len() + 1),
            reals: Vec::with_capacity(g.reals.len()),
            real_bytes: Vec::with_capacity(g.reals.len()),
            blanks: Vec::new(),
            begun: vec![0; width].into_boxed_slice(),
        };
        // (edge, node it became); an edge comes up a second time when its subtree is done.
        let below = |node: u32| {
            let from = edges.partition_point(|e| e.0 < node);
            from..edges.partition_point(|e| e.0 <= node)
        };
        let mut stack: Vec<(usize, u16, Option<u32>)> = below(0).rev().map(|e| (e, 1, None)).collect();
        while let Some((edge, depth, done)) = stack.pop() {
            if let Some(node) = done {
                t.nodes[node as usize].skip = t.nodes.len() as u32;
                continue;
            }
            let (_, symbol, old) = edges[edge];
            let node = t.nodes.len() as u32;
            let tokens = &mut g.tokens[old as usize];
            tokens.sort_unstable();
            let mut bitmap = 0;
            if tokens.len() >= MIN_BITMAP {
                let mut words = vec![0u32; width].into_boxed_slice();
                tokens.iter().for_each(|&t| words[t as usize / 32] |= 1 << (t % 32));
                t.bitmaps.push(words);
                bitmap = t.bitmaps.len() as u16;
            }
            let first_token = t.tokens.len() as u32;
            t.nodes.push(ClassNode { skip: 0, first_token, depth, symbol, slices: 0, own_slices: 0, bitmap });
            t.tokens.append(tokens);
            t.real_starts.push(t.reals.len() as u32);
            let from = g.reals.partition_point(|r| r.0 < old);
            for &(_, byte, real) in g.reals[from..].iter().take_while(|r| r.0 == old) {
                t.reals.push(real);
                t.real_bytes.push(byte);
            }
            stack.push((edge, depth, Some(node)));
            stack.extend(below(old).rev().map(|e| (e, depth + 1, None)));
        }
        let end = t.nodes.len() as u32;
        t.nodes.push(ClassNode {
            skip: end,
            first_token: t.tokens.len() as u32,
            depth: 0,
            symbol: 0,
            slices: 0,
            own_slices: 0,
            bitmap: 0,
        });
        t.real_starts.push(t.reals.len() as u32);
        let is_blank = |bytes: &[u8]| bytes.iter().all(|b| b" \t\n\r".contains(b));
        let blank = |&token: &u32| {
            vocab.bytes(token).filter(|bytes| is_blank(bytes)).map(|b| (b.len() as u16, token))
        };
        t.blanks = t.tokens.iter().filter_map(blank).collect();
        t.blanks.sort_unstable();
        let begun = |&&token: &&u32| vocab.bytes(token).is_some_and(is_begun_plain);
        for &token in t.tokens.iter().filter(begun) {
            t.begun[token as usize / 32] |= 1 << (token % 32);
        }
        let of: Vec<u16> = (0..vocab.len() as u32)
            .map(|token| {
                let begun = t.begun[token as usize / 32] >> (token % 32) & 1;
                let others = u16::from(blank(&token).is_some()) << BLANK | (begun as u16) << BEGUN;
                vocab.slices().classes(token) | others
            })
            .collect();
        for node in 0..end {
            let common =
                |tokens: &[u32]| tokens.iter().fold(u16::MAX, |all, &token| all & of[token as usize]);
            let (here, below) = (common(t.tokens_at(node)), common(t.tokens_under(node)));
            t.nodes[node as usize].own_slices = here;
            t.nodes[node as usize].slices = below;
        }
        t
    }

    /// The nodes in preorder.
    pub fn nodes(&self) -> &[ClassNode] {
        &self.nodes[..self.nodes.len() - 1]
    }

    /// Tokens that end at a node.
    pub fn tokens_at(&self, node: u32) -> &[u32] {
        let (here, next) = (&self.nodes[node as usize], &self.nodes[node as usize + 1]);
        &self.tokens[here.first_token as usize..next.first_token as usize]
    }

    /// Tokens that end at a node or below it.
    pub fn tokens_under(&self, node: u32) -> &[u32] {
        let here = &self.nodes[node as usize];
        &self.tokens[here.first_token as usize..self.nodes[here.skip as usize].first_token as usize]
    }

    /// The tokens of a node as a bitmap, if it has one.
    pub fn bitmap(&self, node: u32) -> Option<&[u32]> {
        let bitmap = self.nodes[node as usize].bitmap;
        (bitmap != 0).then(|| &*self.bitmaps[bitmap as usize - 1])
    }

    /// The nodes of the trie of bytes that a node of a class stands for, and the byte of the class each has read.
    /// Of [`Class::Wide`]: nodes of the first byte of a character. By rising byte.
    pub fn reals(&self, node: u32) -> (&[u32], &[u8]) {
        let range = self.real_starts[node as usize] as usize..self.real_starts[node as usize + 1] as usize;
        (&self.reals[range.clone()], &self.real_bytes[range])
    }

    /// Tokens of plain characters, the last of which may be only begun.
    pub fn begun(&self) -> &[u32] {
        &self.begun
    }

    /// Tokens of whitespace only: (bytes, token), the shortest first.
    pub fn blanks(&self) -> &[(u16, u32)] {
        &self.blanks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The symbols of some bytes, found another way.
    fn symbols(bytes: &[u8]) -> Vec<Symbol> {
        let mut out = Vec::new();
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                let mut spelled = [0; 4];
                let spelled = c.encode_utf8(&mut spelled).as_bytes();
                match c {
                    'a'..='z' => out.push(256),
                    'A'..='Z' => out.push(257),
                    '0'..='9' => out.push(258),
                    '\t' | '\n' | '\r' => out.push(259),
                    _ if !c.is_ascii() && !c.is_whitespace() && c != '\u{feff}' => out.push(260),
                    '\u{85}' => out.push(260),
                    _ => out.extend(spelled.iter().map(|&b| Symbol::from(b))),
                }
            }
            out.extend(chunk.invalid().iter().map(|&b| Symbol::from(b)));
        }
        out
    }

    fn check(vocab: &Vocabulary) -> ClassTrie {
        let trie = ClassTrie::new(vocab);
        let mut seen = vec![false; vocab.len()];
        let mut path: Vec<Symbol> = Vec::new();
        for (i, node) in (0u32..).zip(trie.nodes()) {
            path.truncate(node.depth as usize - 1);
            path.push(node.symbol);
            for &token in trie.tokens_at(i) {
                assert_eq!(symbols(vocab.bytes(token).unwrap()), path);
                assert!(!std::mem::replace(&mut seen[token as usize], true));
            }
            let under = trie.tokens_under(i);
            for slice in SliceId::ALL {
                let all = under.iter().all(|&t| vocab.slices().get(slice).contains(t));
                assert_eq!(node.slices >> slice.index() & 1 == 1, all, "{path:?} {slice:?}");
            }
            // A class's nodes of the other trie have its tokens below them, and no others of the class.
            let (reals, bytes) = trie.reals(i);
            assert!(bytes.is_sorted());
            if class_of(node.symbol).is_none() {
                assert!(reals.is_empty());
                continue;
            }
            let mut below: Vec<u32> =
                reals.iter().flat_map(|&r| vocab.trie().tokens_under(r)).copied().collect();
            below.retain(|&t| symbols(vocab.bytes(t).unwrap()).starts_with(&path));
            below.sort_unstable();
            let mut want = under.to_vec();
            want.sort_unstable();
            assert_eq!(below, want, "{path:?}");
        }
        assert!((0..vocab.len() as u32).all(|t| seen[t as usize] == vocab.bytes(t).is_some()));
        trie
    }

    #[test]
    fn every_token_stands_at_its_symbols() {
        let texts: &[&[u8]] = &[
            b"a",
            b"ab",
            b"ba",
            b"aB1",
            b"\t",
            b"\t\n ",
            b" x",
            "é".as_bytes(),
            "éa".as_bytes(),
            b"\xc3",
            b"a\xc3",
            b"\xa9",
            b"\xa9a",
            b"\xe2\x80",
            b"\xe2\x80\xa8",
            b"\xe2\x80\xa7",
            b"\xf0\x9f",
            b"\xf0\x9f\x98\x80!",
            b"\xff",
            b"\xc3\xff",
            b"\xc3\xc3\xa9",
            b"\"",
            b"\xed\xa0\x80",
            b"\xc2\xa0",
            b"\xc2\xa1",
        ];
        check(&Vocabulary::from_tokens(texts.iter().map(|t| Some(t.to_vec())).collect()).unwrap());
    }

    #[test]
    fn o200k_base_has_few_nodes() {
        let trie = check(&Vocabulary::o200k_base().unwrap());
        println!("{} nodes, {} bitmaps, {} reals", trie.nodes().len(), trie.bitmaps.len(), trie.reals.len());
        assert!((8_000..14_000).contains(&trie.nodes().len()));
        assert!(trie.blanks().len() > 300);
    }
}
