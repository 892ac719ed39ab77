//! `warpgrammar accept`: whether a text is one that could be generated.
//!
//! The question is about text, not about values: white space and the order of keys count, as the
//! options say. An instance that a validator accepts can still be refused here.

use std::path::Path;

use warpgrammar::Result;
use warpgrammar::reference::Configuration;

use super::args::AcceptArgs;
use super::{Verdict, in_file, read_json};

/// How much text before the fault is shown, in bytes.
const SHOWN: usize = 40;

/// Prints the verdict.
pub fn run(args: &AcceptArgs) -> Result<Verdict> {
    let schema = read_json(&args.schema)?;
    let vocab = args.vocab.open()?;
    let grammar = args.grammar.compiler(&vocab)?.compile(&schema)?;
    let bytes = read_text(&args.instance)?;
    let mut at = Configuration::start(&grammar);
    for (k, &byte) in bytes.iter().enumerate() {
        if !at.read(&grammar, byte) || !at.can_rest(&grammar) {
            println!("refused at {}", place(&bytes, k));
            return Ok(Verdict::No);
        }
    }
    if !at.is_complete(&grammar) {
        println!("refused at {}: the text is not complete", place(&bytes, bytes.len()));
        return Ok(Verdict::No);
    }
    println!("accepted");
    Ok(Verdict::Yes)
}

/// The file's bytes without the line end that editors add.
fn read_text(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = std::fs::read(path).map_err(in_file(path))?;
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    Ok(bytes)
}

/// `byte 12 (line 2, column 3), after "…"`.
fn place(bytes: &[u8], offset: usize) -> String {
    let before = &bytes[..offset];
    let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
    let column = offset - before.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1) + 1;
    let shown = String::from_utf8_lossy(&before[offset.saturating_sub(SHOWN)..]);
    format!("byte {offset} (line {line}, column {column}), after {shown:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_columns_from_one() {
        assert_eq!(place(b"{\n  \"a\": x", 9), "byte 9 (line 2, column 8), after \"{\\n  \\\"a\\\": \"");
        assert!(place(b"x", 0).starts_with("byte 0 (line 1, column 1)"));
    }
}
