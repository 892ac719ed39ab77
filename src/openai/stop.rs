//! Stop sequences in free text.

/// Looks for the first stop sequence in a text that arrives in pieces.
///
/// Sequences are compared as bytes, so one that is spread over several tokens, or that begins in the
/// middle of a token, is found like any other.
#[derive(Clone, Debug, Default)]
pub struct StopScanner {
    sequences: Vec<Vec<u8>>,
    /// Everything before this byte has been searched for a beginning.
    searched: usize,
}

impl StopScanner {
    /// A scanner for `sequences`; none never stops.
    pub fn new(sequences: &[String]) -> Self {
        let sequences = sequences.iter().map(|s| s.clone().into_bytes()).collect();
        StopScanner { sequences, searched: 0 }
    }

    /// Where `text`, which must extend the text of the last call, has to be cut: at the first byte of
    /// the earliest sequence.
    pub fn find(&mut self, text: &[u8]) -> Option<usize> {
        let longest = self.sequences.iter().map(Vec::len).max()?;
        let from = self.searched.min(text.len());
        for at in from..text.len() {
            if self.sequences.iter().any(|s| text[at..].starts_with(s)) {
                return Some(at);
            }
        }
        self.searched = text.len().saturating_sub(longest - 1).max(from);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_split_over_pieces_is_found_where_it_begins() {
        let mut scanner = StopScanner::new(&["END".into(), "\n\n".into()]);
        let text = b"one EN two E";
        assert_eq!(scanner.find(&text[..3]), None);
        assert_eq!(scanner.find(text), None);
        assert_eq!(scanner.find(b"one EN two EN"), None);
        assert_eq!(scanner.find(b"one EN two END\n\n"), Some(11));
        assert_eq!(StopScanner::default().find(b"anything"), None);
    }
}
