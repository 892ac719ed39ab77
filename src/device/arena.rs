//! Grammars in device memory.
//!
//! One buffer holds the blocks of all grammars in use and, as long as there is room, of those used
//! lately: a schema that comes back costs no upload. A block is placed first-fit and stays where it is; when
//! there is no room, blocks that no slot uses go, the longest unused first. Work is queued in order,
//! so a block may be overwritten while kernels that no longer matter to anyone still read it: they are done
//! before the copy begins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::driver::{ALIGNMENT, Buffer, Driver};
use crate::error::{Error, ErrorKind, Result};
use crate::table::Grammar;

/// Names a grammar: its address, which the arena keeps from being used again.
type Key = usize;

struct Entry {
    grammar: Arc<Grammar>,
    offset: usize,
    bytes: usize,
    users: usize,
    /// When it was last released; the key of [`Arena::unused`] while nobody uses it.
    since: u64,
}

/// See the module's text.
pub struct Arena {
    driver: Arc<dyn Driver>,
    buffer: Buffer,
    entries: FxHashMap<Key, Entry>,
    /// Offset → bytes; neighbours are merged.
    free: BTreeMap<usize, usize>,
    /// Grammars that no slot uses, the longest unused first.
    unused: BTreeSet<(u64, Key)>,
    clock: u64,
    uploads: u64,
}

/// What an arena holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArenaUse {
    /// Bytes of the buffer.
    pub capacity: usize,
    /// Bytes taken by grammars.
    pub taken: usize,
    /// Grammars held.
    pub grammars: usize,
    /// Those in use by a slot.
    pub in_use: usize,
    /// Grammars copied to the device so far.
    pub uploads: u64,
}

impl Arena {
    /// Of `bytes` bytes, which are allocated at once.
    ///
    /// # Errors
    /// [`ErrorKind::Device`] if the device has not so much memory.
    pub fn new(driver: Arc<dyn Driver>, bytes: usize) -> Result<Self> {
        let bytes = bytes.next_multiple_of(ALIGNMENT);
        let buffer = driver.alloc(bytes)?;
        let free = if bytes == 0 { BTreeMap::new() } else { BTreeMap::from([(0, bytes)]) };
        Ok(Arena {
            driver,
            buffer,
            entries: FxHashMap::default(),
            free,
            unused: BTreeSet::new(),
            clock: 0,
            uploads: 0,
        })
    }

    /// The device address of a grammar's block, which stays there until as many calls of [`Arena::release`].
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`] if there is no room beside the grammars in use.
    pub fn acquire(&mut self, grammar: &Arc<Grammar>) -> Result<u64> {
        let key = Arc::as_ptr(grammar) as Key;
        if !self.entries.contains_key(&key) {
            let block = grammar.as_bytes();
            let bytes = block.len().next_multiple_of(ALIGNMENT);
            let offset = self.make_room(bytes)?;
            if let Err(error) = self.driver.upload(&self.buffer, offset, block) {
                self.give_back(offset, bytes);
                return Err(error);
            }
            self.uploads += 1;
            self.entries
                .insert(key, Entry { grammar: grammar.clone(), offset, bytes, users: 0, since: self.clock });
            self.unused.insert((self.clock, key));
        }
        let entry = self.entries.get_mut(&key).expect("inserted above");
        if entry.users == 0 {
            self.unused.remove(&(entry.since, key));
        }
        entry.users += 1;
        Ok(self.buffer.address() + entry.offset as u64)
    }

    /// One user of a grammar less. The block stays until its room is needed.
    pub fn release(&mut self, grammar: &Arc<Grammar>) {
        let key = Arc::as_ptr(grammar) as Key;
        let Some(entry) = self.entries.get_mut(&key).filter(|e| e.users > 0) else {
            debug_assert!(false, "released more often than acquired");
            return;
        };
        debug_assert!(Arc::ptr_eq(&entry.grammar, grammar), "an address names one grammar while it is held");
        entry.users -= 1;
        if entry.users == 0 {
            self.clock += 1;
            entry.since = self.clock;
            self.unused.insert((entry.since, key));
        }
    }

    /// What is in it.
    pub fn usage(&self) -> ArenaUse {
        ArenaUse {
            capacity: self.buffer.len(),
            taken: self.entries.values().map(|e| e.bytes).sum(),
            grammars: self.entries.len(),
            in_use: self.entries.len() - self.unused.len(),
            uploads: self.uploads,
        }
    }

    /// Takes `bytes` bytes, putting out as many unused grammars as it takes.
    fn make_room(&mut self, bytes: usize) -> Result<usize> {
        loop {
            let fits = self.free.iter().find(|&(_, &free)| free >= bytes).map(|(&at, &free)| (at, free));
            if let Some((at, free)) = fits {
                self.free.remove(&at);
                if free > bytes {
                    self.free.insert(at + bytes, free - bytes);
                }
                return Ok(at);
            }
            let Some((_, oldest)) = self.unused.pop_first() else {
                return Err(Error::new(
                    ErrorKind::LimitExceeded,
                    format!(
                        "a grammar of {bytes} bytes does not fit the {} bytes for grammars on the device beside the {} in \
                         use; retire requests or make the arena larger",
                        self.buffer.len(),
                        self.entries.len()
                    ),
                ));
            };
            let gone = self.entries.remove(&oldest).expect("unused grammars are held");
            self.give_back(gone.offset, gone.bytes);
        }
    }

    fn give_back(&mut self, mut offset: usize, mut bytes: usize) {
        if let Some(after) = self.free.remove(&(offset + bytes)) {
            bytes += after;
        }
        if let Some((&before, &length)) = self.free.range(..offset).next_back()
            && before + length == offset
        {
            self.free.remove(&before);
            offset = before;
            bytes += length;
        }
        self.free.insert(offset, bytes);
    }

    /// A grammar held, by its device address.
    #[cfg(test)]
    fn holds(&self, grammar: &Arc<Grammar>) -> bool {
        self.entries.get(&(Arc::as_ptr(grammar) as Key)).is_some_and(|e| Arc::ptr_eq(&e.grammar, grammar))
    }
}

impl std::fmt::Debug for Arena {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.usage().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Emulated;
    use crate::vocab::Vocabulary;
    use crate::{Compiler, CompilerOptions};
    use serde_json::json;

    fn grammars(n: usize) -> Vec<Arc<Grammar>> {
        let bytes = (0..=255u8).map(|b| Some(vec![b])).collect();
        let vocab = Arc::new(Vocabulary::from_tokens(bytes).unwrap());
        let compiler = Compiler::new(vocab, CompilerOptions::default()).unwrap();
        let schema = |i: usize| json!({"enum": (0..=i * 3).map(|k| format!("{i} {k}")).collect::<Vec<_>>()});
        (0..n).map(|i| compiler.compile(&schema(i)).unwrap()).collect()
    }

    /// Blocks in use lie apart, in the buffer, and are what was uploaded; the free list is the rest.
    fn check(arena: &Arena) {
        let mut parts: Vec<(usize, usize)> = arena.entries.values().map(|e| (e.offset, e.bytes)).collect();
        parts.extend(arena.free.iter().map(|(&at, &bytes)| (at, bytes)));
        parts.sort_unstable();
        let mut end = 0;
        for (at, bytes) in parts {
            assert_eq!(at, end);
            end = at + bytes;
        }
        assert_eq!(end, arena.buffer.len());
        assert!(arena.free.iter().zip(arena.free.iter().skip(1)).all(|(a, b)| a.0 + a.1 < *b.0), "merged");
        for entry in arena.entries.values() {
            let mut block = vec![0; entry.grammar.as_bytes().len()];
            arena.driver.download(&arena.buffer, entry.offset, &mut block).unwrap();
            assert_eq!(block, entry.grammar.as_bytes());
        }
    }

    #[test]
    fn emulated_arena_evicts_what_no_slot_uses() {
        let Ok(driver) = Emulated::new() else {
            eprintln!("SKIPPED: no emulator was built");
            return;
        };
        let all = grammars(12);
        let room: usize = all[..4].iter().map(|g| g.as_bytes().len().next_multiple_of(ALIGNMENT)).sum();
        let mut arena = Arena::new(Arc::new(driver), room).unwrap();
        let first = arena.acquire(&all[0]).unwrap();
        assert_eq!(arena.acquire(&all[0]).unwrap(), first, "the same grammar lies in the same place");
        for g in &all[1..4] {
            arena.acquire(g).unwrap();
        }
        check(&arena);
        assert_eq!(arena.usage().uploads, 4);
        assert_eq!(arena.acquire(&all[4]).unwrap_err().kind(), ErrorKind::LimitExceeded, "all are in use");
        arena.release(&all[0]);
        assert!(arena.acquire(&all[4]).is_err(), "one of two users is left");
        arena.release(&all[2]);
        arena.release(&all[3]);
        arena.acquire(&all[4]).unwrap();
        check(&arena);
        assert!(!arena.holds(&all[2]) && arena.holds(&all[0]) && arena.holds(&all[1]));
        arena.release(&all[0]);
        assert_eq!(arena.acquire(&all[0]).unwrap(), first, "what comes back in time is not uploaded again");
        check(&arena);
    }

    #[test]
    fn emulated_arena_under_random_use() {
        let Ok(driver) = Emulated::new() else {
            eprintln!("SKIPPED: no emulator was built");
            return;
        };
        let all = grammars(12);
        let most: usize = all.iter().map(|g| g.as_bytes().len()).max().unwrap();
        let mut arena = Arena::new(Arc::new(driver), 4 * most).unwrap();
        let mut used: Vec<usize> = Vec::new();
        let mut x = 1u64;
        let (mut refused, mut admitted) = (0, 0);
        for _ in 0..2_000 {
            x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let pick = (x >> 33) as usize;
            if !used.is_empty() && (pick.is_multiple_of(2) || used.len() > 6) {
                arena.release(&all[used.swap_remove(pick / 2 % used.len())]);
            } else {
                let i = pick / 2 % all.len();
                match arena.acquire(&all[i]) {
                    Ok(_) => used.push(i),
                    Err(_) => refused += 1,
                }
                admitted += 1;
            }
            for &i in &used {
                assert!(arena.holds(&all[i]), "what is in use stays");
            }
        }
        check(&arena);
        assert!(refused * 4 < admitted && arena.usage().uploads > 100, "{refused} of {admitted}");
    }
}
