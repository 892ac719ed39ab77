//! Which states stand for those of the automaton of string contents.
//!
//! What tokens do inside a string is worked out once per vocabulary, for strings that hold anything. It
//! serves every state from which the text goes on just so, whatever its length is limited to: tokens far
//! from a threshold then need no walk. That a state is such a one is found here, when tables are packed.

use super::closed::pieces;
use super::layout::StateInfo;
use super::string_tokens::SUBS;
use crate::automaton::machine::{Action, Indent, Machine, State, StateId};
use crate::automaton::string::{Sub, edges};

/// [`StateInfo::free`] of every state.
pub(super) fn labels(machine: &Machine) -> Vec<u8> {
    let mut labels = vec![0; machine.states.len()];
    for main in 0..machine.states.len() {
        let Some(states) = around(machine, main as StateId) else { continue };
        let steady = states.iter().all(|&s| is_steady(&machine.states[s as usize], &machine.states[main]));
        for (sub, &state) in states.iter().enumerate().skip(1) {
            labels[state as usize] = sub as u8 + 1;
        }
        labels[main] = 1 | if steady { StateInfo::STEADY } else { 0 };
    }
    labels
}

/// Whether a token may end in a string's state at any depth, with a bound not far above that of its main state.
fn is_steady(state: &State, main: &State) -> bool {
    let (cost, most) = (state.cost, main.cost);
    let ticks = cost.at == 0
        || cost.at <= most.at && cost.per_tick <= most.per_tick && cost.tick_spaces <= most.tick_spaces;
    state.need == 0
        && ticks
        && cost.base <= most.base.saturating_add(StateInfo::STEADY_SLACK)
        && cost.spaces <= most.spaces
}

/// Whether `state` is on the chain of thresholds that begins at `from`.
fn on_chain(machine: &Machine, mut from: StateId, state: StateId) -> bool {
    loop {
        if from == state {
            return true;
        }
        match machine.states[from as usize].chain {
            None => return false,
            Some((_, next)) => from = next,
        }
    }
}

/// The states of the string automaton around `main`, if it is there, state for state and edge for edge.
fn around(machine: &Machine, main: StateId) -> Option<[StateId; SUBS]> {
    // Cheap to refuse.
    let stays =
        |byte| matches!(machine.states[main as usize].row.get(byte), Action::Stay { space: false, .. });
    if !(stays(b'a') && stays(b'\\') && stays(0xf4)) {
        return None;
    }
    let mut states = [0; SUBS];
    states[0] = main;
    let mut queue = vec![0u8];
    let mut ticks = None;
    while let Some(sub) = queue.pop() {
        let state = &machine.states[states[sub as usize] as usize];
        let plain = !state.accepting && state.indent == Indent::None && state.keys.is_none();
        if !plain || sub != 0 && state.chain.is_some() {
            return None;
        }
        let mut from = 0u16;
        for &(lo, hi, to_sub) in edges(Sub(sub)) {
            if from < u16::from(lo) {
                shut(state, from as u8, lo - 1, sub == 0)?;
            }
            from = u16::from(hi) + 1;
            for (byte, _) in pieces(&state.row, lo, hi) {
                let Action::Stay { to, tick, space: false } = state.row.get(byte) else { return None };
                if to_sub == 0 {
                    if *ticks.get_or_insert(tick) != tick || !on_chain(machine, to, main) {
                        return None;
                    }
                } else if tick {
                    return None;
                } else if states[to_sub as usize] == 0 {
                    states[to_sub as usize] = to;
                    queue.push(to_sub);
                } else if states[to_sub as usize] != to {
                    return None;
                }
            }
        }
        if from < 256 {
            shut(state, from as u8, 255, sub == 0)?;
        }
    }
    states.iter().all(|&s| s != 0).then_some(states)
}

/// `None` if a byte of the range is read, but for the closing quote of a main state.
fn shut(state: &State, lo: u8, hi: u8, is_main: bool) -> Option<()> {
    let shut = |(byte, last): (u8, u8)| match state.row.get(byte) {
        Action::Dead => true,
        Action::Leave { read: true, .. } | Action::Choose { .. } => is_main && byte == b'"' && last == b'"',
        _ => false,
    };
    pieces(&state.row, lo, hi).all(shut).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many states of each kind a schema's strings have: main ones, steady ones, others.
    fn count(schema: serde_json::Value) -> (usize, usize, usize) {
        let lowered = crate::schema::lower(&schema, &Default::default()).unwrap();
        let labels = labels(&crate::automaton::build(&lowered.ir, &Default::default()).unwrap());
        let main = labels.iter().filter(|&&l| l & !StateInfo::STEADY == 1).count();
        let steady = labels.iter().filter(|&&l| l == 1 | StateInfo::STEADY).count();
        (main, steady, labels.iter().filter(|&&l| l & !StateInfo::STEADY > 1).count())
    }

    #[test]
    fn strings_are_found_whatever_their_length() {
        assert_eq!(count(serde_json::json!({"type": "string"})), (1, 1, 19));
        assert!(count(serde_json::json!({"type": "string", "maxLength": 90})).1 >= 1);
        let (main, steady, _) = count(serde_json::json!({"type": "string", "minLength": 3, "maxLength": 90}));
        assert!(main >= 2 && steady >= 1, "{main} {steady}");
        assert_eq!(count(serde_json::json!({"type": "string", "pattern": "^[a-z]+$"})), (0, 0, 0));
        assert_eq!(count(serde_json::json!({"enum": ["a", "b"]})), (0, 0, 0));
    }
}
