//! What is certain not to satisfy an assertion about numbers.
//!
//! The automaton of an assertion accepts some of the spellings of its numbers: none of `1.0` for an integer. So
//! its complement would accept numbers that satisfy it. What fails a conjunction fails one of its parts: it is
//! less than the minimum, more than the maximum, no integer, or an integer that is no multiple.

use std::sync::Arc;

use super::number::digits_of_multiples;
use super::{Bound, ByteDfa, Digits, NumberSpec, PatternLimits, number_with, product, shared_pattern};
use crate::error::Result;

/// The automaton of texts whose number does not satisfy `spec`: some spelling of each such number.
///
/// # Errors
/// As [`number_with`].
pub fn number_outside(spec: &NumberSpec, digits: Digits) -> Result<ByteDfa> {
    let number = |spec: &NumberSpec| number_with(spec, digits);
    let bound = |value: &str, exclusive| Some(Bound { value: value.to_owned(), exclusive });
    let below = |value: &str, exclusive| {
        number(&NumberSpec { maximum: bound(value, exclusive), ..NumberSpec::default() })
    };
    let above = |value: &str, exclusive| {
        number(&NumberSpec { minimum: bound(value, exclusive), ..NumberSpec::default() })
    };
    let mut parts = Vec::new();
    if let Some(constant) = &spec.constant {
        parts.push(below(constant, true)?);
        parts.push(above(constant, true)?);
    } else {
        if let Some(minimum) = &spec.minimum {
            parts.push(below(&minimum.value, !minimum.exclusive)?);
        }
        if let Some(maximum) = &spec.maximum {
            parts.push(above(&maximum.value, !maximum.exclusive)?);
        }
        // Of multiples of a decimal only one spelling is accepted: nothing is known not to be one.
        let multiple_of = spec.multiple_of.filter(|_| spec.decimals == 0);
        if spec.integer || multiple_of.is_some() {
            parts.push((*fractions(digits)).clone());
        }
        if let Some(m) = multiple_of {
            let integer = NumberSpec { integer: true, ..NumberSpec::default() };
            let all = match digits {
                Digits::Counted => number(&integer)?,
                // No more digits than multiples are written with, so that the two together stay small.
                Digits::Limited => {
                    let most = "9".repeat(digits_of_multiples(m)?);
                    let (minimum, maximum) = (bound(&format!("-{most}"), false), bound(&most, false));
                    number(&NumberSpec { minimum, maximum, ..integer.clone() })?
                }
            };
            // What is taken away must be all multiples, however long.
            let multiples = number_with(&NumberSpec { multiple_of, ..integer }, Digits::Counted)?;
            parts.push(product(&all, &multiples, |a, b| a && !b));
        }
    }
    let mut outside = product(&fractions(digits), &fractions(digits), |_, _| false);
    for part in parts {
        outside = product(&outside, &part, |a, b| a || b);
    }
    Ok(outside)
}

/// Numbers with a fraction other than zero, written without an exponent, and so short that no reader rounds
/// the fraction away.
fn fractions(digits: Digits) -> Arc<ByteDfa> {
    let pattern = match digits {
        Digits::Counted => r"^-?(0|[1-9][0-9]*)\.[0-9]*[1-9]$",
        Digits::Limited => r"^-?(0|[1-9][0-9]{0,7})\.[0-9]{0,6}[1-9]$",
    };
    shared_pattern(pattern, &PatternLimits::default()).expect("a pattern")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_outside_or_not() {
        let bound = |value: &str, exclusive| Some(Bound { value: value.to_owned(), exclusive });
        let specs = [
            NumberSpec { integer: true, ..NumberSpec::default() },
            NumberSpec { minimum: bound("-3", false), maximum: bound("7.5", true), ..NumberSpec::default() },
            NumberSpec {
                integer: true,
                multiple_of: Some(3),
                minimum: bound("0", true),
                ..NumberSpec::default()
            },
            NumberSpec { multiple_of: Some(2), ..NumberSpec::default() },
            NumberSpec { constant: Some("4".into()), ..NumberSpec::default() },
            NumberSpec { constant: Some("2.50".into()), ..NumberSpec::default() },
        ];
        let all = specs.into_iter().flat_map(|s| [(s.clone(), Digits::Limited), (s, Digits::Counted)]);
        for (spec, digits) in all {
            let outside = number_outside(&spec, digits).unwrap();
            for tenths in -200..200i32 {
                let value = f64::from(tenths) / 10.0;
                let text = value.to_string();
                if text == "-0" {
                    continue;
                }
                let limit = |b: &Option<Bound>, low: bool| {
                    b.as_ref().is_none_or(|b| {
                        let at: f64 = b.value.parse().unwrap();
                        let within = if low { value > at } else { value < at };
                        within || value == at && !b.exclusive
                    })
                };
                let whole = tenths % 10 == 0;
                let mut inside = (!spec.integer || whole)
                    && limit(&spec.minimum, true)
                    && limit(&spec.maximum, false)
                    && spec.multiple_of.is_none_or(|m| whole && (tenths / 10) % m as i32 == 0);
                if let Some(c) = &spec.constant {
                    inside = c.parse::<f64>().unwrap() == value;
                }
                assert_eq!(outside.accepts(text.as_bytes()), !inside, "{text} {spec:?}");
                let other = format!("{value:.1}");
                assert!(!inside || !outside.accepts(other.as_bytes()), "{other} {spec:?}");
            }
        }
    }

    /// However many digits a multiple has, it is not taken for another number.
    #[test]
    fn multiples_of_any_length_are_inside() {
        for m in [3u64, 8, 37, 80, 2003, 7919, 1000] {
            let spec = NumberSpec { multiple_of: Some(m), ..NumberSpec::default() };
            for digits in [Digits::Limited, Digits::Counted] {
                let outside = number_outside(&spec, digits).unwrap();
                for length in 1..=18 {
                    let power = 10u64.pow(length);
                    for near in [power / 10, power / 7, power - 1] {
                        let multiple = near / m * m;
                        for text in [multiple.to_string(), format!("-{multiple}")] {
                            assert!(!outside.accepts(text.as_bytes()), "{text} of {m}");
                        }
                        if length <= m.ilog10() + 2 && near % m != 0 {
                            assert!(outside.accepts(near.to_string().as_bytes()), "{near} is none of {m}");
                        }
                    }
                }
            }
        }
    }
}
