//! Boolean combinations of two automata.

use rustc_hash::FxHashMap;

use super::table::Table;
use super::{ByteDfa, DfaState};

/// The automaton of the texts for which `f(a accepts, b accepts)` holds.
///
/// `f(false, false)` must be false: what neither side can still accept is dead. Intersection is
/// `|a, b| a && b`, union `|a, b| a || b`, difference `|a, b| a && !b`; the complement of a string language
/// is its difference from [`canonical_any`](super::canonical_any). Both sides must agree on boundaries, as
/// any two string automata do. At most `a.len() * b.len()` states, only reachable ones are built.
pub fn product(a: &ByteDfa, b: &ByteDfa, f: impl Fn(bool, bool) -> bool) -> ByteDfa {
    // Bytes by their pair of classes.
    let mut pair_class: FxHashMap<(u8, u8), u8> = FxHashMap::default();
    let mut pairs: Vec<(u8, u8)> = Vec::new();
    let mut classes = Box::new([0u8; 256]);
    for (byte, class) in classes.iter_mut().enumerate() {
        let pair = (a.classes[byte], b.classes[byte]);
        *class = *pair_class.entry(pair).or_insert_with(|| {
            pairs.push(pair);
            (pairs.len() - 1) as u8
        });
    }
    // A side that has died matters only while the other one can accept alone.
    let (a_alone, b_alone) = (f(true, false), f(false, true));
    let useful = |x: DfaState, y: DfaState| match (x != ByteDfa::DEAD, y != ByteDfa::DEAD) {
        (true, true) => true,
        (true, false) => a_alone,
        (false, true) => b_alone,
        (false, false) => false,
    };
    let mut table = Table::new(classes);
    if !useful(a.start, b.start) {
        return table.finish(ByteDfa::DEAD);
    }
    let mut ids: FxHashMap<(DfaState, DfaState), DfaState> = FxHashMap::default();
    let mut order: Vec<(DfaState, DfaState)> = Vec::new();
    let mut intern = |table: &mut Table, order: &mut Vec<(DfaState, DfaState)>, x: DfaState, y: DfaState| {
        *ids.entry((x, y)).or_insert_with(|| {
            order.push((x, y));
            let boundary = if x != ByteDfa::DEAD { a.boundary[x as usize] } else { b.boundary[y as usize] };
            table.push(f(a.accepting[x as usize], b.accepting[y as usize]), boundary)
        })
    };
    let start = intern(&mut table, &mut order, a.start, b.start);
    let mut done = 0;
    while done < order.len() {
        let (x, y) = order[done];
        done += 1;
        for (class, &(ca, cb)) in pairs.iter().enumerate() {
            let nx = a.rows[x as usize * a.stride as usize + usize::from(ca)];
            let ny = b.rows[y as usize * b.stride as usize + usize::from(cb)];
            if useful(nx, ny) {
                let to = intern(&mut table, &mut order, nx, ny);
                table.row_mut(done as DfaState)[class] = to;
            }
        }
    }
    table.finish(start)
}
