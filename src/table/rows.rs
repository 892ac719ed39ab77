//! Rows as words, each shared by as many states as possible.
//!
//! A row that says "the next state" is shared by all states that force the same byte, if they are numbered one after the
//! other; one that names the state is shared by all that lead there. Which form more states have is found out
//! first, and then the commoner one is written.

use std::hash::BuildHasher;

use rustc_hash::{FxBuildHasher, FxHashMap};

use super::layout::{ActionKind, PackedAction};
use crate::automaton::machine::*;

/// The rows of a machine.
pub(super) struct Rows {
    pub words: Vec<u32>,
    /// Per state, where its row begins.
    pub of: Vec<u32>,
}

/// One way to write the row of a state: its words in the list of all, and their hash.
struct Form {
    words: std::ops::Range<usize>,
    hash: u64,
}

/// Writes all rows; `choices` are the places of the machine's lists of choices.
pub(super) fn rows(machine: &Machine, choices: &[u32]) -> Rows {
    let mut written: Vec<u32> = Vec::with_capacity(8 * machine.states.len());
    let mut often: FxHashMap<u64, u32> = FxHashMap::default();
    often.reserve(machine.states.len());
    let mut read_at_start = FxHashMap::default();
    let mut forms: Vec<(Form, Option<Form>)> = Vec::with_capacity(machine.states.len());
    for (id, state) in (0..).zip(&machine.states) {
        let default = usual(machine, &mut read_at_start, &state.row);
        let mut write = |near: bool| {
            let from = written.len();
            write_row(&mut written, &state.row, default, &|action| pack(action, near.then_some(id), choices));
            let hash = FxBuildHasher.hash_one(&written[from..]);
            *often.entry(hash).or_default() += 1;
            Form { words: from..written.len(), hash }
        };
        let is_near = |a: Action| matches!(a, Action::Stay { to, .. } if to == id || to == id + 1);
        let near = is_near(default) || state.row.ranges.iter().any(|r| is_near(r.2));
        forms.push((write(false), near.then(|| write(true))));
    }
    let mut rows = Rows { words: Vec::new(), of: Vec::with_capacity(forms.len()) };
    let mut known: FxHashMap<&[u32], u32> = FxHashMap::default();
    for (by_number, by_distance) in forms {
        let form = match by_distance {
            Some(near) if often[&near.hash] >= often[&by_number.hash] => near,
            _ => by_number,
        };
        let words = &written[form.words];
        let next = rows.words.len() as u32;
        let row = *known.entry(words).or_insert(next);
        if row == next {
            rows.words.extend_from_slice(words);
        }
        rows.of.push(row);
    }
    rows
}

fn write_row(words: &mut Vec<u32>, row: &Row, default: Action, pack: &dyn Fn(Action) -> u32) {
    let at = words.len();
    words.extend([pack(default), 0]);
    for &(lo, hi, action) in row.ranges.iter().filter(|r| r.2 != default) {
        words.extend([u32::from(lo) | u32::from(hi) << 8, pack(action)]);
    }
    words[at + 1] = (words.len() - at) as u32 / 2 - 1;
}

/// An action as a word; near the state `here`, if that is given, others are named by their distance.
fn pack(action: Action, here: Option<StateId>, choices: &[u32]) -> u32 {
    let packed = match action {
        Action::Dead => PackedAction::DEAD,
        Action::Stay { to, tick, space } => match here.and_then(|here| to.checked_sub(here)) {
            Some(distance @ 0..=1) => PackedAction::new(ActionKind::Ahead, tick, space, distance),
            _ => PackedAction::new(ActionKind::Stay, tick, space, to),
        },
        Action::Enter { site, read } => PackedAction::new(ActionKind::Enter, read, false, site),
        Action::Leave { outcome, read } => PackedAction::new(ActionKind::Leave, read, false, outcome),
        Action::Choose { choice } => {
            PackedAction::new(ActionKind::Choose, true, false, choices[choice as usize])
        }
    };
    packed.0
}

/// What a row need not list. Where several ranges enter the same frame without reading, this is their action, provided that the
/// frame itself has no use for the bytes that the row refuses. So in the name of a member all bytes that continue no
/// declared name are one default.
fn usual(machine: &Machine, read_at_start: &mut FxHashMap<SiteId, ByteSet>, row: &Row) -> Action {
    let unread = row.ranges.iter().map(|r| r.2).filter(|a| matches!(a, Action::Enter { read: false, .. }));
    if row.default != Action::Dead || unread.clone().nth(1).is_none() {
        return row.default;
    }
    let often = |a: Action| row.ranges.iter().filter(|r| r.2 == a).count();
    let most = unread.map(|a| (often(a), a)).max_by_key(|&(often, _)| often);
    let Some((2.., entered @ Action::Enter { site, .. })) = most else { return row.default };
    let used = *read_at_start.entry(site).or_insert_with(|| {
        let starts =
            machine.sites[site as usize].variants.iter().map(|v| &machine.states[v.start as usize].row);
        starts.map(read_by).fold([0; 4], |all, row| std::array::from_fn(|i| all[i] | row[i]))
    });
    let listed = read_by(row);
    if (0..4).all(|i| used[i] & !listed[i] == 0) { entered } else { row.default }
}

/// A bit for each byte.
type ByteSet = [u64; 4];

/// The bytes that a row does not refuse.
fn read_by(row: &Row) -> ByteSet {
    if row.default != Action::Dead {
        return [u64::MAX; 4];
    }
    let mut set = [0; 4];
    for &(lo, hi, action) in &row.ranges {
        if action != Action::Dead {
            for word in lo >> 6..=hi >> 6 {
                let first = if word == lo >> 6 { lo & 63 } else { 0 };
                let last = if word == hi >> 6 { hi & 63 } else { 63 };
                set[usize::from(word)] |= u64::MAX << first & u64::MAX >> (63 - last);
            }
        }
    }
    set
}
