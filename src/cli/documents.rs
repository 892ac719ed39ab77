//! `--with` and `--schema-dir`: the schemas that others refer to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use warpgrammar::{Error, ErrorKind, Result};

use super::{in_file, read_json};

/// Folders in folders are followed so far; links may go in circles.
const MAX_NESTING: usize = 32;

/// The documents by the URI under which they are known beside their own identifier.
pub fn read(with: &[String], folder: Option<&Path>) -> Result<BTreeMap<String, Arc<Value>>> {
    let mut found = BTreeMap::new();
    for argument in with {
        let (uri, file) = match argument.split_once('=') {
            Some((uri, file)) => (uri.to_owned(), Path::new(file)),
            None => {
                let file = Path::new(argument);
                (name(file.file_name().map(Path::new).unwrap_or(file))?, file)
            }
        };
        add(&mut found, uri, file)?;
    }
    let mut folders: Vec<(PathBuf, usize)> = folder.map(|f| (f.to_owned(), 0)).into_iter().collect();
    while let Some((at, depth)) = folders.pop() {
        for entry in std::fs::read_dir(&at).map_err(in_file(&at))? {
            let path = entry.map_err(in_file(&at))?.path();
            if path.is_dir() && depth < MAX_NESTING {
                folders.push((path, depth + 1));
            } else if path.extension().is_some_and(|e| e == "json") {
                let inner = folder.and_then(|f| path.strip_prefix(f).ok()).unwrap_or(&path);
                add(&mut found, name(inner)?, &path)?;
            }
        }
    }
    Ok(found)
}

fn add(found: &mut BTreeMap<String, Arc<Value>>, uri: String, file: &Path) -> Result<()> {
    if found.contains_key(&uri) {
        let message = format!("{}: {uri:?} is given twice; write --with URI=FILE", file.display());
        return Err(Error::new(ErrorKind::InvalidParameter, message));
    }
    found.insert(uri, Arc::new(read_json(file)?));
    Ok(())
}

/// A path as a relative URI: its characters that have a meaning in URIs are escaped.
fn name(path: &Path) -> Result<String> {
    let parts: Option<Vec<&str>> = path.components().map(|part| part.as_os_str().to_str()).collect();
    let Some(parts) = parts else {
        let message = format!("{}: the name is not UTF-8; write --with URI=FILE", path.display());
        return Err(Error::new(ErrorKind::InvalidParameter, message));
    };
    Ok(parts.join("/").replace('%', "%25").replace('#', "%23").replace('?', "%3F").replace(' ', "%20"))
}
