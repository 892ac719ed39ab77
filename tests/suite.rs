//! The JSON Schema Test Suite: every group that compiles accepts exactly the instances it should.
//!
//! An instance is written with Python's separators, once as it is for free key order, and in the order of
//! its schema (`reorder`) for the fixed one. Groups that are refused are counted by keyword:
//! `cargo test --test suite -- --nocapture`.

mod common;
#[path = "common/reorder.rs"]
mod reorder;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use common::{accepts, compile_with, data, dumps};
use serde_json::Value;
use warpgrammar::automaton::{KeyOrder, Options};
use warpgrammar::schema::SchemaOptions;

/// Files of `optional/format` for the formats that are enforced.
const FORMATS: [&str; 20] = [
    "date-time",
    "date",
    "duration",
    "email",
    "hostname",
    "idn-email",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "regex",
    "relative-json-pointer",
    "time",
    "unknown",
    "uri",
    "uri-reference",
    "uri-template",
    "uuid",
];

/// Valid instances that are not accepted, `draft/file: group: instance`, by reason.
const NOT_ACCEPTED: &[(&str, &[&str])] = &[
    (
        "An integer is written without a point.",
        &[
            "draft2020-12/const: const with 0 does not match other zero-like types: float zero is valid",
            "draft2020-12/const: const with 1 does not match true: float one is valid",
            "draft2020-12/const: float and integers are equal up to 64-bit representation limits: float is valid",
            "draft2020-12/enum: enum with 0 does not match false: float zero is valid",
            "draft2020-12/enum: enum with 1 does not match true: float one is valid",
            "draft2020-12/enum: enum with [0] does not match [false]: [0.0] is valid",
            "draft2020-12/enum: enum with [1] does not match [true]: [1.0] is valid",
            "draft2020-12/type: integer type matches integers: a float with zero fractional part is an integer",
            "draft7/const: const with 0 does not match other zero-like types: float zero is valid",
            "draft7/const: const with 1 does not match true: float one is valid",
            "draft7/const: float and integers are equal up to 64-bit representation limits: float is valid",
            "draft7/enum: enum with 0 does not match false: float zero is valid",
            "draft7/enum: enum with 1 does not match true: float one is valid",
            "draft7/enum: enum with [0] does not match [false]: [0.0] is valid",
            "draft7/enum: enum with [1] does not match [true]: [1.0] is valid",
            "draft7/type: integer type matches integers: a float with zero fractional part is an integer",
        ],
    ),
    (
        "A format is asserted, not an annotation.",
        &[
            "draft2020-12/format: date format: invalid date string is only an annotation by default",
            "draft2020-12/format: date-time format: invalid date-time string is only an annotation by default",
            "draft2020-12/format: duration format: invalid duration string is only an annotation by default",
            "draft2020-12/format: email format: invalid email string is only an annotation by default",
            "draft2020-12/format: hostname format: invalid hostname string is only an annotation by default",
            "draft2020-12/format: idn-email format: invalid idn-email string is only an annotation by default",
            "draft2020-12/format: idn-hostname format: invalid idn-hostname string is only an annotation by default",
            "draft2020-12/format: iri format: invalid iri string is only an annotation by default",
            "draft2020-12/format: iri-reference format: invalid iri-reference string is only an annotation by default",
            "draft2020-12/format: json-pointer format: invalid json-pointer string is only an annotation by default",
            "draft2020-12/format: regex format: invalid regex string is only an annotation by default",
            "draft2020-12/format: relative-json-pointer format: invalid relative-json-pointer string is only an annotation by default",
            "draft2020-12/format: uri format: invalid uri string is only an annotation by default",
            "draft2020-12/format: uri-reference format: invalid uri-reference string is only an annotation by default",
            "draft2020-12/format: uri-template format: invalid uri-template string is only an annotation by default",
            "draft2020-12/format: ipv4 format: invalid ipv4 string is only an annotation by default",
            "draft2020-12/format: ipv6 format: invalid ipv6 string is only an annotation by default",
            "draft2020-12/format: time format: invalid time string is only an annotation by default",
            "draft2020-12/format: uuid format: invalid uuid string is only an annotation by default",
        ],
    ),
    (
        "Hostnames are ASCII letters, digits and hyphens; what `xn--` encodes is not looked at, so none is written.",
        &[
            "draft2020-12/optional/format/hostname: validation of A-label (punycode) host names: Arabic-Indic digits not mixed with Extended Arabic-Indic digits",
            "draft2020-12/optional/format/hostname: validation of A-label (punycode) host names: Exceptions that are PVALID, left-to-right chars",
            "draft2020-12/optional/format/hostname: validation of A-label (punycode) host names: Exceptions that are PVALID, right-to-left chars",
            "draft2020-12/optional/format/hostname: validation of A-label (punycode) host names: Extended Arabic-Indic digits not mixed with Arabic-Indic digits",
            "draft2020-12/optional/format/hostname: validation of A-label (punycode) host names: Greek KERAIA followed by Greek",
            "draft2020-12/optional/format/hostname: validation of A-label (punycode) host names: Hebrew GERESH preceded by Hebrew",
            "draft2020-12/optional/format/hostname: validation of A-label (punycode) host names: Hebrew GERSHAYIM preceded by Hebrew",
            "draft2020-12/optional/format/hostname: validation of A-label (punycode) host names: KATAKANA MIDDLE DOT with Han",
            "draft2020-12/optional/format/hostname: validation of A-label (punycode) host names: KATAKANA MIDDLE DOT with Hiragana",
            "draft2020-12/optional/format/hostname: validation of A-label (punycode) host names: KATAKANA MIDDLE DOT with Katakana",
            "draft2020-12/optional/format/hostname: validation of A-label (punycode) host names: MIDDLE DOT with surrounding 'l's",
            "draft2020-12/optional/format/hostname: validation of A-label (punycode) host names: ZERO WIDTH JOINER preceded by Virama",
            "draft2020-12/optional/format/hostname: validation of A-label (punycode) host names: ZERO WIDTH NON-JOINER not preceded by Virama but matches regexp",
            "draft2020-12/optional/format/hostname: validation of A-label (punycode) host names: ZERO WIDTH NON-JOINER preceded by Virama",
            "draft2020-12/optional/format/hostname: validation of A-label (punycode) host names: a valid host name (example.test in Hangul)",
            "draft7/optional/format/hostname: validation of A-label (punycode) host names: Arabic-Indic digits not mixed with Extended Arabic-Indic digits",
            "draft7/optional/format/hostname: validation of A-label (punycode) host names: Exceptions that are PVALID, left-to-right chars",
            "draft7/optional/format/hostname: validation of A-label (punycode) host names: Exceptions that are PVALID, right-to-left chars",
            "draft7/optional/format/hostname: validation of A-label (punycode) host names: Extended Arabic-Indic digits not mixed with Arabic-Indic digits",
            "draft7/optional/format/hostname: validation of A-label (punycode) host names: Greek KERAIA followed by Greek",
            "draft7/optional/format/hostname: validation of A-label (punycode) host names: Hebrew GERESH preceded by Hebrew",
            "draft7/optional/format/hostname: validation of A-label (punycode) host names: Hebrew GERSHAYIM preceded by Hebrew",
            "draft7/optional/format/hostname: validation of A-label (punycode) host names: KATAKANA MIDDLE DOT with Han",
            "draft7/optional/format/hostname: validation of A-label (punycode) host names: KATAKANA MIDDLE DOT with Hiragana",
            "draft7/optional/format/hostname: validation of A-label (punycode) host names: KATAKANA MIDDLE DOT with Katakana",
            "draft7/optional/format/hostname: validation of A-label (punycode) host names: MIDDLE DOT with surrounding 'l's",
            "draft7/optional/format/hostname: validation of A-label (punycode) host names: ZERO WIDTH JOINER preceded by Virama",
            "draft7/optional/format/hostname: validation of A-label (punycode) host names: ZERO WIDTH NON-JOINER not preceded by Virama but matches regexp",
            "draft7/optional/format/hostname: validation of A-label (punycode) host names: ZERO WIDTH NON-JOINER preceded by Virama",
            "draft7/optional/format/hostname: validation of A-label (punycode) host names: a valid host name (example.test in Hangul)",
        ],
    ),
    (
        "Internationalised names are written in a few scripts only, without the rules of context, in short labels.",
        &[
            "draft2020-12/optional/format/idn-hostname: validation of internationalized host names: Arabic-Indic digits not mixed with Extended Arabic-Indic digits",
            "draft2020-12/optional/format/idn-hostname: validation of internationalized host names: Exceptions that are PVALID, left-to-right chars",
            "draft2020-12/optional/format/idn-hostname: validation of internationalized host names: Exceptions that are PVALID, right-to-left chars",
            "draft2020-12/optional/format/idn-hostname: validation of internationalized host names: Extended Arabic-Indic digits not mixed with Arabic-Indic digits",
            "draft2020-12/optional/format/idn-hostname: validation of internationalized host names: Greek KERAIA followed by Greek",
            "draft2020-12/optional/format/idn-hostname: validation of internationalized host names: Hebrew GERESH preceded by Hebrew",
            "draft2020-12/optional/format/idn-hostname: validation of internationalized host names: Hebrew GERSHAYIM preceded by Hebrew",
            "draft2020-12/optional/format/idn-hostname: validation of internationalized host names: KATAKANA MIDDLE DOT with Han",
            "draft2020-12/optional/format/idn-hostname: validation of internationalized host names: KATAKANA MIDDLE DOT with Hiragana",
            "draft2020-12/optional/format/idn-hostname: validation of internationalized host names: KATAKANA MIDDLE DOT with Katakana",
            "draft2020-12/optional/format/idn-hostname: validation of internationalized host names: MIDDLE DOT with surrounding 'l's",
            "draft2020-12/optional/format/idn-hostname: validation of internationalized host names: ZERO WIDTH JOINER preceded by Virama",
            "draft2020-12/optional/format/idn-hostname: validation of internationalized host names: ZERO WIDTH NON-JOINER not preceded by Virama but matches regexp",
            "draft2020-12/optional/format/idn-hostname: validation of internationalized host names: ZERO WIDTH NON-JOINER preceded by Virama",
            "draft2020-12/optional/format/idn-hostname: validation of internationalized host names: valid Chinese Punycode",
            "draft2020-12/optional/format/idn-hostname: validation of separators in internationalized host names: fullwidth full stop as label separator",
            "draft2020-12/optional/format/idn-hostname: validation of separators in internationalized host names: halfwidth ideographic full stop as label separator",
            "draft2020-12/optional/format/idn-hostname: validation of separators in internationalized host names: ideographic full stop as label separator",
            "draft2020-12/optional/format/idn-hostname: validation of separators in internationalized host names: label too long if separator ignored (full stop)",
            "draft2020-12/optional/format/idn-hostname: validation of separators in internationalized host names: label too long if separator ignored (fullwidth full stop)",
            "draft2020-12/optional/format/idn-hostname: validation of separators in internationalized host names: label too long if separator ignored (halfwidth ideographic full stop)",
            "draft2020-12/optional/format/idn-hostname: validation of separators in internationalized host names: label too long if separator ignored (ideographic full stop)",
            "draft7/optional/format/idn-hostname: validation of internationalized host names: Arabic-Indic digits not mixed with Extended Arabic-Indic digits",
            "draft7/optional/format/idn-hostname: validation of internationalized host names: Exceptions that are PVALID, left-to-right chars",
            "draft7/optional/format/idn-hostname: validation of internationalized host names: Exceptions that are PVALID, right-to-left chars",
            "draft7/optional/format/idn-hostname: validation of internationalized host names: Extended Arabic-Indic digits not mixed with Arabic-Indic digits",
            "draft7/optional/format/idn-hostname: validation of internationalized host names: Greek KERAIA followed by Greek",
            "draft7/optional/format/idn-hostname: validation of internationalized host names: Hebrew GERESH preceded by Hebrew",
            "draft7/optional/format/idn-hostname: validation of internationalized host names: Hebrew GERSHAYIM preceded by Hebrew",
            "draft7/optional/format/idn-hostname: validation of internationalized host names: KATAKANA MIDDLE DOT with Han",
            "draft7/optional/format/idn-hostname: validation of internationalized host names: KATAKANA MIDDLE DOT with Hiragana",
            "draft7/optional/format/idn-hostname: validation of internationalized host names: KATAKANA MIDDLE DOT with Katakana",
            "draft7/optional/format/idn-hostname: validation of internationalized host names: MIDDLE DOT with surrounding 'l's",
            "draft7/optional/format/idn-hostname: validation of internationalized host names: ZERO WIDTH JOINER preceded by Virama",
            "draft7/optional/format/idn-hostname: validation of internationalized host names: ZERO WIDTH NON-JOINER not preceded by Virama but matches regexp",
            "draft7/optional/format/idn-hostname: validation of internationalized host names: ZERO WIDTH NON-JOINER preceded by Virama",
            "draft7/optional/format/idn-hostname: validation of internationalized host names: valid Chinese Punycode",
            "draft7/optional/format/idn-hostname: validation of separators in internationalized host names: fullwidth full stop as label separator",
            "draft7/optional/format/idn-hostname: validation of separators in internationalized host names: halfwidth ideographic full stop as label separator",
            "draft7/optional/format/idn-hostname: validation of separators in internationalized host names: ideographic full stop as label separator",
            "draft7/optional/format/idn-hostname: validation of separators in internationalized host names: label too long if separator ignored (full stop)",
            "draft7/optional/format/idn-hostname: validation of separators in internationalized host names: label too long if separator ignored (fullwidth full stop)",
            "draft7/optional/format/idn-hostname: validation of separators in internationalized host names: label too long if separator ignored (halfwidth ideographic full stop)",
            "draft7/optional/format/idn-hostname: validation of separators in internationalized host names: label too long if separator ignored (ideographic full stop)",
        ],
    ),
    (
        "Internationalised addresses are written without quotes, controls, noncharacters and decomposed letters.",
        &[
            "draft2020-12/optional/format/idn-email: validation of an internationalized e-mail addresses: a C1 control in the local part is valid",
            "draft2020-12/optional/format/idn-email: validation of an internationalized e-mail addresses: a domain label that is not in Unicode NFC is valid",
            "draft2020-12/optional/format/idn-email: validation of an internationalized e-mail addresses: a non-ASCII quoted local part is valid",
            "draft2020-12/optional/format/idn-email: validation of an internationalized e-mail addresses: a noncharacter in the local part is valid",
            "draft7/optional/format/idn-email: validation of an internationalized e-mail addresses: a C1 control in the local part is valid",
            "draft7/optional/format/idn-email: validation of an internationalized e-mail addresses: a domain label that is not in Unicode NFC is valid",
            "draft7/optional/format/idn-email: validation of an internationalized e-mail addresses: a non-ASCII quoted local part is valid",
            "draft7/optional/format/idn-email: validation of an internationalized e-mail addresses: a noncharacter in the local part is valid",
        ],
    ),
    (
        "Meta-schemas are not read: every keyword is enforced.",
        &[
            "draft2020-12/vocabulary: schema that uses custom metaschema with with no validation vocabulary: no validation: invalid number, but it still validates",
        ],
    ),
];

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .expect("a readable folder")
        .map(|e| e.expect("a readable entry").path())
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .collect();
    found.sort();
    found
}

/// The schema with its draft declared, which the files leave to the folder.
fn declared(schema: &Value, draft: &str) -> Value {
    let uri = match draft {
        "draft7" => "http://json-schema.org/draft-07/schema#",
        _ => "https://json-schema.org/draft/2020-12/schema",
    };
    let mut schema = schema.clone();
    if let Some(map) = schema.as_object_mut()
        && !map.contains_key("$schema")
    {
        map.insert("$schema".into(), uri.into());
    }
    schema
}

#[derive(Default)]
struct Tally {
    compiled: usize,
    instances: usize,
    refused: BTreeMap<String, usize>,
    /// Invalid instances accepted.
    wrong: Vec<String>,
    /// Valid instances not accepted.
    missed: BTreeSet<String>,
    /// By draft, instances of the tests that every validator must pass: judged right in the schema's order, and all.
    required: BTreeMap<String, (usize, usize)>,
}

/// The documents that the suite serves at localhost, by that URI.
fn remotes() -> SchemaOptions {
    let mut options = SchemaOptions::default();
    let Some(root) = data("json-schema-test-suite/remotes") else { return options };
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for path in files(&folder) {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
            let text = std::fs::read_to_string(&path).expect("a file");
            let document = serde_json::from_str(&text).expect("JSON");
            options.documents.insert(format!("http://localhost:1234/{name}"), Arc::new(document));
        }
        let entries = std::fs::read_dir(&folder).expect("a folder").map(|e| e.expect("an entry").path());
        folders.extend(entries.filter(|p| p.is_dir()));
    }
    options
}

fn judge(label: &str, group: &Value, draft: &str, read: &SchemaOptions, tally: &mut Tally) {
    let required = !label.contains("/optional/");
    if required {
        // Those of a group that does not compile are wrong.
        tally.required.entry(draft.to_owned()).or_default().1 +=
            group["tests"].as_array().expect("tests").len();
    }
    let schema = declared(&group["schema"], draft);
    let fixed = Options::default();
    let free = Options { key_order: KeyOrder::Any, ..Options::default() };
    let (g, any) = match (compile_with(&schema, &fixed, read), compile_with(&schema, &free, read)) {
        (Ok(g), Ok(any)) => (g, Some(any)),
        // What free key order cannot decide is refused by name.
        (Ok(g), Err(e)) if e.kind() == warpgrammar::ErrorKind::UnsupportedKeyword => {
            *tally.refused.entry("only with free key order".to_owned()).or_default() += 1;
            (g, None)
        }
        (Err(a), Err(b)) => {
            assert_eq!(a.kind(), b.kind(), "{label}");
            // An unsatisfiable schema has no valid instance.
            if a.kind() == warpgrammar::ErrorKind::Unsatisfiable {
                for test in group["tests"].as_array().unwrap().iter().filter(|t| t["valid"] == true) {
                    tally.wrong.push(format!("{label}: unsatisfiable, but {} is valid", test["data"]));
                }
            }
            let keyword = a.pointer().and_then(|p| p.rsplit('/').next()).unwrap_or("-");
            if a.kind() == warpgrammar::ErrorKind::UnresolvedReference {
                eprintln!("{label}: {a}");
            }
            *tally.refused.entry(format!("{}: {keyword}", a.kind().as_str())).or_default() += 1;
            return;
        }
        (a, b) => panic!("{label}: only one key order compiles: {:?} {:?}", a.err(), b.err()),
    };
    tally.compiled += 1;
    for test in group["tests"].as_array().expect("tests") {
        tally.instances += 1;
        let (instance, valid) = (&test["data"], test["valid"] == true);
        let label = format!("{label}: {}", test["description"].as_str().unwrap());
        let in_order = reorder::orders(&schema, instance);
        let fixed = in_order.iter().any(|v| accepts(&g, &dumps(v)).is_ok());
        let free = any.as_ref().map_or(fixed, |any| accepts(any, &dumps(instance)).is_ok());
        if required && fixed == valid {
            tally.required.get_mut(draft).expect("counted above").0 += 1;
        }
        if !valid && (fixed || free) {
            tally
                .wrong
                .push(format!("{label}: accepted {instance} (in order {fixed}, free {free}) for {schema}"));
        }
        if valid && !(fixed && free) {
            eprintln!("missed (in order {fixed}, free {free}): {label}: {instance} for {schema}");
            tally.missed.insert(label);
        }
    }
}

#[test]
fn groups_that_compile_accept_exactly_the_valid_instances() {
    let Some(folder) = data("json-schema-test-suite/tests") else { return };
    let (mut tally, read) = (Tally::default(), remotes());
    for draft in ["draft7", "draft2020-12"] {
        let mut all = files(&folder.join(draft));
        // Beside the formats, `optional` holds behaviour that a validator may choose.
        let formats = folder.join(draft).join("optional/format");
        all.extend(FORMATS.iter().map(|f| formats.join(format!("{f}.json"))).filter(|p| p.exists()));
        for path in all {
            let groups: Value =
                serde_json::from_str(&std::fs::read_to_string(&path).expect("a file")).expect("JSON");
            let file = path.strip_prefix(&folder).unwrap().with_extension("");
            for group in groups.as_array().expect("groups") {
                let name = group["description"].as_str().unwrap();
                judge(&format!("{}: {name}", file.display()), group, draft, &read, &mut tally);
            }
        }
    }
    println!("{} groups compiled, {} instances judged", tally.compiled, tally.instances);
    for (keyword, count) in &tally.refused {
        println!("{count:6}  {keyword}");
    }
    for (draft, (right, all)) in &tally.required {
        println!("{draft}, required: {right} of {all} right, {:.1} %", 100.0 * *right as f64 / *all as f64);
    }
    let least = [("draft2020-12", 85), ("draft7", 90)];
    for (draft, percent) in least {
        let (right, all) = tally.required[draft];
        assert!(100 * right >= percent * all, "{draft}: {right} of {all}, less than {percent} %");
    }
    assert!(tally.compiled > 480, "only {} groups compiled", tally.compiled);
    assert!(tally.wrong.is_empty(), "{} instances wrong:\n{}", tally.wrong.len(), tally.wrong.join("\n"));
    let expected: BTreeSet<String> = NOT_ACCEPTED.iter().flat_map(|e| e.1).map(|&l| l.to_owned()).collect();
    let new: Vec<_> = tally.missed.difference(&expected).collect();
    assert!(new.is_empty(), "{} valid instances not accepted: {new:#?}", new.len());
    let passing: Vec<_> = expected.difference(&tally.missed).collect();
    assert!(passing.is_empty(), "accepted now, take off the list: {passing:#?}");
}
