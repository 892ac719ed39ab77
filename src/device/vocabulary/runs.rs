//! Tokens by the run of characters that they begin with, where a run of any length leads to one place: what becomes of
//! such a token is told by what follows the run.

use bytemuck::Zeroable;

use super::Writer;
use super::layout::{RunInfo, StringToken, TrieInfo, TrieNode};
use super::trie::level_order;
use crate::error::Result;
use crate::vocab::{SliceId, Vocabulary};

/// Tokens by what they write after something, and where each suffix's tokens begin.
pub(super) struct Suffixes {
    /// A trie of numbers of suffixes; the empty suffix is not in it.
    pub trie: TrieInfo,
    /// [`StringToken`]s by suffix, the empty one last.
    pub tokens: crate::table::Section,
    /// Where each suffix's begin, and the end.
    pub starts: crate::table::Section,
}

/// Writes (suffix, characters before it, sub, token), sorted here.
pub(super) fn write_suffixes(out: &mut Writer, mut found: Vec<(&[u8], u16, u32)>) -> Result<Suffixes> {
    found.sort_unstable_by_key(|&(suffix, chars, token)| (suffix.is_empty(), suffix, chars, token));
    let (mut suffixes, mut starts, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
    for same in found.chunk_by(|a, b| a.0 == b.0) {
        if same[0].0.is_empty() {
            break;
        }
        suffixes.push(Some(same[0].0.to_vec()));
        starts.push(tokens.len() as u32);
        tokens.extend(same.iter().map(|&(_, chars, token)| StringToken { token, chars, sub: 0 }));
    }
    starts.push(tokens.len() as u32);
    let empty = found.iter().filter(|e| e.0.is_empty());
    tokens.extend(empty.map(|&(_, chars, token)| StringToken { token, chars, sub: 0 }));
    starts.push(tokens.len() as u32);
    let (nodes, ids) = if suffixes.is_empty() {
        (vec![TrieNode::zeroed()], Vec::new())
    } else {
        let suffixes = Vocabulary::from_tokens(suffixes)?;
        (level_order(suffixes.trie(), |_| 0), suffixes.trie().tokens_sorted().to_vec())
    };
    Ok(Suffixes {
        tokens: out.section(&tokens)?,
        starts: out.section(&starts)?,
        trie: TrieInfo { nodes: out.section(&nodes)?, tokens: out.section(&ids)? },
    })
}

/// Whether a byte is JSON's whitespace.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Bytes of whitespace that a token begins with.
pub(super) fn spaces(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|&&b| is_space(b)).count()
}

/// (characters, bytes) of the slice's characters that a token begins with.
pub(super) fn of_slice(slice: SliceId, bytes: &[u8]) -> (usize, usize) {
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => std::str::from_utf8(&bytes[..e.valid_up_to()]).expect("valid up to there"),
    };
    whole
        .chars()
        .take_while(|&c| slice.contains_char(c))
        .fold((0, 0), |(n, len), c| (n + 1, len + c.len_utf8()))
}

/// Tokens that begin with whitespace, but for those of one blank and something else: these stand below the
/// blank in the trie of all tokens, and are half of the vocabulary.
pub(super) fn write_spaces(out: &mut Writer, vocab: &Vocabulary, ids: &[u32]) -> Result<RunInfo> {
    let (mut whole, mut mixed) = (Vec::new(), Vec::new());
    for &token in ids {
        let bytes = vocab.bytes(token).expect("tokens of the trie have bytes");
        match spaces(bytes) {
            0 => {}
            run if run == bytes.len() => whole.push((run as u16, token)),
            1 if bytes[0] == b' ' => {}
            run => mixed.push((&bytes[run..], run as u16, token)),
        }
    }
    whole.sort_unstable();
    let whole: Vec<StringToken> =
        whole.into_iter().map(|(chars, token)| StringToken { token, chars, sub: 0 }).collect();
    info(out, &whole, mixed)
}

/// Tokens that begin with a digit, if all of them are digits; otherwise nothing. `sub` is the first digit.
pub(super) fn write_digits(out: &mut Writer, vocab: &Vocabulary, ids: &[u32]) -> Result<RunInfo> {
    let mut whole = Vec::new();
    for &token in ids {
        let bytes = vocab.bytes(token).expect("tokens of the trie have bytes");
        if bytes[0].is_ascii_digit() {
            if !bytes.iter().all(u8::is_ascii_digit) {
                whole.clear();
                break;
            }
            whole.push(StringToken { token, chars: bytes.len() as u16, sub: (bytes[0] - b'0').into() });
        }
    }
    whole.sort_unstable_by_key(|t| (t.chars, t.token));
    info(out, &whole, Vec::new())
}

/// The tokens that are not in a slice, by what follows the characters of it that they begin with.
pub(super) fn write_outside(
    out: &mut Writer,
    vocab: &Vocabulary,
    ids: &[u32],
    slice: SliceId,
) -> Result<RunInfo> {
    let mut mixed = Vec::new();
    for &token in ids {
        let bytes = vocab.bytes(token).expect("tokens of the trie have bytes");
        let (chars, len) = of_slice(slice, bytes);
        if len < bytes.len() && (chars > 0 || slice == SliceId::PLAIN) {
            mixed.push((&bytes[len..], chars as u16, token));
        }
    }
    info(out, &[], mixed)
}

fn info(out: &mut Writer, whole: &[StringToken], mixed: Vec<(&[u8], u16, u32)>) -> Result<RunInfo> {
    let suffixes = write_suffixes(out, mixed)?;
    Ok(RunInfo {
        whole: out.section(whole)?,
        tokens: suffixes.tokens,
        starts: suffixes.starts,
        suffixes: suffixes.trie,
        max_chars: whole.iter().map(|t| t.chars.into()).max().unwrap_or(0),
        padding: 0,
    })
}
