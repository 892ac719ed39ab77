//! JSON pointers (RFC 6901), written and read.

use std::borrow::Cow;
use std::sync::Arc;

/// Appends `/token`, escaped.
pub(super) fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    for c in token.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            _ => pointer.push(c),
        }
    }
}

/// A token as it was before escaping.
pub(super) fn unescape(token: &str) -> Cow<'_, str> {
    if token.contains('~') { token.replace("~1", "/").replace("~0", "~").into() } else { token.into() }
}

/// The bytes behind `%XX` in a URI fragment, or `None` if they are not UTF-8 or an escape is broken.
pub(super) fn percent_decode(fragment: &str) -> Option<Cow<'_, str>> {
    if !fragment.contains('%') {
        return Some(fragment.into());
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(fragment.len()), fragment.as_bytes());
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, tail @ ..] = rest else {
            return None;
        };
        let digit = |b: u8| (b as char).to_digit(16);
        bytes.push((digit(*high)? * 16 + digit(*low)?) as u8);
        rest = tail;
    }
    String::from_utf8(bytes).ok().map(Cow::from)
}

/// The pointer for keeping with a node: about 1 KiB at most, the middle left out.
///
/// Thousands of schemas below one key of a megabyte would otherwise keep gigabytes.
pub(super) fn keep(pointer: &str) -> Arc<str> {
    const HALF: usize = 512;
    if pointer.len() <= 2 * HALF {
        return Arc::from(pointer);
    }
    let boundary = |from: usize| (from..).find(|&i| pointer.is_char_boundary(i)).unwrap_or(pointer.len());
    let (head, tail) = (boundary(HALF), boundary(pointer.len() - HALF));
    Arc::from(format!("{}…{}", &pointer[..head], &pointer[tail..]))
}
