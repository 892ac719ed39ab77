//! The vocabulary itself: ids, their bytes, and which of them are special or stop.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::encoder::Encoder;
use super::table::{MAX_IDS, TokenTable};
use super::{QuoteSplit, Slices, TokenTrie};
use crate::{Error, ErrorKind, Result};

/// Which bytes every token id writes, with what is derived from them.
///
/// Immutable, `Send` and `Sync`; share it in an [`Arc`]. A clone shares tokens and derived data, and is how
/// one vocabulary gets another set of stop ids or another width.
#[derive(Clone)]
pub struct Vocabulary {
    name: Arc<str>,
    table: Arc<TokenTable>,
    /// Special tokens with a name, by rising id.
    specials: Vec<(u32, Box<str>)>,
    /// In the caller's order, without repetitions. They have no bytes.
    stop_ids: Vec<u32>,
    /// Logits per row, at least `table.len()`.
    width: usize,
    single_bytes: Box<SingleBytes>,
    max_token_len: usize,
    encoder: Encoder,
    derived: Arc<Derived>,
}

/// Which single bytes are tokens.
#[derive(Clone)]
struct SingleBytes {
    ids: [Option<u32>; 256],
    spellable: [bool; 256],
}

/// Built when first asked for.
#[derive(Default)]
struct Derived {
    trie: OnceLock<TokenTrie>,
    slices: OnceLock<Slices>,
    quote_split: OnceLock<QuoteSplit>,
    fingerprint: OnceLock<u64>,
}

impl Vocabulary {
    /// `specials` have no bytes in `table`.
    pub(super) fn new(
        name: &str,
        table: TokenTable,
        mut specials: Vec<(u32, Box<str>)>,
        encoder: Encoder,
    ) -> Result<Self> {
        specials.sort_unstable();
        let mut single = SingleBytes { ids: [None; 256], spellable: [false; 256] };
        let mut max_token_len = 0;
        for (id, bytes) in table.iter() {
            max_token_len = max_token_len.max(bytes.len());
            if let &[byte] = bytes {
                single.ids[byte as usize].get_or_insert(id);
                single.spellable[byte as usize] = true;
            }
        }
        if max_token_len == 0 {
            return Err(Error::new(
                ErrorKind::Vocabulary,
                format!("the vocabulary {name} has no token with bytes; check the file it was read from"),
            ));
        }
        Ok(Vocabulary {
            name: name.into(),
            width: table.len(),
            table: Arc::new(table),
            specials,
            stop_ids: Vec::new(),
            single_bytes: Box::new(single),
            max_token_len,
            encoder,
            derived: Arc::default(),
        })
    }

    /// A vocabulary from a plain list: token `i` writes `tokens[i]`.
    ///
    /// `None` and empty strings are ids that write nothing: special tokens or holes, never legal as text.
    ///
    /// # Errors
    /// [`ErrorKind::Vocabulary`] if no token has bytes, [`ErrorKind::LimitExceeded`] for more than 2^24 ids or a
    /// token of more than 65,535 bytes.
    pub fn from_tokens(tokens: Vec<Option<Vec<u8>>>) -> Result<Self> {
        Self::new("list", TokenTable::new(tokens)?, Vec::new(), Encoder::Greedy)
    }

    /// Replaces the stop ids.
    ///
    /// A stop id that had bytes is special from here on: it has none, is not part of any mask over text, and
    /// its former text becomes its name. That is not undone by setting other stop ids.
    ///
    /// # Errors
    /// [`ErrorKind::Vocabulary`] for an id the vocabulary does not have, or if no token with bytes is left.
    pub fn with_stop_ids(self, ids: &[u32]) -> Result<Self> {
        let mut stop_ids = Vec::with_capacity(ids.len());
        for &id in ids {
            self.check_known(id, "stop id")?;
            if !stop_ids.contains(&id) {
                stop_ids.push(id);
            }
        }
        let named: Vec<_> = stop_ids.iter().filter_map(|&id| Some((id, self.text_name(id)?))).collect();
        Ok(Vocabulary { stop_ids, ..self.into_special(&named)? })
    }

    /// Names `id` as a special token; it loses its bytes if it had any.
    ///
    /// # Errors
    /// [`ErrorKind::Vocabulary`] for an id the vocabulary does not have, or if no token with bytes is left.
    pub fn with_special_token(self, id: u32, name: &str) -> Result<Self> {
        self.check_known(id, "special token")?;
        self.into_special(&[(id, name.into())])
    }

    /// Sets how many logits a row has; ids from [`len`](Self::len) on are never legal.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] if that is fewer than there are ids, or more than 2^24.
    pub fn with_logits_width(self, width: usize) -> Result<Self> {
        if width < self.len() || width > MAX_IDS {
            return Err(Error::new(
                ErrorKind::InvalidParameter,
                format!(
                    "a width of {width} logits does not fit {} with {} ids; pass the model's own, at most {MAX_IDS}",
                    self.name,
                    self.len()
                ),
            ));
        }
        Ok(Vocabulary { width, derived: Arc::default(), ..self })
    }

    /// Gives the vocabulary another name, for messages only.
    pub fn with_name(self, name: &str) -> Self {
        Vocabulary { name: name.into(), ..self }
    }

    fn check_known(&self, id: u32, what: &str) -> Result<()> {
        if (id as usize) < self.len() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Vocabulary,
            format!("{what} {id} is not an id of {}, which has {}", self.name, self.len()),
        ))
    }

    /// The name `id` would have as a special token, if it is text now.
    fn text_name(&self, id: u32) -> Option<Box<str>> {
        let bytes = self.bytes(id)?;
        Some(String::from_utf8_lossy(bytes).into())
    }

    fn into_special(self, named: &[(u32, Box<str>)]) -> Result<Self> {
        if named.is_empty() {
            // The stop ids are part of the fingerprint, so nothing derived may be kept.
            return Ok(Vocabulary { derived: Arc::default(), ..self });
        }
        let ids: Vec<u32> = named.iter().map(|&(id, _)| id).collect();
        let mut specials = self.specials;
        specials.retain(|(id, _)| !ids.contains(id));
        specials.extend_from_slice(named);
        let fresh = Self::new(&self.name, self.table.without(&ids)?, specials, self.encoder)?;
        Ok(Vocabulary { stop_ids: self.stop_ids, width: self.width, ..fresh })
    }

    /// Number of ids known, holes and special tokens included: ids are `0..len()`.
    #[expect(clippy::len_without_is_empty, reason = "a vocabulary is never empty")]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Logits per row, at least [`len`](Self::len).
    pub fn width(&self) -> usize {
        self.width
    }

    /// The bytes of `id`; `None` for a special token, a hole and any id beyond the vocabulary. Never empty.
    pub fn bytes(&self, id: u32) -> Option<&[u8]> {
        self.table.get(id)
    }

    /// Whether `id` is a special token by name, or a stop id. Holes are not.
    pub fn is_special(&self, id: u32) -> bool {
        self.specials.binary_search_by_key(&id, |&(special, _)| special).is_ok() || self.is_stop(id)
    }

    /// The id of the special token called `name`; the lowest, should several be.
    pub fn special(&self, name: &str) -> Option<u32> {
        self.specials.iter().find(|(_, special)| **special == *name).map(|&(id, _)| id)
    }

    /// The special tokens that have a name, by rising id.
    pub fn special_tokens(&self) -> impl ExactSizeIterator<Item = (u32, &str)> {
        self.specials.iter().map(|(id, name)| (*id, &**name))
    }

    /// The ids that end an output, in the order they were given.
    pub fn stop_ids(&self) -> &[u32] {
        &self.stop_ids
    }

    /// Whether `id` ends an output.
    pub fn is_stop(&self, id: u32) -> bool {
        self.stop_ids.contains(&id)
    }

    /// What to call the vocabulary in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Length of the longest token in bytes.
    pub fn max_token_len(&self) -> usize {
        self.max_token_len
    }

    /// Per byte value, the lowest id of a token that is that byte alone.
    pub fn single_byte_ids(&self) -> &[Option<u32>; 256] {
        &self.single_bytes.ids
    }

    /// Per byte value, whether some token is that byte alone. What a schema needs beyond these bytes, the
    /// vocabulary cannot be relied on to spell.
    pub fn spellable(&self) -> &[bool; 256] {
        &self.single_bytes.spellable
    }

    /// The groups of ids whose bytes are equal, each rising, groups in byte order.
    pub fn duplicates(&self) -> impl Iterator<Item = &[u32]> {
        let trie = self.trie();
        (0..trie.nodes().len() as u32).map(|node| trie.tokens_at(node)).filter(|ids| ids.len() > 1)
    }

    /// All tokens that have bytes, as a trie. Built on the first call.
    pub fn trie(&self) -> &TokenTrie {
        self.derived.trie.get_or_init(|| TokenTrie::from_entries(self.table.iter()))
    }

    /// The tokens by character class. Built on the first call, each class when first asked for.
    pub fn slices(&self) -> &Slices {
        self.derived.slices.get_or_init(|| Slices::new(Arc::clone(&self.table), self.width))
    }

    /// The tokens that close a JSON string. Built on the first call.
    pub fn quote_split(&self) -> &QuoteSplit {
        self.derived.quote_split.get_or_init(|| QuoteSplit::new(self.table.iter()))
    }

    /// A hash of everything a mask depends on: tokens, special tokens, stop ids and width, not the name.
    ///
    /// Stable across processes, machines and releases (FNV-1a, 64 bits), so it can tell whether something
    /// stored belongs to this vocabulary. Not proof against a forger.
    pub fn fingerprint(&self) -> u64 {
        *self.derived.fingerprint.get_or_init(|| {
            let mut hash = Fnv::default();
            hash.number(self.len() as u64);
            hash.number(self.width as u64);
            for (id, bytes) in self.table.iter() {
                hash.number(id.into());
                hash.string(bytes);
            }
            hash.number(self.specials.len() as u64);
            for (id, name) in &self.specials {
                hash.number((*id).into());
                hash.string(name.as_bytes());
            }
            hash.number(self.stop_ids.len() as u64);
            for &id in &self.stop_ids {
                hash.number(id.into());
            }
            hash.0
        })
    }

    /// Bytes on the heap, with whatever has been derived so far; the encoder's own data is not counted.
    pub fn heap_bytes(&self) -> usize {
        let derived = &self.derived;
        self.table.heap_bytes()
            + size_of::<SingleBytes>()
            + self.specials.iter().map(|(_, name)| size_of::<(u32, Box<str>)>() + name.len()).sum::<usize>()
            + derived.trie.get().map_or(0, TokenTrie::heap_bytes)
            + derived.slices.get().map_or(0, Slices::heap_bytes)
            + derived.quote_split.get().map_or(0, QuoteSplit::heap_bytes)
    }

    pub(super) fn encoder(&self) -> &Encoder {
        &self.encoder
    }
}

impl fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vocabulary")
            .field("name", &self.name)
            .field("len", &self.len())
            .field("width", &self.width)
            .field("stop_ids", &self.stop_ids)
            .field("encoder", &self.encoder)
            .finish_non_exhaustive()
    }
}

/// FNV-1a, 64 bits.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    /// With its length, so that no two sequences of strings run together alike.
    fn string(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.bytes(bytes);
    }
}
