//! Pieces of text worth writing, cut from a prompt.
//!
//! A string value is usually a name, a clause or a sentence of the prompt, and a number is one of its
//! numbers. Each such piece is a [`Span`]: its bytes, its tokens, and the words around it, so that the
//! value of `"title"` can prefer what follows `Title:`.

use crate::model::Tokens;

/// Words of the prompt that are looked at, counted from its end.
const WORDS: usize = 400;
/// Bytes of a word beyond which it is passed over.
const LONGEST_WORD: usize = 256;
/// Words in a span.
const LONGEST: usize = 24;
/// Words before a span that count as its context.
const CONTEXT: usize = 4;
/// The affinity that a label alone gives.
pub(super) const LABELLED: f32 = 5.0;
/// Words of a label at most.
const LABEL: usize = 3;

/// Words that seldom open a value.
const DULL: &str = " a an and are as at be but by can do for from had has have he her his how i if in into is it its of \
                    on or please she so than that the their them then there they this to was we were what when \
                    where which who will with would you your ";

/// What a span can be the value of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The contents of a string.
    Text,
    /// A number or a literal.
    Scalar,
    /// The contents of a key.
    Key,
}

/// A piece of text and what is known about it.
#[derive(Clone, Debug)]
pub(super) struct Span {
    /// What it can be the value of.
    pub kind: Kind,
    /// The text.
    pub bytes: Vec<u8>,
    tokens: Vec<u32>,
    /// `ends[k]` bytes are spelt by the first k + 1 tokens.
    ends: Vec<usize>,
    /// How welcome it is, before the context is known.
    pub price: f32,
    /// Words in it.
    pub words: usize,
    /// Stems of the words before it, the nearest first; for a number also the word after it.
    context: Vec<u32>,
    /// Stems of the label it stands under (`Title:`).
    label: Vec<u32>,
    /// Stem of its first word.
    first: u32,
}

impl Span {
    /// A span without context.
    pub fn new(vocab: &dyn Tokens, kind: Kind, text: &str, price: f32) -> Self {
        // A span that cannot be spelt has no first token, so nothing ever starts it.
        let tokens = vocab.encode(text).unwrap_or_default();
        let length = |&id: &u32| vocab.bytes(id).map_or(0, <[u8]>::len);
        let ends = tokens.iter().map(length).scan(0, |sum, n| {
            *sum += n;
            Some(*sum)
        });
        let ends = ends.collect();
        let words = text.split_whitespace().count();
        let bytes = text.as_bytes().to_vec();
        Span { kind, bytes, tokens, ends, price, words, context: Vec::new(), label: Vec::new(), first: 0 }
    }

    /// The token that goes on after the first `written` bytes; none where a token straddles them.
    pub fn next(&self, written: usize) -> Option<u32> {
        match written {
            0 => self.tokens.first().copied(),
            _ => {
                let k = self.ends.binary_search(&written).ok()?;
                self.tokens.get(k + 1).copied()
            }
        }
    }

    /// How much the words around the span speak for it as the value of a key made of `key`'s stems.
    pub fn affinity(&self, key: &[u32]) -> f32 {
        if self.kind == Kind::Key {
            return 0.0;
        }
        let label = if self.label.iter().any(|stem| key.contains(stem)) { 4.0 } else { 0.0 };
        let near = self.context.iter().position(|stem| key.contains(stem));
        let near = near.map_or(0.0, |k| 4.0 - 0.8 * k as f32);
        // "owner Ines" is not the owner; "Ines" is.
        let echo = if self.kind == Kind::Text && key.contains(&self.first) { -3.0 } else { 0.0 };
        label + near + echo
    }
}

/// The stems of a key's words: `orderId` and `order_id` are both order and id.
pub(super) fn key_stems(key: &str) -> Vec<u32> {
    let mut spaced = String::new();
    for c in key.chars() {
        if c.is_uppercase() {
            spaced.push(' ');
        }
        spaced.push(c);
    }
    let words = spaced.split(|c: char| !c.is_alphanumeric());
    words.filter(|w| w.len() > 1).map(stem).filter(|&s| s != 0).collect()
}

/// A hash of the word in lower case and without a plural's ending; 0 for words that mean nothing.
fn stem(word: &str) -> u32 {
    let lower = word.to_lowercase();
    if lower.is_empty() || DULL.contains(&format!(" {lower} ")) {
        return 0;
    }
    let base = lower.strip_suffix('s').unwrap_or(&lower);
    base.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193)) | 1
}

/// One word of the prompt, without the punctuation around it.
struct Word<'a> {
    text: &'a str,
    /// Byte range in the line.
    range: (usize, usize),
    /// No clause goes on past it.
    clause_end: bool,
    /// No sentence goes on past it.
    sentence_end: bool,
}

/// The spans of a prompt: sentences, clauses, names and numbers. Later text is preferred, because
/// what a person asks stands after the instructions.
pub(super) fn spans_of(vocab: &dyn Tokens, prompt: &str) -> Vec<Span> {
    let lines: Vec<(&str, Vec<Word<'_>>)> = prompt.lines().map(|line| (line, words_of(line))).collect();
    let total: usize = lines.iter().map(|(_, words)| words.len()).sum();
    let mut seen = 0;
    let mut spans = Vec::new();
    for (line, words) in &lines {
        // A line that is only a label is a role marker of the template.
        let marker = words.len() == 1 && line.trim_end().ends_with(':');
        if seen + words.len() + WORDS > total && !marker {
            let recency = -4.0 * (total - seen) as f32 / total.min(WORDS) as f32;
            spans_of_line(vocab, line, words, recency, &mut spans);
        }
        seen += words.len();
    }
    spans
}

fn spans_of_line(vocab: &dyn Tokens, line: &str, words: &[Word<'_>], recency: f32, spans: &mut Vec<Span>) {
    let stems: Vec<u32> = words.iter().map(|w| stem(w.text)).collect();
    let mut label: &[u32] = &[];
    // Of a line that is longer than all that is looked at, its end.
    let from = words.len().saturating_sub(WORDS);
    let (mut clause, mut sentence) = (from, from);
    for (k, word) in words.iter().enumerate().skip(from) {
        if word.text.len() > LONGEST_WORD {
            (clause, sentence) = (k + 1, k + 1);
            continue;
        }
        // What is labelled is found by its label, wherever it stands.
        let recency = if label.is_empty() { recency } else { 0.0 };
        let mut add = |kind, last: usize, price: f32, tail: usize| {
            let text = &line[word.range.0..words[last].range.1 + tail];
            if needs_escape(text) {
                return;
            }
            let mut span = Span::new(vocab, kind, text, price + recency);
            span.context = stems[k.saturating_sub(CONTEXT)..k].iter().rev().copied().collect();
            span.label = label.to_vec();
            span.first = stems[k];
            let twin = |s: &&mut Span| s.kind == kind && s.bytes == span.bytes && s.label == span.label;
            match spans.iter_mut().find(twin) {
                Some(twin) => twin.price = twin.price.max(span.price),
                None => spans.push(span),
            }
        };
        let until = |ends: fn(&Word<'_>) -> bool| {
            let last = words[k..].iter().take(LONGEST).position(ends);
            last.map_or(words.len().min(k + LONGEST) - 1, |n| k + n)
        };
        let (clause_end, sentence_end) = (until(|w| w.clause_end), until(|w| w.sentence_end));
        let name_end = until(|w| w.clause_end).min(k + capitals(&words[k..]).saturating_sub(1));
        let long = word.text.len() > 2 && stems[k] != 0;
        // What a label says is for keys, not for values.
        let is_label = line[words[clause_end].range.1..].starts_with(':') && clause_end - clause < LABEL;
        if is_label {
            if k == clause {
                let text = line[word.range.0..words[clause_end].range.1].to_lowercase().replace(' ', "_");
                spans.push(Span::new(vocab, Kind::Key, &text, 3.0));
            }
        } else {
            if k == sentence && sentence_end > k + 2 {
                let stop = line[words[sentence_end].range.1..].starts_with(['.', '!', '?']);
                add(Kind::Text, sentence_end, -1.0, usize::from(stop));
            }
            match capitals(&words[k..]) {
                _ if k == clause => {
                    // All of what a label says is better than a name it begins with.
                    let labelled = k > 0 && line[words[k - 1].range.1..].starts_with(':');
                    add(Kind::Text, clause_end, if labelled { 1.0 } else { -1.0 }, 0);
                }
                0 if long => add(Kind::Text, k, -6.0, 0),
                _ => {}
            }
            if capitals(&words[k..]) > 0 && (k == clause || capitals(&words[k - 1..]) == 0) {
                let price = match stems[k] {
                    0 if name_end == k => -9.0,
                    _ if k == sentence && name_end == k => -4.0,
                    _ => -0.5,
                };
                add(Kind::Text, name_end, price, 0);
            } else if long && word.text.contains(|c: char| c.is_ascii_digit()) {
                add(Kind::Text, k, -1.5, 0);
            }
        }
        if let Some((from, to)) = number_in(word.text) {
            let text = &word.text[from..to];
            let mut span = Span::new(vocab, Kind::Scalar, text, -0.5 + recency);
            // A unit stands after its number.
            let around = stems[k.saturating_sub(CONTEXT)..k].iter().rev();
            span.context = around.chain(stems.get(k + 1)).copied().collect();
            span.label = label.to_vec();
            spans.push(span);
        }
        if line[word.range.1..].starts_with(':') {
            label = &stems[if k - clause < LABEL { clause } else { k }..=k];
        }
        if word.clause_end {
            clause = k + 1;
        }
        if word.sentence_end {
            sentence = k + 1;
        }
    }
}

/// How many of the first words, up to five, are capitalised.
fn capitals(words: &[Word<'_>]) -> usize {
    words.iter().take(5).take_while(|w| w.text.starts_with(char::is_uppercase)).count()
}

/// Splits a line at white space, and trims quotes and punctuation off the words.
fn words_of(line: &str) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    let mut offset = 0;
    for raw in line.split_inclusive(char::is_whitespace) {
        let start = offset;
        offset += raw.len();
        let raw = raw.trim_end();
        let opens = raw.trim_start_matches(|c: char| "\"'([{<*#`\u{201c}".contains(c));
        let text = opens.trim_end_matches(|c: char| "\"')]}>*`\u{201d},;:.!?".contains(c));
        let tail = &opens[text.len()..];
        let quoted = needs_escape(text);
        let from = start + raw.len() - opens.len();
        if let Some(before) =
            words.last_mut().filter(|_| opens.len() < raw.trim_start_matches('#').len() || quoted)
        {
            before.clause_end = true;
            before.sentence_end |= needs_escape(raw);
        }
        if text.is_empty() || quoted {
            continue;
        }
        let sentence_end = tail.contains(['.', '!', '?', ':', ';', '"', '\\']);
        let clause_end = sentence_end || !tail.is_empty();
        words.push(Word { text, range: (from, from + text.len()), clause_end, sentence_end });
    }
    words
}

/// Whether a JSON string would have to escape something in `text`: no span does.
fn needs_escape(text: &str) -> bool {
    text.contains(['"', '\\']) || text.contains(char::is_control)
}

/// The first JSON number in a word that is mostly a number (`$12.50`, `32°C`, `8x`), as a byte range.
fn number_in(word: &str) -> Option<(usize, usize)> {
    let bytes = word.as_bytes();
    let digit = bytes.iter().position(u8::is_ascii_digit)?;
    if bytes[..digit].iter().any(u8::is_ascii_alphabetic) {
        return None;
    }
    let from = if digit > 0 && bytes[digit - 1] == b'-' { digit - 1 } else { digit };
    let digits = |at: usize| bytes[at..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut to = digit + digits(digit);
    if bytes[digit] == b'0' && to > digit + 1 {
        return None;
    }
    if bytes.get(to) == Some(&b'.') && digits(to + 1) > 0 {
        to += 1 + digits(to + 1);
    }
    // A date, a time or a version is no number.
    let more = bytes[to..].iter().any(u8::is_ascii_digit);
    (!more && to - from <= 15).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tokens::fake::ByteTokens;

    fn texts(prompt: &str, kind: Kind) -> Vec<String> {
        let spans = spans_of(&ByteTokens::new(), prompt);
        let of_kind = spans.iter().filter(|s| s.kind == kind);
        of_kind.map(|s| String::from_utf8(s.bytes.clone()).unwrap()).collect()
    }

    #[test]
    fn names_clauses_sentences_and_numbers_are_cut_out() {
        let prompt =
            "user:\nAlice and Bob Stone go to a fair on Friday, with 12 friends.\nPay $3.50 by 2025-03-01.";
        let text = texts(prompt, Kind::Text);
        for expected in ["Alice", "Bob Stone", "Friday", "with 12 friends", "2025-03-01"] {
            assert!(text.iter().any(|t| t == expected), "{expected}: {text:?}");
        }
        assert!(text.iter().any(|t| t.ends_with("12 friends.")), "{text:?}");
        assert!(!text.iter().any(|t| t == "user"), "{text:?}");
        assert_eq!(texts(prompt, Kind::Scalar), ["12", "3.50"]);
    }

    #[test]
    fn no_span_needs_an_escape() {
        for text in texts("Say \"hello there\" to C:\\temp and a\tb \"quoted\"", Kind::Text) {
            assert!(!text.contains(['"', '\\', '\t']), "{text:?}");
        }
    }

    #[test]
    fn labels_and_neighbours_speak_for_a_span() {
        let spans = spans_of(&ByteTokens::new(), "Authors: Mina Park, Jon Weber\nThe high is 32 degrees.");
        let find = |text: &str| spans.iter().find(|s| s.bytes == text.as_bytes()).unwrap();
        assert!(find("Mina Park").affinity(&key_stems("authors")) > 3.0);
        assert!(find("Jon Weber").affinity(&key_stems("author")) >= 3.0);
        assert!(find("32").affinity(&key_stems("temp_high_c")) > 2.0);
        assert_eq!(find("32").affinity(&key_stems("title")), 0.0);
    }

    #[test]
    fn spans_go_on_token_by_token() {
        let span = Span::new(&ByteTokens::new(), Kind::Text, "Alice and", 0.0);
        assert_eq!(span.next(0), Some(259));
        assert_eq!(span.next(5), Some(261));
        assert_eq!(span.next(2), None);
        assert_eq!(span.next(9), None);
    }
}
