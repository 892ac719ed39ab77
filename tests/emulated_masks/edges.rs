//! Edges that random walks do not come to.

use serde_json::json;
use warpgrammar::automaton::Options;

use super::*;

/// The slots of a world without a grammar, one and unlimited.
fn unconstrained(seed: u64) -> World {
    let world = World::new(vocabularies::tiny(|_| true), grammars::compiled(seed, 0, 9, None), 1, 1, seed);
    let line = Slot { status: slot_status::RUNNING, budget: NO_LIMIT, ..Slot::zeroed() };
    world.device.write(0, &line, &[]);
    world
}

/// A draft token whose parent does not stand before it has no way from its slot.
#[test]
fn emulated_drafts_refuse_parents_that_are_not_earlier() {
    let mut world = unconstrained(10);
    let spread = world.spread();
    let parents = [vec![1, ROOT, 2, 1, 3, 0]];
    let (verdicts, _) = world.device.draft(&[0], &[vec![5; 6]], Some(&parents), 6, false, spread);
    let (ok, illegal) = (verdict::OK, verdict::ILLEGAL);
    assert_eq!(verdicts[0], [illegal, ok, illegal, ok, ok, illegal]);
}

/// Without a grammar everything below the width may follow, until a stop token.
#[test]
fn emulated_drafts_without_a_grammar() {
    let mut world = unconstrained(11);
    let spread = world.spread();
    let (verdicts, sets) = world.device.draft(&[0], &[vec![5, 1, 6]], None, 3, true, spread);
    assert_eq!(verdicts[0], [verdict::OK, verdict::OK, verdict::NOT_RUNNING]);
    let width = world.device.vocab.width();
    let count = |set: &[u32]| set.iter().map(|w| w.count_ones()).sum::<u32>() as usize;
    let counts: Vec<usize> = sets[0].iter().map(|set| count(set)).collect();
    assert_eq!(counts, [width, width, 0, 0]);
    assert_ne!(width % 32, 0, "the last word is not whole");
}

/// Where the text may end nothing is forced, though only one byte could follow.
#[test]
fn emulated_nothing_is_forced_where_the_text_may_end() {
    let grammar = Arc::new(common::compile(&json!({"enum": [1, 12]}), &Options::default()).unwrap());
    let compiled = Compiled { program: warpgrammar::cpu::Program::new(grammar), what: "1 or 12".into() };
    let mut world = World::new(vocabularies::tiny(|_| true), vec![compiled], 1, 1, 12);
    world.rows[0].budget = None;
    let (line, levels) = world.rows[0].slot(world.device.grammars[0].address(), PROMPT);
    world.device.write(0, &line, &levels);
    let vocab = Arc::clone(&world.device.vocab);
    let g = Arc::clone(world.grammars[0].grammar());
    assert_eq!(world.device.forced(&[0], 4), [b"1"]);
    let one = (0..vocab.len() as u32).find(|&t| vocab.bytes(t) == Some(b"1")).unwrap();
    assert_eq!(world.device.advance(&[0], &[one]), [world.rows[0].advance(&g, &vocab, one)]);
    world.check_slots();
    assert_eq!(world.device.forced(&[0], 4), [b""]);
    let set = world.check_sets().remove(0);
    assert!(set.iter().map(|w| w.count_ones()).sum::<u32>() > 1, "`2` and the stop tokens");
}

/// A world of one grammar in slots that have all read `text`, byte by byte.
fn after(vocab: Vocabulary, schema: serde_json::Value, slots: usize, text: &[u8], seed: u64) -> World {
    let grammar = Arc::new(common::compile(&schema, &Options::default()).unwrap());
    let what = schema.to_string();
    let compiled = Compiled { program: warpgrammar::cpu::Program::new(grammar), what };
    let mut world = World::new(vocab, vec![compiled], slots, 1, seed);
    let g = Arc::clone(world.grammars[0].grammar());
    let mut row = Model::new(0, &g, None);
    for &byte in text {
        assert!(row.c.read(&g, byte), "{:?}", byte as char);
    }
    world.rows.fill(row);
    world.write_rows();
    world
}

impl World {
    fn write_rows(&self) {
        for (slot, row) in self.rows.iter().enumerate() {
            let (line, levels) = row.slot(self.device.grammars[row.grammar].address(), PROMPT);
            self.device.write(slot, &line, &levels);
        }
    }
}

/// Which of the lengths above a word of bits may end depends on the budget, in slots one after the other: past 33
/// characters a string has to be 60 long, for which a budget of some tokens is too small and none is enough.
#[test]
fn emulated_lengths_beyond_a_word() {
    let mut tokens: Vec<Option<Vec<u8>>> = (0..128u8).map(|b| Some(vec![b])).collect();
    tokens.extend((2..37).map(|n| Some(vec![b'a'; n])));
    let vocab = Vocabulary::from_tokens(tokens).unwrap();
    let schema = json!({"type": "string", "anyOf": [{"maxLength": 33}, {"minLength": 60}]});
    let mut world = after(vocab, schema, 16, b"\"", 13);
    for (slot, row) in world.rows.iter_mut().enumerate() {
        row.budget = (slot % 2 == 1).then_some(8);
    }
    world.write_rows();
    for _ in 0..steps(8) {
        let sets = world.check_sets();
        let legal = |slot: usize, n: usize| sets[slot][(126 + n) / 32] >> ((126 + n) % 32) & 1 == 1;
        assert!((2..37).all(|n| legal(0, n) && legal(1, n) == (n <= 33)));
    }
}

/// Tokens that no trie holds, enough for every warp, whose verdict depends on the levels each has opened by itself.
#[test]
fn emulated_loose_tokens_keep_their_levels_apart() {
    let mut random = Random(14);
    let mut tokens: Vec<Option<Vec<u8>>> = (0..128u8).map(|b| Some(vec![b])).collect();
    for _ in 0..400 {
        let mut token = Vec::new();
        let mut open = Vec::new();
        while token.len() < 64 {
            let (begin, end): (&[u8], u8) =
                if random.below(2) == 0 { (b"[", b']') } else { (b"{\"a\":", b'}') };
            token.extend_from_slice(begin);
            open.push(end);
        }
        token.push(b'1');
        let closed = 1 + random.below(open.len());
        for i in 0..closed {
            let end = open.pop().expect("as many as are open");
            let wrong = i + 1 == closed && random.below(2) == 0;
            token.push(if wrong { b']' ^ b'}' ^ end } else { end });
        }
        tokens.push(Some(token));
    }
    let vocab = Vocabulary::from_tokens(tokens).unwrap();
    let mut world = after(vocab, json!(true), 4, b"[", 14);
    let sets = world.check_sets();
    // Threads come to the pool in another order each time.
    for round in 0..steps(32) {
        let pool = if round % 4 == 3 { [1 << 12, 40][round / 4 % 2] } else { 1 << 15 };
        world.device.legal(Spread { blocks: 2, parts: 1 + round % 2, pool });
        assert!(world.device.sets().iter().zip(&sets).all(|(got, want)| got.1 == *want), "round {round}");
    }
}
