//! What the copying model knows of a vocabulary and of JSON before it sees a prompt.

use crate::model::Tokens;

use super::span::{Kind, Span};

/// Logit of a token nothing speaks for; only the constraint can make one of these the best.
const FLOOR: f32 = -26.0;
/// Logit of a token that is not text: special tokens and padding.
const NOT_TEXT: f32 = -60.0;
/// Bytes of the longest structural token that is priced.
const STRUCTURAL: usize = 8;

/// Keys that people choose where a schema leaves them open, the commonest first.
const KEYS: &[&str] =
    &["name", "title", "description", "value", "type", "summary", "date", "items", "status", "id"];
/// Texts for prompts with nothing to copy.
const TEXTS: &[&str] = &["example", "text", "value", "none", "other"];

/// Facts about one vocabulary.
pub(super) struct Lexicon {
    /// The row that every row starts from.
    pub base: Vec<f32>,
    /// Tokens made of JSON's structural bytes, with their bytes.
    pub structural: Vec<(u32, Vec<u8>)>,
    /// Spans that are at hand whatever the prompt.
    pub spans: Vec<Span>,
    /// Ids that end a text.
    pub stop_ids: Vec<u32>,
}

impl Lexicon {
    /// Reads the vocabulary once.
    pub fn new(vocab: &dyn Tokens) -> Self {
        let mut base = Vec::with_capacity(vocab.width());
        let mut structural = Vec::new();
        for id in 0..vocab.width() as u32 {
            let bytes = vocab.bytes(id).unwrap_or_default();
            base.push(floor(bytes));
            if is_structural(bytes) {
                structural.push((id, bytes.to_vec()));
            }
        }
        Lexicon { base, structural, spans: spans(vocab), stop_ids: vocab.stop_ids().to_vec() }
    }
}

/// Longer tokens are a little better, so that a key is spelt as a tokenizer would spell it.
fn floor(bytes: &[u8]) -> f32 {
    let length = 0.7 * bytes.len().min(10) as f32;
    if bytes.is_empty() {
        NOT_TEXT
    } else if bytes.iter().all(u8::is_ascii_alphanumeric) {
        FLOOR + length
    } else if bytes.iter().all(|b| b.is_ascii_graphic() || *b == b' ') {
        FLOOR - 2.0 + length
    } else if std::str::from_utf8(bytes).is_ok_and(|s| !s.contains(char::is_control)) {
        FLOOR - 6.0
    } else {
        FLOOR - 10.0
    }
}

fn is_structural(bytes: &[u8]) -> bool {
    let legal = |b: &u8| b"{}[]:,\" \n".contains(b);
    (1..=STRUCTURAL).contains(&bytes.len()) && bytes.iter().all(legal)
}

fn spans(vocab: &dyn Tokens) -> Vec<Span> {
    let span = |kind, text: &str, price| Span::new(vocab, kind, text, price);
    let literals = [("true", -1.2), ("false", -0.7), ("null", -0.7)];
    let literals = literals.map(|(text, price)| span(Kind::Scalar, text, price));
    let numbers = (0..10).map(|n| span(Kind::Scalar, &((n + 1) % 10).to_string(), -4.5 - 0.2 * n as f32));
    let keys = KEYS.iter().enumerate().map(|(k, key)| span(Kind::Key, key, -0.3 * k as f32));
    let texts = TEXTS.iter().map(|text| span(Kind::Text, text, -7.0));
    literals.into_iter().chain(numbers).chain(keys).chain(texts).collect()
}
