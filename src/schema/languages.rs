//! The languages that schemas assert of strings and numbers, from [`crate::pattern`].

use std::sync::Arc;

use crate::error::Result;
use crate::ir::Range;
pub use crate::pattern::PatternLimits;
use crate::pattern::{self, ByteDfa, Digits, NumberSpec};

pub(super) fn pattern(source: &str, limits: &PatternLimits) -> Result<Arc<ByteDfa>> {
    pattern::shared_pattern(source, limits)
}

/// See [`pattern::shared_uncounted`].
pub(super) fn uncounted(source: &str, limits: &PatternLimits) -> Result<(Arc<ByteDfa>, Range)> {
    pattern::shared_uncounted(source, limits)
}

pub(super) fn format(name: &str) -> Option<Arc<ByteDfa>> {
    pattern::format(name)
}

/// For a format whose automaton accepts less than the standard: one that accepts at least that. What is judged
/// for *not* having the format must be outside of it.
pub(super) fn wider_format(name: &str) -> Option<Arc<ByteDfa>> {
    let pattern = match name {
        "date" | "duration" | "ipv4" | "ipv6" | "uuid" | "json-pointer" | "relative-json-pointer" => {
            return None;
        }
        "uri" | "uri-reference" | "iri" | "iri-reference" | "uri-template" => return None,
        "date-time" => "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]",
        "time" => "^[0-9]{2}:[0-9]{2}:[0-9]{2}",
        "email" => "@",
        "hostname" => "^[A-Za-z0-9.-]+$",
        _ => return Some(pattern::canonical_any()),
    };
    let wider = pattern::shared_pattern(pattern, &PatternLimits::default());
    Some(wider.unwrap_or_else(|_| pattern::canonical_any()))
}

/// `texts` sorted, without repeats.
pub(super) fn literals(texts: &[&str]) -> ByteDfa {
    pattern::literal_set(texts)
}

pub(super) fn number(spec: &NumberSpec) -> Result<Arc<ByteDfa>> {
    pattern::shared_number(spec, Digits::Limited)
}
