//! `kernels/emulator/selftest.cu` against the same arithmetic on the host: whether the names of `kernels/port.cuh`
//! mean on a device what kernels take them to mean.

use bytemuck::{Pod, Zeroable};

use super::driver::{Driver, Launch};
use crate::error::{Error, ErrorKind, Result};

/// Words a thread writes.
const WORDS: usize = 24;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    out: u64,
    sums: u64,
    input: u64,
    seed: u32,
    padding: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct SpeedParams {
    out: u64,
    rounds: u32,
    padding: u32,
}

/// `SelftestShared`: 256 words, a total and a ticket.
const SHARED: u32 = 258 * 4;

fn mix(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// What the threads of one block write.
fn expected(seed: u32, block: usize, threads: usize, input: &[u32]) -> Vec<[u32; WORDS]> {
    let first = block * threads;
    let value: Vec<u32> = (0..threads).map(|t| mix(seed.wrapping_add((first + t) as u32))).collect();
    let total = value.iter().map(|v| if v % 3 == 0 { 1 } else { 2 * (v % 3) }).sum::<u32>();
    (0..threads)
        .map(|t| {
            let (lane, base, v) = (t % 32, t / 32 * 32, value[t]);
            let warp = &value[base..base + 32];
            let vote = |f: &dyn Fn(u32) -> bool| {
                warp.iter().enumerate().fold(0, |bits, (i, &v)| bits | u32::from(f(v)) << i)
            };
            let wide = |v: u32| u64::from(v) << 32 | u64::from(!v);
            let (a, b, c) =
                (v as i32 as f32 * 0.001, (v << 7) as i32 as f32 * 1.7, (v << 13) as i32 as f32 * -0.3);
            let low = v & 0xff0;
            let ffs = if low == 0 { 0 } else { low.trailing_zeros() + 1 };
            let (m, n) = (u64::from(v) << 32 | u64::from(v), (u64::from(!v) << 31) | 12345);
            let four = &input[(first + t) / 4 * 4..][..4];
            [
                vote(&|v| v & 1 != 0),
                u32::from(vote(&|v| v & 63 == 0) != 0),
                u32::from(vote(&|v| v & 63 != 0) == u32::MAX),
                warp[(v >> 3) as usize % 32],
                warp[lane ^ 5],
                if lane < 3 { v } else { warp[lane - 3] },
                if lane + 7 > 31 { v } else { warp[lane + 7] },
                (wide(warp[lane ^ 16]) >> 32) as u32,
                wide(warp[lane ^ 16]) as u32,
                ((warp[9] & 0xffff) as f32).to_bits(),
                warp.iter().fold(0, |a, &b| a.wrapping_add(b)),
                *warp.iter().max().expect("32 lanes"),
                *warp.iter().min().expect("32 lanes"),
                warp.iter().fold(0, |a, v| a | (v & (v >> 1) & (v >> 2) & (v >> 3))),
                value[t ^ 1],
                value[(t + 37) % threads],
                total,
                a.mul_add(b, c).to_bits(),
                (a / (b + 0.5)).to_bits(),
                (a * b + c).to_bits(),
                v.count_ones() | ffs << 8 | (v >> (v & 31)).leading_zeros() << 16,
                (((u128::from(m) * u128::from(n)) >> 64) as u64 >> 11) as u32,
                four[0] ^ four[1].wrapping_mul(3) ^ four[2].wrapping_mul(5) ^ four[3].wrapping_mul(7),
                four.iter().fold(0, |a, &b| a.wrapping_add(b)),
            ]
        })
        .collect()
}

/// Runs the kernel in a few shapes and compares every word.
///
/// # Errors
///
/// The first word that differs, or what the driver reports.
pub fn check(driver: &dyn Driver) -> Result<()> {
    for (blocks, threads, seed) in [(1, 32, 1), (1, 256, 2), (2, 64, 3), (7, 128, 4), (16, 256, 5)] {
        check_shape(driver, blocks, threads, seed)?;
    }
    Ok(())
}

fn check_shape(driver: &dyn Driver, blocks: usize, threads: usize, seed: u32) -> Result<()> {
    let input: Vec<u32> = (0..blocks * threads).map(|i| mix(!seed ^ i as u32)).collect();
    let out = driver.alloc(blocks * threads * WORDS * 4)?;
    let sums = driver.alloc(16)?;
    let given = driver.alloc(input.len() * 4)?;
    driver.upload(&given, 0, bytemuck::cast_slice(&input))?;
    let params =
        Params { out: out.address(), sums: sums.address(), input: given.address(), seed, padding: 0 };
    let launch = Launch { blocks: blocks as u32, threads: threads as u32, shared: SHARED };
    let wanted: Vec<[u32; WORDS]> = (0..blocks).flat_map(|b| expected(seed, b, threads, &input)).collect();
    let sum = wanted.iter().flatten().fold(0u64, |a, &b| a + u64::from(b));
    // Twice: the ticket must have been reset.
    for round in 1..=2 {
        driver.fill(&out, 0, out.len(), 0xee)?;
        // SAFETY: `Params` mirrors SelftestParams; the three buffers have the sizes that it states for this shape,
        // and live until the downloads below have waited for the launch.
        unsafe { driver.launch("selftest", launch, bytemuck::bytes_of(&params))? };
        let mut got = vec![[0u32; WORDS]; wanted.len()];
        driver.download(&out, 0, bytemuck::cast_slice_mut(&mut got))?;
        for (at, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
            if let Some(word) = (0..WORDS).find(|&w| got[w] != wanted[w]) {
                return Err(Error::new(
                    ErrorKind::Device,
                    format!(
                        "selftest: block {}, thread {}, word {word}: {:#010x}, not {:#010x}",
                        at / threads,
                        at % threads,
                        got[word],
                        wanted[word]
                    ),
                ));
            }
        }
        let mut totals = [0u64; 2];
        driver.download(&sums, 0, bytemuck::cast_slice_mut(&mut totals))?;
        if totals != [0, sum * round] {
            return Err(Error::new(
                ErrorKind::Device,
                format!("selftest: the last block left {totals:?}, not {:?}", [0, sum * round]),
            ));
        }
    }
    Ok(())
}

/// Runs `rounds` shuffles in every warp of `blocks` blocks of 256 threads, and waits for the end.
pub fn shuffles(driver: &dyn Driver, blocks: u32, rounds: u32) -> Result<()> {
    let out = driver.alloc(blocks as usize * 256 * 4)?;
    let params = SpeedParams { out: out.address(), rounds, padding: 0 };
    let launch = Launch { blocks, threads: 256, shared: 0 };
    // SAFETY: `SpeedParams` mirrors SelftestSpeedParams; `out` has a word for every thread and is dropped after
    // `synchronize`.
    unsafe { driver.launch("selftest_speed", launch, bytemuck::bytes_of(&params))? };
    driver.synchronize()
}
