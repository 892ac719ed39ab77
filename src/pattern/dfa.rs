//! The byte automaton that all string and number languages are compiled to.

use std::fmt;

/// A state of a [`ByteDfa`]. [`ByteDfa::DEAD`] is 0 in every automaton.
pub type DfaState = u32;

/// A deterministic automaton over bytes with dense rows over byte classes.
///
/// `next(s, b) = rows[s * stride + classes[b]]`. State 0 is dead: it has only itself as successor and
/// does not accept. Every other state is *live* (can reach an accepting state): construction trims,
/// so an empty language has `start == 0`.
///
/// For string automata a state is a *boundary* when a whole number of characters has been read. An
/// edge into a boundary state completes one character (escapes and multi-byte characters count once),
/// which is how lengths are counted. Number automata have no use for it; there every state is one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ByteDfa {
    /// Byte → class, classes numbered from 0 without gaps.
    pub classes: Box<[u8; 256]>,
    /// Number of classes.
    pub stride: u32,
    /// `[states, stride]` successors.
    pub rows: Vec<DfaState>,
    /// Per state: accepting.
    pub accepting: Vec<bool>,
    /// Per state: at a character boundary.
    pub boundary: Vec<bool>,
    /// Where reading starts; 0 if nothing is accepted.
    pub start: DfaState,
}

impl ByteDfa {
    /// The state that accepts nothing any more.
    pub const DEAD: DfaState = 0;

    /// Successor of `state` on `byte`.
    #[inline]
    pub fn next(&self, state: DfaState, byte: u8) -> DfaState {
        self.rows[state as usize * self.stride as usize + self.classes[byte as usize] as usize]
    }

    /// Number of states, the dead one included.
    pub fn len(&self) -> usize {
        self.accepting.len()
    }

    /// Whether nothing is accepted.
    pub fn is_empty(&self) -> bool {
        self.start == Self::DEAD
    }

    /// Whether `bytes` is accepted.
    pub fn accepts(&self, bytes: &[u8]) -> bool {
        let end = bytes.iter().fold(self.start, |s, &b| self.next(s, b));
        self.accepting[end as usize]
    }
}

impl fmt::Debug for ByteDfa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "ByteDfa start={} classes={}", self.start, self.stride)?;
        for s in 1..self.len() as u32 {
            let mark = if self.accepting[s as usize] { '*' } else { ' ' };
            write!(f, "{mark}{s}:")?;
            let mut b = 0usize;
            while b < 256 {
                let to = self.next(s, b as u8);
                let from = b;
                while b < 256 && self.next(s, b as u8) == to {
                    b += 1;
                }
                if to != Self::DEAD {
                    write!(f, " {from:02x}-{:02x}→{to}", b - 1)?;
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
