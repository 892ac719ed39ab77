//! Numbers as automata over JSON number text, in exact decimal arithmetic.
//!
//! Nothing here computes with floating point: a bound is compared with a text digit by digit, as the digits
//! come. What *is* bounded is the number of digits, because texts are read back by parsers that use doubles
//! and 64-bit integers. Within the limits that [`number`] lists, every reader agrees with exact arithmetic.

use std::cmp::Ordering;
use std::sync::{Arc, OnceLock};

use super::literal::byte_strings;
use super::{Bound, ByteDfa, NumberSpec, product};
use crate::error::{Error, ErrorKind, Result};

mod decimal;
mod reader;

use decimal::Decimal;
use reader::{Limit, Reader, Remainder};

/// Digits of an integer.
const INTEGER_DIGITS: usize = 18;
/// Digits of a number that is compared with a bound, both sides of the point together. Any two decimals of
/// 15 significant digits are different doubles, in the same order.
const BOUNDED_DIGITS: usize = 15;
/// Digits before and after the point of a number that is not compared with anything.
const FREE_DIGITS: usize = 16;
/// No text without bounds reaches 10^115 (16 digits and exponent 99), nor, but for 0, falls below 10^-115.
const FREE_EXPONENT: usize = 115;
/// The largest finite double.
const LARGEST_DOUBLE: &str = "1.7976931348623157e308";
/// States a multipleOf may take, roughly remainders × digits, before the table is minimised.
const REMAINDER_STATES: u64 = 60_000;
/// Beyond this many, fewer digits are written instead.
const REMAINDER_STATES_AIM: u64 = 4_000;
/// Decimals of a multipleOf.
const MULTIPLE_DECIMALS: usize = 12;
/// Up to this many multiples in a range are listed instead of recognised by their remainder.
const FEW_MULTIPLES: u128 = 1_000;
/// Longest text for which a constant is also spelled without its exponent.
const PLAIN_LENGTH: usize = 64;

/// Digits that a text may have whose automaton leaves them uncounted, see [`Digits::Counted`].
pub const COUNTED_DIGITS: u32 = BOUNDED_DIGITS as u32;
/// Digits of a bound up to which digits can be left uncounted.
const UNCOUNTED_BOUND: usize = 10;

/// Who sees to it that texts have no more digits than readers can be trusted with.
///
/// An automaton that counts digits has every other state once for each count: remainders of several divisors together
/// would be tens of thousands of states. A frame counts at no cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Digits {
    /// The automaton, by the limits that [`number`] lists.
    Limited,
    /// Whoever reads the text: any number of digits is accepted, and right up to [`COUNTED_DIGITS`] in all, the zero
    /// before a point among them. There are no exponents.
    Counted,
}

/// Whether digits can be left uncounted: not with a long bound, a constant, or a multiple of a decimal.
pub fn is_countable(spec: &NumberSpec) -> bool {
    let whole = reduced(spec).is_ok_and(|r| r.decimals == 0 && r.multiple_of != Some(0));
    spec.constant.is_none() && whole && is_short(spec)
}

/// Whether all numbers that matter to `spec` can be written with [`COUNTED_DIGITS`].
pub fn is_short(spec: &NumberSpec) -> bool {
    let short = |text: &str| {
        Decimal::parse(text).is_ok_and(|v| v.integer.len() + v.fraction.len() <= UNCOUNTED_BOUND)
    };
    [&spec.minimum, &spec.maximum].into_iter().flatten().all(|b| short(&b.value))
        && spec.constant.as_deref().is_none_or(short)
}

/// The divisor of integers that `spec` asks for, if it asks for one and for nothing of their fractions.
pub fn whole_divisor(spec: &NumberSpec) -> Option<u64> {
    reduced(spec).ok().filter(|r| r.decimals == 0)?.multiple_of.filter(|&m| m > 0)
}

/// Digits of the multiples of `m` where they are not bounded.
///
/// # Errors
/// [`ErrorKind::LimitExceeded`] if `m` has too many remainders.
pub(super) fn digits_of_multiples(m: u64) -> Result<usize> {
    let zero = Limit { value: Decimal::parse("0")?, exclusive: false };
    let remainder = Some(Remainder::new(m));
    let all =
        Reader { negative: false, low: zero, high: None, digits: (0, 0, 0), exponent: false, remainder };
    remainder_digits(m, &all, BOUNDED_DIGITS)
}

/// The texts of the JSON numbers that satisfy `spec`, whose digits the automaton counts.
///
/// Every value in reach has at least one spelling, but not all spellings are written:
///
/// | kind | texts |
/// |---|---|
/// | integer | up to 18 digits (fits a signed 64-bit integer), no point, no exponent |
/// | multiple of m | up to 15 digits (exact as a double), fewer if m is large; after the point no more than m has |
/// | number without bounds, or only a sign | 16 digits before the point, 16 after, exponent up to ±99 |
/// | number with bounds | 15 digits in all (a double tells them apart), no exponent |
///
/// A bound that needs more digits than these gets them; no text overflows a double. Zero is never written
/// with a minus sign: `-0` is an integer to some readers and a double to others.
///
/// # Errors
///
/// [`ErrorKind::InvalidSchema`] if a bound is not a JSON number or `multiple_of` is 0;
/// [`ErrorKind::LimitExceeded`] for a bound of more than 400 digits or a `multiple_of` with too many
/// remainders (about 8,000, not counting factors of 10) or more than 12 decimals.
pub fn number(spec: &NumberSpec) -> Result<ByteDfa> {
    number_with(spec, Digits::Limited)
}

/// As [`number`]; if digits are [`Digits::Counted`], `spec` must be [countable](is_countable).
///
/// # Errors
/// As [`number`].
pub fn number_with(spec: &NumberSpec, digits: Digits) -> Result<ByteDfa> {
    if let Some(text) = &spec.constant {
        return constant(text);
    }
    let bound = |b: &Option<Bound>| -> Result<Option<Limit>> {
        let Some(b) = b else { return Ok(None) };
        Ok(Some(Limit { value: Decimal::parse(&b.value)?, exclusive: b.exclusive }))
    };
    let (minimum, maximum) = (bound(&spec.minimum)?, bound(&spec.maximum)?);
    let spec = &reduced(spec)?;
    let above = side(spec, digits, false, minimum.as_ref(), maximum.as_ref())?;
    let below = side(spec, digits, true, maximum.as_ref(), minimum.as_ref())?;
    Ok(product(&above, &below, |a, b| a || b))
}

/// The specification with as few decimals of its divisor as will do: none if only integers count.
fn reduced(spec: &NumberSpec) -> Result<NumberSpec> {
    let mut spec = spec.clone();
    let Some(mut m) = spec.multiple_of.filter(|_| spec.decimals > 0) else {
        spec.decimals = 0;
        return Ok(spec);
    };
    while spec.decimals > 0 && m.is_multiple_of(10) && m > 0 {
        m /= 10;
        spec.decimals -= 1;
    }
    if spec.integer {
        // k · m · 10^-d is an integer if 10^d divides k · m.
        for _ in 0..spec.decimals {
            for prime in [2, 5] {
                m = if m.is_multiple_of(prime) { m / prime } else { m };
            }
        }
        spec.decimals = 0;
    }
    if usize::from(spec.decimals) > MULTIPLE_DECIMALS {
        let what = format!("\"multipleOf\" has more than {MULTIPLE_DECIMALS} decimals; use a larger divisor");
        return Err(Error::new(ErrorKind::LimitExceeded, what));
    }
    spec.multiple_of = Some(m);
    Ok(spec)
}

/// Any number, within the documented bounds of digits. Built once.
pub fn any_number(digits: Digits) -> Arc<ByteDfa> {
    static ANY: [OnceLock<Arc<ByteDfa>>; 2] = [const { OnceLock::new() }; 2];
    ANY[usize::from(digits == Digits::Counted)]
        .get_or_init(|| {
            let any = number_with(&NumberSpec::default(), digits);
            Arc::new(any.expect("a specification without bounds is in order"))
        })
        .clone()
}

/// The numbers ≥ 0, or those < 0 with their minus sign, between the bound nearer to 0 and the farther one.
fn side(
    spec: &NumberSpec,
    digits: Digits,
    negative: bool,
    near: Option<&Limit>,
    far: Option<&Limit>,
) -> Result<ByteDfa> {
    let here = |limit: &&Limit| limit.value.negative == negative && !(negative && limit.value.is_zero());
    // A near bound on the other side of 0 does not bind here, a far one excludes everything.
    if far.is_some_and(|limit| !limit.value.is_zero() && limit.value.negative != negative)
        || (negative && far.is_some_and(|limit| limit.value.is_zero()))
    {
        return Ok(byte_strings(&[]));
    }
    let zero = Decimal::parse("0")?;
    let near = near.filter(here).cloned();
    let mut low = near.unwrap_or(Limit { value: zero.clone(), exclusive: negative });
    let mut high = far.cloned();
    let step = match spec.multiple_of {
        Some(0) => {
            return Err(Error::new(ErrorKind::InvalidSchema, "\"multipleOf\" must be greater than 0"));
        }
        step => step.filter(|&m| m > 1 || spec.decimals > 0),
    };
    let decimals = usize::from(spec.decimals);
    let integer = spec.integer || (spec.multiple_of.is_some() && decimals == 0);
    if digits == Digits::Counted {
        let remainder = step.map(Remainder::new);
        let after = if integer { 0 } else { usize::MAX };
        let digits = (usize::MAX, after, usize::MAX);
        return reader(Reader { negative, low, high, digits, exponent: false, remainder });
    }
    if !integer && decimals == 0 {
        let zeros = low.value.fraction.iter().take_while(|&&d| d == b'0').count();
        if low.value.integer.is_empty() && !low.value.is_zero() && zeros >= FREE_EXPONENT {
            low = Limit { value: zero, exclusive: true };
        }
        if low.value.is_zero() && high.as_ref().is_none_or(|h| h.value.integer.len() > FREE_EXPONENT) {
            high = None;
            let digits = (FREE_DIGITS, FREE_DIGITS, 2 * FREE_DIGITS);
            return reader(Reader { negative, low, high, digits, exponent: true, remainder: None });
        }
    }
    if !integer {
        low = low.apart(Ordering::Greater);
        high = high.map(|limit| limit.apart(Ordering::Less));
    }
    let usual = if integer { INTEGER_DIGITS } else { BOUNDED_DIGITS };
    let usual = if step.is_some() { BOUNDED_DIGITS - decimals } else { usual };
    let needed = if low.value.integer.len() >= usual { low.value.integer.len() + 1 } else { usual };
    if needed >= 308 {
        let largest = Limit { value: Decimal::parse(LARGEST_DOUBLE)?, exclusive: false };
        high = high.filter(|limit| largest.admits(&limit.value, Ordering::Less)).or(Some(largest));
    }
    let mut reading = Reader { negative, low, high, digits: (0, 0, 0), exponent: false, remainder: None };
    if integer || step.is_some() {
        let count = match step {
            Some(m) => {
                if decimals == 0
                    && let Some(few) = few_multiples(m, &reading)
                {
                    return Ok(byte_strings(&few));
                }
                reading.remainder = Some(Remainder::new(m));
                remainder_digits(m, &reading, needed)?
            }
            None => needed,
        };
        reading.digits = (count, decimals, count + decimals);
        return reader(reading);
    }
    reading.digits = (needed, needed, needed);
    let dfa = reader(reading.clone())?;
    if !dfa.is_empty() {
        return Ok(dfa);
    }
    // The bounds may be so close that only longer texts lie between them.
    let length = |limit: &Limit| limit.value.integer.len() + limit.value.fraction.len() + 1;
    let all = reading.high.iter().map(length).chain([length(&reading.low), needed]).max().unwrap_or(needed);
    reading.digits = (all, all, all);
    reader(reading)
}

/// The multiples of `m` in the range, sorted as texts, if there are but a few and `m` is large.
fn few_multiples(m: u64, reading: &Reader) -> Option<Vec<Vec<u8>>> {
    let high = reading.high.as_ref()?;
    if Remainder::new(m).states() < FEW_MULTIPLES as u64 {
        return None;
    }
    // The nearest integers outside the range, or on its ends.
    let integer = |limit: &Limit| -> Option<u128> {
        let digits = std::str::from_utf8(&limit.value.integer).ok()?;
        if digits.is_empty() { Some(0) } else { digits.parse().ok() }
    };
    let (step, first, last) = (u128::from(m), integer(&reading.low)?, integer(high)?);
    let (first, last) = (first / step, last / step);
    if last.checked_sub(first)? > FEW_MULTIPLES {
        return None;
    }
    let sign = if reading.negative { "-" } else { "" };
    let inside = |value: &u128| {
        let value = Decimal::parse(&value.to_string());
        value.is_ok_and(|value| {
            reading.low.admits(&value, Ordering::Greater) && high.admits(&value, Ordering::Less)
        })
    };
    let values = (first..=last).filter_map(|k| k.checked_mul(step)).filter(inside);
    let mut texts: Vec<Vec<u8>> = values.map(|value| format!("{sign}{value}").into_bytes()).collect();
    texts.sort_unstable();
    Some(texts)
}

/// How many digits a multiple of `m` may have so that the table stays small.
fn remainder_digits(m: u64, reading: &Reader, needed: usize) -> Result<usize> {
    let per_digit = reading.remainder.as_ref().map_or(1, Remainder::states);
    let most = reading.high.as_ref().map_or(needed, |high| needed.min(high.value.integer.len().max(1)));
    let least = most.min((m.ilog10() as usize + 3).max(reading.low.value.integer.len() + 1));
    let aim = usize::try_from(REMAINDER_STATES_AIM / per_digit).unwrap_or(usize::MAX);
    let count = aim.clamp(least, most);
    if per_digit.saturating_mul(count as u64) > REMAINDER_STATES {
        let what =
            format!("\"multipleOf\": {m} needs too many states; use a smaller divisor, or a smaller range");
        return Err(Error::new(ErrorKind::LimitExceeded, what));
    }
    Ok(count)
}

fn reader(reading: Reader) -> Result<ByteDfa> {
    reading.tabulate().ok_or_else(|| {
        let what = "the numeric range needs too many states; use bounds with fewer digits, or a smaller \"multipleOf\"";
        Error::new(ErrorKind::LimitExceeded, what)
    })
}

/// The value of `text`, spelled as the schema spells it and as the shortest text without an exponent.
fn constant(text: &str) -> Result<ByteDfa> {
    let mut texts = Vec::new();
    let plain = match Decimal::parse(text) {
        Ok(value) => Some((value.is_zero(), value.plain())),
        Err(error) if error.kind() == ErrorKind::LimitExceeded => None,
        Err(error) => return Err(error),
    };
    // Zero keeps no minus sign, and `-0.0` is as good as `0`.
    if !(text.starts_with('-') && plain.as_ref().is_some_and(|(zero, _)| *zero)) {
        texts.push(text.as_bytes().to_vec());
    }
    texts.extend(plain.filter(|(_, plain)| plain.len() <= PLAIN_LENGTH).map(|(_, plain)| plain.into_bytes()));
    texts.sort_unstable();
    texts.dedup();
    Ok(byte_strings(&texts))
}
