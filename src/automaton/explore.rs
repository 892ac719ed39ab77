//! Exploration: from the normalised schema to all reachable frames and states, not yet trimmed.
//!
//! A worklist alternates between expanding states and telling callers about outcomes. A site is
//! continued for an outcome only once the entered frame has been seen to produce it, so every state
//! found is reached by some finite text, recursion included (but for what follows names that are judged: their frames are
//! entered at many places, not all of which have all outcomes; trimming drops those): the fixpoint needs no second look at a
//! state, because what it discovers only ever adds targets to sites. States of texts are merged at the end.

use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::envelope::Outer;
use super::flow::Flow;
use super::formula::{Formula, Formulas, NEVER, Pair};
use super::kept::{self, Content, KeptFrame, KeptFrames};
use super::machine::{Indent, Label};
use super::order::{Order, appearance};
use super::raw::*;
use super::{KeyOrder, Options, Whitespace};
use crate::error::{Error, ErrorKind, Result};
use crate::ir::{Ir, Node, NodeId};
use crate::pattern::{self, ByteDfa};

/// Everything that exploration knows.
pub(crate) struct Explorer<'a> {
    pub ir: &'a Ir,
    pub options: &'a Options,
    /// Frames that have been made before.
    kept: Option<&'a KeptFrames>,
    /// What stands around the values.
    pub outer: Rc<Outer>,
    pub formulas: Formulas<Atom>,
    pub frames: Vec<RawFrame>,
    pub sites: Vec<RawSite>,
    /// Per node, when it first appears in the schema: ids follow the order of lowering, in which what is
    /// referred to comes first.
    pub appearance: Rc<[u32]>,
    /// What [`Atom::Ordered`] numbers.
    pub orders: Vec<Order>,
    pub order_ids: FxHashMap<Order, u32>,
    /// Per node, its object assertions in order.
    pub objects_of: FxHashMap<NodeId, Order>,
    /// Automata of [`Atom::String`] and [`Atom::Number`]: the schema's, and then complements.
    pub strings: Vec<Arc<ByteDfa>>,
    pub numbers: Vec<Arc<ByteDfa>>,
    /// By number of classes of names, the automaton of the first class.
    pub name_classes: FxHashMap<u8, u32>,
    /// By leaf, the automaton of its complement.
    pub complements: FxHashMap<NodeId, u32>,
    /// By number assertion, and whether it holds, the automaton that leaves digits uncounted.
    pub uncounted: FxHashMap<(u32, bool), u32>,
    frame_ids: FxHashMap<FrameKey, FrameId>,
    values: FxHashMap<(NodeId, bool), Formula>,
    pub restricted: FxHashMap<(Formula, Kind), Formula>,
    /// Per string automaton and state, whether everything is accepted from there on.
    pub universal: FxHashMap<(u32, u32), bool>,
    /// Per byte, and whether it completes a character, what is known to become of formulas over texts.
    pub readings: Vec<FxHashMap<Formula, Formula>>,
    /// Entries of `readings`.
    pub known_readings: usize,
    states: usize,
    work: Vec<Work>,
}

/// Most states of one object whose names are remembered by states ([`super::object::ObjectData::judged`]): every
/// such name may double them.
const MAX_JUDGED_STATES: usize = 40_000;

/// How values of one kind begin.
struct First {
    kind: Kind,
    bytes: &'static [(u8, u8)],
    /// Whether the byte is read by entering the frame.
    read: bool,
}

const FIRST: [First; 7] = [
    First { kind: Kind::String, bytes: &[(b'"', b'"')], read: true },
    First { kind: Kind::Number, bytes: &[(b'-', b'-'), (b'0', b'9')], read: false },
    First { kind: Kind::Array, bytes: &[(b'[', b'[')], read: true },
    First { kind: Kind::False, bytes: &[(b'f', b'f')], read: false },
    First { kind: Kind::Null, bytes: &[(b'n', b'n')], read: false },
    First { kind: Kind::True, bytes: &[(b't', b't')], read: false },
    First { kind: Kind::Object, bytes: &[(b'{', b'{')], read: true },
];

enum Work {
    Expand(FrameId, RawId),
    Continue(RawSiteId, u32),
}

impl<'a> Explorer<'a> {
    /// Explores everything reachable from an envelope's start; frame 0 is the document.
    pub fn run(ir: &'a Ir, outer: Outer, options: &'a Options, kept: Option<&'a KeptFrames>) -> Result<Self> {
        let appearance = appearance(ir, &outer.values());
        Self::run_at(ir, outer, appearance, options, kept)
    }

    /// As `run`, of a part of a schema.
    pub fn run_at(
        ir: &'a Ir,
        outer: Outer,
        appearance: Rc<[u32]>,
        options: &'a Options,
        kept: Option<&'a KeptFrames>,
    ) -> Result<Self> {
        let mut x = Explorer {
            ir,
            options,
            kept,
            outer: Rc::new(outer),
            formulas: Formulas::new(),
            frames: Vec::new(),
            sites: Vec::new(),
            appearance,
            orders: Vec::new(),
            order_ids: FxHashMap::default(),
            objects_of: FxHashMap::default(),
            strings: ir.strings.clone(),
            numbers: ir.numbers.iter().map(|n| n.1.clone()).collect(),
            name_classes: FxHashMap::default(),
            complements: FxHashMap::default(),
            uncounted: FxHashMap::default(),
            frame_ids: FxHashMap::default(),
            values: FxHashMap::default(),
            restricted: FxHashMap::default(),
            universal: FxHashMap::default(),
            readings: vec![FxHashMap::default(); 512],
            known_readings: 0,
            states: 0,
            work: Vec::new(),
        };
        let values: Result<Vec<Formula>> =
            x.outer.clone().values().into_iter().map(|node| x.value(node, true)).collect();
        let key = FrameKey { kind: Kind::Document, entries: values?, keep_false: false };
        x.frame(key)?;
        while let Some(work) = x.work.pop() {
            match work {
                Work::Expand(frame, state) => x.expand(frame, state)?,
                Work::Continue(site, outcome) => x.resume(site, outcome)?,
            }
        }
        x.sort_outcomes();
        x.merge_texts();
        for frame in &mut x.frames {
            frame.flow = Flow::new(&frame.states, &x.sites);
        }
        Ok(x)
    }

    /// Numbers the outcomes of every frame by what they are: in which order they were found depends on which frames had
    /// been made before.
    fn sort_outcomes(&mut self) {
        for frame in 0..self.frames.len() {
            let f = &mut self.frames[frame];
            if f.outcomes.is_sorted() {
                continue;
            }
            let mut order: Vec<usize> = (0..f.outcomes.len()).collect();
            order.sort_unstable_by(|&a, &b| f.outcomes[a].cmp(&f.outcomes[b]));
            let mut number = vec![0; order.len()];
            (0..).zip(&order).for_each(|(new, &old)| number[old] = new);
            f.outcomes.sort_unstable();
            for exit in &mut f.exits {
                exit.pieces.iter_mut().filter_map(|p| p.1.as_mut()).for_each(|o| *o = number[*o as usize]);
                exit.choices.iter_mut().for_each(|c| c.1 = number[c.1 as usize]);
            }
            for &site in &f.callers {
                let targets = &mut self.sites[site as usize].targets;
                targets.resize(order.len(), None);
                *targets = order.iter().map(|&old| targets[old]).collect();
            }
        }
    }

    /// The formula over leaf assertions that a node stands for at a value position, or that it does not hold.
    pub fn value(&mut self, id: NodeId, holds: bool) -> Result<Formula> {
        self.value_nested(id, holds, 0)
    }

    fn value_nested(&mut self, id: NodeId, holds: bool, depth: u32) -> Result<Formula> {
        let id = self.ir.resolve(id);
        if let Some(&f) = self.values.get(&(id, holds)) {
            return Ok(f);
        }
        if depth > 2000 {
            return Err(Error::at(
                ErrorKind::LimitExceeded,
                self.ir.pointers[id.0 as usize].to_string(),
                "more than 2000 references and combinations nest without a property or item between them",
            ));
        }
        let ir = self.ir;
        let f = match ir.node(id) {
            Node::True => holds.into(),
            Node::False => (!holds).into(),
            Node::Not(of) => self.value_nested(*of, !holds, depth + 1)?,
            node @ (Node::And(list) | Node::Or(list)) => {
                let list: Result<Vec<Formula>> =
                    list.iter().map(|&n| self.value_nested(n, holds, depth + 1)).collect();
                // The negation of a disjunction is a conjunction.
                if matches!(node, Node::And(_)) == holds {
                    self.formulas.and(list?)
                } else {
                    self.formulas.or(list?)
                }
            }
            Node::One(list) => {
                let pair = |x: &mut Self, n: NodeId| -> Result<Pair> {
                    Ok((x.value_nested(n, true, depth + 1)?, x.value_nested(n, false, depth + 1)?))
                };
                let pairs: Result<Vec<Pair>> = list.iter().map(|&n| pair(self, n)).collect();
                self.formulas.one(pairs?, holds)
            }
            _ => self.formulas.atom(Atom::Leaf { node: id, holds }),
        };
        // Alternatives have an order each, what they are judged for together has one.
        let f = match ir.node(id) {
            Node::Or(_) if holds => f,
            Node::And(_) | Node::Or(_) | Node::One(_) => {
                let order = self.objects(id);
                self.ordered(f, &order)
            }
            _ => f,
        };
        self.values.insert((id, holds), f);
        Ok(f)
    }

    /// The frame of a key, created with its start state on first use.
    pub fn frame(&mut self, key: FrameKey) -> Result<FrameId> {
        if let Some(&id) = self.frame_ids.get(&key) {
            return Ok(id);
        }
        let id = self.frames.len() as FrameId;
        self.frame_ids.insert(key.clone(), id);
        let content = if self.kept.is_some() { self.content(&key) } else { None };
        if let Some(kept) = content.as_ref().and_then(|c| self.kept?.get(c)) {
            self.kept_frame(key, content, kept)?;
            return Ok(id);
        }
        let text = self.text_data(&key)?;
        let entries = key.entries.clone();
        let kind = key.kind;
        self.frames.push(RawFrame {
            key,
            states: Vec::new(),
            index: FxHashMap::default(),
            exits: Vec::new(),
            outcomes: Vec::new(),
            callers: Vec::new(),
            text: text.map(Rc::new),
            object: None,
            sites: Vec::new(),
            explored: 0,
            content,
            kept: None,
            children: Vec::new(),
            flow: Flow::default(),
        });
        let start = match kind {
            Kind::Document => StateKey::Opening(Outer::START),
            Kind::True | Kind::False | Kind::Null => StateKey::Literal(0),
            Kind::String | Kind::Number => self.text_start(id),
            Kind::Array => {
                let start: Vec<_> = entries.iter().map(|&f| self.array_settle(f, 0)).collect();
                StateKey::ArrayStart(start.into(), false)
            }
            Kind::Object => StateKey::ObjectStart(self.object_start(id)?, false),
            Kind::OpenKey if entries.is_empty() => StateKey::OpenKey(pattern::canonical_any().start),
            Kind::OpenKey => self.text_start(id),
        };
        self.state(id, start)?;
        Ok(id)
    }

    /// Adds a frame that has been made before, and those that it enters.
    fn kept_frame(&mut self, key: FrameKey, content: Option<Content>, kept: Arc<KeptFrame>) -> Result<()> {
        self.count_states(kept.explored)?;
        let id = self.frames.len();
        self.frames.push(RawFrame {
            key,
            states: Vec::new(),
            index: FxHashMap::default(),
            exits: Vec::new(),
            outcomes: vec![kept.outcome.clone()],
            callers: Vec::new(),
            text: None,
            object: None,
            sites: Vec::new(),
            explored: kept.explored,
            content,
            kept: Some(kept.clone()),
            children: Vec::new(),
            flow: Flow::default(),
        });
        for &(kind, _) in &kept.children {
            let child = self.frame(Content::key(kind))?;
            self.frames[id].children.push(child);
        }
        Ok(())
    }

    /// Where a frame of undeclared names is entered in a state of their characters.
    pub fn open_key_start(&mut self, frame: FrameId, any_state: u32) -> Result<RawId> {
        match self.frames[frame as usize].kept {
            Some(_) => Ok(kept::open_key_number(any_state)),
            None => self.state(frame, StateKey::OpenKey(any_state)),
        }
    }

    /// The state of a key, created and queued on first use. The start state of a frame is 0.
    pub fn state(&mut self, frame: FrameId, key: StateKey) -> Result<RawId> {
        let f = &mut self.frames[frame as usize];
        if let Some(&id) = f.index.get(&key) {
            return Ok(id);
        }
        let id = f.states.len() as RawId;
        f.index.insert(key.clone(), id);
        let label = match f.key.kind {
            Kind::Document => Label::Document,
            Kind::String => Label::String,
            Kind::Number => Label::Number,
            Kind::True | Kind::False | Kind::Null => Label::Literal,
            Kind::Array => Label::Array,
            Kind::Object if matches!(key, StateKey::Key(..)) => Label::Key,
            Kind::Object => Label::Object,
            Kind::OpenKey => Label::OpenKey,
        };
        f.explored += 1;
        f.states.push(RawState {
            key,
            edges: Vec::new(),
            default: Edge::Dead,
            indent: Indent::None,
            label,
            free: 0,
            keys: None,
            accepting: false,
        });
        // What a state costs to find grows with the values that are judged in it. With free key order the limit decides
        // about more schemas, and states are all that counts.
        let judged = self.frames[frame as usize].key.entries.len();
        self.count_states(if self.any_order() { 1 } else { (judged / 2).max(1) })?;
        let judged = self.frames[frame as usize].object.as_ref().is_some_and(|o| o.judged);
        if judged && id as usize >= MAX_JUDGED_STATES {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!(
                    "what an object violates, or how many members it has, depends with free key order on which of its \
                     names have been written, in more than {MAX_JUDGED_STATES} states; use key order `schema`"
                ),
            ));
        }
        self.work.push(Work::Expand(frame, id));
        Ok(id)
    }

    fn count_states(&mut self, more: usize) -> Result<()> {
        self.states += more;
        if self.states > self.options.max_states {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!(
                    "the schema needs more than {} states (limit max_states); simplify its patterns or alternatives",
                    self.options.max_states
                ),
            ));
        }
        Ok(())
    }

    fn expand(&mut self, frame: FrameId, state: RawId) -> Result<()> {
        let key = self.frames[frame as usize].states[state as usize].key.clone();
        let mut out = Expansion::default();
        match key {
            StateKey::Opening(node) => self.expand_opening(frame, node, &mut out)?,
            StateKey::Prose(sub) => self.expand_prose(frame, sub, &mut out)?,
            StateKey::Closing(way, read) => self.expand_closing(frame, way, read, &mut out)?,
            StateKey::Literal(read) => self.expand_literal(frame, read, &mut out)?,
            StateKey::Free(sub) => self.expand_free(frame, sub, &mut out)?,
            StateKey::Text(any, verdicts) => self.expand_text(frame, any, verdicts, &mut out)?,
            StateKey::NameStart(any, verdicts, except) => {
                self.expand_text(frame, any, verdicts, &mut out)?;
                out.without(&except);
            }
            StateKey::OpenKey(any) => self.expand_open_key(frame, any, &mut out)?,
            StateKey::ArrayStart(..)
            | StateKey::Item(..)
            | StateKey::ItemDone(..)
            | StateKey::ItemBreak(..) => {
                self.expand_array(frame, key, &mut out)?;
            }
            _ => self.expand_object(frame, key, &mut out)?,
        }
        out.edges.sort_unstable_by_key(|e| e.0);
        let s = &mut self.frames[frame as usize].states[state as usize];
        s.edges = out.edges;
        s.default = out.default;
        s.indent = out.indent;
        s.free = out.free;
        s.keys = out.keys;
        s.accepting = out.accepting;
        Ok(())
    }

    /// Adds the edges that begin a value judged for `asked` (formulas over leaves).
    pub fn value_edges(
        &mut self,
        frame: FrameId,
        asked: &Rc<[Formula]>,
        continuation: Continuation,
        out: &mut Expansion,
    ) -> Result<()> {
        for First { kind, bytes, read } in FIRST {
            let mut entries: Vec<Formula> = Vec::new();
            let mut slots = Vec::with_capacity(asked.len());
            for &f in asked.iter() {
                let f = self.restrict(f, kind)?;
                slots.push(match f.constant() {
                    Some(b) => Slot::Constant(b),
                    None => match entries.iter().position(|&e| e == f) {
                        Some(i) => Slot::Outcome(i as u32),
                        None => {
                            entries.push(f);
                            Slot::Outcome(entries.len() as u32 - 1)
                        }
                    },
                });
            }
            let all = |b: bool| -> Vec<bool> {
                slots.iter().map(|s| if let Slot::Constant(c) = s { *c } else { b }).collect()
            };
            // Formulas are monotone: if even success everywhere leads nowhere, the kind is illegal.
            if !self.survives(frame, &continuation, asked, &all(true)) {
                continue;
            }
            let keep_false = entries.is_empty() || self.survives(frame, &continuation, asked, &all(false));
            let child = self.frame(FrameKey { kind, entries, keep_false })?;
            let site = self.site(frame, child, 0, continuation.clone(), asked.clone(), slots);
            for &(lo, hi) in bytes {
                out.edges.push((lo, hi, Edge::Enter { site, read }));
            }
        }
        Ok(())
    }

    pub fn site(
        &mut self,
        frame: FrameId,
        child: FrameId,
        start: RawId,
        continuation: Continuation,
        asked: Rc<[Formula]>,
        slots: Vec<Slot>,
    ) -> RawSiteId {
        let id = self.sites.len() as RawSiteId;
        let own = &mut self.frames[frame as usize].sites;
        let place = own.len() as u32;
        own.push(id);
        let targets = Vec::new();
        self.sites.push(RawSite { frame, place, child, start, continuation, asked, slots, targets });
        let child = &mut self.frames[child as usize];
        child.callers.push(id);
        for outcome in 0..child.outcomes.len() {
            self.work.push(Work::Continue(id, outcome as u32));
        }
        id
    }

    /// The index of an outcome, if it is of use to anyone; new ones are told to all callers.
    pub fn outcome(&mut self, frame: FrameId, verdicts: &[bool]) -> Option<u32> {
        let f = &mut self.frames[frame as usize];
        if !f.key.keep_false && !verdicts.iter().any(|&v| v) {
            return None;
        }
        if let Some(i) = f.outcomes.iter().position(|o| **o == *verdicts) {
            return Some(i as u32);
        }
        let outcome = f.outcomes.len() as u32;
        f.outcomes.push(verdicts.into());
        self.work.extend(f.callers.iter().map(|&site| Work::Continue(site, outcome)));
        Some(outcome)
    }

    fn resume(&mut self, site: RawSiteId, outcome: u32) -> Result<()> {
        let s = &self.sites[site as usize];
        let verdicts = &self.frames[s.child as usize].outcomes[outcome as usize];
        let verdicts: Vec<bool> = s
            .slots
            .iter()
            .map(|slot| match *slot {
                Slot::Constant(b) => b,
                Slot::Outcome(i) => verdicts[i as usize],
            })
            .collect();
        let (frame, continuation, asked) = (s.frame, s.continuation.clone(), s.asked.clone());
        let target = match continuation {
            Continuation::Document(way) => verdicts[0].then_some(StateKey::Closing(way, 0)),
            Continuation::Item { index, after } => {
                let after = self.settle(&after, &asked, &verdicts);
                self.alive(frame, &after).then(|| StateKey::ItemDone(index, after.into(), false))
            }
            Continuation::Member(tracks) => {
                self.settle_tracks(frame, &tracks, &asked, &verdicts).map(|t| StateKey::MemberDone(t, false))
            }
            Continuation::Key(tracks) => Some(StateKey::Colon(tracks, 0, true)),
            Continuation::JudgedKey(tracks, conditions) => {
                let verdicts = &self.frames[s.child as usize].outcomes[outcome as usize];
                let names: Vec<(usize, bool)> = conditions
                    .iter()
                    .map(|&(condition, slot)| match slot {
                        Slot::Constant(b) => (condition, b),
                        Slot::Outcome(i) => (condition, verdicts[i as usize]),
                    })
                    .collect();
                self.settle_names(frame, &tracks, &names).map(|t| StateKey::Colon(t, 0, true))
            }
        };
        let target = target.map(|key| self.state(frame, key)).transpose()?;
        let targets = &mut self.sites[site as usize].targets;
        if targets.len() <= outcome as usize {
            targets.resize(outcome as usize + 1, None);
        }
        targets[outcome as usize] = target;
        Ok(())
    }

    /// Whether a continuation leads anywhere for these verdicts.
    fn survives(&mut self, frame: FrameId, to: &Continuation, asked: &[Formula], verdicts: &[bool]) -> bool {
        match to {
            Continuation::Document(_) => verdicts[0],
            Continuation::Item { after, .. } => {
                let after = self.settle(after, asked, verdicts);
                self.alive(frame, &after)
            }
            Continuation::Member(tracks) => tracks.iter().flatten().any(|&id| {
                let holds = self.object_data(frame).tracks[id as usize].holds;
                self.settle_one(holds, asked, verdicts) != NEVER
            }),
            Continuation::Key(_) | Continuation::JudgedKey(..) => true,
        }
    }

    /// An exit whose verdicts depend on nothing but the count (`units = count + offset`).
    pub fn exit(&mut self, frame: FrameId, verdicts: &[Formula], offset: u32) -> Option<u32> {
        self.exit_within(frame, verdicts, offset, u32::MAX)
    }

    /// The same, of texts with at most so many units: others have no outcome.
    pub fn exit_within(
        &mut self,
        frame: FrameId,
        verdicts: &[Formula],
        offset: u32,
        most: u32,
    ) -> Option<u32> {
        let mut starts = vec![0];
        starts.extend(most.checked_add(1));
        for &f in verdicts {
            self.formulas.atoms(f, &mut |atom| {
                if let Atom::Count(range) = atom {
                    starts.push(range.min.saturating_sub(offset));
                    starts.push(range.max.saturating_add(1).saturating_sub(offset));
                }
            });
        }
        starts.sort_unstable();
        starts.dedup();
        let mut pieces: Vec<(u32, Option<u32>)> = Vec::new();
        for at in starts {
            let units = at.saturating_add(offset);
            let bits: Vec<bool> = verdicts
                .iter()
                .map(|&f| {
                    self.formulas.evaluate(f, &mut |atom| match atom {
                        Atom::Count(range) => range.contains(units),
                        other => unreachable!("{other:?} is undecided at the end of a frame"),
                    })
                })
                .collect();
            let outcome = if units > most { None } else { self.outcome(frame, &bits) };
            if pieces.last().is_none_or(|p| p.1 != outcome) {
                pieces.push((at, outcome));
            }
        }
        if pieces.iter().all(|p| p.1.is_none()) {
            return None;
        }
        let exits = &mut self.frames[frame as usize].exits;
        exits.push(Exit { pieces, choices: Vec::new() });
        Some(exits.len() as u32 - 1)
    }

    /// The optional whitespace that may stand at a state, as a loop on it.
    pub fn space_loop(&mut self, frame: FrameId, key: &StateKey, out: &mut Expansion) {
        if let Whitespace::Flexible { .. } = self.options.whitespace {
            let to = self.frames[frame as usize].index[key];
            for b in [b'\t', b'\n', b'\r', b' '] {
                out.edges.push((b, b, Edge::Stay { to, tick: false, space: true }));
            }
        }
    }

    pub fn indented(&self) -> bool {
        matches!(self.options.whitespace, Whitespace::Indent(_))
    }

    pub fn any_order(&self) -> bool {
        self.options.key_order == KeyOrder::Any
    }
}

/// The edges of a state while they are being found.
pub(crate) struct Expansion {
    pub edges: Vec<(u8, u8, Edge)>,
    pub default: Edge,
    pub indent: Indent,
    pub free: u8,
    pub keys: Option<RawKeys>,
    pub accepting: bool,
}

impl Default for Expansion {
    fn default() -> Self {
        Expansion {
            edges: Vec::new(),
            default: Edge::Dead,
            indent: Indent::None,
            free: 0,
            keys: None,
            accepting: false,
        }
    }
}

impl Expansion {
    pub fn stay(&mut self, byte: u8, to: RawId) {
        self.edges.push((byte, byte, Edge::Stay { to, tick: false, space: false }));
    }

    /// Takes back the edges that leave, and those on some bytes.
    pub fn without(&mut self, bytes: &[u8]) {
        let mut kept = Vec::with_capacity(self.edges.len());
        for &(lo, hi, edge) in &self.edges {
            if matches!(edge, Edge::Leave { .. }) {
                continue;
            }
            let mut from = u16::from(lo);
            for &b in bytes.iter().filter(|&&b| lo <= b && b <= hi) {
                if from < u16::from(b) {
                    kept.push((from as u8, b - 1, edge));
                }
                from = u16::from(b) + 1;
            }
            if from <= u16::from(hi) {
                kept.push((from as u8, hi, edge));
            }
        }
        self.edges = kept;
    }

    pub fn leave(&mut self, byte: u8, exit: Option<u32>) {
        if let Some(exit) = exit {
            self.edges.push((byte, byte, Edge::Leave { exit, read: true }));
        }
    }
}
