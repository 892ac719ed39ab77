//! What tokens do inside a string (`table/string_tokens.rs`), laid out for kernels.

use bytemuck::Zeroable;

use super::Writer;
use super::layout::*;
use crate::error::Result;
use crate::table::string_tokens::{End, StringContents};
use crate::vocab::{TokenTrie, Vocabulary};

/// Shortest bytes into every sub-state, and bytes out of it.
pub(super) fn paths(contents: &StringContents) -> [SubPath; STRING_SUBS] {
    std::array::from_fn(|sub| {
        let (to, from) = (&contents.to[sub], &contents.from[sub]);
        let mut path = SubPath::zeroed();
        path.to_len = to.len() as u8;
        path.from_len = from.len() as u8;
        path.to[..to.len()].copy_from_slice(to);
        path.from[..from.len()].copy_from_slice(from);
        path
    })
}

/// Writes the tables of sub-state `start`; `is_plain` tells which tokens the plain slice holds.
pub(super) fn write(
    out: &mut Writer,
    contents: &StringContents,
    vocab: &Vocabulary,
    trie: &TokenTrie,
    start: u8,
    is_plain: impl Fn(u32) -> bool,
) -> Result<StringInfo> {
    let mut inside = vec![0u32; out.stride];
    let (mut escaped, mut partial) = (Vec::new(), Vec::new());
    let mut exits: Vec<(&[u8], u16, u32)> = Vec::new();
    let mut max_chars = 0;
    contents.ends(vocab, trie, start, |end, chars, token| {
        max_chars = max_chars.max(chars);
        let to = match end {
            End::Behind(suffix) => return exits.push((suffix, chars, token)),
            End::Inside(to) => to,
        };
        inside[token as usize / 32] |= 1 << (token % 32);
        let entry = StringToken { token, chars, sub: to.into() };
        // From within a character only the bitmap is of use.
        if start == 0 && to != 0 {
            partial.push(entry);
        } else if start == 0 && !is_plain(token) {
            escaped.push(entry);
        }
    });
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
