//! JSON Schema documents, lowered to [`Ir`].
//!
//! [`parse`] reads text and [`lower`] a value; both check sizes first, without recursion, then find
//! every reference that can be reached (`reference`), and lower the referenced schemas so that each comes
//! after those it refers to: a reference is then an id that is already there, and only recursive ones
//! need a [`Node::Ref`](crate::ir::Node::Ref). Recursion of the lowering itself is bounded by the
//! nesting of the document, however long its chains of references are.
//!
//! A keyword that is not enforced is an error, never silently dropped: see [`SchemaOptions::lenient`].
//! Keywords are recognised whatever draft `$schema` names (`draft`), and meta-schemas are not read.
//! Subschemas that nothing refers to (most of a large `$defs`) are not looked at.

mod array;
mod composition;
mod decimal;
mod draft;
mod keywords;
mod languages;
mod literal;
mod lowering;
mod number;
mod object;
mod pointer;
mod reference;
mod string;
#[cfg(test)]
mod tests;
mod unevaluated;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

pub use languages::PatternLimits;

use crate::error::{Error, ErrorKind, Result};
use crate::ir::{Ir, IrBuilder, NodeId, TRUE, TypeSet};

/// How a schema is read.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SchemaOptions {
    /// Bounds on the size of the document.
    pub limits: SchemaLimits,
    /// Bounds on the automata of `pattern`.
    pub patterns: PatternLimits,
    /// Unsupported keywords become [`Warning`]s instead of errors. The output may then violate them.
    pub lenient: bool,
    /// Schemas that the document may refer to, by URI. A relative one (`"common.json"`) is beside the
    /// document, and so reached by `"$ref": "common.json"`. A schema is also known by its own `$id`; the
    /// meta-schemas of json-schema.org need not be given. Nothing is ever fetched.
    pub documents: BTreeMap<String, Arc<Value>>,
}

/// Bounds on a schema document. Exceeding one is [`ErrorKind::LimitExceeded`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchemaLimits {
    /// Nesting of the document, in arrays and objects (a property's schema is two levels below its
    /// object's). Each level costs up to 4 KiB of stack; more than 256 counts as 256. Text is
    /// furthermore bound to 127 levels by the JSON parser.
    pub max_depth: usize,
    /// Length of the text in bytes. Not checked for documents that are already values.
    pub max_bytes: usize,
    /// JSON values in the document, nested ones included.
    pub max_values: usize,
    /// Nodes of the [`Ir`], about 100 bytes each.
    pub max_nodes: usize,
    /// Values in all `enum`s and `const`s. A number costs an automaton of about 1 KiB.
    pub max_enum_values: usize,
    /// Length of the strings in all `enum`s and `const`s together, in bytes. A byte costs a row of an
    /// automaton, up to 400 bytes while compiling.
    pub max_enum_bytes: usize,
}

impl Default for SchemaLimits {
    fn default() -> Self {
        SchemaLimits {
            max_depth: 128,
            max_bytes: 16 << 20,
            max_values: 1 << 20,
            max_nodes: 1 << 20,
            max_enum_values: 100_000,
            max_enum_bytes: 256 << 10,
        }
    }
}

/// A keyword that asserts less than it seems to: an annotation such as an unknown `format`, or, under
/// [`SchemaOptions::lenient`], one that cannot be enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// JSON pointer of the keyword.
    pub pointer: String,
    /// What is not enforced.
    pub message: String,
}

/// A lowered schema.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// What the schema asserts.
    pub ir: Ir,
    /// Keywords that assert less than they seem to.
    pub warnings: Vec<Warning>,
}

/// Lowers the text of a JSON Schema document.
///
/// # Errors
///
/// [`InvalidJson`](ErrorKind::InvalidJson), and all that [`lower`] returns.
pub fn parse(text: &str, options: &SchemaOptions) -> Result<Lowered> {
    let max = options.limits.max_bytes;
    if text.len() > max {
        let message = format!("the schema is {} bytes long, the limit max_bytes is {max}", text.len());
        return Err(Error::new(ErrorKind::LimitExceeded, message));
    }
    let value: Value = serde_json::from_str(text).map_err(|e| {
        // serde_json has a code for this, but does not show it.
        if e.to_string().starts_with("recursion limit exceeded") {
            let message = "the schema is nested deeper than 127 levels; use $ref to flatten it";
            Error::new(ErrorKind::LimitExceeded, message)
        } else {
            Error::new(ErrorKind::InvalidJson, format!("the schema is not JSON: {e}"))
        }
    })?;
    lower(&value, options)
}

/// Lowers a JSON Schema document.
///
/// # Errors
///
/// [`InvalidSchema`](ErrorKind::InvalidSchema) for ill-formed keywords,
/// [`UnsupportedKeyword`](ErrorKind::UnsupportedKeyword),
/// [`UnresolvedReference`](ErrorKind::UnresolvedReference) and
/// [`LimitExceeded`](ErrorKind::LimitExceeded), with the pointer of the keyword; the first problem in
/// the order of lowering, with the others as its [`problems`](Error::problems).
pub fn lower(document: &Value, options: &SchemaOptions) -> Result<Lowered> {
    check_size(document, &options.limits)?;
    let (root, shared) = lowering::lower(document, options, lowering::Shared::new())?;
    Ok(Lowered { ir: shared.ir.finish(root), warnings: shared.warnings })
}

/// Lowers several documents into one [`Ir`], and says which node each is; its root is the first, or true if there is
/// none. The limits hold for all together. A reference stays within its document.
///
/// # Errors
/// As [`lower`], of the first document with a problem.
pub fn lower_all(documents: &[&Value], options: &SchemaOptions) -> Result<(Lowered, Vec<NodeId>)> {
    let mut shared = lowering::Shared::new();
    let mut roots = Vec::with_capacity(documents.len());
    for document in documents {
        check_size(document, &options.limits)?;
        let (root, next) = lowering::lower(document, options, shared)?;
        roots.push(root);
        shared = next;
    }
    let root = roots.first().copied().unwrap_or(TRUE);
    let (ir, roots) = shared.ir.finish_all(root, &roots);
    Ok((Lowered { ir, warnings: shared.warnings }, roots))
}

/// JSON mode: any object.
pub fn json_object() -> Ir {
    let mut ir = IrBuilder::new();
    let root = ir.types(TypeSet::OBJECT);
    ir.finish(root)
}

/// Checks the number of values and the nesting of a document, on a stack of its own. [`lower`] does so
/// itself; this is for callers that recurse into the document before.
///
/// # Errors
///
/// [`LimitExceeded`](ErrorKind::LimitExceeded).
pub fn check_size(document: &Value, limits: &SchemaLimits) -> Result<()> {
    const STACK_BOUND: usize = 256;
    let max_depth = limits.max_depth.min(STACK_BOUND);
    let exceeded = |what: String| Err(Error::new(ErrorKind::LimitExceeded, what));
    let (mut values, mut todo) = (0usize, vec![(document, 0usize)]);
    while let Some((value, depth)) = todo.pop() {
        values += 1;
        if values > limits.max_values {
            return exceeded(format!(
                "the schema has more JSON values than max_values = {}",
                limits.max_values
            ));
        }
        if depth > max_depth {
            return exceeded(format!(
                "the schema is nested deeper than max_depth = {max_depth}; use $ref to flatten it"
            ));
        }
        match value {
            Value::Array(list) => todo.extend(list.iter().map(|v| (v, depth + 1))),
            Value::Object(map) => todo.extend(map.values().map(|v| (v, depth + 1))),
            _ => {}
        }
    }
    Ok(())
}
