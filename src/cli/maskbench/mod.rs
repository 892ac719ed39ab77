//! `warpgrammar maskbench`: compile and mask times, and verdicts, over files in MaskBench's format.
//!
//! The result has the fields that runs of other engines over these files have, so that they can be laid
//! side by side. A valid instance counts as accepted when every token is legal and the end is complete.

mod fits;
mod instance;
mod measure;
pub mod spread;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use serde_json::{Value, json};
use warpgrammar::engine::{Compiler, EngineOptions};
use warpgrammar::{Error, ErrorKind, Result};

use self::measure::{Follow, Measured, Meter};
use self::spread::Spread;
use super::args::MaskbenchArgs;
use super::{Verdict, in_file, read_text};

/// Measures, prints, and writes the result if asked to.
pub fn run(args: &MaskbenchArgs) -> Result<Verdict> {
    let names = names(args)?;
    let vocab = args.vocab.open()?;
    let compiler = args.grammar.compiler(&vocab)?;
    let measured = measure(args, &compiler, &names)?;
    let mut result = result(&args.vocab.vocab, &measured);
    println!("{}", indented(&result));
    if let Some(path) = &args.out {
        let files = &measured.per_file;
        let verdicts = files.iter().map(|(name, verdict, _)| (name.clone(), verdict.as_str().into()));
        result["per_file"] = Value::Object(verdicts.collect());
        let costs = files.iter().map(|(name, _, cost)| (name.clone(), json!([cost.us, cost.bytes])));
        result["per_file_compile_us_and_table_bytes"] = Value::Object(costs.collect());
        std::fs::write(path, indented(&result)).map_err(in_file(path))?;
    }
    if let Some(path) = &args.verdicts {
        std::fs::write(path, verdicts(&measured)).map_err(in_file(path))?;
    }
    Ok(Verdict::Yes)
}

/// A line a file, so that a change is a difference of lines.
fn verdicts(measured: &Measured) -> String {
    measured.per_file.iter().map(|(name, verdict, _)| format!("{name}: {verdict}\n")).collect()
}

/// The files to use: those of the list in its order, or all of them by name.
fn names(args: &MaskbenchArgs) -> Result<Vec<String>> {
    if let Some(list) = &args.list {
        return Ok(read_text(list)?.split_whitespace().map(str::to_owned).collect());
    }
    let entries = std::fs::read_dir(&args.dir).map_err(in_file(&args.dir))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(in_file(&args.dir))?.file_name();
        let is_json = Path::new(&name).extension().is_some_and(|e| e == "json");
        names.extend(name.into_string().ok().filter(|_| is_json));
    }
    if names.is_empty() {
        let message = format!("{} holds no *.json files", args.dir.display());
        return Err(Error::new(ErrorKind::InvalidParameter, message));
    }
    names.sort();
    Ok(names)
}

/// Shares the files out among the threads; each takes the next one when it is done with the last.
fn measure(args: &MaskbenchArgs, compiler: &Compiler, names: &[String]) -> Result<Measured> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<Measured> {
        let options = EngineOptions { slots: 1, backend: args.backend.into(), threads: 1 };
        let follow = match (args.compile_only, args.reorder) {
            (true, _) => Follow::Nothing,
            (false, true) => Follow::Reordered,
            (false, false) => Follow::AsWritten,
        };
        let mut meter = Meter::new(compiler, options, follow, !args.skip_masks)?;
        while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
            meter.file(&args.dir, name)?;
        }
        Ok(meter.finish())
    };
    let mut all = Measured::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..args.jobs).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            all.merge(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok::<(), Error>(())
    })?;
    all.per_file.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(all)
}

fn result(vocab: &str, m: &Measured) -> Value {
    let spread = |values: &Vec<f64>| Spread::of(values.clone()).map(Spread::to_json);
    json!({
        "engine": "warpgrammar",
        "vocab": vocab,
        "files": m.files,
        "compiled": m.compiled,
        "compile_errors": m.compile_errors,
        "schemas_passing": m.schemas_passing,
        "valid_accepted": m.valid_accepted,
        "valid_total": m.valid_total,
        "invalid_rejected": m.invalid_rejected,
        "invalid_total": m.invalid_total,
        "compile_us": spread(&m.compile_us),
        "table_bytes": spread(&m.table_bytes),
        "first_mask_us": spread(&m.first_mask_us),
        "mask_us": spread(&m.mask_us),
        "commit_us": spread(&m.commit_us),
    })
}

/// JSON with one space of indent a level.
fn indented(value: &Value) -> String {
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    value.serialize(&mut serializer).expect("a vector takes every write");
    String::from_utf8(out).expect("JSON is UTF-8")
}
