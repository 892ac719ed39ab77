//! The automaton of unrestricted string contents, the same in every grammar.
//!
//! It reads what stands between the quotes of any JSON string: raw UTF-8 and every valid escape, with
//! `\u` surrogates only in pairs. One character, however it is spelled, is one arrival in
//! [`Sub::MAIN`]. Because the automaton never depends on the schema, masks for its states are computed
//! once per vocabulary.

/// A state of the automaton.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sub(pub u8);

impl Sub {
    /// Between characters; the closing quote is read here.
    pub const MAIN: Sub = Sub(0);
    /// Number of states.
    pub const COUNT: u8 = 20;
}

const MAIN: u8 = 0;
const ESCAPE: u8 = 1;
/// After `\u`.
const U: u8 = 2;
/// Three, two, one hexadecimal digits of a plain escape missing.
const HEX3: u8 = 3;
const HEX2: u8 = 4;
const HEX1: u8 = 5;
/// After `\ud`: the next digit tells plain character from high surrogate.
const UD: u8 = 6;
/// Inside a high surrogate, two and one digits missing; then the low surrogate's `\`, `u`, `d`, `c-f`.
const HIGH2: u8 = 7;
const HIGH1: u8 = 8;
const LOW_BACKSLASH: u8 = 9;
const LOW_U: u8 = 10;
const LOW_D: u8 = 11;
const LOW_CF: u8 = 12;
/// One, two, three UTF-8 continuation bytes missing, and the restricted second bytes.
const TAIL1: u8 = 13;
const TAIL2: u8 = 14;
const TAIL3: u8 = 15;
const AFTER_E0: u8 = 16;
const AFTER_ED: u8 = 17;
const AFTER_F0: u8 = 18;
const AFTER_F4: u8 = 19;

/// The edges of `sub`: `(first byte, last byte, successor)`, ascending. The closing quote, which
/// leaves [`Sub::MAIN`], is not among them. Source: RFC 8259 section 7, RFC 3629 section 4.
pub fn edges(sub: Sub) -> &'static [(u8, u8, u8)] {
    match sub.0 {
        MAIN => &[
            (0x20, 0x21, MAIN),
            (0x23, 0x5b, MAIN),
            (b'\\', b'\\', ESCAPE),
            (0x5d, 0x7f, MAIN),
            (0xc2, 0xdf, TAIL1),
            (0xe0, 0xe0, AFTER_E0),
            (0xe1, 0xec, TAIL2),
            (0xed, 0xed, AFTER_ED),
            (0xee, 0xef, TAIL2),
            (0xf0, 0xf0, AFTER_F0),
            (0xf1, 0xf3, TAIL3),
            (0xf4, 0xf4, AFTER_F4),
        ],
        ESCAPE => &[
            (b'"', b'"', MAIN),
            (b'/', b'/', MAIN),
            (b'\\', b'\\', MAIN),
            (b'b', b'b', MAIN),
            (b'f', b'f', MAIN),
            (b'n', b'n', MAIN),
            (b'r', b'r', MAIN),
            (b't', b't', MAIN),
            (b'u', b'u', U),
        ],
        U => &[
            (b'0', b'9', HEX3),
            (b'A', b'C', HEX3),
            (b'D', b'D', UD),
            (b'E', b'F', HEX3),
            (b'a', b'c', HEX3),
            (b'd', b'd', UD),
            (b'e', b'f', HEX3),
        ],
        HEX3 => &[(b'0', b'9', HEX2), (b'A', b'F', HEX2), (b'a', b'f', HEX2)],
        HEX2 => &[(b'0', b'9', HEX1), (b'A', b'F', HEX1), (b'a', b'f', HEX1)],
        HEX1 => &[(b'0', b'9', MAIN), (b'A', b'F', MAIN), (b'a', b'f', MAIN)],
        UD => &[(b'0', b'7', HEX2), (b'8', b'9', HIGH2), (b'A', b'B', HIGH2), (b'a', b'b', HIGH2)],
        HIGH2 => &[(b'0', b'9', HIGH1), (b'A', b'F', HIGH1), (b'a', b'f', HIGH1)],
        HIGH1 => &[(b'0', b'9', LOW_BACKSLASH), (b'A', b'F', LOW_BACKSLASH), (b'a', b'f', LOW_BACKSLASH)],
        LOW_BACKSLASH => &[(b'\\', b'\\', LOW_U)],
        LOW_U => &[(b'u', b'u', LOW_D)],
        LOW_D => &[(b'D', b'D', LOW_CF), (b'd', b'd', LOW_CF)],
        LOW_CF => &[(b'C', b'F', HEX2), (b'c', b'f', HEX2)],
        TAIL1 => &[(0x80, 0xbf, MAIN)],
        TAIL2 => &[(0x80, 0xbf, TAIL1)],
        TAIL3 => &[(0x80, 0xbf, TAIL2)],
        AFTER_E0 => &[(0xa0, 0xbf, TAIL1)],
        AFTER_ED => &[(0x80, 0x9f, TAIL1)],
        AFTER_F0 => &[(0x90, 0xbf, TAIL2)],
        AFTER_F4 => &[(0x80, 0x8f, TAIL2)],
        _ => unreachable!("sub-states are numbered below Sub::COUNT"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(bytes: &[u8]) -> bool {
        let end = bytes
            .iter()
            .try_fold(Sub::MAIN, |s, &b| edges(s).iter().find(|e| e.0 <= b && b <= e.1).map(|e| Sub(e.2)));
        end == Some(Sub::MAIN)
    }

    #[test]
    fn agrees_with_a_json_parser_on_every_short_content() {
        let alphabet: &[u8] =
            &[b'a', b'"', b'\\', b'u', b'd', b'8', b'c', b'0', b'n', 0x1f, 0xc3, 0xa9, 0xed, 0xa0];
        let mut content = Vec::new();
        fn grow(alphabet: &[u8], content: &mut Vec<u8>, left: usize) {
            let json = [b"\"", &content[..], b"\""].concat();
            // Unescaped quotes end the string early; such contents are not contents at all.
            let want = serde_json::from_slice::<String>(&json).is_ok();
            assert_eq!(accepts(content), want, "{:?}", String::from_utf8_lossy(content));
            if left > 0 {
                for &b in alphabet {
                    content.push(b);
                    grow(alphabet, content, left - 1);
                    content.pop();
                }
            }
        }
        grow(alphabet, &mut content, 4);
    }

    #[test]
    fn surrogates_come_in_pairs_only() {
        assert!(accepts(br"\ud83d\ude00"));
        assert!(accepts(br"\uD83D\uDE00x"));
        assert!(!accepts(br"\ud83d"));
        assert!(!accepts(br"\ude00"));
        assert!(!accepts(br"\ud83d\u0041"));
        assert!(accepts("😀é€".as_bytes()));
        assert!(!accepts(&[0xf4, 0x90, 0x80, 0x80]));
    }
}
