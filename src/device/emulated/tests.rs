//! The emulator itself: that right kernels run, and that each kind of wrong one (`kernels/emulator/faults.cu`) is
//! reported.

use bytemuck::{Pod, Zeroable};

use super::*;
use crate::device::selftest;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct FaultParams {
    out: u64,
    kind: u32,
    words: u32,
}

/// `FaultShared`.
const SHARED: u32 = 256 * 4;

/// Runs case `kind` of the kernel `fault` in two blocks of 256 threads.
fn fault(device: &Emulated, kind: u32, words: u32, shared: u32) -> Result<Vec<u32>> {
    let out = device.alloc(256 * 4)?;
    let params = FaultParams { out: out.address(), kind, words };
    let launch = Launch { blocks: 2, threads: 256, shared };
    // SAFETY: `FaultParams` mirrors the kernel's, and no case that the callers choose writes beyond the 256 words,
    // but for those that a sanitizer stops before they do.
    unsafe { device.launch("fault", launch, bytemuck::bytes_of(&params))? };
    let mut words = vec![0; 256];
    device.download(&out, 0, bytemuck::cast_slice_mut(&mut words))?;
    Ok(words)
}

#[test]
fn every_name_of_the_port_means_the_same() {
    for seed in 0..if is_sanitized() { 3 } else { 40 } {
        selftest::check(&Emulated::with_seed(seed).unwrap()).unwrap();
    }
}

/// What a case must be reported as.
fn reported(kind: u32, shared: u32, wanted: &[&str]) {
    for seed in 0..8 {
        let device = Emulated::with_seed(seed).unwrap();
        let error = fault(&device, kind, 0, shared).expect_err("it is wrong").to_string();
        assert!(wanted.iter().any(|w| error.contains(w)), "case {kind}, seed {seed}: {error}");
        // The machine is as good as new.
        fault(&device, 0, 0, SHARED).unwrap();
        selftest::check(&device).unwrap();
    }
}

#[test]
fn a_thread_that_left_before_a_barrier_is_a_deadlock() {
    reported(1, 0, &["deadlock: it left the kernel while", "threads have left the kernel"]);
}

#[test]
fn two_barriers_at_once_are_divergent() {
    reported(2, 0, &["divergent barriers: it came to faults.cu:"]);
}

#[test]
fn two_votes_at_once_are_mixed() {
    reported(3, 0, &["mixed collectives in a warp: it came to WG_BALLOT (faults.cu:"]);
}

#[test]
fn two_kinds_of_collective_on_one_line_are_mixed() {
    reported(4, 0, &["mixed collectives in a warp"]);
}

#[test]
fn a_lane_that_left_before_a_vote_is_a_deadlock() {
    reported(5, 0, &["deadlock: it came to WG_ANY", "deadlock: it left the kernel while lanes"]);
}

#[test]
fn half_a_warp_at_the_blocks_barrier_is_reported() {
    reported(6, 0, &["mixed collectives in a warp"]);
}

#[test]
fn a_misaligned_load_is_reported() {
    reported(7, 0, &["misaligned 16-byte load from 0x"]);
}

#[test]
fn shared_memory_beyond_the_launch_is_reported() {
    reported(8, SHARED - 4, &["1024 bytes of shared memory are used"]);
}

#[test]
fn an_endless_loop_of_collectives_is_reported() {
    let device = Emulated::new().unwrap();
    device.limit_collectives(100_000);
    let error = fault(&device, 9, 0, 0).expect_err("it is wrong").to_string();
    assert!(error.contains("no end in sight"), "{error}");
}

#[test]
fn a_race_shows_in_some_order_of_the_threads() {
    let wanted: Vec<u32> = (0..256).map(|t| (t + 32) % 256).collect();
    let results: Vec<Vec<u32>> =
        (0..4).map(|seed| fault(&Emulated::with_seed(seed).unwrap(), 14, 0, SHARED).unwrap()).collect();
    assert!(results.iter().any(|r| *r != wanted), "the missing barrier was never noticed");
    let again = fault(&Emulated::with_seed(3).unwrap(), 14, 0, SHARED).unwrap();
    assert_eq!(results[3], again, "a seed fixes the order");
}

/// With each of its barriers left out, the self-test must fail: that is what the mutation check rests on.
#[test]
fn a_left_out_barrier_is_noticed() {
    let source = include_str!("../../../kernels/emulator/selftest.cu");
    let mut barriers = 0;
    for (line, text) in (1..).zip(source.lines()) {
        if !text.contains("WG_SYNC") || text.trim_start().starts_with("//") {
            continue;
        }
        barriers += 1;
        let noticed = (0..if is_sanitized() { 6 } else { 20 }).any(|seed| {
            let device = Emulated::with_seed(seed).unwrap();
            device.skip_barrier("selftest.cu", line).unwrap();
            selftest::check(&device).is_err()
        });
        assert!(noticed, "line {line}: {text}");
    }
    assert_eq!(barriers, 6);
}

#[test]
fn wrong_launches_are_refused() {
    let device = Emulated::new().unwrap();
    let out = device.alloc(1024).unwrap();
    let params = FaultParams { out: out.address(), kind: 0, words: 0 };
    let bytes = bytemuck::bytes_of(&params);
    let good = Launch { blocks: 1, threads: 256, shared: 0 };
    let refused = |kernel: &str, launch: Launch, bytes: &[u8]| {
        // SAFETY: refused before anything runs; were it not, case 0 touches no memory.
        unsafe { device.launch(kernel, launch, bytes) }.expect_err("it is wrong").to_string()
    };
    for (error, wanted) in [
        (refused("nothing", good, bytes), "no such kernel"),
        (refused("fault", good, &bytes[..8]), "size of parameters"),
        (refused("fault", Launch { blocks: 0, ..good }, bytes), "number of blocks"),
        (refused("fault", Launch { threads: 48, ..good }, bytes), "whole warps"),
        (refused("fault", Launch { threads: 512, ..good }, bytes), "launch bounds"),
        (refused("fault", Launch { shared: 1 << 20, ..good }, bytes), "shared memory"),
    ] {
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
fn copies_stay_inside_their_buffers() {
    let device = Emulated::new().unwrap();
    let (a, b) = (device.alloc(100).unwrap(), device.alloc(40).unwrap());
    assert_eq!(a.address() % ALIGNMENT as u64, 0);
    device.upload(&a, 90, &[7; 10]).unwrap();
    device.copy(&b, 30, &a, 90, 10).unwrap();
    device.fill(&b, 39, 1, 9).unwrap();
    let mut got = [0; 40];
    device.download(&b, 0, &mut got).unwrap();
    assert_eq!(got[..30], [0; 30]);
    assert_eq!(got[30..], [7, 7, 7, 7, 7, 7, 7, 7, 7, 9]);
    for error in [
        device.upload(&a, 91, &[0; 10]),
        device.download(&b, usize::MAX, &mut [0; 2]),
        device.copy(&b, 31, &a, 0, 10),
        device.copy(&b, 0, &a, 61, 40),
        device.fill(&b, 41, 0, 0),
    ] {
        assert_eq!(error.expect_err("out of range").kind(), ErrorKind::Device);
    }
}

#[test]
fn kernels_list_themselves() {
    let kernels = kernels().unwrap();
    assert!(kernels.contains(&Kernel { name: "fault".into(), params: 16, threads: 256 }), "{kernels:?}");
}

/// Runs one of this binary's tests in a process of its own, with the sanitized library.
fn sanitized(test: &str) -> Option<(bool, String)> {
    let Some(runtime) = sanitizer_runtime() else {
        eprintln!("skipped: there is no sanitized emulator");
        return None;
    };
    let done = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--include-ignored", &format!("device::emulated::tests::{test}")])
        .env("LD_PRELOAD", runtime)
        .env("ASAN_OPTIONS", "detect_leaks=0")
        .env("WARPGRAMMAR_EMULATOR", "sanitized")
        .env_remove("WARPGRAMMAR_SKIP_BARRIER")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stderr).into_owned() + &String::from_utf8_lossy(&done.stdout);
    assert!(text.contains("running 1 test"), "{text}");
    Some((done.status.success(), text))
}

#[test]
fn the_sanitizers_let_a_right_kernel_pass() {
    if let Some((passed, text)) = sanitized("every_name_of_the_port_means_the_same") {
        assert!(passed, "{text}");
    }
}

#[test]
fn the_sanitizers_see_every_fault() {
    for (test, wanted) in [
        ("fault_past_a_buffer", "heap-buffer-overflow"),
        ("fault_past_shared_memory", "heap-buffer-overflow"),
        ("fault_shift", "shift exponent 32 is too large"),
        ("fault_past_a_local_array", "stack-buffer-overflow"),
    ] {
        if let Some((passed, text)) = sanitized(test) {
            assert!(!passed && text.contains(wanted), "{test}: {text}");
        }
    }
}

// Run by the test above, in a process that is meant to die. They must not run anywhere else.

fn only_sanitized(kind: u32, words: u32) {
    assert!(is_sanitized(), "run by the_sanitizers_see_every_fault");
    fault(&Emulated::new().unwrap(), kind, words, SHARED).unwrap();
}

#[test]
#[ignore = "dies on purpose"]
fn fault_past_a_buffer() {
    only_sanitized(10, 256);
}

#[test]
#[ignore = "dies on purpose"]
fn fault_past_shared_memory() {
    only_sanitized(11, 0);
}

#[test]
#[ignore = "dies on purpose"]
fn fault_shift() {
    only_sanitized(12, 31);
}

#[test]
#[ignore = "dies on purpose"]
fn fault_past_a_local_array() {
    only_sanitized(13, 8);
}

/// Prints what a collective costs: `cargo test --release emulated_speed -- --nocapture`.
#[test]
fn emulated_speed() {
    if is_sanitized() {
        return;
    }
    let device = Emulated::new().unwrap();
    let rounds = 2000;
    selftest::shuffles(&device, 8, rounds).unwrap();
    let begin = std::time::Instant::now();
    selftest::shuffles(&device, 8, rounds).unwrap();
    let lanes = 8.0 * 256.0 * f64::from(rounds);
    let nanoseconds = begin.elapsed().as_secs_f64() * 1e9 / lanes;
    println!("{nanoseconds:.1} ns for a lane's shuffle, {} collectives", device.collectives());
    assert_eq!(device.collectives(), 8 * 8 * u64::from(rounds));
}

#[test]
fn a_captured_graph_is_replayed_as_a_whole() {
    let device = Emulated::new().unwrap();
    let branch = device.branch().unwrap();
    let (a, b) = (device.alloc(8).unwrap(), device.alloc(8).unwrap());
    let host = device.alloc_pinned(8).unwrap();
    device.begin_capture().unwrap();
    let fork = device.record().unwrap();
    branch.wait(&fork).unwrap();
    branch.copy(&b, 0, &a, 0, 8).unwrap();
    let join = branch.record().unwrap();
    device.wait(&join).unwrap();
    // SAFETY: `b` and `host` outlive the replays below.
    unsafe { device.download_later(&b, 0, &host, 0, 8).unwrap() };
    device.fill(&a, 0, 1, 5).unwrap();
    for error in [device.upload(&a, 0, &[1]), device.alloc(4).map(drop), device.begin_capture()] {
        assert!(error.expect_err("not during a capture").to_string().contains("capture"));
    }
    let graph = device.end_capture().unwrap();
    assert!(device.end_capture().is_err());
    let mut got = [0; 8];
    device.upload(&a, 0, &[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    device.download(&b, 0, &mut got).unwrap();
    assert_eq!(got, [0; 8], "nothing ran while it was captured");
    for first in [1, 5] {
        // SAFETY: the buffers are there.
        unsafe { device.replay(&graph).unwrap() };
        host.read(0, &mut got).unwrap();
        assert_eq!(got, [first, 2, 3, 4, 5, 6, 7, 8]);
    }
    assert!(host.read(1, &mut got).is_err());
}
