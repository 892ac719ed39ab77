//! Regular expressions of ECMA-262, as far as they are a regular language.
//!
//! Groups nest, so the whole language is none; and names of groups must differ, back-references refer, and
//! ranges ascend. What is written here is valid with and without the flag `u`: groups up to three deep,
//! lookaround at the top with groups in it, no names and no back-references, ranges between ASCII letters or
//! digits, counts that differ in their first digit or are below 10, no raw control characters.

use std::fmt::Write;

/// The pattern of patterns.
pub(super) fn regex() -> String {
    let (mut groups, mut body) = (String::new(), String::new());
    let (mut in_look, atom, quantifier) = (String::new(), atom(), quantifier());
    for depth in 0..=3 {
        let look = if depth == 3 { format!(r"|\((?:\?=|\?!|\?<=|\?<!){in_look}\)") } else { String::new() };
        let term = format!(r"(?:(?:{atom}{groups})(?:{quantifier})?|[\^$]|\\[bB]{look})");
        body = format!(r"{term}*(?:\|{term}*)*");
        groups = format!(r"|\((?:\?:)?{body}\)");
        if depth == 1 {
            in_look.clone_from(&body);
        }
    }
    format!("^{body}$")
}

/// A character, an escape or a class.
fn atom() -> String {
    let escape = r"\\(?:[dDwWsStnrfv^$\\.*+?()\[\]{}|/]|c[A-Za-z]|x[0-9A-Fa-f]{2}|u(?:[0-9A-CEFa-cef][0-9A-Fa-f]|[dD][0-7])[0-9A-Fa-f]{2}|[pP]\{(?:L[ultmo]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?)\})";
    let in_class = r"\\(?:[dDwWsStnrfvb^$\\.*+?()\[\]{}|/\-]|x[0-9A-Fa-f]{2}|u(?:[0-9A-CEFa-cef][0-9A-Fa-f]|[dD][0-7])[0-9A-Fa-f]{2}|[pP]\{(?:L[ultmo]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?)\})";
    let mut item = format!(r"[^\x00-\x1f\\\[\]\-]|{in_class}");
    for (first, last) in [(b'0', b'9'), (b'A', b'Z'), (b'a', b'z')] {
        for low in first..=last {
            let (low, last) = (char::from(low), char::from(last));
            let _ = write!(item, "|{low}-[{low}-{last}]");
        }
    }
    format!(r"[^\x00-\x1f\\^$.*+?()\[\]{{}}|]|\.|{escape}|\[\^?-?(?:{item})*-?\]")
}

/// `*`, `+`, `?`, `{n}`, `{n,}` and `{n,m}`, up to three digits, greedy and lazy.
fn quantifier() -> String {
    let mut pairs = String::new();
    for n in 0..=9 {
        let _ = write!(pairs, "|{n},[{n}-9]");
    }
    for tens in 1..9 {
        let _ = write!(pairs, r"|{tens}\d,[{}-9]\d", tens + 1);
    }
    format!(r"(?:[*+?]|\{{(?:\d{{1,3}},?|\d,[1-9]\d|(?:\d|[1-9]\d),[1-9]\d\d{pairs})\}})\??")
}
