//! The finished deterministic pushdown automaton, before it is packed into tables.
//!
//! A configuration is (state, count, seen, whitespace run, stack of sites). One byte is one [`Action`]
//! of the current state's row, except that an action may leave the byte unread (`read: false`): a
//! number is entered before its first byte and left before the byte that follows it.

use super::kept::Found;
use super::key_set::KeySet;

/// Index of a [`State`]. State 0 is dead.
pub type StateId = u32;
/// Index of a [`Site`].
pub type SiteId = u32;

/// The dead state.
pub const DEAD: StateId = 0;

/// What a byte does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The byte is illegal.
    Dead,
    /// Go to `to` in the same frame, reading the byte.
    Stay {
        /// Where to.
        to: StateId,
        /// Adds one to the frame's count.
        tick: bool,
        /// The byte is optional whitespace: it lengthens the run, which is bounded.
        space: bool,
    },
    /// Push `site` and go to the start state of the frame it enters.
    Enter {
        /// The site pushed.
        site: SiteId,
        /// Whether the byte is read; if not, the frame's start state reads it.
        read: bool,
    },
    /// Pop, and go on at the popped site's target for `outcome`.
    Leave {
        /// Index into [`Site::targets`].
        outcome: u32,
        /// Whether the byte is read; if not, the target reads it.
        read: bool,
    },
    /// As `Leave`, with the outcome chosen by the keys seen: index into [`Machine::choices`].
    Choose {
        /// Index into [`Machine::choices`].
        choice: u32,
    },
}

/// Successors of a state: byte ranges in ascending order, disjoint, and what every other byte does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// `(first byte, last byte, action)`.
    pub ranges: Vec<(u8, u8, Action)>,
    /// What the other bytes do.
    pub default: Action,
}

impl Row {
    /// The action on `byte`.
    pub fn get(&self, byte: u8) -> Action {
        for &(lo, hi, action) in &self.ranges {
            if byte <= hi {
                return if byte >= lo { action } else { self.default };
            }
        }
        self.default
    }
}

/// An upper bound of the tokens still needed, as a function of the frame's count and the depth:
/// `base + spaces · i + max(0, at − count) · (per_tick + tick_spaces · i)`, with i the bytes of indentation
/// at the depth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cost {
    /// Tokens needed once `count ≥ at`.
    pub base: u32,
    /// The count from which on nothing more has to be counted up to.
    pub at: u32,
    /// Tokens per missing count.
    pub per_tick: u32,
    /// Levels of indentation per missing count (indented output only).
    pub tick_spaces: u32,
    /// Bytes of indentation per level of depth that remain to be written (indented output only).
    pub spaces: u32,
}

/// Indented output: how many spaces must precede the next byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Indent {
    /// None are required.
    #[default]
    None,
    /// As many as the depth of the frame's members.
    Inner,
    /// As many as the depth of the frame's own brackets.
    Outer,
}

/// `key_order: any`: what the register of seen keys allows, what an arrival records, and what the missing
/// members cost.
///
/// With `missing = required ∖ seen`, the bound of a state is its [`Cost`] plus the costs of the missing
/// names and, if `ahead` is not empty, minus `written` while a missing name is ahead, else plus `rest`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Keys {
    /// The key recorded as seen on arrival; arrival is illegal if it is seen already.
    pub name: Option<u8>,
    /// Keys that must still be written before the frame is left, as far as they are unseen.
    pub required: KeySet,
    /// Index into [`Machine::key_costs`].
    pub costs: u32,
    /// Inside a member whose name is not decided: the need of one that is not declared, `Some(NO_REST)` if
    /// there can be none. Arrival is legal only if this fits the depth left, or the need of a name
    /// `ahead` that is unseen.
    pub open_need: Option<u8>,
    /// Indented output, before the closing brace: 1 + index into [`Machine::choices`], one of which must
    /// hold on arrival; 0: none need.
    pub closes: u32,
    /// Inside a member: the declared names that it may still turn out to have.
    pub ahead: KeySet,
    /// Tokens, and spaces per level of depth, already written of the member.
    pub written: (u32, u32),
    /// Tokens, and spaces per level of depth, of the rest of the dearest member it may turn out to be.
    pub rest: (u32, u32),
}

/// What members with the names of one frame cost and need.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyCost {
    /// Per name, the tokens and the spaces per level of depth of a whole member, as far as names are charged.
    pub tokens: Box<[(u32, u32)]>,
    /// Per name, the levels needed to write a member and finish the frame after it, as far as names are ahead.
    pub needs: Box<[u8]>,
}

/// One state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Successors.
    pub row: Row,
    /// On arrival, while the count is at least `.0`, go to `.1` instead.
    pub chain: Option<(u32, StateId)>,
    /// Least number of further levels needed to finish, [`State::NO_REST`] if the text may not rest here.
    pub need: u8,
    /// Bound of the tokens needed to leave the frame.
    pub cost: Cost,
    /// Indentation required before the row applies.
    pub indent: Indent,
    /// Registers of keys, for `key_order: any`.
    pub keys: Option<Keys>,
    /// The whole text is complete here (only in the outermost frame).
    pub accepting: bool,
    /// Unrestricted string contents: 1 + the sub-state of [`super::string`]'s automaton; 0 elsewhere.
    pub free: u8,
    /// Bit i: every character of slice i leads back here. Filled in by `table/`.
    pub slices: u8,
    /// Whether its bounds are by tokens already.
    pub tightened: bool,
    /// What the state is, for listings.
    pub label: Label,
}

impl State {
    /// [`State::need`] of a state that only a multi-byte token may pass through: no token of one
    /// byte leads on.
    pub const NO_REST: u8 = u8::MAX;
}

/// What a state is, for listings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Label {
    /// State 0.
    Dead,
    /// The whole text.
    Document,
    /// Contents of a string value.
    String,
    /// A number.
    Number,
    /// `true`, `false` or `null`.
    Literal,
    /// Between the brackets of an array.
    Array,
    /// Between the braces of an object, outside of keys.
    Object,
    /// Inside a declared key.
    Key,
    /// Inside a key that is not declared.
    OpenKey,
}

/// Where a frame is entered from.
///
/// # Which variant is entered
///
/// The variants differ in the outcomes that they leave open, and so in what may have to be written after
/// the frame. Of those that the depth left allows, the *last* is entered with which the byte is legal
/// and the bound after it fits the tokens left; if there is none, the first that the depth allows. A
/// bound of a state that enters may therefore count on its cheapest variant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    /// In rising order of preference: first those that a short budget asks for, then, with rising
    /// depth, all outcomes that can be gone on from. Each includes those before it that need no
    /// more depth.
    pub variants: Vec<Variant>,
    /// Per outcome of the frame, where to go on; [`DEAD`] if the outcome is of no use.
    pub targets: Vec<StateId>,
}

/// A frame as one of several a site may enter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Variant {
    /// Levels that must be left.
    pub depth: u8,
    /// Start state.
    pub start: StateId,
    /// The outcomes that it can have.
    pub outcomes: Vec<u32>,
    /// Bound of the tokens needed after the frame is left, evaluated with the count and depth at the push.
    pub cost: Cost,
    /// As [`Keys::required`] and [`Keys::costs`] of the targets.
    pub required: (KeySet, u32),
}

/// The automaton.
#[derive(Clone, Debug)]
pub struct Machine {
    /// All states; 0 is dead.
    pub states: Vec<State>,
    /// All sites.
    pub sites: Vec<Site>,
    /// Outcome lists of [`Action::Choose`]: the first whose keys have all been seen.
    pub choices: Vec<Vec<(KeySet, u32)>>,
    /// What members cost and need.
    pub key_costs: Vec<KeyCost>,
    /// Start state of the outermost frame.
    pub start: StateId,
    /// Longest run of optional whitespace, in bytes.
    pub max_spaces: u32,
    /// Spaces per level of indented output.
    pub indent: u32,
    /// Greatest stack depth.
    pub max_depth: u8,
    /// Frames that other machines may have, too.
    pub(crate) frames: Vec<Found>,
}
