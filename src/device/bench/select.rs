//! What is measured.

use super::logits::Shape;
use super::states::State;
use crate::device::sample::Format;
use crate::sampling::{RowParams, SamplingParams};

/// How rows are sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// The likeliest token.
    Greedy,
    /// Temperature 1.
    Temperature,
    /// Temperature 1, top-p 0.9.
    TopP,
    /// Temperature 1, top-k 50.
    TopK,
    /// Temperature 1, top-k 50, then top-p 0.9.
    TopKTopP,
}

/// All of them.
pub const SAMPLINGS: [Sampling; 5] =
    [Sampling::Greedy, Sampling::Temperature, Sampling::TopP, Sampling::TopK, Sampling::TopKTopP];

impl Sampling {
    /// A name for tables.
    pub fn name(self) -> &'static str {
        match self {
            Sampling::Greedy => "greedy",
            Sampling::Temperature => "temperature",
            Sampling::TopP => "top-p 0.9",
            Sampling::TopK => "top-k 50",
            Sampling::TopKTopP => "top-k 50, top-p 0.9",
        }
    }

    /// As kernels read it.
    pub fn params(self) -> RowParams {
        let off = SamplingParams::default();
        let params = match self {
            Sampling::Greedy => SamplingParams { temperature: 0.0, ..off },
            Sampling::Temperature => off,
            Sampling::TopP => SamplingParams { top_p: 0.9, ..off },
            Sampling::TopK => SamplingParams { top_k: 50, ..off },
            Sampling::TopKTopP => SamplingParams { top_k: 50, top_p: 0.9, ..off },
        };
        params.row_params()
    }
}

/// A selection of measurements.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Rows of a batch.
    pub rows: Vec<usize>,
    /// Logits of a row.
    pub widths: Vec<usize>,
    /// How logits are stored.
    pub formats: Vec<Format>,
    /// What rows do, with model-like logits.
    pub states: Vec<State>,
    /// How they are sampled.
    pub samplings: Vec<Sampling>,
    /// Other distributions, for strings and unconstrained rows of the larger batches.
    pub shapes: Vec<Shape>,
    /// Samples of a median.
    pub repeats: usize,
    /// Steps of a graph for batches of few rows (up to 32), and of many.
    pub nodes: (usize, usize),
    /// No measurement is begun later than this.
    pub seconds: f64,
    /// Bytes copied to measure the bandwidth.
    pub copied: usize,
    /// Steps of the long graph.
    pub long: usize,
}

impl Selection {
    /// Everything.
    pub fn full() -> Selection {
        Selection {
            rows: vec![1, 8, 32, 128, 256, 512],
            widths: vec![128_256, 32_768, 151_936, 200_019],
            formats: vec![Format::F32, Format::Bf16],
            states: vec![State::Structural, State::String, State::Mixed, State::MixedWide, State::Free],
            samplings: SAMPLINGS.to_vec(),
            shapes: vec![Shape::Normal, Shape::Spike],
            repeats: 11,
            nodes: (32, 16),
            seconds: 420.0,
            copied: 1 << 30,
            long: 1000,
        }
    }

    /// What the promises of this project are about, in some two minutes.
    pub fn quick() -> Selection {
        Selection {
            rows: vec![1, 32, 128, 512],
            widths: vec![128_256, 200_019],
            repeats: 7,
            seconds: 120.0,
            ..Selection::full()
        }
    }
}
