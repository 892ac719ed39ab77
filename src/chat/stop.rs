//! Stop sequences in free text.

/// Passes a text on up to the first stop sequence.
///
/// Sequences are compared as bytes, so one that is spread over several tokens, or that begins in the
/// middle of a token, is found like any other. What could be the beginning of one is held back.
#[derive(Clone, Debug, Default)]
pub(super) struct StopFilter {
    sequences: Vec<Vec<u8>>,
    held: Vec<u8>,
    stopped: bool,
}

impl StopFilter {
    /// A filter for `sequences`, none of them empty; without any, nothing is held back.
    pub fn new(sequences: &[String]) -> Self {
        let sequences = sequences.iter().map(|s| s.clone().into_bytes()).collect();
        StopFilter { sequences, ..StopFilter::default() }
    }

    /// Whether a sequence was found.
    pub fn has_stopped(&self) -> bool {
        self.stopped
    }

    /// What can be passed on now; nothing once a sequence was found.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.stopped {
            return Vec::new();
        }
        self.held.extend_from_slice(bytes);
        let held = &self.held;
        let found = (0..held.len()).find(|&at| self.sequences.iter().any(|s| held[at..].starts_with(s)));
        let upto = found.unwrap_or_else(|| {
            let begins = |at: &usize| self.sequences.iter().any(|s| s.starts_with(&held[*at..]));
            (0..held.len()).find(begins).unwrap_or(held.len())
        });
        self.stopped = found.is_some();
        let passed = self.held.drain(..upto).collect();
        if self.stopped {
            self.held.clear();
        }
        passed
    }

    /// What was held back, at the end of the text.
    pub fn end(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(sequences: &[&str], pieces: &[&str]) -> (Vec<String>, bool) {
        let sequences: Vec<String> = sequences.iter().map(|s| s.to_string()).collect();
        let mut filter = StopFilter::new(&sequences);
        let mut out: Vec<String> =
            pieces.iter().map(|p| String::from_utf8(filter.push(p.as_bytes())).unwrap()).collect();
        out.push(String::from_utf8(filter.end()).unwrap());
        (out, filter.has_stopped())
    }

    #[test]
    fn a_sequence_split_over_pieces_is_found_where_it_begins() {
        let (out, stopped) = passed(&["END", "\n\n"], &["one EN", " two E", "N", "D\n\n", "more"]);
        assert_eq!(out, ["one ", "EN two ", "", "", "", ""]);
        assert!(stopped);
    }

    #[test]
    fn what_was_no_sequence_after_all_is_passed_on() {
        assert_eq!(passed(&["END"], &["one E", "N"]), (vec!["one ".into(), "".into(), "EN".into()], false));
        assert_eq!(passed(&[], &["anything"]), (vec!["anything".into(), "".into()], false));
        // The earliest beginning counts.
        assert_eq!(passed(&["b", "ab"], &["xaby"]).0[0], "x");
    }
}
