//! What a source of logits has to know of a vocabulary.

use crate::error::Result;
use crate::vocab::Vocabulary;

/// Text to token ids and back.
pub trait Tokens {
    /// Logits in a row. Ids from the vocabulary's size up to here are padding.
    fn width(&self) -> usize;
    /// The token's bytes; nothing for special tokens and padding.
    fn bytes(&self, id: u32) -> Option<&[u8]>;
    /// The ids of `text`, in which nothing is read as a special token.
    ///
    /// # Errors
    /// If the vocabulary cannot spell `text`.
    fn encode(&self, text: &str) -> Result<Vec<u32>>;
    /// The ids that end a text.
    fn stop_ids(&self) -> &[u32];
}

impl Tokens for Vocabulary {
    fn width(&self) -> usize {
        self.width()
    }

    fn bytes(&self, id: u32) -> Option<&[u8]> {
        self.bytes(id)
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.encode(text)
    }

    fn stop_ids(&self) -> &[u32] {
        self.stop_ids()
    }
}

#[cfg(test)]
pub(crate) mod fake {
    use super::{Result, Tokens};

    /// Every byte is a token; a few words are tokens too; 300 ends the text; the row is padded to 320.
    pub struct ByteTokens(Vec<Vec<u8>>);

    impl ByteTokens {
        pub const STOP: u32 = 300;

        pub fn new() -> Self {
            let words =
                ["true", "false", "null", "Alice", " Bob", " and", " science", " fair", "\":", "\",\""];
            let bytes = (0..=255u8).map(|b| vec![b]);
            ByteTokens(bytes.chain(words.map(|w| w.as_bytes().to_vec())).collect())
        }
    }

    impl Tokens for ByteTokens {
        fn width(&self) -> usize {
            320
        }

        fn bytes(&self, id: u32) -> Option<&[u8]> {
            self.0.get(id as usize).map(Vec::as_slice)
        }

        fn encode(&self, text: &str) -> Result<Vec<u32>> {
            let mut rest = text.as_bytes();
            let mut out = Vec::new();
            while !rest.is_empty() {
                let longest = self.0.iter().enumerate().filter(|(_, t)| rest.starts_with(t));
                let (id, token) = longest.max_by_key(|(_, t)| t.len()).unwrap();
                out.push(id as u32);
                rest = &rest[token.len()..];
            }
            Ok(out)
        }

        fn stop_ids(&self) -> &[u32] {
            &[Self::STOP]
        }
    }
}
