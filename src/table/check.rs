//! The check of a loaded block: every index an interpreter will follow is in range.

use super::grammar::Grammar;
use super::layout::*;

/// What is wrong, if anything is.
pub(super) fn check(g: &Grammar) -> Result<(), String> {
    let h = g.header();
    let bad = |what: &str| Err(format!("{what} is out of range"));
    let (Some(states), Some(extras), Some(keys), Some(key_costs)) = (
        g.section::<PackedState>(h.states),
        g.section::<Extra>(h.extras),
        g.section::<KeyInfo>(h.keys),
        g.section::<MemberCost>(h.key_costs),
    ) else {
        return bad("a section");
    };
    let (Some(kinds), Some(terms)) = (g.section::<StateKind>(h.kinds), g.section::<VariantTerms>(h.terms))
    else {
        return bad("a section");
    };
    let (Some(rows), Some(sites), Some(variants), Some(lists), Some(choices)) = (
        g.section::<u32>(h.rows),
        g.section::<SiteInfo>(h.sites),
        g.section::<VariantInfo>(h.variants),
        g.section::<u32>(h.lists),
        g.section::<Choice>(h.choices),
    ) else {
        return bad("a section");
    };
    if states.is_empty() || extras.is_empty() || keys.is_empty() || h.start as usize >= states.len() {
        return bad("the start state");
    }
    if h.max_depth > 254 {
        return bad("the depth");
    }
    for kind in kinds {
        if kind.extra as usize >= extras.len()
            || kind.cost & 0xffff != 0
            || kind.free & !StateInfo::STEADY > crate::automaton::string::Sub::COUNT
        {
            return bad("a kind of states");
        }
    }
    for state in states {
        let Some(kind) = kinds.get(state.kind() as usize) else { return bad("a state's kind") };
        if state.has_extra() != (kind.extra != 0) {
            return bad("a state's kind");
        }
    }
    let states = States::new(states, kinds);
    for (id, s) in states.iter().enumerate() {
        let Some([default, n]) = rows.get(s.row as usize..).and_then(|r| r.first_chunk::<2>()) else {
            return bad("a row");
        };
        let entries = rows.get(s.row as usize + 2..).and_then(|r| r.get(..(*n as usize).checked_mul(2)?));
        let Some(entries) = entries else { return bad("a row") };
        let mut from = 0;
        for pair in entries.chunks_exact(2) {
            let (lo, hi) = (pair[0] & 0xff, pair[0] >> 8);
            if lo < from || lo > hi || hi > 255 {
                return bad("a byte range");
            }
            from = hi + 1;
        }
        for &word in entries.iter().skip(1).step_by(2).chain([default]) {
            let action = PackedAction(word);
            let index = action.index() as usize;
            let fits = match action.kind() {
                ActionKind::Dead | ActionKind::Leave => true,
                ActionKind::Ahead => id + index < states.len(),
                ActionKind::Stay => index < states.len(),
                ActionKind::Enter => index < sites.len(),
                ActionKind::Choose => index < choices.len(),
            };
            if !fits {
                return bad("an action");
            }
        }
    }
    // That is what states without one of their own have; kernels do not look at it.
    if extras[0].chain_to != 0 || extras[0].keys != 0 {
        return bad("the first of extras");
    }
    for e in extras {
        if e.chain_to as usize >= states.len() || e.keys as usize >= keys.len() {
            return bad("a threshold");
        }
    }
    // Thresholds rise along a chain, so every chain ends.
    for s in states.iter() {
        let e = &extras[s.extra as usize];
        if e.chain_to != 0 {
            let next = &extras[states.extra(e.chain_to) as usize];
            if next.chain_to != 0 && next.chain_at <= e.chain_at {
                return bad("a chain of thresholds");
            }
        }
    }
    if keys.iter().any(|k| k.closes as usize > choices.len())
        || keys.iter().any(|k| part(key_costs, k.costs, (k.required | k.ahead).end() as u32).is_none())
        || keys.iter().any(|k| k.name as usize > KeySet::CAPACITY)
        || keys[0].open_need != 0
    {
        return bad("a register of keys");
    }
    for s in sites {
        let (Some(own), Some(targets)) =
            (part(variants, s.variants, s.variant_count), part(lists, s.targets, s.target_count))
        else {
            return bad("a site");
        };
        if own.is_empty() || targets.iter().any(|&t| t as usize >= states.len()) {
            return bad("a site");
        }
    }
    for v in variants {
        if v.start as usize >= states.len() || v.terms as usize >= terms.len() {
            return bad("a site's variant");
        }
    }
    if terms.iter().any(|t| t.keys as usize >= keys.len()) {
        return bad("the terms of a variant");
    }
    let words = states.iter().flat_map(|s| {
        let row = &rows[s.row as usize..];
        row[2..][..2 * row[1] as usize].iter().skip(1).step_by(2).chain(&row[..1])
    });
    for action in words.map(|&word| PackedAction(word)) {
        if action.kind() != ActionKind::Enter || action.flag() {
            continue;
        }
        let site = &sites[action.index() as usize];
        for variant in &variants[site.variants as usize..][..site.variant_count as usize] {
            let mut start = variant.start;
            while start != 0 {
                if !reads_at_once(states, rows, start) {
                    return bad("a frame entered without reading");
                }
                start = extras[states.extra(start) as usize].chain_to;
            }
        }
    }
    if choices.last().is_some_and(|c| c.last == 0) {
        return bad("a list of choices");
    }
    Ok(())
}

/// Whether a frame that is entered without reading a byte reads it, or is left with it: otherwise reading
/// a byte might never end. `start` is a state that it may begin in.
fn reads_at_once(states: States<'_>, rows: &[u32], start: u32) -> bool {
    let row = &rows[states.row(start)..];
    let actions = row[2..][..2 * row[1] as usize].iter().skip(1).step_by(2).chain(&row[..1]);
    actions.map(|&word| PackedAction(word)).all(|action| match action.kind() {
        ActionKind::Enter => false,
        ActionKind::Leave | ActionKind::Choose => action.flag(),
        _ => true,
    })
}

fn part<T>(all: &[T], from: u32, count: u32) -> Option<&[T]> {
    all.get(from as usize..)?.get(..count as usize)
}
