//! Mail addresses: `Mailbox` of RFC 5321, section 4.1.2.

use super::{format, hostname::hostname};
use crate::pattern::spelling::spell;
use crate::pattern::unfold::unfold;
use crate::pattern::{ByteDfa, DfaState};

/// RFC 5321, section 4.5.3.1.1.
const LOCAL_PART: u8 = 64;
/// Characters between the quotes of a quoted local part.
const QUOTED: u8 = 30;

/// Where in an address we are.
#[derive(Clone, PartialEq, Eq, Hash)]
enum At {
    Start,
    /// In a dot-string of this length; whether an atom has begun.
    Dots(u8, bool),
    /// In a quoted string with this many characters; whether a backslash is open.
    Quoted(u8, bool),
    QuotedEnd,
    /// After the `@`.
    Domain,
    Host(DfaState),
    /// After `[`.
    Literal,
    Ipv4(DfaState),
    /// Inside the tag `IPv6:`, this many characters of it read.
    Tag(u8),
    Ipv6(DfaState),
    End,
}

/// Mail addresses with an ASCII local part.
///
/// Departures, all of them narrower: a domain has at most five labels of at most 31 characters, none with
/// hyphens in third and fourth position (see [`hostname`]); a quoted local part holds 1 to 30 characters
/// and no `<`, which some validators take for the start of an address after a display name.
pub(super) fn email() -> Option<ByteDfa> {
    let host = hostname(5, 31)?;
    let (ipv4, ipv6) = (format("ipv4")?, format("ipv6")?);
    let live = |state: DfaState| (state != ByteDfa::DEAD).then_some(state);
    let step = |at: &At, byte: u8| -> Option<At> {
        Some(match *at {
            At::Start if byte == b'"' => At::Quoted(0, false),
            At::Start if is_atext(byte) => At::Dots(1, true),
            At::Dots(length, true) if byte == b'.' && length < LOCAL_PART - 1 => At::Dots(length + 1, false),
            At::Dots(length, _) if is_atext(byte) && length < LOCAL_PART => At::Dots(length + 1, true),
            At::Dots(_, true) | At::QuotedEnd if byte == b'@' => At::Domain,
            At::Quoted(1.., false) if byte == b'"' => At::QuotedEnd,
            At::Quoted(length, false) if byte == b'\\' && length < QUOTED - 1 => At::Quoted(length + 1, true),
            At::Quoted(length, true) if length < QUOTED && byte != b'<' && byte != b' ' => {
                At::Quoted(length + 1, false)
            }
            At::Quoted(length, false) if length < QUOTED && !b"\"\\<".contains(&byte) => {
                At::Quoted(length + 1, false)
            }
            At::Domain if byte == b'[' => At::Literal,
            At::Domain => At::Host(live(host.next(host.start, byte))?),
            At::Host(state) => At::Host(live(host.next(state, byte))?),
            At::Literal if byte.eq_ignore_ascii_case(&b'i') => At::Tag(1),
            At::Literal => At::Ipv4(live(ipv4.next(ipv4.start, byte))?),
            At::Tag(read) if byte.eq_ignore_ascii_case(&b"ipv6:"[usize::from(read)]) => match read {
                4 => At::Ipv6(ipv6.start),
                _ => At::Tag(read + 1),
            },
            At::Ipv4(state) if byte == b']' && ipv4.accepting[state as usize] => At::End,
            At::Ipv6(state) if byte == b']' && ipv6.accepting[state as usize] => At::End,
            At::Ipv4(state) => At::Ipv4(live(ipv4.next(state, byte))?),
            At::Ipv6(state) => At::Ipv6(live(ipv6.next(state, byte))?),
            _ => return None,
        })
    };
    #[rustfmt::skip]
    let alphabet = [
        "ghjklmnoqrstuwxyzGHJKLMNOQRSTUWXYZ", "abcdefABCDEF", "iI", "pP", "vV",
        "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "!#$%&'*+/=?^_`{|}~", "-", ".", "\"", "\\", "@",
        "[", "]", ":", "<", " ", "(),;>",
    ];
    let accepts = |at: &At| match *at {
        At::Host(state) => host.accepting[state as usize],
        At::End => true,
        _ => false,
    };
    unfold(At::Start, &alphabet, 10_000, step, accepts).map(|decoded| spell(&decoded))
}

/// `atext` of RFC 5322, section 3.2.3.
fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}
