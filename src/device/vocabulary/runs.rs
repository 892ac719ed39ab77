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

#[cfg(test)]
mod tests {
    use bytemuck::Pod;

    use super::super::layout::TRIE_MAX_DEPTH;
    use super::*;
    use crate::table::Section;

    const TEXTS: &[&str] = &[
        "a", "ab", "ab\"", "ab\",", "\"", "\",", "x1", "é", "é\"", "aé\"", " ", "  ", " a", "  a", "\n",
        "\n }", "1", "12", "999",
    ];

    fn records<T: Pod>(out: &Writer, s: Section) -> Vec<T> {
        let bytes = &out.bytes[s.offset as usize..][..s.count as usize * size_of::<T>()];
        bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect()
    }

    /// (token, characters before, suffix) of everything that the trie of suffixes leads to.
    fn entries(out: &Writer, info: &RunInfo) -> Vec<(u32, u16, Vec<u8>)> {
        let nodes: Vec<TrieNode> = records(out, info.suffixes.nodes);
        let suffixes: Vec<u32> = records(out, info.suffixes.tokens);
        let tokens: Vec<StringToken> = records(out, info.tokens);
        let starts: Vec<u32> = records(out, info.starts);
        let (mut found, mut open) = (Vec::new(), vec![(0u32, Vec::new())]);
        while let Some((at, text)) = open.pop() {
            let node = nodes[at as usize];
            for position in
                node.first_token..node.first_token + if at == 0 { 0 } else { node.packed >> 17 & 0x7f }
            {
                let suffix = suffixes[position as usize] as usize;
                for t in &tokens[starts[suffix] as usize..starts[suffix + 1] as usize] {
                    found.push((t.token, t.chars, text.clone()));
                }
            }
            for child in node.first_child..node.first_child + (node.packed >> 8 & 0x1ff) {
                assert!(child > at, "levels lead down");
                let byte = nodes[child as usize].packed as u8;
                open.push((child, [&text[..], &[byte]].concat()));
            }
        }
        found.sort();
        found
    }

    fn vocabulary(texts: &[&str]) -> Vocabulary {
        Vocabulary::from_tokens(texts.iter().map(|t| Some(t.as_bytes().to_vec())).collect()).unwrap()
    }

    #[test]
    fn tokens_outside_a_slice_are_found_by_what_follows() {
        let vocab = vocabulary(TEXTS);
        let ids: Vec<u32> = (0..TEXTS.len() as u32).collect();
        for slice in SliceId::ALL {
            let mut out = Writer { bytes: Vec::new(), stride: 4 };
            let info = write_outside(&mut out, &vocab, &ids, slice).unwrap();
            let mut want = Vec::new();
            for (token, text) in TEXTS.iter().enumerate() {
                let chars = text.chars().take_while(|&c| slice.contains_char(c)).count();
                let rest: String = text.chars().skip(chars).collect();
                if !rest.is_empty() && (chars > 0 || slice == SliceId::PLAIN) {
                    want.push((token as u32, chars as u16, rest.into_bytes()));
                }
            }
            assert_eq!(entries(&out, &info), want, "{slice:?}");
        }
    }

    #[test]
    fn runs_of_whitespace_and_digits_are_found() {
        let vocab = vocabulary(TEXTS);
        let ids: Vec<u32> = (0..TEXTS.len() as u32).collect();
        let texts =
            |tokens: &[StringToken]| tokens.iter().map(|t| TEXTS[t.token as usize]).collect::<Vec<_>>();
        let mut out = Writer { bytes: Vec::new(), stride: 4 };
        let spaces = write_spaces(&mut out, &vocab, &ids).unwrap();
        assert_eq!(texts(&records(&out, spaces.whole)), [" ", "\n", "  "]);
        let mixed: Vec<&str> = entries(&out, &spaces).iter().map(|e| TEXTS[e.0 as usize]).collect();
        assert_eq!(mixed, ["  a", "\n }"]);
        let digits = write_digits(&mut out, &vocab, &ids).unwrap();
        assert_eq!(texts(&records(&out, digits.whole)), ["1", "12", "999"]);
        assert_eq!(digits.max_chars, 3);
        // A token of digits and something else: none of them can be set by its digits alone.
        let vocab = vocabulary(&["1", "2", "1,"]);
        assert_eq!(write_digits(&mut out, &vocab, &[0, 1, 2]).unwrap().whole.count, 0);
    }

    #[test]
    fn o200k_base_can_do_all_of_it() {
        let vocab = Vocabulary::o200k_base().unwrap();
        let ids: Vec<u32> = (0..vocab.len() as u32)
            .filter(|&id| vocab.bytes(id).is_some_and(|b| b.len() <= TRIE_MAX_DEPTH))
            .collect();
        let mut out = Writer { bytes: Vec::new(), stride: 4 };
        let digits = write_digits(&mut out, &vocab, &ids).unwrap();
        assert_eq!((digits.whole.count, digits.max_chars), (1110, 3));
        let plain = write_outside(&mut out, &vocab, &ids, SliceId::PLAIN).unwrap();
        for (token, chars, suffix) in entries(&out, &plain) {
            let bytes = vocab.bytes(token).unwrap();
            let (of, len) = of_slice(SliceId::PLAIN, bytes);
            assert_eq!((of as u16, &bytes[len..]), (chars, &suffix[..]));
        }
    }
}
