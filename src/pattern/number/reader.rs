//! Reads a number digit by digit and knows at every point how it compares with its bounds.

use std::cmp::Ordering;

use super::decimal::Decimal;
use crate::pattern::ByteDfa;
use crate::pattern::unfold::unfold;

/// States before minimisation.
const MAX_STATES: usize = 100_000;

/// One end of a range of absolute values.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    pub value: Decimal,
    pub exclusive: bool,
}

impl Limit {
    /// The same limit for readers that use doubles.
    ///
    /// An exclusive bound with more digits than a double tells apart may become equal to a text beyond it
    /// (`inside` says on which side those are). At most one decimal of 15 digits reads as the same double;
    /// it becomes the bound.
    pub fn apart(self, inside: Ordering) -> Limit {
        let digits = self.value.integer.len() + self.value.fraction.len();
        if !self.exclusive || digits <= super::BOUNDED_DIGITS {
            return self;
        }
        let Ok(double) = self.value.plain().parse::<f64>() else {
            return self;
        };
        let rounded = format!("{double:.14e}");
        match Decimal::parse(&rounded) {
            Ok(value) if value.cmp_magnitude(&self.value) == inside && rounded.parse() == Ok(double) => {
                Limit { value, exclusive: true }
            }
            _ => self,
        }
    }

    /// Whether `value` is within the limit, when `inside` is how values within compare with it.
    pub fn admits(&self, value: &Decimal, inside: Ordering) -> bool {
        self.holds(value.cmp_magnitude(&self.value), inside)
    }

    fn holds(&self, found: Ordering, inside: Ordering) -> bool {
        found == inside || (found == Ordering::Equal && !self.exclusive)
    }

    /// How the digits read so far compare, one integer digit further; `count` of them came before.
    fn integer_digit(&self, so_far: Ordering, count: usize, digit: u8) -> Ordering {
        match self.value.integer.get(count) {
            Some(bound) => so_far.then(digit.cmp(bound)),
            None => Ordering::Greater,
        }
    }

    /// How the number compares once its integer part is known to have `count` digits.
    fn integer_end(&self, so_far: Ordering, count: usize) -> Ordering {
        count.cmp(&self.value.integer.len()).then(so_far)
    }

    fn fraction_digit(&self, so_far: Ordering, count: usize, digit: u8) -> Ordering {
        so_far.then(digit.cmp(self.value.fraction.get(count).unwrap_or(&b'0')))
    }

    /// The verdict after `count` fraction digits: what is left of the bound's fraction is not zero.
    fn end(&self, so_far: Ordering, count: usize) -> Ordering {
        so_far.then(if count < self.value.fraction.len() { Ordering::Less } else { Ordering::Equal })
    }
}

/// Divisibility of an integer, by its digits. For decimals the point is passed over.
///
/// With m = q · 10^j, an integer is a multiple of m if it ends in j zeros and what precedes them is a
/// multiple of q. So the state is a remainder of q and a count of zeros, not a remainder of m.
#[derive(Clone, Debug)]
pub(super) struct Remainder {
    q: u64,
    j: u8,
}

impl Remainder {
    pub fn new(m: u64) -> Remainder {
        let (mut q, mut j) = (m, 0);
        while q > 1 && q % 10 == 0 {
            q /= 10;
            j += 1;
        }
        Remainder { q, j }
    }

    /// Number of states.
    pub fn states(&self) -> u64 {
        self.q.saturating_mul(u64::from(self.j) + 1)
    }

    /// From (remainder of what precedes the last zeros, their number, at most j) to the next.
    fn digit(&self, (rest, zeros): (u64, u8), digit: u8) -> (u64, u8) {
        if digit == b'0' && zeros < self.j {
            return (rest, zeros + 1);
        }
        let shift = |rest: u64, digit: u8| {
            ((u128::from(rest) * 10 + u128::from(digit - b'0')) % u128::from(self.q)) as u64
        };
        if digit == b'0' {
            return (shift(rest, b'0'), zeros);
        }
        (shift((0..zeros).fold(rest, |rest, _| shift(rest, b'0')), digit), 0)
    }
}

/// What to read: a range of absolute values, and in which spelling.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    /// The text begins with a minus sign.
    pub negative: bool,
    pub low: Limit,
    pub high: Option<Limit>,
    /// Most digits: before the point, after it, in all. A lone 0 before the point does not count. `usize::MAX`: they
    /// are not counted.
    pub digits: (usize, usize, usize),
    /// An exponent may follow. Only for ranges that scaling does not leave: all of them, or all but 0.
    pub exponent: bool,
    /// Only multiples, in units of the last digit that may follow the point.
    pub remainder: Option<Remainder>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Start,
    Minus,
    /// After a 0 that nothing but a point or an exponent may follow.
    Zero,
    Integer,
    Point,
    Fraction,
    E,
    ESign,
    Exponent(u8),
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    place: Place,
    /// Digits of this part, and digits before the point.
    count: usize,
    before: usize,
    low: Ordering,
    high: Ordering,
    remainder: (u64, u8),
}

impl Reader {
    /// The automaton, or `None` if it is too large.
    pub fn tabulate(&self) -> Option<ByteDfa> {
        let alphabet = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "-", ".", "eE", "+"];
        let start = State {
            place: Place::Start,
            count: 0,
            before: 0,
            low: Ordering::Equal,
            high: Ordering::Equal,
            remainder: (0, 0),
        };
        unfold(start, &alphabet, MAX_STATES, |s, b| self.step(s, b), |s| self.accepts(s))
    }

    fn step(&self, s: &State, byte: u8) -> Option<State> {
        use Place::*;
        let (most_before, most_after, most) = self.digits;
        let at = |place| State { place, ..s.clone() };
        // The rest of the text does not change what has been found.
        let settled =
            |place| State { count: 0, before: 0, low: Ordering::Equal, high: Ordering::Equal, ..at(place) };
        match (s.place, byte) {
            (Start, b'-') if self.negative => Some(at(Minus)),
            (Start, b'0'..=b'9') if self.negative => None,
            (Start | Minus, b'0') => Some(at(Zero)),
            (Start | Minus | Integer, b'0'..=b'9') if s.count < most_before => {
                let low = self.low.integer_digit(s.low, s.count, byte);
                let high =
                    self.high.as_ref().map_or(s.high, |limit| limit.integer_digit(s.high, s.count, byte));
                if self.high.as_ref().is_some_and(|limit| s.count >= limit.value.integer.len()) {
                    return None;
                }
                let remainder = self.remainder.as_ref().map_or(s.remainder, |r| r.digit(s.remainder, byte));
                Some(State { place: Integer, count: self.one_more(s.count), before: 0, low, high, remainder })
            }
            (Zero | Integer, b'.') if most_after > 0 && s.count < most => {
                let low = self.low.integer_end(s.low, s.count);
                let high = self.high.as_ref().map_or(s.high, |limit| limit.integer_end(s.high, s.count));
                // Without a limit on all digits together those before the point need not be remembered.
                let before = if most < most_before.saturating_add(most_after) { s.count } else { 0 };
                Some(State { place: Point, count: 0, before, low, high, ..s.clone() })
            }
            (Point | Fraction, b'0'..=b'9') if s.count < most_after && s.before + s.count < most => {
                let low = self.low.fraction_digit(s.low, s.count, byte);
                let high =
                    self.high.as_ref().map_or(s.high, |limit| limit.fraction_digit(s.high, s.count, byte));
                let remainder = self.remainder.as_ref().map_or(s.remainder, |r| r.digit(s.remainder, byte));
                Some(State {
                    place: Fraction,
                    count: self.one_more(s.count),
                    low,
                    high,
                    remainder,
                    ..s.clone()
                })
            }
            (Zero | Integer | Fraction, b'e') if self.exponent && self.accepts(s) => Some(settled(E)),
            (E, b'+' | b'-') => Some(settled(ESign)),
            (E | ESign, b'0'..=b'9') => Some(settled(Exponent(1))),
            (Exponent(1), b'0'..=b'9') => Some(settled(Exponent(2))),
            _ => None,
        }
    }

    /// One digit more; where they are not counted, those beyond the digits of the bounds are all the same.
    fn one_more(&self, count: usize) -> usize {
        if self.digits.2 != usize::MAX {
            return count + 1;
        }
        let digits = |limit: &Limit| limit.value.integer.len().max(limit.value.fraction.len());
        let compared = self.high.as_ref().map_or(0, digits).max(digits(&self.low));
        (count + 1).min(compared + 1)
    }

    fn accepts(&self, s: &State) -> bool {
        let verdict = |limit: &Limit, so_far: Ordering| match s.place {
            Place::Fraction => limit.end(so_far, s.count),
            _ => limit.end(limit.integer_end(so_far, s.count), 0),
        };
        match s.place {
            Place::Exponent(_) => true,
            Place::Zero | Place::Integer | Place::Fraction => {
                self.low.holds(verdict(&self.low, s.low), Ordering::Greater)
                    && self.high.as_ref().is_none_or(|high| high.holds(verdict(high, s.high), Ordering::Less))
                    && self.remainder.as_ref().is_none_or(|r| s.place == Place::Zero || self.divides(r, s))
            }
            _ => false,
        }
    }

    /// Whether what has been read is a multiple, with zeros for the digits after the point that are not there.
    fn divides(&self, r: &Remainder, s: &State) -> bool {
        let written = if s.place == Place::Fraction { s.count } else { 0 };
        (written..self.digits.1).fold(s.remainder, |rest, _| r.digit(rest, b'0')) == (0, r.j)
    }
}
