//! The vocabularies of these tests.

#[path = "../common/vocabularies.rs"]
mod common;

use warpgrammar::vocab::Vocabulary;

/// Tokens that open many levels, and tokens longer than the tries hold: within a slice, and not.
const MORE: &[&str] = &[
    "[[[[",
    "[[1],[2",
    "{\"a\":{\"a\":{\"a\":[[\"",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "                                                                                ",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l\"}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

/// Bytes, tokens that straddle structure, pieces of characters, duplicates and holes, two stop ids.
pub fn tiny(single: impl Fn(u8) -> bool) -> Vocabulary {
    let mut tokens = common::straddling(&["<stop>", "<end>"], single, MORE);
    // More tokens of the same bytes than a node counts.
    tokens.extend((0..140).map(|_| Some(b",\"".to_vec())));
    let n = tokens.len();
    Vocabulary::from_tokens(tokens)
        .unwrap()
        .with_stop_ids(&[2, 1])
        .unwrap()
        .with_logits_width(n + 37)
        .unwrap()
}

/// The first 16,384 tokens of o200k_base, every byte among them, and a stop id.
pub fn large() -> Vocabulary {
    let whole = Vocabulary::o200k_base().unwrap();
    let mut tokens: Vec<Option<Vec<u8>>> =
        (0..1 << 14).map(|id| whole.bytes(id).map(<[u8]>::to_vec)).collect();
    tokens.push(Some(b"<stop>".to_vec()));
    let n = tokens.len() as u32;
    Vocabulary::from_tokens(tokens).unwrap().with_stop_ids(&[n - 1]).unwrap()
}
