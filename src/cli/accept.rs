//! `warpgrammar accept`: whether a text is one that could be generated.
//!
//! The question is about text, not about values: white space and the order of keys count, as the
//! options say. An instance that a validator accepts can still be refused here.

use std::path::Path;

use warpgrammar::Grammar;
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
    let tokens = match std::str::from_utf8(&bytes) {
        Ok(text) => vocab.encode(text)?,
        Err(_) => vocab.encode_bytes(&bytes)?,
    };
    let mut offset = 0;
    for (k, token) in tokens.into_iter().enumerate() {
        let text = vocab.bytes(token).unwrap_or_default();
        let Some(next) = at.after_token(&grammar, &vocab, token, None) else {
            // The first byte of the token that is illegal; past its end, the token may not end here.
            let mut inside = at.clone();
            let read = text.iter().take_while(|&&b| {
                let mut next = inside.clone();
                let legal = next.read(&grammar, b);
                if legal {
                    inside = next;
                }
                legal
            });
            let read = read.count();
            let shown = String::from_utf8_lossy(text);
            println!("refused at token {k} ({shown:?}, id {token}), {}", place(&bytes, offset + read));
            println!("legal there: {}", legal_bytes(&inside, &grammar));
            return Ok(Verdict::No);
        };
        at = next;
        offset += text.len();
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

/// The bytes that could come next, in ranges.
fn legal_bytes(at: &Configuration, grammar: &Grammar) -> String {
    let legal: Vec<u8> = (0..=255).filter(|&b| at.clone().read(grammar, b)).collect();
    let shown = |b: u8| if b.is_ascii_graphic() { format!("'{}'", b as char) } else { format!("{b:02x}") };
    let mut ranges: Vec<(u8, u8)> = Vec::new();
    for b in legal {
        match ranges.last_mut() {
            Some(last) if last.1 + 1 == b => last.1 = b,
            _ => ranges.push((b, b)),
        }
    }
    let text = ranges
        .iter()
        .map(|&(lo, hi)| if lo == hi { shown(lo) } else { format!("{}-{}", shown(lo), shown(hi)) });
    let text: Vec<String> = text.collect();
    if text.is_empty() { "nothing but the end".into() } else { text.join(" ") }
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
