//! `warpgrammar check`: whether a schema can be enforced, and what it costs.

use std::time::Instant;

use serde_json::{Value, json};
use warpgrammar::engine::Grammar;
use warpgrammar::schema::{self, Warning};
use warpgrammar::table::layout::{PackedState, StateKind};
use warpgrammar::{Error, ErrorKind, Result, strict};

use super::args::CheckArgs;
use super::{Verdict, read_json};

/// Prints the verdict.
pub fn run(args: &CheckArgs) -> Result<Verdict> {
    let document = read_json(&args.schema)?;
    if let Some(profile) = args.profile
        && let Err(violation) = strict::check(&document, profile)
    {
        let error = Error::at(ErrorKind::UnsupportedKeyword, violation.pointer, violation.message);
        if args.json {
            println!("{}", refused(&error));
            return Ok(Verdict::No);
        }
        return Err(error);
    }
    let vocab = args.vocab.open()?;
    let compiler = args.grammar.compiler(&vocab)?;
    let start = Instant::now();
    let compiled = schema::lower(&document, &compiler.options().schema)
        .and_then(|lowered| Ok((compiler.compile_lowered(&lowered)?, lowered.warnings)));
    let us = start.elapsed().as_micros();
    let (grammar, warnings) = match compiled {
        Ok(compiled) => compiled,
        Err(error) if args.json => {
            println!("{}", refused(&error));
            return Ok(Verdict::No);
        }
        Err(error) => return Err(error),
    };
    if args.json {
        println!("{}", accepted(&grammar, us, &warnings));
        return Ok(Verdict::Yes);
    }
    for warning in &warnings {
        eprintln!("warning at #{}: {}", warning.pointer, warning.message);
    }
    let limit = match grammar.least_tokens() {
        u32::MAX => "no limit is known to be enough".to_owned(),
        least => format!("complete within any limit from {least} tokens"),
    };
    println!(
        "ok: {} states, {} bytes of tables, at most {} levels; {limit}; compiled in {us} µs",
        grammar.states().len(),
        grammar.as_bytes().len(),
        grammar.max_depth(),
    );
    Ok(Verdict::Yes)
}

fn accepted(grammar: &Grammar, us: u128, warnings: &[Warning]) -> Value {
    let warnings: Vec<Value> =
        warnings.iter().map(|w| json!({"pointer": w.pointer, "message": w.message})).collect();
    json!({
        "ok": true,
        "states": grammar.states().len(),
        "sites": grammar.sites().len(),
        "bytes": grammar.as_bytes().len(),
        "bytes_by_section": sections(grammar),
        "max_depth": grammar.max_depth(),
        "least_tokens": grammar.least_tokens(),
        "compile_us": us as u64,
        "warnings": warnings,
    })
}

/// Bytes of each section of the tables; the header is not among them.
fn sections(grammar: &Grammar) -> Value {
    json!({
        "states": grammar.states().len() * size_of::<PackedState>(),
        "kinds": grammar.header().kinds.count as usize * size_of::<StateKind>(),
        "extras": size_of_val(grammar.extras()),
        "keys": size_of_val(grammar.keys()),
        "key_costs": size_of_val(grammar.key_costs()),
        "rows": size_of_val(grammar.rows()),
        "sites": size_of_val(grammar.sites()),
        "variants": size_of_val(grammar.variants()),
        "terms": size_of_val(grammar.terms()),
        "lists": size_of_val(grammar.lists()),
        "choices": size_of_val(grammar.choices()),
    })
}

fn refused(error: &Error) -> Value {
    let problem =
        |e: &Error| json!({"kind": e.kind().as_str(), "pointer": e.pointer(), "message": e.message()});
    let problems: Vec<Value> = error.problems().map(problem).collect();
    json!({
        "ok": false,
        "kind": error.kind().as_str(),
        "pointer": error.pointer(),
        "message": error.message(),
        "problems": problems,
    })
}
