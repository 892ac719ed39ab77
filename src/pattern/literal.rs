//! Finite sets of strings: `const`, `enum`, property names.
//!
//! The minimal acyclic automaton of a sorted list, built incrementally (J. Daciuk et al., "Incremental
//! construction of minimal acyclic finite-state automata", Computational Linguistics 26, 2000): only the
//! path of the last string is still open; when the next one leaves it, what is left behind is complete, and
//! is replaced by an equal state if there is one. Time is linear in the total length.

use rustc_hash::FxHashMap;

use super::spelling::canonical_spelling;
use super::table::Table;
use super::{ByteDfa, DfaState};

/// The canonical spellings of these strings, in the minimal automaton.
///
/// Order and repeats do not matter; no strings give the empty language.
pub fn literal_set(strings: &[&str]) -> ByteDfa {
    let mut spelled: Vec<Vec<u8>> = strings.iter().map(|text| canonical_spelling(text)).collect();
    spelled.sort_unstable();
    spelled.dedup();
    byte_strings(&spelled)
}

/// The minimal automaton of a sorted list of byte strings without repeats.
///
/// Boundaries are those of canonical spellings; texts of numbers have one at every byte, as they have
/// neither escapes nor bytes beyond ASCII.
pub(super) fn byte_strings(sorted: &[Vec<u8>]) -> ByteDfa {
    if sorted.is_empty() {
        return Table::new(Box::new([0; 256])).finish(ByteDfa::DEAD);
    }
    let mut dawg = Dawg::default();
    let mut open = vec![Node { accepting: false, boundary: true, edges: Vec::new() }];
    let mut previous: &[u8] = &[];
    for string in sorted {
        let shared = string.iter().zip(previous).take_while(|(a, b)| a == b).count();
        dawg.close(&mut open, previous, shared + 1);
        let mut reader = Reader::default();
        for (i, &byte) in string.iter().enumerate() {
            let boundary = reader.read(byte);
            if i >= shared {
                open.push(Node { accepting: false, boundary, edges: Vec::new() });
            }
        }
        if let Some(last) = open.last_mut() {
            last.accepting = true;
        }
        previous = string;
    }
    dawg.close(&mut open, previous, 1);
    let start = open.pop().map_or(ByteDfa::DEAD, |root| dawg.intern(root));
    dawg.table().finish(start)
}

#[derive(PartialEq, Eq, Hash)]
struct Node {
    accepting: bool,
    boundary: bool,
    edges: Vec<(u8, DfaState)>,
}

#[derive(Default)]
struct Dawg {
    ids: FxHashMap<Node, DfaState>,
}

impl Dawg {
    /// Completes the open states beyond the first `keep`; `path` is the string they spell.
    fn close(&mut self, open: &mut Vec<Node>, path: &[u8], keep: usize) {
        while open.len() > keep.max(1) {
            let Some(node) = open.pop() else { return };
            let id = self.intern(node);
            let byte = path[open.len() - 1];
            if let Some(parent) = open.last_mut() {
                parent.edges.push((byte, id));
            }
        }
    }

    fn intern(&mut self, node: Node) -> DfaState {
        let fresh = self.ids.len() as DfaState + 1;
        *self.ids.entry(node).or_insert(fresh)
    }

    fn table(self) -> Table {
        let mut classes = Box::new([0u8; 256]);
        let mut used = [false; 256];
        self.ids.keys().for_each(|n| n.edges.iter().for_each(|e| used[usize::from(e.0)] = true));
        let mut next = 0;
        for (class, _) in classes.iter_mut().zip(used).filter(|(_, used)| *used) {
            next += 1;
            *class = next;
        }
        let mut table = Table::new(classes);
        let mut nodes: Vec<(Node, DfaState)> = self.ids.into_iter().collect();
        nodes.sort_unstable_by_key(|(_, id)| *id);
        for (node, _) in &nodes {
            table.push(node.accepting, node.boundary);
        }
        for (node, id) in &nodes {
            node.edges.iter().for_each(|&(byte, to)| table.set(*id, byte, to));
        }
        table
    }
}

/// Follows canonical spelling, to know where characters end.
#[derive(Default)]
struct Reader {
    /// Bytes that the character still needs at least.
    missing: u8,
    escape: bool,
}

impl Reader {
    /// Reads a byte and says whether it completes a character.
    fn read(&mut self, byte: u8) -> bool {
        if self.missing > 0 {
            self.missing -= 1;
            if std::mem::take(&mut self.escape) && byte == b'u' {
                self.missing = 4;
            }
        } else {
            self.escape = byte == b'\\';
            self.missing = match byte {
                b'\\' => 1,
                0xc0..=0xdf => 1,
                0xe0..=0xef => 2,
                0xf0..=0xff => 3,
                _ => 0,
            };
        }
        self.missing == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tails_are_shared() {
        let dfa = literal_set(&["monday", "tuesday", "monday"]);
        assert!(dfa.accepts(b"monday") && dfa.accepts(b"tuesday") && !dfa.accepts(b"day"));
        assert_eq!(dfa.len() - 1, 1 + 2 + 3 + 4);
        assert!(literal_set(&[]).is_empty());
        let empty = literal_set(&[""]);
        assert!(empty.accepts(b"") && empty.len() == 2 && !empty.accepts(b"a"));
    }

    #[test]
    fn control_prefix_is_not_a_character() {
        let dfa = literal_set(&["\u{1}", "a1"]);
        let after = |bytes: &[u8]| bytes.iter().fold(dfa.start, |s, &b| dfa.next(s, b));
        assert!(!dfa.boundary[after(b"\\u000") as usize]);
        assert!(dfa.boundary[after(b"a") as usize]);
    }

    #[test]
    fn five_thousand_strings() {
        let strings: Vec<String> = (0..5000u64).map(|i| format!("value-{}-{i}", i * 7919 % 5003)).collect();
        let strings: Vec<&str> = strings.iter().map(String::as_str).collect();
        let begun = std::time::Instant::now();
        let dfa = literal_set(&strings);
        eprintln!("5,000 strings: {} states, {:?}", dfa.len(), begun.elapsed());
        assert!(strings.iter().all(|s| dfa.accepts(s.as_bytes())));
    }

    proptest! {
        #[test]
        fn accepts_exactly_the_set(set in prop::collection::vec("[ab\"\\\\\n\u{1}é😀]{0,4}", 0..12), other in "[ab\"\\\\\n\u{1}é😀]{0,4}") {
            let strings: Vec<&str> = set.iter().map(String::as_str).collect();
            let dfa = literal_set(&strings);
            for s in &strings {
                prop_assert!(dfa.accepts(&canonical_spelling(s)));
            }
            prop_assert_eq!(dfa.accepts(&canonical_spelling(&other)), set.contains(&other));
            prop_assert_eq!(dfa.is_empty(), set.is_empty());
        }
    }
}
