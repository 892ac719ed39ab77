//! The kernels for GPUs: one source text for NVRTC, and machine code if nvcc is there.
//!
//! `kernels.cu` is `kernels/all.cu` with its includes written out. `kernels.fatbin` holds machine code for the
//! architectures below and PTX for those to come; it is an empty file where nvcc is missing, and NVRTC does the
//! work when a device is opened. `WARPGRAMMAR_NVCC` names an nvcc, or `off`; `WARPGRAMMAR_CUDA_ARCHS` a list such
//! as `90` or `80,90`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a fatbin has code for, unless the compiler does not know it.
const ARCHITECTURES: &str = "80,86,89,90,100,120";

pub fn build() {
    for variable in ["WARPGRAMMAR_NVCC", "WARPGRAMMAR_CUDA_ARCHS", "CUDA_HOME", "CUDA_PATH", "VIRTUAL_ENV"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let mut text = String::new();
    write_out(Path::new("kernels/all.cu"), &mut HashSet::new(), &mut text);
    std::fs::write(out.join("kernels.cu"), &text).expect("OUT_DIR can be written");

    let fatbin = out.join("kernels.fatbin");
    std::fs::write(&fatbin, []).expect("OUT_DIR can be written");
    let with = match nvcc() {
        None => "no nvcc was found when this was built".to_string(),
        Some(nvcc) => match compile(&nvcc, &fatbin) {
            Ok(with) => with,
            Err(text) => {
                let _ = std::fs::write(&fatbin, []);
                for line in text.lines().take(40) {
                    println!("cargo:warning={line}");
                }
                "nvcc could not compile the kernels when this was built".to_string()
            }
        },
    };
    println!("cargo:rustc-env=WG_FATBIN={with}");
}

/// Appends `file` as nvcc reads it: each include in place, once, and nothing that is only for the host.
fn write_out(file: &Path, done: &mut HashSet<PathBuf>, text: &mut String) {
    let Ok(source) = std::fs::read_to_string(file) else {
        println!("cargo:warning={} cannot be read", file.display());
        return;
    };
    if !done.insert(file.canonicalize().unwrap_or_else(|_| file.to_path_buf())) {
        return;
    }
    let line_marker = |line: usize| format!("#line {line} \"{}\"\n", file.display());
    text.push_str(&line_marker(1));
    // For every open conditional: whether it asks for __CUDACC__, and whether its current branch is for the GPU.
    let mut open: Vec<(bool, bool)> = Vec::new();
    for (number, line) in (1..).zip(source.lines()) {
        let trimmed = line.trim();
        let was_on = open.iter().all(|&(_, on)| on);
        let mut structural = true;
        if trimmed.starts_with("#if") {
            let ours = ["#ifdef __CUDACC__", "#ifndef __CUDACC__"].contains(&trimmed);
            open.push((ours, trimmed != "#ifndef __CUDACC__"));
            structural = ours;
        } else if trimmed.starts_with("#else") {
            if let Some((true, on)) = open.last_mut() {
                *on = !*on;
            } else {
                structural = false;
            }
        } else if trimmed.starts_with("#endif") {
            structural = open.pop().is_some_and(|(ours, _)| ours);
        } else {
            structural = false;
        }
        let include = trimmed.strip_prefix("#include \"").and_then(|rest| rest.strip_suffix('"'));
        if structural || !was_on || trimmed == "#pragma once" {
            // A line for a line, so that messages name the right one.
            text.push('\n');
        } else if let Some(name) = include {
            write_out(&file.with_file_name("").join(name), done, text);
            text.push_str(&line_marker(number + 1));
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
}

/// An nvcc that runs: the one that is named, of a toolkit, on the path, or of the packages of a Python environment.
fn nvcc() -> Option<PathBuf> {
    let named = std::env::var_os("WARPGRAMMAR_NVCC");
    if named.as_deref() == Some("off".as_ref()) {
        return None;
    }
    let mut places: Vec<PathBuf> = named.into_iter().map(PathBuf::from).collect();
    for home in ["CUDA_HOME", "CUDA_PATH"].iter().filter_map(std::env::var_os) {
        places.push(Path::new(&home).join("bin/nvcc"));
    }
    if let Some(path) = std::env::var_os("PATH") {
        places.extend(std::env::split_paths(&path).map(|p| p.join("nvcc")));
    }
    places.push("/usr/local/cuda/bin/nvcc".into());
    if let Some(environment) = std::env::var_os("VIRTUAL_ENV") {
        for python in folders(&Path::new(&environment).join("lib"), "python") {
            for version in folders(&python.join("site-packages/nvidia"), "cu") {
                places.push(version.join("bin/nvcc"));
            }
        }
    }
    places
        .into_iter()
        .find(|p| p.is_file() && Command::new(p).arg("--version").output().is_ok_and(|o| o.status.success()))
}

/// The folders in `within` whose names begin with `prefix`.
fn folders(within: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(within) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.is_dir() && p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(prefix)))
        .collect();
    found.sort();
    found
}

/// Compiles the fatbin, and says in words with what and for what.
fn compile(nvcc: &Path, to: &Path) -> Result<String, String> {
    let known = Command::new(nvcc).arg("--list-gpu-arch").output().map_err(|e| e.to_string())?;
    let known = String::from_utf8_lossy(&known.stdout).into_owned();
    let wanted = std::env::var("WARPGRAMMAR_CUDA_ARCHS").unwrap_or_else(|_| ARCHITECTURES.into());
    let archs: Vec<&str> = wanted
        .split(',')
        .map(str::trim)
        .filter(|a| known.lines().any(|l| l.trim() == format!("compute_{a}")))
        .collect();
    let (Some(first), Some(last)) = (archs.first(), archs.last()) else {
        return Err(format!("this nvcc compiles for none of {wanted}"));
    };
    let mut command = Command::new(nvcc);
    command.args(["-fatbin", "-std=c++17", "--fmad=false", "-lineinfo", "--threads", "0"]);
    for arch in &archs {
        command.args(["-gencode", &format!("arch=compute_{arch},code=sm_{arch}")]);
    }
    // PTX of the oldest for whatever has no code of its own, of the newest for what comes after it.
    command.args(["-gencode", &format!("arch=compute_{first},code=compute_{first}")]);
    if last != first {
        command.args(["-gencode", &format!("arch=compute_{last},code=compute_{last}")]);
    }
    let done = command.arg("kernels/all.cu").arg("-o").arg(to).output().map_err(|e| e.to_string())?;
    if !done.status.success() {
        return Err(String::from_utf8_lossy(&done.stderr).into_owned());
    }
    Ok(format!("nvcc made code for sm_{}", archs.join(", sm_")))
}
