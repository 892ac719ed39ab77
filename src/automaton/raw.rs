//! Untrimmed frames: the data that exploration fills and trimming reads.
//!
//! A frame is one level of the text being written, judged for several *entries* at once: each entry is a
//! formula that the level's value may or may not satisfy, and the frame's *outcome* is the vector of
//! verdicts. What comes after the value decides which entries matter, so a frame is identified by its
//! kind and its entries alone and is shared by every place that asks the same question.

use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::flow::Flow;
use super::formula::{Alternative, Formula};
use super::kept::{Content, KeptFrame};
use super::key_set::KeySet;
use super::machine::{Indent, Label};
use super::object::ObjectData;
use super::text::TextData;
use crate::ir::{NodeId, Range};

pub(crate) type FrameId = u32;
/// A state's index in its frame.
pub(crate) type RawId = u32;
pub(crate) type RawSiteId = u32;

/// An alternative that a formula combines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Atom {
    /// A leaf assertion that holds or does not, at a value not yet begun.
    Leaf { node: NodeId, holds: bool },
    /// A string automaton in a state.
    String { dfa: u32, state: u32 },
    /// A number automaton in a state.
    Number { dfa: u32, state: u32 },
    /// The number of characters, items or members lies in the range.
    Count(Range),
    /// An object assertion not violated so far; or (`holds` is false) one that must still be.
    Object { node: NodeId, holds: bool },
    /// An array assertion not violated so far; or (`holds` is false) one that must still be.
    Array { node: NodeId, holds: bool },
    /// At least so many of the items still to come satisfy the node.
    Least { node: NodeId, items: u32 },
    /// At most so many of the items still to come satisfy the node.
    Most { node: NodeId, items: u32 },
    /// An object assertion violated by the value of an undeclared name, to which its pattern number `part` applies
    /// (if there are not so many: none): until another such name, which may be the same.
    Overwritable { node: NodeId, part: u16 },
    /// So many names more: declared ones, or others of classes not among those `seen` (see [`super::distinct`]).
    Distinct { more: u8, seen: u32, classes: u8 },
    /// At most so many names more.
    Room { more: u32 },
    /// The key being written satisfies the node, or does not.
    Name { node: NodeId, holds: bool },
    /// The key being written is of this class.
    NameClass { class: u8, classes: u8 },
    /// Asserts nothing: the order of the object assertions beside it, by its number in
    /// [`super::explore::Explorer::orders`].
    Ordered(u32),
    /// The member value being written satisfies this formula over leaves.
    Verdict(Formula),
}

impl Alternative for Atom {
    fn range(self) -> Option<Range> {
        if let Atom::Count(range) = self { Some(range) } else { None }
    }

    fn within(range: Range) -> Self {
        Atom::Count(range)
    }

    fn complement(self) -> Option<Self> {
        Some(match self {
            Atom::Leaf { node, holds } => Atom::Leaf { node, holds: !holds },
            Atom::Object { node, holds } => Atom::Object { node, holds: !holds },
            Atom::Array { node, holds } => Atom::Array { node, holds: !holds },
            Atom::Name { node, holds } => Atom::Name { node, holds: !holds },
            Atom::Least { node, items } => Atom::Most { node, items: items - 1 },
            Atom::Most { node, items } => Atom::Least { node, items: items + 1 },
            _ => return None,
        })
    }

    fn implies_others(self) -> bool {
        use Atom::*;
        matches!(
            self,
            Least { .. } | Most { .. } | Room { .. } | Object { holds: false, .. } | Distinct { .. }
        )
    }

    fn implies(self, other: Self) -> bool {
        match (self, other) {
            (Atom::Least { node, items }, Atom::Least { node: same, items: fewer }) => {
                node == same && items >= fewer
            }
            (Atom::Most { node, items }, Atom::Most { node: same, items: more }) => {
                node == same && items <= more
            }
            (Atom::Room { more }, Atom::Room { more: larger }) => more <= larger,
            (Atom::Object { node, holds: false }, Atom::Overwritable { node: same, .. }) => node == same,
            (Atom::Distinct { more, seen, .. }, Atom::Distinct { more: fewer, seen: same, .. }) => {
                more >= fewer && seen == same
            }
            _ => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Document,
    String,
    Number,
    True,
    False,
    Null,
    Array,
    Object,
    OpenKey,
}

impl Kind {
    /// Whether frames of this kind enter no others.
    pub fn is_text(self) -> bool {
        !matches!(self, Kind::Document | Kind::Array | Kind::Object)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FrameKey {
    pub kind: Kind,
    /// Undecided, distinct.
    pub entries: Vec<Formula>,
    /// Whether a value for which every entry fails is of use to whoever enters.
    pub keep_false: bool,
}

/// What identifies a state within its frame.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum StateKey {
    /// The document: as much of an opening as a node of [`super::envelope::Outer`] stands for.
    Opening(u32),
    /// The document: inside free text, in a state of its characters.
    Prose(u8),
    /// The document after a value of this way, so many bytes into what closes it.
    Closing(u32, u32),
    /// Unrestricted string contents.
    Free(u8),
    /// Restricted text: state of the any-automaton, verdicts so far.
    Text(u32, Rc<[Formula]>),
    /// As `Text`, where a judged key is taken over: it does not end here, nor go on with these bytes.
    NameStart(u32, Rc<[Formula]>, Rc<[u8]>),
    /// Bytes of a literal read.
    Literal(u8),
    /// Just inside `[` or `{`; `true` after the newline of indented output.
    ArrayStart(Rc<[Formula]>, bool),
    /// Item number (saturated) expected.
    Item(u32, Rc<[Formula]>),
    /// After an item; `true` after the newline before `]`.
    ItemDone(u32, Rc<[Formula]>, bool),
    /// After `,` of indented output, before and after its newline.
    ItemBreak(u32, Rc<[Formula]>),
    ObjectStart(Tracks, bool),
    /// Inside a key: state of the any-automaton, positions in the tries, bytes read (kept only for
    /// free key order), and what is left of the conditions that keys are judged for.
    Key(u32, Rc<[Positions]>, u32, Rc<[Formula]>),
    /// After a key: its continuation, its number + 1 if it is recorded as seen, and whether it is certain not to
    /// have been seen before, as the state before knew.
    Colon(Tracks, u8, bool),
    /// Indented output, after `:`.
    ColonSpace(Tracks),
    Member(Tracks),
    MemberDone(Tracks, bool),
    /// After `,`; `true` after the newline of indented output.
    Comma(Tracks, bool),
    OpenKey(u32),
}

/// Per entry the tracks alive, by id, sorted.
pub(crate) type Tracks = Rc<[TrackList]>;

/// Mostly one or two.
pub(crate) type TrackList = SmallVec<[u32; 2]>;

/// Where in the names of an entry's tracks a key is.
pub(crate) type Positions = SmallVec<[KeyPosition; 2]>;

/// Where in the names of one track a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum KeyPosition {
    /// A trie node.
    Trie(u32),
    /// Not a declared name; the track that follows.
    Open(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Edge {
    Dead,
    Stay { to: RawId, tick: bool, space: bool },
    Enter { site: RawSiteId, read: bool },
    Leave { exit: u32, read: bool },
}

/// Adds what bytes do to a list in ascending order, to its last entry if that says the same of the bytes before.
pub(crate) fn push_range<E: PartialEq>(list: &mut Vec<(u8, u8, E)>, (lo, hi): (u8, u8), does: E) {
    match list.last_mut() {
        Some((_, end, last)) if *last == does && u16::from(*end) + 1 == u16::from(lo) => *end = hi,
        _ => list.push((lo, hi, does)),
    }
}

/// The verdicts at the end of a frame, by count.
#[derive(Clone, Debug)]
pub(crate) struct Exit {
    /// From which count on which outcome holds (`None`: none that is of use). Ascending from 0.
    pub pieces: Vec<(u32, Option<u32>)>,
    /// Free key order: `(keys needed, outcome)`, the first whose keys are seen holds. `pieces` is
    /// not used then.
    pub choices: Vec<(KeySet, u32)>,
}

#[derive(Clone, Debug)]
pub(crate) struct RawState {
    pub key: StateKey,
    /// Ascending, disjoint.
    pub edges: Vec<(u8, u8, Edge)>,
    pub default: Edge,
    pub indent: Indent,
    pub label: Label,
    /// 1 + sub-state of unrestricted string contents.
    pub free: u8,
    /// Free key order only.
    pub keys: Option<RawKeys>,
    /// The document: it may end here.
    pub accepting: bool,
}

/// What the register of seen keys is for in a state.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RawKeys {
    /// The name recorded on arrival.
    pub name: Option<u8>,
    /// Missing ones must still be written.
    pub required: KeySet,
    /// Bytes of the next member written so far, its comma counted.
    pub written: u32,
}

pub(crate) struct RawFrame {
    pub key: FrameKey,
    pub states: Vec<RawState>,
    pub index: FxHashMap<StateKey, RawId>,
    pub exits: Vec<Exit>,
    pub outcomes: Vec<Box<[bool]>>,
    pub callers: Vec<RawSiteId>,
    pub text: Option<Rc<TextData>>,
    pub object: Option<ObjectData>,
    /// The sites that its states enter others from.
    pub sites: Vec<RawSiteId>,
    /// States that were explored; some may have been merged since.
    pub explored: usize,
    /// What it is known by, if it can be kept.
    pub content: Option<Content>,
    /// It has been made before: it has no states here, but as many places to enter as that.
    pub kept: Option<Arc<KeptFrame>>,
    /// The frames of [`KeptFrame::children`].
    pub children: Vec<FrameId>,
    pub flow: Flow,
}

/// What follows once an entered frame has been left.
#[derive(Clone, Debug)]
pub(crate) enum Continuation {
    /// What closes this way of the document.
    Document(u32),
    /// An item: the array's entries with the item's verdicts open.
    Item { index: u32, after: Rc<[Formula]> },
    /// A member's value: the tracks with the value's verdicts open.
    Member(Tracks),
    /// An undeclared key.
    Key(Tracks),
    /// An undeclared key, judged for conditions by their number in the object: the tracks wait for them.
    JudgedKey(Tracks, Rc<[(usize, Slot)]>),
}

/// Where one entry's verdict comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slot {
    Constant(bool),
    Outcome(u32),
}

pub(crate) struct RawSite {
    pub frame: FrameId,
    /// Place among the frame's sites.
    pub place: u32,
    pub child: FrameId,
    pub start: RawId,
    pub continuation: Continuation,
    /// The formulas whose verdicts the continuation waits for.
    pub asked: Rc<[Formula]>,
    /// Per asked formula, where its verdict is in the child's outcome.
    pub slots: Vec<Slot>,
    /// Per outcome of the child, where to go on.
    pub targets: Vec<Option<RawId>>,
}
