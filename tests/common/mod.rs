//! Helpers shared by the integration tests.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use serde_json::Value;
use warpgrammar::automaton::{self, Options};
use warpgrammar::reference::Configuration;
use warpgrammar::schema::{self, SchemaOptions};
use warpgrammar::table::{self, Grammar};

#[allow(unused_imports)]
pub use warpgrammar::device::check::random::Random;

/// Compiles a schema down to tables, without a vocabulary.
pub fn compile(schema: &Value, options: &Options) -> warpgrammar::Result<Grammar> {
    compile_with(schema, options, &SchemaOptions::default())
}

/// The same, with options of the schema.
pub fn compile_with(schema: &Value, options: &Options, read: &SchemaOptions) -> warpgrammar::Result<Grammar> {
    let lowered = schema::lower(schema, read)?;
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
