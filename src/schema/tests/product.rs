//! Keywords in pairs, each with many values, well-formed or not: nothing panics, every result is a
//! well-formed IR, and its verdicts are those of an independent validator.

use serde_json::{Map, Value, json};

use super::meaning::accepts;
use super::{SchemaOptions, lower};
use crate::error::ErrorKind;
use crate::ir::{FALSE, Ir, Node, NodeId, TRUE, TypeSet};

const KEYWORDS: &[&str] = &[
    "type",
    "enum",
    "const",
    "anyOf",
    "$ref",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "prefixItems",
    "additionalItems",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "$defs",
    "title",
];

fn values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(2),
        json!(-1),
        json!(1.5),
        json!("string"),
        json!("integer"),
        json!("#"),
        json!("#/$defs/a"),
        json!("#/items"),
        json!(""),
        json!([]),
        json!({}),
        json!(["a"]),
        json!(["array", "null"]),
        json!(["number", "integer", "object"]),
        json!([1, 1.0, true, "a", null]),
        json!([{}, false]),
        json!([{"type": "string"}, {"minimum": 1}, {"$ref": "#/$defs/a"}]),
        json!({"type": "integer"}),
        json!({"a": {"type": "string"}, "b": false}),
        json!({"a": 1}),
        json!([[], [1], {"a": 1}]),
        json!({"$ref": "#"}),
        json!({"a": {"$ref": "#"}}),
        json!([{"items": {"$ref": "#"}}, {"type": "null"}]),
    ]
}

fn instances() -> Vec<Value> {
    let mut all = values();
    all.extend([
        json!(1),
        json!(3),
        json!("aaa"),
        json!({"a": "s"}),
        json!({"a": {"a": "s"}}),
        json!([["a"]]),
        json!({"b": 0}),
    ]);
    all
}

/// The invariants that `ir` documents.
pub(super) fn assert_well_formed(ir: &Ir) {
    assert_eq!(ir.nodes.len(), ir.pointers.len());
    assert_eq!((&ir.nodes[TRUE.0 as usize], &ir.nodes[FALSE.0 as usize]), (&Node::True, &Node::False));
    let valid = |id: &NodeId| (id.0 as usize) < ir.nodes.len();
    assert!(valid(&ir.root));
    for node in &ir.nodes {
        match node {
            Node::And(ids) | Node::Or(ids) => {
                assert!(ids.len() >= 2 && ids.iter().all(valid), "{node:?}\n{ir:?}");
                for (i, id) in ids.iter().enumerate() {
                    let operand = &ir.nodes[id.0 as usize];
                    let same = std::mem::discriminant(operand) == std::mem::discriminant(node);
                    assert!(!same && !matches!(operand, Node::True | Node::False), "{node:?}\n{ir:?}");
                    assert!(!ids[..i].contains(id), "{node:?}\n{ir:?}");
                }
            }
            Node::One(ids) => assert!(ids.len() >= 2 && ids.iter().all(valid), "{node:?}\n{ir:?}"),
            Node::Not(of) => {
                assert!(valid(of));
                assert!(!matches!(ir.nodes[of.0 as usize], Node::True | Node::False | Node::Not(_)));
            }
            Node::Contains(of, range) => assert!(valid(of) && range.min <= range.max),
            Node::Members(range) => assert!(range.min <= range.max),
            Node::Type(types) => assert!(*types != TypeSet::NONE && *types != TypeSet::ALL),
            Node::String(i) => assert!((*i as usize) < ir.strings.len()),
            Node::Number(i) => assert!((*i as usize) < ir.numbers.len()),
            Node::Length(range) => assert!(range.min <= range.max),
            Node::Object(o) => {
                assert!(valid(&o.additional) && o.properties.iter().all(|p| valid(&p.schema)));
                let mut names: Vec<&str> = o.properties.iter().map(|p| &*p.name).collect();
                names.sort_unstable();
                assert!(names.windows(2).all(|w| w[0] != w[1]), "{node:?}");
            }
            Node::Array(a) => {
                assert!(a.items.min <= a.items.max && valid(&a.rest) && a.prefix.iter().all(valid));
            }
            Node::Ref(to) => assert!(valid(to)),
            Node::True | Node::False | Node::Bool(_) => {}
        }
    }
    // Expanding a node at one value position ends: an operand is built before what holds it, except
    // through a reference, and no chain of those returns.
    for start in 0..ir.nodes.len() {
        let (mut todo, mut steps) = (vec![NodeId(start as u32)], 0);
        while let Some(id) = todo.pop() {
            steps += 1;
            assert!(steps < 100_000, "a circle without progress through n{start}\n{ir:?}");
            match &ir.nodes[id.0 as usize] {
                Node::And(ids) | Node::Or(ids) | Node::One(ids) => {
                    todo.extend(ids.iter().filter(|i| leads_on(ir, **i)));
                }
                Node::Not(of) => todo.push(*of),
                Node::Ref(to) => todo.push(*to),
                _ => {}
            }
        }
    }
}

fn leads_on(ir: &Ir, id: NodeId) -> bool {
    matches!(ir.nodes[id.0 as usize], Node::And(_) | Node::Or(_) | Node::One(_) | Node::Not(_) | Node::Ref(_))
}

fn check(schema: &Value, instances: &[Value], compared: &mut usize) {
    let ir = match lower(schema, &SchemaOptions::default()) {
        Ok(found) => found.ir,
        Err(e) => {
            assert!(e.pointer().is_some(), "{schema}: {e}");
            assert_ne!(e.kind(), ErrorKind::LimitExceeded, "{schema}: {e}");
            return;
        }
    };
    assert_well_formed(&ir);
    // Older spellings that we accept are not well-formed to the validator.
    let Ok(validator) = jsonschema::draft202012::new(schema) else { return };
    for instance in instances {
        let found = accepts(&ir, ir.root, instance);
        assert_eq!(found, validator.is_valid(instance), "{schema}: {instance}\n{ir:?}");
        *compared += 1;
    }
}

#[test]
fn pairs_of_keywords() {
    let (values, instances, mut compared) = (values(), instances(), 0);
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n as u64) as usize
    };
    for keyword in KEYWORDS {
        for value in &values {
            check(&json!({*keyword: value}), &instances, &mut compared);
            check(
                &json!({"items": {*keyword: value}, "$defs": {"a": {"type": "array"}}}),
                &instances,
                &mut compared,
            );
        }
    }
    // Mostly values that are well-formed for their keyword, or nearly nothing would be compared.
    let alone =
        |keyword: &str, value: &&Value| lower(&json!({keyword: value}), &SchemaOptions::default()).is_ok();
    let fit: Vec<Vec<&Value>> =
        KEYWORDS.iter().map(|k| values.iter().filter(|v| alone(k, v)).collect()).collect();
    for _ in 0..20_000 {
        let mut schema = Map::from_iter([("$defs".to_owned(), json!({"a": {"type": ["array", "string"]}}))]);
        for _ in 0..2 + random(3) {
            let keyword = random(KEYWORDS.len());
            let any = fit[keyword].is_empty() || random(16) == 0;
            let value =
                if any { &values[random(values.len())] } else { fit[keyword][random(fit[keyword].len())] };
            schema.insert(KEYWORDS[keyword].to_owned(), value.clone());
        }
        check(&Value::Object(schema), &instances, &mut compared);
    }
    println!("{compared} verdicts compared");
    assert!(compared > 100_000);
}
