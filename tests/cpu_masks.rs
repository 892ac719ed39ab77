//! The fast CPU backend against the reference: masks, places, bounds and completeness, bit for bit.

mod common;
#[path = "common/schemas.rs"]
mod schemas;

use std::sync::Arc;

use common::{Random, compile, data};
use serde_json::{Value, json};
use warpgrammar::automaton::{KeyOrder, Options, Whitespace};
use warpgrammar::cpu::{MaskRow, Masker, Program, State, VocabTables, mask_rows};
use warpgrammar::reference::Configuration;
use warpgrammar::table::Grammar;
use warpgrammar::vocab::Vocabulary;

/// The common schemas, and those of strings as items too, so that they are gone through many times.
fn schemas() -> Vec<Value> {
    let mut all = schemas::schemas();
    for i in 0..all.len() {
        if all[i]["type"] == "string" {
            all.push(json!({"type": "array", "items": all[i], "minItems": 4}));
        }
    }
    all
}

/// Tokens made to straddle structure.
const STRADDLING: &[&str] = &[
    "{\"",
    "\":",
    "\": ",
    "\":\"",
    "\",",
    "\",\"",
    "\", \"",
    "\"}",
    "\"}]",
    "}]",
    "}}",
    "]]",
    "]}",
    "},",
    "},{\"",
    " \"",
    ", ",
    ",\"",
    "{}",
    "[]",
    "[[",
    "[\"",
    "\"\"",
    "\"]",
    "\"],",
    ":{",
    ":[",
    ":null",
    ":true,",
    "null",
    "true",
    "false}",
    "12",
    "1,",
    "1]",
    "2}",
    "-1",
    "0.5",
    "e+1",
    "1e",
    "\\\"",
    "\\\\",
    "\\n",
    "\\u00",
    "\\ud83d",
    "\\ude00",
    "\\u",
    "a\\",
    "n\"",
    "t\",",
    "\\\"}",
    "ab",
    "abc",
    "aaa",
    "aab",
    "b\"",
    "aaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaa",
    "hello world",
    " a",
    " the",
    "é",
    "éé",
    "日本",
    "日本語日本語",
    "😀",
    "a😀b",
    "é\"",
    "日\",\"",
    "\n",
    "\n  ",
    "\n    ",
    "  ",
    "   ",
    "        ",
    "\t",
    " {",
    " [",
    "{ ",
    "} ",
    ": ",
    "\n}",
    ",\n",
    ",\n  \"",
    "[\n",
    "{\n  \"",
    "red\"",
    "gre",
    "een\"}",
    "\"a\":",
    "\"a\"",
    "\"b\":1",
    "a\":",
    "ab\":",
    "\"kind\":\"a\"",
    "next\":{\"",
    "null,\"v\":1}",
    "\"next\":null",
    "},\"v\":2}",
    "children\":[",
    "[{\"type\":\"div\"",
    "2024-",
    "-02-",
    "29\"",
    "http",
    "s://",
    "https://x",
    "_-",
    "x_y",
    "A-Z",
    "}\"",
    "\"\"\"",
    "\u{7f}",
    "\"k\"",
    "\"c\":",
];

fn tiny(single: impl Fn(u8) -> bool) -> Vocabulary {
    let mut tokens: Vec<Option<Vec<u8>>> = vec![None, Some(b"<stop>".to_vec())];
    tokens.extend((0..=255u8).map(|b| single(b).then(|| vec![b])));
    tokens.extend(STRADDLING.iter().map(|t| Some(t.as_bytes().to_vec())));
    // Partial UTF-8, alone and around text; a duplicate; a hole.
    let partial: [&[u8]; 9] = [
        b"\xe6\x97",
        b"\xa5",
        b"\xa5\xe6",
        b"a\xf0\x9f",
        b"\x98\x80",
        b"\x98\x80\"}",
        b"\xc3",
        b"\xa9\"",
        b"\"\xc3",
    ];
    tokens.extend(partial.iter().map(|t| Some(t.to_vec())));
    tokens.extend([Some(b"\"}".to_vec()), None, Some(b"a".to_vec()), Some(b"aaa".to_vec())]);
    let n = tokens.len();
    let v = Vocabulary::from_tokens(tokens).unwrap();
    v.with_stop_ids(&[1]).unwrap().with_logits_width(n + 37).unwrap()
}

/// One backend with its scratch space, and how to judge it.
struct Judge {
    vocab: Arc<Vocabulary>,
    masker: Masker,
    forgetful: Masker,
    random: Random,
    masks: usize,
}

impl Judge {
    fn new(vocab: Vocabulary, seed: u64) -> Judge {
        let vocab = Arc::new(vocab);
        let tables = Arc::new(VocabTables::new(Arc::clone(&vocab)));
        Judge {
            masker: Masker::new(Arc::clone(&tables)),
            forgetful: Masker::with_memo(tables, 0),
            vocab,
            random: Random(seed),
            masks: 0,
        }
    }

    /// The mask, after comparing it.
    fn mask(
        &mut self,
        p: &Program,
        c: &Configuration,
        state: &State,
        budget: Option<u64>,
        what: &str,
    ) -> Vec<u32> {
        let want = c.mask(p.grammar(), &self.vocab, budget);
        for masker in [&mut self.masker, &mut self.forgetful] {
            let mut got = vec![u32::MAX; want.len()];
            masker.mask(p, state, budget, &mut got);
            self.masks += 1;
            if got != want {
                let wrong: Vec<String> = (0..self.vocab.width() as u32)
                    .filter(|&t| (got[t as usize / 32] ^ want[t as usize / 32]) >> (t % 32) & 1 == 1)
                    .take(10)
                    .map(|t| {
                        let legal = want[t as usize / 32] >> (t % 32) & 1 == 1;
                        let bytes =
                            String::from_utf8_lossy(self.vocab.bytes(t).unwrap_or_default()).into_owned();
                        format!("{t} {bytes:?} is {}", if legal { "legal" } else { "illegal" })
                    })
                    .collect();
                panic!("budget {budget:?}, {wrong:?} in {c:?} of {what}");
            }
        }
        want
    }

    fn walk(&mut self, p: &Program, budgeted: bool, patience: usize, every: usize, what: &str) {
        let g: &Grammar = p.grammar();
        let mut c = Configuration::start(g);
        let mut state = State::start(p, 6);
        let mut budget = budgeted.then(|| c.bound(g) + self.random.below(6) as u64);
        let mut past = vec![c.clone()];
        let mut text = Vec::new();
        for step in 0..3 * patience {
            assert_eq!(state.to_reference(), c, "after {text:?} of {what}");
            assert_eq!(state.bound(p), c.bound(g));
            assert_eq!(state.is_complete(p), c.is_complete(g));
            let mask = self.mask(p, &c, &state, budget, what);
            if step % every == 0 {
                let bound = c.bound(g);
                for budget in [bound.saturating_sub(2), bound, bound + 1, bound + 4, bound + 1000, u64::MAX] {
                    self.mask(p, &c, &state, Some(budget), what);
                }
                self.mask(p, &c, &state, None, what);
            }
            let legal: Vec<u32> = (0..self.vocab.len() as u32)
                .filter(|&t| mask[t as usize / 32] >> (t % 32) & 1 == 1 && !self.vocab.is_stop(t))
                .collect();
            if legal.is_empty() || c.is_complete(g) && self.random.below(3) == 0 {
                break;
            }
            let mut token = legal[self.random.below(legal.len())];
            let structural = self.random.below(2) == 0;
            for _ in 0..4 {
                let bytes = self.vocab.bytes(token).unwrap();
                let found = bytes.iter().any(|b| b"\"{}[],:\\".contains(b));
                if bytes.len() > 1 && found == structural {
                    break;
                }
                token = legal[self.random.below(legal.len())];
            }
            if step > patience {
                let after = |&t: &u32| c.after_token(g, &self.vocab, t, None).unwrap().bound(g);
                token = legal.iter().copied().min_by_key(after).unwrap();
            }
            // Illegal tokens change nothing.
            let other = self.random.below(self.vocab.len() + 3) as u32;
            let mut copy = state.clone();
            assert_eq!(
                copy.advance(p, &self.vocab, other, budget),
                c.after_token(g, &self.vocab, other, budget).is_some()
            );
            if c.after_token(g, &self.vocab, other, budget).is_none() {
                assert_eq!(copy.to_reference(), c);
            }
            let forced = state.forced(p);
            assert!(state.advance(p, &self.vocab, token, budget));
            let bytes = self.vocab.bytes(token).unwrap();
            let common = forced.len().min(bytes.len());
            assert_eq!(forced[..common], bytes[..common], "forced in {c:?} of {what}");
            c = c.after_token(g, &self.vocab, token, budget).unwrap();
            past.push(c.clone());
            text.extend_from_slice(bytes);
            budget = budget.map(|left| left - 1);
            if budget.is_none() && self.random.below(5) == 0 {
                let back = self.random.below(state.history_len() + 1);
                assert!(state.rollback(back));
                assert!(!state.clone().rollback(7));
                past.truncate(past.len() - back);
                c = past.last().unwrap().clone();
            }
        }
    }
}

fn modes() -> Vec<Options> {
    let mut all = Vec::new();
    for whitespace in [Whitespace::Compact, Whitespace::Flexible { max: 3 }, Whitespace::Indent(2)] {
        for key_order in [KeyOrder::Schema, KeyOrder::Any] {
            all.push(Options { whitespace, key_order, ..Options::default() });
        }
    }
    for max_depth in [3, 4, 6] {
        all.push(Options { whitespace: Whitespace::Compact, max_depth, ..Options::default() });
    }
    all
}

fn judge_all(
    judge: &mut Judge,
    spellable: Option<&[bool; 256]>,
    walks: usize,
    patience: usize,
    every: usize,
) {
    let mut compiled = 0;
    for schema in schemas() {
        for mut options in modes() {
            if let Some(spellable) = spellable {
                *options.spellable = *spellable;
            }
            let what =
                format!("{schema} {:?} {:?} {}", options.whitespace, options.key_order, options.max_depth);
            let Ok(g) = compile(&schema, &options) else { continue };
            compiled += 1;
            let p = Program::new(Arc::new(g));
            for i in 0..walks {
                judge.walk(&p, i % 2 == 1 && spellable.is_none(), patience, every, &what);
            }
        }
    }
    eprintln!("{compiled} grammars {} masks", judge.masks);
    assert!(compiled > 100);
}

#[test]
fn equals_the_reference_on_a_straddling_vocabulary() {
    judge_all(&mut Judge::new(tiny(|_| true), 1), None, 4, 25, 3);
}

#[test]
fn equals_the_reference_where_bytes_are_missing() {
    let vocab = tiny(|b| b != b'\\' && b < 0xe0 && b != b'5');
    let spellable = *vocab.spellable();
    judge_all(&mut Judge::new(vocab, 2), Some(&spellable), 3, 20, 3);
}

#[test]
fn equals_the_reference_on_bytes() {
    let bytes = (0..=255u8).map(|b| Some(vec![b])).collect();
    judge_all(&mut Judge::new(Vocabulary::from_tokens(bytes).unwrap(), 3), None, 2, 30, 5);
}

#[test]
fn equals_the_reference_on_o200k_base() {
    let mut judge = Judge::new(Vocabulary::clone(&Vocabulary::o200k_base().unwrap()), 4);
    for (i, schema) in schemas().iter().enumerate() {
        let options = modes().swap_remove([2, 0, 4, 3, 8][i % 5]);
        let p = Program::new(Arc::new(compile(schema, &options).unwrap()));
        judge.walk(&p, i % 2 == 1, 4, 9, &schema.to_string());
    }
    eprintln!("{} masks; tables took {:?}", judge.masks, judge.masker.tables().build_time());
}

/// Walks through every schema of the sample that compiles.
fn judge_real(judge: &mut Judge, patience: usize, every: usize) {
    let (Some(list), Some(folder)) = (data("maskbench-sample.txt"), data("maskbench")) else { return };
    for (i, name) in std::fs::read_to_string(list).unwrap().split_whitespace().enumerate() {
        let file: Value = serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap();
        let Ok(g) = compile(&file["schema"], &Options::default()) else { continue };
        judge.walk(&Program::new(Arc::new(g)), i % 2 == 1, patience, every, name);
    }
    eprintln!("{} masks", judge.masks);
}

#[test]
fn equals_the_reference_on_real_schemas() {
    judge_real(&mut Judge::new(tiny(|_| true), 5), 30, 7);
}

#[test]
#[ignore = "takes minutes; run it with --release"]
fn equals_the_reference_on_real_schemas_with_o200k_base() {
    judge_real(&mut Judge::new(Vocabulary::clone(&Vocabulary::o200k_base().unwrap()), 6), 5, 3);
}

#[test]
fn a_batch_equals_its_rows() {
    let vocab = Arc::new(tiny(|_| true));
    let tables = Arc::new(VocabTables::new(Arc::clone(&vocab)));
    let programs: Vec<Program> =
        schemas().iter().map(|s| Program::new(Arc::new(compile(s, &Options::default()).unwrap()))).collect();
    let words = vocab.width().div_ceil(32);
    let states: Vec<State> = (0..100).map(|i| State::start(&programs[i % programs.len()], 0)).collect();
    let mut out = vec![0u32; 100 * words];
    let mut rows: Vec<MaskRow<'_>> = out
        .chunks_mut(words)
        .enumerate()
        .map(|(i, out)| MaskRow {
            program: &programs[i % programs.len()],
            state: &states[i],
            budget: None,
            out,
        })
        .collect();
    let mut maskers: Vec<Masker> = (0..3).map(|_| Masker::new(Arc::clone(&tables))).collect();
    mask_rows(&mut maskers, &mut rows);
    for (i, out) in out.chunks(words).enumerate() {
        let p = &programs[i % programs.len()];
        assert_eq!(out, Configuration::start(p.grammar()).mask(p.grammar(), &vocab, None));
    }
}
