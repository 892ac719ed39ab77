//! How a `tokenizer.json` turns token strings into bytes.
//!
//! The file names a pipeline that decodes a whole sequence of token strings. Masks need the bytes of each token on
//! its own, which exist only if every step treats tokens one by one. Those that do are modelled here; those that
//! look at neighbours (WordPiece's `##`, CTC's repetitions) are refused rather than guessed at.

use serde_json::Value;

use crate::{Error, ErrorKind, Result};

/// What SentencePiece writes for a space.
const META_SPACE: &str = "\u{2581}";

/// One step of the pipeline, applied to a single token.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Every character stands for a byte, by GPT-2's alphabet.
    ByteLevel,
    /// `<0xNN>` is one byte.
    ByteFallback,
    /// Every occurrence of one string becomes another.
    Replace { from: String, to: String },
    /// Up to `start` leading and `stop` trailing occurrences of a character go.
    Strip { content: char, start: usize, stop: usize },
}

/// Token string → bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TokenDecoder {
    steps: Vec<Step>,
}

impl TokenDecoder {
    /// Reads the `decoder` member, or, where the file has none, infers one from what encodes.
    pub(super) fn new(
        decoder: &Value,
        pre_tokenizer: &Value,
        normalizer: &Value,
        byte_fallback: bool,
    ) -> Result<Self> {
        let mut steps = Vec::new();
        if !decoder.is_null() {
            push_steps(&mut steps, &mut false, decoder, "/decoder")?;
            return Ok(TokenDecoder { steps });
        }
        // No decoder: the encoding side says how text became token strings, so undo that.
        let mut parts = Vec::new();
        flatten(pre_tokenizer, "pretokenizers", &mut parts);
        flatten(normalizer, "normalizers", &mut parts);
        for part in parts {
            match part["type"].as_str() {
                Some("ByteLevel") => steps.push(Step::ByteLevel),
                Some("Metaspace") => steps.push(metaspace(part)),
                Some("Replace") if part["pattern"]["String"] == " " => {
                    let from = part["content"].as_str().unwrap_or(META_SPACE).to_owned();
                    steps.push(Step::Replace { from, to: " ".into() });
                }
                _ => {}
            }
        }
        if byte_fallback {
            steps.push(Step::ByteFallback);
        }
        if steps.is_empty() {
            return Err(Error::at(
                ErrorKind::Vocabulary,
                "/decoder",
                "the file has no decoder and no byte-level or Metaspace pre-tokenizer, so the bytes of its tokens are \
                 unknown; add a decoder",
            ));
        }
        Ok(TokenDecoder { steps })
    }

    /// Whether token strings are written in GPT-2's byte alphabet.
    pub(super) fn is_byte_level(&self) -> bool {
        self.steps.contains(&Step::ByteLevel)
    }

    /// The bytes a token contributes in the middle of a text.
    pub(super) fn bytes(&self, token: &str) -> Vec<u8> {
        let mut text = token.to_owned();
        for step in &self.steps {
            match step {
                Step::ByteLevel => {
                    // A string with a foreign character is taken literally as a whole, as the library does.
                    if let Some(bytes) = text.chars().map(byte_of).collect::<Option<Vec<u8>>>() {
                        return bytes;
                    }
                }
                Step::ByteFallback => {
                    if let Some(byte) = fallback_byte(&text) {
                        return vec![byte];
                    }
                }
                Step::Replace { from, to } => text = text.replace(from.as_str(), to),
                Step::Strip { content, start, stop } => text = strip(&text, *content, *start, *stop),
            }
        }
        text.into_bytes()
    }
}

/// Appends the steps of `decoder`. `fused` becomes true once tokens have been joined: what is stripped
/// after that is stripped from the ends of the whole text, not from each token.
fn push_steps(steps: &mut Vec<Step>, fused: &mut bool, decoder: &Value, at: &str) -> Result<()> {
    let kind = decoder["type"].as_str().unwrap_or("");
    let refuse = |why: &str| Err(Error::at(ErrorKind::Vocabulary, at, format!("decoder {kind:?} {why}")));
    match kind {
        "Sequence" => {
            let parts = decoder["decoders"].as_array().map_or(&[][..], Vec::as_slice);
            for (i, part) in parts.iter().enumerate() {
                push_steps(steps, fused, part, &format!("{at}/decoders/{i}"))?;
            }
        }
        "ByteLevel" => steps.push(Step::ByteLevel),
        "ByteFallback" => steps.push(Step::ByteFallback),
        "Metaspace" => steps.push(metaspace(decoder)),
        "Fuse" => *fused = true,
        "Replace" => {
            let (Some(from), Some(to)) = (decoder["pattern"]["String"].as_str(), decoder["content"].as_str())
            else {
                return refuse(
                    "replaces a regular expression; only a fixed string can be undone token by token",
                );
            };
            if !from.is_empty() {
                steps.push(Step::Replace { from: from.into(), to: to.into() });
            }
        }
        "Strip" if *fused => {}
        "Strip" => {
            let content = decoder["content"].as_str().and_then(|s| s.chars().next());
            let count = |name: &str| decoder[name].as_u64().unwrap_or(0) as usize;
            let Some(content) = content else {
                return refuse("does not say what to strip");
            };
            steps.push(Step::Strip { content, start: count("start"), stop: count("stop") });
        }
        "WordPiece" | "CTC" | "BPEDecoder" => {
            return refuse(
                "depends on neighbouring tokens, so a token has no bytes of its own; use a byte-level or byte-fallback \
                 tokenizer",
            );
        }
        _ => {
            return refuse(
                "is not known; supported are ByteLevel, ByteFallback, Metaspace, Replace, Strip and Fuse",
            );
        }
    }
    Ok(())
}

fn metaspace(part: &Value) -> Step {
    let from = part["replacement"].as_str().filter(|s| !s.is_empty()).unwrap_or(META_SPACE).to_owned();
    Step::Replace { from, to: " ".into() }
}

/// The parts of a possibly nested `Sequence`.
fn flatten<'a>(part: &'a Value, list: &str, parts: &mut Vec<&'a Value>) {
    match part[list].as_array() {
        Some(inner) => inner.iter().for_each(|part| flatten(part, list, parts)),
        None => parts.push(part),
    }
}

/// The byte that `<0xNN>` stands for.
fn fallback_byte(token: &str) -> Option<u8> {
    let hex = token.strip_prefix("<0x")?.strip_suffix('>')?;
    if hex.len() != 2 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u8::from_str_radix(hex, 16).ok()
}

/// The byte a character of GPT-2's alphabet stands for: printable Latin-1 characters for themselves, U+0100
/// onwards for the 68 bytes that are not printable, in order.
fn byte_of(c: char) -> Option<u8> {
    match c as u32 {
        c @ (0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) => Some(c as u8),
        c @ 0x100..=0x120 => Some((c - 0x100) as u8),
        c @ 0x121..=0x142 => Some((c - 0x121 + 0x7f) as u8),
        0x143 => Some(0xad),
        _ => None,
    }
}

fn strip(text: &str, content: char, start: usize, stop: usize) -> String {
    let leading = text.chars().take(start).take_while(|&c| c == content).count();
    let text = &text[leading * content.len_utf8()..];
    let trailing = text.chars().rev().take(stop).take_while(|&c| c == content).count();
    text[..text.len() - trailing * content.len_utf8()].to_owned()
}
