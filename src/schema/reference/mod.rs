//! References: where they lead, and an order in which their targets can be lowered.
//!
//! The schemas that some reachable `$ref` leads to are *targets*, the document's root among them. They
//! form a graph: an edge for each reference inside a target, *guarded* if it lies below a keyword for the
//! value's children. Two things are read off it, both without recursion of our own:
//!
//! - a cycle of unguarded edges asks a value to satisfy itself and never ends: an error;
//! - in depth-first post-order every target comes after those it refers to, except where the
//!   recursion really goes in circles.
//!
//! **Dynamic references.** What `$dynamicRef` and `$recursiveRef` mean depends on the resources that
//! were entered on the way: the outermost one with the anchor counts. So the search carries a *scope*,
//! for each dynamic anchor the first resource entered that has it, and a target is a schema *in a
//! scope*. A schema that is reached in two scopes is two targets. There are finitely many scopes, so
//! every dynamic reference is resolved exactly; a document without dynamic anchors has one scope.

use std::collections::HashMap;

use serde_json::Value;

use self::resources::{Place, ResourceId, Resources};
use super::SchemaOptions;
use super::draft::Draft;
use super::keywords::subschemas;
use crate::error::{Error, ErrorKind, Result};

mod resources;
mod uri;

/// How many targets of a circle its error names.
const MAX_CHAIN: usize = 8;
/// How many scopes there may be, and dynamic anchors in one resource.
const MAX_SCOPES: usize = 256;

/// Index into [`References::targets`].
pub(super) type TargetId = usize;

/// Index of a scope; 0 is the empty one.
pub(super) type ScopeId = usize;

/// Per dynamic anchor, the outermost resource that has it.
type Scope<'a> = Vec<(&'a str, ResourceId)>;

/// The keywords that refer to another schema for the same value.
pub(super) const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// All reachable references of a document, resolved.
pub(super) struct References<'a> {
    /// The root first.
    pub targets: Vec<Target<'a>>,
    /// The targets, each after those it refers to where that is possible.
    pub order: Vec<TargetId>,
    resources: Resources<'a>,
    scopes: Vec<Scope<'a>>,
    by_schema: HashMap<(usize, ScopeId), TargetId>,
    resolved: HashMap<(usize, ScopeId), Result<TargetId>>,
}

/// A schema that is referred to, in a scope.
pub(super) struct Target<'a> {
    pub schema: &'a Value,
    /// JSON pointer to it, after the URI of its document if that is not the main one.
    pub pointer: String,
    pub scope: ScopeId,
    resource: ResourceId,
}

/// A value of a document as a key: the same place, not the same content.
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
    pub fn new(root: &'a Value, draft: Draft, options: &'a SchemaOptions) -> Result<Self> {
        let mut all = References {
            targets: Vec::new(),
            order: Vec::new(),
            resources: Resources::new(root, draft, options),
            scopes: Vec::new(),
            by_schema: HashMap::new(),
            resolved: HashMap::new(),
        };
        all.scopes.push(Scope::new());
        let scope = all.entered(0, 0)?;
        all.targets.push(Target { schema: root, pointer: String::new(), scope, resource: 0 });
        all.by_schema.insert((place(root), scope), 0);
        let (mut edges, mut unguarded) = (Vec::new(), Vec::new());
        // The list grows while it is walked.
        while let Some(target) = all.targets.get(edges.len()) {
            let (mut to, mut to_unguarded) = (Vec::new(), Vec::new());
            let mut todo = vec![(target.schema, false, target.resource, target.scope)];
            while let Some((schema, guarded, resource, scope)) = todo.pop() {
                let Some(map) = schema.as_object() else {
                    continue;
                };
                let (resource, scope) = match all.resources.at(schema) {
                    Some(own) if own != resource => (own, all.entered(scope, own)?),
                    _ => (resource, scope),
                };
                let draft = all.resources.list[resource].draft;
                let alone = draft.ref_overrides() && map.contains_key("$ref");
                for keyword in REFERENCES.into_iter().filter(|k| !alone || *k == "$ref") {
                    let Some(reference @ Value::String(text)) = map.get(keyword) else {
                        continue;
                    };
                    let found = all.resolve(keyword, text, resource, scope);
                    if let Ok(target) = found {
                        to.push(target);
                        to_unguarded.extend((!guarded).then_some(target));
                    }
                    all.resolved.insert((place(reference), scope), found);
                }
                // Reversed, so that they are popped in textual order.
                let children = subschemas(map, draft).into_iter().rev();
                todo.extend(children.map(|(s, child)| (s, guarded || child, resource, scope)));
            }
            edges.push(to);
            unguarded.push(to_unguarded);
        }
        if let Some(cycle) = depth_first(&unguarded).cycle {
            let named = cycle.iter().take(MAX_CHAIN).map(|&t| all.targets[t].shown());
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

    /// The target of this reference, met in a scope.
    pub fn target(&self, reference: &Value, scope: ScopeId) -> Result<TargetId> {
        self.resolved.get(&(place(reference), scope)).cloned().unwrap_or_else(|| {
            // Every schema that is lowered was searched; this keeps a slip from being a panic.
            Err(Error::new(ErrorKind::UnresolvedReference, "the reference was not found in the document"))
        })
    }

    /// The target that this schema is in a scope, if it is one.
    pub fn at(&self, schema: &Value, scope: ScopeId) -> Option<TargetId> {
        self.by_schema.get(&(place(schema), scope)).copied()
    }

    /// The scope and the draft inside a schema that is met in `scope`, if it is a resource of its own.
    pub fn enter(&mut self, schema: &Value, scope: ScopeId) -> Result<Option<(ScopeId, Draft)>> {
        let Some(resource) = self.resources.at(schema) else {
            return Ok(None);
        };
        let inside = self.entered(scope, resource)?;
        Ok(Some((inside, self.resources.list[resource].draft)))
    }

    /// The draft that a target is written in.
    pub fn draft(&self, target: TargetId) -> Draft {
        self.resources.list[self.targets[target].resource].draft
    }

    /// The scope once `resource` is entered, too.
    fn entered(&mut self, from: ScopeId, resource: ResourceId) -> Result<ScopeId> {
        let names = &self.resources.list[resource].dynamic;
        if names.is_empty() {
            return Ok(from);
        }
        if names.len() > MAX_SCOPES {
            let message = format!("a schema has more than {MAX_SCOPES} dynamic anchors; write $anchor");
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let mut scope = self.scopes[from].clone();
        for &name in names {
            if scope.iter().all(|(bound, _)| *bound != name) {
                scope.push((name, resource));
            }
        }
        scope.sort_unstable();
        if let Some(known) = self.scopes.iter().position(|s| *s == scope) {
            return Ok(known);
        }
        if self.scopes.len() >= MAX_SCOPES {
            let message =
                format!("the dynamic anchors are combined in more than {MAX_SCOPES} ways; write $ref");
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        self.scopes.push(scope);
        Ok(self.scopes.len() - 1)
    }

    fn resolve(&mut self, keyword: &str, text: &str, from: ResourceId, scope: ScopeId) -> Result<TargetId> {
        if keyword == "$recursiveRef" && text != "#" {
            return Err(Error::new(ErrorKind::InvalidSchema, "\"$recursiveRef\" must be \"#\""));
        }
        let mut found = self.resources.resolve(from, text).map_err(|why| why.into_error(keyword, text))?;
        let dynamic = match keyword {
            "$dynamicRef" => found.dynamic,
            // The empty name is there if the resource says `$recursiveAnchor: true`.
            "$recursiveRef" => {
                self.resources.list[found.resource].dynamic.iter().copied().find(|n| n.is_empty())
            }
            _ => None,
        };
        if let Some(name) = dynamic
            && let Some((_, outermost)) = self.scopes[scope].iter().find(|(bound, _)| *bound == name)
            && let Some(place) = self.resources.dynamic_anchor(*outermost, name)
        {
            found = place;
        }
        self.intern(found, scope)
    }

    fn intern(&mut self, found: Place<'a>, scope: ScopeId) -> Result<TargetId> {
        let Place { schema, pointer, resource, .. } = found;
        let scope = self.entered(scope, resource)?;
        let next = self.targets.len();
        let id = *self.by_schema.entry((place(schema), scope)).or_insert(next);
        if id == next {
            self.targets.push(Target { schema, pointer, scope, resource });
        }
        Ok(id)
    }
}

impl Target<'_> {
    /// The pointer as people write it, with a `#`.
    fn shown(&self) -> String {
        if self.pointer.contains('#') { self.pointer.clone() } else { format!("#{}", self.pointer) }
    }
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
