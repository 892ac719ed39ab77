//! Internationalised host names (RFC 5890) and mail addresses (RFC 6531).
//!
//! What IDNA 2008 allows in a label is a property of each code point of some version of Unicode, with rules
//! for neighbours, directions and normalisation. Here are scripts of which every sequence is in order in every
//! version: written from left to right, in letters that have no other case and no decomposition at hand.

use super::email::email;
use super::hostname::hostname;
use crate::pattern::ByteDfa;
use crate::pattern::product::product;
use crate::pattern::regex::{PatternLimits, compile_pattern};
use crate::pattern::table::Table;

/// Lower-case Latin-1, Greek and Cyrillic letters, kana, Han of Unicode 1.1 and Hangul syllables.
const LETTERS: &str = concat!(
    r"\u00E0-\u00F6\u00F8-\u00FF\u03AC-\u03AF\u03B1-\u03C1\u03C3-\u03CE\u0430-\u045F",
    r"\u3005\u3041-\u3096\u30A1-\u30FA\u30FC\u4E00-\u9FA5\uAC00-\uD7A3"
);

/// Up to five labels: ASCII of at most 31 characters, or at most 9 characters with letters beyond ASCII. As
/// an A-label such a one has at most 49 characters, so that five labels stay below the 253 of a name.
fn domain() -> String {
    let ascii = "(?!..--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,29}[A-Za-z0-9])?";
    let wide = format!(
        "(?!..--)(?=[a-z0-9-]*[{LETTERS}])[a-z0-9{LETTERS}](?:[a-z0-9{LETTERS}-]{{0,7}}[a-z0-9{LETTERS}])?"
    );
    format!(r"(?:{ascii}|{wide})(?:\.(?:{ascii}|{wide})){{0,4}}")
}

/// Host names as [`hostname`] has them, and those of [`domain`].
pub(super) fn idn_hostname() -> Option<ByteDfa> {
    let wide = compile_pattern(&format!("^{}$", domain()), &PatternLimits::default()).ok()?;
    Some(Table::minimised(product(&hostname(7, 63)?, &wide, |a, b| a || b)))
}

/// Mail addresses as [`email`] has them, and dot-strings of up to 64 octets before a [`domain`]: 64 ASCII
/// characters, or 16 with characters beyond ASCII.
pub(super) fn idn_email() -> Option<ByteDfa> {
    const ATEXT: &str = r"A-Za-z0-9!#$%&'*+\-/=?^_`{|}~";
    // No controls, spaces, marks of direction, private use or noncharacters.
    const WIDE: &str = r"\u00A1-\u00AC\u00AE-\u05FF\u0620-\u06DC\u0700-\u070E\u0710-\u08FF\u0900-\u167F\u1681-\u180D\u1820-\u1FFF\u2070-\u2FFF\u3001-\uD7FF\uF900-\uFDCF\uFE10-\uFEFE\uFF00-\uFFEF\u{10000}-\u{1FFFD}\u{20000}-\u{2FFFD}";
    let dots = |class: &str| format!(r"[{class}]+(?:\.[{class}]+)*");
    let (narrow, wide) = (dots(ATEXT), dots(&format!("{ATEXT}{WIDE}")));
    let pattern = format!("^(?:(?=[^@]{{1,64}}@){narrow}|(?=[^@]{{1,16}}@){wide})@{}$", domain());
    let dots = compile_pattern(&pattern, &PatternLimits::default()).ok()?;
    Some(Table::minimised(product(&email()?, &dots, |a, b| a || b)))
}
