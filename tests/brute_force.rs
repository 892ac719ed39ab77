//! All texts of a small universe, one by one: the engine accepts exactly those that the schema allows.
//!
//! A universe is every JSON text up to a length over a few characters. One side writes all of them down
//! and asks a validator (`ordered`, with `jsonschema` beside it); the other follows the engine wherever it
//! leads within the universe. The two sets must be equal.

mod common;
#[path = "common/ordered.rs"]
mod ordered;

use std::collections::BTreeMap;
use std::rc::Rc;

use common::compile;
use ordered::{Ordered, Tree};
use serde_json::{Value, json};
use warpgrammar::automaton::{KeyOrder, Options, Whitespace};
use warpgrammar::reference::Configuration;
use warpgrammar::table::Grammar;

/// What texts are made of.
#[derive(Clone)]
struct Universe {
    /// Spellings of characters inside strings and keys, with what they stand for.
    characters: Vec<(&'static str, char)>,
    /// What numbers are made of.
    digits: &'static str,
    literals: bool,
    arrays: bool,
    objects: bool,
    /// Most characters of a string or key, of a number, and levels of arrays and objects.
    longest_string: usize,
    longest_number: usize,
    deepest: usize,
    /// Whether one space may stand wherever whitespace may.
    space: bool,
    /// Longest text in bytes.
    length: usize,
}

type Text = (String, Rc<Tree>);

/// Writes a universe down, by length and depth.
struct Writer<'a> {
    u: &'a Universe,
    values: BTreeMap<(usize, usize), Rc<Vec<Text>>>,
    lists: BTreeMap<(bool, usize, usize), Rc<Vec<List>>>,
    strings: BTreeMap<usize, Rc<Vec<Text>>>,
}

/// Items or members, with the whitespace after each.
type List = (String, Vec<(String, Rc<Tree>)>);

impl Writer<'_> {
    fn spaces(&self) -> &'static [&'static str] {
        if self.u.space { &["", " "] } else { &[""] }
    }

    fn strings(&mut self, length: usize) -> Rc<Vec<Text>> {
        if let Some(known) = self.strings.get(&length) {
            return known.clone();
        }
        let mut found = Vec::new();
        let mut todo = vec![(String::new(), String::new())];
        while let Some((spelled, text)) = todo.pop() {
            if spelled.len() + 2 == length {
                let canonical = serde_json::to_string(&text).unwrap() == format!("\"{spelled}\"");
                found.push((format!("\"{spelled}\""), Rc::new(Tree::String(text.clone(), canonical))));
            }
            if text.chars().count() < self.u.longest_string {
                for (spelling, c) in &self.u.characters {
                    if spelled.len() + spelling.len() + 2 <= length {
                        todo.push((format!("{spelled}{spelling}"), format!("{text}{c}")));
                    }
                }
            }
        }
        self.strings.insert(length, Rc::new(found));
        self.strings[&length].clone()
    }

    fn numbers(&self, length: usize) -> Vec<Text> {
        let mut all = vec![String::new()];
        for _ in 0..length.min(self.u.longest_number + 1) {
            all = all.iter().flat_map(|t| self.u.digits.chars().map(move |d| format!("{t}{d}"))).collect();
        }
        all.retain(|t| t.len() == length && length <= self.u.longest_number);
        all.retain(|t| serde_json::from_str::<Value>(t).is_ok());
        all.into_iter().map(|t| (t.clone(), Rc::new(Tree::Number(t)))).collect()
    }

    fn values(&mut self, length: usize, depth: usize) -> Rc<Vec<Text>> {
        if let Some(known) = self.values.get(&(length, depth)) {
            return known.clone();
        }
        let mut found = self.strings(length).to_vec();
        found.extend(self.numbers(length));
        if self.u.literals {
            let literals = [("null", Tree::Null), ("true", Tree::Bool(true)), ("false", Tree::Bool(false))];
            found.extend(
                literals
                    .into_iter()
                    .filter(|l| l.0.len() == length)
                    .map(|(t, tree)| (t.to_owned(), Rc::new(tree))),
            );
        }
        for (object, allowed) in [(false, self.u.arrays), (true, self.u.objects)] {
            if !allowed || depth == self.u.deepest || length < 2 {
                continue;
            }
            let (open, close) = if object { ('{', '}') } else { ('[', ']') };
            for before in self.spaces() {
                let Some(inner) = length.checked_sub(2 + before.len()) else { continue };
                let lists = if inner == 0 {
                    Rc::new(vec![(String::new(), Vec::new())])
                } else {
                    self.lists(object, inner, depth + 1)
                };
                for (text, parts) in lists.iter() {
                    let tree = if object {
                        Tree::Object(parts.clone())
                    } else {
                        Tree::Array(parts.iter().map(|p| p.1.clone()).collect())
                    };
                    found.push((format!("{open}{before}{text}{close}"), Rc::new(tree)));
                }
            }
        }
        self.values.insert((length, depth), Rc::new(found));
        self.values[&(length, depth)].clone()
    }

    /// Lists of `length` bytes, whitespace before commas and the end included.
    fn lists(&mut self, object: bool, length: usize, depth: usize) -> Rc<Vec<List>> {
        if let Some(known) = self.lists.get(&(object, length, depth)) {
            return known.clone();
        }
        let mut found: Vec<List> = Vec::new();
        for first in 1..=length {
            let parts = if object { self.members(first, depth) } else { self.items(first, depth) };
            if parts.is_empty() {
                continue;
            }
            if first == length {
                found.extend(parts.into_iter().map(|(text, part)| (text, vec![part])));
                continue;
            }
            for space in self.spaces() {
                let Some(rest) = (length - first).checked_sub(1 + space.len()).filter(|&r| r > 0) else {
                    continue;
                };
                for (tail, others) in self.lists(object, rest, depth).iter() {
                    for (text, part) in &parts {
                        let all = std::iter::once(part.clone()).chain(others.iter().cloned()).collect();
                        found.push((format!("{text},{space}{tail}"), all));
                    }
                }
            }
        }
        self.lists.insert((object, length, depth), Rc::new(found));
        self.lists[&(object, length, depth)].clone()
    }

    fn items(&mut self, length: usize, depth: usize) -> Vec<(String, (String, Rc<Tree>))> {
        let mut found = Vec::new();
        for after in self.spaces() {
            let Some(inner) = length.checked_sub(after.len()) else { continue };
            let values = self.values(inner, depth);
            found.extend(values.iter().map(|(t, v)| (format!("{t}{after}"), (String::new(), v.clone()))));
        }
        found
    }

    fn members(&mut self, length: usize, depth: usize) -> Vec<(String, (String, Rc<Tree>))> {
        let mut found = Vec::new();
        for key in 2..length {
            let keys = self.strings(key);
            for before in self.spaces() {
                for after in self.spaces() {
                    let Some(rest) = (length - key).checked_sub(1 + before.len() + after.len()) else {
                        continue;
                    };
                    let values = self.items(rest, depth);
                    for (spelled, tree) in keys.iter() {
                        // A key has one spelling.
                        let Tree::String(name, true) = &**tree else { continue };
                        found.extend(values.iter().map(|(t, (_, v))| {
                            (format!("{spelled}{before}:{after}{t}"), (name.clone(), v.clone()))
                        }));
                    }
                }
            }
        }
        found
    }
}

/// Every text of the universe.
fn write_down(u: &Universe) -> BTreeMap<String, Rc<Tree>> {
    let mut writer = Writer { u, values: BTreeMap::new(), lists: BTreeMap::new(), strings: BTreeMap::new() };
    let mut all = BTreeMap::new();
    for length in 1..=u.length {
        for (text, tree) in writer.values(length, 0).iter() {
            let before = all.insert(text.clone(), tree.clone());
            assert!(before.is_none(), "{text} written twice");
        }
    }
    all
}

/// Every text of the universe that the engine accepts.
fn follow(g: &Grammar, u: &Universe) -> Vec<String> {
    struct Path {
        at: Configuration,
        text: String,
        /// Characters of the string, or of the number, that is being written.
        string: Option<usize>,
        number: usize,
        depth: usize,
    }
    let mut outside: Vec<char> = "\",:".chars().chain(u.digits.chars()).collect();
    outside.extend(u.space.then_some(' '));
    outside.extend("nulltruefalse".chars().filter(|_| u.literals));
    outside.extend("[]".chars().filter(|_| u.arrays));
    outside.extend("{}".chars().filter(|_| u.objects));
    outside.sort_unstable();
    outside.dedup();
    let start = Path { at: Configuration::start(g), text: String::new(), string: None, number: 0, depth: 0 };
    let (mut todo, mut found) = (vec![start], Vec::new());
    while let Some(path) = todo.pop() {
        if path.at.is_complete(g) {
            found.push(path.text.clone());
        }
        let mut go = |piece: &str, string: Option<usize>, number: usize, depth: usize| {
            if path.text.len() + piece.len() > u.length {
                return;
            }
            let mut at = path.at.clone();
            if piece.bytes().all(|b| at.read(g, b)) && at.can_rest(g) {
                todo.push(Path { at, text: format!("{}{piece}", path.text), string, number, depth });
            }
        };
        if let Some(written) = path.string {
            go("\"", None, 0, path.depth);
            if written < u.longest_string {
                for (spelling, _) in &u.characters {
                    go(spelling, Some(written + 1), 0, path.depth);
                }
            }
            continue;
        }
        for &c in &outside {
            let number = if u.digits.contains(c) { path.number + 1 } else { 0 };
            let depth = match c {
                '[' | '{' => path.depth + 1,
                ']' | '}' => path.depth.saturating_sub(1),
                _ => path.depth,
            };
            if number <= u.longest_number && depth <= u.deepest {
                go(c.encode_utf8(&mut [0; 4]), (c == '"').then_some(0), number, depth);
            }
        }
    }
    found.sort_unstable();
    found
}

/// Shows the first texts of a list.
fn some<'a>(texts: impl IntoIterator<Item = &'a String>) -> Vec<&'a String> {
    texts.into_iter().take(8).collect()
}

fn check(schema: &Value, u: &Universe) -> usize {
    let universe = write_down(u);
    let whitespace = if u.space { Whitespace::Flexible { max: 1 } } else { Whitespace::Compact };
    let options = Options { whitespace, ..Options::default() };
    let oracle = jsonschema::validator_for(schema).expect("a schema");
    let ordered = Ordered::new(schema);
    let mut expected = Vec::new();
    for (text, tree) in &universe {
        if ordered.allows(tree) {
            assert!(oracle.is_valid(&tree.value()), "the two oracles disagree about {text} for {schema}");
            expected.push(text.clone());
        }
    }
    let g = compile(schema, &options).unwrap_or_else(|e| panic!("{e}: {schema}"));
    let found = follow(&g, u);
    let missed = expected.iter().filter(|t| found.binary_search(t).is_err());
    let excess = found.iter().filter(|t| expected.binary_search(t).is_err());
    assert!(
        found == expected,
        "{schema}\n  {whitespace:?}: not accepted {:?}\n  wrongly accepted {:?}",
        some(missed),
        some(excess)
    );

    // In free order all that matters is validity, names written twice aside.
    let free = Options { key_order: KeyOrder::Any, ..options };
    let g = compile(schema, &free).unwrap_or_else(|e| panic!("{e}: {schema}"));
    let found = follow(&g, u);
    let mut wrong = Vec::new();
    for (text, tree) in &universe {
        let plain = !tree.repeats() && tree.canonical() && !text.contains("-0") && !text.contains('.');
        if plain && found.binary_search(text).is_ok() != oracle.is_valid(&tree.value()) {
            wrong.push(text.clone());
        }
    }
    assert!(wrong.is_empty(), "{schema}\n  {whitespace:?}, free order: judged wrongly {:?}", some(&wrong));
    assert!(found.iter().all(|t| universe.contains_key(t)), "{schema}: no JSON among {:?}", some(&found));
    expected.len()
}

/// What `check` does where the order is not modelled: accepted texts are valid, repeated names or not, and each
/// valid value is accepted in some order.
fn check_in_some_order(schema: &Value, u: &Universe, key_order: KeyOrder) -> usize {
    let options = Options { whitespace: Whitespace::Compact, key_order, ..Options::default() };
    let oracle = jsonschema::validator_for(schema).expect("a schema");
    let g = compile(schema, &options).unwrap_or_else(|e| panic!("{e}: {schema}"));
    let found = follow(&g, u);
    let (mut wrong, mut missed) = (Vec::new(), BTreeMap::new());
    for (text, tree) in &write_down(u) {
        if !tree.canonical() || text.contains("-0") || text.contains('.') {
            continue;
        }
        let mut value = tree.value();
        let valid = oracle.is_valid(&value);
        value.sort_all_objects();
        let accepted = found.binary_search(text).is_ok();
        if accepted && !valid {
            wrong.push(text.clone());
        }
        if tree.repeats() {
            continue;
        }
        let entry = missed.entry(value.to_string()).or_insert(valid);
        *entry &= !accepted;
    }
    let missed: Vec<&String> = missed.iter().filter(|m| *m.1).map(|m| m.0).collect();
    assert!(
        wrong.is_empty() && missed.is_empty(),
        "{schema}\n  wrongly accepted {:?}\n  not accepted {:?}",
        some(&wrong),
        &missed[..missed.len().min(8)]
    );
    found.len()
}

/// Strings of these characters, nothing else.
fn strings(characters: &[(&'static str, char)], longest: usize) -> Universe {
    Universe {
        characters: characters.to_vec(),
        digits: "",
        literals: false,
        arrays: false,
        objects: false,
        longest_string: longest,
        longest_number: 0,
        deepest: 0,
        space: false,
        length: 60,
    }
}

fn numbers(digits: &'static str, longest: usize) -> Universe {
    Universe { digits, longest_number: longest, ..strings(&[], 0) }
}

fn arrays(length: usize) -> Universe {
    Universe { arrays: true, digits: "1", longest_number: 1, deepest: 2, length, ..strings(&[("a", 'a')], 1) }
}

/// Objects of one-letter keys over `names`.
fn objects(names: &'static str, length: usize) -> Universe {
    let characters: Vec<(&str, char)> =
        names.char_indices().map(|(i, c)| (&names[i..i + c.len_utf8()], c)).collect();
    Universe { objects: true, digits: "1", longest_number: 1, deepest: 1, length, ..strings(&characters, 1) }
}

fn check_all(cases: &[(Value, Universe)]) {
    for (schema, u) in cases {
        let compact = check(schema, u);
        let mut flexible = 0;
        if u.arrays || u.objects {
            // Spaces make for many more texts of a length.
            let shorter = Universe { space: true, length: u.length - u.length / 5, ..u.clone() };
            flexible = check(schema, &shorter);
        }
        println!("{compact:7} {flexible:7} {schema}");
        assert!(compact > 0, "nothing of the universe satisfies {schema}");
    }
}

#[test]
fn strings_by_pattern_length_and_value() {
    let ab = || strings(&[("a", 'a'), ("b", 'b')], 8);
    let escapes = strings(&[("\\n", '\n'), ("\\\"", '"'), ("\\u000a", '\n'), ("\\/", '/'), ("/", '/')], 4);
    let wide = strings(&[("é", 'é'), ("\\ud83d\\ude00", '😀'), ("😀", '😀'), ("a", 'a')], 4);
    check_all(&[
        (json!({"type": "string"}), ab()),
        (json!({"type": "string", "minLength": 2, "maxLength": 5}), ab()),
        (json!({"type": "string", "minLength": 3}), ab()),
        (json!({"type": "string", "pattern": "^(aaa)*b$", "maxLength": 5}), ab()),
        (json!({"type": "string", "pattern": "ab", "minLength": 4}), ab()),
        (json!({"type": "string", "pattern": "^a{2,4}$|^b+a$", "maxLength": 6}), ab()),
        (json!({"type": "string", "pattern": "^(aa|bbb)+$", "minLength": 5, "maxLength": 5}), ab()),
        (json!({"enum": ["", "a", "ab", "abba", 7]}), ab()),
        (json!({"enum": ["a", "ab", "abb", "bbbb"], "minLength": 2, "maxLength": 3}), ab()),
        (
            json!({"anyOf": [{"type": "string", "maxLength": 1}, {"type": "string", "minLength": 4, "maxLength": 6}]}),
            ab(),
        ),
        (
            json!({"anyOf": [{"const": "ab"}, {"pattern": "^b", "maxLength": 3}], "type": "string", "minLength": 2}),
            ab(),
        ),
        (json!({"type": "string", "minLength": 1, "maxLength": 3}), escapes.clone()),
        (json!({"type": "string", "pattern": "^[^a]*$", "maxLength": 3}), escapes),
        (json!({"type": "string", "minLength": 2, "maxLength": 3}), wide.clone()),
        (json!({"type": "string", "pattern": "^.{2}$|a$"}), wide),
    ]);
}

#[test]
fn numbers_by_range() {
    check_all(&[
        (json!({"type": "integer"}), numbers("01-", 5)),
        (json!({"type": "integer", "minimum": -12, "maximum": 102}), numbers("012-", 4)),
        (json!({"type": "integer", "exclusiveMinimum": 1, "multipleOf": 3}), numbers("0123-", 4)),
        (json!({"type": "number", "minimum": -1.1, "exclusiveMaximum": 2.01}), numbers("012.-", 5)),
        (
            json!({"anyOf": [{"type": "integer", "maximum": -20}, {"type": "integer", "minimum": 21}]}),
            numbers("012-", 4),
        ),
        (json!({"enum": [1, 10, -1, 110]}), numbers("01-", 4)),
    ]);
}

#[test]
fn arrays_by_count_and_items() {
    check_all(&[
        (json!({"type": "array"}), arrays(13)),
        (json!({"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 4}), arrays(16)),
        (json!({"type": "array", "minItems": 3}), arrays(14)),
        (json!({"type": "array", "maxItems": 0}), arrays(10)),
        (
            json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false}),
            arrays(15),
        ),
        (
            json!({"type": "array", "prefixItems": [{"type": "integer"}], "items": {"type": "string"}, "minItems": 2}),
            arrays(16),
        ),
        (json!({"type": "array", "items": {"type": "array", "maxItems": 1}}), arrays(14)),
        (
            json!({"anyOf": [
            {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
            {"type": "array", "items": {"type": "string"}, "minItems": 2}]}),
            arrays(16),
        ),
        (
            json!({"type": "array", "minItems": 1, "anyOf": [{"maxItems": 1}, {"minItems": 3, "items": {"type": "integer"}}]}),
            arrays(16),
        ),
        (json!({"enum": [[], [1, "a"], [1, [1]], "a"]}), arrays(14)),
        (
            json!({"type": ["array", "string"], "minItems": 1, "minLength": 1, "items": {"const": 1}}),
            arrays(16),
        ),
    ]);
}

#[test]
fn objects_by_names_and_order() {
    let closed = |rest: Value| {
        let mut schema = json!({"type": "object", "additionalProperties": false});
        schema.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        schema
    };
    check_all(&[
        (json!({"type": "object"}), objects("ab", 18)),
        (
            closed(json!({"properties": {"b": {"type": "integer"}, "a": {"type": "integer"}}})),
            objects("ab", 18),
        ),
        (
            closed(
                json!({"properties": {"a": true, "b": {"const": 1}, "c": {"type": "integer"}}, "required": ["b"]}),
            ),
            objects("abc", 19),
        ),
        (closed(json!({"properties": {"b": true, "c": true}, "required": ["c", "b"]})), objects("bc", 15)),
        (
            json!({"type": "object", "properties": {"b": {"type": "integer"}}, "required": ["a"]}),
            objects("abc", 19),
        ),
        (
            json!({"type": "object", "properties": {"b": {"type": "integer"}}, "additionalProperties": {"type": "string"}}),
            objects("ab", 20),
        ),
        (json!({"type": "object", "properties": {"a": false, "b": true}}), objects("abc", 14)),
        (
            json!({"type": "object", "properties": {"ab": {"type": "integer"}, "a": {"type": "integer"}}, "required": ["ab"]}),
            Universe { longest_string: 2, ..objects("ab", 18) },
        ),
        (json!({"const": {"b": 1, "a": "b"}}), objects("ab", 20)),
        (json!({"enum": [{"b": 1, "a": 1}, {"a": 1, "b": 1}, {"a": 1}, 1]}), objects("ab", 18)),
        (closed(json!({"properties": {"": {"const": 1}, "a": {"enum": ["a", "b"]}}})), objects("ab", 20)),
    ]);
}

#[test]
fn alternatives_with_common_names() {
    let object = |properties: Value, required: Value| json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    check_all(&[
        (
            json!({"anyOf": [
            object(json!({"a": {"const": 1}, "b": {"type": "integer"}}), json!(["a"])),
            object(json!({"a": {"const": "a"}, "c": {"type": "integer"}}), json!(["a", "c"]))]}),
            objects("abc", 15),
        ),
        (
            json!({"anyOf": [
            object(json!({"a": true, "b": true}), json!(["b"])),
            object(json!({"b": true, "a": true}), json!(["a"]))]}),
            objects("ab", 18),
        ),
        (
            json!({"type": "object", "properties": {"a": true, "b": true}, "additionalProperties": false,
                "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}),
            objects("ab", 18),
        ),
        (
            json!({"type": "object", "properties": {"b": true}, "anyOf": [
                {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
                {"properties": {"a": {"type": "string"}}, "required": ["c"]}]}),
            objects("abc", 15),
        ),
        (
            json!({"anyOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}},
            {"type": "object", "properties": {"b": {"type": "integer"}}}]}),
            objects("ab", 18),
        ),
        (
            json!({"anyOf": [{"type": "object", "required": ["b"]}, {"type": "object", "maxLength": 1, "required": ["a"]},
                          {"type": "integer"}]}),
            objects("ab", 18),
        ),
    ]);
}

#[test]
fn nested_and_recursive_schemas() {
    let nested = |length| Universe { deepest: 2, ..objects("a", length) };
    let mixed = |length| Universe { arrays: true, ..nested(length) };
    check_all(&[
        (
            json!({"type": "object", "properties": {"a": {"type": "object", "properties": {"a": {"type": "integer"}},
            "required": ["a"], "additionalProperties": false}}, "additionalProperties": false}),
            nested(22),
        ),
        (
            json!({"type": "object", "properties": {"a": {"anyOf": [{"$ref": "#"}, {"type": "integer"}]}},
            "required": ["a"], "additionalProperties": false}),
            nested(22),
        ),
        (json!({"type": "array", "items": {"$ref": "#"}}), Universe { deepest: 5, ..arrays(14) }),
        (
            json!({"anyOf": [{"type": "array", "items": {"$ref": "#"}, "maxItems": 2}, {"type": "integer"}]}),
            Universe { deepest: 4, ..arrays(13) },
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "array", "items": {"$ref": "#"}, "minItems": 1}},
            "additionalProperties": false}),
            Universe { deepest: 4, ..mixed(16) },
        ),
        (
            json!({"$ref": "#/$defs/e", "$defs": {
            "e": {"type": "array", "prefixItems": [{"$ref": "#/$defs/o"}], "items": {"$ref": "#/$defs/e"}, "maxItems": 2},
            "o": {"type": "integer"}}}),
            Universe { deepest: 3, ..arrays(14) },
        ),
    ]);
}

#[test]
fn literals() {
    let u = Universe { literals: true, ..arrays(16) };
    check_all(&[
        (json!({"type": ["boolean", "null"]}), u.clone()),
        (json!({"type": "array", "items": {"enum": [true, null]}, "maxItems": 2}), u.clone()),
        (
            json!({"anyOf": [{"const": false}, {"type": "array", "prefixItems": [{"type": "null"}], "items": {"const": 1}}]}),
            u,
        ),
    ]);
}

#[test]
fn compositions_in_some_order() {
    let object = |length| objects("ab", length);
    let cases = [
        (json!({"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}), object(18)),
        (json!({"type": "object", "not": {"properties": {"a": {"type": "integer"}}}}), object(18)),
        (json!({"type": "object", "not": {"additionalProperties": {"type": "integer"}}}), object(18)),
        (
            json!({"type": "object", "if": {"required": ["a"]}, "then": {"properties": {"b": {"const": 1}}},
                "else": {"required": ["b"]}}),
            object(18),
        ),
        (
            json!({"type": "object", "oneOf": [{"properties": {"a": {"type": "integer"}}},
                {"properties": {"b": {"type": "string"}}}, {"maxProperties": 1}]}),
            object(18),
        ),
        (json!({"type": "object", "minProperties": 2, "properties": {"b": {"const": 1}}}), object(18)),
        (
            json!({"type": "object", "properties": {"a": true, "b": true, "c": true},
                "additionalProperties": false, "minProperties": 2, "dependentRequired": {"a": ["c"]}}),
            objects("abc", 19),
        ),
        (
            json!({"type": "object", "patternProperties": {"^a": {"type": "integer"}, "b$": {"type": "string"}},
                "additionalProperties": false}),
            Universe { longest_string: 2, ..object(16) },
        ),
        (
            json!({"type": "object", "properties": {"ab": true}, "propertyNames": {"pattern": "^a", "minLength": 2}}),
            Universe { longest_string: 3, ..object(14) },
        ),
        (
            json!({"type": "object", "not": {"patternProperties": {"^a": {"type": "integer"}},
                "additionalProperties": {"type": "string"}}}),
            Universe { longest_string: 2, ..object(14) },
        ),
        (
            json!({"type": "object", "properties": {"a": true, "b": {"type": "integer"}}, "required": ["b"],
                "maxProperties": 2, "not": {"required": ["a", "b"]}}),
            object(19),
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": true, "c": true},
                "required": ["a"], "additionalProperties": false, "maxProperties": 2, "minProperties": 2}),
            objects("abc", 19),
        ),
        (
            json!({"type": "object", "oneOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]},
                {"properties": {"b": {"const": 1}}, "required": ["b"]}, {"required": ["a", "b"]}]}),
            object(18),
        ),
        (
            json!({"type": "object", "properties": {"a": true}, "additionalProperties": {"type": "integer"},
                "not": {"properties": {"a": {"type": "integer"}}, "maxProperties": 2}}),
            objects("abc", 19),
        ),
        (
            json!({"type": "object", "allOf": [{"not": {"patternProperties": {"^a": {"type": "integer"}}}},
                {"not": {"patternProperties": {"^b": {"type": "integer"}}}}]}),
            object(19),
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
                "oneOf": [{"required": ["a", "b"]}, {"required": ["c"]}]}),
            objects("abc", 19),
        ),
        (
            json!({"type": "object", "additionalProperties": false, "oneOf": [
                {"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
                {"properties": {"a": {"type": "string"}, "b": {"type": "string"}}}],
                "properties": {"a": true, "b": true}}),
            object(18),
        ),
        (
            json!({"type": "object", "not": {"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
                "required": ["a"]}}),
            object(18),
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
                "required": ["a", "b"], "not": {"properties": {"c": {"type": "integer"}}}}),
            objects("abc", 21),
        ),
        (json!({"type": "array", "contains": {"type": "string"}, "maxContains": 2}), arrays(14)),
        (
            json!({"type": "array", "contains": {"type": "integer"}, "minContains": 2, "maxItems": 3}),
            arrays(14),
        ),
        (json!({"type": "array", "not": {"contains": {"const": 1}, "minContains": 2}}), arrays(14)),
        (json!({"type": "array", "items": {"enum": ["a", 1, []]}, "uniqueItems": true}), arrays(16)),
        (json!({"type": "array", "oneOf": [{"items": {"type": "integer"}}, {"maxItems": 1}]}), arrays(14)),
        (
            json!({"type": "string", "oneOf": [{"pattern": "^a"}, {"pattern": "b$"}, {"maxLength": 2}]}),
            strings(&[("a", 'a'), ("b", 'b')], 5),
        ),
        (json!({"type": "integer", "oneOf": [{"multipleOf": 2}, {"minimum": 12}]}), numbers("0123", 3)),
    ];
    for (schema, u) in cases {
        for order in [KeyOrder::Schema, KeyOrder::Any] {
            let found = check_in_some_order(&schema, &u, order);
            println!("{found:7} {order:?} {schema}");
            assert!(found > 0, "nothing of the universe satisfies {schema}");
        }
    }
}
