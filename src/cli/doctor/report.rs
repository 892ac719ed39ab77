//! What doctor found, for machines.

use serde::Serialize;
use warpgrammar::device::bench;
use warpgrammar::device::check::all::Outcome;
use warpgrammar::device::driver::Description;

/// The document that `--json` writes.
#[derive(Debug, Serialize)]
pub struct Report {
    version: &'static str,
    gpu: Option<Gpu>,
    /// Why there is none.
    no_gpu: Option<String>,
    /// Where the checks ran.
    checked_on: Option<String>,
    checks: Vec<Check>,
    bench: Option<bench::Report>,
}

#[derive(Debug, Serialize)]
struct Gpu {
    name: String,
    capability: String,
    multiprocessors: u32,
    l2_bytes: u64,
    memory_bytes: u64,
    shared_bytes: u32,
    driver: String,
    loaded: String,
}

#[derive(Debug, Serialize)]
struct Check {
    name: String,
    rounds: u64,
    compared: u64,
    seconds: f64,
    failure: Option<String>,
}

impl Report {
    pub fn new() -> Self {
        let version = env!("CARGO_PKG_VERSION");
        Report { version, gpu: None, no_gpu: None, checked_on: None, checks: Vec::new(), bench: None }
    }

    /// Prints and keeps what the GPU is, and which code was loaded.
    pub fn describe(&mut self, gpu: &Description, loaded: &str) {
        let driver = driver_version();
        let (major, minor) = gpu.capability;
        println!("GPU        {}, compute capability {major}.{minor}", gpu.name);
        println!(
            "           {} multiprocessors, {} MiB of L2, {} KiB of shared memory a block",
            gpu.multiprocessors,
            gpu.l2 >> 20,
            gpu.shared >> 10
        );
        println!("memory     {:.1} GiB", gpu.memory as f64 / f64::from(1 << 30));
        println!("driver     {driver}");
        println!("loaded     {loaded}");
        self.gpu = Some(Gpu {
            name: gpu.name.clone(),
            capability: format!("{major}.{minor}"),
            multiprocessors: gpu.multiprocessors,
            l2_bytes: gpu.l2,
            memory_bytes: gpu.memory,
            shared_bytes: gpu.shared,
            driver,
            loaded: loaded.to_owned(),
        });
    }

    pub fn no_gpu(&mut self, why: &str) {
        self.no_gpu = Some(why.to_owned());
    }

    pub fn checked(&mut self, on: &str, outcomes: &[Outcome]) {
        self.checked_on = Some(on.to_owned());
        self.checks = outcomes
            .iter()
            .map(|o| Check {
                name: o.name.clone(),
                rounds: o.rounds,
                compared: o.compared,
                seconds: o.seconds,
                failure: o.failure.clone(),
            })
            .collect();
    }

    pub fn measured(&mut self, bench: bench::Report) {
        self.bench = Some(bench);
    }

    pub fn has_failed(&self) -> bool {
        self.checks.iter().any(|check| check.failure.is_some())
    }
}

/// The kernel module's version, where Linux tells it; what it is for is CUDA's own answer.
fn driver_version() -> String {
    let module = std::fs::read_to_string("/proc/driver/nvidia/version").ok();
    let line = module.as_deref().and_then(|text| text.lines().next()).map(str::trim);
    let cuda = warpgrammar::device::cuda::driver_version();
    match (line, cuda) {
        (Some(line), Ok((major, minor))) => format!("CUDA {major}.{minor}; {line}"),
        (None, Ok((major, minor))) => format!("CUDA {major}.{minor}"),
        (line, Err(_)) => line.unwrap_or("unknown").to_owned(),
    }
}
