//! Schema resources: what identifiers and anchors name, in the document and in those given beside it.
//!
//! A *resource* is a schema with a URI of its own: a document, or a subschema with `$id`. A document is
//! indexed when something first refers to it. The index holds a trail, a tree of steps from the
//! document's root, because pointers are wanted for the few places that are referred to and would take
//! quadratic space for all.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::place;
use super::uri;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::draft::Draft;
use crate::schema::keywords::{Position, each_schema};
use crate::schema::{SchemaLimits, SchemaOptions, check_size, pointer};

/// The base URI of a document without an absolute one of its own.
const NOWHERE: &str = "json-schema:///";

/// Index into [`Resources::list`]; 0 is the document itself.
pub(super) type ResourceId = usize;

/// A schema with a URI.
pub(super) struct Resource<'a> {
    pub uri: String,
    pub root: &'a Value,
    pub draft: Draft,
    /// Names of its `$dynamicAnchor`s; the empty name is `$recursiveAnchor: true`.
    pub dynamic: Vec<&'a str>,
    anchors: HashMap<&'a str, Anchor<'a>>,
    /// Where it stands, in [`Resources::trail`].
    step: usize,
}

#[derive(Clone, Copy)]
struct Anchor<'a> {
    schema: &'a Value,
    step: usize,
    dynamic: bool,
    /// Another schema of the resource has the same anchor.
    twice: bool,
}

/// One step down a document.
enum Step<'a> {
    /// The root of the document with this prefix of its pointers.
    Root(Arc<str>),
    Key(usize, &'a str),
    Index(usize, usize),
}

/// What a URI leads to.
#[derive(Clone, Copy)]
enum Found {
    Resource(ResourceId),
    /// Two schemas claim the URI.
    Twice,
}

/// A schema that a reference leads to.
pub(super) struct Place<'a> {
    pub schema: &'a Value,
    pub pointer: String,
    pub resource: ResourceId,
    /// The name of the `$dynamicAnchor` by which it was found.
    pub dynamic: Option<&'a str>,
}

pub(super) struct Resources<'a> {
    pub list: Vec<Resource<'a>>,
    limits: &'a SchemaLimits,
    by_uri: HashMap<String, Found>,
    by_place: HashMap<usize, ResourceId>,
    /// Documents that nothing has referred to yet.
    unread: HashMap<String, &'a Value>,
    trail: Vec<Step<'a>>,
}

impl<'a> Resources<'a> {
    pub fn new(root: &'a Value, draft: Draft, options: &'a SchemaOptions) -> Self {
        let mut all = Resources {
            list: Vec::new(),
            limits: &options.limits,
            by_uri: HashMap::new(),
            by_place: HashMap::new(),
            unread: HashMap::new(),
            trail: Vec::new(),
        };
        all.index(root, NOWHERE, draft, "");
        let base = all.list[0].uri.clone();
        for (uri, document) in &options.documents {
            let document: &Value = document;
            let uri = uri::split(uri).0;
            // A relative name is beside the main document, whatever that calls itself.
            let mut names = vec![uri::resolve(NOWHERE, uri), uri::resolve(&base, uri)];
            if let Some(id) = own_id(document) {
                names.push(uri::resolve(&names[1], uri::split(id).0));
            }
            for name in names {
                all.unread.entry(name).or_insert(document);
            }
        }
        all
    }

    /// The resource whose root this schema is.
    pub fn at(&self, schema: &Value) -> Option<ResourceId> {
        self.by_place.get(&place(schema)).copied()
    }

    /// What `reference` means in the resource `from`; `Err` says why it means nothing.
    pub fn resolve(
        &mut self,
        from: ResourceId,
        reference: &str,
    ) -> std::result::Result<Place<'a>, Unresolved> {
        let (relative, fragment) = uri::split(reference);
        let resource = if relative.is_empty() {
            from
        } else {
            let absolute = uri::resolve(&self.list[from].uri, relative);
            self.find(&absolute)?
        };
        let Some(fragment) = pointer::percent_decode(fragment.unwrap_or("")) else {
            return Err(Unresolved::because("its fragment is not percent-encoded UTF-8"));
        };
        if fragment.is_empty() || fragment.starts_with('/') {
            return self.follow(resource, &fragment);
        }
        match self.list[resource].anchors.get(&*fragment) {
            Some(anchor) if anchor.twice => Err(Unresolved::because("two schemas have that anchor")),
            Some(&Anchor { schema, step, dynamic, .. }) => {
                let dynamic =
                    self.list[resource].dynamic.iter().copied().find(|name| dynamic && *name == fragment);
                let resource = self.at(schema).unwrap_or(resource);
                Ok(Place { schema, pointer: self.pointer(step), resource, dynamic })
            }
            None => Err(Unresolved::because(
                "no schema there has that anchor; write a JSON pointer such as #/$defs/name, or add the anchor",
            )),
        }
    }

    /// The place of the dynamic anchor `name` of a resource; the empty name is its root.
    pub fn dynamic_anchor(&self, resource: ResourceId, name: &str) -> Option<Place<'a>> {
        let found = &self.list[resource];
        let (schema, step) = match found.anchors.get(name) {
            _ if name.is_empty() => (found.root, found.step),
            Some(anchor) => (anchor.schema, anchor.step),
            None => return None,
        };
        Some(Place { schema, pointer: self.pointer(step), resource, dynamic: None })
    }

    /// The resource with this absolute URI, its document indexed if that was not done before.
    fn find(&mut self, uri: &str) -> std::result::Result<ResourceId, Unresolved> {
        if !self.by_uri.contains_key(uri) {
            // `http://x/y` and `http://x/y#` are the same; so is an empty fragment that was cut off.
            let given = self.unread.remove(uri).or_else(|| metaschema(uri));
            if let Some(document) = given {
                check_size(document, self.limits).map_err(|e| Unresolved::Document(uri.to_owned(), e))?;
                let draft = Draft::of(document).map_err(|e| Unresolved::Document(uri.to_owned(), e))?;
                self.index(document, uri, draft, uri);
            }
        }
        match self.by_uri.get(uri) {
            Some(Found::Resource(resource)) => Ok(*resource),
            Some(Found::Twice) => Err(Unresolved::because("two schemas have that identifier")),
            None => {
                let shown = uri.strip_prefix(NOWHERE).unwrap_or(uri);
                Err(Unresolved::Because(format!(
                    "it leads to another document, {shown:?}, and references are not fetched; give that document beside the schema, or copy it into $defs and refer to it there"
                )))
            }
        }
    }

    /// Follows a JSON pointer from the root of a resource.
    fn follow(&self, resource: ResourceId, path: &str) -> std::result::Result<Place<'a>, Unresolved> {
        let root = &self.list[resource];
        let mut found =
            Place { schema: root.root, pointer: self.pointer(root.step), resource, dynamic: None };
        for token in path.split('/').skip(1) {
            let token = pointer::unescape(token);
            let step = match found.schema {
                Value::Object(map) => map.get(token.as_ref()),
                Value::Array(list) => index(&token).and_then(|i| list.get(i)),
                _ => None,
            };
            let Some(next) = step else {
                return Err(Unresolved::because("nothing is there"));
            };
            found.schema = next;
            found.resource = self.at(next).unwrap_or(found.resource);
            pointer::push(&mut found.pointer, &token);
        }
        Ok(found)
    }

    /// Registers the resources and anchors of a document that was retrieved from `uri`.
    fn index(&mut self, root: &'a Value, uri: &str, draft: Draft, prefix: &str) {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}#") };
        self.trail.push(Step::Root(Arc::from(prefix)));
        let id = root.as_object().and_then(|map| draft.id(map)).or_else(|| own_id(root));
        let id = id.map_or("", |id| uri::split(id).0);
        let document = self.add(root, uri::resolve(uri, id), draft, self.trail.len() - 1);
        self.by_uri.entry(uri.to_owned()).or_insert(Found::Resource(document));
        let mut todo = vec![(root, document, self.trail.len() - 1)];
        while let Some((schema, mut resource, step)) = todo.pop() {
            let Some(map) = schema.as_object() else { continue };
            let own = self.list[resource].draft;
            // An embedded resource may be written in another draft, if it is one in the draft around it.
            let is_resource = own.id(map).is_some_and(|id| !id.starts_with('#'));
            let named = map.get("$schema").and_then(Value::as_str).and_then(Draft::named);
            let draft = named.filter(|_| is_resource).unwrap_or(own);
            if let Some(id) = draft.id(map) {
                let (uri, fragment) = uri::split(id);
                if !uri.is_empty() && !std::ptr::eq(schema, root) {
                    let absolute = uri::resolve(&self.list[resource].uri, uri);
                    resource = self.add(schema, absolute, draft, step);
                }
                if let Some(name) = fragment.filter(|name| !name.is_empty() && !name.starts_with('/')) {
                    self.anchor(resource, name, schema, step, false);
                }
            }
            for (keyword, dynamic) in [("$anchor", false), ("$dynamicAnchor", true)] {
                if let Some(name) = map.get(keyword).and_then(Value::as_str).filter(|name| !name.is_empty()) {
                    self.anchor(resource, name, schema, step, dynamic);
                }
            }
            let recursive = map.get("$recursiveAnchor") == Some(&Value::Bool(true));
            if recursive && std::ptr::eq(schema, self.list[resource].root) {
                self.list[resource].dynamic.push("");
            }
            let trail = &mut self.trail;
            each_schema(map, &mut |position, schema| {
                // Only objects hold identifiers or schemas that do.
                if !schema.is_object() {
                    return;
                }
                let mut down = |step: Step<'a>| {
                    trail.push(step);
                    trail.len() - 1
                };
                let step = match position {
                    Position::Keyword(keyword) => down(Step::Key(step, keyword)),
                    Position::Element(keyword, i) => {
                        let list = down(Step::Key(step, keyword));
                        down(Step::Index(list, i))
                    }
                    Position::Member(keyword, name) => {
                        let map = down(Step::Key(step, keyword));
                        down(Step::Key(map, name))
                    }
                };
                todo.push((schema, resource, step));
            });
        }
    }

    fn add(&mut self, root: &'a Value, uri: String, draft: Draft, step: usize) -> ResourceId {
        let id = self.list.len();
        let known = self.by_uri.insert(uri.clone(), Found::Resource(id));
        if known.is_some() {
            self.by_uri.insert(uri.clone(), Found::Twice);
        }
        self.by_place.insert(place(root), id);
        self.list.push(Resource { uri, root, draft, dynamic: Vec::new(), anchors: HashMap::new(), step });
        id
    }

    fn anchor(&mut self, resource: ResourceId, name: &'a str, schema: &'a Value, step: usize, dynamic: bool) {
        let found = &mut self.list[resource];
        if dynamic {
            found.dynamic.push(name);
        }
        let new = Anchor { schema, step, dynamic, twice: false };
        let known = found.anchors.entry(name).or_insert(new);
        if std::ptr::eq(known.schema, schema) {
            known.dynamic |= dynamic;
        } else {
            known.twice = true;
        }
    }

    /// The JSON pointer of a step, with the URI of its document if that is not the main one.
    fn pointer(&self, step: usize) -> String {
        let (mut tokens, mut at) = (Vec::new(), step);
        let prefix = loop {
            at = match &self.trail[at] {
                Step::Root(prefix) => break prefix,
                Step::Key(above, key) => {
                    tokens.push(std::borrow::Cow::from(*key));
                    *above
                }
                Step::Index(above, i) => {
                    tokens.push(i.to_string().into());
                    *above
                }
            };
        };
        let mut out = String::from(&**prefix);
        tokens.iter().rev().for_each(|token| pointer::push(&mut out, token));
        out
    }
}

/// Why a reference could not be resolved.
pub(super) enum Unresolved {
    Because(String),
    /// The document it leads to has this problem.
    Document(String, Error),
}

impl Unresolved {
    fn because(why: &str) -> Self {
        Unresolved::Because(why.to_owned())
    }

    /// The error of the reference `text` under `keyword`.
    pub fn into_error(self, keyword: &str, text: &str) -> Error {
        let message = |why: &str| format!("cannot resolve \"{keyword}\": {text:?}: {why}");
        match self {
            Unresolved::Because(why) => Error::new(ErrorKind::UnresolvedReference, message(&why)),
            Unresolved::Document(uri, e) => {
                Error::new(e.kind(), message(&format!("in {uri}: {}", e.message())))
            }
        }
    }
}

/// The identifier at the root of a document. Either spelling is one there, whatever the draft.
fn own_id(root: &Value) -> Option<&str> {
    ["$id", "id"].into_iter().find_map(|key| root.get(key)?.as_str())
}

/// An array index as JSON pointers spell it: no sign, no leading zero.
fn index(token: &str) -> Option<usize> {
    let plain = token == "0" || !token.starts_with(['0', '+']);
    token.parse().ok().filter(|_| plain)
}

/// The meta-schemas of drafts 4 to 2020-12, as json-schema.org publishes them.
fn metaschema(uri: &str) -> Option<&'static Value> {
    static ALL: OnceLock<BTreeMap<String, Value>> = OnceLock::new();
    if !uri.contains("//json-schema.org/") {
        return None;
    }
    let all = ALL.get_or_init(|| {
        let list: Result<Vec<Value>> = serde_json::from_str(include_str!("metaschemas.json"))
            .map_err(|e| Error::new(ErrorKind::InvalidJson, e.to_string()));
        let id = |schema: &Value| Some(uri::split(own_id(schema)?).0.to_owned());
        list.unwrap_or_default().into_iter().filter_map(|schema| Some((id(&schema)?, schema))).collect()
    });
    all.get(uri)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_meta_schemas_are_there() {
        for uri in
            ["http://json-schema.org/draft-04/schema", "https://json-schema.org/draft/2020-12/meta/core"]
        {
            assert!(super::metaschema(uri).is_some(), "{uri}");
        }
    }
}
