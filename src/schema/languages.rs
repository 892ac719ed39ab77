//! The languages that schemas assert of strings and numbers, from [`crate::pattern`].

use std::sync::Arc;

use crate::error::Result;
pub use crate::pattern::PatternLimits;
use crate::pattern::{self, ByteDfa, NumberSpec};

pub(super) fn pattern(source: &str, limits: &PatternLimits) -> Result<ByteDfa> {
    pattern::compile_pattern(source, limits)
}

pub(super) fn format(name: &str) -> Option<Arc<ByteDfa>> {
    pattern::format(name)
}

/// `texts` sorted, without repeats.
pub(super) fn literals(texts: &[&str]) -> ByteDfa {
    pattern::literal_set(texts)
}

pub(super) fn number(spec: &NumberSpec) -> Result<ByteDfa> {
    pattern::number(spec)
}
