//! `warpgrammar generate`: one text that matches a schema.

use std::io::Write;

use warpgrammar::engine::{Engine, EngineOptions, Finish, Request};
use warpgrammar::model::{CopyModel, LogitsSource};
use warpgrammar::sampling::{Logits, LogitsBatch, SamplingParams};
use warpgrammar::{Error, ErrorKind, Result};

use super::args::GenerateArgs;
use super::{Verdict, read_json};

/// Prints the text.
pub fn run(args: &GenerateArgs) -> Result<Verdict> {
    let schema = read_json(&args.schema)?;
    let vocab = args.vocab.open()?;
    let grammar = args.grammar.compiler(&vocab)?.compile(&schema)?;
    let prompt = vocab.encode(&args.prompt)?;

    let options = EngineOptions { slots: 1, backend: args.backend.into(), threads: 1 };
    let mut engine = Engine::new(vocab.clone(), options)?;
    let mut source = CopyModel::new(vocab.clone());
    // No limit can be kept where no bound is known.
    let max_tokens = grammar.is_bounded().then_some(args.max_tokens);
    let slot = engine.admit(Request {
        grammar: Some(grammar),
        params: SamplingParams { seed: args.seed, temperature: args.temperature, ..Default::default() },
        prompt: &prompt,
        max_tokens,
        choice: 0,
    })?;
    let seq = source.start(&prompt)?;
    let mut row = vec![0.0; vocab.width()];
    let finish = loop {
        source.logits(&[seq], &mut row)?;
        let batch = LogitsBatch::new(Logits::F32(&row), 1, row.len(), row.len())?;
        let step = engine.step(&[slot], &batch).remove(0)?;
        source.accept(seq, step.token);
        if let Some(finish) = step.finish {
            break finish;
        }
    };
    let mut text = vocab.decode(engine.tokens(slot)?);
    text.push(b'\n');
    std::io::stdout().write_all(&text)?;
    match finish {
        Finish::Stop => Ok(Verdict::Yes),
        Finish::Length => {
            Err(Error::new(ErrorKind::LimitExceeded, "the text was cut off; allow more tokens"))
        }
    }
}
