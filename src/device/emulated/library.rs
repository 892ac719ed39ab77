//! Finding, loading and binding the library that `build.rs` made of `kernels/`.

use std::ffi::{c_char, c_void};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use libloading::Library;

use crate::error::{Error, ErrorKind, Result};

/// The optimised library; empty if it could not be built.
static LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/emulator.lib"));

/// Of `kernels/emulator/interface.cpp`.
const VERSION: u32 = 2;

/// The functions of `kernels/emulator/interface.cpp`.
pub(super) struct Interface {
    pub(super) sanitized: extern "C" fn() -> u32,
    pub(super) kernel: unsafe extern "C" fn(u32, *mut u64, *mut u32) -> *const c_char,
    pub(super) new: unsafe extern "C" fn(u64) -> *mut c_void,
    pub(super) free: unsafe extern "C" fn(*mut c_void),
    pub(super) skip: unsafe extern "C" fn(*mut c_void, *const c_char, u32),
    pub(super) limit: unsafe extern "C" fn(*mut c_void, u64),
    pub(super) collectives: unsafe extern "C" fn(*const c_void) -> u64,
    pub(super) counts: unsafe extern "C" fn(*const c_void, *mut u64, u32),
    pub(super) launch:
        unsafe extern "C" fn(*mut c_void, *const c_char, u32, u32, u64, *const c_void, u64) -> *const c_char,
    _library: Library,
}

/// The library, loaded once for the process.
pub(super) fn interface() -> Result<&'static Interface> {
    static LOADED: OnceLock<std::result::Result<Interface, String>> = OnceLock::new();
    LOADED.get_or_init(load).as_ref().map_err(|why| Error::new(ErrorKind::NoDevice, why.clone()))
}

fn load() -> std::result::Result<Interface, String> {
    #[cfg(target_arch = "x86_64")]
    if !(std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma")) {
        return Err("the emulator was compiled for AVX2 and FMA, which this processor lacks".into());
    }
    let chosen = std::env::var_os("WARPGRAMMAR_EMULATOR");
    let (path, temporary) = match &chosen {
        Some(name) if name == "sanitized" => (PathBuf::from(env!("WG_EMULATOR_SANITIZED")), false),
        Some(path) => (PathBuf::from(path), false),
        None if LIBRARY.is_empty() => {
            return Err(format!("there is no emulator: {}", env!("WG_EMULATOR_ABSENT")));
        }
        None => {
            let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
            let name = format!("warpgrammar-emulator-{}-{nanoseconds}.so", std::process::id());
            let path = std::env::temp_dir().join(name);
            // A new file of ours, never one that somebody left there.
            File::create_new(&path)
                .and_then(|mut file| file.write_all(LIBRARY))
                .map_err(|e| format!("{}: {e}", path.display()))?;
            (path, true)
        }
    };
    let loaded = bind(&path);
    if temporary {
        // Once it is loaded the file is not needed.
        let _ = std::fs::remove_file(&path);
    }
    loaded.map_err(|e| format!("the emulator {} could not be loaded: {e}", path.display()))
}

fn bind(path: &Path) -> std::result::Result<Interface, String> {
    // SAFETY: the library is ours (built by build.rs, or named by whoever runs the process); its initialisers only
    // fill the table of kernels.
    let library = unsafe { Library::new(path) }.map_err(|e| e.to_string())?;
    // SAFETY: the names and types are those of kernels/emulator/interface.cpp, whose version is checked before
    // anything else is called; the pointers live as long as `library`, which is kept beside them.
    unsafe {
        macro_rules! symbol {
            ($name:literal) => {
                *library.get(concat!("wg_emulator_", $name)).map_err(|e| e.to_string())?
            };
        }
        let version: extern "C" fn() -> u32 = symbol!("version");
        if version() != VERSION {
            return Err(format!("it has version {}, not {VERSION}", version()));
        }
        Ok(Interface {
            sanitized: symbol!("sanitized"),
            kernel: symbol!("kernel"),
            new: symbol!("new"),
            free: symbol!("free"),
            skip: symbol!("skip"),
            limit: symbol!("limit"),
            collectives: symbol!("collectives"),
            counts: symbol!("counts"),
            launch: symbol!("launch"),
            _library: library,
        })
    }
}
