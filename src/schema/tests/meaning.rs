//! The IR judged on whole values, and compared with the verdicts of the JSON Schema Test Suite and of
//! MaskBench.
//!
//! The evaluator goes by the node's documentation and nothing else. Numbers are judged by their
//! specification and not by their automaton, whose own tests are elsewhere.

use std::path::Path;

use serde_json::Value;

use super::super::decimal::Decimal;
use super::{SchemaOptions, lower};
use crate::error::ErrorKind;
use crate::ir::{Ir, Node, NodeId};
use crate::pattern::NumberSpec;

/// Whether `value` satisfies the node.
pub(super) fn accepts(ir: &Ir, id: NodeId, value: &Value) -> bool {
    match (ir.node(id), value) {
        (Node::True, _) => true,
        (Node::False, _) => false,
        (Node::And(ids), _) => ids.iter().all(|&i| accepts(ir, i, value)),
        (Node::Or(ids), _) => ids.iter().any(|&i| accepts(ir, i, value)),
        (Node::Not(of), _) => !accepts(ir, *of, value),
        (Node::One(ids), _) => ids.iter().filter(|&&i| accepts(ir, i, value)).count() == 1,
        (Node::Type(types), _) => types.contains(super::super::literal::type_of(value)),
        (Node::Bool(expected), Value::Bool(found)) => expected == found,
        (Node::Length(range), Value::String(s)) => range.contains(s.chars().count() as u32),
        (Node::String(i), Value::String(s)) => {
            let quoted = Value::from(s.as_str()).to_string();
            ir.strings[*i as usize].accepts(&quoted.as_bytes()[1..quoted.len() - 1])
        }
        (Node::Number(i), Value::Number(n)) => in_spec(&ir.numbers[*i as usize].0, n.as_str()),
        (Node::Object(object), Value::Object(map)) => {
            object.properties.iter().all(|p| map.contains_key(&*p.name) || !p.required)
                && map.iter().all(|(name, value)| {
                    let declared = object.properties[..object.declared as usize].iter();
                    let text = Value::from(name.as_str());
                    let schemas: Vec<NodeId> = declared
                        .filter(|p| *p.name == **name)
                        .map(|p| p.schema)
                        .chain(
                            object.patterns.iter().filter(|p| accepts(ir, p.name, &text)).map(|p| p.schema),
                        )
                        .collect();
                    match schemas[..] {
                        [] => accepts(ir, object.additional, value),
                        _ => schemas.iter().all(|&s| accepts(ir, s, value)),
                    }
                })
        }
        (Node::Members(range), Value::Object(map)) => range.contains(map.len() as u32),
        (Node::Contains(of, range), Value::Array(list)) => {
            range.contains(list.iter().filter(|item| accepts(ir, *of, item)).count() as u32)
        }
        (Node::Array(array), Value::Array(list)) => {
            array.items.contains(list.len() as u32)
                && list
                    .iter()
                    .enumerate()
                    .all(|(i, value)| accepts(ir, array.prefix.get(i).copied().unwrap_or(array.rest), value))
        }
        (Node::Ref(_), _) => unreachable!("resolved"),
        _ => true,
    }
}

fn in_spec(spec: &NumberSpec, text: &str) -> bool {
    let number = Decimal::new(text);
    if let Some(constant) = &spec.constant {
        return number == Decimal::new(constant);
    }
    let above = spec.minimum.as_ref().is_none_or(|b| {
        let bound = Decimal::new(&b.value);
        number > bound || !b.exclusive && number == bound
    });
    let below = spec.maximum.as_ref().is_none_or(|b| {
        let bound = Decimal::new(&b.value);
        number < bound || !b.exclusive && number == bound
    });
    // The corpora have no multiples of integers beyond 2^53.
    let multiple = spec.multiple_of.is_none_or(|m| {
        let scaled = text.parse::<f64>().unwrap() * 10f64.powi(spec.decimals.into());
        (scaled - scaled.round()).abs() < 1e-6 && scaled.round() % m as f64 == 0.0
    });
    above && below && multiple && (!spec.integer || number.is_integer())
}

/// Judges one value; `None` if the schema is refused.
fn verdict(schema: &Value, value: &Value) -> Option<bool> {
    let found = match lower(schema, &SchemaOptions::default()) {
        Ok(found) => found.ir,
        Err(e) => {
            assert!(
                matches!(e.kind(), ErrorKind::UnsupportedKeyword | ErrorKind::UnresolvedReference)
                    || e.message().starts_with("\"multipleOf\": 123456789 needs too many states"),
                "{schema} {e}"
            );
            return None;
        }
    };
    Some(accepts(&found, found.root, value))
}

/// Groups where we differ from the test suite, and why. It fails when one starts to agree.
const DEPARTURES: &[&str] = &[
    // Meta-schemas are not read: keywords have their standard meaning whatever vocabulary is named.
    "schema that uses custom metaschema with with no validation vocabulary",
    // Formats are asserted: whoever writes one for generation means it.
    "email format",
    "ipv4 format",
    "ipv6 format",
    "hostname format",
    "date format",
    "date-time format",
    "time format",
    "uuid format",
    "duration format",
    "idn-email format",
    "regex format",
    "idn-hostname format",
    "json-pointer format",
    "relative-json-pointer format",
    "iri format",
    "iri-reference format",
    "uri format",
    "uri-reference format",
    "uri-template format",
];

#[test]
fn test_suite() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/json-schema-test-suite");
    let (mut judged, mut refused, mut departed, mut wrong) = (0, 0, Vec::new(), Vec::new());
    for draft in ["draft7", "draft2020-12"] {
        let Ok(entries) = find(&data, draft) else {
            eprintln!("SKIPPED: no test suite at {}", data.display());
            return;
        };
        for path in entries {
            let text = std::fs::read_to_string(&path).unwrap();
            for group in serde_json::from_str::<Value>(&text).unwrap().as_array().unwrap() {
                let schema = with_draft(&group["schema"], draft);
                let name = group["description"].as_str().unwrap();
                for test in group["tests"].as_array().unwrap() {
                    match verdict(&schema, &test["data"]) {
                        None => refused += 1,
                        Some(found) if test["valid"] == found => judged += 1,
                        Some(_) if DEPARTURES.contains(&name) => departed.push(name.to_owned()),
                        Some(found) => wrong.push(format!(
                            "{} {name}: {} is {found}: {schema}",
                            path.display(),
                            test["description"]
                        )),
                    }
                }
            }
        }
    }
    println!("test suite: {judged} right, {refused} refused");
    assert!(DEPARTURES.iter().all(|d| departed.iter().any(|name| name == d)), "only {departed:?} departed");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// The files of one draft, optional ones left out.
fn find(data: &Path, draft: &str) -> std::io::Result<Vec<std::path::PathBuf>> {
    let folder = [data.join(draft), data.join("tests").join(draft)].into_iter().find(|f| f.is_dir());
    let folder = folder.ok_or(std::io::ErrorKind::NotFound)?;
    let paths =
        std::fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<std::io::Result<Vec<_>>>()?;
    Ok(paths.into_iter().filter(|p| p.extension().is_some_and(|e| e == "json")).collect())
}

/// The draft-7 suite does not declare its draft.
fn with_draft(schema: &Value, draft: &str) -> Value {
    match schema {
        Value::Object(map) if draft == "draft7" && !map.contains_key("$schema") => {
            let mut map = map.clone();
            map.insert("$schema".to_owned(), "http://json-schema.org/draft-07/schema#".into());
            Value::Object(map)
        }
        other => other.clone(),
    }
}

/// Files of MaskBench that declare draft 4 and are judged by it: `if` is no keyword there, and `1.0` no integer.
const OLDER: [&str; 3] =
    ["Github_medium---o3385.json", "Github_medium---o39097.json", "Github_trivial---o14485.json"];

#[test]
fn maskbench() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/maskbench");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("SKIPPED: no schemas at {}", folder.display());
        return;
    };
    let (mut judged, mut wrong) = (0, Vec::new());
    for entry in entries {
        let path = entry.unwrap().path();
        let file: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let Ok(found) = lower(&file["schema"], &SchemaOptions::default()) else { continue };
        for test in file["tests"].as_array().into_iter().flatten() {
            judged += 1;
            let known = OLDER.iter().any(|name| path.ends_with(name));
            if test["valid"] != accepts(&found.ir, found.ir.root, &test["data"]) && !known {
                wrong.push(format!("{}: {}", path.display(), test["description"]));
            }
        }
    }
    println!("maskbench: {judged} judged");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
