//! What a server counts, in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::decode::Decoding;

/// Upper bounds in seconds, for what takes from tens of microseconds to minutes.
const BOUNDS: [f64; 16] =
    [5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 1.0, 5.0, 30.0, 300.0];

/// Durations by magnitude.
#[derive(Debug, Default)]
pub struct Histogram {
    /// Of each bound, those at most that long and longer than the bound before; then those beyond all.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl Histogram {
    /// Counts one.
    pub fn observe(&self, time: Duration) {
        let bucket = BOUNDS.partition_point(|&bound| bound < time.as_secs_f64());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }

    fn write(&self, out: &mut String, name: &str, help: &str) {
        head(out, name, help, "histogram");
        let mut below = 0;
        for (bucket, bound) in
            self.buckets.iter().zip(BOUNDS.map(|b| b.to_string()).iter().chain([&"+Inf".into()]))
        {
            below += bucket.load(Ordering::Relaxed);
            line(out, format_args!("{name}_bucket{{le=\"{bound}\"}} {below}"));
        }
        line(out, format_args!("{name}_sum {}", self.nanoseconds.load(Ordering::Relaxed) as f64 * 1e-9));
        line(out, format_args!("{name}_count {below}"));
    }
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Replies by endpoint and HTTP status.
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    /// Connections that are open.
    pub connections: AtomicUsize,
    /// Requests that are prepared, wait or are decoded.
    pub in_flight: AtomicUsize,
    /// Slots in use.
    pub slots_active: AtomicUsize,
    /// Choices that wait for a slot.
    pub queue: AtomicUsize,
    /// Tokens of prompts whose decoding began.
    pub prompt_tokens: AtomicU64,
    /// Tokens drawn.
    pub tokens: AtomicU64,
    /// Steps of the batch.
    pub steps: AtomicU64,
    /// Time in the engine, in microseconds.
    pub engine_us: AtomicU64,
    /// Time in the source of logits, in microseconds.
    pub source_us: AtomicU64,
    /// Requests dropped because their client was gone, or too slow to read.
    pub dropped: AtomicU64,
    /// Lines of batches that were answered, and that failed.
    pub batch_lines: [AtomicU64; 2],
    /// From a request's last byte to its first token.
    pub first_token: Histogram,
    /// From one token of a choice to its next.
    pub token: Histogram,
    /// Of schemas that were not in the cache.
    pub compile: Histogram,
}

/// What is read only when it is asked for.
pub struct Sizes {
    /// Slots in all.
    pub slots: usize,
    /// Grammars in the compiler's cache, and their bytes.
    pub cache: (usize, usize),
}

impl Metrics {
    /// Counts a reply.
    pub fn replied(&self, endpoint: &'static str, status: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *requests.entry((endpoint, status)).or_default() += 1;
    }

    /// Takes over what a scheduler tells of itself.
    pub fn decoded(&self, (active, waiting): (usize, usize), decoding: Decoding) {
        self.slots_active.store(active, Ordering::Relaxed);
        self.queue.store(waiting, Ordering::Relaxed);
        self.tokens.store(decoding.tokens as u64, Ordering::Relaxed);
        self.steps.store(decoding.steps as u64, Ordering::Relaxed);
        self.engine_us.store(decoding.engine.as_micros() as u64, Ordering::Relaxed);
        self.source_us.store(decoding.source.as_micros() as u64, Ordering::Relaxed);
    }

    /// The text that a scraper reads.
    pub fn text(&self, sizes: &Sizes) -> String {
        let mut out = String::new();
        let name = "warpgrammar_requests_total";
        head(&mut out, name, "Replies by endpoint and HTTP status.", "counter");
        let requests = self.requests.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for ((endpoint, status), n) in requests.iter() {
            line(&mut out, format_args!("{name}{{endpoint=\"{endpoint}\",status=\"{status}\"}} {n}"));
        }
        drop(requests);
        let size = |n: &AtomicUsize| n.load(Ordering::Relaxed) as f64;
        let count = |n: &AtomicU64| n.load(Ordering::Relaxed) as f64;
        let seconds = |n: &AtomicU64| count(n) * 1e-6;
        for (name, help, value) in [
            ("connections", "Connections that are open.", size(&self.connections)),
            ("requests_in_flight", "Requests that are prepared, wait or are decoded.", size(&self.in_flight)),
            ("slots", "Choices that can be decoded at a time.", sizes.slots as f64),
            ("slots_active", "Choices that are decoded.", size(&self.slots_active)),
            ("queue_length", "Choices that wait for a slot.", size(&self.queue)),
            ("cached_grammars", "Grammars in the cache.", sizes.cache.0 as f64),
            ("cache_bytes", "Bytes of the grammars in the cache.", sizes.cache.1 as f64),
        ] {
            plain(&mut out, name, help, "gauge", value);
        }
        for (name, help, value) in [
            ("prompt_tokens_total", "Tokens of prompts.", count(&self.prompt_tokens)),
            ("completion_tokens_total", "Tokens drawn.", count(&self.tokens)),
            ("steps_total", "Steps of the batch.", count(&self.steps)),
            ("engine_seconds_total", "Time in masks, sampling and advancing.", seconds(&self.engine_us)),
            ("logits_seconds_total", "Time in the source of logits.", seconds(&self.source_us)),
            ("dropped_total", "Requests whose client had gone or did not read.", count(&self.dropped)),
            ("batch_lines_answered_total", "Lines of batches with a reply.", count(&self.batch_lines[0])),
            ("batch_lines_failed_total", "Lines of batches with an error.", count(&self.batch_lines[1])),
        ] {
            plain(&mut out, name, help, "counter", value);
        }
        let n = "warpgrammar_time_to_first_token_seconds";
        self.first_token.write(&mut out, n, "From a request's last byte to its first token.");
        let n = "warpgrammar_time_per_token_seconds";
        self.token.write(&mut out, n, "From one token of a choice to its next.");
        let n = "warpgrammar_compile_seconds";
        self.compile.write(&mut out, n, "Compiling of schemas that were not in the cache.");
        out
    }
}

fn plain(out: &mut String, name: &str, help: &str, kind: &str, value: f64) {
    let name = format!("warpgrammar_{name}");
    head(out, &name, help, kind);
    line(out, format_args!("{name} {value}"));
}

fn head(out: &mut String, name: &str, help: &str, kind: &str) {
    line(out, format_args!("# HELP {name} {help}"));
    line(out, format_args!("# TYPE {name} {kind}"));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a string takes everything");
}

/// One more of something, as long as it lives.
#[derive(Debug)]
pub struct Counted<F: Fn(&Metrics) -> &AtomicUsize>(std::sync::Arc<Metrics>, F);

impl<F: Fn(&Metrics) -> &AtomicUsize> Counted<F> {
    /// Counts one more of what `of` names.
    pub fn new(metrics: &std::sync::Arc<Metrics>, of: F) -> Self {
        of(metrics).fetch_add(1, Ordering::Relaxed);
        Counted(metrics.clone(), of)
    }
}

impl<F: Fn(&Metrics) -> &AtomicUsize> Drop for Counted<F> {
    fn drop(&mut self) {
        self.1(&self.0).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_are_cumulative() {
        let metrics = Metrics::default();
        for us in [10, 60, 60, 2_000, 400_000_000] {
            metrics.first_token.observe(Duration::from_micros(us));
        }
        metrics.replied("/v1/models", 200);
        let text = metrics.text(&Sizes { slots: 4, cache: (1, 100) });
        for wanted in [
            "warpgrammar_requests_total{endpoint=\"/v1/models\",status=\"200\"} 1\n",
            "warpgrammar_slots 4\n",
            "warpgrammar_time_to_first_token_seconds_bucket{le=\"0.00005\"} 1\n",
            "warpgrammar_time_to_first_token_seconds_bucket{le=\"0.0001\"} 3\n",
            "warpgrammar_time_to_first_token_seconds_bucket{le=\"300\"} 4\n",
            "warpgrammar_time_to_first_token_seconds_bucket{le=\"+Inf\"} 5\n",
            "warpgrammar_time_to_first_token_seconds_count 5\n",
        ] {
            assert!(text.contains(wanted), "{wanted}\n{text}");
        }
    }
}
