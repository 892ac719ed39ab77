//! Once a text's places were seen, masks and tokens allocate nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use serde_json::json;
use warpgrammar::cpu::{Masker, Program, State, VocabTables};
use warpgrammar::engine::{Compiler, CompilerOptions};
use warpgrammar::vocab::Vocabulary;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// Counts the calls of the thread that makes them.
struct Counting;

// SAFETY: all is handed to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and `alloc` above is the system's.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_text_seen_before_allocates_nothing() {
    let vocab = Vocabulary::o200k_base().unwrap();
    let compiler = Compiler::new(vocab.clone(), CompilerOptions::default()).unwrap();
    let schema = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 20},
            "id": {"type": "string", "pattern": "^[a-z]{2}-[0-9]+$"},
            "sizes": {"type": "array", "items": {"type": "number"}},
        },
        "required": ["name", "id"],
    });
    let program = Arc::new(Program::new(compiler.compile(&schema).unwrap()));
    let text = r#"{"name": "Ada Lovelace", "id": "ab-12", "sizes": [1, 2.5], "other": {"a": ["x", null]}}"#;
    let tokens = vocab.encode(text).unwrap();
    let tables = Arc::new(VocabTables::new(vocab.clone()));
    let mut masker = Masker::new(tables);
    let mut out = vec![0; vocab.width().div_ceil(32)];
    let mut state = State::start(&program, tokens.len());
    let mut counts = Vec::new();
    for _ in 0..3 {
        let before = COUNT.get();
        for &token in &tokens {
            for budget in [None, Some(100_000)] {
                masker.mask(&program, &state, budget, &mut out);
                assert!(out[token as usize / 32] >> (token % 32) & 1 == 1);
            }
            assert!(state.advance(&program, &vocab, token, Some(100_000)));
        }
        counts.push(COUNT.get() - before);
        assert!(state.is_complete(&program));
        assert!(state.rollback(tokens.len()));
    }
    assert!(counts[0] > 0, "the counter counts");
    assert_eq!(counts[2], 0, "{counts:?}");
}
