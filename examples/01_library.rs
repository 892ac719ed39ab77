//! A schema is compiled, and whatever the logits are, the text matches it.

use serde_json::json;
use warpgrammar::engine::{Compiler, CompilerOptions, Engine, EngineOptions, Request};
use warpgrammar::sampling::{Logits, LogitsBatch};
use warpgrammar::vocab::Vocabulary;

fn main() -> warpgrammar::Result<()> {
    let vocab = Vocabulary::o200k_base()?;
    let compiler = Compiler::new(vocab.clone(), CompilerOptions::default())?;
    let grammar = compiler.compile(&json!({"enum": ["red", "green", "blue"]}))?;

    let mut engine = Engine::new(vocab.clone(), EngineOptions::default())?;
    let slot =
        engine.admit(Request { grammar: Some(grammar), max_tokens: Some(20), ..Request::default() })?;
    let logits = vec![0.0; vocab.width()]; // here a model is asked
    let row = LogitsBatch::new(Logits::F32(&logits), 1, vocab.width(), vocab.width())?;
    while engine.step(&[slot], &row).remove(0)?.finish.is_none() {}
    println!("{}", String::from_utf8_lossy(&vocab.decode(engine.tokens(slot)?)));
    Ok(())
}
