//! Number automata against brute force in exact arithmetic, and against a validator.

use std::time::Instant;

use serde_json::{Value, json};
use warpgrammar::ErrorKind;
use warpgrammar::pattern::{Bound, ByteDfa, NumberSpec, number};

fn bound(text: &str, exclusive: bool) -> Option<Bound> {
    Some(Bound { value: text.into(), exclusive })
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

/// The exact value of JSON number text, times 10^16; `None` if it is not JSON. Short texts only.
fn exact(text: &str) -> Option<i128> {
    serde_json::from_str::<Value>(text).ok()?;
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i32 = exponent.parse().ok()?;
    let digits: i128 = format!("{}{fraction}", integer.trim_start_matches('-')).parse().ok()?;
    let shift = 16 + exponent - fraction.len() as i32;
    let scaled = match u32::try_from(shift) {
        Ok(up) => digits.checked_mul(10i128.checked_pow(up)?)?,
        Err(_) => {
            let down = 10i128.checked_pow(shift.unsigned_abs())?;
            assert_eq!(digits % down, 0, "{text}");
            digits / down
        }
    };
    Some(if text.starts_with('-') { -scaled } else { scaled })
}

/// Whether `text` satisfies `spec` in a spelling that is written.
fn expected(spec: &NumberSpec, text: &str) -> bool {
    // An exponent this large or small leaves every bound of these tests behind.
    if let Some((mantissa, exponent)) = text.split_once(['e', 'E']) {
        let free = free_side(spec, text.starts_with('-'));
        return free
            && serde_json::from_str::<Value>(text).is_ok()
            && exponent.trim_start_matches(['+', '-']).len() <= 2
            && expected(spec, mantissa);
    }
    let Some(value) = exact(text) else {
        return false;
    };
    let inside = |b: &Option<Bound>, sign: i128| {
        b.as_ref().is_none_or(|b| {
            let distance = sign * (value - exact(&b.value).unwrap());
            distance > 0 || (distance == 0 && !b.exclusive)
        })
    };
    let integer = spec.integer || (spec.multiple_of.is_some() && spec.decimals == 0);
    let decimals = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    if spec.multiple_of.is_some() && decimals > spec.decimals.into() {
        return false;
    }
    inside(&spec.minimum, 1)
        && inside(&spec.maximum, -1)
        && !(integer && text.contains('.'))
        && !(value == 0 && text.starts_with('-'))
        && spec
            .multiple_of
            .is_none_or(|m| value % (i128::from(m) * 10i128.pow(16 - u32::from(spec.decimals))) == 0)
}

/// Whether numbers of this sign are bounded by their sign at most.
fn free_side(spec: &NumberSpec, negative: bool) -> bool {
    let zero_or = |b: &Option<Bound>, other: bool| {
        b.as_ref().is_none_or(|b| {
            let value = exact(&b.value).unwrap();
            value == 0 || (value < 0) == other
        })
    };
    let (near, far) = if negative { (&spec.maximum, &spec.minimum) } else { (&spec.minimum, &spec.maximum) };
    !spec.integer && spec.multiple_of.is_none() && far.is_none() && zero_or(near, !negative)
}

fn check_invariants(dfa: &ByteDfa) {
    assert!((0..=255).all(|b| dfa.next(0, b) == 0) && !dfa.accepting[0]);
    assert!(dfa.boundary.iter().all(|&b| b));
    let mut reaches = dfa.accepting.clone();
    while (1..dfa.len() as u32).any(|s| {
        let now = (0..=255).any(|b| reaches[dfa.next(s, b) as usize]);
        now && !std::mem::replace(&mut reaches[s as usize], true)
    }) {}
    assert!(reaches[1..].iter().all(|&r| r));
}

/// Every text up to `length` over `alphabet`, in the order of a walk.
fn every_text(alphabet: &[u8], length: usize, visit: &mut impl FnMut(&str)) {
    fn extend(text: &mut String, alphabet: &[u8], left: usize, visit: &mut impl FnMut(&str)) {
        visit(text);
        for &b in alphabet.iter().filter(|_| left > 0) {
            text.push(b.into());
            extend(text, alphabet, left - 1, visit);
            text.pop();
        }
    }
    extend(&mut String::new(), alphabet, length, visit);
}

fn random_spec(random: &mut Random) -> NumberSpec {
    const BOUNDS: [&str; 26] = [
        "0", "-0", "1", "-1", "5", "9", "10", "11", "19", "-10", "99", "100", "-100", "0.5", "-0.5", "1.5",
        "-1.05", "0.05", "9.99", "1e1", "1.5e1", "-2e0", "15e-1", "0.0", "-0.25", "512",
    ];
    let mut end = || {
        let bound = bound(BOUNDS[random.below(BOUNDS.len())], random.below(2) == 0);
        bound.filter(|_| random.below(4) > 0)
    };
    let (minimum, maximum) = (end(), end());
    NumberSpec {
        integer: random.below(2) == 0,
        minimum,
        maximum,
        multiple_of: Some([1, 2, 3, 5, 7, 10, 12, 20, 50, 100][random.below(10)])
            .filter(|_| random.below(4) == 0),
        decimals: 0,
        constant: None,
    }
}

/// As it is, or with a divisor between its decimals.
fn with_decimals(mut spec: NumberSpec, random: &mut Random) -> NumberSpec {
    if random.below(2) == 0 {
        (spec.multiple_of, spec.decimals) =
            [(1, 1), (1, 2), (5, 1), (25, 1), (25, 2), (3, 1), (75, 2), (1, 3), (125, 3), (15, 1)]
                .map(|(m, d)| (Some(m), d))[random.below(10)];
    }
    spec
}

#[test]
fn brute_force() {
    // Short texts over everything, longer ones over the digits that matter.
    let mut texts = Vec::new();
    every_text(b"-0123456789.eE+", 3, &mut |t| texts.push(t.to_string()));
    every_text(b"-0159.", 5, &mut |t| texts.push(t.to_string()));
    every_text(b"-01.e+", 6, &mut |t| texts.push(t.to_string()));
    let mut random = Random(7);
    let mut accepted = 0;
    for _ in 0..150 {
        let spec = with_decimals(random_spec(&mut random), &mut random);
        let dfa = number(&spec).unwrap();
        check_invariants(&dfa);
        for text in &texts {
            let accepts = dfa.accepts(text.as_bytes());
            assert_eq!(accepts, expected(&spec, text), "{text} {spec:?}\n{dfa:?}");
            accepted += usize::from(accepts);
        }
    }
    eprintln!("{} texts, {accepted} accepted in all", texts.len());
}

/// A random text of the language.
fn sample(dfa: &ByteDfa, random: &mut Random) -> String {
    let (mut state, mut text, stop) = (dfa.start, String::new(), 1 + random.below(12));
    loop {
        let edges: Vec<u8> = (0..=255).filter(|&b| dfa.next(state, b) != 0).collect();
        if dfa.accepting[state as usize] && (edges.is_empty() || random.below(stop) == 0) {
            return text;
        }
        let byte = edges[random.below(edges.len())];
        text.push(byte.into());
        state = dfa.next(state, byte);
    }
}

fn schema(spec: &NumberSpec) -> Value {
    let mut schema = json!({ "type": if spec.integer { "integer" } else { "number" } });
    for (b, inclusive, exclusive) in
        [(&spec.minimum, "minimum", "exclusiveMinimum"), (&spec.maximum, "maximum", "exclusiveMaximum")]
    {
        if let Some(b) = b {
            schema[if b.exclusive { exclusive } else { inclusive }] = serde_json::from_str(&b.value).unwrap();
        }
    }
    if let Some(m) = spec.multiple_of {
        schema["multipleOf"] = serde_json::from_str(&format!("{m}e-{}", spec.decimals)).unwrap();
    }
    schema
}

#[test]
fn samples_are_valid() {
    let mut random = Random(11);
    let mut specs: Vec<NumberSpec> = (0..300).map(|_| random_spec(&mut random)).collect();
    for text in [
        "1e300",
        "-1e300",
        "1e-300",
        "9007199254740993",
        "12345678901234567890",
        "0.1",
        "0.30000000000000004",
        "1e15",
        "999999999999999999",
        "0.12345678901234567",
        "1.7976931348623157e308",
        "-273.15",
        "3.141592653589793238",
        "4294967295",
        "1e22",
        "123456789.987654321",
    ] {
        for exclusive in [false, true] {
            for integer in [false, true] {
                let with =
                    |minimum, maximum| NumberSpec { integer, minimum, maximum, ..NumberSpec::default() };
                specs.push(with(bound(text, exclusive), None));
                specs.push(with(None, bound(text, exclusive)));
                specs.push(with(bound(text, exclusive), bound("1e301", false)));
            }
        }
    }
    for spec in specs {
        let dfa = number(&spec).unwrap();
        let oracle = jsonschema::validator_for(&schema(&spec)).unwrap();
        for _ in 0..if dfa.is_empty() { 0 } else { 300 } {
            let text = sample(&dfa, &mut random);
            let value: Value = serde_json::from_str(&text).unwrap();
            assert!(text.parse::<f64>().unwrap().is_finite());
            assert!(oracle.is_valid(&value), "{text} {spec:?}");
        }
    }
}

#[test]
fn chosen_cases() {
    let check = |spec: NumberSpec, yes: &[&str], no: &[&str]| {
        let dfa = number(&spec).unwrap();
        yes.iter().for_each(|t| assert!(dfa.accepts(t.as_bytes()), "{t} {spec:?}\n{dfa:?}"));
        no.iter().for_each(|t| assert!(!dfa.accepts(t.as_bytes()), "{t} {spec:?}"));
    };
    let any = NumberSpec::default();
    let integer = NumberSpec { integer: true, ..NumberSpec::default() };
    check(
        any.clone(),
        &["0", "-1", "1.5e-99", "0e1", "0.0", "1234567890123456.1234567890123456E+99", "-0.1e5", "0.00"],
        &[
            "-0",
            "-0.0",
            "-0e1",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "1e100",
            "12345678901234567",
            "1.12345678901234567",
            "",
            "-",
            "1e-",
        ],
    );
    check(
        integer.clone(),
        &["0", "-1", "123456789012345678"],
        &["-0", "1.0", "1e3", "1234567890123456789", "00", ""],
    );
    let min = |text| NumberSpec { minimum: bound(text, false), ..any.clone() };
    check(min("0"), &["0", "0.0", "1e-99", "5E5"], &["-1", "-0"]);
    check(
        NumberSpec { minimum: bound("0", true), ..any.clone() },
        &["0.1", "1e-99", "0.0000000000000001e-99"],
        &["0", "0.0", "0e5", "-1"],
    );
    check(
        NumberSpec { maximum: bound("0", true), ..any.clone() },
        &["-0.1", "-1e99"],
        &["0", "-0", "1", "-0e1"],
    );
    check(
        NumberSpec { maximum: bound("0", false), ..any.clone() },
        &["-0.1", "0", "0.00"],
        &["-0.0", "1", "0.1"],
    );
    check(
        min("1.5"),
        &["1.5", "1.50", "2", "123456789012345"],
        &["1.4", "1", "1.49999999999999", "2e1", "1234567890123456"],
    );
    check(
        NumberSpec { minimum: bound("1e18", false), ..integer.clone() },
        &["1000000000000000000", "9999999999999999999"],
        &["999999999999999999"],
    );
    check(
        NumberSpec {
            minimum: bound("0.12345678901234567", false),
            maximum: bound("0.12345678901234568", false),
            ..any.clone()
        },
        &["0.12345678901234567", "0.123456789012345675"],
        &["0.12345678901234569", "0.1"],
    );
    check(
        NumberSpec { minimum: bound("2", false), maximum: bound("1", false), ..any.clone() },
        &[],
        &["1", "2", "1.5"],
    );
    check(
        NumberSpec { minimum: bound("5", true), maximum: bound("6", true), ..integer.clone() },
        &[],
        &["5", "6"],
    );
    let multiple = |m, min: &str, max: &str| NumberSpec {
        multiple_of: Some(m),
        minimum: bound(min, false),
        maximum: bound(max, false),
        ..any.clone()
    };
    check(
        multiple(1000, "-5000", "1e6"),
        &["0", "1000", "-5000", "1000000"],
        &["500", "-6000", "1001000", "1000.0", "-0"],
    );
    check(multiple(18446744073709551610, "0", "10"), &["0"], &["10"]);
    check(multiple(86400, "0", "1e12"), &["0", "86400", "172800"], &["86401"]);
    check(multiple(65536, "-65535.5", "2e5"), &["0", "65536", "131072", "196608"], &["-65536", "1", "-0"]);
    check(multiple(65537, "-65537", "1"), &["0", "-65537"], &["65537", "-0"]);
    let decimal = |m, decimals, min: &str, max: &str| NumberSpec { decimals, ..multiple(m, min, max) };
    check(
        decimal(1, 2, "0", "100"),
        &["0", "0.0", "0.01", "99.99", "100", "100.00", "12.5"],
        &["0.001", "0.010", "100.01", "1e1", "-0.01"],
    );
    check(
        decimal(25, 1, "-10", "10"),
        &["2.5", "-7.5", "10", "10.0", "0"],
        &["2.4", "1", "-0", "2.50", "12.5"],
    );
    check(decimal(250, 2, "-10", "10"), &["2.5", "-7.5", "10"], &["2.4", "2.50"]);
    check(NumberSpec { integer: true, ..decimal(25, 1, "0", "30") }, &["5", "30"], &["2.5", "2", "5.0"]);
    check(NumberSpec { integer: true, ..decimal(2125, 3, "0", "99") }, &["17", "34"], &["2", "8.5"]);
    check(NumberSpec { integer: true, ..decimal(1, 2, "0", "30") }, &["5", "30"], &["0.01"]);
    check(decimal(1, 12, "0", "0.1"), &["0.000000000001", "0.1"], &["0.0000000000001"]);
    check(decimal(3, 1, "0.1", "0.2"), &[], &["0.1", "0.3"]);
    let constant = |text: &str| NumberSpec { constant: Some(text.into()), integer: true, ..any.clone() };
    check(constant("1e3"), &["1e3", "1000"], &["1000.0", "1"]);
    check(constant("1.0"), &["1.0", "1"], &["1.00"]);
    check(constant("-0.0"), &["0"], &["-0.0", "-0"]);
    check(constant("-2.50"), &["-2.50", "-2.5"], &["2.5"]);
    check(constant("1e400"), &["1e400"], &[]);
    check(constant("1e-300"), &["1e-300"], &["0"]);
}

#[test]
fn bad_specs_are_errors() {
    let kind = |spec: NumberSpec| number(&spec).unwrap_err().kind();
    let any = NumberSpec::default();
    assert_eq!(kind(NumberSpec { minimum: bound("x", false), ..any.clone() }), ErrorKind::InvalidSchema);
    assert_eq!(kind(NumberSpec { constant: Some("01".into()), ..any.clone() }), ErrorKind::InvalidSchema);
    assert_eq!(kind(NumberSpec { multiple_of: Some(0), ..any.clone() }), ErrorKind::InvalidSchema);
    assert_eq!(kind(NumberSpec { maximum: bound("1e9999", false), ..any.clone() }), ErrorKind::LimitExceeded);
    let decimals = NumberSpec { multiple_of: Some(1), decimals: 13, ..any.clone() };
    assert_eq!(kind(decimals), ErrorKind::LimitExceeded);
    for m in [1_000_003, 65_537 * 3, u64::MAX] {
        assert_eq!(kind(NumberSpec { multiple_of: Some(m), ..any.clone() }), ErrorKind::LimitExceeded, "{m}");
    }
}

proptest::proptest! {
    /// Any text as a bound or constant is used or refused, never a panic.
    #[test]
    fn any_text_is_handled(min in "-?[0-9]{0,25}(\\.[0-9]{0,20})?([eE][+-]?[0-9]{0,3})?|\\PC{0,6}", max in "-?[0-9]{1,25}(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?", integer: bool, exclusive: bool, m: Option<u16>, d in 0..16u8) {
        let spec = NumberSpec { integer, minimum: bound(&min, exclusive), maximum: bound(&max, exclusive), multiple_of: m.map(u64::from), decimals: d, constant: None };
        if let Ok(dfa) = number(&spec) {
            proptest::prop_assert!(dfa.is_empty() == (dfa.len() == 1));
        }
        let constant = number(&NumberSpec { constant: Some(min.clone()), ..spec });
        proptest::prop_assert_eq!(constant.is_ok(), serde_json::from_str::<serde_json::Number>(&min).is_ok());
    }
}

#[test]
fn sizes_and_times() {
    let any = NumberSpec::default();
    let integer = NumberSpec { integer: true, ..NumberSpec::default() };
    let range = |base: &NumberSpec, min: &str, max: &str| NumberSpec {
        minimum: bound(min, false),
        maximum: bound(max, false),
        ..base.clone()
    };
    let multiple = |m| NumberSpec { multiple_of: Some(m), ..NumberSpec::default() };
    for (name, spec) in [
        ("number", any.clone()),
        ("integer", integer.clone()),
        ("0 ≤ n ≤ 150", range(&integer, "0", "150")),
        ("0 ≤ x ≤ 1", range(&any, "0", "1")),
        ("-90 ≤ x ≤ 90", range(&any, "-90", "90")),
        ("-273.15 ≤ x ≤ 1e6", range(&any, "-273.15", "1e6")),
        ("1 ≤ n ≤ 65535", range(&integer, "1", "65535")),
        ("|n| < 2^63", range(&integer, "-9223372036854775808", "9223372036854775807")),
        ("0 ≤ x ≤ DBL_MAX", range(&any, "0", "1.7976931348623157e308")),
        ("x ≥ 1e300", NumberSpec { minimum: bound("1e300", false), ..any.clone() }),
        ("multiple of 5", multiple(5)),
        ("multiple of 7", multiple(7)),
        ("multiple of 60", multiple(60)),
        ("multiple of 100", multiple(100)),
        ("multiple of 1000000", multiple(1_000_000)),
        ("multiple of 1024", multiple(1024)),
        ("multiple of 997", multiple(997)),
        ("multiple of 4096", multiple(4096)),
        ("multiple of 7919", multiple(7919)),
    ] {
        let begun = Instant::now();
        let result = number(&spec);
        let took = begun.elapsed();
        match result {
            Ok(dfa) => eprintln!("{name:20} {:6} states {:3} classes {took:9.3?}", dfa.len() - 1, dfa.stride),
            Err(error) => eprintln!("{name:20} {error} {took:9.3?}"),
        }
    }
}
