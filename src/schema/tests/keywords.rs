use super::{SchemaOptions, assert_expressions, expression, lenient, lowered, parse};
use crate::ir::{FALSE, Node, TRUE};

#[test]
fn types() {
    assert_expressions(&[
        ("true", "true"),
        ("{}", "true"),
        ("false", "false"),
        (r#"{"type":"null"}"#, "null"),
        (r#"{"type":"integer"}"#, "(number & number #0 integer)"),
        (r#"{"type":["integer","string"]}"#, "(number|string & number #0 integer)"),
        (r#"{"type":["integer","number"]}"#, "number"),
        (r#"{"type":["string","string","null"]}"#, "null|string"),
        (r#"{"type":["null","boolean","number","string","array","object"]}"#, "true"),
    ]);
}

#[test]
fn patterns_that_match_every_string_assert_nothing() {
    for pattern in
        ["", "^", "$", ".*", "^.*", ".*$", "(?:)", "a*", "^a*", "[^]*", r"^[\\s\\S]*$", r"^(.|\\s)*$", "a|b|"]
    {
        assert_expressions(&[
            (&format!(r#"{{"type":"string","pattern":"{pattern}"}}"#), "string"),
            (&format!(r#"{{"pattern":"{pattern}","minLength":2}}"#), "length 2.."),
            (&format!(r#"{{"anyOf":[{{"pattern":"{pattern}"}},{{"pattern":"^a"}}]}}"#), "true"),
        ]);
    }
    // Line terminators are no `.`, and the empty string is a string.
    for pattern in ["^.*$", ".", ".+", r"^[^\\n]*$", r"^[\\s\\S]+$"] {
        let schema = format!(r#"{{"type":"string","pattern":"{pattern}"}}"#);
        assert_expressions(&[(&schema, "(string & string #0)")]);
    }
}

#[test]
fn annotations_and_unknown_keywords_assert_nothing() {
    assert_expressions(&[(
        r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"http://x/y","$comment":"","title":"t",
        "description":"d","default":7,"examples":[1],"deprecated":true,"readOnly":true,"writeOnly":false,
        "x-order":3,"nullable":true,"contentEncoding":"base64","contentMediaType":"text/plain","$anchor":"a",
        "$defs":{"unused":{"type":"strnig","not":{}}},"definitions":{"unused":7}}"##,
        "true",
    )]);
}

#[test]
fn keywords_without_effect_are_accepted() {
    assert_expressions(&[
        (r#"{"uniqueItems":false,"minProperties":0,"patternProperties":{},"dependencies":{}}"#, "true"),
        (r#"{"propertyNames":true,"unevaluatedProperties":{},"unevaluatedItems":true,"not":false}"#, "true"),
        (r#"{"if":{"type":"string"}}"#, "true"),
        (r#"{"then":false,"else":false}"#, "true"),
        (r#"{"minContains":2,"maxContains":1}"#, "true"),
        (r#"{"contains":{"type":"string"},"minContains":0}"#, "true"),
        (r#"{"additionalItems":false}"#, "true"),
        (r#"{"type":"string","uniqueItems":true,"minProperties":1}"#, "string"),
    ]);
}

#[test]
fn strings() {
    assert_expressions(&[
        (r#"{"minLength":2}"#, "length 2.."),
        (r#"{"type":"string","minLength":2.0,"maxLength":1e1}"#, "(string & length 2..=10)"),
        (r#"{"maxLength":99999999999999}"#, "true"),
        (r#"{"minLength":3,"maxLength":2}"#, "null|boolean|number|array|object"),
        (r#"{"type":"string","minLength":3,"maxLength":2}"#, "false"),
        (r#"{"type":"string","pattern":"^a+$","format":"date"}"#, "(string & string #0 & string #1)"),
        (r#"{"type":"integer","pattern":"^a","format":"int32"}"#, "(number & number #0 integer)"),
        (
            r#"{"type":"string","anyOf":[{"maxLength":5}],"minLength":1,"maxLength":9}"#,
            "(string & length 1..=5)",
        ),
    ]);
}

#[test]
fn other_formats_and_contents_are_annotations_with_a_warning() {
    let schema =
        r#"{"type":"string","format":"colour","contentEncoding":"base64","contentMediaType":"text/css"}"#;
    let found = parse(schema, &SchemaOptions::default()).unwrap();
    assert_eq!(expression(&found.ir), "string");
    let pointers: Vec<&str> = found.warnings.iter().map(|w| w.pointer.as_str()).collect();
    assert_eq!(pointers, ["/format", "/contentEncoding", "/contentMediaType"]);
    // Of numbers a format says nothing.
    assert!(
        parse(r#"{"type":"integer","format":"int32"}"#, &SchemaOptions::default())
            .unwrap()
            .warnings
            .is_empty()
    );
}

#[test]
fn numbers_are_one_node() {
    assert_expressions(&[
        (r#"{"minimum":0}"#, "number #0 >=0"),
        (
            r#"{"type":"integer","minimum":0,"exclusiveMaximum":1e3,"multipleOf":5}"#,
            "(number & number #0 integer >=0 <1e+3 multiple of 5)",
        ),
        (r#"{"minimum":1,"exclusiveMinimum":1.0}"#, "number #0 >1.0"),
        (r#"{"minimum":2,"exclusiveMinimum":1}"#, "number #0 >=2"),
        (r#"{"maximum":2,"exclusiveMaximum":2.5}"#, "number #0 <=2"),
        (r#"{"maximum":0.1,"exclusiveMaximum":-3}"#, "number #0 <-3"),
        (r#"{"multipleOf":1.0}"#, "number #0 integer"),
        (r#"{"multipleOf":1e2}"#, "number #0 integer multiple of 100"),
        (r#"{"multipleOf":0.50,"minimum":1}"#, "number #0 >=1 multiple of 5e-1"),
        (r#"{"type":"string","minimum":3}"#, "string"),
        // Draft 4, declared or not.
        (r#"{"minimum":1,"exclusiveMinimum":true}"#, "number #0 >1"),
        (r#"{"maximum":1,"exclusiveMaximum":false}"#, "number #0 <=1"),
        (r#"{"exclusiveMaximum":true}"#, "true"),
        (
            r#"{"$schema":"http://json-schema.org/draft-04/schema#","maximum":7,"exclusiveMaximum":true}"#,
            "number #0 <7",
        ),
    ]);
}

#[test]
fn objects() {
    assert_expressions(&[
        (r#"{"type":"object"}"#, "object"),
        (r#"{"properties":{}}"#, "true"),
        (
            r#"{"type":"object","properties":{"b":{"type":"null"},"a":true},"required":["a"]}"#,
            "(object & {b: null, a!: true, *: true})",
        ),
        (r#"{"required":["z","y","z"]}"#, "{z!: true, y!: true, *: true}"),
        (
            r#"{"properties":{"a":{}},"required":["c","a"],"additionalProperties":{"type":"null"}}"#,
            "{a!: true, c!: null, *: null}",
        ),
        (r#"{"required":["c"],"additionalProperties":false}"#, "{c!: false, *: false}"),
        (r#"{"additionalProperties":false}"#, "{*: false}"),
        (r#"{"type":"string","properties":{"a":{"not":{}}},"required":["a"]}"#, "string"),
        // Names that look like keywords, and names that look like one another.
        (
            r#"{"properties":{"$ref":{"type":"null"},"":{},"not":false}}"#,
            "{$ref: null, : true, not: false, *: true}",
        ),
    ]);
}

#[test]
fn arrays() {
    assert_expressions(&[
        (r#"{"items":{"type":"null"}}"#, "[*: null; 0..]"),
        (r#"{"items":true}"#, "true"),
        (r#"{"items":false}"#, "[*: false; 0..=0]"),
        (r#"{"minItems":1,"maxItems":2}"#, "[*: true; 1..=2]"),
        (r#"{"prefixItems":[{"type":"null"},true],"items":false}"#, "[null, true, *: false; 0..=2]"),
        (r#"{"prefixItems":[{"type":"null"},true],"minItems":2}"#, "[null, *: true; 2..]"),
        (r#"{"prefixItems":[{"type":"null"},true,true],"maxItems":1}"#, "[null, *: false; 0..=1]"),
        (r#"{"prefixItems":[true,false]}"#, "[true, *: false; 0..=1]"),
        (r#"{"type":"array","items":false,"minItems":1}"#, "false"),
        // The older form.
        (r#"{"items":[{"type":"null"}],"additionalItems":false}"#, "[null, *: false; 0..=1]"),
        (r#"{"items":[{"type":"null"}],"additionalItems":{"type":"string"}}"#, "[null, *: string; 0..]"),
        (
            r#"{"$schema":"http://json-schema.org/draft-07/schema","items":[{"type":"null"}]}"#,
            "[null, *: true; 0..]",
        ),
    ]);
}

#[test]
fn literals() {
    assert_expressions(&[
        (r#"{"const":"a"}"#, "(string & string #0)"),
        (r#"{"const":null}"#, "null"),
        (r#"{"const":true}"#, "(boolean & bool true)"),
        (r#"{"const":-1.50}"#, "(number & number #0 = -1.50)"),
        (
            r#"{"const":[1,[]]}"#,
            "(array & [(number & number #0 = 1), (array & [*: false; 0..=0]), *: false; 2..=2])",
        ),
        (r#"{"const":{"b":null,"a":{}}}"#, "(object & {b!: null, a!: (object & {*: false}), *: false})"),
        (r#"{"enum":["x","y","x"]}"#, "(string & string #0)"),
        (r#"{"enum":[false,true]}"#, "boolean"),
        (r#"{"enum":[true,null,true]}"#, "((boolean & bool true) | null)"),
        (
            r#"{"enum":[null,{"a":null},2,"x",3,[]]}"#,
            "((string & string #0) | (number & (number #0 = 2 | number #1 = 3)) | null | (object & {a!: null, *: false}) | (array & [*: false; 0..=0]))",
        ),
        // What `type` excludes is gone.
        (r#"{"type":"string","enum":["a",1,null,{}]}"#, "(string & string #0)"),
        (r#"{"type":["string","null"],"enum":["a",null]}"#, "((string & string #0) | null)"),
        (r#"{"type":"boolean","enum":["a"]}"#, "false"),
        (r#"{"enum":["a"],"const":1}"#, "false"),
        (r#"{"enum":[]}"#, "false"),
        // The const's keys come after the declared ones.
        (
            r#"{"const":{"b":null,"a":null},"properties":{"a":{},"b":{}}}"#,
            "(object & {a: true, b: true, *: true} & {b!: null, a!: null, *: false})",
        ),
    ]);
}

#[test]
fn the_strings_of_an_enum_are_one_automaton() {
    let texts: Vec<String> = (0..5_000).map(|i| format!("\"value {i}\"")).collect();
    let ir = lowered(&format!(r#"{{"enum":[{}]}}"#, texts.join(",")));
    assert_eq!(expression(&ir), "(string & string #0)");
    assert_eq!(ir.strings.len(), 1);
    assert!(ir.strings[0].accepts(b"value 4999") && !ir.strings[0].accepts(b"value 5000"));
}

#[test]
fn any_of() {
    assert_expressions(&[
        (r#"{"anyOf":[{"type":"null"},{"type":"string"}]}"#, "null|string"),
        (
            r#"{"anyOf":[{"type":"null"},{"type":"string","maxLength":1}]}"#,
            "(null | (string & length 0..=1))",
        ),
        (r#"{"anyOf":[{"maxLength":1},{}]}"#, "true"),
        (r#"{"anyOf":[false,{"maxLength":1},false]}"#, "length 0..=1"),
        (
            r#"{"anyOf":[{"anyOf":[{"minimum":1},{"maxLength":1}]},{"minItems":1}]}"#,
            "(number #0 >=1 | length 0..=1 | [*: true; 1..])",
        ),
        (
            r#"{"anyOf":[{"required":["a"]},{"required":["b"]}],"type":"object"}"#,
            "(object & ({a!: true, *: true} | {b!: true, *: true}))",
        ),
    ]);
}

#[test]
fn equal_schemas_are_one_node() {
    let ir = lowered(
        r##"{"prefixItems":[
            {"title":"one","type":"object","properties":{"x":{"type":"string","enum":["p","q"],"title":"t"}}},
            {"properties":{"x":{"enum":["q","p"],"type":["string"],"description":"d"}},"type":"object"},
            {"$ref":"#/$defs/three"},
            {"type":"object","properties":{"y":{}}}],
          "$defs":{"three":{"$comment":"c","type":"object","properties":{"x":{"const":"p","$comment":""}}}}}"##,
    );
    let Node::Array(array) = ir.node(ir.root) else { panic!("{ir:?}") };
    let [one, two, three, four] = array.prefix[..] else { panic!("{ir:?}") };
    assert_eq!(one, two);
    assert!(one != three && three != four);
}

#[test]
fn dump_is_a_stable_listing() {
    let ir = lowered(
        r##"{"type":"object","properties":{"next":{"$ref":"#"},"n":{"type":["integer","null"],"minimum":-1}},
           "required":["n"],"additionalProperties":false}"##,
    );
    let expected = "\
root n8
n0 true
n1 false
n2 object
n3 ref n8
n4 null|number
n5 number #0 integer >=-1
n6 and n4 n5
n7 object \"next\": n3, \"n\"!: n6, *: n1
n8 and n2 n7
";
    assert_eq!(ir.dump(), expected);
    assert_eq!(format!("{ir:?}"), ir.dump());
    assert_eq!(&*ir.pointers[5], "/properties/n");
    assert_eq!((ir.nodes[0].clone(), ir.nodes[1].clone()), (Node::True, Node::False));
    assert_eq!((TRUE.0, FALSE.0), (0, 1));
}

#[test]
fn lenient_collects_warnings() {
    let found = lenient(r#"{"properties":{"a~/b":{"type":"string","format":"url"}},"uniqueItems":true}"#);
    let pointers: Vec<&str> = found.warnings.iter().map(|w| w.pointer.as_str()).collect();
    assert_eq!(pointers, ["/properties/a~0~1b/format", "/uniqueItems"]);
    assert_eq!(expression(&found.ir), "{a~/b: string, *: true}");
    assert!(found.warnings[0].message.contains("\"url\""), "{:?}", found.warnings);
}

#[test]
fn json_mode_is_any_object() {
    assert_eq!(expression(&super::super::json_object()), "object");
}
