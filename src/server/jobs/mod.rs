//! Files and batches, kept in a folder.
//!
//! ```text
//! DIR/files/ID             what was uploaded          DIR/files/ID.json      what is known of it
//! DIR/batches/ID.json      a batch                    DIR/batches/ID.output.jsonl, ID.errors.jsonl   its results
//! ```
//!
//! A file of JSON is written beside its place and moved there, so that it is whole or not there. Results are journals
//! ([`crate::batch::Journal`]): a server that is killed goes on where it stopped, and answers every line once. One process
//! has a folder at a time.

mod batches;
mod files;
mod record;
mod runner;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::batches::Batches;
pub use self::files::{FileRecord, Files};
pub use self::record::{Batch, Status};
use self::runner::Runner;
use super::app::Limits;
use super::metrics::Metrics;
use super::preparing::Preparing;
use super::worker::Worker;
use crate::error::{Error, ErrorKind, Result, in_file};

/// Files, batches, and the thread that works on these.
pub struct Jobs {
    /// Files by id.
    pub files: Arc<Files>,
    /// Batches by id.
    pub batches: Arc<Batches>,
    stop: Arc<AtomicBool>,
    runner: JoinHandle<()>,
}

impl Jobs {
    /// Opens a folder, makes it if it is not there, and goes on with the batches in it.
    ///
    /// # Errors
    /// A folder that cannot be read or written, that another process uses, or that holds something else.
    pub fn open(
        dir: &Path,
        limits: &Limits,
        preparing: Arc<Preparing>,
        worker: Worker,
        metrics: Arc<Metrics>,
        fingerprint: String,
    ) -> Result<Self> {
        fs::create_dir_all(dir).map_err(in_file(dir))?;
        let path = dir.join("lock");
        let lock = File::create(&path).map_err(in_file(&path))?;
        if lock.try_lock().is_err() {
            let message = format!("{} is used by another process", dir.display());
            return Err(Error::new(ErrorKind::Io, message));
        }
        let files = Arc::new(Files::open(dir)?);
        let batches = Arc::new(Batches::open(dir)?);
        let stop = Arc::new(AtomicBool::new(false));
        let runner = Runner {
            files: files.clone(),
            batches: batches.clone(),
            preparing,
            worker,
            metrics,
            fingerprint,
            lines: limits.batch_lines,
            longest: limits.body_bytes,
            window: limits.batch_slots.max(1),
            stop: stop.clone(),
        };
        let run = move || {
            runner.run();
            // The folder is used as long as anything is written to it.
            drop(lock);
        };
        let runner = std::thread::Builder::new().name("batches".into()).spawn(run)?;
        Ok(Jobs { files, batches, stop, runner })
    }

    /// Begins no line any more, and drops those that are being answered: the next run goes on with them.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.batches.wake();
    }

    /// Whether the folder is not written to any more.
    pub fn has_stopped(&self) -> bool {
        self.runner.is_finished()
    }
}

/// Writes a file of JSON so that it is whole or as it was.
fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text =
        serde_json::to_vec_pretty(value).map_err(|e| Error::new(ErrorKind::InvalidJson, e.to_string()))?;
    let beside = path.with_extension("partial");
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(in_file(path))
}

/// Every `*.json` of a folder, which is made if it is not there; what was being written is removed.
fn read_all<T: DeserializeOwned>(dir: &Path) -> Result<Vec<T>> {
    fs::create_dir_all(dir).map_err(in_file(dir))?;
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).map_err(in_file(dir))? {
        let path = entry.map_err(in_file(dir))?.path();
        match path.extension().and_then(|e| e.to_str()) {
            Some("json") => {
                let bytes = fs::read(&path).map_err(in_file(&path))?;
                let wrong = |e| Error::new(ErrorKind::InvalidJson, format!("{}: {e}", path.display()));
                out.push(serde_json::from_slice(&bytes).map_err(wrong)?);
            }
            Some("partial") => fs::remove_file(&path).map_err(in_file(&path))?,
            _ => {}
        }
    }
    Ok(out)
}
