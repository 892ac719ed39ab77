//! What can be tested anywhere, and the self-test where there is a GPU.

use super::*;
use crate::device::selftest;

#[test]
fn a_missing_driver_is_said_plainly() {
    // SAFETY: as in `count`.
    if unsafe { sys::is_culib_present() } {
        return; // the other test's machine
    }
    for error in [count().expect_err("no driver"), Cuda::open(0).expect_err("no driver")] {
        assert_eq!(error.kind(), ErrorKind::NoDevice);
        assert_eq!(error.to_string(), "no device: no CUDA driver was found");
    }
}

#[test]
fn the_source_is_complete() {
    assert!(SOURCE.contains("extern \"C\" __global__"));
    assert!(SOURCE.contains("WG_KERNEL(selftest, SelftestParams, 256, 1)"));
    // Nothing is left that only the host has.
    for gone in ["#include", "#pragma once", "wg_emulator", "WG_KERNEL(fault"] {
        assert!(!SOURCE.contains(gone), "{gone}");
    }
}

/// Where NVRTC is installed; no GPU is needed for it.
#[test]
fn nvrtc_compiles_the_source() {
    // SAFETY: as in `compile`.
    if !unsafe { nvrtc::sys::is_culib_present() } {
        let error = compile((9, 0)).expect_err("no NVRTC").to_string();
        assert!(error.contains("NVRTC, which would compile the kernels now, was not found"), "{error}");
        eprintln!("skipped: no NVRTC");
        return;
    }
    for capability in [(8, 0), (9, 0), (12, 0), (99, 0)] {
        let ptx = compile(capability).unwrap();
        let text = ptx.to_src();
        assert!(text.contains(".entry selftest("), "{capability:?}");
    }
}

#[test]
fn the_self_test_runs_on_a_gpu() {
    let device = match Cuda::open(0) {
        Ok(device) => device,
        Err(e) if e.kind() == ErrorKind::NoDevice => return eprintln!("skipped: {e}"),
        Err(e) => panic!("{e}"),
    };
    selftest::check(&device).unwrap();
    let begin = device.record().unwrap();
    selftest::shuffles(&device, 8, 100).unwrap();
    let end = device.record().unwrap();
    assert!(device.microseconds(&begin, &end).unwrap() > 0.0);
}
