use std::sync::Arc;

use proptest::prelude::*;

use super::{TEXTS, list, list_with_bytes};
use crate::ErrorKind;
use crate::vocab::Vocabulary;

fn assert_send_sync<T: Send + Sync>(_: &T) {}

#[test]
fn holes_and_empty_strings_have_no_bytes() {
    let v =
        Vocabulary::from_tokens(vec![Some(b"a".to_vec()), None, Some(vec![]), Some(b"bc".to_vec())]).unwrap();
    assert_send_sync(&v);
    assert_eq!((v.len(), v.width(), v.max_token_len()), (4, 4, 2));
    assert_eq!(v.bytes(0), Some(&b"a"[..]));
    assert_eq!(v.bytes(3), Some(&b"bc"[..]));
    for id in [1, 2, 4, u32::MAX] {
        assert_eq!(v.bytes(id), None, "{id}");
        assert!(!v.is_special(id));
    }
    assert_eq!(v.trie().tokens_sorted(), [0, 3]);
    assert_eq!(v.decode(&[3, 1, 99, 0]), b"bca");
}

#[test]
fn a_vocabulary_without_bytes_is_an_error() {
    for tokens in [vec![], vec![None], vec![Some(vec![]), None]] {
        assert_eq!(Vocabulary::from_tokens(tokens).unwrap_err().kind(), ErrorKind::Vocabulary);
    }
    // Taking the last text away is the same.
    assert_eq!(list(&["a"]).with_stop_ids(&[0]).unwrap_err().kind(), ErrorKind::Vocabulary);
}

#[test]
fn tokens_too_long_for_a_trie_are_an_error() {
    assert!(Vocabulary::from_tokens(vec![Some(vec![b'a'; 65_535])]).is_ok());
    let error = Vocabulary::from_tokens(vec![Some(vec![b'a'; 65_536])]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
}

#[test]
fn stop_ids_lose_their_bytes() {
    let v = list(&["a", "b", "</s>"]).with_stop_ids(&[2, 2]).unwrap();
    assert_eq!(v.stop_ids(), [2]);
    assert!(v.is_stop(2) && v.is_special(2) && !v.is_stop(0) && !v.is_special(0));
    assert_eq!(v.bytes(2), None);
    assert_eq!(v.special("</s>"), Some(2));
    assert_eq!(v.special("a"), None);
    assert_eq!(v.trie().tokens_sorted(), [0, 1]);
    // Other stop ids do not bring the text back.
    let v = v.with_stop_ids(&[1]).unwrap();
    assert_eq!((v.bytes(1), v.bytes(2)), (None, None));
    assert_eq!(v.special_tokens().collect::<Vec<_>>(), [(1, "b"), (2, "</s>")]);
    assert_eq!(v.stop_ids(), [1]);
}

#[test]
fn stop_ids_may_be_holes_but_not_unknown() {
    let v = Vocabulary::from_tokens(vec![Some(b"a".to_vec()), None]).unwrap();
    assert!(v.clone().with_stop_ids(&[1]).unwrap().is_special(1));
    let wide = v.with_logits_width(64).unwrap();
    for id in [2, 63, 64, u32::MAX] {
        assert_eq!(wide.clone().with_stop_ids(&[id]).unwrap_err().kind(), ErrorKind::Vocabulary);
        assert_eq!(wide.clone().with_special_token(id, "x").unwrap_err().kind(), ErrorKind::Vocabulary);
    }
}

#[test]
fn special_tokens_are_named() {
    let v =
        list(&["a", "<tool>", "b"]).with_special_token(1, "<tool>").unwrap().with_logits_width(9).unwrap();
    let v = v.with_special_token(0, "<a>").unwrap();
    assert_eq!(v.special_tokens().collect::<Vec<_>>(), [(0, "<a>"), (1, "<tool>")]);
    assert_eq!((v.special("<tool>"), v.bytes(1), v.width()), (Some(1), None, 9));
}

#[test]
fn width_is_at_least_the_number_of_ids() {
    let v = list(&["a", "b"]);
    assert_eq!(v.clone().with_logits_width(1).unwrap_err().kind(), ErrorKind::InvalidParameter);
    assert_eq!(v.clone().with_logits_width(usize::MAX).unwrap_err().kind(), ErrorKind::InvalidParameter);
    let v = v.with_logits_width(100).unwrap();
    assert_eq!((v.len(), v.width()), (2, 100));
    assert_eq!(v.bytes(50), None);
    // The width outlives other changes.
    assert_eq!(v.with_stop_ids(&[0]).unwrap().width(), 100);
}

#[test]
fn duplicates_and_single_bytes() {
    let v = list(&["ab", "x", "ab", "x", "y", "ab"]);
    assert_eq!(v.duplicates().collect::<Vec<_>>(), [&[0, 2, 5][..], &[1, 3]]);
    assert_eq!(v.single_byte_ids()[usize::from(b'x')], Some(1));
    let spelled: Vec<u8> = (0..=255).filter(|&b| v.spellable()[usize::from(b)]).collect();
    assert_eq!(spelled, b"xy");
    let v = v.with_stop_ids(&[1]).unwrap();
    assert_eq!(v.single_byte_ids()[usize::from(b'x')], Some(3));
}

#[test]
fn greedy_encoding_takes_the_longest_and_lowest() {
    let v = list(&["a", "ab", "abc", "c", "ab"]);
    assert_eq!(v.encode("abcabab").unwrap(), [2, 1, 1]);
    // No way back from "ab" once "b" cannot follow: documented.
    let error = v.encode("abb").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Vocabulary);
    assert!(error.message().contains("0x62 at offset 2"), "{error}");
    assert!(v.encode("").unwrap().is_empty());
}

#[test]
fn fingerprints_tell_vocabularies_apart() {
    let base = list(&["ab", "c", "d"]);
    let others = [
        list(&["a", "bc", "d"]),
        list(&["ab", "c"]),
        base.clone().with_logits_width(4).unwrap(),
        base.clone().with_stop_ids(&[1]).unwrap(),
        base.clone().with_stop_ids(&[1]).unwrap().with_stop_ids(&[]).unwrap(),
        base.clone().with_special_token(1, "x").unwrap(),
    ];
    let mut prints: Vec<u64> = others.iter().map(Vocabulary::fingerprint).collect();
    prints.push(base.fingerprint());
    prints.sort_unstable();
    prints.dedup();
    assert_eq!(prints.len(), others.len() + 1);
    assert_eq!(list(&["ab", "c", "d"]).with_name("other").fingerprint(), base.fingerprint());
    // Stored grammars rely on it staying the same.
    assert_eq!(base.fingerprint(), 0x4bfc_ffdf_c360_a60a);
}

#[test]
fn built_in_vocabularies() {
    let o200k = Vocabulary::named("o200k_base").unwrap();
    assert!(Arc::ptr_eq(&o200k, &Vocabulary::o200k_base().unwrap()));
    assert_eq!((o200k.len(), o200k.width(), o200k.trie().len()), (200_019, 200_019, 199_998));
    assert_eq!(o200k.stop_ids(), [199_999]);
    assert_eq!(o200k.special("<|endofprompt|>"), Some(200_018));
    assert!(o200k.is_special(199_999) && !o200k.is_special(199_998) && o200k.bytes(199_998).is_none());
    assert_eq!(o200k.spellable(), &[true; 256]);
    assert_eq!(o200k.duplicates().count(), 0);

    let cl100k = Vocabulary::named("cl100k_base").unwrap();
    assert_eq!((cl100k.len(), cl100k.trie().len()), (100_277, 100_256));
    assert_eq!((cl100k.stop_ids(), cl100k.special_tokens().len()), (&[100_257][..], 5));
    assert_ne!(o200k.fingerprint(), cl100k.fingerprint());

    let error = Vocabulary::named("p50k").unwrap_err();
    assert!(error.message().contains("o200k_base"), "{error}");
}

#[test]
fn built_in_specials_are_those_of_the_library() {
    for (v, bpe) in [
        (Vocabulary::o200k_base().unwrap(), tiktoken_rs::o200k_base_singleton()),
        (Vocabulary::cl100k_base().unwrap(), tiktoken_rs::cl100k_base_singleton()),
    ] {
        assert_eq!(v.special_tokens().len(), bpe.special_tokens().len());
        for (id, name) in v.special_tokens() {
            assert_eq!(bpe.encode_with_special_tokens(name), [id]);
        }
    }
}

#[test]
fn encoding_round_trips_and_never_yields_special_tokens() {
    for v in [Vocabulary::o200k_base().unwrap(), Vocabulary::cl100k_base().unwrap()] {
        let greedy = (*v).clone().with_stop_ids(&v.encode("hello").unwrap()).unwrap();
        for text in TEXTS {
            let ids = v.encode(text).unwrap();
            assert!(ids.iter().all(|&id| !v.is_special(id)), "{text}");
            assert_eq!(v.decode(&ids), text.as_bytes());
            assert_eq!(v.decode(&v.encode_bytes(text.as_bytes()).unwrap()), text.as_bytes());
            // A tokenizer whose own splitting needs a token that has become special.
            assert_eq!(greedy.decode(&greedy.encode(text).unwrap()), text.as_bytes());
        }
    }
    // The merges are the encoding's own, not greedy ones.
    let o200k = Vocabulary::o200k_base().unwrap();
    assert_eq!(
        o200k.encode(TEXTS[3]).unwrap(),
        tiktoken_rs::o200k_base_singleton().encode_ordinary(TEXTS[3])
    );
}

#[test]
fn very_long_runs_of_spaces_encode() {
    let v = Vocabulary::o200k_base().unwrap();
    let text = " ".repeat(2_000_000) + "x";
    assert_eq!(v.decode(&v.encode(&text).unwrap()), text.as_bytes());
}

proptest! {
    #[test]
    fn any_bytes_round_trip_where_all_single_bytes_are_tokens(
        tokens in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..4), 0..50),
        text in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let tokens: Vec<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
        let v = list_with_bytes(&tokens);
        prop_assert_eq!(v.decode(&v.encode_bytes(&text).unwrap()), text);
    }

    #[test]
    fn any_text_round_trips(text in "\\PC{0,60}|[ -~\\s]{0,60}") {
        let v = Vocabulary::o200k_base().unwrap();
        prop_assert_eq!(v.decode(&v.encode(&text).unwrap()), text.as_bytes());
    }
}
