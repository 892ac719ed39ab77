//! Speculative decoding: a cheap guess of several tokens is checked at once, what the model would not have said is rolled
//! back, and the grammar follows.

use serde_json::json;
use warpgrammar::engine::{Compiler, CompilerOptions, Engine, EngineOptions, Request};
use warpgrammar::sampling::{Logits, LogitsBatch, SamplingParams};
use warpgrammar::vocab::Vocabulary;

fn main() -> warpgrammar::Result<()> {
    let vocab = Vocabulary::o200k_base()?;
    let compiler = Compiler::new(vocab.clone(), CompilerOptions::default())?;
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}, "sunny": {"type": "boolean"}},
                        "required": ["city", "sunny"], "additionalProperties": false});
    let mut engine = Engine::new(vocab.clone(), EngineOptions::default())?;
    let slot = engine.admit(Request {
        grammar: Some(compiler.compile(&schema)?),
        params: SamplingParams { temperature: 0.0, ..SamplingParams::default() },
        max_tokens: Some(100),
        ..Request::default()
    })?;

    // What the model would say, and what the draft guesses.
    let target = vocab.encode(r#"{"city":"London","sunny":true}"#)?;
    let draft = vocab.encode(r#"{"city":"Lisbon","rainy":true}"#)?;

    // The grammar knows without the model that no key but "sunny" can come.
    let legal = engine.validate_tokens(slot, &draft)?;
    println!("the draft has {} tokens, {legal} of them are legal", draft.len());
    for &token in &draft[..legal] {
        engine.advance(slot, token)?;
    }
    // One pass of the model over the legal ones: it agrees with the first so many.
    let agreed = draft[..legal].iter().zip(&target).take_while(|(guess, said)| guess == said).count();
    engine.rollback(slot, legal - agreed)?;
    println!("the model agrees with {agreed}; {} were taken back", legal - agreed);

    // And on from there, a token at a time.
    let mut finish = None;
    while finish.is_none() {
        let at = engine.tokens(slot)?.len();
        let mut logits = vec![0.0; vocab.width()];
        let says = target.get(at).copied().unwrap_or(vocab.stop_ids()[0]);
        logits[says as usize] = 10.0;
        let row = LogitsBatch::new(Logits::F32(&logits), 1, vocab.width(), vocab.width())?;
        finish = engine.step(&[slot], &row).remove(0)?.finish;
    }
    let text = vocab.decode(engine.tokens(slot)?);
    println!("{}", String::from_utf8_lossy(&text));
    assert_eq!(text, br#"{"city":"London","sunny":true}"#);
    Ok(())
}
