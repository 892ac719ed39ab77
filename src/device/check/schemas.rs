//! Schemas: those of `examples/`, which the crate carries so that one file is enough on a GPU machine, and random
//! ones.

use serde_json::{Map, Value, json};

use super::random::Random;

const EXAMPLES: [(&str, &str); 14] = [
    ("calendar_event", include_str!("../../../examples/schemas/calendar_event.json")),
    ("contact", include_str!("../../../examples/schemas/contact.json")),
    ("content_compliance", include_str!("../../../examples/schemas/content_compliance.json")),
    ("entities", include_str!("../../../examples/schemas/entities.json")),
    ("get_delivery_date", include_str!("../../../examples/schemas/get_delivery_date.json")),
    ("get_weather", include_str!("../../../examples/schemas/get_weather.json")),
    ("item", include_str!("../../../examples/schemas/item.json")),
    ("linked_list", include_str!("../../../examples/schemas/linked_list.json")),
    ("math_reasoning", include_str!("../../../examples/schemas/math_reasoning.json")),
    ("math_reasoning_defs", include_str!("../../../examples/schemas/math_reasoning_defs.json")),
    ("meeting_notes", include_str!("../../../examples/schemas/meeting_notes.json")),
    ("research_paper", include_str!("../../../examples/schemas/research_paper.json")),
    ("temperatures", include_str!("../../../examples/schemas/temperatures.json")),
    ("ui", include_str!("../../../examples/schemas/ui.json")),
];

/// The schemas of `examples/schemas`.
///
/// # Panics
/// If one is not JSON.
pub fn examples() -> Vec<Value> {
    EXAMPLES.iter().map(|(name, text)| serde_json::from_str(text).expect(name)).collect()
}

/// A small schema; one in a few has no instance.
pub fn random(random: &mut Random) -> Value {
    let depth = 1 + random.below(3);
    let mut root = node(random, depth);
    if let Some(map) = root.as_object_mut() {
        map.insert("$defs".into(), json!({ "d": node(random, 1) }));
    }
    root
}

fn node(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 8 } else { 16 }) {
        0..=2 => string(random),
        3 => match random.below(4) {
            0 => json!({"type": "integer"}),
            1 => json!({"type": "integer", "minimum": random.below(4), "maximum": 3 + random.below(300)}),
            2 => json!({"type": "number", "exclusiveMinimum": random.below(3), "maximum": 20}),
            _ => json!({"type": "number"}),
        },
        4 => json!({"enum": ["a", "ab", 12, null, true, [1], {"a": 1, "b": "b"}, "name", "日本"]}),
        5 => json!({"type": ["boolean", "null", "string"], "maxLength": random.below(9)}),
        6 => json!({"$ref": random.pick(&["#/$defs/d", "#"])}),
        7 => json!({}),
        8..=10 => array(random, depth - 1),
        11..=14 => object(random, depth - 1),
        _ => {
            let all: Vec<Value> = (0..2 + random.below(2)).map(|_| node(random, depth - 1)).collect();
            json!({ "anyOf": all })
        }
    }
}

fn string(random: &mut Random) -> Value {
    let mut schema = json!({"type": "string"});
    match random.below(6) {
        0 => schema["pattern"] = random.pick(&["^a*b?$", "^(ab|b)+$", "a", "^[abc]{2,3}$", "^(aa)*$"]).into(),
        1 => schema["format"] = random.pick(&["date", "uuid", "ipv4", "email", "date-time"]).into(),
        _ => {}
    }
    if random.chance(30) {
        schema["minLength"] = random.below(5).into();
    }
    if random.chance(40) {
        schema["maxLength"] = (4 + random.below(70)).into();
    }
    schema
}

fn array(random: &mut Random, depth: usize) -> Value {
    let mut schema = json!({"type": "array", "items": node(random, depth)});
    if random.chance(30) {
        schema["prefixItems"] = json!([node(random, depth)]);
    }
    if random.chance(30) {
        schema["minItems"] = random.below(3).into();
    }
    if random.chance(40) {
        schema["maxItems"] = (2 + random.below(3)).into();
    }
    schema
}

fn object(random: &mut Random, depth: usize) -> Value {
    const NAMES: [&str; 6] = ["a", "b", "ab", "name", "日本", "value"];
    let mut properties = Map::new();
    for _ in 0..random.below(5) {
        properties.insert(random.pick(&NAMES).into(), node(random, depth));
    }
    let required: Vec<&str> =
        NAMES.into_iter().filter(|&n| properties.contains_key(n) && random.chance(50)).collect();
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    match random.below(4) {
        0 | 1 => schema["additionalProperties"] = false.into(),
        2 => schema["additionalProperties"] = node(random, depth),
        _ => {}
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_examples_are_carried() {
        let there = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/schemas")).unwrap();
        let mut there: Vec<String> =
            there.map(|e| e.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect();
        there.sort();
        assert_eq!(there, EXAMPLES.map(|(name, _)| name));
        assert_eq!(examples().len(), EXAMPLES.len());
    }
}
