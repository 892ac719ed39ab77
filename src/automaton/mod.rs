//! From the normalised schema to a deterministic pushdown automaton over bytes.
//!
//! In JSON text `{`, `[` and the `"` that opens a value always go one level down, and their closers always go
//! back up, whichever alternative of the schema is being followed. All alternatives move through the
//! levels together, so a schema's language is *visibly pushdown* and has a deterministic automaton:
//! one state, one stack, one look-up a byte.
//!
//! ```text
//!  Ir ── explore ──► frames judged for entries, by formulas          (raw, object, array, text …)
//!     ── trim ─────► frames × outcomes of use, counts and needs      (no dead ends)
//!     ── cost ─────► bounds of the tokens still needed
//!     ── assemble ─► Machine: states, sites
//! ```
//!
//! Nothing here knows a token: only which single bytes the vocabulary can spell.

mod array;
mod assemble;
mod blame;
mod closing;
mod copying;
mod cost;
mod counts;
mod distinct;
mod envelope;
mod explore;
mod flow;
mod formula;
mod free_order;
mod kept;
pub mod key_set;
mod keys;
mod listing;
pub mod machine;
mod member;
mod merge;
mod names;
mod object;
mod order;
mod raw;
mod renumber;
mod restrict;
pub mod string;
mod text;
mod trim;
mod verdicts;

use crate::error::{Error, ErrorKind, Result};
use crate::ir::{Ir, NodeId};
use envelope::Outer;
pub use envelope::{Body, Envelope, Way};
pub use listing::{dot, listing};
pub use machine::Machine;

/// Where whitespace may stand outside of strings. There is none before and after the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Whitespace {
    /// Nowhere.
    Compact,
    /// Wherever JSON allows it, in runs of at most this many bytes.
    Flexible {
        /// Longest run, in bytes.
        max: u32,
    },
    /// One member or item a line, indented by this many spaces a level; `": "` after keys.
    Indent(u32),
}

/// In which order an object's declared properties may be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeyOrder {
    /// The schema's.
    #[default]
    Schema,
    /// Any; at most [`key_set::KeySet::CAPACITY`] declared properties an object.
    Any,
}

/// Options and limits of [`build`].
#[derive(Clone, Debug)]
pub struct Options {
    /// Whitespace between tokens of JSON.
    pub whitespace: Whitespace,
    /// Order of declared properties.
    pub key_order: KeyOrder,
    /// Bytes that a token of the vocabulary spells alone; only they are relied on to finish.
    pub spellable: Box<[bool; 256]>,
    /// Greatest number of open levels. Strings and numbers are levels too. At most 254.
    pub max_depth: u8,
    /// Greatest number of states explored, where with a fixed key order one in which several values are judged counts
    /// once for every two of them; about 200 bytes each while compiling.
    pub max_states: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            whitespace: Whitespace::Flexible { max: 32 },
            key_order: KeyOrder::Schema,
            spellable: Box::new([true; 256]),
            max_depth: 128,
            max_states: 400_000,
        }
    }
}

impl Options {
    fn max_spaces(&self) -> u32 {
        if let Whitespace::Flexible { max } = self.whitespace { max } else { 0 }
    }

    fn indent_width(&self) -> u32 {
        if let Whitespace::Indent(width) = self.whitespace { width } else { 0 }
    }
}

/// Builds automata with one set of options, and keeps what many schemas have in common.
pub struct Builder {
    options: Options,
    kept: kept::KeptFrames,
}

impl Builder {
    /// A builder that has kept nothing yet.
    pub fn new(options: Options) -> Self {
        Builder { options, kept: kept::KeptFrames::default() }
    }

    /// As [`build`]: the same automaton whatever has been built before, but for bounds by tokens in what has been kept.
    ///
    /// # Errors
    /// As [`build`].
    pub fn build(&self, ir: &Ir) -> Result<Machine> {
        build_outer(ir, Outer::bare(ir.root), &self.options, Some(&self.kept))
    }

    /// As [`build_in`].
    ///
    /// # Errors
    /// As [`build_in`].
    pub fn build_in(&self, ir: &Ir, envelope: &Envelope<NodeId>) -> Result<Machine> {
        build_outer(ir, Outer::new(envelope)?, &self.options, Some(&self.kept))
    }

    /// Keeps what a machine that was built here may have in common with others, once its bounds have been tightened by the
    /// vocabulary that all of them are for.
    pub fn keep(&self, machine: &Machine) {
        self.kept.keep(machine);
    }
}

/// Builds the automaton of a schema.
///
/// # Errors
/// [`ErrorKind::Unsatisfiable`] if no text satisfies the schema, [`ErrorKind::Vocabulary`] if some does
/// but the vocabulary cannot spell any or the depth is not enough, [`ErrorKind::LimitExceeded`].
pub fn build(ir: &Ir, options: &Options) -> Result<Machine> {
    build_outer(ir, Outer::bare(ir.root), options, None)
}

/// Builds the automaton of an envelope around values of nodes of `ir`.
///
/// # Errors
/// As [`build`], of the first way with a problem; [`ErrorKind::InvalidParameter`] if the ways cannot be told apart.
pub fn build_in(ir: &Ir, envelope: &Envelope<NodeId>, options: &Options) -> Result<Machine> {
    build_outer(ir, Outer::new(envelope)?, options, None)
}

fn build_outer(ir: &Ir, outer: Outer, options: &Options, kept: Option<&kept::KeptFrames>) -> Result<Machine> {
    let explored = explore::Explorer::run(ir, outer, options, kept)?;
    let mut trimmed = trim::Trimmer::run(&explored)?;
    for (root, state) in explored.outer.beginnings() {
        let state = explored.frames[0].index[&raw::StateKey::Opening(state)];
        check_way(&trimmed, root, state)?;
    }
    let mut costs = cost::settle_costs(&trimmed);
    // What is known now may make a bound of what comes before it.
    while trimmed.narrow(&costs)? {
        costs = cost::settle_costs(&trimmed);
    }
    Ok(assemble::assemble(&trimmed, &costs))
}

/// Whether a value of the node `root`, which begins at `state` of the document, can be written.
fn check_way(trimmed: &trim::Trimmer<'_, '_>, root: NodeId, state: raw::RawId) -> Result<()> {
    let (ir, options) = (trimmed.x.ir, trimmed.x.options);
    let document = trimmed.document();
    let pointer = ir.pointers[ir.resolve(root).0 as usize].to_string();
    let need = document.need[document.at(state, 0)];
    let all_spelled = options.spellable.iter().all(|&s| s);
    let blame = || blame::Blame::new(ir, &trimmed.x.outer.values(), options);
    let unsatisfiable = !document.is_live(state, 0)
        // Recursion without an end and counts that never fit show in the need alone. So do bytes that are
        // missing: whether they are to blame is seen without them.
        || need == machine::State::NO_REST && (all_spelled || !blame().is_satisfiable(root)?);
    if unsatisfiable {
        return Err(Error::at(
            ErrorKind::Unsatisfiable,
            blame().place(root),
            "no JSON text satisfies the schema; its assertions contradict each other",
        ));
    }
    if need == machine::State::NO_REST {
        return Err(Error::at(
            ErrorKind::Vocabulary,
            pointer,
            "this vocabulary cannot spell the schema: a byte that every output needs is no token of its own",
        ));
    }
    if need > options.max_depth {
        return Err(Error::at(
            ErrorKind::LimitExceeded,
            pointer,
            format!("every output nests {need} levels deep; the limit max_depth is {}", options.max_depth),
        ));
    }
    Ok(())
}
