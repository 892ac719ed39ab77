//! `$ref`: where references lead, and an order in which their targets can be lowered.
//!
//! The schemas that some reachable `$ref` leads to are *targets*, the document's root among them. They
//! form a graph: an edge for each `$ref` inside a target, *guarded* if it lies below a keyword for the
//! value's children. Two things are read off it, both without recursion of our own:
//!
//! - a cycle of unguarded edges asks a value to satisfy itself and never ends: an error;
//! - in depth-first post-order every target comes after those it refers to, except where the
//!   recursion really goes in circles.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::draft::Draft;
use super::keywords::subschemas;
use super::pointer;
use crate::error::{Error, ErrorKind, Result};

/// How many targets of a circle its error names.
const MAX_CHAIN: usize = 8;

/// Index into [`References::targets`].
pub(super) type TargetId = usize;

/// All reachable references of a document, resolved.
pub(super) struct References<'a> {
    /// The root first.
    pub targets: Vec<Target<'a>>,
    /// The targets, each after those it refers to where that is possible.
    pub order: Vec<TargetId>,
    by_schema: HashMap<usize, TargetId>,
    resolved: HashMap<usize, Result<TargetId>>,
}

/// A schema that is referred to.
pub(super) struct Target<'a> {
    pub schema: &'a Value,
    /// JSON pointer to it.
    pub pointer: String,
    /// Whether it lies below a schema with an identifier of its own, so that `#` means that one.
    embedded: bool,
}

/// A value of the document as a key: the same place, not the same content.
fn place(value: &Value) -> usize {
    std::ptr::from_ref(value) as usize
}

impl<'a> References<'a> {
    /// Finds and resolves every reference that the root reaches.
    ///
    /// A reference that does not resolve is an error only when it is [asked for](Self::target).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnresolvedReference`] for references in a circle without progress.
    pub fn new(root: &'a Value, draft: Draft) -> Result<Self> {
        let mut all = References {
            targets: vec![Target { schema: root, pointer: String::new(), embedded: false }],
            order: Vec::new(),
            by_schema: HashMap::from([(place(root), 0)]),
            resolved: HashMap::new(),
        };
        let (mut edges, mut unguarded) = (Vec::new(), Vec::new());
        // The list grows while it is walked.
        while let Some(target) = all.targets.get(edges.len()) {
            let (schema, embedded) = (target.schema, target.embedded);
            let (mut to, mut to_unguarded) = (Vec::new(), Vec::new());
            let mut todo = vec![(schema, false, embedded)];
            while let Some((schema, guarded, embedded)) = todo.pop() {
                let Some(map) = schema.as_object() else {
                    continue;
                };
                let embedded = embedded || !std::ptr::eq(schema, root) && has_id(map, draft);
                if let Some(reference @ Value::String(text)) = map.get("$ref") {
                    let found = all.resolve(text, embedded, draft);
                    if let Ok(target) = found {
                        to.push(target);
                        to_unguarded.extend((!guarded).then_some(target));
                    }
                    all.resolved.insert(place(reference), found);
                }
                // Reversed, so that they are popped in textual order.
                let children = subschemas(map, draft).into_iter().rev();
                todo.extend(children.map(|(s, child)| (s, guarded || child, embedded)));
            }
            edges.push(to);
            unguarded.push(to_unguarded);
        }
        if let Some(cycle) = depth_first(&unguarded).cycle {
            let named = cycle.iter().take(MAX_CHAIN).map(|&t| format!("#{}", all.targets[t].pointer));
            let mut chain: Vec<String> = named.collect();
            if cycle.len() > MAX_CHAIN {
                chain.push("…".to_owned());
            }
            let message = format!(
                "the reference refers to itself without progress ({}); only a reference below properties or items can be recursive",
                chain.join(" → ")
            );
            let at = all.targets[cycle[0]].pointer.clone();
            return Err(Error::at(ErrorKind::UnresolvedReference, at, message));
        }
        all.order = depth_first(&edges).order;
        Ok(all)
    }

    /// The target of this `$ref` value.
    pub fn target(&self, reference: &Value) -> Result<TargetId> {
        self.resolved.get(&place(reference)).cloned().unwrap_or_else(|| {
            // Every schema that is lowered was searched; this keeps a slip from being a panic.
            Err(Error::new(ErrorKind::UnresolvedReference, "the reference was not found in the document"))
        })
    }

    /// The target that this schema is, if it is one.
    pub fn at(&self, schema: &Value) -> Option<TargetId> {
        self.by_schema.get(&place(schema)).copied()
    }

    fn resolve(&mut self, text: &str, embedded: bool, draft: Draft) -> Result<TargetId> {
        let unresolved = |why: &str| {
            Err(Error::new(
                ErrorKind::UnresolvedReference,
                format!("cannot resolve \"$ref\": {text:?}: {why}"),
            ))
        };
        let (base, fragment) = text.split_once('#').unwrap_or((text, ""));
        let root = self.targets[0].schema;
        if base.is_empty() && embedded {
            return unresolved("it is relative to the identifier of a subschema; remove that identifier");
        }
        if !base.is_empty() && !is_root_id(root, base, embedded) {
            return unresolved("it leads to another document; copy that into $defs and refer to it there");
        }
        let Some(path) = pointer::percent_decode(fragment) else {
            return unresolved("its fragment is not percent-encoded UTF-8");
        };
        if !path.is_empty() && !path.starts_with('/') {
            let message =
                format!("\"$ref\": {text:?} names an anchor; write a JSON pointer such as #/$defs/name");
            return Err(Error::new(ErrorKind::UnsupportedKeyword, message));
        }
        let mut target = Target { schema: root, pointer: String::new(), embedded: false };
        for token in path.split('/').skip(1) {
            let token = pointer::unescape(token);
            let step = match target.schema {
                Value::Object(map) => map.get(token.as_ref()),
                Value::Array(list) => index(&token).and_then(|i| list.get(i)),
                _ => None,
            };
            let Some(next) = step else {
                return unresolved("nothing is there");
            };
            target.schema = next;
            target.embedded |= next.as_object().is_some_and(|map| has_id(map, draft));
            pointer::push(&mut target.pointer, &token);
        }
        let next = self.targets.len();
        let id = *self.by_schema.entry(place(target.schema)).or_insert(next);
        if id == next {
            self.targets.push(target);
        }
        Ok(id)
    }
}

/// An array index as JSON pointers spell it: no sign, no leading zero.
fn index(token: &str) -> Option<usize> {
    let plain = token == "0" || !token.starts_with(['0', '+']);
    token.parse().ok().filter(|_| plain)
}

/// Whether the schema has an identifier that changes what references inside it are relative to.
fn has_id(map: &Map<String, Value>, draft: Draft) -> bool {
    if draft.ref_overrides() && map.contains_key("$ref") {
        return false;
    }
    map.get(draft.id_keyword())
        .and_then(Value::as_str)
        .is_some_and(|id| !id.is_empty() && !id.starts_with('#'))
}

/// Whether `base` is the root's own identifier, or its last segment, relative to the root.
fn is_root_id(root: &Value, base: &str, embedded: bool) -> bool {
    let ids = ["$id", "id"].into_iter().filter_map(|key| root.get(key)?.as_str());
    ids.map(|id| id.split('#').next().unwrap_or(id)).filter(|id| !id.is_empty()).any(|id| {
        let absolute = base.contains(':');
        id == base && (absolute || !embedded)
            || !absolute && !embedded && !base.contains('/') && id.rsplit('/').next() == Some(base)
    })
}

struct DepthFirst {
    /// What node 0 reaches, and then the rest, in post-order.
    order: Vec<usize>,
    /// Some cycle, its first node repeated at the end.
    cycle: Option<Vec<usize>>,
}

fn depth_first(edges: &[Vec<usize>]) -> DepthFirst {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; edges.len()];
    let mut found = DepthFirst { order: Vec::new(), cycle: None };
    for start in 0..edges.len() {
        if marks[start] != Mark::New {
            continue;
        }
        marks[start] = Mark::Open;
        let mut path = vec![(start, 0)];
        while let Some((node, next)) = path.last_mut() {
            let node = *node;
            let Some(&to) = edges[node].get(*next) else {
                marks[node] = Mark::Done;
                found.order.push(node);
                path.pop();
                continue;
            };
            *next += 1;
            match marks[to] {
                Mark::New => {
                    marks[to] = Mark::Open;
                    path.push((to, 0));
                }
                Mark::Open if found.cycle.is_none() => {
                    let from = path.iter().position(|&(n, _)| n == to).unwrap_or(0);
                    let cycle = path[from..].iter().map(|&(n, _)| n).chain([to]);
                    found.cycle = Some(cycle.collect());
                }
                Mark::Open | Mark::Done => {}
            }
        }
    }
    found
}
