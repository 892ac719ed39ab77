//! The string and number languages that leaves are made of: the one place that calls `pattern`.
//!
//! Stand-ins until the real builders are merged: each leaf's language is one literal text that names
//! it, so that different leaves stay different nodes.

use std::sync::Arc;

use crate::error::Result;
use crate::pattern::{ByteDfa, NumberSpec};

/// Whether patterns, formats and numbers are stand-ins, which tests of meaning must leave out.
#[cfg(test)]
pub(super) const STAND_INS: bool = true;

/// Stand-in for the limits of pattern compilation.
#[derive(Clone, Debug, Default)]
pub struct PatternLimits;

/// Strings that match an ECMA-262 pattern somewhere.
pub(super) fn pattern(source: &str, _limits: &PatternLimits) -> Result<ByteDfa> {
    Ok(literals(&[&format!("pattern {source}")]))
}

/// Strings of a named format, if it is one that is enforced.
pub(super) fn format(name: &str) -> Option<Arc<ByteDfa>> {
    const NAMES: [&str; 9] =
        ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];
    NAMES.contains(&name).then(|| Arc::new(literals(&[&format!("format {name}")])))
}

/// Exactly these strings.
pub(super) fn literals(texts: &[&str]) -> ByteDfa {
    let mut classes = Box::new([0u8; 256]);
    let mut stride = 1u32;
    for &b in texts.iter().flat_map(|t| t.as_bytes()) {
        if classes[b as usize] == 0 {
            classes[b as usize] = stride as u8;
            stride += 1;
        }
    }
    let width = stride as usize;
    let (mut rows, mut accepting) = (vec![0; 2 * width], vec![false; 2]);
    for text in texts {
        let mut state = 1usize;
        for b in text.bytes() {
            let edge = state * width + classes[b as usize] as usize;
            if rows[edge] == 0 {
                rows[edge] = accepting.len() as u32;
                rows.extend(vec![0; width]);
                accepting.push(false);
            }
            state = rows[edge] as usize;
        }
        accepting[state] = true;
    }
    let boundary = vec![true; accepting.len()];
    let start = u32::from(!texts.is_empty());
    ByteDfa { classes, stride, rows, accepting, boundary, start }
}

/// Numbers that satisfy `spec`.
pub(super) fn number(spec: &NumberSpec) -> Result<ByteDfa> {
    Ok(literals(&[&format!("{spec:?}")]))
}
