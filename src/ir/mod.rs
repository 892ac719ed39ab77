//! The normalised intermediate representation: what a schema asserts, and nothing else.
//!
//! A JSON Schema document is a tree of keywords, annotations, references and draft-dependent
//! spellings. What remains of it here is a set of [`Node`]s: Boolean combinations over leaf
//! assertions, each of which concerns **one JSON type and is vacuously true for every other**, as the
//! standard defines its keywords. `{"type":"string","maxLength":3}` is
//! `And[Type{string}, Length{0..=3}]`.
//!
//! Nodes are hash-consed: two schemas that assert the same thing get the same [`NodeId`], however
//! they are titled and described. The automaton's states are keyed by these ids, so equal subschemas
//! share frames, tables and caches for free. Recursion is a cycle of ids; every cycle passes through
//! an [`Object`](Node::Object) or [`Array`](Node::Array) node (`schema/` refuses the others), so
//! expanding a node at one value position always ends.
//!
//! Key order matters to what is written, not to what is valid. It is carried by the order of
//! [`ObjectAssertion::properties`] and of the operands of [`Node::And`] and [`Node::Or`].

use std::sync::Arc;

use crate::pattern::{ByteDfa, NumberSpec};

mod arena;
mod disjoint;
mod dump;
pub use arena::IrBuilder;

/// Index of a [`Node`] in its [`Ir`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

/// The always-true node, at the same id in every [`Ir`].
pub const TRUE: NodeId = NodeId(0);
/// The always-false node, at the same id in every [`Ir`].
pub const FALSE: NodeId = NodeId(1);

/// A set of JSON types.
///
/// `integer` is not a type here: it is `number` with [`NumberSpec::integer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeSet(pub u8);

impl TypeSet {
    /// `null`.
    pub const NULL: TypeSet = TypeSet(1);
    /// `true` and `false`.
    pub const BOOLEAN: TypeSet = TypeSet(2);
    /// Numbers, integers among them.
    pub const NUMBER: TypeSet = TypeSet(4);
    /// Strings.
    pub const STRING: TypeSet = TypeSet(8);
    /// Arrays.
    pub const ARRAY: TypeSet = TypeSet(16);
    /// Objects.
    pub const OBJECT: TypeSet = TypeSet(32);
    /// Every type.
    pub const ALL: TypeSet = TypeSet(63);
    /// No type.
    pub const NONE: TypeSet = TypeSet(0);

    /// Whether every type of `other` is in this set.
    pub fn contains(self, other: TypeSet) -> bool {
        self.0 & other.0 == other.0
    }

    /// The types in either set.
    pub fn union(self, other: TypeSet) -> TypeSet {
        TypeSet(self.0 | other.0)
    }

    /// The types in both sets.
    pub fn intersection(self, other: TypeSet) -> TypeSet {
        TypeSet(self.0 & other.0)
    }
}

/// What a value must satisfy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// Any value.
    True,
    /// No value.
    False,
    /// All of the operands hold. At least two, none of them `True`, `False` or `And`; in schema
    /// order without repeats, but for the `Type`, which comes first. It may be missing where an
    /// `Or` operand implies it.
    And(Box<[NodeId]>),
    /// At least one operand holds. At least two, none of them `True`, `False` or `Or`; in schema
    /// order without repeats.
    Or(Box<[NodeId]>),
    /// The operand does not hold.
    Not(NodeId),
    /// Exactly one of the operands holds. At least two; repeats count.
    One(Box<[NodeId]>),
    /// The value's type is in the set. Never empty and never all.
    Type(TypeSet),
    /// The value is exactly this `true` or `false`; other types are accepted.
    Bool(bool),
    /// Strings: the number of characters (Unicode scalar values) lies in the range.
    Length(Range),
    /// Strings: the canonical spelling (see [`crate::pattern`]) is accepted by this automaton. Index
    /// into [`Ir::strings`]. Patterns, formats and string literals.
    String(u32),
    /// Numbers: the text is accepted by this automaton. Index into [`Ir::numbers`].
    Number(u32),
    /// Objects.
    Object(ObjectAssertion),
    /// Objects: the number of members lies in the range.
    Members(Range),
    /// Arrays.
    Array(ArrayAssertion),
    /// Arrays: the number of items that satisfy a schema lies in the range.
    Contains(NodeId, Range),
    /// Stands for another node while a recursive reference is being built, and afterwards where
    /// the reference really is recursive. Resolve with [`Ir::resolve`]: an operand or a child that is
    /// a `Ref` may stand for any node, `True`, `False` and `And` among them.
    Ref(NodeId),
}

/// An inclusive range of counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// Least count.
    pub min: u32,
    /// Greatest count; `u32::MAX` is no limit.
    pub max: u32,
}

impl Range {
    /// Every count.
    pub const ANY: Range = Range { min: 0, max: u32::MAX };

    /// Whether `n` lies in the range.
    pub fn contains(self, n: u32) -> bool {
        self.min <= n && n <= self.max
    }
}

/// `properties`, `required`, `patternProperties` and `additionalProperties` of one schema object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectAssertion {
    /// Declared properties in the schema's order, then names that occur only in `required` (their
    /// schema is `additional`). No name twice.
    pub properties: Box<[Property]>,
    /// How many of `properties`, from the front, are declared rather than merely required.
    pub declared: u32,
    /// What else the values of names in a language must satisfy.
    pub patterns: Box<[NamePattern]>,
    /// What values of names that are neither declared nor in one of the languages must satisfy; `FALSE`
    /// forbids such names.
    pub additional: NodeId,
}

/// One entry of `patternProperties`, or `propertyNames`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamePattern {
    /// What a name, as a string, must satisfy for the entry to apply.
    pub name: NodeId,
    /// What the values of such names must satisfy.
    pub schema: NodeId,
}

/// One declared (or merely required) property.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Property {
    /// The name, unescaped.
    pub name: Arc<str>,
    /// What its value must satisfy.
    pub schema: NodeId,
    /// Whether it must be present.
    pub required: bool,
}

/// `prefixItems`, `items`, `minItems` and `maxItems` of one schema object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArrayAssertion {
    /// Schemas of the first items.
    pub prefix: Box<[NodeId]>,
    /// Schema of the items after the prefix; `FALSE` forbids them.
    pub rest: NodeId,
    /// Number of items.
    pub items: Range,
}

/// A whole normalised schema. Its `Debug` form is the listing of [`Ir::dump`].
#[derive(Clone)]
pub struct Ir {
    /// All nodes; [`TRUE`] and [`FALSE`] first.
    pub nodes: Vec<Node>,
    /// Per node, a JSON pointer to the (first) schema it came from, for error messages; the middle of
    /// a very long one is left out. Same length.
    pub pointers: Vec<Arc<str>>,
    /// The node of the whole schema.
    pub root: NodeId,
    /// Automata of [`Node::String`].
    pub strings: Vec<Arc<ByteDfa>>,
    /// Per string automaton that accepts less than it stands for: one that accepts at least that. What
    /// it rejects is certain not to satisfy the schema.
    pub wider: Vec<Option<Arc<ByteDfa>>>,
    /// Automata of [`Node::Number`], each with the specification it was built from.
    pub numbers: Vec<(NumberSpec, Arc<ByteDfa>)>,
}

impl Ir {
    /// The node behind `id`, with [`Node::Ref`]s followed.
    pub fn resolve(&self, mut id: NodeId) -> NodeId {
        while let Node::Ref(to) = self.nodes[id.0 as usize] {
            id = to;
        }
        id
    }

    /// The node itself, with references followed.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[self.resolve(id).0 as usize]
    }
}
