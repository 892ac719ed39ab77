//! Whole generations with the step's kernels, emulated, beside the engine's: tokens, log-probabilities, statuses and
//! slots.

use std::sync::Arc;

use serde_json::json;
use warpgrammar::device::Emulated;
use warpgrammar::device::check::random::{self, Random};
use warpgrammar::device::check::stepping::{Case, Plan, compare};
use warpgrammar::device::emulated::is_sanitized;
use warpgrammar::engine::Backend;
use warpgrammar::vocab::Vocabulary;
use warpgrammar::{Compiler, CompilerOptions, Grammar};

/// Every byte, some longer tokens, a hole and two stop tokens; some logits more than ids.
fn vocabulary(width: usize) -> Arc<Vocabulary> {
    let mut tokens: Vec<Option<Vec<u8>>> = (0..=255u8).map(|b| Some(vec![b])).collect();
    let longer = "{\"|\":|\": |,\"|, \"|\"}|\"]|]}|}}|[]|{}|\",\"|true|null|12|00|name|kind|items|ab|abc|  |\\n|é|한|1|-1|e+";
    tokens.extend(longer.split('|').map(|t| Some(t.as_bytes().to_vec())));
    tokens.push(None);
    let stops = [tokens.len() as u32, tokens.len() as u32 + 1];
    tokens.extend([Some(b"<end>".to_vec()), Some(b"<stop>".to_vec())]);
    let vocab = Vocabulary::from_tokens(tokens).unwrap().with_stop_ids(&stops).unwrap();
    Arc::new(vocab.with_logits_width(width).unwrap())
}

fn grammars(vocab: &Arc<Vocabulary>) -> Vec<Arc<Grammar>> {
    let compiler = Compiler::new(vocab.clone(), CompilerOptions::default()).unwrap();
    [
        json!({"type": "object", "properties": {
            "name": {"type": "string", "maxLength": 12},
            "kind": {"enum": ["ab", "abc", null]},
            "items": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 6}},
            "required": ["name", "items"], "additionalProperties": false}),
        json!({"type": "array", "items": {"type": "object", "properties": {"a": {"type": "number"}}}, "maxItems": 4}),
        json!({"type": "string", "pattern": "^[a-f0-9]{4,9}$"}),
        json!({"enum": ["ab", 12, [true, null]]}),
        json!({"type": ["string", "boolean"]}),
    ]
    .iter()
    .map(|schema| compiler.compile(schema).unwrap())
    .collect()
}

fn case(random: &mut Random, grammars: &[Arc<Grammar>], width: usize) -> Case {
    let grammar = (!random.chance(20)).then(|| grammars[random.below(grammars.len())].clone());
    let least = grammar.as_ref().map_or(1, |g| g.least_tokens());
    let limited = random.chance(60) && grammar.as_ref().is_none_or(|g| g.is_bounded());
    Case {
        max_tokens: limited.then(|| least + random.below(30) as u32),
        params: random::params(random, width),
        prompt: (0..random.below(40)).map(|_| random.below(width + 2) as u32).collect(),
        grammar,
    }
}

fn generate(name: &str, seed: u64, rounds: usize, backend: Backend, whole: bool) {
    let rounds = if is_sanitized() { rounds.div_ceil(15) } else { rounds };
    let mut random = Random(seed);
    let mut steps = 0;
    for width in [320, 1_300] {
        let vocab = vocabulary(width);
        let grammars = grammars(&vocab);
        for round in 0..rounds {
            let device = Emulated::with_seed(seed + round as u64).unwrap();
            let cases: Vec<Case> =
                (0..1 + random.below(8)).map(|_| case(&mut random, &grammars, width)).collect();
            let plan = Plan { backend, whole, steps: 30, keep: random.pick(&[0, 1, 5, 64]) };
            steps += compare(&device, &mut random, &vocab, &cases, &plan)
                .unwrap_or_else(|error| panic!("round {round} of seed {seed}: {error}"));
        }
    }
    println!("{name}: {steps} row-steps");
    assert!(steps > rounds * 20, "{steps} row-steps");
}

#[test]
fn steps_give_what_the_cpu_gives() {
    generate("legal and step", 1, 60, Backend::Cpu, false);
}

#[test]
fn steps_give_what_the_reference_gives() {
    generate("legal and step, reference", 2, 20, Backend::Reference, false);
}

#[test]
fn steps_in_one_launch_give_the_same() {
    generate("one launch", 3, 60, Backend::Cpu, true);
}
