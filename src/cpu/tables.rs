//! What masks know of a vocabulary, built when first needed and shared by everything.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::class_fans::ClassFans;
use super::classes::{ClassTrie, is_begun_plain};
use super::strings::{Exits, StringTable};
use super::walk::Fans;
use crate::table::string_tokens::{SUBS, StringContents};
use crate::vocab::{SliceId, TokenTrie, Vocabulary};

/// The slices that states can be closed under, see [`crate::table::layout::StateInfo::slices`].
const FLAGGED: usize = u8::BITS as usize;

/// A vocabulary with its tables for masks. Share it in an [`Arc`].
pub struct VocabTables {
    vocab: Arc<Vocabulary>,
    contents: StringContents,
    strings: [OnceLock<StringTable>; SUBS],
    fans: OnceLock<Fans>,
    classes: OnceLock<(ClassTrie, ClassFans)>,
    /// Tokens that begin with plain characters and go on otherwise.
    half_plain: OnceLock<(Exits, Option<Fans>)>,
    /// Most levels that a token can open.
    opens: OnceLock<u32>,
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
            classes: OnceLock::new(),
            half_plain: OnceLock::new(),
            opens: OnceLock::new(),
            exit_fans: Default::default(),
            built: AtomicU64::new(0),
        }
    }

    /// Builds what the first masks would otherwise build: tens of milliseconds for 200,000 tokens.
    pub fn warm_up(&self) {
        for sub in 0..SUBS as u8 {
            self.string(sub);
        }
        for sub in 0..SUBS as u8 {
            if let Some(trie) = self.string(sub).exits.trie() {
                self.exit_fans(sub, trie);
            }
        }
        for &id in SliceId::ALL[..FLAGGED].iter().chain([&SliceId::DIGITS]) {
            self.timed(|| self.vocab.slices().get(id));
        }
        self.fans();
        self.classes();
        self.half_plain();
        self.opens();
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

    /// The vocabulary by classes of characters.
    pub(super) fn classes(&self) -> &ClassTrie {
        &self.by_classes().0
    }

    /// For [`VocabTables::classes`].
    pub(super) fn class_fans(&self) -> &ClassFans {
        &self.by_classes().1
    }

    fn by_classes(&self) -> &(ClassTrie, ClassFans) {
        self.classes.get_or_init(|| {
            self.timed(|| {
                let trie = ClassTrie::new(&self.vocab);
                let fans = ClassFans::new(&trie);
                (trie, fans)
            })
        })
    }

    /// Tokens that begin with plain characters and go on otherwise, by what follows these, and the fans of that. Those
    /// that only end within a character are not among them.
    pub(super) fn half_plain(&self) -> &(Exits, Option<Fans>) {
        self.half_plain.get_or_init(|| {
            self.timed(|| {
                let ids = (0..self.vocab.len() as u32).filter_map(|id| Some((id, self.vocab.bytes(id)?)));
                let split = ids.filter_map(|(id, bytes)| {
                    let (chars, len) = plain_prefix(bytes);
                    (chars > 0 && !is_begun_plain(bytes)).then(|| (&bytes[len..], chars, id))
                });
                let exits = Exits::new(split.collect());
                let fans = exits.trie().map(Fans::new);
                (exits, fans)
            })
        })
    }

    /// Most levels that a token can open: one for each bracket, and two for what stands within them.
    pub(super) fn opens(&self) -> u32 {
        *self.opens.get_or_init(|| {
            let brackets = |bytes: &[u8]| bytes.iter().filter(|b| matches!(b, b'{' | b'[')).count() as u32;
            let tokens = (0..self.vocab.len() as u32).filter_map(|id| self.vocab.bytes(id));
            tokens.map(brackets).max().unwrap_or(0) + 2
        })
    }

    /// For the suffixes of tokens that leave a string, read from a sub-state.
    pub(super) fn exit_fans(&self, sub: u8, trie: &TokenTrie) -> &Fans {
        self.exit_fans[sub as usize].get_or_init(|| Fans::new(trie))
    }
}

/// (characters, bytes) of the plain characters that a token begins with.
fn plain_prefix(bytes: &[u8]) -> (u16, usize) {
    let valid = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let plain = valid.chars().take_while(|&c| SliceId::PLAIN.contains_char(c));
    plain.fold((0, 0), |(n, len), c| (n + 1, len + c.len_utf8()))
}

impl std::fmt::Debug for VocabTables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VocabTables")
            .field("vocab", &self.vocab.name())
            .field("build_time", &self.build_time())
            .finish_non_exhaustive()
    }
}
