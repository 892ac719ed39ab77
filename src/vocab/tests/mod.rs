//! Tests of the vocabulary: fast structures against slow definitions, on made-up and on real vocabularies.

mod huggingface;
mod list;
mod quote_split;
mod slices;
mod trie;

use super::Vocabulary;

/// A vocabulary from text tokens.
fn list(tokens: &[&str]) -> Vocabulary {
    Vocabulary::from_tokens(tokens.iter().map(|t| Some(t.as_bytes().to_vec())).collect()).unwrap()
}

/// All single bytes as ids 0 to 255, then `tokens`.
fn list_with_bytes(tokens: &[&[u8]]) -> Vocabulary {
    let bytes = (0..=255u8).map(|byte| Some(vec![byte]));
    Vocabulary::from_tokens(bytes.chain(tokens.iter().map(|t| Some(t.to_vec()))).collect()).unwrap()
}

/// Words in several scripts, JSON, escapes, runs of spaces, emoji, and text that looks like special tokens.
const TEXTS: &[&str] = &[
    "",
    " ",
    "hello world",
    "{\"name\": \"Ada\", \"age\": 36, \"tags\": [\"a\\n\", \"\\u00e9\"]}",
    "한국어 문장과 日本語の文、кириллица, العربية, हिन्दी",
    "👩‍👩‍👧‍👦 family, e\u{301} decomposed, é composed, \u{fffd}",
    "<|endoftext|><|im_start|>user\n<s></s><0x41>",
    "\t\n\r\n  \u{a0}\u{2581}x\u{2028}",
    "a                                                                                b",
    "don't CamelCase snake_case 3.14159e-10 0x1F 12345678901234567890",
    "Ġ<0x0A>Ċ",
];
