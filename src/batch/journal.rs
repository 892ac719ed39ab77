//! Result files that survive being interrupted.
//!
//! A journal is a file of JSON lines that is only ever appended to. A line is written with one call,
//! so a process that is killed leaves at most the last line torn; reopening cuts that line off and the
//! work it stood for is done again. The file is flushed to the disk about once a second and at the end:
//! a machine that loses power loses at most the last second's lines, which are then redone as well.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result, in_file};
use serde_json::Value;

/// How often a journal is flushed to the disk.
const FLUSH: Duration = Duration::from_secs(1);

/// A file of JSON lines to append to.
pub struct Journal {
    path: PathBuf,
    /// Absent until the first line, if the file is only to be made when there is one.
    file: Option<File>,
    flushed: Instant,
}

impl Journal {
    /// A journal that starts empty: a file that is there is emptied, or removed if `lazy`.
    pub fn create(path: &Path, lazy: bool) -> Result<Self> {
        let mut journal = Journal { path: path.to_owned(), file: None, flushed: Instant::now() };
        if !lazy {
            journal.file = Some(File::create(path).map_err(in_file(path))?);
        } else if path.exists() {
            std::fs::remove_file(path).map_err(in_file(path))?;
        }
        Ok(journal)
    }

    /// A journal that goes on with what is in the file, and the lines that it holds. A torn last line
    /// is cut off.
    ///
    /// # Errors
    /// A complete line that is not JSON: the file is something else, and is left as it is.
    pub fn resume(path: &Path) -> Result<(Self, Vec<Value>)> {
        let mut journal = Journal { path: path.to_owned(), file: None, flushed: Instant::now() };
        if !path.exists() {
            return Ok((journal, Vec::new()));
        }
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(in_file(path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(in_file(path))?;
        let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        let mut lines = Vec::new();
        for (k, line) in bytes[..whole].split(|&b| b == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            lines.push(serde_json::from_slice(line).map_err(|e| {
                let file = path.display();
                let message = format!(
                    "{file} line {}: {e}; it is no file of results and was left as it is: name another one",
                    k + 1
                );
                Error::new(ErrorKind::InvalidJson, message)
            })?);
        }
        file.set_len(whole as u64).map_err(in_file(path))?;
        file.seek(SeekFrom::End(0)).map_err(in_file(path))?;
        journal.file = Some(file);
        Ok((journal, lines))
    }

    /// Appends a line.
    pub fn append(&mut self, line: &Value) -> Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(File::create(&self.path).map_err(in_file(&self.path))?),
        };
        let mut text = line.to_string();
        text.push('\n');
        file.write_all(text.as_bytes()).map_err(in_file(&self.path))?;
        if self.flushed.elapsed() >= FLUSH {
            self.flush()?;
        }
        Ok(())
    }

    /// Flushes to the disk.
    pub fn flush(&mut self) -> Result<()> {
        self.flushed = Instant::now();
        match &self.file {
            // Pipes and devices cannot be flushed, and need not be.
            Some(file) if file.metadata().is_ok_and(|m| m.is_file()) => {
                file.sync_data().map_err(in_file(&self.path))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_torn_line_is_cut_off_and_what_follows_starts_afresh() {
        let path = std::env::temp_dir().join(format!("warpgrammar-journal-{}", std::process::id()));
        std::fs::write(&path, "{\"a\":1}\n{\"a\":2}\n{\"a\":").unwrap();
        let (mut journal, lines) = Journal::resume(&path).unwrap();
        assert_eq!(lines, [json!({"a": 1}), json!({"a": 2})]);
        journal.append(&json!({"a": 3})).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");

        std::fs::write(&path, "notes\n{\"a\":1}\n").unwrap();
        assert!(Journal::resume(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "notes\n{\"a\":1}\n");

        Journal::create(&path, true).unwrap();
        assert!(!path.exists());
        assert!(Journal::resume(&path).unwrap().1.is_empty());
    }
}
