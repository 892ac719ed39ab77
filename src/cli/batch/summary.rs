//! The closing summary of a batch.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use warpgrammar::decode::Decoding;

use super::preparation::Progress;
use crate::cli::maskbench::spread::Spread;

/// What a batch did and how long it took.
#[derive(Debug, Default)]
pub struct Summary {
    /// Requests answered.
    pub answered: usize,
    /// Answers that were cut off by their limit of tokens.
    pub cut_off: usize,
    /// Lines that went to the error file.
    pub failed: usize,
    /// Reading and compiling.
    pub preparation: Progress,
    /// Decoding.
    pub decoding: Decoding,
    /// All of it, loading the vocabulary included.
    pub wall: Duration,
}

impl Summary {
    fn tokens_per_second(&self) -> f64 {
        self.decoding.tokens as f64 / self.wall.as_secs_f64().max(1e-9)
    }

    /// Microseconds of the engine's time a token: masks, sampling and advancing.
    fn engine_us(&self) -> f64 {
        self.decoding.engine.as_secs_f64() * 1e6 / self.decoding.tokens.max(1) as f64
    }

    fn compile(&self) -> Option<Spread> {
        Spread::of(self.preparation.compile.iter().map(|d| d.as_secs_f64() * 1e6).collect())
    }

    /// For machines.
    pub fn to_json(&self) -> Value {
        let round = |x: f64| (x * 100.0).round() / 100.0;
        json!({
            "answered": self.answered,
            "cut_off": self.cut_off,
            "failed": self.failed,
            "done_before": self.preparation.settled,
            "tokens": self.decoding.tokens,
            "steps": self.decoding.steps,
            "seconds": round(self.wall.as_secs_f64()),
            "tokens_per_second": round(self.tokens_per_second()),
            "compile_us": self.compile().map(Spread::to_json),
            "engine_us_per_token": round(self.engine_us()),
            "source_seconds": round(self.decoding.source.as_secs_f64()),
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered, {} failed", self.answered, self.failed)?;
        if self.cut_off > 0 {
            write!(f, ", {} cut off at their limit of tokens", self.cut_off)?;
        }
        if self.preparation.settled > 0 {
            write!(f, ", {} done before", self.preparation.settled)?;
        }
        let (tokens, wall) = (self.decoding.tokens, self.wall.as_secs_f64());
        writeln!(f, "; {tokens} tokens in {wall:.2} s, {:.0} a second", self.tokens_per_second())?;
        if let Some(compile) = self.compile() {
            writeln!(f, "compiling: {} schemas, p50 {} µs, max {} µs", compile.n, compile.p50, compile.max)?;
        }
        let source = self.decoding.source.as_secs_f64();
        write!(
            f,
            "masks, sampling and advancing: {:.1} µs a token; logits: {source:.2} s in all",
            self.engine_us()
        )
    }
}
