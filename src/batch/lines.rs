//! The lines of a file of requests.

use std::collections::HashMap;
use std::io::BufRead;

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
}

impl<R: BufRead> Lines<R> {
    /// All lines of `input` that are not settled.
    pub fn new(input: R, settled: Settled) -> Self {
        Lines { input, settled, first_with: HashMap::new(), line: 0, passed_over: 0, bytes: Vec::new() }
    }

    /// Lines that were passed over so far because they are settled.
    pub fn settled(&self) -> usize {
        self.passed_over
    }

    /// Whether there is a line; it is in `bytes` then.
    fn advance(&mut self) -> Result<bool> {
        loop {
            self.bytes.clear();
            if self.input.read_until(b'\n', &mut self.bytes)? == 0 {
                return Ok(false);
            }
            self.line += 1;
            if !self.bytes.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    fn read(&mut self) -> Read {
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
