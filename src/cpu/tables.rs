//! What masks know of a vocabulary, built when first needed and shared by everything.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::strings::StringTable;
use super::walk::Fans;
use crate::table::string_tokens::{SUBS, StringContents};
use crate::vocab::{SliceId, TokenTrie, Vocabulary};

/// A vocabulary with its tables for masks. Share it in an [`Arc`].
pub struct VocabTables {
    vocab: Arc<Vocabulary>,
    contents: StringContents,
    strings: [OnceLock<StringTable>; SUBS],
    fans: OnceLock<Fans>,
    rest_fans: [OnceLock<Fans>; SliceId::ALL.len()],
    exit_fans: [OnceLock<Fans>; SUBS],
    built: AtomicU64,
}

impl VocabTables {
    /// Nothing is built yet.
    pub fn new(vocab: Arc<Vocabulary>) -> VocabTables {
        VocabTables {
            vocab,
            contents: StringContents::new(),
            strings: Default::default(),
            fans: OnceLock::new(),
            rest_fans: Default::default(),
            exit_fans: Default::default(),
            built: AtomicU64::new(0),
        }
    }

    /// Builds what the first masks would otherwise build: tens of milliseconds for 200,000 tokens.
    pub fn warm_up(&self) {
        for sub in 0..SUBS as u8 {
            self.string(sub);
        }
        self.fans();
        self.rest_fans(SliceId::PLAIN);
    }

    /// The vocabulary.
    pub fn vocab(&self) -> &Arc<Vocabulary> {
        &self.vocab
    }

    /// Time spent building so far, what the vocabulary built for it included.
    pub fn build_time(&self) -> Duration {
        Duration::from_nanos(self.built.load(Ordering::Relaxed))
    }

    fn timed<T>(&self, build: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let built = build();
        self.built.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        built
    }

    pub(super) fn string_contents(&self) -> &StringContents {
        &self.contents
    }

    /// What tokens do inside a string, from a sub-state.
    pub(super) fn string(&self, sub: u8) -> &StringTable {
        self.strings[sub as usize]
            .get_or_init(|| self.timed(|| StringTable::new(&self.contents, &self.vocab, sub)))
    }

    /// For [`Vocabulary::trie`].
    pub(super) fn fans(&self) -> &Fans {
        self.fans.get_or_init(|| self.timed(|| Fans::new(self.vocab.trie())))
    }

    /// For the tokens outside a slice.
    pub(super) fn rest_fans(&self, id: SliceId) -> &Fans {
        self.rest_fans[id.index()]
            .get_or_init(|| self.timed(|| Fans::new(self.vocab.slices().get(id).rest())))
    }

    /// For the suffixes of tokens that leave a string, read from a sub-state.
    pub(super) fn exit_fans(&self, sub: u8, trie: &TokenTrie) -> &Fans {
        self.exit_fans[sub as usize].get_or_init(|| Fans::new(trie))
    }
}

impl std::fmt::Debug for VocabTables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VocabTables")
            .field("vocab", &self.vocab.name())
            .field("build_time", &self.build_time())
            .finish_non_exhaustive()
    }
}
