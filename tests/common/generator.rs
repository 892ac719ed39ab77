//! Random schemas, small enough to be judged by every means, and random changes to values.
#![allow(dead_code)]

use serde_json::{Map, Value, json};

use super::common::Random;

const NAMES: [&str; 4] = ["a", "b", "ab", "c"];
const PATTERNS: [&str; 5] = ["^a*b?$", "^(ab|b)+$", "a", "^[abc]{2,3}$", "^(aa)*$"];

/// What kinds of schemas are made.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Levels of nested schemas.
    pub depth: usize,
    /// Whether `$ref` occurs.
    pub references: bool,
    /// Whether schemas are combined, negated and made conditional, and members and items counted.
    pub composed: bool,
}

/// A schema; one in a few is unsatisfiable.
pub fn schema(random: &mut Random, shape: Shape) -> Value {
    let mut root = node(random, shape.depth, shape);
    if shape.references {
        let map = root.as_object_mut().unwrap();
        map.insert("$defs".into(), json!({ "d": node(random, shape.depth, shape) }));
    }
    root
}

fn node(random: &mut Random, depth: usize, shape: Shape) -> Value {
    if shape.composed && depth > 0 && random.below(3) == 0 {
        return composed(random, depth, shape);
    }
    let n = random.below(if depth == 0 { 6 } else { 16 });
    match n {
        0 => string(random),
        1 => integer(random),
        2 => json!({"type": "null"}),
        3 => {
            let all = [
                json!("a"),
                json!("ab"),
                json!(1),
                json!(12),
                json!(null),
                json!(true),
                json!([1]),
                json!({"a": 1, "b": "b"}),
            ];
            let picked: Vec<Value> = all.iter().filter(|_| random.below(3) == 0).cloned().collect();
            if picked.is_empty() { json!({"const": "b"}) } else { json!({ "enum": picked }) }
        }
        4 => json!({"type": ["boolean", "string"], "maxLength": random.below(3)}),
        5 if shape.references => json!({"$ref": if random.below(2) == 0 { "#" } else { "#/$defs/d" }}),
        5 => json!({"const": [1, "a"]}),
        6..=8 => array(random, depth, shape),
        9..=12 => object(random, depth, shape),
        _ => {
            let mut schema = match random.below(4) {
                0 => object(random, depth - 1, shape),
                1 => array(random, depth - 1, shape),
                _ => json!({}),
            };
            let alternatives: Vec<Value> =
                (0..2 + random.below(2)).map(|_| node(random, depth - 1, shape)).collect();
            schema["anyOf"] = alternatives.into();
            schema
        }
    }
}

fn composed(random: &mut Random, depth: usize, shape: Shape) -> Value {
    let mut schema = match random.below(5) {
        0 | 1 => object(random, depth - 1, shape),
        2 => array(random, depth - 1, shape),
        _ => json!({}),
    };
    let node = |random: &mut Random| match random.below(4) {
        0 => json!({"required": [NAMES[random.below(4)]]}),
        1 => json!({"properties": {NAMES[random.below(4)]: node(random, 0, shape)}}),
        _ => {
            let composed = random.below(2) == 0;
            node(random, depth - 1, Shape { composed, ..shape })
        }
    };
    let list = |random: &mut Random| -> Value { (0..2 + random.below(2)).map(|_| node(random)).collect() };
    match random.below(6) {
        0 => schema["allOf"] = list(random),
        1 | 2 => schema["oneOf"] = list(random),
        3 => {
            schema["not"] = node(random);
            if random.below(2) == 0 {
                schema["anyOf"] = list(random);
            }
        }
        4 => {
            schema["if"] = node(random);
            schema["then"] = node(random);
            if random.below(2) == 0 {
                schema["else"] = node(random);
            }
        }
        _ => {
            let name = NAMES[random.below(4)];
            if random.below(2) == 0 {
                schema["dependentRequired"] = json!({name: [NAMES[random.below(4)]]});
            } else {
                schema["dependentSchemas"] = json!({name: node(random)});
            }
            if random.below(3) == 0 {
                schema["unevaluatedProperties"] = false.into();
            }
        }
    }
    schema
}

fn string(random: &mut Random) -> Value {
    let mut schema = json!({"type": "string"});
    if random.below(2) == 0 {
        schema["pattern"] = PATTERNS[random.below(PATTERNS.len())].into();
    }
    if random.below(2) == 0 {
        schema["minLength"] = random.below(3).into();
    }
    if random.below(2) == 0 {
        schema["maxLength"] = (1 + random.below(4)).into();
    }
    schema
}

fn integer(random: &mut Random) -> Value {
    match random.below(3) {
        0 => json!({"type": "integer"}),
        1 => json!({"type": "integer", "minimum": 1, "maximum": 1 + random.below(30)}),
        _ => json!({"type": "number", "exclusiveMinimum": random.below(3), "maximum": 20}),
    }
}

fn array(random: &mut Random, depth: usize, shape: Shape) -> Value {
    let inner = depth.saturating_sub(1);
    let mut schema = json!({"type": "array"});
    if random.below(4) > 0 {
        schema["items"] = node(random, inner, shape);
    }
    if random.below(3) == 0 {
        let prefix: Vec<Value> = (0..1 + random.below(2)).map(|_| node(random, inner, shape)).collect();
        schema["prefixItems"] = prefix.into();
    }
    if random.below(3) == 0 {
        schema["minItems"] = random.below(3).into();
    }
    if random.below(3) == 0 {
        schema["maxItems"] = (1 + random.below(3)).into();
    }
    if shape.composed && random.below(3) == 0 {
        schema["contains"] = node(random, 0, shape);
        if random.below(2) == 0 {
            schema["minContains"] = random.below(3).into();
        }
        if random.below(2) == 0 {
            schema["maxContains"] = (1 + random.below(2)).into();
        }
    }
    if shape.composed && random.below(6) == 0 {
        schema["items"] = json!({"enum": ["a", 1, "ab", null]});
        schema.as_object_mut().unwrap().remove("prefixItems");
        schema["uniqueItems"] = true.into();
    }
    schema
}

fn object(random: &mut Random, depth: usize, shape: Shape) -> Value {
    let inner = depth.saturating_sub(1);
    let mut names = NAMES.to_vec();
    let mut properties = Map::new();
    for _ in 0..random.below(4) {
        let name = names.swap_remove(random.below(names.len()));
        properties.insert(name.into(), node(random, inner, shape));
    }
    let required: Vec<&str> = NAMES.into_iter().filter(|_| random.below(4) == 0).collect();
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    match random.below(4) {
        0 | 1 => schema["additionalProperties"] = false.into(),
        2 => schema["additionalProperties"] = node(random, inner, shape),
        _ => {}
    }
    if shape.composed {
        match random.below(8) {
            0 => schema["patternProperties"] = json!({"^a": node(random, inner, shape)}),
            1 => {
                let (one, other) = (node(random, inner, shape), node(random, inner, shape));
                schema["patternProperties"] = json!({"b": one, "^.?b?$": other});
            }
            2 => schema["propertyNames"] = json!({"maxLength": 1 + random.below(2), "pattern": "a|c"}),
            3 => schema["minProperties"] = (1 + random.below(3)).into(),
            4 => schema["maxProperties"] = (1 + random.below(3)).into(),
            _ => {}
        }
    }
    schema
}

/// The value with one thing about it changed.
pub fn mutated(value: &Value, random: &mut Random) -> Value {
    let replacement = |random: &mut Random| {
        let all = [
            json!(null),
            json!(0),
            json!(13),
            json!("a"),
            json!("abab"),
            json!([]),
            json!({}),
            json!(true),
            json!(["a", 1]),
            json!({"a": 1}),
        ];
        all[random.below(all.len())].clone()
    };
    match value {
        Value::Array(items) if random.below(4) > 0 => {
            let mut items = items.clone();
            match random.below(3) {
                0 => items.push(replacement(random)),
                1 if !items.is_empty() => {
                    let at = random.below(items.len());
                    items.remove(at);
                }
                _ if !items.is_empty() => {
                    let at = random.below(items.len());
                    items[at] = mutated(&items[at], random);
                }
                _ => {}
            }
            items.into()
        }
        Value::Object(members) if random.below(4) > 0 => {
            let mut members: Vec<(String, Value)> = members.clone().into_iter().collect();
            match random.below(4) {
                0 => members.push((NAMES[random.below(4)].into(), replacement(random))),
                1 if !members.is_empty() => {
                    let at = random.below(members.len());
                    members.remove(at);
                }
                2 if members.len() > 1 => {
                    let at = random.below(members.len() - 1);
                    members.swap(at, at + 1);
                }
                _ if !members.is_empty() => {
                    let at = random.below(members.len());
                    members[at].1 = mutated(&members[at].1, random);
                }
                _ => {}
            }
            Value::Object(members.into_iter().collect())
        }
        Value::String(s) if random.below(3) > 0 => match random.below(3) {
            0 => format!("{s}a").into(),
            1 => s.chars().skip(1).collect::<String>().into(),
            _ => s.replace('a', "b").into(),
        },
        Value::Number(n) if random.below(3) > 0 => {
            n.as_i64().map_or(Value::from(1), |n| (n.wrapping_add(random.below(5) as i64) - 2).into())
        }
        _ => replacement(random),
    }
}
