//! What legal sets cost on a device, counted by the emulator:
//! `cargo test --test legal_figures -- --ignored --nocapture`
//!
//! Places are those between the tokens of real texts: valid instances of MaskBench's schemas, and what the built-in
//! source of logits writes for `examples/`. Each place's set is made by one block; rounds and reads vary by a
//! few percent with the order in which the emulator lets threads run, and with nothing else.

mod common;
#[path = "common/reorder.rs"]
mod reorder;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::{Random, accepts, compile, data, dumps};
use serde_json::Value;
use warpgrammar::automaton::Options;
use warpgrammar::device::bench::states::{Place, Recorded, State};
use warpgrammar::device::check::rig::{DeviceWorld, Rig, RigSize};
use warpgrammar::device::emulated::{Counts, Emulated};
use warpgrammar::device::legal::DEFAULT_POOL;
use warpgrammar::reference::Configuration;
use warpgrammar::table::Grammar;
use warpgrammar::vocab::Vocabulary;

/// Places of one kind that a grammar gives, at most.
const EACH: usize = 3;

/// What a state is like, by its tables and the bytes it reads.
fn kind(g: &Grammar, c: &Configuration) -> &'static str {
    let state = g.states().get(c.state);
    let reads: Vec<u8> = (0..=255u8).filter(|&b| c.clone().read(g, b)).collect();
    let has = |b: u8| reads.contains(&b);
    match (state.free & 0x7f, state.slices) {
        (1, _) if state.free & 0x80 != 0 => "string, any length",
        (1, _) => "string, limited",
        (2.., _) => "string, within a character",
        (0, s) if s & 1 != 0 => "closed under plain characters",
        (0, s) if s != 0 => "closed under a narrow slice",
        _ if has(b'7') && has(b'"') => "value of any kind",
        _ if has(b'7') && !has(b'a') => "number",
        _ if reads.len() >= 64 => "pattern, 64 bytes or more",
        _ if has(b'a') && has(b'z') => "pattern, fewer bytes",
        _ if has(b' ') && has(b'\n') => "structure, whitespace",
        _ => "structure, key or literal",
    }
}

/// The places of a text, by kind.
fn places(g: &Arc<Grammar>, vocab: &Vocabulary, text: &str) -> Vec<(&'static str, Place, String)> {
    let mut at = Configuration::start(g);
    let (mut all, mut so_far) = (Vec::new(), String::new());
    for token in vocab.encode(text).unwrap() {
        all.push((kind(g, &at), Place::at(g, &at, 0), so_far.clone()));
        so_far.push_str(&String::from_utf8_lossy(vocab.bytes(token).unwrap()));
        match at.after_token(g, vocab, token, None) {
            Some(next) => at = next,
            None => break,
        }
    }
    all
}

fn maskbench(vocab: &Vocabulary, take: usize) -> Vec<(&'static str, Place, String)> {
    let (Some(list), Some(folder)) = (data("maskbench-sample.txt"), data("maskbench")) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for name in std::fs::read_to_string(list).unwrap().split_whitespace().step_by(take) {
        let file: Value = serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap();
        let Ok(g) = compile(&file["schema"], &Options::default()) else { continue };
        let g = Arc::new(g);
        let mut random = Random(all.len() as u64);
        let mut found: BTreeMap<&'static str, Vec<(Place, String)>> = BTreeMap::new();
        for test in file["tests"].as_array().into_iter().flatten().filter(|t| t["valid"] == true) {
            let orders = reorder::orders(&file["schema"], &test["data"]);
            let Some(text) = orders.iter().map(dumps).find(|t| accepts(&g, t).is_ok()) else { continue };
            for (kind, place, so_far) in places(&g, vocab, &text) {
                found.entry(kind).or_default().push((place, format!("{name} after {so_far}")));
            }
        }
        for (kind, mut of_kind) in found {
            let mut states = BTreeSet::new();
            for _ in 0..EACH.min(of_kind.len()) {
                let (place, at) = of_kind.swap_remove(random.below(of_kind.len()));
                if states.insert((place.slot.state, place.slot.count)) {
                    all.push((kind, place, at));
                }
            }
        }
    }
    all
}

/// Median, 90 %, 99 % and the most.
fn spread(mut values: Vec<u64>) -> String {
    values.sort_unstable();
    let at = |percent: usize| values[(values.len() - 1) * percent / 100];
    format!("{} {} {} {}", at(50), at(90), at(99), at(100))
}

fn print(title: &str, counted: &BTreeMap<String, Vec<Counts>>) {
    println!("\n{title}: median, 90 %, 99 %, most\n");
    println!("| kind | places | rounds | barriers | reads in a chain | nodes tried | nodes alive |");
    println!("|---|---|---|---|---|---|---|");
    for (kind, counts) in counted {
        let of = |what: fn(&Counts) -> u64| spread(counts.iter().map(what).collect());
        println!(
            "| {kind} | {} | {} | {} | {} | {} | {} |",
            counts.len(),
            of(|c| c.counts[0]),
            of(|c| c.barriers),
            of(|c| c.path),
            of(|c| c.counts[1]),
            of(|c| c.counts[2]),
        );
    }
}

#[test]
#[ignore = "prints figures, checks nothing"]
fn figures_of_legal_sets() {
    let take = std::env::var("WARPGRAMMAR_FIGURES_TAKE").map_or(4, |n| n.parse().unwrap());
    let vocab = Vocabulary::o200k_base().unwrap();
    let mut all = maskbench(&vocab, take);
    let examples = Recorded::new(vocab.clone()).unwrap();
    all.extend(
        examples.draw(State::Mixed, 400).into_iter().map(|p| ("examples", p, String::from("an example"))),
    );
    let mut grammars: Vec<Arc<Grammar>> = Vec::new();
    for (_, place, _) in &all {
        let g = place.grammar.as_ref().unwrap();
        if !grammars.iter().any(|other| Arc::ptr_eq(g, other)) {
            grammars.push(g.clone());
        }
    }
    let device = Emulated::new().unwrap();
    let world = Arc::new(DeviceWorld::new(&device, &vocab, &grammars).unwrap());
    let size = RigSize { slots: 1, rows: 1, keep: 1, walk_blocks: 1, walk_pool: DEFAULT_POOL, tops: false };
    let mut rig = Rig::new(&device, world, size).unwrap();
    let (mut by_kind, mut by_plan) =
        (BTreeMap::<String, Vec<Counts>>::new(), BTreeMap::<String, Vec<Counts>>::new());
    for (kind, place, at) in &all {
        rig.write(&device, 0, place.grammar.as_ref(), &place.slot, &place.levels, None).unwrap();
        rig.legal(&device, 1).unwrap();
        let counts = device.counts();
        by_kind.entry((*kind).into()).or_default().push(counts);
        // The places that walk longest.
        if std::env::var_os("WARPGRAMMAR_FIGURES_LONG").is_some() && counts.counts[0] > 60 {
            println!("{kind}: {} rounds, {} reads, {at}", counts.counts[0], counts.path);
        }
        let plan = counts.counts[3..].iter().position(|&n| n > 0).unwrap_or(0);
        by_plan.entry(["walk", "free", "counted", "closed", "usual"][plan].into()).or_default().push(counts);
    }
    println!("{} places of {} schemas", all.len(), grammars.len());
    print("by kind of state", &by_kind);
    print("by plan", &by_plan);
}
