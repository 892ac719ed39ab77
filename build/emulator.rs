//! The emulator: `kernels/` compiled by the host's C++ compiler into two shared libraries.
//!
//! `emulator.lib` is optimised and embedded in the crate. `emulator-sanitized.lib` has AddressSanitizer and
//! UndefinedBehaviorSanitizer; it works only in a process that was started with their runtime
//! (`WARPGRAMMAR_ASAN_RUNTIME`), so tests start one. A library that could not be built is an empty file.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What is compiled, relative to the crate; `kernels/all.cu` includes every kernel.
const SOURCES: [&str; 4] = [
    "kernels/all.cu",
    "kernels/emulator/machine.cpp",
    "kernels/emulator/fiber.cpp",
    "kernels/emulator/interface.cpp",
];

/// Separates the words of a command in an environment variable.
const SEPARATOR: &str = "\u{1f}";

pub fn build() {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let (plain, sanitized) = (out.join("emulator.lib"), out.join("emulator-sanitized.lib"));
    for file in [&plain, &sanitized] {
        std::fs::write(file, []).expect("OUT_DIR can be written");
    }
    println!("cargo:rustc-env=WG_EMULATOR_SANITIZED={}", sanitized.display());
    let mut why = String::new();
    let mut command = Vec::new();
    let mut runtime = String::new();
    match compiler() {
        None => why = "no C++ compiler was found when this was built".into(),
        Some(cxx) => {
            // Side by side: each takes about as long as the other.
            let (a, b) = std::thread::scope(|s| {
                let a = s.spawn(|| compile(&cxx, false, &plain));
                let b = s.spawn(|| compile(&cxx, true, &sanitized));
                (a.join().expect("no panic"), b.join().expect("no panic"))
            });
            match a {
                Ok(words) => command = words,
                Err(text) => {
                    why = format!("{} could not compile the kernels when this was built", cxx.display());
                    warn(&text);
                }
            }
            match b {
                Ok(_) => runtime = asan_runtime(&cxx),
                Err(text) => warn(&text),
            }
        }
    }
    println!("cargo:rustc-env=WG_EMULATOR_ABSENT={why}");
    println!("cargo:rustc-env=WG_EMULATOR_COMMAND={}", command.join(SEPARATOR));
    println!("cargo:rustc-env=WG_ASAN_RUNTIME={runtime}");
}

/// The host's C++ compiler, if what is built runs where it is built.
fn compiler() -> Option<PathBuf> {
    if std::env::var("HOST") != std::env::var("TARGET") {
        return None;
    }
    let tool = cc::Build::new().cpp(true).cargo_metadata(false).try_get_compiler().ok()?;
    let found = Command::new(tool.path()).arg("--version").output().is_ok_and(|o| o.status.success());
    (found && !tool.is_like_msvc()).then(|| tool.path().to_path_buf())
}

/// Compiles one library; returns the command, with `-o` and its file last.
fn compile(cxx: &Path, sanitized: bool, to: &Path) -> Result<Vec<String>, String> {
    let mut words: Vec<String> = vec![cxx.display().to_string()];
    // No contraction, no assumption about types behind pointers: as on a GPU.
    words.extend(
        "-std=c++17 -fPIC -shared -fvisibility=hidden -fno-exceptions -fno-rtti -ffp-contract=off \
         -fno-strict-aliasing -Wall -Wextra -Wno-unknown-pragmas"
            .split_whitespace()
            .map(String::from),
    );
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("x86_64") {
        // For `fmaf` as one instruction. What loads the library asks the processor first.
        words.push("-march=x86-64-v3".into());
    }
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        words.push("-Wl,--as-needed".into());
    }
    if sanitized {
        words.extend(
            "-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined,float-cast-overflow \
             -fno-sanitize-recover=all"
                .split_whitespace()
                .map(String::from),
        );
    } else {
        words.extend(["-O2".into(), "-g1".into()]);
    }
    words.extend(["-x".into(), "c++".into()]);
    words.extend(SOURCES.map(String::from));
    words.extend(["-o".into(), to.display().to_string()]);
    let done = Command::new(cxx).args(&words[1..]).output().map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&done.stderr).into_owned();
    if !done.status.success() {
        let _ = std::fs::write(to, []);
        return Err(text);
    }
    if !sanitized {
        warn(&text);
    }
    Ok(words)
}

/// The library that must be loaded before all others; empty if the compiler has none.
fn asan_runtime(cxx: &Path) -> String {
    for name in
        ["libasan.so", "libclang_rt.asan-x86_64.so", "libclang_rt.asan-aarch64.so", "libclang_rt.asan.so"]
    {
        if let Ok(o) = Command::new(cxx).arg(format!("-print-file-name={name}")).output() {
            let path = String::from_utf8_lossy(&o.stdout).trim().to_string();
            if Path::new(&path).is_absolute() && Path::new(&path).exists() {
                return path;
            }
        }
    }
    String::new()
}

/// The compiler's words, as warnings of this build.
fn warn(text: &str) {
    for line in text.lines().take(40) {
        println!("cargo:warning={line}");
    }
}
