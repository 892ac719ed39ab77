//! A serving loop with logits of your own: requests of all APIs are decoded together, each by its own grammar, and a slot
//! that falls free is given to the next at once. The server does the same with sockets around it.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::json;
use warpgrammar::api::Endpoint;
use warpgrammar::chat::{Delta, Framing, Piece};
use warpgrammar::decode::{Draft, Ended, Reader, Scheduler, SchedulerOptions};
use warpgrammar::engine::{Compiler, CompilerOptions, EngineOptions};
use warpgrammar::model::{LogitsSource, SeqId};
use warpgrammar::vocab::Vocabulary;

/// A model that likes short tokens. Yours has weights, and a cache of what it has read for each sequence.
struct Model {
    logits: Vec<f32>,
    started: u32,
}

impl LogitsSource for Model {
    fn width(&self) -> usize {
        self.logits.len()
    }

    fn start(&mut self, _prompt: &[u32]) -> warpgrammar::Result<SeqId> {
        self.started += 1;
        Ok(SeqId(self.started))
    }

    fn logits(&mut self, seqs: &[SeqId], out: &mut [f32]) -> warpgrammar::Result<()> {
        assert_eq!(out.len(), seqs.len() * self.width());
        out.chunks_exact_mut(self.logits.len()).for_each(|row| row.copy_from_slice(&self.logits));
        Ok(())
    }

    fn accept(&mut self, _seq: SeqId, _token: u32) {}

    fn finish(&mut self, _seq: SeqId) {}
}

/// Prints what is said as it is said.
struct Printer(String);

impl Reader for Printer {
    fn take(&mut self, _choice: u32, delta: Delta) -> ControlFlow<()> {
        for piece in delta.pieces {
            if let Piece::Content(text) = piece {
                print!("[{} {text}]", self.0);
            }
        }
        ControlFlow::Continue(())
    }
}

fn main() -> warpgrammar::Result<()> {
    let vocab = Vocabulary::o200k_base()?;
    let compiler = Compiler::new(vocab.clone(), CompilerOptions::default())?;
    let likes = |id: u32| vocab.bytes(id).map_or(f32::NEG_INFINITY, |bytes| -2.0 * bytes.len() as f32);
    let model = Model { logits: (0..vocab.width() as u32).map(likes).collect(), started: 0 };
    let engine = EngineOptions { slots: 2, ..EngineOptions::default() };
    let mut scheduler = Scheduler::new(vocab.clone(), SchedulerOptions { engine, max_tokens: 200 }, model)?;

    let endpoint = Endpoint::of("/v1/chat/completions").expect("a path that is known");
    for (name, values) in [("a", ["red", "green"]), ("b", ["left", "right"]), ("c", ["up", "down"])] {
        let body = json!({
            "model": "mine", "messages": [{"role": "user", "content": "Choose."}],
            "response_format": {"type": "json_schema", "json_schema": {"name": name, "schema": {"enum": values}}},
        });
        let request = endpoint.read(&body)?;
        let prepared = Draft::new(Arc::new(request), &vocab, &Framing::default())?.compile(&compiler)?;
        scheduler.submit(prepared, Printer(name.into()));
    }
    while !scheduler.is_idle() {
        for Ended { reader, outcome } in scheduler.step()? {
            let usage = outcome?;
            println!(" {} is done: {} tokens", reader.0, usage.completion);
        }
    }
    Ok(())
}
