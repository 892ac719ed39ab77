//! Texts that may be prose or values with text around them: every backend walks them as the reference does.

use serde_json::json;
use warpgrammar::automaton::{Body, Envelope, Way};
use warpgrammar::engine::{Backend, Request};
use warpgrammar::{Engine, EngineOptions};

use crate::common::Random;
use crate::support::*;

fn envelope() -> Envelope<serde_json::Value> {
    let value = |opening: &str, schema| Way {
        opening: opening.into(),
        body: Body::Value(schema),
        closing: "}]".into(),
        again: true,
    };
    let prose = |opening: &str| Way {
        opening: opening.into(),
        body: Body::Prose,
        closing: String::new(),
        again: false,
    };
    let ways = vec![
        prose(""),
        prose("ab "),
        value("[{\"name\": ", json!({"type": "integer"})),
        value("[{\"kind\": ", person()),
    ];
    Envelope { ways, between: "\n".into() }
}

#[test]
fn every_way_is_walked_as_the_reference_walks_it() {
    let vocab = vocabulary();
    let grammar = compiler(&vocab).compile_envelope(&envelope()).unwrap();
    let mut tested = engine(&vocab, 1);
    let options = EngineOptions { slots: 1, backend: Backend::Reference, threads: 1 };
    let mut reference = Engine::new(vocab.clone(), options).unwrap();
    let mut random = Random(7);
    let beginnings =
        ["", "ab ", "a", "[{\"kind", "[{\"name\": 12}]\n[{\"", "é[", "[{\"kind\": {\"name\":\"é"];
    for (n, beginning) in beginnings.iter().cycle().take(140 / crate::ONE_IN).enumerate() {
        let max_tokens = (n % 2 == 1).then_some(90);
        let request = || Request { max_tokens, ..with(&grammar) };
        let (one, other) = (tested.admit(request()).unwrap(), reference.admit(request()).unwrap());
        spell(&mut tested, one, beginning);
        spell(&mut reference, other, beginning);
        for _ in 0..12 {
            let (found, expected) = (seen(&mut tested, one), seen(&mut reference, other));
            assert_eq!(found, expected, "after {:?}", String::from_utf8_lossy(&text(&reference, other)));
            let legal: Vec<u32> = (0..vocab.width() as u32)
                .filter(|&t| found.1[t as usize / 32] >> (t % 32) & 1 == 1)
                .collect();
            if legal.is_empty() {
                break;
            }
            let token = legal[random.below(legal.len())];
            tested.advance(one, token).unwrap();
            reference.advance(other, token).unwrap();
        }
        let back = tested.tokens(one).unwrap().len().min(5);
        tested.rollback(one, back).unwrap();
        reference.rollback(other, back).unwrap();
        assert_eq!(seen(&mut tested, one), seen(&mut reference, other));
        tested.retire(one).unwrap();
        reference.retire(other).unwrap();
    }
}
