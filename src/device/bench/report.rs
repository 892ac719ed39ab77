//! What was measured, against what it must at least take.

use serde::Serialize;

use super::clock::Times;
use super::logits::Shape;
use super::select::Sampling;
use super::states::{Place, State};
use crate::device::sample::Format;

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// `legal`, `step`, `one launch`, `launched`, `fill`, `apply`.
    pub what: &'static str,
    /// [`State::name`].
    pub state: &'static str,
    /// [`Sampling::name`], empty where nothing is sampled.
    pub sampling: &'static str,
    /// [`Shape::name`], empty where no logits are read.
    pub shape: &'static str,
    /// `f32` or `bf16`, empty where no logits are read.
    pub format: &'static str,
    /// Rows.
    pub rows: usize,
    /// Rows of the batch that these were taken out of: all of it but for the wide rows of a mixed one.
    pub batch: usize,
    /// Logits of a row.
    pub width: usize,
    /// Median, µs.
    pub us: f64,
    /// Tenth and ninetieth percentile.
    pub spread: (f64, f64),
    /// Bytes that must be read or written.
    pub bytes: u64,
    /// Those at the card's copy bandwidth, and a graph node.
    pub floor_us: f64,
    /// `us / floor_us`.
    pub ratio: f64,
}

/// The card, and what was measured on it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The device's name.
    pub device: String,
    /// Bytes read and written by a large copy, GB/s.
    pub copy_gb_s: f64,
    /// An empty kernel as a node of a graph, µs.
    pub node_us: f64,
    /// An empty kernel launched, µs.
    pub launch_us: f64,
    /// Everything else.
    pub records: Vec<Record>,
    /// The long graph, if it was measured.
    pub long_graph: Option<LongGraph>,
    /// Measurements that were left out because time was up.
    pub skipped: usize,
    /// How long it all took.
    pub seconds: f64,
}

/// A graph of many steps, legal sets on a forked branch.
#[derive(Clone, Debug, Serialize)]
pub struct LongGraph {
    /// Steps.
    pub steps: usize,
    /// Rows.
    pub rows: usize,
    /// Logits of a row.
    pub width: usize,
    /// Kernels in it; it has no other nodes.
    pub kernels: usize,
    /// µs a step.
    pub us: f64,
    /// Tokens written by all rows.
    pub tokens: u64,
}

/// How a format is called.
pub fn format_name(format: Format) -> &'static str {
    match format {
        Format::F32 => "f32",
        Format::F16 => "f16",
        Format::Bf16 => "bf16",
    }
}

/// Least bytes of a step's rows: a wide row reads its logits and, with a grammar, its bitmap; a row of a list its ids and
/// a sector of 32 bytes for each logit; every row its slot.
pub fn step_bytes(places: &[Place], width: usize, format: Format) -> u64 {
    let bytes = |place: &Place| match (place.is_wide(), &place.grammar) {
        (false, _) => 128 + place.legal * 36,
        (true, None) => 128 + width * format.bytes(),
        (true, Some(_)) => 128 + width * format.bytes() + width.div_ceil(8),
    };
    places.iter().map(|place| bytes(place) as u64).sum()
}

/// Least bytes of the rows' legal sets: a bitmap or a list written, a slot read.
pub fn legal_bytes(places: &[Place], width: usize) -> u64 {
    let bytes = |place: &Place| match (place.is_wide(), &place.grammar) {
        (false, _) => 128 + place.legal * 4,
        (true, None) => 128,
        (true, Some(_)) => 128 + width.div_ceil(8),
    };
    places.iter().map(|place| bytes(place) as u64).sum()
}

/// What a measurement is of.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// [`Record::what`].
    pub what: &'static str,
    /// What rows do.
    pub state: State,
    /// How they are sampled.
    pub sampling: Option<Sampling>,
    /// The logits.
    pub logits: Option<(Shape, Format)>,
    /// Rows.
    pub rows: usize,
    /// [`Record::batch`].
    pub batch: usize,
    /// Logits of a row.
    pub width: usize,
}

impl Report {
    /// Adds a measurement.
    pub fn add(&mut self, of: Subject, bytes: u64, times: Times) {
        let floor_us = bytes as f64 / (self.copy_gb_s * 1e3) + self.node_us;
        self.records.push(Record {
            what: of.what,
            state: of.state.name(),
            sampling: of.sampling.map_or("", Sampling::name),
            shape: of.logits.map_or("", |(shape, _)| shape.name()),
            format: of.logits.map_or("", |(_, format)| format_name(format)),
            rows: of.rows,
            batch: of.batch,
            width: of.width,
            us: times.median,
            spread: (times.low, times.high),
            bytes,
            floor_us,
            ratio: times.median / floor_us,
        });
    }
}
