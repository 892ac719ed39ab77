//! Text from bytes that arrive in pieces.

/// Turns pieces of UTF-8 into text: a character that is spread over several is kept back until it is whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Utf8 {
    /// The beginning of a character.
    begun: Vec<u8>,
}

impl Utf8 {
    /// The characters that are whole with these bytes. What is no UTF-8 shows as U+FFFD, as in
    /// [`String::from_utf8_lossy`].
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.begun.extend_from_slice(bytes);
        let mut out = String::new();
        loop {
            let error = match std::str::from_utf8(&self.begun) {
                Ok(text) => {
                    out.push_str(text);
                    self.begun.clear();
                    return out;
                }
                Err(error) => error,
            };
            let good = error.valid_up_to();
            out.push_str(&String::from_utf8_lossy(&self.begun[..good]));
            let Some(bad) = error.error_len() else {
                self.begun.drain(..good);
                return out;
            };
            out.push(char::REPLACEMENT_CHARACTER);
            self.begun.drain(..good + bad);
        }
    }

    /// What is left at the end of the text: U+FFFD if it ends inside a character.
    pub fn end(&mut self) -> String {
        let rest = String::from_utf8_lossy(&self.begun).into_owned();
        self.begun.clear();
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_character_is_given_out_when_it_is_whole() {
        let mut text = Utf8::default();
        let pieces: Vec<String> =
            [&b"a\xf0\x9f"[..], b"\x98", b"\x80b", b"\xc3"].map(|b| text.push(b)).into();
        assert_eq!(pieces, ["a", "", "😀b", ""]);
        assert_eq!(text.end(), "\u{fffd}");
    }

    proptest! {
        #[test]
        fn pieces_add_up(bytes in proptest::collection::vec(prop_oneof![Just(0xf0u8), Just(0x9f), Just(0x98), any::<u8>()], 0..12), at in 0usize..12) {
            let at = at.min(bytes.len());
            let mut text = Utf8::default();
            let all = text.push(&bytes[..at]) + &text.push(&bytes[at..]) + &text.end();
            prop_assert_eq!(all, String::from_utf8_lossy(&bytes));
        }
    }
}
