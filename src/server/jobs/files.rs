//! Files: inputs that were uploaded and results of batches.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{read_all, write_json};
use crate::error::{Result, in_file};

/// What is known of a file.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct FileRecord {
    /// Its id.
    pub id: String,
    /// The name it was sent with.
    pub filename: String,
    /// `batch` or `batch_output`.
    pub purpose: String,
    /// Its length.
    pub bytes: u64,
    /// Unix time in seconds.
    pub created_at: u64,
    /// Where it is, from the folder of all.
    pub at: PathBuf,
}

impl FileRecord {
    /// The API's object.
    pub fn object(&self) -> Value {
        json!({
            "id": self.id,
            "object": "file",
            "bytes": self.bytes,
            "created_at": self.created_at,
            "expires_at": null,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": null,
        })
    }
}

/// Files by id.
pub struct Files {
    dir: PathBuf,
    known: Mutex<BTreeMap<String, FileRecord>>,
}

impl Files {
    /// The files of a folder.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn open(dir: &Path) -> Result<Self> {
        let here = dir.join("files");
        let known: BTreeMap<String, FileRecord> =
            read_all(&here)?.into_iter().map(|file: FileRecord| (file.id.clone(), file)).collect();
        // An upload of which nothing was written before the end has no id that anybody knows.
        for entry in fs::read_dir(&here).map_err(in_file(&here))? {
            let path = entry.map_err(in_file(&here))?.path();
            let is_upload = path.extension().is_none() && path.is_file();
            let id = path.file_name().and_then(|name| name.to_str());
            if is_upload && id.is_some_and(|id| id.starts_with("file-") && !known.contains_key(id)) {
                fs::remove_file(&path).map_err(in_file(&path))?;
            }
        }
        Ok(Files { dir: dir.to_owned(), known: Mutex::new(known) })
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, FileRecord>> {
        // Nothing panics while the lock is held.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record_path(&self, id: &str) -> PathBuf {
        self.dir.join("files").join(format!("{id}.json"))
    }

    /// Where an upload is written before it is known.
    pub fn upload_path(&self, id: &str) -> PathBuf {
        self.dir.join("files").join(format!("{id}.partial"))
    }

    /// Makes an upload known.
    ///
    /// # Errors
    /// It cannot be moved or written of.
    pub fn add_upload(&self, mut file: FileRecord) -> Result<FileRecord> {
        file.at = Path::new("files").join(&file.id);
        let path = self.path(&file);
        fs::rename(self.upload_path(&file.id), &path).map_err(in_file(&path))?;
        self.add(file)
    }

    /// Makes a file known that is where it says.
    ///
    /// # Errors
    /// It cannot be written of.
    pub fn add(&self, file: FileRecord) -> Result<FileRecord> {
        write_json(&self.record_path(&file.id), &file)?;
        self.known().insert(file.id.clone(), file.clone());
        Ok(file)
    }

    /// The file with this id.
    pub fn get(&self, id: &str) -> Option<FileRecord> {
        self.known().get(id).cloned()
    }

    /// All files, the newest first.
    pub fn all(&self) -> Vec<FileRecord> {
        let mut all: Vec<FileRecord> = self.known().values().cloned().collect();
        all.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        all
    }

    /// Where a file's bytes are.
    pub fn path(&self, file: &FileRecord) -> PathBuf {
        self.path_of(&file.at)
    }

    /// A path from the folder of all as one from here.
    pub fn path_of(&self, at: &Path) -> PathBuf {
        self.dir.join(at)
    }

    /// Removes a file.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self, id: &str) -> Result<()> {
        // The record goes first: bytes that nothing speaks of harm nobody.
        let path = self.record_path(id);
        fs::remove_file(&path).map_err(in_file(&path))?;
        if let Some(file) = self.known().remove(id) {
            let path = self.path(&file);
            fs::remove_file(&path).map_err(in_file(&path))?;
        }
        Ok(())
    }
}
