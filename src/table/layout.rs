//! The records of a compiled grammar, as every backend reads them.
//!
//! All records are plain old data with explicit padding, defined here once; the CUDA header mirrors
//! them, and sizes and offsets are asserted on both sides. Indices are into the section of the same
//! grammar; index 0 of `states` is the dead state, index 0 of `extras` and `keys` stands for "none".

use bytemuck::{Pod, Zeroable};

pub use super::states::{PackedState, StateInfo, StateKind, States};
pub use crate::automaton::key_set::KeySet;

/// What few states need: thresholds, costs that depend on the count, registers of keys.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable, PartialEq, Eq, Hash)]
pub struct Extra {
    /// On arrival with a count of at least this …
    pub chain_at: u32,
    /// … go to this state instead (and look again); 0: no threshold.
    pub chain_to: u32,
    /// `max(0, cost_at − count) · (cost_per_tick + cost_tick_spaces · indent · depth)` more tokens.
    pub cost_at: u32,
    /// See `cost_at`.
    pub cost_per_tick: u32,
    /// See `cost_at`.
    pub cost_tick_spaces: u32,
    /// `cost_spaces · indent · depth` more tokens.
    pub cost_spaces: u32,
    /// Index into `keys`; 0: none.
    pub keys: u32,
    /// 0.
    pub padding: u32,
}

/// Free key order: see [`crate::automaton::machine::Keys`], field for field. What a state does with the register of
/// seen keys; of a variant only what is charged.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable, PartialEq, Eq, Hash)]
pub struct KeyInfo {
    /// Missing ones are charged.
    pub required: KeySet,
    /// Names the member begun may still turn out to have.
    pub ahead: KeySet,
    /// 1 + the name recorded on arrival, which may not be seen already; 0: none is.
    pub name: u32,
    /// Index into `key_costs` of name 0; the others follow, up to the last that is required or ahead.
    pub costs: u32,
    /// Tokens of the member already written.
    pub written: u32,
    /// Spaces per level of the member already written.
    pub written_spaces: u32,
    /// Tokens of the rest of the member.
    pub rest: u32,
    /// Spaces per level of the rest of the member.
    pub rest_spaces: u32,
    /// If not 0, one of the choices from this index − 1 on must hold on arrival.
    pub closes: u32,
    /// If not 0, arrival is legal only if this − 1 levels fit the depth left, or the need of one of
    /// `ahead` that is unseen.
    pub open_need: u32,
}

/// What a member of one name costs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable, PartialEq, Eq, Hash)]
pub struct MemberCost {
    /// Tokens.
    pub tokens: u32,
    /// Spaces per level of depth.
    pub spaces: u32,
    /// Levels needed to write a member and finish the frame after it.
    pub need: u32,
}

/// Where a frame is entered from and how to go on after it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable, PartialEq, Eq, Hash)]
pub struct SiteInfo {
    /// Where the site's [`VariantInfo`]s begin, the narrowest first.
    pub variants: u32,
    /// Number of variants, at least one.
    pub variant_count: u32,
    /// Where the site's states per outcome begin in `lists`; 0 is dead.
    pub targets: u32,
    /// Number of outcomes.
    pub target_count: u32,
}

/// One form of the frame that a site enters: the wider, the more outcomes it may have, and the more
/// depth and tokens must be left. See [`crate::automaton::machine::Site`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable, PartialEq, Eq, Hash)]
pub struct VariantInfo {
    /// Start state.
    pub start: u32,
    /// Index into `terms`.
    pub terms: u32,
}

/// On what terms a form of a frame is entered; many have the same.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable, PartialEq, Eq, Hash)]
pub struct VariantTerms {
    /// Levels that must be left.
    pub depth: u32,
    /// Bound of the tokens needed after the frame, as in [`StateInfo`] and [`Extra`].
    pub cost: u32,
    /// See [`Extra::cost_at`].
    pub cost_at: u32,
    /// See [`Extra::cost_at`].
    pub cost_per_tick: u32,
    /// See [`Extra::cost_at`].
    pub cost_tick_spaces: u32,
    /// See [`Extra::cost_spaces`].
    pub cost_spaces: u32,
    /// Index into `keys` of what is charged while the frame is open, as far as it is unseen; 0: nothing.
    pub keys: u32,
}

/// One entry of a list of choices; the first whose keys are all seen holds.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable, PartialEq, Eq, Hash)]
pub struct Choice {
    /// Keys that must be seen.
    pub keys: KeySet,
    /// The outcome.
    pub outcome: u32,
    /// 1 at the end of the list, else 0.
    pub last: u32,
}

const _: () = assert!(size_of::<Extra>() == 32);
const _: () = assert!(size_of::<KeyInfo>() == 64);
const _: () = assert!(size_of::<MemberCost>() == 12);
const _: () = assert!(size_of::<SiteInfo>() == 16);
const _: () = assert!(size_of::<VariantInfo>() == 8);
const _: () = assert!(size_of::<VariantTerms>() == 28);
const _: () = assert!(size_of::<Choice>() == 24);

/// An action in 32 bits: kind in the upper 3, two flags, and an index of 27 bits.
///
/// A row is `[default, n, then n × (first byte | last byte << 8, action)]`, ranges ascending. Staying
/// where one is, or at the next state number, is written as a distance, so that all states which force the
/// same byte, or where the same spaces may stand, share one row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Pod, Zeroable)]
#[repr(transparent)]
pub struct PackedAction(pub u32);

/// Greatest index that fits an action.
pub const MAX_INDEX: u32 = (1 << 27) - 1;

/// What an action does; the values are the upper three bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ActionKind {
    /// Illegal.
    Dead = 0,
    /// Stay, at the state whose number is higher by the index.
    Ahead = 1,
    /// Stay, at the state of the index.
    Stay = 2,
    /// Push the site of the index.
    Enter = 3,
    /// Pop with the outcome of the index.
    Leave = 4,
    /// Pop with the outcome of the first choice that holds, from the index on.
    Choose = 5,
}

impl PackedAction {
    /// The illegal action.
    pub const DEAD: PackedAction = PackedAction(0);
    /// Staying: the frame's count grows. Entering and leaving: the byte is read.
    pub const FLAG: u32 = 1 << 28;
    /// Staying: the byte is optional whitespace.
    pub const SPACE: u32 = 1 << 27;

    /// Packs; `index` must not exceed [`MAX_INDEX`].
    pub fn new(kind: ActionKind, flag: bool, space: bool, index: u32) -> Self {
        debug_assert!(index <= MAX_INDEX);
        PackedAction(
            ((kind as u32) << 29) + u32::from(flag) * Self::FLAG + u32::from(space) * Self::SPACE + index,
        )
    }

    /// The kind; values that no writer produces are dead.
    #[inline]
    pub fn kind(self) -> ActionKind {
        match self.0 >> 29 {
            1 => ActionKind::Ahead,
            2 => ActionKind::Stay,
            3 => ActionKind::Enter,
            4 => ActionKind::Leave,
            5 => ActionKind::Choose,
            _ => ActionKind::Dead,
        }
    }

    /// See [`PackedAction::FLAG`].
    #[inline]
    pub fn flag(self) -> bool {
        self.0 & Self::FLAG != 0
    }

    /// See [`PackedAction::SPACE`].
    #[inline]
    pub fn space(self) -> bool {
        self.0 & Self::SPACE != 0
    }

    /// Where an action of `state` that stays leads to.
    #[inline]
    pub fn target(self, state: u32) -> u32 {
        if self.kind() == ActionKind::Ahead { state + self.index() } else { self.index() }
    }

    /// State, distance, site, outcome or choice.
    #[inline]
    pub fn index(self) -> u32 {
        self.0 & MAX_INDEX
    }
}
