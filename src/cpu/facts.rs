//! What is worked out about a state when it is first visited: its row unfolded, and what kind it is.

use std::sync::OnceLock;

use super::classes::{Class, begins_wide_space};
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
    classes: OnceLock<[ClassFact; Class::COUNT]>,
    open: OnceLock<Option<u32>>,
}

/// What a class of characters does in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClassFact {
    /// The action, as in rows; if the class is divided, that of most of its bytes.
    pub word: u32,
    /// Whether all characters of the class have this action. Of [`Class::Wide`] it is the one that ends the character.
    pub uniform: bool,
}

const DEAD: ClassFact = ClassFact { word: 0, uniform: true };

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
            classes: OnceLock::new(),
            open: OnceLock::new(),
        };
        facts.string = string_states(v, state, &facts).map(Box::new);
        facts.wide = facts.string.is_none() && is_wide(v, &facts);
        facts
    }
}

impl Facts {
    /// See [`View::class_fact`].
    pub fn class(&self, v: &View<'_>, state: u32, class: Class) -> ClassFact {
        let all = || Class::ALL.map(|class| class_fact(v, state, class));
        self.classes.get_or_init(all)[class as usize]
    }
}

/// Most states and sub-states that are looked at for one that is not open.
const MAX_OPEN: usize = 96;

impl Facts {
    /// If plain characters lead from `state` to open states only, wherever tokens may end at any depth and no count
    /// is looked at: the greatest bound of these, less what levels cost.
    ///
    /// So it is with patterns that may match anywhere. All plain tokens are legal then, though they lead to different states.
    pub fn open(&self, v: &View<'_>, state: u32) -> Option<u32> {
        *self.open.get_or_init(|| {
            let (mains, bound) = open_states(v, state)?;
            for &main in mains.iter().filter(|&&main| main != state) {
                if v.row(main)[1] > super::program::NARROW {
                    v.facts(main).open.get_or_init(|| Some(bound));
                }
            }
            Some(bound)
        })
    }
}

/// The states between characters that plain characters lead to, and their greatest bound, if all are open.
fn open_states(v: &View<'_>, state: u32) -> Option<(Vec<u32>, u32)> {
    let mut reached = vec![(Sub::MAIN.0, state)];
    let (mut bound, mut next) = (0, 0);
    while let Some(&(sub, from)) = reached.get(next) {
        next += 1;
        let info = &v.states[from as usize];
        let extra = v.extra(from);
        let indents = info.flags & (StateInfo::INDENT_INNER | StateInfo::INDENT_OUTER) != 0;
        let asks = extra.chain_to != 0 || extra.keys != 0 || extra.cost_at != 0 || extra.cost_spaces != 0;
        if info.need != 0 || indents || asks || reached.len() > MAX_OPEN {
            return None;
        }
        bound = bound.max(info.cost);
        for &(lo, hi, to_sub) in edges(Sub(sub)).iter().filter(|e| e.0 != b'\\') {
            for (word, ..) in pieces(v.row(from), lo, hi) {
                let action = PackedAction(word);
                let to = match action.kind() {
                    ActionKind::Next => from + 1,
                    ActionKind::Stay => action.index(),
                    _ => return None,
                };
                if action.space() {
                    return None;
                }
                if !reached.contains(&(to_sub, to)) {
                    reached.push((to_sub, to));
                }
            }
        }
    }
    Some((reached.iter().filter(|r| r.0 == Sub::MAIN.0).map(|r| r.1).collect(), bound))
}

/// Looks at the row of `state`.
pub(super) fn class_fact(v: &View<'_>, state: u32, class: Class) -> ClassFact {
    // At most as many actions as the largest class has bytes that begin its characters.
    let mut found = [(0u32, 0u32); 51];
    let mut n = 0;
    let row = v.row(state);
    for &(lo, hi) in class.bytes() {
        for (word, lo, hi) in pieces(row, lo, hi) {
            let count = u32::from(hi - lo) + 1;
            match found[..n].iter_mut().find(|f| f.0 == word) {
                Some(known) => known.1 += count,
                None => {
                    found[n] = (word, count);
                    n += 1;
                }
            }
        }
    }
    let most = found[..n].iter().max_by_key(|f| f.1).expect("no class is empty").0;
    if class != Class::Wide {
        return ClassFact { word: most, uniform: n == 1 };
    }
    let action = PackedAction(most);
    match action.kind() {
        ActionKind::Dead if n == 1 => DEAD,
        ActionKind::Enter | ActionKind::Leave if n == 1 && !action.flag() => ClassFact { word: most, uniform: true },
        _ => match whole_characters(v, state, false) {
            Some(word) => ClassFact { word, uniform: true },
            None => ClassFact { word: 0, uniform: false },
        },
    }
}

/// The bytes `lo..=hi` in pieces, each with the action that it has in a row.
fn pieces(row: &[u32], lo: u8, hi: u8) -> impl Iterator<Item = (u32, u8, u8)> {
    let mut from = Some(lo);
    std::iter::from_fn(move || {
        let start = from.filter(|&start| start <= hi)?;
        let range = row[2..].chunks_exact(2).find(|r| r[0] >> 8 >= u32::from(start));
        let (word, end) = match range {
            Some(r) if r[0] & 0xff <= u32::from(start) => (r[1], (r[0] >> 8) as u8),
            Some(r) => (row[0], (r[0] & 0xff) as u8 - 1),
            None => (row[0], 255),
        };
        from = end.checked_add(1);
        Some((word, start, end.min(hi)))
    })
}

/// The first byte of some ranges that has an action.
pub(super) fn first_over(row: &[u32], ranges: &[(u8, u8)], word: u32) -> Option<u8> {
    ranges.iter().find_map(|&(lo, hi)| pieces(row, lo, hi).find(|piece| piece.0 == word).map(|piece| piece.1))
}

/// The action that ends every character of [`Class::Wide`] read from `home`, if they all do the same; `with_spaces`: every
/// character beyond ASCII.
pub(super) fn whole_characters(v: &View<'_>, home: u32, with_spaces: bool) -> Option<u32> {
    /// A place within a character: its first bytes as far as they may become one that the class leaves out.
    type Place = (u8, [u8; 2], u32);
    let mut reached: Vec<Place> = vec![(Sub::MAIN.0, [0; 2], home)];
    let mut next = 0;
    let mut last = None;
    while let Some(&(sub, begun, from)) = reached.get(next) {
        next += 1;
        let len = begun.iter().take_while(|&&b| b != 0).count();
        let odd_if = |byte: u8| {
            let mut bytes = [begun[0], begun[1], 0];
            bytes[len] = byte;
            !with_spaces && (len > 0 || sub == Sub::MAIN.0) && begins_wide_space(&bytes[..=len])
        };
        for &(lo, hi, to_sub) in edges(Sub(sub)).iter().filter(|e| e.0 >= 0x80) {
            for (word, lo, hi) in pieces(v.row(from), lo, hi) {
                // Those that may become one each by itself, and the others together.
                let odd = (lo..=hi).filter(|&byte| odd_if(byte));
                let other = (lo..=hi).find(|&byte| !odd_if(byte));
                for (byte, is_odd) in odd.map(|byte| (byte, true)).chain(other.map(|byte| (byte, false))) {
                    if is_odd && to_sub == Sub::MAIN.0 {
                        continue;
                    }
                    let action = PackedAction(word);
                    let to = match action.kind() {
                        ActionKind::Next => from + 1,
                        ActionKind::Stay => action.index(),
                        _ => return None,
                    };
                    if action.space() || reached.len() > MAX_OPEN {
                        return None;
                    }
                    if to_sub == Sub::MAIN.0 {
                        let word = PackedAction::new(ActionKind::Stay, action.flag(), false, to).0;
                        if *last.get_or_insert(word) != word {
                            return None;
                        }
                        continue;
                    }
                    let mut begun = begun;
                    if is_odd && len < 2 {
                        begun[len] = byte;
                    } else {
                        begun = [0; 2];
                    }
                    let mut at = to;
                    while at != 0 {
                        let extra = v.extra(at);
                        if action.flag() || extra.keys != 0 {
                            return None;
                        }
                        if !reached.contains(&(to_sub, begun, at)) {
                            reached.push((to_sub, begun, at));
                        }
                        at = extra.chain_to;
                    }
                }
            }
        }
    }
    last
}

fn unfolded(v: &View<'_>, state: u32, action: PackedAction) -> u32 {
    let to = match action.kind() {
        ActionKind::Next => state + 1,
        ActionKind::Stay => action.index(),
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
                    ActionKind::Next => state + 1,
                    ActionKind::Stay => action.index(),
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
