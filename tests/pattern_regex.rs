//! ECMA-262 patterns against tables of cases, an independent engine and a validator.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use regex_automata::Input;
use regex_automata::dfa::{Automaton, dense};
use warpgrammar::ErrorKind;
use warpgrammar::pattern::{
    ByteDfa, PatternLimits, canonical_any, canonical_spelling, compile_pattern, product,
};

fn compile(pattern: &str) -> ByteDfa {
    compile_pattern(pattern, &PatternLimits::default()).unwrap_or_else(|e| panic!("{pattern}: {e}"))
}

fn matches(dfa: &ByteDfa, text: &str) -> bool {
    dfa.accepts(&canonical_spelling(text))
}

/// Asserts what every string automaton promises: live states, consistent boundaries, only canonical spelling.
fn check_invariants(dfa: &ByteDfa) {
    let live: Vec<u32> = (1..dfa.len() as u32).collect();
    let mut reaches = dfa.accepting.clone();
    while live.iter().any(|&s| {
        let now = (0..=255).any(|b| reaches[dfa.next(s, b) as usize]);
        now && !std::mem::replace(&mut reaches[s as usize], true)
    }) {}
    assert!(reaches[1..].iter().all(|&r| r) && !reaches[0], "{dfa:?}");
    assert!((0..=255).all(|b| dfa.next(0, b) == 0));
    assert!((0..dfa.len()).all(|s| !dfa.accepting[s] || dfa.boundary[s]));
    assert!(product(dfa, &canonical_any(), |a, any| a && !any).is_empty(), "{dfa:?}");
    // Walking along with the automaton of all strings, boundaries agree.
    let any = canonical_any();
    let mut seen = std::collections::HashSet::from([(dfa.start, any.start)]);
    let mut work = vec![(dfa.start, any.start)];
    while let Some((s, a)) = work.pop().filter(|_| !dfa.is_empty()) {
        assert_eq!(dfa.boundary[s as usize], any.boundary[a as usize], "{dfa:?}");
        for b in 0..=255 {
            let next = (dfa.next(s, b), any.next(a, b));
            if next.0 != 0 && seen.insert(next) {
                work.push(next);
            }
        }
    }
}

#[test]
fn table_of_cases() {
    #[rustfmt::skip]
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("", &["", "a", "\"\n"], &[]),
        ("^$", &[""], &["a", "\n"]),
        ("abc", &["abc", "xabcx", "\"abc\n"], &["", "ab", "abxc"]),
        ("^abc", &["abc", "abcd"], &["xabc"]),
        ("abc$", &["abc", "xabc"], &["abcx", "abc\n"]),
        ("^a|b$", &["a", "ax", "xb"], &["xa", "bx"]),
        (r"^\d+$", &["0", "123"], &["", "١", "1a"]),
        (r"^\w$", &["a", "_", "9"], &["é", "-", ""]),
        (r"^\W$", &["é", "-", "\"", "\\", "\u{1}", "😀"], &["a", ""]),
        (r"^\s$", &[" ", "\t", "\n", "\u{b}", "\u{c}", "\r", "\u{a0}", "\u{feff}", "\u{2028}", "\u{3000}"], &["\u{85}", "\u{200b}", "a"]),
        (r"^\S$", &["a", "\u{85}", "😀"], &[" ", "\u{2029}"]),
        ("^.$", &["a", "é", "€", "😀", "\"", "\\", "\u{1}", "\u{7f}"], &["\n", "\r", "\u{2028}", "\u{2029}", "ab", ""]),
        ("^[^]$", &["\n", "a", "😀"], &["", "ab"]),
        ("^[]$", &[], &["", "a"]),
        ("^a[]?$", &["a"], &["", "ab"]),
        (r"^\cM\cj$", &["\r\n"], &["MJ"]),
        (r"^\x41\u0042\u{43}\u{1F600}\uD83D\uDE00$", &["ABC😀😀"], &["ABC😀"]),
        (r"^[\uD83D\uDE00-\uD83D\uDE4F]$", &["😀", "🙏"], &["🚀", "a"]),
        (r"^[\uD800-\uDFFF]$", &[], &["a", "\u{d7ff}", "\u{e000}"]),
        (r"^[\ud7ff-\ue000]$", &["\u{d7ff}", "\u{e000}"], &["a"]),
        (r"^\uD800$|x", &["x"], &["\u{d7ff}"]),
        (r"^\/\-\_\:\@\,\#\ \'\%$", &["/-_:@,# '%"], &["\\/"]),
        (r"^\.\*\+\?\(\)\[\]\{\}\|\^\$\\$", &[".*+?()[]{}|^$\\"], &[""]),
        ("^a{2}b{1,}c{0,2}$", &["aab", "aabbcc"], &["ab", "aabccc"]),
        ("^{a}{$", &["{a}{"], &["a"]),
        ("^x{a,b}]}$", &["x{a,b}]}"], &["x"]),
        ("^a{1$", &["a{1"], &["a"]),
        ("^a+?b*?c??d{1,2}?$", &["ad", "aabbcdd"], &["d"]),
        ("^(?:a|(?<name>b))(?<n2>c)?$", &["a", "bc"], &["c", "ab"]),
        ("^[a&&b]+$", &["a&b"], &["c", ""]),
        ("^[[a]$", &["[", "a"], &["]"]),
        ("^[[a]]$", &["[]", "a]"], &["a", "[a]"]),
        ("^[a~~+--.]+$", &["a~", "+,-."], &["b", "*"]),
        (r"^[\w-.]+$", &["a-b.c"], &["a b", "+"]),
        (r"^[a-\d]+$", &["a-5"], &["b"]),
        ("^[-a]+[a-]+[a-c-e]+$", &["-a-b-e"], &["-a-d"]),
        (r"^[\b\-\]]$", &["\u{8}", "-", "]"], &["b"]),
        (r"^[^\s\d]$", &["a", "é"], &["1", " "]),
        (r"^\p{L}+\P{L}$", &["aéω1"], &["1", "a"]),
        (r"^\p{Script=Greek}[\p{Lu}\d]$", &["ωA", "α1"], &["aA"]),
        (r"^\p{ASCII}\p{Emoji}$", &["a😀"], &["é😀"]),
        (r"\bfoo\b", &["foo", "a foo.", "é\u{1}foo\n"], &["afoo", "foo_", "foo1"]),
        (r"^\Bx|\b$", &["a", "a b"], &["", "x ", "-"]),
        (r"^a\Bb\b c\b$", &["ab c"], &["ab  c"]),
        (r"\B$", &["", "-"], &["a"]),
        (r"^(\^a|^b)$", &["^a", "b"], &["a"]),
        (r"a$b", &[], &["ab", "a"]),
        (r"^(a|$)+b?$", &["a", "", "aab"], &["b"]),
        ("^\0\\0$", &["\0\0"], &["0"]),
        ("(?P<year>\\d{4})", &["in 2024"], &["24"]),
        (r"^(?!.*/)[a-z/]+$", &["abc"], &["a/b", "/", ""]),
        (r"^(?=.*\d)(?=.*[a-z])\w{3,5}$", &["a1b", "1abcd"], &["abc", "123", "a1", "a1bcde"]),
        (r"^(?=.{3}$)a+b+$", &["aab", "abb"], &["ab", "aabb"]),
        (r"^(?!^a|b)\w+$", &["ca"], &["ab", "ba"]),
        (r"^(?:(?!ab)[ab])*$", &["", "bbaa", "aa"], &["ab", "bab", "abb"]),
        (r"^(?:a(?=b|c)|[bc])+$", &["ab", "acab"], &["a", "aa", "ba"]),
        (r"a(?!b)", &["a", "ab a", "ac"], &["ab", "", "abab"]),
        (r"(?=b)a", &[], &["ab", "ba"]),
        (r"(?!)", &[], &["", "a"]),
        (r"^(?=)$", &[""], &["a"]),
        (r"^(?!(?!a))\w$", &["a"], &["b"]),
        (r"^x(?=(?!ab)a)\w+$", &["xac", "xa"], &["xab", "x", "xb"]),
        (r"^(?!\bfoo\b)[a-z ]+$", &["food", "a foo"], &["foo", "foo bar"]),
        (r"^\w+(?=\b.)[ -]$", &["a-", "ab "], &["a", "aa"]),
        (r"^(?!.*é)..$", &["ab", "a😀", "\"\\"], &["aé", "éa"]),
        (r"^a?(?!^)b$", &["ab"], &["b", "a"]),
        (r"(?<=a)b", &["ab", "xab"], &["b", "cb", "a"]),
        (r"(?<!a)b", &["b", "cb", "abb"], &["ab", "aab", ""]),
        (r"^\w+(?<!\d)$", &["1a", "a"], &["a1", ""]),
        (r"(?<=^|,)x(?=,|$)", &["x", "a,x", "x,b", "a,x,b"], &["ax", "xa", "a,xb"]),
        (r"(?<=é|😀)b$", &["éb", "a😀b"], &["b", "eb"]),
        (r"(?<=^a)b", &["ab"], &["aab", "b"]),
        (r"^(?:(?<!b)a|b)*$", &["aab", "bb"], &["ba", "aba"]),
        (r"^(?i:aß)b$", &["Aßb", "aẞb"], &["aßB"]),
        (r"^(?i:[a-c]\x44)(?-i:e)$", &["Bde", "cDe"], &["BDE"]),
        (r"^(?i:\w)$", &["k", "\u{212a}", "ſ"], &["é"]),
        (r"^(?i:[^k])$", &["a"], &["K", "k", "\u{212a}"]),
        (r"^(?s:.)(?i-s:.)$", &["\na"], &["a\n"]),
        ("[\\[\\]]", &["[", "]"], &["("]),
        ("^[\"\\\\/]+$", &["\"\\/"], &["a"]),
    ];
    for (pattern, yes, no) in cases {
        let dfa = compile(pattern);
        check_invariants(&dfa);
        yes.iter().for_each(|t| assert!(matches(&dfa, t), "{pattern:?} should match {t:?}\n{dfa:?}"));
        no.iter().for_each(|t| assert!(!matches(&dfa, t), "{pattern:?} should not match {t:?}\n{dfa:?}"));
    }
}

#[test]
fn refusals_name_the_construct() {
    use ErrorKind::{InvalidSchema, LimitExceeded, UnsupportedKeyword};
    #[rustfmt::skip]
    let cases = [
        ("(?=a(?<=b))", UnsupportedKeyword, "lookbehind in a lookahead"),
        ("(?<=b$)", UnsupportedKeyword, "in a lookbehind"),
        ("(?<=(?!a)b)", UnsupportedKeyword, "in a lookbehind"),
        ("(?<!\\bb)", UnsupportedKeyword, "in a lookbehind"),
        ("(?=a)+", InvalidSchema, "cannot be repeated"),
        ("(?m:^a)", UnsupportedKeyword, "the flag `m`"),
        ("(?i-i:a)", InvalidSchema, "unknown kind"),
        ("(?ii:a)", InvalidSchema, "unknown kind"),
        ("(?-:a)", InvalidSchema, "unknown kind"),
        ("(?=(?=a", InvalidSchema, "not closed"),
        (r"(a)\1", UnsupportedKeyword, "backreference"),
        (r"(?<x>a)\k<x>", UnsupportedKeyword, "backreference"),
        ("(?i)a", UnsupportedKeyword, "inline flags"),
        ("(?ims)a", UnsupportedKeyword, "inline flags"),
        ("(", InvalidSchema, "not closed"),
        (")", InvalidSchema, "unmatched"),
        ("[a", InvalidSchema, "not closed"),
        ("*a", InvalidSchema, "nothing"),
        ("a**", InvalidSchema, "two quantifiers"),
        ("a++", InvalidSchema, "two quantifiers"),
        ("^*", InvalidSchema, "assertion"),
        ("{1}", InvalidSchema, "nothing"),
        ("a{2,1}", InvalidSchema, "out of order"),
        ("a{,3}", InvalidSchema, "{0,n}"),
        ("[b-a]", InvalidSchema, "out of order"),
        ("\\", InvalidSchema, "lone"),
        ("[\\", InvalidSchema, "lone"),
        (r"\a", InvalidSchema, "not an escape"),
        (r"^\Ab\Z", InvalidSchema, "not an escape"),
        (r"\01", InvalidSchema, "not an escape"),
        (r"\xg", InvalidSchema, "hexadecimal"),
        (r"\u{110000}", InvalidSchema, "10FFFF"),
        (r"\u12", InvalidSchema, "hexadecimal"),
        (r"\c1", InvalidSchema, "letter"),
        (r"\p{Nonsense}", InvalidSchema, "property"),
        (r"\p{", InvalidSchema, "not closed"),
        ("(?<>a)", InvalidSchema, "name"),
        ("(?#a)", InvalidSchema, "group"),
        ("a{99999999999}", LimitExceeded, "count"),
        ("^(a{1000}){1000}$", LimitExceeded, "NFA"),
        ("a.{30}$", LimitExceeded, "states"),
    ];
    for (pattern, kind, says) in cases {
        let error = compile_pattern(pattern, &PatternLimits::default()).expect_err(pattern);
        assert_eq!(error.kind(), kind, "{pattern}: {error}");
        assert!(error.message().contains(says), "{pattern}: {error}");
        assert_eq!(error.pointer(), None);
    }
    let deep = "(".repeat(100_000);
    assert_eq!(compile_pattern(&deep, &PatternLimits::default()).unwrap_err().kind(), LimitExceeded);
}

/// Patterns that would explode must be refused soon, not after a stall.
#[test]
fn limits_bound_the_time() {
    let wide = format!(
        "[{}]{{1000}}",
        (0..3000u32).map(|i| format!("\\u{{{:x}}}", 0x100 + 3 * i)).collect::<String>()
    );
    for pattern in [
        "^(a{1000}){1000}$",
        "(a|b)*a(a|b){40}$",
        "^.{0,60000}$",
        r"(\p{L}+\d?){30}\p{Lu}{50}x$",
        "((a*)*)*b{3000}$",
        "^(((((a{20}){20}){20}){20}){20})$",
        "(?:){4294967295}",
        "(?:a?){5000}",
        "(a?b?c?d?){900}$",
        r"\w+@\w+(.\w+){2,400}$",
        "^(([0-9a-f]{0,20}:){0,50}|(.*:){20})$",
        &wide,
    ] {
        let begun = Instant::now();
        let result = compile_pattern(pattern, &PatternLimits::default()).map(|dfa| dfa.len());
        let took = begun.elapsed();
        eprintln!(
            "{:9.3?} {:?} {:?}",
            took,
            &pattern[..pattern.len().min(50)],
            result.as_ref().map_err(|e| e.kind())
        );
        assert!(
            took < Duration::from_secs(if cfg!(debug_assertions) { 4 } else { 1 }),
            "{pattern}: {took:?}"
        );
    }
}

/// A pattern, to be written in both dialects.
#[derive(Clone, Debug)]
enum Re {
    Literal(char),
    Set(&'static str, &'static str),
    Cat(Vec<Re>),
    Or(Vec<Re>),
    Repeat(Box<Re>, u32, Option<u32>),
}

impl Re {
    fn write(&self, ecma: bool, out: &mut String) {
        match self {
            Re::Literal(c) if ecma && c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", *c as u32)),
            Re::Literal(c) if ecma && *c as u32 > 0xffff => {
                c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04X}")));
            }
            Re::Literal(c) if ecma => {
                out.push_str(&(if c.is_ascii_punctuation() { format!("\\{c}") } else { c.to_string() }))
            }
            Re::Literal(c) => out.push_str(&format!("\\x{{{:x}}}", *c as u32)),
            Re::Set(in_ecma, in_rust) => out.push_str(if ecma { in_ecma } else { in_rust }),
            Re::Cat(parts) => parts.iter().for_each(|part| part.write(ecma, out)),
            Re::Or(parts) => {
                out.push_str(if ecma { "(" } else { "(?:" });
                for (i, part) in parts.iter().enumerate() {
                    if i > 0 {
                        out.push('|');
                    }
                    part.write(ecma, out);
                }
                out.push(')');
            }
            Re::Repeat(part, min, max) => {
                out.push_str("(?:");
                part.write(ecma, out);
                out.push(')');
                out.push_str(&match max {
                    Some(max) => format!("{{{min},{max}}}"),
                    None => format!("{{{min},}}"),
                });
            }
        }
    }

    fn text(&self, ecma: bool) -> String {
        let mut out = String::new();
        self.write(ecma, &mut out);
        out
    }
}

const SETS: &[(&str, &str)] = &[
    (r"\d", "[0-9]"),
    (r"\W", "[^0-9A-Za-z_]"),
    (r"[^\w\-]", r"[^0-9A-Za-z_\-]"),
    (".", r"[^\n\r\x{2028}\x{2029}]"),
    (r"[a\n\u0001-\u0010]", r"[a\n\x01-\x10]"),
    (r"[^a]", r"[^a]"),
    (r#"[b-é\"]"#, r#"[b-é"]"#),
    (r"[\u{80}-\u{10FFFF}]", r"[\x{80}-\x{10FFFF}]"),
    (r"\s", r"[\t-\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}]"),
    ("^", "^"),
    ("$", "$"),
    (r"\b", r"(?-u:\b)"),
    (r"\B", r"(?-u:\B)"),
];

fn letter() -> impl Strategy<Value = char> {
    prop::sample::select(vec![
        'a', 'b', '1', '-', '"', '\\', '/', '\n', '\u{1}', '\u{1f}', '\u{7f}', 'é', '€', '😀', ' ',
        '\u{2028}',
    ])
}

fn re() -> impl Strategy<Value = Re> {
    let leaf = prop_oneof![
        letter().prop_map(Re::Literal),
        prop::sample::select(SETS).prop_map(|(e, r)| Re::Set(e, r)),
    ];
    leaf.prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 0..4).prop_map(Re::Cat),
            2 => prop::collection::vec(inner.clone(), 1..4).prop_map(Re::Or),
            2 => (inner, 0..3u32, prop::option::of(0..3u32))
                .prop_map(|(re, min, more)| Re::Repeat(Box::new(re), min, more.map(|m| min + m))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_an_independent_engine(re in re(), texts in prop::collection::vec(prop::collection::vec(letter(), 0..7), 12)) {
        let (ecma, rust) = (re.text(true), re.text(false));
        let dfa = compile(&ecma);
        check_invariants(&dfa);
        let syntax = regex_automata::util::syntax::Config::new().utf8(false);
        let oracle = dense::Builder::new().syntax(syntax).build(&rust).unwrap();
        for text in texts {
            let text: String = text.into_iter().collect();
            let expected = oracle.try_search_fwd(&Input::new(&text)).unwrap().is_some();
            prop_assert_eq!(matches(&dfa, &text), expected, "{} on {:?}\n{:?}", ecma, text, dfa);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Anything at all is compiled or refused, never a panic, and a refusal says why.
    #[test]
    fn any_text_is_handled(pattern in r"([\[\](){}*+?^$|\\.,<>=!:a-c0-9uxpPdDwWsSbBkc-]|\\[dwsbBpPux\]\[-]|\{[0-9],?[0-9]?\}|\PC){0,14}") {
        match compile_pattern(&pattern, &PatternLimits::default()) {
            Ok(dfa) => check_invariants(&dfa),
            Err(error) => prop_assert!(!error.message().is_empty()),
        }
    }
}

/// Patterns as schemas have them: the validator agrees, the tables are small, and it is quick.
#[test]
fn everyday_patterns() {
    for pattern in [
        r"^[a-z]{3}-\d{4}$",
        r"^\S+@\S+$",
        r"^\S+@\S+\.\S+$",
        r"^[^\s@]+@[^\s@]+$",
        "^.*$",
        ".+",
        "^[A-Z][a-z]+( [A-Z][a-z]+)*$",
        r"^\+?[1-9]\d{1,14}$",
        r"^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$",
        r"^(19|20)\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$",
        r"^https?://",
        r"^[\w.-]+$",
        r"^\d+(\.\d{1,2})?$",
        r"^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$",
        r"^(?:[a-z0-9]+-)*[a-z0-9]+$",
        r"^\p{L}+$",
        r"^[^\p{L}]+$",
        r"\p{Lu}\p{Ll}*",
        r"^[\u4e00-\u9fff]{1,10}$",
        r"^.{1,100}$",
        r"^[^\x00-\x1f]{0,255}$",
        r"^\w{1,64}@\w{1,255}$",
        r"^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$",
    ] {
        let begun = Instant::now();
        let dfa = compile(pattern);
        let first = begun.elapsed();
        let best = (0..5)
            .map(|_| {
                let t = Instant::now();
                std::hint::black_box(compile(pattern));
                t.elapsed()
            })
            .min()
            .unwrap();
        eprintln!(
            "{:5} states {:3} classes, first {first:9.3?} best {best:9.3?}  {:.60}",
            dfa.len(),
            dfa.stride,
            pattern
        );
        check_invariants(&dfa);
        let schema = serde_json::json!({ "pattern": pattern });
        let validator = jsonschema::validator_for(&schema).unwrap();
        for text in [
            "",
            "a",
            "abc-1234",
            "a@b",
            "a@b.c",
            " ",
            "é",
            "1.2.3",
            "#abc",
            "2024-01-31",
            "https://x",
            "Ab Cd",
            "漢字",
            "\n",
            "+123",
            "12.50",
        ] {
            let expected = validator.is_valid(&serde_json::Value::from(text));
            if pattern == "^.*$" && text == "\n" {
                continue;
            }
            assert_eq!(matches(&dfa, text), expected, "{pattern} on {text:?}");
        }
    }
}

/// Collects what `pattern` and `patternProperties` hold anywhere in a document.
fn patterns_in(value: &serde_json::Value, out: &mut std::collections::BTreeSet<String>) {
    match value {
        serde_json::Value::Array(items) => items.iter().for_each(|v| patterns_in(v, out)),
        serde_json::Value::Object(map) => {
            out.extend(map.get("pattern").and_then(|p| p.as_str()).map(str::to_owned));
            if let Some(serde_json::Value::Object(by_pattern)) = map.get("patternProperties") {
                out.extend(by_pattern.keys().cloned());
            }
            map.values().for_each(|v| patterns_in(v, out));
        }
        _ => {}
    }
}

/// Per state, the least number of bytes to an accepting state.
fn distances(dfa: &ByteDfa) -> Vec<u32> {
    let mut distance: Vec<u32> = dfa.accepting.iter().map(|&a| if a { 0 } else { u32::MAX }).collect();
    loop {
        let mut changed = false;
        for s in (1..dfa.len()).rev() {
            let row = &dfa.rows[s * dfa.stride as usize..][..dfa.stride as usize];
            let best = row.iter().map(|&to| distance[to as usize]).min().unwrap().saturating_add(1);
            changed |= best < distance[s];
            distance[s] = distance[s].min(best);
        }
        if !changed {
            return distance;
        }
    }
}

/// A random string of the language, unescaped: a random walk for a while, then straight to the end.
fn sample(dfa: &ByteDfa, distance: &[u32], seed: &mut u64) -> String {
    let mut below = |n: usize| {
        *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (*seed >> 33) as usize % n
    };
    let (mut state, mut text, walk) = (dfa.start, vec![b'"'], below(40));
    loop {
        let mut edges: Vec<u8> = (0..=255).filter(|&b| dfa.next(state, b) != 0).collect();
        if text.len() > walk {
            if dfa.accepting[state as usize] {
                break;
            }
            edges.retain(|&b| distance[dfa.next(state, b) as usize] < distance[state as usize]);
        }
        if edges.is_empty() {
            break;
        }
        let byte = edges[below(edges.len())];
        text.push(byte);
        state = dfa.next(state, byte);
    }
    text.push(b'"');
    serde_json::from_slice(&text).unwrap()
}

/// Every pattern of MaskBench: it compiles or is refused for a reason, and what it writes is valid.
#[test]
fn patterns_of_real_schemas() {
    let beside = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/maskbench");
    let root = std::env::var_os("MASKBENCH").map_or(beside, std::path::PathBuf::from);
    let mut patterns = std::collections::BTreeSet::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "json") {
                let text = std::fs::read(&path).unwrap_or_default();
                if text.windows(7).any(|w| w == b"pattern") {
                    serde_json::from_slice(&text).iter().for_each(|v| patterns_in(v, &mut patterns));
                }
            }
        }
    }
    if patterns.is_empty() {
        eprintln!("SKIPPED: no schemas under {}; set MASKBENCH", root.display());
        return;
    }
    let (mut times, mut states, mut refused, mut compared) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let mut seed = 1;
    for pattern in &patterns {
        let begun = Instant::now();
        let result = compile_pattern(pattern, &PatternLimits::default());
        times.push((begun.elapsed(), pattern));
        let dfa = match result {
            Ok(dfa) => dfa,
            Err(error) => {
                let theirs = jsonschema::validator_for(&serde_json::json!({ "pattern": pattern }));
                assert!(
                    error.kind() != ErrorKind::InvalidSchema || theirs.is_err(),
                    "not understood: {error}"
                );
                refused.push(error);
                continue;
            }
        };
        states.push((dfa.len() - 1, pattern));
        let schema = serde_json::json!({ "pattern": pattern });
        let Ok(validator) = jsonschema::validator_for(&schema) else {
            continue;
        };
        let distance = distances(&dfa);
        for _ in 0..if dfa.is_empty() { 0 } else { 20 } {
            let text = sample(&dfa, &distance, &mut seed);
            let valid = validator.is_valid(&serde_json::Value::from(text.clone()));
            assert!(valid, "{pattern:?} wrote {text:?}");
            compared += 1;
        }
    }
    times.sort();
    states.sort();
    let at = |q: usize, n: usize| (n * q / 1000).min(n - 1);
    eprintln!("{} patterns, {compared} samples compared", patterns.len());
    for q in [500, 900, 990, 1000] {
        let (time, states) = (&times[at(q, times.len())], &states[at(q, states.len())]);
        eprintln!("  p{q:<4} {:9.3?} {:6} states   {:.70}", time.0, states.0, time.1);
    }
    refused.iter().for_each(|e| eprintln!("  refused: {:.150}", e.to_string()));
}

/// Random patterns with lookaround against a matcher that backtracks over the characters.
mod against_backtracking {
    use super::*;

    /// An expression over `a` and `b`.
    #[derive(Clone, Debug)]
    enum Node {
        Text(&'static str),
        Then(Box<Node>, Box<Node>),
        Or(Box<Node>, Box<Node>),
        Star(Box<Node>),
        Look { body: Box<Node>, behind: bool, negative: bool },
    }

    fn show(node: &Node) -> String {
        match node {
            Node::Text(text) => (*text).to_owned(),
            Node::Then(a, b) => show(a) + &show(b),
            Node::Or(a, b) => format!("(?:{}|{})", show(a), show(b)),
            Node::Star(a) => format!("(?:{})*", show(a)),
            Node::Look { body, behind, negative } => {
                let open = ["(?=", "(?!", "(?<=", "(?<!"][usize::from(*behind) * 2 + usize::from(*negative)];
                format!("{open}{})", show(body))
            }
        }
    }

    /// The positions at which a match that begins at `at` can end.
    fn ends(node: &Node, text: &[u8], at: usize) -> Vec<usize> {
        let mut found = match node {
            Node::Text("^") => {
                if at == 0 {
                    vec![at]
                } else {
                    vec![]
                }
            }
            Node::Text("$") => {
                if at == text.len() {
                    vec![at]
                } else {
                    vec![]
                }
            }
            Node::Text(".") => {
                if at < text.len() {
                    vec![at + 1]
                } else {
                    vec![]
                }
            }
            Node::Text(c) => {
                if text[at..].starts_with(c.as_bytes()) {
                    vec![at + 1]
                } else {
                    vec![]
                }
            }
            Node::Then(a, b) => ends(a, text, at).into_iter().flat_map(|m| ends(b, text, m)).collect(),
            Node::Or(a, b) => [ends(a, text, at), ends(b, text, at)].concat(),
            Node::Star(a) => {
                let (mut all, mut done) = (vec![at], 0);
                while done < all.len() {
                    for end in ends(a, text, all[done]) {
                        if !all.contains(&end) {
                            all.push(end);
                        }
                    }
                    done += 1;
                }
                all
            }
            Node::Look { body, behind, negative } => {
                let holds = match behind {
                    false => !ends(body, text, at).is_empty(),
                    true => (0..=at).any(|from| ends(body, text, from).contains(&at)),
                };
                if holds != *negative { vec![at] } else { vec![] }
            }
        };
        found.sort_unstable();
        found.dedup();
        found
    }

    fn plain() -> impl Strategy<Value = Node> {
        let leaf = prop_oneof![Just("a"), Just("b"), Just("."), Just("^")].prop_map(Node::Text);
        leaf.prop_recursive(3, 8, 2, |inner| {
            let pair = (inner.clone(), inner.clone());
            prop_oneof![
                3 => pair.clone().prop_map(|(a, b)| Node::Then(a.into(), b.into())),
                1 => pair.prop_map(|(a, b)| Node::Or(a.into(), b.into())),
                1 => inner.prop_map(|a| Node::Star(a.into())),
            ]
        })
    }

    fn tree() -> impl Strategy<Value = Node> {
        let behind = (plain(), any::<bool>()).prop_map(|(body, negative)| Node::Look {
            body: body.into(),
            behind: true,
            negative,
        });
        let texts = prop_oneof![Just("a"), Just("b"), Just("."), Just("$")].prop_map(Node::Text);
        prop_oneof![3 => plain(), 2 => texts, 1 => behind].prop_recursive(4, 12, 2, |inner| {
            let pair = (inner.clone(), inner.clone());
            // Lookbehind in lookahead is refused, and skipped below.
            prop_oneof![
                4 => pair.clone().prop_map(|(a, b)| Node::Then(a.into(), b.into())),
                1 => pair.prop_map(|(a, b)| Node::Or(a.into(), b.into())),
                1 => inner.clone().prop_map(|a| Node::Star(a.into())),
                2 => (inner, any::<bool>()).prop_map(|(body, negative)| Node::Look {
                    body: body.into(), behind: false, negative }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn lookaround_is_exact(node in tree()) {
            let pattern = show(&node);
            let dfa = match compile_pattern(&pattern, &PatternLimits::default()) {
                Ok(dfa) => dfa,
                Err(e) => {
                    prop_assert!(e.kind() != ErrorKind::InvalidSchema, "{}", e);
                    return Ok(());
                }
            };
            check_invariants(&dfa);
            for length in 0..=6u32 {
                for bits in 0..1 << length {
                    let text: Vec<u8> = (0..length).map(|i| b'a' + u8::from(bits >> i & 1 == 1)).collect();
                    let expected = (0..=text.len()).any(|at| !ends(&node, &text, at).is_empty());
                    prop_assert_eq!(dfa.accepts(&text), expected, "{} {:?}", pattern, String::from_utf8_lossy(&text));
                }
            }
        }
    }
}
