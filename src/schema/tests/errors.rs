use super::{SchemaOptions, parse};
use crate::error::ErrorKind::{self, *};

#[test]
fn errors_name_the_keyword_and_its_place() {
    let draft4 = r##"{"$schema":"http://json-schema.org/draft-04/schema#""##;
    let table: &[(&str, ErrorKind, &str, &str)] = &[
        (r#"7"#, InvalidSchema, "", "a number"),
        (r#"{"$schema":4}"#, InvalidSchema, "/$schema", "$schema"),
        (r#"{"type":7}"#, InvalidSchema, "/type", "type name"),
        (r#"{"type":[]}"#, InvalidSchema, "/type", "type name"),
        (r#"{"type":"strnig"}"#, InvalidSchema, "/type", "\"strnig\" is not a type"),
        (
            r#"{"properties":{"a":{"type":["string",{}]}}}"#,
            InvalidSchema,
            "/properties/a/type",
            "an object is not a type",
        ),
        (r#"{"type":"any"}"#, InvalidSchema, "/type", "any"),
        (r#"{"properties":[]}"#, InvalidSchema, "/properties", "object of schemas"),
        (r#"{"properties":{"a":[]}}"#, InvalidSchema, "/properties/a", "not an array"),
        (r#"{"required":"a"}"#, InvalidSchema, "/required", "list of property names"),
        (r#"{"required":["a",1]}"#, InvalidSchema, "/required", "list of property names"),
        (r#"{"properties":{"a":{"required":true}}}"#, InvalidSchema, "/properties/a/required", "list"),
        (r#"{"additionalProperties":"no"}"#, InvalidSchema, "/additionalProperties", "a string"),
        (r#"{"items":[7]}"#, InvalidSchema, "/items/0", "a number"),
        (r#"{"prefixItems":{}}"#, InvalidSchema, "/prefixItems", "list"),
        (r#"{"prefixItems":[{}],"items":[{}]}"#, InvalidSchema, "/items", "prefixItems"),
        (r#"{"minLength":-1}"#, InvalidSchema, "/minLength", "whole number"),
        (r#"{"maxItems":1.5}"#, InvalidSchema, "/maxItems", "whole number"),
        (r#"{"maxLength":"3"}"#, InvalidSchema, "/maxLength", "whole number"),
        (r#"{"minimum":"3"}"#, InvalidSchema, "/minimum", "a number"),
        (r#"{"exclusiveMaximum":null}"#, InvalidSchema, "/exclusiveMaximum", "a number"),
        (r#"{"multipleOf":0}"#, InvalidSchema, "/multipleOf", "greater than 0"),
        (r#"{"multipleOf":-2}"#, InvalidSchema, "/multipleOf", "greater than 0"),
        (r#"{"pattern":{}}"#, InvalidSchema, "/pattern", "regular expression"),
        (r#"{"format":1}"#, InvalidSchema, "/format", "name"),
        (r#"{"enum":{"a":1}}"#, InvalidSchema, "/enum", "list"),
        (r#"{"anyOf":[]}"#, InvalidSchema, "/anyOf", "at least one"),
        (r#"{"anyOf":[{},3]}"#, InvalidSchema, "/anyOf/1", "a number"),
        (r#"{"$ref":7}"#, InvalidSchema, "/$ref", "URI reference"),
        (
            r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","items":[{}]}"#,
            InvalidSchema,
            "/items",
            "prefixItems",
        ),
        (
            r#"{"$schema":"http://json-schema.org/draft-07/schema#","exclusiveMinimum":true}"#,
            InvalidSchema,
            "/exclusiveMinimum",
            "draft 4",
        ),
        (&format!(r#"{draft4},"prefixItems":[{{}}]}}"#), InvalidSchema, "/prefixItems", "2020-12"),
        (r#"{"minItems":4294967295}"#, LimitExceeded, "/minItems", "smaller"),
        (r#"{"multipleOf":1e30}"#, LimitExceeded, "/multipleOf", "2^64"),
        (r#"{"multipleOf":1e-30}"#, LimitExceeded, "/multipleOf", "12 decimals"),
        (r##"{"$ref":"#name"}"##, UnresolvedReference, "/$ref", "anchor"),
        (
            r#"{"$schema":"http://json-schema.org/draft-03/schema#","divisibleBy":2}"#,
            UnsupportedKeyword,
            "/divisibleBy",
            "later draft",
        ),
        ("{", InvalidJson, "-", "not JSON"),
        ("", InvalidJson, "-", "not JSON"),
    ];
    for (schema, kind, pointer, message) in table {
        let Err(e) = parse(schema, &SchemaOptions::default()) else { panic!("{schema} was accepted") };
        let found = (e.kind(), e.pointer().unwrap_or("-"), e.message().contains(message));
        assert_eq!(found, (*kind, *pointer, true), "{schema}: {e}");
    }
}

#[test]
fn keywords_that_are_not_enforced_are_refused_by_name() {
    for (keyword, value) in [
        ("uniqueItems", "true"),
        ("unevaluatedProperties", r#"false,"anyOf":[{"properties":{"a":{}}},{},{},{},{}]"#),
        ("unevaluatedItems", r#"false,"anyOf":[{"prefixItems":[{}]},{},{},{},{}]"#),
    ] {
        let schema = format!(r#"{{"anyOf":[{{"title":"t","{keyword}":{value}}}]}}"#);
        let Err(e) = parse(&schema, &SchemaOptions::default()) else { panic!("{schema} was accepted") };
        assert_eq!(e.kind(), UnsupportedKeyword, "{schema}");
        assert_eq!(e.pointer(), Some(format!("/anyOf/0/{keyword}").as_str()), "{schema}");
        assert!(e.message().contains(&format!("\"{keyword}\"")), "{schema}: {e}");
    }
}

#[test]
fn problems_are_reported_together() {
    let schema = r##"{"type":"objekt","not":{},"oneOf":[],"minItems":-1,"pattern":"(","required":1,"enum":3,
        "properties":{"a":{"$ref":"#/nowhere","maxLength":[]},"b":{"anyOf":[{"const":1},7,{"minimum":"x"}]}},
        "items":{"$ref":"#/$defs/d"},"additionalProperties":{"$ref":"#/$defs/d"},
        "$defs":{"d":{"type":5},"e":{"type":6}}}"##;
    let e = parse(schema, &SchemaOptions::default()).unwrap_err();
    let mut found: Vec<_> = e.problems().map(|p| (p.kind(), p.pointer().unwrap().to_owned())).collect();
    assert_eq!(found[0], (e.kind(), e.pointer().unwrap().to_owned()));
    found.sort_by(|a, b| a.1.cmp(&b.1));
    let expected = [
        (InvalidSchema, "/$defs/d/type"),
        (InvalidSchema, "/enum"),
        (InvalidSchema, "/minItems"),
        (InvalidSchema, "/oneOf"),
        (InvalidSchema, "/pattern"),
        (InvalidSchema, "/required"),
        (InvalidSchema, "/type"),
    ];
    let found: Vec<_> = found.iter().map(|(kind, pointer)| (*kind, pointer.as_str())).collect();
    assert_eq!(found, expected);
    assert!(e.to_string().ends_with(" (and 6 problems more)"), "{e}");
    // Inside subschemas, too; and no more than a screenful.
    let schema = r##"{"properties":{"a":{"$ref":"#/nowhere","maxLength":[]},"b":{"anyOf":[{"const":1},7,{"minimum":"x"}]}}}"##;
    let e = parse(schema, &SchemaOptions::default()).unwrap_err();
    let found: Vec<_> = e.problems().map(|p| p.pointer().unwrap()).collect();
    let expected = [
        "/properties/a/maxLength",
        "/properties/a/$ref",
        "/properties/b/anyOf/1",
        "/properties/b/anyOf/2/minimum",
    ];
    assert_eq!(found, expected);
    let many: Vec<String> = (0..100).map(|i| format!(r#""p{i}":{{"type":{i}}}"#)).collect();
    let e =
        parse(&format!(r#"{{"properties":{{{}}}}}"#, many.join(",")), &SchemaOptions::default()).unwrap_err();
    assert_eq!(e.problems().count(), 20);
}
