//! The lines of a file of requests.

use std::collections::HashMap;
use std::io::{BufRead, Read as _};

use super::settled::Settled;
use crate::api::batch::{BatchError, BatchRequest, duplicate, parse_line};
use crate::error::Result;
use crate::openai::ApiError;

/// A line, in order or not.
pub type Read = std::result::Result<BatchRequest, Box<BatchError>>;

/// Reads a file of requests, line by line: blank lines and settled ones are passed over, a `custom_id` that an earlier line
/// has taken is an error of its line.
pub struct Lines<R> {
    input: R,
    settled: Settled,
    first_with: HashMap<String, usize>,
    line: usize,
    passed_over: usize,
    bytes: Vec<u8>,
    /// Most bytes of a line.
    longest: usize,
    /// The line in `bytes` is longer, and not whole.
    too_long: bool,
}

impl<R: BufRead> Lines<R> {
    /// All lines of `input` that are not settled. One of more than `longest` bytes is an error, and is not held in memory.
    pub fn new(input: R, settled: Settled, longest: usize) -> Self {
        Lines {
            input,
            settled,
            first_with: HashMap::new(),
            line: 0,
            passed_over: 0,
            bytes: Vec::new(),
            longest,
            too_long: false,
        }
    }

    /// Lines that were passed over so far because they are settled.
    pub fn settled(&self) -> usize {
        self.passed_over
    }

    /// Whether there is a line; it is in `bytes` then.
    fn advance(&mut self) -> Result<bool> {
        loop {
            self.bytes.clear();
            let most = (self.longest as u64).saturating_add(1);
            if (&mut self.input).take(most).read_until(b'\n', &mut self.bytes)? == 0 {
                return Ok(false);
            }
            self.line += 1;
            self.too_long = self.bytes.len() > self.longest && self.bytes.last() != Some(&b'\n');
            if self.too_long {
                self.input.skip_until(b'\n')?;
            }
            if self.too_long || !self.bytes.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    fn read(&mut self) -> Read {
        if self.too_long {
            let message = format!("The line is too long; at most {} bytes are allowed.", self.longest);
            let error = ApiError::of_status(413, message).with_code("request_too_large");
            return Err(Box::new(BatchError { line: self.line, custom_id: None, endpoint: None, error }));
        }
        let request = parse(self.line, &self.bytes)?;
        if let Some(&first) = self.first_with.get(&request.custom_id) {
            return Err(Box::new(duplicate(self.line, &request, first)));
        }
        self.first_with.insert(request.custom_id.clone(), self.line);
        Ok(request)
    }
}

/// Line numbers, counted from 1, and lines. An error is one of reading the file.
impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<(usize, Read)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.advance() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
            let read = self.read();
            let (custom_id, servable) = match &read {
                Ok(request) => (Some(request.custom_id.as_str()), true),
                Err(error) => (error.custom_id.as_deref(), false),
            };
            if !self.settled.holds(self.line, custom_id, servable) {
                return Some(Ok((self.line, read)));
            }
            self.passed_over += 1;
        }
    }
}

/// How many lines are not blank.
///
/// # Errors
/// Those of reading.
pub fn count_lines(mut input: impl BufRead) -> std::io::Result<u64> {
    let (mut lines, mut blank) = (0, true);
    loop {
        let bytes = input.fill_buf()?;
        let read = bytes.len();
        if read == 0 {
            return Ok(lines + u64::from(!blank));
        }
        for &byte in bytes {
            if byte == b'\n' {
                lines += u64::from(!blank);
                blank = true;
            } else {
                blank &= byte.is_ascii_whitespace();
            }
        }
        input.consume(read);
    }
}

fn parse(line: usize, bytes: &[u8]) -> Read {
    // Editors on some systems open a file with a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").filter(|_| line == 1).unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => parse_line(line, text),
        Err(e) => {
            let error = ApiError::invalid("", format!("The line is not UTF-8: {e}."));
            let error = error.with_code("invalid_json_line");
            Err(Box::new(BatchError { line, custom_id: None, endpoint: None, error }))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn a_long_line_is_refused_and_those_after_it_are_read() {
        let request = |id: &str| {
            let body = r#"{"model": "m", "messages": [{"role": "user", "content": "hi"}]}"#;
            format!(
                r#"{{"custom_id": "{id}", "method": "POST", "url": "/v1/chat/completions", "body": {body}}}"#
            )
        };
        let (a, b) = (request("a"), request("b"));
        let longest = a.len() + 1;
        for end in ["", "\n"] {
            let text = format!("{a}\n{}\n\n{}\n{b}{end}", "x".repeat(9 * longest), "y".repeat(longest + 1));
            // A buffer that ends anywhere in a line.
            let input = BufReader::with_capacity(7, text.as_bytes());
            let lines: Vec<_> = Lines::new(input, Settled::default(), longest).map(|l| l.unwrap()).collect();
            let numbers: Vec<usize> = lines.iter().map(|l| l.0).collect();
            assert_eq!(numbers, [1, 2, 4, 5]);
            assert_eq!(lines[0].1.as_ref().unwrap().custom_id, "a");
            assert_eq!(lines[3].1.as_ref().unwrap().custom_id, "b");
            for (at, line) in [(1, 2), (2, 4)] {
                let error = lines[at].1.as_ref().unwrap_err();
                assert_eq!(
                    (error.line, error.error.status, error.error.code),
                    (line, 413, Some("request_too_large"))
                );
            }
        }
    }

    #[test]
    fn blank_lines_are_not_counted() {
        for (text, lines) in [("", 0), ("\n \n\t\r\n", 0), ("a", 1), ("a\n\nb \n", 2), (" \na\n ", 1)] {
            for capacity in [1, 2, 64] {
                let input = BufReader::with_capacity(capacity, text.as_bytes());
                assert_eq!(count_lines(input).unwrap(), lines, "{text:?}");
            }
        }
    }
}
