//! Tightening the bounds of the tokens still needed, from bytes to tokens.
//!
//! `automaton/` bounds every state by bytes, as if each were a token of its own. Long keys and constants
//! are spelled in far fewer tokens, so bounds by bytes would refuse budgets that are ample. Along the
//! path of bytes that a state's bound was taken from, any token that spells a part of the path inside
//! the frame may serve as the witness instead: B(s) = 1 + B(s·t). Tokens that leave the frame do not,
//! since bounds of different levels are added up. States in order of their bounds by bytes have their
//! successors' bounds tightened before their own.
//!
//! A bound that is left alone stays right: it promises a successor with a lower one, and those only fall.

use crate::automaton::machine::*;
use crate::vocab::{TokenTrie, Vocabulary};

/// Tightens the costs of all states and sites in place.
pub fn tighten(machine: &mut Machine, vocab: &Vocabulary) {
    let ways: Vec<Option<Way>> = (0..machine.states.len() as StateId)
        .map(
            |s| if s == DEAD || machine.states[s as usize].tightened { None } else { way(machine, vocab, s) },
        )
        .collect();
    let mut order: Vec<StateId> =
        (1..machine.states.len() as StateId).filter(|&s| ways[s as usize].is_some()).collect();
    order.sort_by_cached_key(|&s| {
        let enters = matches!(ways[s as usize], Some(Way::Enter { read: false, .. }));
        (machine.states[s as usize].cost.base, enters)
    });
    let mut base: Vec<u32> = machine.states.iter().map(|s| s.cost.base).collect();
    let trie = vocab.trie();
    for s in order {
        let better = match ways[s as usize] {
            Some(Way::Stay { .. }) => along(&ways, &base, trie, s),
            Some(Way::Enter { site, read, byte }) => {
                let variants = machine.sites[site as usize].variants.iter();
                let usable = variants.filter(|v| is_usable(machine, v, &machine.states[s as usize]));
                let inside = usable.map(|v| through(machine, &base, site, v, (!read).then_some(byte))).min();
                inside.unwrap_or(u32::MAX).saturating_add(u32::from(read))
            }
            None => continue,
        };
        base[s as usize] = base[s as usize].min(better);
    }
    for site in 0..machine.sites.len() {
        for i in 0..machine.sites[site].variants.len() {
            let variant = &machine.sites[site].variants[i];
            let cost = after(machine, &base, site as SiteId, variant);
            machine.sites[site].variants[i].cost.base = cost;
        }
    }
    for (state, base) in machine.states.iter_mut().zip(base) {
        state.cost.base = base;
    }
}

/// How a state's bound by bytes is attained.
#[derive(Clone, Copy)]
enum Way {
    /// By a byte that stays in the frame and is not counted.
    Stay { byte: u8, to: StateId },
    /// By entering a frame.
    Enter { site: SiteId, read: bool, byte: u8 },
}

/// The way of a state, if it is one that can be tightened.
fn way(machine: &Machine, vocab: &Vocabulary, s: StateId) -> Option<Way> {
    let state = &machine.states[s as usize];
    // Registers of keys and indentation add to bounds what only the configuration knows.
    if state.keys.is_some() || state.indent != Indent::None || state.need == State::NO_REST {
        return None;
    }
    let form = |c: Cost| Cost { base: 0, ..c };
    for &(lo, hi, action) in &state.row.ranges {
        let Some(byte) = (lo..=hi).find(|&b| vocab.spellable()[b as usize]) else { continue };
        match action {
            Action::Stay { to, tick: false, space: false } => {
                let next = &machine.states[to as usize];
                if next.keys.is_none()
                    && next.need <= state.need
                    && is_one_here(next, state)
                    && form(next.cost) == form(state.cost)
                    && next.cost.base.checked_add(1) == Some(state.cost.base)
                {
                    return Some(Way::Stay { byte, to });
                }
            }
            Action::Enter { site, read } => {
                let variants = &machine.sites[site as usize].variants;
                if variants.iter().any(|v| is_usable(machine, v, state)) {
                    return Some(Way::Enter { site, read, byte });
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether a state has one form for all counts that another, which leads there without counting, can have.
fn is_one_here(next: &State, state: &State) -> bool {
    let until = |s: &State| s.chain.map_or(u32::MAX, |(at, _)| at);
    until(next) >= until(state)
}

/// Whether a state's bound can be had by a variant of a frame that it enters: at every depth at which
/// the text may rest in the state, and in the form of the state's own bound.
fn is_usable(machine: &Machine, v: &Variant, state: &State) -> bool {
    let start = &machine.states[v.start as usize];
    let counts = |c: Cost| (c.at, c.per_tick, c.tick_spaces);
    v.depth.max(start.need.saturating_add(1)) <= state.need
        && counts(v.cost) == counts(state.cost)
        && v.required.0.is_empty()
        && start.keys.is_none()
        // The frame's own spaces are charged per level by whoever enters it.
        && spaces_at_start(start).saturating_add(v.cost.spaces) <= state.cost.spaces
}

/// The fewest tokens along the state's path of bytes.
fn along(ways: &[Option<Way>], base: &[u32], trie: &TokenTrie, s: StateId) -> u32 {
    let (mut at, mut node, mut best) = (s, None, u32::MAX);
    while let Some(Way::Stay { byte, to }) = ways[at as usize] {
        let next = match node {
            None => trie.root_child(byte),
            Some(node) => trie.child(node, byte),
        };
        let Some(next) = next else { break };
        if !trie.tokens_at(next).is_empty() {
            best = best.min(base[to as usize].saturating_add(1));
        }
        (at, node) = (to, Some(next));
    }
    best
}

/// The bound of entering a variant of a frame and going on after it. If the byte is not read by entering,
/// the frame begins with it.
fn through(machine: &Machine, base: &[u32], site: SiteId, v: &Variant, byte: Option<u8>) -> u32 {
    let state = &machine.states[v.start as usize];
    let tokens = match byte.map(|b| state.row.get(b)) {
        None => base[v.start as usize],
        Some(Action::Stay { to, .. }) => {
            let next = &machine.states[to as usize];
            if next.cost.at != 0 || next.chain.is_some() {
                return u32::MAX;
            }
            base[to as usize].saturating_add(1)
        }
        Some(_) => return u32::MAX,
    };
    let ticks = state.cost.at.saturating_mul(state.cost.per_tick);
    tokens
        .saturating_add(ticks)
        .saturating_add(spaces_at_start(state).saturating_mul(machine.indent))
        .saturating_add(after(machine, base, site, v))
}

/// Levels of indentation in the bound of a frame entered at count 0.
fn spaces_at_start(state: &State) -> u32 {
    state.cost.spaces.saturating_add(state.cost.at.saturating_mul(state.cost.tick_spaces))
}

/// The greatest bound of what may follow a variant, by the variant's own form.
fn after(machine: &Machine, base: &[u32], site: SiteId, v: &Variant) -> u32 {
    let form = |c: Cost| Cost { base: 0, ..c };
    let mut worst = 0;
    for &o in &v.outcomes {
        // Whichever form of the state the count asks for.
        let mut to = machine.sites[site as usize].targets.get(o as usize).copied().unwrap_or(DEAD);
        while to != DEAD {
            let target = &machine.states[to as usize];
            if form(target.cost) != form(v.cost) || target.keys.is_some() {
                return v.cost.base;
            }
            worst = worst.max(base[to as usize]);
            to = target.chain.map_or(DEAD, |(_, then)| then);
        }
    }
    worst.min(v.cost.base)
}
