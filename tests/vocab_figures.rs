//! What a vocabulary costs, printed:
//! `cargo test --release --test vocab_figures -- --ignored --nocapture`

use std::hint::black_box;
use std::time::Instant;

use warpgrammar::vocab::{SliceId, Vocabulary};

/// Runs `work` once and prints its time.
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{what:<44}{:>10.2} ms", start.elapsed().as_secs_f64() * 1e3);
    result
}

#[test]
#[ignore = "prints figures, checks nothing"]
fn figures_of_o200k_base() {
    timed("tiktoken-rs: parse its data", || black_box(tiktoken_rs::o200k_base_singleton()));
    let v = timed("vocabulary: read the bytes", || Vocabulary::o200k_base().unwrap());
    timed("vocabulary: again", || Vocabulary::o200k_base().unwrap());
    println!("{:<44}{:>10} bytes", "  heap", v.heap_bytes());
    let mut before = v.heap_bytes();
    let mut heap = |v: &Vocabulary| {
        println!("{:<44}{:>10} bytes", "  heap", v.heap_bytes() - before);
        before = v.heap_bytes();
    };
    timed("trie", || black_box(v.trie()));
    heap(&v);
    timed("slices: classify", || black_box(v.slices()));
    heap(&v);
    for id in SliceId::ALL {
        let slice = timed(&format!("slice {}", id.name()), || v.slices().get(id));
        timed("  rest", || black_box(slice.rest()));
        let nodes = slice.rest().nodes().len();
        println!("  {} tokens, rest {} tokens, {nodes} nodes", slice.len(), slice.rest().len());
    }
    heap(&v);
    let split = timed("quote split", || v.quote_split());
    heap(&v);
    for (name, group) in [("plain", split.plain()), ("other", split.other())] {
        let (tokens, nodes) = (group.all_tokens().len(), group.trie().nodes().len());
        println!("  {name}: {tokens} tokens, {} suffixes, {nodes} nodes", group.len());
    }
    timed("fingerprint", || black_box(v.fingerprint()));
    println!("trie: {:?}; longest token {} bytes", v.trie(), v.max_token_len());
    let mut live = 0usize;
    timed("walk the whole trie", || v.trie().walk((), |(), _| Some(()), |(), ids| live += ids.len()));
    println!("heap of everything: {} bytes; {live} tokens walked", v.heap_bytes());
}
