//! The vocabularies of these tests.

use warpgrammar::vocab::Vocabulary;

/// Tokens made to straddle structure.
const STRADDLING: &[&str] = &[
    "{\"",
    "\":",
    "\": ",
    "\":\"",
    "\",",
    "\",\"",
    "\", \"",
    "\"}",
    "\"}]",
    "}]",
    "}}",
    "]]",
    "]}",
    "},",
    "},{\"",
    " \"",
    ", ",
    ",\"",
    "{}",
    "[]",
    "[[",
    "[[[[",
    "[\"",
    "\"\"",
    "\"]",
    "\"],",
    ":{",
    ":[",
    ":null",
    ":true,",
    "null",
    "true",
    "false}",
    "12",
    "1,",
    "1]",
    "2}",
    "-1",
    "0.5",
    "e+1",
    "1e",
    "\\\"",
    "\\\\",
    "\\n",
    "\\u00",
    "\\ud83d",
    "\\ude00",
    "\\u",
    "a\\",
    "n\"",
    "t\",",
    "\\\"}",
    "ab",
    "abc",
    "aaa",
    "aab",
    "b\"",
    "aaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaa",
    "hello world",
    " a",
    " the",
    "é",
    "éé",
    "日本",
    "日本語日本語",
    "😀",
    "a😀b",
    "é\"",
    "日\",\"",
    "\n",
    "\n  ",
    "\n    ",
    "  ",
    "   ",
    "        ",
    "\t",
    " {",
    " [",
    "{ ",
    "} ",
    ": ",
    "\n}",
    ",\n",
    ",\n  \"",
    "[\n",
    "{\n  \"",
    "red\"",
    "gre",
    "een\"}",
    "\"a\":",
    "\"a\"",
    "\"b\":1",
    "a\":",
    "ab\":",
    "\"kind\":\"a\"",
    "next\":{\"",
    "null,\"v\":1}",
    "\"next\":null",
    "},\"v\":2}",
    "children\":[",
    "[{\"type\":\"div\"",
    "2024-",
    "-02-",
    "29\"",
    "http",
    "s://",
    "https://x",
    "_-",
    "x_y",
    "A-Z",
    "}\"",
    "\"\"\"",
    "\u{7f}",
    "\"k\"",
    "\"c\":",
    "[[1],[2",
    "{\"a\":{\"a\":{\"a\":[[\"",
    // Longer than the tries hold: within a slice, and not.
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "                                                                                ",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l\"}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

/// Bytes, tokens that straddle structure, pieces of characters, duplicates and holes, two stop ids.
pub fn tiny(single: impl Fn(u8) -> bool) -> Vocabulary {
    let mut tokens: Vec<Option<Vec<u8>>> = vec![None, Some(b"<stop>".to_vec()), Some(b"<end>".to_vec())];
    tokens.extend((0..=255u8).map(|b| single(b).then(|| vec![b])));
    tokens.extend(STRADDLING.iter().map(|t| Some(t.as_bytes().to_vec())));
    let partial: [&[u8]; 9] = [
        b"\xe6\x97",
        b"\xa5",
        b"\xa5\xe6",
        b"a\xf0\x9f",
        b"\x98\x80",
        b"\x98\x80\"}",
        b"\xc3",
        b"\xa9\"",
        b"\"\xc3",
    ];
    tokens.extend(partial.iter().map(|t| Some(t.to_vec())));
    tokens.extend([Some(b"\"}".to_vec()), None, Some(b"a".to_vec()), Some(b"aaa".to_vec())]);
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
