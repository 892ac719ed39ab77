//! Both engines over files in MaskBench's format, token by token in turn: times of one run.
//!
//! `cargo run --release -- DIR [LIST] [--plot FILE.svg]`; LIST names files, one a line. Files that both compile are measured,
//! and of their instances those that both accept so far. Times are microseconds, on one thread.

mod plot;

use std::path::Path;
use std::time::Instant;

use serde_json::Value;
use warpgrammar::cpu::State;
use warpgrammar_peers::{Engines, their_mask};

/// JSON as Python's `json.dumps(value, ensure_ascii=False)` writes it.
fn text(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members = members.iter().map(|(k, v)| format!("{}: {}", Value::from(k.as_str()), text(v)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Times of the two, in µs.
#[derive(Default)]
struct Times([Vec<f64>; 2]);

impl Times {
    fn print(&self, name: &str) {
        let mut sorted = self.0.clone();
        sorted.iter_mut().for_each(|times| times.sort_by(f64::total_cmp));
        let [ours, theirs] = &sorted;
        let Some(last) = ours.len().checked_sub(1) else { return };
        for (name_of, q) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)] {
            let at = |times: &[f64]| times[(last as f64 * q).round() as usize];
            row(name, name_of, at(ours), at(theirs));
        }
        let mean = |times: &[f64]| times.iter().sum::<f64>() / times.len() as f64;
        row(name, "mean", mean(ours), mean(theirs));
        println!("{name:12} {:>6} {:>12}", "n", ours.len());
    }
}

fn row(name: &str, of: &str, ours: f64, theirs: f64) {
    println!("{name:12} {of:>6} {ours:>12.2} {theirs:>12.2} {:>8.3}", ours / theirs);
}

fn timed<T>(times: &mut Vec<f64>, f: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = f();
    times.push(start.elapsed().as_secs_f64() * 1e6);
    result
}

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let plot = args.iter().position(|a| a == "--plot").map(|at| {
        args.remove(at);
        assert!(at < args.len(), "--plot FILE.svg");
        args.remove(at)
    });
    let mut args = args.into_iter();
    let dir = args.next().expect("usage: DIR [LIST] [--plot FILE.svg]");
    let names: Vec<String> = match args.next() {
        Some(list) => {
            let list = std::fs::read_to_string(list).expect("the list is readable");
            list.split_whitespace().map(str::to_owned).collect()
        }
        None => {
            let entries = std::fs::read_dir(&dir).expect("the directory is readable");
            let mut names: Vec<String> =
                entries.map(|e| e.expect("readable").file_name().into_string().expect("UTF-8")).collect();
            names.sort();
            names
        }
    };
    let engines = Engines::new();
    let mut masker = engines.masker(warpgrammar::cpu::DEFAULT_MEMO_BYTES);
    let (mut out, mut their_out) = (engines.mask(), engines.mask());
    let [mut compile, mut first, mut masks, mut commits] = <[Times; 4]>::default();
    let mut files = 0;
    for name in &names {
        let case = std::fs::read(Path::new(&dir).join(name)).expect("the file is readable");
        let case: Value = serde_json::from_slice(&case).expect("the file is JSON");
        let (mut us, mut them) = (Vec::new(), Vec::new());
        let ours = timed(&mut us, || engines.ours(&case["schema"]));
        let theirs = timed(&mut them, || engines.theirs(&case["schema"]));
        let (Some(ours), Some(theirs)) = (ours, theirs) else { continue };
        compile.0[0].append(&mut us);
        compile.0[1].append(&mut them);
        files += 1;
        let mut is_first = true;
        for test in case["tests"].as_array().into_iter().flatten() {
            let Ok(tokens) = engines.vocab.encode(&text(&test["data"])) else { continue };
            let mut state = State::start(&ours, 0);
            let mut matcher = theirs.deep_clone();
            for token in tokens {
                timed(&mut masks.0[0], || masker.mask(&ours, &state, None, &mut out));
                timed(&mut masks.0[1], || their_mask(&mut matcher, &mut their_out));
                if std::mem::take(&mut is_first) {
                    for (first, masks) in first.0.iter_mut().zip(&masks.0) {
                        first.push(*masks.last().expect("just measured"));
                    }
                }
                let legal = |mask: &[u32]| mask[token as usize / 32] >> (token % 32) & 1 == 1;
                if !legal(&out) || !legal(&their_out) {
                    break;
                }
                timed(&mut commits.0[0], || state.advance(&ours, &engines.vocab, token, None));
                timed(&mut commits.0[1], || matcher.consume_token(token).is_ok());
            }
        }
    }
    println!("{files} files of {}", names.len());
    println!("{:12} {:>6} {:>12} {:>12} {:>8}", "us", "", "warpgrammar", "llguidance", "ratio");
    compile.print("compile");
    first.print("first mask");
    masks.print("mask");
    commits.print("commit");
    if let Some(file) = plot {
        let panels = [("a mask", &masks), ("a token taken", &commits), ("a schema compiled", &compile)];
        plot::draw(Path::new(&file), &panels).expect("the plot can be written");
    }
}
