//! Builds the kernels twice over where it can: for the emulator with the host's C++ compiler, and for GPUs
//! with nvcc. Neither has to be there: what is missing is said at run time, by what needs it.

#[path = "build/cuda.rs"]
mod cuda;
#[path = "build/emulator.rs"]
mod emulator;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-changed=kernels");
    emulator::build();
    cuda::build();
}
