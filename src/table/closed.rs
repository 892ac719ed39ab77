//! Which states are closed under which character classes.
//!
//! A state is closed under a slice if every character of it leads back to the state, all of them counting
//! it or none. A token of such characters then needs no walk. Characters beyond ASCII take several bytes;
//! they are followed through the states in between with the automaton of string contents, whose edges
//! on bytes from 0x80 are those of UTF-8.

use crate::automaton::machine::{Action, Indent, Machine, Row, StateId};
use crate::automaton::string::{Sub, edges};
use crate::vocab::SliceId;

/// The slices that have a bit in [`super::layout::StateInfo::slices`]: the first eight. The others have few
/// tokens, so that a walk is cheap.
const FLAGGED: usize = 8;

/// Bit i: the state is closed under slice i.
pub(super) fn closed_slices(machine: &Machine, id: StateId) -> u8 {
    let Some(tick) = returns(machine, id, id, b'a') else { return 0 };
    let state = &machine.states[id as usize];
    if state.indent != Indent::None || state.keys.is_some() {
        return 0;
    }
    let ascii: u128 =
        (0..128).filter(|&b| returns(machine, id, id, b) == Some(tick)).fold(0, |set, b| set | 1 << b);
    let mut bits = 0;
    for (i, slice) in SliceId::ALL.iter().enumerate().take(FLAGGED) {
        let whole = (0..128u8).all(|b| !slice.contains_byte(b) || ascii >> b & 1 == 1);
        let beyond = slice.contains_char('\u{80}');
        if whole && (!beyond || multibyte_returns(machine, id, tick)) {
            bits |= 1 << i;
        }
    }
    bits
}

/// The bytes `lo..=hi` in pieces on each of which the row does one thing.
pub(super) fn pieces(row: &Row, lo: u8, hi: u8) -> impl Iterator<Item = (u8, u8)> {
    let mut from = Some(lo);
    std::iter::from_fn(move || {
        let start = from.filter(|&start| start <= hi)?;
        let end = match row.ranges.iter().find(|r| r.1 >= start) {
            Some(&(first, last, _)) if first <= start => last,
            Some(&(first, ..)) => first - 1,
            None => 255,
        };
        from = end.checked_add(1);
        Some((start, end.min(hi)))
    })
}

/// If `byte`, read in `from`, leads to `home` as soon as the count says so: whether it counts.
fn returns(machine: &Machine, from: StateId, home: StateId, byte: u8) -> Option<bool> {
    let Action::Stay { to, tick, space: false } = machine.states[from as usize].row.get(byte) else {
        return None;
    };
    let mut at = to;
    while at != home {
        at = machine.states[at as usize].chain?.1;
    }
    Some(tick)
}

/// Whether every character of several bytes leads back.
fn multibyte_returns(machine: &Machine, home: StateId, tick: bool) -> bool {
    let mut reached: Vec<(u8, StateId)> = vec![(Sub::MAIN.0, home)];
    let mut next = 0;
    while next < reached.len() {
        let (sub, from) = reached[next];
        next += 1;
        let row = &machine.states[from as usize].row;
        for &(lo, hi, to_sub) in edges(Sub(sub)).iter().filter(|e| e.0 >= 0x80) {
            for (byte, _) in pieces(row, lo, hi) {
                if to_sub == Sub::MAIN.0 {
                    if returns(machine, from, home, byte) != Some(tick) {
                        return false;
                    }
                    continue;
                }
                let Action::Stay { to, tick: false, space: false } = row.get(byte) else { return false };
                let mut at = Some(to);
                while let Some(to) = at {
                    let state = &machine.states[to as usize];
                    if state.keys.is_some() || state.indent != Indent::None {
                        return false;
                    }
                    if !reached.contains(&(to_sub, to)) {
                        reached.push((to_sub, to));
                    }
                    at = state.chain.map(|(_, then)| then);
                }
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_the_bytes_once_and_are_uniform() {
        let to = |to| Action::Stay { to, tick: false, space: false };
        let row =
            Row { ranges: vec![(3, 9, to(1)), (10, 10, to(2)), (20, 255, to(3))], default: Action::Dead };
        for (lo, hi) in [(0, 255), (0, 127), (5, 15), (10, 10), (11, 19), (200, 255)] {
            let mut next = u16::from(lo);
            for (first, last) in pieces(&row, lo, hi) {
                assert_eq!(u16::from(first), next);
                assert!((first..=last).all(|b| row.get(b) == row.get(first)));
                next = u16::from(last) + 1;
            }
            assert_eq!(next, u16::from(hi) + 1);
        }
    }

    #[test]
    fn strings_are_closed_under_all_that_they_may_hold() {
        let flags = |schema: serde_json::Value| {
            let lowered = crate::schema::lower(&schema, &Default::default()).unwrap();
            let machine = crate::automaton::build(&lowered.ir, &Default::default()).unwrap();
            (0..machine.states.len() as StateId).fold(0, |bits, s| bits | closed_slices(&machine, s))
        };
        assert_eq!(flags(serde_json::json!({"type": "string"})), 0xff);
        assert_eq!(flags(serde_json::json!({"type": "string", "minLength": 3, "maxLength": 90})), 0xff);
        let bit = |slice: SliceId| 1u8 << slice.index();
        assert_eq!(
            flags(serde_json::json!({"type": "string", "pattern": "^[a-z]+$"})),
            bit(SliceId::ALPHA_LOWER)
        );
        assert_eq!(
            flags(serde_json::json!({"type": "string", "pattern": "^[a-zA-Z]*$"})),
            bit(SliceId::ALPHA_LOWER) | bit(SliceId::ALPHA)
        );
        assert_eq!(flags(serde_json::json!({"enum": ["a", "aa", "aaa"]})), 0);
    }
}
