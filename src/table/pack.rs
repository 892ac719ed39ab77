//! Packing a [`Machine`] into a [`Grammar`].

use std::hash::Hash;

use bytemuck::Zeroable;
use rustc_hash::FxHashMap;

use super::grammar::{Grammar, Header, Sections};
use super::layout::*;
use crate::automaton::machine::*;
use crate::error::{Error, ErrorKind, Result};

/// Greatest size of a grammar's tables unless configured otherwise, in bytes.
pub const DEFAULT_MAX_BYTES: usize = 64 << 20;

/// A vector whose elements are stored once each.
struct Pool<T> {
    items: Vec<T>,
    ids: FxHashMap<T, u32>,
}

impl<T: Copy + Eq + Hash> Pool<T> {
    fn new(first: impl IntoIterator<Item = T>) -> Self {
        let mut pool = Pool { items: Vec::new(), ids: FxHashMap::default() };
        for item in first {
            pool.id(item);
        }
        pool
    }

    fn id(&mut self, item: T) -> u32 {
        *self.ids.entry(item).or_insert_with(|| {
            self.items.push(item);
            self.items.len() as u32 - 1
        })
    }
}

/// Packs a machine for the vocabulary with the given fingerprint.
///
/// # Errors
/// [`ErrorKind::LimitExceeded`] if the tables exceed `max_bytes`.
pub fn pack(machine: &Machine, vocabulary: u64, max_bytes: usize) -> Result<Grammar> {
    let choices = machine.choices.iter().map(Vec::len).sum::<usize>();
    if machine.states.len().max(machine.sites.len()).max(choices) > MAX_INDEX as usize {
        return Err(too_large("more states"));
    }
    let mut s = Sections::default();
    let mut choice_starts = Vec::with_capacity(machine.choices.len());
    for list in &machine.choices {
        choice_starts.push(s.choices.len() as u32);
        for (i, &(keys, outcome)) in list.iter().enumerate() {
            s.choices.push(Choice { keys, outcome, last: u32::from(i + 1 == list.len()) });
        }
    }
    let mut cost_starts = Vec::with_capacity(machine.key_costs.len());
    for costs in &machine.key_costs {
        cost_starts.push(s.key_costs.len() as u32);
        let names = costs.tokens.len().max(costs.needs.len());
        s.key_costs.extend((0..names).map(|name| {
            let (tokens, spaces) = costs.tokens.get(name).copied().unwrap_or_default();
            MemberCost { tokens, spaces, need: costs.needs.get(name).copied().unwrap_or_default().into() }
        }));
    }
    let none = Extra { chain_at: u32::MAX, ..Extra::zeroed() };
    let mut extras = Pool::new([none]);
    let mut keys = Pool::new([KeyInfo::zeroed()]);
    let mut kinds = Pool::new([]);
    let mut terms = Pool::new([]);
    let rows = super::rows::rows(machine, &choice_starts);
    if rows.words.len() > PackedState::MAX_ROWS {
        return Err(too_large("longer rows"));
    }
    let free = super::strings::labels(machine);
    for (id, state) in machine.states.iter().enumerate() {
        let keys = state.keys.map_or(0, |k| {
            keys.id(KeyInfo {
                required: k.required,
                ahead: k.ahead,
                name: k.name.map_or(0, |name| u32::from(name) + 1),
                costs: cost_starts[k.costs as usize],
                written: k.written.0,
                written_spaces: k.written.1,
                rest: k.rest.0,
                rest_spaces: k.rest.1,
                closes: k.closes.checked_sub(1).map_or(0, |choice| choice_starts[choice as usize] + 1),
                open_need: k.open_need.map_or(0, |need| u32::from(need) + 1),
            })
        });
        let (chain_at, chain_to) = state.chain.unwrap_or((u32::MAX, 0));
        let extra = extras.id(Extra {
            chain_at,
            chain_to,
            cost_at: state.cost.at,
            cost_per_tick: state.cost.per_tick,
            cost_tick_spaces: state.cost.tick_spaces,
            padding: 0,
            cost_spaces: state.cost.spaces,
            keys,
        });
        let indent = match state.indent {
            Indent::None => 0,
            Indent::Inner => StateInfo::INDENT_INNER,
            Indent::Outer => StateInfo::INDENT_OUTER,
        };
        let kind = kinds.id(StateKind {
            extra,
            cost: state.cost.base & !0xffff,
            need: state.need,
            flags: u8::from(state.accepting) * StateInfo::ACCEPTING + indent,
            slices: super::closed::closed_slices(machine, id as StateId),
            free: free[id],
        });
        if kind as usize >= PackedState::MAX_KINDS {
            return Err(too_large("states of more kinds"));
        }
        s.states.push(PackedState::new(rows.of[id], state.cost.base, kind, extra != 0));
    }
    s.kinds = kinds.items;
    s.rows = rows.words;
    s.extras = extras.items;
    for site in &machine.sites {
        let variants = s.variants.len() as u32;
        s.variants.extend(site.variants.iter().map(|v| VariantInfo {
            start: v.start,
            terms: terms.id(VariantTerms {
                depth: v.depth.into(),
                cost: v.cost.base,
                cost_at: v.cost.at,
                cost_per_tick: v.cost.per_tick,
                cost_tick_spaces: v.cost.tick_spaces,
                cost_spaces: v.cost.spaces,
                keys: match v.required {
                    (KeySet::EMPTY, _) => 0,
                    (required, costs) => {
                        let costs = cost_starts[costs as usize];
                        keys.id(KeyInfo { required, costs, ..KeyInfo::zeroed() })
                    }
                },
            }),
        }));
        let targets = s.lists.len() as u32;
        s.lists.extend_from_slice(&site.targets);
        s.sites.push(SiteInfo {
            variants,
            variant_count: site.variants.len() as u32,
            targets,
            target_count: site.targets.len() as u32,
        });
    }
    s.keys = keys.items;
    s.terms = terms.items;
    let header = Header {
        vocabulary,
        start: machine.start,
        max_depth: u32::from(machine.max_depth),
        max_spaces: machine.max_spaces,
        indent: machine.indent,
        ..Header::zeroed()
    };
    let grammar = Grammar::assemble(header, &s)?;
    let bytes = grammar.as_bytes().len();
    if bytes > max_bytes {
        return Err(Error::new(
            ErrorKind::LimitExceeded,
            format!("the schema's tables take {bytes} bytes; the limit max_table_bytes is {max_bytes}"),
        ));
    }
    Ok(grammar)
}

fn too_large(what: &str) -> Error {
    Error::new(ErrorKind::LimitExceeded, format!("the schema needs {what} than an index can hold"))
}
