//! `warpgrammar inspect`: the automaton of a schema, to read or to draw.

use warpgrammar::Result;
use warpgrammar::automaton::{dot, listing};

use super::args::InspectArgs;
use super::{Verdict, read_json};

/// Prints the automaton.
pub fn run(args: &InspectArgs) -> Result<Verdict> {
    let schema = read_json(&args.schema)?;
    let vocab = args.vocab.open()?;
    let machine = args.grammar.compiler(&vocab)?.machine(&schema)?;
    print!("{}", if args.dot { dot(&machine) } else { listing(&machine) });
    Ok(Verdict::Yes)
}
