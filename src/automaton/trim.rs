//! Trimming: a frame cut down to what can still produce an outcome of use, and how deep that must go.
//!
//! A *trimmed frame* is a frame together with the set of outcomes that are of use where it is entered. A
//! state is kept for the counts at which some such outcome can still be reached. The counts fall into
//! *regions* on which all states keep the same edges; a state's variants, one a region, are chained by
//! thresholds in the finished automaton.
//!
//! The *need* of a state is the least number of further levels with which its frame can be finished
//! by bytes that the vocabulary can spell one by one; a state without such an end may be passed
//! through by longer tokens, but no token may end there.

use rustc_hash::FxHashMap;

use super::cost::{Costs, UNKNOWN, after};
use super::counts::{Counts, INFINITY, ticking_once};
use super::explore::Explorer;
use super::kept::Start;
use super::key_set::KeySet;
use super::machine::State;
use super::raw::*;
use crate::error::{Error, ErrorKind, Result};

pub(crate) type TrimId = usize;

/// What cannot be finished.
pub(crate) const NEVER: u8 = State::NO_REST;

/// A frame trimmed for a set of outcomes.
pub(crate) struct Trim {
    pub frame: FrameId,
    pub useful: Vec<u32>,
    /// Half-open ranges of counts, ascending, the first from 0.
    pub regions: Vec<(u32, u32)>,
    /// `[states × regions]`: the state is kept.
    pub live: Vec<bool>,
    /// `[states × regions]`: see the module's text.
    pub need: Vec<u8>,
    /// `[sites × regions]`; see [`Trim::entries`]. Of a kept frame `[children]`.
    entries: Vec<Vec<(u8, TrimId)>>,
    /// Free key order: per state, the names that a member after it can have; else empty.
    pub writable: Vec<KeySet>,
    /// Whether it is among [`Trimmer::reached`].
    is_reached: bool,
    /// Whether `need` is settled for good.
    is_settled: bool,
}

impl Trim {
    pub fn at(&self, state: RawId, region: usize) -> usize {
        state as usize * self.regions.len() + region
    }

    pub fn is_live(&self, state: RawId, region: usize) -> bool {
        self.live[self.at(state, region)]
    }

    /// `(need of the outcomes allowed, trimmed frame entered)` of a site in a region, in the order of
    /// [`super::machine::Site::variants`]; the last is the widest.
    pub fn entries(&self, site: &RawSite, region: usize) -> &[(u8, TrimId)] {
        &self.entries[site.place as usize * self.regions.len() + region]
    }

    /// The trimmed frame of a kept frame's child.
    pub fn child(&self, place: usize) -> TrimId {
        self.entries[place][0].1
    }

    /// The trimmed frames entered by any site.
    pub fn children(&self) -> impl Iterator<Item = TrimId> {
        self.entries.iter().flatten().map(|e| e.1)
    }

    /// The regions that a tick from `region` may lead to.
    pub fn after_tick(&self, region: usize) -> std::ops::RangeInclusive<usize> {
        let (lo, hi) = self.regions[region];
        let last = if hi == INFINITY { region } else { region + 1 };
        let first = if hi == INFINITY || hi - lo > 1 { region } else { region + 1 };
        first..=last.min(self.regions.len() - 1)
    }
}

/// All trimmed frames.
pub(crate) struct Trimmer<'x, 'a> {
    pub x: &'x Explorer<'a>,
    pub trims: Vec<Trim>,
    /// Those that the document reaches, callers before what they enter; the document's first.
    pub reached: Vec<TrimId>,
    ids: FxHashMap<(FrameId, Vec<u32>), TrimId>,
    /// Per frame and outcome, the need of the frame's start state for that outcome alone.
    start_need: Vec<Vec<u8>>,
}

impl<'x, 'a> Trimmer<'x, 'a> {
    /// Trims the document's frame and, through its sites, all others.
    pub fn run(x: &'x Explorer<'a>) -> Result<Self> {
        let start_need = x.frames.iter().map(|f| vec![NEVER; f.outcomes.len()]).collect();
        let mut t =
            Trimmer { x, trims: Vec::new(), reached: Vec::new(), ids: FxHashMap::default(), start_need };
        t.settle_start_needs()?;
        let document = t.trim(0, vec![0])?;
        t.reached.push(document);
        t.enter_from(0)?;
        Ok(t)
    }

    /// Settles the trimmed frames reached from the `next`-th on, and those that they enter.
    fn enter_from(&mut self, mut next: usize) -> Result<()> {
        while next < self.reached.len() {
            let id = self.reached[next];
            if !self.trims[id].is_settled {
                self.settle_need(id);
            }
            self.enter_sites(id)?;
            next += 1;
        }
        Ok(())
    }

    /// Adds entries for outcomes that are known to be finished within some number of tokens, where no entry
    /// is known to be. Whether any was added.
    ///
    /// An item of an array that must contain something is that or something else, and after something else
    /// the same site is entered again at the same depth: a bound that allows for both has no end. With an
    /// entry for the first outcome alone, a short budget can ask for it, and every bound is finite.
    pub fn narrow(&mut self, costs: &[Costs]) -> Result<bool> {
        let mut added = false;
        for at in 0..self.reached.len() {
            let id = self.reached[at];
            let sites = &self.x.frames[self.trims[id].frame as usize].sites;
            for &site in sites {
                for region in 0..self.trims[id].regions.len() {
                    added |= self.narrow_site(id, site, region, costs)?;
                }
            }
        }
        Ok(added)
    }

    fn narrow_site(&mut self, id: TrimId, site: RawSiteId, region: usize, costs: &[Costs]) -> Result<bool> {
        let raw = &self.x.sites[site as usize];
        let entries = self.trims[id].entries(raw, region).to_vec();
        let start = raw.start;
        let follows = |t: &Self, outcomes: &[u32]| {
            after(t, &t.trims[id], &costs[id], site, outcomes, region).base != UNKNOWN
        };
        let need = |t: &Self, child: TrimId| t.trims[child].need[t.trims[child].at(start, 0)];
        let mut known: Vec<(u8, u8)> = Vec::new();
        for &(depth, child) in &entries {
            let inside = costs.get(child).is_some_and(|c| c.is_known(&self.trims[child], start));
            if inside && follows(self, &self.trims[child].useful) {
                known.push((depth, need(self, child)));
            }
        }
        let mut added = false;
        for &(depth, child) in &entries {
            let deep = need(self, child);
            if known.iter().any(|k| k.0 <= depth && k.1 <= deep) {
                continue;
            }
            let useful = &self.trims[child].useful;
            let cheap: Vec<u32> = useful.iter().copied().filter(|&o| follows(self, &[o])).collect();
            if cheap.is_empty() || cheap == *useful {
                continue;
            }
            let narrow = self.trim(raw.child, cheap)?;
            let reached = self.reached.len();
            self.reach(narrow);
            self.enter_from(reached)?;
            known.push((depth, need(self, narrow)));
            let trim = &mut self.trims[id];
            let list = &mut trim.entries[raw.place as usize * trim.regions.len() + region];
            if !list.contains(&(depth, narrow)) {
                list.insert(0, (depth, narrow));
                added = true;
            }
        }
        Ok(added)
    }

    fn reach(&mut self, id: TrimId) {
        if !std::mem::replace(&mut self.trims[id].is_reached, true) {
            self.reached.push(id);
        }
    }

    /// The document's frame, trimmed.
    pub fn document(&self) -> &Trim {
        &self.trims[self.reached[0]]
    }

    fn trim(&mut self, frame: FrameId, useful: Vec<u32>) -> Result<TrimId> {
        if let Some(&id) = self.ids.get(&(frame, useful.clone())) {
            return Ok(id);
        }
        if let Some(kept) = &self.x.frames[frame as usize].kept {
            let need = |start: &Option<Start>| start.as_ref().map_or(NEVER, |s| s.need);
            return Ok(self.add(Trim {
                frame,
                useful,
                regions: vec![(0, INFINITY)],
                live: kept.starts.iter().map(Option::is_some).collect(),
                need: kept.starts.iter().map(need).collect(),
                entries: vec![Vec::new(); kept.children.len()],
                writable: Vec::new(),
                is_reached: false,
                is_settled: true,
            }));
        }
        let mut writable = Vec::new();
        let (kept, regions) = loop {
            let (kept, regions) = if self.x.frames[frame as usize].exits.iter().all(|e| e.pieces.len() <= 1) {
                (self.live_uncounted(frame, &useful, &writable), vec![(0, INFINITY)])
            } else {
                let live = self.live_counts(frame, &useful)?;
                let regions = self.regions(frame, &live)?;
                let kept = live.iter().flat_map(|counts| regions.iter().map(|r| counts.contains(r.0)));
                (kept.collect(), regions)
            };
            let known = self.writable(frame, &kept);
            if known == writable {
                break (kept, regions);
            }
            writable = known;
        };
        let need = vec![NEVER; kept.len()];
        let entries = vec![Vec::new(); self.x.frames[frame as usize].sites.len() * regions.len()];
        Ok(self.add(Trim {
            frame,
            useful,
            regions,
            live: kept,
            need,
            entries,
            writable,
            is_reached: frame == 0,
            is_settled: false,
        }))
    }

    fn add(&mut self, trim: Trim) -> TrimId {
        let id = self.trims.len();
        self.ids.insert((trim.frame, trim.useful.clone()), id);
        self.trims.push(trim);
        id
    }

    /// Free key order: per state the names that the next member can have. (With a fixed order the
    /// states say so themselves.)
    fn writable(&self, frame: FrameId, live: &[bool]) -> Vec<KeySet> {
        let f = &self.x.frames[frame as usize];
        if f.key.kind != Kind::Object || !self.x.any_order() {
            return Vec::new();
        }
        let mut names = vec![KeySet::EMPTY; f.states.len()];
        loop {
            let mut changed = false;
            for &s in &f.flow.backwards {
                let (s, state) = (s as usize, &f.states[s as usize]);
                let mut here = names[s];
                for &(.., edge) in &state.edges {
                    let Edge::Stay { to, space: false, .. } = edge else { continue };
                    here |= match f.states[to as usize].key {
                        _ if !live[to as usize] => KeySet::EMPTY,
                        StateKey::Colon(_, seen @ 1.., _) => KeySet::one(seen as usize - 1),
                        StateKey::Key(..) | StateKey::Comma(..) | StateKey::ObjectStart(..) => {
                            names[to as usize]
                        }
                        _ => KeySet::EMPTY,
                    };
                }
                // Before the closing brace of indented output as before the newline.
                if let StateKey::MemberDone(tracks, true) = &state.key {
                    here |= names[f.index[&StateKey::MemberDone(tracks.clone(), false)] as usize];
                }
                changed |= here != names[s];
                names[s] = here;
            }
            if !changed {
                return names;
            }
        }
    }

    /// Per state whether a useful outcome can still be reached, where no exit depends on the count.
    fn live_uncounted(&self, frame: FrameId, useful: &[u32], writable: &[KeySet]) -> Vec<bool> {
        let f = &self.x.frames[frame as usize];
        let ends = |exit: u32, state: usize| {
            let exit = &f.exits[exit as usize];
            let can = writable.get(state).copied().unwrap_or(KeySet::ALL);
            exit.pieces.iter().any(|p| p.1.is_some_and(|o| useful.contains(&o)))
                || exit.choices.iter().any(|c| useful.contains(&c.1) && c.0.is_subset(can))
        };
        let mut live = vec![false; f.states.len()];
        f.flow.settle(|s| {
            let (s, state) = (s as usize, &f.states[s as usize]);
            let leads_on = |edge: Edge| match edge {
                Edge::Dead => false,
                Edge::Stay { to, space, .. } => !space && live[to as usize],
                Edge::Enter { site, .. } => {
                    self.x.sites[site as usize].targets.iter().flatten().any(|&to| live[to as usize])
                }
                Edge::Leave { exit, .. } => ends(exit, s),
            };
            let newly = !live[s]
                && (state.accepting || leads_on(state.default) || state.edges.iter().any(|e| leads_on(e.2)));
            live[s] |= newly;
            newly
        });
        live
    }

    /// Per state the counts at which a useful outcome can still be reached.
    fn live_counts(&self, frame: FrameId, useful: &[u32]) -> Result<Vec<Counts>> {
        let f = &self.x.frames[frame as usize];
        let mut live = vec![Counts::default(); f.states.len()];
        let mut before: Vec<Vec<(RawId, bool)>> = vec![Vec::new(); f.states.len()];
        for (s, state) in f.states.iter().enumerate() {
            let id = s as RawId;
            if state.accepting {
                live[s] = Counts::all();
            }
            let default = [(0, 0, state.default)];
            for &(.., edge) in state.edges.iter().chain(&default) {
                match edge {
                    Edge::Dead => {}
                    Edge::Stay { to, tick, space } => {
                        if !space {
                            before[to as usize].push((id, tick));
                        }
                    }
                    Edge::Enter { site, .. } => {
                        for &to in self.x.sites[site as usize].targets.iter().flatten() {
                            before[to as usize].push((id, false));
                        }
                    }
                    Edge::Leave { exit, .. } => {
                        live[s].add(&exit_counts(&f.exits[exit as usize], useful));
                    }
                }
            }
        }
        before.iter_mut().for_each(|list| {
            list.sort_unstable();
            list.dedup();
        });
        let loops = ticking_once(&before);
        let mut queue = Vec::new();
        for (s, live) in live.iter_mut().enumerate().filter(|(_, live)| !live.is_empty()) {
            if loops[s] {
                *live = live.closed_downwards();
            }
            queue.push(s as RawId);
        }
        let mut work = 0usize;
        while let Some(s) = queue.pop() {
            let here = live[s as usize].clone();
            let ticked = here.before_tick();
            work += (1 + here.0.len()) * before[s as usize].len();
            if work > 50_000_000 {
                return Err(Error::new(
                    ErrorKind::LimitExceeded,
                    "the counts of an array or of a patterned string take too long to work out; lower minItems or widen the length",
                ));
            }
            for &(p, tick) in &before[s as usize] {
                let into = &mut live[p as usize];
                if into.add(if tick { &ticked } else { &here }) {
                    if loops[p as usize] {
                        *into = into.closed_downwards();
                    }
                    queue.push(p);
                }
            }
        }
        Ok(live)
    }

    /// Ranges of counts on which every state keeps the same edges.
    fn regions(&self, frame: FrameId, live: &[Counts]) -> Result<Vec<(u32, u32)>> {
        let f = &self.x.frames[frame as usize];
        let mut starts = vec![0];
        for &(lo, hi) in live.iter().flat_map(|c| &c.0) {
            starts.extend([lo, hi, lo.saturating_sub(1)]);
            if hi != INFINITY {
                starts.push(hi - 1);
            }
        }
        for exit in &f.exits {
            starts.extend(exit.pieces.iter().map(|p| p.0));
        }
        starts.retain(|&n| n != INFINITY);
        starts.sort_unstable();
        starts.dedup();
        if starts.len() * live.len() > 4 * self.x.options.max_states {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!(
                    "the counts of an array or of a patterned string need {} thresholds; widen the range",
                    starts.len()
                ),
            ));
        }
        let ends = starts[1..].iter().copied().chain([INFINITY]);
        Ok(starts.iter().copied().zip(ends).collect())
    }

    /// The least fixpoint of every frame's needs, through recursion.
    fn settle_start_needs(&mut self) -> Result<()> {
        let all_spellable = self.x.options.spellable.iter().all(|&s| s);
        // A frame is looked at again when the need of one that it enters has changed.
        let mut due = vec![true; self.x.frames.len()];
        while due.contains(&true) {
            for frame in (0..self.x.frames.len()).rev() {
                if !std::mem::replace(&mut due[frame], false) {
                    continue;
                }
                let f = &self.x.frames[frame];
                // A pattern and a length together may leave nothing, and only counting tells. And what a name may
                // still satisfy depends on where its frame is entered.
                let judged_name = f.key.kind == Kind::OpenKey && !f.key.entries.is_empty();
                let text =
                    f.key.kind.is_text() && !judged_name && f.exits.iter().all(|e| e.pieces.len() <= 1);
                let mut changed = false;
                for outcome in 0..f.outcomes.len() {
                    let need = if text && all_spellable {
                        0
                    } else {
                        let id = self.trim(frame as FrameId, vec![outcome as u32])?;
                        if f.kept.is_none() {
                            self.settle_need(id);
                        }
                        self.trims[id].need[self.trims[id].at(0, 0)]
                    };
                    if need < self.start_need[frame][outcome] {
                        self.start_need[frame][outcome] = need;
                        changed = true;
                    }
                }
                if changed {
                    f.callers.iter().for_each(|&site| due[self.x.sites[site as usize].frame as usize] = true);
                }
            }
        }
        Ok(())
    }

    /// Computes the needs of one trimmed frame from those of the frames it enters.
    fn settle_need(&mut self, id: TrimId) {
        self.trims[id].is_settled = true;
        let trim = &self.trims[id];
        let f = &self.x.frames[trim.frame as usize];
        let spellable = &self.x.options.spellable;
        if f.key.kind.is_text() && spellable.iter().all(|&s| s) {
            self.trims[id].need = trim.live.iter().map(|&l| if l { 0 } else { NEVER }).collect();
            return;
        }
        let spelled = |lo: u8, hi: u8| (lo..=hi).any(|b| spellable[b as usize]);
        let mut need = vec![NEVER; trim.need.len()];
        let members = self.member_needs(trim);
        let naming = super::free_order::naming(self, trim);
        // The needs at one count of a region, given those that a tick leads to; where counting changes nothing any
        // more, the same.
        let settle = |region: usize, ticked: Option<&dyn Fn(RawId) -> u8>| {
            let mut level = vec![NEVER; f.states.len()];
            f.flow.settle(|s| {
                if !trim.is_live(s, region) || level[s as usize] == 0 {
                    return false;
                }
                let state = &f.states[s as usize];
                let mut best = level[s as usize];
                if state.accepting {
                    best = 0;
                }
                let default = [(0, 0, state.default)];
                // A name that may be taken is as deep as the deepest of its like.
                let mut deepest = naming.as_ref().and_then(|n| n.unsure(s)).map(|_| 0);
                for (i, &(lo, hi, edge)) in state.edges.iter().chain(&default).enumerate() {
                    let is_default = i == state.edges.len();
                    match edge {
                        Edge::Dead => {}
                        Edge::Stay { to, tick, space } => {
                            if space || naming.as_ref().is_some_and(|n| !n.counts(trim, f, s, to)) {
                                continue;
                            }
                            let next = match spelled(lo, hi) {
                                true => match ticked.filter(|_| tick) {
                                    Some(ticked) => ticked(to),
                                    None => level[to as usize],
                                },
                                false => NEVER,
                            };
                            match &mut deepest {
                                Some(deepest) => *deepest = next.max(*deepest),
                                None => best = best.min(next),
                            }
                        }
                        Edge::Enter { site, read } => {
                            if read && !spelled(lo, hi) {
                                continue;
                            }
                            let site = &self.x.sites[site as usize];
                            for (o, to) in site.targets.iter().enumerate() {
                                if let &Some(to) = to {
                                    let inside = one_deeper(self.need_inside(site, o));
                                    best = best.min(inside.max(level[to as usize]));
                                }
                            }
                        }
                        Edge::Leave { exit, read } => {
                            let exit = &f.exits[exit as usize];
                            if exit_useful(exit, trim, s, region) && (!read || is_default || spelled(lo, hi))
                            {
                                best = best.min(exit_need(exit, trim, s, &members));
                            }
                        }
                    }
                }
                best = best.min(deepest.unwrap_or(NEVER));
                std::mem::replace(&mut level[s as usize], best) != best
            });
            level
        };
        for region in (0..trim.regions.len()).rev() {
            let (lo, hi) = trim.regions[region];
            let mut level = match hi {
                INFINITY => settle(region, None),
                // At the last count of the region a tick leads into the next one …
                _ => settle(region, Some(&|to| need[trim.at(to, region + 1)])),
            };
            let mut most = level.clone();
            if hi != INFINITY {
                // … before that, to the count above. Mostly the first look shows that nothing changes.
                for _ in lo + 1..hi {
                    let below = settle(region, Some(&|to| level[to as usize]));
                    if below == level {
                        break;
                    }
                    most.iter_mut().zip(&below).for_each(|(m, &b)| *m = (*m).max(b));
                    level = below;
                }
            }
            for (s, most) in most.into_iter().enumerate() {
                need[trim.at(s as RawId, region)] = most;
            }
        }
        self.trims[id].need = need;
    }

    /// Free key order: per name the need of its value, at least; [`NEVER`] if it cannot be written.
    fn member_needs(&self, trim: &Trim) -> Vec<u8> {
        let f = &self.x.frames[trim.frame as usize];
        let (Some(data), true) = (&f.object, self.x.any_order()) else { return Vec::new() };
        let mut needs = vec![0; data.names.len()];
        let spellable = &self.x.options.spellable;
        for (s, state) in f.states.iter().enumerate() {
            let StateKey::Colon(_, seen @ 1.., _) = state.key else { continue };
            let name = seen as usize - 1;
            let spelled = data.names[name].1.iter().all(|&b| spellable[b as usize]);
            if !trim.is_live(s as RawId, 0) {
                continue;
            }
            let mut need = NEVER;
            // The colon, perhaps a space, and the value begins.
            let mut at = state;
            while let Some(to) = at.edges.iter().find_map(|e| match e.2 {
                Edge::Stay { to, space: false, .. } => Some(to),
                _ => None,
            }) {
                at = &f.states[to as usize];
            }
            for &(lo, hi, edge) in &at.edges {
                let Edge::Enter { site, read } = edge else { continue };
                if read && !(lo..=hi).any(|b| spellable[b as usize]) {
                    continue;
                }
                let site = &self.x.sites[site as usize];
                for (o, to) in site.targets.iter().enumerate() {
                    if to.is_some_and(|to| trim.is_live(to, 0)) {
                        let inside = self.need_inside(site, o);
                        need = need.min(one_deeper(inside));
                    }
                }
            }
            needs[name] = needs[name].max(if spelled { need } else { NEVER });
        }
        needs
    }

    /// The need of what a site enters, for one outcome.
    fn need_inside(&self, site: &RawSite, outcome: usize) -> u8 {
        let known = self.start_need[site.child as usize][outcome];
        // Only undeclared keys are entered elsewhere than at their start.
        if site.start == 0 || known == NEVER {
            return known;
        }
        match self.ids.get(&(site.child, vec![outcome as u32])) {
            Some(&id) if self.trims[id].is_settled => self.trims[id].need[self.trims[id].at(site.start, 0)],
            // Every undeclared key that is not judged can be finished.
            _ => known,
        }
    }

    /// Whether what a site enters can have an outcome. A frame that judges names has those of all its starts.
    pub fn can_end(&self, site: &RawSite, outcome: usize) -> bool {
        if site.start == 0 {
            return true;
        }
        let id = self.ids.get(&(site.child, vec![outcome as u32]));
        id.is_none_or(|&id| self.trims[id].is_live(site.start, 0))
    }

    /// Asks for the trimmed frames that a trimmed frame's sites enter.
    fn enter_sites(&mut self, id: TrimId) -> Result<()> {
        let frame = self.trims[id].frame;
        let f = &self.x.frames[frame as usize];
        let regions = self.trims[id].regions.len();
        for (place, &child) in f.children.iter().enumerate() {
            let child = self.trim(child, vec![0])?;
            self.reach(child);
            self.trims[id].entries[place] = vec![(0, child)];
        }
        for (s, state) in f.states.iter().enumerate() {
            for edge in state.edges.iter().map(|e| e.2).chain([state.default]) {
                let Edge::Enter { site, .. } = edge else { continue };
                let place = self.x.sites[site as usize].place as usize;
                for region in 0..regions {
                    // Some states share a site.
                    let at = place * regions + region;
                    if self.trims[id].is_live(s as RawId, region) && self.trims[id].entries[at].is_empty() {
                        self.trims[id].entries[at] = self.entry(id, site, region)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// One entry per depth at which more of the site's outcomes can be gone on from.
    fn entry(&mut self, id: TrimId, site: RawSiteId, region: usize) -> Result<Vec<(u8, TrimId)>> {
        let s = &self.x.sites[site as usize];
        let trim = &self.trims[id];
        let mut useful: Vec<(u8, u32)> = Vec::new();
        for (outcome, to) in s.targets.iter().enumerate() {
            if let &Some(to) = to
                && trim.is_live(to, region)
                && self.can_end(s, outcome)
            {
                useful.push((trim.need[trim.at(to, region)], outcome as u32));
            }
        }
        useful.sort_unstable();
        let mut steps: Vec<u8> = useful.iter().map(|u| u.0).collect();
        steps.dedup();
        // No token may rest where nothing can be finished, so nothing is entered for it alone.
        steps.retain(|&n| n != NEVER);
        let mut entries = Vec::with_capacity(steps.len());
        for step in steps {
            let mut outcomes: Vec<u32> = useful.iter().filter(|u| u.0 <= step).map(|u| u.1).collect();
            outcomes.sort_unstable();
            let child = self.trim(s.child, outcomes)?;
            self.reach(child);
            entries.push((step, child));
        }
        Ok(entries)
    }
}

/// What it takes to leave by an exit of use: with free key order, the names that must be written before.
fn exit_need(exit: &Exit, trim: &Trim, state: RawId, members: &[u8]) -> u8 {
    let useful = exit_choices(exit, trim, state).into_iter();
    let most = |names: KeySet| names.iter().map(|name| members[name]).max().unwrap_or(0);
    useful.map(|c| most(c.0)).min().unwrap_or(0)
}

/// The need of what encloses a frame; one beyond every depth is still finite.
pub(crate) fn one_deeper(need: u8) -> u8 {
    if need == NEVER { NEVER } else { (need + 1).min(NEVER - 1) }
}

/// The counts at which an exit produces a useful outcome.
fn exit_counts(exit: &Exit, useful: &[u32]) -> Counts {
    let ends = exit.pieces.iter().skip(1).map(|p| p.0).chain([INFINITY]);
    let mut counts = Counts::default();
    for (&(from, outcome), to) in exit.pieces.iter().zip(ends) {
        if outcome.is_some_and(|o| useful.contains(&o)) {
            counts.add(&Counts(vec![(from, to)]));
        }
    }
    counts
}

/// The outcome of an exit in a region, if it is of use.
pub(crate) fn exit_outcome(exit: &Exit, trim: &Trim, region: usize) -> Option<u32> {
    let count = trim.regions[region].0;
    let outcome = exit.pieces.iter().rev().find(|p| p.0 <= count).and_then(|p| p.1);
    outcome.filter(|o| trim.useful.contains(o))
}

/// The choices of an exit that are of use.
pub(crate) fn exit_choices(exit: &Exit, trim: &Trim, state: RawId) -> Vec<(KeySet, u32)> {
    let can = trim.writable.get(state as usize).copied().unwrap_or(KeySet::ALL);
    exit.choices.iter().copied().filter(|c| trim.useful.contains(&c.1) && c.0.is_subset(can)).collect()
}

/// Whether an exit is of use in a region.
pub(crate) fn exit_useful(exit: &Exit, trim: &Trim, state: RawId, region: usize) -> bool {
    exit_outcome(exit, trim, region).is_some() || !exit_choices(exit, trim, state).is_empty()
}
