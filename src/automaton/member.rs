//! The states of an object frame and the edges between them.
//!
//! ```text
//! {  start ── " ─► key … " ─► colon ── : ─► member ── value ─► done ── , ─► comma ── " ─► key …
//!      └─ }                                                      └─ }
//! ```
//!
//! A key is a position in the tries of all tracks at once; a key that has left every trie is the
//! business of a frame of its own, shared by all objects.

use std::rc::Rc;

use smallvec::SmallVec;

use super::explore::{Expansion, Explorer};
use super::formula::Formula;
use super::keys::Here;
use super::machine::Indent;
use super::object::open_formulas;
use super::raw::*;
use crate::error::Result;
use crate::pattern;

impl Explorer<'_> {
    pub fn expand_object(&mut self, frame: FrameId, key: StateKey, out: &mut Expansion) -> Result<()> {
        let indented = self.indented();
        match key.clone() {
            StateKey::ObjectStart(tracks, broken) => {
                self.member_start(frame, &tracks, out)?;
                if broken || !indented {
                    self.key_edge(frame, &tracks, out)?;
                }
                if broken {
                    out.indent = Indent::Inner;
                    if let Some(keys) = &mut out.keys {
                        keys.written = 2;
                    }
                } else {
                    let exit = self.object_exit(frame, &tracks, 0, out)?;
                    out.leave(b'}', exit);
                    if indented {
                        let to = self.state(frame, StateKey::ObjectStart(tracks, true))?;
                        out.stay(b'\n', to);
                    }
                    self.space_loop(frame, &key, out);
                }
            }
            StateKey::Comma(tracks, broken) => {
                self.member_start(frame, &tracks, out)?;
                if indented && !broken {
                    let to = self.state(frame, StateKey::Comma(tracks, true))?;
                    out.stay(b'\n', to);
                } else {
                    self.key_edge(frame, &tracks, out)?;
                    self.space_loop(frame, &key, out);
                }
                if broken {
                    out.indent = Indent::Inner;
                    if let Some(keys) = &mut out.keys {
                        keys.written = 2;
                    }
                }
            }
            StateKey::Key(any, positions, written, conditions) => {
                self.key_byte(frame, any, &positions, written, &conditions, out)?;
            }
            StateKey::Colon(tracks, seen, _) => {
                if seen > 0 {
                    out.keys.get_or_insert_default().name = Some(seen - 1);
                }
                let next = if indented { StateKey::ColonSpace(tracks) } else { StateKey::Member(tracks) };
                let to = self.state(frame, next)?;
                out.stay(b':', to);
                // Whitespace goes on at the state that does not record the key again.
                let StateKey::Colon(tracks, ..) = key else { unreachable!() };
                let unrecorded = StateKey::Colon(tracks, 0, true);
                if !indented && seen > 0 {
                    self.state(frame, unrecorded.clone())?;
                }
                if !indented {
                    self.space_loop(frame, &unrecorded, out);
                }
            }
            StateKey::ColonSpace(tracks) => {
                let to = self.state(frame, StateKey::Member(tracks))?;
                out.stay(b' ', to);
            }
            StateKey::Member(tracks) => {
                let open = open_formulas(self.object_data(frame), &tracks);
                let asked = self.asked(&open);
                self.value_edges(frame, &asked, Continuation::Member(tracks), out)?;
                if !indented {
                    self.space_loop(frame, &key, out);
                }
            }
            StateKey::MemberDone(tracks, broken) => {
                let exit = self.object_exit(frame, &tracks, 1, out)?;
                if broken || !indented {
                    out.leave(b'}', exit);
                }
                if broken {
                    out.indent = Indent::Outer;
                    return Ok(());
                }
                let to = self.state(frame, StateKey::Comma(tracks.clone(), false))?;
                let tick = self.object_data(frame).counts;
                out.edges.push((b',', b',', Edge::Stay { to, tick, space: false }));
                if indented {
                    let to = self.state(frame, StateKey::MemberDone(tracks, true))?;
                    out.stay(b'\n', to);
                }
                self.space_loop(frame, &key, out);
            }
            other => unreachable!("{other:?} is no state of an object"),
        }
        Ok(())
    }

    /// Free key order: the cost of the names still missing is known before a member too.
    fn member_start(&mut self, frame: FrameId, tracks: &Tracks, out: &mut Expansion) -> Result<()> {
        if self.any_order() {
            self.object_exit(frame, tracks, 0, out)?;
            let keys = out.keys.get_or_insert_default();
            keys.written = 1;
        }
        Ok(())
    }

    fn positions(&mut self, frame: FrameId, tracks: &Tracks) -> Result<Vec<Positions>> {
        let mut positions = Vec::with_capacity(tracks.len());
        for entry in tracks.iter() {
            let mut list = Positions::with_capacity(entry.len());
            for &track in entry.iter() {
                list.push(KeyPosition::Trie(self.trie(frame, track)?));
            }
            list.sort_unstable();
            list.dedup();
            positions.push(list);
        }
        Ok(positions)
    }

    fn key_edge(&mut self, frame: FrameId, tracks: &Tracks, out: &mut Expansion) -> Result<()> {
        let positions = self.positions(frame, tracks)?;
        let newline = u32::from(self.indented());
        let written = if self.any_order() { 2 + newline } else { 0 };
        let any = pattern::canonical_any().start;
        let conditions = self.conditions(frame)?;
        let to = self.state(frame, StateKey::Key(any, positions.into(), written, conditions))?;
        out.stay(b'"', to);
        Ok(())
    }

    fn key_byte(
        &mut self,
        frame: FrameId,
        any_state: u32,
        positions: &Rc<[Positions]>,
        written: u32,
        conditions: &Rc<[Formula]>,
        out: &mut Expansion,
    ) -> Result<()> {
        if self.any_order() {
            out.keys.get_or_insert_default().written = written;
        }
        let any = pattern::canonical_any();
        let data = self.frames[frame as usize].object.as_ref().expect("object frame");
        let mut bytes: SmallVec<[u8; 16]> = positions
            .iter()
            .flatten()
            .filter_map(|&p| if let KeyPosition::Trie(t) = p { Some(t) } else { None })
            .flat_map(|t| data.tries.node(t).children.iter().map(|c| c.0))
            .collect();
        bytes.sort_unstable();
        bytes.dedup();

        // Where each position goes on a byte that continues no declared name.
        let open = |p: KeyPosition| match p {
            KeyPosition::Open(track) => Some(track),
            KeyPosition::Trie(t) => data.tries.node(t).open,
        };
        let elsewhere: Vec<TrackList> =
            positions.iter().map(|e| data.entry(e.iter().filter_map(|&p| open(p)))).collect();

        let mut declared = Vec::with_capacity(bytes.len());
        for &b in &bytes {
            let next: Rc<[Positions]> = positions
                .iter()
                .map(|entry| {
                    let mut list: Positions = entry
                        .iter()
                        .filter_map(|&p| match p {
                            KeyPosition::Open(_) => Some(p),
                            KeyPosition::Trie(t) => match data.tries.child(t, b) {
                                Some(child) => Some(KeyPosition::Trie(child)),
                                None => data.tries.node(t).open.map(KeyPosition::Open),
                            },
                        })
                        .collect();
                    list.sort_unstable();
                    list.dedup();
                    list
                })
                .collect();
            declared.push((b, next));
        }
        // The closing quote: names that end here, and undeclared keys.
        let (mut seen, mut known) = (0, false);
        let ended: Vec<TrackList> = positions
            .iter()
            .map(|entry| {
                data.entry(entry.iter().filter_map(|&p| match p {
                    KeyPosition::Open(track) => Some(track),
                    KeyPosition::Trie(t) => match data.tries.node(t).here {
                        Here::Nothing => data.tries.node(t).open,
                        Here::Forbidden => None,
                        Here::Name { track, seen: number } => {
                            if number > 0 {
                                seen = number;
                                known |= data.tracks[track as usize].known.contains(number as usize - 1);
                            }
                            Some(track)
                        }
                    },
                }))
            })
            .collect();

        for (b, next) in declared {
            let state = any.next(any_state, b);
            let conditions = self.read_conditions(conditions, b, any.boundary[state as usize]);
            let written = if written > 0 { written + 1 } else { 0 };
            let to = StateKey::Key(state, next, written, conditions);
            let to = self.state(frame, to)?;
            out.stay(b, to);
        }
        if any.accepting[any_state as usize]
            && let Some(ended) = self.end_name(frame, ended, conditions)
        {
            let to = self.state(frame, StateKey::Colon(ended, seen, known || seen == 0))?;
            out.stay(b'"', to);
        }
        if elsewhere.iter().any(|e| !e.is_empty()) {
            self.leave_tries(frame, elsewhere, any_state, conditions, &bytes, out)?;
        }
        Ok(())
    }
}
