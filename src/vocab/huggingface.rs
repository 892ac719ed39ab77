//! Vocabularies from Hugging Face's `tokenizer.json`.
//!
//! Only the token strings, the added tokens and the decoder are needed to know every token's bytes; the merges,
//! most of the file, are skipped. Stop ids are not in the file. They come from the caller or from the
//! `generation_config.json` that models carry beside it, never from what a token is called.

use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use tokenizers::Tokenizer;

use super::Vocabulary;
use super::decoder::TokenDecoder;
use super::encoder::Encoder;
use super::table::{MAX_IDS, TokenTable};
use crate::{Error, ErrorKind, Result};

/// What a `tokenizer.json` does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenizerOptions {
    /// Ids that end an output. `None`: none, or what `generation_config.json` says when reading from a file.
    pub stop_ids: Option<Vec<u32>>,
    /// Logits per row, at least the number of ids. `None`: as many as there are ids.
    pub logits_width: Option<usize>,
    /// The name for messages. `None`: the file's directory, or `tokenizer.json`.
    pub name: Option<String>,
}

impl TokenizerOptions {
    /// No stop ids, no wider logits, no name.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`stop_ids`](Self::stop_ids).
    pub fn stop_ids(mut self, ids: &[u32]) -> Self {
        self.stop_ids = Some(ids.to_vec());
        self
    }

    /// Sets [`logits_width`](Self::logits_width).
    pub fn logits_width(mut self, width: usize) -> Self {
        self.logits_width = Some(width);
        self
    }

    /// Sets [`name`](Self::name).
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }
}

/// The members of the file that are read.
#[derive(Deserialize)]
struct TokenizerFile {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    decoder: Value,
    model: Model,
}

#[derive(Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
    #[serde(default)]
    special: bool,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    byte_fallback: Option<bool>,
    vocab: ModelVocab,
}

/// Token strings with their ids: an object (BPE, WordLevel) or a list of `[string, score]` (Unigram).
struct ModelVocab(Vec<(u32, String)>);

impl<'de> Deserialize<'de> for ModelVocab {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Tokens;
        impl<'de> Visitor<'de> for Tokens {
            type Value = ModelVocab;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object from token to id, or a list of [token, score]")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<ModelVocab, A::Error> {
                let mut tokens = Vec::new();
                while let Some((token, id)) = map.next_entry()? {
                    tokens.push((id, token));
                }
                Ok(ModelVocab(tokens))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<ModelVocab, A::Error> {
                let mut tokens = Vec::new();
                while let Some((token, _score)) = seq.next_element::<(String, IgnoredAny)>()? {
                    tokens.push((tokens.len() as u32, token));
                }
                Ok(ModelVocab(tokens))
            }
        }
        deserializer.deserialize_any(Tokens)
    }
}

impl Vocabulary {
    /// Reads the text of a `tokenizer.json`.
    ///
    /// Byte-level and byte-fallback BPE, Unigram, and anything else whose decoder treats tokens one by one. Added
    /// tokens marked `special` have no bytes; the others are text.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidJson`], or [`ErrorKind::Vocabulary`] if the file is not such a tokenizer (WordPiece, for
    /// one), gives one id to two tokens, or `options` do not fit it.
    pub fn from_tokenizer_json(json: &[u8], options: &TokenizerOptions) -> Result<Self> {
        let file: TokenizerFile = serde_json::from_slice(json).map_err(|e| {
            let kind = if e.is_data() { ErrorKind::Vocabulary } else { ErrorKind::InvalidJson };
            Error::new(kind, format!("not a tokenizer.json: {e}"))
        })?;
        if file.model.kind.as_deref() == Some("WordPiece") {
            return Err(Error::at(
                ErrorKind::Vocabulary,
                "/model/type",
                "a WordPiece token is written with or without a space before it depending on its neighbours, so it has no \
                 bytes of its own; use a byte-level or byte-fallback tokenizer",
            ));
        }
        let byte_fallback = file.model.byte_fallback.unwrap_or(false);
        let decoder = TokenDecoder::new(&file.decoder, &file.pre_tokenizer, &file.normalizer, byte_fallback)?;
        let (table, specials) = token_bytes(&file, &decoder)?;

        let name = options.name.as_deref().unwrap_or("tokenizer.json");
        let json = json.to_vec();
        let encoder = Encoder::lazy(move || match own_tokenizer(&json) {
            Ok(tokenizer) => Some(tokenizer),
            Err(e) => {
                tracing::warn!(
                    "text will be split greedily, as this tokenizer.json cannot be loaded for encoding: {e}"
                );
                None
            }
        });
        let mut vocabulary = Vocabulary::new(name, table, specials, encoder)?;
        if let Some(ids) = &options.stop_ids {
            vocabulary = vocabulary.with_stop_ids(ids)?;
        }
        if let Some(width) = options.logits_width {
            vocabulary = vocabulary.with_logits_width(width)?;
        }
        Ok(vocabulary)
    }

    /// Reads a `tokenizer.json`, and its stop ids from the `eos_token_id` of the `generation_config.json` in
    /// the same directory unless `options` give them. Without either there are none.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], and as [`from_tokenizer_json`](Self::from_tokenizer_json).
    pub fn from_file(path: impl AsRef<Path>, options: &TokenizerOptions) -> Result<Self> {
        let path = path.as_ref();
        let read = |path: &Path| {
            std::fs::read(path).map_err(|e| Error::new(ErrorKind::Io, format!("{}: {e}", path.display())))
        };
        let json = read(path)?;
        let mut options = options.clone();
        let config = path.with_file_name("generation_config.json");
        if options.stop_ids.is_none() && config.exists() {
            options.stop_ids = Some(stop_ids(&read(&config)?)?);
        }
        if options.name.is_none() {
            let directory = path.parent().and_then(Path::file_name);
            options.name = directory.map(|name| name.to_string_lossy().into_owned());
        }
        Self::from_tokenizer_json(&json, &options)
    }
}

/// The special tokens: id and name.
type Specials = Vec<(u32, Box<str>)>;

fn token_bytes(file: &TokenizerFile, decoder: &TokenDecoder) -> Result<(TokenTable, Specials)> {
    let ids =
        file.model.vocab.0.iter().map(|&(id, _)| id).chain(file.added_tokens.iter().map(|token| token.id));
    let len = ids.max().map_or(0, |id| id as usize + 1);
    if len > MAX_IDS {
        return Err(Error::new(
            ErrorKind::LimitExceeded,
            format!("the file has a token with id {}; at most {MAX_IDS} ids are supported", len - 1),
        ));
    }
    let mut tokens: Vec<Option<Vec<u8>>> = vec![None; len];
    let mut taken = vec![false; len];
    for (id, token) in &file.model.vocab.0 {
        let id = *id as usize;
        if std::mem::replace(&mut taken[id], true) {
            return Err(Error::at(
                ErrorKind::Vocabulary,
                "/model/vocab",
                format!("two tokens have the id {id}; one of them is {token:?}"),
            ));
        }
        tokens[id] = Some(decoder.bytes(token));
    }
    let mut specials = Specials::new();
    for token in &file.added_tokens {
        let id = token.id as usize;
        // The last word counts, should an id be added twice.
        specials.retain(|&(special, _)| special != token.id);
        tokens[id] = if token.special {
            specials.push((token.id, token.content.as_str().into()));
            None
        } else if decoder.is_byte_level() {
            // Added tokens are matched in the text itself, so theirs are not strings of the byte alphabet.
            Some(token.content.clone().into_bytes())
        } else {
            Some(decoder.bytes(&token.content))
        };
    }
    Ok((TokenTable::new(tokens)?, specials))
}

/// `eos_token_id` of a `generation_config.json`: an id, a list of ids, or nothing.
fn stop_ids(json: &[u8]) -> Result<Vec<u32>> {
    let config: Value = serde_json::from_slice(json)
        .map_err(|e| Error::new(ErrorKind::InvalidJson, format!("generation_config.json: {e}")))?;
    let eos = &config["eos_token_id"];
    let ids: &[Value] = match eos {
        Value::Null => &[],
        Value::Array(ids) => ids,
        _ => std::slice::from_ref(eos),
    };
    ids.iter()
        .map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()))
        .collect::<Option<Vec<u32>>>()
        .ok_or_else(|| {
            Error::at(
                ErrorKind::Vocabulary,
                "/eos_token_id",
                format!("generation_config.json: {eos} is neither a token id nor a list of them"),
            )
        })
}

/// The library's tokenizer, told to split exactly the text it is given: no space put before it, no template
/// around it, nothing cut off, special tokens read as text.
fn own_tokenizer(json: &[u8]) -> std::result::Result<Tokenizer, Box<dyn std::error::Error + Send + Sync>> {
    let mut file: Value = serde_json::from_slice(json)?;
    for member in ["truncation", "padding", "post_processor"] {
        file[member] = Value::Null;
    }
    without_prefix(&mut file["normalizer"]);
    without_prefix(&mut file["pre_tokenizer"]);
    let mut tokenizer = Tokenizer::from_bytes(serde_json::to_vec(&file)?)?;
    tokenizer.set_encode_special_tokens(true);
    Ok(tokenizer)
}

/// Takes out of a normalizer or pre-tokenizer what adds a space in front.
fn without_prefix(part: &mut Value) {
    match part["type"].as_str() {
        Some("Prepend") => *part = Value::Null,
        Some("Metaspace") => {
            part["prepend_scheme"] = "never".into();
            part["add_prefix_space"] = false.into();
        }
        Some("ByteLevel") => part["add_prefix_space"] = false.into(),
        Some("Sequence") => {
            for list in ["normalizers", "pretokenizers"] {
                if let Some(parts) = part.get_mut(list).and_then(Value::as_array_mut) {
                    parts.iter_mut().for_each(without_prefix);
                    parts.retain(|part| !part.is_null());
                }
            }
        }
        _ => {}
    }
}
