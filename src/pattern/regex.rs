//! `pattern`: ECMA-262 regular expressions as string automata.

use regex_syntax::hir::Hir;

use super::ByteDfa;
use super::determinise::determinise;
use super::ecma::{anything_before, parse};
use super::lookaround::Lookaround;
use super::spelling::spell;
use crate::error::{Error, ErrorKind, Result};

/// How large a pattern may become.
///
/// A repeat count is unrolled, and a pattern such as `a.{30}$` needs a state for each of 2^30 histories;
/// the limits make both an error within about 200 ms instead of a stall.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PatternLimits {
    /// States of the automaton. Default 20,000: a table of a few MiB.
    pub max_states: usize,
    /// Bytes of the intermediate NFA. Default 4 MiB.
    pub max_nfa_bytes: usize,
    /// Steps of the subset construction, each a few nanoseconds. Default 10 million.
    pub max_steps: u64,
}

impl Default for PatternLimits {
    fn default() -> Self {
        PatternLimits { max_states: 20_000, max_nfa_bytes: 4 << 20, max_steps: 10_000_000 }
    }
}

/// The canonical spellings of the strings that `pattern` matches.
///
/// Search semantics, as JSON Schema has them: the pattern may match anywhere in the string unless `^` and
/// `$` say otherwise; these mean the very start and the very end. Unicode mode: a character is a code point.
/// `\d` and `\w` (and `\b`) are ASCII, `\s` is ECMA-262's white space, `.` is everything but line
/// terminators. `(?<name>…)` and lazy quantifiers are accepted and change nothing; `(?i:…)` and `(?s:…)`, of
/// ES2025, mean what they say. Lookahead and lookbehind are exact, by intersection and complement.
///
/// # Errors
///
/// [`ErrorKind::InvalidSchema`] if the pattern is not an ECMA-262 regular expression;
/// [`ErrorKind::UnsupportedKeyword`] for backreferences, unscoped flags, the flag `m`, lookbehind within lookaround,
/// and assertions other than `^` in lookbehind; [`ErrorKind::LimitExceeded`] if it is larger than `limits`. The message quotes the pattern and the
/// position; the JSON pointer is left to the caller.
///
/// ```
/// use warpgrammar::pattern::{compile_pattern, canonical_spelling, PatternLimits};
/// let dfa = compile_pattern(r"^[A-Z]\d+$", &PatternLimits::default())?;
/// assert!(dfa.accepts(&canonical_spelling("A42")));
/// assert!(!dfa.accepts(&canonical_spelling("A42!")));
/// # Ok::<(), warpgrammar::Error>(())
/// ```
pub fn compile_pattern(pattern: &str, limits: &PatternLimits) -> Result<ByteDfa> {
    let (hir, looks) = parse(pattern)?;
    compile_hir(pattern, hir, &looks, limits)
}

/// The canonical spellings of the strings that `hir` matches; `pattern` is what errors name.
pub(super) fn compile_hir(
    pattern: &str,
    hir: Hir,
    looks: &[Lookaround],
    limits: &PatternLimits,
) -> Result<ByteDfa> {
    let hir = Hir::concat(vec![anything_before(&hir), hir]);
    let dfa = spell(&determinise(&hir, looks, limits)?);
    if dfa.len() > limits.max_states {
        let what = format!(
            "pattern {pattern:?} needs {} states; at most {} are allowed",
            dfa.len(),
            limits.max_states
        );
        return Err(Error::new(ErrorKind::LimitExceeded, what));
    }
    Ok(dfa)
}
