//! The walk over a schema.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::profile::{Profile, Sizes};

/// The first thing that a vendor would refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer of the schema at fault; the root's for a limit on the whole.
    pub pointer: String,
    /// The vendor's words, without the name of the schema.
    pub message: String,
}

/// Whether a schema is within a profile.
///
/// # Errors
/// The first violation: of the schemas in the order of the text, each before those inside it, then of the limits.
pub fn check(schema: &Value, profile: &Profile) -> Result<(), Violation> {
    let mut walk = Walk { profile, counts: Counts::default() };
    if profile.object_root {
        root(schema)?;
    }
    let mut todo = vec![Place { schema, path: Vec::new(), level: 0 }];
    while let Some(place) = todo.pop() {
        let children = walk.schema(&place)?;
        todo.extend(children.into_iter().rev());
    }
    match &profile.sizes {
        Some(sizes) => walk.counts.within(sizes),
        None => Ok(()),
    }
}

struct Place<'a> {
    schema: &'a Value,
    path: Vec<String>,
    /// Objects around it.
    level: usize,
}

impl<'a> Place<'a> {
    fn child(&self, tokens: &[&str], schema: &'a Value, level: usize) -> Place<'a> {
        let tokens = tokens.iter().map(|t| t.to_string());
        Place { schema, path: self.path.iter().cloned().chain(tokens).collect(), level }
    }

    /// `In context=('properties', 'a'), …`
    fn violation(&self, words: impl AsRef<str>) -> Violation {
        let context: Vec<&str> = self.path.iter().map(String::as_str).collect();
        Violation {
            pointer: pointer(&self.path),
            message: format!("In context={}, {}", python_tuple(&context), words.as_ref()),
        }
    }
}

struct Walk<'p> {
    profile: &'p Profile,
    counts: Counts,
}

/// What limits are about.
#[derive(Default)]
struct Counts {
    properties: usize,
    levels: usize,
    characters: usize,
    enum_values: usize,
    longest_long_enum: usize,
}

impl Walk<'_> {
    /// Checks a schema without those inside it, which it returns.
    fn schema<'a>(&mut self, place: &Place<'a>) -> Result<Vec<Place<'a>>, Violation> {
        let Value::Object(map) = place.schema else {
            // `true` and `false` have no keyword that could be right.
            return Err(place.violation("schema must have a 'type' key."));
        };
        if let Some(keyword) = map.keys().find(|k| !self.profile.keywords.contains(&k.as_str())) {
            return Err(place.violation(format!("{} is not permitted.", python_string(keyword))));
        }
        if let Some(reference) = map.get("$ref") {
            self.reference(place, map, reference)?;
        } else if !["type", "anyOf", "enum", "const"].iter().any(|k| map.contains_key(*k)) {
            return Err(place.violation("schema must have a 'type' key."));
        }
        self.types(place, map)?;
        if let Some(format) = map.get("format")
            && !format.as_str().is_some_and(|f| self.profile.formats.contains(&f))
        {
            return Err(place.violation(format!("{} is not a valid format.", python(format))));
        }
        let is_object = has_type(map, "object") || map.contains_key("properties");
        if is_object && self.profile.closed {
            closed(place, map)?;
        }
        if has_type(map, "array") && !map.contains_key("items") {
            return Err(place.violation("array schema missing items."));
        }
        self.count(map);
        let level = place.level + usize::from(is_object);
        self.counts.levels = self.counts.levels.max(level);
        Ok(children(place, map, level))
    }

    fn reference(
        &self,
        place: &Place<'_>,
        map: &Map<String, Value>,
        reference: &Value,
    ) -> Result<(), Violation> {
        let others: Vec<String> = map
            .keys()
            .filter(|k| !matches!(k.as_str(), "$ref" | "$defs" | "definitions"))
            .map(|k| python_string(k))
            .collect();
        if !others.is_empty() {
            return Err(place.violation(format!("$ref cannot have keywords {{{}}}.", others.join(", "))));
        }
        let defined = |text: &str| {
            let name = text.strip_prefix("#/$defs/").or_else(|| text.strip_prefix("#/definitions/"));
            text == "#" || name.is_some_and(|name| !name.is_empty() && !name.contains('/'))
        };
        if !reference.as_str().is_some_and(defined) {
            let words = "reference can only point to definitions defined at the top level of the schema.";
            return Err(place.violation(words));
        }
        Ok(())
    }

    fn types(&self, place: &Place<'_>, map: &Map<String, Value>) -> Result<(), Violation> {
        let Some(value) = map.get("type") else { return Ok(()) };
        let is_type = |v: &Value| v.as_str().is_some_and(|t| self.profile.types.contains(&t));
        let valid = match value {
            Value::Array(list) => !list.is_empty() && list.iter().all(is_type),
            one => is_type(one),
        };
        if valid {
            return Ok(());
        }
        let words = format!("{} is not valid under any of the given schemas.", python(value));
        Err(place.violation(words))
    }

    fn count(&mut self, map: &Map<String, Value>) {
        let characters = |value: &Value| match value {
            Value::String(s) => s.chars().count(),
            other => other.to_string().chars().count(),
        };
        if let Some(Value::Object(properties)) = map.get("properties") {
            self.counts.properties += properties.len();
        }
        for names in ["properties", "$defs", "definitions"] {
            if let Some(Value::Object(named)) = map.get(names) {
                self.counts.characters += named.keys().map(|k| k.chars().count()).sum::<usize>();
            }
        }
        if let Some(Value::Array(values)) = map.get("enum") {
            let total: usize = values.iter().map(characters).sum();
            self.counts.characters += total;
            self.counts.enum_values += values.len();
            let strings = values.iter().all(Value::is_string);
            if values.len() > Sizes::LONG_ENUM && strings {
                self.counts.longest_long_enum = self.counts.longest_long_enum.max(total);
            }
        }
        self.counts.characters += map.get("const").map_or(0, characters);
    }
}

impl Counts {
    fn within(&self, sizes: &Sizes) -> Result<(), Violation> {
        let too_many = |most: usize, what: &str, found: usize, fewer: &str| {
            format!(
                "Expected at most {most} {what} when using structured outputs, but received {found}. Consider reducing \
                 the number of {fewer}, or use 'strict: false' to opt out of structured outputs."
            )
        };
        let message = if self.levels > sizes.levels {
            format!("{} levels of nesting exceeds limit of {}.", self.levels, sizes.levels)
        } else if self.properties > sizes.properties {
            let what = "object properties in total within a single schema";
            too_many(sizes.properties, what, self.properties, "properties")
        } else if self.enum_values > sizes.enum_values {
            let what = "enum values in total within a single schema";
            too_many(sizes.enum_values, what, self.enum_values, "enums")
        } else if self.characters > sizes.characters {
            let what = "characters in all names, enum values and const values within a single schema";
            too_many(sizes.characters, what, self.characters, "characters")
        } else if self.longest_long_enum > sizes.long_enum_characters {
            let what = format!("characters within a single enum of more than {} values", Sizes::LONG_ENUM);
            too_many(sizes.long_enum_characters, &what, self.longest_long_enum, "enum values")
        } else {
            return Ok(());
        };
        Err(Violation { pointer: String::new(), message })
    }
}

/// The rule about the root.
fn root(schema: &Value) -> Result<(), Violation> {
    check_root(schema)?;
    if schema.get("anyOf").is_some() {
        let message = "In context=(), 'anyOf' is not permitted.".to_owned();
        return Err(Violation { pointer: String::new(), message });
    }
    Ok(())
}

/// Whether the root is an object, which even a schema that is not strict must be if it is of a function's arguments.
///
/// # Errors
/// If it is something else, or does not say.
pub fn check_root(schema: &Value) -> Result<(), Violation> {
    let found = schema.get("type").map_or("None".to_owned(), |t| match t {
        Value::String(text) => text.clone(),
        other => python(other),
    });
    if found != "object" {
        let message = format!("schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{found}\"'.");
        return Err(Violation { pointer: String::new(), message });
    }
    Ok(())
}

/// The rules about an object: nothing undeclared, everything required.
fn closed(place: &Place<'_>, map: &Map<String, Value>) -> Result<(), Violation> {
    if map.get("additionalProperties") != Some(&Value::Bool(false)) {
        return Err(place.violation("'additionalProperties' is required to be supplied and to be false."));
    }
    let no_names = Map::new();
    let declared = map.get("properties").and_then(Value::as_object).unwrap_or(&no_names);
    let required = map.get("required").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let words = "'required' is required to be supplied and to be an array including every key in properties.";
    if let Some(missing) = declared.keys().find(|k| !required.iter().any(|r| r.as_str() == Some(k))) {
        return Err(place.violation(format!("{words} Missing {}.", python_string(missing))));
    }
    let extra = required.iter().find(|r| !r.as_str().is_some_and(|r| declared.contains_key(r)));
    match extra {
        Some(extra) => {
            Err(place.violation(format!("{words} Extra required key {} supplied.", python(extra))))
        }
        None => Ok(()),
    }
}

/// The schemas inside one, in the order of its text.
fn children<'a>(place: &Place<'a>, map: &'a Map<String, Value>, level: usize) -> Vec<Place<'a>> {
    let mut found = Vec::new();
    for (keyword, value) in map {
        match (keyword.as_str(), value) {
            ("properties", Value::Object(named)) => {
                found.extend(named.iter().map(|(name, s)| place.child(&[keyword, name], s, level)));
            }
            // Definitions nest where they are used.
            ("$defs" | "definitions", Value::Object(named)) => {
                found.extend(named.iter().map(|(name, s)| place.child(&[keyword, name], s, 0)));
            }
            ("anyOf", Value::Array(list)) => {
                let each = list.iter().enumerate();
                found.extend(each.map(|(k, s)| place.child(&[keyword, &k.to_string()], s, level)));
            }
            ("items", schema) => found.push(place.child(&[keyword], schema, level)),
            _ => {}
        }
    }
    found
}

fn has_type(map: &Map<String, Value>, name: &str) -> bool {
    match map.get("type") {
        Some(Value::Array(list)) => list.iter().any(|t| t == name),
        one => one.is_some_and(|t| t == name),
    }
}

fn pointer(path: &[String]) -> String {
    path.iter().map(|t| format!("/{}", t.replace('~', "~0").replace('/', "~1"))).collect()
}

/// A path as the tuple that OpenAI's messages show: `('properties', 'a')`.
pub(crate) fn python_tuple(items: &[&str]) -> String {
    let items: Vec<String> = items.iter().map(|item| python_string(item)).collect();
    match items.as_slice() {
        [one] => format!("({one},)"),
        many => format!("({})", many.join(", ")),
    }
}

/// A JSON value as Python prints it.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(n) => n.to_string(),
        Value::String(s) => python_string(s),
        Value::Array(list) => {
            let items: Vec<String> = list.iter().map(python).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let members: Vec<String> =
                map.iter().map(|(k, v)| format!("{}: {}", python_string(k), python(v))).collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

/// A string as Python prints it: in single quotes, unless it holds some and no double ones.
fn python_string(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_ascii_control() => _ = write!(out, "\\x{:02x}", c as u32),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}
