//! The cache of compiled grammars: each schema is compiled once, also under concurrent callers.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock};

use crate::error::Result;
use crate::table::Grammar;

type Cell = Arc<OnceLock<Result<Arc<Grammar>>>>;

/// Grammars by the text of their schema, least recently used first out, bounded in bytes of tables.
pub(super) struct Cache {
    inner: Mutex<Inner>,
    max_bytes: usize,
}

#[derive(Default)]
struct Inner {
    // Hashed with a key: whoever writes schemas must not choose what collides.
    entries: HashMap<Arc<str>, Entry>,
    /// What is compiled, by the time it was last asked for.
    compiled: BTreeMap<u64, Arc<str>>,
    clock: u64,
    bytes: usize,
}

struct Entry {
    cell: Cell,
    /// When it was last asked for.
    used: u64,
    /// Its size, once it is compiled.
    bytes: Option<usize>,
}

impl Cache {
    pub fn new(max_bytes: usize) -> Self {
        Cache { inner: Mutex::default(), max_bytes }
    }

    /// The grammar of `key`, compiled by `compile` unless somebody did or is about to: then it is waited
    /// for. Errors are remembered too; a panic is not, and whoever waits compiles instead.
    pub fn get(&self, key: &str, compile: impl FnOnce() -> Result<Grammar>) -> Result<Arc<Grammar>> {
        let cell = self.cell(key);
        let mut mine = false;
        let result = cell.get_or_init(|| {
            mine = true;
            let forget = ForgetOnPanic { cache: self, key, cell: &cell };
            let result = compile().map(Arc::new);
            std::mem::forget(forget);
            result
        });
        if mine {
            let bytes = result.as_ref().map_or(0, |g| g.as_bytes().len());
            self.account(key, &cell, bytes + key.len());
        }
        result.clone()
    }

    /// What [`Cache::get`] would give without compiling or waiting, if there is that.
    pub fn ready(&self, key: &str) -> Option<Result<Arc<Grammar>>> {
        let known = self.lock().entries.get(key).is_some_and(|entry| entry.cell.get().is_some());
        known.then(|| self.cell(key)).and_then(|cell| cell.get().cloned())
    }

    fn cell(&self, key: &str) -> Cell {
        let mut inner = self.lock();
        let inner = &mut *inner;
        inner.clock += 1;
        if let Some(entry) = inner.entries.get_mut(key) {
            if let Some(key) = inner.compiled.remove(&entry.used) {
                inner.compiled.insert(inner.clock, key);
            }
            entry.used = inner.clock;
            return entry.cell.clone();
        }
        let cell = Cell::default();
        let entry = Entry { cell: cell.clone(), used: inner.clock, bytes: None };
        inner.entries.insert(key.into(), entry);
        cell
    }

    /// Books the size of a new entry and drops old ones beyond the bound. Slots keep theirs alive.
    fn account(&self, key: &str, cell: &Cell, bytes: usize) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        // Another entry may have taken the place of one that a panic removed.
        let Some(entry) = inner.entries.get_mut(key).filter(|e| Arc::ptr_eq(&e.cell, cell)) else { return };
        let used = entry.used;
        entry.bytes = Some(bytes);
        inner.bytes += bytes;
        inner.compiled.insert(used, key.into());
        while inner.bytes > self.max_bytes {
            let Some((&oldest, key)) = inner.compiled.iter().find(|(at, _)| **at != used) else { break };
            let entry = inner.entries.remove(key).expect("what is compiled has an entry");
            inner.bytes -= entry.bytes.expect("what is compiled has a size");
            inner.compiled.remove(&oldest);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // Nothing panics while the lock is held; a poisoned lock holds a whole cache.
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Entries and bytes held.
    pub fn usage(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.entries.len(), inner.bytes)
    }
}

/// Takes an entry back whose compilation did not come to an end.
struct ForgetOnPanic<'a> {
    cache: &'a Cache,
    key: &'a str,
    cell: &'a Cell,
}

impl Drop for ForgetOnPanic<'_> {
    fn drop(&mut self) {
        let entries = &mut self.cache.lock().entries;
        if entries.get(self.key).is_some_and(|e| Arc::ptr_eq(&e.cell, self.cell)) {
            entries.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::automaton::{Options, build};
    use crate::table::{DEFAULT_MAX_BYTES, pack};

    fn grammar() -> Result<Grammar> {
        pack(&build(&crate::schema::json_object(), &Options::default())?, 0, DEFAULT_MAX_BYTES)
    }

    #[test]
    fn concurrent_callers_compile_once() {
        let cache = Cache::new(1 << 20);
        let compiled = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    cache
                        .get("{}", || {
                            compiled.fetch_add(1, Ordering::SeqCst);
                            std::thread::sleep(std::time::Duration::from_millis(20));
                            grammar()
                        })
                        .unwrap()
                });
            }
        });
        assert_eq!(compiled.into_inner(), 1);
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let one = grammar().unwrap().as_bytes().len();
        let cache = Cache::new(2 * one + 100);
        cache.get("a", grammar).unwrap();
        cache.get("b", grammar).unwrap();
        cache.get("a", || unreachable!("still cached")).unwrap();
        cache.get("c", grammar).unwrap();
        assert_eq!(cache.usage().0, 2);
        cache.get("a", || unreachable!("used more recently than b")).unwrap();
        let again = AtomicU32::new(0);
        cache
            .get("b", || {
                again.fetch_add(1, Ordering::SeqCst);
                grammar()
            })
            .unwrap();
        assert_eq!(again.into_inner(), 1);
    }

    #[test]
    fn a_panic_leaves_nothing_behind() {
        let cache = Cache::new(1 << 20);
        let entered = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            let panics = scope.spawn(|| {
                let compile = || {
                    entered.wait();
                    std::thread::sleep(std::time::Duration::from_millis(20));
                    panic!("while compiling")
                };
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| cache.get("{}", compile)))
            });
            entered.wait();
            // Who waits compiles instead.
            assert!(cache.get("{}", grammar).is_ok());
            assert!(panics.join().unwrap().is_err());
        });
        let compile = || -> Result<Grammar> { panic!("while compiling") };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| cache.get("[]", compile)));
        assert!(result.is_err());
        assert!(cache.usage().0 <= 1, "{:?}", cache.usage());
        assert!(cache.get("[]", grammar).is_ok());
        cache.get("[]", || unreachable!("cached")).unwrap();
    }

    /// A hundred thousand entries, most of them dropped again, take no time to speak of.
    #[test]
    fn dropping_entries_does_not_scan_them() {
        let refused = || Err(crate::Error::new(crate::ErrorKind::InvalidSchema, "refused"));
        let cache = Cache::new(100_000);
        let start = std::time::Instant::now();
        for i in 0..100_000 {
            cache.get(&format!("{i:05}"), refused).unwrap_err();
            cache.get("00000", refused).unwrap_err();
        }
        assert_eq!(cache.usage(), (20_000, 100_000));
        cache.get("00000", || unreachable!("used all the time")).unwrap_err();
        cache.get("80001", || unreachable!("recent")).unwrap_err();
        assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    }
}
