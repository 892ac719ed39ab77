//! One schema to one node: the walk, and what all keyword groups share.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::draft::{Draft, Version};
use super::keywords::{Role, keyword};
use super::reference::{References, ScopeId, Target};
use super::{SchemaOptions, Warning, decimal::Decimal, pointer};
use crate::error::{Error, ErrorKind, Result};
use crate::ir::{FALSE, IrBuilder, NodeId, TRUE, TypeSet};

/// What the documents lowered into one [`Ir`](crate::ir::Ir) share.
pub(super) struct Shared {
    pub ir: IrBuilder,
    pub warnings: Vec<Warning>,
    leaves: HashMap<LeafKey, NodeId>,
    enum_values: usize,
    enum_bytes: usize,
}

impl Shared {
    pub fn new() -> Self {
        Shared {
            ir: IrBuilder::new(),
            warnings: Vec::new(),
            leaves: HashMap::new(),
            enum_values: 0,
            enum_bytes: 0,
        }
    }
}

/// Lowers a document whose size has been checked; its root, and what the next one goes on with.
pub(super) fn lower(document: &Value, options: &SchemaOptions, shared: Shared) -> Result<(NodeId, Shared)> {
    let draft = Draft::of(document)?;
    let references = References::new(document, draft, options)?;
    let order = references.order.clone();
    let built = vec![Built::NotYet; references.targets.len()];
    let Shared { ir, warnings, leaves, enum_values, enum_bytes } = shared;
    let mut lowering = Lowering {
        options,
        draft,
        scope: 0,
        references,
        built,
        ir,
        path: String::new(),
        warnings,
        problems: Vec::new(),
        given_up: false,
        leaves,
        enum_values,
        enum_bytes,
    };
    for target in order {
        let Target { schema, ref pointer, scope, .. } = lowering.references.targets[target];
        lowering.path.clone_from(pointer);
        lowering.scope = scope;
        lowering.draft = lowering.references.draft(target);
        let node = lowering.schema_itself(schema);
        let Ok(node) = lowering.or_problem(node, TRUE) else { break };
        if let Built::Awaited(placeholder) = lowering.built[target] {
            lowering.ir.patch(placeholder, node);
        }
        lowering.built[target] = Built::Node(node);
    }
    if let Some(error) = Error::together(lowering.problems) {
        return Err(error);
    }
    let Built::Node(root) = lowering.built[0] else { unreachable!("the root is a target") };
    let Lowering { ir, warnings, leaves, enum_values, enum_bytes, .. } = lowering;
    Ok((root, Shared { ir, warnings, leaves, enum_values, enum_bytes }))
}

/// How many problems of a document are reported.
const MAX_PROBLEMS: usize = 20;
/// How many of them may be exceeded limits; a pattern can take 200 ms to be one.
const MAX_EXCEEDED: usize = 4;

/// How far a reference's target has come.
#[derive(Clone, Copy)]
enum Built {
    NotYet,
    /// Not yet, but this placeholder stands for it.
    Awaited(NodeId),
    Node(NodeId),
}

/// A leaf language by its source, so that each is compiled once.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum LeafKey {
    Pattern(String),
    /// A pattern of values, whose characters the frame may count.
    Uncounted(String),
    Format(String),
    Literals(Vec<String>),
}

/// The state of lowering one document. The keyword groups are further `impl` blocks of it, one file
/// each.
pub(super) struct Lowering<'a> {
    pub options: &'a SchemaOptions,
    /// The draft of the schema being lowered, and the scope of its dynamic references.
    pub draft: Draft,
    pub scope: ScopeId,
    pub references: References<'a>,
    built: Vec<Built>,
    pub ir: IrBuilder,
    /// JSON pointer of the schema being lowered.
    pub path: String,
    warnings: Vec<Warning>,
    /// What is wrong with the document; nothing is built of it any more, but the search goes on.
    problems: Vec<Error>,
    /// So much is wrong, or so large, that it does not.
    given_up: bool,
    pub leaves: HashMap<LeafKey, NodeId>,
    enum_values: usize,
    enum_bytes: usize,
}

/// `type` of a schema object.
#[derive(Clone, Copy)]
pub(super) struct Types {
    pub set: TypeSet,
    /// Whether numbers must be integers.
    pub integer: bool,
}

impl<'a> Lowering<'a> {
    /// Lowers the subschema at `tokens` below the current one.
    pub fn child(&mut self, tokens: &[&str], schema: &'a Value) -> Result<NodeId> {
        let (length, place) = (self.path.len(), self.ir.place());
        tokens.iter().for_each(|t| pointer::push(&mut self.path, t));
        let node = self.schema(schema);
        let node = self.or_problem(node, TRUE);
        self.path.truncate(length);
        self.ir.set_place(place);
        node
    }

    /// The result, or `instead` with the problem noted. An error again once the search is given up.
    pub fn or_problem<T>(&mut self, result: Result<T>, instead: T) -> Result<T> {
        let error = match result {
            Ok(value) => return Ok(value),
            Err(error) if self.given_up => return Err(error),
            Err(error) => error,
        };
        if !self.problems.contains(&error) {
            self.problems.push(error.clone());
        }
        let exceeded = self.problems.iter().filter(|e| e.kind() == ErrorKind::LimitExceeded).count();
        self.given_up = self.problems.len() >= MAX_PROBLEMS || exceeded >= MAX_EXCEEDED;
        if self.given_up { Err(error) } else { Ok(instead) }
    }

    /// Lowers the `index`th subschema of a keyword that holds a list.
    pub fn child_of_list(&mut self, keyword: &str, index: usize, schema: &'a Value) -> Result<NodeId> {
        self.child(&[keyword, &index.to_string()], schema)
    }

    fn schema(&mut self, schema: &'a Value) -> Result<NodeId> {
        let outside = (self.scope, self.draft);
        if let Some(inside) = self.references.enter(schema, self.scope)? {
            (self.scope, self.draft) = inside;
        }
        let node = match self.references.at(schema, self.scope).map(|target| self.built[target]) {
            Some(Built::Node(node)) => Ok(node),
            _ => self.schema_itself(schema),
        };
        (self.scope, self.draft) = outside;
        node
    }

    fn schema_itself(&mut self, schema: &'a Value) -> Result<NodeId> {
        match schema {
            Value::Bool(true) => Ok(TRUE),
            Value::Bool(false) => Ok(FALSE),
            Value::Object(map) => self.object_of_keywords(map),
            other => {
                let message = format!("a schema is an object or a boolean, not {}", kind(other));
                Err(self.error_here(ErrorKind::InvalidSchema, message))
            }
        }
    }

    /// The conjunction of all keywords: the schema's own assertions by group, so that equal schemas
    /// are equal however their keywords are ordered, then what is applied in place, in textual order.
    ///
    /// A `const` comes after the schema's own `properties`, whose order its keys then take.
    fn object_of_keywords(&mut self, map: &'a Map<String, Value>) -> Result<NodeId> {
        self.ir.set_place(pointer::keep(&self.path));
        if let Some(reference) = map.get("$ref").filter(|_| self.draft.ref_overrides()) {
            return self.reference("$ref", reference);
        }
        let types = self.types(map);
        let types = self.or_problem(types, Types { set: TypeSet::ALL, integer: false })?;
        self.refuse_unsupported(map, types)?;
        let mut all = vec![self.ir.types(types.set)];
        for group in [
            Self::string,
            Self::number,
            Self::object,
            Self::array,
            Self::literals,
            Self::in_place,
            Self::unevaluated,
        ] {
            let done = group(self, map, types, &mut all);
            self.or_problem(done, ())?;
        }
        let node = self.ir.and(all);
        let max_nodes = self.options.limits.max_nodes;
        if self.ir.len() > max_nodes {
            let message = format!("the schema needs more nodes than max_nodes = {max_nodes}");
            return Err(self.error_here(ErrorKind::LimitExceeded, message));
        }
        Ok(node)
    }

    /// `type`.
    fn types(&mut self, map: &Map<String, Value>) -> Result<Types> {
        let names = match map.get("type") {
            None => {
                return Ok(Types { set: TypeSet::ALL, integer: false });
            }
            Some(one @ Value::String(_)) => std::slice::from_ref(one),
            Some(Value::Array(list)) if !list.is_empty() => list,
            Some(_) => return Err(self.invalid("type", "a type name or a list of at least one")),
        };
        let (mut set, mut integer, mut number) = (TypeSet::NONE, false, false);
        for name in names {
            set = set.union(match name.as_str() {
                Some("null") => TypeSet::NULL,
                Some("boolean") => TypeSet::BOOLEAN,
                Some("string") => TypeSet::STRING,
                Some("array") => TypeSet::ARRAY,
                Some("object") => TypeSet::OBJECT,
                Some("number") => {
                    number = true;
                    TypeSet::NUMBER
                }
                Some("integer") => {
                    integer = true;
                    TypeSet::NUMBER
                }
                Some("any") if self.draft.version == Version::D3 => {
                    number = true;
                    TypeSet::ALL
                }
                _ => {
                    let valid = "null, boolean, integer, number, string, array or object";
                    let message = format!("{} is not a type; write {valid}", shown(name));
                    return Err(self.error_at("type", ErrorKind::InvalidSchema, message));
                }
            });
        }
        Ok(Types { set, integer: integer && !number })
    }

    fn refuse_unsupported(&mut self, map: &Map<String, Value>, types: Types) -> Result<()> {
        for (name, value) in map {
            if let Some(Role::Refused { about, idle, way_out }) = keyword(name, self.draft).map(|k| k.role)
                && about.intersection(types.set) != TypeSet::NONE
                && !idle(value, map)
            {
                let refused = self.unsupported(name, format!("\"{name}\" is not enforced; {way_out}"));
                self.or_problem(refused, ())?;
            }
        }
        Ok(())
    }

    /// `$ref` and its dynamic relatives.
    pub fn reference(&mut self, keyword: &str, reference: &Value) -> Result<NodeId> {
        if !reference.is_string() {
            return Err(self.invalid(keyword, "a URI reference such as \"#/$defs/name\""));
        }
        let target = match self.references.target(reference, self.scope) {
            Ok(target) => target,
            Err(e) => return Err(e.or_at(self.pointer_to(keyword))),
        };
        Ok(match self.built[target] {
            Built::Node(node) | Built::Awaited(node) => node,
            Built::NotYet => {
                let placeholder = self.ir.placeholder();
                self.built[target] = Built::Awaited(placeholder);
                placeholder
            }
        })
    }

    /// A keyword whose value is a count; `2.0` is one. Counts beyond `u32::MAX` are that.
    pub fn count(&self, map: &Map<String, Value>, keyword: &str) -> Result<Option<u32>> {
        let Some(value) = map.get(keyword) else {
            return Ok(None);
        };
        let number = match value {
            Value::Number(n) => Decimal::new(n.as_str()),
            _ => return Err(self.invalid(keyword, "a whole number that is not negative")),
        };
        if number.is_negative() || !number.is_integer() {
            return Err(self.invalid(keyword, "a whole number that is not negative"));
        }
        Ok(Some(number.to_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(u32::MAX)))
    }

    /// A pair of count keywords as a range, or `None` if neither is there.
    pub fn range(&self, map: &Map<String, Value>, min: &str, max: &str) -> Result<Option<crate::ir::Range>> {
        let (least, most) = (self.count(map, min)?, self.count(map, max)?);
        if least == Some(u32::MAX) {
            let message = format!("{} is more than any text can have; write a smaller number", u32::MAX);
            return Err(self.error_at(min, ErrorKind::LimitExceeded, message));
        }
        let range = crate::ir::Range { min: least.unwrap_or(0), max: most.unwrap_or(u32::MAX) };
        Ok((least.is_some() || most.is_some()).then_some(range))
    }

    /// Accounts for one value of an `enum` or `const`; `bytes` is its length if it is a string.
    pub fn count_literal(&mut self, bytes: usize, keyword: &str) -> Result<()> {
        self.room_for_literals(1, keyword)?;
        self.enum_values += 1;
        self.enum_bytes += bytes;
        let max = self.options.limits.max_enum_bytes;
        if self.enum_bytes <= max {
            return Ok(());
        }
        let message = format!("the enum and const strings are longer than max_enum_bytes = {max}");
        Err(self.error_at(keyword, ErrorKind::LimitExceeded, message))
    }

    /// Whether so many values more are within `max_enum_values`; asked before they are built.
    pub fn room_for_literals(&self, values: usize, keyword: &str) -> Result<()> {
        let max = self.options.limits.max_enum_values;
        if values <= max.saturating_sub(self.enum_values) {
            return Ok(());
        }
        let message = format!("there are more enum and const values than max_enum_values = {max}");
        Err(self.error_at(keyword, ErrorKind::LimitExceeded, message))
    }

    /// The error, or under `lenient` the warning, that a keyword is not enforced.
    pub fn unsupported(&mut self, keyword: &str, message: String) -> Result<()> {
        if self.options.lenient {
            self.warn(keyword, message);
            return Ok(());
        }
        let message = format!("{message}, or set lenient to get a warning instead");
        Err(self.error_at(keyword, ErrorKind::UnsupportedKeyword, message))
    }

    /// Notes that a keyword asserts less than its author may expect.
    pub fn warn(&mut self, keyword: &str, message: String) {
        let pointer = pointer::keep(&self.pointer_to(keyword)).to_string();
        self.warnings.push(Warning { pointer, message });
    }

    /// The error that a keyword's value is not `expected`.
    pub fn invalid(&self, keyword: &str, expected: &str) -> Error {
        self.error_at(keyword, ErrorKind::InvalidSchema, format!("\"{keyword}\" must be {expected}"))
    }

    /// An error at a keyword of the current schema.
    pub fn error_at(&self, keyword: &str, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::at(kind, self.pointer_to(keyword), message)
    }

    fn error_here(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::at(kind, self.path.clone(), message)
    }

    /// JSON pointer of a keyword of the current schema.
    pub fn pointer_to(&self, keyword: &str) -> String {
        let mut path = self.path.clone();
        pointer::push(&mut path, keyword);
        path
    }

    /// Builds a leaf once per source.
    pub fn leaf(
        &mut self,
        key: LeafKey,
        build: impl FnOnce(&LeafKey) -> Result<Arc<crate::pattern::ByteDfa>>,
    ) -> Result<NodeId> {
        if let Some(&node) = self.leaves.get(&key) {
            return Ok(node);
        }
        let node = self.ir.string(build(&key)?);
        self.leaves.insert(key, node);
        Ok(node)
    }
}

/// What kind of JSON value this is, with its article.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A value for an error message: short ones as they are, others by kind.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => kind(value).to_owned(),
        Value::String(s) if s.len() > 100 => "a long string".to_owned(),
        other => other.to_string(),
    }
}
