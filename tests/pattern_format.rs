//! String formats against the JSON-Schema-Test-Suite and a validator.

use std::path::PathBuf;
use std::time::Instant;

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};
use warpgrammar::pattern::{ByteDfa, canonical_any, canonical_spelling, format, product};

const FORMATS: [&str; 19] = [
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "idn-email",
    "hostname",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "uuid",
    "uri",
    "uri-reference",
    "iri",
    "iri-reference",
    "uri-template",
    "json-pointer",
    "relative-json-pointer",
    "regex",
];

/// Valid strings that we do not write, and why.
const DEPARTURES: &[(&str, &str, &str)] = &[
    ("hostname", "xn--", "Punycode is not checked, so `xn--` labels are left out"),
    ("idn-hostname", "xn--", "the same"),
    ("idn-hostname", "", "other scripts, their rules of context, longer labels and other full stops"),
    ("idn-email", "", "quotes around other than ASCII, decomposed letters, controls and noncharacters"),
];

fn validator(name: &str) -> Validator {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .build(&json!({ "type": "string", "format": name }))
        .unwrap()
}

/// The test suite's folder, if there is one.
fn suite() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/json-schema-test-suite");
    let root = std::env::var_os("JSON_SCHEMA_TEST_SUITE").map_or(beside, PathBuf::from).join("tests");
    if root.is_dir() {
        return Some(root);
    }
    eprintln!("SKIPPED: no JSON-Schema-Test-Suite at {}; set JSON_SCHEMA_TEST_SUITE", root.display());
    None
}

#[test]
fn test_suite_verdicts() {
    let Some(root) = suite() else { return };
    let mut departed = vec![0; DEPARTURES.len()];
    let (mut cases, mut files) = (0, 0);
    for draft in ["draft2020-12", "draft7"] {
        for name in FORMATS {
            let Ok(text) =
                std::fs::read_to_string(root.join(draft).join(format!("optional/format/{name}.json")))
            else {
                assert!(draft == "draft7", "{draft} has no {name}");
                continue;
            };
            files += 1;
            let groups: Value = serde_json::from_str(&text).unwrap();
            let tests = groups.as_array().unwrap().iter().flat_map(|g| g["tests"].as_array().unwrap());
            let dfa = format(name).unwrap();
            for test in tests {
                let (Some(data), Some(valid)) = (test["data"].as_str(), test["valid"].as_bool()) else {
                    continue;
                };
                cases += 1;
                let accepted = dfa.accepts(&canonical_spelling(data));
                let departure = DEPARTURES.iter().position(|(f, part, _)| *f == name && data.contains(part));
                match departure {
                    Some(i) if valid && !accepted => departed[i] += 1,
                    _ => assert_eq!(accepted, valid, "{draft} {name} {data:?}: {}", test["description"]),
                }
            }
        }
    }
    eprintln!("{cases} cases in {files} files; departures: {departed:?}");
    assert!(departed.iter().all(|&n| n > 0), "a departure no longer departs: {departed:?}");
}

/// A small deterministic generator (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }
}

/// Random walks through states, choosing targets and bytes, that stop at random in accepting states.
fn sample(dfa: &ByteDfa, random: &mut Random, stop: usize) -> Vec<u8> {
    let (mut state, mut text) = (dfa.start, Vec::new());
    loop {
        let edges: Vec<u8> = (0..=255).filter(|&b| dfa.next(state, b) != 0).collect();
        if dfa.accepting[state as usize] && (edges.is_empty() || random.below(stop) == 0) {
            return text;
        }
        // First a target, then a byte to it: rare edges are taken as often as common ones.
        let mut targets: Vec<u32> = edges.iter().map(|&b| dfa.next(state, b)).collect();
        targets.dedup();
        let to = targets[random.below(targets.len())];
        let bytes: Vec<u8> = edges.into_iter().filter(|&b| dfa.next(state, b) == to).collect();
        text.push(bytes[random.below(bytes.len())]);
        state = to;
    }
}

#[test]
fn samples_are_valid() {
    for name in FORMATS {
        let begun = Instant::now();
        let dfa = format(name).unwrap();
        eprintln!("{name:10} {:5} states {:3} classes {:9.3?}", dfa.len() - 1, dfa.stride, begun.elapsed());
        assert!(product(&dfa, &canonical_any(), |a, any| a && !any).is_empty());
        let validator = validator(name);
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for i in 0..if dfa.len() > 1000 { 2_000 } else { 10_000 } {
            let spelled = sample(&dfa, &mut random, if i % 2 == 0 { 8 } else { 200 });
            let text = format!("\"{}\"", String::from_utf8(spelled).unwrap());
            let value: Value = serde_json::from_str(&text).unwrap();
            assert!(validator.is_valid(&value), "{name}: {text}");
        }
    }
}

/// Every year, and every day number in it, against the validator.
#[test]
fn every_day_of_ten_thousand_years() {
    let (dfa, oracle) = (format("date").unwrap(), validator("date"));
    for year in (0..10_000).filter(|y| y % 7 == 0 || y % 4 == 0 || y % 100 < 2) {
        for (month, day) in [(2, 28), (2, 29), (2, 30), (12, 31), (11, 31), (0, 1), (13, 1), (1, 0), (4, 30)]
        {
            let text = format!("{year:04}-{month:02}-{day:02}");
            assert_eq!(dfa.accepts(text.as_bytes()), oracle.is_valid(&json!(text)), "{text}");
        }
    }
}

/// Mutations of valid strings: whatever we accept, the validator accepts; where we promise to be exact, the
/// other way round too.
#[test]
fn mutations_agree() {
    for name in FORMATS {
        let (dfa, oracle) = (format(name).unwrap(), validator(name));
        // The validator's digit check lets `/` and its neighbours pass for digits in dates and times.
        let exact = !matches!(
            name,
            "date" | "time" | "date-time" | "hostname" | "email" | "idn-hostname" | "idn-email" | "regex"
        );
        let mut random = Random(42);
        for _ in 0..20_000 {
            let mut text = sample(&dfa, &mut random, 20);
            for _ in 0..1 + random.below(2) {
                let at = random.below(text.len() + 1);
                let byte = b"0123456789abfTZPYMWDHS:.-+/@[]\" "[random.below(32)];
                match random.below(3) {
                    0 => text.insert(at, byte),
                    1 if at < text.len() => text[at] = byte,
                    _ if at < text.len() => drop(text.remove(at)),
                    _ => {}
                }
            }
            let json = [b"\"", &text[..], b"\""].concat();
            let Ok(value) = serde_json::from_slice::<Value>(&json) else {
                continue;
            };
            let spelled = canonical_spelling(value.as_str().unwrap());
            let (ours, theirs) = (dfa.accepts(&spelled), oracle.is_valid(&value));
            assert!(ours == theirs || (theirs && !exact), "{name}: {value} ours {ours} theirs {theirs}");
        }
    }
}

#[test]
fn leap_seconds_of_every_minute() {
    let (dfa, oracle) = (format("time").unwrap(), validator("time"));
    for local in 0..1440 {
        for offset in (0..1440).step_by(5) {
            for sign in ["+", "-"] {
                let clock = |m: i32| format!("{:02}:{:02}", m / 60, m % 60);
                let text = format!("{}:60{sign}{}", clock(local), clock(offset));
                let expected = offset % 30 == 0 && oracle.is_valid(&json!(text));
                assert_eq!(dfa.accepts(text.as_bytes()), expected, "{text}");
            }
        }
    }
}

#[test]
fn unknown_formats_are_none() {
    assert!(format("url").is_none() && format("").is_none() && format("Date").is_none());
    assert!(std::sync::Arc::ptr_eq(&format("date").unwrap(), &format("date").unwrap()));
}
