//! Vocabularies and grammars that checks decode with.

use std::sync::Arc;

use serde_json::Value;

use super::random::Random;
use super::schemas;
use crate::automaton::{KeyOrder, Whitespace};
use crate::error::Result;
use crate::table::Grammar;
use crate::vocab::Vocabulary;
use crate::{Compiler, CompilerOptions};

/// A vocabulary with grammars compiled for it.
pub struct World {
    /// What it is, in words.
    pub name: &'static str,
    /// The vocabulary.
    pub vocab: Arc<Vocabulary>,
    /// Its grammars.
    pub grammars: Vec<Arc<Grammar>>,
    /// Whether the vocabulary is small enough to ask the reference everywhere: it simulates every token.
    pub small: bool,
}

/// The vocabularies that there are worlds of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Single bytes and a few dozen pieces of JSON: 301 ids.
    Tiny,
    /// The first 2,048 ranks of o200k_base, logits wider than the vocabulary.
    Cut,
    /// Special ids first, `<0xNN>` for bytes, then text only; holes.
    ByteFallback,
    /// o200k_base, 200,019 ids.
    Whole,
}

/// All of them, small ones first.
pub const KINDS: [Kind; 4] = [Kind::Tiny, Kind::Cut, Kind::ByteFallback, Kind::Whole];

/// The first `n` ranks of o200k_base, which are a vocabulary of their own: a rank is made of earlier ones. The
/// last two ids are stop ids without text.
///
/// # Errors
/// If o200k_base cannot be read, or `n` is below 512.
pub fn cut(n: usize, width: usize) -> Result<Vocabulary> {
    let whole = Vocabulary::o200k_base()?;
    let mut tokens: Vec<Option<Vec<u8>>> =
        (0..n.saturating_sub(2) as u32).map(|id| whole.bytes(id).map(<[u8]>::to_vec)).collect();
    tokens.extend([None, None]);
    Vocabulary::from_tokens(tokens)?.with_stop_ids(&[n as u32 - 1, n as u32 - 2])?.with_logits_width(width)
}

fn tiny() -> Result<Vocabulary> {
    let mut tokens: Vec<Option<Vec<u8>>> = (0..=255u8).map(|b| Some(vec![b])).collect();
    let pieces = [
        "{\"", "\":", "\": ", "\",\"", "\", \"", "\"}", "\"]", "\"}]", "[\"", "[[", "]]", "}}", "[{\"",
        "null", "true", "false", "  ", "    ", "\n  ", "ab", "abab", "aaa", "name", "\"a", "a\"", "b\",",
        "10", "000", ".5", "1e", "\\u", "\\\"", "\\n", "é", "日本", "😀", "\u{7f}", "value", "items",
        "\"type\"", "a\":", "\"b\":1", "ca",
    ];
    tokens.extend(pieces.map(|piece| Some(piece.as_bytes().to_vec())));
    // The second byte of a character alone, and a stop id.
    tokens.extend([Some(vec![0x97, 0xa5]), None]);
    let stop = tokens.len() as u32 - 1;
    Vocabulary::from_tokens(tokens)?.with_stop_ids(&[stop])
}

fn byte_fallback() -> Result<Vocabulary> {
    let whole = Vocabulary::o200k_base()?;
    let mut tokens: Vec<Option<Vec<u8>>> = vec![None; 3];
    tokens.extend((0..=255u8).map(|b| Some(vec![b])));
    for id in 256..2_600 {
        let text = whole.bytes(id).filter(|bytes| bytes.len() > 1 && std::str::from_utf8(bytes).is_ok());
        // A hole where a token was not text.
        tokens.push(text.map(<[u8]>::to_vec));
    }
    let width = tokens.len().next_multiple_of(64) + 64;
    Vocabulary::from_tokens(tokens)?.with_stop_ids(&[1, 2])?.with_logits_width(width)
}

impl World {
    /// A world with the schemas of `examples/` and `random_schemas` random ones.
    ///
    /// # Errors
    /// If the vocabulary cannot be made, or an example cannot be compiled for it.
    pub fn new(kind: Kind, random: &mut Random, random_schemas: usize) -> Result<World> {
        let (name, vocab) = match kind {
            Kind::Tiny => ("tiny", Arc::new(tiny()?)),
            Kind::Cut => ("o200k_base cut to 2,048", Arc::new(cut(2_048, 2_111)?)),
            Kind::ByteFallback => ("byte fallback", Arc::new(byte_fallback()?)),
            Kind::Whole => ("o200k_base", Vocabulary::o200k_base()?),
        };
        let options = |random: &mut Random| CompilerOptions {
            whitespace: match random.below(3) {
                0 => Whitespace::Compact,
                1 => Whitespace::Flexible { max: 1 + random.below(32) as u32 },
                _ => Whitespace::Indent(random.below(4) as u32),
            },
            key_order: if random.chance(25) { KeyOrder::Any } else { KeyOrder::Schema },
            max_depth: random.pick(&[6, 12, 40]),
            ..CompilerOptions::default()
        };
        let mut grammars = Vec::new();
        let compiler =
            Compiler::new(vocab.clone(), CompilerOptions { max_depth: 24, ..CompilerOptions::default() })?;
        for schema in schemas::examples() {
            grammars.push(compiler.compile(&schema)?);
        }
        for _ in 0..random_schemas {
            let schema: Value = schemas::random(random);
            // Some have no instance.
            if let Ok(grammar) = Compiler::new(vocab.clone(), options(random))?.compile(&schema) {
                grammars.push(grammar);
            }
        }
        Ok(World { name, vocab, grammars, small: kind != Kind::Whole })
    }

    /// The most levels that a grammar opens.
    pub fn max_levels(&self) -> usize {
        self.grammars.iter().map(|g| g.max_depth()).max().unwrap_or(1).max(1)
    }
}
