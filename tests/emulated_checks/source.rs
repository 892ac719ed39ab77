//! The kernels' sources: where their barriers and fences are, and copies with something broken.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A barrier or a fence. Its name survives when lines move: file, function, and which one in it.
#[derive(Clone, Debug)]
pub struct Place {
    pub file: String,
    pub line: usize,
    pub name: String,
}

/// The folder of the kernels.
fn kernels() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels")
}

/// Every kernel source and header by name, without port.cuh and the emulator.
fn sources() -> Vec<(String, String)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(kernels())
        .expect("kernels/")
        .map(|entry| entry.expect("an entry").path())
        .filter(|p| p.extension().is_some_and(|e| e == "cu" || e == "cuh"))
        .filter(|p| !p.ends_with("port.cuh"))
        .collect();
    files.sort();
    let name = |p: &Path| p.file_name().expect("a file").to_string_lossy().into_owned();
    files.iter().map(|p| (name(p), std::fs::read_to_string(p).expect("text"))).collect()
}

/// The places where one of `words` is called.
pub fn places(words: &[&str]) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for (file, text) in sources() {
        let mut function = String::new();
        for (line, code) in (1..).zip(text.lines()) {
            let code = code.split("//").next().unwrap_or_default();
            // Functions begin in the first column, with one of these macros before their name.
            if ["WG_DEVICE", "WG_NOINLINE", "WG_KERNEL"].iter().any(|w| code.starts_with(w)) {
                let before =
                    code.trim_start_matches("WG_KERNEL(").split(['(', ',']).next().unwrap_or_default();
                function = before.split_whitespace().last().unwrap_or_default().into();
            }
            if words.iter().any(|w| code.contains(&format!("{w}()"))) {
                let here = format!("{file} {function}");
                let number = 1 + places.iter().filter(|p| p.name.starts_with(&format!("{here} "))).count();
                places.push(Place { file: file.clone(), line, name: format!("{here} {number}") });
            }
        }
    }
    places
}

/// Builds the emulator with `from` replaced by `to` in `file`; the library.
pub fn build_with(name: &str, file: &str, from: &str, to: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutations").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    copy(&kernels(), &folder.join("kernels"));
    let changed = folder.join("kernels").join(file);
    let text = std::fs::read_to_string(&changed).unwrap_or_else(|e| panic!("{name}: {file}: {e}"));
    let found = text.matches(from).count();
    assert_eq!(found, 1, "mutation {name}: `{from}` stands {found} times in {file}, not once");
    std::fs::write(&changed, text.replace(from, to)).expect("it can be written");
    let library = folder.join("emulator.lib");
    let words: Vec<&str> = env!("WG_EMULATOR_COMMAND").split('\u{1f}').collect();
    let (compiler, arguments) = words.split_first().expect("there is an emulator");
    // Everything but the file that `-o` names.
    let built = Command::new(compiler)
        .args(&arguments[..arguments.len() - 1])
        .arg(&library)
        .current_dir(&folder)
        .output()
        .expect("the compiler runs");
    assert!(built.status.success(), "{name} does not compile: {}", String::from_utf8_lossy(&built.stderr));
    library
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("a copy");
        }
    }
}
