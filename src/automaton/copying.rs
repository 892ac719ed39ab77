//! Assembly of frames that have been made before: their states are copied as they are reached. And what of a machine is to
//! be kept for others.

use super::assemble::{Assembler, Job};
use super::cost::start_of;
use super::kept::{Content, Found, KeptFrame, Start, open_key_number, open_key_state};
use super::key_set::KeySet;
use super::machine::*;
use super::raw::*;
use super::trim::TrimId;

impl Assembler<'_, '_, '_> {
    /// The state for one of a frame that has been made before.
    pub(super) fn copy_of(&mut self, trim: TrimId, kept: &KeptFrame, state: StateId) -> StateId {
        if state == DEAD {
            return DEAD;
        }
        if self.copies[trim].is_empty() {
            self.copies[trim] = vec![DEAD; kept.states.len()];
        }
        let id = self.machine.states.len() as StateId;
        let known = &mut self.copies[trim][state as usize];
        if *known != DEAD {
            return *known;
        }
        *known = id;
        let dead = self.machine.states[0].clone();
        self.machine.states.push(dead);
        self.queue.push(Job::Copy(trim, state));
        id
    }

    pub(super) fn copy(&mut self, id: TrimId, state: StateId) {
        let t = self.t;
        let kept = t.x.frames[t.trims[id].frame as usize].kept.as_ref().expect("a frame made before");
        let here = self.copies[id][state as usize];
        let mut state = kept.states[state as usize].clone();
        for range in &mut state.row.ranges {
            range.2 = self.copied(id, kept, range.2);
        }
        state.row.default = self.copied(id, kept, state.row.default);
        if let Some((_, to)) = &mut state.chain {
            *to = self.copy_of(id, kept, *to);
        }
        if let Some(keys) = &mut state.keys {
            keys.costs = self.key_cost(&kept.key_costs[keys.costs as usize]);
            if let Some(choice) = keys.closes.checked_sub(1) {
                keys.closes = self.choice(&kept.choices[choice as usize]) + 1;
            }
        }
        self.machine.states[here as usize] = state;
    }

    fn copied(&mut self, id: TrimId, kept: &KeptFrame, action: Action) -> Action {
        match action {
            Action::Stay { to, tick, space } => Action::Stay { to: self.copy_of(id, kept, to), tick, space },
            Action::Enter { site, read } => {
                let site = match self.entered.get(&(id, site, 0)) {
                    Some(&known) => known.expect("a site that has been made"),
                    None => {
                        let made = self.copy_site(id, kept, &kept.sites[site as usize]);
                        self.entered.insert((id, site, 0), Some(made));
                        made
                    }
                };
                Action::Enter { site, read }
            }
            Action::Choose { choice } => {
                Action::Choose { choice: self.choice(&kept.choices[choice as usize]) }
            }
            other => other,
        }
    }

    fn copy_site(&mut self, id: TrimId, kept: &KeptFrame, site: &Site) -> SiteId {
        let t = self.t;
        let mut site = site.clone();
        for target in &mut site.targets {
            *target = self.copy_of(id, kept, *target);
        }
        for variant in &mut site.variants {
            let child = t.trims[id].child(variant.start as usize);
            let frame = &t.x.frames[t.trims[child].frame as usize];
            let (kind, number) = kept.children[variant.start as usize];
            let start = match frame.kept {
                None if kind == Kind::OpenKey => frame.index[&StateKey::OpenKey(open_key_state(number))],
                _ => number,
            };
            variant.start = self.state(child, start, 0);
            if variant.required.0 != KeySet::EMPTY {
                variant.required.1 = self.key_cost(&kept.key_costs[variant.required.1 as usize]);
            }
        }
        self.site(site)
    }

    /// What is to be kept of a trimmed frame.
    pub(super) fn found(&self, id: TrimId) -> Option<Found> {
        let trim = &self.t.trims[id];
        let f = &self.t.x.frames[trim.frame as usize];
        let content = f.content.as_ref().filter(|_| f.outcomes.len() == 1 && trim.useful == [0])?;
        let mut starts: Vec<Option<Start>> = Vec::new();
        if let Some(kept) = &f.kept {
            // Where others enter it is all that is asked.
            let Content::Any(_) = content else { return None };
            let copy =
                |s: &Start| self.copies[id].get(s.state as usize).copied().filter(|&copy| copy != DEAD);
            let here = |s: &Start| Some(Start { state: copy(s)?, first: Vec::new(), ..*s });
            starts.extend(kept.starts.iter().map(|s| s.as_ref().and_then(here)));
            return Some(Found { content: content.clone(), starts, made: None, states: Vec::new() });
        }
        let start = |raw: RawId| {
            let state = self.forms[id].of(raw).next()?;
            (state != DEAD).then(|| start_of(self.t, id, &self.costs[id], raw, state))
        };
        if f.key.kind == Kind::OpenKey {
            for (key, &raw) in &f.index {
                let &StateKey::OpenKey(any_state) = key else { continue };
                let number = open_key_number(any_state) as usize;
                starts.resize(starts.len().max(number + 1), None);
                // One that no text reaches must be asked for again.
                starts[number] = Some(start(raw)?);
            }
        } else {
            starts.push(Some(start(0)?));
        }
        let raw = 0..f.states.len() as RawId;
        let states = raw.flat_map(|raw| self.forms[id].of(raw)).filter(|&s| s != DEAD).collect();
        let made = Some((f.explored, f.outcomes[0].clone()));
        Some(Found { content: content.clone(), starts, made, states })
    }
}
