//! A GPU, through cudarc: the driver's library is looked for when a device is opened, not before.
//!
//! The kernels are machine code that `build.rs` embedded, or are compiled by NVRTC when the device is opened. Each
//! kernel is looked up once. Work goes to one stream: this module's own, or the caller's
//! ([`Cuda::on_stream`]).

use std::any::Any;
use std::collections::HashMap;
use std::ffi::c_void;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use cudarc::driver::sys::{self, CUdevice_attribute as Attribute, CUfunction_attribute};
use cudarc::driver::{CudaContext, CudaEvent, CudaFunction, CudaGraph, CudaModule, CudaStream, DevicePtr};
use cudarc::driver::{DriverError, result};
use cudarc::nvrtc;

use super::driver::{Buffer, Description, Driver, Event, Graph, Launch, Pinned};
use crate::error::{Error, ErrorKind, Result};

/// Machine code; empty if nvcc was not there.
static FATBIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kernels.fatbin"));

/// All kernels as one source text.
pub(super) static SOURCE: &str = include_str!(concat!(env!("OUT_DIR"), "/kernels.cu"));

/// The oldest CUDA version that a driver must support: what the functions used here were bound for.
const OLDEST_DRIVER: i32 = 12_080;

fn none(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::NoDevice, message)
}

fn error(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Device, message)
}

/// Turns a driver's error into ours, naming what was tried.
fn trying<T>(what: &str, result: std::result::Result<T, DriverError>) -> Result<T> {
    result.map_err(|e| error(format!("{what}: {e:?}")))
}

/// A stream of a GPU.
pub struct Cuda {
    device: Arc<Device>,
    stream: Arc<CudaStream>,
}

struct Device {
    context: Arc<CudaContext>,
    module: Arc<CudaModule>,
    kernels: RwLock<HashMap<String, Kernel>>,
    description: Description,
    loaded: String,
}

#[derive(Clone)]
struct Kernel {
    function: CudaFunction,
    /// Bytes of its parameter struct.
    params: usize,
}

/// The newest CUDA that the driver supports: 12.8 is `(12, 8)`.
///
/// # Errors
///
/// [`ErrorKind::NoDevice`] if there is no driver.
pub fn driver_version() -> Result<(u32, u32)> {
    // SAFETY: loads the driver's library, whose initialisers are made to run in any process.
    if !unsafe { sys::is_culib_present() } {
        return Err(none("no CUDA driver was found"));
    }
    version().map(|v| (v as u32 / 1000, v as u32 % 1000 / 10))
}

/// As the driver says it, 12080 for 12.8. The driver's library must be there.
fn version() -> Result<i32> {
    let mut version = 0;
    // SAFETY: the library is there; the pointer is to a live variable.
    trying("the driver's version", unsafe { sys::cuDriverGetVersion(&mut version) }.result())?;
    Ok(version)
}

/// How many GPUs there are.
///
/// # Errors
///
/// [`ErrorKind::NoDevice`] if there is no driver, or one that is too old.
pub fn count() -> Result<usize> {
    // SAFETY: loads the driver's library, whose initialisers are made to run in any process.
    if !unsafe { sys::is_culib_present() } {
        return Err(none("no CUDA driver was found"));
    }
    let version = version()?;
    if version < OLDEST_DRIVER {
        let words = |v: i32| format!("{}.{}", v / 1000, v % 1000 / 10);
        return Err(none(format!(
            "the CUDA driver is for CUDA {} at most, {} is needed",
            words(version),
            words(OLDEST_DRIVER)
        )));
    }
    match CudaContext::device_count() {
        Ok(devices) => Ok(usize::try_from(devices).unwrap_or(0)),
        Err(e) => Err(none(format!("the CUDA driver found no device: {e:?}"))),
    }
}

impl Cuda {
    /// Opens GPU `ordinal` and loads the kernels.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoDevice`] if there is no such GPU, [`ErrorKind::Device`] if the kernels could not be loaded.
    pub fn open(ordinal: usize) -> Result<Self> {
        let devices = count()?;
        if ordinal >= devices {
            return Err(none(format!("there is no GPU {ordinal}: {devices} were found")));
        }
        let context = trying("opening the GPU", CudaContext::new(ordinal))?;
        // SAFETY: the order of work is kept by the streams and events of this module; cudarc's own events would end up
        // in captured graphs.
        unsafe { context.disable_event_tracking() };
        let attribute = |which| trying("the GPU's attributes", context.attribute(which)).map(|v| v as u32);
        let description = Description {
            name: trying("the GPU's name", context.name())?,
            capability: (
                attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
                attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
            ),
            multiprocessors: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
            l2: u64::from(attribute(Attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE)?),
            memory: trying("the GPU's memory", context.total_mem())? as u64,
            shared: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?,
        };
        if description.capability.0 < 8 {
            let (major, minor) = description.capability;
            return Err(none(format!(
                "{} has compute capability {major}.{minor}, 8.0 is needed",
                description.name
            )));
        }
        let (module, loaded) = load(&context, description.capability)?;
        let stream = trying("making a stream", context.new_stream())?;
        let device = Device { context, module, kernels: RwLock::default(), description, loaded };
        Ok(Cuda { device: Arc::new(device), stream })
    }

    /// The same device and kernels, on a stream of the caller's.
    ///
    /// # Safety
    ///
    /// `stream` must be a `CUstream` (`cudaStream_t`) of this GPU's primary context, 0 for its default stream, and stay
    /// until everything made from the result is dropped.
    pub unsafe fn on_stream(&self, stream: u64) -> Self {
        // SAFETY: the caller's promise.
        let stream = unsafe { self.device.context.wrap_borrowed_stream(stream as sys::CUstream) };
        Cuda { device: self.device.clone(), stream }
    }

    /// What was loaded, in words: embedded code and for which architectures, or what NVRTC made.
    pub fn loaded(&self) -> &str {
        &self.device.loaded
    }

    /// The kernel, looked up on its first use.
    fn kernel(&self, name: &str) -> Result<Kernel> {
        let kernels = &self.device.kernels;
        if let Some(kernel) = kernels.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(kernel.clone());
        }
        trying("binding the context", self.device.context.bind_to_thread())?;
        let function = trying(&format!("kernel {name}"), self.device.module.load_function(name))?;
        // What a block may ask for beyond 48 KiB has to be allowed once.
        let own = trying(name, function.shared_size_bytes())?;
        let most = self.device.description.shared as i32 - own;
        let attribute = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        trying(name, function.set_attribute(attribute, most))?;
        let (mut offset, mut params) = (0, 0);
        // SAFETY: the function is loaded, and every kernel has one parameter; the pointers are to live variables.
        let asked = unsafe { sys::cuFuncGetParamInfo(function.cu_function(), 0, &mut offset, &mut params) };
        trying(name, asked.result())?;
        let kernel = Kernel { function, params };
        kernels.write().unwrap_or_else(PoisonError::into_inner).insert(name.into(), kernel.clone());
        Ok(kernel)
    }

    /// Refuses what a graph cannot hold.
    fn outside_captures(&self, what: &str) -> Result<()> {
        match trying(what, self.stream.capture_status())? {
            sys::CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_NONE => Ok(()),
            _ => Err(error(format!("{what} during a capture"))),
        }
    }

    fn bind(&self) -> Result<()> {
        trying("binding the context", self.device.context.bind_to_thread())
    }
}

/// The embedded code if it fits this GPU and its driver, otherwise what NVRTC makes.
fn load(context: &Arc<CudaContext>, capability: (u32, u32)) -> Result<(Arc<CudaModule>, String)> {
    let mut why = String::from(env!("WG_FATBIN"));
    if !FATBIN.is_empty() {
        match context.load_module(nvrtc::Ptx::from_binary(FATBIN.to_vec())) {
            Ok(module) => return Ok((module, why)),
            Err(e) => why = format!("{why}, which cannot be loaded here ({e:?})"),
        }
    }
    let ptx = compile(capability).map_err(|e| error(format!("{why}; {}", e.message())))?;
    let module = trying("loading what NVRTC compiled", context.load_module(ptx))?;
    Ok((module, format!("{why}; NVRTC compiled the kernels")))
}

/// Compiles the source with NVRTC for the GPU's own architecture, or for the newest that it knows of.
pub(super) fn compile(capability: (u32, u32)) -> Result<nvrtc::Ptx> {
    // SAFETY: loads NVRTC, whose initialisers are made to run in any process.
    if !unsafe { nvrtc::sys::is_culib_present() } {
        return Err(none("NVRTC, which would compile the kernels now, was not found"));
    }
    let own = capability.0 * 10 + capability.1;
    let mut failure = String::new();
    for arch in [own, 90, 80].iter().filter(|&&arch| arch <= own) {
        let options = nvrtc::CompileOptions {
            fmad: Some(false),
            options: vec!["--std=c++17".into(), format!("--gpu-architecture=compute_{arch}")],
            name: Some("kernels.cu".into()),
            ..Default::default()
        };
        match nvrtc::compile_ptx_with_opts(SOURCE, options) {
            Ok(ptx) => return Ok(ptx),
            Err(nvrtc::CompileError::CompileError { log, .. }) => {
                failure = log.to_string_lossy().into_owned();
                if !failure.contains("gpu-architecture") {
                    break;
                }
            }
            Err(other) => failure = other.to_string(),
        }
    }
    Err(error(format!("NVRTC could not compile the kernels: {failure}")))
}

impl fmt::Debug for Cuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cuda({})", self.device.description.name)
    }
}

/// Page-locked memory; its drop waits for the stream that may still write to it.
struct Locked {
    at: *mut c_void,
    stream: Arc<CudaStream>,
}

// SAFETY: `at` is owned and only freed; page-locked memory may be freed by any thread.
unsafe impl Send for Locked {}
// SAFETY: a shared `Locked` gives no access at all.
unsafe impl Sync for Locked {}

impl Drop for Locked {
    fn drop(&mut self) {
        // If the stream has failed, nothing writes any more either.
        let _ = self.stream.synchronize();
        // SAFETY: made by `malloc_host`, freed once.
        let _ = unsafe { result::free_host(self.at) };
    }
}

/// A graph that any thread may use, one at a time.
struct Captured(Mutex<CudaGraph>);

// SAFETY: CUDA graphs are not bound to a thread; they must not be used by two at once, which the mutex sees to.
unsafe impl Send for Captured {}
// SAFETY: as above.
unsafe impl Sync for Captured {}

/// What `event` or `graph` holds, if it is this kind of driver's.
fn own<T: 'static>(any: &(dyn Any + Send + Sync)) -> Result<&T> {
    any.downcast_ref().ok_or_else(|| error("an event or a graph of another kind of device"))
}

impl Driver for Cuda {
    fn description(&self) -> &Description {
        &self.device.description
    }

    fn alloc(&self, bytes: usize) -> Result<Buffer> {
        if bytes == 0 {
            return Ok(Buffer::new(0, 0, Box::new(())));
        }
        self.outside_captures("an allocation")?;
        let slice = trying("allocating", self.stream.alloc_zeros::<u8>(bytes))?;
        let address = slice.device_ptr(&self.stream).0;
        Ok(Buffer::new(address, bytes, Box::new(slice)))
    }

    fn upload(&self, to: &Buffer, offset: usize, from: &[u8]) -> Result<()> {
        let to = to.range(offset, from.len())?;
        self.outside_captures("an upload")?;
        // SAFETY: the range is inside a live allocation. `from` is ordinary memory, which the driver has copied to a
        // place of its own when this returns.
        trying("an upload", unsafe { result::memcpy_htod_async(to, from, self.stream.cu_stream()) })
    }

    fn download(&self, from: &Buffer, offset: usize, to: &mut [u8]) -> Result<()> {
        let from = from.range(offset, to.len())?;
        self.outside_captures("a download")?;
        // SAFETY: the range is inside a live allocation; `to` is borrowed until the copy is done, below.
        let queued = unsafe { result::memcpy_dtoh_async(to, from, self.stream.cu_stream()) };
        let done = self.stream.synchronize();
        trying("a download", queued.and(done))
    }

    fn alloc_pinned(&self, bytes: usize) -> Result<Pinned> {
        self.bind()?;
        let size = bytes.max(1);
        // SAFETY: a size that is not zero; the memory is freed by `Locked`.
        let at = trying("page-locked memory", unsafe { result::malloc_host(size, 0) })?;
        let locked = Locked { at, stream: self.stream.clone() };
        // SAFETY: `size` bytes are there, and nobody else knows of them.
        unsafe { std::ptr::write_bytes(at.cast::<u8>(), 0, size) };
        Ok(Pinned::new(at.cast(), bytes, Box::new(locked)))
    }

    unsafe fn download_later(
        &self,
        from: &Buffer,
        offset: usize,
        to: &Pinned,
        to_offset: usize,
        bytes: usize,
    ) -> Result<()> {
        let (from, to) = (from.range(offset, bytes)?, to.range(to_offset, bytes)?);
        self.bind()?;
        // SAFETY: both ranges are inside live allocations, and stay by the caller's promise.
        let queued =
            unsafe { sys::cuMemcpyDtoHAsync_v2(to.cast(), from, bytes, self.stream.cu_stream()) }.result();
        trying("a copy to the host", queued)
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
        self.bind()?;
        // SAFETY: both ranges are inside live allocations, which are freed in the order of a stream; that they are there
        // at a replay is promised there.
        trying("a copy", unsafe { result::memcpy_dtod_async(to, from, bytes, self.stream.cu_stream()) })
    }

    fn fill(&self, to: &Buffer, offset: usize, bytes: usize, value: u8) -> Result<()> {
        let to = to.range(offset, bytes)?;
        if bytes == 0 {
            return Ok(());
        }
        self.bind()?;
        // SAFETY: as in `copy`.
        trying("a fill", unsafe { result::memset_d8_async(to, value, bytes, self.stream.cu_stream()) })
    }

    unsafe fn launch(&self, kernel: &str, launch: Launch, params: &[u8]) -> Result<()> {
        let known = self.kernel(kernel)?;
        if known.params != params.len() {
            let (is, wanted) = (params.len(), known.params);
            return Err(error(format!("kernel {kernel}: wrong size of parameters: {is} against {wanted}")));
        }
        self.bind()?;
        // SAFETY: the function is loaded and takes one parameter of `params.len()` bytes, which the driver copies; what
        // the kernel reads and writes is the caller's promise. The driver checks the shape.
        let queued = unsafe {
            result::launch_kernel(
                known.function.cu_function(),
                (launch.blocks, 1, 1),
                (launch.threads, 1, 1),
                launch.shared,
                self.stream.cu_stream(),
                &mut [params.as_ptr() as *mut c_void],
            )
        };
        trying(&format!("kernel {kernel}"), queued)
    }

    fn synchronize(&self) -> Result<()> {
        trying("waiting for the GPU", self.stream.synchronize())
    }

    fn branch(&self) -> Result<Box<dyn Driver>> {
        let stream = trying("making a stream", self.device.context.new_stream())?;
        Ok(Box::new(Cuda { device: self.device.clone(), stream }))
    }

    fn record(&self) -> Result<Event> {
        let flags = sys::CUevent_flags::CU_EVENT_DEFAULT;
        let event = trying("recording an event", self.stream.record_event(Some(flags)))?;
        Ok(Event(Box::new(event)))
    }

    fn wait(&self, event: &Event) -> Result<()> {
        trying("waiting for an event", self.stream.wait(own::<CudaEvent>(&*event.0)?))
    }

    fn is_done(&self, event: &Event) -> Result<bool> {
        self.bind()?;
        trying("an event", own::<CudaEvent>(&*event.0)?.try_is_complete())
    }

    fn microseconds(&self, begin: &Event, end: &Event) -> Result<f64> {
        let (begin, end) = (own::<CudaEvent>(&*begin.0)?, own::<CudaEvent>(&*end.0)?);
        trying("timing events", begin.elapsed_ms(end)).map(|ms| f64::from(ms) * 1e3)
    }

    fn begin_capture(&self) -> Result<()> {
        self.outside_captures("a capture")?;
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        trying("beginning a capture", self.stream.begin_capture(mode))
    }

    fn end_capture(&self) -> Result<Graph> {
        let graph = trying("ending a capture", self.stream.end_capture(sys::CUgraphInstantiate_flags(0)))?;
        let graph = graph.ok_or_else(|| error("there is no capture to end"))?;
        trying("uploading a graph", graph.upload())?;
        Ok(Graph(Box::new(Captured(Mutex::new(graph)))))
    }

    unsafe fn replay(&self, graph: &Graph) -> Result<()> {
        let graph = own::<Captured>(&*graph.0)?.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.bind()?;
        // SAFETY: the graph is live and locked; what it reads and writes is the caller's promise.
        let queued = unsafe { result::graph::launch(graph.cu_graph_exec(), self.stream.cu_stream()) };
        trying("replaying a graph", queued)
    }
}

#[cfg(test)]
mod tests;
