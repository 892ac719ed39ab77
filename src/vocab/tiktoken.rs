//! The vocabularies built into the crate: OpenAI's encodings, with the data `tiktoken-rs` embeds.

use std::sync::{Arc, OnceLock};

use tiktoken_rs::CoreBPE;

use super::Vocabulary;
use super::encoder::Encoder;
use super::table::TokenTable;
use crate::{Error, ErrorKind, Result};

/// What identifies a built-in encoding.
struct Builtin {
    name: &'static str,
    bpe: fn() -> &'static CoreBPE,
    /// Every special token. Ids between them and the ordinary tokens are holes.
    specials: &'static [(u32, &'static str)],
    /// `<|endoftext|>`, which ends every document these encodings were made for.
    stop: u32,
}

const O200K_BASE: Builtin = Builtin {
    name: "o200k_base",
    bpe: tiktoken_rs::o200k_base_singleton,
    specials: &[(199_999, tiktoken_rs::ENDOFTEXT), (200_018, tiktoken_rs::ENDOFPROMPT)],
    stop: 199_999,
};

const CL100K_BASE: Builtin = Builtin {
    name: "cl100k_base",
    bpe: tiktoken_rs::cl100k_base_singleton,
    specials: &[
        (100_257, tiktoken_rs::ENDOFTEXT),
        (100_258, tiktoken_rs::FIM_PREFIX),
        (100_259, tiktoken_rs::FIM_MIDDLE),
        (100_260, tiktoken_rs::FIM_SUFFIX),
        (100_276, tiktoken_rs::ENDOFPROMPT),
    ],
    stop: 100_257,
};

impl Builtin {
    fn load(&self) -> Result<Arc<Vocabulary>> {
        let bpe = (self.bpe)();
        let len = self.specials.iter().map(|&(id, _)| id + 1).max().unwrap_or(0);
        let is_special = |id: u32| self.specials.iter().any(|&(special, _)| special == id);
        // The data itself is private to tiktoken-rs; decoding id by id adds about a third to its loading time.
        let table = TokenTable::new(
            (0..len).map(|id| if is_special(id) { None } else { bpe.decode_bytes(&[id]).ok() }),
        )?;
        let specials = self.specials.iter().map(|&(id, name)| (id, name.into())).collect();
        let vocabulary = Vocabulary::new(self.name, table, specials, Encoder::Tiktoken(bpe))?;
        Ok(Arc::new(vocabulary.with_stop_ids(&[self.stop])?))
    }

    /// Loads into `cell` unless another call already has.
    fn shared(&self, cell: &OnceLock<Result<Arc<Vocabulary>>>) -> Result<Arc<Vocabulary>> {
        cell.get_or_init(|| self.load()).clone()
    }
}

impl Vocabulary {
    /// OpenAI's `o200k_base`: 199,998 tokens, 200,019 ids.
    ///
    /// Loaded once per process; later calls return the same vocabulary. The stop id is
    /// `<|endoftext|>` (199999); replace it with [`with_stop_ids`](Self::with_stop_ids) on a clone.
    pub fn o200k_base() -> Result<Arc<Self>> {
        static CELL: OnceLock<Result<Arc<Vocabulary>>> = OnceLock::new();
        O200K_BASE.shared(&CELL)
    }

    /// OpenAI's `cl100k_base`: 100,256 tokens, 100,277 ids. The stop id is `<|endoftext|>` (100257).
    ///
    /// Loaded once per process, as [`o200k_base`](Self::o200k_base).
    pub fn cl100k_base() -> Result<Arc<Self>> {
        static CELL: OnceLock<Result<Arc<Vocabulary>>> = OnceLock::new();
        CL100K_BASE.shared(&CELL)
    }

    /// A built-in vocabulary by its name.
    ///
    /// # Errors
    /// [`ErrorKind::Vocabulary`] for an unknown name; the message lists those known.
    pub fn named(name: &str) -> Result<Arc<Self>> {
        match name {
            "o200k_base" => Self::o200k_base(),
            "cl100k_base" => Self::cl100k_base(),
            _ => Err(Error::new(
                ErrorKind::Vocabulary,
                format!(
                    "there is no built-in vocabulary {name:?}; use o200k_base, cl100k_base or a tokenizer.json"
                ),
            )),
        }
    }
}
