//! warpgrammar makes a language model's output match a JSON Schema, every time.
//!
//! A schema is compiled into a compact deterministic pushdown automaton over bytes. Followed token by
//! token it tells which tokens are legal; whatever is sampled among them, the output can be completed.
//!
//! Start with [`Compiler`] and [`Engine`]; the README has an example. The modules follow the path from a
//! schema to a token: [`schema`], [`ir`], [`pattern`], [`automaton`], [`table`], then [`reference`](mod@reference)
//! or [`cpu`], [`sampling`] and [`engine`]. `docs/ARCHITECTURE.md` tells how they fit together.
#![warn(missing_docs)]

pub mod api;
pub mod automaton;
pub mod batch;
pub mod chat;
pub mod clova;
pub mod cpu;
pub mod decode;
pub mod device;
pub mod engine;
pub mod error;
pub mod ir;
pub mod model;
pub mod openai;
pub mod pattern;
pub mod reference;
pub mod sampling;
pub mod schema;
#[cfg(feature = "server")]
pub mod server;
pub mod strict;
pub mod table;
pub mod vocab;

pub use engine::{Compiler, CompilerOptions, Engine, EngineOptions, Grammar};
pub use error::{Error, ErrorKind, Result};

/// The README's examples, so that they are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
