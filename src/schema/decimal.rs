//! Exact comparison of JSON numbers as they are spelled.
//!
//! A schema's numbers are kept as text (`1e400` and `0.1` are not `f64`s), so deciding whether `2.0`
//! is an integer, or which of two bounds is the tighter, is decimal arithmetic.

use std::cmp::Ordering;

/// A decimal number: `±0.d₁d₂d₃… · 10^exponent`, without zeros at either end of the digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// Reads a JSON number. An exponent beyond ±2^60 counts as that; no digit string is long enough
    /// to make a difference.
    pub fn new(text: &str) -> Self {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|b| b - b'0').collect();
        let Some(first) = all.iter().position(|&d| d != 0) else {
            return Decimal { negative: false, digits: Vec::new(), exponent: 0 };
        };
        let last = all.iter().rposition(|&d| d != 0).unwrap_or(first);
        const FAR: i64 = 1 << 60;
        let far = if exponent.starts_with('-') { -FAR } else { FAR };
        let exponent = exponent.parse::<i64>().map_or(far, |e| e.clamp(-FAR, FAR));
        Decimal {
            negative,
            digits: all[first..=last].to_vec(),
            exponent: exponent + whole.len() as i64 - first as i64,
        }
    }

    /// Whether the value is below zero.
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// Whether the value is zero.
    pub fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// Whether the value is a whole number.
    pub fn is_integer(&self) -> bool {
        self.exponent >= self.digits.len() as i64
    }

    /// The value, if it is a whole number from 0 to `u64::MAX`.
    pub fn to_u64(&self) -> Option<u64> {
        if self.negative || !self.is_integer() || self.exponent > 20 {
            return None;
        }
        let digit = |i| self.digits.get(i).copied().unwrap_or(0);
        (0..self.exponent as usize).try_fold(0u64, |n, i| n.checked_mul(10)?.checked_add(u64::from(digit(i))))
    }
}

impl Decimal {
    /// The absolute value as an integer in units of 10^-n, with the least n, if both are small enough.
    pub fn scaled(&self) -> Option<(u64, u8)> {
        let decimals = (self.digits.len() as i64).checked_sub(self.exponent)?.max(0);
        let whole =
            Decimal { negative: false, digits: self.digits.clone(), exponent: self.exponent + decimals };
        Some((whole.to_u64()?, u8::try_from(decimals).ok()?))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |d: &Self| match (d.is_zero(), d.negative) {
            (true, _) => 0,
            (_, negative) => 1 - 2 * i32::from(negative),
        };
        // Digits without trailing zeros compare like text, once the exponents are equal.
        let size = self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits));
        match (sign(self), sign(other)) {
            (1, 1) => size,
            (-1, -1) => size.reverse(),
            (a, b) => a.cmp(&b),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn spellings_of_a_value_are_equal() {
        for (a, b) in
            [("1", "1.0"), ("100", "1e2"), ("0.5", "5E-1"), ("-0", "0.00e7"), ("120.50", "1.205e+2")]
        {
            assert_eq!(Decimal::new(a), Decimal::new(b), "{a} {b}");
        }
    }

    #[test]
    fn ascending() {
        let list = [
            "-1e400",
            "-10",
            "-9.5",
            "-1",
            "-0.01",
            "0",
            "1e-99999999999999999999",
            "0.09",
            "0.1",
            "1",
            "1.5",
            "9",
            "10",
            "1e400",
            "1e99999999999999999999",
        ];
        for (i, a) in list.iter().enumerate() {
            for (j, b) in list.iter().enumerate() {
                assert_eq!(Decimal::new(a).cmp(&Decimal::new(b)), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn whole_numbers() {
        for (text, value) in [
            ("0", Some(0)),
            ("2.0", Some(2)),
            ("1e3", Some(1000)),
            ("1.5", None),
            ("-1", None),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("1e999999999", None),
            ("-0", Some(0)),
        ] {
            assert_eq!(Decimal::new(text).to_u64(), value, "{text}");
        }
        for (text, scaled) in [
            ("0.25", Some((25, 2))),
            ("1e-3", Some((1, 3))),
            ("2.50", Some((25, 1))),
            ("300", Some((300, 0))),
            ("1e-300", None),
        ] {
            assert_eq!(Decimal::new(text).scaled(), scaled, "{text}");
        }
    }
}
