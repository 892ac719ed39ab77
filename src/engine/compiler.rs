//! Compiling schemas for a vocabulary.

use std::sync::Arc;

use serde_json::{Value, json};

use super::cache::Cache;
use crate::automaton::{self, Body, Envelope, KeyOrder, Machine, Whitespace};
use crate::error::{Error, ErrorKind, Result};
use crate::ir::Ir;
use crate::schema::{self, Lowered, SchemaOptions};
use crate::table::{self, Grammar};
use crate::vocab::Vocabulary;

/// How schemas are compiled. Every limit has a default that real schemas do not meet.
#[derive(Clone, Debug)]
pub struct CompilerOptions {
    /// How schemas are read, and their limits.
    pub schema: SchemaOptions,
    /// Where whitespace may stand; by default wherever JSON allows it, in runs of at most 32 bytes.
    pub whitespace: Whitespace,
    /// Order of declared properties; by default the schema's.
    pub key_order: KeyOrder,
    /// Greatest number of open levels (objects, arrays, strings, numbers), 1 … 254. 24 bytes a level
    /// in every slot.
    pub max_depth: u8,
    /// Greatest number of automaton states explored, where with a fixed key order one in which several values are judged
    /// counts once for every two of them; about 200 bytes each while compiling.
    pub max_states: usize,
    /// Greatest size of one grammar's tables, in bytes.
    pub max_table_bytes: usize,
    /// Greatest size of all cached grammars' tables, in bytes.
    pub max_cache_bytes: usize,
}

impl Default for CompilerOptions {
    fn default() -> Self {
        let automaton = automaton::Options::default();
        CompilerOptions {
            schema: SchemaOptions::default(),
            whitespace: automaton.whitespace,
            key_order: automaton.key_order,
            max_depth: automaton.max_depth,
            max_states: automaton.max_states,
            max_table_bytes: table::DEFAULT_MAX_BYTES,
            max_cache_bytes: 256 << 20,
        }
    }
}

/// Compiles schemas for one vocabulary and remembers them.
pub struct Compiler {
    vocab: Arc<Vocabulary>,
    options: CompilerOptions,
    automaton: automaton::Builder,
    cache: Cache,
}

impl Compiler {
    /// # Errors
    /// [`ErrorKind::InvalidParameter`] for a depth or an indentation out of range.
    pub fn new(vocab: Arc<Vocabulary>, options: CompilerOptions) -> Result<Self> {
        if !(1..=254).contains(&options.max_depth) {
            let message = format!("max_depth is {}, it must be 1 to 254", options.max_depth);
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
        if let Whitespace::Indent(width) = options.whitespace
            && width > 16
        {
            let message = format!("the indentation is {width} spaces a level, it must be 0 to 16");
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
        let automaton = automaton::Options {
            whitespace: options.whitespace,
            key_order: options.key_order,
            spellable: Box::new(*vocab.spellable()),
            max_depth: options.max_depth,
            max_states: options.max_states,
        };
        // Built once a vocabulary; no schema should be charged for it.
        vocab.trie();
        let cache = Cache::new(options.max_cache_bytes);
        let automaton = automaton::Builder::new(automaton);
        Ok(Compiler { vocab, options, automaton, cache })
    }

    /// The vocabulary compiled for.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.vocab
    }

    /// The options compiled with.
    pub fn options(&self) -> &CompilerOptions {
        &self.options
    }

    /// Compiles a schema, or finds it in the cache. Concurrent callers with the same schema compile
    /// once. Two schemas are the same if they serialise to the same text.
    ///
    /// # Errors
    /// Anything wrong with the schema, with its JSON pointer; see [`ErrorKind`].
    pub fn compile(&self, schema: &Value) -> Result<Arc<Grammar>> {
        // Serialising recurses; the depth is checked first.
        schema::check_size(schema, &self.options.schema.limits)?;
        let key = schema.to_string();
        self.cache.get(&key, || self.finish(&schema::lower(schema, &self.options.schema)?.ir))
    }

    /// What [`Compiler::compile`] gives, if it is in the cache: nothing is compiled or waited for.
    pub fn cached(&self, schema: &Value) -> Option<Result<Arc<Grammar>>> {
        schema::check_size(schema, &self.options.schema.limits).ok()?;
        self.cache.ready(&schema.to_string())
    }

    /// Compiles a schema given as JSON text.
    ///
    /// # Errors
    /// As [`Compiler::compile`], and [`ErrorKind::InvalidJson`].
    pub fn compile_str(&self, schema: &str) -> Result<Arc<Grammar>> {
        self.cache.get(schema, || self.finish(&schema::parse(schema, &self.options.schema)?.ir))
    }

    /// Compiles a schema that has been lowered, for instance to see what [`Lowered::warnings`] has to
    /// say first. It should have been lowered with this compiler's [`CompilerOptions::schema`]. Nothing is
    /// remembered.
    ///
    /// # Errors
    /// As [`Compiler::compile`].
    pub fn compile_lowered(&self, lowered: &Lowered) -> Result<Grammar> {
        self.finish(&lowered.ir)
    }

    /// Compiles an envelope around the values of schemas, or finds it in the cache: one grammar for all of its ways.
    ///
    /// # Errors
    /// As [`Compiler::compile`], of the first schema with a problem; [`ErrorKind::InvalidParameter`] if the ways
    /// cannot be told apart.
    pub fn compile_envelope(&self, envelope: &Envelope<Value>) -> Result<Arc<Grammar>> {
        let key = self.envelope_key(envelope)?;
        self.cache.get(&key, || {
            let schemas: Vec<&Value> = envelope.values().collect();
            let (lowered, nodes) = schema::lower_all(&schemas, &self.options.schema)?;
            let mut nodes = nodes.into_iter();
            let envelope = envelope.map(|_| nodes.next().expect("a node for each schema"));
            self.pack(self.automaton.build_in(&lowered.ir, &envelope)?)
        })
    }

    /// What [`Compiler::compile_envelope`] gives, if it is in the cache.
    pub fn cached_envelope(&self, envelope: &Envelope<Value>) -> Option<Result<Arc<Grammar>>> {
        self.cache.ready(&self.envelope_key(envelope).ok()?)
    }

    /// What an envelope's grammar is remembered by.
    fn envelope_key(&self, envelope: &Envelope<Value>) -> Result<String> {
        for schema in envelope.values() {
            schema::check_size(schema, &self.options.schema.limits)?;
        }
        // No schema's text begins with this byte.
        let mut key = String::from("\0");
        for way in &envelope.ways {
            let schema = match &way.body {
                Body::Value(schema) => Some(schema),
                Body::Prose => None,
            };
            key += &json!([way.opening, schema, way.closing, way.again]).to_string();
        }
        key += &json!(envelope.between).to_string();
        Ok(key)
    }

    /// JSON mode: any object.
    ///
    /// # Errors
    /// As [`Compiler::compile`].
    pub fn json_object(&self) -> Result<Arc<Grammar>> {
        // The key is the text of an equal schema: no other can be given for it.
        self.cache.get(r#"{"type":"object"}"#, || self.finish(&schema::json_object()))
    }

    /// The automaton of a schema, for inspection; bounds are tightened to tokens as in its tables.
    ///
    /// # Errors
    /// As [`Compiler::compile`].
    pub fn machine(&self, schema: &Value) -> Result<Machine> {
        self.machine_of(&schema::lower(schema, &self.options.schema)?.ir)
    }

    fn machine_of(&self, ir: &Ir) -> Result<Machine> {
        Ok(self.tightened(self.automaton.build(ir)?))
    }

    fn tightened(&self, mut machine: Machine) -> Machine {
        table::tighten(&mut machine, &self.vocab);
        self.automaton.keep(&machine);
        machine
    }

    fn pack(&self, machine: Machine) -> Result<Grammar> {
        let machine = self.tightened(machine);
        table::pack(&machine, self.vocab.fingerprint(), self.options.max_table_bytes)
    }

    fn finish(&self, ir: &Ir) -> Result<Grammar> {
        self.pack(self.automaton.build(ir)?)
    }

    /// Number of grammars cached, and the bytes they take.
    pub fn cache_usage(&self) -> (usize, usize) {
        self.cache.usage()
    }
}
