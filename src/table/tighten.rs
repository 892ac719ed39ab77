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
    let mut order: Vec<StateId> = (1..machine.states.len() as StateId).collect();
    order.sort_by_cached_key(|&s| {
        let enters = matches!(way(machine, vocab, s), Some(Way::Enter { read: false, .. }));
        (machine.states[s as usize].cost.base, enters)
    });
    let ways: Vec<Option<Way>> = (0..machine.states.len() as StateId)
        .map(|s| if s == DEAD { None } else { way(machine, vocab, s) })
        .collect();
    let mut base: Vec<u32> = machine.states.iter().map(|s| s.cost.base).collect();
    let trie = vocab.trie();
    for s in order {
        let better = match ways[s as usize] {
            Some(Way::Stay { .. }) => along(&ways, &base, trie, s),
            Some(Way::Enter { site, read, first, byte }) => {
                let inside = through(machine, &base, site, first, (!read).then_some(byte));
                inside.saturating_add(u32::from(read))
            }
            None => continue,
        };
        base[s as usize] = base[s as usize].min(better);
    }
    for site in 0..machine.sites.len() {
        machine.sites[site].cost.base = after(machine, &base, site as SiteId);
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
    /// By entering a frame, at worst by the site's variants from `first` on.
    Enter { site: SiteId, read: bool, first: usize, byte: u8 },
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
                    && form(next.cost) == form(state.cost)
                    && next.cost.base.checked_add(1) == Some(state.cost.base)
                {
                    return Some(Way::Stay { byte, to });
                }
            }
            Action::Enter { site, read } => {
                let s = &machine.sites[site as usize];
                let Some(first) = s.variants.iter().rposition(|v| v.0 <= state.need) else { continue };
                let start = &machine.states[s.variants[first].1 as usize];
                let counts = |c: Cost| (c.at, c.per_tick, c.tick_spaces);
                if start.need.saturating_add(1) > state.need
                    || counts(s.cost) != counts(state.cost)
                    || s.required.0 != 0
                {
                    continue;
                }
                // The frame's own spaces are charged per level by whoever enters it.
                if start.keys.is_some()
                    || spaces_at_start(start).saturating_add(s.cost.spaces) > state.cost.spaces
                {
                    continue;
                }
                return Some(Way::Enter { site, read, first, byte });
            }
            _ => {}
        }
    }
    None
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

/// The bound of entering a frame and going on after it. If the byte is not read by entering, the
/// frame begins with it.
fn through(machine: &Machine, base: &[u32], site: SiteId, first: usize, byte: Option<u8>) -> u32 {
    let s = &machine.sites[site as usize];
    let inside = s.variants[first..].iter().map(|&(_, start)| {
        let state = &machine.states[start as usize];
        let tokens = match byte.map(|b| state.row.get(b)) {
            None => base[start as usize],
            Some(Action::Stay { to, .. }) if machine.states[to as usize].cost.at == 0 => {
                base[to as usize].saturating_add(1)
            }
            Some(_) => return u32::MAX,
        };
        let ticks = state.cost.at.saturating_mul(state.cost.per_tick);
        tokens.saturating_add(ticks).saturating_add(spaces_at_start(state).saturating_mul(machine.indent))
    });
    inside.max().unwrap_or(u32::MAX).saturating_add(after(machine, base, site))
}

/// Levels of indentation in the bound of a frame entered at count 0.
fn spaces_at_start(state: &State) -> u32 {
    state.cost.spaces.saturating_add(state.cost.at.saturating_mul(state.cost.tick_spaces))
}

/// The greatest bound of what may follow a site, by the site's own form.
fn after(machine: &Machine, base: &[u32], site: SiteId) -> u32 {
    let s = &machine.sites[site as usize];
    let form = |c: Cost| Cost { base: 0, ..c };
    let mut worst = 0;
    for &to in s.targets.iter().filter(|&&to| to != DEAD) {
        let target = &machine.states[to as usize];
        if form(target.cost) != form(s.cost) || target.keys.is_some() {
            return s.cost.base;
        }
        worst = worst.max(base[to as usize]);
    }
    worst.min(s.cost.base)
}
