//! A vocabulary, schemas and short names for what every test does.

use std::sync::Arc;

use serde_json::{Value, json};
use warpgrammar::engine::{Finish, Request, SlotId, Step};
use warpgrammar::sampling::{Logits, LogitsBatch};
use warpgrammar::vocab::Vocabulary;
use warpgrammar::{Compiler, CompilerOptions, Engine, EngineOptions, ErrorKind, Grammar};

use crate::common::Random;

/// A logit that wins against any noise.
pub const SURE: f32 = 100.0;

/// Every byte, some longer tokens, a hole, and a stop token at the end; two logits more than ids.
pub fn vocabulary() -> Arc<Vocabulary> {
    let mut tokens: Vec<Option<Vec<u8>>> = (0..=255u8).map(|b| Some(vec![b])).collect();
    let longer = [
        "{\"",
        "\":",
        "\": ",
        ",\"",
        ", \"",
        "\"}",
        "\"]",
        "]}",
        "}]",
        "}}",
        "[]",
        "{}",
        "\":[",
        "\":\"",
        "\",\"",
        "true",
        "false",
        "null",
        "12",
        "00",
        "name",
        "kind",
        "items",
        "ab",
        "abc",
        " ",
        "  ",
        "\n",
        "\\u",
        "\\n",
        "é",
        "한",
        "\u{1F600}",
        "\"},{\"",
        "[{\"",
        "\\ud83d",
        "\\ude00",
        "\\",
        "d83d",
        "1",
        "0.",
        "e+",
        "-1",
    ];
    tokens.extend(longer.map(|t| Some(t.as_bytes().to_vec())));
    tokens.push(Some(vec![0xed, 0x95]));
    tokens.push(None);
    tokens.push(Some(b"<end>".to_vec()));
    let (width, stop) = (tokens.len() + 2, tokens.len() as u32 - 1);
    let vocab = Vocabulary::from_tokens(tokens).unwrap().with_stop_ids(&[stop]).unwrap();
    Arc::new(vocab.with_logits_width(width).unwrap())
}

pub fn stop(vocab: &Vocabulary) -> u32 {
    vocab.stop_ids()[0]
}

pub fn compiler(vocab: &Arc<Vocabulary>) -> Compiler {
    Compiler::new(vocab.clone(), CompilerOptions::default()).unwrap()
}

pub fn engine(vocab: &Arc<Vocabulary>, slots: usize) -> Engine {
    Engine::new(vocab.clone(), EngineOptions { slots, backend: crate::BACKENDS[0], threads: 1 }).unwrap()
}

pub fn person() -> Value {
    json!({"type": "object", "properties": {
        "name": {"type": "string", "maxLength": 12},
        "kind": {"enum": ["ab", "abc", null]},
        "items": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 6}},
        "required": ["name", "items"], "additionalProperties": false})
}

pub fn noise(random: &mut Random, width: usize) -> Vec<f32> {
    (0..width).map(|_| (random.next() % 4096) as f32 / 256.0 - 8.0).collect()
}

/// Steps one row.
pub fn step(engine: &mut Engine, id: SlotId, row: &[f32]) -> warpgrammar::Result<Step> {
    let batch = LogitsBatch::new(Logits::F32(row), 1, row.len(), row.len()).unwrap();
    engine.step(&[id], &batch).pop().expect("a result a row")
}

pub fn text(engine: &Engine, id: SlotId) -> Vec<u8> {
    let vocab = engine.vocabulary();
    let tokens = engine.tokens(id).unwrap();
    tokens.iter().flat_map(|&t| vocab.bytes(t).unwrap_or_default().to_vec()).collect()
}

pub fn mask(engine: &mut Engine, id: SlotId) -> Vec<u32> {
    let mut words = vec![0; engine.vocabulary().width().div_ceil(32)];
    engine.fill_mask(id, &mut words).unwrap();
    words
}

/// All that can be seen of a slot.
pub fn seen(engine: &mut Engine, id: SlotId) -> (Vec<u32>, Vec<u32>, Vec<u8>, bool, Option<Finish>) {
    let tokens = engine.tokens(id).unwrap().to_vec();
    (
        tokens,
        mask(engine, id),
        engine.forced(id).unwrap(),
        engine.is_complete(id).unwrap(),
        engine.finish(id).unwrap(),
    )
}

pub fn spell(engine: &mut Engine, id: SlotId, text: &str) {
    for b in text.bytes() {
        engine.advance(id, u32::from(b)).unwrap_or_else(|e| panic!("{e} in {text:?}"));
    }
}

pub fn kind<T>(result: warpgrammar::Result<T>) -> Option<ErrorKind> {
    result.err().map(|e| e.kind())
}

pub fn with(grammar: &Arc<Grammar>) -> Request<'static> {
    Request { grammar: Some(grammar.clone()), ..Request::default() }
}
