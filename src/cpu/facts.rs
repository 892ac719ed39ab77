//! What is worked out about a state when it is first visited: its row unfolded, and what kind it is.

use super::program::View;
use crate::automaton::string::{Sub, edges};
use crate::table::layout::*;
use crate::table::string_tokens::SUBS;
use crate::vocab::SliceId;

/// Kind of an unfolded action: [`ActionKind::Stay`] at a state that asks nothing of an arrival.
pub(super) const SIMPLE: u32 = 6;

/// An unfolded row.
///
/// A row in the tables is a few ranges to search. A walk reads one state's row for hundreds of bytes, so
/// it pays to unfold it once, at 1.1 KB for each state ever visited.
pub(super) struct Facts {
    /// Bit b % 64 of word b / 64: byte b is not dead here; it may still turn out to be illegal.
    pub legal: [u64; 4],
    /// As `legal`, but without the bytes that only leave the frame unread.
    pub read: [u64; 4],
    /// Actions as [`PackedAction`], but `Next` is spelled out as `Stay`, and kind [`SIMPLE`] is
    /// `Stay` without a threshold or register at the target and without [`PackedAction::SPACE`].
    pub actions: [u32; 256],
    /// The states that stand for the string automaton's, if this is its main one.
    pub string: Option<Box<StringStates>>,
    /// Whether most plain characters lead to a state closed under them, so that it is less work to find
    /// out which plain tokens are illegal.
    pub wide: bool,
    /// The outcome left with, unread, by whatever the row does not list.
    pub leaves_unread: Option<u32>,
}

/// A copy of the automaton of string contents within a grammar, around one main state.
///
/// All strings of k characters lead from the main state to wherever k times `a` leads, and beginnings of
/// a character to the state given here.
pub(super) struct StringStates {
    /// Grammar state per sub-state.
    pub states: [u32; SUBS],
    /// Whether a token may end in any of them whatever the depth.
    pub rests: bool,
}

impl Facts {
    pub fn new(v: &View<'_>, state: u32) -> Facts {
        let row = &v.rows[v.states[state as usize].row as usize..];
        let mut actions = [row[0]; 256];
        for r in row[2..][..2 * row[1] as usize].chunks_exact(2) {
            actions[(r[0] & 0xff) as usize..=(r[0] >> 8) as usize].fill(r[1]);
        }
        let default = PackedAction(row[0]);
        let unread = default.kind() == ActionKind::Leave && !default.flag();
        let (mut legal, mut read) = ([0; 4], [0; 4]);
        for (byte, word) in actions.iter_mut().enumerate() {
            let action = PackedAction(*word);
            if action.kind() != ActionKind::Dead {
                legal[byte / 64] |= 1 << (byte % 64);
                if !(unread && *word == row[0]) {
                    read[byte / 64] |= 1 << (byte % 64);
                }
            }
            *word = unfolded(v, state, action);
        }
        let mut facts = Facts {
            legal,
            read,
            actions,
            string: None,
            wide: false,
            leaves_unread: unread.then_some(default.index()),
        };
        facts.string = string_states(v, state, &facts).map(Box::new);
        facts.wide = facts.string.is_none() && is_wide(v, &facts);
        facts
    }
}

fn unfolded(v: &View<'_>, state: u32, action: PackedAction) -> u32 {
    let to = match action.kind() {
        ActionKind::Ahead | ActionKind::Stay => action.target(state),
        _ => return action.0,
    };
    let extra = &v.extras[v.states[to as usize].extra as usize];
    if to != 0 && extra.chain_to == 0 && extra.keys == 0 && !action.space() {
        SIMPLE << 29 | action.0 & PackedAction::FLAG | to
    } else {
        PackedAction::new(ActionKind::Stay, action.flag(), action.space(), to).0
    }
}

/// Whether `state` is on the chain of thresholds that begins at `from`.
fn on_chain(v: &View<'_>, mut from: u32, state: u32) -> bool {
    loop {
        if from == state {
            return true;
        }
        match v.extra(from).chain_to {
            0 => return false,
            next => from = next,
        }
    }
}

/// The string automaton around `main`, if the grammar has it there, state for state and edge for edge.
fn string_states(v: &View<'_>, main: u32, facts: &Facts) -> Option<StringStates> {
    // Cheap to refuse: the first plain characters and the backslash.
    let stays = |b: u8| facts.actions[b as usize] >> 29 == SIMPLE || facts.actions[b as usize] >> 29 == 2;
    if !(stays(b'a') && stays(b' ') && stays(b'\\') && stays(0xf4)) {
        return None;
    }
    let mut states = [0u32; SUBS];
    states[0] = main;
    let mut queue = vec![0u8];
    let mut ticks = None;
    while let Some(sub) = queue.pop() {
        let state = states[sub as usize];
        let info = &v.states[state as usize];
        let extra = v.extra(state);
        if info.flags != 0 || extra.keys != 0 || sub != 0 && extra.chain_to != 0 {
            return None;
        }
        let row = &v.rows[info.row as usize..];
        let mut listed = [row[0]; 256];
        for r in row[2..][..2 * row[1] as usize].chunks_exact(2) {
            listed[(r[0] & 0xff) as usize..=(r[0] >> 8) as usize].fill(r[1]);
        }
        let mut known = [false; 256];
        for &(lo, hi, to_sub) in edges(Sub(sub)) {
            for b in lo..=hi {
                known[b as usize] = true;
                let action = PackedAction(listed[b as usize]);
                let to = match action.kind() {
                    ActionKind::Ahead | ActionKind::Stay => action.target(state),
                    _ => return None,
                };
                if action.space() {
                    return None;
                }
                if to_sub == 0 {
                    if *ticks.get_or_insert(action.flag()) != action.flag() || !on_chain(v, to, main) {
                        return None;
                    }
                } else if action.flag() {
                    return None;
                } else if states[to_sub as usize] == 0 {
                    states[to_sub as usize] = to;
                    queue.push(to_sub);
                } else if states[to_sub as usize] != to {
                    return None;
                }
            }
        }
        for (b, &word) in listed.iter().enumerate() {
            let action = PackedAction(word);
            let leaves = matches!(action.kind(), ActionKind::Leave | ActionKind::Choose) && action.flag();
            let closes = sub == 0 && b == usize::from(b'"') && leaves;
            if !known[b] && !closes && action.kind() != ActionKind::Dead {
                return None;
            }
        }
    }
    let rests = states.iter().all(|&s| s != 0 && v.states[s as usize].need == 0);
    Some(StringStates { states, rests })
}

/// See [`Facts::wide`]; only a guess at what is less work.
fn is_wide(v: &View<'_>, facts: &Facts) -> bool {
    let plain = 1u8 << SliceId::PLAIN.index();
    let closed = |state: u32| v.states[state as usize].slices & plain != 0;
    let wide = (b' '..=b'~').filter(|&b| {
        let action = PackedAction(facts.actions[b as usize]);
        match action.0 >> 29 {
            SIMPLE | 2 => closed(action.index()),
            3 => v.variants_of(action.index()).last().is_some_and(|widest| closed(widest.start)),
            _ => false,
        }
    });
    wide.count() > 60
}
