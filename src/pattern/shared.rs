//! Automata that were made lately, kept for whoever asks for the same again.
//!
//! Schemas have their bounds and patterns in common: `{"type": "integer"}` alone is in most. An automaton is
//! immutable, so all grammars of a process can share it.

use std::hash::Hash;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::{ByteDfa, Digits, NumberSpec, PatternLimits, compile_pattern, compile_uncounted, number_with};
use crate::error::Result;
use crate::ir::Range;

/// Bytes of automata that are kept, of each kind.
const MOST_BYTES: usize = 8 << 20;

/// As [`number_with`], of which the process keeps some.
///
/// # Errors
/// As [`number_with`].
pub fn shared_number(spec: &NumberSpec, digits: Digits) -> Result<Arc<ByteDfa>> {
    static MADE: LazyLock<Made<(NumberSpec, Digits)>> = LazyLock::new(Made::new);
    MADE.get(&(spec.clone(), digits), || number_with(spec, digits))
}

/// As [`compile_pattern`], of which the process keeps some.
///
/// # Errors
/// As [`compile_pattern`].
pub fn shared_pattern(pattern: &str, limits: &PatternLimits) -> Result<Arc<ByteDfa>> {
    static MADE: LazyLock<Made<(String, PatternLimits)>> = LazyLock::new(Made::new);
    MADE.get(&(pattern.to_owned(), limits.clone()), || compile_pattern(pattern, limits))
}

/// What a pattern of string values comes to where the frame counts characters: the automaton of
/// [`compile_uncounted`] and the lengths that it asks for, or the whole pattern's and [`Range::ANY`].
///
/// # Errors
/// As [`compile_pattern`].
pub fn shared_uncounted(pattern: &str, limits: &PatternLimits) -> Result<(Arc<ByteDfa>, Range)> {
    static MADE: LazyLock<Made<(String, PatternLimits), Range>> = LazyLock::new(Made::new);
    MADE.get_with(&(pattern.to_owned(), limits.clone()), || match compile_uncounted(pattern, limits)? {
        Some((dfa, lengths)) => Ok((Arc::new(dfa), lengths)),
        None => Ok((shared_pattern(pattern, limits)?, Range::ANY)),
    })
}

/// Automata, with what else is known of them, by what they were made from. When they have become too large all are forgotten: those in use come back, and
/// nothing has to be noted when one is used.
struct Made<K, V = ()> {
    kept: Mutex<Kept<K, V>>,
}

struct Kept<K, V> {
    automata: FxHashMap<K, (Arc<ByteDfa>, V)>,
    bytes: usize,
}

impl<K: Clone + Eq + Hash> Made<K> {
    fn get(&self, key: &K, make: impl FnOnce() -> Result<ByteDfa>) -> Result<Arc<ByteDfa>> {
        Ok(self.get_with(key, || Ok((Arc::new(make()?), ())))?.0)
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Made<K, V> {
    fn new() -> Self {
        Made { kept: Mutex::new(Kept { automata: FxHashMap::default(), bytes: 0 }) }
    }

    /// Made outside the lock: two threads may make the same at the same time, but none waits for another's.
    fn get_with(
        &self,
        key: &K,
        make: impl FnOnce() -> Result<(Arc<ByteDfa>, V)>,
    ) -> Result<(Arc<ByteDfa>, V)> {
        // A panic while the lock is held leaves at most an entry missing.
        let lock = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().automata.get(key) {
            return Ok(known.clone());
        }
        let made = make()?;
        let bytes = 256 + made.0.rows.len() * size_of::<u32>() + 2 * made.0.len();
        let mut kept = lock();
        if kept.bytes + bytes > MOST_BYTES {
            kept.automata.clear();
            kept.bytes = 0;
        }
        if bytes <= MOST_BYTES && kept.automata.insert(key.clone(), made.clone()).is_none() {
            kept.bytes += bytes;
        }
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded() {
        let made: Made<u32> = Made::new();
        let large = || compile_pattern("^[ab]{0,3000}$", &PatternLimits::default());
        let first = made.get(&0, large).unwrap();
        assert!(Arc::ptr_eq(&first, &made.get(&0, || unreachable!("it is kept")).unwrap()));
        for key in 1..400 {
            made.get(&key, large).unwrap();
            assert!(made.kept.lock().unwrap().bytes <= MOST_BYTES);
        }
        assert!(!Arc::ptr_eq(&first, &made.get(&0, large).unwrap()));
        let failing = || Err(crate::error::Error::new(crate::error::ErrorKind::InvalidSchema, "no"));
        assert!(made.get(&1000, failing).is_err() && made.get(&1000, large).is_ok());
    }
}
