//! `format`: the string formats of the standard.
//!
//! An automaton is exact where that is cheap; where it is not (lengths that span labels, Punycode), it is
//! narrower, so that whatever is written passes every validator.

use std::sync::{Arc, OnceLock};

use super::ByteDfa;
use super::regex::{PatternLimits, compile_pattern};
use super::table::Table;

mod email;
mod hostname;
mod idn;
mod regex;
mod uri;

type Build = fn() -> Option<ByteDfa>;

const FORMATS: [(&str, Build); 19] = [
    ("date-time", || compile(&format!("^(?:{DATE})[Tt](?:{})$", time()))),
    ("time", || compile(&format!("^(?:{})$", time()))),
    ("date", || compile(&format!("^(?:{DATE})$"))),
    ("duration", || compile(DURATION)),
    ("email", email::email),
    ("idn-email", idn::idn_email),
    ("hostname", || hostname::hostname(7, 63)),
    ("idn-hostname", idn::idn_hostname),
    ("ipv4", || compile(&format!("^{IPV4}$"))),
    ("ipv6", || compile(&format!("^(?:{})$", ipv6()))),
    ("uuid", || compile("^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")),
    ("uri", || compile(&uri::uri(false, false))),
    ("uri-reference", || compile(&uri::uri(false, true))),
    ("iri", || compile(&uri::uri(true, false))),
    ("iri-reference", || compile(&uri::uri(true, true))),
    ("uri-template", || compile(&uri::template())),
    ("json-pointer", || compile(&format!("^{POINTER}$"))),
    ("relative-json-pointer", || compile(&format!(r"^(?:0|[1-9]\d*)(?:#|{POINTER})$"))),
    ("regex", || compile(&regex::regex())),
];

/// The canonical spellings of the strings of a format, or `None` if the name is not the standard's.
///
/// Built once per process. Where a format is not exact, it is narrower:
///
/// | format | defined by | departures (never accepts more, sometimes less) |
/// |---|---|---|
/// | `date` | RFC 3339 full-date | – |
/// | `time` | RFC 3339 full-time | a leap second needs an offset of whole or half hours |
/// | `date-time` | RFC 3339 date-time | the same |
/// | `duration` | RFC 3339 appendix A | – |
/// | `ipv4` | RFC 2673, section 3.2 | – |
/// | `ipv6` | RFC 4291, section 2.2 | – |
/// | `uuid` | RFC 4122, section 3 | – |
/// | `hostname` | RFC 1123, section 2.1 | at most 223 characters (a label costs 32, or 64 from 32 characters on, of 224); no label with hyphens in third and fourth position (`xn--`) |
/// | `email` | RFC 5321, section 4.1.2 | ASCII; at most five domain labels of at most 31 characters, no `xn--`; quoted local parts of at most 30 characters without `<` |
/// | `idn-hostname` | RFC 5890, section 2.3.2.3 | beside host names, five labels of 9 characters in Latin-1, Greek, Cyrillic, kana, Han or Hangul letters |
/// | `idn-email` | RFC 6531, section 3.3 | beside addresses, such domains, and local parts of 16 characters without quotes |
/// | `uri`, `uri-reference` | RFC 3986, appendix A | – |
/// | `iri`, `iri-reference` | RFC 3987, section 2.2 | – |
/// | `uri-template` | RFC 6570, section 2 | – |
/// | `json-pointer` | RFC 6901, section 3 | – |
/// | `relative-json-pointer` | draft-handrews-relative-json-pointer-01 | – |
/// | `regex` | ECMA-262 | groups three deep, no names, no back-references, class ranges of ASCII letters and digits |
pub fn format(name: &str) -> Option<Arc<ByteDfa>> {
    static BUILT: [OnceLock<Option<Arc<ByteDfa>>>; FORMATS.len()] =
        [const { OnceLock::new() }; FORMATS.len()];
    let index = FORMATS.iter().position(|(known, _)| *known == name)?;
    BUILT[index].get_or_init(|| FORMATS[index].1().map(Arc::new)).clone()
}

fn compile(pattern: &str) -> Option<ByteDfa> {
    // The patterns are ours: what is large on the way becomes small in the end.
    let limits = PatternLimits { max_states: 100_000, max_nfa_bytes: 16 << 20, max_steps: 500_000_000 };
    compile_pattern(pattern, &limits).ok().map(Table::minimised)
}

/// A JSON pointer (RFC 6901, section 3).
const POINTER: &str = "(?:/(?:[^~/]|~[01])*)*";

/// Days of months by their length, and 29 February in the years 0000–9999 that have one.
const DATE: &str = r"\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))|(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29";

/// No sum of years and days without months, nor of hours and seconds without minutes; weeks stand alone.
const DURATION: &str = r"^P(?:(?:\d+D|\d+M(?:\d+D)?|\d+Y(?:\d+M(?:\d+D)?)?)(?:T(?:\d+H(?:\d+M(?:\d+S)?)?|\d+M(?:\d+S)?|\d+S))?|T(?:\d+H(?:\d+M(?:\d+S)?)?|\d+M(?:\d+S)?|\d+S)|\d+W)$";

const IPV4: &str = r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)";

/// RFC 3339 full-time: the offset is required; second 60 only where UTC reads 23:59.
///
/// A leap second ties the offset to the minute, and all 1,440 pairs would make some 10,000 states of what
/// nobody writes, so only offsets of whole and half hours are told apart.
fn time() -> String {
    let offset = |minutes: i32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let mut alternatives = vec![String::from(
        r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    )];
    for east in (0..24 * 60).step_by(30) {
        // Local time is UTC plus the eastern offset; going west by the rest of the day is the same.
        let local = offset((23 * 60 + 59 + east) % (24 * 60));
        let west = (24 * 60 - east) % (24 * 60);
        let zulu = if east == 0 { "[Zz]|" } else { "" };
        alternatives.push(format!(r"{local}:60(?:\.\d+)?(?:{zulu}\+{}|-{})", offset(east), offset(west)));
    }
    alternatives.join("|")
}

/// The grammar of RFC 3986, section 3.2.2, which spells out RFC 4291: `::` stands for one group or more.
fn ipv6() -> String {
    const GROUP: &str = "[0-9a-fA-F]{1,4}";
    let last = format!("(?:{GROUP}:{GROUP}|{IPV4})");
    let mut alternatives = vec![format!("(?:{GROUP}:){{6}}{last}")];
    for after in 0..8usize {
        // `after` groups follow the `::`, so at most `7 - after` precede it.
        let before = match 7 - after {
            0 => String::new(),
            most => format!("(?:{GROUP}(?::{GROUP}){{0,{}}})?", most - 1),
        };
        alternatives.push(match after {
            0 => format!("{before}::"),
            1 => format!("{before}::{GROUP}"),
            n => format!("{before}::(?:{GROUP}:){{{}}}{last}", n - 2),
        });
    }
    alternatives.join("|")
}
