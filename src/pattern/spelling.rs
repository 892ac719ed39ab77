//! The JSON string layer: from the characters of a string to their one canonical spelling.
//!
//! Constructions for strings (patterns, formats) first build an automaton over the UTF-8 of the *decoded*
//! string. [`spell`] turns it into one over the canonical spelling between the quotes: bytes that may stand
//! raw keep their edges, and from every character boundary hangs a little tree for the escapes:
//!
//! ```text
//! s ── \ ── `"` `\` b f n r t ──► δ(s, that character)
//!        └─ u ─ 0 ─ 0 ─┬─ 0 ─ 0-7 b e f ──► δ(s, U+0000 …)
//!                      └─ 1 ─ 0-9 a-f ────► δ(s, U+0010 …)
//! ```
//!
//! Equal trees are shared, so a class that treats all controls alike costs five states. JSON strings and
//! their escapes: RFC 8259, section 7.

use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;

use super::table::{Table, interval_classes};
use super::{ByteDfa, DfaState};

/// Characters with a two-byte escape, and the letter of that escape.
const SHORT: [(u8, u8); 7] =
    [(b'"', b'"'), (b'\\', b'\\'), (8, b'b'), (12, b'f'), (10, b'n'), (13, b'r'), (9, b't')];

/// Bytes that take part in escapes and need classes of their own: `u`, the letters of the short escapes and
/// the hexadecimal digits.
const ESCAPE_BYTES: &[u8] = b"\"\\nrtu0123456789abcdef";

/// The canonical spelling of a string, without the quotes.
///
/// Raw UTF-8, except `\"`, `\\`, `\b`, `\f`, `\n`, `\r`, `\t` and `\u00xx` (lower-case hexadecimal) for the
/// other control characters below U+0020.
pub fn canonical_spelling(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text.as_bytes() {
        match SHORT.iter().find(|(raw, _)| *raw == byte) {
            Some((_, letter)) => out.extend([b'\\', *letter]),
            None if byte < 0x20 => {
                let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
                out.extend([b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]);
            }
            None => out.push(byte),
        }
    }
    out
}

/// The automaton of every string in its canonical spelling.
pub fn canonical_any() -> Arc<ByteDfa> {
    static ANY: OnceLock<Arc<ByteDfa>> = OnceLock::new();
    ANY.get_or_init(|| {
        let mut table = Table::new(interval_classes(utf8_cut));
        let start = push_any(&mut table);
        Arc::new(spell(&table.finish(start)))
    })
    .clone()
}

/// The edges of a state of [`canonical_any`]: `(first byte, last byte, successor)`, ascending, as few as possible.
pub fn canonical_edges(state: DfaState) -> &'static [(u8, u8, DfaState)] {
    static EDGES: OnceLock<Vec<Vec<(u8, u8, DfaState)>>> = OnceLock::new();
    let all = EDGES.get_or_init(|| {
        let any = canonical_any();
        (0..any.len() as DfaState)
            .map(|state| {
                let successors: Vec<DfaState> = (0..=255).map(|b| any.next(state, b)).collect();
                let mut from = 0;
                let runs = successors.chunk_by(|a, b| a == b).map(|run| {
                    from += run.len();
                    ((from - run.len()) as u8, (from - 1) as u8, run[0])
                });
                runs.filter(|run| run.2 != ByteDfa::DEAD).collect()
            })
            .collect()
    });
    &all[state as usize]
}

/// Whether a string automaton, at a boundary between characters, accepts every string from `state` on.
///
/// Both are followed side by side. An automaton that accepts everything has hardly more states than
/// [`canonical_any`]; one that goes on for longer is taken to reject something, so a large one may be missed.
pub fn is_universal(dfa: &ByteDfa, state: DfaState) -> bool {
    const MAX_PAIRS: usize = 64;
    let any = canonical_any();
    let mut seen = vec![(any.start, state)];
    let mut next = 0;
    while let Some(&(a, s)) = seen.get(next) {
        next += 1;
        if any.accepting[a as usize] != dfa.accepting[s as usize] || seen.len() > MAX_PAIRS {
            return false;
        }
        for b in 0..=255u8 {
            let pair = (any.next(a, b), dfa.next(s, b));
            if pair.0 != ByteDfa::DEAD && !seen.contains(&pair) {
                seen.push(pair);
            }
        }
    }
    true
}

/// Whether UTF-8 tells `byte` and `byte + 1` apart (RFC 3629, section 4).
pub(super) fn utf8_cut(byte: u8) -> bool {
    matches!(byte, 0x7f | 0x8f | 0x9f | 0xbf | 0xc1 | 0xdf | 0xe0 | 0xec | 0xed | 0xef | 0xf0 | 0xf3 | 0xf4)
}

/// Adds the states of well-formed UTF-8 to a table whose classes respect [`utf8_cut`], and returns the
/// state at the boundary, which accepts.
pub(super) fn push_any(table: &mut Table) -> DfaState {
    let any = table.push(true, true);
    let mut inner = || table.push(false, false);
    let (one, two, three) = (inner(), inner(), inner());
    let (e0, ed, f0, f4) = (inner(), inner(), inner(), inner());
    for (state, low, high, to) in [
        (any, 0x00, 0x7f, any),
        (any, 0xc2, 0xdf, one),
        (any, 0xe0, 0xe0, e0),
        (any, 0xe1, 0xef, two),
        (any, 0xed, 0xed, ed),
        (any, 0xf0, 0xf0, f0),
        (any, 0xf1, 0xf3, three),
        (any, 0xf4, 0xf4, f4),
        (one, 0x80, 0xbf, any),
        (two, 0x80, 0xbf, one),
        (three, 0x80, 0xbf, two),
        (e0, 0xa0, 0xbf, one),
        (ed, 0x80, 0x9f, one),
        (f0, 0x90, 0xbf, two),
        (f4, 0x80, 0x8f, two),
    ] {
        (low..=high).for_each(|byte| table.set(state, byte, to));
    }
    any
}

/// From an automaton over the UTF-8 of decoded strings to one over their canonical spelling.
pub(super) fn spell(decoded: &ByteDfa) -> ByteDfa {
    // Classes of the result: 0 for what is never raw, then the decoded ones, then one per escape byte.
    let mut classes = Box::new([0u8; 256]);
    let mut source: Vec<Option<u8>> = vec![None];
    let mut fresh: Vec<Option<u8>> = vec![None; decoded.stride as usize];
    for byte in 0x20..=0xffu8 {
        let old = decoded.classes[usize::from(byte)];
        let class = &mut classes[usize::from(byte)];
        if ESCAPE_BYTES.contains(&byte) {
            *class = source.len() as u8;
            source.push((byte != b'"' && byte != b'\\').then_some(old));
        } else {
            *class = *fresh[usize::from(old)].get_or_insert_with(|| {
                source.push(Some(old));
                (source.len() - 1) as u8
            });
        }
    }
    let mut table = Table::new(classes);
    for s in 1..decoded.len() {
        table.push(decoded.accepting[s], decoded.boundary[s]);
    }
    let mut trees = EscapeTrees::default();
    for s in 1..decoded.len() as DfaState {
        for (class, &old) in source.iter().enumerate() {
            if let Some(old) = old {
                let to = decoded.rows[s as usize * decoded.stride as usize + usize::from(old)];
                table.row_mut(s)[class] = to;
            }
        }
        if decoded.boundary[s as usize] {
            let to = trees.root(&mut table, |character| decoded.next(s, character));
            table.set(s, b'\\', to);
        }
    }
    table.finish(decoded.start)
}

/// The escape trees built so far, by what their leaves are.
#[derive(Default)]
struct EscapeTrees {
    by_edges: FxHashMap<Vec<(u8, DfaState)>, DfaState>,
}

impl EscapeTrees {
    /// The state after `\` from which the escape of `c` leads to `target(c)`.
    fn root(&mut self, table: &mut Table, target: impl Fn(u8) -> DfaState) -> DfaState {
        let low = self.digits(table, 0x00, &target);
        let high = self.digits(table, 0x10, &target);
        let third = self.node(table, vec![(b'0', low), (b'1', high)]);
        let second = self.node(table, vec![(b'0', third)]);
        let first = self.node(table, vec![(b'0', second)]);
        let mut edges: Vec<_> = SHORT.iter().map(|&(c, letter)| (letter, target(c))).collect();
        edges.push((b'u', first));
        self.node(table, edges)
    }

    /// The state before the last hexadecimal digit of the controls `base..base + 16`.
    fn digits(&mut self, table: &mut Table, base: u8, target: &impl Fn(u8) -> DfaState) -> DfaState {
        let long = |c: &u8| SHORT.iter().all(|(raw, _)| raw != c);
        let digit = |c: u8| (b"0123456789abcdef"[usize::from(c - base)], target(c));
        let edges = (base..base + 16).filter(long).map(digit).collect();
        self.node(table, edges)
    }

    fn node(&mut self, table: &mut Table, mut edges: Vec<(u8, DfaState)>) -> DfaState {
        edges.retain(|&(_, to)| to != ByteDfa::DEAD);
        if edges.is_empty() {
            return ByteDfa::DEAD;
        }
        if let Some(&state) = self.by_edges.get(&edges) {
            return state;
        }
        let state = table.push(false, false);
        edges.iter().for_each(|&(byte, to)| table.set(state, byte, to));
        self.by_edges.insert(edges, state);
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn any_has_fourteen_live_states() {
        let any = canonical_any();
        assert_eq!(any.len() - 1, 14, "{any:?}");
        assert!(any.accepts("a\u{7f}é€😀".as_bytes()));
        assert!(any.accepts(br#"\"\\\b\f\n\r\t\u0000\u001f\u000b"#));
        for bad in
            [&br#"\/"#[..], b"\"", b"\n", br"\u0061", br"\u000A", br"\u0008", br"\u0020", b"\\", b"\xff"]
        {
            assert!(!any.accepts(bad), "{bad:?}");
        }
        assert!(!any.accepts(b"\xed\xa0\x80"), "surrogates have no UTF-8");
    }

    proptest! {
        /// Every string is accepted, and passes as many boundaries as it has characters.
        #[test]
        fn any_string_counts_its_characters(text in "\\PC*|[\\x00-\\x7f]*|.*") {
            let any = canonical_any();
            let spelled = canonical_spelling(&text);
            let json = [b"\"", &spelled[..], b"\""].concat();
            let back: String = serde_json::from_slice(&json).unwrap();
            prop_assert_eq!(&back, &text);
            let (mut state, mut count) = (any.start, 0);
            for byte in spelled {
                state = any.next(state, byte);
                count += usize::from(any.boundary[state as usize]);
            }
            prop_assert!(any.accepting[state as usize]);
            prop_assert_eq!(count, text.chars().count());
        }
    }
}
