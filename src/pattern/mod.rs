//! Languages of strings and numbers as deterministic byte automata.
//!
//! Everything here ends in a [`ByteDfa`]: regular expressions of the ECMA-262 dialect that JSON Schema
//! uses, the string formats, string literals, numeric ranges. This is the only home of `regex-*`.
//!
//! **Canonical spelling.** A string's automaton reads the bytes *between* the quotes of a JSON string,
//! in the one canonical spelling of each character: raw UTF-8, except `\"`, `\\`, `\b`, `\f`, `\n`,
//! `\r`, `\t` and `\u00xx` (lower-case hex) for the other control characters. It accepts exactly the
//! canonical spellings of the strings in the language, and never reads the closing quote.

mod determinise;
mod dfa;
mod ecma;
mod ecma_class;
mod format;
mod length;
mod literal;
mod lookaround;
pub(crate) mod minimise;
mod number;
mod outside;
mod product;
mod regex;
mod shared;
mod spelling;
mod table;
mod unfold;

pub use dfa::{ByteDfa, DfaState};
pub use format::format;
pub use length::compile_uncounted;
pub use literal::literal_set;
pub use number::{
    COUNTED_DIGITS, Digits, any_number, is_countable, is_short, number, number_with, whole_divisor,
};
pub use outside::number_outside;
pub use product::product;
pub use regex::{PatternLimits, compile_pattern};
pub use shared::{shared_number, shared_pattern, shared_uncounted};
pub use spelling::{canonical_any, canonical_edges, canonical_spelling, is_universal};

/// What a number must satisfy, in exact decimal text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NumberSpec {
    /// Only integers.
    pub integer: bool,
    /// Least value.
    pub minimum: Option<Bound>,
    /// Greatest value.
    pub maximum: Option<Bound>,
    /// The value is a multiple of this positive integer, in units of 10^-`decimals`.
    pub multiple_of: Option<u64>,
    /// See [`multiple_of`](Self::multiple_of): 25 with 2 decimals is 0.25.
    pub decimals: u8,
    /// If set, only the value of this JSON number: every other field is ignored.
    pub constant: Option<String>,
}

/// One end of a numeric range.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bound {
    /// The JSON number text of the bound, as the schema spells it (`"1e3"`, `"-0.50"`).
    pub value: String,
    /// Whether the bound itself is excluded.
    pub exclusive: bool,
}
