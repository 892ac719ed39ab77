//! Reads a regular expression of ECMA-262 and says what it means as a [`Hir`].
//!
//! JSON Schema's `pattern` is ECMA-262 in Unicode mode (`/…/u`), but schemas in the wild are full of
//! patterns that only the older, lenient syntax (Annex B) takes, such as `\_` or a lone `{`. So: Unicode-mode
//! *meaning*, Annex B *leniency* wherever that leaves one plausible reading. What is refused although Annex B
//! would take it is what authors mean differently from what it says there: `\A`, `\Z`, `\Q` and other
//! letters that are escapes in other dialects only, `{,n}`, octal escapes.
//!
//! The parser works on the pattern itself rather than rewriting it into the syntax of the `regex` crate, so
//! nothing of that syntax (`[a&&b]`, nested classes, `(?x)`) can leak in. Only the language matters here:
//! groups do not capture and laziness has no effect.

use regex_syntax::hir::{Class, ClassUnicode, Hir, Look, Repetition};

use super::ecma_class::{ECMA_LINE_TERMINATORS, class_of};
use crate::error::{Error, ErrorKind, Result};

/// Groups may be nested this deep; the automaton's construction recurses over them.
const MAX_NESTING: u32 = 200;

/// The meaning of `pattern`.
///
/// # Errors
///
/// [`ErrorKind::InvalidSchema`] if it is not a regular expression, [`ErrorKind::UnsupportedKeyword`] for
/// lookaround, backreferences and inline flags, [`ErrorKind::LimitExceeded`] if it is nested too deeply.
pub(super) fn parse(pattern: &str) -> Result<Hir> {
    let mut parser = Parser { pattern, at: 0, depth: 0 };
    let hir = parser.alternatives()?;
    match parser.peek() {
        None => Ok(hir),
        Some(_) => Err(parser.invalid("unmatched `)`")),
    }
}

pub(super) struct Parser<'p> {
    pub pattern: &'p str,
    /// Byte offset of the next character.
    pub at: usize,
    depth: u32,
}

impl Parser<'_> {
    pub fn rest(&self) -> &str {
        &self.pattern[self.at..]
    }

    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    pub fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        self.at += if found { text.len() } else { 0 };
        found
    }

    pub fn error(&self, kind: ErrorKind, what: impl std::fmt::Display) -> Error {
        Error::new(kind, format!("pattern {:?}, at byte {}: {what}", self.pattern, self.at))
    }

    pub fn invalid(&self, what: impl std::fmt::Display) -> Error {
        self.error(ErrorKind::InvalidSchema, what)
    }

    fn unsupported(&self, construct: &str) -> Error {
        let what = format!("{construct} cannot be enforced; rewrite the pattern without it");
        self.error(ErrorKind::UnsupportedKeyword, what)
    }

    /// `a|b|c`, up to a `)` or the end.
    fn alternatives(&mut self) -> Result<Hir> {
        let mut alternatives = Vec::new();
        loop {
            let mut terms = Vec::new();
            while let Some(c) = self.peek().filter(|&c| c != '|' && c != ')') {
                let atom = self.atom(c)?;
                terms.push(self.quantified(atom)?);
            }
            alternatives.push(Hir::concat(terms));
            if !self.eat("|") {
                return Ok(Hir::alternation(alternatives));
            }
        }
    }

    /// One atom or assertion, and whether a quantifier may follow it.
    fn atom(&mut self, c: char) -> Result<(Hir, bool)> {
        let hir = match c {
            '^' | '$' => {
                self.bump();
                return Ok((Hir::look(if c == '^' { Look::Start } else { Look::End }), false));
            }
            '(' => self.group()?,
            '[' => {
                self.bump();
                Hir::class(Class::Unicode(self.class()?))
            }
            '.' => {
                self.bump();
                let mut class = class_of(ECMA_LINE_TERMINATORS);
                class.negate();
                Hir::class(Class::Unicode(class))
            }
            '\\' => {
                self.bump();
                return self.escape();
            }
            '*' | '+' | '?' => return Err(self.invalid(format!("nothing for `{c}` to repeat"))),
            '{' if self.counts()?.is_some() => {
                return Err(self.invalid("nothing for `{…}` to repeat"));
            }
            _ => {
                self.bump();
                literal(c)
            }
        };
        Ok((hir, true))
    }

    /// A group, from its `(`.
    fn group(&mut self) -> Result<Hir> {
        for (open, construct) in [
            ("(?=", "lookahead `(?=…)`"),
            ("(?!", "negative lookahead `(?!…)`"),
            ("(?<=", "lookbehind `(?<=…)`"),
            ("(?<!", "negative lookbehind `(?<!…)`"),
        ] {
            if self.rest().starts_with(open) {
                return Err(self.unsupported(construct));
            }
        }
        if self.eat("(?:") {
        } else if self.eat("(?<") || self.eat("(?P<") {
            let name_end = self.rest().find('>').filter(|&n| n > 0);
            let Some(end) = name_end else {
                return Err(self.invalid("a group name needs `<name>`"));
            };
            if !self.rest()[..end].chars().all(|c| c == '_' || c == '$' || c.is_alphanumeric()) {
                return Err(self.invalid("a group name may hold letters, digits, `_` and `$`"));
            }
            self.at += end + 1;
        } else if self.rest().starts_with("(?") {
            let flags = self.rest()[2..].trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '-');
            if flags.starts_with([':', ')']) {
                return Err(self.unsupported("the inline flags `(?…)`"));
            }
            return Err(self.invalid("unknown kind of group"));
        } else {
            self.bump();
        }
        self.depth += 1;
        if self.depth > MAX_NESTING {
            let what = format!("groups are nested more than {MAX_NESTING} deep");
            return Err(self.error(ErrorKind::LimitExceeded, what));
        }
        let hir = self.alternatives()?;
        self.depth -= 1;
        if !self.eat(")") {
            return Err(self.invalid("a group is not closed"));
        }
        Ok(hir)
    }

    /// Applies the quantifier that follows, if there is one.
    fn quantified(&mut self, (atom, repeatable): (Hir, bool)) -> Result<Hir> {
        let (min, max) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => match self.counts()? {
                Some((min, max, length)) => {
                    self.at += length - 1;
                    (min, max)
                }
                None => return Ok(atom),
            },
            _ => return Ok(atom),
        };
        if !repeatable {
            return Err(self.invalid("an assertion cannot be repeated"));
        }
        self.bump();
        self.eat("?");
        if self.peek().is_some_and(|c| matches!(c, '*' | '+' | '?')) {
            return Err(self.invalid("nothing to repeat: two quantifiers in a row"));
        }
        if max.is_some_and(|max| max < min) {
            return Err(self.invalid("the counts of a quantifier are out of order"));
        }
        Ok(Hir::repetition(Repetition { min, max, greedy: true, sub: Box::new(atom) }))
    }

    /// `{n}`, `{n,}` or `{n,m}` at the cursor: counts and length. `None` for a literal `{`.
    fn counts(&self) -> Result<Option<(u32, Option<u32>, usize)>> {
        let Some(inner) = self.rest().strip_prefix('{') else {
            return Ok(None);
        };
        let Some((inner, _)) = inner.split_once('}') else {
            return Ok(None);
        };
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        let (min, max) = match inner.split_once(',') {
            None => (inner, Some(inner)),
            Some((min, "")) => (min, None),
            Some((min, max)) => (min, Some(max)),
        };
        if min.is_empty() && max.is_some_and(digits) {
            return Err(
                self.invalid("`{,n}` is not a quantifier in ECMA-262; write `{0,n}`, or `\\{` for a brace")
            );
        }
        if !digits(min) || !max.is_none_or(digits) {
            return Ok(None);
        }
        let count = |s: &str| {
            let too_large = |_| self.error(ErrorKind::LimitExceeded, "a repeat count is too large");
            s.parse::<u32>().map_err(too_large)
        };
        Ok(Some((count(min)?, max.map(count).transpose()?, inner.len() + 2)))
    }

    /// An escape outside a class, after its `\`, and whether a quantifier may follow it.
    fn escape(&mut self) -> Result<(Hir, bool)> {
        match self.peek() {
            Some(b @ ('b' | 'B')) => {
                self.bump();
                let look = if b == 'b' { Look::WordAscii } else { Look::WordAsciiNegate };
                return Ok((Hir::look(look), false));
            }
            Some('1'..='9') => return Err(self.unsupported("a backreference")),
            Some('k') => return Err(self.unsupported("a named backreference `\\k`")),
            _ => {}
        }
        let hir = match self.class_escape()? {
            Some(class) => Hir::class(Class::Unicode(class)),
            None => self.character_escape()?.map_or_else(Hir::fail, literal),
        };
        Ok((hir, true))
    }
}

fn literal(c: char) -> Hir {
    Hir::literal(c.encode_utf8(&mut [0; 4]).as_bytes())
}

/// Any character at all.
pub(super) fn any_character() -> Hir {
    let mut class = ClassUnicode::empty();
    class.negate();
    Hir::class(Class::Unicode(class))
}
