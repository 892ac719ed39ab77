//! What tokens do inside a string, as `cpu/strings.rs` works it out, laid out for kernels.

use bytemuck::Zeroable;

use super::Writer;
use super::layout::*;
use crate::automaton::string::{Sub, edges};
use crate::error::Result;
use crate::vocab::{TokenTrie, Vocabulary};

const DEAD: u8 = u8::MAX;

/// The automaton of string contents as a table.
pub(super) struct Automaton {
    next: Vec<u8>,
}

impl Automaton {
    pub fn new() -> Self {
        let mut next = vec![DEAD; STRING_SUBS * 256];
        for sub in 0..STRING_SUBS {
            for &(lo, hi, to) in edges(Sub(sub as u8)) {
                next[sub * 256 + lo as usize..=sub * 256 + hi as usize].fill(to);
            }
        }
        Automaton { next }
    }

    fn step(&self, sub: u8, byte: u8) -> u8 {
        self.next[sub as usize * 256 + byte as usize]
    }

    /// Shortest bytes into every sub-state, and bytes out of it.
    pub fn paths(&self) -> [SubPath; STRING_SUBS] {
        let mut to: Vec<Vec<u8>> = vec![Vec::new(); STRING_SUBS];
        let mut queue = std::collections::VecDeque::from([0u8]);
        while let Some(sub) = queue.pop_front() {
            for &(lo, _, target) in edges(Sub(sub)) {
                if target != 0 && to[target as usize].is_empty() {
                    to[target as usize] = [&to[sub as usize][..], &[lo]].concat();
                    queue.push_back(target);
                }
            }
        }
        std::array::from_fn(|sub| {
            let (mut at, mut from) = (sub as u8, Vec::new());
            while at != 0 {
                let (byte, _, target) = edges(Sub(at))[0];
                from.push(byte);
                at = target;
            }
            let mut path = SubPath::zeroed();
            path.to_len = to[sub].len() as u8;
            path.from_len = from.len() as u8;
            path.to[..to[sub].len()].copy_from_slice(&to[sub]);
            path.from[..from.len()].copy_from_slice(&from);
            path
        })
    }
}

/// Writes the tables of sub-state `start`; `is_plain` tells which tokens the plain slice holds.
pub(super) fn write(
    out: &mut Writer,
    automaton: &Automaton,
    vocab: &Vocabulary,
    trie: &TokenTrie,
    start: u8,
    is_plain: impl Fn(u32) -> bool,
) -> Result<StringInfo> {
    let mut inside = vec![0u32; out.stride];
    let (mut escaped, mut partial) = (Vec::new(), Vec::new());
    let mut exits: Vec<(&[u8], u16, u32)> = Vec::new();
    let mut max_chars = 0;
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
                exits.push((&bytes[depth..], chars, token));
                max_chars = max_chars.max(chars);
            }
            i = node.skip as usize;
            continue;
        }
        let to = automaton.step(sub, node.byte);
        if to == DEAD {
            i = node.skip as usize;
            continue;
        }
        let chars = chars + u16::from(to == 0);
        states[depth] = (to, chars);
        if node.is_token != 0 {
            max_chars = max_chars.max(chars);
            for &token in trie.tokens_at(i as u32) {
                inside[token as usize / 32] |= 1 << (token % 32);
                let entry = StringToken { token, chars, sub: to.into() };
                // From within a character only the bitmap is of use.
                if start == 0 && to != 0 {
                    partial.push(entry);
                } else if start == 0 && !is_plain(token) {
                    escaped.push(entry);
                }
            }
        }
        i += 1;
    }
    let inside = out.section(&inside)?;
    let escaped = out.section(&escaped)?;
    let partial_chars = partial.iter().map(|t| u32::from(t.chars)).max().unwrap_or(0);
    let partial = out.section(&partial)?;
    let suffixes = super::runs::write_suffixes(out, exits)?;
    Ok(StringInfo {
        inside,
        escaped,
        partial,
        exits: suffixes.tokens,
        suffix_starts: suffixes.starts,
        suffixes: suffixes.trie,
        max_chars: max_chars.into(),
        partial_chars,
    })
}
