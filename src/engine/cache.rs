//! The cache of compiled grammars: each schema is compiled once, also under concurrent callers.

use std::sync::{Arc, Mutex, OnceLock};

use rustc_hash::FxHashMap;

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
    entries: FxHashMap<Arc<str>, Entry>,
    clock: u64,
    bytes: usize,
}

struct Entry {
    cell: Cell,
    used: u64,
    bytes: usize,
}

impl Cache {
    pub fn new(max_bytes: usize) -> Self {
        Cache { inner: Mutex::default(), max_bytes }
    }

    /// The grammar of `key`, compiled by `compile` unless somebody did or is about to: then it is waited
    /// for. Errors are remembered too.
    pub fn get(&self, key: &str, compile: impl FnOnce() -> Result<Grammar>) -> Result<Arc<Grammar>> {
        let cell = self.cell(key);
        let mut mine = false;
        let result = cell.get_or_init(|| {
            mine = true;
            compile().map(Arc::new)
        });
        if mine {
            let bytes = result.as_ref().map_or(0, |g| g.as_bytes().len());
            self.account(key, bytes + key.len());
        }
        result.clone()
    }

    fn cell(&self, key: &str) -> Cell {
        let mut inner = self.lock();
        inner.clock += 1;
        let used = inner.clock;
        if let Some(entry) = inner.entries.get_mut(key) {
            entry.used = used;
            return entry.cell.clone();
        }
        let cell = Cell::default();
        inner.entries.insert(key.into(), Entry { cell: cell.clone(), used, bytes: 0 });
        cell
    }

    /// Books the size of a new entry and drops old ones beyond the bound. Slots keep theirs alive.
    fn account(&self, key: &str, bytes: usize) {
        let mut inner = self.lock();
        if let Some(entry) = inner.entries.get_mut(key) {
            entry.bytes = bytes;
            inner.bytes += bytes;
        }
        while inner.bytes > self.max_bytes {
            let done = inner.entries.iter().filter(|(k, e)| e.bytes > 0 && &***k != key);
            let Some(oldest) = done.min_by_key(|(_, e)| e.used).map(|(k, _)| k.clone()) else { break };
            let entry = inner.entries.remove(&oldest).expect("just found");
            inner.bytes -= entry.bytes;
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
}
