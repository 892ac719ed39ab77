//! Masks of recursive schemas against the definition: a token is legal if and only if the output with it
//! is the beginning of some text of the language.
//!
//! The languages are written down by hand, every text up to a number of nodes that is enough for whatever
//! a prefix and a token can have begun. The tokens close and open several levels at once.

mod common;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use common::Random;
use serde_json::{Value, json};
use warpgrammar::automaton::Whitespace;
use warpgrammar::engine::Request;
use warpgrammar::reference::Configuration;
use warpgrammar::vocab::Vocabulary;
use warpgrammar::{Compiler, CompilerOptions, Engine, EngineOptions};

/// A text with its number of nodes and its levels.
type Text = (String, usize, usize);

/// All lists of texts of a language, joined by commas, with exactly `nodes` nodes together.
fn lists(nodes: usize, of: &impl Fn(usize) -> Vec<Text>) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for first in 1..=nodes {
        for (text, count, levels) in of(first) {
            if count == nodes {
                found.push((text.clone(), 1, levels));
            }
            if count < nodes {
                for (rest, n, deeper) in lists(nodes - count, of) {
                    found.push((format!("{text},{rest}"), n + 1, levels.max(deeper)));
                }
            }
        }
    }
    found
}

struct Language {
    schema: Value,
    /// Every text with exactly so many nodes.
    texts: fn(usize) -> Vec<Text>,
    /// Nodes of the longest texts, and of the longest prefixes that are looked at.
    most: usize,
    prefixes: usize,
    tokens: &'static [&'static str],
}

/// Arrays of arrays.
fn arrays(nodes: usize) -> Vec<Text> {
    if nodes == 1 {
        return vec![("[]".into(), 1, 1)];
    }
    let inner = if nodes == 0 { Vec::new() } else { lists(nodes - 1, &arrays) };
    inner.into_iter().map(|(t, _, levels)| (format!("[{t}]"), nodes, levels + 1)).collect()
}

/// Arrays of at most two, or `"a"`.
fn pairs(nodes: usize) -> Vec<Text> {
    if nodes == 1 {
        return vec![("[]".into(), 1, 1), ("\"a\"".into(), 1, 1)];
    }
    let inner = if nodes == 0 { Vec::new() } else { lists(nodes - 1, &pairs) };
    let short = inner.into_iter().filter(|l| l.1 <= 2);
    short.map(|(t, _, levels)| (format!("[{t}]"), nodes, levels + 1)).collect()
}

/// Elements with a list of children, which may be left out but not be empty.
fn elements(nodes: usize) -> Vec<Text> {
    let mut found = Vec::new();
    for name in ["x", "xy"] {
        if nodes == 1 {
            found.push((format!("{{\"t\":\"{name}\"}}"), 1, 2));
        }
        let inner = if nodes < 2 { Vec::new() } else { lists(nodes - 1, &elements) };
        for (t, _, levels) in inner {
            found.push((format!("{{\"t\":\"{name}\",\"c\":[{t}]}}"), nodes, levels + 2));
        }
    }
    found
}

/// A linked list: the end is null.
fn chain(nodes: usize) -> Vec<Text> {
    if nodes == 1 {
        return vec![("null".into(), 1, 1)];
    }
    let inner = if nodes == 0 { Vec::new() } else { chain(nodes - 1) };
    let link = |(t, _, levels)| (format!("{{\"n\":{t},\"v\":[1,2]}}"), nodes, 3.max(levels + 1));
    inner.into_iter().map(link).collect()
}

fn languages() -> Vec<Language> {
    vec![
        Language {
            schema: json!({"type": "array", "items": {"$ref": "#"}}),
            texts: arrays,
            most: 9,
            prefixes: 5,
            tokens: &["[[", "]]", "]]]", "],[", "[]", "[],", ",[]", "],[[", "]],", "],]", "[,", ",]", "[[[["],
        },
        Language {
            schema: json!({"anyOf": [{"type": "array", "items": {"$ref": "#"}, "maxItems": 2}, {"const": "a"}]}),
            texts: pairs,
            most: 9,
            prefixes: 4,
            tokens: &[
                "[\"", "\"]", "\"],", "\",\"", "a\"", "a\"]]", "],\"a", "]],[", "\"a\",[", ",\"a\"]", "[]]",
            ],
        },
        Language {
            schema: json!({"type": "object", "properties": {
                "t": {"enum": ["x", "xy"]},
                "c": {"type": "array", "items": {"$ref": "#"}, "minItems": 1}},
                "required": ["t"], "additionalProperties": false}),
            texts: elements,
            most: 7,
            prefixes: 3,
            tokens: &[
                "]}",
                "}]}",
                "},{\"",
                "\"}],\"",
                "{\"t",
                "\":\"",
                "\":[{",
                "\",\"c\":[",
                "\"}",
                "\"}]}]}",
                "y\"}]}",
                "}]},{\"t\":\"x",
                "\"},{",
                "},",
                "\"c",
                "[{\"",
                "}}",
                "]]",
                "}]",
                "\"t\":\"xy\"",
            ],
        },
        Language {
            schema: json!({"anyOf": [{"type": "null"}, {"type": "object", "properties": {
                "n": {"$ref": "#"}, "v": {"const": [1, 2]}}, "required": ["n", "v"], "additionalProperties": false}]}),
            texts: chain,
            most: 10,
            prefixes: 5,
            tokens: &[
                "{\"n\":",
                "null,",
                "null,\"",
                ",\"v\":[",
                "1,2",
                "2]}",
                "]},\"v\"",
                "]}}",
                "[1",
                ",2]},",
                "nul",
                "l,\"v",
                "\":{\"n",
                ":{\"n\":{",
                "],",
                "}}",
            ],
        },
    ]
}

fn check(language: &Language, max_depth: u8) {
    let fits = |t: &Text| t.2 <= usize::from(max_depth);
    let mut prefixes = HashSet::new();
    for nodes in 1..=language.most {
        for (text, ..) in (language.texts)(nodes).into_iter().filter(fits) {
            prefixes.extend((0..=text.len()).map(|n| text[..n].to_owned()));
        }
    }
    let mut outputs = BTreeSet::new();
    let mut complete = BTreeSet::new();
    for nodes in 1..=language.prefixes {
        for (text, ..) in (language.texts)(nodes).into_iter().filter(fits) {
            outputs.extend((0..=text.len()).map(|n| text[..n].to_owned()));
            complete.insert(text);
        }
    }

    // Every byte, the language's own tokens, and pieces of texts cut anywhere, some with a byte changed.
    let mut tokens: Vec<Vec<u8>> = (0..=255u8).map(|b| vec![b]).collect();
    tokens.extend(language.tokens.iter().map(|t| t.as_bytes().to_vec()));
    let mut random = Random(u64::from(max_depth));
    let long: Vec<&String> = outputs.iter().filter(|t| t.len() > 6).collect();
    for _ in 0..120 {
        let Some(text) = (!long.is_empty()).then(|| long[random.below(long.len())].as_bytes()) else { break };
        let from = random.below(text.len() - 4);
        let mut token = text[from..][..2 + random.below(3)].to_vec();
        if random.below(3) == 0 {
            let (at, by) = (random.below(token.len()), text[random.below(text.len())]);
            token[at] = by;
        }
        tokens.push(token);
    }
    let stop = tokens.len() as u32;
    let texts: Vec<Vec<u8>> = tokens.clone();
    let list = tokens.into_iter().map(Some).chain([Some(b"<end>".to_vec())]).collect();
    let vocab = Arc::new(Vocabulary::from_tokens(list).unwrap().with_stop_ids(&[stop]).unwrap());
    let options =
        CompilerOptions { whitespace: Whitespace::Compact, max_depth, ..CompilerOptions::default() };
    let compiler = Compiler::new(vocab.clone(), options).unwrap();
    let grammar = compiler.compile(&language.schema).unwrap();
    let mut engine = Engine::new(vocab.clone(), EngineOptions::default()).unwrap();

    let (mut legal_seen, mut illegal_long) = (0, 0);
    for output in &outputs {
        let mut at = Configuration::start(&grammar);
        let slot = engine.admit(Request { grammar: Some(grammar.clone()), ..Request::default() }).unwrap();
        for b in output.bytes() {
            assert!(at.read(&grammar, b), "{output:?} is a prefix of the language of {}", language.schema);
            engine.advance(slot, u32::from(b)).unwrap();
        }
        let mask = at.mask(&grammar, &vocab, None);
        let mut words = vec![0; vocab.width().div_ceil(32)];
        engine.fill_mask(slot, &mut words).unwrap();
        let mut want = mask.clone();
        if engine.finish(slot).unwrap().is_some() {
            // At the very end only the stop token is left, which the engine does not wait for.
            assert_eq!(mask.iter().map(|w| w.count_ones()).sum::<u32>(), 1);
            want.fill(0);
        }
        assert_eq!(want, words, "the engine's mask after {output:?} for {}", language.schema);
        engine.retire(slot).unwrap();
        for (token, bytes) in texts.iter().enumerate() {
            let legal = mask[token / 32] >> (token % 32) & 1 == 1;
            let longer = [output.as_bytes(), bytes].concat();
            let expected = String::from_utf8(longer).is_ok_and(|longer| prefixes.contains(&longer));
            assert_eq!(
                legal,
                expected,
                "depth {max_depth}: {:?} after {output:?} for {}",
                String::from_utf8_lossy(bytes),
                language.schema
            );
            legal_seen += usize::from(legal && bytes.len() > 1);
            illegal_long += usize::from(!legal && bytes.len() > 1);
        }
        let stops = mask[stop as usize / 32] >> (stop % 32) & 1 == 1;
        assert_eq!(
            stops,
            complete.contains(output),
            "the stop token after {output:?} for {}",
            language.schema
        );
    }
    println!(
        "depth {max_depth}: {} outputs, long tokens {legal_seen} legal, {illegal_long} not",
        outputs.len()
    );
    assert!(max_depth < 5 || legal_seen > 100, "hardly a token is legal: {legal_seen}");
}

#[test]
fn a_token_is_legal_if_the_output_can_go_on_to_a_text_of_the_language() {
    for language in languages() {
        check(&language, 128);
    }
}

/// Where the levels run out, what cannot be closed in time is illegal where the token *ends*.
#[test]
fn masks_at_every_limit_of_depth() {
    for language in languages() {
        for max_depth in 1..=7 {
            let fits = (1..4).any(|n| (language.texts)(n).iter().any(|t| t.2 <= usize::from(max_depth)));
            if fits {
                check(&language, max_depth);
            }
        }
    }
}
