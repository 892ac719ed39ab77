//! The emulated device: host memory, and the kernels of `kernels/` compiled for the host.
//!
//! The library is embedded in the crate and loaded when the first driver is made. The environment variable
//! `WARPGRAMMAR_EMULATOR` names another one to load instead: `sanitized` for the one with AddressSanitizer (in a
//! process started with its runtime, see [`sanitizer_runtime`]), or a path. `WARPGRAMMAR_SKIP_BARRIER=file:line`
//! leaves out one barrier, which some test must then notice.
//!
//! A launch is done when it returns, so errors come from the launch itself, and a seed fixes the order in which
//! threads ran.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ffi::{CStr, CString, c_char, c_void};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};

use libloading::Library;

use super::driver::{ALIGNMENT, Buffer, Driver, Launch};
use crate::error::{Error, ErrorKind, Result};

/// The optimised library; empty if it could not be built.
static LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/emulator.lib"));

/// Of `kernels/emulator/interface.cpp`.
const VERSION: u32 = 1;

/// The functions of `kernels/emulator/interface.cpp`.
struct Interface {
    sanitized: extern "C" fn() -> u32,
    kernel: unsafe extern "C" fn(u32, *mut u64, *mut u32) -> *const c_char,
    new: unsafe extern "C" fn(u64) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void),
    skip: unsafe extern "C" fn(*mut c_void, *const c_char, u32),
    limit: unsafe extern "C" fn(*mut c_void, u64),
    collectives: unsafe extern "C" fn(*const c_void) -> u64,
    launch:
        unsafe extern "C" fn(*mut c_void, *const c_char, u32, u32, u64, *const c_void, u64) -> *const c_char,
    _library: Library,
}

fn error(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Device, message)
}

/// The library, loaded once for the process.
fn interface() -> Result<&'static Interface> {
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
            let name = format!("warpgrammar-emulator-{}.so", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::write(&path, LIBRARY).map_err(|e| format!("{}: {e}", path.display()))?;
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

fn bind(path: &std::path::Path) -> std::result::Result<Interface, String> {
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
            launch: symbol!("launch"),
            _library: library,
        })
    }
}

/// The runtime of AddressSanitizer that a process must be started with (`LD_PRELOAD`) to load the sanitized
/// library; `None` if that library could not be built.
pub fn sanitizer_runtime() -> Option<&'static str> {
    let runtime = env!("WG_ASAN_RUNTIME");
    (!runtime.is_empty()).then_some(runtime)
}

/// Whether the library that this process uses is the sanitized one: some twenty times slower.
pub fn is_sanitized() -> bool {
    interface().is_ok_and(|i| (i.sanitized)() != 0)
}

/// A kernel of the emulator's launch table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// As given to `WG_KERNEL`.
    pub name: String,
    /// Size of its parameter struct in bytes.
    pub params: usize,
    /// The most threads a block of it may have.
    pub threads: u32,
}

/// All kernels that were compiled, in no particular order.
pub fn kernels() -> Result<Vec<Kernel>> {
    let interface = interface()?;
    let mut kernels = Vec::new();
    for index in 0.. {
        let (mut params, mut threads) = (0, 0);
        // SAFETY: both pointers are to live variables of the right type.
        let name = unsafe { (interface.kernel)(index, &mut params, &mut threads) };
        if name.is_null() {
            break;
        }
        // SAFETY: not null, so a string literal of the library, which is never unloaded.
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
        kernels.push(Kernel { name, params: params as usize, threads });
    }
    Ok(kernels)
}

/// The emulated device.
pub struct Emulated {
    interface: &'static Interface,
    machine: Mutex<Machine>,
}

/// The C side's machine, used by one thread at a time.
struct Machine(*mut c_void);

// SAFETY: a machine may be used by any thread, one at a time (kernels/emulator/interface.cpp), and is reached only
// through the mutex.
unsafe impl Send for Machine {}

impl Emulated {
    /// A device with seed 0.
    pub fn new() -> Result<Self> {
        Self::with_seed(0)
    }

    /// A device whose threads run in an order drawn from `seed`. Each launch goes on drawing where the last one
    /// stopped.
    pub fn with_seed(seed: u64) -> Result<Self> {
        let interface = interface()?;
        // SAFETY: takes a number; null is checked.
        let machine = unsafe { (interface.new)(seed) };
        if machine.is_null() {
            return Err(error("no memory for the emulator"));
        }
        let device = Emulated { interface, machine: Mutex::new(Machine(machine)) };
        if let Ok(barrier) = std::env::var("WARPGRAMMAR_SKIP_BARRIER") {
            let (file, line) = barrier
                .split_once(':')
                .and_then(|(file, line)| Some((file, line.parse().ok()?)))
                .ok_or_else(|| error(format!("WARPGRAMMAR_SKIP_BARRIER={barrier} is not file:line")))?;
            device.skip_barrier(file, line)?;
        }
        Ok(device)
    }

    /// Leaves out the barrier (`WG_SYNC`, `WG_SYNC_WARP`) on `line` of `file`, a name without its directory.
    pub fn skip_barrier(&self, file: &str, line: u32) -> Result<()> {
        let file = CString::new(file).map_err(|_| error("a file name with a zero byte"))?;
        let machine = self.lock();
        // SAFETY: the machine is live and locked; the string ends with a zero byte and is copied.
        unsafe { (self.interface.skip)(machine.0, file.as_ptr(), line) };
        Ok(())
    }

    /// Takes a launch for endless after this many collectives; 2^28, about a minute, unless set.
    pub fn limit_collectives(&self, limit: u64) {
        let machine = self.lock();
        // SAFETY: the machine is live and locked.
        unsafe { (self.interface.limit)(machine.0, limit) };
    }

    /// The collectives that warps and blocks completed in the last launch.
    pub fn collectives(&self) -> u64 {
        let machine = self.lock();
        // SAFETY: the machine is live and locked.
        unsafe { (self.interface.collectives)(machine.0) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Machine> {
        // A panic elsewhere leaves the machine as its last launch left it.
        self.machine.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Emulated {
    fn drop(&mut self) {
        let machine = self.lock();
        // SAFETY: made by `new`, freed once, and no launch is under way.
        unsafe { (self.interface.free)(machine.0) };
    }
}

impl fmt::Debug for Emulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Emulated")
    }
}

/// An allocation of its own for every buffer, of exactly its size: AddressSanitizer sees the first byte beyond.
struct Memory {
    at: *mut u8,
    layout: Layout,
}

// SAFETY: `at` is owned and only freed; what reads and writes through it are launches and copies, whose callers answer
// for the order (`Driver::launch`), as on a GPU.
unsafe impl Send for Memory {}
// SAFETY: as above; a shared `Memory` gives no access at all.
unsafe impl Sync for Memory {}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and freed once.
        unsafe { dealloc(self.at, self.layout) }
    }
}

impl Driver for Emulated {
    fn name(&self) -> String {
        let how = if is_sanitized() { "sanitized emulator" } else { "emulator" };
        format!("{how} on the host's {}", std::env::consts::ARCH)
    }

    fn alloc(&self, bytes: usize) -> Result<Buffer> {
        if bytes == 0 {
            return Ok(Buffer::new(0, 0, Box::new(())));
        }
        let layout = Layout::from_size_align(bytes, ALIGNMENT).map_err(|e| error(e.to_string()))?;
        // SAFETY: the size is not zero.
        let at = unsafe { alloc_zeroed(layout) };
        if at.is_null() {
            return Err(error(format!("no memory for {bytes} bytes")));
        }
        Ok(Buffer::new(at as u64, bytes, Box::new(Memory { at, layout })))
    }

    fn upload(&self, to: &Buffer, offset: usize, from: &[u8]) -> Result<()> {
        let to = to.range(offset, from.len())?;
        let _queue = self.lock();
        // SAFETY: `range` found the bytes inside a live allocation of this process; `from` is another one, since device
        // memory is never lent as a slice. The lock keeps launches out.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to as *mut u8, from.len()) };
        Ok(())
    }

    fn download(&self, from: &Buffer, offset: usize, to: &mut [u8]) -> Result<()> {
        let from = from.range(offset, to.len())?;
        let _queue = self.lock();
        // SAFETY: as in `upload`.
        unsafe { std::ptr::copy_nonoverlapping(from as *const u8, to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    fn copy(
        &self,
        to: &Buffer,
        to_offset: usize,
        from: &Buffer,
        from_offset: usize,
        bytes: usize,
    ) -> Result<()> {
        let (to, from) = (to.range(to_offset, bytes)?, from.range(from_offset, bytes)?);
        let _queue = self.lock();
        // SAFETY: both ranges are inside live allocations; `copy` allows them to overlap.
        unsafe { std::ptr::copy(from as *const u8, to as *mut u8, bytes) };
        Ok(())
    }

    fn fill(&self, to: &Buffer, offset: usize, bytes: usize, value: u8) -> Result<()> {
        let to = to.range(offset, bytes)?;
        let _queue = self.lock();
        // SAFETY: the range is inside a live allocation.
        unsafe { std::ptr::write_bytes(to as *mut u8, value, bytes) };
        Ok(())
    }

    unsafe fn launch(&self, kernel: &str, launch: Launch, params: &[u8]) -> Result<()> {
        let name = CString::new(kernel).map_err(|_| error("a kernel name with a zero byte"))?;
        // A copy of its own, aligned for any parameter struct and of exactly its size.
        let layout = Layout::from_size_align(params.len().max(1), 16).map_err(|e| error(e.to_string()))?;
        // SAFETY: the size is not zero; null is checked.
        let at = unsafe { alloc_zeroed(layout) };
        if at.is_null() {
            return Err(error("no memory for a kernel's parameters"));
        }
        let copy = Memory { at, layout };
        // SAFETY: `copy` has room for `params`, and is new.
        unsafe { std::ptr::copy_nonoverlapping(params.as_ptr(), copy.at, params.len()) };
        let machine = self.lock();
        // SAFETY: the machine is live and locked, the name ends with a zero byte, `copy` holds `params.len()` bytes; the
        // kernel's own accesses are the caller's promise.
        let message = unsafe {
            (self.interface.launch)(
                machine.0,
                name.as_ptr(),
                launch.blocks,
                launch.threads,
                u64::from(launch.shared),
                copy.at as *const c_void,
                params.len() as u64,
            )
        };
        if message.is_null() {
            return Ok(());
        }
        // SAFETY: not null, so the machine's message, which stands until its next launch; the lock is held.
        Err(error(unsafe { CStr::from_ptr(message) }.to_string_lossy()))
    }

    fn synchronize(&self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
