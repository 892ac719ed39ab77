//! Numbering the states of a finished machine.

use super::machine::*;

/// Orders states so that a state is followed by one that it leads to where possible: by its only successor, else one
/// of its own kind.
pub(super) fn renumber(machine: Machine) -> Machine {
    let n = machine.states.len();
    let mut new_id = vec![DEAD; n];
    let mut order: Vec<StateId> = vec![DEAD];
    for first in 1..n as StateId {
        let mut at = Some(first);
        while let Some(s) = at.filter(|&s| new_id[s as usize] == DEAD) {
            new_id[s as usize] = order.len() as StateId;
            order.push(s);
            let state = &machine.states[s as usize];
            let successors = || {
                state.row.ranges.iter().filter_map(|r| match r.2 {
                    Action::Stay { to, space: false, .. } if new_id[to as usize] == DEAD => Some(to),
                    _ => None,
                })
            };
            let alike = |to: &StateId| machine.states[*to as usize].label == state.label;
            at = successors().find(alike).or_else(|| successors().next());
        }
    }
    let map = |a: Action| match a {
        Action::Stay { to, tick, space } => Action::Stay { to: new_id[to as usize], tick, space },
        other => other,
    };
    let Machine { states, mut sites, mut frames, .. } = machine;
    let mut old: Vec<Option<State>> = states.into_iter().map(Some).collect();
    let states = order
        .iter()
        .map(|&s| {
            let mut state = old[s as usize].take().expect("every state is ordered once");
            state.row.ranges.iter_mut().for_each(|r| r.2 = map(r.2));
            state.row.default = map(state.row.default);
            state.chain = state.chain.map(|(at, to)| (at, new_id[to as usize]));
            state
        })
        .collect();
    for site in &mut sites {
        site.variants.iter_mut().for_each(|v| v.start = new_id[v.start as usize]);
        site.targets.iter_mut().for_each(|t| *t = new_id[*t as usize]);
    }
    for frame in &mut frames {
        frame.starts.iter_mut().flatten().for_each(|s| s.state = new_id[s.state as usize]);
        frame.states.iter_mut().for_each(|s| *s = new_id[*s as usize]);
    }
    Machine { states, sites, frames, start: new_id[machine.start as usize], ..machine }
}
