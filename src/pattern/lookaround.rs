//! Lookahead and lookbehind, as automata that run beside the pattern's own.
//!
//! A lookahead at a position asserts something of the *rest* of the string, so meeting one starts an
//! automaton there and the match counts only if that accepts in the end: an *obligation*. A negative one
//! starts the complement. A lookbehind asserts something of what was *read*, so its automaton runs from the
//! start of the string and is merely asked. Both are exact, at any place in a pattern, in repeats as well.
//!
//! To the regular expression's syntax tree ([`Hir`]) an assertion is one of the kinds of [`Look`] that
//! ECMA-262 does not have, by number.

use regex_automata::util::look;
use regex_syntax::hir::{Hir, Look};

use super::ByteDfa;
use super::product::product;
use super::spelling::{push_any, utf8_cut};
use super::table::{Table, interval_classes};

/// What stands for the assertions of a pattern, in their order.
pub(super) const STAND_INS: [Look; 14] = [
    Look::StartLF,
    Look::EndLF,
    Look::StartCRLF,
    Look::EndCRLF,
    Look::WordUnicode,
    Look::WordUnicodeNegate,
    Look::WordStartAscii,
    Look::WordEndAscii,
    Look::WordStartUnicode,
    Look::WordEndUnicode,
    Look::WordStartHalfAscii,
    Look::WordEndHalfAscii,
    Look::WordStartHalfUnicode,
    Look::WordEndHalfUnicode,
];

/// One `(?=…)`, `(?!…)`, `(?<=…)` or `(?<!…)`.
#[derive(Clone, Debug)]
pub(super) struct Lookaround {
    pub body: Hir,
    pub behind: bool,
    pub negative: bool,
}

/// The same as the NFA has them: another type with the same names.
pub(super) const IN_NFA: [look::Look; STAND_INS.len()] = [
    look::Look::StartLF,
    look::Look::EndLF,
    look::Look::StartCRLF,
    look::Look::EndCRLF,
    look::Look::WordUnicode,
    look::Look::WordUnicodeNegate,
    look::Look::WordStartAscii,
    look::Look::WordEndAscii,
    look::Look::WordStartUnicode,
    look::Look::WordEndUnicode,
    look::Look::WordStartHalfAscii,
    look::Look::WordEndHalfAscii,
    look::Look::WordStartHalfUnicode,
    look::Look::WordEndHalfUnicode,
];

/// Which assertion a stand-in is.
pub(super) fn index(look: look::Look) -> Option<usize> {
    IN_NFA.iter().position(|stand_in| *stand_in == look)
}

/// What must come true of the rest of the string.
pub(super) struct Obligation {
    pub dfa: ByteDfa,
    /// The state in which nothing is owed any more, if there is one: from there every string is accepted.
    pub settled: Option<u32>,
}

impl Obligation {
    /// The strings that `ahead` accepts, or those it does not.
    pub fn new(ahead: ByteDfa, negative: bool) -> Obligation {
        let any = any_text();
        let dfa = if negative { product(&any, &ahead, |any, ahead| any && !ahead) } else { ahead };
        let settled = (1..dfa.len() as u32).find(|&state| accepts_everything(&dfa, state, &any));
        Obligation { dfa, settled }
    }
}

/// Every decoded string in UTF-8.
fn any_text() -> ByteDfa {
    let mut table = Table::new(interval_classes(utf8_cut));
    let start = push_any(&mut table);
    table.finish(start)
}

fn accepts_everything(dfa: &ByteDfa, state: u32, any: &ByteDfa) -> bool {
    if !dfa.boundary[state as usize] {
        return false;
    }
    let mut seen = vec![(state, any.start)];
    let mut done = 0;
    while let Some(&(state, text)) = seen.get(done) {
        done += 1;
        if any.accepting[text as usize] && !dfa.accepting[state as usize] {
            return false;
        }
        for byte in 0..=255u8 {
            let pair = (dfa.next(state, byte), any.next(text, byte));
            if pair.1 != ByteDfa::DEAD && !seen.contains(&pair) {
                // The minimal automaton of all strings is the only way to succeed: eight states.
                if pair.0 == ByteDfa::DEAD || seen.len() > 64 {
                    return false;
                }
                seen.push(pair);
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_settled_and_nothing_is_not() {
        let any = Obligation::new(any_text(), false);
        assert_eq!(any.settled, Some(any.dfa.start));
        let none = Obligation::new(any_text(), true);
        assert!(none.dfa.is_empty() && none.settled.is_none());
    }
}
