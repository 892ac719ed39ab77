//! Patterns that count characters of one class, as a pattern that does not and a length.
//!
//! `^[a-z][a-z0-9]{0,62}$` unrolled is 64 states, each with the half-read characters of its class. But all of its parts
//! other than the one that is counted have one length, so it matches what `^[a-z][a-z0-9]*$` matches and is 1 to 63
//! characters long: three states, and a length that the frame counts at no cost.

use regex_syntax::hir::{Hir, HirKind, Look, Repetition};

use super::regex::{PatternLimits, compile_hir};
use super::{ByteDfa, ecma};
use crate::error::Result;
use crate::ir::Range;

/// Counts up to this are left to the automaton.
const FEW: u32 = 12;

/// What is left of `pattern` where the frame counts, and the lengths in characters of the strings that it matches; `None` if
/// it does not count, counts but a few, or is none of these.
///
/// # Errors
/// As [`super::compile_pattern`], for what is left.
pub fn compile_uncounted(pattern: &str, limits: &PatternLimits) -> Result<Option<(ByteDfa, Range)>> {
    let Ok((hir, looks)) = ecma::parse(pattern) else { return Ok(None) };
    match split(&hir).filter(|_| looks.is_empty()) {
        Some((hir, lengths)) => Ok(Some((compile_hir(pattern, hir, &looks, limits)?, lengths))),
        None => Ok(None),
    }
}

fn split(hir: &Hir) -> Option<(Hir, Range)> {
    let HirKind::Concat(parts) = hir.kind() else { return None };
    let [first, parts @ .., last] = parts.as_slice() else { return None };
    let is = |part: &Hir, look: Look| matches!(part.kind(), HirKind::Look(l) if *l == look);
    if !is(first, Look::Start) || !is(last, Look::End) {
        return None;
    }
    let runs = runs(parts)?;
    // The one that varies, or else the longest; all others must have one length.
    let counted = (0..runs.len())
        .filter(|&i| runs[i].characters == 1)
        .max_by_key(|&i| (runs[i].max != Some(runs[i].min), runs[i].min))?;
    let Run { part, min, max, .. } = runs[counted];
    let others = || runs.iter().enumerate().filter(|(i, _)| *i != counted).map(|(_, run)| run);
    if max.unwrap_or(min) <= FEW || others().any(|run| run.max != Some(run.min)) {
        return None;
    }
    let fixed = others().try_fold(0u32, |sum, run| sum.checked_add(run.min.checked_mul(run.characters)?))?;
    let max = match max {
        Some(max) => max.checked_add(fixed)?,
        None => u32::MAX,
    };
    let repeated = |part: &Hir, min: u32, max: Option<u32>| {
        Hir::repetition(Repetition { min, max, greedy: true, sub: Box::new(part.clone()) })
    };
    let uncounted = runs.iter().enumerate().map(|(i, run)| {
        if i == counted { repeated(part, 0, None) } else { repeated(run.part, run.min, run.max) }
    });
    let whole = [first.clone()].into_iter().chain(uncounted).chain([last.clone()]).collect();
    Some((Hir::concat(whole), Range { min: min.checked_add(fixed)?, max }))
}

/// A part of a pattern as often as it stands there.
struct Run<'h> {
    part: &'h Hir,
    /// Of one of them.
    characters: u32,
    min: u32,
    max: Option<u32>,
}

/// The parts of a pattern, if all have a length; equal ones that stand side by side are one.
fn runs(parts: &[Hir]) -> Option<Vec<Run<'_>>> {
    let mut runs: Vec<Run> = Vec::new();
    for part in parts {
        let (part, min, max) = match part.kind() {
            HirKind::Repetition(r) => (&*r.sub, r.min, r.max),
            _ => (part, 1, Some(1)),
        };
        let run = Run { part, characters: characters(part)?, min, max };
        match runs.last_mut().filter(|last| last.part == run.part) {
            Some(last) => {
                last.min = last.min.checked_add(run.min)?;
                last.max = match last.max.zip(run.max) {
                    Some((a, b)) => Some(a.checked_add(b)?),
                    None => None,
                };
            }
            None => runs.push(run),
        }
    }
    Some(runs)
}

/// How many characters a part matches, if always the same number.
fn characters(part: &Hir) -> Option<u32> {
    match part.kind() {
        HirKind::Class(_) => Some(1),
        HirKind::Literal(text) => std::str::from_utf8(&text.0).ok().map(|text| text.chars().count() as u32),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{canonical_spelling, compile_pattern};

    fn uncounted(pattern: &str) -> Option<(ByteDfa, Range)> {
        compile_uncounted(pattern, &PatternLimits::default()).unwrap()
    }

    #[test]
    fn a_pattern_is_what_is_left_of_it_and_a_length() {
        for (pattern, (min, max)) in [
            ("^[ab]{1,20}$", (1, 20)),
            ("^[ab]{14}$", (14, 14)),
            ("^[ab]{14,}$", (14, u32::MAX)),
            ("^a[ab]{0,14}$", (1, 15)),
            ("^ab[ab]{0,14}ba$", (4, 18)),
            ("^b{2}[ab]{1,13}a$", (4, 16)),
            ("^aa[ab][ab]{13}[ab]?$", (16, 17)),
            ("^(?:ab){2}[ab]{13}$", (17, 17)),
            ("^...............$", (15, 15)),
            ("^é[aé]{0,13}$", (1, 14)),
        ] {
            let (dfa, range) = uncounted(pattern).unwrap_or_else(|| panic!("{pattern}"));
            assert_eq!((range.min, range.max), (min, max), "{pattern}");
            let whole = compile_pattern(pattern, &PatternLimits::default()).unwrap();
            assert!(dfa.len() < whole.len(), "{pattern}");
            // Strings of a few kinds, of all lengths about the bounds.
            for length in 0..25 {
                for seed in 0..200u32 {
                    let letter = |i: u32| match seed.wrapping_mul(2_654_435_761).rotate_left(i * 7) % 16 {
                        0 if seed % 3 == 0 => 'é',
                        n if n % 2 == 0 => 'a',
                        _ => 'b',
                    };
                    let mut text: String = (0..length).map(letter).collect();
                    if seed % 2 == 0 && pattern.starts_with("^b") {
                        text = format!("bb{text}a");
                    } else if seed % 2 == 0 {
                        text = format!("ab{text}ba");
                    }
                    let spelled = canonical_spelling(&text);
                    let counted = dfa.accepts(&spelled) && range.contains(text.chars().count() as u32);
                    assert_eq!(counted, whole.accepts(&spelled), "{pattern} {text}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_told_by_the_length_is_left_alone() {
        for pattern in [
            "[ab]{20}",
            "^[ab]{20}",
            "^[ab]{1,12}$",
            "^[ab]*$",
            "^[ab]{1,20}[cd]{1,20}$",
            "^[ab]{1,20}c?$",
            "^(ab){20}$",
            "^[ab]{1,20}$|^c$",
            "^(a|bc)[ab]{1,20}$",
            "^(?=a)[ab]{1,20}$",
        ] {
            assert!(uncounted(pattern).is_none(), "{pattern}");
        }
    }
}
