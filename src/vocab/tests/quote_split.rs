use std::collections::{BTreeMap, BTreeSet};

use super::list;
use crate::vocab::{QuoteSplit, SliceId, SuffixGroup, Vocabulary};

/// Where the string ends, by reading one byte at a time: the definition.
fn closing_quote(bytes: &[u8]) -> Option<usize> {
    let mut escaped = false;
    for (i, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(i),
            _ => {}
        }
    }
    None
}

fn entries(group: &SuffixGroup) -> BTreeMap<u32, (Vec<u8>, Option<u16>)> {
    let of = |suffix| {
        group.tokens(suffix).iter().map(move |t| (t.id, (group.suffix(suffix).to_vec(), t.prefix_chars)))
    };
    (0..group.len() as u32).flat_map(of).collect()
}

fn check_against_definition(v: &Vocabulary) -> &QuoteSplit {
    let mut plain = BTreeMap::new();
    let mut other = BTreeMap::new();
    for id in 0..v.len() as u32 {
        let Some(bytes) = v.bytes(id) else { continue };
        let Some(quote) = closing_quote(bytes) else {
            continue;
        };
        let suffix = bytes[quote + 1..].to_vec();
        match std::str::from_utf8(&bytes[..quote]) {
            Ok(text) if text.chars().all(|c| SliceId::PLAIN.contains_char(c)) => {
                plain.insert(id, (suffix, Some(text.chars().count() as u16)));
            }
            _ => {
                other.insert(id, (suffix, None));
            }
        }
    }
    let split = v.quote_split();
    for (group, expected) in [(split.plain(), plain), (split.other(), other)] {
        assert_eq!(entries(group), expected);
        assert_eq!(group.all_tokens().len(), expected.len());
        let suffixes: BTreeSet<&Vec<u8>> = expected.values().map(|(suffix, _)| suffix).collect();
        assert_eq!(group.len(), suffixes.len());
        assert_eq!(group.is_empty(), expected.is_empty());
        assert!((0..group.len() as u32).map(|s| group.suffix(s)).eq(suffixes.iter().map(|s| &s[..])));
        assert_eq!(group.empty_suffix().is_some(), suffixes.contains(&vec![]));
        // The trie finds every suffix but the empty one, by its own id.
        let mut walked = Vec::new();
        group.trie().walk((), |(), _| Some(()), |(), ids| walked.extend_from_slice(ids));
        assert!(walked.iter().copied().eq(group.empty_suffix().map_or(0, |_| 1)..group.len() as u32));
        for suffix in 0..group.len() as u32 {
            let chars: Vec<_> = group.tokens(suffix).iter().map(|t| t.prefix_chars).collect();
            assert!(!chars.is_empty() && chars.is_sorted());
            if let Some(node) = group.trie().find(group.suffix(suffix)) {
                assert_eq!(group.trie().tokens_at(node), [suffix]);
            }
        }
    }
    split
}

#[test]
fn tokens_are_split_at_the_first_unescaped_quote() {
    let v =
        list(&["\"", "é\"", "a\",\"", "\",\"", "\\\"", "\\\"\"x", "\\\\\",", "\n\",", "a", "b\",\"", "\\"]);
    let split = check_against_definition(&v);
    let plain = split.plain();
    assert_eq!((0..plain.len() as u32).map(|s| plain.suffix(s)).collect::<Vec<_>>(), [&b""[..], b",\""]);
    let tokens = |s| plain.tokens(s).iter().map(|t| (t.id, t.prefix_chars.unwrap())).collect::<Vec<_>>();
    assert_eq!(tokens(0), [(0, 0), (1, 1)]);
    assert_eq!(tokens(1), [(3, 0), (2, 1), (9, 1)]);
    assert_eq!(plain.empty_suffix(), Some(0));
    let other = split.other();
    assert_eq!((0..other.len() as u32).map(|s| other.suffix(s)).collect::<Vec<_>>(), [&b","[..], b"x"]);
    assert_eq!(other.empty_suffix(), None);
    assert_eq!(other.tokens(0).iter().map(|t| t.id).collect::<Vec<_>>(), [6, 7]);
}

#[test]
fn partial_characters_before_the_quote_are_not_plain() {
    let tokens = [&[0xa9, b'"'][..], &[0xc3, b'"'], &[b'"', 0xc3]];
    let v = Vocabulary::from_tokens(tokens.iter().map(|t| Some(t.to_vec())).collect()).unwrap();
    let split = check_against_definition(&v);
    assert_eq!(split.other().tokens(0).iter().map(|t| t.id).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(split.plain().suffix(0), [0xc3]);
}

#[test]
fn a_vocabulary_without_quotes_has_an_empty_split() {
    let v = list(&["a", "b"]);
    let split = check_against_definition(&v);
    assert!(split.plain().is_empty() && split.other().is_empty());
}

#[test]
fn real_vocabularies_have_few_suffixes() {
    let v = Vocabulary::cl100k_base().unwrap();
    check_against_definition(&v);
    let v = Vocabulary::o200k_base().unwrap();
    let split = check_against_definition(&v);
    for (name, group) in [("plain", split.plain()), ("other", split.other())] {
        println!(
            "o200k_base, {name} before the quote: {} tokens, {} suffixes, {} trie nodes",
            group.all_tokens().len(),
            group.len(),
            group.trie().nodes().len()
        );
    }
    assert!((1_000..1_200).contains(&split.plain().all_tokens().len()));
    assert!((450..560).contains(&split.plain().len()));
}
