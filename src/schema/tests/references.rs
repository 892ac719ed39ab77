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
        (r##"{"$ref":"http://x/y#"}"##, "/$ref", "another document, \"http://x/y\""),
        (r##"{"$ref":"#/%zz"}"##, "/$ref", "percent-encoded"),
        (r##"{"$ref":"#/%ff"}"##, "/$ref", "percent-encoded"),
        (
            r##"{"properties":{"a":{"$id":"b","items":{"$ref":"#/$defs/d"}}},"$defs":{"d":{}}}"##,
            "/properties/a/items/$ref",
            "nothing is there",
        ),
        (r##"{"$ref":"#name","$defs":{"name":{}}}"##, "/$ref", "has that anchor"),
        (r##"{"$ref":"#a","$defs":{"b":{"$anchor":"a"},"c":{"$anchor":"a"}}}"##, "/$ref", "two schemas"),
        (r##"{"$ref":"b","$defs":{"b":{"$id":"b"},"c":{"$id":"/b"}}}"##, "/$ref", "two schemas"),
        // Names in an enum and in unknown keywords are no anchors.
        (r##"{"$ref":"#a","enum":[{"$anchor":"a"}],"x":{"$anchor":"a"}}"##, "/$ref", "has that anchor"),
        (r##"{"$recursiveRef":"#/$defs/a","$defs":{"a":{}}}"##, "/$recursiveRef", "must be \"#\""),
        (r##"{"$dynamicRef":"#a"}"##, "/$dynamicRef", "has that anchor"),
    ] {
        let e = parse(schema, &SchemaOptions::default()).unwrap_err();
        let found = (e.pointer(), e.message().contains(message));
        assert_eq!(found, (Some(pointer), true), "{schema}: {e}");
        assert!(
            matches!(e.kind(), ErrorKind::UnresolvedReference | ErrorKind::InvalidSchema),
            "{schema}: {e}"
        );
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

#[test]
fn identifiers_and_anchors_are_found() {
    assert_expressions(&[
        // Relative to the identifier above.
        (
            r##"{"$id":"http://x/a/b","$ref":"c","$defs":{"c":{"$id":"c","$ref":"#/$defs/d","$defs":{"d":{"type":"null"}}}}}"##,
            "null",
        ),
        (
            r##"{"$id":"http://x/a/","items":{"$id":"f/","items":{"$ref":"i.json"}},"$defs":{"i":{"$id":"f/i.json","type":"null"}}}"##,
            "[*: [*: null; 0..]; 0..]",
        ),
        (
            r##"{"$ref":"urn:x:1#/$defs/a","$defs":{"u":{"$id":"urn:x:1","$defs":{"a":{"type":"null"}}}}}"##,
            "null",
        ),
        (r##"{"$ref":"#a","$defs":{"x":{"$anchor":"a","type":"null"}}}"##, "null"),
        // An anchor belongs to its resource.
        (
            r##"{"$ref":"x#a","$defs":{"y":{"$anchor":"a"},"x":{"$id":"x","$defs":{"z":{"$anchor":"a","type":"null"}}}}}"##,
            "null",
        ),
        // Drafts 6 and 7, and 4.
        (
            r##"{"$schema":"http://json-schema.org/draft-07/schema#","$ref":"#a","definitions":{"x":{"$id":"#a","type":"null"}}}"##,
            "null",
        ),
        (
            r##"{"$schema":"http://json-schema.org/draft-04/schema#","$ref":"#a","definitions":{"x":{"id":"#a","type":"null"}}}"##,
            "null",
        ),
        (r##"{"items":{"$ref":"#a"},"definitions":{"x":{"id":"#a","type":"null"}}}"##, "[*: null; 0..]"),
        // Beside an overriding $ref there is no identifier.
        (
            r##"{"$schema":"http://json-schema.org/draft-07/schema#","$id":"http://x/","items":{"$id":"y/","$ref":"z"},"definitions":{"z":{"$id":"z","type":"null"}}}"##,
            "[*: null; 0..]",
        ),
        // The meta-schemas are there.
        (
            r##"{"$ref":"http://json-schema.org/draft-07/schema#/definitions/simpleTypes"}"##,
            "(string & string #0)",
        ),
        // What is no identifier in the draft around it makes no resource.
        (
            r##"{"items":{"id":"x","$schema":"http://json-schema.org/draft-04/schema","items":{"$ref":"#/$defs/a"}},"$defs":{"a":{"type":"null"}}}"##,
            "[*: [*: null; 0..]; 0..]",
        ),
        // An embedded resource in another draft.
        (
            r##"{"$ref":"old","$defs":{"o":{"$id":"old","$schema":"http://json-schema.org/draft-07/schema#","items":{"$ref":"#/definitions/n","maxLength":3},"definitions":{"n":{"type":"string"}}}}}"##,
            "[*: string; 0..]",
        ),
    ]);
}

#[test]
fn documents_are_given_beside_the_schema() {
    let with = |schema: &str, given: &[(&str, &str)]| {
        let mut options = SchemaOptions::default();
        for (uri, text) in given {
            options
                .documents
                .insert((*uri).to_owned(), std::sync::Arc::new(serde_json::from_str(text).unwrap()));
        }
        parse(schema, &options)
    };
    let common = r##"{"$defs":{"n":{"type":"null"},"m":{"$ref":"#/$defs/n"}}}"##;
    for (schema, uri) in [
        (r##"{"$ref":"common.json#/$defs/m"}"##, "common.json"),
        (r##"{"$id":"http://x/y/main.json","$ref":"common.json#/$defs/m"}"##, "common.json"),
        (r##"{"$id":"http://x/y/main.json","$ref":"common.json#/$defs/m"}"##, "http://x/y/common.json"),
        (r##"{"$ref":"http://x/common#/$defs/m"}"##, "http://x/common#"),
    ] {
        let found = with(schema, &[(uri, common)]).unwrap_or_else(|e| panic!("{schema}: {e}"));
        assert_eq!(expression(&found.ir), "null", "{schema}");
    }
    // By its own name; and two documents that refer to each other, and to the first.
    let found = with(
        r##"{"$id":"http://x/a","items":{"$ref":"/b"},"$defs":{"n":{"type":"null"}}}"##,
        &[
            ("one", r##"{"$id":"http://x/b","items":{"$ref":"c"}}"##),
            ("http://x/c", r##"{"$ref":"a#/$defs/n"}"##),
        ],
    );
    assert_eq!(expression(&found.unwrap().ir), "[*: [*: null; 0..]; 0..]");
    // Its problems are placed in it.
    let e = with(r##"{"items":{"$ref":"b#/$defs/c"}}"##, &[("b", r##"{"$defs":{"c":{"type":"nul"}}}"##)]);
    let e = e.unwrap_err();
    assert_eq!(e.pointer(), Some("json-schema:///b#/$defs/c/type"));
    assert!(e.to_string().starts_with("invalid schema at json-schema:///b#/$defs/c/type: "), "{e}");
}

#[test]
fn dynamic_references_lead_to_the_outermost_anchor() {
    let tree = r##""t":{"$id":"tree","$dynamicAnchor":"node","properties":{"kids":{"items":{"$dynamicRef":"#node"}}}}"##;
    assert_expressions(&[
        // By itself, a tree of trees.
        (
            &format!(r##"{{"$ref":"tree","$defs":{{{tree}}}}}"##),
            "{kids: [*: ref {kids: [*: recursion; 0..], *: true}; 0..], *: true}",
        ),
        // Entered from a schema with the same anchor, the kids are of that schema.
        (
            &format!(
                r##"{{"$id":"http://x/strict","$dynamicAnchor":"node","$ref":"tree","maxProperties":2,"$defs":{{{tree}}}}}"##
            )
            .replace(r#""maxProperties":2"#, r#""required":["kids"]"#),
            "({kids!: true, *: true} & {kids: [*: ref ({kids!: true, *: true} & {kids: [*: recursion; 0..], *: true}); 0..], *: true})",
        ),
        // An ordinary anchor is an ordinary reference.
        (r##"{"$dynamicRef":"#a","$defs":{"x":{"$anchor":"a","type":"null"}}}"##, "null"),
        (r##"{"items":{"$recursiveRef":"#"}}"##, "[*: ref [*: recursion; 0..]; 0..]"),
    ]);
    // The same schema in two scopes is two schemas.
    let two = lowered(
        r##"{"properties":{"n":{"$ref":"nulls"},"s":{"$ref":"strings"}},"$defs":{
            "list":{"$id":"list","items":{"$dynamicRef":"#item"},"$defs":{"item":{"$dynamicAnchor":"item"}}},
            "nulls":{"$id":"nulls","$ref":"list","$defs":{"item":{"$dynamicAnchor":"item","type":"null"}}},
            "strings":{"$id":"strings","$ref":"list","$defs":{"item":{"$dynamicAnchor":"item","type":"string"}}}}}"##,
    );
    assert_eq!(expression(&two), "{n: [*: null; 0..], s: [*: string; 0..], *: true}");
}
