//! States of a compiled grammar as they are stored, in 8 bytes each, and as they are read.

use bytemuck::{Pod, Zeroable};

/// One state as it is stored: 8 bytes, eight to a 64-byte cache line. Most states are bytes of names and constants, which
/// differ from each other in row and cost only; the rest stands in a [`StateKind`] that thousands share.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable, PartialEq, Eq, Hash)]
pub struct PackedState {
    /// From the lowest bit: where the state's row starts in `rows` (words, 24 bits); [`PackedState::HAS_EXTRA`]; the
    /// upper bits of the kind (7 bits).
    place: u32,
    /// From the lowest bit: cost (16 bits), to which the kind's is added; the lower bits of the kind (16 bits).
    rest: u32,
}

impl PackedState {
    /// Rows are at lower words than this.
    pub const MAX_ROWS: usize = 1 << 24;
    /// There are at most so many kinds.
    pub const MAX_KINDS: usize = 1 << 23;
    /// In `place`: [`StateKind::extra`] is not 0, so that arriving at most states needs no look at their kind.
    pub const HAS_EXTRA: u32 = 1 << 24;

    /// Packs; of the cost, the lower 16 bits.
    pub fn new(row: u32, cost: u32, kind: u32, has_extra: bool) -> Self {
        debug_assert!((row as usize) < Self::MAX_ROWS && (kind as usize) < Self::MAX_KINDS);
        let extra = if has_extra { Self::HAS_EXTRA } else { 0 };
        PackedState { place: row | extra | (kind >> 16) << 25, rest: cost & 0xffff | kind << 16 }
    }

    /// Where the state's row starts in `rows` (words).
    #[inline]
    pub fn row(self) -> u32 {
        self.place & 0x00ff_ffff
    }

    /// Index into `kinds`.
    #[inline]
    pub fn kind(self) -> u32 {
        (self.place >> 25) << 16 | self.rest >> 16
    }

    /// See [`PackedState::HAS_EXTRA`].
    #[inline]
    pub fn has_extra(self) -> bool {
        self.place & Self::HAS_EXTRA != 0
    }

    /// What [`StateKind::cost`] is more in this state.
    #[inline]
    pub fn cost(self) -> u32 {
        self.rest & 0xffff
    }
}

/// What many states have in common.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable, PartialEq, Eq, Hash)]
pub struct StateKind {
    /// See [`StateInfo::extra`].
    pub extra: u32,
    /// A multiple of 65,536, which each state's own is added to.
    pub cost: u32,
    /// See [`StateInfo::need`].
    pub need: u8,
    /// See [`StateInfo::flags`].
    pub flags: u8,
    /// See [`StateInfo::slices`].
    pub slices: u8,
    /// See [`StateInfo::free`].
    pub free: u8,
}

/// All that is known of one state: a [`PackedState`] together with its [`StateKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateInfo {
    /// Where the state's row starts in `rows` (words).
    pub row: u32,
    /// Bound of the tokens needed to leave the frame, without what `extra` adds.
    pub cost: u32,
    /// Index into `extras`; 0 for most states.
    pub extra: u32,
    /// Least number of further levels needed to finish; 255: no token may end here.
    pub need: u8,
    /// [`StateInfo::ACCEPTING`] and the others.
    pub flags: u8,
    /// Bit i: reading any character of slice i leads back here (counting it or not), so that a token
    /// of such characters needs no walk. See [`crate::vocab::SliceId`].
    pub slices: u8,
    /// 1 + sub-state of the automaton of string contents, if the text goes on as any string's does until a
    /// threshold or the closing quote; 0 elsewhere. With [`StateInfo::STEADY`].
    pub free: u8,
}

/// All states of a grammar; 0 is dead.
#[derive(Clone, Copy, Debug)]
pub struct States<'a> {
    packed: &'a [PackedState],
    kinds: &'a [StateKind],
}

impl<'a> States<'a> {
    pub(super) fn new(packed: &'a [PackedState], kinds: &'a [StateKind]) -> Self {
        States { packed, kinds }
    }

    /// Number of states.
    pub fn len(self) -> usize {
        self.packed.len()
    }

    /// Whether there is none, not even the dead one; no grammar is so.
    pub fn is_empty(self) -> bool {
        self.packed.is_empty()
    }

    /// Where a state's row starts in `rows` (words).
    #[inline]
    pub fn row(self, state: u32) -> usize {
        self.packed[state as usize].row() as usize
    }

    /// [`StateInfo::extra`] of a state.
    #[inline]
    pub fn extra(self, state: u32) -> u32 {
        let packed = self.packed[state as usize];
        if packed.has_extra() { self.kinds[packed.kind() as usize].extra } else { 0 }
    }

    /// One state.
    #[inline]
    pub fn get(self, state: u32) -> StateInfo {
        let packed = self.packed[state as usize];
        let kind = &self.kinds[packed.kind() as usize];
        StateInfo {
            row: packed.row(),
            cost: kind.cost + packed.cost(),
            extra: kind.extra,
            need: kind.need,
            flags: kind.flags,
            slices: kind.slices,
            free: kind.free,
        }
    }

    /// All of them, by number.
    pub fn iter(self) -> impl ExactSizeIterator<Item = StateInfo> + 'a {
        (0..self.len() as u32).map(move |state| self.get(state))
    }
}

impl StateInfo {
    /// The whole text is complete here.
    pub const ACCEPTING: u8 = 1;
    /// Spaces for the depth of the frame's members must come first.
    pub const INDENT_INNER: u8 = 2;
    /// Spaces for the depth of the frame's brackets must come first.
    pub const INDENT_OUTER: u8 = 4;
    /// In `free` of a state between characters: tokens may end anywhere in the string, at any depth, with a
    /// bound at most [`StateInfo::STEADY_SLACK`] above that of the state.
    pub const STEADY: u8 = 0x80;
    /// See [`StateInfo::STEADY`].
    pub const STEADY_SLACK: u32 = 16;
}

const _: () = assert!(size_of::<PackedState>() == 8);
const _: () = assert!(size_of::<StateKind>() == 12);
