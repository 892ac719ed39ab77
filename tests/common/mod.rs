//! Helpers shared by the integration tests.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use serde_json::Value;
use warpgrammar::automaton::{self, Options};
use warpgrammar::reference::Configuration;
use warpgrammar::schema::{self, SchemaOptions};
use warpgrammar::table::{self, Grammar};

/// A small deterministic generator (SplitMix64), so that failures can be repeated.
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// Compiles a schema down to tables, without a vocabulary.
pub fn compile(schema: &Value, options: &Options) -> warpgrammar::Result<Grammar> {
    let lowered = schema::lower(schema, &SchemaOptions::default())?;
    let machine = automaton::build(&lowered.ir, options)?;
    table::pack(&machine, 0, table::DEFAULT_MAX_BYTES)
}

/// Whether a text is accepted, and otherwise the number of bytes read.
pub fn accepts(g: &Grammar, text: &str) -> Result<(), usize> {
    let mut c = Configuration::start(g);
    for (i, b) in text.bytes().enumerate() {
        if !c.read(g, b) {
            return Err(i);
        }
    }
    if c.is_complete(g) { Ok(()) } else { Err(text.len()) }
}

/// A file or folder of shared data, if it is there; says so loudly if not.
pub fn data(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: no data at {}", path.display());
    None
}

/// Python's `json.dumps(value, ensure_ascii=False)`.
pub fn dumps(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(dumps).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members = members.iter().map(|(k, v)| format!("{}: {}", Value::from(k.as_str()), dumps(v)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Whether a name is written twice in some object: only the last value counts then, though all are judged.
pub fn repeats(text: &[u8], value: &Value) -> bool {
    fn members(value: &Value) -> usize {
        match value {
            Value::Array(items) => items.iter().map(members).sum(),
            Value::Object(map) => map.len() + map.values().map(members).sum::<usize>(),
            _ => 0,
        }
    }
    let (mut colons, mut string, mut escaped) = (0, false, false);
    for &b in text {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => string = !string,
            b':' if !string => colons += 1,
            _ => {}
        }
    }
    colons != members(value)
}
