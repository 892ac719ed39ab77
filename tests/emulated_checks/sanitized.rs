//! Every emulated test under AddressSanitizer and UndefinedBehaviorSanitizer: kernels, buffers and the Rust around
//! them in one process that was started with the sanitizer's runtime.

use std::time::Duration;

use warpgrammar::device::emulated::sanitizer_runtime;

use crate::binaries::{self, End};

#[test]
fn emulated_tests_pass_under_the_sanitizers() {
    let Some(runtime) = sanitizer_runtime() else {
        return eprintln!("skipped: there is no sanitized emulator");
    };
    let variables = [
        ("LD_PRELOAD", runtime),
        // The test harness keeps what it has to the end.
        ("ASAN_OPTIONS", "detect_leaks=0"),
        ("WARPGRAMMAR_EMULATOR", "sanitized"),
    ];
    for test in binaries::tests() {
        let end = test.run(&variables, Duration::from_secs(600));
        assert_eq!(end, End::Passed, "{} {}", test.target, test.name);
    }
}
