//! Names that are not declared, judged by `patternProperties` and `propertyNames`.
//!
//! What a member must satisfy depends on its name: a track that reads an undeclared name waits for what the
//! name satisfies ([`Atom::Name`]) as it does for the verdicts of values. While the name may still be a
//! declared one, the conditions are followed beside the tries; a name that has left every trie is a frame
//! of its own, with the conditions as its entries.

use std::rc::Rc;

use super::explore::{Expansion, Explorer};
use super::formula::{ALWAYS, Formula, NEVER};
use super::raw::*;
use crate::error::{Error, ErrorKind, Result};
use crate::ir::{Node, NodeId, Range, TRUE};
use crate::pattern;

impl Explorer<'_> {
    /// That the name being written satisfies a node, or does not.
    fn name(&mut self, node: NodeId, holds: bool) -> Formula {
        match self.ir.resolve(node) {
            TRUE => holds.into(),
            node => self.formulas.atom(Atom::Name { node, holds }),
        }
    }

    /// What an object assertion asks of an undeclared member, or what violates it. Of a name written twice a
    /// reader keeps the last value, so a violation by a value counts until a name is written that may be the same;
    /// one by the name itself stays.
    pub fn open_member(&mut self, node: NodeId, holds: bool) -> Result<Formula> {
        let ir = self.ir;
        let Node::Object(o) = ir.node(node) else { unreachable!("{node:?} is an object assertion") };
        let (mut parts, mut others) = (Vec::new(), Vec::new());
        let judge = |x: &mut Self, schema: NodeId, part: usize| -> Result<Formula> {
            let verdict = x.verdict(schema, holds)?;
            if holds || verdict.constant().is_some() {
                return Ok(verdict);
            }
            let part = part.min(usize::from(u16::MAX)) as u16;
            let until = x.formulas.atom(Atom::Overwritable { node, part });
            Ok(x.formulas.and([verdict, until]))
        };
        for (part, pattern) in o.patterns.iter().enumerate() {
            let verdict = judge(self, pattern.schema, part)?;
            let applies = self.name(pattern.name, !holds);
            parts.push(if holds {
                self.formulas.or([applies, verdict])
            } else {
                let applies = self.name(pattern.name, true);
                self.formulas.and([applies, verdict])
            });
            others.push(self.name(pattern.name, holds));
        }
        others.push(judge(self, o.additional, o.patterns.len())?);
        Ok(if holds {
            parts.push(self.formulas.or(others));
            self.formulas.and(parts)
        } else {
            parts.push(self.formulas.and(others));
            self.formulas.or(parts)
        })
    }

    /// That a violation stays when another undeclared name is written: one to which something else applies.
    pub fn unless_written_over(&mut self, node: NodeId, part: u16) -> Formula {
        let ir = self.ir;
        let Node::Object(o) = ir.node(node) else { unreachable!("{node:?} is an object assertion") };
        let other = match o.patterns.get(usize::from(part)) {
            Some(pattern) => self.name(pattern.name, false),
            None => {
                let applying: Vec<Formula> = o.patterns.iter().map(|p| self.name(p.name, true)).collect();
                self.formulas.or(applying)
            }
        };
        let stays = self.formulas.atom(Atom::Overwritable { node, part });
        self.formulas.and([other, stays])
    }

    /// Whether a declared name satisfies a node.
    pub fn name_satisfies(&mut self, node: NodeId, name: &str) -> Result<bool> {
        let spelled = pattern::canonical_spelling(name);
        let mut verdicts = [false; 2];
        for holds in [true, false] {
            let f = self.value(node, holds)?;
            let mut f = self.restrict(f, Kind::String)?;
            let any = pattern::canonical_any();
            let mut state = any.start;
            for &b in &spelled {
                state = any.next(state, b);
                f = self.read_name(f, b, any.boundary[state as usize]);
            }
            verdicts[usize::from(holds)] = self.name_ended(f);
        }
        match verdicts {
            [false, true] => Ok(true),
            [true, false] => Ok(false),
            _ => Err(Error::at(
                ErrorKind::UnsupportedKeyword,
                self.ir.pointers[node.0 as usize].to_string(),
                format!("whether the name {name:?} satisfies this is not decided; declare it elsewhere"),
            )),
        }
    }

    /// A condition after one more byte of a name whose characters are not counted otherwise.
    fn read_name(&mut self, f: Formula, byte: u8, whole_character: bool) -> Formula {
        let f = self.read(f, byte, whole_character);
        if !whole_character {
            return f;
        }
        self.formulas.map(f, &mut |formulas, atom| match atom {
            Atom::Count(Range { max: 0, .. }) => NEVER,
            Atom::Count(Range { min, max }) => {
                let left =
                    Range { min: min.saturating_sub(1), max: if max == u32::MAX { max } else { max - 1 } };
                if left == Range::ANY { ALWAYS } else { formulas.atom(Atom::Count(left)) }
            }
            other => formulas.atom(other),
        })
    }

    /// Whether a condition holds of a name that ends here.
    fn name_ended(&mut self, f: Formula) -> bool {
        let f = self.ended(f);
        self.formulas.evaluate(f, &mut |atom| match atom {
            Atom::Count(range) => range.contains(0),
            other => unreachable!("{other:?} is undecided at the end of a name"),
        })
    }

    /// The conditions of a frame before the first byte of a name.
    pub fn conditions(&mut self, frame: FrameId) -> Result<Rc<[Formula]>> {
        let conditions = self.object_data(frame).conditions.clone();
        let mut formulas = Vec::with_capacity(conditions.len());
        for condition in conditions {
            formulas.push(match condition {
                Atom::Name { node, holds } => {
                    let f = self.value(node, holds)?;
                    self.restrict(f, Kind::String)?
                }
                Atom::NameClass { class, classes } => self.name_class(class, classes),
                other => unreachable!("{other:?} is no condition of a name"),
            });
        }
        Ok(formulas.into())
    }

    /// The conditions of a frame after one more byte of a name.
    pub fn read_conditions(&mut self, conditions: &Rc<[Formula]>, byte: u8, whole: bool) -> Rc<[Formula]> {
        if conditions.is_empty() {
            return conditions.clone();
        }
        conditions.iter().map(|&f| self.read_name(f, byte, whole)).collect()
    }

    /// The conditions that tracks wait for.
    fn awaited(&self, frame: FrameId, tracks: &[TrackList]) -> Vec<usize> {
        let data = self.frames[frame as usize].object.as_ref().expect("object frame");
        let mut awaited = Vec::new();
        for &track in tracks.iter().flatten() {
            self.formulas.atoms(data.tracks[track as usize].holds, &mut |atom| {
                if matches!(atom, Atom::Name { .. } | Atom::NameClass { .. }) {
                    let place = data.conditions.iter().position(|&c| c == atom);
                    awaited.push(place.expect("every condition is known"));
                }
            });
        }
        awaited.sort_unstable();
        awaited.dedup();
        awaited
    }

    /// The tracks after a name that ends in this state of the conditions.
    pub fn end_name(
        &mut self,
        frame: FrameId,
        tracks: Vec<TrackList>,
        conditions: &[Formula],
    ) -> Option<Tracks> {
        let awaited = if conditions.is_empty() { Vec::new() } else { self.awaited(frame, &tracks) };
        let tracks: Tracks = tracks.into();
        if awaited.is_empty() {
            let any = tracks.iter().any(|e| !e.is_empty());
            return any.then(|| self.forget_names(frame, tracks));
        }
        let names: Vec<(usize, bool)> =
            awaited.into_iter().map(|at| (at, self.name_ended(conditions[at]))).collect();
        self.settle_names(frame, &tracks, &names)
    }

    /// Puts what a name satisfies into the tracks that waited for it; `None` if nothing is left.
    pub fn settle_names(
        &mut self,
        frame: FrameId,
        tracks: &Tracks,
        names: &[(usize, bool)],
    ) -> Option<Tracks> {
        let mut result = Vec::with_capacity(tracks.len());
        for entry in tracks.iter() {
            let mut ids = Vec::with_capacity(entry.len());
            for &id in entry.iter() {
                let data = self.frames[frame as usize].object.as_ref().expect("object frame");
                let (mut track, conditions) = (data.tracks[id as usize], &data.conditions);
                track.holds = self.formulas.map(track.holds, &mut |formulas, atom| match atom {
                    Atom::Name { .. } | Atom::NameClass { .. } => {
                        let known = names.iter().find(|n| conditions[n.0] == atom);
                        known.expect("every awaited condition is judged").1.into()
                    }
                    other => formulas.atom(other),
                });
                track.holds = self.group(track.holds);
                if track.holds != NEVER {
                    ids.extend(self.settled_track(frame, track));
                }
            }
            result.push(self.object_data(frame).entry(ids));
        }
        let any = result.iter().any(|entry| !entry.is_empty());
        any.then(|| self.forget_names(frame, result.into()))
    }

    /// Adds the edges of bytes that make a name an undeclared one: all but `declared`.
    pub fn leave_tries(
        &mut self,
        frame: FrameId,
        tracks: Vec<TrackList>,
        any_state: u32,
        conditions: &[Formula],
        declared: &[u8],
        out: &mut Expansion,
    ) -> Result<()> {
        let mut tracks: Tracks = tracks.into();
        let site = if conditions.is_empty() {
            tracks = self.forget_names(frame, tracks);
            self.open_key_site(frame, tracks, any_state)?
        } else {
            match self.judged_key_site(frame, tracks, any_state, conditions, declared)? {
                Some(site) => site,
                None => return Ok(()),
            }
        };
        let edge = Edge::Enter { site, read: false };
        for &(lo, hi, _) in pattern::canonical_edges(any_state) {
            let mut from = u16::from(lo);
            let first = declared.partition_point(|&b| b < lo);
            for &b in declared[first..].iter().take_while(|&&b| b <= hi) {
                if from < u16::from(b) {
                    push_range(&mut out.edges, (from as u8, b - 1), edge);
                }
                from = u16::from(b) + 1;
            }
            if from <= u16::from(hi) {
                push_range(&mut out.edges, (from as u8, hi), edge);
            }
        }
        Ok(())
    }

    /// Where an undeclared name is entered that nothing is asked of; one for all places in names after which the same
    /// follows.
    fn open_key_site(&mut self, frame: FrameId, tracks: Tracks, any_state: u32) -> Result<RawSiteId> {
        let known = self.object_data(frame).open_sites.get(&(tracks.clone(), any_state));
        if let Some(&site) = known {
            return Ok(site);
        }
        let key = FrameKey { kind: Kind::OpenKey, entries: Vec::new(), keep_false: true };
        let child = self.frame(key)?;
        let start = self.open_key_start(child, any_state)?;
        let continuation = Continuation::Key(tracks.clone());
        let site = self.site(frame, child, start, continuation, Rc::new([]), Vec::new());
        self.object_data(frame).open_sites.insert((tracks, any_state), site);
        Ok(site)
    }

    /// The same of a name that is judged, if it can be written.
    fn judged_key_site(
        &mut self,
        frame: FrameId,
        mut tracks: Tracks,
        any_state: u32,
        conditions: &[Formula],
        declared: &[u8],
    ) -> Result<Option<RawSiteId>> {
        let awaited = self.awaited(frame, &tracks);
        // One frame is entered from all places in names: it is judged for the conditions of a whole name, and
        // begins with what is left of them.
        let whole = self.conditions(frame)?;
        let (mut entries, mut left) = (Vec::new(), Vec::new());
        let mut slots = Vec::with_capacity(awaited.len());
        for at in awaited {
            let i = entries.iter().position(|&e| e == whole[at]).unwrap_or(entries.len());
            if i == entries.len() {
                entries.push(whole[at]);
                left.push(conditions[at]);
            }
            slots.push((at, conditions[at].constant().map_or(Slot::Outcome(i as u32), Slot::Constant)));
        }
        let is_known = left.iter().all(|f| f.constant().is_some());
        let all = |b: bool| -> Vec<(usize, bool)> {
            let verdict = |slot: Slot| if let Slot::Constant(c) = slot { c } else { b };
            slots.iter().map(|&(at, slot)| (at, verdict(slot))).collect()
        };
        if is_known {
            if !slots.is_empty() {
                let Some(settled) = self.settle_names(frame, &tracks, &all(true)) else { return Ok(None) };
                tracks = settled;
            }
            tracks = self.forget_names(frame, tracks);
            return self.open_key_site(frame, tracks, any_state).map(Some);
        }
        if self.settle_names(frame, &tracks, &all(true)).is_none() {
            return Ok(None);
        }
        let keep_false = self.settle_names(frame, &tracks, &all(false)).is_some();
        let child = self.frame(FrameKey { kind: Kind::OpenKey, entries, keep_false })?;
        let start = self.state(child, StateKey::NameStart(any_state, left.into(), declared.into()))?;
        let continuation = Continuation::JudgedKey(tracks, slots.into());
        Ok(Some(self.site(frame, child, start, continuation, Rc::new([]), Vec::new())))
    }
}
