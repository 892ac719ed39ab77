//! Host names: labels of letters, digits and inner hyphens.

use crate::pattern::ByteDfa;
use crate::pattern::unfold::unfold;

/// Characters of a label that cost one unit of the total length, with the dot.
const UNIT: u8 = 32;

/// What has been read of a host name.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Label {
    /// Units left for the rest of this label and the labels to come.
    units: u8,
    /// Characters of this label.
    length: u8,
    /// The last character was a hyphen.
    hyphen: bool,
}

/// Host names as RFC 1123 (section 2.1) and RFC 1034 (section 3.5) have them, in `units` units of length,
/// with labels of at most `longest` characters.
///
/// The total of 253 characters is counted in units of 32: a label with its dot costs one unit up to 31
/// characters and two up to 63. With 7 units a name has at most 223 characters: seven short labels, or
/// three long ones and a short one. Counting exactly would take some 30,000 states.
///
/// Labels with hyphens in third and fourth position are left out. RFC 5891 reserves them; those that begin
/// with `xn--` are valid only if they hold the Punycode of a valid name, which no small automaton knows.
pub(super) fn hostname(units: u8, longest: u8) -> Option<ByteDfa> {
    let alphabet = ["abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "-", "."];
    let step = |label: &Label, byte: u8| match byte {
        b'.' if label.length > 0 && !label.hyphen => {
            Some(Label { units: label.units.checked_sub(1)?, length: 0, hyphen: false })
        }
        b'.' => None,
        b'-' if label.length == 0 || (label.length == 3 && label.hyphen) => None,
        _ if label.length == longest => None,
        _ => {
            let units = label.units.checked_sub(u8::from(label.length == UNIT - 1))?;
            Some(Label { units, length: label.length + 1, hyphen: byte == b'-' })
        }
    };
    let start = Label { units: units.checked_sub(1)?, length: 0, hyphen: false };
    unfold(start, &alphabet, 10_000, step, |label| label.length > 0 && !label.hyphen)
}
