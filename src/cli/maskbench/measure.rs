//! One file of MaskBench: compile its schema, follow its instances, time every call.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use warpgrammar::engine::{Compiler, Engine, EngineOptions, Grammar, Request};
use warpgrammar::{Error, ErrorKind, Result};

use super::instance::{self, Alternatives};
use crate::cli::read_json;

/// Characters of an error that are reported.
const SHOWN: usize = 100;

/// Verdicts and times over any number of files. Times are microseconds.
#[derive(Debug, Default)]
pub struct Measured {
    /// Time to compile each schema that compiles.
    pub compile_us: Vec<f64>,
    /// Size of each compiled schema's tables.
    pub table_bytes: Vec<f64>,
    /// Time of the first mask of each schema.
    pub first_mask_us: Vec<f64>,
    /// Time of each mask.
    pub mask_us: Vec<f64>,
    /// Time to append each token.
    pub commit_us: Vec<f64>,
    /// By file, its verdict in words and what compiling took.
    pub per_file: Vec<(String, String, Cost)>,
    /// Files read.
    pub files: usize,
    /// Schemas that compile.
    pub compiled: usize,
    /// Schemas that do not.
    pub compile_errors: usize,
    /// Schemas of which every test came out right.
    pub schemas_passing: usize,
    /// Valid instances accepted.
    pub valid_accepted: usize,
    /// Valid instances.
    pub valid_total: usize,
    /// Invalid instances rejected.
    pub invalid_rejected: usize,
    /// Invalid instances.
    pub invalid_total: usize,
}

/// What compiling a schema took.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Microseconds.
    pub us: f64,
    /// Bytes of tables; 0 if it does not compile.
    pub bytes: usize,
}

impl Measured {
    /// Adds what another thread measured.
    pub fn merge(&mut self, other: Measured) {
        self.compile_us.extend(other.compile_us);
        self.table_bytes.extend(other.table_bytes);
        self.first_mask_us.extend(other.first_mask_us);
        self.mask_us.extend(other.mask_us);
        self.commit_us.extend(other.commit_us);
        self.per_file.extend(other.per_file);
        self.files += other.files;
        self.compiled += other.compiled;
        self.compile_errors += other.compile_errors;
        self.schemas_passing += other.schemas_passing;
        self.valid_accepted += other.valid_accepted;
        self.valid_total += other.valid_total;
        self.invalid_rejected += other.invalid_rejected;
        self.invalid_total += other.invalid_total;
    }
}

/// Follows instances through grammars, on one thread.
pub struct Meter<'a> {
    compiler: &'a Compiler,
    engine: Engine,
    mask: Vec<u32>,
    follow: Follow,
    masks: bool,
    measured: Measured,
}

/// What is done with a schema's instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Nothing: schemas are compiled.
    Nothing,
    /// They are followed as written.
    AsWritten,
    /// They are followed with their keys in the schema's order.
    Reordered,
}

impl<'a> Meter<'a> {
    /// A meter that has measured nothing; without `masks` it computes none.
    pub fn new(compiler: &'a Compiler, options: EngineOptions, follow: Follow, masks: bool) -> Result<Self> {
        let vocab = compiler.vocabulary();
        let mask = vec![0; vocab.width().div_ceil(32)];
        let engine = Engine::new(vocab.clone(), options)?;
        Ok(Meter { compiler, engine, mask, follow, masks, measured: Measured::default() })
    }

    /// What was measured.
    pub fn finish(self) -> Measured {
        self.measured
    }

    /// Measures one file.
    ///
    /// # Errors
    /// The file is not in MaskBench's format. A schema that does not compile is no error but a verdict.
    pub fn file(&mut self, dir: &Path, name: &str) -> Result<()> {
        let path = dir.join(name);
        let case = read_json(&path)?;
        let malformed = || {
            let file = path.display();
            let message = format!("{file}: expected {{\"schema\", \"tests\": [{{\"data\", \"valid\"}}]}}");
            Error::new(ErrorKind::InvalidJson, message)
        };
        let schema = case.get("schema").ok_or_else(malformed)?;
        let tests = case.get("tests").and_then(Value::as_array).ok_or_else(malformed)?;
        self.measured.files += 1;
        let start = Instant::now();
        let compiled = self.compiler.compile(schema);
        let us = micros(start);
        let grammar = match compiled {
            Ok(grammar) => grammar,
            Err(error) => {
                self.measured.compile_errors += 1;
                let message: String = error.to_string().chars().take(SHOWN).collect();
                let verdict = format!("compile error: {message}");
                self.measured.per_file.push((name.to_owned(), verdict, Cost { us, bytes: 0 }));
                return Ok(());
            }
        };
        let bytes = grammar.as_bytes().len();
        self.measured.compile_us.push(us);
        self.measured.table_bytes.push(bytes as f64);
        self.measured.compiled += 1;
        let mut wrong = Vec::new();
        let tests = if self.follow == Follow::Nothing { &[] } else { &tests[..] };
        for (k, test) in tests.iter().enumerate() {
            let data = test.get("data").ok_or_else(malformed)?;
            let valid = test.get("valid").and_then(Value::as_bool).ok_or_else(malformed)?;
            let texts = match self.follow {
                Follow::Reordered => {
                    let order = |of| instance::text(&instance::reordered(schema, data, of));
                    let (merged, fitting) = (order(Alternatives::Merged), order(Alternatives::Fitting));
                    if fitting == merged { vec![merged] } else { vec![merged, fitting] }
                }
                _ => vec![instance::text(data)],
            };
            // Accepted in either order, be it valid or not.
            let mut accepted = false;
            for (i, text) in texts.iter().enumerate() {
                accepted = accepted || self.accepts(&grammar, text, k == 0 && i == 0)?;
            }
            wrong.extend(self.judge(k, valid, accepted));
        }
        let followed = self.follow != Follow::Nothing;
        self.measured.schemas_passing += usize::from(followed && wrong.is_empty());
        let verdict = match wrong[..] {
            [] if followed => "ok".to_owned(),
            [] => "compiled".to_owned(),
            _ => wrong.join("; "),
        };
        self.measured.per_file.push((name.to_owned(), verdict, Cost { us, bytes }));
        Ok(())
    }

    /// Counts a test's verdict; in words if it is wrong.
    fn judge(&mut self, test: usize, valid: bool, accepted: bool) -> Option<String> {
        let m = &mut self.measured;
        let (right, total) = match valid {
            true => (&mut m.valid_accepted, &mut m.valid_total),
            false => (&mut m.invalid_rejected, &mut m.invalid_total),
        };
        *total += 1;
        if accepted == valid {
            *right += 1;
            return None;
        }
        let kind = if valid { "valid" } else { "invalid" };
        let verdict = if accepted { "accepted" } else { "rejected" };
        Some(format!("test {test}: {kind} {verdict}"))
    }

    /// Whether every token of `text` is legal and the text is complete.
    fn accepts(&mut self, grammar: &Arc<Grammar>, text: &str, first_text: bool) -> Result<bool> {
        let tokens = self.engine.vocabulary().encode(text)?;
        let slot = self.engine.admit(Request { grammar: Some(grammar.clone()), ..Request::default() })?;
        let mut legal = true;
        for (k, &token) in tokens.iter().enumerate() {
            if self.masks {
                let start = Instant::now();
                self.engine.fill_mask(slot, &mut self.mask)?;
                let us = micros(start);
                self.measured.mask_us.push(us);
                if first_text && k == 0 {
                    self.measured.first_mask_us.push(us);
                }
                legal = (self.mask[token as usize / 32] >> (token % 32)) & 1 == 1;
            }
            if !legal {
                break;
            }
            let start = Instant::now();
            legal = self.engine.advance(slot, token).is_ok();
            self.measured.commit_us.push(micros(start));
            if !legal {
                break;
            }
        }
        let accepted = legal && self.engine.is_complete(slot)?;
        self.engine.retire(slot)?;
        Ok(accepted)
    }
}

fn micros(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e6
}
