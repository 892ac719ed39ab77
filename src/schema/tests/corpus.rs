//! Every MaskBench schema at hand is lowered; none may panic. The table of refusals is printed:
//! `cargo test --lib schema::tests::corpus -- --nocapture`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{SchemaOptions, lower};
use crate::error::ErrorKind;

#[test]
fn maskbench() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/maskbench");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("SKIPPED: no schemas at {}", folder.display());
        return;
    };
    let (mut lowered, mut nodes, mut slowest) = (0, 0, (Duration::ZERO, String::new()));
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let lenient = SchemaOptions { lenient: true, ..SchemaOptions::default() };
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let file: Value = serde_json::from_str(&text).expect("a JSON file");
        let start = Instant::now();
        let result = lower(&file["schema"], &SchemaOptions::default());
        slowest = slowest.max((start.elapsed(), path.display().to_string()));
        if let Err(e) = lower(&file["schema"], &lenient) {
            let label = format!("lenient: {}", e.kind().as_str());
            println!("{label}: {}: {e}", path.display());
            assert_ne!(e.kind(), ErrorKind::UnsupportedKeyword);
        }
        match result {
            Ok(found) => {
                super::product::assert_well_formed(&found.ir);
                lowered += 1;
                nodes += found.ir.nodes.len();
            }
            Err(e) => {
                let keyword = e.pointer().and_then(|p| p.rsplit('/').next()).unwrap_or("-");
                let label = format!("{}: {keyword}", e.kind().as_str());
                if std::env::var("SCHEMA_SHOW").is_ok_and(|kind| label.contains(&kind)) {
                    println!("{}: {e}", path.display());
                }
                *refused.entry(label).or_default() += 1;
            }
        }
    }
    let all = lowered + refused.values().sum::<usize>();
    println!("{lowered} of {all} schemas lowered, {nodes} nodes; slowest {slowest:?}");
    for (label, count) in refused {
        println!("{count:6}  {label}");
    }
    assert!(lowered * 2 > all, "most schemas should be supported");
}
