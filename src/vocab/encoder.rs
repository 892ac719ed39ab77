//! Text → token ids: the tokenizer's own splitting where there is one, greedy matching otherwise.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, LazyLock};

use tiktoken_rs::CoreBPE;
use tokenizers::Tokenizer;

use super::{TokenTrie, Vocabulary};
use crate::{Error, ErrorKind, Result};

/// A Hugging Face tokenizer built on first use: building one takes longer than reading its tokens, and
/// a server that only constrains output never encodes.
type LazyTokenizer = LazyLock<Option<Tokenizer>, Box<dyn FnOnce() -> Option<Tokenizer> + Send>>;

/// How a vocabulary splits text.
#[derive(Clone)]
pub(super) enum Encoder {
    /// Longest match first; for plain lists, which say nothing about merges.
    Greedy,
    /// One of the encodings built into `tiktoken-rs`.
    Tiktoken(&'static CoreBPE),
    /// A `tokenizer.json`.
    HuggingFace(Arc<LazyTokenizer>),
}

impl Encoder {
    /// An encoder that `build` makes when first used. `None` from it means greedy matching.
    pub(super) fn lazy(build: impl FnOnce() -> Option<Tokenizer> + Send + 'static) -> Self {
        Encoder::HuggingFace(Arc::new(LazyLock::new(Box::new(build))))
    }

    /// The tokenizer's own ids for `text`, special tokens read as ordinary text; `None` if it has no say.
    fn split(&self, text: &str) -> Option<Vec<u32>> {
        match self {
            Encoder::Greedy => None,
            // Not `encode_ordinary`, which panics when its regex gives up on a very long run of spaces.
            Encoder::Tiktoken(bpe) => Some(bpe.encode(text, &HashSet::new()).ok()?.0),
            Encoder::HuggingFace(tokenizer) => {
                let tokenizer = LazyLock::force(tokenizer).as_ref()?;
                Some(tokenizer.encode_fast(text, false).ok()?.get_ids().to_vec())
            }
        }
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Encoder::Greedy => "greedy",
            Encoder::Tiktoken(_) => "tiktoken",
            Encoder::HuggingFace(_) => "tokenizer.json",
        })
    }
}

impl Vocabulary {
    /// Splits `text` into tokens whose bytes are exactly `text`.
    ///
    /// The tokenizer's own splitting is used where it spells the text; where it would not (it normalises
    /// the text, or needs a token this vocabulary treats as special) and for plain lists,
    /// [`encode_bytes`](Self::encode_bytes) takes over. Special tokens are not recognised: `<|endoftext|>` in
    /// `text` is thirteen ordinary characters.
    ///
    /// # Errors
    /// [`ErrorKind::Vocabulary`] if some byte cannot be spelled; never for the built-in vocabularies.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        match self.encoder().split(text) {
            Some(ids) if self.spells(&ids, text.as_bytes()) => Ok(ids),
            _ => self.encode_bytes(text.as_bytes()),
        }
    }

    /// Splits `bytes`, which need not be UTF-8, by always taking the longest token that matches.
    ///
    /// It never backtracks, so it can fail where another splitting exists, but only in a vocabulary that lacks
    /// some single bytes. Of several tokens with equal bytes the lowest id is taken.
    ///
    /// # Errors
    /// [`ErrorKind::Vocabulary`] if no token matches at some offset; the message names it.
    pub fn encode_bytes(&self, bytes: &[u8]) -> Result<Vec<u32>> {
        let trie: &TokenTrie = self.trie();
        let mut ids = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let Some((len, node)) = trie.longest_prefix(&bytes[at..]) else {
                return Err(Error::new(
                    ErrorKind::Vocabulary,
                    format!(
                        "no token of {} spells byte 0x{:02x} at offset {at}; use a vocabulary with all single bytes",
                        self.name(),
                        bytes[at]
                    ),
                ));
            };
            ids.push(trie.tokens_at(node)[0]);
            at += len;
        }
        Ok(ids)
    }

    /// The bytes of `ids`, one after another; special tokens and unknown ids contribute nothing.
    pub fn decode(&self, ids: &[u32]) -> Vec<u8> {
        ids.iter().filter_map(|&id| self.bytes(id)).flatten().copied().collect()
    }

    /// Whether every id has bytes and together they are `text`.
    fn spells(&self, ids: &[u32], text: &[u8]) -> bool {
        let mut rest = text;
        for &id in ids {
            let Some(tail) = self.bytes(id).and_then(|bytes| rest.strip_prefix(bytes)) else {
                return false;
            };
            rest = tail;
        }
        rest.is_empty()
    }
}
