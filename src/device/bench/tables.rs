//! A report as text.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::report::{Record, Report};
use super::select::SAMPLINGS;

/// Tables of everything, then what is promised.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}: copies move {:.0} GB/s; an empty kernel takes {:.2} µs as a node of a graph, {:.2} µs launched",
        report.device, report.copy_gb_s, report.node_us, report.launch_us
    );
    let _ = writeln!(
        out,
        "Cells: median µs × floor (bytes that must move at that bandwidth, and a node). Logits cold, model-like unless \
         said; vocabularies are the first ranks of o200k_base."
    );
    steps(&mut out, report);
    sets_and_masks(&mut out, report);
    if let Some(long) = &report.long_graph {
        let _ = writeln!(
            out,
            "\na graph of {} steps, {} rows of {} bf16 logits, legal sets on a branch: {} kernels and no other node, \
             {:.2} µs a step, {} tokens",
            long.steps, long.rows, long.width, long.kernels, long.us, long.tokens
        );
    }
    promises(&mut out, report);
    if report.skipped > 0 {
        let _ = writeln!(out, "\nLEFT OUT because time was up: {} measurements", report.skipped);
    }
    let _ = writeln!(out, "\nmeasured in {:.0} s", report.seconds);
    out
}

fn cell(record: Option<&&Record>) -> String {
    record.map_or_else(|| "–".to_owned(), |r| format!("{:.1} ×{:.2}", r.us, r.ratio))
}

/// Everything that samples: a table for each kind of launch, state, format and shape.
fn steps(out: &mut String, report: &Report) {
    let mut groups: BTreeMap<(usize, &str, &str, &str), Vec<&Record>> = BTreeMap::new();
    let order = ["step", "one launch", "launched"];
    for record in report.records.iter().filter(|r| !r.sampling.is_empty()) {
        let what = order.iter().position(|&w| w == record.what).unwrap_or(order.len());
        groups.entry((what, record.state, record.format, record.shape)).or_default().push(record);
    }
    for ((what, state, format, shape), records) in groups {
        let _ = writeln!(out, "\n{}, {state}, {format}, {shape}", order[what]);
        let _ = write!(out, "{:>7} {:>5}", "V", "rows");
        let shown: Vec<&str> =
            SAMPLINGS.iter().map(|s| s.name()).filter(|&s| records.iter().any(|r| r.sampling == s)).collect();
        for sampling in &shown {
            let _ = write!(out, " {sampling:>19}");
        }
        out.push('\n');
        let mut lines: Vec<(usize, usize)> = records.iter().map(|r| (r.width, r.rows)).collect();
        lines.sort_unstable();
        lines.dedup();
        for (width, rows) in lines {
            let _ = write!(out, "{width:>7} {rows:>5}");
            for &sampling in &shown {
                let found =
                    records.iter().find(|r| r.width == width && r.rows == rows && r.sampling == sampling);
                let _ = write!(out, " {:>19}", cell(found));
            }
            out.push('\n');
        }
    }
}

/// What reads no logits, and masks applied.
fn sets_and_masks(out: &mut String, report: &Report) {
    let columns = [("legal", ""), ("fill", ""), ("apply", "f32"), ("apply", "bf16")];
    for state in ["structural", "string", "mixed"] {
        let records: Vec<&Record> =
            report.records.iter().filter(|r| r.sampling.is_empty() && r.state == state).collect();
        if records.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\nlegal sets, masks written out, masks applied, {state}");
        let _ = writeln!(
            out,
            "{:>7} {:>5} {:>14} {:>14} {:>14} {:>14}",
            "V", "rows", "legal", "fill", "apply f32", "apply bf16"
        );
        let mut lines: Vec<(usize, usize)> = records.iter().map(|r| (r.width, r.rows)).collect();
        lines.sort_unstable();
        lines.dedup();
        for (width, rows) in lines {
            let _ = write!(out, "{width:>7} {rows:>5}");
            for (what, format) in columns {
                let found = records
                    .iter()
                    .find(|r| (r.width, r.rows, r.what, r.format) == (width, rows, what, format));
                let _ = write!(out, " {:>14}", cell(found));
            }
            out.push('\n');
        }
    }
}

/// One thing that is promised: what is looked at, and the greatest value allowed.
struct Promise {
    name: &'static str,
    most: f64,
    applies: fn(&Record) -> bool,
    value: fn(&Record) -> f64,
}

fn is_step(r: &Record) -> bool {
    r.what == "step" && (r.state == "string" || r.state == "unconstrained")
}

const PROMISES: [Promise; 12] = [
    Promise {
        name: "greedy, 256 rows and more",
        most: 1.25,
        applies: |r| is_step(r) && r.sampling == "greedy" && r.rows >= 256,
        value: |r| r.ratio,
    },
    Promise {
        name: "greedy, 128 rows",
        most: 1.45,
        applies: |r| is_step(r) && r.sampling == "greedy" && r.rows == 128,
        value: |r| r.ratio,
    },
    Promise {
        name: "temperature, f32, 256 rows and more",
        most: 1.3,
        applies: |r| is_step(r) && r.sampling == "temperature" && r.format == "f32" && r.rows >= 256,
        value: |r| r.ratio,
    },
    Promise {
        name: "temperature, bf16, 256 rows and more",
        most: 2.5,
        applies: |r| is_step(r) && r.sampling == "temperature" && r.format == "bf16" && r.rows >= 256,
        value: |r| r.ratio,
    },
    Promise {
        name: "top-k 50, 256 rows and more",
        most: 2.0,
        applies: |r| is_step(r) && r.sampling == "top-k 50" && r.rows >= 256,
        value: |r| r.ratio,
    },
    Promise {
        name: "top-k 50 and top-p 0.9, 256 rows and more",
        most: 2.0,
        applies: |r| is_step(r) && r.sampling == "top-k 50, top-p 0.9" && r.rows >= 256,
        value: |r| r.ratio,
    },
    Promise {
        name: "top-p 0.9, peaked rows, 256 rows and more",
        most: 2.5,
        applies: |r| is_step(r) && r.sampling == "top-p 0.9" && r.shape != "N(0,1)" && r.rows >= 256,
        value: |r| r.ratio,
    },
    Promise {
        name: "top-p 0.9, flat rows, 256 rows and more (no promise)",
        most: f64::INFINITY,
        applies: |r| is_step(r) && r.sampling == "top-p 0.9" && r.shape == "N(0,1)" && r.rows >= 256,
        value: |r| r.ratio,
    },
    Promise {
        name: "1 to 32 rows, any state, model-like, µs",
        most: 8.0,
        applies: |r| {
            r.what == "step" && r.rows <= 32 && r.shape == "model-like" && r.state != "mixed, wide rows"
        },
        value: |r| r.us,
    },
    Promise {
        name: "512 structural rows, µs",
        most: 12.0,
        applies: |r| r.what == "step" && r.state == "structural" && r.rows == 512,
        value: |r| r.us,
    },
    Promise {
        name: "legal sets of 512 structural rows, µs",
        most: 10.0,
        applies: |r| r.what == "legal" && r.state == "structural" && r.rows == 512,
        value: |r| r.us,
    },
    Promise {
        name: "legal sets of 512 strings, µs",
        most: 10.0,
        applies: |r| r.what == "legal" && r.state == "string" && r.rows == 512,
        value: |r| r.us,
    },
];

/// What is promised of an H200, with the worst and the median of what was measured.
fn promises(out: &mut String, report: &Report) {
    let _ = writeln!(out, "\npromised (× floor unless said)             most    worst   median");
    for promise in &PROMISES {
        let mut values: Vec<f64> =
            report.records.iter().filter(|r| (promise.applies)(r)).map(promise.value).collect();
        values.sort_unstable_by(f64::total_cmp);
        let Some(&worst) = values.last() else {
            let _ = writeln!(out, "{:<42} {:>6}  not measured", promise.name, promise.most);
            continue;
        };
        let middle = values[values.len() / 2];
        let verdict = if worst <= promise.most { "kept" } else { "NOT KEPT" };
        let _ = writeln!(
            out,
            "{:<42} {:>6} {worst:>8.2} {middle:>8.2}  {verdict} ({} measured)",
            promise.name,
            promise.most,
            values.len()
        );
    }
    mixed(out, report);
}

/// A mixed batch against its wide rows alone.
fn mixed(out: &mut String, report: &Report) {
    let temperature = |state: &'static str| {
        report.records.iter().filter(move |r| {
            r.what == "step" && r.state == state && r.sampling == "temperature" && r.batch >= 8
        })
    };
    let key = |r: &Record| (r.width, r.format, r.batch);
    let wide: Vec<&Record> = temperature("mixed, wide rows").collect();
    let over = |record: &Record| wide.iter().find(|w| key(w) == key(record)).map(|w| record.us / w.us);
    let ratios: Vec<f64> = temperature("mixed").filter_map(over).collect();
    let name = "a mixed batch over its wide rows alone";
    match ratios.iter().copied().max_by(f64::total_cmp) {
        None => {
            let _ = writeln!(out, "{name:<42} {:>6}  not measured", 1.1);
        }
        Some(worst) => {
            let verdict = if worst <= 1.1 { "kept" } else { "NOT KEPT" };
            let _ = writeln!(out, "{name:<42} {:>6} {worst:>8.2}           {verdict}", 1.1);
        }
    }
}
