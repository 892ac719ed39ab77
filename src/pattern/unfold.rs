//! Automata written as a state machine in Rust: a state type, a step, an acceptance test.
//!
//! Numbers, hostnames and addresses are easier to get right as a few lines that track what has been read
//! than as a regular expression. [`unfold`] visits every state that can be reached and tabulates it.

use std::hash::Hash;

use rustc_hash::FxHashMap;

use super::table::Table;
use super::{ByteDfa, DfaState};

/// Tabulates a machine over ASCII text; every state is at a character boundary.
///
/// Each string of `alphabet` is a set of bytes that the machine does not tell apart: `step` is asked about
/// the first of them. Bytes in no set are never accepted. `None` if there are more than `limit` states.
pub(super) fn unfold<S: Clone + Eq + Hash>(
    start: S,
    alphabet: &[&str],
    limit: usize,
    step: impl Fn(&S, u8) -> Option<S>,
    accepts: impl Fn(&S) -> bool,
) -> Option<ByteDfa> {
    let mut classes = Box::new([0u8; 256]);
    for (i, set) in alphabet.iter().enumerate() {
        set.bytes().for_each(|b| classes[usize::from(b)] = i as u8 + 1);
    }
    let mut table = Table::new(classes);
    let mut ids: FxHashMap<S, DfaState> = FxHashMap::default();
    let mut order = vec![start.clone()];
    let first = table.push(accepts(&start), true);
    ids.insert(start, first);
    let mut done = 0;
    while done < order.len() {
        let state = order[done].clone();
        done += 1;
        for (i, set) in alphabet.iter().enumerate() {
            let Some(next) = set.bytes().next().and_then(|b| step(&state, b)) else {
                continue;
            };
            let to = match ids.get(&next) {
                Some(&id) => id,
                None => {
                    if table.len() > limit {
                        return None;
                    }
                    let id = table.push(accepts(&next), true);
                    ids.insert(next.clone(), id);
                    order.push(next);
                    id
                }
            };
            table.row_mut(done as DfaState)[i + 1] = to;
        }
    }
    Some(table.finish(first))
}
