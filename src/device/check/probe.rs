//! The sampler's arithmetic on a device, one function at a time (`kernels/probe.cu`).

use bytemuck::{Pod, Zeroable, bytes_of};
use half::f16;

use super::random::Random;
use super::{differs, download, upload};
use crate::device::driver::{Driver, Launch};
use crate::device::sample::{SHARED, THREADS};
use crate::error::Result;
use crate::sampling::{
    Draw, TileRecord, canonical, key, key_to_f32, log_probability, log2_ratio, mass, pick_tile, pick_token,
    scale_draw, weight,
};

/// `ProbeParams`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Params {
    out: u64,
    values: u64,
    draw: u64,
    count: u32,
    what: u32,
}

/// The functions of a whole block.
const PICK: u32 = 16;
const WALK_TO_SUM: u32 = 17;
const SORT: u32 = 18;

/// Runs one function; `count` values of `values.len() / count` words go in, `out` words come out.
fn run(
    device: &dyn Driver,
    what: u32,
    values: &[u64],
    count: usize,
    draw: u64,
    out: usize,
) -> Result<Vec<u64>> {
    let input = upload(device, values)?;
    let output = device.alloc(out * 8)?;
    let params = Params { out: output.address(), values: input.address(), draw, count: count as u32, what };
    let launch = Launch { blocks: 1, threads: THREADS, shared: SHARED };
    // SAFETY: `Params` mirrors the kernel's; it reads `count` values of the size the function takes and writes `out`
    // words, which callers choose as the kernel says.
    unsafe { device.launch("probe", launch, bytes_of(&params))? };
    download(device, &output, out)
}

/// A function of up to four numbers, on random ones.
fn compare(
    device: &dyn Driver,
    name: &str,
    what: u32,
    arguments: &[[u64; 4]],
    expected: impl Fn([u64; 4]) -> u64,
) -> Result<()> {
    let got = run(device, what, bytemuck::cast_slice(arguments), arguments.len(), 0, arguments.len())?;
    for (&arguments, got) in arguments.iter().zip(got) {
        let expected = expected(arguments);
        if got != expected {
            return Err(differs(format!("{name} of {arguments:x?} is {got:#x}, not {expected:#x}")));
        }
    }
    Ok(())
}

fn float(bits: u64) -> f32 {
    f32::from_bits(bits as u32)
}

/// A logit of any kind.
fn any_float(random: &mut Random) -> f32 {
    match random.below(4) {
        0 => f32::from_bits(random.next() as u32),
        1 => {
            random.pick(&[0.0, -0.0, f32::MAX, -f32::MAX, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e-41])
        }
        _ => (random.normal() * 20.0) as f32,
    }
}

/// Every function of one value, on `n` random values each.
///
/// # Errors
///
/// The first difference, or what the driver reports.
pub fn arithmetic(device: &dyn Driver, random: &mut Random, n: usize) -> Result<()> {
    let scales: Vec<f32> =
        [1.0f64, 0.7, 1e-4, 50.0, 3e38].map(|t| (std::f64::consts::LOG2_E / t) as f32).to_vec();
    let mut logits = Vec::new();
    for _ in 0..n {
        // z, a ≥ z, s and a sum: what weights and masses are made of.
        let (x, y) = (canonical(any_float(random)), canonical(any_float(random)));
        let (z, a) = if key(x) < key(y) { (x, y) } else { (y, x) };
        let a = if a > f32::NEG_INFINITY { a } else { 0.0 };
        let sum = random.next() >> 24 >> random.below(40);
        let s = random.pick(&scales);
        logits.push([z.to_bits().into(), a.to_bits().into(), s.to_bits().into(), sum.max(1)]);
    }
    let of = |[z, a, s, _]: [u64; 4]| u64::from(weight(float(z), float(a), float(s)));
    compare(device, "weight", 0, &logits, of)?;
    compare(device, "weight_below", 1, &logits, of)?;
    compare(device, "mass", 2, &logits, |[z, a, s, sum]| mass(sum, float(z), float(a), float(s)))?;
    // The fourth is the logarithm of a total here: a float of any size.
    let probabilities: Vec<[u64; 4]> = logits
        .iter()
        .map(|&[z, a, s, _]| [z, a, s, ((random.unit() * 60.0) as f32).to_bits().into()])
        .collect();
    compare(device, "log_probability", 4, &probabilities, |[z, a, s, total]| {
        log_probability(float(z), float(a), float(s), float(total)).to_bits().into()
    })?;
    let sums: Vec<[u64; 4]> = (0..n).map(|_| [(random.next() >> random.below(64)).max(1), 0, 0, 0]).collect();
    compare(device, "log2_of_mass", 3, &sums, |[n, ..]| log2_ratio(n, 40).to_bits().into())?;
    let floats: Vec<[u64; 4]> = (0..n).map(|_| [any_float(random).to_bits().into(), 0, 0, 0]).collect();
    compare(device, "canonical", 5, &floats, |[z, ..]| canonical(float(z)).to_bits().into())?;
    compare(device, "key", 6, &floats, |[z, ..]| key(canonical(float(z))).into())?;
    let keys: Vec<[u64; 4]> =
        floats.iter().map(|&[z, ..]| [key(canonical(float(z))).into(), 0, 0, 0]).collect();
    compare(device, "key_to_f32", 7, &keys, |[k, ..]| key_to_f32(k as u32).to_bits().into())?;
    let draws: Vec<[u64; 4]> =
        (0..n).map(|_| [random.next(), random.next(), random.next() >> 32, 0]).collect();
    compare(device, "draw.tile", 8, &draws, |[seed, at, stream, _]| Draw::new(seed, at, stream as u32).tile)?;
    compare(device, "draw.token", 9, &draws, |[seed, at, stream, _]| {
        Draw::new(seed, at, stream as u32).token
    })?;
    // NaN stays NaN; which one does not matter.
    let halves: Vec<[u64; 4]> =
        (0..=u16::MAX).filter(|&h| !f16::from_bits(h).is_nan()).map(|h| [h.into(), 0, 0, 0]).collect();
    compare(device, "half", 10, &halves, |[h, ..]| f16::from_bits(h as u16).to_f32().to_bits().into())?;
    let floors: Vec<[u64; 4]> = logits
        .iter()
        .map(|&[_, a, s, _]| {
            let p = random.pick(&[0.0f32, -0.5, -3.0, -40.0, -1e9, -f32::MAX]);
            [a, s, p.to_bits().into(), 0]
        })
        .collect();
    compare(device, "min_p_cut", 11, &floors, |[max, s, p, _]| {
        let keeps = |k| (key_to_f32(k) - float(max)) * float(s) >= float(p);
        let (mut cut, mut kept) = (0, key(float(max)));
        while kept - cut > 1 {
            let middle = cut + (kept - cut) / 2;
            if keeps(middle) { kept = middle } else { cut = middle }
        }
        u64::from(kept) << 32
    })?;
    let totals: Vec<[u64; 4]> =
        (0..n).map(|_| [random.next() >> random.below(64), random.next() >> 32, 0, 0]).collect();
    compare(device, "enough_mass", 12, &totals, |[total, p, ..]| {
        (((u128::from(total) * u128::from(p)) >> 32) as u64).max(1)
    })
}

/// The picking functions: at the edges of the draw, and on random values.
///
/// # Errors
///
/// As [`arithmetic`].
pub fn picks(device: &dyn Driver, random: &mut Random, n: usize) -> Result<()> {
    let quarter = 1u64 << 62;
    for draw in [0, quarter - 1, quarter, 3 * quarter - 1, 3 * quarter, u64::MAX] {
        pick(device, &[0, 1, 0, 2, 1, 0], draw)?;
    }
    for (values, draw) in [
        (vec![], 0),
        (vec![0; 700], u64::MAX),
        (vec![1u32 << 30; 1024], u64::MAX),
        (vec![1 << 30; 1024], 1 << 54),
        (vec![1 << 30; 1024], (1 << 54) - 1),
    ] {
        pick(device, &values, draw)?;
    }
    for _ in 0..n {
        let count = random.pick(&[1, 2, 31, 32, 33, 255, 256, 257, 511, 1000, 1024]);
        let zeros = random.pick(&[0, 50, 99]);
        let few = random.chance(50);
        let values: Vec<u32> = (0..count)
            .map(|_| match random.chance(zeros) {
                true => 0,
                false if few => random.below(4) as u32,
                false => (random.next() >> 34) as u32,
            })
            .collect();
        let total: u64 = values.iter().map(|&v| u64::from(v)).sum();
        // The least draw of a target, and the greatest of the one before it.
        let target = random.below(total.max(1) as usize) as u64;
        let edge = (u128::from(target) << 64).div_ceil(u128::from(total.max(1))) as u64;
        assert!(scale_draw(edge, total) == target || total == 0);
        for draw in [edge, edge.wrapping_sub(1), random.next(), 0, u64::MAX] {
            pick(device, &values, draw)?;
        }
        prefix(device, &values, 1 + random.below(total as usize + 2) as u64)?;
        sort(device, random, count)?;
    }
    Ok(())
}

/// Picks from `values` as tokens of a tile and as tiles of a row.
fn pick(device: &dyn Driver, values: &[u32], draw: u64) -> Result<()> {
    let wide: Vec<u64> = values.iter().map(|&v| v.into()).collect();
    let got = run(device, PICK, &wide, values.len(), draw, 3)?;
    let expected = pick_token(values, draw).unwrap_or(values.len()) as u64;
    let total: u64 = wide.iter().sum();
    if values.iter().all(|&v| v < 1 << 10) {
        // As tiles of a row, each at the row's maximum.
        let record = |&sum: &u64| TileRecord { sum: sum << 30, max: 1.0, reserved: 0 };
        let records: Vec<TileRecord> = wide.iter().map(record).collect();
        let masses: Vec<u64> = records.iter().map(|r| mass(r.sum, r.max, 1.0, 1.0)).collect();
        let tile = pick_tile(&records, 1.0, 1.0, draw).unwrap_or(values.len()) as u64;
        let got = run(device, PICK, &masses, values.len(), draw, 3)?;
        if got[0] != tile {
            return Err(differs(format!("draw {draw:#x} picks tile {}, not {tile}, of {values:?}", got[0])));
        }
    }
    if got[0] != expected || got[1] != total {
        return Err(differs(format!(
            "draw {draw:#x} picks {got:?}, not {expected} of {total}, from {values:?}"
        )));
    }
    Ok(())
}

/// The least prefix of a sum.
fn prefix(device: &dyn Driver, values: &[u32], enough: u64) -> Result<()> {
    let wide: Vec<u64> = values.iter().map(|&v| v.into()).collect();
    let got = run(device, WALK_TO_SUM, &wide, values.len(), enough, 3)?;
    let mut running = 0;
    let expected = wide.iter().position(|&v| {
        running += v;
        running >= enough
    });
    let before: u64 = expected.map_or(got[2], |at| wide[..at].iter().sum());
    if got[0] != expected.unwrap_or(values.len()) as u64 || got[2] != before {
        return Err(differs(format!("{enough} is reached at {got:?}, not {expected:?}, of {values:?}")));
    }
    Ok(())
}

/// Sorts with and without ties.
fn sort(device: &dyn Driver, random: &mut Random, count: usize) -> Result<()> {
    let drop = random.pick(&[0, 30, 60]);
    let values: Vec<u64> = (0..count).map(|_| random.next() >> drop).collect();
    let got = run(device, SORT, &values, count, 0, count)?;
    let mut expected = values;
    expected.sort_unstable_by(|a, b| b.cmp(a));
    if got != expected {
        return Err(differs(format!("{count} values are not sorted: {got:x?}")));
    }
    Ok(())
}
