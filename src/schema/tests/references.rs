use super::{SchemaOptions, assert_expressions, expression, lowered, parse};
use crate::error::ErrorKind;
use crate::ir::Node;

#[test]
fn references_that_are_not_recursive_vanish() {
    let definitions = r##""$defs":{"s":{"type":"null"},"t":{"$ref":"#/$defs/s"}}"##;
    let with = |rest: &str| format!("{{{rest},{definitions}}}");
    assert_expressions(&[
        (&with(r##""$ref":"#/$defs/t""##), "null"),
        (
            &with(r##""items":{"$ref":"#/$defs/t"},"additionalProperties":{"$ref":"#/$defs/s"}"##),
            "({*: null} & [*: null; 0..])",
        ),
        (r##"{"$ref":"#/definitions/a%20b~1c~0d","definitions":{"a b/c~d":{"type":"null"}}}"##, "null"),
        (r##"{"$ref":"#/$defs/x%2Fy","$defs":{"x":{"y":{"type":"null"}}}}"##, "null"),
        (r##"{"$ref":"#/$defs/%ED%95%9C","$defs":{"한":{"type":"null"}}}"##, "null"),
        (r##"{"prefixItems":[{"type":"null"},{"$ref":"#/prefixItems/0"}]}"##, "[null, null, *: true; 0..]"),
        (
            r##"{"$id":"http://x/y.json","$ref":"http://x/y.json#/$defs/a","$defs":{"a":{"type":"null"}}}"##,
            "null",
        ),
        (r##"{"id":"http://x/y.json#","$ref":"y.json#/$defs/a","$defs":{"a":{"type":"null"}}}"##, "null"),
        // An identifier below the root matters only to the references below it.
        (
            r##"{"properties":{"a":{"$id":"b","type":"null"},"c":{"$ref":"#/$defs/d"}},"$defs":{"d":{"$id":"#d"}}}"##,
            "{a: null, c: true, *: true}",
        ),
    ]);
}

#[test]
fn siblings_of_a_reference_apply_since_2019() {
    let schema = |draft: &str| {
        format!(
            r##"{{"$schema":"{draft}","$ref":"#/definitions/a","maxLength":3,"not":{{}},"definitions":{{"a":{{"minLength":1}}}}}}"##
        )
    };
    for old in ["http://json-schema.org/draft-04/schema#", "http://json-schema.org/draft-07/schema"] {
        assert_eq!(expression(&lowered(&schema(old))), "length 1..");
    }
    for new in ["https://json-schema.org/draft/2019-09/schema", "http://example.com/own"] {
        let new = schema(new).replace(r#""not":{},"#, "");
        assert_eq!(expression(&lowered(&new)), "length 1..=3");
    }
}

#[test]
fn recursion_is_a_cycle_of_ids() {
    assert_expressions(&[
        (r##"{"items":{"$ref":"#"}}"##, "[*: ref [*: recursion; 0..]; 0..]"),
        (
            r##"{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}}}}}"##,
            "(object & {next: (ref (object & {next: (recursion | null), *: true}) | null), *: true})",
        ),
    ]);
    // Two definitions that refer to each other: one placeholder is enough.
    let ir = lowered(
        r##"{"$ref":"#/$defs/a","$defs":{"a":{"properties":{"b":{"$ref":"#/$defs/b"}}},"b":{"items":{"$ref":"#/$defs/a"}}}}"##,
    );
    assert_eq!(ir.nodes.iter().filter(|n| matches!(n, Node::Ref(_))).count(), 1, "{ir:?}");
}

#[test]
fn references_that_lead_nowhere() {
    for (schema, pointer, message) in [
        (r##"{"items":{"$ref":"#/$defs/a"}}"##, "/items/$ref", "nothing is there"),
        (r##"{"$ref":"#/$defs/01","$defs":[1,2]}"##, "/$ref", "nothing is there"),
        (r##"{"$ref":"other.json#/a"}"##, "/$ref", "another document"),
        (r##"{"$ref":"http://json-schema.org/draft-07/schema#"}"##, "/$ref", "another document"),
        (r##"{"$ref":"#/%zz"}"##, "/$ref", "percent-encoded"),
        (r##"{"$ref":"#/%ff"}"##, "/$ref", "percent-encoded"),
        (
            r##"{"properties":{"a":{"$id":"b","items":{"$ref":"#/$defs/d"}}},"$defs":{"d":{}}}"##,
            "/properties/a/items/$ref",
            "identifier of a subschema",
        ),
    ] {
        let e = parse(schema, &SchemaOptions::default()).unwrap_err();
        let found = (e.kind(), e.pointer(), e.message().contains(message));
        assert_eq!(found, (ErrorKind::UnresolvedReference, Some(pointer), true), "{schema}: {e}");
    }
    let e = parse(r##"{"$ref":"#/title","title":"t"}"##, &SchemaOptions::default()).unwrap_err();
    assert_eq!((e.kind(), e.pointer()), (ErrorKind::InvalidSchema, Some("/title")));
    // Where nothing reaches it, it does not matter.
    lowered(r##"{"$defs":{"a":{"$ref":"gone"}},"type":"string","items":{"$ref":"gone"}}"##);
}

#[test]
fn circles_without_progress_are_named() {
    for (schema, chain) in [
        (r##"{"$ref":"#"}"##, "(# → #)"),
        (r##"{"anyOf":[true,{"$ref":"#"}]}"##, "(# → #)"),
        (
            r##"{"items":{"$ref":"#/$defs/a"},"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"}]},"b":{"type":"string","$ref":"#/$defs/a"}}}"##,
            "(#/$defs/a → #/$defs/b → #/$defs/a)",
        ),
        (r##"{"anyOf":[{"$ref":"#/anyOf/1"},{"$ref":"#/anyOf/0"}]}"##, "(#/anyOf/1 → #/anyOf/0 → #/anyOf/1)"),
        // Guarded on the way there the first time, but not the second.
        (
            r##"{"properties":{"p":{"$ref":"#/$defs/y"}},"anyOf":[{"$ref":"#/$defs/y"}],"$defs":{"y":{"anyOf":[{"$ref":"#"},{"type":"null"}]}}}"##,
            "(# → #/$defs/y → #)",
        ),
    ] {
        let e = parse(schema, &SchemaOptions::default()).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::UnresolvedReference, "{schema}: {e}");
        assert!(e.message().contains(chain), "{schema}: {e}");
    }
}
