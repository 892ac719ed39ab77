//! Sets of an object's declared names, for free key order: the register of seen keys, and what it is compared with.

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Sub};

use bytemuck::{Pod, Zeroable};

/// A set of the names that one object declares, by their numbers.
///
/// Tables hold it as two words, the names below 64 first; so do the kernels. Two words are what a slot's line of
/// 128 bytes has room for, and an open level takes 32 bytes with them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Pod, Zeroable)]
#[repr(transparent)]
pub struct KeySet(pub [u64; 2]);

impl KeySet {
    /// The most names that an object can have.
    pub const CAPACITY: usize = 128;
    /// No name.
    pub const EMPTY: KeySet = KeySet([0; 2]);
    /// Every name.
    pub const ALL: KeySet = KeySet([u64::MAX; 2]);

    /// One name, less than [`KeySet::CAPACITY`].
    #[inline]
    pub fn one(name: usize) -> KeySet {
        let mut words = [0; 2];
        words[name / 64] = 1 << (name % 64);
        KeySet(words)
    }

    /// The names below `end`.
    pub fn below(end: usize) -> KeySet {
        (0..end).collect()
    }

    /// Whether it has no name.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0[0] | self.0[1] == 0
    }

    /// How many names it has.
    #[inline]
    pub fn len(self) -> u32 {
        self.0[0].count_ones() + self.0[1].count_ones()
    }

    /// Whether it has a name, less than [`KeySet::CAPACITY`].
    #[inline]
    pub fn contains(self, name: usize) -> bool {
        self.0[name / 64] >> (name % 64) & 1 == 1
    }

    /// Whether all its names are in another set.
    #[inline]
    pub fn is_subset(self, of: KeySet) -> bool {
        (self - of).is_empty()
    }

    /// One more than its greatest name; 0 if it is empty.
    pub fn end(self) -> usize {
        let bits = u128::from(self.0[0]) | u128::from(self.0[1]) << 64;
        (u128::BITS - bits.leading_zeros()) as usize
    }

    /// Its names, ascending.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let word = usize::from(left[0] == 0);
            let name = left[word].trailing_zeros() as usize;
            left[word] &= left[word].wrapping_sub(1);
            (name < 64).then_some(64 * word + name)
        })
    }
}

impl BitOr for KeySet {
    type Output = KeySet;
    #[inline]
    fn bitor(self, other: KeySet) -> KeySet {
        KeySet([self.0[0] | other.0[0], self.0[1] | other.0[1]])
    }
}

impl BitOrAssign for KeySet {
    #[inline]
    fn bitor_assign(&mut self, other: KeySet) {
        *self = *self | other;
    }
}

impl BitAnd for KeySet {
    type Output = KeySet;
    #[inline]
    fn bitand(self, other: KeySet) -> KeySet {
        KeySet([self.0[0] & other.0[0], self.0[1] & other.0[1]])
    }
}

/// The names that are not in the other set.
impl Sub for KeySet {
    type Output = KeySet;
    #[inline]
    fn sub(self, other: KeySet) -> KeySet {
        KeySet([self.0[0] & !other.0[0], self.0[1] & !other.0[1]])
    }
}

impl FromIterator<usize> for KeySet {
    fn from_iter<I: IntoIterator<Item = usize>>(names: I) -> KeySet {
        names.into_iter().fold(KeySet::EMPTY, |set, name| set | KeySet::one(name))
    }
}

/// In hexadecimal, the first name the lowest bit.
impl fmt::LowerHex for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&(u128::from(self.0[0]) | u128::from(self.0[1]) << 64), f)
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets of names of both words, and of one alone.
    fn sets() -> Vec<Vec<usize>> {
        vec![
            vec![],
            vec![0],
            vec![63],
            vec![64],
            vec![127],
            vec![3, 63, 64, 100],
            vec![0, 64, 127],
            (0..128).collect(),
        ]
    }

    #[test]
    fn a_set_has_the_names_it_was_made_of() {
        for names in sets() {
            let set: KeySet = names.iter().copied().collect();
            assert_eq!(set.iter().collect::<Vec<_>>(), names);
            assert_eq!(set.len() as usize, names.len());
            assert_eq!(set.is_empty(), names.is_empty());
            assert_eq!(set.end(), names.last().map_or(0, |n| n + 1));
            assert!((0..KeySet::CAPACITY).all(|n| set.contains(n) == names.contains(&n)));
        }
        assert_eq!(KeySet::below(65).iter().collect::<Vec<_>>(), (0..65).collect::<Vec<_>>());
        assert_eq!(KeySet::below(KeySet::CAPACITY), KeySet::ALL);
    }

    #[test]
    fn sets_combine_name_by_name() {
        for a in sets() {
            for b in sets() {
                let (x, y): (KeySet, KeySet) = (a.iter().copied().collect(), b.iter().copied().collect());
                for n in 0..KeySet::CAPACITY {
                    let (in_a, in_b) = (a.contains(&n), b.contains(&n));
                    assert_eq!((x | y).contains(n), in_a || in_b);
                    assert_eq!((x & y).contains(n), in_a && in_b);
                    assert_eq!((x - y).contains(n), in_a && !in_b);
                }
                assert_eq!(x.is_subset(y), a.iter().all(|n| b.contains(n)));
            }
        }
    }
}
