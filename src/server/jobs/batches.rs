//! Batches by id, and which is next.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::record::{Batch, Status};
use super::{read_all, write_json};
use crate::error::Result;

/// Batches by id.
pub struct Batches {
    dir: PathBuf,
    known: Mutex<BTreeMap<String, Batch>>,
    /// Something has changed.
    changed: Condvar,
}

impl Batches {
    /// The batches of a folder.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn open(dir: &Path) -> Result<Self> {
        let dir = dir.join("batches");
        let known = read_all(&dir)?.into_iter().map(|batch: Batch| (batch.id.clone(), batch)).collect();
        Ok(Batches { dir, known: Mutex::new(known), changed: Condvar::new() })
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Batch>> {
        // Nothing panics while the lock is held.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a new batch.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(&self, batch: Batch) -> Result<()> {
        let mut known = self.known();
        self.write(&batch)?;
        known.insert(batch.id.clone(), batch);
        self.changed.notify_all();
        Ok(())
    }

    fn write(&self, batch: &Batch) -> Result<()> {
        write_json(&self.dir.join(format!("{}.json", batch.id)), batch)
    }

    /// The batch with this id.
    pub fn get(&self, id: &str) -> Option<Batch> {
        self.known().get(id).cloned()
    }

    /// All batches, the newest first.
    pub fn all(&self) -> Vec<Batch> {
        let mut all: Vec<Batch> = self.known().values().cloned().collect();
        all.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        all
    }

    /// Changes a batch and writes it down; what it is then. `None` if there is no such batch.
    ///
    /// # Errors
    /// It cannot be written; it is then as it was.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Batch)) -> Result<Option<Batch>> {
        let mut known = self.known();
        let Some(batch) = known.get_mut(id) else { return Ok(None) };
        let mut changed = batch.clone();
        change(&mut changed);
        self.write(&changed)?;
        *batch = changed.clone();
        self.changed.notify_all();
        Ok(Some(changed))
    }

    /// Counts a line, in memory only: what was answered is in the results.
    pub fn count(&self, id: &str, counts: [u64; 3]) {
        if let Some(batch) = self.known().get_mut(id) {
            batch.counts = counts;
        }
    }

    /// How far a batch is.
    pub fn status(&self, id: &str) -> Option<Status> {
        self.known().get(id).map(|batch| batch.status)
    }

    /// The oldest batch with something to do, waited for until `stop` says so.
    pub fn next(&self, stop: impl Fn() -> bool) -> Option<Batch> {
        let mut known = self.known();
        loop {
            if stop() {
                return None;
            }
            let open = known.values().filter(|batch| !batch.status.is_final());
            if let Some(batch) = open.min_by_key(|batch| (batch.created_at, &batch.id)) {
                return Some(batch.clone());
            }
            known = self.changed.wait(known).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Has who waits look again.
    pub fn wake(&self) {
        // With the lock: nobody is between looking and waiting.
        let _known = self.known();
        self.changed.notify_all();
    }

    /// Where the replies and the errors of a batch are, from the folder of all.
    pub fn results(id: &str) -> [PathBuf; 2] {
        ["output", "errors"].map(|what| Path::new("batches").join(format!("{id}.{what}.jsonl")))
    }
}
