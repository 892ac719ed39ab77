//! Hash-consing builder of [`Ir`].
//!
//! Every node is interned by content, so equal assertions get equal ids, and the constructors bring
//! what they are given into one form first: conjunctions and disjunctions are flattened, constants
//! fold, sets of types and ranges of lengths merge, and an assertion about a type that cannot occur
//! disappears. None of this looks through a [`Node::Ref`], which may still be unpatched.
//!
//! The maps hash with the standard library's keyed hasher: the keys are the schema author's, and a
//! faster unkeyed one would let a crafted schema make compilation quadratic.

use std::collections::HashMap;
use std::sync::Arc;

use super::{
    ArrayAssertion, FALSE, Ir, NamePattern, Node, NodeId, ObjectAssertion, Property, Range, TRUE, TypeSet,
};
use crate::pattern::{self, ByteDfa, NumberSpec};

/// Builds an [`Ir`] bottom-up: operands first, then the node that holds them.
///
/// A recursive schema gets a [`placeholder`](IrBuilder::placeholder) for the id it does not have yet
/// and is tied into a knot with [`patch`](IrBuilder::patch).
pub struct IrBuilder {
    nodes: Vec<Node>,
    pointers: Vec<Arc<str>>,
    /// Per node, the types a value that satisfies it can have (an upper bound).
    pub(super) types: Vec<TypeSet>,
    ids: HashMap<Node, NodeId>,
    pub(super) strings: Vec<(Arc<ByteDfa>, Option<Arc<ByteDfa>>)>,
    string_ids: HashMap<(Arc<ByteDfa>, Option<Arc<ByteDfa>>), u32>,
    pub(super) numbers: Vec<(NumberSpec, Arc<ByteDfa>)>,
    number_ids: HashMap<Arc<ByteDfa>, u32>,
    place: Arc<str>,
}

impl Default for IrBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl IrBuilder {
    /// A builder that holds [`TRUE`] and [`FALSE`].
    pub fn new() -> Self {
        let place: Arc<str> = Arc::from("");
        IrBuilder {
            nodes: vec![Node::True, Node::False],
            pointers: vec![place.clone(), place.clone()],
            types: vec![TypeSet::ALL, TypeSet::NONE],
            ids: HashMap::from([(Node::True, TRUE), (Node::False, FALSE)]),
            strings: Vec::new(),
            string_ids: HashMap::new(),
            numbers: Vec::new(),
            number_ids: HashMap::new(),
            place,
        }
    }

    /// Number of nodes so far.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never: [`TRUE`] and [`FALSE`] are always there.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The node at `id`, references not followed.
    pub fn get(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// Sets the JSON pointer that new nodes are said to come from.
    pub fn set_place(&mut self, pointer: Arc<str>) {
        self.place = pointer;
    }

    /// The JSON pointer that new nodes are said to come from.
    pub fn place(&self) -> Arc<str> {
        self.place.clone()
    }

    fn intern(&mut self, node: Node) -> NodeId {
        if let Some(&id) = self.ids.get(&node) {
            return id;
        }
        let id = self.push(node.clone());
        self.ids.insert(node, id);
        id
    }

    fn push(&mut self, node: Node) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).expect("fewer than 2^32 nodes"));
        let of = |ids: &[NodeId]| ids.iter().map(|i| self.types[i.0 as usize]).collect::<Vec<_>>();
        self.types.push(match &node {
            Node::Type(types) => *types,
            Node::False => TypeSet::NONE,
            Node::And(ids) => of(ids).into_iter().fold(TypeSet::ALL, TypeSet::intersection),
            Node::Or(ids) | Node::One(ids) => of(ids).into_iter().fold(TypeSet::NONE, TypeSet::union),
            _ => TypeSet::ALL,
        });
        self.nodes.push(node);
        self.pointers.push(self.place.clone());
        id
    }

    /// Values whose type is in the set.
    pub fn types(&mut self, types: TypeSet) -> NodeId {
        match types {
            TypeSet::ALL => TRUE,
            TypeSet::NONE => FALSE,
            _ => self.intern(Node::Type(types)),
        }
    }

    /// Every type but `types`: what is left of an assertion that no value of `types` satisfies.
    fn without(&mut self, types: TypeSet) -> NodeId {
        self.types(TypeSet(TypeSet::ALL.0 & !types.0))
    }

    /// Booleans: exactly this one.
    pub fn boolean(&mut self, value: bool) -> NodeId {
        self.intern(Node::Bool(value))
    }

    /// Strings: the number of characters lies in the range.
    pub fn length(&mut self, range: Range) -> NodeId {
        if range == Range::ANY {
            TRUE
        } else if range.min > range.max {
            self.without(TypeSet::STRING)
        } else {
            self.intern(Node::Length(range))
        }
    }

    /// Strings: the canonical spelling is accepted by `dfa`. If that is every string's, nothing is asserted.
    pub fn string(&mut self, dfa: Arc<ByteDfa>) -> NodeId {
        if dfa.is_empty() {
            return self.without(TypeSet::STRING);
        }
        if pattern::is_universal(&dfa, dfa.start) {
            return TRUE;
        }
        self.intern_string(dfa, None)
    }

    /// Strings: as [`string`](Self::string), of an automaton that accepts less than the schema does; `wider`
    /// accepts at least what the schema does.
    pub fn narrowed_string(&mut self, dfa: Arc<ByteDfa>, wider: Arc<ByteDfa>) -> NodeId {
        self.intern_string(dfa, Some(wider))
    }

    fn intern_string(&mut self, dfa: Arc<ByteDfa>, wider: Option<Arc<ByteDfa>>) -> NodeId {
        let next = self.strings.len() as u32;
        let index = *self.string_ids.entry((dfa.clone(), wider.clone())).or_insert(next);
        if index == next {
            self.strings.push((dfa, wider));
        }
        self.intern(Node::String(index))
    }

    /// Numbers: the text is accepted by `dfa`, which was built from `spec`.
    pub fn number(&mut self, spec: NumberSpec, dfa: Arc<ByteDfa>) -> NodeId {
        if dfa.is_empty() {
            return self.without(TypeSet::NUMBER);
        }
        let next = self.numbers.len() as u32;
        let index = *self.number_ids.entry(dfa.clone()).or_insert(next);
        if index == next {
            self.numbers.push((spec, dfa));
        }
        self.intern(Node::Number(index))
    }

    /// Objects. A required property whose schema is [`FALSE`] is kept, so that the automaton can say
    /// where the schema became unsatisfiable.
    ///
    /// The caller sees to it that no name occurs twice.
    pub fn object(&mut self, properties: Vec<Property>, declared: u32, additional: NodeId) -> NodeId {
        self.object_of(properties, declared, Vec::new(), additional)
    }

    /// Objects, as [`object`](Self::object), with what applies to names by pattern.
    pub fn object_of(
        &mut self,
        properties: Vec<Property>,
        declared: u32,
        mut patterns: Vec<NamePattern>,
        additional: NodeId,
    ) -> NodeId {
        patterns.retain(|p| p.name != FALSE && (p.schema != TRUE || additional != TRUE));
        if properties.is_empty() && patterns.is_empty() && additional == TRUE {
            return TRUE;
        }
        let (properties, patterns) = (properties.into(), patterns.into());
        self.intern(Node::Object(ObjectAssertion { properties, declared, patterns, additional }))
    }

    /// Objects: the number of members lies in the range.
    pub fn members(&mut self, range: Range) -> NodeId {
        if range == Range::ANY {
            TRUE
        } else if range.min > range.max {
            self.without(TypeSet::OBJECT)
        } else {
            self.intern(Node::Members(range))
        }
    }

    /// Arrays: the number of items that satisfy `schema` lies in the range.
    pub fn contains(&mut self, schema: NodeId, range: Range) -> NodeId {
        match schema {
            _ if range == Range::ANY => TRUE,
            _ if range.min > range.max => self.without(TypeSet::ARRAY),
            TRUE => self.array(Vec::new(), TRUE, range),
            FALSE if range.min == 0 => TRUE,
            FALSE => self.without(TypeSet::ARRAY),
            _ => self.intern(Node::Contains(schema, range)),
        }
    }

    /// The operand does not hold.
    pub fn not(&mut self, id: NodeId) -> NodeId {
        match *self.get(id) {
            Node::True => FALSE,
            Node::False => TRUE,
            Node::Not(of) => of,
            Node::Type(types) => self.without(types),
            _ => self.intern(Node::Not(id)),
        }
    }

    /// Exactly one of `operands`, in their order.
    pub fn one(&mut self, operands: impl IntoIterator<Item = NodeId>) -> NodeId {
        let mut list: Vec<NodeId> = operands.into_iter().filter(|&id| id != FALSE).collect();
        if let Some(at) = list.iter().position(|&id| id == TRUE) {
            list.remove(at);
            let none: Vec<NodeId> = list.into_iter().map(|id| self.not(id)).collect();
            return self.and(none);
        }
        match list[..] {
            [] => FALSE,
            [one] => one,
            _ if self.are_disjoint(&list) => self.or(list),
            _ => self.intern(Node::One(list.into())),
        }
    }

    /// Arrays. Brings equal languages to one spelling: a schema `FALSE` becomes a bound on the
    /// count, what lies beyond the greatest count is dropped, and so is the end of a prefix that
    /// says the same as the rest.
    pub fn array(&mut self, mut prefix: Vec<NodeId>, mut rest: NodeId, mut items: Range) -> NodeId {
        let reach = prefix.iter().position(|&p| p == FALSE);
        if let Some(reach) = reach.or((rest == FALSE).then_some(prefix.len())) {
            items.max = items.max.min(u32::try_from(reach).unwrap_or(u32::MAX));
        }
        if items.min > items.max {
            return self.without(TypeSet::ARRAY);
        }
        if prefix.len() >= items.max as usize {
            prefix.truncate(items.max as usize);
            rest = FALSE;
        }
        while rest != FALSE && prefix.last() == Some(&rest) {
            prefix.pop();
        }
        if prefix.is_empty() && rest == TRUE && items == Range::ANY {
            return TRUE;
        }
        self.intern(Node::Array(ArrayAssertion { prefix: prefix.into(), rest, items }))
    }

    /// All of `operands`, in their order; the types come first.
    pub fn and(&mut self, operands: impl IntoIterator<Item = NodeId>) -> NodeId {
        let mut flat = Vec::new();
        for id in operands {
            match self.get(id) {
                Node::And(inner) => flat.extend(inner.iter().copied()),
                _ => flat.push(id),
            }
        }
        let mut types = TypeSet::ALL;
        let mut length: Option<Range> = None;
        for &id in &flat {
            types = types.intersection(self.types[id.0 as usize]);
            if let Node::Length(r) = *self.get(id) {
                let l = length.unwrap_or(Range::ANY);
                length = Some(Range { min: l.min.max(r.min), max: l.max.min(r.max) });
            }
        }
        if length.is_some_and(|l| l.min > l.max) {
            types = types.intersection(TypeSet(TypeSet::ALL.0 & !TypeSet::STRING.0));
        }
        let has = |b: bool| self.ids.get(&Node::Bool(b)).is_some_and(|id| flat.contains(id));
        if has(true) && has(false) {
            types = types.intersection(TypeSet(TypeSet::ALL.0 & !TypeSet::BOOLEAN.0));
        }
        if types == TypeSet::NONE {
            return FALSE;
        }

        let mut kept = Unique::default();
        let mut implied = TypeSet::ALL;
        for id in flat {
            let (about, id) = match self.get(id) {
                Node::True | Node::Type(_) => continue,
                Node::Length(_) => {
                    let range = length.expect("merged above");
                    if range.min > range.max {
                        continue;
                    }
                    (TypeSet::STRING, self.intern(Node::Length(range)))
                }
                node => (concerns(node), id),
            };
            if about.intersection(types) != TypeSet::NONE {
                implied = implied.intersection(self.types[id.0 as usize]);
                kept.push(id);
            }
        }
        let mut kept = kept.into_vec();
        if !types.contains(implied) {
            kept.insert(0, self.types(types));
        }
        match kept[..] {
            [] => TRUE,
            [one] => one,
            _ => self.intern(Node::And(kept.into())),
        }
    }

    /// At least one of `operands`, in their order; the types among them merge into the first.
    pub fn or(&mut self, operands: impl IntoIterator<Item = NodeId>) -> NodeId {
        let mut flat = Vec::new();
        for id in operands {
            match self.get(id) {
                Node::Or(inner) => flat.extend(inner.iter().copied()),
                _ => flat.push(id),
            }
        }
        let types = flat.iter().fold(TypeSet::NONE, |all, &id| match self.get(id) {
            Node::Type(types) => all.union(*types),
            Node::True => TypeSet::ALL,
            _ => all,
        });
        if types == TypeSet::ALL {
            return TRUE;
        }
        let mut kept = Unique::default();
        for id in flat {
            // A branch whose every type is allowed without condition adds nothing.
            let id = match self.get(id) {
                Node::Type(_) => self.types(types),
                _ => id,
            };
            let redundant = types.contains(self.types[id.0 as usize]);
            if !redundant || matches!(self.get(id), Node::Type(_)) {
                kept.push(id);
            }
        }
        let kept = kept.into_vec();
        match kept[..] {
            [] => FALSE,
            [one] => one,
            _ => self.intern(Node::Or(kept.into())),
        }
    }

    /// A new [`Node::Ref`] that stands for a node still to be built; equal to no other.
    pub fn placeholder(&mut self) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        self.push(Node::Ref(id))
    }

    /// Makes the placeholder `from` stand for `to`.
    ///
    /// The caller sees to it that following references from `to` does not come back to `from`.
    pub fn patch(&mut self, from: NodeId, to: NodeId) {
        debug_assert!(matches!(self.get(from), Node::Ref(_)) && from != to);
        self.nodes[from.0 as usize] = Node::Ref(to);
    }

    /// The [`Ir`] of what `root` reaches, renumbered without gaps in the order of building.
    pub fn finish(self, root: NodeId) -> Ir {
        self.finish_all(root, &[]).0
    }

    /// The [`Ir`] of what `root` and `more` reach, and the new numbers of `more`.
    pub fn finish_all(self, root: NodeId, more: &[NodeId]) -> (Ir, Vec<NodeId>) {
        let mut reached = vec![false; self.nodes.len()];
        let mut todo = vec![TRUE, FALSE, root];
        todo.extend(more);
        while let Some(id) = todo.pop() {
            if !std::mem::replace(&mut reached[id.0 as usize], true) {
                each_child(&self.nodes[id.0 as usize], |c| todo.push(c));
            }
        }
        let mut next = 0;
        let number = |&r: &bool| {
            next += u32::from(r);
            NodeId(next.wrapping_sub(1))
        };
        let ids: Vec<NodeId> = reached.iter().map(number).collect();

        let mut ir = Ir {
            nodes: Vec::new(),
            pointers: Vec::new(),
            root: ids[root.0 as usize],
            strings: Vec::new(),
            wider: Vec::new(),
            numbers: Vec::new(),
        };
        let mut strings = Vec::new();
        let mut string_ids = vec![None; self.strings.len()];
        let mut number_ids = vec![None; self.numbers.len()];
        let all = self.nodes.into_iter().zip(self.pointers).zip(reached);
        for ((mut node, pointer), _) in all.filter(|(_, reached)| *reached) {
            match &mut node {
                Node::String(i) => *i = compact(&self.strings, &mut string_ids, &mut strings, *i),
                Node::Number(i) => *i = compact(&self.numbers, &mut number_ids, &mut ir.numbers, *i),
                _ => each_child_mut(&mut node, |c| *c = ids[c.0 as usize]),
            }
            ir.nodes.push(node);
            ir.pointers.push(pointer);
        }
        (ir.strings, ir.wider) = strings.into_iter().unzip();
        let more = more.iter().map(|id| ids[id.0 as usize]).collect();
        (ir, more)
    }
}

/// Copies entry `old` of `from` to the end of `to` unless it is there already; returns its place.
fn compact<T: Clone>(from: &[T], moved: &mut [Option<u32>], to: &mut Vec<T>, old: u32) -> u32 {
    *moved[old as usize].get_or_insert_with(|| {
        to.push(from[old as usize].clone());
        to.len() as u32 - 1
    })
}

/// The types a node says something about; every value of another type satisfies it.
fn concerns(node: &Node) -> TypeSet {
    match node {
        Node::Bool(_) => TypeSet::BOOLEAN,
        Node::Length(_) | Node::String(_) => TypeSet::STRING,
        Node::Number(_) => TypeSet::NUMBER,
        Node::Object(_) | Node::Members(_) => TypeSet::OBJECT,
        Node::Array(_) | Node::Contains(..) => TypeSet::ARRAY,
        _ => TypeSet::ALL,
    }
}

fn each_child(node: &Node, mut f: impl FnMut(NodeId)) {
    match node {
        Node::And(ids) | Node::Or(ids) | Node::One(ids) => ids.iter().for_each(|&i| f(i)),
        Node::Not(of) | Node::Contains(of, _) => f(*of),
        Node::Object(o) => {
            o.properties.iter().for_each(|p| f(p.schema));
            o.patterns.iter().for_each(|p| [p.name, p.schema].into_iter().for_each(&mut f));
            f(o.additional);
        }
        Node::Array(a) => {
            a.prefix.iter().for_each(|&i| f(i));
            f(a.rest);
        }
        Node::Ref(to) => f(*to),
        Node::True | Node::False | Node::Type(_) | Node::Bool(_) => {}
        Node::Length(_) | Node::String(_) | Node::Number(_) | Node::Members(_) => {}
    }
}

fn each_child_mut(node: &mut Node, mut f: impl FnMut(&mut NodeId)) {
    match node {
        Node::And(ids) | Node::Or(ids) | Node::One(ids) => ids.iter_mut().for_each(&mut f),
        Node::Not(of) | Node::Contains(of, _) => f(of),
        Node::Object(o) => {
            o.properties.iter_mut().for_each(|p| f(&mut p.schema));
            o.patterns.iter_mut().for_each(|p| [&mut p.name, &mut p.schema].into_iter().for_each(&mut f));
            f(&mut o.additional);
        }
        Node::Array(a) => {
            a.prefix.iter_mut().for_each(&mut f);
            f(&mut a.rest);
        }
        Node::Ref(to) => f(to),
        Node::True | Node::False | Node::Type(_) | Node::Bool(_) => {}
        Node::Length(_) | Node::String(_) | Node::Number(_) | Node::Members(_) => {}
    }
}

/// A list without repeats, in order of first appearance.
#[derive(Default)]
struct Unique {
    list: Vec<NodeId>,
    seen: std::collections::HashSet<NodeId>,
}

impl Unique {
    fn push(&mut self, id: NodeId) {
        if self.seen.insert(id) {
            self.list.push(id);
        }
    }

    fn into_vec(self) -> Vec<NodeId> {
        self.list
    }
}
