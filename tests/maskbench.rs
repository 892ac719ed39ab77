//! MaskBench's sample: no invalid instance is ever accepted, and a valid one only rejected for the order of
//! its keys. `cargo test --test maskbench -- --nocapture` prints the counts.
//!
//! The verdicts of the whole corpus are recorded by
//! `warpgrammar maskbench ../shared/data/maskbench --reorder --skip-masks --verdicts tests/maskbench-verdicts.txt`.

mod common;
#[path = "common/reorder.rs"]
mod reorder;

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::time::{Duration, Instant};

use common::{accepts, compile, data, dumps};
use serde_json::Value;
use warpgrammar::automaton::{KeyOrder, Options};

/// `file#test` of valid instances accepted in no order, and why.
const NOT_ACCEPTED: &[(&str, &str)] = &[];

#[test]
fn the_sample_is_judged_as_it_says() {
    let (Some(list), Some(folder)) = (data("maskbench-sample.txt"), data("maskbench")) else { return };
    let (fixed, free) = (Options::default(), Options { key_order: KeyOrder::Any, ..Options::default() });
    let (mut compiled, mut valid, mut as_is, mut reordered, mut only_free, mut invalid) = (0, 0, 0, 0, 0, 0);
    let mut slowest = (Duration::ZERO, String::new());
    let (mut wrong, mut missed) = (Vec::new(), BTreeSet::new());
    for name in std::fs::read_to_string(list).expect("the list").split_whitespace() {
        let text = std::fs::read_to_string(folder.join(name)).expect("a file of the list");
        let file: Value = serde_json::from_str(&text).expect("JSON");
        let schema = &file["schema"];
        let start = Instant::now();
        let Ok(g) = compile(schema, &fixed) else { continue };
        slowest = slowest.max((start.elapsed(), name.to_owned()));
        compiled += 1;
        // Compiled only where it is needed: at most 64 names, and slower.
        let any = std::cell::OnceCell::new();
        let any = || any.get_or_init(|| compile(schema, &free).ok()).as_ref();
        for (i, test) in file["tests"].as_array().into_iter().flatten().enumerate() {
            let (instance, label) = (&test["data"], format!("{name}#{i}"));
            let orders = reorder::orders(schema, instance);
            let accepted = orders.iter().position(|v| accepts(&g, &dumps(v)).is_ok());
            if test["valid"] != true {
                invalid += 1;
                if accepted.is_some() || any().is_some_and(|g| accepts(g, &dumps(instance)).is_ok()) {
                    let order = if accepted.is_some() { "schema" } else { "free" };
                    wrong.push(format!("{label} ({order} order): {}", test["description"]));
                }
                continue;
            }
            valid += 1;
            match accepted {
                Some(0) => as_is += 1,
                Some(_) => reordered += 1,
                None if any().is_some_and(|g| accepts(g, &dumps(instance)).is_ok()) => {
                    eprintln!("only in free order: {label}");
                    only_free += 1;
                }
                None => {
                    let at = accepts(&g, &dumps(&orders[orders.len().min(2) - 1]));
                    eprintln!("missed: {label} at {at:?}: {}", dumps(instance));
                    missed.insert(label);
                }
            }
        }
    }
    println!(
        "{compiled} schemas, slowest {slowest:?}; {invalid} invalid; {valid} valid: {as_is} as written, \
         {reordered} in schema order, {only_free} only in free order, {} in none",
        missed.len()
    );
    assert!(compiled > 300, "only {compiled} schemas compiled");
    assert!(wrong.is_empty(), "{} invalid instances accepted:\n{}", wrong.len(), wrong.join("\n"));
    let expected: BTreeSet<String> = NOT_ACCEPTED.iter().map(|e| e.0.to_owned()).collect();
    let new: Vec<_> = missed.difference(&expected).collect();
    assert!(new.is_empty(), "{} valid instances not accepted: {new:#?}", new.len());
    let passing: Vec<_> = expected.difference(&missed).collect();
    assert!(passing.is_empty(), "accepted now, take off the list: {passing:#?}");
    assert!(only_free * 50 < valid, "the order of the schema is missed {only_free} times");
}

/// `tests/maskbench-verdicts.txt` says of every file of the corpus what `maskbench --reorder` finds, so that a change of
/// any verdict is a difference of lines. Here the sample's are looked at; the command that writes them all is at the
/// top of this file.
#[test]
fn verdicts_are_as_recorded() {
    let (Some(list), Some(folder)) = (data("maskbench-sample.txt"), data("maskbench")) else { return };
    let written = std::env::temp_dir().join(format!("warpgrammar-verdicts-{}", std::process::id()));
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_warpgrammar"))
        .args(["maskbench", "--reorder", "--skip-masks", "--jobs", "2"])
        .arg(&folder)
        .args([OsStr::new("--list"), list.as_os_str(), OsStr::new("--verdicts"), written.as_os_str()])
        .output()
        .expect("the command runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let found = std::fs::read_to_string(&written).expect("what it wrote");
    std::fs::remove_file(&written).expect("it is ours");
    let recorded = include_str!("maskbench-verdicts.txt");
    let by_name: HashMap<&str, &str> = recorded.lines().filter_map(|line| line.split_once(": ")).collect();
    let mut changed = Vec::new();
    for line in found.lines() {
        let (name, verdict) = line.split_once(": ").expect("a name and a verdict");
        let before = by_name.get(name).copied();
        if before != Some(verdict) {
            changed.push(format!("{name}: {verdict}\n  recorded: {before:?}"));
        }
    }
    assert!(found.lines().count() > 500, "{} verdicts", found.lines().count());
    assert!(changed.is_empty(), "{} verdicts changed:\n{}", changed.len(), changed.join("\n"));
}
