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

use super::ecma_class::{ECMA_LINE_TERMINATORS, class_of, fold};
use super::lookaround::{Lookaround, STAND_INS};
use crate::error::{Error, ErrorKind, Result};

/// Groups may be nested this deep; the automaton's construction recurses over them.
const MAX_NESTING: u32 = 200;

/// The meaning of `pattern`, and of the lookaround that it has stand-ins for.
///
/// # Errors
///
/// [`ErrorKind::InvalidSchema`] if it is not a regular expression, [`ErrorKind::UnsupportedKeyword`] for
/// backreferences, unscoped flags and what lookbehind cannot hold, [`ErrorKind::LimitExceeded`] if it is nested
/// too deeply or has too many assertions.
pub(super) fn parse(pattern: &str) -> Result<(Hir, Vec<Lookaround>)> {
    let mut parser = Parser { pattern, at: 0, depth: 0, looks: Vec::new(), flags: Flags::default() };
    let hir = parser.alternatives()?;
    match parser.peek() {
        None => Ok((hir, parser.looks)),
        Some(_) => Err(parser.invalid("unmatched `)`")),
    }
}

pub(super) struct Parser<'p> {
    pub pattern: &'p str,
    /// Byte offset of the next character.
    pub at: usize,
    depth: u32,
    looks: Vec<Lookaround>,
    pub flags: Flags,
}

/// The flags of ECMA-262 that a group can set (`(?i:…)`, ES2025). Unicode mode is always on.
#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    /// `i`: letters match their other case.
    pub ignore_case: bool,
    /// `s`: `.` matches line terminators.
    pub dot_all: bool,
}

impl<'p> Parser<'p> {
    pub fn rest(&self) -> &'p str {
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
            '(' => return self.group(),
            '[' => {
                self.bump();
                Hir::class(Class::Unicode(self.class()?))
            }
            '.' => {
                self.bump();
                let except: &[(char, char)] = if self.flags.dot_all { &[] } else { ECMA_LINE_TERMINATORS };
                let mut class = class_of(except);
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
                self.literal(c)
            }
        };
        Ok((hir, true))
    }

    /// A group or assertion, from its `(`, and whether a quantifier may follow it.
    fn group(&mut self) -> Result<(Hir, bool)> {
        for (open, behind, negative) in
            [("(?=", false, false), ("(?!", false, true), ("(?<=", true, false), ("(?<!", true, true)]
        {
            if self.eat(open) {
                let body = self.grouped()?;
                return Ok((self.lookaround(body, behind, negative)?, false));
            }
        }
        let outside = self.flags;
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
            self.modifiers()?;
        } else {
            self.bump();
        }
        let hir = self.grouped()?;
        self.flags = outside;
        Ok((hir, true))
    }

    /// `(?i:`, `(?s-i:` and the like, from the `(`.
    fn modifiers(&mut self) -> Result<()> {
        let letters = self.rest()[2..].find(|c: char| !c.is_ascii_alphabetic() && c != '-');
        let letters = &self.rest()[2..2 + letters.unwrap_or(0)];
        let rest = &self.rest()[2 + letters.len()..];
        if rest.starts_with(')') && !letters.is_empty() {
            return Err(self.unsupported("the inline flags `(?…)`, which are not ECMA-262,"));
        }
        let (on, off) = letters.split_once('-').unwrap_or((letters, ""));
        let known =
            |text: &str| text.chars().enumerate().all(|(i, c)| "ims".contains(c) && !text[..i].contains(c));
        let valid = rest.starts_with(':') && !letters.is_empty() && letters != "-" && known(on) && known(off);
        if !valid || on.chars().any(|c| off.contains(c)) {
            return Err(self.invalid("unknown kind of group"));
        }
        if letters.contains('m') {
            return Err(self.unsupported("the flag `m`"));
        }
        let set = |letter: char, now: bool| (now || on.contains(letter)) && !off.contains(letter);
        let Flags { ignore_case, dot_all } = self.flags;
        self.flags = Flags { ignore_case: set('i', ignore_case), dot_all: set('s', dot_all) };
        self.at += letters.len() + 3;
        Ok(())
    }

    /// The stand-in of an assertion.
    fn lookaround(&mut self, body: Hir, behind: bool, negative: bool) -> Result<Hir> {
        let Some(&stand_in) = STAND_INS.get(self.looks.len()) else {
            let what = format!("there are more than {} lookaheads and lookbehinds", STAND_INS.len());
            return Err(self.error(ErrorKind::LimitExceeded, what));
        };
        let inside = body.properties().look_set();
        let holds = |behind: bool| {
            self.looks.iter().zip(STAND_INS).any(|(look, s)| look.behind == behind && inside.contains(s))
        };
        if holds(true) {
            return Err(self.unsupported("lookbehind in a lookahead or lookbehind"));
        }
        if behind && (holds(false) || inside.contains(Look::End)) {
            return Err(self.unsupported("lookahead or `$` in a lookbehind"));
        }
        if behind && (inside.contains(Look::WordAscii) || inside.contains(Look::WordAsciiNegate)) {
            return Err(self.unsupported("`\\b` in a lookbehind"));
        }
        // What was read may begin anywhere and has to end here.
        let body =
            if behind { Hir::concat(vec![anything_before(&body), body, Hir::look(Look::End)]) } else { body };
        self.looks.push(Lookaround { body, behind, negative });
        Ok(Hir::look(stand_in))
    }

    /// The rest of a group, through its `)`.
    fn grouped(&mut self) -> Result<Hir> {
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
            None => match self.character_escape()? {
                Some(c) => self.literal(c),
                None => Hir::fail(),
            },
        };
        Ok((hir, true))
    }

    fn literal(&self, c: char) -> Hir {
        if self.flags.ignore_case {
            let mut class = class_of(&[(c, c)]);
            fold(&mut class);
            return Hir::class(Class::Unicode(class));
        }
        Hir::literal(c.encode_utf8(&mut [0; 4]).as_bytes())
    }
}

/// What may stand before a match of `hir`: nothing if it can only match at the start.
pub(super) fn anything_before(hir: &Hir) -> Hir {
    if hir.properties().look_set_prefix().contains(Look::Start) {
        return Hir::empty();
    }
    let sub = Box::new(any_character());
    Hir::repetition(Repetition { min: 0, max: None, greedy: false, sub })
}

/// Any character at all.
fn any_character() -> Hir {
    let mut class = ClassUnicode::empty();
    class.negate();
    Hir::class(Class::Unicode(class))
}
