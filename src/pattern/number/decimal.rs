//! Exact decimals, read from JSON number text.

use std::cmp::Ordering;

use crate::error::{Error, ErrorKind, Result};

/// Digits a bound or constant may have when it is written without an exponent.
///
/// The largest finite double has 309 digits before the point, the smallest 324 zeros after it.
const MAX_DIGITS: i64 = 400;

/// The value of a JSON number: ± integer.fraction, without redundant zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    /// Below zero. Never set for zero.
    pub negative: bool,
    /// Digits before the point, without leading zeros; empty for 0.
    pub integer: Vec<u8>,
    /// Digits after the point, without trailing zeros.
    pub fraction: Vec<u8>,
}

impl Decimal {
    /// Reads JSON number text (RFC 8259, section 6).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidSchema`] if it is not a JSON number, [`ErrorKind::LimitExceeded`] if it has more
    /// than 400 digits once the exponent is written out.
    pub fn parse(text: &str) -> Result<Decimal> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (text, None),
        };
        let (negative, unsigned) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (integer, fraction) = match unsigned.split_once('.') {
            Some((integer, fraction)) => (integer, Some(fraction)),
            None => (unsigned, None),
        };
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        let unsigned_exponent = exponent.map(|e| e.strip_prefix(['+', '-']).unwrap_or(e));
        let valid = digits(integer)
            && (integer.len() == 1 || !integer.starts_with('0'))
            && fraction.is_none_or(digits)
            && unsigned_exponent.is_none_or(digits);
        if !valid {
            return Err(Error::new(ErrorKind::InvalidSchema, format!("{text:?} is not a JSON number")));
        }
        let fraction = fraction.unwrap_or("");
        let all: Vec<u8> = integer.bytes().chain(fraction.bytes()).collect();
        let Some(leading) = all.iter().position(|&d| d != b'0') else {
            return Ok(Decimal { negative: false, integer: Vec::new(), fraction: Vec::new() });
        };
        let trailing = all.iter().rev().take_while(|&&d| d == b'0').count();
        let significant = &all[leading..all.len() - trailing];
        let magnitude = unsigned_exponent.map_or(Ok(0), |e| e.parse::<i64>().map_err(|_| ()));
        let below = exponent.is_some_and(|e| e.starts_with('-'));
        let too_long = || {
            let what = format!("{text} has more than {MAX_DIGITS} digits when written without an exponent");
            Error::new(ErrorKind::LimitExceeded, what)
        };
        let exponent = magnitude.map_err(|()| too_long())?;
        // Where the point stands, counted from the first significant digit.
        let point = (integer.len() as i64 - leading as i64)
            .checked_add(if below { -exponent } else { exponent })
            .ok_or_else(too_long)?;
        let length = significant.len() as i64;
        if !(-MAX_DIGITS..=MAX_DIGITS).contains(&point) || length - point > MAX_DIGITS || length > MAX_DIGITS
        {
            return Err(too_long());
        }
        let zeros = |n: i64| std::iter::repeat_n(b'0', n.max(0) as usize);
        let split = point.clamp(0, length) as usize;
        Ok(Decimal {
            negative,
            integer: significant[..split].iter().copied().chain(zeros(point - length)).collect(),
            fraction: zeros(-point).chain(significant[split..].iter().copied()).collect(),
        })
    }

    /// Whether this is 0.
    pub fn is_zero(&self) -> bool {
        self.integer.is_empty() && self.fraction.is_empty()
    }

    /// Compares absolute values.
    pub fn cmp_magnitude(&self, other: &Decimal) -> Ordering {
        let by_length = self.integer.len().cmp(&other.integer.len());
        by_length
            .then_with(|| self.integer.cmp(&other.integer))
            .then_with(|| self.fraction.cmp(&other.fraction))
    }

    /// The shortest text without an exponent.
    pub fn plain(&self) -> String {
        let mut text = String::from(if self.negative { "-" } else { "" });
        text.push_str(if self.integer.is_empty() { "0" } else { "" });
        text.extend(self.integer.iter().map(|&d| char::from(d)));
        if !self.fraction.is_empty() {
            text.push('.');
            text.extend(self.fraction.iter().map(|&d| char::from(d)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_forms() {
        for (text, plain) in [
            ("0", "0"),
            ("-0", "0"),
            ("0.000e5", "0"),
            ("0e99999999999999999999", "0"),
            ("1", "1"),
            ("-12.50", "-12.5"),
            ("1e3", "1000"),
            ("1.5E+1", "15"),
            ("120e-1", "12"),
            ("0.001e2", "0.1"),
            ("1e-3", "0.001"),
            ("100", "100"),
            ("12.034e1", "120.34"),
            ("0.00012e2", "0.012"),
        ] {
            assert_eq!(Decimal::parse(text).unwrap().plain(), plain, "{text}");
        }
    }

    #[test]
    fn bad_text() {
        for text in
            ["", "-", "01", "1.", ".5", "+1", "1e", "1e+", "1e1.5", "0x1", "1 ", "--1", "1e--1", "NaN", "é"]
        {
            assert_eq!(Decimal::parse(text).unwrap_err().kind(), ErrorKind::InvalidSchema, "{text}");
        }
        for text in
            ["1e401", "1e-401", "1e99999999999999999999", "-1e9223372036854775807", "1e-9223372036854775807"]
        {
            assert_eq!(Decimal::parse(text).unwrap_err().kind(), ErrorKind::LimitExceeded, "{text}");
        }
    }
}
