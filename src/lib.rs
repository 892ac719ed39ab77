//! warpgrammar makes a language model's output match a JSON Schema, every time.
#![warn(missing_docs)]

pub mod automaton;
pub mod cpu;
pub mod engine;
pub mod error;
pub mod ir;
pub mod model;
pub mod openai;
pub mod pattern;
pub mod reference;
pub mod sampling;
pub mod schema;
pub mod table;
pub mod vocab;

pub use engine::{Compiler, CompilerOptions, Engine, EngineOptions, Grammar};
pub use error::{Error, ErrorKind, Result};
