//! Character classes and escapes of ECMA-262.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

use super::ecma::Parser;
use crate::error::Result;

/// `LineTerminator`: what `.` does not match.
pub(super) const ECMA_LINE_TERMINATORS: &[(char, char)] =
    &[('\n', '\n'), ('\r', '\r'), ('\u{2028}', '\u{2029}')];

/// `\s`: `WhiteSpace` (tab, vertical tab, form feed, every `Zs`, the byte order mark) and `LineTerminator`.
const SPACE: &[(char, char)] = &[
    ('\t', '\r'),
    (' ', ' '),
    ('\u{a0}', '\u{a0}'),
    ('\u{1680}', '\u{1680}'),
    ('\u{2000}', '\u{200a}'),
    ('\u{2028}', '\u{2029}'),
    ('\u{202f}', '\u{202f}'),
    ('\u{205f}', '\u{205f}'),
    ('\u{3000}', '\u{3000}'),
    ('\u{feff}', '\u{feff}'),
];
const DIGIT: &[(char, char)] = &[('0', '9')];
const WORD: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

pub(super) fn class_of(ranges: &[(char, char)]) -> ClassUnicode {
    ClassUnicode::new(ranges.iter().map(|&(low, high)| ClassUnicodeRange::new(low, high)))
}

/// Adds what differs from a member in case only: Unicode's simple case folding.
pub(super) fn fold(class: &mut ClassUnicode) {
    // Fails only without the tables, which the manifest asks for.
    class.try_case_fold_simple().expect("the tables of case folding");
}

/// One member of a class: a set, or a code point, which can be an unpaired surrogate.
enum Atom {
    Set(ClassUnicode),
    Point(u32),
}

impl Parser<'_> {
    /// The rest of a class, after its `[`, through its `]`.
    ///
    /// A hyphen beside a set (`[\w-.]`) stands for itself, as in Annex B.
    pub fn class(&mut self) -> Result<ClassUnicode> {
        let negated = self.eat("^");
        // Collected first: `ClassUnicode` sorts and merges at every addition.
        let mut ranges = Vec::new();
        while !self.eat("]") {
            let low = self.class_atom()?;
            let range = self.rest().starts_with('-') && !self.rest().starts_with("-]");
            if !range {
                add(&mut ranges, low);
                continue;
            }
            self.bump();
            match (low, self.class_atom()?) {
                (Atom::Point(low), Atom::Point(high)) if low <= high => add_range(&mut ranges, low, high),
                (Atom::Point(_), Atom::Point(_)) => {
                    return Err(self.invalid("a range in a class is out of order"));
                }
                (low, high) => {
                    add(&mut ranges, low);
                    add(&mut ranges, Atom::Point('-'.into()));
                    add(&mut ranges, high);
                }
            }
        }
        let mut class = ClassUnicode::new(ranges);
        if self.flags.ignore_case {
            fold(&mut class);
        }
        if negated {
            class.negate();
        }
        Ok(class)
    }

    fn class_atom(&mut self) -> Result<Atom> {
        match self.bump() {
            None => Err(self.invalid("a class is not closed")),
            Some('\\') if self.eat("b") => Ok(Atom::Point(8)),
            Some('\\') => match self.class_escape()? {
                Some(set) => Ok(Atom::Set(set)),
                None => self.code_point_escape().map(Atom::Point),
            },
            Some(c) => Ok(Atom::Point(c.into())),
        }
    }

    /// `\d \D \w \W \s \S \p{…} \P{…}`, after the `\`, or `None` with nothing read.
    pub fn class_escape(&mut self) -> Result<Option<ClassUnicode>> {
        let Some(letter) = self.peek() else {
            return Err(self.invalid("a lone `\\` at the end"));
        };
        let mut class = match letter.to_ascii_lowercase() {
            'd' => class_of(DIGIT),
            'w' => class_of(WORD),
            's' => class_of(SPACE),
            'p' => self.property()?,
            _ => return Ok(None),
        };
        if letter != 'p' && letter != 'P' {
            self.bump();
        }
        if self.flags.ignore_case && letter.eq_ignore_ascii_case(&'w') {
            fold(&mut class);
        }
        if letter.is_ascii_uppercase() {
            class.negate();
        }
        if self.flags.ignore_case {
            fold(&mut class);
        }
        Ok(Some(class))
    }

    /// `p{Name}`, `p{Name=Value}` or `pL`, from the `p` or `P`.
    ///
    /// The names are looked up by `regex-syntax`, which also knows the aliases and is lenient about case.
    fn property(&mut self) -> Result<ClassUnicode> {
        self.bump();
        let braced = self.eat("{");
        let name = if braced {
            let Some((name, _)) = self.rest().split_once('}') else {
                return Err(self.invalid("`\\p{` is not closed"));
            };
            name
        } else {
            let length = self.peek().map_or(0, char::len_utf8);
            &self.rest()[..length]
        };
        let named =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'=');
        let hir = named.then(|| regex_syntax::parse(&format!("\\p{{{name}}}")).ok()).flatten();
        let class = match hir.as_ref().map(|hir| hir.kind()) {
            Some(HirKind::Class(Class::Unicode(class))) => class.clone(),
            // A property of one character comes back as a literal.
            Some(HirKind::Literal(literal)) => {
                let text = std::str::from_utf8(&literal.0).unwrap_or_default();
                ClassUnicode::new(text.chars().map(|c| ClassUnicodeRange::new(c, c)))
            }
            _ => return Err(self.invalid(format!("unknown Unicode property {name:?}"))),
        };
        self.at += name.len() + usize::from(braced);
        Ok(class)
    }

    /// The escape of one character, after the `\`. `None` for an unpaired surrogate, which is in no string.
    pub fn character_escape(&mut self) -> Result<Option<char>> {
        Ok(char::from_u32(self.code_point_escape()?))
    }

    fn code_point_escape(&mut self) -> Result<u32> {
        let Some(c) = self.bump() else {
            return Err(self.invalid("a lone `\\` at the end"));
        };
        Ok(match c {
            't' => 0x09,
            'n' => 0x0a,
            'v' => 0x0b,
            'f' => 0x0c,
            'r' => 0x0d,
            '0' if !self.peek().is_some_and(|c| c.is_ascii_digit()) => 0,
            'c' => match self.bump() {
                Some(letter) if letter.is_ascii_alphabetic() => u32::from(letter) % 32,
                _ => return Err(self.invalid("`\\c` needs a letter")),
            },
            'x' => match self.hex(2) {
                Some(code) => code,
                None => return Err(self.invalid("`\\x` needs two hexadecimal digits")),
            },
            'u' => self.unicode_escape()?,
            '_' => u32::from('_'),
            c if c.is_ascii_alphanumeric() => {
                return Err(self.invalid(format!("`\\{c}` is not an escape in ECMA-262")));
            }
            c => c.into(),
        })
    }

    /// `XXXX`, a surrogate pair `XXXX\uXXXX`, or `{X…}`, after `\u`.
    fn unicode_escape(&mut self) -> Result<u32> {
        let wrong = "`\\u` needs four hexadecimal digits, or a code point up to 10FFFF in braces";
        if self.eat("{") {
            let code = self.rest().split_once('}').map(|(digits, _)| digits).and_then(|digits| {
                let hex = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
                let code = u32::from_str_radix(digits.trim_start_matches('0'), 16).unwrap_or(u32::MAX);
                let code = if digits.bytes().all(|b| b == b'0') { 0 } else { code };
                (hex && code <= 0x10ffff).then_some((code, digits.len()))
            });
            let Some((code, length)) = code else {
                return Err(self.invalid(wrong));
            };
            self.at += length + 1;
            return Ok(code);
        }
        let Some(lead) = self.hex(4) else {
            return Err(self.invalid(wrong));
        };
        let before_trail = self.at;
        if (0xd800..0xdc00).contains(&lead) && self.eat("\\u") {
            if let Some(trail @ 0xdc00..0xe000) = self.hex(4) {
                return Ok(0x10000 + ((lead - 0xd800) << 10) + (trail - 0xdc00));
            }
            self.at = before_trail;
        }
        Ok(lead)
    }

    /// Exactly `count` hexadecimal digits, or nothing read.
    fn hex(&mut self, count: usize) -> Option<u32> {
        let digits = self.rest().get(..count).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let code = u32::from_str_radix(digits, 16).ok()?;
        self.at += count;
        Some(code)
    }
}

fn add(ranges: &mut Vec<ClassUnicodeRange>, atom: Atom) {
    match atom {
        Atom::Set(set) => ranges.extend(set.iter()),
        Atom::Point(point) => add_range(ranges, point, point),
    }
}

/// Adds a range of code points, without the surrogates.
fn add_range(ranges: &mut Vec<ClassUnicodeRange>, low: u32, high: u32) {
    for (low, high) in [(low, high.min(0xd7ff)), (low.max(0xe000), high)] {
        if let (true, Some(low), Some(high)) = (low <= high, char::from_u32(low), char::from_u32(high)) {
            ranges.push(ClassUnicodeRange::new(low, high));
        }
    }
}
