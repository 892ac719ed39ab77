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
/// it pays to unfold a long one once, at 1.1 KB for each such state ever visited.
pub(super) struct Facts {
    /// Bit b % 64 of word b / 64: byte b is not dead here; it may still turn out to be illegal.
    pub legal: [u64; 4],
    /// As `legal`, but without the bytes that only leave the frame unread.
    pub read: [u64; 4],
    /// Actions as [`PackedAction`], but `Ahead` is spelled out as `Stay`, and kind [`SIMPLE`] is
    /// `Stay` without a threshold or register at the target and without [`PackedAction::SPACE`].
    pub actions: [u32; 256],
    /// The states that stand for the string automaton's, if this is its main one.
    pub string: Option<Box<StringStates>>,
    classes: OnceLock<[ClassFact; Class::COUNT]>,
    open: OnceLock<Option<u32>>,
    whole: OnceLock<Option<Whole>>,
}

/// What a class of characters does in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClassFact {
    /// The action, as in rows; if the class is divided, that of most of its bytes.
    pub word: u32,
    /// Whether all characters of the class have this action. Of [`Class::Wide`] it is the one that ends the character.
    pub uniform: bool,
    /// Of [`Class::Wide`], if it is divided: bit i: not all characters that begin with byte 0xc2 + i do so.
    pub odd_leads: u64,
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
        let row = v.row(state);
        let default = PackedAction(row[0]);
        let unread = default.kind() == ActionKind::Leave && !default.flag();
        let mut actions = [0; 256];
        let (mut legal, mut read) = ([0; 4], [0; 4]);
        for (word, lo, hi) in pieces(row, 0, 255) {
            let action = PackedAction(word);
            actions[lo as usize..=hi as usize].fill(unfolded(v, state, action));
            if action.kind() != ActionKind::Dead {
                for byte in lo..=hi {
                    legal[byte as usize / 64] |= 1 << (byte % 64);
                    read[byte as usize / 64] |= u64::from(!(unread && word == row[0])) << (byte % 64);
                }
            }
        }
        let mut facts = Facts {
            legal,
            read,
            actions,
            string: None,
            classes: OnceLock::new(),
            open: OnceLock::new(),
            whole: OnceLock::new(),
        };
        if v.states.get(state).free & !StateInfo::STEADY == 1 {
            facts.string = Some(Box::new(string_states(v, state)));
        }
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

impl Facts {
    /// What all characters beyond ASCII do.
    pub fn whole(&self, v: &View<'_>, state: u32) -> Option<Whole> {
        *self.whole.get_or_init(|| whole_characters(v, state, LEADS, true))
    }
}

/// The states between characters that plain characters lead to, and their greatest bound, if all are open.
fn open_states(v: &View<'_>, state: u32) -> Option<(Vec<u32>, u32)> {
    let mut reached = vec![(Sub::MAIN.0, state)];
    let (mut bound, mut next) = (0, 0);
    while let Some(&(sub, from)) = reached.get(next) {
        next += 1;
        let info = v.states.get(from);
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
                    ActionKind::Ahead | ActionKind::Stay => action.target(from),
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
        return ClassFact { word: most, uniform: n == 1, odd_leads: 0 };
    }
    let action = PackedAction(most);
    let unread = matches!(action.kind(), ActionKind::Enter | ActionKind::Leave) && !action.flag();
    if n == 1 && (unread || action.kind() == ActionKind::Dead) {
        return ClassFact { word: most, uniform: true, odd_leads: 0 };
    }
    wide_fact(v, state)
}

/// The lead bytes of a character beyond ASCII.
const LEADS: (u8, u8) = (0xc2, 0xf4);
const ALL_LEADS: u64 = (1 << (LEADS.1 - LEADS.0 + 1)) - 1;

/// [`class_fact`] of [`Class::Wide`], by lead bytes.
fn wide_fact(v: &View<'_>, state: u32) -> ClassFact {
    let mut found = [(0u32, 0u64); 51];
    let mut n = 0;
    for (word, lo, hi) in pieces(v.row(state), LEADS.0, LEADS.1) {
        // Leads of white space by themselves, runs of others together.
        let mut from = lo;
        while from <= hi {
            let alone = begins_wide_space(&[from]);
            let to = if alone {
                from
            } else {
                (from..=hi).take_while(|&b| !begins_wide_space(&[b])).last().unwrap_or(from)
            };
            let ends = match PackedAction(word).kind() {
                ActionKind::Dead => Some(0),
                _ => whole_characters(v, state, (from, to), false).map(|whole| whole.word),
            };
            let leads = (from..=to).fold(0, |set, b| set | 1 << (b - LEADS.0));
            if let Some(word) = ends {
                match found[..n].iter_mut().find(|f| f.0 == word) {
                    Some(known) => known.1 |= leads,
                    None => {
                        found[n] = (word, leads);
                        n += 1;
                    }
                }
            }
            from = to + 1;
        }
    }
    let most = found[..n].iter().max_by_key(|f| f.1.count_ones()).copied().unwrap_or((0, 0));
    let odd_leads = ALL_LEADS & !most.1;
    ClassFact { word: most.0, uniform: odd_leads == 0, odd_leads }
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

/// What all characters beyond ASCII that begin with certain bytes do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    /// The action that ends each.
    pub word: u32,
    /// If tokens may end within each at any depth: the greatest bound there, less what levels cost.
    pub rests: Option<u32>,
}

/// What the characters do that begin with bytes of a range, read from `home`, if they all do the same; `with_spaces`: also
/// those that [`Class::Wide`] leaves out.
pub(super) fn whole_characters(v: &View<'_>, home: u32, leads: (u8, u8), with_spaces: bool) -> Option<Whole> {
    /// A place within a character: its first bytes, as far as they may become one that the class leaves out.
    type Place = (u8, [u8; 2], u32);
    let mut reached: Vec<Place> = vec![(Sub::MAIN.0, [0; 2], home)];
    let mut next = 0;
    let (mut last, mut rests) = (None, Some(0));
    while let Some(&(sub, begun, from)) = reached.get(next) {
        let is_first = next == 0;
        next += 1;
        let len = begun.iter().take_while(|&&b| b != 0).count();
        let may_be_odd = !with_spaces && (len > 0 || is_first);
        let odd_if = |byte: u8| {
            let mut bytes = [begun[0], begun[1], 0];
            bytes[len] = byte;
            may_be_odd && begins_wide_space(&bytes[..=len])
        };
        for &(lo, hi, to_sub) in edges(Sub(sub)).iter().filter(|e| e.0 >= 0x80) {
            let (lo, hi) = if is_first { (lo.max(leads.0), hi.min(leads.1)) } else { (lo, hi) };
            if lo > hi {
                continue;
            }
            for (word, lo, hi) in pieces(v.row(from), lo, hi) {
                // Those that may become one that is left out each by itself, and the others together.
                let odd = (lo..=hi).filter(|&byte| odd_if(byte));
                let other = (lo..=hi).find(|&byte| !odd_if(byte));
                for (byte, is_odd) in odd.map(|byte| (byte, true)).chain(other.map(|byte| (byte, false))) {
                    if is_odd && to_sub == Sub::MAIN.0 {
                        continue;
                    }
                    let action = PackedAction(word);
                    let to = match action.kind() {
                        ActionKind::Ahead | ActionKind::Stay => action.target(from),
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
                    let mut longer = [0; 2];
                    if is_odd && len < 2 {
                        longer = begun;
                        longer[len] = byte;
                    }
                    let mut at = to;
                    while at != 0 {
                        let (info, extra) = (v.states.get(at), v.extra(at));
                        if action.flag() || extra.keys != 0 {
                            return None;
                        }
                        let counts = extra.cost_at != 0 || extra.cost_spaces != 0;
                        rests =
                            rests.filter(|_| info.need == 0 && !counts).map(|cost: u32| cost.max(info.cost));
                        if !reached.contains(&(to_sub, longer, at)) {
                            reached.push((to_sub, longer, at));
                        }
                        at = extra.chain_to;
                    }
                }
            }
        }
    }
    last.map(|word| Whole { word, rests })
}

fn unfolded(v: &View<'_>, state: u32, action: PackedAction) -> u32 {
    let to = match action.kind() {
        ActionKind::Ahead | ActionKind::Stay => action.target(state),
        _ => return action.0,
    };
    let extra = &v.extras[v.states.extra(to) as usize];
    if to != 0 && extra.chain_to == 0 && extra.keys == 0 && !action.space() {
        SIMPLE << 29 | action.0 & PackedAction::FLAG | to
    } else {
        PackedAction::new(ActionKind::Stay, action.flag(), action.space(), to).0
    }
}

/// The string automaton around `main`, which [`StateInfo::free`] says is there, edge for edge.
fn string_states(v: &View<'_>, main: u32) -> StringStates {
    let mut states = [0u32; SUBS];
    states[0] = main;
    let mut queue = vec![0u8];
    while let Some(sub) = queue.pop() {
        let from = states[sub as usize];
        for &(lo, _, to_sub) in edges(Sub(sub)).iter().filter(|e| e.2 != 0) {
            if states[to_sub as usize] == 0 {
                let word = pieces(v.row(from), lo, lo).next().map_or(0, |piece| piece.0);
                states[to_sub as usize] = PackedAction(word).target(from);
                queue.push(to_sub);
            }
        }
    }
    let rests = states.iter().all(|&s| s != 0 && v.states.get(s).need == 0);
    StringStates { states, rests }
}

/// Whether most plain characters lead to a state closed under them, so that it is less work to find out which plain
/// tokens are illegal. Only a guess.
pub(super) fn is_wide(v: &View<'_>, state: u32) -> bool {
    let plain = 1u8 << SliceId::PLAIN.index();
    let closed = |state: u32| v.states.get(state).slices & plain != 0;
    let wide = (b' '..=b'~').filter(|&b| {
        let action = PackedAction(v.word(state, b));
        match action.0 >> 29 {
            SIMPLE | 2 => closed(action.index()),
            3 => v.variants_of(action.index()).last().is_some_and(|widest| closed(widest.start)),
            _ => false,
        }
    });
    wide.count() > 60
}
