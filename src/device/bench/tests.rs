//! The measurements run, emulated; what they measure there means nothing.

use super::logits::Shape;
use super::select::{SAMPLINGS, Selection};
use super::states::{Recorded, State};
use super::{run, tables};
use crate::device::Emulated;
use crate::device::check::worlds;
use crate::device::sample::Format;

#[test]
fn emulated_measurements_run() {
    let device = Emulated::new().unwrap();
    let selection = Selection {
        rows: vec![1, 9],
        widths: vec![2_048],
        formats: vec![Format::F32, Format::Bf16],
        shapes: vec![Shape::Normal, Shape::Spike],
        repeats: 1,
        nodes: (2, 2),
        seconds: 300.0,
        copied: 1 << 20,
        long: 6,
        ..Selection::full()
    };
    let report = run(&device, &selection, |_| ()).unwrap();
    assert_eq!(report.skipped, 0);
    assert_eq!(report.long_graph.as_ref().unwrap().tokens, 6 * 9);
    let count = |what: &str| report.records.iter().filter(|r| r.what == what).count();
    // Rows × states; × samplings × formats; wide rows of the mixed batch (if the one row is wide) at one sampling.
    assert_eq!(count("legal"), 2 * 3);
    assert_eq!(count("one launch"), 2 * 4 * SAMPLINGS.len() * 2);
    assert_eq!((count("launched"), count("fill"), count("apply")), (2 * 4 * 2, 2 * 3, 2 * 3 * 2));
    assert!(report.records.iter().all(|r| r.us > 0.0 && r.floor_us > 0.0 && r.bytes > 0));
    let text = tables::text(&report);
    for words in ["structural", "top-k 50, top-p 0.9", "a graph of 6 steps", "not measured", "NOT KEPT"] {
        assert!(text.contains(words), "{words} in\n{text}");
    }
    assert!(serde_json::to_string(&report).unwrap().contains("\"copy_gb_s\""));
}

#[test]
fn no_measurement_begins_when_time_is_up() {
    let device = Emulated::new().unwrap();
    let selection = Selection {
        rows: vec![1],
        widths: vec![1_024],
        repeats: 1,
        nodes: (1, 1),
        seconds: 0.0,
        copied: 1 << 16,
        long: 0,
        ..Selection::full()
    };
    let report = run(&device, &selection, |_| ()).unwrap();
    assert!(report.records.is_empty() && report.skipped > 20);
    assert!(tables::text(&report).contains("LEFT OUT"));
}

#[test]
fn states_are_what_they_are_called() {
    let vocab = std::sync::Arc::new(worlds::cut(8_192, 8_192).unwrap());
    let recorded = Recorded::new(vocab).unwrap();
    let (all, wide) = recorded.counts();
    assert!(all > 200 && wide > all / 10 && wide < all, "{wide} of {all}");
    assert!(recorded.draw(State::Structural, 50).iter().all(|p| !p.is_wide() && p.grammar.is_some()));
    assert!(recorded.draw(State::String, 50).iter().all(|p| p.legal >= 4_096));
    let mixed = recorded.draw(State::Mixed, 64);
    let wide = recorded.draw(State::MixedWide, 64);
    assert_eq!(wide.len(), mixed.iter().filter(|p| p.is_wide()).count());
    assert!(recorded.draw(State::Free, 3).iter().all(|p| p.grammar.is_none() && p.legal == 8_192));
}
