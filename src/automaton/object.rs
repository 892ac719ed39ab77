//! Object frames: shape (which key may come next) and verdicts (which assertions still hold).
//!
//! An entry is a set of *tracks*. A track has a *shape*, the one order in which its declared names may
//! be written, a position in it, and a formula over the object assertions not violated so far. The
//! operands of a disjunction are tracks of their own, each with the order of its own schema, but those
//! with the same names in the same order are one; a conjunction is one track over one merged order: names
//! in order of first appearance, names that are only required after them, undeclared names last. With the
//! order fixed, the position alone tells which required names are missing, so an assertion needs no state
//! of its own.
//!
//! A track that holds whatever follows leaves nothing to judge; the tracks beside it only allow other
//! orders and the names it has skipped. Which of n such tracks are left is 2^n states, so of more than
//! [`MAX_FOLLOWED`] one that holds is followed alone ([`ObjectData::entry`]).
//!
//! What is judged for violating an assertion (`not`, `oneOf`, `if`) has no order of its own: if there is any such
//! in a frame, all its entries have one shape, with one merged order, and only verdicts differ.
//!
//! Names that are not declared may be judged themselves (`names`), before what they name.
//!
//! With free key order there is no position; a register of seen keys, one bit a name, says what may
//! still come and what is missing.

use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::smallvec;

use super::explore::Explorer;
use super::formula::{ALWAYS, Formula, NEVER, Node as F};
use super::key_set::KeySet;
use super::keys::{Here, TrieId, Tries};
use super::raw::*;
use crate::error::{Error, ErrorKind, Result};
use crate::ir::{Node, NodeId, ObjectAssertion, TRUE};
use crate::pattern;

/// One alternative an entry follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Track {
    pub shape: u32,
    /// Names before this position can no longer be written.
    pub position: u32,
    pub holds: Formula,
    /// Whether a name before the position was not written. Kept only where it decides what is followed.
    pub skipped: bool,
    /// Judged frames under free key order ([`ObjectData::judged`]): the names that matter to what is
    /// open in this state, and those of them that have been written.
    pub known: KeySet,
    pub seen: KeySet,
}

impl Track {
    fn start(shape: u32, holds: Formula) -> Track {
        Track { shape, position: 0, holds, skipped: false, known: KeySet::EMPTY, seen: KeySet::EMPTY }
    }
}

/// Alternatives that agree in their names and the order of these.
struct Alike {
    names: Vec<u32>,
    /// Their assertions, as a list and as a set.
    nodes: Vec<NodeId>,
    assertions: FxHashSet<NodeId>,
    formulas: Vec<Formula>,
}

/// The order in which one conjunction's names are written.
pub(crate) struct Shape {
    /// Indices into [`ObjectData::names`].
    pub names: Vec<u32>,
    /// Per object assertion of the shape, how it sees each of the names.
    pub views: FxHashMap<NodeId, View>,
    /// Whether it is one of so many that a track that holds is followed alone.
    commits: bool,
}

/// How one assertion sees the names of a shape.
pub(crate) struct View {
    /// Place among the assertions of the shape in order of appearance.
    rank: u32,
    /// Per position the schemas of the name.
    schemas: Vec<Rc<[NodeId]>>,
    /// Per position, and one beyond: the first position from there on whose name is required.
    pub next_required: Vec<u32>,
    /// Per position, and one beyond: nothing from there on can violate the assertion.
    settled: Vec<bool>,
    /// Nothing undeclared can violate the assertion.
    open: bool,
    /// The names required, and those whose values may violate it, as bits.
    pub required: KeySet,
    typed: KeySet,
    /// Those among `typed` by whose values it may be violated without all being lost.
    telling: KeySet,
}

/// A key as a track sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextKey {
    /// The name at this position of the track's shape.
    Declared(u32),
    Open,
}

/// What the states of one object frame share.
#[derive(Default)]
pub(crate) struct ObjectData {
    /// Every name declared by some assertion: as written, and spelled canonically.
    pub names: Vec<(Arc<str>, Vec<u8>)>,
    pub shapes: Vec<Shape>,
    pub tries: Tries,
    pub tracks: Vec<Track>,
    /// What undeclared names are judged for, as [`Atom::Name`] and [`Atom::NameClass`].
    pub conditions: Vec<Atom>,
    /// Whether members are counted by their commas.
    pub counts: bool,
    /// Free key order, and something is judged that the register of seen keys cannot tell: what violates
    /// an assertion, and how many members there are. The names that matter are part of the states.
    pub judged: bool,
    /// Where undeclared names that nothing is asked of are entered: by the tracks after them, and the state of a
    /// name's characters.
    pub open_sites: FxHashMap<(Tracks, u32), RawSiteId>,
    track_ids: FxHashMap<Track, u32>,
    trie_of: FxHashMap<Track, TrieId>,
}

impl ObjectData {
    pub fn track(&mut self, track: Track) -> u32 {
        *self.track_ids.entry(track).or_insert_with(|| {
            self.tracks.push(track);
            self.tracks.len() as u32 - 1
        })
    }

    /// The entry of these tracks. Of many, what holds without a name skipped can write all that the others
    /// could and is followed alone; what holds otherwise is followed beside those that have skipped nothing.
    pub fn entry(&self, tracks: impl IntoIterator<Item = u32>) -> TrackList {
        let mut ids: TrackList = tracks.into_iter().collect();
        if ids.len() < 2 {
            return ids;
        }
        let at = |id: u32| self.tracks[id as usize];
        let holding = ids.iter().filter(|&&id| at(id).holds == ALWAYS);
        let best = holding.copied().min_by_key(|&id| (at(id).skipped, at(id).position, at(id).shape));
        if let Some(best) = best.filter(|&id| self.shapes[at(id).shape as usize].commits) {
            ids.retain(|&mut id| id == best || at(best).skipped && !at(id).skipped);
        }
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// The shape of any object: no names, nothing asserted. Always shape 0.
const ANY: u32 = 0;

/// Most orders of names that are all followed to the end.
const MAX_FOLLOWED: usize = 4;

impl Explorer<'_> {
    pub fn object_assertion(&self, node: NodeId) -> &ObjectAssertion {
        match self.ir.node(node) {
            Node::Object(o) => o,
            other => unreachable!("object atoms name object assertions, not {other:?}"),
        }
    }

    pub fn object_data(&mut self, frame: FrameId) -> &mut ObjectData {
        self.frames[frame as usize].object.as_mut().expect("object frame")
    }

    /// Sets up the shapes of a new frame and returns its first tracks. If a value that satisfies no
    /// entry is of use, a last extra entry follows any object.
    pub fn object_start(&mut self, frame: FrameId) -> Result<Tracks> {
        let key = self.frames[frame as usize].key.clone();
        let mut data = ObjectData::default();
        data.shapes.push(Shape { names: Vec::new(), views: FxHashMap::default(), commits: false });
        let mut name_ids: FxHashMap<Arc<str>, u32> = FxHashMap::default();
        let mut entries = Vec::with_capacity(key.entries.len() + 1);
        let negative = key.entries.iter().any(|&entry| self.is_negative(entry));
        data.judged =
            self.any_order() && (negative || key.entries.iter().any(|&entry| self.is_counted(entry)));
        if negative || data.judged {
            let nodes = self.merged_order(&key.entries);
            let names = self.names(&nodes, &mut data, &mut name_ids);
            let shape = self.shape(nodes, names, &name_ids, false)?;
            data.shapes.push(shape);
            for &entry in &key.entries {
                let (_, f) = self.take_order(entry);
                entries.push(vec![(data.shapes.len() as u32 - 1, f)]);
            }
        }
        for &entry in &key.entries[entries.len()..] {
            let alternatives: Vec<Formula> = match self.formulas.node(entry) {
                F::Or(list) => list.to_vec(),
                _ => vec![entry],
            };
            // Alternatives with the same names in the same order are one.
            let mut orders: Vec<Alike> = Vec::new();
            let mut known: FxHashMap<Vec<u32>, usize> = FxHashMap::default();
            for f in alternatives {
                let (nodes, f) = self.take_order(f);
                let names = self.names(&nodes, &mut data, &mut name_ids);
                let at = *known.entry(names.clone()).or_insert(orders.len());
                if at == orders.len() {
                    let assertions = nodes.iter().copied().collect();
                    orders.push(Alike { names, nodes, assertions, formulas: vec![f] });
                } else {
                    let alike = &mut orders[at];
                    let new: Vec<NodeId> =
                        nodes.into_iter().filter(|&n| !alike.assertions.contains(&n)).collect();
                    alike.assertions.extend(&new);
                    alike.nodes.extend(new);
                    alike.formulas.push(f);
                }
            }
            let commits = orders.len() > MAX_FOLLOWED;
            let mut tracks = Vec::with_capacity(orders.len());
            for order in orders {
                let f = self.formulas.or(order.formulas);
                let shape = self.shape(order.nodes, order.names, &name_ids, commits)?;
                data.shapes.push(shape);
                tracks.push((data.shapes.len() as u32 - 1, f));
            }
            entries.push(tracks);
        }
        if self.any_order() && data.names.len() > KeySet::CAPACITY {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!(
                    "{} properties of one object are declared; free key order holds at most {}",
                    data.names.len(),
                    KeySet::CAPACITY
                ),
            ));
        }
        let mut asserted: Vec<(u32, NodeId)> =
            data.shapes.iter().flat_map(|s| s.views.iter().map(|(&node, view)| (view.rank, node))).collect();
        asserted.sort_unstable();
        for (_, node) in asserted {
            for pattern in self.object_assertion(node).patterns.iter() {
                let name = self.ir.resolve(pattern.name);
                if !data.conditions.contains(&Atom::Name { node: name, holds: true }) {
                    data.conditions.extend([true, false].map(|holds| Atom::Name { node: name, holds }));
                }
            }
        }
        for tracks in &mut entries {
            self.count_distinct(&mut data, tracks)?;
        }
        if data.judged {
            self.find_telling(&mut data, &entries);
        }
        self.frames[frame as usize].object = Some(data);
        let mut start = Vec::with_capacity(entries.len() + 1);
        for tracks in entries {
            let ids =
                tracks.into_iter().filter_map(|(shape, f)| self.settled_track(frame, Track::start(shape, f)));
            let ids: Vec<u32> = ids.collect();
            start.push(self.object_data(frame).entry(ids));
        }
        if key.keep_false {
            let any = self.object_data(frame).track(Track::start(ANY, ALWAYS));
            start.push(smallvec![any]);
        }
        Ok(self.forget_names(frame, start.into()))
    }

    /// Judged frames under free key order: leaves out what a name's value tells nobody. Where alternatives say the
    /// same of a name, a value that violates one violates all, and mostly nothing is left then.
    fn find_telling(&mut self, data: &mut ObjectData, entries: &[Vec<(u32, Formula)>]) {
        let shape = data.shapes.last_mut().expect("the merged shape");
        for (at, &name) in shape.names.iter().enumerate() {
            let mut alike: FxHashMap<NodeId, Vec<NodeId>> = FxHashMap::default();
            for (&node, view) in &shape.views {
                if let [schema] = view.schemas[at][..] {
                    alike.entry(self.ir.resolve(schema)).or_default().push(node);
                }
            }
            for nodes in alike.into_values() {
                let lost = entries.iter().flatten().all(|&(_, f)| {
                    let left = self.formulas.map(f, &mut |_, atom| match atom {
                        Atom::Object { node, holds: true } if nodes.contains(&node) => NEVER,
                        _ => ALWAYS,
                    });
                    left == NEVER
                });
                if lost {
                    for node in nodes {
                        let view = shape.views.get_mut(&node).expect("a view");
                        view.telling = view.telling - KeySet::one(name as usize);
                    }
                }
            }
        }
    }

    /// Judged frames under free key order: the tracks without the names that no longer matter to any of them.
    pub fn forget_names(&mut self, frame: FrameId, tracks: Tracks) -> Tracks {
        let data = self.frames[frame as usize].object.as_ref().expect("object frame");
        if !data.judged {
            return tracks;
        }
        let mut known = KeySet::EMPTY;
        for &id in tracks.iter().flatten() {
            let track = data.tracks[id as usize];
            let views = &data.shapes[track.shape as usize].views;
            self.formulas.atoms(track.holds, &mut |atom| {
                known |= match atom {
                    Atom::Object { node, holds: true } => views[&node].required,
                    Atom::Object { node, .. } | Atom::Overwritable { node, .. } => {
                        views[&node].required | views[&node].telling
                    }
                    Atom::Distinct { .. } => KeySet::below(data.names.len()),
                    _ => KeySet::EMPTY,
                };
            });
        }
        let data = self.object_data(frame);
        let forget = |data: &mut ObjectData, id: u32| {
            let track = data.tracks[id as usize];
            data.track(Track { known, seen: track.seen & known, ..track })
        };
        let mut kept = Vec::with_capacity(tracks.len());
        for entry in tracks.iter() {
            let ids: Vec<u32> = entry.iter().map(|&id| forget(data, id)).collect();
            kept.push(data.entry(ids));
        }
        kept.into()
    }

    /// The assertions of all entries, in one order: those that nothing is required to satisfy last.
    fn merged_order(&self, entries: &[Formula]) -> Vec<NodeId> {
        let (mut positive, mut nodes) = (FxHashSet::default(), Vec::new());
        for &entry in entries {
            self.formulas.atoms(entry, &mut |atom| {
                if let Atom::Object { node, holds: true } = atom {
                    positive.insert(node);
                }
            });
            nodes.extend(self.order_of(entry, &[]));
        }
        let mut seen = FxHashSet::default();
        nodes.retain(|&node| seen.insert(node));
        let (first, last): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|n| positive.contains(n));
        first.into_iter().chain(last).collect()
    }

    /// The names that assertions declare, in order: those merely required last.
    fn names(&self, nodes: &[NodeId], data: &mut ObjectData, ids: &mut FxHashMap<Arc<str>, u32>) -> Vec<u32> {
        let mut names = Vec::new();
        let mut listed: FxHashSet<u32> = FxHashSet::default();
        for declared in [true, false] {
            for &node in nodes {
                let o = self.object_assertion(node);
                let (own, only_required) = o.properties.split_at(o.declared as usize);
                for p in if declared { own } else { only_required } {
                    let id = *ids.entry(p.name.clone()).or_insert_with(|| {
                        data.names.push((p.name.clone(), pattern::canonical_spelling(&p.name)));
                        data.names.len() as u32 - 1
                    });
                    if listed.insert(id) {
                        names.push(id);
                    }
                }
            }
        }
        names
    }

    fn shape(
        &mut self,
        nodes: Vec<NodeId>,
        names: Vec<u32>,
        ids: &FxHashMap<Arc<str>, u32>,
        commits: bool,
    ) -> Result<Shape> {
        let position: FxHashMap<u32, u32> = names.iter().zip(0..).map(|(&name, at)| (name, at)).collect();
        let by_id: FxHashMap<u32, &Arc<str>> = ids.iter().map(|(name, &id)| (id, name)).collect();
        let spelled: Vec<&Arc<str>> = names.iter().map(|id| by_id[id]).collect();
        let mut views = FxHashMap::default();
        for (&node, rank) in nodes.iter().zip(0..) {
            views.insert(node, self.view(node, rank, &spelled, ids, &position)?);
        }
        Ok(Shape { names, views, commits })
    }

    fn view(
        &mut self,
        node: NodeId,
        rank: u32,
        names: &[&Arc<str>],
        ids: &FxHashMap<Arc<str>, u32>,
        position: &FxHashMap<u32, u32>,
    ) -> Result<View> {
        let ir = self.ir;
        let Node::Object(o) = ir.node(node) else { unreachable!("{node:?} is an object assertion") };
        let n = names.len();
        let mut own: Vec<Option<NodeId>> = vec![None; n];
        let mut required = vec![false; n];
        for (i, p) in o.properties.iter().enumerate() {
            let at = position[&ids[&p.name]] as usize;
            if i < o.declared as usize {
                own[at] = Some(p.schema);
            }
            required[at] = p.required;
        }
        let mut schemas: Vec<Rc<[NodeId]>> = Vec::with_capacity(n);
        let plain: Rc<[NodeId]> = [o.additional].into();
        for (name, own) in names.iter().zip(own) {
            let mut all: Vec<NodeId> = own.into_iter().collect();
            let mut additional = all.is_empty();
            for pattern in &o.patterns {
                if self.name_satisfies(pattern.name, name)? {
                    all.push(pattern.schema);
                    additional = false;
                }
            }
            schemas.push(if additional { plain.clone() } else { all.into() });
        }
        let is_true = |id: NodeId| ir.resolve(id) == TRUE;
        let open = is_true(o.additional) && o.patterns.iter().all(|p| is_true(p.schema));
        let mut next_required = vec![u32::MAX; n + 1];
        let mut settled = vec![open; n + 1];
        for at in (0..n).rev() {
            next_required[at] = if required[at] { at as u32 } else { next_required[at + 1] };
            settled[at] = settled[at + 1] && !required[at] && schemas[at].iter().all(|&s| is_true(s));
        }
        // Only free key order asks for sets, and has no more names than they can hold.
        let set = |which: &dyn Fn(usize) -> bool| -> KeySet {
            let ids =
                names.iter().enumerate().filter(|&(at, _)| which(at)).map(|(_, name)| ids[*name] as usize);
            ids.filter(|&id| id < KeySet::CAPACITY).collect()
        };
        let typed = set(&|at| !schemas[at].iter().all(|&s| is_true(s)));
        let required = set(&|at| required[at]);
        Ok(View { rank, schemas, next_required, settled, open, required, typed, telling: typed })
    }

    /// The track with assertions dropped that nothing can violate any more; `None` if it cannot hold.
    pub fn settled_track(&mut self, frame: FrameId, mut track: Track) -> Option<u32> {
        let data = self.frames[frame as usize].object.as_ref().expect("object frame");
        let shape = &data.shapes[track.shape as usize];
        let settled = |node: NodeId, holds: bool| {
            let view = &shape.views[&node];
            if data.judged {
                let names = view.required | if holds { view.typed } else { view.telling };
                view.open && names.is_subset(track.seen)
            } else {
                view.settled[track.position as usize]
            }
        };
        track.holds = self.formulas.map(track.holds, &mut |formulas, atom| match atom {
            Atom::Object { node, holds } if settled(node, holds) => holds.into(),
            other => formulas.atom(other),
        });
        (track.holds != NEVER).then(|| self.object_data(frame).track(track))
    }

    /// The track after a key, with the member's verdicts open.
    fn read_key(&mut self, frame: FrameId, track: Track, key: NextKey) -> Result<Option<u32>> {
        let any_order = self.any_order();
        let data = self.frames[frame as usize].object.as_ref().expect("object frame");
        let shape = &data.shapes[track.shape as usize];
        let (from, to) = match key {
            _ if any_order => (0, 0),
            NextKey::Declared(at) => (track.position, at),
            NextKey::Open => (track.position, shape.names.len() as u32),
        };
        let name = match key {
            NextKey::Declared(at) if data.judged => {
                track.known & KeySet::one(shape.names[at as usize] as usize)
            }
            _ => KeySet::EMPTY,
        };
        if !(track.seen & name).is_empty() {
            return Ok(None);
        }
        let seen = track.seen | name;
        let commits = shape.commits;
        let (mut judged, mut distinct) = (Vec::new(), Vec::new());
        for atom in self.asserted(&[track.holds]) {
            match atom {
                Atom::Object { node, holds } => judged.push((atom, node, holds)),
                Atom::Overwritable { node, .. } => judged.push((atom, node, false)),
                _ => distinct.push(atom),
            }
        }
        judged.sort_unstable_by_key(|&(_, node, holds)| (shape.views[&node].rank, !holds));
        // Per assertion whether something required was skipped, and the schemas of a declared value.
        let schemas: Vec<(bool, Option<Rc<[NodeId]>>)> = judged
            .iter()
            .map(|(_, node, _)| {
                let view = &shape.views[node];
                let schemas = match key {
                    NextKey::Declared(at) => Some(view.schemas[at as usize].clone()),
                    NextKey::Open => None,
                };
                (view.next_required[from as usize] < to, schemas)
            })
            .collect();
        let (mut after, mut order) = (FxHashMap::default(), Vec::new());
        for atom in distinct {
            after.insert(atom, self.name_counted(atom, key == NextKey::Open));
        }
        for (&(atom, node, holds), (missed, schemas)) in judged.iter().zip(schemas) {
            if missed {
                after.insert(atom, (!holds).into());
                continue;
            }
            let verdict = match &schemas {
                Some(schemas) => {
                    let values: Result<Vec<Formula>> =
                        schemas.iter().map(|&schema| self.value(schema, holds)).collect();
                    let value = if holds { self.formulas.and(values?) } else { self.formulas.or(values?) };
                    self.verdict_of(value)
                }
                None => self.open_member(node, holds)?,
            };
            if judged.len() > 1 || schemas.as_ref().is_none_or(|s| s.len() > 1) {
                let ir = self.ir;
                let Node::Object(o) = ir.node(node) else { unreachable!("{node:?} is an object assertion") };
                let undeclared = o.patterns.iter().map(|p| p.schema).chain([o.additional]).collect();
                for &schema in schemas.unwrap_or(undeclared).iter() {
                    order.extend_from_slice(&self.objects(schema));
                }
            }
            // A declared name is written once; any other may be what is written over.
            let left = match (atom, key) {
                (Atom::Overwritable { part, .. }, NextKey::Open) => {
                    let left = self.unless_written_over(node, part);
                    let again = self.awaiting(Atom::Object { node, holds }, holds, verdict);
                    self.formulas.or([left, again])
                }
                _ => self.awaiting(atom, holds, verdict),
            };
            after.insert(atom, left);
        }
        let holds = self.with_asserted(track.holds, &after);
        let position = match key {
            _ if any_order => 0,
            NextKey::Declared(at) => at + 1,
            NextKey::Open => to,
        };
        let grouped = self.group(holds);
        let holds = self.order_verdicts(grouped, order);
        let skipped = track.skipped || commits && from < to;
        Ok(self.settled_track(frame, Track { position, holds, skipped, seen, ..track }))
    }

    /// The trie of keys that may come next on a track.
    pub fn trie(&mut self, frame: FrameId, track: u32) -> Result<TrieId> {
        let track = self.object_data(frame).tracks[track as usize];
        if let Some(&known) = self.object_data(frame).trie_of.get(&track) {
            return Ok(known);
        }
        let names = self.object_data(frame).shapes[track.shape as usize].names.clone();
        if self.any_order() {
            return self.trie_any_order(frame, track, &names);
        }
        // Forwards: the tracks that skip one name after the other, until one is required …
        let mut chain = vec![track];
        let mut rest = loop {
            let last = chain[chain.len() - 1];
            if let Some(&known) = self.object_data(frame).trie_of.get(&last) {
                chain.pop();
                break Some(known);
            }
            if last.position as usize == names.len() {
                chain.pop();
                let open = self.read_key(frame, last, NextKey::Open)?;
                let data = self.object_data(frame);
                let mut trie = data.tries.empty(open);
                if open.is_some() {
                    for &name in &names {
                        let spelled = data.names[name as usize].1.clone();
                        trie = data.tries.insert(trie, &spelled, Here::Forbidden);
                    }
                }
                data.trie_of.insert(last, trie);
                break Some(trie);
            }
            let data = self.frames[frame as usize].object.as_ref().expect("object frame");
            let shape = &data.shapes[last.shape as usize];
            let (views, skipped) = (&shape.views, shape.commits);
            let holds = self.formulas.map(last.holds, &mut |formulas, atom| match atom {
                Atom::Object { node, holds }
                    if views[&node].next_required[last.position as usize] == last.position =>
                {
                    (!holds).into()
                }
                other => formulas.atom(other),
            });
            if holds == NEVER {
                break None;
            }
            chain.push(Track { position: last.position + 1, holds, skipped, ..last });
        };
        // … and back, inserting one name each.
        for track in chain.into_iter().rev() {
            let trie = match rest {
                Some(trie) => trie,
                None => self.object_data(frame).tries.empty(None),
            };
            let next = self.read_key(frame, track, NextKey::Declared(track.position))?;
            let data = self.object_data(frame);
            let spelled = data.names[names[track.position as usize] as usize].1.clone();
            let trie = match next {
                Some(next) => data.tries.insert(trie, &spelled, Here::Name { track: next, seen: 0 }),
                None if data.tries.node(trie).open.is_some() => {
                    data.tries.insert(trie, &spelled, Here::Forbidden)
                }
                None => trie,
            };
            data.trie_of.insert(track, trie);
            rest = Some(trie);
        }
        Ok(rest.expect("the chain starts with a track that was not known"))
    }

    fn trie_any_order(&mut self, frame: FrameId, track: Track, names: &[u32]) -> Result<TrieId> {
        let open = self.read_key(frame, track, NextKey::Open)?;
        let mut trie = self.object_data(frame).tries.empty(open);
        for (at, &name) in names.iter().enumerate() {
            let next = self.read_key(frame, track, NextKey::Declared(at as u32))?;
            let data = self.object_data(frame);
            let spelled = data.names[name as usize].1.clone();
            let here = match next {
                Some(next) => Here::Name { track: next, seen: name as u8 + 1 },
                None if open.is_some() => Here::Forbidden,
                None => continue,
            };
            trie = data.tries.insert(trie, &spelled, here);
        }
        self.object_data(frame).trie_of.insert(track, trie);
        Ok(trie)
    }

    /// Puts a member's verdicts into the tracks that waited for them; `None` if nothing is left.
    pub fn settle_tracks(
        &mut self,
        frame: FrameId,
        tracks: &Tracks,
        asked: &[Formula],
        verdicts: &[bool],
    ) -> Option<Tracks> {
        let mut result = Vec::with_capacity(tracks.len());
        for entry in tracks.iter() {
            let mut merged: Vec<Track> = Vec::with_capacity(entry.len());
            for &id in entry.iter() {
                let mut track = self.object_data(frame).tracks[id as usize];
                track.holds = self.settle_one(track.holds, asked, verdicts);
                if track.holds == NEVER {
                    continue;
                }
                match merged.iter_mut().find(|t| Track { holds: track.holds, ..**t } == track) {
                    Some(same) => same.holds = self.formulas.or([same.holds, track.holds]),
                    None => merged.push(track),
                }
            }
            let data = self.object_data(frame);
            let ids: Vec<u32> = merged.into_iter().map(|t| data.track(t)).collect();
            result.push(data.entry(ids));
        }
        let any = result.iter().any(|entry| !entry.is_empty());
        any.then(|| self.forget_names(frame, result.into()))
    }
}

/// The formulas that the tracks' verdicts wait for are collected from these.
pub(crate) fn open_formulas(data: &ObjectData, tracks: &Tracks) -> Vec<Formula> {
    tracks.iter().flat_map(|e| e.iter().map(|&id| data.tracks[id as usize].holds)).collect()
}
